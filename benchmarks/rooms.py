"""Conversations in LiveKit rooms: ours against a plain livekit-agents worker, on one machine.

    python -m benchmarks.rooms latency [--rounds 5] [--turns 6]   response, cut-ins, barge-in
    python -m benchmarks.rooms join    [--n 30]                    request to first sound
    python -m benchmarks.rooms crowd   [--sessions 1 2 4 6 8 10]   how many one worker holds
    python -m benchmarks.rooms soak    [--n 500] [--at-once 4]     half of them ended rudely

A real LiveKit server, `eloquence worker` and (for `latency` and `crowd`) plain workers run beside
each other with the same scripted stages; the learner is a real WebRTC client in this process, and
all times are taken at its ear. What speaks are recorded French sentences.
"""

import argparse
import asyncio
import itertools
import math
import os
import random
import re
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import psutil

from benchmarks import scripted
from benchmarks.conversation import sentences
from eloquence import protocol
from eloquence.bootstrap import Eloquence, opened
from eloquence.bootstrap.rooms import Rooms
from eloquence.config import load
from eloquence.storage.accounts import Account
from eloquence.testing.parts import LiveKit, free_port, livekit_server
from eloquence.testing.room_learner import AUDIBLE, RoomLearner
from eloquence.transports.livekit_server import Assignment, LiveKitServer

SECRET = "secret-of-benchmarks-0123456789-abcdef"
EXERCISE = "conversation_libre_marie"
QUIET = 0.6
"""Seconds of silence after which the coach has finished."""
SETTLE = 0.4
COMPLAINTS = re.compile(
    r"aclose\(\)|Unclosed|never retrieved|destroyed but it is pending|destroyed but pending"
)


@dataclass
class Figures:
    """What the learners' ears told. Times are seconds."""

    response: list[float] = field(default_factory=list)
    barge_in: list[float] = field(default_factory=list)
    joined: list[float] = field(default_factory=list)
    cut_ins: int = 0
    turns: int = 0
    unanswered: int = 0


@dataclass
class Place:
    """Everything that runs."""

    livekit: LiveKit
    folder: Path
    product: Eloquence
    api: LiveKitServer
    environment: dict[str, str]
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, name: str, *command: str, **more: str) -> subprocess.Popen[bytes]:
        """Starts a process of this project; its output is in a file of that name."""
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                _program(command),
                env={**self.environment, **more},
                stdout=log,
                stderr=log,
                cwd=scripted.ROOT,
            )
        self.started.append(process)
        return process

    @property
    def rooms(self) -> Rooms:
        assert self.product.rooms is not None
        return self.product.rooms

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")

    async def worker(self, *, most: int = 12, idle: int = 2) -> tuple[subprocess.Popen[bytes], int]:
        """Our worker, ready; and the port of its health."""
        port = free_port()
        process = self.start(
            "worker",
            "eloquence",
            "worker",
            "--port",
            str(port),
            "--max",
            str(most),
            "--idle",
            str(idle),
            ELOQUENCE_WORKER_HOST="127.0.0.1",
        )
        await _answers(f"http://127.0.0.1:{port}/health")
        return process, port

    async def ours(self) -> RoomLearner:
        ticket = await self.rooms.ask(
            protocol.Hello(exercise=EXERCISE), Account(id="", name="", role="operator")
        )
        return RoomLearner(ticket.url, ticket.token)

    async def bare(self, kind: str) -> RoomLearner:
        room = f"b_{secrets.token_hex(8)}"
        api = LiveKitServer(
            self.livekit.url, self.livekit.key, self.livekit.secret, agent_name=kind
        )
        async with api:
            await api.create(room)
            await api.dispatch(room, Assignment("bare", 1))
            return RoomLearner(self.livekit.url, api.token(room, f"learner-{room}"))


def _show_logs(folder: Path) -> None:
    for log in folder.glob("*.log"):
        print(f"── {log.name}\n{log.read_text(errors='replace')[-3000:]}", file=sys.stderr)


def _program(command: tuple[str, ...]) -> list[str]:
    if command[0] == "eloquence":
        return [str(Path(sys.executable).with_name("eloquence")), *command[1:]]
    return [sys.executable, "-m", *command]


@asynccontextmanager
async def place() -> AsyncIterator[Place]:
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="eloquence-rooms-")))
        livekit = await stack.enter_async_context(livekit_server(secret=SECRET))
        environment = scripted.environment(folder)
        environment |= {
            "LIVEKIT_URL": livekit.url,
            "LIVEKIT_API_KEY": livekit.key,
            "LIVEKIT_API_SECRET": livekit.secret,
            "ELOQUENCE_DEVELOPMENT": "true",
        }
        sys.path.insert(0, str(folder / "packages"))
        settings = load(
            data=folder / "data",
            content=folder / "content",
            livekit_url=livekit.url,
            livekit_api_key=livekit.key,
            livekit_api_secret=livekit.secret,
            development=True,
            **dict.fromkeys(("stt", "llm", "tts"), "scripted"),
        )
        product = await stack.enter_async_context(opened(settings))
        api = await stack.enter_async_context(
            LiveKitServer(livekit.url, livekit.key, livekit.secret, agent_name="eloquence")
        )
        made = Place(livekit, folder, product, api, environment)
        try:
            yield made
        except BaseException:
            _show_logs(folder)
            raise
        finally:
            for process in made.started:
                process.send_signal(signal.SIGTERM)
            for process in made.started:
                try:
                    process.wait(8)
                except subprocess.TimeoutExpired:
                    process.send_signal(signal.SIGTERM)
                    with suppress(subprocess.TimeoutExpired):
                        process.wait(4)
                    process.kill()


async def _answers(url: str, within: float = 120.0) -> None:
    import httpx

    async with asyncio.timeout(within), httpx.AsyncClient() as client:
        while True:
            with suppress(httpx.HTTPError):
                if (await client.get(url)).status_code == 200:
                    return
            await asyncio.sleep(0.2)


# what a learner does, by ear alone


def now() -> float:
    return asyncio.get_running_loop().time()


async def idle(one: RoomLearner, since: float) -> None:
    """Waits until the coach has spoken after that time, and has finished."""
    await one.until(lambda: one.heard_after(since) is not None, within=20)

    def finished() -> bool:
        last = next((at for at, level in reversed(one.levels) if level > AUDIBLE), 0.0)
        return bool(one.levels) and one.levels[-1][0] - last >= QUIET

    await one.until(finished, within=30)
    await asyncio.sleep(SETTLE)


def _heard(one: RoomLearner, since: float) -> bool:
    return one.heard_after(since) is not None


def _silent(one: RoomLearner, since: float) -> bool:
    return one.silent_after(since) is not None


async def take_turns(
    one: RoomLearner, speech: list[bytes], turns: int, figures: Figures, began: float
) -> None:
    await idle(one, began)
    for turn in range(turns):
        figures.turns += 1
        began = now()
        await one.say(speech[turn % len(speech)])
        ended = one.spoke[-1][1]
        early = one.heard_after(began + 0.1)
        if early is not None and early < ended:
            figures.cut_ins += 1
            await idle(one, began)
            continue
        try:
            await one.until(partial(_heard, one, ended), within=8)
        except TimeoutError:
            figures.unanswered += 1
            continue
        heard = one.heard_after(ended)
        assert heard is not None
        figures.response.append(heard - ended)
        if turn % 3 == 2:
            await asyncio.sleep(0.5)
            cut = now()
            speaking = asyncio.create_task(one.say(speech[(turn + 1) % len(speech)]))
            with suppress(TimeoutError):
                await one.until(partial(_silent, one, cut), within=5)
                silent = one.silent_after(cut)
                assert silent is not None
                figures.barge_in.append(silent - cut)
            await speaking
            await idle(one, one.spoke[-1][1])
        else:
            await idle(one, ended)


async def talk(made: Place, kind: str, speech: list[bytes], turns: int, figures: Figures) -> None:
    asked = now()
    one = await (made.ours() if kind == "ours" else made.bare(kind))
    async with one.there():
        await one.until(lambda: one.heard_after(asked) is not None, within=60)
        first = one.heard_after(asked)
        assert first is not None
        figures.joined.append(first - asked)
        await take_turns(one, speech, turns, figures, asked)
        if kind == "ours":
            await one.send(protocol.End())
            with suppress(TimeoutError):
                await one.until(lambda: one.count("ended") > 0, within=10)
        elif one.room is not None:
            await made.api.delete(one.room.name)


def quantile(values: list[float], share: float) -> float:
    return float(np.quantile(values, share)) if values else math.nan


def told(kind: str, figures: Figures) -> str:
    return (
        f"{kind:5} | response p50 {1000 * quantile(figures.response, 0.5):5.0f} "
        f"p95 {1000 * quantile(figures.response, 0.95):5.0f} ms, n={len(figures.response)} | "
        f"cut-ins {figures.cut_ins}/{figures.turns} | unanswered {figures.unanswered} | "
        f"barge-in p50 {1000 * quantile(figures.barge_in, 0.5):4.0f} "
        f"p95 {1000 * quantile(figures.barge_in, 0.95):4.0f} ms, n={len(figures.barge_in)} | "
        f"request to first sound p50 {quantile(figures.joined, 0.5):4.2f} "
        f"p95 {quantile(figures.joined, 0.95):4.2f} s"
    )


async def latency(given: argparse.Namespace) -> None:
    kinds = ("ours", "fast", "bare")
    figures = {kind: Figures() for kind in kinds}
    async with place() as made:
        await made.worker(idle=1)
        for kind in ("fast", "bare"):
            made.start(f"{kind}-worker", "benchmarks.bare_worker", kind, BENCH_IDLE="1")
            await _logged(made, f"{kind}-worker", "registered worker")
        speech = sentences()
        for kind in kinds:
            await talk(made, kind, speech, 1, Figures())
        for turn in range(given.rounds):
            for kind in kinds:
                rotated = speech[turn % len(speech) :] + speech[: turn % len(speech)]
                await asyncio.sleep(1.0)
                await talk(made, kind, rotated, given.turns, figures[kind])
    for kind in kinds:
        print(told(kind, figures[kind]))
    for other in ("fast", "bare"):
        ours, theirs = figures["ours"].response, figures[other].response
        print(
            f"ratio ours/{other}: p50 {quantile(ours, 0.5) / quantile(theirs, 0.5):.3f}, "
            f"p95 {quantile(ours, 0.95) / quantile(theirs, 0.95):.3f}"
        )


async def _logged(made: Place, name: str, marker: str) -> None:
    async with asyncio.timeout(120):
        while marker not in made.log(name):  # noqa: ASYNC110 - a file
            await asyncio.sleep(0.2)


async def join(given: argparse.Namespace) -> None:
    figures = Figures()
    async with place() as made:
        await made.worker(idle=2)
        for _ in range(given.n):
            await talk(made, "ours", [], 0, figures)
            await asyncio.sleep(2.5)  # the next process gets ready
    print(told("ours", figures))


async def crowd(given: argparse.Namespace) -> None:
    """Adds sessions until the response of their learners is more than 100 ms later."""
    async with place() as made:
        process, _ = await made.worker(most=max(given.sessions), idle=max(given.sessions))
        speech = sentences()
        await talk(made, "ours", speech, 1, Figures())
        worker = psutil.Process(process.pid)
        for sessions in given.sessions:
            figures = Figures()
            await asyncio.sleep(8.0)
            psutil.cpu_percent()
            before, own, began = _cpu(worker), _cpu(psutil.Process()), time.perf_counter()
            async with asyncio.TaskGroup() as tasks:
                for number in range(sessions):
                    rotated = speech[number % len(speech) :] + speech[: number % len(speech)]
                    tasks.create_task(talk(made, "ours", rotated, given.turns, figures))
                    await asyncio.sleep(0.7)
                await asyncio.sleep(6.0)
                memory = [_unshared(child) for child in worker.children(recursive=True)]
            seconds = time.perf_counter() - began
            spent, mine = _cpu(worker) - before, _cpu(psutil.Process()) - own
            print(
                f"{sessions:3} sessions | machine {psutil.cpu_percent():3.0f} % | core: worker "
                f"{100 * spent / seconds:4.0f} %, learners {100 * mine / seconds:4.0f} % | "
                f"{sum(memory) / max(1, len(memory)):4.0f} MB a process, n={len(memory)} | "
                + told("ours", figures),
                flush=True,
            )


def _cpu(process: psutil.Process) -> float:
    total = 0.0
    for one in (process, *process.children(recursive=True)):
        with suppress(psutil.Error):
            times = one.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total


def _unshared(process: psutil.Process) -> float:
    try:
        return float(process.memory_full_info().uss) / 1e6
    except psutil.Error:
        return 0.0


async def soak(given: argparse.Namespace) -> None:
    """Many sessions, several at a time; half end politely, half by vanishing, by a process that is
    killed, or by being ended from outside."""
    drawn = random.Random(given.seed)
    speech = sentences()
    done = itertools.count(1)
    failed: list[str] = []
    async with place() as made:
        made.environment["ELOQUENCE_AWAY_MINUTES"] = "0.05"
        process, _ = await made.worker(most=given.at_once + 2, idle=given.at_once)
        worker = psutil.Process(process.pid)
        places = asyncio.Semaphore(given.at_once)

        def resting() -> tuple[int, int, int, float]:
            return (
                worker.num_fds(),
                worker.num_threads(),
                len(worker.children(recursive=True)),
                worker.memory_info().rss / 1e3,
            )

        async def one_session(rude: str) -> None:
            async with places:
                try:
                    await _soaked(made, speech, rude, drawn)
                except (TimeoutError, AssertionError, Exception) as error:
                    failed.append(f"{rude}: {type(error).__name__}")
                number = next(done)
                if number % 50 == 0:
                    print(f"{number} sessions, {len(failed)} failed, {resting()}", flush=True)

        warm = [asyncio.create_task(one_session("")) for _ in range(2 * given.at_once)]
        await asyncio.gather(*warm)
        await _settled(made, worker, given.at_once)
        before = resting()
        ends = [("" if n % 2 else drawn.choice(("vanish", "kill", "end"))) for n in range(given.n)]
        await asyncio.gather(*(one_session(end) for end in ends))
        await _settled(made, worker, given.at_once)
        after = resting()
        log = made.log("worker")
        live = await made.product.store.pulses()
    names = ("descriptors", "threads", "children", "RSS kB")
    for name, was, is_ in zip(names, before, after, strict=True):
        print(f"{name:11} {was:8.0f} → {is_:8.0f}  ({(is_ - was) / given.n:+.2f} per session)")
    found = COMPLAINTS.findall(log)
    print(f"failed {len(failed)}/{given.n}: {sorted(set(failed))}")
    print(
        f"complaints in the log: {len(found)} {sorted(set(found))}; sessions left live: {len(live)}"
    )
    print(f"lines of ERROR: {len(re.findall(r' ERROR ', log))}")


async def _soaked(made: Place, speech: list[bytes], rude: str, drawn: random.Random) -> None:
    account = Account(id="", name="", role="operator")
    rooms = made.rooms
    ticket = await rooms.ask(protocol.Hello(exercise=EXERCISE), account)
    one = RoomLearner(ticket.url, ticket.token)
    async with one.there():
        await one.until(lambda: one.count("ready") > 0, within=60)
        began = now()
        await one.until(lambda: one.heard_after(began) is not None, within=20)
        await asyncio.sleep(drawn.uniform(0.0, 2.0))
        await one.say(speech[drawn.randrange(len(speech))][:48_000])
        await asyncio.sleep(drawn.uniform(0.0, 1.5))
        if rude == "kill":
            ready = one.count("ready")
            _kill_holder(made, ticket.session)
            await one.until(lambda: one.count("ready") > ready, within=60)
        if rude == "end":
            await rooms.end(ticket.session, account)
        elif rude != "vanish":
            await one.send(protocol.End())
            await one.until(lambda: one.count("ended") > 0, within=30)
    async with asyncio.timeout(90):
        while (await made.product.store.get(ticket.session)).end is None:  # noqa: ASYNC110
            await asyncio.sleep(0.5)


def _kill_holder(made: Place, session: str) -> None:
    """Kills the process that holds a session, which the worker's log names."""
    held = re.findall(rf"session {session}: .*, process (\d+), claimed", made.log("worker"))
    with suppress(ProcessLookupError):
        os.kill(int(held[-1]), signal.SIGKILL)


async def _settled(made: Place, worker: psutil.Process, idle: int) -> None:
    """Waits until no session is live and the processes that wait are all there."""
    async with asyncio.timeout(180):
        while await made.product.store.pulses():  # noqa: ASYNC110
            await asyncio.sleep(0.5)
    await asyncio.sleep(25.0)


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["latency", "join", "crowd", "soak"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--turns", type=int, default=6)
    parser.add_argument("--n", type=int, default=30)
    parser.add_argument("--at-once", type=int, default=4)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--sessions", type=int, nargs="+", default=[1, 2, 4, 6, 8, 10])
    given = parser.parse_args()
    await {"latency": latency, "join": join, "crowd": crowd, "soak": soak}[given.what](given)


if __name__ == "__main__":
    asyncio.run(main())
