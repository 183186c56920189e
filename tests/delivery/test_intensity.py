"""Loudness: what varies within a recording, and the level beside one's own warm-up."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from eloquence.delivery import intensity
from eloquence.delivery.sound import HOP, Sound, measure

RATE = 16_000


def syllables(levels: list[float]) -> NDArray[np.float32]:
    """Five syllables a second, each at its level in dB, with silence around them."""
    times = np.arange(round(0.2 * RATE)) / RATE
    tone = sum(np.sin(2 * np.pi * 130 * order * times) / order for order in range(1, 16))
    swell = 0.02 + 0.98 * (0.5 - 0.5 * np.cos(2 * np.pi * 5 * times))
    hush = np.random.default_rng(3).normal(0, 1e-5, RATE // 2)
    spoken = [0.1 * tone * swell * 10 ** (level / 20) for level in levels]
    return np.concatenate([hush, *spoken, hush]).astype(np.float32)


def test_the_level_is_that_of_the_speech_and_not_of_the_silence_around_it() -> None:
    wave = syllables([0.0] * 10)
    spoken = wave[RATE // 2 : -RATE // 2].astype(np.float64)
    expected = 10 * np.log10(np.mean(np.square(spoken)))
    padded = np.concatenate([np.zeros(5 * RATE, np.float32), wave])
    for version in (wave, padded):
        assert intensity.speech_level([measure(version, RATE)]) == pytest.approx(expected, abs=0.5)


@pytest.mark.parametrize("decibels", [-6.0, 3.0])
def test_speaking_louder_than_in_the_warm_up_is_measured_in_decibels(decibels: float) -> None:
    before, after = (
        intensity.speech_level([measure(syllables([gain] * 10), RATE)]) for gain in (0.0, decibels)
    )
    assert before is not None
    assert after is not None
    assert after - before == pytest.approx(decibels, abs=0.1)


def test_what_holds_no_speech_has_no_level() -> None:
    assert intensity.speech_level([measure(np.zeros(RATE, np.float32), RATE)]) is None


def test_louder_and_softer_syllables_are_variation_and_even_ones_are_none() -> None:
    even = measure(syllables([0.0] * 12), RATE)
    uneven = measure(syllables([0.0, -8.0] * 6), RATE)
    assert len(even.peaks) == len(even.nuclei) == 12
    assert intensity.variation(intensity.peak_levels(even)) == pytest.approx(0, abs=0.2)
    assert intensity.variation(intensity.peak_levels(uneven)) == pytest.approx(0.85 * 4, abs=0.4)
    assert intensity.variation([]) is None


def test_a_swallowed_end_falls_below_its_phrase() -> None:
    steady, swallowed = (measure(syllables([0.0] * 7 + [end] * 3), RATE) for end in (0.0, -10.0))
    ((_, _, even),) = intensity.trail_offs(steady)
    ((start, end, fall),) = intensity.trail_offs(swallowed)
    assert even == pytest.approx(0, abs=0.3)
    assert fall == pytest.approx(0.85 * (-10 + 3), abs=0.6)
    assert end - start == pytest.approx(0.5, abs=0.15)


def test_a_short_phrase_has_no_end_of_its_own() -> None:
    assert intensity.trail_offs(measure(syllables([0.0] * 6), RATE)) == []


def test_a_sound_stored_without_peaks_is_read_from_its_levels() -> None:
    stored = Sound(
        start=2.0,
        duration=1.0,
        pitch=(None,) * 63,
        intensity=tuple(float(-level) for level in range(63)),
        speech=((2.0, 3.0),),
        nuclei=(2.0 + 10 * HOP, 2.0 + 20 * HOP),
        snr=None,
        clipping=0.0,
    )
    assert intensity.peak_levels(stored).tolist() == [-10.0, -20.0]


@pytest.mark.speech
def test_read_french_varies_as_french_speech_does(shared_data: Path) -> None:
    """3.1 to 6.8 dB hold nine of ten speakers of the norms; readers lie at the low end."""
    wave, rate = soundfile.read(shared_data / "fixtures-fr" / "lamartine.wav", dtype="float32")
    found = intensity.variation(intensity.peak_levels(measure(wave, rate)))
    assert found is not None
    assert 3.1 <= found <= 6.8
