"""From a recording to a session: turns, measures, words, always the same."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from eloquence.coaching.character import Language
from eloquence.coaching.session import StoredSession
from eloquence.delivery.words import Word
from eloquence.errors import RecordingError
from eloquence.ops.analysis import (
    LONGEST_SENTENCE,
    LONGEST_TURN,
    recorded_session,
    sentence_spans,
    turn_spans,
)
from eloquence.storage import content
from eloquence.storage.decoding import RATE

Samples = npt.NDArray[np.float32]


def silence(seconds: float) -> Samples:
    random = np.random.default_rng(4)
    return (random.standard_normal(round(seconds * RATE)) * 1e-4).astype(np.float32)


def voice(seconds: float, hertz: float = 130.0) -> Samples:
    """A buzz with the pitch of a voice and four syllables a second."""
    times = np.arange(round(seconds * RATE)) / RATE
    tone = sum(np.sin(2 * np.pi * hertz * n * times) / n for n in range(1, 20))
    syllables = 0.55 - 0.45 * np.cos(2 * np.pi * 4 * times)
    return (0.2 * tone * syllables).astype(np.float32)


def ends(spans: Sequence[tuple[float, float]]) -> list[float]:
    return [moment for span in spans for moment in span]


async def session_of(
    path: Path, language: Language = "fr", recognise: object = None
) -> StoredSession:
    exercise = content.load().exercise("conversation_libre_marie", language)
    return await recorded_session(path, exercise, recognise, "test")  # type: ignore[arg-type]


def test_a_long_silence_ends_a_turn_and_a_pause_does_not() -> None:
    samples = np.concatenate([silence(2), voice(4), silence(2.5), voice(3), silence(6), voice(2)])
    assert ends(turn_spans(samples)) == pytest.approx([2, 11.5, 17.5, 19.5], abs=0.1)


def test_a_turn_without_end_is_cut_at_its_longest_silence() -> None:
    parts = [voice(30), silence(0.5)] * 3 + [voice(20), silence(1.5), voice(100)]
    spans = turn_spans(np.concatenate(parts))
    assert ends(spans) == pytest.approx([0, 111.5, 113, 213], abs=0.1)
    assert all(end - start <= LONGEST_TURN for start, end in spans)


def test_speech_without_any_silence_is_cut_all_the_same() -> None:
    spans = turn_spans(voice(300))
    assert len(spans) >= 3
    assert all(end - start <= LONGEST_TURN for start, end in spans)


@pytest.mark.parametrize("seconds", [0.0, 0.01, 600.0])
def test_silence_has_no_turn(seconds: float) -> None:
    assert turn_spans(np.zeros(round(seconds * RATE), np.float32)) == []


def test_sentences_are_joined_up_to_what_a_recogniser_takes_and_never_overlap() -> None:
    speech = [(0.1, 9.0), (9.2, 19.0), (19.1, 29.0), (40.0, 75.0)]
    spans = sentence_spans(speech)
    assert ends(spans) == pytest.approx([0, 19.05, 19.05, 29.3, 39.7, 75.3])
    assert all(end - start <= LONGEST_SENTENCE + 0.6 for start, end in spans[:2])
    assert sentence_spans([]) == []


async def test_by_ear_a_turn_has_measures_and_no_words(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.concatenate([silence(1), voice(3), silence(6), voice(2)]), RATE)
    stored = await session_of(path)
    assert stored.session.source == "recording"
    assert stored.end is not None
    assert stored.end.duration == pytest.approx(12.0, abs=0.01)
    assert [turn.speaker for turn in stored.turns] == ["learner", "learner"]
    assert ends([(turn.start, turn.end) for turn in stored.turns]) == pytest.approx(
        [1, 4, 10, 12], abs=0.25
    )
    for turn in stored.turns:
        assert turn.words is None
        assert turn.text == ""
        assert turn.sound is not None
        voiced = [hertz for hertz in turn.sound.pitch if hertz is not None]
        assert np.median(voiced) == pytest.approx(130, rel=0.03)


async def test_words_are_placed_on_the_recordings_clock(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.concatenate([silence(1), voice(3), silence(6), voice(2)]), RATE)
    given: list[float] = []

    async def recognise(samples: Samples, rate: int) -> tuple[str, list[Word]]:
        given.append(samples.size / rate)
        return "bonjour à tous", [Word("bonjour", 0.3, 0.8, 0.9), Word("à tous", 0.8, 1.2)]

    stored = await session_of(path, recognise=recognise)
    assert given == pytest.approx([3.6, 2.3], abs=0.5)
    for turn in stored.turns:
        assert turn.words is not None
        assert turn.text == "bonjour à tous"
        assert [word.start - turn.start for word in turn.words] == pytest.approx([0, 0.5], abs=0.1)
        assert [word.confidence for word in turn.words] == [0.9, None]


async def test_words_without_times_are_text_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, voice(3), RATE)

    async def recognise(samples: Samples, rate: int) -> tuple[str, None]:
        return "bonjour", None

    (turn,) = (await session_of(path, recognise=recognise)).turns
    assert turn.text == "bonjour"
    assert turn.words is None


@pytest.mark.parametrize("kind", ["silence", "noise", "blip"])
async def test_what_is_no_speech_gives_no_turn(tmp_path: Path, kind: str) -> None:
    noise = (np.random.default_rng(5).standard_normal(20 * RATE) * 0.05).astype(np.float32)
    kinds = {"silence": silence(20) * 0, "noise": noise, "blip": voice(0.2)}
    samples = kinds[kind]
    soundfile.write(tmp_path / "a.wav", samples, RATE)
    stored = await session_of(tmp_path / "a.wav")
    assert sum(turn.end - turn.start for turn in stored.turns) <= 0.3
    assert stored.end is not None
    assert stored.end.duration == pytest.approx(len(samples) / RATE)


async def test_a_bad_file_is_told_as_such(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_text("Bonjour")
    with pytest.raises(RecordingError):
        await session_of(tmp_path / "a.wav")


@pytest.mark.speech
async def test_the_same_recording_gives_the_same_session(shared_data: Path) -> None:
    path = shared_data / "fixtures-en" / "misc" / "jfk.wav"
    first, second = await asyncio.gather(session_of(path, "en"), session_of(path, "en"))
    assert first == second
    (turn,) = first.turns
    assert turn.sound is not None
    assert 20 <= len(turn.sound.nuclei) <= 45, "the sentence has 34 syllables"


_HOUR = """
import asyncio, json, re, sys
from pathlib import Path
from eloquence.config import load
from eloquence.ops.analysis import analyse
report = asyncio.run(analyse(load(stt="none"), Path(sys.argv[1])))
peak = re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())
print(json.dumps([report.duration, report.speech_seconds, len(report.turns), int(peak[1]) / 1024]))
"""


@pytest.mark.speech
@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak of memory as Linux tells it")
def test_an_hour_has_a_report_and_stays_under_300_megabytes(
    shared_data: Path, tmp_path: Path
) -> None:
    """An hour with five stretches of speech: 235 MB at its peak. An hour full of speech, by hand:
    265 MB and 30 s of one core."""
    speech, rate = soundfile.read(shared_data / "fixtures-fr/lamartine.wav", dtype="float32")
    assert rate == RATE
    with soundfile.SoundFile(tmp_path / "hour.flac", "w", RATE, 1) as file:
        for _ in range(5):
            file.write(np.concatenate([speech, np.zeros(720 * RATE - len(speech), np.float32)]))
    ran = subprocess.run(
        [sys.executable, "-c", _HOUR, str(tmp_path / "hour.flac")],
        env={**os.environ, "ELOQUENCE_STT": "none"},
        capture_output=True,
        check=True,
        text=True,
    )
    duration, seconds, turns, peak = json.loads(ran.stdout)
    assert duration == pytest.approx(3600)
    assert turns == 5
    assert seconds == pytest.approx(66, abs=3)
    assert peak < 300, peak
