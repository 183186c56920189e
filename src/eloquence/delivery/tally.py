"""Counts of a stretch of speech that add up, and the measures that are ratios of them.

A session's tally is the sum of its turns'; taking an event out is a subtraction. That is how the
effect of one pause on a score is found.
"""

from collections.abc import Callable, Mapping
from dataclasses import astuple, dataclass
from math import exp, sqrt

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
    hedges: int = 0
    sentences: int = 0
    pitch_frames: int = 0
    pitch_sum: float = 0.0
    pitch_squares: float = 0.0
    peaks: int = 0
    peak_sum: float = 0.0
    peak_squares: float = 0.0
    ends: int = 0
    """Ends of statements that were voiced."""
    end_sum: float = 0.0
    """Sum of their pitch, in semitones from the speaker's median."""
    stretches: int = 0
    """Stretches of speech long enough for their last syllables to be compared with the rest."""
    fall_sum: float = 0.0
    """Sum of the level of those last syllables over that of the stretch, in decibels."""
    answers: int = 0
    """Turns that follow a whole turn of the character."""
    answer_logs: float = 0.0
    """Sum of the natural logarithms of the seconds before them."""
    questions: int = 0
    """Turns that hold a question."""
    replies: int = 0
    """Turns in words that follow words of the character."""
    uptakes: int = 0
    """Those that take up one of its words."""
    character_turns: int = 0
    character_words: int = 0
    character_seconds: float = 0.0
    interruptions: int = 0
    """Turns of the character that the learner cut short."""

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


def _share(total: float, count: int) -> float | None:
    return total / count if count > 0 else None


def _talk_ratio(tally: Tally) -> float | None:
    """The learner's share of the words of both; of the seconds of speech where nobody heard
    the learner's words."""
    if tally.character_turns <= 0:
        return None
    if tally.words > 0:
        return tally.words / (tally.words + tally.character_words)
    whole = tally.seconds + tally.character_seconds
    return tally.seconds / whole if whole > 0 else None


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
    "hedges": lambda t: per_hundred_words(t.hedges, t.words),
    "sentence_length": lambda t: t.words / t.sentences if t.sentences > 0 else None,
    "pitch_variation": lambda t: _deviation(t.pitch_frames, t.pitch_sum, t.pitch_squares),
    "loudness_variation": lambda t: _deviation(t.peaks, t.peak_sum, t.peak_squares),
    "turn_end_pitch": lambda t: _share(t.end_sum, t.ends),
    "trail_off": lambda t: _share(t.fall_sum, t.stretches),
    "response_latency": lambda t: exp(t.answer_logs / t.answers) if t.answers > 0 else None,
    "talk_ratio": _talk_ratio,
    "questions": lambda t: _share(t.questions, t.turns),
    "interruptions": lambda t: _share(t.interruptions, t.character_turns),
    "uptake": lambda t: _share(t.uptakes, t.replies),
}
"""Every measure by its stable name; each is None where there is nothing to divide by."""
