"""The norms that one session is compared with: those of its exercise, for its speaker."""

from collections.abc import Iterator, Mapping

from eloquence.coaching.exercise import Dimension, Exercise, Register
from eloquence.coaching.norms import DimensionNorm, MeasureNorm, Norms, Points, Wider
from eloquence.coaching.session import Profile


def norms_for(norms: Norms, exercise: Exercise, profile: Profile = "native") -> Norms:
    """The norms with the weights of the exercise and the bands of the profile.

    Every dimension of what is returned has its weights in `parts`, summing to 1 (or empty when it
    is wholly judged), of measures that have a band in the exercise's register; every measure has
    that register's band alone. A learner's bands are wider, a child has none.
    Raises ValueError, naming what is known, for an exercise that names a measure without band.
    """
    if wrong := next(faults(norms, exercise), ""):
        raise ValueError(wrong)
    register = exercise.register_
    measures = {
        name: _measure(norm, register, exercise.questions, profile)
        for name, norm in norms.measures.items()
    }
    own = {
        name: _applicable(dict(exercise.criteria.parts.get(name, {})), norms, register)
        or _applicable(dimension.registers.get(register, dimension.parts), norms, register)
        for name, dimension in norms.dimensions.items()
    }
    dimensions = {
        name: _dimension(name, dimension, own, exercise)
        for name, dimension in norms.dimensions.items()
    }
    return norms.model_copy(update={"measures": measures, "dimensions": dimensions})


def faults(norms: Norms, exercise: Exercise) -> Iterator[str]:
    """What an exercise says of its scores that the norms do not know, each with what they do."""
    register = exercise.register_
    known = sorted(name for name, norm in norms.measures.items() if register in norm.bands)
    for name, parts in exercise.criteria.parts.items():
        for measure in parts:
            if measure not in known:
                yield (
                    f"criteria.parts.{name}: {measure!r} has no band for a {register}; "
                    f"known: {', '.join(known)}"
                )
        if abs(sum(parts.values()) - 1) > 1e-6:
            yield f"criteria.parts.{name}: the weights sum to 1"
    for name in exercise.criteria.weights:
        if name not in exercise.criteria.dimensions:
            yield (
                f"criteria.weights: {name!r} is not a dimension of this exercise; "
                f"known: {', '.join(exercise.criteria.dimensions)}"
            )


def _measure(
    norm: MeasureNorm, register: Register, questions: str, profile: Profile
) -> MeasureNorm:
    points = norm.bands.get(register)
    if questions == "hard":
        points = norm.hard.get(register, points)
    if points is None or profile == "child":
        return norm.model_copy(update={"bands": {}})
    if profile == "learner":
        points = _wider(points, norm.learner)
    return norm.model_copy(update={"bands": {register: points}})


def _wider(points: Points, factors: Wider) -> Points:
    low, high = factors.low, factors.high
    by = (low, low, low, high, high, high)
    scaled = [None if one is None else one * factor for one, factor in zip(points, by, strict=True)]
    return (scaled[0], scaled[1], scaled[2], scaled[3], scaled[4], scaled[5])


def _applicable(weights: Mapping[str, float], norms: Norms, register: Register) -> dict[str, float]:
    """The weights of the measures that apply in a register, summing to 1."""
    kept = {name: one for name, one in weights.items() if register in norms.measures[name].bands}
    total = sum(kept.values())
    return {name: weight / total for name, weight in kept.items()}


def _dimension(
    name: Dimension,
    dimension: DimensionNorm,
    own: Mapping[Dimension, Mapping[str, float]],
    exercise: Exercise,
) -> DimensionNorm:
    parts = dict(own[name])
    if not parts:
        for other, share in dimension.of.items():
            for measure, weight in own[other].items():
                parts[measure] = parts.get(measure, 0.0) + share * weight
    judged = exercise.criteria.judged.get(name, dimension.judged)
    return dimension.model_copy(
        update={"parts": parts, "registers": {}, "of": {}, "judged": judged if parts else 1.0}
    )
