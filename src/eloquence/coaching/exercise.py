"""Exercises: what is practised, with whom, for how long, and how it is judged (EXO-01)."""

from typing import Annotated, Literal, get_args

from pydantic import AliasChoices, Field, model_validator

from eloquence.coaching.character import Identifier, Language, Model, Share

Dimension = Literal[
    "fluency",
    "confidence",
    "clarity",
    "engagement",
    "professionalism",
    "persuasion",
    "structure",
    "delivery",
    "listening",
    "problem_solving",
    "assertiveness",
]
DIMENSIONS: tuple[Dimension, ...] = get_args(Dimension)
Difficulty = Literal["beginner", "intermediate", "advanced"]
Register = Literal["conversation", "presentation"]
"""Which norms apply: talking with somebody (also interview, negotiation), or to an audience."""


Weight = Annotated[float, Field(gt=0, le=1)]


class Criteria(Model):
    """How a performance is judged (EVA-02)."""

    dimensions: Annotated[tuple[Dimension, ...], Field(min_length=1)]
    passing_score: Share = Field(
        0.7, validation_alias=AliasChoices("passing_score", "passingScore")
    )
    focus: tuple[Dimension, ...] = ()
    """The dimensions shown first; all of them when empty (X-26)."""
    focus_areas: tuple[str, ...] = Field(
        (), validation_alias=AliasChoices("focus_areas", "focusAreas")
    )
    weights: dict[Dimension, Weight] = Field(default_factory=dict)
    """Weight of each dimension in the overall score; equal when empty."""
    parts: dict[Dimension, dict[str, Weight]] = Field(default_factory=dict)
    """A dimension's measures and their weights, in place of those of the norms; they sum to 1."""
    judged: dict[Dimension, Share] = Field(default_factory=dict)
    """What the judged part of a dimension weighs, in place of the norms'."""

    @model_validator(mode="after")
    def _of_its_own(self) -> "Criteria":
        for key in ("weights", "parts", "judged"):
            for name in getattr(self, key):
                if name not in self.dimensions:
                    raise ValueError(
                        f"{key}: {name} is no dimension of this exercise; "
                        f"it has {', '.join(self.dimensions)}"
                    )
        for name, parts in self.parts.items():
            if abs(sum(parts.values()) - 1) > 1e-6:
                raise ValueError(f"parts: the weights of {name} sum to 1")
        return self


class Patience(Model):
    """How long the character waits before taking its turn, in seconds.

    `minimum` is waited when the sentence sounds finished, `maximum` when it does not. Thinking
    pauses shorter than `maximum` in an unfinished sentence never end the turn.
    """

    minimum: Annotated[float, Field(ge=0.1, le=6)] = 0.5
    maximum: Annotated[float, Field(ge=0.3, le=12)] = 2.5

    @model_validator(mode="after")
    def _ordered(self) -> "Patience":
        if self.maximum < self.minimum:
            raise ValueError("patience.maximum must not be smaller than patience.minimum")
        return self


class FollowUp(Model):
    """A line of the offline coach that fits when its condition holds on the learner's last turn.

    `heard` matches when one of the words or phrases was said (case and accents ignored); `when`
    matches what was measured: `short` (under `SHORT_ANSWER` seconds of speech), `long` (over
    `LONG_ANSWER`), `hesitant`, `fast`, `slow`, `silent` (nothing said after the character's turn),
    `question` (the learner asked one), `unfinished` (the step's `seconds` are not filled and the
    learner has not said that this was all). With neither, it always fits.
    """

    say: Annotated[tuple[str, ...], Field(min_length=1)]
    heard: tuple[str, ...] = ()
    when: (
        Literal["short", "long", "hesitant", "fast", "slow", "silent", "question", "unfinished"]
        | None
    ) = None


class Step(Model):
    """One stage of the offline coach's script: it asks, listens, may follow up, and moves on.

    `ask` holds variants; one is drawn without repeating. At most `follow_ups_max` follow-ups are
    given before the next step.
    """

    id: Identifier
    ask: Annotated[tuple[str, ...], Field(min_length=1)]
    follow_ups: tuple[FollowUp, ...] = ()
    follow_ups_max: Annotated[int, Field(ge=0, le=5)] = 1
    seconds: Annotated[float, Field(ge=0, le=600)] = 0.0
    """Seconds of speech that the step hopes for; an `unfinished` follow-up asks for more."""


class Demand(Model):
    """How demanding the partner is at one level: what a language model is told besides, and what
    the offline coach says besides. A level without lines of a kind has those of the level below.

    None of the lines may claim to have understood: they are said by ear too.
    """

    prompt: str = ""
    """Added to what a language model is told."""
    follow_up: tuple[str, ...] = ()
    """A further question on the answer that was just given."""
    objection: tuple[str, ...] = ()
    """A doubt that calls for a better reason."""
    vague: tuple[str, ...] = ()
    """After a short answer, which is not accepted."""
    silence: tuple[str, ...] = ()
    """When the learner stays silent, in place of an encouragement."""
    interruption: tuple[str, ...] = ()
    """Said over a learner who has been talking for long."""
    surprise: tuple[str, ...] = ()
    """A constraint that nobody announced, once."""


class Script(Model):
    """How the offline coach conducts the exercise from its file, with no language model."""

    steps: Annotated[tuple[Step, ...], Field(min_length=1)]
    opening_asks: bool = False
    """Whether the opening already is the first step's question."""
    encouragement: tuple[str, ...] = ()
    """Short reactions put before the next line, never twice in a row."""
    close: Annotated[tuple[str, ...], Field(min_length=1)]


class Prompts(Model):
    """What a language model is told about this exercise, and what opens it (EXO-03)."""

    system: str
    initial: str
    encouragement: tuple[str, ...] = ()


class Scenario(Model):
    """A scene within an exercise. Reads `exercise_id` for `id` and `duration` too (X-23, X-24)."""

    id: Identifier = Field(validation_alias=AliasChoices("id", "exercise_id"))
    title: str
    description: str = ""
    context: str = ""
    objective: str = ""
    duration_minutes: float | None = Field(
        None, gt=0, le=120, validation_alias=AliasChoices("duration_minutes", "duration")
    )
    prompts: Prompts
    script: Script
    levels: Annotated[tuple[Demand, ...], Field(max_length=4)] = ()
    """How demanding the partner becomes in this scene, in place of the exercise's levels."""


class Exercise(Model):
    """Something to practise, in one language. The first scenario is the default one.

    Reads `exercise_id` for `id`, `duration` for `duration_minutes`, and `evaluation_focus` or
    `evaluation` (a list of dimensions) for `criteria` (X-23 to X-25).
    """

    id: Identifier = Field(validation_alias=AliasChoices("id", "exercise_id"))
    title: str
    description: str
    character: Identifier
    scenarios: Annotated[tuple[Scenario, ...], Field(min_length=1)]
    criteria: Criteria
    difficulty: Difficulty
    duration_minutes: Annotated[
        float,
        Field(gt=0, le=120, validation_alias=AliasChoices("duration_minutes", "duration")),
    ]
    register_: Register = Field("conversation", alias="register")
    rubric: Identifier | None = None
    """What its content is judged by; None: only what is measured is scored."""
    questions: Literal["simple", "hard"] = "simple"
    """Which band the time before an answer is compared with: one may think about a hard one."""
    goal: str = ""
    icon: str = ""
    timing: str = ""
    """e.g. `structured_presentation` (EXO-05)."""
    patience: Patience = Patience()
    warm_up: tuple[str, ...] = ()
    """What the character may open a warm-up with, in place of the ordinary easy questions."""
    parts: tuple[str, ...] = ()
    """The parts of a good answer, in order, that hints are given on: `situation`, `result`…"""
    levels: Annotated[tuple[Demand, ...], Field(max_length=4)] = ()
    """From the warmest partner to the most demanding one; with none, the partner stays as is."""
    tips: tuple[str, ...] = ()
    language: Language

    @model_validator(mode="before")
    @classmethod
    def _read_evaluation_aliases(cls, data: object) -> object:
        if isinstance(data, dict) and "criteria" not in data:
            for key in ("evaluation_focus", "evaluation"):
                if key in data:
                    data = dict(data)
                    data["criteria"] = {"dimensions": data.pop(key)}
                    break
        return data

    def levels_of(self, scenario: Scenario) -> tuple[Demand, ...]:
        """How demanding the partner becomes in that scene."""
        return scenario.levels or self.levels

    def scenario(self, scenario_id: str | None = None) -> Scenario:
        """The scenario of that id, the first when None. Raises KeyError for an unknown id."""
        if scenario_id is None:
            return self.scenarios[0]
        for scenario in self.scenarios:
            if scenario.id == scenario_id:
                return scenario
        raise KeyError(scenario_id)
