"""Counts of a stretch of speech that add up, and the measures that are ratios of them.

A session's tally is the sum of its turns'; taking an event out is a subtraction. That is how the
effect of one pause on a score is found.
"""

from collections.abc import Callable, Mapping
from dataclasses import astuple, dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from eloquence.delivery import timing
from eloquence.delivery.disfluency import per_hundred_words


@dataclass(frozen=True, slots=True)
class Tally:
    """What was counted. Seconds are of speaking span; pitch is in semitones from the speaker's
    median; peaks are levels of syllables in decibels."""

    turns: int = 0
    seconds: float = 0.0
    pauses: int = 0
    pause_seconds: float = 0.0
    mid_phrase: float = 0.0
    """Pauses inside phrases; a fraction stands for one of which only the likelihood is known."""
    long_pauses: int = 0
    syllables: float = 0.0
    words: int = 0
    """Without the filled pauses."""
    filled_pauses: float = 0.0
    """Weighted by position: 1 inside a sentence, 0.5 before it."""
    repetitions: int = 0
    tics: int = 0
    sentences: int = 0
    pitch_frames: int = 0
    pitch_sum: float = 0.0
    pitch_squares: float = 0.0
    peaks: int = 0
    peak_sum: float = 0.0
    peak_squares: float = 0.0

    def __add__(self, other: "Tally") -> "Tally":
        pairs = zip(astuple(self), astuple(other), strict=True)
        return Tally(*(mine + theirs for mine, theirs in pairs))

    def __sub__(self, other: "Tally") -> "Tally":
        pairs = zip(astuple(self), astuple(other), strict=True)
        return Tally(*(mine - theirs for mine, theirs in pairs))


def moments(values: NDArray[np.float64]) -> tuple[int, float, float]:
    """(count, sum, sum of squares) of the values that are numbers."""
    known = values[~np.isnan(values)]
    return len(known), float(known.sum()), float(np.square(known).sum())


def _deviation(count: int, total: float, squares: float) -> float | None:
    return sqrt(max(0.0, squares / count - (total / count) ** 2)) if count > 1 else None


MEASURES: Mapping[str, Callable[[Tally], float | None]] = {
    "speech_rate": lambda t: timing.speech_rate(t.syllables, t.seconds),
    "words_per_minute": lambda t: timing.words_per_minute(t.words, t.seconds),
    "articulation_rate": lambda t: timing.articulation_rate(
        t.syllables, t.seconds, t.pause_seconds
    ),
    "phonation_ratio": lambda t: timing.phonation_ratio(t.seconds, t.pause_seconds),
    "mean_run": lambda t: timing.mean_run(t.syllables, t.pauses, t.turns),
    "pause_frequency": lambda t: timing.per_minute(t.pauses, t.seconds),
    "mid_phrase_pauses": lambda t: timing.per_minute(t.mid_phrase, t.seconds),
    "long_pauses": lambda t: timing.per_minute(t.long_pauses, t.seconds),
    "filled_pauses": lambda t: per_hundred_words(t.filled_pauses, t.words),
    "repetitions": lambda t: per_hundred_words(t.repetitions, t.words),
    "tics": lambda t: per_hundred_words(t.tics, t.words),
    "sentence_length": lambda t: t.words / t.sentences if t.sentences > 0 else None,
    "pitch_variation": lambda t: _deviation(t.pitch_frames, t.pitch_sum, t.pitch_squares),
    "loudness_variation": lambda t: _deviation(t.peaks, t.peak_sum, t.peak_squares),
}
"""Every measure by its stable name; each is None where there is nothing to divide by."""
