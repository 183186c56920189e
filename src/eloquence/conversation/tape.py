"""The learner's sound on the session's clock, kept in memory until its turn was measured."""

import time
from collections import deque
from collections.abc import Callable

import numpy as np
from livekit import rtc
from livekit.agents.voice import io
from numpy.typing import NDArray

RATE = 16_000
_JUMP = 0.5
"""A stretch of this many seconds without frames is a gap in the sound, less is network jitter."""


class Tape:
    """PCM16 at 16 kHz by position in seconds since the session began.

    Position 0 is the wall-clock instant `origin` (POSIX seconds). Frames follow each other
    seamlessly; only a real gap (the microphone was off) moves the position to the clock's.
    """

    def __init__(self, origin: float) -> None:
        self.origin = origin
        self._runs: deque[tuple[int, bytearray]] = deque()
        """Where each stretch without gaps begins, in samples, and its sound."""
        self._end = 0

    @property
    def end(self) -> float:
        """Position after the last sample, in seconds."""
        return self._end / RATE

    def at(self, wall: float) -> float:
        """The position of a wall-clock instant, in seconds."""
        return max(0.0, wall - self.origin)

    def append(self, pcm: bytes, now: float) -> int:
        """Adds PCM16 that ended at wall-clock `now`; returns the sample where it begins."""
        begins = int((self.at(now)) * RATE) - len(pcm) // 2
        if begins > self._end + _JUMP * RATE:
            self._end = begins
        at = self._end
        if self._runs and self._runs[-1][0] + len(self._runs[-1][1]) // 2 == at:
            self._runs[-1][1].extend(pcm)
        else:
            self._runs.append((at, bytearray(pcm)))
        self._end += len(pcm) // 2
        return at

    def read(self, start: float, end: float) -> NDArray[np.float32]:
        """Samples from `start` to `end` seconds, shape (n,), -1..1; gaps are silence."""
        first, last = int(max(0.0, start) * RATE), min(int(end * RATE), self._end)
        out = np.zeros(max(0, last - first), dtype=np.float32)
        for at, pcm in self._runs:
            lo, hi = max(first, at), min(last, at + len(pcm) // 2)
            if hi > lo:
                piece = np.frombuffer(bytes(pcm[2 * (lo - at) : 2 * (hi - at)]), dtype="<i2")
                np.multiply(piece, np.float32(1 / 32768), out=out[lo - first : hi - first])
        return out

    def forget(self, before: float) -> None:
        """Drops what lies before that position."""
        limit = int(before * RATE)
        while self._runs and self._runs[0][0] < limit:
            at, pcm = self._runs.popleft()
            if len(pcm) // 2 > limit - at:
                del pcm[: 2 * (limit - at)]
                self._runs.appendleft((limit, pcm))


class TapedInput(io.AudioInput):
    """A transport's microphone whose frames are also written to the tape.

    Each frame carries the sample at which it begins, under `POSITION`. While the engine has the
    input switched off, frames are taken and forgotten, so that none is heard late.
    """

    POSITION = "eloquence.position"

    def __init__(
        self,
        source: io.AudioInput,
        tape: Tape,
        *,
        listener: Callable[[int, bytes], None] | None = None,
    ) -> None:
        super().__init__(label="tape", source=source)
        self._tape = tape
        self._listener = listener
        self._muted = False

    def on_attached(self) -> None:
        super().on_attached()
        self._muted = False

    def on_detached(self) -> None:
        super().on_detached()
        self._muted = True

    async def __anext__(self) -> rtc.AudioFrame:
        frame = await super().__anext__()
        while self._muted:
            frame = await super().__anext__()
        pcm = bytes(frame.data)
        at = self._tape.append(pcm, time.time())
        frame.userdata[self.POSITION] = at
        if self._listener is not None:
            self._listener(at, pcm)
        return frame
