"""How a take compares with earlier ones of the same learner: raw measures, with their errors.

Nobody is compared with anybody else. A change counts only when it exceeds measurement error.
"""

from collections.abc import Iterator, Sequence
from math import inf, sqrt
from statistics import NormalDist
from typing import Literal

from pydantic import Field

from eloquence.coaching.character import Language, Model
from eloquence.coaching.drills import criterion_label, criterion_norm, drill_result, judged_part
from eloquence.coaching.exercise import Register
from eloquence.coaching.history import (
    CERTAIN,
    JUDGED,
    Figure,
    History,
    Past,
    Verdict,
    margin,
    past,
    verdict,
)
from eloquence.coaching.norms import MeasureNorm, Norms, Points
from eloquence.coaching.phrases import Phrases, inside
from eloquence.coaching.report import (
    Change,
    Comparison,
    Feedback,
    Report,
)
from eloquence.coaching.schedule import appointment, goal_outcome, proposal
from eloquence.coaching.session import Session, StoredSession

__all__ = ["Point", "Progress", "Trend", "compared", "past", "placed", "progress", "restricted"]

LEAST_TAKES = 3
"""Takes from which one speaks of a trend."""
MOST_FIRST = 3
"""Takes at most that make the baseline, and as many at the end that are held against it."""
_NAMED = 2
_MINUTE = 60.0


class Point(Model):
    """A raw measure of one take, with how much speech it was found on."""

    session: str
    title: str
    started_at: float
    seconds: float
    words: int
    value: float
    error: float


class Trend(Model):
    """One raw measure over time, beside the learner's own first takes."""

    measure: str
    label: str
    unit: str
    percent: bool = False
    band: tuple[float | None, float | None]
    """The target zone; None marks an open side."""
    points: tuple[Point, ...]
    """Oldest first."""
    baseline: Figure
    """Mean of the first takes weighted by 1/SE^2, and its standard error."""
    latest: Figure
    """The same of the last takes; of the only one when there is no more."""
    margin: float = 0.0
    """What their difference must exceed to be more than measurement error."""
    verdict: Verdict | Literal["few"]
    sentence: str


class Progress(Model):
    """All comparable takes of one learner in one language and register."""

    language: Language
    setting: Register
    by_ear: bool
    """How all of them were measured."""
    takes: int
    seconds: float
    """Speech in all of them together."""
    trends: tuple[Trend, ...] = ()
    sentence: str
    notes: tuple[str, ...] = Field(default=())


def compared(
    before: Past,
    after: Past,
    norms: Norms,
    register: Register,
    phrases: Phrases,
    *,
    focus: str = "",
    alone: bool = False,
    label: str = "",
) -> Comparison:
    """One take beside an earlier one: every measure that has a band in `register`, in raw figures.

    A change is `better` when it exceeds 1.28 sqrt(SE1^2 + SE2^2) and leads toward the target zone.
    The measure or criterion in `focus` comes first and gives the sentence; with `alone` nothing
    else is compared. Otherwise the sentence names only what would stand out among so many
    measures (the same probability of 20 % shared between all of them). When one take was measured
    by ear and the other with words, only what the ear tells as well is compared. `label` names a
    criterion in `focus`.
    """
    mixed = before.by_ear != after.by_ear
    changes = []
    for name in _names(before, after, norms, register, focus):
        if alone and name != focus:
            continue
        norm = norms.measures.get(name)
        if mixed and (norm is None or norm.by_ear != 0):
            continue
        changes.append(_change(name, before, after, norm, register, phrases, label))
    return Comparison(
        session=before.session,
        started_at=before.started_at,
        title=before.title,
        changes=tuple(changes),
        sentence=_told(changes, focus, mixed, phrases),
    )


def progress(
    history: History, norms: Norms, phrases: Phrases, *, setting: Register = "conversation"
) -> Progress:
    """The raw measures of all comparable takes, each held against the learner's own first ones.

    Comparable are whole exercises in one register, with enough speech to be scored, measured the
    same way as the last of them; how many were measured otherwise is said in the notes.
    """
    whole = [
        one
        for one in history
        if one.purpose == "exercise"
        and one.setting == setting
        and one.language == norms.language
        and one.seconds >= norms.least_seconds
        and one.measures
    ]
    by_ear = bool(whole) and whole[-1].by_ear
    takes = [one for one in whole if one.by_ear == by_ear]
    apart = len(whole) - len(takes)
    trends = [
        trend
        for name, norm in norms.measures.items()
        if setting in norm.bands
        and (trend := _trend(name, norm, norm.bands[setting], takes, phrases)) is not None
    ]
    seconds = sum(one.seconds for one in takes)
    sentence = phrases.trends["all" if takes else "none"].format(
        count=len(takes), value=phrases.number(seconds / _MINUTE, 0 if seconds > 600 else 1)
    )
    return Progress(
        language=norms.language,
        setting=setting,
        by_ear=by_ear,
        takes=len(takes),
        seconds=round(seconds, 3),
        trends=tuple(trends),
        sentence=sentence,
        notes=(phrases.trends["apart"].format(count=apart),) if apart else (),
    )


def placed(
    report: Report,
    history: History,
    norms: Norms,
    phrases: Phrases,
    *,
    session: Session,
    parent: Past | None = None,
) -> Report:
    """The report among the learner's other sessions: with what it is compared with, its goal, the
    next one, and when to come back; for a drill, whether it reached its target.

    `norms` are those of the session (`norms_for`). `parent` is what the session `of` left, when it
    is not in `history`; for a retry, what the tried turn of it left alone: the `past` of an
    assessment of `restricted`.
    """
    mother = parent or next((one for one in history if one.session == session.of), None)
    if session.purpose == "drill":
        return _drilled(report, mother, norms, phrases, session.drill)
    if session.purpose == "retry":
        advised = next((one for one in history if one.session == session.of), mother)
        focus = "" if advised is None else advised.priority
        return _retried(report, mother, focus, norms, phrases)
    known = session.goal in norms.measures or judged_part(report, session.goal) is not None
    goal = goal_outcome(report, session.goal, norms, phrases) if known else None
    report = report.model_copy(update={"goal": goal})
    now = past(report)
    before = next(
        (
            one
            for one in reversed(history)
            if one.exercise == report.exercise
            and one.purpose == "exercise"
            and one.setting == report.setting
            and one.seconds >= norms.least_seconds
            and one.measures
        ),
        None,
    )
    comparison = None
    if before is not None and now.measures and now.seconds >= norms.least_seconds:
        focus = session.goal or before.priority
        comparison = compared(
            before,
            now,
            norms,
            report.setting,
            phrases,
            focus=focus,
            label=criterion_label(report, focus),
        )
    following = proposal(report, (*history, now), norms, phrases)
    return report.model_copy(
        update={
            "comparison": comparison,
            "proposal": following,
            "appointment": appointment(
                history, report.started_at, phrases, goal=now.goal or now.priority
            ),
        }
    )


def restricted(stored: StoredSession, index: int) -> StoredSession:
    """A session as if the learner had said but one turn of it, with the turn that it answers."""
    at = next((place for place, turn in enumerate(stored.turns) if turn.index == index), None)
    turns = () if at is None else stored.turns[max(0, at - 1) : at + 1]
    kept = tuple(turn for turn in turns if turn.index == index or turn.speaker != "learner")
    return stored.model_copy(update={"turns": kept, "judgement": None})


def _names(
    before: Past, after: Past, norms: Norms, register: Register, focus: str
) -> Iterator[str]:
    """What both takes have, the focus first; a child's, who has no bands, as it is."""
    if focus and before.figure(focus) and after.figure(focus):
        yield focus
    common = [name for name in norms.measures if name in before.measures and name in after.measures]
    banded = [name for name in common if register in norms.measures[name].bands]
    yield from (name for name in banded or common if name != focus)


def _change(
    name: str,
    before: Past,
    after: Past,
    norm: MeasureNorm | None,
    register: Register,
    phrases: Phrases,
    label: str,
) -> Change:
    was, now = before.figure(name), after.figure(name)
    assert was is not None
    assert now is not None
    points = JUDGED if norm is None else norm.bands.get(register)
    shown = norm or criterion_norm(label or name)
    outcome = verdict(was, now, points)
    most = margin(was, now)
    figures = phrases.changes["figures"].format(
        label=shown.label,
        before=phrases.shown(was.value, shown),
        after=phrases.quantity(now.value, shown),
    )
    meaning = phrases.changes[outcome].format(margin=phrases.quantity(most, shown))
    return Change(
        measure=name,
        label=shown.label,
        unit=shown.unit,
        percent=shown.percent,
        before=round(was.value, 4),
        after=round(now.value, 4),
        margin=round(most, 4),
        verdict=outcome,
        sentence=f"{figures} {meaning}",
    )


def _told(changes: Sequence[Change], focus: str, mixed: bool, phrases: Phrases) -> str:
    texts = phrases.comparisons
    if not changes:
        return texts["by_ear" if mixed else "none"]
    if changes[0].measure == focus:
        sentence = changes[0].sentence
    else:
        better, worse = (_standing_out(changes, kind) for kind in ("better", "worse"))
        kind: Literal["both", "better", "worse", "same"] = (
            ("both" if worse else "better") if better else "worse" if worse else "same"
        )
        sentence = texts[kind].format(best=phrases.listed(better), worst=phrases.listed(worse))
    return f"{sentence} {texts['by_ear']}" if mixed else sentence


def _standing_out(changes: Sequence[Change], kind: str) -> list[str]:
    """Labels of the changes of a kind that would stand out among so many (Bonferroni)."""
    strict = NormalDist().inv_cdf(1 - NormalDist().cdf(-CERTAIN) / len(changes)) / CERTAIN
    found = [
        (abs(change.after - change.before) / change.margin if change.margin else inf, change)
        for change in changes
        if change.verdict == kind
    ]
    clear = [pair for pair in found if pair[0] > strict]
    ordered = sorted(clear, key=lambda pair: (-pair[0], pair[1].measure))
    return [inside(change.label) for _, change in ordered[:_NAMED]]


def _trend(
    name: str, norm: MeasureNorm, points: Points, takes: Sequence[Past], phrases: Phrases
) -> Trend | None:
    known = [(take, take.measures[name]) for take in takes if name in take.measures]
    if not known:
        return None
    size = max(1, min(MOST_FIRST, len(known) // 2))
    first = _mean([figure for _, figure in known[:size]])
    last = _mean([figure for _, figure in known[-size:]])
    outcome: Verdict | Literal["few"] = (
        "few" if len(known) < LEAST_TAKES else verdict(first, last, points)
    )
    sentence = phrases.trends[outcome].format(
        label=norm.label,
        before=phrases.shown(first.value, norm),
        after=phrases.quantity(last.value, norm),
    )
    return Trend(
        measure=name,
        label=norm.label,
        unit=norm.unit,
        percent=norm.percent,
        band=(points[2], points[3]),
        points=tuple(
            Point(
                session=take.session,
                title=take.title,
                started_at=take.started_at,
                seconds=take.seconds,
                words=take.words,
                value=figure.value,
                error=figure.error,
            )
            for take, figure in known
        ),
        baseline=first,
        latest=last,
        margin=round(margin(first, last), 4),
        verdict=outcome,
        sentence=sentence,
    )


def _mean(figures: Sequence[Figure]) -> Figure:
    """The mean weighted by 1/SE^2. Its error is that of the weighted mean, or larger by the Birge
    ratio sqrt(chi^2 / (n - 1)) when the takes scatter more than their errors say."""
    if any(figure.error <= 0 for figure in figures):
        mean = sum(figure.value for figure in figures) / len(figures)
        return Figure(value=round(mean, 4), error=0.0)
    weights = [figure.error**-2 for figure in figures]
    total = sum(weights)
    mean = sum(w * figure.value for w, figure in zip(weights, figures, strict=True)) / total
    scatter = sum(
        w * (figure.value - mean) ** 2 for w, figure in zip(weights, figures, strict=True)
    )
    birge = sqrt(scatter / (len(figures) - 1)) if len(figures) > 1 else 1.0
    return Figure(value=round(mean, 4), error=round(max(1.0, birge) / sqrt(total), 4))


def _retried(
    report: Report, mother: Past | None, focus: str, norms: Norms, phrases: Phrases
) -> Report:
    """A second try of one answer: what was advised, before and after, and nothing else; where two
    takes of one answer cannot show that, all that they can."""
    if mother is None:
        return report
    now = past(report)
    shown = bool(mother.figure(focus) and now.figure(focus))
    comparison = compared(
        mother,
        now,
        norms,
        report.setting,
        phrases,
        focus=focus if shown else "",
        alone=shown,
        label=criterion_label(report, focus),
    )
    if not comparison.changes and mother.by_ear == now.by_ear:
        content = focus and focus not in norms.measures
        why = phrases.reasons["practice"] if content else phrases.comparisons["short"]
        comparison = comparison.model_copy(update={"sentence": why})
    told = Feedback(headline=comparison.sentence, strengths=report.feedback.strengths[:1])
    return _telling(report.model_copy(update={"comparison": comparison}), told)


def _drilled(
    report: Report, mother: Past | None, norms: Norms, phrases: Phrases, drill_id: str
) -> Report:
    drill = phrases.drill(drill_id)
    if drill is None:
        return report
    result = drill_result(report, drill, mother, norms, phrases)
    told = Feedback(headline=result.sentence)
    return _telling(report.model_copy(update={"drill_result": result}), told)


def _telling(report: Report, told: Feedback) -> Report:
    lines = (told.headline, *(remark.text for remark in told.strengths))
    evaluation = report.evaluation.model_copy(update={"feedback": lines})
    return report.model_copy(update={"feedback": told, "evaluation": evaluation})
