"""Starts the parts of a stack in their order, keeps them up, and stops them the other way round.

Docker's part in a deployment: a part starts when those that it waits for are healthy, is started
again when it ends by itself (`restart: unless-stopped`), and is asked to stop before those that it
needs (a worker before its LiveKit server).
"""

import asyncio
import json
import os
import pwd
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from eloquence.errors import ConfigurationError
from eloquence.ops.stack.plan import Part

_LOOK_SECONDS = 0.1
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 30.0
_STEADY_SECONDS = 60.0
"""A part that ran for so long is started again at once."""


@dataclass
class _Running:
    process: asyncio.subprocess.Process
    created: float


class Supervision:
    """The parts, while they run. `folder` is theirs; `state.json` in it tells how they are."""

    def __init__(self, parts: Sequence[Part], folder: Path) -> None:
        self._parts = parts
        self._folder = folder
        self._running: dict[str, _Running] = {}
        self._state: dict[str, str] = {part.name: "waiting" for part in parts}
        self._healthy = {part.name: asyncio.Event() for part in parts}
        self._failed = asyncio.Event()
        self._problem = ""

    async def run(self, stop: asyncio.Event) -> bool:
        """Until `stop` is set, or a part does not become healthy; whether all were well."""
        tasks = [asyncio.create_task(self._keep(part)) for part in self._parts]
        ends = [asyncio.create_task(stop.wait()), asyncio.create_task(self._failed.wait())]
        self._tell()
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (*tasks, *ends):
                task.cancel()
            await asyncio.gather(*tasks, *ends, return_exceptions=True)
            await self._stop()
        return not self._problem

    async def _keep(self, part: Part) -> None:
        for name in part.after:
            await self._healthy[name].wait()
        pause, first = _FIRST_PAUSE, True
        clock = asyncio.get_running_loop().time
        while True:
            began = clock()
            try:
                await asyncio.to_thread(prepare, part)
                running = await self._start(part)
                healthy = await self._until_healthy(part, running)
            except (OSError, ConfigurationError) as error:
                running, healthy = None, False
                self._problem = f"{part.name}: {error}"
            if not healthy and first:
                self._problem = self._problem or _unhealthy(part)
                self._set(part, "failed")
                self._failed.set()
                return
            first = False
            if running is not None:
                await running.process.wait()
                _say(f"{part.name} ended ({running.process.returncode}), is started again")
                end_group(running.process.pid)
            self._set(part, "starting again")
            pause = _FIRST_PAUSE if clock() - began > _STEADY_SECONDS else pause
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def _start(self, part: Part) -> _Running:
        with (part.folder / "log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *part.command,
                cwd=part.folder,
                env=dict(part.environment),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **owner(part.user),
            )
        running = _Running(process, created(process.pid))
        self._running[part.name] = running
        self._set(part, "starting")
        return running

    async def _until_healthy(self, part: Part, running: _Running) -> bool:
        with suppress(TimeoutError):
            async with asyncio.timeout(part.check.patience):
                while running.process.returncode is None:
                    if await asyncio.to_thread(answers, part):
                        self._set(part, "healthy")
                        self._healthy[part.name].set()
                        return True
                    await asyncio.sleep(_LOOK_SECONDS)
        return False

    async def _stop(self) -> None:
        """Each part after all those that wait for it."""
        gone = {part.name: asyncio.Event() for part in self._parts}

        async def one(part: Part) -> None:
            for other in self._parts:
                if part.name in other.after:
                    await gone[other.name].wait()
            running = self._running.get(part.name)
            if running is not None and running.process.returncode is None:
                self._set(part, "stopping")
                await _end(running.process, part)
            if running is not None:
                end_group(running.process.pid)
                _say(f"{part.name} stopped")
            self._set(part, "failed" if self._state[part.name] == "failed" else "stopped")
            gone[part.name].set()

        await asyncio.gather(*(one(part) for part in self._parts))

    def _set(self, part: Part, state: str) -> None:
        self._state[part.name] = state
        self._tell()

    def _tell(self) -> None:
        state = {
            "problem": self._problem,
            "parts": {
                part.name: {
                    "state": self._state[part.name],
                    "pid": self._running[part.name].process.pid,
                    "created": self._running[part.name].created,
                }
                if part.name in self._running
                else {"state": self._state[part.name]}
                for part in self._parts
            },
        }
        written = self._folder / "state.json.new"
        written.write_text(json.dumps(state, indent=1))
        written.replace(self._folder / "state.json")


def prepare(part: Part) -> None:
    """Writes a part's files and, once, runs what comes first. Raises ConfigurationError when that
    fails, with the end of what it wrote."""
    part.folder.mkdir(parents=True, exist_ok=True)
    for name, text in part.files.items():
        file = part.folder / name
        file.touch(mode=0o600)
        file.write_text(text)
    given = owner(part.user)
    if given:
        for path in (part.folder, *(part.folder / name for name in part.files)):
            os.chown(path, given["user"], given["group"])
    if part.first and not (part.folder / part.done).exists():
        for command in part.first:
            run = subprocess.run(  # noqa: S603 - of the plan
                command,
                cwd=part.folder,
                env=dict(part.environment),
                capture_output=True,
                text=True,
                check=False,
                **given,
            )
            if run.returncode:
                raise ConfigurationError(f"{command[0]} failed:\n{run.stderr[-1000:]}")


def answers(part: Part) -> bool:
    """Whether a part says that it is well, asked once."""
    asked = part.check.command
    if asked[0].startswith("http://"):
        try:
            with urllib.request.urlopen(asked[0], timeout=part.check.timeout) as reply:  # noqa: S310
                return bool(reply.status == 200)
        except (urllib.error.URLError, OSError):
            return False
    try:
        run = subprocess.run(  # noqa: S603 - of the plan
            asked, capture_output=True, check=False, timeout=part.check.timeout
        )
    except subprocess.TimeoutExpired:
        return False
    return run.returncode == 0


def owner(user: str) -> dict[str, Any]:
    """How a process is made another user's, when this one is root's. Raises ConfigurationError
    when there is no such user."""
    if not user or os.geteuid() != 0:
        return {}
    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        raise ConfigurationError(
            f"There is no user {user}.", mend="Install it: apt-get install postgresql"
        ) from None
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def created(pid: int) -> float:
    """When a process was started, by which one that has its number later is told apart; 0.0 when
    there is none."""
    try:
        return float(psutil.Process(pid).create_time())
    except psutil.NoSuchProcess:
        return 0.0


def end_group(pid: int) -> None:
    """Ends at once whatever a part left behind."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


async def _end(process: asyncio.subprocess.Process, part: Part) -> None:
    """Asks a part to stop; asks again after its grace; then ends it."""
    for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            process.send_signal(number)
        with suppress(TimeoutError):
            async with asyncio.timeout(part.grace if number == signal.SIGTERM else 10.0):
                await process.wait()
                return


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - its log


def _unhealthy(part: Part) -> str:
    log = part.folder / "log"
    lines = log.read_text(errors="replace").splitlines()[-5:] if log.exists() else []
    said = "\n".join(f"    {line}" for line in lines)
    return f"{part.name} did not become healthy; the end of {log}:\n{said}"
