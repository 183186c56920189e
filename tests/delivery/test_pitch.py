"""Intonation in semitones from the speaker's own median, and loudness as variation."""

import numpy as np
import pytest

from eloquence.delivery import intensity, pitch, quality
from eloquence.delivery.sound import HOP, Sound
from eloquence.delivery.words import Word


def sound(
    pitches: list[float | None], *, start: float = 0.0, nuclei: tuple[float, ...] = ()
) -> Sound:
    duration = len(pitches) * HOP
    return Sound(
        start=start,
        duration=duration,
        pitch=tuple(pitches),
        intensity=tuple(-20.0 - (index % 2) * 6 for index in range(len(pitches))),
        speech=((start, start + duration),),
        nuclei=nuclei,
        snr=30.0,
        clipping=0.0,
    )


def test_an_octave_is_twelve_semitones_whatever_the_voice() -> None:
    for base in (90.0, 210.0):
        curve = pitch.semitones(sound([base, 2 * base, None]), base)
        assert curve[:2] == pytest.approx([0, 12])
        assert np.isnan(curve[2])


def test_variation_is_the_deviation_of_voiced_frames() -> None:
    curve = np.array([2.0, -2.0, np.nan, 2.0, -2.0])
    assert pitch.variation(curve) == pytest.approx(2.0)
    assert pitch.range_80(curve) == pytest.approx(4.0)
    assert pitch.variation(np.array([np.nan])) is None


def test_a_flat_stretch_is_found_where_the_voice_is_flat() -> None:
    frames = round(20 / HOP)
    wave = np.concatenate([np.zeros(frames), 3 * np.sin(np.arange(frames) * HOP * 4)])
    (flat,) = pitch.flat_stretches(pitch.windows(wave, 100.0))
    assert flat[0] == pytest.approx(100.0)
    assert 119 < flat[1] <= 124
    assert flat[2] < 1.5
    assert 0.3 < (pitch.monotony(pitch.windows(wave, 0.0)) or 0) < 0.7


def test_a_turn_end_is_judged_on_its_last_voiced_sound() -> None:
    curve = np.concatenate([np.zeros(100), np.full(12, -5.0)])
    assert pitch.turn_end(curve, len(curve) - 1) == -5.0
    assert pitch.turn_end(np.full(50, np.nan), 49) is None


def test_levels_are_taken_at_syllables() -> None:
    heard = sound([100.0] * 10, nuclei=(2 * HOP, 5 * HOP))
    assert intensity.peak_levels(heard).tolist() == [-20.0, -26.0]
    assert intensity.variation(intensity.peak_levels(heard)) == 3.0


def test_a_swallowed_end_is_below_its_phrase() -> None:
    quiet = sound([100.0] * 40, nuclei=tuple(4 * index * HOP for index in range(10)))
    quiet = quiet.model_copy(update={"intensity": (-20.0,) * 28 + (-40.0,) * 12})
    ((_, _, fall),) = intensity.trail_offs(quiet)
    assert fall == pytest.approx(-14.0)


def test_words_that_cover_the_speech_agree_with_it() -> None:
    heard = sound([100.0] * 625)
    assert quality.disagreement([((Word("a", 0.0, 10.0),), heard)]) == pytest.approx(0.0)
    assert quality.disagreement([((Word("a", 0.0, 4.0),), heard)]) == pytest.approx(0.6)


def test_a_session_is_as_noisy_as_its_turns() -> None:
    loud, quiet = sound([100.0] * 30), sound([100.0] * 10).model_copy(update={"snr": 10.0})
    assert quality.snr([loud, quiet]) == pytest.approx(25.0)
    assert quality.snr([]) is None
    assert quality.clipping([]) == 0
