"""A report as tables for spreadsheets and for programs."""

import csv
import io

from tests.storage.test_export import report
from tests.storage.test_pdf import sample

from eloquence.coaching.report import Mark
from eloquence.storage import table


def rows(written: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(written.decode("utf-8-sig"), newline="")))


def test_every_score_part_and_measure_is_a_row() -> None:
    """EVA-01, EVA-04: measured and judged parts are told apart."""
    whole = sample()
    found = rows(table.figures(whole))
    kinds = [row["kind"] for row in found]
    assert kinds.count("overall") == 1
    assert kinds.count("dimension") == len(whole.dimensions)
    assert kinds.count("measured") == sum(len(one.parts) for one in whole.dimensions)
    assert kinds.count("judged") == sum(len(one.criteria) for one in whole.dimensions)
    assert kinds.count("measure") == len(whole.measures)
    assert {row["session"] for row in found} == {whole.session}
    fluency = next(row for row in found if row["dimension"] == "fluency")
    assert [float(fluency[name]) for name in ("score", "low", "high")] == [0.74, 0.66, 0.81]
    unknown = next(row for row in found if row["id"] == "jitter")
    assert (unknown["value"], unknown["reason"]) == ("", "Trop de bruit de fond.")


def test_every_mark_is_a_row_in_the_order_of_time() -> None:
    whole = sample()
    found = rows(table.moments(whole))
    assert [row["id"] for row in found] == [
        mark.id for mark in sorted(whole.marks, key=lambda mark: mark.start)
    ]
    dismissed = [row["id"] for row in found if row["dismissed"] == "yes"]
    assert dismissed == [mark.id for mark in whole.marks if mark.dismissed]
    assert next(row for row in found if row["id"] == "long_pause@15.19")["effect"] == "0.06"


def test_a_spreadsheet_reads_the_accents() -> None:
    assert table.figures(sample()).startswith(b"\xef\xbb\xbf")
    assert "Fluidité" in table.figures(sample()).decode("utf-8-sig")


def test_numbers_have_a_point_in_every_language() -> None:
    found = rows(table.moments(sample()))
    assert next(row for row in found if row["kind"] == "trailing_off")["value"] == "-9.0"


def test_what_was_said_is_never_a_formula() -> None:
    said = ["=1+1", "+33", "-2", "@SUM(A1)", "\t=1", "\r=1", " =1", "bonjour"]
    marks = tuple(
        Mark(id=f"tic@{place}", kind="tic", label=text, start=place, end=place, turn=0, text=text)
        for place, text in enumerate(said)
    )
    found = rows(table.moments(report().model_copy(update={"marks": marks})))
    assert [row["text"] for row in found] == [f"'{text}" for text in said[:-1]] + ["bonjour"]
    assert all(row["label"] == row["text"] for row in found)
