"""Letting a plugin take part, and no more."""

import asyncio

from eloquence.config import PluginsSettings, Settings, load
from eloquence.ops.settings_file import set_plugins
from eloquence.plugins.running import About, Limits, Wanted, tried
from eloquence.storage.sessions import open_store


def enable(name: str) -> tuple[About, Settings]:
    """Lets a plugin take part in the conversations that begin from now on, once it has started and
    answered in a process of its own; what it says of itself, and the settings as they are then.
    One that was switched off stays so until `switch_on`. Raises PluginError, ConfigurationError;
    nothing is changed then."""
    plugins = load().plugins
    limits = Limits(seconds=plugins.seconds, memory=plugins.memory_mb << 20)
    about = asyncio.run(tried(Wanted(name, plugins.options.get(name, {})), limits))

    def with_it(listed: PluginsSettings) -> dict[str, tuple[str, ...]]:
        enabled = (*dict.fromkeys((*listed.enabled, name)),)
        if not about.required or name in listed.required:
            return {"enabled": enabled}
        # Written down, so that it counts also when it cannot even start and say so.
        return {"enabled": enabled, "required": (*listed.required, name)}

    return about, set_plugins(with_it)


def disable(name: str) -> Settings:
    """Lets a plugin take part no more; the settings as they are then. Raises
    ConfigurationError."""
    settings = load()
    if name not in settings.plugins.enabled:
        return settings
    return set_plugins(lambda listed: {"enabled": [one for one in listed.enabled if one != name]})


async def switch_on(settings: Settings, name: str) -> None:
    """Takes back a plugin that was switched off. Raises StorageError."""
    async with open_store(settings.database, settings.recordings) as store:
        await store.plugins.switch_on(name)
