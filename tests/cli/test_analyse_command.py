"""`eloquence analyse`: a report, or a clear word why not."""

import json
import os
import signal
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from rich.console import Console

from eloquence.cli.analyse import show_folder
from eloquence.coaching.report import Report
from eloquence.ops.folder import Analysed, Score

Run = Any
MAIN = "from eloquence.cli import main; main()"
RATE = 16_000


@pytest.fixture(autouse=True)
def _by_ear(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ELOQUENCE_STT", "none")


@pytest.mark.speech
def test_real_speech_gives_measures_as_json(run: Run, shared_data: Path) -> None:
    ran = run("analyse", shared_data / "fixtures-en/misc/jfk.wav", "--language", "en", "--json")
    assert ran.status == 0, ran.err
    report = Report.model_validate_json(ran.out)
    assert report.language == "en"
    assert report.exercise == "conversation_libre_marie"
    assert report.duration == pytest.approx(11.0, abs=0.01)
    assert not report.quality.words_heard
    measured = {measure.id: measure.value for measure in report.measures}
    assert sum(value is not None for value in measured.values()) >= 5
    assert all(score.state == "not_scored" and score.reason for score in report.dimensions), (
        "under 15 s nothing is scored, and the learner is told why"
    )


@pytest.mark.speech
def test_half_a_minute_of_speech_is_scored_and_always_the_same(
    run: Run, shared_data: Path, tmp_path: Path
) -> None:
    parts = [
        soundfile.read(path)[0]
        for path in sorted((shared_data / "fixtures-en/librivox").glob("*.wav"))
    ]
    path = tmp_path / "talk.flac"
    soundfile.write(path, np.concatenate([*parts, *parts]), RATE)
    command = ("analyse", path, "--language", "en", "--json")
    first, second = run(*command), run(*command)
    assert first.status == 0, first.err
    assert first.out == second.out
    scores = Report.model_validate_json(first.out).dimensions
    assert any(score.score is not None for score in scores)


@pytest.mark.speech
def test_a_summary_for_people_and_a_report_in_a_folder(
    run: Run, shared_data: Path, tmp_path: Path
) -> None:
    path = shared_data / "fixtures-en/misc/jfk.wav"
    ran = run("analyse", path, "--language", "en", "--report", tmp_path / "out")
    assert ran.status == 0, ran.err
    assert "s of speech" in ran.out
    assert "not scored" in ran.out
    assert str(tmp_path / "out" / "report.html") in ran.out
    Report.model_validate_json((tmp_path / "out" / "report.json").read_text("utf-8"))
    assert "data:audio/wav;base64," in (tmp_path / "out" / "report.html").read_text("utf-8")


def _lying() -> bytes:
    data, claimed = bytes(3200), 0xFFFFFFFF
    fmt = struct.pack("<IHHIIHH", 16, 1, 1, RATE, 2 * RATE, 2, 16)
    head = b"RIFF" + struct.pack("<I", claimed) + b"WAVEfmt " + fmt
    return head + b"data" + struct.pack("<I", claimed) + data


BAD: list[tuple[str, Callable[[], bytes]]] = [
    ("empty.wav", lambda: b""),
    ("text.wav", lambda: b"Bonjour\n" * 100),
    ("broken.wav", lambda: _lying()[:30]),
    ("broken.flac", lambda: b"fLaC" + bytes(5000)),
    ("random.mp3", lambda: np.random.default_rng(6).bytes(50_000)),
]


@pytest.mark.parametrize(("name", "content"), BAD, ids=[bad[0] for bad in BAD])
def test_a_file_that_is_no_recording_ends_with_status_4(
    run: Run, tmp_path: Path, name: str, content: Callable[[], bytes]
) -> None:
    (tmp_path / name).write_bytes(content())
    ran = run("analyse", tmp_path / name)
    assert ran.status == 4
    assert ran.out == ""
    assert name in ran.err
    assert "→" in ran.err, "the mend is told"
    assert "Traceback" not in ran.err


def test_what_is_not_there_ends_with_status_4(run: Run) -> None:
    ran = run("analyse", "nothing.wav")
    assert ran.status == 4
    assert "Traceback" not in ran.err


def test_a_folder_without_recordings_ends_with_status_4_and_says_what_is_read(
    run: Run, tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").write_text("Bonjour")
    ran = run("analyse", tmp_path)
    assert ran.status == 4
    assert ran.out == ""
    assert ".flac" in ran.err


@pytest.fixture
def three(tmp_path: Path) -> Path:
    """A folder with a bad file between two recordings."""
    folder = tmp_path / "in"
    (folder / "sub").mkdir(parents=True)
    soundfile.write(folder / "a.wav", _noise(1), RATE)
    (folder / "bad.wav").write_text("Bonjour")
    soundfile.write(folder / "sub" / "c.flac", _noise(2), RATE)
    return folder


def test_a_folder_is_a_table_and_a_bad_file_is_listed_with_its_reason(
    run: Run, three: Path, tmp_path: Path
) -> None:
    ran = run("analyse", three, "--language", "en", "--report", tmp_path / "out", "--jobs", "1")
    assert ran.status == 1, ran.err
    rows = ran.out.splitlines()
    assert [
        name for row in rows for name in ("a.wav", "sub/c.flac") if row.strip().startswith(name)
    ]
    assert "by ear" in ran.out
    assert "Fluency" in ran.out
    assert any(row.startswith("bad.wav: ") for row in rows)
    assert "→" in ran.out
    assert (tmp_path / "out" / "a.wav" / "report.html").is_file()
    assert (tmp_path / "out" / "sub" / "c.flac" / "report.json").is_file()
    assert not (tmp_path / "out" / "bad.wav").exists()
    summary = (tmp_path / "out" / "summary.csv").read_text("utf-8-sig").splitlines()
    assert [line.partition(",")[0] for line in summary] == [
        "file",
        "a.wav",
        "bad.wav",
        "sub/c.flac",
    ]


@pytest.mark.parametrize("width", [80, 100])
def test_a_row_of_the_table_is_one_line_and_each_reason_stands_once_below(
    capsys: pytest.CaptureFixture[str], width: int
) -> None:
    labels = ("Fluidité", "Assurance perçue", "Clarté", "Engagement")

    def scores(*reasons: str) -> tuple[Score, ...]:
        return tuple(
            Score(label, label, "not_scored", None, None, None, reason)
            if reason
            else Score(label, label, "near", 0.7, 0.6, 0.8, "")
            for label, reason in zip(labels, reasons, strict=True)
        )

    long = "Sans les mots, on ne peut dire où tombent les pauses ni apprécier le contenu."
    short = "Parlez encore un peu."
    show_folder(
        [
            Analysed("a.wav", 70, scores=scores("", long, long, ""), priority="Un débit soutenu"),
            Analysed("b.wav", 60, words=80, scores=scores("", "", long, "")),
            Analysed("c.wav", 4, scores=scores(short, short, short, short)),
        ],
        "fr",
        Console(width=width),
    )
    shown = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert max(map(len, shown)) <= width
    rows = [line.split() for line in shown if line[1:6] in {"a.wav", "b.wav", "c.wav"}]
    assert rows == [
        ["a.wav", "70", "s", "–", "60–80", "–", "–", "60–80"],
        ["b.wav", "60", "s", "80", "60–80", "60–80", "–", "60–80"],
        ["c.wav", "4", "s", "–", "–", "–", "–", "–"],
    ]
    assert " → Un débit soutenu" in shown
    below = " ".join(shown)
    assert below.count("Sans les mots") == 1
    assert "– Assurance perçue, Clarté\u00a0: Sans les mots" in below
    assert f"– c.wav\u00a0: {short}" in below


def test_a_dimension_that_only_one_recording_has_stays_in_its_column(
    capsys: pytest.CaptureFixture[str],
) -> None:
    fluency = Score("fluency", "Fluency", "near", 0.7, 0.6, 0.8, "")
    delivery = Score("delivery", "Delivery", "near", 0.5, 0.4, 0.6, "")
    recordings = [
        Analysed("a.wav", 70, scores=(fluency,)),
        Analysed("b.wav", 70, scores=(delivery,)),
    ]
    show_folder(recordings, "en", Console(width=80))
    rows = [line.split() for line in capsys.readouterr().out.splitlines() if ".wav" in line]
    assert [row[-2:] for row in rows] == [["60–80", "–"], ["–", "40–60"]]


def test_a_folder_as_json_is_one_line_for_each_file_and_always_the_same(
    run: Run, three: Path
) -> None:
    command = ("analyse", three, "--json")
    once, again = run(*command, "--jobs", "1"), run(*command, "--jobs", "2")
    assert once.status == again.status == 1
    assert once.out == again.out
    lines = [json.loads(line) for line in once.out.splitlines()]
    assert [line["file"] for line in lines] == ["a.wav", "bad.wav", "sub/c.flac"]
    Report.model_validate(lines[0]["report"])
    assert set(lines[1]["error"]) == {"code", "message", "mend"}


def test_an_unknown_exercise_is_told_once_for_a_whole_folder(run: Run, three: Path) -> None:
    ran = run("analyse", three, "--exercise", "no_such_exercise")
    assert ran.status == 3
    assert ran.out == ""


def test_an_interrupt_ends_the_folder_cleanly_with_what_was_done(three: Path) -> None:
    for index in range(300):
        (three / f"z{index:03}.flac").write_bytes((three / "sub" / "c.flac").read_bytes())
    command = [sys.executable, "-c", MAIN, "analyse", str(three), "--json", "--jobs", "2"]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "ELOQUENCE_STT": "none"},
        bufsize=0,  # `communicate` leaves out what was read ahead
    ) as child:
        assert child.stdout is not None
        first = child.stdout.readline()
        child.send_signal(signal.SIGINT)
        out, told = child.communicate(timeout=120)
    err = told.decode()
    assert child.returncode == 130, err
    assert first, err
    assert json.loads(first)["file"] == "a.wav"
    assert "Interrupted" in err
    assert "Traceback" not in err
    assert all(json.loads(line)["file"] for line in out.splitlines())
    assert len(out.splitlines()) < 250


def _noise(seconds: float) -> np.ndarray[Any, Any]:
    return np.random.default_rng(7).standard_normal(round(seconds * RATE)) * 0.05


def _music(seconds: float) -> np.ndarray[Any, Any]:
    """Chords of three notes, a new one each second, with the decay of strings."""
    times = np.arange(RATE) / RATE
    chords = []
    for index in range(round(seconds)):
        base = 220 * 2 ** ((0, 5, 7, 3)[index % 4] / 12)
        notes = [base * 2 ** (step / 12) for step in (0, 4, 7)]
        tone = sum(np.sin(2 * np.pi * hertz * n * times) / n for hertz in notes for n in (1, 2, 3))
        chords.append(0.1 * tone * np.exp(-1.5 * times))
    return np.concatenate(chords)


UNSPOKEN: list[tuple[str, Callable[[], np.ndarray[Any, Any]]]] = [
    ("silence.flac", lambda: np.zeros(600 * RATE)),
    ("noise.wav", lambda: _noise(20)),
    ("short.wav", lambda: _noise(0.2)),
    ("music.flac", lambda: _music(60)),
]


@pytest.mark.parametrize(("name", "sound"), UNSPOKEN, ids=[kind[0] for kind in UNSPOKEN])
def test_a_recording_without_speech_gives_a_report_that_says_why_nothing_is_scored(
    run: Run, tmp_path: Path, name: str, sound: Callable[[], np.ndarray[Any, Any]]
) -> None:
    soundfile.write(tmp_path / name, sound(), RATE)
    ran = run("analyse", tmp_path / name, "--json")
    assert ran.status == 0, ran.err
    report = Report.model_validate_json(ran.out)
    assert report.dimensions
    for score in report.dimensions:
        assert score.state == "not_scored"
        assert score.score is None
        assert score.reason


def test_a_recording_of_no_length_is_refused_with_the_reason(run: Run, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "none.wav", np.zeros(0), RATE)
    ran = run("analyse", tmp_path / "none.wav")
    assert ran.status == 4
    assert "no sound" in ran.err


def test_a_header_that_claims_hours_gives_a_report_of_what_is_there(
    run: Run, tmp_path: Path
) -> None:
    (tmp_path / "lies.wav").write_bytes(_lying())
    ran = run("analyse", tmp_path / "lies.wav", "--json")
    assert ran.status == 0, ran.err
    assert Report.model_validate_json(ran.out).duration == pytest.approx(0.1, abs=0.01)


def test_a_recording_that_is_too_long_is_refused(run: Run, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "long.flac", np.zeros(20 * RATE), RATE)
    ran = run("analyse", tmp_path / "long.flac", "--max-minutes", "0.25")
    assert ran.status == 4
    assert "longer than 0.25 min" in ran.err


def test_an_unknown_exercise_ends_with_status_3(run: Run, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", _noise(1), RATE)
    ran = run("analyse", tmp_path / "a.wav", "--exercise", "no_such_exercise")
    assert ran.status == 3
    assert "no_such_exercise" in ran.err


def test_a_language_that_is_not_spoken_here_ends_with_status_2(run: Run, tmp_path: Path) -> None:
    assert run("analyse", tmp_path / "a.wav", "--language", "de").status == 2
