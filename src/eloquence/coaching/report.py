"""What a learner leaves with: scores as bands with an interval, and the moments behind them.

`Report` is what `report.json` holds and what the page draws. It is derived from a stored session
alone, so that it can be made again at any time.
"""

from typing import Literal

from pydantic import Field

from eloquence.coaching.character import Language, Model, Share
from eloquence.coaching.exercise import Dimension, Register
from eloquence.coaching.judgement import Quote, Rewrite
from eloquence.coaching.session import Phase, Profile, Purpose, Speaker
from eloquence.delivery.words import Word

SCHEMA_VERSION = 2

State = Literal["pass", "near", "not_yet", "not_scored"]


class Event(Model):
    """A moment that counted: when, what, and how much.

    `effect` is how much the dimension's score would rise without this event (0 for good moments);
    `text` is the words around it, empty by ear.
    """

    id: str
    """The mark it shows as, e.g. `long_pause@41.20`: what a dismissal names."""
    kind: str
    """e.g. `mid_phrase_pause`, `long_pause`, `filled_pause`, `repetition`, `fast_stretch`,
    `monotone_stretch`, `trailing_off`, `good_run`, `lively_stretch`."""
    start: float
    end: float
    text: str = ""
    value: float | None = None
    effect: float = 0.0
    turn: int | None = None


class Part(Model):
    """One measure inside a dimension: its raw value, its band and its score."""

    measure: str
    label: str
    value: float | None
    unit: str
    percent: bool = False
    """Whether a share is shown as a percentage."""
    weight: Share
    score: Share | None
    band: tuple[float | None, float | None, float | None, float | None, float | None, float | None]
    """The six points of the band function, ascending; None marks an open side."""
    source: str = ""
    """Where the norm comes from, in one line."""
    reason: str = ""
    """Why it could not be measured, when `value` is None."""


class JudgedPart(Model):
    """One criterion of the rubric inside a dimension: « apprécié », never « mesuré »."""

    criterion: str
    label: str
    question: str
    weight: Share
    """Its share of the judged part of the dimension."""
    level: float | None = None
    """Median level, an index of `levels`; None when it was not judged."""
    score: Share | None = None
    low: Share | None = None
    high: Share | None = None
    levels: tuple[str, ...] = ()
    """What each level means, worst first."""
    quotes: tuple[Quote, ...] = ()
    missing: tuple[str, ...] = ()
    why: str = ""
    measured: bool = False
    """Whether it is about how it sounds: its level then follows from the measures, weighs nothing
    here, and no model was asked."""
    reason: str = ""
    """Why it was not judged, for the learner."""


class DimensionScore(Model):
    """One dimension, 0..1. `score`, `low` and `high` (80 % interval) are None when not scored.

    `measured` and `judged` are the scores of its two parts, never mixed up; `judged_weight` is
    what the judged part weighs in the whole.
    """

    dimension: Dimension
    label: str
    state: State
    score: Share | None = None
    low: Share | None = None
    high: Share | None = None
    coverage: Share = 0.0
    """Share of the weight that could be measured."""
    provisional: bool = False
    """Between 15 and 45 s of speech: to be read as a range."""
    reason: str = ""
    """Why it was not scored, for the learner."""
    summary: str = ""
    """One sentence for the learner."""
    measured: Share | None = None
    judged: Share | None = None
    judged_weight: Share = 0.0
    parts: tuple[Part, ...] = ()
    criteria: tuple[JudgedPart, ...] = ()
    events: tuple[Event, ...] = ()


class Overall(Model):
    """The weighted mean of the exercise's own dimensions; never the headline."""

    score: Share
    low: Share
    high: Share
    state: State
    weights: dict[str, float]
    """Dimension -> weight among those that were scored."""


class Mark(Model):
    """A moment as the transcript and the timeline show it, once, whatever it counts for."""

    id: str
    kind: str
    label: str
    start: float
    end: float
    turn: int | None
    text: str = ""
    about: str = ""
    """What such a moment is, in one sentence."""
    value: float | None = None
    good: bool = False
    dismissed: bool = False
    """Whether the learner does not accept it: it then counts nowhere."""
    effects: dict[str, float] = Field(default_factory=dict)
    """Dimension -> how much its score would rise without this mark."""


class ContentHint(Model):
    """A remark on the content that needs no model: a hint, found by words, and no score."""

    id: str
    label: str
    found: bool
    text: str
    quotes: tuple[Quote, ...] = ()


class Content(Model):
    """Whether and how the content was judged. `reason` says why it was not."""

    state: Literal["judged", "pending", "not_judged"]
    reason: str = ""
    rubric: str = ""
    rubric_title: str = ""
    rubric_source: str = ""
    provider: str = ""
    model: str = ""
    prompt_version: int | None = None
    spread: Share | None = None
    hints: tuple[ContentHint, ...] = ()


class Baseline(Model):
    """What the warm-up told of this speaker, room and microphone; None where it could not be."""

    seconds: float
    level: float | None = None
    """Mean level of the speech in dB relative to full scale."""
    noise: float | None = None
    """Signal-to-noise ratio in dB."""
    speech_rate: float | None = None
    median_pitch: float | None = None
    """Hz: a reference for semitones, never shown as a skill."""
    level_change: float | None = None
    """Level of the exercise minus that of the warm-up, in dB."""


class Change(Model):
    """One raw measure before and after. `margin` is what a change must exceed to be more than
    measurement error: 1.28 sqrt(SE1^2 + SE2^2)."""

    measure: str
    label: str
    unit: str
    percent: bool = False
    before: float
    after: float
    margin: float
    verdict: Literal["better", "worse", "same", "changed"]
    """`changed`: beyond the error, with no good or bad direction."""
    sentence: str


class Comparison(Model):
    """This take beside another one of the same learner."""

    session: str
    started_at: float
    title: str
    changes: tuple[Change, ...]
    sentence: str


class Goal(Model):
    """What the learner works on, as an if-then plan."""

    measure: str
    label: str
    plan: str
    """« Si je cherche un mot, alors je me tais une seconde. »"""
    held: bool | None = None
    """Whether this session held it; None when it could not be told, or is for next time."""
    sentence: str = ""


class DrillResult(Model):
    """Whether a drill reached its target, from its own session alone."""

    drill: str
    title: str
    measure: str
    """What was looked at: a measure, a kind of mark that was counted, or a criterion."""
    label: str
    unit: str
    percent: bool = False
    value: float | None = None
    low: float | None = None
    high: float | None = None
    """80 % interval of the value; for a change, the error of both takes together."""
    before: float | None = None
    """The value in the session that the drill belongs to, when the target is a change."""
    at_least: float | None = None
    at_most: float | None = None
    """What the value was to reach."""
    reached: bool | None = None
    """Whether the value reached it; None when it could not be measured."""
    certain: bool = False
    """Whether the whole interval says the same."""
    sentence: str


class Appointment(Model):
    """When to come back: days from this session, as POSIX times of the first and last moment."""

    first: float
    last: float
    days: tuple[int, int]
    sentence: str


class Remark(Model):
    """A strength or the priority: moment + observation + effect on the listener + next step."""

    title: str
    text: str
    start: float | None = None
    end: float | None = None
    measure: str = ""


class Drill(Model):
    """One exercise of one to two minutes, tied to one measure."""

    id: str
    title: str
    instructions: str
    seconds: int
    success: str
    """How one sees that it worked, for the learner."""
    measure: str


class Feedback(Model):
    """Two strengths at most, one priority, one drill."""

    headline: str
    strengths: tuple[Remark, ...] = ()
    priority: Remark | None = None
    drill: Drill | None = None
    rewrite: Rewrite | None = None
    """A better version of one of the learner's own sentences, where a model is there."""


class Curve(Model):
    """A line over time. `values[i]` is at `times[i]`; None is a gap. `band` is the target zone.

    `sentence` says in words what the picture shows.
    """

    label: str
    unit: str
    times: tuple[float, ...]
    values: tuple[float | None, ...]
    band: tuple[float, float] | None = None
    sentence: str = ""


class Pause(Model):
    """A silence of at least 0.25 s inside a learner's turn."""

    start: float
    end: float
    kind: Literal["boundary", "mid_phrase", "unknown"]


class ReportTurn(Model):
    """A turn as the report shows it. Times are seconds on the session's clock."""

    index: int
    speaker: Speaker
    name: str
    start: float
    end: float
    text: str
    words: tuple[Word, ...] | None
    interrupted: bool = False
    response: float | None = None
    """Seconds between the end of the other's speech and this turn's first sound."""
    phase: Phase = "exercise"
    pauses: tuple[Pause, ...] = ()
    speech: tuple[tuple[float, float], ...] = ()


class Evaluation(Model):
    """The outcome in the form that other tools read (EVA-01)."""

    scores: dict[str, float]
    feedback: tuple[str, ...]
    duration: float
    wordCount: int  # noqa: N815 - the key is fixed
    fluencyScore: float | None  # noqa: N815
    confidenceScore: float | None  # noqa: N815
    customMetrics: dict[str, float | str | None]  # noqa: N815


class Measure(Model):
    """A raw figure, scored or not."""

    id: str
    label: str
    value: float | None
    unit: str
    percent: bool = False
    """Whether a share is shown as a percentage."""
    error: float | None = None
    """Standard error of the value for this amount of speech."""
    reason: str = ""


class Quality(Model):
    """How good the sound was for measuring."""

    snr: float | None
    clipping: float
    words_heard: bool
    """Whether a recogniser gave words; False means the report is by ear."""
    notes: tuple[str, ...] = ()


class Report(Model):
    """The whole report of one session."""

    schema_version: int = SCHEMA_VERSION
    session: str
    language: Language
    exercise: str
    title: str
    character: str
    started_at: float
    duration: float
    status: str
    reason: str
    stages: dict[str, str]
    speech_seconds: float
    """The learner's speech, silences inside turns included."""
    word_count: int
    quality: Quality
    feedback: Feedback
    profile: Profile = "native"
    setting: Register = "conversation"
    """The register whose norms applied."""
    purpose: Purpose = "exercise"
    of: str = ""
    drill: str = ""
    """The id of the drill that this session was."""
    retried: int | None = None
    """The index, in the session `of`, of the answer that this one is another try of."""
    exam: bool = False
    overall: Overall | None = None
    dimensions: tuple[DimensionScore, ...]
    content: Content = Content(state="not_judged")
    marks: tuple[Mark, ...] = ()
    baseline: Baseline | None = None
    goal: Goal | None = None
    """The goal of this session."""
    proposal: Goal | None = None
    """The goal proposed for the next one."""
    comparison: Comparison | None = None
    """With the last take of the same exercise, or with the take that a retry or drill is of."""
    appointment: Appointment | None = None
    drill_result: DrillResult | None = None
    """What a session that is a drill came to."""
    weakest_turn: int | None = None
    """The learner's turn that is worth trying again."""
    worked: str = ""
    """What the learner said went well before they saw this."""
    plan: str = ""
    passing_score: Share
    measures: tuple[Measure, ...]
    turns: tuple[ReportTurn, ...]
    pace: Curve
    pitch: Curve
    intensity: Curve
    evaluation: Evaluation
    audio: tuple[str, ...] = Field(default=())
    """The recordings that were kept: `learner`, `mix`."""
