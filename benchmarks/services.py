"""What the way through our services costs: a host asked directly, and through `eloquence service`.

    python -m benchmarks.services [N]

The host answers with fixed latencies (`eloquence.testing.services`). Each service runs in a process
of its own, as in use; host and client share this one. Both ways are asked in turn, N times (200 by
default), over connections that are kept. For a chat, whole and streamed, and for speech (PCM):
seconds to the first byte, and to the last, in milliseconds; the difference is that of the medians.
`CPU` is the service's own time of a processor for each request, which a busy machine changes least.
"""

import asyncio
import json
import os
import statistics
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import psutil

from eloquence.testing.services import Services

FIRST, TOKEN = 0.05, 0.002
WARM = 10
TEXT = "Bonjour, je suis Marie, votre coach"
CHAT = {"model": "any", "messages": [{"role": "user", "content": TEXT}]}
SPEECH = {"model": "tts-1", "voice": "nova", "input": TEXT, "response_format": "pcm"}
PYTHON = (sys.executable, "-c", "from eloquence.cli import main; main()")


@dataclass(frozen=True)
class Route:
    """What is asked of both ways."""

    name: str
    stage: str
    path: str
    body: Mapping[str, Any]


ROUTES = (
    Route("chat, whole", "llm", "/v1/chat/completions", CHAT),
    Route("chat, streamed", "llm", "/v1/chat/completions", {**CHAT, "stream": True}),
    Route("speech, PCM", "tts", "/v1/audio/speech", SPEECH),
)


@dataclass
class Times:
    """Seconds to the first byte and to the last, of each request."""

    first: list[float] = field(default_factory=list)
    last: list[float] = field(default_factory=list)


async def main(count: int) -> None:
    async with AsyncExitStack() as stack:
        host = await stack.enter_async_context(
            Services(first_seconds=FIRST, token_seconds=TOKEN, speech_seconds=0.5)
        )
        clients, programs = {}, {}
        for stage in ("llm", "tts"):
            url, programs[stage] = await stack.enter_async_context(service(stage, host.url))
            clients[stage] = [
                await stack.enter_async_context(httpx.AsyncClient(base_url=one, timeout=30))
                for one in (host.url, url)
            ]
        print("| | n | directly p50 / p95 | through us p50 / p95 | added p50 | CPU |")
        print(f"{'|---' * 6}|")
        for route in ROUTES:
            before = 0.0
            ways = (Times(), Times())
            for number in range(-WARM, count):
                if number == 0:
                    before = spent(programs[route.stage])
                for way in (0, 1) if number % 2 else (1, 0):
                    asked = Times() if number < 0 else ways[way]
                    await ask(clients[route.stage][way], route, asked)
            each = (spent(programs[route.stage]) - before) / count
            print(row(f"{route.name}, first byte", ways[0].first, ways[1].first, each))
            print(row(f"{route.name}, last byte", ways[0].last, ways[1].last, each))


async def ask(client: httpx.AsyncClient, route: Route, times: Times) -> None:
    began = time.perf_counter()
    size = 0
    async with client.stream("POST", route.path, json=route.body) as answer:
        answer.raise_for_status()
        async for piece in answer.aiter_raw():
            if not size:
                first = time.perf_counter() - began
            size += len(piece)
    times.first.append(first)
    times.last.append(time.perf_counter() - began)


@asynccontextmanager
async def service(stage: str, host: str) -> AsyncIterator[tuple[str, psutil.Process]]:
    """The address of a service of ours that passes on to that host, and its process."""
    chosen = {"provider": "openai", "options": {"base_url": host}}
    process = await asyncio.create_subprocess_exec(
        *PYTHON, "service", stage, "--port", "0",
        env={**os.environ, f"ELOQUENCE_{stage.upper()}": json.dumps(chosen)},
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        line = (await process.stdout.readline()).decode()
        assert "http://" in line, "the service did not start"
        address = "http://" + line.split("http://")[1].strip().rstrip("/")
        yield address, psutil.Process(process.pid)
    finally:
        process.terminate()
        await process.wait()


def spent(program: psutil.Process) -> float:
    """Seconds of a processor that a program has had."""
    times = program.cpu_times()
    return float(times.user + times.system)


def row(name: str, directly: list[float], through: list[float], cpu: float) -> str:
    """A row of the table, in milliseconds."""
    added = statistics.median(through) - statistics.median(directly)
    told = [f"{1000 * middle(one, 50):.1f} / {1000 * middle(one, 95):.1f}"
            for one in (directly, through)]  # fmt: skip
    cost = f"{1000 * added:.1f} | {1000 * cpu:.1f}"
    return f"| {name} | {len(directly)} | {told[0]} | {told[1]} | {cost} |"


def middle(values: list[float], percent: int) -> float:
    return statistics.quantiles(values, n=100)[percent - 1]


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 200))
