"""A report as tables: one of scores and measures, one of moments.

Comma-separated values (RFC 4180) in UTF-8 with a byte order mark, which is how spreadsheets tell
it from older encodings. Numbers have a decimal point whatever the language, and times are seconds
on the session's clock.
"""

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from eloquence.coaching.report import DimensionScore, Report

FIGURES = (
    "session", "started_at", "language", "exercise", "kind", "dimension", "id", "label",
    "value", "unit", "error", "score", "low", "high", "weight", "state", "reason",
)  # fmt: skip
"""Columns of the table of scores and measures. `kind` says what a row is: `overall`, `dimension`,
its `measured` and `judged` parts (a measure, a criterion), or `measure`, a raw figure."""
MOMENTS = (
    "session", "id", "kind", "label", "start", "end", "turn", "value", "good", "dismissed",
    "effect", "text",
)  # fmt: skip
"""Columns of the table of moments. `effect` is the most that a score would rise without it."""

Cell = str | float | bool | None
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def figures(report: Report) -> bytes:
    """Every score, part of a score and measure of a report, one per row."""
    session: tuple[Cell, ...] = (
        report.session,
        datetime.fromtimestamp(report.started_at, UTC).isoformat(timespec="seconds"),
        report.language,
        report.exercise,
    )
    rows: list[dict[str, Cell]] = []
    if report.overall is not None:
        overall = report.overall
        rows.append(
            {
                "kind": "overall",
                "score": overall.score,
                "low": overall.low,
                "high": overall.high,
                "state": overall.state,
            }
        )
    for dimension in report.dimensions:
        rows += _scores(dimension)
    rows += [
        {
            "kind": "measure",
            "id": measure.id,
            "label": measure.label,
            "value": measure.value,
            "unit": measure.unit,
            "error": measure.error,
            "reason": measure.reason,
        }
        for measure in report.measures
    ]
    first = dict(zip(FIGURES, session, strict=False))
    return table(FIGURES, ([{**first, **row}.get(name) for name in FIGURES] for row in rows))


def moments(report: Report) -> bytes:
    """Every mark of a report, one per row, by time."""
    return table(
        MOMENTS,
        (
            (
                report.session,
                mark.id,
                mark.kind,
                mark.label,
                mark.start,
                mark.end,
                mark.turn,
                mark.value,
                mark.good,
                mark.dismissed,
                max(mark.effects.values(), default=None),
                mark.text,
            )
            for mark in sorted(report.marks, key=lambda mark: (mark.start, mark.id))
        ),
    )


def _scores(one: DimensionScore) -> Iterable[dict[str, Cell]]:
    yield {
        "kind": "dimension",
        "dimension": one.dimension,
        "label": one.label,
        "score": one.score,
        "low": one.low,
        "high": one.high,
        "state": one.state,
        "reason": one.reason,
    }
    for part in one.parts:
        yield {
            "kind": "measured",
            "dimension": one.dimension,
            "id": part.measure,
            "label": part.label,
            "value": part.value,
            "unit": part.unit,
            "score": part.score,
            "weight": part.weight,
            "reason": part.reason,
        }
    for criterion in one.criteria:
        yield {
            "kind": "judged",
            "dimension": one.dimension,
            "id": criterion.criterion,
            "label": criterion.label,
            "value": criterion.level,
            "score": criterion.score,
            "low": criterion.low,
            "high": criterion.high,
            "weight": criterion.weight,
            "reason": criterion.reason,
        }


def table(columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> bytes:
    """Rows under their columns, as the file that is written."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows([_written(cell) for cell in row] for row in rows)
    return text.getvalue().encode("utf-8-sig")


def _written(cell: Cell) -> str | float | None:
    """A cell that a spreadsheet shows and never computes: it would run a text that begins like a
    formula, and what a learner said may begin like anything."""
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, str) and cell.lstrip(" \u00a0").startswith(_FORMULA):
        return f"'{cell}"
    return cell
