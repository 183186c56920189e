"""What a microphone, a line, a room and a voice's height do to the measures of real French speech.

The bounds are what was seen, with some room; `tests/coaching` holds the scores.
"""

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from eloquence.delivery import intensity, pitch, quality, timing
from eloquence.delivery.sound import HOP, Sound, measure

RATE = 16_000
Wave = NDArray[np.float32]


def filtered(wave: Wave, decibels: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> Wave:
    """The wave through a line with that response, frequency in hertz to gain in decibels."""
    size = 1 << (len(wave) + 4096).bit_length()
    gain = 10 ** (decibels(np.fft.rfftfreq(size, 1 / RATE).astype(np.float64)) / 20)
    made = np.fft.irfft(np.fft.rfft(wave, size) * gain, size)[: len(wave)]
    return np.asarray(made, dtype=np.float32)


def telephone(wave: Wave) -> Wave:
    """300 to 3400 Hz, 24 and 36 dB an octave beside it."""

    def response(hertz: NDArray[np.float64]) -> NDArray[np.float64]:
        low = -10 * np.log10(1 + (300 / np.maximum(hertz, 1)) ** 8)
        return np.asarray(low - 10 * np.log10(1 + (hertz / 3400) ** 12))

    return filtered(wave, response)


def headset(wave: Wave) -> Wave:
    """No lows, and some decibels more where consonants are."""
    hertz = [0, 80, 150, 300, 1000, 2500, 4000, 6000, 8000]
    decibels = [-30, -18, -6, -1, 0, 5, 6, 0, -10]
    return filtered(wave, lambda at: np.interp(at, hertz, decibels))


def reverberated(wave: Wave) -> Wave:
    """A room that takes 0.3 s to fade by 60 dB, half a metre from the microphone (direct sound
    6 dB above the room's)."""
    times = np.arange(round(0.36 * RATE)) / RATE
    room = np.random.default_rng(2).normal(size=len(times)) * 10 ** (-3 * times / 0.3)
    room[: round(0.003 * RATE)] = 0
    room *= 10 ** (-6 / 20) / np.sqrt(np.square(room).sum())
    room[0] = 1
    size = 1 << (len(wave) + len(room)).bit_length()
    made = np.fft.irfft(np.fft.rfft(wave, size) * np.fft.rfft(room, size), size)[: len(wave)]
    return np.asarray(made, dtype=np.float32)


def after_silence(wave: Wave) -> Wave:
    room = np.random.default_rng(1).normal(0, 3e-4, 5 * RATE)
    return np.concatenate([room.astype(np.float32), wave])


def shifted(wave: Wave, semitones: float) -> Wave:
    """Another height of the voice, same times and formants."""
    parselmouth = pytest.importorskip("parselmouth")
    call = parselmouth.praat.call
    manipulation = call(
        parselmouth.Sound(wave.astype(float), RATE), "To Manipulation", 0.01, 70, 500
    )
    tier = call(manipulation, "Extract pitch tier")
    call(tier, "Multiply frequencies", 0, 1e4, 2 ** (semitones / 12))
    call([manipulation, tier], "Replace pitch tier")
    made = call(manipulation, "Get resynthesis (overlap-add)").values[0]
    return np.asarray(made, dtype=np.float32)


CHANGES: Mapping[str, Callable[[Wave], Wave]] = {
    "12 dB louder": lambda wave: (4 * wave).astype(np.float32),
    "12 dB softer": lambda wave: (wave / 4).astype(np.float32),
    "silence before": after_silence,
    "telephone": telephone,
    "headset": headset,
    "room": reverberated,
    "4 semitones up": lambda wave: shifted(wave, 4),
    "4 semitones down": lambda wave: shifted(wave, -4),
}


@pytest.fixture(scope="module")
def speech(shared_data: Path) -> Wave:
    """70 s of one reader, soft enough to be made four times as loud."""
    folder = shared_data / "fixtures-fr" / "voxforge"
    read = [soundfile.read(path, dtype="float32")[0] for path in sorted(folder.glob("*.wav"))]
    return np.asarray(np.concatenate(read) / 4, dtype=np.float32)


@pytest.fixture(scope="module")
def measured(speech: Wave) -> Callable[[str], Sound]:
    @cache
    def of(change: str) -> Sound:
        return measure(CHANGES[change](speech) if change else speech, RATE)

    return of


def figures(sound: Sound) -> dict[str, float]:
    middle = pitch.median_pitch([sound])
    assert middle is not None
    curve = pitch.semitones(sound, middle)
    pauses = timing.silences_by_ear(sound)
    found = {
        "pitch variation": pitch.variation(curve),
        "pitch range": pitch.range_80(curve),
        "loudness variation": intensity.variation(intensity.peak_levels(sound)),
        "syllables": len(sound.nuclei),
        "speech": quality.speech_seconds(sound),
        "pauses": sum(pause.seconds for pause in pauses),
    }
    return {name: float(value) for name, value in found.items() if value is not None}


ROOM = {
    "pitch variation": 0.06,
    "pitch range": 0.08,
    "loudness variation": 0.08,
    "syllables": 0.08,
    "speech": 0.06,
    "pauses": 0.10,
}
"""By what share each measure may move."""


@pytest.mark.speech
@pytest.mark.parametrize("change", CHANGES)
def test_a_change_of_sound_hardly_moves_a_measure(
    measured: Callable[[str], Sound], change: str
) -> None:
    before, after = figures(measured("")), figures(measured(change))
    moved = {name: after[name] / before[name] - 1 for name in before}
    assert len(moved) == len(ROOM)
    assert {name: share for name, share in moved.items() if abs(share) > ROOM[name]} == {}
    assert [one for one in measured(change).hesitations if one[2] >= 0.5] == []
    assert quality.voice_like([measured(change)])


@pytest.mark.speech
@pytest.mark.parametrize("change", ["12 dB louder", "12 dB softer"])
def test_the_gain_moves_nothing_but_levels(measured: Callable[[str], Sound], change: str) -> None:
    before, after = measured(""), measured(change)
    assert after.speech == before.speech
    assert after.nuclei == before.nuclei
    assert figures(after)["loudness variation"] == pytest.approx(
        figures(before)["loudness variation"], abs=0.05
    )
    level, reference = intensity.speech_level([after]), intensity.speech_level([before])
    assert level is not None
    assert reference is not None
    assert abs(level - reference) == pytest.approx(12, abs=0.1)


@pytest.mark.speech
@pytest.mark.parametrize("change", ["telephone", "headset", "room", "silence before"])
def test_the_ends_of_phrases_are_as_high_as_before(
    measured: Callable[[str], Sound], change: str
) -> None:
    """Semitones of each phrase's end beside that of the same phrase in the plain recording."""
    plain, other = measured(""), measured(change)
    shift = 5.0 if change == "silence before" else 0.0
    middle = pitch.median_pitch([plain])
    assert middle is not None
    here, there = (pitch.semitones(sound, middle) for sound in (plain, other))
    away = []
    for _, end in plain.speech:
        near = min((stop for _, stop in other.speech), key=lambda stop: abs(stop - shift - end))
        before = pitch.turn_end(here, round(end / HOP))
        after = pitch.turn_end(there, round(near / HOP))
        if before is not None and after is not None and abs(near - shift - end) < 0.3:
            away.append(abs(after - before))
    assert len(away) >= 12
    assert np.median(away) <= 0.6
