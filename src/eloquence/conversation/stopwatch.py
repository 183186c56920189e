"""Time that stands still while a conversation is paused."""

import time
from dataclasses import dataclass, field


@dataclass(slots=True)
class Stopwatch:
    """Seconds since it was made, pauses left out."""

    began: float = field(default_factory=lambda: time.monotonic())
    paused_at: float | None = None
    paused_for: float = 0.0

    @classmethod
    def at(cls, elapsed: float) -> "Stopwatch":
        """One that has run for so many seconds already."""
        return cls(began=time.monotonic() - elapsed)

    def elapsed(self) -> float:
        now = self.paused_at if self.paused_at is not None else time.monotonic()
        return now - self.began - self.paused_for

    def pause(self) -> None:
        if self.paused_at is None:
            self.paused_at = time.monotonic()

    def resume(self) -> None:
        if self.paused_at is not None:
            self.paused_for += time.monotonic() - self.paused_at
            self.paused_at = None
