"""What is measured on samples, against signals of which everything is known."""

import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from eloquence.delivery import pitch, spectrum, timing
from eloquence.delivery import sound as sound_module
from eloquence.delivery.sound import HOP, Sound, measure

RATE = 16_000
Wave = NDArray[np.float32]


def silence(seconds: float) -> Wave:
    return np.zeros(round(seconds * RATE), dtype=np.float32)


def voice(seconds: float, hertz: float = 140.0, *, level: float = 0.2) -> Wave:
    """A vowel-like sound: harmonics that fall off as in speech."""
    times = np.arange(round(seconds * RATE)) / RATE
    order = np.arange(1, 16)[:, None]
    tone = (np.sin(2 * np.pi * hertz * order * times) / order).sum(axis=0)
    wave: Wave = (level * tone / 2).astype(np.float32)
    return wave


def syllables(count: int, rate: float, hertz: float = 140.0) -> Wave:
    """Voiced pulses at a known rate: a train of syllables."""
    times = np.arange(round(count / rate * RATE)) / RATE
    swell = 0.5 - 0.5 * np.cos(2 * np.pi * rate * times)
    return (voice(count / rate, hertz) * (0.02 + 0.98 * swell)).astype(np.float32)


def noise(seconds: float, level: float, seed: int = 1) -> Wave:
    draws = np.random.default_rng(seed).normal(0, level, round(seconds * RATE))
    return draws.astype(np.float32)


def talk(seed: int = 3) -> Wave:
    """Eight seconds of syllables in three groups with some room noise."""
    clean = np.concatenate(
        [
            silence(0.5),
            syllables(12, 5, 120),
            silence(0.6),
            syllables(9, 4.5, 150),
            silence(1.2),
            syllables(8, 5, 135),
            silence(0.5),
        ]
    )
    return (clean + noise(len(clean) / RATE, 0.0005, seed)).astype(np.float32)


def voiced(sound: Sound) -> NDArray[np.float64]:
    return np.array([hertz for hertz in sound.pitch if hertz is not None])


@pytest.mark.parametrize("hertz", [85.0, 120.0, 200.0, 310.0])
def test_a_tone_of_known_pitch_is_measured_within_one_percent(hertz: float) -> None:
    found = voiced(measure(voice(2.0, hertz), RATE))
    assert len(found) > 100
    assert np.median(found) == pytest.approx(hertz, rel=0.01)


def test_a_pure_sine_is_measured_within_one_percent() -> None:
    times = np.arange(2 * RATE) / RATE
    found = voiced(measure((0.3 * np.sin(2 * np.pi * 220 * times)).astype(np.float32), RATE))
    assert np.median(found) == pytest.approx(220, rel=0.01)


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 48_000])
def test_the_sample_rate_changes_neither_pitch_nor_pauses(rate: int) -> None:
    import soxr

    here = measure(talk(), RATE)
    there = measure(soxr.resample(talk(), RATE, rate), rate)
    assert np.median(voiced(there)) == pytest.approx(np.median(voiced(here)), rel=0.01)
    assert there.speech == pytest.approx(np.array(here.speech), abs=0.03)


@pytest.mark.parametrize("rate", [3.0, 4.0, 5.0, 6.0])
def test_a_train_of_pulses_of_known_rate_gives_its_syllables(rate: float) -> None:
    count = 24
    sound = measure(np.concatenate([silence(0.5), syllables(count, rate), silence(0.5)]), RATE)
    assert len(sound.nuclei) == count
    span = timing.span_by_ear(sound)
    assert span is not None
    assert timing.speech_rate(count, span[1] - span[0]) == pytest.approx(rate, rel=0.05)


@pytest.mark.parametrize("gap", [0.3, 0.5, 1.0, 2.5])
def test_a_silence_of_known_length_is_found_within_30_ms(gap: float) -> None:
    wave = np.concatenate([silence(0.4), voice(1.0), silence(gap), voice(1.0), silence(0.4)])
    (found,) = timing.silences_by_ear(measure(wave, RATE))
    assert found.start == pytest.approx(1.4, abs=0.03)
    assert found.end == pytest.approx(1.4 + gap, abs=0.03)


def test_a_silence_under_a_quarter_of_a_second_is_no_pause() -> None:
    wave = np.concatenate([voice(1.0), silence(0.15), voice(1.0)])
    assert timing.silences_by_ear(measure(wave, RATE)) == []


@pytest.mark.parametrize("decibels", [-12.0, 12.0])
def test_the_gain_changes_nothing_but_the_level(decibels: float) -> None:
    here = measure(talk(), RATE)
    there = measure((talk() * 10 ** (decibels / 20)).astype(np.float32), RATE)
    assert there.speech == here.speech
    assert there.nuclei == here.nuclei
    assert there.snr == pytest.approx(here.snr, abs=0.2)
    assert [hertz is None for hertz in there.pitch] == [hertz is None for hertz in here.pitch]
    assert voiced(there) == pytest.approx(voiced(here), rel=0.001)
    assert there.intensity == pytest.approx(np.array(here.intensity) + decibels, abs=0.1)


def test_silence_before_the_speech_moves_it_and_changes_nothing_else() -> None:
    here = measure(talk(), RATE)
    lead = noise(5.0, 0.0005, seed=9)
    there = measure(np.concatenate([lead, talk()]), RATE)
    assert np.array(there.speech) - 5.0 == pytest.approx(np.array(here.speech), abs=0.02)
    assert np.array(there.nuclei) - 5.0 == pytest.approx(np.array(here.nuclei), abs=0.02)
    assert there.snr == pytest.approx(here.snr, abs=1.0)


def test_a_higher_voice_has_the_same_variation_in_semitones() -> None:
    low = measure(np.concatenate([voice(1.5, 110), voice(1.5, 130)]), RATE)
    high = measure(np.concatenate([voice(1.5, 220), voice(1.5, 260)]), RATE)
    spread = []
    for sound in (low, high):
        median = pitch.median_pitch([sound])
        assert median is not None
        spread.append(pitch.variation(pitch.semitones(sound, median)))
    assert spread[0] == pytest.approx(spread[1], abs=0.1)
    assert spread[0] == pytest.approx(6 * np.log2(130 / 110), rel=0.05)


def test_the_signal_to_noise_ratio_is_that_of_the_signal() -> None:
    wave = np.concatenate([silence(1.0), voice(2.0, level=0.2), silence(1.0)])
    mixed = (wave + noise(4.0, 0.01)).astype(np.float32)
    level = 20 * np.log10(np.sqrt(np.mean(np.square(voice(2.0, level=0.2)))) / 0.01)
    found = measure(mixed, RATE).snr
    assert found == pytest.approx(level, abs=4)


def test_the_share_of_clipped_samples_is_counted() -> None:
    wave = voice(1.0)
    wave[:160] = 1.0
    assert measure(wave, RATE).clipping == pytest.approx(0.01)


@pytest.mark.parametrize(
    "wave",
    [
        np.zeros(0, dtype=np.float32),
        silence(1.0),
        np.full(RATE, 0.4, dtype=np.float32),
        noise(3.0, 0.1),
        noise(0.1, 0.1),
        silence(0.00007),
        np.full(800, np.nan, dtype=np.float32),
    ],
    ids=[
        "nothing",
        "silence",
        "constant",
        "noise",
        "a tenth of a second",
        "a sample",
        "not numbers",
    ],
)
def test_what_is_no_speech_has_no_speech(wave: Wave) -> None:
    sound = measure(wave, RATE)
    assert sound.speech == ()
    assert sound.nuclei == ()
    assert sound.snr is None
    assert sound.duration == pytest.approx(len(wave) / RATE, abs=1e-5)
    assert len(sound.pitch) == len(sound.intensity)


def test_a_click_is_no_speech() -> None:
    wave = noise(2.0, 0.0005)
    wave[RATE : RATE + 100] = 0.8
    assert measure(wave, RATE).speech == ()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 6000), st.floats(0, 1), st.integers(0, 2**32 - 1))
def test_any_samples_give_times_inside_the_sound(count: int, level: float, seed: int) -> None:
    draws = np.random.default_rng(seed).normal(0, level, count).astype(np.float32)
    sound = measure(draws, RATE, start=7.0)
    assert all(7.0 <= a < b <= 7.0 + sound.duration + 1e-3 for a, b in sound.speech)
    assert all(7.0 <= t <= 7.0 + sound.duration + HOP for t in sound.nuclei)


def test_a_start_moves_every_time() -> None:
    here, there = measure(talk(), RATE), measure(talk(), RATE, start=60.0)
    assert np.array(there.speech) - 60 == pytest.approx(np.array(here.speech), abs=1e-6)
    assert np.array(there.nuclei) - 60 == pytest.approx(np.array(here.nuclei), abs=1e-6)


def test_a_long_sound_measures_what_its_whole_would(monkeypatch: pytest.MonkeyPatch) -> None:
    wave = np.concatenate([talk(seed) * np.float32(1 + seed / 5) for seed in range(4)])
    blocks = measure(wave, RATE)
    monkeypatch.setattr(sound_module, "BLOCK", 10**6)
    monkeypatch.setattr(spectrum, "BLOCK", 10**6)
    whole = measure(wave, RATE)
    assert blocks.model_copy(update={"pitch": ()}) == whole.model_copy(update={"pitch": ()})
    assert [hertz is None for hertz in blocks.pitch] == [hertz is None for hertz in whole.pitch]
    assert voiced(blocks) == pytest.approx(voiced(whole), abs=0.011)


def test_whole_numbers_measure_as_fractions_do() -> None:
    wave = (talk() * 0.5).astype(np.float32)
    there = measure(np.rint(wave * 32768).astype(np.int16), RATE)
    here = measure(wave, RATE)
    assert there.speech == here.speech
    assert there.nuclei == here.nuclei
    assert there.clipping == here.clipping == 0
    assert voiced(there) == pytest.approx(voiced(here), rel=0.002)
    full = measure(np.full(RATE, -32768, np.int16), RATE)
    assert full.clipping == 1.0


def test_memory_grows_by_less_than_the_samples_themselves() -> None:
    """NFR of the analysis: one hour of int16 is 115 MB, and measuring it must add little."""
    import tracemalloc

    wave = np.tile(np.rint(talk() * 32768).astype(np.int16), 40)  # five minutes and a half
    measure(wave[:RATE], RATE)
    tracemalloc.start()
    measure(wave, RATE)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak <= 2.5 * wave.nbytes + 15e6


def test_measuring_costs_at_most_a_twentieth_of_the_duration() -> None:
    wave = np.tile(talk(), 4)
    measure(wave[:RATE], RATE)
    costs = []
    for _ in range(3):
        before = time.process_time()
        measure(wave, RATE)
        costs.append(time.process_time() - before)
    assert min(costs) <= 0.05 * len(wave) / RATE


@pytest.mark.speech
def test_real_speech_has_plausible_stretches_and_syllables(shared_data: Path) -> None:
    samples, rate = soundfile.read(shared_data / "fixtures-en/misc/jfk.wav", dtype="float32")
    sound = measure(samples, rate)
    assert 4 <= len(sound.speech) <= 6
    assert 18 <= len(sound.nuclei) <= 30  # 22 words, 27 syllables
    assert 20 < (sound.snr or 0) < 40
