"""Where somebody speaks in a stream of sound."""

from typing import Literal

import numpy as np
from livekit.local_inference import VAD, VAD_WINDOW_SAMPLES

from eloquence.conversation.turn_taking import SILENCE

RATE = 16_000
_BEGINS, _GOES_ON = 0.5, 0.35
"""Probability of speech from which it begins, and above which it goes on."""
_WINDOW = VAD_WINDOW_SAMPLES / RATE
_LEAST = 0.05

Change = Literal["began", "ended"]


class Voice:
    """Voice activity with the engine's own model and measures, in seconds of the sound given.

    It works where it is called, in 15 microseconds for each window of 32 ms.
    """

    def __init__(self) -> None:
        self._model = VAD()
        self._waiting = b""
        self._at = 0.0
        self._loud = self._still = 0.0
        self.speaking = False
        self.since = 0.0
        """Where the latest stretch of speech began."""
        self.until = 0.0
        """Where it ended, once it has."""

    def push(self, pcm: bytes) -> list[Change]:
        """Takes PCM16 mono at 16 kHz; what has changed in it."""
        self._waiting += pcm
        changes: list[Change] = []
        size = 2 * VAD_WINDOW_SAMPLES
        while len(self._waiting) >= size:
            window = np.frombuffer(self._waiting[:size], dtype="<i2")
            self._waiting = self._waiting[size:]
            change = self._heard(self._model.predict(window))
            if change is not None:
                changes.append(change)
        return changes

    def cut(self) -> bool:
        """Ends the speech that is going on, as what follows belongs to something else; whether
        there was any."""
        was, self.speaking = self.speaking, False
        if was:
            self.until = self._at
        self._loud = self._still = 0.0
        return was

    def _heard(self, probability: float) -> Change | None:
        self._at += _WINDOW
        if probability >= (_GOES_ON if self.speaking else _BEGINS):
            self._loud += _WINDOW
            self._still = 0.0
            if not self.speaking and self._loud >= _LEAST:
                self.speaking, self.since = True, self._at - self._loud
                return "began"
            return None
        self._still += _WINDOW
        self._loud = 0.0
        if self.speaking and self._still >= SILENCE:
            self.speaking, self.until = False, self._at - self._still
            return "ended"
        return None
