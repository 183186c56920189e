"""Loudness, only as variation within one recording: the level itself measures the microphone."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from eloquence.delivery.sound import HOP, Sound

TRAIL = 3
"""Syllables at the end of a phrase whose level is compared with the whole phrase."""


def peak_levels(sound: Sound) -> NDArray[np.float64]:
    """Level in dB at each syllable nucleus."""
    last = len(sound.intensity) - 1
    frames = [min(last, max(0, round((time - sound.start) / HOP))) for time in sound.nuclei]
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
