"""Ends a process whose event loop stands still: a learner in silence is better off with another.

Only the time counts in which the loop's thread had the processor, or wanted none. A machine that is
too busy to let it run is at fault itself, and would be busier still with another process to start.
"""

import asyncio
import faulthandler
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO

LONGEST = 2.0
"""Seconds that a loop may stand still (P05, TC-28)."""
_LOOK = 0.2


@asynccontextmanager
async def watched(
    end: Callable[[], object], trace: IO[bytes], *, longest: float = LONGEST
) -> AsyncIterator[None]:
    """Watches over the running loop from a thread. When it stands still, writes to `trace` where
    every thread stood (files, lines and functions: nothing of what was said), and calls `end`.

    A loop that is held up by something that holds the interpreter itself holds up this thread too:
    it is found by its session, which does not beat any more.
    """
    thread = threading.get_native_id()
    beats = 0
    over = threading.Event()

    async def beat() -> None:
        nonlocal beats
        while True:
            beats += 1
            await asyncio.sleep(_LOOK)

    def look() -> None:
        seen, since, waited = -1, 0.0, 0.0
        while not over.wait(_LOOK):
            if beats != seen:
                seen, since, waited = beats, time.monotonic(), kept_waiting(thread)
            elif time.monotonic() - since - (kept_waiting(thread) - waited) >= longest:
                faulthandler.dump_traceback(trace)
                end()
                return

    beating = asyncio.create_task(beat(), name="standstill")
    threading.Thread(target=look, name="standstill", daemon=True).start()
    try:
        yield
    finally:
        over.set()
        beating.cancel()


def kept_waiting(thread: int) -> float:
    """Seconds, in all, that a thread was ready to run and another one had the processor (the second
    figure of Linux's schedstat; 0 where the system does not tell)."""
    try:
        return int(Path(f"/proc/self/task/{thread}/schedstat").read_text().split()[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return 0.0
