"""`eloquence worker` as a part of a test: a real process with its own children.

async with worker(livekit, folder) as part:
    process = await part.holder(session_id, epoch=1)
"""

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import psutil

from eloquence.testing.parts import LiveKit, Part, free_port

_LOOK = 0.02
_READY_SECONDS = 90.0
_HOLDER_SECONDS = 20.0


@dataclass
class Worker(Part):
    """A worker process. `log` is what it wrote to its console."""

    port: int = 0

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    @property
    def children(self) -> list[psutil.Process]:
        """Every process that it started, or that they did."""
        try:
            return list(psutil.Process(self.pid).children(recursive=True))
        except psutil.NoSuchProcess:
            return []

    async def start(self) -> None:
        """Starts it, without waiting until it is ready."""
        self.process = self._spawned()

    async def ready(self, within: float = _READY_SECONDS) -> None:
        """Waits until it can hold a conversation, with as many processes ready as it keeps."""
        await self.until(lambda found: found["status"] == "ok", within)

    async def until(self, holds: Callable[[dict[str, Any]], bool], within: float = 30.0) -> None:
        """Waits for its health to be as wanted. Raises RuntimeError when the process has ended."""
        async with asyncio.timeout(within):
            while True:
                found = await self.health()
                if found is not None and holds(found):
                    return
                if self.process is None or self.process.poll() is not None:
                    raise RuntimeError(f"The worker has ended:\n{self.log[-2000:]}")
                await asyncio.sleep(_LOOK)

    async def health(self) -> dict[str, Any] | None:
        """What it tells of itself; None when it does not answer."""
        address = f"http://127.0.0.1:{self.port}/health"
        with suppress(aiohttp.ClientError, OSError):
            async with aiohttp.ClientSession() as session, session.get(address) as reply:
                found: dict[str, Any] = await reply.json()
                return found
        return None

    async def holder(self, session: str, epoch: int = 1) -> psutil.Process:
        """The process that holds a session in that epoch, once there is one."""
        told = re.compile(rf"session {session}: .*epoch {epoch}, process (\d+)")
        async with asyncio.timeout(_HOLDER_SECONDS):
            while True:
                found = told.search(self.log)
                if found is not None:
                    return psutil.Process(int(found[1]))
                await asyncio.sleep(_LOOK)

    def signal(self, number: signal.Signals) -> None:
        """Signals the worker's own process alone."""
        os.kill(self.pid, number)

    async def ended(self, within: float = 30.0) -> int:
        """Waits until it has ended; gives its exit status."""
        assert self.process is not None
        async with asyncio.timeout(within):
            while self.process.poll() is None:  # noqa: ASYNC110
                await asyncio.sleep(_LOOK)
        return self.process.returncode


def environment(livekit: LiveKit, data: Path, database: str = "") -> dict[str, str]:
    """Settings for processes that hold conversations in that server's rooms, with stages that need
    no model and no words: a script, and a voice."""
    return {
        "LIVEKIT_URL": livekit.url,
        "LIVEKIT_API_KEY": livekit.key,
        "LIVEKIT_API_SECRET": livekit.secret,
        "DATABASE_URL": database,
        "ELOQUENCE_DATA": str(data),
        "ELOQUENCE_SIGN_IN": "false",
        "ELOQUENCE_STT": "none",
        "ELOQUENCE_LLM": "script",
        "ELOQUENCE_TTS": "espeak",
    }


@asynccontextmanager
async def worker(
    settings: Mapping[str, str], folder: Path, *, name: str = "worker", idle: int = 1, most: int = 4
) -> AsyncIterator[Worker]:
    """A worker that was started, and is not ready yet; at the end nothing of it is left."""
    port = free_port()
    place = folder / name
    place.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-c", "from eloquence.cli import main; main()", "worker"]
    command += ["--host", "127.0.0.1", "--port", str(port)]
    part = Worker(
        name=name,
        command=[*command, "--idle", str(idle), "--max", str(most)],
        folder=place,
        answers=_never,
        environment=settings,
        port=port,
    )
    await part.start()
    try:
        yield part
    finally:
        left = part.children
        part.kill()
        for process in left:
            with suppress(psutil.NoSuchProcess):
                process.kill()


async def _never() -> bool:
    return False
