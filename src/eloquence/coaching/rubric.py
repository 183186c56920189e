"""Rubrics: what the content of an exercise is judged by, as an open file of anchored levels."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from eloquence.coaching.character import Identifier, Language, Model, Share
from eloquence.coaching.exercise import Dimension


class Level(Model):
    """One step of a criterion: what an answer at this level is like, with an example."""

    text: str
    example: str = ""


class Criterion(Model):
    """One thing to judge, apart from all others. `levels` run from the worst to the best."""

    id: Identifier
    label: str
    dimension: Dimension
    """The dimension it counts for."""
    weight: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Its weight among the judged criteria of that dimension."""
    question: str
    """What is judged, as told to the judge."""
    levels: tuple[Level, ...]
    delivery: bool = False
    """Whether it is about how it sounds. Then the measures of its dimension answer, and no model
    is asked."""


class Hint(Model):
    """Something to look for in the words alone, when no model judges: a hint, never a score.

    `phrases`: one of `phrases` was said (case, accents and apostrophes ignored). `figure`: a
    number was said. `answer`: the learner took up a content word of the other's last question.
    """

    id: Identifier
    label: str
    looks_for: Literal["phrases", "figure", "answer"] = "phrases"
    phrases: tuple[str, ...] = ()
    found: str
    """What the learner reads when it was found."""
    absent: str
    """What the learner reads when it was not."""

    @model_validator(mode="after")
    def _consistent(self) -> "Hint":
        if (self.looks_for == "phrases") != bool(self.phrases):
            raise ValueError("phrases are given when, and only when, looks_for is 'phrases'")
        return self


class Rubric(Model):
    """Criteria for one kind of exercise, in one language."""

    id: Identifier
    version: Annotated[int, Field(ge=1)] = 1
    language: Language
    title: str
    description: str = ""
    source: str = ""
    """Where the criteria come from, and what is our own."""
    scale: Annotated[tuple[Share, ...], Field(min_length=2, max_length=6)] = (0, 0.35, 0.6, 0.8, 1)
    """The score of each level, ascending."""
    scale_labels: tuple[str, ...] = ()
    """What each level is called on the page; empty for none."""
    criteria: Annotated[tuple[Criterion, ...], Field(min_length=1)]
    hints: tuple[Hint, ...] = ()
    """What is offered instead while no model judges."""

    @model_validator(mode="after")
    def _consistent(self) -> "Rubric":
        if list(self.scale) != sorted(set(self.scale)):
            raise ValueError("scale: the scores of the levels ascend")
        if self.scale_labels and len(self.scale_labels) != len(self.scale):
            raise ValueError("scale_labels: one for each level of the scale")
        for criterion in self.criteria:
            if len(criterion.levels) != len(self.scale):
                raise ValueError(
                    f"{criterion.id}: {len(criterion.levels)} levels for a scale of "
                    f"{len(self.scale)}"
                )
        for kind, listed in (("criteria", self.criteria), ("hints", self.hints)):
            names = [each.id for each in listed]
            if len(names) != len(set(names)):
                raise ValueError(f"two {kind} have the same id")
        return self
