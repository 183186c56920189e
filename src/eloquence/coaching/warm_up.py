"""The warm-up: an easy question or two before the exercise, which nothing is scored of.

It gives the microphone's level and noise and the speaker's own baseline, and lets the voice warm.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from eloquence.coaching.lines import WarmUpLines
from eloquence.delivery import quality
from eloquence.delivery.intensity import speech_level
from eloquence.delivery.sound import Sound

ENOUGH_SPEECH = 20.0
"""Seconds of the learner's speech after which the warm-up is over."""
MOST_TURNS = 2
"""Turns of the learner after which it is over, however short they were."""
OVERDUE_TURNS = 4
"""Turns after which the scene begins even though the passage to it was talked over."""
QUIETEST = -45.0
"""Level of speech, in decibels relative to full scale, under which the microphone is too far or
too low: 20 dB under an ordinary headset, near the noise of many rooms."""

Fault = Literal["noisy", "clipping", "quiet"]


@dataclass(frozen=True, slots=True)
class WarmUp:
    """Where the warm-up stands. The same seed draws the same questions."""

    lines: WarmUpLines
    questions: tuple[str, ...] = ()
    """The exercise's own opening questions, in place of the ordinary ones."""
    seed: int = 0
    turns: int = 0
    seconds: float = 0.0

    @property
    def opening(self) -> str:
        """The first words: who one is talking with, and an easy personal question."""
        return self._drawn(self.questions or self.lines.open)

    @property
    def over(self) -> bool:
        return self.turns >= MOST_TURNS or self.seconds >= ENOUGH_SPEECH

    @property
    def overdue(self) -> bool:
        return self.turns >= OVERDUE_TURNS

    @property
    def line(self) -> str:
        """What is said now: another easy question, or the passage to the exercise."""
        return self._drawn(self.lines.passage if self.over else self.lines.more)

    def after(self, seconds: float) -> "WarmUp":
        """After one more turn of the learner, with so many seconds of speech."""
        return WarmUp(self.lines, self.questions, self.seed, self.turns + 1, self.seconds + seconds)

    def _drawn(self, lines: Sequence[str]) -> str:
        return random.Random(f"{self.seed}/{len(lines)}").choice(lines)  # noqa: S311 - variety


def microphone_faults(sounds: Sequence[Sound]) -> tuple[Fault, ...]:
    """What is wrong with the sound of the warm-up, worst first; nothing when no speech was
    heard, since that is no fault of the microphone."""
    level = speech_level(sounds)
    if level is None:
        return ()
    found: list[Fault] = []
    if quality.clipping(sounds) > quality.MOST_CLIPPING:
        found.append("clipping")
    ratio = quality.snr(sounds)
    if ratio is not None and ratio < quality.LOWEST_SNR:
        found.append("noisy")
    if level < QUIETEST:
        found.append("quiet")
    return tuple(found)
