"""What past sessions leave for later ones: raw measures with their errors, and the advice given."""

from pydantic import Field

from eloquence.coaching.character import Language, Model
from eloquence.coaching.session import Profile, Purpose


class Figure(Model):
    """A raw measure of one session and its standard error, in the measure's unit."""

    value: float
    error: float


class Past(Model):
    """One earlier session of the same learner, small enough to be kept for years."""

    session: str
    exercise: str
    language: Language
    started_at: float
    seconds: float
    """Speech that was scored, in seconds."""
    words: int
    by_ear: bool
    profile: Profile = "native"
    purpose: Purpose = "exercise"
    of: str = ""
    goal: str = ""
    measures: dict[str, Figure] = Field(default_factory=dict)
    scores: dict[str, float] = Field(default_factory=dict)
    """Dimension -> score, of those that were scored."""
    priority: str = ""
    """The measure or criterion that the advice was about."""
    drill: str = ""


History = tuple[Past, ...]
"""Oldest first; never the session that is being reported."""
