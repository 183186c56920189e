"""Scores: of each dimension and of the exercise as a whole, and what each moment costs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import hypot

from eloquence.coaching.evaluation import Reading, Scored, quick_score, scored, state
from eloquence.coaching.exercise import Dimension, Register
from eloquence.coaching.judging import JudgedScore
from eloquence.coaching.norms import Norms
from eloquence.coaching.observation import Moment, Observation
from eloquence.coaching.readings import reading
from eloquence.coaching.report import Overall
from eloquence.delivery.tally import Tally

WORTH_A_RETRY = 8.0
"""Seconds of speech that a turn needs to be worth trying again."""


@dataclass(frozen=True, slots=True)
class Result:
    """One dimension: what was measured and what was judged, apart, and both together.

    `share` is what the judged part weighs in the whole. `score`, `low` and `high` (80 % interval)
    are None when less than half of the weight is known.
    """

    measured: Scored
    judged: JudgedScore | None
    share: float
    coverage: float
    score: float | None = None
    low: float | None = None
    high: float | None = None

    @property
    def measured_weight(self) -> float:
        """What the measured part weighs in the score: all of it where nothing was judged."""
        if self.measured.score is None:
            return 0.0
        return 1.0 if self.judged is None or self.judged.score is None else 1.0 - self.share


def result(
    name: Dimension,
    readings: Mapping[str, Reading],
    judged: JudgedScore | None,
    norms: Norms,
    register: Register,
) -> Result:
    """The score of a dimension: the mean of its measured and its judged part by their weights.

    A part of which less than half is known does not count; the weight of what is missing, the
    judged part included, lowers the coverage. The two intervals are independent, so their halves
    add up by squares.
    """
    dimension = norms.dimensions[name]
    share = dimension.judged
    measured = scored(dimension, readings, norms, register)
    known = sum(part.weight for part in judged.parts if part.score is not None) if judged else 0.0
    coverage = min(1.0, (1 - share) * measured.coverage + share * known)
    whole = Result(measured, judged, share, coverage)
    parts: list[tuple[float, float, float, float]] = []
    if measured.score is not None and measured.low is not None and measured.high is not None:
        parts.append((1 - share, measured.score, measured.low, measured.high))
    if judged and judged.score is not None and judged.low is not None and judged.high is not None:
        parts.append((share, judged.score, judged.low, judged.high))
    total = sum(weight for weight, _, _, _ in parts)
    if total <= 0 or coverage < norms.least_coverage - 1e-9:
        return whole
    score = sum(weight * value for weight, value, _, _ in parts) / total
    below = hypot(*(weight / total * (value - low) for weight, value, low, _ in parts))
    above = hypot(*(weight / total * (high - value) for weight, value, _, high in parts))
    return Result(
        measured,
        judged,
        share,
        coverage,
        score,
        max(0.0, score - below),
        min(1.0, score + above),
    )


def overall(
    results: Mapping[Dimension, Result],
    weights: Mapping[Dimension, float],
    passing_score: float,
) -> Overall | None:
    """The weighted mean of the dimensions that were scored; None when none was.

    `weights` may be empty for equal ones; a dimension that it does not name weighs nothing then.
    The dimensions share measures, so their errors go together: the interval is the mean of theirs.
    """
    found = {
        name: (weights.get(name, 0.0) if weights else 1.0, one.score, one.low, one.high)
        for name, one in results.items()
        if one.score is not None and one.low is not None and one.high is not None
    }
    total = sum(weight for weight, _, _, _ in found.values())
    if total <= 0:
        return None
    score, low, high = (
        sum(one[0] * one[place] for one in found.values()) / total for place in (1, 2, 3)
    )
    return Overall(
        score=round(score, 4),
        low=round(low, 4),
        high=round(high, 4),
        state=state(low, high, passing_score),
        weights={str(name): round(one[0] / total, 4) for name, one in found.items() if one[0] > 0},
    )


def effects(
    results: Mapping[Dimension, Result],
    found: Sequence[Moment],
    seen: Observation,
    tally: Tally,
    readings: Mapping[str, Reading],
    norms: Norms,
    register: Register,
) -> dict[Moment, dict[Dimension, float]]:
    """How much each dimension would rise without each moment that is evidence for it.

    By leaving the moment out of the tally: of `found`, all must be in it.
    """
    parts = {name: frozenset(one.measured.parts) for name, one in results.items() if _counts(one)}
    now = {
        name: quick_score(norms.dimensions[name], readings, norms, register, known)
        for name, known in parts.items()
    }
    rises: dict[Moment, dict[Dimension, float]] = {}
    for moment in found:
        concerned = [name for name, known in parts.items() if known.intersection(moment.measures)]
        rises[moment] = dict.fromkeys(concerned, 0.0)
        if moment.good or not concerned:
            continue
        left = _left(seen, tally, moment.costs, readings, norms, moment.measures)
        for name in concerned:
            then = quick_score(norms.dimensions[name], left, norms, register, parts[name])
            rises[moment][name] = results[name].measured_weight * max(0.0, then - now[name])
    return rises


def weakest_turn(
    results: Mapping[Dimension, Result],
    weights: Mapping[Dimension, float],
    seen: Observation,
    tally: Tally,
    readings: Mapping[str, Reading],
    norms: Norms,
    register: Register,
) -> int | None:
    """The learner's turn without which the measured part of the overall score would rise most, or
    fall least; the longest where nothing tells them apart. None when no turn is long enough to be
    tried again, or nothing was scored."""
    parts = {name: frozenset(one.measured.parts) for name, one in results.items() if _counts(one)}

    def mean(left: Mapping[str, Reading]) -> float:
        return sum(
            (weights.get(name, 0.0) if weights else 1.0)
            * results[name].measured_weight
            * quick_score(norms.dimensions[name], left, norms, register, known)
            for name, known in parts.items()
        )

    if not parts:
        return None
    now = mean(readings)
    best: tuple[float, float, int] | None = None
    for turn in seen.turns:
        seconds = turn.span[1] - turn.span[0]
        if seconds < WORTH_A_RETRY:
            continue
        rise = mean(_left(seen, tally, turn.tally, readings, norms)) - now
        if best is None or (round(rise, 9), seconds) > best[:2]:
            best = (round(rise, 9), seconds, turn.index)
    return best[2] if best else None


def _counts(one: Result) -> bool:
    return one.score is not None and one.measured_weight > 0


def _left(
    seen: Observation,
    tally: Tally,
    costs: Tally,
    readings: Mapping[str, Reading],
    norms: Norms,
    measures: Sequence[str] = (),
) -> dict[str, Reading]:
    """The readings with something taken out. Where it is more than half of the session, what is
    left proves nothing of the measures that it is evidence for, and they have no value."""
    left = tally - costs
    little = left.seconds < tally.seconds / 2 or left.pitch_frames < tally.pitch_frames / 2
    gone = measures if little else ()
    found = {}
    for name in norms.measures:
        lost = readings[name].value is None or name in gone
        found[name] = Reading(None) if lost else reading(name, seen, left, norms)
    return found
