"""The record of a conversation: what is stored, turn by turn, the moment each turn ends.

A session is an append-only log. Everything that a report needs is in it: words with times, who
was interrupted where, latencies, and what was measured on the sound of each turn. The audio
itself is kept apart, and only with consent.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, Protocol

from pydantic import Field, field_serializer

from eloquence.coaching.character import Language, Model
from eloquence.coaching.judgement import Judgement
from eloquence.delivery.sound import Sound
from eloquence.delivery.words import Word

if TYPE_CHECKING:
    from eloquence.coaching.checkpoint import Checkpoint

Speaker = Literal["learner", "character"]
Status = Literal["complete", "interrupted", "failed"]
"""How a session ended. `complete`: by the learner, the script or the clock. `interrupted`: the
connection or the process ended it. `failed`: a stage or the machine did."""


Profile = Literal["native", "learner", "speech_difference", "child"]
"""Whose norms apply. `learner`: wider bands for somebody who learns the language.
`speech_difference`: no time, pitch or filler scores. `child`: measures only, no bands."""
Purpose = Literal["exercise", "drill", "retry"]
"""What a session is for: a whole exercise, one drill, or one answer tried again."""
Phase = Literal["warm_up", "exercise"]
"""`warm_up` turns give the speaker's own baseline and are never scored."""


class Latency(Model):
    """Seconds that each stage took before this turn was heard; None where it does not apply.

    `endpointing`: end of the learner's speech to the decision that the turn ended.
    `transcription`: end of speech to the final words. `llm`: to the first token.
    `tts`: to the first sound. `response`: end of the learner's speech to the first sound handed
    to the transport.
    """

    endpointing: float | None = None
    transcription: float | None = None
    llm: float | None = None
    tts: float | None = None
    response: float | None = None


class Turn(Model):
    """One speaker's stretch of speech. Times are seconds since the session started.

    For a character's turn `text` is what was *heard*: an interrupted one ends where the sound
    stopped. `sound` is present on learner turns. By ear (no recogniser) `text` is empty and
    `words` is None.
    """

    index: int = Field(ge=0)
    speaker: Speaker
    start: float
    end: float
    text: str = ""
    words: tuple[Word, ...] | None = None
    interrupted: bool = False
    phase: Phase = "exercise"
    level: int | None = None
    """How demanding the partner was, 1..4; None where the scene has no levels."""
    latency: Latency = Latency()
    sound: Sound | None = None


class Session(Model):
    """One conversation, as opened. `started_at` is POSIX time in seconds, UTC."""

    id: str
    exercise: str
    scenario: str
    character: str
    language: Language
    started_at: float
    stages: dict[str, str] = Field(default_factory=dict)
    """Which provider served each stage, e.g. {"stt": "vosk", "llm": "script", "tts": "espeak"}."""
    hosts: dict[str, str] = Field(default_factory=dict)
    """The outside host that each stage sent speech or text to; only of stages that did."""
    keep_audio: bool = False
    source: Literal["conversation", "recording"] = "conversation"
    title: str = ""
    profile: Profile = "native"
    purpose: Purpose = "exercise"
    of: str = ""
    """The session that a drill or a retry belongs to."""
    drill: str = ""
    """The id of the drill."""
    retried: int | None = None
    """The index, in that other session, of the learner's turn that is tried again."""
    goal: str = ""
    """The measure that the learner chose to work on."""
    exam: bool = False
    """No hints, no second chances."""
    seed: int = 0
    """Seeds whatever was drawn at random, so that the conversation can go on elsewhere."""
    verbatim: bool = False
    """Whether the words are known to hold every « euh » that was said, as those of a person do and
    a recogniser's do not."""


class Annotations(Model):
    """What the learner added to a session afterwards.

    `dismissed` holds the ids of the marks that the learner does not accept; `worked` is what they
    said went well before they saw the report, `plan` what they will try next.
    """

    dismissed: frozenset[str] = frozenset()
    worked: str = Field("", max_length=2000)
    plan: str = Field("", max_length=500)

    @field_serializer("dismissed", when_used="json")
    def _in_order(self, dismissed: frozenset[str]) -> list[str]:
        return sorted(dismissed)


class SessionEnd(Model):
    """How a session ended. `duration` is seconds since it started; `reason` is a stable word such
    as `learner`, `script`, `duration`, `idle`, `page_closed`, `process_died`, `llm`, `tts`."""

    status: Status
    reason: str
    duration: float


class StoredSession(Model):
    """A session with all that was appended to it. `end` is None while it is live."""

    session: Session
    turns: tuple[Turn, ...] = ()
    end: SessionEnd | None = None
    audio: tuple[str, ...] = ()
    """Names of the kept recordings: `learner`, `mix`."""
    annotations: Annotations = Annotations()
    judgement: Judgement | None = None


class SessionStore(Protocol):
    """Where sessions are kept. Every call has its effect on the disk when it returns.

    Raises StorageError when the store fails, SessionNotFoundError for an unknown id.
    """

    async def open(self, session: Session) -> None: ...

    async def append(
        self, session_id: str, turn: Turn, checkpoint: "Checkpoint | None" = None
    ) -> None:
        """`checkpoint` is where the conversation stands after the turn."""
        ...

    async def attach(self, session_id: str, index: int, sound: Sound) -> None:
        """Adds what was measured on the sound of a turn that was appended without it."""
        ...

    async def end(self, session_id: str, end: SessionEnd) -> None: ...

    async def get(self, session_id: str) -> StoredSession: ...

    async def list(self, *, limit: int = 100, offset: int = 0) -> Sequence[StoredSession]:
        """Newest first, without their turns and judgements."""
        ...

    async def delete(self, session_id: str) -> None:
        """The session, its turns and its recordings, for good."""
        ...
