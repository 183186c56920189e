"""Bands, their expectation over the error of measuring, and the state of a score."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eloquence.coaching import evaluation
from eloquence.coaching.evaluation import Reading, band_score, expected_score
from eloquence.coaching.norms import MeasureNorm, Norms, Points

PACE: Points = (2.6, 3.5, 4.2, 5.6, 6.2, 7.6)
FEW: Points = (None, None, None, 2.0, 5.3, 12.0)
MUCH: Points = (0.5, 0.72, 0.8, None, None, None)

values = st.floats(-5, 25)
errors = st.floats(0, 3)


@st.composite
def bands(draw: st.DrawFn) -> Points:
    steps = draw(st.lists(st.floats(0.05, 5), min_size=6, max_size=6))
    a, b, c, d, e, f = np.cumsum(steps).tolist()
    left, right = draw(st.sampled_from([(1, 1), (1, 0), (0, 1)]))
    low: tuple[float | None, ...] = (a, b, c) if left else (None, None, None)
    high: tuple[float | None, ...] = (d, e, f) if right else (None, None, None)
    return (low[0], low[1], low[2], high[0], high[1], high[2])


@pytest.mark.parametrize(
    ("value", "points", "score"),
    [
        (2.6, PACE, 0), (3.5, PACE, 0.7), (4.2, PACE, 1), (5, PACE, 1), (5.6, PACE, 1),
        (6.2, PACE, 0.7), (7.6, PACE, 0), (9, PACE, 0), (0, FEW, 1), (5.3, FEW, 0.7),
        (30, FEW, 0), (0.72, MUCH, 0.7), (1, MUCH, 1), (0.1, MUCH, 0),
    ],
)  # fmt: skip
def test_the_six_points_have_their_scores(value: float, points: Points, score: float) -> None:
    assert band_score(value, points) == pytest.approx(score)


@settings(deadline=None)
@given(values, bands())
def test_a_band_is_between_nothing_and_one(value: float, points: Points) -> None:
    assert 0 <= band_score(value, points) <= 1


@settings(deadline=None)
@given(values, values, bands())
def test_a_band_rises_to_its_zone_and_falls_after_it(
    one: float, other: float, points: Points
) -> None:
    low, high = sorted((one, other))
    if points[3] is None or high <= points[3]:
        assert band_score(low, points) <= band_score(high, points) + 1e-9
    if points[2] is None or low >= points[2]:
        assert band_score(low, points) >= band_score(high, points) - 1e-9


@settings(deadline=None)
@given(values, errors, bands())
def test_the_expected_score_is_between_nothing_and_one(
    value: float, error: float, points: Points
) -> None:
    assert 0 <= expected_score(value, points, error) <= 1


@settings(deadline=None)
@given(values, st.floats(0.02, 3), bands())
def test_the_closed_form_is_the_mean_over_the_error(
    value: float, error: float, points: Points
) -> None:
    nodes, weights = np.polynomial.hermite_e.hermegauss(120)
    scores = [band_score(value + error * node, points) for node in nodes]
    assert expected_score(value, points, error) == pytest.approx(
        float(np.dot(weights, scores) / weights.sum()), abs=0.05
    )


def test_an_error_removes_the_cliff_at_an_edge() -> None:
    assert abs(expected_score(5.59, PACE, 0.3) - expected_score(5.61, PACE, 0.3)) < 0.005
    assert expected_score(5.6, PACE, 0.3) < 1


def test_the_error_shrinks_with_speech_but_not_what_the_ear_adds() -> None:
    norm = MeasureNorm(label="l", unit="u", error=0.3, by_ear=0.5)
    assert evaluation.standard_error(norm, 4, 60, by_ear=False) == pytest.approx(0.3)
    assert evaluation.standard_error(norm, 4, 240, by_ear=False) == pytest.approx(0.15)
    assert evaluation.standard_error(norm, 4, 1e9, by_ear=True) == pytest.approx(0.5, abs=0.001)
    share = norm.model_copy(update={"relative": True})
    assert evaluation.standard_error(share, 10, 60, by_ear=False) == pytest.approx(3)


def test_the_error_of_a_count_is_at_least_its_root() -> None:
    """Nine pauses in a minute may as well have been six or twelve."""
    norm = MeasureNorm(label="l", unit="u", error=1.0, counted=True)
    assert evaluation.standard_error(norm, 9, 60, by_ear=False) == pytest.approx(3)
    assert evaluation.standard_error(norm, 9, 240, by_ear=False) == pytest.approx(1.5)
    assert evaluation.standard_error(norm, 0.2, 60, by_ear=False) == pytest.approx(1)


def readings(**given: float) -> dict[str, Reading]:
    good = {
        "speech_rate": 4.9, "mid_phrase_pauses": 1.0, "mean_run": 15.0, "long_pauses": 0.0,
        "filled_pauses": 1.0, "repetitions": 0.5,
    }  # fmt: skip
    return {name: Reading(value, 0.2) for name, value in (good | given).items()}


def test_a_good_take_scores_near_one_inside_its_interval(norms: Norms) -> None:
    found = evaluation.scored(norms.dimensions["fluency"], readings(), norms, "conversation")
    assert found.score is not None
    assert found.low is not None
    assert found.high is not None
    assert found.coverage == pytest.approx(1)
    assert 0.9 < found.low <= found.score <= found.high <= 1


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pauses=st.floats(0, 30), error=st.floats(0.01, 2))
def test_a_score_lies_in_its_interval(norms: Norms, pauses: float, error: float) -> None:
    given = readings() | {"mid_phrase_pauses": Reading(pauses, error)}
    found = evaluation.scored(norms.dimensions["fluency"], given, norms, "conversation")
    assert found.score is not None
    assert found.low is not None
    assert found.high is not None
    assert 0 <= found.low <= found.score <= found.high <= 1


def test_one_severe_fault_weighs_more_than_its_share(norms: Norms) -> None:
    given = readings(mid_phrase_pauses=20.0)
    found = evaluation.scored(norms.dimensions["fluency"], given, norms, "conversation")
    assert found.score is not None
    assert found.score == pytest.approx(0.8 * 0.78 + 0.2 * 0.0, abs=0.02)


def test_a_part_without_value_leaves_its_weight_to_the_others(norms: Norms) -> None:
    given = readings() | {"filled_pauses": Reading(None, reason="none_written")}
    found = evaluation.scored(norms.dimensions["fluency"], given, norms, "conversation")
    assert found.coverage == pytest.approx(0.86)
    assert found.score is not None
    assert found.score > 0.95


def test_under_half_of_the_weight_there_is_no_score(norms: Norms) -> None:
    given = {name: Reading(None) for name in readings()} | {"speech_rate": Reading(4.9, 0.3)}
    found = evaluation.scored(norms.dimensions["fluency"], given, norms, "conversation")
    assert found.score is None
    assert found.coverage == pytest.approx(0.26)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0.7, 0.9, "pass"), (0.6, 0.8, "near"), (0.6, 0.7, "near"), (0.5, 0.69, "not_yet")],
)
def test_the_state_says_where_the_interval_lies(low: float, high: float, expected: str) -> None:
    assert evaluation.state(low, high, 0.7) == expected


def test_the_quick_score_is_nearly_the_score(norms: Norms) -> None:
    dimension = norms.dimensions["fluency"]
    for pauses in (0.0, 3.0, 6.0, 15.0):
        given = readings(mid_phrase_pauses=pauses)
        whole = evaluation.scored(dimension, given, norms, "conversation").score
        quick = evaluation.quick_score(
            dimension, given, norms, "conversation", frozenset(dimension.parts)
        )
        assert whole == pytest.approx(quick, abs=0.03)


def test_where_a_value_lies_is_told() -> None:
    assert [evaluation.side(value, PACE) for value in (3.0, 5.0, 6.0)] == ["low", "inside", "high"]
    assert evaluation.side(0.0, FEW) == "inside"
    assert evaluation.side(0.0, MUCH) == "low"
