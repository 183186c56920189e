"""The judged part of a score: from a judgement's levels to a number between 0 and 1."""

import math
from collections.abc import Sequence

from eloquence.coaching.character import Model, Share
from eloquence.coaching.exercise import Dimension
from eloquence.coaching.judgement import CriterionJudgement, Judgement
from eloquence.coaching.report import JudgedPart
from eloquence.coaching.rubric import Criterion, Rubric

LEVEL_ERROR = 0.4
"""Half of the 80 % interval of one judged level, in levels: a level stands for all that lies
nearer to it than to its neighbours, and 80 % of that stretch is ±0.4."""
LEAST_JUDGED = 0.5
"""Share of the weight that must have been judged for the judged part to be scored."""


class JudgedScore(Model):
    """The judged part of one dimension, 0..1, with its 80 % interval. `score`, `low` and `high`
    are None when less than half of its weight was judged; `parts` are there all the same, each
    with the stable word of why it was not judged as its `reason`."""

    score: Share | None
    low: Share | None
    high: Share | None
    parts: tuple[JudgedPart, ...]


def judged(
    rubric: Rubric,
    judgement: Judgement | None,
    dimension: Dimension,
    measured: float | None = None,
) -> JudgedScore | None:
    """What the judge says of a dimension; None when the rubric has no criterion for it.

    The score is the weighted mean of the criteria; its interval is the root of the summed squares
    of theirs, each at least ±`LEVEL_ERROR` levels. A criterion about how it sounds (`delivery`) is
    shown with the level of the `measured` score of its dimension and weighs nothing: the measures
    count it already. Reasons: `not_judged` when there is no judgement of the criterion, else those
    of `CriterionJudgement`.
    """
    criteria = [criterion for criterion in rubric.criteria if criterion.dimension == dimension]
    if not criteria:
        return None
    given = {each.criterion: each for each in judgement.criteria} if judgement is not None else {}
    if judgement is not None and (judgement.rubric, judgement.rubric_version) != (
        rubric.id,
        rubric.version,
    ):
        given = {}
    total = sum(criterion.weight for criterion in criteria if not criterion.delivery)
    parts = tuple(
        _sounded(rubric, criterion, measured)
        if criterion.delivery
        else _part(rubric, criterion, criterion.weight / total, given.get(criterion.id))
        for criterion in criteria
    )
    weighed = [part for part in parts if part.weight > 0 and part.score is not None]
    weight = sum(part.weight for part in weighed)
    if not weighed or weight < LEAST_JUDGED - 1e-9:
        return JudgedScore(score=None, low=None, high=None, parts=parts)
    score = sum(part.weight * (part.score or 0.0) for part in weighed) / weight
    below = math.hypot(*(p.weight / weight * ((p.score or 0.0) - (p.low or 0.0)) for p in weighed))
    above = math.hypot(*(p.weight / weight * ((p.high or 0.0) - (p.score or 0.0)) for p in weighed))
    return JudgedScore(
        score=min(1.0, score),
        low=max(0.0, score - below),
        high=min(1.0, score + above),
        parts=parts,
    )


def score_of(level: float, scale: Sequence[float]) -> float:
    """The score of a level, which may fall between two: linear between their scores."""
    level = min(max(level, 0.0), len(scale) - 1.0)
    below = min(int(level), len(scale) - 2)
    return scale[below] + (level - below) * (scale[below + 1] - scale[below])


def level_of(score: float, scale: Sequence[float]) -> int:
    """The highest level whose score is reached, give or take a hundredth."""
    return max((at for at, least in enumerate(scale) if score >= least - 0.01), default=0)


def _part(
    rubric: Rubric, criterion: Criterion, weight: float, given: CriterionJudgement | None
) -> JudgedPart:
    part = _shown(rubric, criterion, weight)
    if given is None:
        return part.model_copy(update={"reason": "not_judged"})
    if given.level is None:
        return part.model_copy(update={"reason": given.reason or "not_judged"})
    low = given.level if given.low is None else given.low
    high = given.level if given.high is None else given.high
    return part.model_copy(
        update={
            "level": given.level,
            "score": score_of(given.level, rubric.scale),
            "low": score_of(min(low, given.level - LEVEL_ERROR), rubric.scale),
            "high": score_of(max(high, given.level + LEVEL_ERROR), rubric.scale),
            "quotes": given.quotes,
            "missing": given.missing,
            "why": given.why,
        }
    )


def _sounded(rubric: Rubric, criterion: Criterion, measured: float | None) -> JudgedPart:
    part = _shown(rubric, criterion, 0.0).model_copy(update={"measured": True})
    if measured is None:
        return part.model_copy(update={"reason": "not_measured"})
    level = level_of(measured, rubric.scale)
    return part.model_copy(update={"level": float(level), "score": rubric.scale[level]})


def _shown(rubric: Rubric, criterion: Criterion, weight: float) -> JudgedPart:
    colon = "\u00a0: " if rubric.language == "fr" else ": "
    names = rubric.scale_labels or ("",) * len(rubric.scale)
    return JudgedPart(
        criterion=criterion.id,
        label=criterion.label,
        question=criterion.question,
        weight=weight,
        levels=tuple(
            f"{name}{colon}{level.text}" if name else level.text
            for name, level in zip(names, criterion.levels, strict=True)
        ),
    )
