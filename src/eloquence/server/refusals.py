"""Keys, and answers of a provider, that were not valid, counted by address."""

import time
from collections import deque
from collections.abc import Callable

from eloquence.errors import TooManyError

MOST = 20
"""Keys that are not valid from one address within `WINDOW`; one more is not even looked at."""
MOST_ANSWERS = 60
"""The same of a provider's answers: a school that signs in at once may share one address."""
WINDOW = 60.0
"""Seconds."""
MOST_ADDRESSES = 10_000
"""Addresses that are remembered; the one that failed first is forgotten first."""


class Refusals:
    """What one process has refused. Nobody can guess a key; this keeps the trying from being work
    for the store, or for the provider."""

    def __init__(self, now: Callable[[], float] = time.monotonic, *, most: int = MOST) -> None:
        self._now = now
        self._most = most
        self._of: dict[str, deque[float]] = {}

    def check(self, address: str) -> None:
        """Raises TooManyError while too much that came from that address was not valid."""
        times = self._of.get(address)
        if times is None:
            return
        while times and self._now() - times[0] >= WINDOW:
            times.popleft()
        if len(times) >= self._most:
            raise TooManyError(
                "Too many keys or sign-ins that are not valid came from this address.",
                after=WINDOW - (self._now() - times[0]),
                mend="Check the key, or the provider's settings, and try again later.",
            )
        if not times:
            del self._of[address]

    def note(self, address: str) -> None:
        """One more that was not valid."""
        self._of.setdefault(address, deque(maxlen=self._most)).append(self._now())
        if len(self._of) > MOST_ADDRESSES:
            del self._of[next(iter(self._of))]
