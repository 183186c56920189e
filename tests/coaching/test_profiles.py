"""The norms of one session: those of its exercise, for its speaker."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from pydantic import ValidationError

from eloquence.coaching.exercise import DIMENSIONS, Exercise, Register
from eloquence.coaching.norms import Norms
from eloquence.coaching.profiles import faults, norms_for

Made = Callable[..., Exercise]


@pytest.fixture
def made(an_exercise: Callable[..., Exercise]) -> Made:
    """A function that makes an exercise: criteria, register, questions."""

    def exercise(
        criteria: Mapping[str, Any] | None = None,
        register: Register = "conversation",
        questions: str = "simple",
    ) -> Exercise:
        return an_exercise("fr", register, criteria, questions)

    return exercise


@pytest.mark.parametrize("language", ["fr", "en"])
@pytest.mark.parametrize("register", ["conversation", "presentation"])
def test_every_dimension_has_weights_that_sum_to_one_in_every_register(
    shipped: Callable[..., Norms],
    an_exercise: Callable[..., Exercise],
    language: str,
    register: Register,
) -> None:
    """EVA-04."""
    norms = norms_for(shipped(Norms, language, "norms"), an_exercise(language, register))
    assert set(norms.dimensions) == set(DIMENSIONS)
    for name, dimension in norms.dimensions.items():
        if dimension.parts:
            assert sum(dimension.parts.values()) == pytest.approx(1), name
            assert all(norms.measures[part].band(register) for part in dimension.parts)
            assert all(register in norms.measures[part].bands for part in dimension.parts)
        else:
            assert dimension.judged == 1, name


def test_what_needs_a_partner_weighs_nothing_in_a_presentation(norms: Norms, made: Made) -> None:
    talk = norms_for(norms, made(register="presentation"))
    chat = norms_for(norms, made())
    assert "response_latency" in chat.dimensions["confidence"].parts
    assert "response_latency" not in talk.dimensions["confidence"].parts
    listening = talk.dimensions["listening"]
    assert listening.parts == {}
    assert listening.judged == 1


def test_high_ends_weigh_less_in_french_conversation(norms: Norms, made: Made) -> None:
    weights = {
        register: norms_for(norms, made(register=register)).dimensions["confidence"].parts
        for register in ("conversation", "presentation")
    }
    assert weights["conversation"]["turn_end_pitch"] == pytest.approx(0.08)
    assert weights["presentation"]["turn_end_pitch"] == pytest.approx(0.18)


def test_persuasion_is_measured_through_confidence_and_engagement(norms: Norms, made: Made) -> None:
    found = norms_for(norms, made()).dimensions
    for part, weight in found["persuasion"].parts.items():
        expected = (
            found["confidence"].parts.get(part, 0) + found["engagement"].parts.get(part, 0)
        ) / 2
        assert weight == pytest.approx(expected), part
    assert found["persuasion"].judged == 0.7


def test_an_exercise_may_weigh_measures_and_the_judge_its_own_way(norms: Norms, made: Made) -> None:
    own = made(
        {
            "dimensions": ["fluency", "clarity"],
            "parts": {"fluency": {"speech_rate": 0.5, "long_pauses": 0.5}},
            "judged": {"clarity": 0.2},
        }
    )
    found = norms_for(norms, own).dimensions
    assert found["fluency"].parts == {"speech_rate": 0.5, "long_pauses": 0.5}
    assert found["clarity"].judged == 0.2
    assert found["clarity"].parts == norms.dimensions["clarity"].parts


@pytest.mark.parametrize("measure", ["speed", "pause_frequency"])
def test_an_exercise_that_weighs_a_measure_without_band_is_told_which_have_one(
    norms: Norms, made: Made, measure: str
) -> None:
    wrong = made({"dimensions": ["fluency"], "parts": {"fluency": {measure: 1}}})
    (fault,) = faults(norms, wrong)
    assert fault.where == ("criteria", "parts", "fluency", measure)
    with pytest.raises(ValueError, match=f"fluency.{measure}: .* conversation; known: .*speech_ra"):
        norms_for(norms, wrong)


@pytest.mark.parametrize(
    ("criteria", "message"),
    [
        ({"parts": {"fluency": {"speech_rate": 0.5}}}, "parts: the weights of fluency sum to 1"),
        ({"weights": {"clarity": 1}}, "weights: clarity is no dimension.*it has fluency"),
        ({"judged": {"clarity": 1}}, "judged: clarity is no dimension"),
    ],
)
def test_an_exercise_weighs_its_own_dimensions_wholly(
    made: Made, criteria: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValidationError, match=message):
        made({"dimensions": ["fluency"], **criteria})


def test_one_may_think_about_a_hard_question(norms: Norms, made: Made) -> None:
    bands = {
        questions: norms_for(norms, made(questions=questions))
        .measures["response_latency"]
        .band("conversation")
        for questions in ("simple", "hard")
    }
    assert bands["simple"][3:] == (0.9, 1.6, 4)
    assert bands["hard"][3:] == (2, 3.5, 7)


def test_who_learns_the_language_has_wider_bands(norms: Norms, made: Made) -> None:
    native, learner = norms_for(norms, made()), norms_for(norms, made(), "learner")
    rate, wide = (n.measures["speech_rate"].band("conversation") for n in (native, learner))
    assert wide[:3] == pytest.approx(tuple(0.75 * (point or 0) for point in rate[:3]))
    assert wide[3:] == rate[3:]
    for name in ("mid_phrase_pauses", "long_pauses", "filled_pauses", "tics"):
        narrow, wide = (n.measures[name].band("conversation") for n in (native, learner))
        assert wide[3:] == pytest.approx(tuple(1.4 * (point or 0) for point in narrow[3:])), name
    assert native.measures["pitch_variation"] == learner.measures["pitch_variation"]


def test_a_child_has_no_bands(norms: Norms, made: Made) -> None:
    found = norms_for(norms, made(), "child")
    assert not any(norm.bands for norm in found.measures.values())
