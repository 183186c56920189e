"""`eloquence sessions`."""

import asyncio
import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eloquence.coaching.report import Report
from eloquence.coaching.session import Session, SessionEnd, StoredSession, Turn
from eloquence.config import load
from eloquence.delivery.words import Word
from eloquence.storage.recordings import LEARNER_RATE, Recorder
from eloquence.storage.sessions import open_store

Run = Any


def session(number: int = 1, *, keep_audio: bool = False) -> Session:
    return Session(
        id=f"s{number}",
        exercise="conversation_libre_marie",
        scenario="conversation",
        character="marie_coach",
        language="fr",
        started_at=1_700_000_000.0 + number,
        stages={"stt": "none", "llm": "script"},
        keep_audio=keep_audio,
        title="Conversation libre [bold]",
    )


TURNS = (
    Turn(
        index=0, speaker="character", start=0.5, end=2.0, text="Bonjour [red] !", interrupted=True
    ),
    Turn(
        index=1,
        speaker="learner",
        start=62.0,
        end=63.0,
        text="Bonjour Marie",
        words=(Word("Bonjour", 62.0, 62.4), Word("Marie", 62.5, 63.0)),
    ),
)


@pytest.fixture
def kept() -> Path:
    """Two sessions: s1 whole, with sound; s2 cut off by the page. Gives the data folder."""
    settings = load()

    async def keep() -> None:
        async with open_store(settings.database, settings.recordings) as store:
            whole, cut = session(1, keep_audio=True), session(2)
            await store.open(whole)
            for turn in TURNS:
                await store.append("s1", turn)
            await store.end("s1", SessionEnd(status="complete", reason="learner", duration=75.0))
            async with Recorder(settings.recordings, whole) as recorder:
                recorder.learner(0.0, np.full(LEARNER_RATE, 1000, "<i2").tobytes())
            await store.open(cut)
            end = SessionEnd(status="interrupted", reason="page_closed", duration=3.0)
            await store.end("s2", end)

    asyncio.run(keep())
    return settings.data


def test_the_list_is_a_table_newest_first(run: Run, kept: Path) -> None:
    ran = run("sessions", "list")
    assert ran.status == 0
    lines = [line for line in ran.out.splitlines() if "Conversation libre" in line]
    assert ["s2" in line.split() for line in lines] == [True, False]
    assert "interrupted (page_closed)" in lines[0]
    assert "1:15" in lines[1]
    assert "learner, mix" in lines[1]
    assert "[bold]" in lines[1]


def test_the_list_tells_drills_from_exercises(run: Run) -> None:
    settings = load()
    drill = session(3).model_copy(update={"purpose": "drill", "of": "s1", "drill": "full_stop"})

    async def keep() -> None:
        async with open_store(settings.database, settings.recordings) as store:
            await store.open(drill)

    asyncio.run(keep())
    assert "Conversation libre [bold] (drill)" in run("sessions", "list").out


def test_the_list_is_json_for_programs(run: Run, kept: Path) -> None:
    ran = run("sessions", "list", "--json", "--limit", "1")
    (only,) = json.loads(ran.out)
    assert only["id"] == "s2"
    assert only["end"] == {"status": "interrupted", "reason": "page_closed", "duration": 3.0}


def test_an_empty_list_says_how_to_begin(run: Run) -> None:
    ran = run("sessions", "list")
    assert ran.status == 0
    assert "eloquence serve" in ran.out


def test_a_session_is_shown_turn_by_turn(run: Run, kept: Path) -> None:
    ran = run("sessions", "show", "s1")
    assert ran.status == 0
    assert "marie_coach: Bonjour [red] ! —" in ran.out
    assert "1:02  you: Bonjour Marie" in ran.out


def test_a_session_is_json_for_programs(run: Run, kept: Path) -> None:
    ran = run("sessions", "show", "s1", "--json")
    assert StoredSession.model_validate_json(ran.out).turns == TURNS


def test_an_export_holds_record_report_and_sound(run: Run, kept: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    ran = run("sessions", "export", "s1", "--output", out)
    assert ran.status == 0, ran.err
    forms = {f"report{ending}" for ending in (".html", ".pdf", ".json", ".csv", "-moments.csv")}
    names = forms | {"session.json", "learner.flac", "mix.flac"}
    assert {path.name for path in out.iterdir()} == names
    assert sorted(ran.out.split()) == sorted(str(out / name) for name in names)
    stored = StoredSession.model_validate_json((out / "session.json").read_text("utf-8"))
    assert stored.turns == TURNS
    report = Report.model_validate_json((out / "report.json").read_text("utf-8"))
    assert report.session == "s1"
    assert "data:audio/flac;base64," in (out / "report.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("options", "names"),
    [
        (["--pdf"], {"report.pdf"}),
        (["--csv"], {"report.csv", "report-moments.csv"}),
        (["--pdf", "--html"], {"report.pdf", "report.html"}),
    ],
)
def test_an_export_may_be_of_the_report_alone(
    run: Run, kept: Path, tmp_path: Path, options: list[str], names: set[str]
) -> None:
    out = tmp_path / "out"
    ran = run("sessions", "export", "s1", "--output", out, *options)
    assert ran.status == 0, ran.err
    assert {path.name for path in out.iterdir()} == names
    if "report.pdf" in names:
        assert (out / "report.pdf").read_bytes().startswith(b"%PDF-")


def test_the_measures_are_csv_for_programs(run: Run, kept: Path) -> None:
    ran = run("sessions", "show", "s1", "--csv")
    rows = list(csv.DictReader(io.StringIO(ran.out)))
    assert {row["session"] for row in rows} == {"s1"}
    assert {"dimension", "measured", "measure"} <= {row["kind"] for row in rows}


def test_deleting_asks_and_takes_no_for_an_answer(
    run: Run, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter(["n\n", "y\n"])
    monkeypatch.setattr("typer.confirm", lambda *_, **__: _answer(next(answers)))
    assert run("sessions", "delete", "s1").status == 1
    assert run("sessions", "show", "s1").status == 0
    assert run("sessions", "delete", "s1").status == 0
    assert run("sessions", "show", "s1").status == 5


def _answer(said: str) -> bool:
    import typer

    if not said.startswith("y"):
        raise typer.Abort
    return True


def test_deleting_removes_the_record_and_the_sound(run: Run, kept: Path) -> None:
    assert (kept / "recordings" / "s1").is_dir()
    ran = run("sessions", "delete", "s1", "--yes")
    assert ran.status == 0
    assert not (kept / "recordings" / "s1").exists()
    assert run("sessions", "show", "s1").status == 5
    assert run("sessions", "show", "s2").status == 0
    everything = b"".join(path.read_bytes() for path in kept.rglob("*") if path.is_file())
    assert b"Bonjour Marie" not in everything


@pytest.mark.parametrize("command", ["show", "export", "delete"])
@pytest.mark.parametrize("unknown", ["absent", "../recordings"])
def test_an_unknown_session_is_told_without_a_traceback(
    run: Run, kept: Path, command: str, unknown: str
) -> None:
    ran = run("sessions", command, unknown)
    assert ran.status == 5
    assert "eloquence: " in ran.err
    assert "Traceback" not in ran.err


def test_a_damaged_store_is_told_with_its_mend(run: Run, kept: Path) -> None:
    (kept / "eloquence.db").write_text("a shopping list\n" * 300)
    ran = run("sessions", "list")
    assert ran.status == 9
    assert "damaged" in ran.err
    assert "→" in ran.err
