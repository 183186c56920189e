"""Every sentence of a report in one language, as `feedback.yaml` holds them.

Only figures, moments and the learner's own words are put into them. They speak of the take, never
of the person nor of what the person feels.
"""

from collections.abc import Sequence
from string import Formatter
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from eloquence.coaching.character import Language, Model
from eloquence.coaching.exercise import Dimension
from eloquence.coaching.norms import MeasureNorm, Points

Side = Literal["low", "high"]
"""On which side of its target zone a measure lies."""

_REMARK_PLACES = frozenset(
    {"moment", "moments", "count", "value", "unit", "target", "quote", "seconds", "label"}
)
_TARGET_PLACES = frozenset({"at_least", "at_most", "change"})
_JUDGED_PLACES = frozenset({"moment", "quote", "label", "level", "next", "missing"})
_PLACES = frozenset(
    {"label", "best", "worst", "reason", "strength", "priority", "value", "low", "high"}
    | {"target", "moments", "before", "after", "unit", "margin", "count", "days", "plan"}
    | {"at_least", "at_most", "change"}
)


def _check_places(text: str, known: frozenset[str] = _PLACES) -> str:
    for _, place, _, _ in Formatter().parse(text):
        if place is not None and place not in known:
            raise ValueError(f"unknown place {{{place}}}; known: {', '.join(sorted(known))}")
    return text


class Wording(Model):
    """A remark. `plain` stands in for `text` when there is no moment to point to."""

    title: str
    text: str
    plain: str

    @field_validator("text", "plain")
    @classmethod
    def _known_places(cls, text: str) -> str:
        return _check_places(text, _REMARK_PLACES)


class JudgedWording(Model):
    """A remark on a criterion of a rubric. `plain` stands in for `text` without a quote."""

    title: str
    text: str
    plain: str

    @field_validator("title", "text", "plain")
    @classmethod
    def _known_places(cls, text: str) -> str:
        return _check_places(text, _JUDGED_PLACES)


class JudgedPhrases(Model):
    """Remarks on what was judged. `effects` says, per dimension, what a listener lacks."""

    strength: JudgedWording
    priority: JudgedWording
    effects: dict[Dimension | Literal["other"], str]
    plan: str
    """The if-then plan of a goal that is a criterion."""

    @field_validator("plan")
    @classmethod
    def _known_places(cls, text: str) -> str:
        return _check_places(text, _JUDGED_PLACES)

    @model_validator(mode="after")
    def _for_all(self) -> "JudgedPhrases":
        if "other" not in self.effects:
            raise ValueError("effects: `other` stands for all that is not named")
        return self

    def effect(self, dimension: Dimension) -> str:
        """What a listener lacks when a criterion of that dimension is not met."""
        return self.effects.get(dimension, self.effects["other"])


class MarkPhrase(Model):
    """What a mark of one kind is called, and what it means."""

    name: str
    text: str


class Target(Model):
    """What a drill wants, to be read off its own session at once.

    What is looked at: a `measure`; how many `marks` of a kind there are; how many different
    `figures` were said; or how often one of the phrases in `said` was. What is wanted: `at_least`,
    `at_most` or both, in the measure's unit; or a `change` against the session that the drill
    belongs to, as a share of its value when `relative`.
    """

    measure: str = ""
    marks: str = ""
    figures: bool = False
    said: tuple[str, ...] = ()
    at_least: float | None = None
    at_most: float | None = None
    change: float | None = None
    relative: bool = False

    @model_validator(mode="after")
    def _of_one_thing(self) -> "Target":
        if sum(map(bool, (self.measure, self.marks, self.figures, self.said))) != 1:
            raise ValueError("a target looks at one of: measure, marks, figures, said")
        bounds = self.at_least is not None or self.at_most is not None
        if bounds == (self.change is not None):
            raise ValueError("a target has at_least or at_most, or else a change")
        if self.change is not None and not self.measure:
            raise ValueError("a change is one of a measure")
        return self


class DrillPhrase(Model):
    """A drill of the library and the faults it cures: measure → which side of its band.

    `criteria` are the ids of rubric criteria that it cures, `dimensions` stand for criteria that
    no drill names. The places of `success` are those of its target.
    """

    class ByEar(Model):
        """What it wants of a take without words, where the ear can tell another measure."""

        target: Target
        success: str

        @field_validator("success")
        @classmethod
        def _known_places(cls, text: str) -> str:
            return _check_places(text, _TARGET_PLACES)

    id: str
    title: str
    instructions: str
    """Shown."""
    spoken: str
    """What the character says to start it."""
    seconds: Annotated[int, Field(ge=60, le=120)]
    success: str
    target: Target
    by_ear: ByEar | None = None
    cures: dict[str, Side] = Field(default_factory=dict)
    criteria: tuple[str, ...] = ()
    dimensions: tuple[Dimension, ...] = ()

    @field_validator("success")
    @classmethod
    def _known_places(cls, text: str) -> str:
        return _check_places(text, _TARGET_PLACES)

    def aim(self, *, by_ear: bool) -> Target:
        """What it wants of a take that was measured by ear, or with words."""
        return self.by_ear.target if by_ear and self.by_ear else self.target


class Phrases(Model):
    """Every sentence of a report, in one language."""

    language: Language
    decimal: str
    """The decimal sign."""
    percent: str
    """A share of a hundred, with its sign."""
    comma: str
    last: str
    """What joins items of a list, and its last two."""
    target: dict[Literal["between", "at_least", "at_most"], str]
    learner: str
    """What the learner is called in the transcript."""
    headlines: dict[Literal["both", "priority", "strength", "good", "open", "not_scored"], str]
    summaries: dict[Literal["pass", "near", "not_yet"], str]
    reasons: dict[str, str]
    notes: dict[str, str]
    curves: dict[str, str]
    measures: dict[str, str]
    """Names of figures that have no norm."""
    marks: dict[str, MarkPhrase]
    strengths: dict[str, Wording]
    priorities: dict[str, dict[Side, Wording]]
    judged: JudgedPhrases
    plans: dict[str, dict[Side, str]]
    """If-then plans: measure → which side of its band is to be left."""
    goals: dict[Literal["next", "check", "held", "missed", "open", "not_measured"], str]
    changes: dict[Literal["figures", "better", "worse", "same", "changed"], str]
    comparisons: dict[
        Literal["better", "worse", "both", "same", "none", "short", "by_ear"],
        str,
    ]
    trends: dict[
        Literal["better", "worse", "same", "changed", "few", "all", "none", "apart"],
        str,
    ]
    appointments: dict[Literal["first", "second", "later"], str]
    results: dict[
        Literal["reached", "likely", "close", "missed", "not_measured", "no_parent", "not_judged"],
        str,
    ]
    drills: tuple[DrillPhrase, ...]

    @field_validator(
        *("headlines", "summaries", "reasons", "notes", "curves", "target"),
        *("goals", "changes", "comparisons", "trends", "appointments", "results"),
    )
    @classmethod
    def _known_places(cls, texts: dict[str, str]) -> dict[str, str]:
        for text in texts.values():
            _check_places(text)
        return texts

    @model_validator(mode="after")
    def _drills_apart(self) -> "Phrases":
        names = [drill.id for drill in self.drills]
        if len(names) != len(set(names)):
            raise ValueError("two drills have the same id")
        return self

    def drill(self, drill_id: str) -> DrillPhrase | None:
        """The drill of that id, if there is one."""
        return next((drill for drill in self.drills if drill.id == drill_id), None)

    def number(self, value: float, decimals: int) -> str:
        """The figure as people write it."""
        written = f"{value:.{decimals}f}"
        if float(written) == 0:
            written = written.lstrip("-")
        return written.replace("-", "\u2212").replace(".", self.decimal)

    def listed(self, items: Sequence[str]) -> str:
        """« a, b et c »."""
        if len(items) < 2:
            return "".join(items)
        return self.comma.join(items[:-1]) + self.last + items[-1]

    def shown(self, value: float, norm: MeasureNorm) -> str:
        """A measure's value as people write it, without its unit."""
        if norm.percent:
            return self.percent.format(value=self.number(100 * value, 0))
        return self.number(value, norm.decimals)

    def quantity(self, value: float, norm: MeasureNorm) -> str:
        """A measure's value as people write it, with its unit."""
        return f"{self.shown(value, norm)} {norm.unit}".strip()

    def success(self, drill: DrillPhrase, *, by_ear: bool = False) -> str:
        """How one sees that a drill worked, with the figures of its target."""
        target = drill.aim(by_ear=by_ear)
        wording = drill.by_ear.success if by_ear and drill.by_ear else drill.success

        def figure(value: float | None) -> str:
            if value is None:
                return ""
            if target.relative:
                return self.percent.format(value=self.number(100 * abs(value), 0))
            return self.number(value, 0 if value == round(value) else 1)

        return wording.format(
            at_least=figure(target.at_least),
            at_most=figure(target.at_most),
            change=figure(target.change),
        )

    def zone(self, points: Points, norm: MeasureNorm) -> str:
        """The target zone of a band in words."""
        low, high = points[2], points[3]
        kind: Literal["between", "at_least", "at_most"] = (
            "at_most" if low is None else "at_least" if high is None else "between"
        )
        return self.target[kind].format(
            low="" if low is None else self.shown(low, norm),
            high="" if high is None else self.shown(high, norm),
        )


def clock(seconds: float) -> str:
    """A time on the recording, as 0:42."""
    whole = max(0, int(seconds))
    return f"{whole // 60}:{whole % 60:02d}"


def inside(title: str) -> str:
    """A title or label inside a sentence: without its capital, unless it is an abbreviation."""
    return title if title[1:2].isupper() else title[:1].lower() + title[1:]
