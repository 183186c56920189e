"""Where a conversation stands after a turn: kept with the turn, so that another process can go on
from there when the one that held it is gone."""

from eloquence.coaching.character import Model
from eloquence.coaching.script import Place
from eloquence.coaching.session import Phase


class GuidanceState(Model):
    """The coach's own part: see `eloquence.conversation.guidance.Guidance`."""

    phase: Phase
    question: str
    """What the learner is to answer."""
    warm_up_turns: int = 0
    warm_up_seconds: float = 0.0
    level: int = 1
    recent: tuple[float, ...] = ()
    """Scores of the turns since the last step of the ladder."""
    hints_given: int = 0
    hint_at: float | None = None
    """When the last hint was given, on the conversation's clock."""
    cut_in_at: float = 0.0


class Checkpoint(Model):
    """Everything that a conversation needs besides its turns. Times are seconds on its clock."""

    elapsed: float
    """Seconds that were talked, pauses left out."""
    guidance: GuidanceState
    scene_since: float | None = None
    """When the exercise's own time began."""
    read_from: int = 0
    """Index of the first turn that a language model reads of the conversation."""
    place: Place | None = None
    """Where the offline coach stood after the last line that was heard."""
    patience: float | None = None
    """What the learner chose meanwhile, in seconds."""
    push_to_talk: bool = False
    forbidden_uses: int = 0
