"""What the measures of one language are compared with: published bands, errors and weights.

Nothing here is learned or hidden: a norm is a line of `norms.yaml` with its source.
"""

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from eloquence.coaching.character import Language, Model, Share
from eloquence.coaching.exercise import Dimension, Register

Points = tuple[float | None, float | None, float | None, float | None, float | None, float | None]
"""z0, p_lo, t_lo, t_hi, p_hi, z1 of the band function: 0 at z0 and z1, the pass mark 0.7 at p_lo
and p_hi, 1 from t_lo to t_hi. A side of which all three points are None is open."""
OPEN: Points = (None, None, None, None, None, None)
Positive = Annotated[float, Field(gt=0)]
Per = Literal["seconds", "ends", "stretches", "answers", "turns", "character_turns"]


class Wider(Model):
    """How the bands of somebody who learns the language differ: factors of the three points of
    each side."""

    low: Positive = 1.0
    high: Positive = 1.0


class MeasureNorm(Model):
    """One measure: how it is shown, what is normal, and how far to trust it."""

    label: str
    unit: str
    decimals: Annotated[int, Field(ge=0, le=2)] = 1
    percent: bool = False
    """Whether a share is shown as a percentage."""
    family: str = ""
    """Measures of one family say much the same; feedback praises one of them."""
    bands: dict[Register, Points] = Field(default_factory=dict)
    """Empty for a measure that is shown and never scored. In a register that has no band the
    measure does not apply, and weighs nothing."""
    hard: dict[Register, Points] = Field(default_factory=dict)
    """The band when the questions are hard, where it differs."""
    learner: Wider = Wider()
    about: Literal["speech", "content"] = "speech"
    """Whether it is about how one speaks or about what one says. The former is not measured for
    somebody with a speech difference."""
    error: Annotated[float, Field(ge=0)] = 0.0
    """Standard error in the measure's unit: at 60 s of speech, or of a single one of what it is
    taken from (`per`)."""
    per: Per = "seconds"
    """The count of `Tally` that it is taken from: its error shrinks with the square root."""
    least: Annotated[int, Field(ge=0)] = 0
    """How many of those it needs at least."""
    counted: bool = False
    """Whether it is a count of rare events per minute. Its error is then at least that of such a
    count, the root of the number (Poisson)."""
    relative: bool = False
    """Whether `error` and `by_ear` are shares of the value."""
    by_ear: float | None = Field(None, ge=0)
    """Error to add when it is found from the sound alone, which more speech does not reduce.
    None where the sound alone cannot tell."""
    least_seconds: float = 0.0
    """Speech below which it is not measured at all."""
    reliability: Share = 0.7
    """Share of the variance at 60 s that is the speaker's (intraclass correlation)."""
    trainability: Share = 0.8
    source: str = ""

    def band(self, register: Register) -> Points:
        """The band of a register; open on both sides where there is none."""
        return self.bands.get(register, OPEN)

    @field_validator("bands", "hard")
    @classmethod
    def _ordered(cls, bands: dict[Register, Points]) -> dict[Register, Points]:
        for register, points in bands.items():
            for side in (points[:3], points[3:]):
                if len({point is None for point in side}) > 1:
                    raise ValueError(f"{register}: a side of a band is given whole or not at all")
            known = [point for point in points if point is not None]
            if not known or known != sorted(set(known)):
                raise ValueError(f"{register}: the points of a band ascend")
        return bands


class DimensionNorm(Model):
    """A dimension: a part that is measured, and a part of the content that is judged."""

    label: str
    parts: dict[str, Share] = Field(default_factory=dict)
    """Measure -> weight in the measured part."""
    registers: dict[Register, dict[str, Share]] = Field(default_factory=dict)
    """In place of `parts` in a register."""
    of: dict[Dimension, Share] = Field(default_factory=dict)
    """In place of `parts`: other dimensions whose measured parts make this one."""
    judged: Share = 0.0
    """What the judged part weighs in the whole; the measured one weighs the rest."""
    source: str = ""

    @model_validator(mode="after")
    def _whole(self) -> "DimensionNorm":
        given = (self.parts, *self.registers.values())
        for weights in [list(one.values()) for one in given] + [list(self.of.values())]:
            if weights and abs(sum(weights) - 1) > 1e-6:
                raise ValueError("the weights of a dimension sum to 1")
        if bool(self.parts) and bool(self.of):
            raise ValueError("a dimension has `parts` or is `of` others, not both")
        if not self.parts and not self.of and self.judged < 1:
            raise ValueError("a dimension without measured part is judged as a whole: judged: 1")
        return self


class UnknownPauses(Model):
    """What is assumed of pauses when the recogniser writes no punctuation."""

    share: Share
    """How many of the pauses of unknown place fall inside a phrase, on average."""
    error: Annotated[float, Field(ge=0)]
    """Error of the mid-phrase rate that this adds, per minute."""


class Norms(Model):
    """The norms of one language."""

    language: Language
    source: str
    least_seconds: Positive = 15.0
    """Speech below which nothing is scored."""
    least_words: Annotated[int, Field(ge=0)] = 40
    full_seconds: Positive = 45.0
    """Speech below which a score is provisional."""
    least_voicing: Positive = 5.0
    """Seconds of voiced sound that pitch needs."""
    soft_minimum: Share = 0.2
    """Weight of the worst part in a dimension."""
    least_coverage: Share = 0.5
    """Share of a dimension's weight that must be measured."""
    unknown_pauses: UnknownPauses
    measures: dict[str, MeasureNorm]
    dimensions: dict[Dimension, DimensionNorm]

    @model_validator(mode="after")
    def _complete(self) -> "Norms":
        for name, dimension in self.dimensions.items():
            for parts in (dimension.parts, *dimension.registers.values()):
                for part in parts:
                    if part not in self.measures or not self.measures[part].bands:
                        raise ValueError(f"{name}: the part {part!r} has no band")
            for other in dimension.of:
                if other not in self.dimensions or not self.dimensions[other].parts:
                    raise ValueError(f"{name}: {other!r} has no measured part of its own")
        return self
