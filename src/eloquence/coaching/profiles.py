"""The norms that one session is compared with: those of its exercise, for its speaker."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

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
    for fault in faults(norms, exercise):
        raise ValueError(f"{fault}; known: {', '.join(fault.known)}")
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


@dataclass(frozen=True, slots=True)
class Fault:
    """A measure that an exercise weighs and that has no band in its register: the keys that lead
    to it, and the measures that have one."""

    where: tuple[str, ...]
    measure: str
    register: Register
    known: tuple[str, ...]

    def __str__(self) -> str:
        return f"{'.'.join(self.where)}: there is no band of it for a {self.register}"


def faults(norms: Norms, exercise: Exercise) -> Iterator[Fault]:
    """Every measure in `criteria.parts` that cannot be scored."""
    register = exercise.register_
    known = tuple(sorted(name for name, norm in norms.measures.items() if register in norm.bands))
    for name, parts in exercise.criteria.parts.items():
        for measure in parts:
            if measure not in known:
                yield Fault(("criteria", "parts", name, measure), measure, register, known)


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
