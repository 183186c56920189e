"""Sessions started, interrupted and stopped one after the other: what is left of them.

    python -m benchmarks.endurance [--sessions 200]

Virtual time, in one process, over in-memory lines: real engine, real voice activity, real store.
Each session is ended in another phase: while the character speaks, is interrupted, while the
learner speaks, by the learner, by losing the line.
"""

import argparse
import asyncio
import gc
import logging
import os
import re
import tempfile
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import numpy as np
import psutil

from eloquence import protocol
from eloquence.errors import ConnectionLostError
from eloquence.storage.sessions import SqlSessionStore, open_store
from eloquence.testing import clock
from eloquence.testing.learner import Learner
from eloquence.transports import memory
from eloquence.transports.websocket import WebSocketTransport

COMPLAINTS = re.compile(r"aclose|never retrieved|destroyed but (it is )?pending|Unclosed", re.I)
Script = Callable[[Learner], Awaitable[None]]


class Ears(logging.Handler):
    """Keeps the log lines that tell of something that was not closed."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        line = record.getMessage()
        if COMPLAINTS.search(line):
            self.lines.append(line)


def voice(seconds: float) -> bytes:
    """Sound that voice activity takes for speech: pulses of 120 Hz through two resonances."""
    rate = 16_000
    at = np.arange(int(seconds * rate))
    pulses = (at % (rate // 120) == 0).astype(float)
    speech = pulses
    for hertz, width in ((600, 80), (1400, 120), (2500, 160)):
        decay = np.exp(-np.pi * width / rate)
        ring = decay ** np.arange(800) * np.cos(2 * np.pi * hertz / rate * np.arange(800))
        speech = np.convolve(speech, ring)[: at.size]
    speech *= 0.5 + 0.5 * np.sin(2 * np.pi * 4 * at / rate)
    return bytes((speech / np.abs(speech).max() * 12_000).astype("<i2").tobytes())


async def opening(learner: Learner) -> None:
    await learner.until(lambda: learner.client.playing)


async def interrupted(learner: Learner) -> None:
    await opening(learner)
    await learner.say(voice(1.2))


async def answered(learner: Learner) -> None:
    await learner.until(lambda: learner.count("turn_stored") > 0)
    await learner.say(voice(1.5))
    await learner.quiet()


async def lost(learner: Learner) -> None:
    await opening(learner)
    raise ConnectionLostError("the page is closed")


PHASES: tuple[Script, ...] = (opening, interrupted, answered, lost)


async def one(store: SqlSessionStore, script: Script) -> None:
    from benchmarks.lines import ours

    server, client = memory.pair()
    learner = Learner(protocol.Hello(exercise="conversation_libre_marie"))

    async def serve() -> None:
        async with WebSocketTransport(server) as transport:
            await transport.hello()
            await ours(transport, store, 0.5)

    serving = asyncio.create_task(serve())
    try:
        await learner.talk(client, script)
    except* ConnectionLostError:
        pass
    finally:
        client.close()
        await serving


async def endured(sessions: int, warm: int) -> dict[str, float]:
    """Holds the sessions and returns what is left after them, per figure."""
    process = psutil.Process()
    ears = Ears()
    logging.getLogger().addHandler(ears)
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: ears.lines.append(str(context.get("message"))))
    with tempfile.TemporaryDirectory() as folder:
        database = f"sqlite:///{Path(folder) / 'endurance.db'}"
        async with open_store(database, Path(folder) / "recordings") as store:
            for number in range(warm):
                await one(store, PHASES[number % len(PHASES)])
            before = _counted(process)
            for number in range(sessions):
                await one(store, PHASES[number % len(PHASES)])
            after = _counted(process)
    logging.getLogger().removeHandler(ears)
    left = {name: after[name] - before[name] for name in before}
    return {
        "sessions": sessions,
        "complaints": len(ears.lines),
        "tasks left": left["tasks"],
        "threads left": left["threads"],
        "descriptors left": left["descriptors"],
        "KB per session": left["bytes"] / 1000 / sessions,
    }


def _counted(process: psutil.Process) -> dict[str, float]:
    for _ in range(3):
        gc.collect()
    return {
        "tasks": len(asyncio.all_tasks()),
        "threads": threading.active_count(),
        "descriptors": process.num_fds() if os.name == "posix" else 0,
        "bytes": process.memory_info().rss,
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=200)
    given = parser.parse_args()
    for name, value in clock.run(endured(given.sessions, warm=40)).items():
        print(f"{name:18} {value:8.1f}")
