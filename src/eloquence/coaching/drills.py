"""Whether a drill reached its target, from its own session and what it started from."""

from collections.abc import Sequence
from math import hypot, inf
from typing import Literal

from eloquence.coaching.history import CERTAIN, Figure, Past, past
from eloquence.coaching.judging import figures
from eloquence.coaching.norms import MeasureNorm, Norms
from eloquence.coaching.phrases import DrillPhrase, Phrases, Target
from eloquence.coaching.report import DrillResult, JudgedPart, Report
from eloquence.coaching.transcript import atoms


def drill_result(
    report: Report, drill: DrillPhrase, mother: Past | None, norms: Norms, phrases: Phrases
) -> DrillResult:
    """Whether a drill reached its target, from its own report and, for a change, from what the
    session that it belongs to left (`mother`)."""
    now = past(report)
    target = drill.aim(by_ear=now.by_ear)
    figure, norm = _aimed(report, now, target, norms, phrases)
    nothing = DrillResult(
        drill=drill.id,
        title=drill.title,
        measure=target.measure or target.marks or ("figures" if target.figures else "said"),
        label=norm.label,
        unit=norm.unit,
        percent=norm.percent,
        sentence=_unmeasured(report, target, norms, phrases),
    )
    if figure is None:
        return nothing
    least, most, error, before = target.at_least, target.at_most, figure.error, None
    if target.change is not None:
        known = None if mother is None else mother.figure(target.measure)
        if known is None or mother is None or mother.by_ear != now.by_ear:
            return nothing.model_copy(update={"sentence": phrases.results["no_parent"]})
        before = known.value
        factor = 1 + target.change if target.relative else 1.0
        bound = before * factor if target.relative else before + target.change
        least, most = (bound, None) if target.change > 0 else (None, bound)
        error = hypot(figure.error, factor * known.error)
    low, high = figure.value - CERTAIN * error, figure.value + CERTAIN * error
    floor, roof = -inf if least is None else least, inf if most is None else most
    reached = floor <= figure.value <= roof
    certain = (floor <= low and high <= roof) if reached else (high < floor or low > roof)
    kind: Literal["reached", "likely", "close", "missed"] = (
        ("reached" if certain else "likely") if reached else "missed" if certain else "close"
    )
    return nothing.model_copy(
        update={
            "value": round(figure.value, 4),
            "low": round(low, 4),
            "high": round(high, 4),
            "before": before,
            "at_least": None if least is None else round(least, 4),
            "at_most": None if most is None else round(most, 4),
            "reached": reached,
            "certain": certain,
            "sentence": phrases.results[kind].format(
                label=norm.label,
                value=phrases.quantity(figure.value, norm),
                target=phrases.zone((None, None, least, most, None, None), norm),
            ),
        }
    )


def _aimed(
    report: Report, now: Past, target: Target, norms: Norms, phrases: Phrases
) -> tuple[Figure | None, MeasureNorm]:
    """What a target looks at, and how it is shown. What is counted has no error."""
    if target.measure:
        return now.measures.get(target.measure), norms.measures[target.measure]
    if target.marks:
        name = phrases.marks[target.marks].name
        label = name[:1].upper() + name[1:]
        marks = (mark for mark in report.marks if mark.kind == target.marks)
        count = sum(not mark.dismissed for mark in marks)
    else:
        label = phrases.measures["figures" if target.figures else "said"]
        words = [
            atom for turn in report.turns if turn.speaker == "learner" for atom in atoms(turn.text)
        ]
        count = len(figures(words)) if target.figures else _occurrences(target.said, words)
    norm = MeasureNorm(label=label, unit="", decimals=0)
    # Whoever says next to nothing avoids any word.
    short = target.at_most is not None and report.speech_seconds < norms.least_seconds
    known = bool(report.word_count) and not short
    return (Figure(value=count, error=0.0) if known else None), norm


def _occurrences(wanted: Sequence[str], words: Sequence[str]) -> int:
    """How often one of some phrases stands among the words."""
    found = 0
    for phrase in map(atoms, wanted):
        places = range(len(words) - len(phrase) + 1)
        found += sum(words[at : at + len(phrase)] == phrase for at in places)
    return found


def _unmeasured(report: Report, target: Target, norms: Norms, phrases: Phrases) -> str:
    """Why what a target looks at has no value."""
    told = next((one.reason for one in report.measures if one.id == target.measure), "")
    deaf = not report.word_count and report.speech_seconds >= norms.least_seconds
    if deaf and not target.measure:
        return phrases.reasons["by_ear"]
    return told or phrases.results["not_measured"]


def criterion_norm(label: str) -> MeasureNorm:
    """A judged criterion is shown as a share."""
    return MeasureNorm(label=label, unit="", percent=True)


def judged_part(report: Report, name: str) -> JudgedPart | None:
    """The criterion of that id in a report, if it has one."""
    parts = (part for dimension in report.dimensions for part in dimension.criteria)
    return next((part for part in parts if part.criterion == name and not part.measured), None)


def criterion_label(report: Report, name: str) -> str:
    """What the criterion of that id is called; empty when there is none."""
    part = judged_part(report, name)
    return "" if part is None else part.label


def level_text(criterion: JudgedPart, level: float | None = None) -> str:
    """A level in words; the last but one, which is well enough, when None."""
    if not criterion.levels:
        return criterion.label
    at = len(criterion.levels) - 2 if level is None else int(level)
    return criterion.levels[min(max(0, at), len(criterion.levels) - 1)].strip().rstrip(".")
