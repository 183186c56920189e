"""The parts of a deployment, as many of each as a fault needs, and a crowd of learners in it.

    async with laboratory(Design(workers=2, learners=4), record) as lab:
        await lab.ready()
        lab.workers[0].kill_alone()
        …

Whatever it starts, it ends. `lab.events` holds what the crowd told and what was done, in order;
all of it is also written to `record`, one JSON object a line.
"""

import asyncio
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import aiohttp
import psutil

from benchmarks.lab import apart
from benchmarks.lab.figures import Event, live_sessions
from eloquence.storage.sessions import open_store
from eloquence.testing import parts
from eloquence.testing.parts import LiveKit, Part, Postgres, Redis

ROOT = Path(__file__).resolve().parents[2]
SENTENCES = ROOT.parent / "shared" / "data" / "fixtures-fr" / "voxforge"
STRANGER = 12_345
"""The group of a crowd whose packets are dropped."""
_LOOK = 0.05
_BEGIN_SECONDS = 90.0
_PROGRAM = (sys.executable, "-c", "from eloquence.cli import main; main()")


@dataclass(frozen=True)
class Design:
    """How many of each part there are."""

    workers: int = 1
    servers: int = 1
    nodes: int = 1
    """LiveKit servers; several share a Redis."""
    learners: int = 1
    redis: bool = False
    idle: int = 2
    """Processes that each worker keeps ready."""
    capacity: int = 8
    """Conversations that each worker takes."""
    stranger: bool = False
    """Whether the crowd is of another group, so that its packets can be dropped."""


@dataclass
class Program(Part):
    """A process of the product."""

    port: int = 0

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def kill_alone(self) -> None:
        """kill -9 of that process, not of those that it has started."""
        os.kill(self.pid, signal.SIGKILL)
        assert self.process is not None
        self.process.wait()

    def children(self) -> list[psutil.Process]:
        with suppress(psutil.NoSuchProcess):
            return list(psutil.Process(self.pid).children(recursive=True))
        return []

    def holders(self, livekit: set[int]) -> list[psutil.Process]:
        """Its processes that are in a room: those connected to a LiveKit server's port."""
        return [child for child in self.children() if _connected(child, livekit)]


@dataclass
class Laboratory:
    """What runs. `events` are those of the crowd and of the laboratory itself."""

    design: Design
    postgres: Postgres
    database: str
    redis: Redis | None
    nodes: list[LiveKit]
    servers: list[Program]
    workers: list[Program]
    folder: Path
    record: IO[str]
    events: list[Event] = field(default_factory=list)
    crowd: asyncio.subprocess.Process | None = None

    def tell(self, event: str, **fields: Any) -> Event:
        """Notes what was done to the parts."""
        told: Event = {"t": time.monotonic(), "event": event, "who": "lab", **fields}
        self._note(told)
        return told

    def _note(self, told: Event) -> None:
        self.events.append(told)
        self.record.write(json.dumps(told) + "\n")
        self.record.flush()

    @property
    def ports(self) -> set[int]:
        return {node.port for node in self.nodes}

    def holders(self) -> list[psutil.Process]:
        """The processes that are in a room."""
        return [one for worker in self.workers for one in worker.holders(self.ports)]

    async def gather(self, seed: int) -> None:
        """Lets the learners come."""
        orders = {
            "servers": [f"http://127.0.0.1:{server.port}" for server in self.servers],
            "learners": self.design.learners,
            "seed": seed,
            "sentences": str(SENTENCES),
        }
        home = self.folder / "crowd"
        home.mkdir()
        stranger: dict[str, Any] = {}
        if self.design.stranger:
            stranger = {"group": STRANGER, "extra_groups": []}
        with (self.folder / "crowd.log").open("ab") as log:
            self.crowd = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "benchmarks.lab.crowd",
                json.dumps(orders),
                cwd=ROOT,
                env={**os.environ, "HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1"},
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                **stranger,
            )
        self._reading = asyncio.create_task(self._read(), name="what the crowd tells")

    async def _read(self) -> None:
        assert self.crowd is not None
        assert self.crowd.stdout is not None
        async for line in self.crowd.stdout:
            with suppress(ValueError):
                self._note(json.loads(line))

    async def order(self, order: str) -> None:
        assert self.crowd is not None
        assert self.crowd.stdin is not None
        self.crowd.stdin.write(f"{order}\n".encode())
        await self.crowd.stdin.drain()

    async def until(self, holds: Callable[[], bool], within: float) -> bool:
        """Waits for something to hold; whether it did in time."""
        limit = time.monotonic() + within
        while not holds():
            if self.crowd is not None and self.crowd.returncode is not None:
                log = (self.folder / "crowd.log").read_text(errors="replace")
                raise RuntimeError(f"The crowd ended:\n{log[-3000:]}")
            if time.monotonic() > limit:
                return False
            await asyncio.sleep(_LOOK)
        return True

    async def healthy(self, worker: Program, within: float = 60.0) -> bool:
        """Waits until a worker could take a conversation at once."""
        limit = time.monotonic() + within
        while time.monotonic() < limit:
            told = await health(worker)
            if told is not None and told["status"] == "ok" and told["idle"]:
                return True
            await asyncio.sleep(0.1)
        return False

    async def disperse(self) -> None:
        """Sends the learners home."""
        if self.crowd is None:
            return
        if self.crowd.returncode is None:
            with suppress(OSError):
                await self.order("stop")
            with suppress(TimeoutError):
                await asyncio.wait_for(self.crowd.wait(), 10.0)
        if self.crowd.returncode is None:
            self.crowd.kill()
            await self.crowd.wait()
        await self._reading

    async def stored(self, session: str) -> list[tuple[int, str, float, float]]:
        """What the store has of a session: index, speaker, start and end (s) of each turn."""
        async with open_store(self.database, self.folder / "recordings") as store:
            turns = (await store.get(session)).turns
        return [(turn.index, turn.speaker, turn.start, turn.end) for turn in turns]

    def live(self) -> dict[int, str]:
        return live_sessions(self.events, time.monotonic())


@asynccontextmanager
async def laboratory(design: Design, record: IO[str]) -> AsyncIterator[Laboratory]:
    """The parts, each waited for, in the order in which they need each other."""
    async with AsyncExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="eloquence-lab-"))
        stack.callback(_put_away, folder, Path(record.name).with_suffix(".logs"))
        postgres = await stack.enter_async_context(parts.postgres())
        store = await stack.enter_async_context(parts.redis()) if design.redis else None
        address = store.address if store is not None else ""
        node_ip = apart.ADDRESS if apart.is_apart() else ""
        nodes = [
            await stack.enter_async_context(parts.livekit_server(redis=address, node_ip=node_ip))
            for _ in range(design.nodes)
        ]
        database = await postgres.database()
        lab = Laboratory(
            design=design,
            postgres=postgres,
            database=database,
            redis=store,
            nodes=nodes,
            servers=[],
            workers=[],
            folder=folder,
            record=record,
        )
        for kind, count in (("serve", design.servers), ("worker", design.workers)):
            made = lab.servers if kind == "serve" else lab.workers
            for number in range(count):
                program = _program(lab, kind, number, nodes[number % len(nodes)])
                stack.push_async_callback(_ended, program)
                made.append(program)
                await begun(program)
        stack.push_async_callback(lab.disperse)
        yield lab


def _put_away(folder: Path, kept: Path) -> None:
    """Keeps what the processes have written, and nothing else."""
    for log in (*folder.glob("*/log"), *folder.glob("*.log")):
        target = kept / f"{log.parent.name}.log" if log.name == "log" else kept / log.name
        kept.mkdir(exist_ok=True)
        shutil.copyfile(log, target)
    shutil.rmtree(folder, ignore_errors=True)


async def begun(program: Program) -> None:
    """Starts a process of the product; a busy machine takes its time to load the models."""
    program.process = program._spawned()
    limit = time.monotonic() + _BEGIN_SECONDS
    while not await program.answers():
        if program.process.poll() is not None or time.monotonic() > limit:
            raise RuntimeError(f"{program.name} did not start:\n{program.log[-3000:]}")
        await asyncio.sleep(_LOOK)


async def _ended(program: Program) -> None:
    """Ends a process of the product and all that it has started."""
    if program.process is None:
        return
    started = program.children()
    program.kill()
    for child in started:
        with suppress(psutil.NoSuchProcess):
            child.kill()


def _program(lab: Laboratory, kind: str, number: int, node: LiveKit) -> Program:
    port = parts.free_port()
    folder = lab.folder / f"{kind}-{number}"
    folder.mkdir()
    given = {
        "LIVEKIT_URL": node.url,
        "LIVEKIT_API_KEY": node.key,
        "LIVEKIT_API_SECRET": node.secret,
        "DATABASE_URL": lab.database,
        "REDIS_URL": lab.redis.url if lab.redis is not None else "",
        "ELOQUENCE_DEVELOPMENT": "true",
        "ELOQUENCE_DATA": str(folder / "data"),
        "ELOQUENCE_STT": "none",
        "ELOQUENCE_LLM": "script",
        "ELOQUENCE_TTS": "espeak",
        "ELOQUENCE_STARTS_PER_ADDRESS": "100000",
        "ELOQUENCE_IDLE_PROCESSES": str(lab.design.idle),
        "ELOQUENCE_MAX_CONVERSATIONS": str(lab.design.capacity),
        "ELOQUENCE_WORKER_HOST": "127.0.0.1",
        "ELOQUENCE_WORKER_PORT": str(port),
        "ELOQUENCE_PORT": str(port),
    }
    program = Program(
        name=f"eloquence {kind}",
        command=[*_PROGRAM, kind],
        folder=folder,
        answers=_nobody,
        environment={name: value for name, value in given.items() if value},
        port=port,
    )
    if kind == "worker":
        program.answers = lambda: _ready(program)
    else:
        program.answers = lambda: _answers(f"http://127.0.0.1:{port}/api/v1/status")
    return program


async def _nobody() -> bool:
    return False


async def health(worker: Program) -> dict[str, Any] | None:
    """What a worker tells of itself."""
    return await _read(f"http://127.0.0.1:{worker.port}/health")


async def _ready(worker: Program) -> bool:
    told = await health(worker)
    return told is not None and told["status"] == "ok" and bool(told["idle"])


async def _answers(url: str) -> bool:
    return await _read(url) is not None


async def _read(url: str) -> dict[str, Any] | None:
    timeout = aiohttp.ClientTimeout(total=3.0)
    try:
        async with aiohttp.ClientSession(timeout=timeout) as http, http.get(url) as reply:
            found: dict[str, Any] = await reply.json()
            return found
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
        return None


def _connected(process: psutil.Process, ports: set[int]) -> bool:
    try:
        return any(
            line.raddr and line.raddr.port in ports and line.status == psutil.CONN_ESTABLISHED
            for line in process.net_connections("tcp")
        )
    except psutil.Error:
        return False


def chance(seed: int) -> random.Random:
    return random.Random(seed)
