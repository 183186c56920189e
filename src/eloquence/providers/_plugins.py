"""Loading the engine's plugins for vendors, from whatever thread first needs one."""

import threading
from importlib import import_module
from types import ModuleType
from typing import Any

from livekit.agents import Plugin

_ONE = threading.Lock()


def plugin(name: str) -> ModuleType:
    """The module `livekit.plugins.NAME`. Raises ModuleNotFoundError when it is not installed.

    Each of them announces itself when it is loaded, which the engine allows in the main thread
    only; providers are chosen in other threads, so that no conversation waits for an import. The
    announcement is a list entry, as safe there as here.
    """
    with _ONE:
        if threading.current_thread() is threading.main_thread():
            return import_module(f"livekit.plugins.{name}")
        announce = Plugin.__dict__["register_plugin"]
        changed: Any = Plugin
        changed.register_plugin = Plugin.registered_plugins.append
        try:
            return import_module(f"livekit.plugins.{name}")
        finally:
            changed.register_plugin = announce
