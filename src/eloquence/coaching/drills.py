"""Whether a drill reached its target, from its own session and what it started from."""

from math import inf, sqrt
from typing import Literal

from eloquence.coaching.history import CERTAIN, Figure, Past, past
from eloquence.coaching.norms import MeasureNorm, Norms, Points
from eloquence.coaching.phrases import DrillPhrase, Phrases, Target
from eloquence.coaching.report import DrillResult, JudgedPart, Report


def drill_result(
    report: Report,
    drill: DrillPhrase,
    mother: Past | None,
    norms: Norms,
    phrases: Phrases,
    *,
    criterion: str = "",
) -> DrillResult:
    """Whether a drill reached its target, from its own report and, for a change, from what the
    session that it belongs to left. `criterion` is what it was given for, when that is judged."""
    target = drill.target
    name = target.measure or target.marks or criterion
    figure, norm = _aimed(report, target, name, norms, phrases)
    nothing = DrillResult(
        drill=drill.id, title=drill.title, measure=name, label=norm.label, unit=norm.unit,
        sentence="",
    )  # fmt: skip
    if figure is None:
        reason = phrases.results["not_judged" if target.judged else "not_measured"]
        return nothing.model_copy(update={"sentence": reason})
    least, most, error, before = target.at_least, target.at_most, figure.error, None
    if target.change is not None:
        known = None if mother is None else mother.figure(name)
        if known is None or mother is None or mother.by_ear != past(report).by_ear:
            return nothing.model_copy(update={"sentence": phrases.results["no_parent"]})
        before = known.value
        factor = 1 + target.change if target.relative else 1.0
        bound = before * factor if target.relative else before + target.change
        least, most = (bound, None) if target.change > 0 else (None, bound)
        error = sqrt(figure.error**2 + (factor * known.error) ** 2)
    low, high = figure.value - CERTAIN * error, figure.value + CERTAIN * error
    floor, roof = -inf if least is None else least, inf if most is None else most
    reached = floor <= figure.value <= roof
    certain = (floor <= low and high <= roof) if reached else (high < floor or low > roof)
    kind: Literal["reached", "likely", "close", "missed"] = (
        ("reached" if certain else "likely") if reached else "missed" if certain else "close"
    )
    zone: Points = (None, None, least, most, None, None)
    value, aim = phrases.quantity(figure.value, norm), phrases.zone(zone, norm)
    if target.judged and (part := judged_part(report, name)) is not None:
        value, aim = level_text(part, part.level), level_text(part)
    return nothing.model_copy(
        update={
            "value": round(figure.value, 4),
            "low": round(low, 4),
            "high": round(high, 4),
            "before": before,
            "at_least": least,
            "at_most": most,
            "reached": reached,
            "certain": certain,
            "sentence": phrases.results[kind].format(label=norm.label, value=value, target=aim),
        }
    )


def _aimed(
    report: Report, target: Target, name: str, norms: Norms, phrases: Phrases
) -> tuple[Figure | None, MeasureNorm]:
    """What a target looks at, and how it is shown."""
    if target.marks:
        title = phrases.marks[name].name
        norm = MeasureNorm(label=title[:1].upper() + title[1:], unit="", decimals=0)
        counted = sum(1 for mark in report.marks if mark.kind == name and not mark.dismissed)
        heard = report.word_count > 0
        return (Figure(value=float(counted), error=0.0) if heard else None), norm
    if target.judged:
        label = criterion_label(report, name) or name
        return past(report).criteria.get(name), criterion_norm(label)
    return past(report).measures.get(name), norms.measures[name]


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
