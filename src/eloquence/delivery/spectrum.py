"""What the samples of a recording are boiled down to, frame by frame, before anything is judged.

Frame `i` is a Hann window of 32 ms centred on sample `i * STEP` at 16 kHz. Samples are looked at a
few seconds at a time, so that memory grows with the frames and not with the spectra.
"""

from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32] | NDArray[np.int16]

RATE = 16_000
STEP = 256
BLOCK = 256
"""Frames that are looked at together: 4 s."""
FLOOR = -100.0
"""Decibels relative to full scale: what digital silence measures."""

_WINDOW = 512
_FULL_BAND = slice(2, None)  # from 62 Hz: no offset, no rumble
_SPEECH_BAND = slice(4, 193)  # 125 Hz to 6 kHz: no mains hum, no hiss
_SONORITY_BAND = slice(13, 90)  # 400 Hz to 2.8 kHz: what vowels are loud in
_TELEPHONE = (200.0, 3400.0)  # Hz: the range in which timbre is compared, on any line
_MEL_BANDS = 18


def as_float(samples: Samples) -> NDArray[np.float32]:
    """The samples as float32 in -1..1; int16 is divided by 32768."""
    if samples.dtype == np.int16:
        return samples.astype(np.float32) / np.float32(32768)
    return samples.astype(np.float32, copy=False)


def finite(samples: Samples) -> NDArray[np.float32]:
    """The samples as float32, with silence for what is no number."""
    wave = as_float(samples)
    known = np.isfinite(wave)
    return wave if known.all() else np.where(known, wave, np.float32(0))


class Levels(NamedTuple):
    """What the power spectra of all frames are boiled down to."""

    full: NDArray[np.float64]
    """Level in dB per frame."""
    band: NDArray[np.float64]
    """Level in dB of the band of speech."""
    sonority: NDArray[np.float64]
    """Level in dB of the band that vowels are loud in."""
    spectrum: NDArray[np.float32]
    """Natural logarithm of the power in each of 18 bands of a telephone's range, a row a frame."""


def levels(wave: Samples) -> Levels:
    """Mean square of the signal under each window, by Parseval, so that bands can be left out."""
    window = np.hanning(_WINDOW + 1)[:-1].astype(np.float32)
    scale = 2 / (_WINDOW * float(np.square(window).sum()))
    bands = (_FULL_BAND, _SPEECH_BAND, _SONORITY_BAND)
    powers: list[list[NDArray[np.float32]]] = [[np.zeros(0, np.float32)] for _ in bands]
    spectrum = [np.zeros((0, _MEL_BANDS), np.float32)]
    for block in _frames(wave):
        power = np.square(np.abs(np.fft.rfft(block * window, axis=1)))
        for found, inside in zip(powers, bands, strict=True):
            found.append(power[:, inside].sum(axis=1))
        # einsum, since a product of matrices this small costs six times as much in threads.
        mel = np.einsum("ij,jk->ik", power, _mel_bank())
        spectrum.append(np.log(np.maximum(mel, 1e-12)))
    least = 10 ** (FLOOR / 10)
    full, band, sonority = (
        10 * np.log10(np.maximum(np.concatenate(found).astype(np.float64) * scale, least))
        for found in powers
    )
    return Levels(full, band, sonority, np.concatenate(spectrum))


@cache
def _mel_bank() -> NDArray[np.float32]:
    """Weights of each frequency of a spectrum in each triangular band."""
    mel, edges = (
        _mel(hertz) for hertz in (np.arange(_WINDOW // 2 + 1) * RATE / _WINDOW, _mel_edges())
    )
    rising = (mel[:, None] - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - mel[:, None]) / (edges[2:] - edges[1:-1])
    bank: NDArray[np.float32] = np.clip(np.minimum(rising, falling), 0, None).astype(np.float32)
    return bank


def _mel_edges() -> NDArray[np.float64]:
    """Where the bands begin, peak and end, in hertz: equally far apart in mel."""
    low, high = _mel(np.array(_TELEPHONE))
    hertz: NDArray[np.float64] = 700 * (10 ** (np.linspace(low, high, _MEL_BANDS + 2) / 2595) - 1)
    return hertz


def _mel(hertz: NDArray[np.float64]) -> NDArray[np.float64]:
    mel: NDArray[np.float64] = 2595 * np.log10(1 + hertz / 700)
    return mel


def _frames(wave: Samples) -> Iterator[NDArray[np.float32]]:
    count = len(wave) // STEP + 1 if len(wave) else 0
    half = _WINDOW // 2
    for first in range(0, count, BLOCK):
        last = min(first + BLOCK, count)
        begin, end = first * STEP - half, (last - 1) * STEP + half
        piece = finite(wave[max(begin, 0) : min(end, len(wave))])
        piece = np.pad(piece, (max(-begin, 0), max(end - len(wave), 0)))
        yield np.lib.stride_tricks.sliding_window_view(piece, _WINDOW)[::STEP]


def peak_levels(
    nuclei: list[int],
    full: NDArray[np.float64],
    spectrum: NDArray[np.float32],
    voiced: NDArray[np.bool_],
) -> list[float]:
    """Level at each nucleus: the mean level of the voiced frames, and by how much the bands exceed
    their own means there. Bands count by the inverse of their frequency, about as much as speech
    has in them. What a microphone or a line does to a band so drops out."""
    if not nuclei or not voiced.any():
        return []
    mean = 10 * float(np.log10(np.mean(10 ** (full[voiced] / 10))))
    power = np.exp(spectrum[nuclei].astype(np.float64))
    own = np.exp(spectrum[voiced].astype(np.float64)).mean(axis=0)
    weights = 1 / _mel_edges()[1:-1]
    above = np.average(power / own, axis=1, weights=weights)
    return [mean + 10 * float(np.log10(ratio)) for ratio in above]


def timbre(spectrum: NDArray[np.float32]) -> NDArray[np.float32]:
    """The shape of the spectrum without its level: cepstral coefficients 1 to 10, a row a frame.

    What lies 60 dB below the loud parts is taken for as loud as that, so that silence and gain
    change nothing.
    """
    floor = np.quantile(spectrum.max(axis=1), 0.99) - np.float32(6 * np.log(10))
    order = np.arange(1, 11)[:, None]
    cosines = np.cos(np.pi * order * (np.arange(_MEL_BANDS) + 0.5) / _MEL_BANDS)
    weights = (cosines * np.sqrt(2 / _MEL_BANDS)).astype(np.float32)
    shape: NDArray[np.float32] = np.einsum("ij,kj->ik", np.maximum(spectrum, floor), weights)
    return shape
