"""How long something takes while this process runs: for tests of what somebody has to wait.

A machine with other things to do, or a garbage collection, stops a process for a second. That is
nobody's waiting, and no test's finding.
"""

import threading
import time

from eloquence.worker.standstill import kept_waiting

_TICK = 0.002
_LATE = 0.01
"""Seconds that a thread with nothing to do but tick may be late by, while the process runs."""


class Steady:
    """A stopwatch that stands while the process is stopped, or its own thread is kept from the
    processor. What the thread waits for counts.

        with Steady() as taken:
            await something()
        assert taken.seconds < 0.3
    """

    seconds: float

    def __enter__(self) -> "Steady":
        self._stopped = 0.0
        self._ticked = threading.Event()
        self._over = threading.Event()
        self._ticking = threading.Thread(target=self._tick, name="steady", daemon=True)
        self._ticking.start()
        self._ticked.wait()
        self._kept = kept_waiting(threading.get_native_id())
        self._began = time.monotonic()
        return self

    def __exit__(self, *error: object) -> None:
        taken = time.monotonic() - self._began
        kept = kept_waiting(threading.get_native_id()) - self._kept
        for _ in range(2):  # the second tick begins after a stop that has just ended
            self._ticked.clear()
            self._ticked.wait()
        self._over.set()
        self._ticking.join()
        self.seconds = taken - max(self._stopped, kept)

    def _tick(self) -> None:
        last = time.monotonic()
        while not self._over.is_set():
            self._over.wait(_TICK)
            now = time.monotonic()
            if now - last > _TICK + _LATE:
                self._stopped += now - last - _TICK
            last = now
            self._ticked.set()
