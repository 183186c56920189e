"""What is said of a take: the choice of the one priority, and the strengths."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eloquence.coaching.evaluation import Reading, expected_score
from eloquence.coaching.exercise import Dimension
from eloquence.coaching.feedback import FINE, feedback
from eloquence.coaching.history import History, Past
from eloquence.coaching.judgement import Quote
from eloquence.coaching.norms import Norms
from eloquence.coaching.observation import Moment
from eloquence.coaching.phrases import Phrases
from eloquence.coaching.report import DimensionScore, Feedback, JudgedPart, Part
from eloquence.delivery.tally import Tally

Take = Callable[..., Past]
NOW = 1_700_000_000.0


def dimension(
    norms: Norms,
    values: Mapping[str, tuple[float, float]],
    weights: Mapping[str, float],
    name: Dimension = "fluency",
    **other: Any,
) -> DimensionScore:
    """A scored dimension of these measures."""
    parts = tuple(
        Part(
            measure=measure,
            label=norms.measures[measure].label,
            value=values[measure][0],
            unit=norms.measures[measure].unit,
            percent=norms.measures[measure].percent,
            weight=weight,
            score=expected_score(
                values[measure][0],
                norms.measures[measure].bands["conversation"],
                values[measure][1],
            ),
            band=norms.measures[measure].bands["conversation"],
        )
        for measure, weight in weights.items()
    )
    given = {"dimension": name, "label": name, "state": "near", "score": 0.6, "parts": parts}
    return DimensionScore.model_validate(given | other)


def advice(
    norms: Norms,
    phrases: Phrases,
    values: Mapping[str, tuple[float, float]],
    weights: Mapping[str, float] | None = None,
    *,
    moments: Mapping[Moment, float] | None = None,
    history: History = (),
    **other: Any,
) -> Feedback:
    weights = weights or dict.fromkeys(values, 1 / len(values))
    return feedback(
        [dimension(norms, values, weights)],
        {name: Reading(value, error) for name, (value, error) in values.items()},
        moments or {},
        [(30.0, 30.6)],
        norms,
        phrases,
        history=history,
        started_at=NOW,
        **other,
    )


BAD = {"mid_phrase_pauses": (9.0, 0.5), "filled_pauses": (11.0, 0.5), "speech_rate": (4.8, 0.1)}
WEIGHTS = {"mid_phrase_pauses": 0.5, "filled_pauses": 0.2, "speech_rate": 0.3}


def chosen(told: Feedback) -> str:
    assert told.priority is not None
    return told.priority.measure


@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.fixed_dictionaries(
        {
            "mid_phrase_pauses": st.floats(0, 14),
            "filled_pauses": st.floats(0, 14),
            "speech_rate": st.floats(2, 8),
            "pitch_variation": st.floats(0.5, 8),
        }
    ),
    st.lists(st.floats(0.05, 1), min_size=4, max_size=4),
)
def test_the_priority_is_what_has_most_to_gain(
    norms: Norms, phrases: Phrases, values: dict[str, float], raw: list[float]
) -> None:
    weights = dict(zip(values, (one / sum(raw) for one in raw), strict=True))
    told = advice(norms, phrases, {name: (value, 0.0) for name, value in values.items()}, weights)
    gains = {}
    for name, value in values.items():
        norm = norms.measures[name]
        score = expected_score(value, norm.bands["conversation"], 0.0)
        if score < FINE:
            gains[name] = weights[name] * (1 - score) * norm.reliability * norm.trainability
    if not gains:
        assert told.priority is None
        return
    assert gains[chosen(told)] == pytest.approx(max(gains.values()))


def test_a_doubt_is_no_fault(norms: Norms, phrases: Phrases) -> None:
    told = advice(norms, phrases, {"mid_phrase_pauses": (1.0, 6.0)})
    assert told.priority is None


def test_a_remark_points_to_the_moments_that_cost_most(norms: Norms, phrases: Phrases) -> None:
    moments = {
        Moment(
            "mid_phrase_pause",
            at,
            at + 0.8,
            0,
            ("mid_phrase_pauses",),
            "le budget … est",
            0.8,
            Tally(pauses=1, mid_phrase=1),
        ): effect
        for at, effect in ((18.2, 0.05), (55.0, 0.01), (80.9, 0.06), (70.0, 0.02))
    }
    told = advice(norms, phrases, BAD, WEIGHTS, moments=moments)
    assert told.priority is not None
    assert told.priority.text.startswith("À 0:18, 1:10 et 1:20, une pause coupe la phrase")
    assert "9,0 par minute" in told.priority.text
    assert told.priority.start == 80.9


def test_the_same_tip_is_not_given_in_the_next_session(
    norms: Norms, phrases: Phrases, take: Take
) -> None:
    assert chosen(advice(norms, phrases, BAD, WEIGHTS)) == "mid_phrase_pauses"
    history = (take(2, {"mid_phrase_pauses": (9.5, 0.5)}, priority="mid_phrase_pauses"),)
    told = advice(norms, phrases, BAD, WEIGHTS, history=history)
    assert chosen(told) == "filled_pauses"
    assert told.drill is not None
    assert told.drill.measure == "filled_pauses"


def test_the_tip_comes_back_after_three_sessions_or_after_a_week(
    norms: Norms, phrases: Phrases, take: Take
) -> None:
    figures = {"mid_phrase_pauses": (9.5, 0.5)}

    def after(*days: float) -> str:
        first, *later = days
        history = (
            take(first, figures, priority="mid_phrase_pauses"),
            *(take(day, figures) for day in later),
        )
        return chosen(advice(norms, phrases, BAD, WEIGHTS, history=history))

    assert after(3, 2, 1) == "filled_pauses"
    assert after(4, 3, 2, 1) == "mid_phrase_pauses"
    assert after(6.9) == "filled_pauses"
    assert after(7) == "mid_phrase_pauses"


def test_once_the_learner_has_moved_the_tip_may_be_given_again(
    norms: Norms, phrases: Phrases, take: Take
) -> None:
    for before, expected in ((13.0, "mid_phrase_pauses"), (9.8, "filled_pauses")):
        history = (take(2, {"mid_phrase_pauses": (before, 0.5)}, priority="mid_phrase_pauses"),)
        assert chosen(advice(norms, phrases, BAD, WEIGHTS, history=history)) == expected


def test_progress_is_not_read_off_takes_measured_in_another_way(
    norms: Norms, phrases: Phrases, take: Take
) -> None:
    history = (
        take(2, {"mid_phrase_pauses": (13.0, 0.5)}, priority="mid_phrase_pauses", by_ear=True),
    )
    assert chosen(advice(norms, phrases, BAD, WEIGHTS, history=history)) == "filled_pauses"


def test_drills_and_retries_in_between_do_not_bring_a_tip_back(
    norms: Norms, phrases: Phrases, take: Take
) -> None:
    history = (
        take(2, {"mid_phrase_pauses": (9.5, 0.5)}, priority="mid_phrase_pauses"),
        *(take(1.5 - n / 10, purpose="drill") for n in range(4)),
    )
    assert chosen(advice(norms, phrases, BAD, WEIGHTS, history=history)) == "filled_pauses"


def test_when_the_only_fault_was_just_advised_its_drill_stays_and_it_is_said(
    norms: Norms, phrases: Phrases, take: Take
) -> None:
    history = (take(2, {"tics": (9.0, 0.5)}, priority="tics"),)
    told = advice(norms, phrases, {"tics": (9.0, 0.5)}, history=history)
    assert told.priority is None
    assert told.drill is not None
    assert told.drill.id == "mot_interdit"
    assert "mots béquilles" in told.headline
    assert "gêne" not in told.headline


def test_a_mastered_goal_rests_for_two_weeks(norms: Norms, phrases: Phrases, take: Take) -> None:
    for day, expected in ((10, "filled_pauses"), (15, "mid_phrase_pauses")):
        history = tuple(take(day + 2 - n, goal="mid_phrase_pauses", held=True) for n in range(3))
        assert chosen(advice(norms, phrases, BAD, WEIGHTS, history=history)) == expected


def test_a_mastered_goal_that_rests_is_not_called_an_open_advice(
    norms: Norms, phrases: Phrases, take: Take
) -> None:
    history = tuple(take(5 - n, goal="tics", held=True) for n in range(3))
    told = advice(norms, phrases, {"tics": (5.5, 0.1)}, history=history)
    assert told.priority is None
    assert told.drill is None
    assert told.headline == phrases.headlines["good"]


def test_two_strengths_at_most_of_different_families_and_none_of_the_priority(
    norms: Norms, phrases: Phrases
) -> None:
    values = {
        "speech_rate": (4.8, 0.1),
        "articulation_rate": (5.2, 0.1),
        "pitch_variation": (3.0, 0.1),
        "loudness_variation": (5.0, 0.1),
        "hedges": (0.1, 0.1),
        "filled_pauses": (12.0, 0.5),
        "repetitions": (0.2, 0.1),
    }
    told = advice(norms, phrases, values)
    assert chosen(told) == "filled_pauses"
    families = [norms.measures[one.measure].family for one in told.strengths]
    assert len(families) == len(set(families)) == 2
    assert norms.measures["filled_pauses"].family not in families


def judged(name: str = "resultat", score: float = 0.35, **other: Any) -> JudgedPart:
    given = {
        "criterion": name,
        "label": "Résultat",
        "question": "q",
        "weight": 1.0,
        "level": 1.0,
        "score": score,
        "low": score - 0.1,
        "high": min(1.0, score + 0.1),
        "levels": ("Absent.", "Un résultat vague.", "Un résultat sans chiffre.", "Précis.", "Lié."),
        "quotes": (Quote(text="ça s’est bien passé", turn=3, start=72.0, end=73.5),),
    }
    return JudgedPart.model_validate(given | other)


def content(
    norms: Norms, phrases: Phrases, part: JudgedPart, name: Dimension = "structure"
) -> Feedback:
    scores = [
        dimension(
            norms,
            {"speech_rate": (4.8, 0.1)},
            {"speech_rate": 1.0},
            name,
            judged=0.4,
            judged_weight=0.6,
            criteria=(part,),
        )
    ]
    return feedback(scores, {"speech_rate": Reading(4.8, 0.1)}, {}, [], norms, phrases)


def test_a_judged_criterion_may_be_the_priority_with_a_quote_and_the_next_level(
    norms: Norms, phrases: Phrases
) -> None:
    told = content(norms, phrases, judged())
    assert told.priority is not None
    assert told.priority.measure == "resultat"
    assert told.priority.start == 72.0
    assert "À 1:12, «\u00a0ça s’est bien passé\u00a0»" in told.priority.text
    assert "c’est le niveau «\u00a0Un résultat vague\u00a0»" in told.priority.text
    assert "visez «\u00a0Un résultat sans chiffre\u00a0»." in told.priority.text
    assert phrases.judged.effects["structure"] in told.priority.text
    assert told.drill is not None
    assert told.drill.id == "et_alors"


@pytest.mark.parametrize(
    ("name", "drill"),
    [("listening", "reformuler_dabord"), ("persuasion", "parce_que_exemple"),
     ("assertiveness", "version_ferme")],
)  # fmt: skip
def test_a_criterion_that_no_drill_names_gets_one_of_its_dimension(
    norms: Norms, phrases: Phrases, name: Dimension, drill: str
) -> None:
    told = content(norms, phrases, judged("an_authors_own"), name)
    assert told.drill is not None
    assert told.drill.id == drill
    assert told.drill.measure == "an_authors_own"


def test_a_well_judged_criterion_is_praised_with_its_quote(norms: Norms, phrases: Phrases) -> None:
    told = content(norms, phrases, judged(score=1.0, level=4.0))
    assert told.priority is None
    assert any(
        one.measure == "resultat" and "ça s’est bien passé" in one.text for one in told.strengths
    )


def test_a_criterion_about_the_sound_or_not_judged_gives_no_remark(
    norms: Norms, phrases: Phrases
) -> None:
    for part in (judged(measured=True), judged().model_copy(update={"score": None})):
        told = content(norms, phrases, part)
        assert told.priority is None
        assert all(one.measure != "resultat" for one in told.strengths)


def test_an_advice_on_content_rests_like_any_other(
    norms: Norms, phrases: Phrases, take: Take
) -> None:
    scores = [
        dimension(norms, {}, {}, "structure", judged=0.3, judged_weight=1.0, criteria=(judged(),))
    ]
    for before, told_again in ((0.35, False), (0.0, True)):
        history = (take(2, criteria={"resultat": (before, 0.08)}, priority="resultat"),)
        told = feedback(
            scores, {}, {}, [], norms, phrases, history=history, started_at=NOW
        )  # fmt: skip
        assert (told.priority is not None) is told_again
