"""Real speech, changed in one respect: the right score moves, the others stay."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from eloquence.coaching.report import Report
from eloquence.coaching.session import Turn
from eloquence.delivery.sound import measure

RATE = 16_000
Wave = NDArray[np.float32]
Assess = Callable[..., Report]

pytestmark = pytest.mark.speech


@pytest.fixture(scope="module")
def speech(shared_data: Path) -> Wave:
    """Six read sentences of one French speaker, 42 s."""
    files = sorted((shared_data / "fixtures-fr/voxforge").glob("*.wav"))[:6]
    return np.concatenate([soundfile.read(file, dtype="float32")[0] for file in files])


def resynthesised(
    wave: Wave, *, melody: float = 1.0, semitones: float = 0.0, slower: float = 1.0
) -> Wave:
    """The same speech by Praat, with its melody scaled, its voice moved, or its time stretched."""
    parselmouth = pytest.importorskip("parselmouth")
    call = parselmouth.praat.call
    sound = parselmouth.Sound(wave.astype(float), RATE)
    manipulation = call(sound, "To Manipulation", 0.01, 60, 400)
    tier = call(manipulation, "Extract pitch tier")
    factor = 2 ** (semitones / 12)
    call(tier, "Formula", f"{120 * factor} * (self / 120) ^ {melody}")
    call([tier, manipulation], "Replace pitch tier")
    stretch = call("Create DurationTier", "stretch", 0, sound.xmax)
    call(stretch, "Add point", 0, slower)
    call([stretch, manipulation], "Replace duration tier")
    made: Any = call(manipulation, "Get resynthesis (overlap-add)").values[0]
    changed: Wave = made.astype(np.float32)
    return changed


def scores(assessed: Assess, wave: Wave) -> dict[str, float]:
    turn = Turn(
        index=0, speaker="learner", start=0, end=len(wave) / RATE, sound=measure(wave, RATE)
    )
    report = assessed([turn], register="presentation", source="recording")
    return {one.dimension: one.score for one in report.dimensions if one.score is not None}


def test_a_flat_melody_lowers_engagement_alone(assessed: Assess, speech: Wave) -> None:
    plain = scores(assessed, resynthesised(speech))
    flat = scores(assessed, resynthesised(speech, melody=0.3))
    assert flat["engagement"] < plain["engagement"] - 0.2
    assert flat["fluency"] == pytest.approx(plain["fluency"], abs=0.05)
    assert flat["clarity"] == pytest.approx(plain["clarity"], abs=0.05)


def test_slow_speech_lowers_fluency_and_clarity(assessed: Assess, speech: Wave) -> None:
    plain = scores(assessed, resynthesised(speech))
    slow = scores(assessed, resynthesised(speech, slower=1.4))
    assert slow["fluency"] < plain["fluency"] - 0.1
    assert slow["clarity"] < plain["clarity"] - 0.1
    assert slow["engagement"] == pytest.approx(plain["engagement"], abs=0.05)


@pytest.mark.parametrize("semitones", [-3.0, 4.0])
def test_a_higher_or_lower_voice_changes_engagement_by_at_most_a_twentieth(
    assessed: Assess, speech: Wave, semitones: float
) -> None:
    plain = scores(assessed, resynthesised(speech))
    moved = scores(assessed, resynthesised(speech, semitones=semitones))
    assert moved["engagement"] == pytest.approx(plain["engagement"], abs=0.05)


@pytest.mark.parametrize("change", ["quieter", "louder", "noise", "silence before"])
def test_microphone_and_room_change_no_score_by_more_than_a_twentieth(
    assessed: Assess, speech: Wave, change: str
) -> None:
    noise = np.random.default_rng(5).normal(0, 1, len(speech)).astype(np.float32)
    level = float(np.sqrt(np.mean(np.square(speech))))
    changed = {
        "quieter": speech * np.float32(0.25),
        "louder": speech * np.float32(2.0),
        "noise": speech + noise * np.float32(0.1 * level),
        "silence before": np.concatenate([speech[:4000], speech[:4000], speech]),
    }[change]
    before, after = scores(assessed, speech), scores(assessed, changed)
    assert after == pytest.approx(before, abs=0.05)
