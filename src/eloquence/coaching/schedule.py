"""What comes next: the goal of the next session, and when to come back."""

from eloquence.coaching.drills import judged_part, level_text
from eloquence.coaching.exercise import Exercise
from eloquence.coaching.history import (
    CHECK_DAYS,
    DAY,
    JUDGED,
    Figure,
    History,
    held,
    mastered,
    past,
)
from eloquence.coaching.norms import Norms, Points
from eloquence.coaching.phrases import Phrases, Side
from eloquence.coaching.report import Appointment, Goal, Report

RETURNS: tuple[tuple[int, int], ...] = ((1, 2), (4, 7), (13, 15))
"""Days after the first, the second and every later session on a goal: spaced practice is kept
longer than massed practice (Latimier 2021)."""
_APART = DAY / 2


def appointment(
    history: History, report_started_at: float, phrases: Phrases, *, goal: str = ""
) -> Appointment:
    """When to come back after a session that began at `report_started_at` (POSIX seconds).

    `goal` is the measure or criterion that was worked on; the more sessions in a row were done on
    it, each at least half a day apart, the later.
    """
    count, latest = 1, report_started_at
    for one in reversed(history):
        if one.purpose != "exercise":
            continue
        if (one.goal or one.priority) != goal:
            break
        if latest - one.started_at >= _APART:
            count, latest = count + 1, one.started_at
    first, last = days = RETURNS[min(count, len(RETURNS)) - 1]
    wording = phrases.appointments["first" if count == 1 else "second" if count == 2 else "later"]
    return Appointment(
        first=report_started_at + first * DAY,
        last=report_started_at + last * DAY,
        days=days,
        sentence=wording.format(days=phrases.target["between"].format(low=first, high=last)),
    )


def goals(exercise: Exercise, norms: Norms, phrases: Phrases, *, by_ear: bool) -> tuple[Goal, ...]:
    """All that one may choose to work on in an exercise: the measures of its own dimensions, the
    weightiest first. `norms` are those of the exercise; by ear only what needs no words."""
    weights: dict[str, float] = {}
    for name in exercise.criteria.dimensions:
        for measure, weight in norms.dimensions[name].parts.items():
            weights[measure] = weights.get(measure, 0.0) + weight
    found = []
    for measure in sorted(weights, key=lambda one: (-weights[one], one)):
        norm, plans = norms.measures[measure], phrases.plans.get(measure, {})
        if plans and not (by_ear and norm.by_ear is None):
            plan = plans.get("high") or next(iter(plans.values()))
            found.append(Goal(measure=measure, label=norm.label, plan=plan))
    return tuple(found)


def goal_outcome(report: Report, goal_measure: str, norms: Norms, phrases: Phrases) -> Goal:
    """Whether a session held its goal: True when the whole 80 % interval lies in the passing range
    of its band, False when none of it does, None in between or when it was not measured."""
    goal = _goal(report, goal_measure, norms, phrases)
    figure, points = past(report).figure(goal_measure), _points(report, goal_measure, norms)
    if figure is None or points is None:
        return goal.model_copy(update={"sentence": phrases.goals["not_measured"]})
    outcome = held(figure, points)
    kind = phrases.goals["open" if outcome is None else "held" if outcome else "missed"]
    criterion = judged_part(report, goal_measure)
    if criterion is not None:
        value, target = level_text(criterion, criterion.level), level_text(criterion)
    else:
        norm = norms.measures[goal_measure]
        value, target = phrases.quantity(figure.value, norm), phrases.zone(points, norm)
    sentence = kind.format(label=goal.label, value=value, target=target)
    return goal.model_copy(update={"held": outcome, "sentence": sentence})


def proposal(report: Report, history: History, norms: Norms, phrases: Phrases) -> Goal | None:
    """The goal for the next session; None when there is nothing to work on.

    A mastered goal comes back once after two weeks. A goal that was held stays until it was held
    three times in a row; then, as before, it is the priority of the advice. `history` may end with
    this very session.
    """
    done = mastered(history)
    due = min(
        (name for name, last in done.items() if report.started_at >= last + CHECK_DAYS * DAY),
        key=lambda name: (done[name], name),
        default="",
    )
    if due and _known(report, due, norms):
        return _goal(report, due, norms, phrases).model_copy(
            update={"sentence": phrases.goals["check"]}
        )
    now = report.goal
    told = report.feedback
    wanted = (
        now.measure if now is not None and now.held else "",
        told.priority.measure if told.priority is not None else "",
        told.drill.measure if told.drill is not None else "",
        now.measure if now is not None else "",
    )
    chosen = next(
        (name for name in wanted if name and name not in done and _known(report, name, norms)), ""
    )
    if not chosen:
        return None
    return _goal(report, chosen, norms, phrases).model_copy(
        update={"sentence": phrases.goals["next"]}
    )


def _goal(report: Report, name: str, norms: Norms, phrases: Phrases) -> Goal:
    criterion = judged_part(report, name)
    if criterion is not None:
        plan = phrases.judged.plan.format(
            label=criterion.label, moment="", quote="", level="", next="", missing=""
        )
        return Goal(measure=name, label=criterion.label, plan=plan)
    if name not in norms.measures:
        return Goal(measure=name, label="", plan="")
    plans = phrases.plans.get(name, {})
    where = _side(past(report).figure(name), _points(report, name, norms))
    plan = plans.get(where) or next(iter(plans.values()), "")
    return Goal(measure=name, label=norms.measures[name].label, plan=plan)


def _side(figure: Figure | None, points: Points | None) -> Side:
    """The side of its target zone that a value lies on, or the nearer edge when it is inside."""
    if figure is None or points is None or points[2] is None:
        return "high"
    if points[3] is None:
        return "low"
    return "low" if figure.value - points[2] < points[3] - figure.value else "high"


def _known(report: Report, name: str, norms: Norms) -> bool:
    return name in norms.measures or judged_part(report, name) is not None


def _points(report: Report, name: str, norms: Norms) -> Points | None:
    if name in norms.measures:
        return norms.measures[name].bands.get(report.setting)
    return JUDGED
