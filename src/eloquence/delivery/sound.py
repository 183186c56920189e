"""What is measured on the samples of one stretch of speech, small enough to be stored with it."""

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from eloquence.delivery import fillers
from eloquence.delivery.spectrum import (
    BLOCK,
    FLOOR,
    RATE,
    STEP,
    finite,
    levels,
    peak_levels,
    timbre,
)
from eloquence.delivery.spectrum import Samples as Samples
from eloquence.delivery.spectrum import as_float as as_float

if TYPE_CHECKING:
    from swift_f0.core import SwiftF0

HOP = 0.016
"""Seconds between two frames of `pitch` and `intensity`."""

SHORTEST_PAUSE = 0.25
"""Seconds: a shorter silence is part of the speech around it (de Jong & Bosker 2013)."""

_WIDEST = (60.0, 600.0)  # Hz, any speaking voice
_SHORTEST_SOUND = 0.1  # s, a shorter sound is a click (de Jong & Wempe 2009)
_RANGE = 25.0  # dB below the loudest percentile that still is speech (de Jong & Wempe 2009)
_DIP = 2.5  # dB between two syllable nuclei (2 to 4 in de Jong & Wempe 2009)
_QUIET_ROOM = -75.0  # dB below the loudest percentile: a noise floor lower than that is digital
_WORKING_PEAK = 0.3  # level of the loud frames that the pitch model is given, whatever the gain
_VOICED = 0.5  # confidence of the pitch model from which a frame is voiced
_SHORTEST_VOICING = 3  # frames


class Sound(BaseModel):
    """Acoustic measures of one stretch of speech. Times are seconds on the session's clock.

    Frame `i` of `pitch` and `intensity` is centred on `start + i * HOP`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    start: float
    duration: float
    pitch: tuple[float | None, ...]
    """Fundamental frequency in hertz per frame, None where unvoiced."""
    intensity: tuple[float, ...]
    """Level in decibels relative to full scale per frame, floored at -100."""
    speech: tuple[tuple[float, float], ...]
    """Stretches of sound that is speech, each (start, end)."""
    nuclei: tuple[float, ...]
    """Times of syllable nuclei found in the sound alone (de Jong & Wempe 2009)."""
    snr: float | None
    """Speech level over noise floor in decibels; None when there is no speech or no silence."""
    clipping: float
    """Share of samples at full scale, 0..1."""
    peaks: tuple[float, ...] = ()
    """Level at each of the `nuclei` in decibels relative to full scale, evened out over 18 bands
    from 200 Hz to 3.4 kHz, so that a microphone or a line adds the same to every one."""
    hesitations: tuple[tuple[float, float, float], ...] = ()
    """Stretches that sound like *euh*, *uh* or *um*, each (start, end, confidence 0..1), whatever
    the words are; see `delivery.fillers`."""


def measure(samples: Samples, sample_rate: int, *, start: float = 0.0) -> Sound:
    """The measures of mono `samples` at `sample_rate` hertz: float32 in -1..1, or int16.

    `start` is where the first sample lies on the session's clock, in seconds. Any length is
    taken, none included; values that are not finite count as silence. Only `intensity`,
    `peaks` and `clipping` change with the gain. Safe to call from several threads at once.

    Samples at 16 kHz are looked at a few seconds at a time, so that an hour costs little memory
    beyond its own; those at another rate are resampled as a whole first.
    """
    duration = len(samples) / sample_rate
    wave = _at_working_rate(samples, sample_rate)
    full, band, sonority, spectrum = levels(wave)
    pitch = np.full(len(full), np.nan)
    speech: list[tuple[int, int]] = []
    nuclei: list[int] = []
    peaks: list[float] = []
    hesitations: list[tuple[int, int, float]] = []
    snr = None
    if len(full):
        _detector()  # even for silence, so that measuring some is a warm-up
    if len(full) and band.max() > FLOOR + 10:
        loudest = float(np.quantile(band, 0.99))
        relative = np.maximum(band - loudest, 2 * _QUIET_ROOM)
        gain = _WORKING_PEAK * 10 ** (-loudest / 20)
        pitch = _voiced_pitch(wave, gain, len(full))
        voiced = ~np.isnan(pitch)
        speech, snr = _speech(relative, voiced=voiced)
        inside = np.zeros(len(full), dtype=bool)
        for first, last in speech:
            inside[first : last + 1] = True
        pitch = _in_own_range(np.where(inside, pitch, np.nan), wave, gain)
        sonority = sonority - np.quantile(sonority[inside], 0.9) if inside.any() else sonority
        nuclei = _nuclei(sonority, voiced=voiced, inside=inside)
        peaks = peak_levels(nuclei, full, spectrum, inside & ~np.isnan(pitch))
        hesitations = fillers.hesitations(pitch, full, timbre(spectrum), HOP)
    return Sound(
        start=start,
        duration=round(duration, 6),
        pitch=tuple(None if np.isnan(hertz) else round(float(hertz), 2) for hertz in pitch),
        intensity=tuple(round(float(level), 2) for level in full),
        speech=tuple(
            (round(start + first * HOP, 3), round(start + min(last * HOP, duration), 3))
            for first, last in speech
        ),
        nuclei=tuple(round(start + frame * HOP, 3) for frame in nuclei),
        snr=None if snr is None else round(snr, 1),
        clipping=_clipping(samples),
        peaks=tuple(round(level, 2) for level in peaks),
        hesitations=tuple(
            (round(start + first * HOP, 3), round(start + min(last * HOP, duration), 3), confidence)
            for first, last, confidence in hesitations
        ),
    )


def _clipping(samples: Samples) -> float:
    size = BLOCK * STEP
    full = sum(
        int(np.count_nonzero(np.abs(as_float(samples[first : first + size])) >= 0.999))
        for first in range(0, len(samples), size)
    )
    return full / len(samples) if len(samples) else 0.0


def _at_working_rate(samples: Samples, sample_rate: int) -> Samples:
    if sample_rate == RATE or not len(samples):
        return samples
    import soxr

    resampled: NDArray[np.float32] = soxr.resample(finite(samples), sample_rate, RATE)
    return resampled


_CONTEXT = 11
"""Frames on each side that the detector needs to find in a piece what it finds in the whole."""


@cache
def _detector() -> "SwiftF0":
    from swift_f0.core import SwiftF0  # loads a runtime that reading a stored Sound does not need

    return SwiftF0(threads=1, spin=False)


def _in_own_range(pitch: NDArray[np.float64], wave: Samples, gain: float) -> NDArray[np.float64]:
    """Pitch found again in the speaker's own range (De Looze & Hirst 2008).

    The range goes from 0.75 times the lower quartile of a first pass to 1.5 times the upper one,
    which removes most octave errors. What is left more than 14 semitones below the median or 18
    above it is dropped. A frame that was found inside the range is found there again, so only
    the others are looked at twice.
    """
    voiced = pitch[~np.isnan(pitch)]
    if len(voiced) >= 30:
        low, high = np.quantile(voiced, (0.25, 0.75))
        own = (max(_WIDEST[0], 0.75 * low), min(_WIDEST[1], 1.5 * high))
        for first, last in _stray(pitch, own):
            stretch = pitch[first : last + 1]
            again = _detected(wave, gain, own, first, last + 1)
            pitch[first : last + 1] = np.where(np.isnan(stretch), np.nan, again)
        voiced = pitch[~np.isnan(pitch)]
    if not len(voiced):
        return pitch
    semitones = 12 * np.log2(pitch / np.median(voiced))
    return np.where((semitones < -14) | (semitones > 18), np.nan, pitch)


def _stray(pitch: NDArray[np.float64], own: tuple[float, float]) -> list[tuple[int, int]]:
    """First and last frames of the stretches with pitch out of that range, near ones as one."""
    stretches: list[tuple[int, int]] = []
    for first, last in _runs((pitch < own[0]) | (pitch > own[1])):
        if stretches and first - stretches[-1][1] <= 2 * _CONTEXT:
            stretches[-1] = (stretches[-1][0], last)
        else:
            stretches.append((first, last))
    return stretches


def _voiced_pitch(wave: Samples, gain: float, frames: int) -> NDArray[np.float64]:
    """Pitch in hertz per frame, NaN where unvoiced or voiced for less than 48 ms."""
    pitch = _detected(wave, gain, _WIDEST, 0, frames)
    for first, last in _runs(~np.isnan(pitch)):
        if last - first + 1 < _SHORTEST_VOICING:
            pitch[first : last + 1] = np.nan
    return pitch


def _detected(
    wave: Samples, gain: float, limits: tuple[float, float], first: int, last: int
) -> NDArray[np.float64]:
    """Pitch in hertz of the frames `first` to before `last`, NaN where unvoiced, as the model
    finds it in the whole `wave` times `gain`."""
    pitch = np.full(last - first, np.nan)
    for at in range(first, last, BLOCK):
        begin, end = max(0, at - _CONTEXT), min(at + BLOCK, last)
        piece = finite(wave[begin * STEP : (end + _CONTEXT) * STEP])
        if not len(piece):
            break
        result = _detector().detect(piece * np.float32(gain), RATE, *limits)
        found = np.where(result.confidence >= _VOICED, result.pitch_hz, np.nan)
        found = found[at - begin : end - begin]
        pitch[at - first : at - first + len(found)] = found
    return pitch


def _speech(
    level: NDArray[np.float64], *, voiced: NDArray[np.bool_]
) -> tuple[list[tuple[int, int]], float | None]:
    """First and last frames of each stretch of speech, and the signal-to-noise ratio in dB.

    The threshold lies 25 dB below the loud frames, or above the noise floor by 40 % of the way
    from noise to speech (4 to 10 dB) if that is higher. The floor is a low quantile at first,
    then the median of what was found to be silence. Stretches without voice are not speech.
    """
    audible = level[level > _QUIET_ROOM]
    noise = float(np.quantile(audible, 0.1)) if len(audible) else _QUIET_ROOM
    stretches: list[tuple[int, int]] = []
    ratio = None
    for _ in range(2):
        loud = level[level > -_RANGE]
        margin = min(10.0, max(4.0, 0.4 * (float(loud.mean()) - noise)))
        stretches = _stretches(level > min(max(-_RANGE, noise + margin), -3.0), voiced)
        silent = np.ones(len(level), dtype=bool)
        spoken = ~silent
        for first, last in stretches:
            silent[max(first - 3, 0) : last + 4] = False
            spoken[first : last + 1] = True
        if not spoken.any() or silent.sum() * HOP < 0.1:
            break
        quiet = level[silent]
        heard = quiet[quiet > _QUIET_ROOM]
        noise = float(np.median(heard)) if len(heard) > 0.1 * len(quiet) else _QUIET_ROOM
        ratio = 10 * float(np.log10(np.mean(10 ** (level[spoken] / 10)))) - noise
    return stretches, ratio


def _stretches(active: NDArray[np.bool_], voiced: NDArray[np.bool_]) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for first, last in _runs(active):
        if not voiced[first : last + 1].any() and (last - first) * HOP < _SHORTEST_SOUND:
            continue
        if joined and (first - joined[-1][1]) * HOP < SHORTEST_PAUSE:
            joined[-1] = (joined[-1][0], last)
        else:
            joined.append((first, last))
    return [
        (first, last)
        for first, last in joined
        if (last - first) * HOP >= _SHORTEST_SOUND
        and voiced[first : last + 1].sum() >= _SHORTEST_VOICING
    ]


def _nuclei(
    level: NDArray[np.float64], *, voiced: NDArray[np.bool_], inside: NDArray[np.bool_]
) -> list[int]:
    """Frames of syllable nuclei: voiced peaks with a dip of 2.5 dB on both sides.

    Levels are smoothed over 64 ms first, as Praat's intensity with a minimum pitch of 50 Hz is.
    """
    power = 10 ** (np.pad(level, 1, mode="edge") / 10)
    smooth = 10 * np.log10((power[:-2] + 2 * power[1:-1] + power[2:]) / 4)
    found: list[int] = []
    peak, valley = -1, np.inf
    for frame in range(len(smooth)):
        here = smooth[frame]
        if peak < 0:
            valley = min(valley, here)
            if here >= valley + _DIP:
                peak = frame
        elif here > smooth[peak]:
            peak = frame
        elif here <= smooth[peak] - _DIP:
            found.append(peak)
            peak, valley = -1, here
    if peak >= 0:
        found.append(peak)
    return [
        frame
        for frame in found
        if smooth[frame] > -_RANGE and inside[frame] and voiced[max(frame - 1, 0) : frame + 2].any()
    ]


def _runs(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First and last index of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], mask.astype(np.int8), [0]))))
    return [(int(a), int(b) - 1) for a, b in zip(edges[::2], edges[1::2], strict=True)]
