"""Intonation, always in semitones from the speaker's own median, never in hertz.

How high a voice is says nothing about skill, so no measure here changes when a voice is shifted.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from eloquence.delivery.sound import HOP, Sound

FLAT = 1.5
"""Semitones: a window whose standard deviation is below is monotonous."""
WINDOW = 10.0
"""Seconds of a window that is judged flat or lively."""
_TAIL, _LEAST_TAIL = 0.3, 0.08  # s of the end of a turn, and of voice in it
_BREATH = 0.5  # s that may follow the last voice
_STEP = 2.0
_ENOUGH_VOICE = 2.0  # s of voicing that a window needs


def median_pitch(sounds: Iterable[Sound]) -> float | None:
    """The speaker's median pitch in hertz over several stretches of speech; None without voice."""
    voiced = [hertz for sound in sounds for hertz in sound.pitch if hertz is not None]
    return float(np.median(voiced)) if voiced else None


def semitones(sound: Sound, median: float) -> NDArray[np.float64]:
    """12 log2(pitch / median) per frame of 16 ms; NaN where unvoiced. `median` in hertz."""
    hertz = np.array([np.nan if value is None else value for value in sound.pitch], dtype=float)
    return 12 * np.log2(hertz / median)


def voiced_seconds(sound: Sound) -> float:
    """Seconds of voiced frames."""
    return HOP * sum(value is not None for value in sound.pitch)


def variation(semitones: NDArray[np.float64]) -> float | None:
    """Standard deviation of the voiced frames in semitones (Hincks 2005: it goes with the
    liveliness of talks; Traunmüller & Eriksson 1995: about equal for men and women)."""
    voiced = semitones[~np.isnan(semitones)]
    return float(voiced.std()) if len(voiced) > 1 else None


def range_80(semitones: NDArray[np.float64]) -> float | None:
    """90th minus 10th percentile in semitones: variation that octave errors do not touch."""
    voiced = semitones[~np.isnan(semitones)]
    if len(voiced) < 2:
        return None
    low, high = np.quantile(voiced, (0.1, 0.9))
    return float(high - low)


def turn_end(semitones: NDArray[np.float64], speech_end: int) -> float | None:
    """Median semitones of the last 300 ms of voice, of which at least 80 ms are voiced.

    The voice must end within the half second before frame `speech_end`, since a breath or a last
    consonant may follow it; None otherwise. Judge statements only: French questions rise.
    """
    voiced = np.flatnonzero(~np.isnan(semitones[: speech_end + 1]))
    if not len(voiced) or (speech_end - voiced[-1]) * HOP > _BREATH:
        return None
    tail = voiced[voiced > voiced[-1] - round(_TAIL / HOP)]
    return float(np.median(semitones[tail])) if len(tail) * HOP >= _LEAST_TAIL else None


def windows(semitones: NDArray[np.float64], start: float) -> list[tuple[float, float, float]]:
    """Windows of 10 s, each (start, end, standard deviation in semitones).

    They move by 2 s; those with less than 2 s of voicing are left out. `start` is the time of
    the first frame.
    """
    width, step = round(WINDOW / HOP), round(_STEP / HOP)
    found = []
    for first in range(0, len(semitones) - width + 1, step):
        piece = semitones[first : first + width]
        voiced = piece[~np.isnan(piece)]
        if len(voiced) * HOP >= _ENOUGH_VOICE:
            begin = start + first * HOP
            found.append((begin, begin + WINDOW, float(voiced.std())))
    return found


def flat_stretches(
    windows: Sequence[tuple[float, float, float]],
) -> list[tuple[float, float, float]]:
    """Overlapping flat windows joined, each (start, end, mean standard deviation)."""
    joined: list[list[tuple[float, float, float]]] = []
    for window in windows:
        if window[2] >= FLAT:
            continue
        if joined and window[0] <= joined[-1][-1][1]:
            joined[-1].append(window)
        else:
            joined.append([window])
    return [
        (group[0][0], group[-1][1], float(np.mean([deviation for _, _, deviation in group])))
        for group in joined
    ]


def monotony(windows: Sequence[tuple[float, float, float]]) -> float | None:
    """Share of the windows that are flat, 0..1; None when there is no window."""
    if not windows:
        return None
    return sum(deviation < FLAT for _, _, deviation in windows) / len(windows)
