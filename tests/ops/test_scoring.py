"""Scores for research."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from eloquence.delivery.words import Word
from eloquence.ops.scoring import _parts, score_lines
from eloquence.testing.corpora import Sentence, rhapsodie, turns

RATE = 16_000
DIMENSIONS = {
    "fluency", "confidence", "clarity", "engagement", "professionalism", "persuasion",
    "structure", "delivery", "listening", "problem_solving", "assertiveness",
}  # fmt: skip


def scored(
    lines: Sequence[object], folder: Path, *, jobs: int = 1
) -> tuple[list[dict[str, Any]], list[str], list[bool]]:
    """The results as values and as text, and which of them failed."""
    given = [
        line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n" for line in lines
    ]
    found = list(score_lines(given, folder, jobs=jobs))
    return [json.loads(one.text) for one in found], [one.text for one in found], [
        one.failed for one in found
    ]  # fmt: skip


def steady(seconds: float, *, pause: float = 0.0, every: int = 10) -> list[list[Any]]:
    """Words at a native pace, with a pause of so many seconds after every so many words."""
    text = ["nous", "avons", "préparé", "le", "budget", "de", "cette", "année", "avec", "elle"]
    words: list[list[Any]] = []
    clock = 0.0
    while clock < seconds:
        word = text[len(words) % len(text)]
        words.append([word, round(clock, 3), round(clock + 0.32, 3)])
        clock += 0.34 + (pause if len(words) % every == 0 else 0.0)
    return words


def test_words_alone_are_enough_for_what_is_timed(tmp_path: Path) -> None:
    (found,), _, failed = scored([{"id": "a", "words": steady(100), "lang": "fr"}], tmp_path)
    assert failed == [False]
    assert list(found) == ["id", "scores", "intervals", "reasons", "measures", "events"]
    assert set(found["scores"]) == DIMENSIONS
    for dimension, score in found["scores"].items():
        if score is None:
            assert found["reasons"][dimension]
            assert found["intervals"][dimension] is None
        else:
            assert dimension not in found["reasons"]
            low, high = found["intervals"][dimension]
            assert 0 <= low <= score <= high <= 1
    assert found["scores"]["fluency"] is not None
    assert found["scores"]["clarity"] is not None
    assert found["scores"]["engagement"] is None, "there is no sound to measure"
    assert found["measures"]["speech_rate"] > 3
    assert found["measures"]["pitch_variation"] is None


def test_the_text_gives_words_without_punctuation_theirs(tmp_path: Path) -> None:
    words = steady(60, pause=0.6, every=10)
    plain = " ".join(word for word, _, _ in words)
    text = plain.replace("avec elle", "avec elle.").replace("nous", "Nous")
    lines = [{"id": 1, "words": words}, {"id": 2, "words": words, "text": text}]
    (bare, stopped), _, _ = scored(lines, tmp_path)
    assert bare["measures"]["sentence_length"] is None
    assert stopped["measures"]["sentence_length"] == pytest.approx(10, abs=0.5)
    assert stopped["measures"]["mid_phrase_pauses"] == 0


def test_given_words_are_verbatim_so_that_no_filled_pause_is_none(tmp_path: Path) -> None:
    fluent = steady(60)
    hesitant = [
        [word if at % 6 else "euh", start, end] for at, (word, start, end) in enumerate(fluent)
    ]
    lines = [{"id": 1, "words": fluent}, {"id": 2, "words": hesitant}]
    (none, many), _, _ = scored(lines, tmp_path)
    assert none["measures"]["filled_pauses"] == 0
    assert many["measures"]["filled_pauses"] > 10
    assert many["scores"]["fluency"] < none["scores"]["fluency"]


def test_pauses_inside_phrases_lower_fluency_and_are_events(tmp_path: Path) -> None:
    lines = [
        {"id": "smooth", "words": steady(90)},
        {"id": "halting", "words": steady(90, pause=1.2, every=5)},
    ]
    (smooth, halting), _, _ = scored(lines, tmp_path)
    assert halting["scores"]["fluency"] < smooth["scores"]["fluency"] - 0.2
    kinds = {event["kind"] for event in halting["events"]}
    assert "long_pause" in kinds
    for event in halting["events"]:
        assert event["t"][0] <= event["t"][1]
    assert not any(event["kind"] == "long_pause" for event in smooth["events"])


def test_the_register_changes_the_norm(tmp_path: Path) -> None:
    words = steady(60)
    lines = [
        {"id": 1, "words": words, "register": "conversation"},
        {"id": 2, "words": words, "register": "presentation"},
    ]
    (talk, speech), _, _ = scored(lines, tmp_path)
    assert talk["measures"]["speech_rate"] == speech["measures"]["speech_rate"]
    assert talk["scores"]["fluency"] != speech["scores"]["fluency"]


def test_little_speech_is_not_scored_and_the_reason_is_told(tmp_path: Path) -> None:
    lines = [{"id": "short", "words": steady(10)}, {"id": "none", "words": []}]
    found, _, failed = scored(lines, tmp_path)
    assert failed == [False, False]
    for one in found:
        assert all(score is None for score in one["scores"].values())
        assert set(one["reasons"]) == DIMENSIONS


def test_a_recording_without_words_is_measured_by_ear(tmp_path: Path) -> None:
    samples = np.random.default_rng(1).standard_normal(3 * RATE) * 0.01
    soundfile.write(tmp_path / "a.wav", samples, RATE)
    (found,), _, failed = scored([{"id": "a", "wav": "a.wav", "text": "bonjour"}], tmp_path)
    assert failed == [False]
    assert found["measures"]["words_per_minute"] is None


def test_a_long_silence_and_a_long_speech_make_turns() -> None:
    """As in a recording: parted at 5 s of silence, cut at the longest one after 60 s."""

    def spans(words: list[Word]) -> list[tuple[float, float]]:
        return [(part[0].start, part[-1].end) for part in _parts(words)]

    assert spans([]) == []
    assert spans([Word("a", 0, 1), Word("b", 6, 7), Word("c", 7.5, 8)]) == [(0, 1), (6, 8)]
    assert spans([Word("a", 0, 500), Word("b", 500, 900)]) == [(0, 500), (500, 900)]
    even = [Word("a", at, at + 0.5) for at in range(200)]
    assert spans(even) == [(0, 119.5), (120, 199.5)]
    assert spans([*even[:90], *(Word("b", at + 1, at + 1.5) for at in range(90, 200))]) == [
        (0, 89.5), (91, 200.5),
    ]  # fmt: skip


@pytest.mark.speech
def test_words_and_sound_together_have_pitch_too(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "fixtures-en/librivox"
    files = sorted(folder.glob("*.json"))
    sound, words, clock = [], [], 0.0
    for file in files * 2:
        samples, rate = soundfile.read(file.with_suffix(".wav"))
        assert rate == RATE
        for word in json.loads(file.read_text())["w"]:
            if word["t"][0] not in "<[":
                start = round(clock + word["b"], 3)
                words.append([word["t"], start, round(start + word["d"], 3)])
        sound.append(samples)
        clock += len(samples) / rate
    soundfile.write(tmp_path / "a.flac", np.concatenate(sound), RATE)
    line = {"id": "a", "wav": "a.flac", "words": words, "lang": "en"}
    (found,), _, failed = scored([line], tmp_path)
    assert failed == [False], found
    assert found["measures"]["pitch_variation"] > 0.5
    assert found["scores"]["fluency"] is not None
    assert found["scores"]["engagement"] is not None


WRONG: list[tuple[object, object, str]] = [
    (b"not json\n", None, "not JSON"),
    (b"\xff\xfe\n", None, "not JSON"),
    ([1, 2], None, ""),
    ({"words": []}, None, "id"),
    ({"id": "a"}, "a", "neither words nor wav"),
    ({"id": "a", "text": "un secret"}, "a", "neither words nor wav"),
    ({"id": 7, "words": [["a", 2, 1]]}, 7, "ascend"),
    ({"id": 7, "words": [["b", 2, 3], ["secret", 1, 2]]}, 7, "ascend"),
    ({"id": 7, "words": [["secret", -1, 2]]}, 7, "words"),
    (b'{"id": 7, "words": [["secret", 0, NaN]]}', 7, ""),
    (b'{"id": 7, "words": [["secret", 0, 1e999]]}', 7, ""),
    ({"id": 7, "words": [["secret", 0]]}, 7, "words"),
    ({"id": 7, "words": [], "lang": "de"}, 7, "lang"),
    ({"id": 7, "words": [], "register": "shouting"}, 7, "register"),
    ({"id": 7, "words": [], "unknown": "secret"}, 7, "unknown"),
    ({"id": "w", "wav": "nothing.wav"}, "w", "no file"),
]


@pytest.mark.parametrize(("line", "named", "told"), WRONG)
def test_a_wrong_line_is_an_error_with_its_id_and_never_quotes_it(
    line: object, named: object, told: str, tmp_path: Path
) -> None:
    good = {"id": "good", "words": []}
    (first, wrong, last), texts, failed = scored([good, line, good], tmp_path)
    assert failed == [False, True, False]
    assert first["id"] == last["id"] == "good"
    assert list(wrong) == ["id", "error"]
    assert wrong["id"] == named
    assert set(wrong["error"]) == {"code", "message", "mend"}
    assert told in wrong["error"]["message"]
    assert wrong["error"]["mend"]
    assert "secret" not in texts[1]


def test_words_beyond_their_recording_are_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(RATE), RATE)
    (found,), _, _ = scored([{"id": "a", "wav": "a.wav", "words": [["a", 3, 4]]}], tmp_path)
    assert found["error"]["code"] == "line"


def test_blank_lines_and_a_byte_order_mark_do_not_matter(tmp_path: Path) -> None:
    lines = [b"\xef\xbb\xbf" + json.dumps({"id": 1, "words": []}).encode() + b"\n", b"\n", b"  \n"]
    found, _, failed = scored(lines, tmp_path)
    assert [one["id"] for one in found] == [1]
    assert failed == [False]


@pytest.mark.speech
def test_the_same_lines_give_the_same_bytes_however_many_processes_work(
    shared_data: Path, tmp_path: Path
) -> None:
    lines = real_lines(rhapsodie(shared_data))[:4]
    lines.insert(2, {"id": "wrong"})
    once, again = (scored(lines, tmp_path)[1] for _ in range(2))
    many = scored(lines, tmp_path, jobs=2)[1]
    assert once == again == many
    assert [json.loads(text)["id"] for text in once] == [line["id"] for line in lines]


@pytest.mark.speech
def test_native_speakers_are_scored_from_their_words_alone(
    shared_data: Path, tmp_path: Path
) -> None:
    """The 28 long turns of Rhapsodie as timed words, all against the norms of a conversation:
    fluency .90 (median), at or over the pass mark in 24."""
    found, _, failed = scored(real_lines(rhapsodie(shared_data)), tmp_path)
    assert not any(failed)
    assert len(found) > 20
    fluency = sorted(one["scores"]["fluency"] for one in found)
    assert fluency[len(fluency) // 2] > 0.7
    assert all(one["scores"]["clarity"] is not None for one in found)


def real_lines(sentences: list[Sentence]) -> list[dict[str, Any]]:
    """The longest turn of each recording that has a minute and 150 words of it."""
    longest: dict[str, list[list[Any]]] = {}
    for turn in turns(sentences):
        words = sorted(
            (word for one in turn for word in one.words), key=lambda word: (word.start, word.end)
        )
        timed = [[word.text, word.start, max(word.start, word.end)] for word in words]
        name = turn[0].recording
        seconds = max(word.end for word in words) - words[0].start
        if seconds > 60 and len(timed) > 150 and len(timed) > len(longest.get(name, [])):
            longest[name] = timed
    return [{"id": name, "words": words, "lang": "fr"} for name, words in longest.items()]
