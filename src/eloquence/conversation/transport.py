"""What a transport offers to the one pipeline. Nothing above it knows which transport it is."""

from collections.abc import AsyncIterator
from typing import Protocol

from livekit.agents.voice import io

from eloquence.conversation.utterance import Utterance
from eloquence.protocol import ClientMessage, ServerMessage


class Playback(Protocol):
    """Is told how much of an utterance was heard, a few times a second and once at its end."""

    def __call__(self, utterance: Utterance, position: float, *, finished: bool) -> None: ...


class Presence(Protocol):
    """Is told when the learner has vanished from the line (False) and is back (True)."""

    def __call__(self, present: bool) -> None: ...


class Transport(Protocol):
    """One learner's line: a microphone, a loudspeaker that says what it played, and messages.

    `audio_output` reads the `Utterance` off the frames it is given, reports to `on_playback`, and
    passes the words heard with the end of each segment, so that an interrupted reply ends in the
    history where it ended in the ear.
    """

    audio_input: io.AudioInput
    audio_output: io.AudioOutput
    on_playback: Playback | None
    on_presence: Presence | None
    """Only called by a line that a learner may leave and come back to; another one ends its
    `messages` instead."""

    @property
    def audible(self) -> bool:
        """Whether the learner can hear the character now, or will again if a pause was a false
        alarm."""
        ...

    def send(self, message: ServerMessage) -> None:
        """Queues a message. After the line is lost it is dropped."""
        ...

    def suspend(self, on: bool) -> None:
        """Holds the character's sound, or lets it go on; the engine cannot lift this."""
        ...

    def messages(self) -> AsyncIterator[ClientMessage]:
        """What the learner's client says; ends when the line is lost. Raises RemoteProtocolError
        when the client breaks the protocol."""
        ...
