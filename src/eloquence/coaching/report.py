"""What a learner leaves with: scores as bands with an interval, and the moments behind them.

`Report` is what `report.json` holds and what the page draws. It is derived from a stored session
alone, so that it can be made again at any time.
"""

from typing import Literal

from pydantic import Field

from eloquence.coaching.character import Language, Model, Share
from eloquence.coaching.exercise import Dimension
from eloquence.coaching.session import Speaker
from eloquence.delivery.words import Word

SCHEMA_VERSION = 1

State = Literal["pass", "near", "not_yet", "not_scored"]


class Event(Model):
    """A moment that counted: when, what, and how much.

    `effect` is how much the dimension's score would rise without this event (0 for good moments);
    `text` is the words around it, empty by ear.
    """

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
    weight: Share
    score: Share | None
    band: tuple[float | None, float | None, float | None, float | None, float | None, float | None]
    """The six points of the band function, ascending; None marks an open side."""
    source: str = ""
    """Where the norm comes from, in one line."""
    reason: str = ""
    """Why it could not be measured, when `value` is None."""


class DimensionScore(Model):
    """One dimension, 0..1. `score`, `low` and `high` (80 % interval) are None when not scored."""

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
    parts: tuple[Part, ...] = ()
    events: tuple[Event, ...] = ()


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
    dimensions: tuple[DimensionScore, ...]
    passing_score: Share
    measures: tuple[Measure, ...]
    turns: tuple[ReportTurn, ...]
    pace: Curve
    pitch: Curve
    intensity: Curve
    evaluation: Evaluation
    audio: tuple[str, ...] = Field(default=())
    """The recordings that were kept: `learner`, `mix`."""
