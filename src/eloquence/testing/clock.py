"""Virtual time: a minute of conversation in milliseconds, and the same every time.

    ended = run(conversation())

While nothing is ready to run, the loop's clock jumps to the next timer; `time.time`,
`time.monotonic` and `time.perf_counter` follow it. Work in threads is waited for and takes no
time.
"""

import asyncio
import selectors
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

EPOCH = 1_700_000_000.0
"""POSIX time at which virtual time begins."""

_STUCK = 20.0
"""Real seconds without anything to do after which a test is said to hang."""


class _Selector(selectors.DefaultSelector):
    """Asks the system without waiting, and lets the loop's clock jump instead."""

    loop: "VirtualLoop"

    def select(self, timeout: float | None = None) -> Any:
        found = super().select(0)
        if found or timeout == 0:
            return found
        if self.loop.busy or timeout is None:
            found = super().select(_STUCK)
            if not found and not self.loop.busy:
                raise RuntimeError("nothing will ever happen: no timer is set, no thread works")
            return found
        self.loop.now += timeout
        return found


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time passes only when nobody has anything to do."""

    def __init__(self) -> None:
        selector = _Selector()
        selector.loop = self
        self.now = 0.0
        self.busy = 0
        """How many threads are working for the loop."""
        super().__init__(selector)

    def time(self) -> float:
        return self.now

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:  # type: ignore[override]
        self.busy += 1
        future = super().run_in_executor(executor, func, *args)
        future.add_done_callback(self._idle)
        return future

    def _idle(self, _: object) -> None:
        self.busy -= 1


@contextmanager
def virtual_time() -> Iterator[VirtualLoop]:
    """A virtual loop, with the `time` module on its clock."""
    loop = VirtualLoop()

    def posix() -> float:
        return EPOCH + loop.now

    clocks: dict[str, Any] = {"time": posix, "monotonic": loop.time, "perf_counter": loop.time}
    with mock.patch.multiple(time, **clocks):
        yield loop


def run(main: Any) -> Any:
    """Runs a coroutine to its end in virtual time and returns its result."""
    with virtual_time() as loop, asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(main)
