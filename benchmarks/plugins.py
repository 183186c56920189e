"""What plugins cost a conversation: one that works, and those that do their worst (U01).

`python -m benchmarks.plugins` prints, for every hostile deed, how long clauses were held up, until
the plugin was switched off, and for how long our own event loop stood still meanwhile.
"""

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import psutil

from eloquence.plugins import Context
from eloquence.plugins.running import Attendance, Limits, Plugins, Wanted

DEEDS = ("loop", "sleep", "memory", "crash", "flood", "answer", "raise", "fork", "leave")
CLAUSE = "Racontez-moi comment vous avez commencé, dans vos mots,"
HEALTHY = 1000
TICK = 0.005


class Unkept:
    """A ledger that keeps nothing."""

    async def add(self, plugin: str, amounts: Mapping[str, float]) -> None: ...

    async def switch_off(self, plugin: str) -> None: ...

    async def off(self) -> frozenset[str]:
        return frozenset()


@contextmanager
def hostile() -> Iterator[None]:
    """The plugin `hostile`, installed for as long as this lasts."""
    with tempfile.TemporaryDirectory() as folder:
        about = Path(folder) / "hostile-1.dist-info"
        about.mkdir()
        (about / "METADATA").write_text("Metadata-Version: 2.1\nName: hostile\nVersion: 1\n")
        (about / "entry_points.txt").write_text(
            "[eloquence.plugins]\nhostile = eloquence.testing.hostile_plugin:plugin\n"
        )
        sys.path.insert(0, folder)
        try:
            yield
        finally:
            sys.path.remove(folder)


@asynccontextmanager
async def attending(*wanted: Wanted) -> AsyncIterator[Attendance]:
    plugins = Plugins(Unkept())
    try:
        async with plugins.attending(wanted, Limits(), Context()) as attendance:
            await attendance.ready()
            yield attendance
    finally:
        await plugins.close()


async def stillness(gaps: list[float]) -> None:
    """Notes for how long the loop stood still."""
    while True:
        began = time.monotonic()
        await asyncio.sleep(TICK)
        gaps.append(time.monotonic() - began - TICK)


async def delay(attendance: Attendance, clause: str) -> float:
    began = time.monotonic()
    await attendance.spoken(clause)
    return time.monotonic() - began


async def works() -> None:
    """A filter that works: what starting it and each clause cost."""
    began = time.monotonic()
    async with attending(Wanted("profanity_filter")) as attendance:
        ready = time.monotonic() - began
        (child,) = [one for one in psutil.Process().children() if "python" in one.name().lower()]
        delays = [await delay(attendance, f"{CLAUSE} {number}") for number in range(HEALTHY)]
        memory = child.memory_full_info()
    delays.sort()
    print(
        f"profanity_filter   ready {ready:.2f} s   clause median "
        f"{1000 * statistics.median(delays):.2f} ms  p95 {1000 * delays[int(0.95 * HEALTHY)]:.2f} "
        f"ms  max {1000 * delays[-1]:.1f} ms (n={HEALTHY})   own memory {memory.uss / 1e6:.0f} MB"
    )


async def worst(deed: str) -> None:
    """A plugin that was well when it was tried, and is not any more."""
    gaps: list[float] = []
    async with attending(Wanted("hostile", {"deed": deed})) as attendance:
        off = asyncio.Event()
        attendance.on_off = lambda name: off.set()
        watching = asyncio.create_task(stillness(gaps))
        delays = []
        began = time.monotonic()
        while not off.is_set():
            delays.append(await delay(attendance, CLAUSE))
            try:
                await asyncio.wait_for(off.wait(), 0.25)
            except TimeoutError:
                continue
        until = time.monotonic() - began
        after = max([await delay(attendance, CLAUSE) for _ in range(100)])
        watching.cancel()
    print(
        f"{deed:8} first clause held up {1000 * delays[0]:6.1f} ms   the {len(delays) - 1} after "
        f"it at most {1000 * max(delays[1:], default=0):5.1f} ms   off after {until:4.1f} s, then "
        f"{1000 * after:.2f} ms   loop still at most {1000 * max(gaps):4.1f} ms"
    )


async def main() -> None:
    with hostile():
        await works()
        for deed in DEEDS:
            await worst(deed)


if __name__ == "__main__":
    import logging

    logging.disable()
    asyncio.run(main())
