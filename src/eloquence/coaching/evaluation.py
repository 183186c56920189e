"""From raw figures to scores: published bands, averaged over the error of measuring.

A dimension is a weighted mean of measure scores with a soft minimum, so that one severe fault is
not diluted. Nothing is drawn at random: the error is spread over a fixed lattice of points, and
the same figures give the same score to the last digit.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import sqrt
from statistics import NormalDist
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from eloquence.coaching.exercise import Register
from eloquence.coaching.norms import DimensionNorm, MeasureNorm, Norms, Points

Outcome = Literal["pass", "near", "not_yet"]

PASS = 0.7
"""Score at the edge of the native range, where a band meets its second and fifth points."""
_LEVELS = (0.0, PASS, 1.0, 1.0, PASS, 0.0)
_COUNTS_AS_WORST = 0.1  # weight from which a part may be the worst one
_LATTICE = 512
_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class Reading:
    """One measure of one session: its value, the standard error of that value, both in the
    measure's unit, or why it has none (a key of `Phrases.reasons`)."""

    value: float | None
    error: float = 0.0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Scored:
    """One dimension, 0..1. `score`, `low` and `high` (80 % interval) are None when too little of
    its weight was measured; `parts` holds the score of each measured part."""

    score: float | None
    low: float | None
    high: float | None
    coverage: float
    parts: Mapping[str, float]


def standard_error(norm: MeasureNorm, value: float, amount: float, *, by_ear: bool) -> float:
    """Standard error of a value taken from so much of what it is measured `per`: seconds of speech,
    or a count.

    The error at 60 s, or of a single one, shrinks with the square root; what the ear alone adds
    does not. The error of a count per minute is at least the root of the count.
    """
    scale = abs(value) if norm.relative else 1.0
    whole = 60.0 if norm.per == "seconds" else 1.0
    single = max(norm.error, sqrt(max(0.0, value))) if norm.counted else norm.error
    sampling = single * sqrt(whole / amount) if amount > 0 else float("inf")
    return scale * sqrt(sampling**2 + (norm.by_ear or 0.0) ** 2 * by_ear)


def band_score(value: float, points: Points) -> float:
    """Score of an exact value, 0..1: linear between the six points, 1 beyond an open side."""
    return float(_trapezoid(np.array([value]), points)[0])


def expected_score(value: float, points: Points, error: float) -> float:
    """Mean score of a value known with a normal error, 0..1, in closed form.

    With f piecewise linear, E f(X) is the sum over its knots k of the change of slope there times
    E max(0, X - k) = error (phi(d) + d Phi(d)), d = (value - k) / error.
    """
    if error <= 0:
        return band_score(value, points)
    knots, levels = _knots(points)
    slopes = [0.0, *(np.diff(levels) / np.diff(knots)).tolist(), 0.0]
    total = levels[0]
    for knot, before, after in zip(knots, slopes, slopes[1:], strict=False):
        distance = (value - knot) / error
        beyond = error * (_NORMAL.pdf(distance) + distance * _NORMAL.cdf(distance))
        total += (after - before) * beyond
    return min(1.0, max(0.0, total))


def scored(
    dimension: DimensionNorm, readings: Mapping[str, Reading], norms: Norms, register: Register
) -> Scored:
    """The score of a dimension from its readings, with its 80 % interval and its coverage."""
    measured = _measured(dimension, readings)
    coverage = sum(measured.values())
    parts = {part: expected_score(*_terms(part, readings, norms, register)) for part in measured}
    if not measured or coverage < norms.least_coverage - 1e-9:
        return Scored(None, None, None, coverage, parts)
    order = list(dimension.parts)
    errors = _lattice(len(order))
    draws = np.array(
        [
            _trapezoid(
                readings[part].value + readings[part].error * errors[order.index(part)],
                _points(norms.measures[part], register),
            )
            for part in measured
        ]
    )
    weights = np.array(list(measured.values()))
    total = _combined(draws, weights, norms.soft_minimum)
    low, high = np.quantile(total, (0.1, 0.9))
    score = float(total.mean())
    return Scored(score, min(float(low), score), max(float(high), score), coverage, parts)


def quick_score(
    dimension: DimensionNorm,
    readings: Mapping[str, Reading],
    norms: Norms,
    register: Register,
    parts: frozenset[str],
) -> float:
    """Nearly the score of `scored`, from the mean score of each part alone: what one event costs
    is a difference of two of these. Of `parts`, one without a value counts as perfect, since all
    of its evidence was taken away."""
    weights = np.array([dimension.parts[part] for part in dimension.parts if part in parts])
    means = np.array(
        [
            [
                1.0
                if readings[part].value is None
                else expected_score(*_terms(part, readings, norms, register))
            ]
            for part in dimension.parts
            if part in parts
        ]
    )
    return float(_combined(means, weights, norms.soft_minimum)[0])


def state(low: float, high: float, passing_score: float) -> Outcome:
    """`pass` when the whole interval lies at or above the mark, `not_yet` when it lies below,
    `near` when it holds it."""
    if low >= passing_score:
        return "pass"
    return "not_yet" if high < passing_score else "near"


def side(value: float, points: Points) -> str:
    """Whether a value lies `low`, `high` or `inside` the target zone."""
    if points[2] is not None and value < points[2]:
        return "low"
    return "high" if points[3] is not None and value > points[3] else "inside"


def _measured(dimension: DimensionNorm, readings: Mapping[str, Reading]) -> dict[str, float]:
    return {
        part: weight
        for part, weight in dimension.parts.items()
        if part in readings and readings[part].value is not None
    }


def _terms(
    part: str, readings: Mapping[str, Reading], norms: Norms, register: Register
) -> tuple[float, Points, float]:
    reading = readings[part]
    assert reading.value is not None
    return reading.value, _points(norms.measures[part], register), reading.error


def _points(norm: MeasureNorm, register: Register) -> Points:
    return norm.band(register)


def _knots(points: Points) -> tuple[list[float], list[float]]:
    known = [
        (point, level) for point, level in zip(points, _LEVELS, strict=True) if point is not None
    ]
    return [point for point, _ in known], [level for _, level in known]


def _trapezoid(values: NDArray[np.float64], points: Points) -> NDArray[np.float64]:
    knots, levels = _knots(points)
    scores: NDArray[np.float64] = np.interp(values, knots, levels)
    return scores


def _combined(
    parts: NDArray[np.float64], weights: NDArray[np.float64], soft_minimum: float
) -> NDArray[np.float64]:
    """Weighted mean with a soft minimum, per column of `parts` (parts x points)."""
    mean: NDArray[np.float64] = weights @ parts / weights.sum()
    weighty = parts[weights >= _COUNTS_AS_WORST - 1e-9]
    if not len(weighty):
        return mean
    blended: NDArray[np.float64] = (1 - soft_minimum) * mean + soft_minimum * weighty.min(axis=0)
    return blended


@lru_cache(maxsize=16)
def _lattice(dimensions: int) -> NDArray[np.float64]:
    """Standard normal errors, one row per dimension: an additive recurrence with the generalised
    golden ratio, which fills the cube evenly, through the inverse of the normal distribution."""
    ratio = 2.0
    for _ in range(64):
        ratio = (1 + ratio) ** (1 / (dimensions + 1))
    steps = np.array([ratio ** -(index + 1) for index in range(dimensions)])
    uniform = (0.5 + np.outer(steps, np.arange(1, _LATTICE + 1))) % 1.0
    uniform = uniform.clip(1e-6, 1 - 1e-6)
    errors: NDArray[np.float64] = np.vectorize(_NORMAL.inv_cdf, otypes=[np.float64])(uniform)
    return errors
