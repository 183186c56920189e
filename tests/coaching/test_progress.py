"""Takes beside each other: what counts as a change, trends, and what a drill or retry came to."""

import random
import re
import statistics
import tarfile
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eloquence.coaching.exercise import Register
from eloquence.coaching.history import Figure, Past, margin, verdict
from eloquence.coaching.norms import Norms, Points
from eloquence.coaching.phrases import Phrases
from eloquence.coaching.progress import compared, past, placed, progress, restricted
from eloquence.coaching.report import Mark, Measure, Report, ReportTurn
from eloquence.coaching.session import Session, StoredSession, Turn
from eloquence.delivery.words import Word

Take = Callable[..., Past]
Reported = Callable[..., Report]
NOW = 1_700_000_000.0
PAUSES = "mid_phrase_pauses"


def session(**other: Any) -> Session:
    given = {
        "id": "now",
        "exercise": "free_talk",
        "scenario": "first",
        "character": "marie_coach",
        "language": "fr",
        "started_at": NOW,
    }
    return Session.model_validate(given | other)


def test_a_change_beyond_the_error_toward_the_zone_is_progress(
    take: Take, norms: Norms, phrases: Phrases
) -> None:
    before, after = take(2, {PAUSES: (6.1, 0.8)}), take(0, {PAUSES: (3.2, 0.8)})
    found = compared(before, after, norms, "conversation", phrases, focus=PAUSES)
    (change,) = found.changes
    assert change.verdict == "better"
    assert change.margin == pytest.approx(1.28 * (0.8**2 + 0.8**2) ** 0.5, abs=1e-4)
    assert (
        found.sentence
        == change.sentence
        == (
            "Pauses au milieu d’une phrase\u00a0: 6,1 → 3,2 par minute. "
            "C’est un vrai progrès, au-delà de la variation normale."
        )
    )
    assert (found.session, found.title) == (before.session, before.title)


def test_a_change_within_the_error_is_none_and_says_how_large_it_may_be(
    take: Take, norms: Norms, phrases: Phrases
) -> None:
    before, after = take(2, {PAUSES: (4.0, 1.0)}), take(0, {PAUSES: (2.5, 1.0)})
    (change,) = compared(before, after, norms, "conversation", phrases).changes
    assert change.verdict == "same"
    assert "jusqu’à 1,8 par minute" in change.sentence


def test_a_share_is_written_as_a_percentage(take: Take, norms: Norms, phrases: Phrases) -> None:
    before = take(2, {"phonation_ratio": (0.6, 0.03)})
    after = take(0, {"phonation_ratio": (0.75, 0.03)})
    (change,) = compared(before, after, norms, "conversation", phrases).changes
    assert "60\u00a0% → 75\u00a0% du temps" in change.sentence
    assert change.percent


BANDS: dict[str, Points] = {
    "both": (1.0, 2.0, 3.0, 5.0, 6.0, 8.0),
    "at most": (None, None, None, 3.0, 4.0, 8.0),
    "at least": (-9.0, -6.0, -3.0, None, None, None),
}
values = st.floats(-20, 20)
errors = st.floats(0, 5)


@given(values, errors, values, errors, st.sampled_from(list(BANDS.values())))
def test_what_is_better_one_way_is_worse_the_other(
    one: float, first: float, two: float, second: float, points: Points
) -> None:
    here, there = Figure(value=one, error=first), Figure(value=two, error=second)
    opposite = {"better": "worse", "worse": "better", "same": "same", "changed": "changed"}
    forth = verdict(here, there, points)
    assert verdict(there, here, points) == opposite[forth]
    assert (forth == "same") == (abs(one - two) <= margin(here, there))


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [(8, 4, "better"), (2, 4, "better"), (4, 8, "worse"), (3.2, 4.8, "changed"), (1, 7, "changed")],
)
def test_better_means_nearer_to_the_target_zone(before: float, after: float, expected: str) -> None:
    pair = (Figure(value=before, error=0.1), Figure(value=after, error=0.1))
    assert verdict(*pair, BANDS["both"]) == expected


def test_two_takes_of_the_same_skill_are_called_the_same_four_times_in_five() -> None:
    dice = random.Random(4)
    same = 0
    for _ in range(4000):
        before, after = (Figure(value=dice.gauss(5, error), error=error) for error in (1.5, 0.7))
        same += verdict(before, after, BANDS["at most"]) == "same"
    assert same / 4000 == pytest.approx(0.8, abs=0.02)


def test_among_many_measures_chance_alone_is_rarely_named(
    take: Take, norms: Norms, phrases: Phrases
) -> None:
    names = [name for name, norm in norms.measures.items() if "conversation" in norm.bands]
    assert len(names) > 10
    dice = random.Random(7)
    named = 0
    for _ in range(300):
        before, after = (
            take(day, {name: (dice.gauss(10, 1), 1.0) for name in names}) for day in (2, 0)
        )
        found = compared(before, after, norms, "conversation", phrases)
        named += found.sentence != phrases.comparisons["same"]
    assert named / 300 < 0.25


@pytest.mark.speech
def test_neighbouring_stretches_of_one_speaker_are_mostly_called_the_same(
    assessed: Callable[..., Report], norms: Norms, shared_data: Path
) -> None:
    """Rhapsodie, 59 pairs of about 100 words: nothing was practised in between."""
    verdicts: dict[str, list[str]] = {}
    for name, words in monologues(shared_data / "rhapsodie/rhapsodie_prosody_pauses.tar.xz"):
        setting: Register = "presentation" if name.startswith("Rhap_M2") else "conversation"
        size = max(1, len(words) // max(1, len(words) // 100))
        cut = [words[at : at + size] for at in range(0, len(words) - size + 1, size)]
        pieces = [piece for piece in cut if len(piece) >= 80]
        reports = [assessed([spoken(piece)], register=setting) for piece in pieces]
        for before, after in pairwise(past(report) for report in reports):
            for measure in before.measures.keys() & after.measures.keys():
                points = norms.measures[measure].bands.get(setting)
                told = verdict(before.measures[measure], after.measures[measure], points)
                verdicts.setdefault(measure, []).append(told)
    shares = {
        measure: sum(one == "same" for one in told) / len(told)
        for measure, told in verdicts.items()
        if len(told) >= 25
    }
    assert {"speech_rate", "mid_phrase_pauses", "filled_pauses", "hedges"} <= set(shares)
    assert min(shares.values()) > 0.7, shares
    assert statistics.fmean(shares.values()) > 0.8


def monologues(archive: Path) -> Iterator[tuple[str, tuple[Word, ...]]]:
    """The timed words of the monologues of Rhapsodie that were aligned by hand."""
    with tarfile.open(archive) as files:
        for member in sorted(files.getmembers(), key=lambda one: one.name):
            file = files.extractfile(member) if "Rhap_M" in member.name else None
            lines = file.read().decode().splitlines() if file else []
            if any(
                line.startswith("# prosodic_annotation") and "yes" not in line for line in lines
            ):
                continue
            words: list[Word] = []
            for fields in (line.split("\t") for line in lines):
                times = re.search(r"AlignBegin=(\d+)\|AlignEnd=(\d+)", "\t".join(fields))
                if times is None or not fields[0].isdigit():
                    continue
                if fields[3] != "PUNCT":
                    words.append(Word(fields[1], int(times[1]) / 1000, int(times[2]) / 1000))
                elif fields[1] != "#" and words:
                    last = words[-1]
                    words[-1] = Word(last.text + fields[1], last.start, last.end)
            yield Path(member.name).stem, tuple(words)


def spoken(words: tuple[Word, ...]) -> Turn:
    return Turn(
        index=0,
        speaker="learner",
        start=words[0].start,
        end=words[-1].end,
        text=" ".join(word.text for word in words),
        words=words,
    )


def sentences(count: int, *, cut: int) -> tuple[Word, ...]:
    """Sentences of ten words of two syllables, with a pause after each and, in every `cut`-th of
    them, one in its middle."""
    words, clock = [], 0.0
    for index in range(count):
        for place in range(10):
            stop = "." if place == 9 else ""
            words.append(Word("maison" + stop, clock, clock + 0.4))
            inside = place == 4 and index % cut == 0
            clock += 0.4 + (0.6 if place == 9 or inside else 0.0)
    return tuple(words)


def test_a_second_take_with_half_the_pauses_is_told_as_progress_from_end_to_end(
    assessed: Callable[..., Report], norms: Norms, phrases: Phrases
) -> None:
    first = assessed([spoken(sentences(24, cut=1))])
    first = placed(first, (), norms, phrases, session=session(id="first"))
    assert first.feedback.priority is not None
    assert first.feedback.priority.measure == PAUSES
    assert first.proposal is not None
    later = session(goal=first.proposal.measure)
    second = placed(
        assessed([spoken(sentences(24, cut=8))]), (past(first),), norms, phrases, session=later
    )
    assert second.comparison is not None
    assert second.comparison.changes[0].measure == PAUSES
    assert second.comparison.changes[0].verdict == "better"
    assert "vrai progrès" in second.comparison.sentence
    assert second.goal is not None
    assert second.goal.held is True


def test_by_ear_and_with_words_only_what_the_ear_tells_as_well_is_compared(
    take: Take, norms: Norms, phrases: Phrases
) -> None:
    figures = {"speech_rate": (4.0, 0.3), "pitch_variation": (1.5, 0.3)}
    before, after = take(2, figures, by_ear=True), take(0, figures)
    found = compared(before, after, norms, "conversation", phrases)
    assert [change.measure for change in found.changes] == ["pitch_variation"]
    assert phrases.comparisons["by_ear"] in found.sentence


def test_takes_with_nothing_in_common_say_so(take: Take, norms: Norms, phrases: Phrases) -> None:
    found = compared(take(2), take(0), norms, "conversation", phrases)
    assert found.changes == ()
    assert found.sentence == phrases.comparisons["none"]


def test_the_baseline_is_the_mean_of_the_first_takes_by_the_weight_of_their_errors(
    take: Take, norms: Norms, phrases: Phrases
) -> None:
    rates = [(4.0, 0.2), (4.3, 0.4), (5.0, 0.2), (5.2, 0.2)]
    history = tuple(
        take(9 - day, {"speech_rate": rate}, seconds=60.0) for day, rate in enumerate(rates)
    )
    found = progress(history, norms, phrases)
    (trend,) = found.trends
    mean = (4.0 / 0.04 + 4.3 / 0.16) / (1 / 0.04 + 1 / 0.16)
    assert trend.baseline.value == pytest.approx(mean, abs=1e-4)
    assert trend.baseline.error == pytest.approx((1 / 0.04 + 1 / 0.16) ** -0.5, abs=1e-4)
    assert [point.value for point in trend.points] == [4.0, 4.3, 5.0, 5.2]
    assert trend.points[0].seconds == 60
    assert trend.band == (4.2, 5.6)
    assert trend.verdict == "better"
    assert "4,1 au début, 5,1 syllabes/s à présent" in trend.sentence
    assert found.takes == 4
    assert "4" in found.sentence
    assert "4,0 minutes" in found.sentence


def test_first_takes_that_scatter_more_than_their_errors_make_a_wider_baseline(
    take: Take, norms: Norms, phrases: Phrases
) -> None:
    calm = tuple(take(9 - n, {"tics": (6.0, 0.5)}) for n in range(6))
    wild = tuple(take(9 - n, {"tics": (value, 0.5)}) for n, value in enumerate([3, 6, 9] * 2))
    narrow, wide = (progress(each, norms, phrases).trends[0].baseline for each in (calm, wild))
    assert narrow.error == pytest.approx(0.5 / 3**0.5, abs=1e-3)
    assert wide.error == pytest.approx(3 / 3**0.5, abs=1e-3)


@pytest.mark.parametrize("count", [1, 2])
def test_with_few_takes_no_trend_is_claimed(
    take: Take, norms: Norms, phrases: Phrases, count: int
) -> None:
    history = tuple(take(9 - n, {"tics": (9.0 - 4 * n, 0.1)}) for n in range(count))
    (trend,) = progress(history, norms, phrases).trends
    assert trend.verdict == "few"
    assert "trois prises" in trend.sentence


def test_only_comparable_takes_are_put_in_a_row(take: Take, norms: Norms, phrases: Phrases) -> None:
    figures = {"speech_rate": (4.4, 0.3)}
    history = (
        take(9, figures, by_ear=True),
        take(8, figures, purpose="drill"),
        take(7, figures, purpose="retry"),
        take(6, figures, setting="presentation"),
        take(5, figures, seconds=9.0),
        take(4, figures),
        take(3, figures),
    )
    found = progress(history, norms, phrases)
    assert [point.session for point in found.trends[0].points] == ["s-4", "s-3"]
    assert found.notes == (phrases.trends["apart"].format(count=1),)
    assert not found.by_ear


def test_without_takes_there_is_no_progress_and_it_is_said(norms: Norms, phrases: Phrases) -> None:
    found = progress((), norms, phrases)
    assert found.trends == ()
    assert found.sentence == phrases.trends["none"]


def test_nobody_is_compared_with_others(phrases: Phrases) -> None:
    told = " ".join([*phrases.trends.values(), *phrases.comparisons.values()])
    assert not re.search(r"moyenne des|autres (person|appren)|que \d+ %|class", told)


def test_a_report_is_placed_beside_the_last_take_of_the_same_exercise(
    take: Take, reported: Reported, norms: Norms, phrases: Phrases
) -> None:
    history = (
        take(9, {PAUSES: (7.0, 0.8)}, priority=PAUSES),
        take(5, {PAUSES: (6.1, 0.8)}, priority=PAUSES),
        take(4, {PAUSES: (1.0, 0.8)}, exercise="pitch"),
        take(3, {PAUSES: (1.0, 0.8)}, purpose="retry"),
    )
    report = placed(reported({PAUSES: (3.2, 0.8)}), history, norms, phrases, session=session())
    assert report.comparison is not None
    assert report.comparison.session == "s-5"
    assert "6,1 → 3,2" in report.comparison.sentence
    assert report.goal is None
    assert report.appointment is not None


def test_a_take_too_short_to_be_scored_is_compared_with_nothing(
    take: Take, reported: Reported, norms: Norms, phrases: Phrases
) -> None:
    history = (take(9, {PAUSES: (7.0, 0.8)}), take(5, {PAUSES: (6.1, 4.0)}, seconds=9.0))
    full, short = (
        placed(
            reported({PAUSES: (3.2, 0.8)}, speech_seconds=seconds),
            history,
            norms,
            phrases,
            session=session(),
        )
        for seconds in (60.0, 9.0)
    )
    assert full.comparison is not None
    assert full.comparison.session == "s-9"
    assert short.comparison is None


def test_a_child_who_has_no_bands_sees_changes_without_good_or_bad(
    take: Take, norms: Norms, phrases: Phrases
) -> None:
    bare = {name: norm.model_copy(update={"bands": {}}) for name, norm in norms.measures.items()}
    own = norms.model_copy(update={"measures": bare})
    before, after = take(2, {"speech_rate": (3.0, 0.1)}), take(0, {"speech_rate": (4.5, 0.1)})
    (change,) = compared(before, after, own, "conversation", phrases).changes
    assert change.verdict == "changed"


def test_a_goal_that_is_no_measure_is_not_told(
    reported: Reported, norms: Norms, phrases: Phrases
) -> None:
    given = session(goal="no_such_thing")
    assert placed(reported(), (), norms, phrases, session=given).goal is None


def test_a_goal_is_told_and_the_next_one_proposed(
    reported: Reported, norms: Norms, phrases: Phrases
) -> None:
    report = placed(
        reported({PAUSES: (0.5, 0.5)}), (), norms, phrases, session=session(goal=PAUSES)
    )
    assert report.goal is not None
    assert report.goal.held is True
    assert report.proposal is not None
    assert report.proposal.measure == PAUSES
    assert report.comparison is None
    assert past(report).goal == PAUSES
    assert past(report).held is True


def test_placing_twice_gives_the_same_to_the_byte(
    take: Take, reported: Reported, norms: Norms, phrases: Phrases
) -> None:
    history = tuple(
        take(9 - n, {PAUSES: (7.0 - n, 0.8), "tics": (4.0, 1.0)}, goal=PAUSES) for n in range(5)
    )
    one, two = (
        placed(reported({PAUSES: (3.2, 0.8)}), history, norms, phrases, session=session())
        for _ in range(2)
    )
    assert one.model_dump_json() == two.model_dump_json()


@pytest.mark.parametrize(
    ("value", "reached", "certain", "said"),
    [
        (0.6, True, True, "Objectif de l’exercice atteint."),
        (2.1, True, False, "atteint de peu"),
        (3.0, False, False, "tout près"),
        (7.0, False, True, "pas encore"),
    ],
)
def test_a_drill_tells_at_once_whether_its_target_was_reached_and_how_sure_that_is(
    reported: Reported,
    norms: Norms,
    phrases: Phrases,
    value: float,
    reached: bool,
    certain: bool,
    said: str,
) -> None:
    own = session(purpose="drill", drill="phrase_pleine", of="s-0")
    given = reported({PAUSES: (value, 0.8)}, purpose="drill")
    report = placed(given, (), norms, phrases, session=own)
    result = report.drill_result
    assert result is not None
    assert (result.reached, result.certain) == (reached, certain)
    assert result.low is not None
    assert result.high is not None
    assert result.low < value < result.high
    assert said in result.sentence
    assert "visé\u00a0: 2,5 au plus" in result.sentence
    assert report.feedback.headline == result.sentence
    assert report.feedback.priority is None
    assert report.evaluation.feedback == (result.sentence,)


def test_a_relative_change_is_held_against_the_session_that_the_drill_is_of(
    take: Take, reported: Reported, norms: Norms, phrases: Phrases
) -> None:
    own = session(purpose="drill", drill="silence_a_la_place", of="s-0")
    mother = take(0, {"filled_pauses": (10.0, 1.0)})
    report = placed(reported({"filled_pauses": (3.0, 1.0)}), (mother,), norms, phrases, session=own)
    result = report.drill_result
    assert result is not None
    assert result.before == 10
    assert result.at_most == pytest.approx(6)
    assert result.reached is True
    assert result.certain
    assert result.high == pytest.approx(3 + 1.28 * (1 + 0.36) ** 0.5, abs=1e-3)
    alone = placed(reported({"filled_pauses": (3.0, 1.0)}), (), norms, phrases, session=own)
    assert alone.drill_result is not None
    assert alone.drill_result.reached is None
    assert alone.drill_result.sentence == phrases.results["no_parent"]


def test_a_change_upward_wants_at_least_so_much_more(
    take: Take, reported: Reported, norms: Norms, phrases: Phrases
) -> None:
    own = session(purpose="drill", drill="trois_couleurs", of="s-0")
    mother = take(0, {"pitch_variation": (1.5, 0.2)})
    for value, reached in ((2.6, True), (1.6, False)):
        given = reported({"pitch_variation": (value, 0.2)})
        result = placed(given, (mother,), norms, phrases, session=own).drill_result
        assert result is not None
        assert result.at_least == pytest.approx(2.0)
        assert result.reached is reached


@pytest.mark.parametrize(("dismissed", "reached"), [(0, False), (1, True)])
def test_forbidden_words_are_counted_without_those_that_were_dismissed(
    reported: Reported, norms: Norms, phrases: Phrases, dismissed: int, reached: bool
) -> None:
    marks = tuple(
        Mark(
            id=f"tic@{index}",
            kind="tic",
            label="l",
            start=index,
            end=index + 0.3,
            turn=0,
            dismissed=index < dismissed,
        )
        for index in range(2)
    )
    own = session(purpose="drill", drill="mot_interdit", of="s-0")
    result = placed(reported(marks=marks), (), norms, phrases, session=own).drill_result
    assert result is not None
    assert result.value == 2 - dismissed
    assert result.reached is reached
    assert result.certain
    deaf = placed(reported(word_count=0), (), norms, phrases, session=own).drill_result
    assert deaf is not None
    assert deaf.reached is None
    assert deaf.sentence == phrases.reasons["by_ear"]


def test_whoever_says_next_to_nothing_has_not_avoided_a_word(
    reported: Reported, norms: Norms, phrases: Phrases
) -> None:
    own = session(purpose="drill", drill="mot_interdit", of="s-0")
    brief = reported(word_count=4, speech_seconds=2.0)
    result = placed(brief, (), norms, phrases, session=own).drill_result
    assert result is not None
    assert result.reached is None
    assert result.sentence == phrases.results["not_measured"]


def test_by_ear_a_drill_has_a_target_that_the_ear_can_tell(
    reported: Reported, norms: Norms, phrases: Phrases
) -> None:
    own = session(purpose="drill", drill="phrase_pleine", of="s-0")
    for value, reached in ((16.0, True), (4.0, False)):
        given = reported({"mean_run": (value, 1.0)}, purpose="drill", word_count=0)
        result = placed(given, (), norms, phrases, session=own).drill_result
        assert result is not None
        assert (result.measure, result.reached) == ("mean_run", reached)


@pytest.mark.parametrize(
    ("said", "count"),
    [
        ("On a réduit le délai de 30 %, en deux mois.", 2),
        ("Une fois, ça s’est bien passé.", 0),
    ],
)
def test_a_drill_on_results_counts_the_figures_that_were_said(
    reported: Reported, norms: Norms, phrases: Phrases, said: str, count: int
) -> None:
    own = session(purpose="drill", drill="et_alors", of="s-0")
    turns = (
        ReportTurn(
            index=0, speaker="character", name="Marie", start=0, end=1, text="12 ?", words=None
        ),
        ReportTurn(index=1, speaker="learner", name="Vous", start=1, end=9, text=said, words=None),
    )
    result = placed(reported(turns=turns), (), norms, phrases, session=own).drill_result
    assert result is not None
    assert result.value == count
    assert result.reached is (count > 0)
    assert result.certain


def test_a_drill_on_reasons_counts_how_they_are_announced(
    reported: Reported, norms: Norms, phrases: Phrases
) -> None:
    own = session(purpose="drill", drill="parce_que_exemple", of="s-0")
    text = "C’est utile, parce que c’est court. Par exemple, hier. Exemple : parce qu’il le faut."
    turn = ReportTurn(
        index=1, speaker="learner", name="Vous", start=1, end=9, text=text, words=None
    )
    result = placed(reported(turns=(turn,)), (), norms, phrases, session=own).drill_result
    assert result is not None
    assert (result.value, result.reached) == (2, False)


def test_a_drill_that_cannot_be_measured_says_why(
    reported: Reported, norms: Norms, phrases: Phrases
) -> None:
    own = session(purpose="drill", drill="point_final", of="s-0")
    why = phrases.reasons["more_ends"].format(low=3)
    missing = Measure(id="turn_end_pitch", label="l", value=None, unit="u", reason=why)
    for measures, said in (((missing,), why), ((), phrases.results["not_measured"])):
        report = placed(
            reported().model_copy(update={"measures": measures}), (), norms, phrases, session=own
        )
        assert report.drill_result is not None
        assert report.drill_result.reached is None
        assert report.feedback.headline == said


def test_a_retry_shows_one_measure_before_and_after(
    take: Take, reported: Reported, norms: Norms, phrases: Phrases
) -> None:
    own = session(purpose="retry", of="s-0", retried=3)
    whole = take(0, {PAUSES: (5.0, 0.5), "tics": (3.0, 1.0)}, priority=PAUSES)
    turn = take(0, {PAUSES: (9.0, 2.0), "tics": (3.0, 3.0)}, seconds=12.0)
    again = reported({PAUSES: (2.0, 2.0), "tics": (9.0, 3.0)}, purpose="retry")
    report = placed(again, (whole,), norms, phrases, session=own, parent=turn)
    assert report.comparison is not None
    (change,) = report.comparison.changes
    assert (change.measure, change.before, change.after) == (PAUSES, 9.0, 2.0)
    assert change.verdict == "better"
    assert report.feedback.headline == report.comparison.sentence
    assert report.proposal is None


def test_a_retry_too_short_to_measure_says_so(
    take: Take, reported: Reported, norms: Norms, phrases: Phrases
) -> None:
    own = session(purpose="retry", of="s-0", retried=3)
    history = (take(0, {PAUSES: (5.0, 0.5)}, priority=PAUSES),)
    report = placed(reported(purpose="retry"), history, norms, phrases, session=own)
    assert report.comparison is not None
    assert report.comparison.sentence == phrases.comparisons["short"]
    judged = (take(0, criteria={"resultat": (0.4, 0.1)}, priority="resultat"),)
    report = placed(reported(purpose="retry"), judged, norms, phrases, session=own)
    assert report.comparison is not None
    assert report.comparison.sentence == phrases.reasons["practice"]


@pytest.mark.parametrize("priority", ["", "response_latency", "resultat"])
def test_a_retry_that_cannot_show_what_was_advised_shows_all_that_it_can(
    take: Take, reported: Reported, norms: Norms, phrases: Phrases, priority: str
) -> None:
    own = session(purpose="retry", of="s-0", retried=3)
    history = (take(0, {PAUSES: (9.0, 0.5), "speech_rate": (4.5, 0.2)}, priority=priority),)
    given = reported({PAUSES: (2.0, 0.5), "speech_rate": (4.6, 0.2)}, purpose="retry")
    report = placed(given, history, norms, phrases, session=own)
    assert report.comparison is not None
    assert {change.measure for change in report.comparison.changes} == {PAUSES, "speech_rate"}
    assert report.comparison.sentence.endswith("pauses au milieu d’une phrase.")
    assert report.feedback.headline == report.comparison.sentence


def test_a_session_restricted_to_a_turn_keeps_what_it_answers() -> None:
    turns = tuple(
        Turn(
            index=index,
            speaker="character" if index % 2 == 0 else "learner",
            start=float(index),
            end=index + 0.9,
        )
        for index in range(6)
    )
    stored = StoredSession(session=session(), turns=turns)
    assert [turn.index for turn in restricted(stored, 3).turns] == [2, 3]
    assert restricted(stored, 99).turns == ()


def test_past_keeps_the_figures_with_their_errors_and_the_advice(reported: Reported) -> None:
    report = reported({"tics": (3.0, 1.1)}, criteria={"result": (0.6, 0.5, 0.7)})
    found = past(report)
    assert found.measures == {"tics": Figure(value=3.0, error=1.1)}
    assert found.criteria["result"].value == 0.6
    assert found.criteria["result"].error == pytest.approx(0.1 / 1.28)
    assert found.scores == {"structure": 0.6}
    assert Past.model_validate_json(found.model_dump_json()) == found
