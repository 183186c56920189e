"""Loudness, only as variation within one recording: the level itself measures the microphone."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from eloquence.delivery.sound import HOP, Sound

_SPREAD = 0.85

TRAIL = 3
"""Syllables at the end of a phrase whose level is compared with the whole phrase."""


def speech_level(sounds: Sequence[Sound]) -> float | None:
    """Mean level of the stretches of speech of all sounds in dB relative to full scale: that of
    their mean power, so that short gaps between words hardly count. None without speech.

    A level alone measures the microphone: only the difference from the same person's level on the
    same device, in the same session, says something (the warm-up; about ±3 dB is usual).
    """
    frames = [
        level
        for sound in sounds
        for start, end in sound.speech
        for level in sound.intensity[_frame(sound, start) : _frame(sound, end) + 1]
    ]
    if not frames:
        return None
    return float(10 * np.log10(np.mean(10 ** (np.array(frames) / 10))))


def peak_levels(sound: Sound) -> NDArray[np.float64]:
    """Level in dB at each syllable nucleus: 0.85 times that of `Sound.peaks`.

    Levels of the full band are at the mercy of what a line does to the low vowels: a telephone
    band raises their deviation by 9 to 61 %, a headset by up to 26 %. Evened out over bands it
    moves by a tenth at most, in noise and light reverberation too. It also spreads more, and 0.85
    makes its deviation that of Praat's intensity, which the norms were made with (3.9 dB, mean
    over four French and English readers, 220 s). Where a sound was stored without `peaks`, the
    levels are those of the full band.
    """
    if sound.peaks:
        return _SPREAD * np.array(sound.peaks)
    frames = [_frame(sound, time) for time in sound.nuclei]
    return np.array([sound.intensity[frame] for frame in frames], dtype=float)


def variation(levels: Sequence[float] | NDArray[np.float64]) -> float | None:
    """Standard deviation of the level at syllable peaks in dB (Van Zant & Berger 2020)."""
    return float(np.std(levels)) if len(levels) > 1 else None


def trail_offs(sound: Sound) -> list[tuple[float, float, float]]:
    """For each stretch of speech of at least 8 syllables: (start and end of its last three, their
    mean level minus that of the stretch, in dB). About -3 to -6 dB is usual."""
    levels = peak_levels(sound)
    times = np.array(sound.nuclei)
    found = []
    for start, end in sound.speech:
        inside = np.flatnonzero((times >= start) & (times <= end))
        if len(inside) < 8:
            continue
        last = inside[-TRAIL:]
        drop = float(levels[last].mean() - levels[inside].mean())
        found.append((float(times[last[0]]), end, drop))
    return found


def _frame(sound: Sound, time: float) -> int:
    return min(len(sound.intensity) - 1, max(0, round((time - sound.start) / HOP)))
