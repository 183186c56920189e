"""All recordings of a folder."""

import csv
import io
from pathlib import Path

import numpy as np
import pytest
import soundfile

from eloquence.config import load
from eloquence.errors import ContentError, RecordingError
from eloquence.ops import folder
from eloquence.ops.folder import Analysed, Failure, Order, Score

RATE = 16_000


def order(path: Path, **given: object) -> Order:
    settings = load(stt="none")
    return Order(settings, path, "conversation_libre_marie", "fr", 3600.0, by_ear=True, **given)  # type: ignore[arg-type]


def noise(path: Path, seconds: float) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(3)
    soundfile.write(path, random.standard_normal(round(seconds * RATE)) * 0.05, RATE)


def test_recordings_are_found_by_their_ending_at_any_depth_in_one_order(tmp_path: Path) -> None:
    for name in ("b.WAV", "a.flac", "sub/c.mp3", "sub/deep/d.opus", ".hidden.wav", ".git/e.wav",
                 "notes.txt", "sub/.f.ogg"):  # fmt: skip
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert folder.recordings(tmp_path) == ["a.flac", "b.WAV", "sub/c.mp3", "sub/deep/d.opus"]


def test_a_link_that_leads_back_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "a.wav").touch()
    (tmp_path / "again").symlink_to(tmp_path, target_is_directory=True)
    assert folder.recordings(tmp_path) == ["a.wav"]


def test_a_folder_without_recordings_is_an_error_that_says_what_is_read(tmp_path: Path) -> None:
    with pytest.raises(RecordingError) as told:
        folder.recordings(tmp_path)
    assert ".wav" in told.value.mend


def test_what_all_files_have_in_common_is_checked_first(tmp_path: Path) -> None:
    with pytest.raises(ContentError):
        folder.prepared(Order(load(stt="none"), tmp_path, "no_such_exercise", "fr", 60.0))
    assert folder.prepared(order(tmp_path)).by_ear


def test_one_bad_file_never_stops_the_others(tmp_path: Path) -> None:
    noise(tmp_path / "a.wav", 1)
    (tmp_path / "b.wav").write_text("Bonjour")
    noise(tmp_path / "sub/c.flac", 2)
    files = folder.recordings(tmp_path)
    found = list(folder.analyse_folder(order(tmp_path), files, jobs=1))
    assert [one.file for one in found] == ["a.wav", "b.wav", "sub/c.flac"]
    assert [one.failure is None for one in found] == [True, False, True]
    assert found[1].failure is not None
    assert found[1].failure.code == "recording"
    assert found[1].failure.mend
    assert [round(one.seconds) for one in found] == [1, 0, 2]
    assert all(score.reason for score in found[0].scores)


def test_each_recording_has_its_own_report_folder(tmp_path: Path) -> None:
    noise(tmp_path / "in/a.wav", 1)
    noise(tmp_path / "in/sub/a.wav", 1)
    asked = order(tmp_path / "in", report=tmp_path / "out", document=True)
    found = list(folder.analyse_folder(asked, folder.recordings(tmp_path / "in"), jobs=1))
    for one in found:
        written = (tmp_path / "out" / one.file / "report.json").read_text("utf-8")
        assert one.document
        assert one.document in written.replace("\n", "") or '"schema_version"' in written
        assert (tmp_path / "out" / one.file / "report.html").is_file()


@pytest.mark.speech
def test_with_a_recogniser_every_recording_has_words(shared_data: Path) -> None:
    """The recogniser that ships with the package, kept from one recording to the next."""
    asked = folder.prepared(
        Order(
            load(stt="pocketsphinx"),
            shared_data / "fixtures-en",
            "conversation_libre_marie",
            "en",
            60.0,
        )
    )
    assert not asked.by_ear
    files = ["misc/jfk.wav", "librivox/0870.wav"]
    found = list(folder.analyse_folder(asked, files, jobs=1))
    assert [one.failure for one in found] == [None, None]
    assert all(one.words is not None and one.words > 10 for one in found)


def test_a_report_folder_that_cannot_be_made_fails_that_file(tmp_path: Path) -> None:
    noise(tmp_path / "in/a.wav", 1)
    (tmp_path / "out").write_text("a file is in the way")
    asked = order(tmp_path / "in", report=tmp_path / "out")
    (found,) = folder.analyse_folder(asked, ["a.wav"], jobs=1)
    assert found.failure is not None
    assert found.failure.code == "storage"


def test_an_unexpected_error_is_told_by_its_kind_and_never_by_its_text() -> None:
    failure = Failure.of(ValueError("what somebody said"))
    assert failure.code == "internal"
    assert "ValueError" in failure.message
    assert "said" not in failure.message


def test_the_summary_has_a_row_for_each_recording(tmp_path: Path) -> None:
    good = Analysed(
        "=a.wav",
        61.5,
        50.25,
        120,
        (Score("fluency", "Fluidité", "near", 0.7, 0.6, 0.8, ""),),
        "Un peu plus lent",
    )
    bad = Analysed("b.wav", failure=Failure("recording", "Damaged.", "Export it again."))
    path = folder.write_summary([good, bad], tmp_path / "out")
    rows = list(csv.DictReader(io.StringIO(path.read_text("utf-8-sig"))))
    assert rows[0]["file"] == "'=a.wav"
    assert (rows[0]["seconds"], rows[0]["words"], rows[0]["fluency_low"]) == ("61.5", "120", "0.6")
    assert rows[0]["priority"] == "Un peu plus lent"
    assert (rows[1]["error"], rows[1]["mend"], rows[1]["fluency"]) == (
        "Damaged.", "Export it again.", "",
    )  # fmt: skip
