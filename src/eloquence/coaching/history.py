"""What past sessions leave for later ones: raw measures with their errors, and the advice given."""

from collections.abc import Mapping
from math import hypot
from typing import Literal

from pydantic import Field

from eloquence.coaching.character import Language, Model
from eloquence.coaching.exercise import Register
from eloquence.coaching.norms import Points
from eloquence.coaching.report import JudgedPart, Report
from eloquence.coaching.session import Profile, Purpose

Verdict = Literal["better", "worse", "same", "changed"]
"""`same`: within measurement error. `changed`: beyond it, with no good or bad direction."""

DAY = 86_400.0
"""Seconds."""
CERTAIN = 1.28
"""Standard errors of an 80 % interval, two-sided."""
JUDGED: Points = (0.0, 0.7, 0.75, None, None, None)
"""The band of a judged criterion, whose value is its score."""
RESTING_SESSIONS = 3
RESTING_DAYS = 7
"""A tip that was given is not given again before so many sessions or days, unless the learner has
moved on it."""
PASSES = 3
"""A goal that was held so many times in a row makes room for another one."""
CHECK_DAYS = 14
"""After so many days a mastered goal comes back once, to see whether it lasts."""


class Figure(Model):
    """A raw measure of one session and its standard error, in the measure's unit."""

    value: float
    error: float


class Past(Model):
    """One earlier session of the same learner, small enough to be kept for years."""

    session: str
    exercise: str
    title: str = ""
    language: Language
    setting: Register = "conversation"
    started_at: float
    seconds: float
    """Speech that was scored, in seconds."""
    words: int
    by_ear: bool
    profile: Profile = "native"
    purpose: Purpose = "exercise"
    of: str = ""
    goal: str = ""
    held: bool | None = None
    """Whether it held its goal."""
    measures: dict[str, Figure] = Field(default_factory=dict)
    criteria: dict[str, Figure] = Field(default_factory=dict)
    """Judged criteria: their scores."""
    scores: dict[str, float] = Field(default_factory=dict)
    """Dimension -> score, of those that were scored."""
    priority: str = ""
    """The measure or criterion that the advice was about."""
    drill: str = ""
    """The drill that went with it."""

    def figure(self, name: str) -> Figure | None:
        """The figure of a measure or criterion of that name."""
        return self.measures.get(name) or self.criteria.get(name)


History = tuple[Past, ...]
"""Oldest first; never the session that is being reported."""


def past(report: Report) -> Past:
    """What a report leaves for later ones. Make it of the finished one, with its goal."""
    goal, told = report.goal, report.feedback
    return Past(
        session=report.session,
        exercise=report.exercise,
        title=report.title,
        language=report.language,
        setting=report.setting,
        started_at=report.started_at,
        seconds=report.speech_seconds,
        words=report.word_count,
        by_ear=not report.word_count,
        profile=report.profile,
        purpose=report.purpose,
        of=report.of,
        goal="" if goal is None else goal.measure,
        held=None if goal is None else goal.held,
        measures={
            measure.id: Figure(value=measure.value, error=measure.error)
            for measure in report.measures
            if measure.value is not None and measure.error is not None
        },
        criteria={
            part.criterion: figure
            for dimension in report.dimensions
            for part in dimension.criteria
            if (figure := judged_figure(part)) is not None
        },
        scores={one.dimension: one.score for one in report.dimensions if one.score is not None},
        priority="" if told.priority is None else told.priority.measure,
        drill="" if told.drill is None else told.drill.id,
    )


def judged_figure(criterion: JudgedPart) -> Figure | None:
    """The score of a judged criterion, with the error that its 80 % interval means."""
    if criterion.score is None or criterion.measured:
        return None
    low = criterion.score if criterion.low is None else criterion.low
    high = criterion.score if criterion.high is None else criterion.high
    return Figure(value=criterion.score, error=(high - low) / 2 / CERTAIN)


def margin(before: Figure, after: Figure) -> float:
    """What a change must exceed to be more than measurement error: 1.28 sqrt(SE1^2 + SE2^2)."""
    return CERTAIN * hypot(before.error, after.error)


def verdict(before: Figure, after: Figure, points: Points | None) -> Verdict:
    """Whether the change goes toward the target zone of a band, away from it, or is within error.

    Without a band, or inside the target zone, a change has no direction.
    """
    if abs(after.value - before.value) <= margin(before, after):
        return "same"
    if points is None:
        return "changed"
    was, now = (_distance(figure.value, points) for figure in (before, after))
    if now == was:
        return "changed"
    return "better" if now < was else "worse"


def held(figure: Figure, points: Points) -> bool | None:
    """Whether a value lies in the passing range of a band (from p_lo to p_hi): True when its whole
    80 % interval does, False when none of it does, None when that cannot be told."""
    low, high = (figure.value + way * CERTAIN * figure.error for way in (-1, 1))
    least = float("-inf") if points[1] is None else points[1]
    most = float("inf") if points[4] is None else points[4]
    if least <= low and high <= most:
        return True
    return False if high < least or low > most else None


def resting(
    history: History,
    figures: Mapping[str, Figure],
    bands: Mapping[str, Points],
    *,
    started_at: float,
    by_ear: bool = False,
) -> frozenset[str]:
    """What no advice is given about in a session that began at `started_at` (POSIX seconds).

    That is what was advised within both the last three sessions and the last week, where the
    learner has not moved since beyond measurement error; and goals mastered in the last two weeks.
    `figures` are those of this session.
    """
    rest = {
        name for name, last in mastered(history).items() if started_at < last + CHECK_DAYS * DAY
    }
    done = [past for past in history if past.purpose == "exercise"]
    for past in done[-RESTING_SESSIONS:]:
        name = past.priority
        if not name or started_at - past.started_at >= RESTING_DAYS * DAY:
            continue
        before, after = past.figure(name), figures.get(name)
        moved = (
            before is not None
            and after is not None
            and past.by_ear == by_ear
            and verdict(before, after, bands.get(name)) == "better"
        )
        if not moved:
            rest.add(name)
    return frozenset(rest)


def mastered(history: History) -> dict[str, float]:
    """The goals that were held three times in a row, and when the last of these was (POSIX
    seconds). A goal that was not held since has to be worked on again."""
    found: dict[str, float] = {}
    runs: dict[str, int] = {}
    for past in history:
        if past.purpose != "exercise" or not past.goal:
            continue
        if past.held is False:
            runs[past.goal] = 0
            found.pop(past.goal, None)
        elif past.held:
            runs[past.goal] = runs.get(past.goal, 0) + 1
            if runs[past.goal] >= PASSES:
                found[past.goal] = past.started_at
    return found


def _distance(value: float, points: Points) -> float:
    """How far a value lies outside the target zone."""
    below = 0.0 if points[2] is None else points[2] - value
    above = 0.0 if points[3] is None else value - points[3]
    return max(0.0, below, above)
