"""How the content of a session was judged against a rubric: levels, and the quotes behind them."""

from pydantic import Field

from eloquence.coaching.character import Model, Share


class Quote(Model):
    """The learner's own words, found in the transcript. Times are seconds on the session's clock,
    None where the words carry no times."""

    text: str
    turn: int
    start: float | None = None
    end: float | None = None


class CriterionJudgement(Model):
    """One criterion. `level` is the median of the samples, an index of the rubric's scale (it may
    fall between two levels); `low` and `high` are the lowest and highest sample. `level` is None
    when it was not judged, with a `reason` (a stable word)."""

    criterion: str
    level: float | None = None
    low: float | None = None
    high: float | None = None
    samples: int = 0
    """How many answers of the model counted."""
    void: int = 0
    """How many did not: no valid answer, or a quote that is not in the transcript."""
    quotes: tuple[Quote, ...] = ()
    missing: tuple[str, ...] = ()
    why: str = ""
    reason: str = ""
    """e.g. `no_majority`, `void`, `failed`, `too_short`."""


class Rewrite(Model):
    """One of the learner's sentences, and how it could have been said."""

    before: str
    after: str
    turn: int
    start: float | None = None
    end: float | None = None


class Judgement(Model):
    """All criteria of one session, with what is needed to tell two judgements apart."""

    rubric: str
    rubric_version: int
    prompt_version: int
    provider: str
    model: str
    """The model's own id as the provider knows it."""
    made_at: float
    """POSIX time in seconds, UTC."""
    criteria: tuple[CriterionJudgement, ...] = ()
    spread: Share | None = Field(None)
    """Mean distance between the highest and the lowest sample, as a share of the scale."""
    rewrite: Rewrite | None = None
    """A better version of one of the learner's own sentences."""
