"""Whether the sound is good enough to be measured, and the words complete enough to be trusted."""

from collections.abc import Iterable, Sequence

from eloquence.delivery.sound import Sound
from eloquence.delivery.timing import Interval, overlap
from eloquence.delivery.words import Word

LOWEST_SNR = 15.0
"""Decibels: below, pitch, loudness and what is found by ear are not scored (at 10 dB the ratio of
phonation by ear is off by 30 %, the rate by 25 %)."""
MOST_CLIPPING = 0.005
"""Share of samples at full scale from which the take should be made again."""
MOST_DISAGREEMENT = 0.15
"""Difference of the phonation ratios of words and sound from which words are not trusted."""

_JOIN = 0.25


def snr(sounds: Sequence[Sound]) -> float | None:
    """Signal-to-noise ratio of a session in dB: that of its turns weighted by their speech."""
    known = [(sound.snr, speech_seconds(sound)) for sound in sounds if sound.snr is not None]
    total = sum(seconds for _, seconds in known)
    return sum(ratio * seconds for ratio, seconds in known) / total if total > 0 else None


def clipping(sounds: Sequence[Sound]) -> float:
    """Share of samples at full scale over all turns, 0..1."""
    total = sum(sound.duration for sound in sounds)
    return sum(sound.clipping * sound.duration for sound in sounds) / total if total > 0 else 0.0


def speech_seconds(sound: Sound) -> float:
    """Seconds of the stretches of speech."""
    return sum(end - start for start, end in sound.speech)


def disagreement(turns: Iterable[tuple[Sequence[Word], Sound]]) -> float:
    """How far the phonation ratios of words and of sound lie apart, 0..1.

    Both are taken over the same seconds, from the first word or sound of each turn to the last;
    positive when the sound holds speech that no word covers, negative the other way round.
    """
    span = heard = spoken = 0.0
    for words, sound in turns:
        stretches = _stretches(words)
        edges = [*stretches, *sound.speech]
        if not edges:
            continue
        whole = (min(start for start, _ in edges), max(end for _, end in edges))
        span += whole[1] - whole[0]
        heard += overlap(whole, stretches)
        spoken += speech_seconds(sound)
    return (spoken - heard) / span if span > 0 else 0.0


def _stretches(words: Sequence[Word]) -> list[Interval]:
    joined: list[Interval] = []
    for word in words:
        if joined and word.start - joined[-1][1] < _JOIN:
            joined[-1] = (joined[-1][0], max(joined[-1][1], word.end))
        else:
            joined.append((word.start, word.end))
    return joined
