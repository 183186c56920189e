"""Leaving a provider alone that keeps failing, and trying it again with care."""

import math
import time
from dataclasses import dataclass, field
from typing import Literal

from eloquence.errors import Cause

State = Literal["closed", "open", "half_open"]


@dataclass(slots=True)
class Breaker:
    """Counts failures that follow one another; `failures` of them open it for `recovery` seconds,
    in which nobody calls. Then `trials` calls are let through: one that succeeds closes it, one
    that fails opens it again (RES-02).

    A refused key opens it at once: it gets no better by being tried. A vendor that asks to be left
    alone is, for as long as it asks. Shared by all conversations of a process; not thread-safe.
    """

    failures: int = 5
    recovery: float = 180.0
    trials: int = 3
    _failed: int = field(default=0, init=False)
    _until: float = field(default=-math.inf, init=False)
    _tried: int = field(default=0, init=False)
    cause: Cause | None = field(default=None, init=False)
    """Why the latest call failed; None when it did not."""

    @property
    def state(self) -> State:
        if self._until == -math.inf:
            return "closed"
        return "open" if time.monotonic() < self._until else "half_open"

    def admits(self) -> bool:
        """Whether a call may be made now. Whoever makes it tells how it went, or that it was given
        up, with `succeeded`, `failed` or `given_up`."""
        state = self.state
        if state == "half_open":
            if self._tried >= self.trials:
                return False
            self._tried += 1
        return state != "open"

    def succeeded(self) -> None:
        self._failed = self._tried = 0
        self._until = -math.inf
        self.cause = None

    def given_up(self) -> None:
        """The call was neither: whoever wanted it went away."""
        self._tried = max(0, self._tried - 1)

    def failed(self, cause: Cause, after: float | None = None) -> None:
        """`after` is how many seconds the vendor asks to be left alone. A request that was refused
        for what it held says nothing of the provider, and must not close it to others."""
        self.cause = cause
        if cause == "bad_request":
            self.given_up()
            return
        trial = self.state == "half_open"
        self._failed += 1
        self._tried = max(0, self._tried - 1)
        now = time.monotonic()
        if trial or cause == "authentication" or self._failed >= self.failures:
            self._until = max(self._until, now + self.recovery)
        if after is not None and after > 0:
            self._until = max(self._until, now + after)
