"""Parts of a deployment that fail while people talk, and what the people hear.

    python -m benchmarks faults [--only NAME …] [--n N] [--seed S] [--learners K] [--record FILE]

Each entry breaks one part N times, at instants drawn from the seed, while learners talk to the
product over real LiveKit, PostgreSQL and Redis. What counts is what the learners' ears heard, what
the store has, and what `/proc` says; never what a coach says of itself. As root it runs in a
network of its own, where packets can be dropped; otherwise it says what it leaves out.
"""

import argparse
import asyncio
import os
import platform
import random
import signal
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import psutil

from benchmarks.lab import apart
from benchmarks.lab.figures import (
    Kept,
    Outcome,
    at_least,
    backlog,
    kept,
    outcome,
    percentile,
    together,
)
from benchmarks.lab.laboratory import STRANGER, Design, Laboratory, Program, begun, laboratory
from eloquence.testing.parts import Part

RESUMED_WITHIN = 60.0
"""Seconds after the fault is over in which a session must have gone on."""
_YOUNG = 4
"""Turns of a session after which another one is begun, lest it end while a part is broken."""
_SPREAD = 8.0
"""Seconds over which the instants of faults are spread: about one exchange."""


@dataclass
class Result:
    """What all faults of an entry did."""

    entry: str
    faults: int = 0
    affected: int = 0
    """Sessions that a fault struck: so many must have gone on."""
    outcomes: list[Outcome] = field(default_factory=list)
    kept: list[Kept] = field(default_factory=list)
    further: dict[str, list[float]] = field(default_factory=dict)
    """Other figures of the entry, by name."""
    broken: list[str] = field(default_factory=list)
    """What was not as it must be."""
    seconds: float = 0.0

    @property
    def resumed(self) -> int:
        return sum(one.resumed for one in self.outcomes)

    def note(self, name: str, value: float | None) -> None:
        if value is not None:
            self.further.setdefault(name, []).append(value)

    @property
    def well(self) -> bool:
        """Whether all sessions went on and no turn was lost or doubled."""
        return (
            self.resumed == self.affected
            and not self.broken
            and not any(one.lost or one.doubled or one.holes for one in self.kept)
        )


Round = Callable[[Laboratory, Result, random.Random], Awaitable[None]]


@dataclass(frozen=True)
class Entry:
    """One kind of fault. One that `drops` packets needs a network of one's own."""

    name: str
    says: str
    design: Design
    once: Round
    drops: bool = False


async def steady(lab: Laboratory, result: Result) -> None:
    """Waits until every learner talks in a young session and every worker could take another."""
    for worker in lab.workers:
        if not await lab.healthy(worker):
            result.broken.append("a worker did not become healthy again")

    def turns(session: str) -> int:
        return sum(
            e.get("session") == session and e.get("type") == "turn_stored" for e in lab.events
        )

    renewed: set[str] = set()
    most = _YOUNG

    def old() -> list[tuple[int, str]]:
        known = lab.live().items()
        return [one for one in known if turns(one[1]) > most and one[1] not in renewed]

    def talking() -> bool:
        live = lab.live()
        young = all(1 <= turns(session) <= _YOUNG + 2 for session in live.values())
        return young and len(live) == lab.design.learners

    limit = time.monotonic() + 90.0
    while True:
        for number, session in old():
            renewed.add(session)
            await lab.order(f"renew {number}")
        most = _YOUNG + 2  # who grows older while another begins is renewed as well
        await asyncio.sleep(0.3)
        if not await lab.until(lambda: talking() or bool(old()), limit - time.monotonic()):
            result.broken.append(f"of {lab.design.learners} learners {len(lab.live())} could talk")
            return
        if talking():
            return


async def gone_on(
    lab: Laboratory,
    result: Result,
    fault: float,
    sessions: list[str],
    *,
    since: float | None = None,
    affected: int | None = None,
) -> list[Outcome]:
    """Waits until the sessions that the fault struck have gone on; notes what became of them. With
    `affected`, they are those of `sessions` that got a new coach, and so many there must be."""
    start = fault if since is None else since
    wanted = len(sessions) if affected is None else affected
    found: list[Outcome] = []

    def all_on() -> bool:
        found[:] = [outcome(lab.events, one, fault, start) for one in sessions]
        if affected is not None:
            found[:] = [one for one in found if one.new_coach]
        return sum(one.resumed for one in found) >= wanted

    await lab.until(all_on, RESUMED_WITHIN)
    result.faults += 1
    result.affected += wanted
    result.outcomes += found
    if not all(one.resumed for one in found) or len(found) < wanted:
        missing = [one.session for one in found if not one.resumed]
        result.broken.append(f"{wanted - len(found)} without a coach, not gone on: {missing}")
        for number, session in lab.live().items():
            if session in sessions:
                await lab.order(f"renew {number}")
    return found


async def at_random(chance: random.Random) -> None:
    await asyncio.sleep(chance.uniform(0.0, _SPREAD))


# the entries


async def job(lab: Laboratory, result: Result, chance: random.Random) -> None:
    await at_random(chance)
    sessions = list(lab.live().values())
    holders = lab.holders()
    if not holders or not sessions:
        result.broken.append("nobody was in a room")
        return
    struck = chance.choice(holders)
    fault = lab.tell("fault", kind="job", pid=struck.pid)["t"]
    struck.kill()
    await gone_on(lab, result, fault, sessions, affected=1)


async def worker(lab: Laboratory, result: Result, chance: random.Random) -> None:
    await at_random(chance)
    sessions = list(lab.live().values())
    busy = [one for one in lab.workers if one.holders(lab.ports)]
    if not busy:
        result.broken.append("nobody was in a room")
        return
    struck = chance.choice(busy)
    held, children = struck.holders(lab.ports), struck.children()
    fault = lab.tell("fault", kind="worker", pid=struck.pid, sessions=len(held))["t"]
    struck.kill_alone()
    await gone_on(lab, result, fault, sessions, affected=len(held))
    orphans = [child for child in children if child.is_running() and not _is_dead(child)]
    result.note("orphans", float(len(orphans)))
    for child in orphans:
        with suppress(psutil.NoSuchProcess):
            child.kill()
    struck.process = None
    await begun(struck)


def _is_dead(process: psutil.Process) -> bool:
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


async def hang(lab: Laboratory, result: Result, chance: random.Random) -> None:
    """The process of a session stands still, and comes back after another one has gone on."""
    await at_random(chance)
    sessions = list(lab.live().values())
    holders = lab.holders()
    if not holders or not sessions:
        result.broken.append("nobody was in a room")
        return
    struck = chance.choice(holders)
    fault = lab.tell("fault", kind="hang", pid=struck.pid)["t"]
    struck.suspend()
    found = await gone_on(lab, result, fault, sessions, affected=1)
    await asyncio.sleep(max(0.0, fault + HANGS.seconds - time.monotonic()))
    woken = lab.tell("woken", pid=struck.pid)["t"]
    with suppress(psutil.NoSuchProcess):
        struck.resume()
    limit = time.monotonic() + 15.0
    while not _is_dead(struck) and time.monotonic() < limit:  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    if _is_dead(struck):
        result.note("the woken one gone (s)", time.monotonic() - woken)
    else:
        result.broken.append("a process that was superseded stayed")
    await asyncio.sleep(3.0)
    for one in found:
        both = together(lab.events, one.session, fault)
        result.note("two coaches audible (s)", both)
        if both > 0.5:
            result.broken.append("two coaches were heard at once")


@dataclass
class _Hangs:
    seconds: float = 60.0


HANGS = _Hangs()
"""How long a process stands still."""


def outage(part: Callable[[Laboratory], Part], seconds: float) -> Round:
    """One part is killed and comes back after so many seconds; every session is struck."""

    async def once(lab: Laboratory, result: Result, chance: random.Random) -> None:
        await at_random(chance)
        sessions = list(lab.live().values())
        struck = part(lab)
        fault = lab.tell("fault", kind=struck.name)["t"]
        struck.kill()
        await asyncio.sleep(max(0.0, fault + seconds - time.monotonic()))
        await struck.start()
        back = lab.tell("back", kind=struck.name)["t"]
        found = await gone_on(lab, result, fault, sessions, since=back)
        for one in found:
            result.note("without sound, if it was speaking (s)", one.gap)

    return once


async def store(lab: Laboratory, result: Result, chance: random.Random) -> None:
    """The database is away: the talk goes on, and what was said is stored later."""
    await at_random(chance)
    sessions = list(lab.live().values())
    fault = lab.tell("fault", kind="postgres")["t"]
    lab.postgres.kill()
    await asyncio.sleep(max(0.0, fault + 30.0 - time.monotonic()))
    for one in sessions:
        heard = [
            e
            for e in lab.events
            if e.get("session") == one and e["event"] == "sound" and e["t"] > fault
        ]
        result.note("lines heard meanwhile", float(len(heard)))
        if not heard:
            result.broken.append("the talk stopped with the store")
    await lab.postgres.start()
    back = lab.tell("back", kind="postgres")["t"]
    await gone_on(lab, result, fault, sessions, since=back)
    for one in sessions:
        late = backlog(lab.events, one, back)
        result.note("all acknowledged after (s)", late)
        if late is None:
            result.broken.append("what was said meanwhile was not acknowledged")


async def uplink(lab: Laboratory, result: Result, chance: random.Random) -> None:
    await at_random(chance)
    sessions = list(lab.live().values())
    fault = lab.tell("fault", kind="uplink")["t"]
    apart.drop(STRANGER)
    try:
        await asyncio.sleep(max(0.0, fault + 40.0 - time.monotonic()))
    finally:
        apart.deliver()
    back = lab.tell("back", kind="uplink")["t"]
    await gone_on(lab, result, fault, sessions, since=back)


async def api(lab: Laboratory, result: Result, chance: random.Random) -> None:
    """One of the servers is killed: the talk goes on, and new sessions are given by the other."""
    await at_random(chance)
    live = lab.live()
    struck: Program = chance.choice(lab.servers)
    fault = lab.tell("fault", kind="api", pid=struck.pid)["t"]
    struck.kill()
    await gone_on(lab, result, fault, list(live.values()))
    number = chance.choice(list(live))
    result.note("ask → first sound (s)", await first_sound(lab, result, number))
    began = time.monotonic()
    await begun(struck)
    result.note("server back (s)", time.monotonic() - began)


async def first_sound(lab: Laboratory, result: Result, number: int) -> float | None:
    """Lets a learner begin another session; seconds until its coach is heard."""
    ordered = time.monotonic()
    await lab.order(f"renew {number}")

    def told(event: str, after: float) -> list[float]:
        return [
            e["t"]
            for e in lab.events
            if e.get("learner") == number and e["event"] == event and e["t"] > after
        ]

    if await lab.until(lambda: bool(told("asked", ordered)), 30.0):
        asked = told("asked", ordered)[0]
        if await lab.until(lambda: bool(told("sound", asked)), 30.0):
            return told("sound", asked)[0] - asked
    result.broken.append("a new session got no coach")
    return None


async def idle(lab: Laboratory, result: Result, chance: random.Random) -> None:
    """A process that waits is killed, and somebody comes."""
    held = {one.pid for one in lab.holders()}
    (only,) = lab.workers
    waiting = [
        child for child in only.children() if child.pid not in held and "spawn" in _command(child)
    ]
    number = chance.randrange(lab.design.learners)
    if not waiting:
        waiting = [child for child in only.children() if child.pid not in held]
    struck = chance.choice(waiting)
    lab.tell("fault", kind="idle", pid=struck.pid)
    struck.kill()
    await asyncio.sleep(chance.uniform(0.0, 1.0))
    result.faults += 1
    result.note("ask → first sound (s)", await first_sound(lab, result, number))


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


async def drain(lab: Laboratory, result: Result, chance: random.Random) -> None:
    """A worker is asked to stop: its sessions go on, new ones go elsewhere, it leaves at last."""
    await at_random(chance)
    live = lab.live()
    busy = [one for one in lab.workers if one.holders(lab.ports)]
    struck = chance.choice(busy)
    held = len(struck.holders(lab.ports))
    fault = lab.tell("fault", kind="drain", pid=struck.pid, sessions=held)["t"]
    os.kill(struck.pid, signal.SIGTERM)
    found = await gone_on(lab, result, fault, list(live.values()))
    if any(one.new_coach for one in found):
        result.broken.append("a session lost its coach to a drain")
    for number in live:
        result.note("ask → first sound (s)", await first_sound(lab, result, number))
    ended = time.monotonic()
    assert struck.process is not None
    if await lab.until(
        lambda: struck.process is not None and struck.process.poll() is not None, 30
    ):
        result.note("left after its last session (s)", time.monotonic() - ended)
        if struck.process.returncode:
            result.broken.append(f"a drained worker left with status {struck.process.returncode}")
    else:
        result.broken.append("a drained worker stayed")
        struck.kill()
    struck.process = None
    await begun(struck)


def _node(lab: Laboratory) -> Part:
    return lab.nodes[0]


def _redis(lab: Laboratory) -> Part:
    assert lab.redis is not None
    return lab.redis


_OUTAGE = Design(learners=3, idle=2)
_CLUSTER = Design(workers=2, servers=2, nodes=2, redis=True, learners=3, idle=2)
ENTRIES = (
    Entry("job", "kill -9 of a session's process", Design(learners=2, idle=2), job),
    Entry(
        "worker",
        "kill -9 of a worker with live sessions, a second one up",
        Design(workers=2, learners=3, idle=3),
        worker,
    ),
    Entry("livekit-3", "LiveKit killed, back after 3 s", _OUTAGE, outage(_node, 3.0)),
    Entry("livekit-20", "LiveKit killed, back after 20 s", _OUTAGE, outage(_node, 20.0)),
    Entry("redis-3", "Redis killed, back after 3 s", _CLUSTER, outage(_redis, 3.0)),
    Entry("redis-30", "Redis killed, back after 30 s", _CLUSTER, outage(_redis, 30.0)),
    Entry(
        "node-20",
        "one of two LiveKit servers killed, back after 20 s",
        _CLUSTER,
        outage(_node, 20.0),
    ),
    Entry(
        "uplink-40",
        "every packet of the learner dropped for 40 s",
        Design(learners=3, stranger=True),
        uplink,
        drops=True,
    ),
    Entry("store-30", "PostgreSQL killed, back after 30 s", Design(learners=3), store),
    Entry("hang", "SIGSTOP of a session's process for 60 s", Design(learners=2), hang),
    Entry("api", "kill -9 of one of two servers", Design(servers=2, learners=2), api),
    Entry("idle", "kill -9 of a process that waits, then somebody comes", Design(learners=1), idle),
    Entry(
        "drain",
        "SIGTERM of a worker with live sessions, a second one up",
        Design(workers=2, learners=2),
        drain,
    ),
)


async def run(entry: Entry, *, n: int, seed: int, record: Path) -> Result:
    """Breaks the part n times and looks at what the store has at the end."""
    result = Result(entry.name)
    began = time.monotonic()
    chance = random.Random(f"{entry.name} {seed}")
    with record.open("a", encoding="utf-8") as file:
        async with laboratory(entry.design, file) as lab:
            await lab.gather(seed)
            for number in range(n):
                await steady(lab, result)
                lab.tell("round", entry=entry.name, number=number)
                await entry.once(lab, result, chance)
                _progress(f"  {entry.name} {number + 1}/{n}: {len(result.broken)} broken")
            await asyncio.sleep(1.0)
            await lab.disperse()
            for session in sorted({e["session"] for e in lab.events if e.get("session")}):
                result.kept.append(kept(lab.events, session, await lab.stored(session)))
    result.seconds = time.monotonic() - began
    return result


def _progress(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def spread(values: list[float]) -> str:
    """p50 / p95 / largest."""
    if not values:
        return "–"
    shown = (percentile(values, 0.5), percentile(values, 0.95), max(values))
    return " / ".join(f"{value:.2f}" for value in shown)


def row(entry: Entry, result: Result, command: str) -> str:
    """The row of docs/reliability.md."""
    counted = result.outcomes
    share = f"{result.resumed} of {result.affected}"
    if result.affected:
        share += f" (≥ {100 * at_least(result.resumed, result.affected):.1f} %)"
    cells = [
        f"`{entry.name}`: {entry.says}",
        f"{result.faults} × {result.affected / max(1, result.faults):.1f}",
        spread([one.track for one in counted if one.track is not None]),
        spread([one.sound for one in counted if one.sound is not None]),
        spread([one.sentence for one in counted if one.sentence is not None]),
        share,
        f"{sum(k.lost for k in result.kept)} / {sum(k.doubled for k in result.kept)}"
        f" of {sum(k.acknowledged for k in result.kept)}",
        f"`{command}`",
    ]
    return f"| {' | '.join(cells)} |"


HEAD = """\
| fault | faults × sessions | track back (s) | sound back (s) | next sentence (s) | gone on | \
acknowledged turns lost / doubled | command |
|---|---|---|---|---|---|---|---|"""


def report(entry: Entry, result: Result, command: str) -> str:
    """All figures of an entry: p50 / p95 / largest."""
    lines = [f"── {entry.name}: {entry.says} ({result.seconds:.0f} s)", row(entry, result, command)]
    for name, values in sorted(result.further.items()):
        lines.append(f"   {name}: {spread(values)} (n={len(values)})")
    for doing in ("speaking", "listening", "thinking", "waiting"):
        found = [one for one in result.outcomes if one.doing == doing]
        heard = [one.sound for one in found if one.sound is not None]
        if found:
            lines.append(f"   struck while {doing}: {len(found)}, sound back {spread(heard)}")
    holes = sum(one.holes for one in result.kept)
    if holes:
        lines.append(f"   ✗ {holes} indexes are missing in the store")
    lines += [f"   ✗ {one}" for one in result.broken]
    return "\n".join(lines)


def main() -> int:
    asked = argparse.ArgumentParser(prog="python -m benchmarks faults", description=__doc__)
    asked.add_argument("--only", nargs="+", choices=[one.name for one in ENTRIES])
    asked.add_argument("--n", type=int, default=3, help="faults of each entry")
    asked.add_argument("--seed", type=int, default=1)
    asked.add_argument("--learners", type=int, help="who talk at once, instead of the entry's own")
    asked.add_argument("--idle", type=int, help="processes that each worker keeps ready")
    asked.add_argument("--record", type=Path, help="file for all events, one JSON object a line")
    given = asked.parse_args(sys.argv[2:] if sys.argv[1:2] == ["faults"] else None)
    if apart.possible() and not apart.is_apart():
        return apart.again()
    record = given.record or Path(tempfile.mkstemp(prefix="faults-", suffix=".jsonl")[1])
    load = os.getloadavg()[0]
    print(f"{platform.machine()}, {os.cpu_count()} cores, load {load:.1f}, seed {given.seed}")
    print(f"events: {record}\n{HEAD}", flush=True)
    well = True
    for entry in ENTRIES:
        if given.only and entry.name not in given.only:
            continue
        if entry.drops and not apart.can_drop():
            print(f"── {entry.name}: left out, it needs root, unshare, ip and nft", flush=True)
            continue
        changed = {"learners": given.learners, "idle": given.idle}
        changed = {name: value for name, value in changed.items() if value is not None}
        entry = replace(entry, design=replace(entry.design, **changed))
        command = f"python -m benchmarks faults --only {entry.name} --n {given.n}"
        command += f" --seed {given.seed}"
        command += "".join(f" --{name} {value}" for name, value in changed.items())
        try:
            result = asyncio.run(run(entry, n=given.n, seed=given.seed, record=record))
        except KeyboardInterrupt:
            return 130
        print(report(entry, result, command), flush=True)
        well = well and result.well
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
