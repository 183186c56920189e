"""How fast a client may ask for things."""

import time
from collections import deque


class Pace:
    """At most so many within so many seconds."""

    def __init__(self, most: int, seconds: float) -> None:
        self._times: deque[float] = deque(maxlen=most)
        self._seconds = seconds

    def allows(self) -> bool:
        """Whether one more is allowed now; it is then counted."""
        now = time.monotonic()
        times = self._times
        if len(times) == times.maxlen and now - times[0] < self._seconds:
            return False
        times.append(now)
        return True
