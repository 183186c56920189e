"""Pitch beside Praat, the reference of phonetics, on all the real speech that is here."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from eloquence.delivery import intensity, pitch
from eloquence.delivery.sound import HOP, measure

parselmouth = pytest.importorskip("parselmouth")

CENTS = 1200


def speech(folder: Path) -> list[tuple[NDArray[np.float32], int]]:
    found = [*folder.rglob("*.wav"), *(folder / "lj").glob("*.flac")]
    return [soundfile.read(path, dtype="float32") for path in sorted(found)]


def praat_pitch(wave: NDArray[np.float32], rate: int) -> Any:
    sound = parselmouth.Sound(wave.astype(float), rate)
    return sound.to_pitch_ac(time_step=HOP, pitch_floor=75, pitch_ceiling=500)


@pytest.mark.speech
@pytest.mark.parametrize("language", ["fr", "en"])
def test_pitch_agrees_with_praat_within_20_cents(shared_data: Path, language: str) -> None:
    away: list[float] = []
    spreads = []
    for wave, rate in speech(shared_data / f"fixtures-{language}"):
        sound = measure(wave, rate)
        contour = praat_pitch(wave, rate)
        theirs = np.array([contour.get_value_at_time(i * HOP) for i in range(len(sound.pitch))])
        ours = np.array([np.nan if hertz is None else hertz for hertz in sound.pitch])
        both = ~np.isnan(ours) & ~np.isnan(theirs)
        clip = CENTS * np.log2(ours[both] / theirs[both])
        assert np.median(np.abs(clip)) <= 20
        away += clip.tolist()
        spreads.append(
            [
                pitch.range_80(12 * np.log2(curve[both] / np.median(curve[both])))
                for curve in (ours, theirs)
            ]
        )
    assert len(away) > 2000
    assert np.median(np.abs(away)) <= 15
    assert abs(np.median(away)) <= 10
    assert np.mean(np.abs(away) > CENTS / 2) <= 0.04  # another octave, of one or of the other
    mine, reference = np.array(spreads, dtype=float).T
    assert np.median(np.abs(mine - reference)) <= 0.5  # semitones of range


@pytest.mark.speech
def test_loudness_varies_as_much_as_praats_intensity_says(shared_data: Path) -> None:
    """The norms of loudness were made with Praat; over readers the two agree."""
    ours, theirs = [], []
    for folder in ("fixtures-fr/voxforge", "fixtures-fr", "fixtures-en/lj", "fixtures-en/librivox"):
        found = sorted(
            [*(shared_data / folder).glob("*.wav"), *(shared_data / folder).glob("*.flac")]
        )
        read = [soundfile.read(path, dtype="float32") for path in found]
        wave, rate = np.concatenate([wave for wave, _ in read]), read[0][1]
        sound = measure(wave, rate)
        contour = parselmouth.Sound(wave.astype(float), rate).to_intensity(50)
        ours.append(intensity.variation(intensity.peak_levels(sound)))
        theirs.append(np.nanstd([contour.get_value(time) for time in sound.nuclei]))
    assert np.mean(np.array(ours, dtype=float)) == pytest.approx(np.mean(theirs), rel=0.1)


@pytest.mark.speech
@pytest.mark.parametrize("semitones", [-4.0, 4.0])
def test_the_end_of_a_turn_follows_its_melody(shared_data: Path, semitones: float) -> None:
    """The last 0.6 s of real sentences are bent; the measure follows by about as much."""
    moved = []
    sentences = sorted((shared_data / "fixtures-fr" / "voxforge").glob("*.wav"))
    for path in sentences:
        wave, rate = soundfile.read(path, dtype="float32")
        end = measure(wave, rate).speech[-1][1]
        plain = measure(bent(wave, rate, end, 0.0), rate)
        other = measure(bent(wave, rate, end, semitones), rate)
        middle = pitch.median_pitch([plain])
        assert middle is not None
        before, after = (
            pitch.turn_end(pitch.semitones(sound, middle), round(sound.speech[-1][1] / HOP))
            for sound in (plain, other)
        )
        if before is not None and after is not None:
            moved.append(after - before)
    assert len(moved) >= 0.6 * len(sentences)
    same_way = np.array(moved) * np.sign(semitones)
    assert np.mean(same_way > 0) >= 0.8
    assert 2.5 <= np.median(same_way) <= 4.5  # creaky ends, which have no pitch, may go or come


def bent(wave: NDArray[np.float32], rate: int, end: float, semitones: float) -> NDArray[np.float32]:
    """Speech whose pitch is moved over its last 0.6 s, everything else as it was."""
    call = parselmouth.praat.call
    manipulation = call(
        parselmouth.Sound(wave.astype(float), rate), "To Manipulation", 0.01, 70, 500
    )
    tier = call(manipulation, "Extract pitch tier")
    call(tier, "Multiply frequencies", end - 0.6, end + 0.1, 2 ** (semitones / 12))
    call([manipulation, tier], "Replace pitch tier")
    made = call(manipulation, "Get resynthesis (overlap-add)").values[0]
    return np.asarray(made, dtype=np.float32)
