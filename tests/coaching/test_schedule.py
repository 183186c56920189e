"""The goal of the next session, and when to come back."""

from collections.abc import Callable, Iterable

import pytest

from eloquence.coaching.history import DAY, Past
from eloquence.coaching.norms import Norms
from eloquence.coaching.phrases import Phrases, Side
from eloquence.coaching.report import Drill, Feedback, Goal, Remark, Report
from eloquence.coaching.schedule import appointment, goal_outcome, proposal

Take = Callable[..., Past]
Reported = Callable[..., Report]
NOW = 1_700_000_000.0


@pytest.mark.parametrize(
    ("earlier", "days"),
    [
        ((), (1, 2)),
        ((2,), (4, 7)),
        ((8, 2), (13, 15)),
        ((30, 16, 8, 2), (13, 15)),
    ],
)
def test_one_comes_back_after_1_to_2_then_4_to_7_then_14_days(
    take: Take, phrases: Phrases, earlier: Iterable[float], days: tuple[int, int]
) -> None:
    history = tuple(take(day, goal="tics") for day in earlier)
    found = appointment(history, NOW, phrases, goal="tics")
    assert found.days == days
    assert (found.first, found.last) == (NOW + days[0] * DAY, NOW + days[1] * DAY)
    assert f"{days[0]} à {days[1]} jours" in found.sentence


def test_sessions_of_the_same_hour_count_as_one(take: Take, phrases: Phrases) -> None:
    history = tuple(take(hours / 24, goal="tics") for hours in (3, 2, 1))
    assert appointment(history, NOW, phrases, goal="tics").days == (1, 2)


def test_another_goal_starts_again_and_a_drill_in_between_changes_nothing(
    take: Take, phrases: Phrases
) -> None:
    other = (take(9, goal="tics"), take(2, goal="hedges"))
    assert appointment(other, NOW, phrases, goal="tics").days == (1, 2)
    drilled = (take(2, goal="tics"), take(1, goal="", purpose="drill"))
    assert appointment(drilled, NOW, phrases, goal="tics").days == (4, 7)


def test_without_a_goal_the_advice_counts_as_what_was_worked_on(
    take: Take, phrases: Phrases
) -> None:
    history = (take(2, priority="tics"),)
    assert appointment(history, NOW, phrases, goal="tics").days == (4, 7)


@pytest.mark.parametrize(
    ("value", "held", "said"),
    [(1.0, True, "Objectif tenu"), (9.0, False, "pas encore"), (5.5, None, "tout près")],
)
def test_a_goal_is_held_when_the_whole_interval_passes(
    reported: Reported,
    norms: Norms,
    phrases: Phrases,
    value: float,
    held: bool | None,
    said: str,
) -> None:
    report = reported({"mid_phrase_pauses": (value, 0.8)})
    goal = goal_outcome(report, "mid_phrase_pauses", norms, phrases)
    assert goal.held is held
    assert said in goal.sentence
    assert f"{value:.1f}".replace(".", ",") in goal.sentence
    assert goal.plan == phrases.plans["mid_phrase_pauses"]["high"]


def test_a_goal_that_was_not_measured_is_neither_held_nor_missed(
    reported: Reported, norms: Norms, phrases: Phrases
) -> None:
    for name in ("mid_phrase_pauses", "no_such_thing"):
        goal = goal_outcome(reported(), name, norms, phrases)
        assert goal.held is None
        assert goal.sentence == phrases.goals["not_measured"]


@pytest.mark.parametrize(
    ("score", "low", "high", "held"), [(0.9, 0.8, 1.0, True), (0.35, 0.2, 0.5, False)]
)
def test_a_goal_may_be_a_judged_criterion(
    reported: Reported,
    norms: Norms,
    phrases: Phrases,
    score: float,
    low: float,
    high: float,
    held: bool,
) -> None:
    report = reported(criteria={"result": (score, low, high)})
    goal = goal_outcome(report, "result", norms, phrases)
    assert goal.held is held
    assert goal.label == "Result"
    assert "Result" in goal.plan


def test_the_plan_is_for_the_side_that_the_value_lies_on(
    reported: Reported, norms: Norms, phrases: Phrases
) -> None:
    sides: tuple[tuple[float, Side], ...] = (
        (3.0, "low"), (7.0, "high"), (4.3, "low"), (5.5, "high")
    )  # fmt: skip
    for value, side in sides:
        goal = goal_outcome(reported({"speech_rate": (value, 0.2)}), "speech_rate", norms, phrases)
        assert goal.plan == phrases.plans["speech_rate"][side]


def advised(measure: str) -> Feedback:
    return Feedback(
        headline="h",
        priority=Remark(title="t", text="x", measure=measure),
        drill=Drill(id="d", title="t", instructions="i", seconds=60, success="s", measure=measure),
    )


def test_the_next_goal_is_the_priority_of_the_advice(
    reported: Reported, norms: Norms, phrases: Phrases
) -> None:
    report = reported({"tics": (8.0, 1.0)}, feedback=advised("tics"))
    goal = proposal(report, (), norms, phrases)
    assert goal is not None
    assert goal.measure == "tics"
    assert goal.held is None
    assert goal.plan == phrases.plans["tics"]["high"]


def test_a_goal_that_was_held_stays_until_it_was_held_three_times(
    reported: Reported, norms: Norms, phrases: Phrases, take: Take
) -> None:
    goal = Goal(measure="hedges", label="l", plan="p", held=True)
    report = reported({"hedges": (0.2, 0.3)}, feedback=advised("tics"), goal=goal)
    for passes, expected in ((1, "hedges"), (2, "hedges"), (3, "tics")):
        history = tuple(take(5 - index, goal="hedges", held=True) for index in range(passes))
        found = proposal(report, history, norms, phrases)
        assert found is not None
        assert found.measure == expected


def test_a_goal_missed_in_between_starts_its_three_again(
    reported: Reported, norms: Norms, phrases: Phrases, take: Take
) -> None:
    goal = Goal(measure="hedges", label="l", plan="p", held=True)
    report = reported(feedback=advised("tics"), goal=goal)
    held = (True, True, False, True)
    history = tuple(take(5 - index, goal="hedges", held=each) for index, each in enumerate(held))
    found = proposal(report, history, norms, phrases)
    assert found is not None
    assert found.measure == "hedges"


def test_a_mastered_goal_comes_back_after_two_weeks_as_a_check(
    reported: Reported, norms: Norms, phrases: Phrases, take: Take
) -> None:
    report = reported(feedback=advised("tics"))
    early = tuple(take(day, goal="hedges", held=True) for day in (20, 18, 10))
    late = tuple(take(day, goal="hedges", held=True) for day in (30, 22, 15))
    before, after = (proposal(report, history, norms, phrases) for history in (early, late))
    assert before is not None
    assert after is not None
    assert before.measure == "tics"
    assert after.measure == "hedges"
    assert after.sentence == phrases.goals["check"]
    checked = (*late, take(0.5, goal="hedges", held=True))
    again = proposal(report, checked, norms, phrases)
    assert again is not None
    assert again.measure == "tics"


def test_with_nothing_to_work_on_there_is_no_goal(
    reported: Reported, norms: Norms, phrases: Phrases
) -> None:
    assert proposal(reported(), (), norms, phrases) is None
