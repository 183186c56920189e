"""What is derived from stored sessions: when it is made anew, and what one session tells of
others."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.bootstrap.takes import DAY, MONDAY, answer, keep, question, session

from eloquence.bootstrap import Eloquence, opened, reports
from eloquence.coaching import assessment
from eloquence.coaching.report import Report
from eloquence.coaching.session import Annotations, StoredSession
from eloquence.config import load
from eloquence.errors import ContentError, MarkNotFoundError, SessionNotFoundError

CALM = 0.2
"""Seconds of a pause that is none to speak of."""


@pytest.fixture
async def eloquence(tmp_path: Path) -> AsyncIterator[Eloquence]:
    async with opened(load(data=tmp_path)) as product:
        yield product


async def remembered(eloquence: Eloquence) -> list[str]:
    return [past.session for past in await eloquence.store.history("fr")]


def costly(report: Report) -> str:
    """The id of the mark that costs most."""
    return max(report.marks, key=lambda mark: max(mark.effects.values(), default=0.0)).id


async def test_a_report_is_kept_until_something_changes(eloquence: Eloquence) -> None:
    await keep(eloquence.store, session("s1"))
    first = await eloquence.reports.report("s1")
    assert await eloquence.reports.report("s1") is first
    await eloquence.reports.annotate("s1", worked="Le début.")
    second = await eloquence.reports.report("s1")
    assert second.worked == "Le début."
    await eloquence.store.annotate(
        "s1", lambda _: Annotations(dismissed=frozenset({costly(second)}))
    )
    third = await eloquence.reports.report("s1")
    assert any(mark.dismissed for mark in third.marks)
    assert await eloquence.reports.report("s1") is third


async def test_the_same_session_gives_the_same_report_in_another_process(tmp_path: Path) -> None:
    """Shown by 1: byte for byte."""
    made: list[list[Report]] = []
    for _ in range(2):
        async with opened(load(data=tmp_path)) as eloquence:
            if not made:
                await keep(eloquence.store, session("s1"))
                await keep(eloquence.store, session("s2", MONDAY + DAY))
            made.append([await eloquence.reports.report(one) for one in ("s1", "s2")])
    assert [one.model_dump_json() for one in made[0]] == [one.model_dump_json() for one in made[1]]


async def test_only_so_many_reports_are_kept_ready(
    eloquence: Eloquence, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reports, "MOST_KEPT", 2)
    for number in range(3):
        await keep(eloquence.store, session(f"s{number}", MONDAY + number * DAY))
    first = await eloquence.reports.report("s0")
    await eloquence.reports.report("s1")
    assert await eloquence.reports.report("s0") is first
    await eloquence.reports.report("s2")
    await eloquence.reports.report("s1")
    assert await eloquence.reports.report("s0") is not first


async def test_a_take_is_compared_with_the_one_before_and_no_more_when_that_is_deleted(
    eloquence: Eloquence,
) -> None:
    await keep(eloquence.store, session("s1"))
    await keep(
        eloquence.store, session("s2", MONDAY + DAY), question(0), answer(1, 3.0, pause=CALM)
    )
    report = await eloquence.reports.report("s2")
    assert report.comparison is not None
    assert report.comparison.session == "s1"
    verdicts = {change.measure: change.verdict for change in report.comparison.changes}
    assert verdicts["long_pauses"] == "better"
    assert report.appointment is not None
    await eloquence.reports.delete("s1")
    assert (await eloquence.reports.report("s2")).comparison is None
    with pytest.raises(SessionNotFoundError):
        await eloquence.reports.report("s1")


async def test_sessions_of_an_older_version_are_caught_up_with_oldest_first_and_a_few_at_a_time(
    eloquence: Eloquence, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reports, "CAUGHT_UP", 2)
    for number in range(6):
        await keep(eloquence.store, session(f"s{number}", MONDAY + number * DAY))
    assert await remembered(eloquence) == []
    await eloquence.reports.report("s5")
    assert await remembered(eloquence) == ["s0", "s1", "s5"]
    await eloquence.reports.report("s5")
    await eloquence.reports.report("s5")
    assert await remembered(eloquence) == [f"s{number}" for number in range(6)]


async def test_a_session_whose_exercise_is_gone_hinders_no_other(eloquence: Eloquence) -> None:
    await keep(eloquence.store, session("gone", exercise="of_another_author"))
    await keep(eloquence.store, session("s1", MONDAY + DAY))
    with pytest.raises(ContentError, match="of_another_author"):
        await eloquence.reports.report("gone")
    assert (await eloquence.reports.report("s1")).session == "s1"
    assert await remembered(eloquence) == ["s1"]


async def test_a_session_that_no_report_can_be_made_of_hinders_no_other(
    eloquence: Eloquence, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    made = assessment.assess

    def assess(stored: StoredSession, *given: Any, **more: Any) -> Report:
        if stored.session.id == "odd":
            raise ZeroDivisionError("what was said stays out of the log")
        return made(stored, *given, **more)

    monkeypatch.setattr(reports, "assess", assess)
    await keep(eloquence.store, session("odd"))
    await keep(eloquence.store, session("s1", MONDAY + DAY))
    assert (await eloquence.reports.report("s1")).session == "s1"
    eloquence.reports.ended("odd")
    await eloquence.reports.judged("odd")
    assert "session odd" in caplog.text
    assert "ZeroDivisionError" in caplog.text
    assert "what was said" not in caplog.text


async def test_a_live_session_has_a_report_that_nobody_remembers(eloquence: Eloquence) -> None:
    await keep(eloquence.store, session("s1"), ended=False)
    first = await eloquence.reports.report("s1")
    assert await remembered(eloquence) == []
    await eloquence.store.append("s1", question(2, 80.0))
    assert len((await eloquence.reports.report("s1")).turns) == len(first.turns) + 1


async def test_what_is_dismissed_changes_what_later_sessions_are_compared_with(
    eloquence: Eloquence,
) -> None:
    await keep(eloquence.store, session("s1"))
    await keep(eloquence.store, session("s2", MONDAY + DAY))
    later = await eloquence.reports.report("s2")
    report = await eloquence.reports.report("s1")
    await eloquence.reports.dismiss("s1", costly(report), dismissed=True)
    again = await eloquence.reports.report("s2")
    assert later.comparison is not None
    assert again.comparison is not None
    assert again.comparison.changes != later.comparison.changes


async def test_a_mark_that_is_gone_can_still_be_taken_back(eloquence: Eloquence) -> None:
    await keep(eloquence.store, session("s1"))
    with pytest.raises(MarkNotFoundError):
        await eloquence.reports.dismiss("s1", "tic@0.00", dismissed=True)
    await eloquence.store.annotate("s1", lambda _: Annotations(dismissed=frozenset({"tic@0.00"})))
    await eloquence.reports.dismiss("s1", "tic@0.00", dismissed=False)
    assert (await eloquence.store.get("s1")).annotations == Annotations()


async def test_a_second_try_is_compared_with_the_one_answer_that_it_tries(
    eloquence: Eloquence,
) -> None:
    """The first answer of the first take is halting, the second is not; the retry is not."""
    turns = (question(0), answer(1, 3.0), question(2, 80.0), answer(3, 83.0, pause=CALM))
    await keep(eloquence.store, session("s1"), *turns)
    advised = (await eloquence.reports.report("s1")).feedback.priority
    assert advised is not None
    retried: dict[str, Any] = {"purpose": "retry", "of": "s1", "retried": 1}
    await keep(
        eloquence.store,
        session("r1", MONDAY + 600, **retried),
        question(0),
        answer(1, 3.0, pause=CALM),
    )
    report = await eloquence.reports.report("r1")
    assert report.comparison is not None
    (change,) = report.comparison.changes
    assert change.measure == advised.measure
    assert change.verdict == "better"
    whole = await eloquence.reports.report("s1")
    measured = {measure.id: measure.value for measure in whole.measures}
    assert change.before != pytest.approx(measured[advised.measure], rel=0.02)
    assert (await eloquence.reports.compare("r1", "s1")) == report.comparison


async def test_a_second_try_of_what_was_deleted_has_a_report_too(eloquence: Eloquence) -> None:
    retried: dict[str, Any] = {"purpose": "retry", "of": "s1", "retried": 1}
    await keep(eloquence.store, session("r1", **retried))
    assert (await eloquence.reports.report("r1")).comparison is None


async def test_a_drill_tells_whether_it_reached_its_target(eloquence: Eloquence) -> None:
    await keep(eloquence.store, session("s1"))
    drill = (await eloquence.reports.report("s1")).feedback.drill
    assert drill is not None
    did = {"purpose": "drill", "of": "s1", "drill": drill.id}
    await keep(
        eloquence.store, session("d1", MONDAY + 600, **did), question(0), answer(1, 3.0, pause=CALM)
    )
    result = (await eloquence.reports.report("d1")).drill_result
    assert result is not None
    assert result.drill == drill.id
    assert result.value is not None


async def test_takes_of_two_languages_have_nothing_to_compare(eloquence: Eloquence) -> None:
    await keep(eloquence.store, session("s1"))
    await keep(eloquence.store, session("e1", MONDAY + DAY, language="en"))
    assert (await eloquence.reports.compare("e1", "s1")).changes == ()


async def test_progress_is_that_of_one_exercise_or_of_all(eloquence: Eloquence) -> None:
    nothing = await eloquence.reports.progress("fr")
    assert (nothing.takes, nothing.setting) == (0, "conversation")
    for number in range(3):
        await keep(eloquence.store, session(f"s{number}", MONDAY + number * DAY))
    other = {"exercise": "presentation_publique", "scenario": "pitch"}
    await keep(eloquence.store, session("p1", MONDAY + 9 * DAY, **other))
    libre = await eloquence.reports.progress("fr", exercise="conversation_libre_marie")
    assert (libre.takes, libre.setting) == (3, "conversation")
    rate = next(trend for trend in libre.trends if trend.measure == "speech_rate")
    assert [point.session for point in rate.points] == ["s0", "s1", "s2"]
    everything = await eloquence.reports.progress("fr")
    assert (everything.takes, everything.setting) == (1, "presentation")
    talks = await eloquence.reports.progress("fr", setting="conversation")
    assert talks.takes == 3
    with pytest.raises(ContentError):
        await eloquence.reports.progress("fr", exercise="nothing")


async def test_the_next_goal_is_the_one_proposed_in_the_learners_own_words(
    eloquence: Eloquence,
) -> None:
    libre = "conversation_libre_marie"
    assert await eloquence.reports.proposal(libre, "fr") is None
    await keep(eloquence.store, session("s1"))
    report = await eloquence.reports.report("s1")
    assert report.proposal is not None
    goal = await eloquence.reports.proposal(libre, "fr")
    assert goal is not None
    assert (goal.measure, goal.plan) == (report.proposal.measure, report.proposal.plan)
    await eloquence.reports.annotate("s1", plan="Si je cherche un mot, alors je respire.")
    goal = await eloquence.reports.proposal(libre, "fr")
    assert goal is not None
    assert goal.plan == "Si je cherche un mot, alors je respire."
    elsewhere = await eloquence.reports.proposal("presentation_publique", "fr")
    assert elsewhere is not None
    assert elsewhere.measure == goal.measure
    with pytest.raises(ContentError):
        await eloquence.reports.proposal("nothing", "fr")
