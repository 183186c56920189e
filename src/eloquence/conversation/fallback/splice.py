"""Going on in another voice where a voice broke off: where to cut, and where to go on.

The two say the same text, so the place is found in the sound alone: what was heard is laid along
what the other voice says of the whole (dynamic time warping of the shape of the spectrum, as
Malfrère & Dutoit 1997 align a recording with a synthesiser), and speech goes on from where it
ends. Neither voice needs to tell when its words begin.

Measured on recorded speech of two readers (fifteen sentences, French and English, broken off every
0.2 s) and espeak. A reader breaks off and espeak goes on (n = 306): the place is 0.07 s away
at the median and 0.32 s at the ninth decile; no word is lost in 88 % and none is said twice in
89 %, else mostly one. The other way round (n = 230): 0.12 s and 0.42 s; 95 % and 85 %. Before the
sound is passed on nothing is lost or repeated at all: see `voices`.
"""

import numpy as np
import soxr
from numpy.typing import NDArray

from eloquence.delivery import spectrum

Pcm = NDArray[np.int16]
RATE = 24_000
"""Hertz of every sound here: PCM16, mono."""

_STEP = spectrum.STEP / spectrum.RATE  # s
_QUIET_STEP = 120  # samples, 5 ms
_QUIET_WIDTH = 5  # steps over which a level is taken
_DEPTH = 9.0  # dB by which a quiet place lies below what surrounds it
_AROUND = 0.5  # s
_SPOKEN = -30.0  # dB under the loudest frame
_LOUDNESS = 0.15  # weight of a decibel beside the cepstrum
_BACK = 0.3  # s, within which the beginning of a word is looked for
_FORTH = 0.06
_FLOOR = 1e-4


def quiet_places(sound: Pcm, first: int = 0) -> list[int]:
    """Samples from `first` on at which a cut falls between two words or syllables, rather than
    into one: the lowest points that lie 9 dB below the loudest on both sides within half a second,
    or in silence."""
    level = _decibels(sound)
    if not len(level):
        return []
    around = round(_AROUND * RATE / _QUIET_STEP)
    found = []
    for step in range(first // _QUIET_STEP + 1, len(level) - 1):
        here = level[step]
        near = level[max(0, step - 3) : step + 4]
        if here > near.min():
            continue
        before = level[max(0, step - around) : step].max(initial=-100.0)
        after = level[step + 1 : step + around].max(initial=-100.0)
        if here < min(before, after) - _DEPTH or here < -70.0:
            found.append(step * _QUIET_STEP)
    return found


def resumed_at(heard: Pcm, whole: Pcm) -> int:
    """Sample of `whole`, in which another voice says the text from the beginning, from which it
    says what is not in `heard` yet: a quiet place near the end of the best path, at most 0.3 s
    before it, as the word that was being said is said again."""
    ours, _ = _features(heard)
    theirs, frames = _features(whole)
    if not len(ours) or not len(theirs):
        return 0
    end = _end(ours, theirs)
    if end >= len(theirs):
        return len(whole)
    place = round(int(frames[end - 1] + 1) * _STEP * RATE)
    if place >= len(whole):
        return len(whole)
    first, last = place - round(_BACK * RATE), place + round(_FORTH * RATE)
    near = [at for at in quiet_places(whole, max(0, first)) if at <= last]
    if near:
        return min(near, key=lambda at: abs(at - place))
    return max(0, place)


def _end(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> int:
    """Frame of `theirs` at which the path of all of `ours` from the beginning ends best. Nowhere is
    one of the two more than twice as fast as the other (Sakoe & Chiba 1978, symmetric, P = 1)."""
    n, m = len(ours), len(theirs)
    far = np.sqrt(np.maximum(0, _squares(ours)[:, None] + _squares(theirs) - 2 * ours @ theirs.T))
    cost = np.full((n + 2, m + 2), np.inf)
    cost[1, 1] = 0.0
    for diagonal in range(n + m - 1):
        i = np.arange(max(0, diagonal - m + 1), min(n, diagonal + 1))
        j = diagonal - i
        here = far[i, j]
        straight = cost[i + 1, j + 1] + 2 * here
        slower = np.where(i > 0, cost[i, j + 1] + 2 * far[i - 1, j] + here, np.inf)
        faster = np.where(j > 0, cost[i + 1, j] + 2 * far[i, j - 1] + here, np.inf)
        cost[i + 2, j + 2] = np.minimum(straight, np.minimum(slower, faster))
    ends = np.arange(1, m + 1)
    mean = cost[n + 1, 2:] / (n + ends)
    return int(mean.argmin()) + 1 if np.isfinite(mean).any() else m


def _squares(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    total: NDArray[np.float64] = np.square(rows).sum(axis=1)
    return total


def _features(sound: Pcm) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """A row a frame of 16 ms that is no silence, with its number: the shape of the spectrum without
    the voice's own mean, and the level under the loudest. Each voice pauses where it likes."""
    if not len(sound):
        return np.zeros((0, 11)), np.zeros(0, np.intp)
    wave = soxr.resample(spectrum.as_float(sound), RATE, spectrum.RATE)
    levels = spectrum.levels(wave)
    loud = levels.band - levels.band.max()
    spoken = np.flatnonzero(loud > _SPOKEN)
    shape = spectrum.timbre(levels.spectrum).astype(np.float64)[spoken]
    rows = np.column_stack([shape - shape.mean(axis=0), _LOUDNESS * loud[spoken]])
    return rows, spoken


def _decibels(sound: Pcm) -> NDArray[np.float64]:
    """Level over 25 ms, every 5 ms, in decibels relative to full scale."""
    count = len(sound) // _QUIET_STEP
    if count < _QUIET_WIDTH:
        return np.zeros(0)
    power = np.square(sound[: count * _QUIET_STEP].astype(np.float64) / 32768)
    steps = power.reshape(count, _QUIET_STEP).mean(axis=1)
    wide = np.convolve(steps, np.full(_QUIET_WIDTH, 1 / _QUIET_WIDTH), mode="same")
    return 10 * np.log10(np.maximum(wide, _FLOOR**2))
