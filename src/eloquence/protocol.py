"""The messages between the page and the server: one source for validation, types and docs.

Over the WebSocket, text frames carry one JSON message each, told apart by `type`. Binary frames
carry sound:

- client to server: PCM16 little-endian, mono, `INPUT_RATE`, `INPUT_FRAME` samples (20 ms);
- server to client: a little-endian u32 segment number, then PCM16 mono at `OUTPUT_RATE`.

A *segment* is one stretch of the character's speech. The client plays segments in order and says
what it really played: positions are seconds of sound that left the loudspeaker. The first message
is the client's `hello`; the server answers `ready`, or `error` and closes.

In a LiveKit room the sound travels in tracks, and the same messages in reliable data packets of
topic `TOPIC` (one longer than `MAX_PACKET` bytes as a text stream of that topic). The hello was the
body of the request that made the session; the client sends `joined` instead, every 0.3 s
for 3 s and then every second until `ready` comes, and again whenever it, or the coach, was away. It
reports no playback.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from eloquence.errors import Cause, RemoteProtocolError

VERSION = 1
INPUT_RATE = 16_000
INPUT_FRAME = 320
OUTPUT_RATE = 24_000
SEGMENT_HEADER = 4
MAX_FRAME_BYTES = 65_536
TOPIC = "eloquence"
MAX_PACKET = 14_000

State = Literal["listening", "thinking", "speaking", "paused"]
Phase = Literal["warm_up", "exercise"]
Purpose = Literal["exercise", "drill", "retry"]


class Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


# client to server


class Hello(Message):
    """Opens a conversation."""

    type: Literal["hello"] = "hello"
    version: int = VERSION
    exercise: str = Field(max_length=64)
    scenario: str | None = Field(None, max_length=64)
    language: Literal["fr", "en"] = "fr"
    patience: float | None = Field(None, ge=0.3, le=12)
    """Seconds of silence that end an unfinished sentence's turn; None = the exercise's."""
    push_to_talk: bool = False
    keep_audio: bool = False
    """Consent to keep the sound of this conversation on the server's machine."""
    profile: Literal["native", "learner", "speech_difference", "child"] = "native"
    """Whose norms apply to the report."""
    warm_up: bool = False
    """Begin with an easy question that is not scored and gives the speaker's own baseline."""
    exam: bool = False
    """No hints, no encouragement, and the partner never becomes easier."""
    hints: bool = True
    """Whether a hint is offered to a learner who is blocked. One that is asked for is always
    given, except in an exam."""
    goal: str = Field("", max_length=64)
    """The measure that the learner works on."""
    of: str = Field("", max_length=64)
    """The session that a drill or a retry belongs to, whose exercise, scene and language it has."""
    drill: str = Field("", max_length=64)
    """The drill to do instead of the exercise; needs `of`."""
    retry: int | None = Field(None, ge=0)
    """The index of the learner's turn of `of` to try again, instead of the exercise."""


class Joined(Message):
    """In a room: the learner is there, for the first time or again. Answered by `ready`."""

    type: Literal["joined"] = "joined"


class PlaybackStarted(Message):
    type: Literal["playback_started"] = "playback_started"
    segment: int = Field(ge=0)


class PlaybackProgress(Message):
    """Sent about four times a second while a segment plays."""

    type: Literal["playback_progress"] = "playback_progress"
    segment: int = Field(ge=0)
    position: float = Field(ge=0)


class PlaybackEnded(Message):
    """The segment was played to its end."""

    type: Literal["playback_ended"] = "playback_ended"
    segment: int = Field(ge=0)
    position: float = Field(ge=0)


class PlaybackCleared(Message):
    """The answer to `clear`: how much of the segment had been heard."""

    type: Literal["playback_cleared"] = "playback_cleared"
    segment: int = Field(ge=0)
    position: float = Field(ge=0)


class Press(Message):
    """Push-to-talk: the learner starts to talk."""

    type: Literal["press"] = "press"


class Release(Message):
    """The learner has finished talking: push-to-talk, or « J’ai fini » at any time."""

    type: Literal["release"] = "release"


class SetPushToTalk(Message):
    type: Literal["set_push_to_talk"] = "set_push_to_talk"
    on: bool


class SetPatience(Message):
    type: Literal["set_patience"] = "set_patience"
    seconds: float = Field(ge=0.3, le=12)


class Say(Message):
    """A typed turn, instead of a spoken one."""

    type: Literal["say"] = "say"
    text: str = Field(min_length=1, max_length=2000)


class Interrupt(Message):
    """Stops the character at once (the Esc key)."""

    type: Literal["interrupt"] = "interrupt"


class Help(Message):
    """Asks for a hint (the « Aide » button). It is shown, and said aloud unless the learner is
    talking."""

    type: Literal["help"] = "help"


class Repeat(Message):
    """Asks the character to say its last line again."""

    type: Literal["repeat"] = "repeat"


class Restart(Message):
    """Goes back to the first question of the exercise. What was said until here stays stored."""

    type: Literal["restart"] = "restart"


class Pause(Message):
    """Suspends the conversation: nothing is heard or said until `resume`."""

    type: Literal["pause"] = "pause"


class Resume(Message):
    type: Literal["resume"] = "resume"


class End(Message):
    """The learner ends the conversation."""

    type: Literal["end"] = "end"


ClientMessage = (
    Hello
    | Joined
    | PlaybackStarted
    | PlaybackProgress
    | PlaybackEnded
    | PlaybackCleared
    | Press
    | Release
    | SetPushToTalk
    | SetPatience
    | Say
    | Interrupt
    | Help
    | Repeat
    | Restart
    | Pause
    | Resume
    | End
)


# server to client


class StageStatus(Message):
    """Which provider serves a stage, in one sentence for the learner."""

    provider: str
    detail: str
    mend: str = ""
    model: str = ""
    leaves_machine: str = ""
    standby: list["Standby"] = []
    """Who takes over, in order, when it fails."""
    passed_over: str = ""
    """Who was chosen before it and is not ready, why, and the mend; empty when it was chosen."""


class Standby(Message):
    """A provider that serves a stage only when those before it fail."""

    provider: str
    model: str = ""
    leaves_machine: str = ""


class Ready(Message):
    """The conversation is open; the character will speak first."""

    type: Literal["ready"] = "ready"
    session: str
    character: str
    title: str
    """Of the exercise or the drill."""
    duration: float
    """Planned length in seconds, without the warm-up."""
    patience: float
    by_ear: bool
    stages: dict[str, StageStatus]
    purpose: Purpose = "exercise"
    task: str = ""
    """What is asked, to be shown all along: a drill's instructions, or the question that is
    tried again. Empty for a whole exercise."""
    phase: Phase = "exercise"
    """What it begins with. The exercise's time runs from `phase: exercise`."""
    level: int | None = None
    """The level it begins at; None where the scene has no levels."""
    exam: bool = False
    """No hints, no encouragement, and the level never goes down."""
    hints: bool = False
    """Whether a hint may come unasked."""
    goal: str = ""
    """The measure that the learner works on."""
    resumed: bool = False
    """Whether the conversation goes on after the line, or the coach, was lost. Captions of what was
    said last follow it."""
    elapsed: float = 0.0
    """Seconds of the exercise's own time that are over."""


class StateChanged(Message):
    type: Literal["state"] = "state"
    state: State


class PhaseChanged(Message):
    """The warm-up is over: what follows is scored, and its time starts now."""

    type: Literal["phase"] = "phase"
    phase: Phase


class LevelChanged(Message):
    """The partner has become more demanding, or less: 1 (warm) to 4 (hostile)."""

    type: Literal["level"] = "level"
    level: int = Field(ge=1, le=4)
    highest: int = 4
    """The highest level of this scene."""


class Hint(Message):
    """A few words of help. `spoken`: the character also says them, because they were asked for."""

    type: Literal["hint"] = "hint"
    text: str
    about: str
    """What it is about: a measure, a part of an answer (`situation`, `result`…), or `start`."""
    spoken: bool = False


class Mark(Message):
    """Something that a drill watches for was just heard: a gentle tone, no interruption."""

    type: Literal["mark"] = "mark"
    kind: Literal["forbidden_word"]
    text: str
    """The word that the drill forbids."""
    count: int = Field(ge=1)
    """How often it was heard so far."""


class Hearing(Message):
    """Whether the learner's voice is being heard right now."""

    type: Literal["hearing"] = "hearing"
    on: bool


class SegmentStart(Message):
    type: Literal["segment_start"] = "segment_start"
    segment: int


class SegmentEnd(Message):
    """All sound of the segment has been sent; `duration` is its length in seconds."""

    type: Literal["segment_end"] = "segment_end"
    segment: int
    duration: float


class PlaybackPause(Message):
    """Hold the sound: the learner may be interrupting."""

    type: Literal["playback_pause"] = "playback_pause"
    segment: int


class PlaybackResume(Message):
    type: Literal["playback_resume"] = "playback_resume"
    segment: int


class PlaybackClear(Message):
    """Drop the sound now and answer `playback_cleared`."""

    type: Literal["playback_clear"] = "playback_clear"
    segment: int


class Caption(Message):
    """What is being said. A later caption of the same `id` replaces an earlier one."""

    type: Literal["caption"] = "caption"
    id: str
    speaker: Literal["learner", "character"]
    text: str
    final: bool
    interrupted: bool = False


class TurnStored(Message):
    """The turn is safe on the disk."""

    type: Literal["turn_stored"] = "turn_stored"
    index: int
    speaker: Literal["learner", "character"]
    response: float | None = None
    """Seconds from the end of the learner's speech to the character's first sound."""


class StageChanged(Message):
    """A stage is served by another provider from now on: one before it failed, or is well again.
    The conversation goes on."""

    type: Literal["stage"] = "stage"
    stage: Literal["stt", "llm", "tts"]
    provider: str
    model: str = ""
    leaves_machine: str = ""
    cause: Cause | None = None
    """Why the one before was left; None when a better one serves again."""


class Notice(Message):
    """Something the learner should know; the conversation goes on."""

    type: Literal["notice"] = "notice"
    code: str
    """Stable: `storage_failed`; a stage and a cause, as `stt_timeout`; after the warm-up
    `microphone_noisy`, `microphone_clipping`, `microphone_quiet`; `no_hint`; `too_fast` when
    messages come faster than they are taken."""
    message: str
    """For the learner. Advice on the microphone is in the language of the conversation."""


class Failure(Message):
    """The conversation cannot start or go on; the connection closes after it."""

    type: Literal["error"] = "error"
    code: str
    message: str
    mend: str = ""
    retryable: bool = False


class Ended(Message):
    """The conversation is over and its report can be asked for."""

    type: Literal["ended"] = "ended"
    session: str
    status: Literal["complete", "interrupted", "failed"]
    reason: str


ServerMessage = (
    Ready
    | StateChanged
    | PhaseChanged
    | LevelChanged
    | StageChanged
    | Hint
    | Mark
    | Hearing
    | SegmentStart
    | SegmentEnd
    | PlaybackPause
    | PlaybackResume
    | PlaybackClear
    | Caption
    | TurnStored
    | Notice
    | Failure
    | Ended
)

_client: TypeAdapter[ClientMessage] = TypeAdapter(
    Annotated[ClientMessage, Field(discriminator="type")]
)
_server: TypeAdapter[ServerMessage] = TypeAdapter(
    Annotated[ServerMessage, Field(discriminator="type")]
)


def parse_client(text: str | bytes) -> ClientMessage:
    """The client's message. Raises RemoteProtocolError, without echoing what was sent."""
    try:
        return _client.validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "message"
        raise RemoteProtocolError(f"Bad message: {where}: {first['type']}.") from error


def parse_server(text: str | bytes) -> ServerMessage:
    """The server's message, for clients written in Python. Raises ValueError."""
    return _server.validate_json(text)
