"""Latency, barge-in, CPU and memory of conversations: ours against a bare engine session.

    python -m benchmarks.conversation [--sessions 1 10] [--turns 8] [--patience 0.5]

For each number of sessions the kinds run one after the other on the same machine, over real
WebSockets, each server in a process of its own, with the same recorded French speech.
"""

import argparse
import asyncio
import socket
import statistics
import sys
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import psutil
import soundfile
import soxr
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from eloquence import protocol
from eloquence.delivery import sound
from eloquence.errors import ConnectionLostError
from eloquence.testing.learner import Learner

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "fixtures-fr" / "voxforge"
TTS_FIRST = 0.1


@dataclass
class Figures:
    """What one kind did."""

    response: list[float] = field(default_factory=list)
    barge_in: list[float] = field(default_factory=list)
    cut_ins: int = 0
    turns: int = 0
    cpu_per_minute: float = 0.0
    memory: float = 0.0


class Line:
    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection

    async def receive(self) -> str | bytes:
        try:
            return await self._connection.recv()
        except ConnectionClosed as error:
            raise ConnectionLostError("closed") from error

    async def send(self, data: str | bytes) -> None:
        try:
            await self._connection.send(data)
        except ConnectionClosed as error:
            raise ConnectionLostError("closed") from error


def sentences() -> list[bytes]:
    """The recorded sentences, from first to last sound: PCM16 at 16 kHz."""
    found = []
    for path in sorted(DATA.rglob("*.wav")):
        samples, rate = soundfile.read(path, dtype="float32")
        speech = np.asarray(soxr.resample(samples, rate, 16_000), dtype=np.float32)
        spoken = sound.measure(speech, 16_000).speech
        piece = speech[int(spoken[0][0] * 16_000) : int(spoken[-1][1] * 16_000)]
        found.append((np.clip(piece, -1, 1) * 32767).astype("<i2").tobytes())
    return found


async def learner(port: int, speech: list[bytes], turns: int, figures: Figures) -> None:
    """Takes `turns` turns; each third answer is interrupted."""
    one = Learner(protocol.Hello(exercise="conversation_libre_marie"))

    async def idle() -> None:
        await one.until(
            lambda: (
                one.client.state == "listening"
                and not one.client.playing
                and bool(one.client.heard.first_sound)
            )
        )
        await asyncio.sleep(0.3)

    async def script(self: Learner) -> None:
        await idle()
        for turn in range(turns):
            sounds = len(one.client.heard.first_sound)
            await one.say(speech[turn % len(speech)])
            said_at = time.perf_counter()
            figures.turns += 1
            if len(one.client.heard.first_sound) > sounds:
                figures.cut_ins += 1
                await idle()
                continue
            await one.until(partial(_more, one.client.heard.first_sound, sounds))
            figures.response.append(one.client.heard.first_sound[sounds] - said_at)
            if turn % 3 == 2:
                await one.until(lambda: one.client.playing)
                await asyncio.sleep(0.5)
                silenced = len(one.client.heard.silenced)
                began = time.perf_counter()
                speaking = asyncio.create_task(one.say(speech[(turn + 1) % len(speech)]))
                await one.until(partial(_more, one.client.heard.silenced, silenced))
                figures.barge_in.append(one.client.heard.silenced[silenced] - began)
                await speaking
                await asyncio.sleep(1.0)
            await idle()

    async with connect(
        f"ws://127.0.0.1:{port}/talk", max_size=None, compression=None
    ) as connection:
        await one.talk(Line(connection), script)


def _more(marks: list[float], than: int) -> bool:
    return len(marks) > than


async def measured(kind: str, sessions: int, turns: int, patience: float) -> Figures:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.lines", kind, str(port), str(patience)
    )
    try:
        await _answers(port)
        figures, speech = Figures(), sentences()
        await learner(port, speech, 1, Figures())  # models are loaded by the first conversation
        process = psutil.Process(server.pid)
        before = process.cpu_times()
        resting = process.memory_info().rss
        began = time.perf_counter()
        async with asyncio.TaskGroup() as tasks:
            for number in range(sessions):
                rotated = speech[number % len(speech) :] + speech[: number % len(speech)]
                tasks.create_task(learner(port, rotated, turns, figures))
                await asyncio.sleep(0.25)
            await asyncio.sleep(5.0)
            figures.memory = (process.memory_info().rss - resting) / sessions / 1e6
        minutes = sessions * (time.perf_counter() - began) / 60
        after = process.cpu_times()
        spent = after.user + after.system - before.user - before.system
        figures.cpu_per_minute = spent / minutes
        return figures
    finally:
        server.terminate()
        await server.wait()


async def _answers(port: int) -> None:
    async with asyncio.timeout(60):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.1)
                continue
            writer.close()
            return


def quantile(values: list[float], share: float) -> float:
    return float(np.quantile(values, share)) if values else float("nan")


def told(kind: str, sessions: int, figures: Figures, patience: float) -> str:
    ms = 1000
    middle = statistics.median(figures.response) if figures.response else float("nan")
    barge = statistics.median(figures.barge_in) if figures.barge_in else float("nan")
    return (
        f"{kind:5} {sessions:3} sessions | response p50 {middle * ms:5.0f} "
        f"p95 {quantile(figures.response, 0.95) * ms:5.0f} ms, n={len(figures.response)} | added "
        f"p50 {(middle - patience) * ms:5.0f} "
        f"p95 {(quantile(figures.response, 0.95) - patience) * ms:5.0f} | cut-ins "
        f"{figures.cut_ins}/{figures.turns} | barge-in p50 {barge * ms:4.0f} "
        f"p95 {quantile(figures.barge_in, 0.95) * ms:4.0f} ms | CPU {figures.cpu_per_minute:4.2f} "
        f"s per session-minute | {figures.memory:4.1f} MB per session"
    )


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, nargs="+", default=[1, 10])
    parser.add_argument("--turns", type=int, default=9)
    parser.add_argument("--patience", type=float, default=0.5)
    parser.add_argument("--kinds", nargs="+", default=["bare", "fast", "ours"])
    given = parser.parse_args()
    for sessions in given.sessions:
        results = {}
        for kind in given.kinds:
            results[kind] = await measured(kind, sessions, given.turns, given.patience)
            print(told(kind, sessions, results[kind], given.patience), flush=True)
        for other in sorted(set(results) - {"ours"}):
            ours, fast = results["ours"], results[other]
            print(
                f"ratios ours/{other}: response "
                f"{quantile(ours.response, 0.5) / quantile(fast.response, 0.5):.2f}, "
                f"CPU {ours.cpu_per_minute / fast.cpu_per_minute:.2f}, "
                f"memory {ours.memory / max(fast.memory, 0.1):.2f}"
            )


if __name__ == "__main__":
    asyncio.run(main())
