"""One plugin's process, from our side: we write it JSON lines and read its answers, never longer
than we agreed to wait, and end it with everything that it has started.
"""

import asyncio
import builtins
import contextlib
import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from eloquence.plugins import Hook
from eloquence.plugins._child import COUNT, MOST_COUNTS, MOST_FACTS
from eloquence.plugins.installed import Installed

START_SECONDS = 10.0
"""How long a plugin may take to load."""
LONGEST_LINE = 1 << 16
"""Bytes of the longest answer that is read."""
CPU_SECONDS = 60
"""Seconds of processor time that a plugin may use in one conversation."""
MOST = 1_000_000
"""What a plugin may add to one of its figures in one call."""
_LONGEST_WHY = 200

Trouble = Literal["start", "late", "died", "raised", "output"]
_BOOT = (
    "import os, sys, json; source = os.fdopen(os.dup(0), 'rb'); "
    "given = json.loads(source.readline()); sys.path[:] = given['path']; "
    "from eloquence.plugins._child import serve; serve(given, source)"
)
"""The path comes first: a plugin may be installed anywhere that this process looks."""


class FaultError(Exception):
    """What a plugin did wrong. Only after `raised` can its process go on. `why` is for the
    operator, and empty where it might hold what was said."""

    def __init__(self, trouble: Trouble, why: str = "") -> None:
        super().__init__(trouble)
        self.trouble: Trouble = trouble
        self.why = why


@dataclass(frozen=True, slots=True)
class About:
    """What a plugin says of itself once it is loaded: see `eloquence.plugins.Plugin`."""

    takes: frozenset[str]
    changes: frozenset[str]
    required: bool
    languages: frozenset[str]
    keeps: str
    remembers: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """What a hook came to: the new text or None, what it counted, the facts that it found as
    (kind, text)."""

    text: str | None
    counts: Mapping[str, int]
    facts: tuple[tuple[str, str], ...]


class Child:
    """The process of one plugin. `start` makes one; `end` is always called."""

    def __init__(self, process: asyncio.subprocess.Process, folder: str) -> None:
        self._process = process
        self._folder = folder
        self._asking = asyncio.Lock()
        self._number = 0
        self.about: About

    @classmethod
    async def start(
        cls, found: Installed, options: Mapping[str, object], *, memory: int
    ) -> "Child":
        """A plugin that is loaded; `memory` is its limit in bytes. Raises FaultError."""
        folder = await asyncio.to_thread(tempfile.mkdtemp, prefix="eloquence-plugin-")
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-B", "-c", _BOOT),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=_environment(folder),
            cwd=folder,
            limit=LONGEST_LINE,
            start_new_session=True,
        )
        child = cls(process, folder)
        given = {
            "path": _path(),
            "value": found.value,
            "options": dict(options),
            "memory": memory,
            "cpu": CPU_SECONDS,
            "folder": folder,
        }
        try:
            async with asyncio.timeout(START_SECONDS):
                await child._write(given)
                first = await child._read()
            if "failed" in first:
                why = " ".join(_text(first["failed"]).split())
                raise FaultError("start", why[:_LONGEST_WHY])
            child.about = _about(first)
        except TimeoutError:
            await child.end()
            raise FaultError("start", f"it was not loaded within {START_SECONDS:g} s") from None
        except FaultError as fault:
            await child.end()
            raise FaultError("start", fault.why or "its process died") from None
        except BaseException:
            await child.end()
            raise
        return child

    @property
    def pid(self) -> int:
        return self._process.pid

    async def ask(
        self, hook: Hook, given: object, context: Mapping[str, object], seconds: float
    ) -> Answer:
        """What a hook comes to, in so many seconds at most. Raises FaultError."""
        try:
            async with asyncio.timeout(seconds), self._asking:
                self._number += 1
                number = self._number
                await self._write(
                    {"number": number, "hook": hook, "given": given, "context": dict(context)}
                )
                while (told := await self._read()).get("number") != number:
                    pass  # the answer to a call that nobody waits for any more
        except TimeoutError:
            raise FaultError("late") from None
        if "raised" in told:
            raise FaultError("raised", _kind(told["raised"]))
        return _answer(told)

    async def end(self) -> None:
        """Ends the process, with whatever it has started, and removes its folder."""
        self._kill()
        transport: asyncio.SubprocessTransport = self._process._transport  # type: ignore[attr-defined]
        # Its pipes first: one that we have stopped reading would keep us waiting for its end.
        for number in (0, 1):
            if (pipe := transport.get_pipe_transport(number)) is not None:
                pipe.close()
        await self._process.wait()
        transport.close()
        self._kill()  # what outlived the one that led them
        await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)

    def _kill(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)

    async def _write(self, what: Mapping[str, object]) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(what).encode() + b"\n")
            await self._process.stdin.drain()
        except ConnectionError:
            raise FaultError("died") from None

    async def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        try:
            line = await self._process.stdout.readuntil(b"\n")
            told = json.loads(line)
        except (asyncio.IncompleteReadError, ConnectionError):
            raise FaultError("died") from None
        except (asyncio.LimitOverrunError, ValueError, RecursionError):
            raise FaultError("output") from None
        if not isinstance(told, dict):
            raise FaultError("output")
        return told


def _path() -> list[str]:
    """Where a plugin's process finds code, all of which it may read: not the folder that we were
    started in, as `python -m` has it, for that holds `.env` and the settings, unless we ourselves
    are in it."""
    try:
        here = Path.cwd()
    except FileNotFoundError:  # it is gone, with all that was in it
        return sys.path
    if (here / "eloquence" / "__init__.py").is_file():
        return sys.path
    return [one for one in sys.path if one and Path(one).absolute() != here]


def _environment(folder: str) -> dict[str, str]:
    """All that a plugin sees of ours: nothing that could be a secret."""
    return {
        "PATH": os.defpath,
        "LANG": "C.UTF-8",
        "HOME": folder,
        "TMPDIR": folder,
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }


# Whatever comes out of the process may be of the plugin's own making, not of ours in it.


def _about(told: Mapping[str, Any]) -> About:
    try:
        about = told["about"]
        return About(
            takes=frozenset(map(_text, about["takes"])),
            changes=frozenset(map(_text, about["changes"])),
            required=bool(about["required"]),
            languages=frozenset(map(_text, about["languages"])),
            keeps=_text(about["keeps"]),
            remembers=bool(about["remembers"]),
        )
    except (KeyError, TypeError):
        raise FaultError("output") from None


def _answer(told: Mapping[str, Any]) -> Answer:
    try:
        text = told.get("text")
        counts, facts = dict(told.get("counts", {})), tuple(told.get("facts", ()))
        if len(counts) > MOST_COUNTS or len(facts) > MOST_FACTS:
            raise FaultError("output")
        return Answer(
            text=None if text is None else _text(text),
            counts={_name(name): _amount(by) for name, by in counts.items()},
            facts=tuple((_text(kind), _text(fact)) for kind, fact in facts),
        )
    except (TypeError, ValueError):
        raise FaultError("output") from None


def _text(value: object) -> str:
    """A text that can be written, sent and stored. Raises FaultError."""
    if not isinstance(value, str) or "\0" in value:
        raise FaultError("output")
    try:
        value.encode()
    except UnicodeEncodeError:  # half of a pair of surrogates
        raise FaultError("output") from None
    return value


def _name(value: str) -> str:
    if not COUNT.fullmatch(value):
        raise FaultError("output")
    return value


def _amount(value: object) -> int:
    if not isinstance(value, int) or abs(value) > MOST:
        raise FaultError("output")
    return int(value)


def _kind(value: object) -> str:
    """The name of an error as the log may have it: that of the plugin's own could say anything."""
    found = getattr(builtins, value, None) if isinstance(value, str) else None
    known = isinstance(found, type) and issubclass(found, BaseException)
    return str(value) if known else "an error of its own"
