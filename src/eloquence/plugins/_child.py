"""The process in which one plugin runs, for one conversation.

It reads JSON lines and answers each with one. Whatever the plugin prints goes nowhere, and what it
can do is limited before it is loaded.
"""

import importlib
import inspect
import json
import os
import re
from collections.abc import Iterable
from typing import Any, BinaryIO

from eloquence.plugins import HOOKS, Context, Fact, Plugin, Said, adapted
from eloquence.plugins._confinement import confine

MOST_FACTS = 20
MOST_COUNTS = 16
COUNT = re.compile(r"[a-z][a-z_]{0,31}")
"""Names of what a plugin counts."""


def serve(given: dict[str, Any], source: BinaryIO) -> None:
    """Loads the plugin, says what it is, and answers until `source` ends."""
    out = os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nowhere, number)
    os.close(nowhere)
    confine(memory=given["memory"], cpu=given["cpu"], folder=given["folder"])
    try:
        plugin = _loaded(given["value"])
        made = plugin.create(plugin.options.model_validate(given["options"]))
    except Exception as error:
        _tell(out, {"failed": _why(error)})
        return
    _tell(out, {"about": _about(plugin, made)})
    called = _Calls(made)
    for line in source:
        asked = json.loads(line)
        try:
            answer = called.answer(asked)
        except Exception as error:  # one call that fails ends nothing
            answer = {"raised": type(error).__name__}
        _tell(out, {"number": asked["number"], **answer})


def _loaded(value: str) -> Plugin:
    """The plugin behind an entry point, `module:attribute`."""
    module, _, attributes = value.partition(":")
    found: Any = importlib.import_module(module)
    for attribute in attributes.split("."):
        found = getattr(found, attribute)
    return found if isinstance(found, Plugin) else adapted(found)


def _about(plugin: Plugin, made: object) -> dict[str, Any]:
    there = [hook for hook in HOOKS if callable(getattr(made, hook, None))]
    return {
        "takes": [hook for hook in there if hook in plugin.takes | plugin.changes],
        "changes": [hook for hook in there if hook in plugin.changes and hook != "session_end"],
        "required": plugin.required,
        "languages": sorted(plugin.languages),
        "keeps": plugin.keeps,
        "remembers": plugin.remembers,
    }


class _Calls:
    def __init__(self, made: object) -> None:
        self._made = made
        self._loop: Any = None

    def answer(self, asked: dict[str, Any]) -> dict[str, Any]:
        context = Context(**asked["context"])
        given = asked["given"]
        if asked["hook"] == "session_end":
            given = tuple(Said(speaker, text) for speaker, text in given)
        result = getattr(self._made, asked["hook"])(given, context)
        if inspect.isawaitable(result):
            result = self._awaited(result)
        answer: dict[str, Any] = {"counts": _counts(context.counts)}
        if asked["hook"] == "session_end":
            answer["facts"] = _facts(result)
        elif result is not None:
            answer["text"] = str(result)
        return answer

    def _awaited(self, result: Any) -> Any:
        import asyncio  # slow to load, and most hooks do without

        if self._loop is None:
            self._loop = asyncio.new_event_loop()
        return self._loop.run_until_complete(result)


def _counts(counts: dict[str, int]) -> dict[str, int]:
    known = [(name, by) for name, by in counts.items() if COUNT.fullmatch(name)]
    return {name: int(by) for name, by in known[:MOST_COUNTS]}


def _facts(found: Iterable[Fact] | None) -> list[tuple[str, str]]:
    return [(one.kind, one.text) for one in tuple(found or ())[:MOST_FACTS]]


def _why(error: Exception) -> str:
    """Why a plugin cannot be used, for its operator: nothing was said yet that this could hold."""
    from pydantic import ValidationError

    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "options"
        return f"option {where!r}: {first['msg']}"
    if isinstance(error, ModuleNotFoundError):
        return f"it needs the package {error.name!r}"
    return type(error).__name__


def _tell(out: BinaryIO, what: dict[str, Any]) -> None:
    out.write(json.dumps(what).encode() + b"\n")
    out.flush()
