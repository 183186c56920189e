"""The transport of a room: sound in tracks, the protocol's messages in data packets.

    async with RoomTransport(room, learner) as transport:
        if await transport.learner_joined(60.0):
            …

The room is one's own: joined before, left after. The learner may vanish and come back under the
same identity, and so may the line to the server; sound and messages then go on where they were.
"""

import asyncio
import logging
import math
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from livekit import rtc
from livekit.agents import utils
from livekit.agents.voice import io
from livekit.rtc.participant import PublishDataError, PublishTrackError

from eloquence import protocol
from eloquence.conversation.transport import Playback, Presence
from eloquence.errors import RemoteProtocolError, RoomError
from eloquence.protocol import MAX_PACKET, TOPIC, ClientMessage, Joined, Ready, ServerMessage
from eloquence.transports.livekit_sound import Loudspeaker, Microphone

log = logging.getLogger("eloquence.transports.room")

TRACK = "coach"
"""Name of the character's track."""
_HEARD_SECONDS = 0.5
"""Time that the learner's client has to subscribe before the sound begins anyway: the SDK drops
the news when it comes before its own answer to the publishing."""
_MESSAGES_AT_MOST = 256
"""Messages that may wait, either way, before the oldest (ours) or the line (theirs) is dropped."""
_SEND_SECONDS = 5.0
_OVERTAKEN_SECONDS = 5.0
"""By so much a `joined` may come before the news of the participant that it is from: messages and
news take different ways."""
_LAST_WORDS_SECONDS = 1.0
_UNDERWAY_SECONDS = 0.2
"""Given to messages that WebRTC has taken and not sent: a room that is left drops them."""


class RoomTransport:
    """The line of one learner in a room that was joined already. Use as an async context manager.

    Messages go to the learner alone and count from the learner alone, known by their identity.
    While they are away, messages to them are dropped. `messages` ends when the room is closed, or
    this participant is put out of it, or the server was gone for longer than is tried to reach it.
    """

    def __init__(self, room: rtc.Room, learner: str) -> None:
        self._room = room
        self._learner = learner
        self._microphone = Microphone()
        self._loudspeaker = Loudspeaker(self.send)
        self.audio_input: io.AudioInput = self._microphone
        self.audio_output: io.AudioOutput = self._loudspeaker
        self._publication: rtc.LocalTrackPublication | None = None
        self._present = False
        self._told = True
        """Whether the listener takes the learner to be there."""
        self._joined_at = -math.inf
        self._lost = False
        self._heard = asyncio.Event()
        """Whether somebody has subscribed to the track."""
        self._joined = asyncio.Event()
        self._inbox: deque[ClientMessage | RemoteProtocolError] = deque()
        self._outbox: deque[str] = deque(maxlen=_MESSAGES_AT_MOST)
        self._arrived = asyncio.Event()
        self._queued = asyncio.Event()
        self._all_sent = asyncio.Event()
        self._all_sent.set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._presence: Presence | None = None
        self._events: dict[Any, Callable[..., None]] = {
            "data_received": self._on_data,
            "track_subscribed": self._on_track,
            "track_unsubscribed": self._on_track_gone,
            "local_track_subscribed": self._on_heard,
            "participant_connected": self._on_arrival,
            "participant_disconnected": self._on_departure,
            "local_track_republished": self._on_republished,
            "reconnected": self._on_reconnected,
            "disconnected": self._on_disconnected,
        }

    async def __aenter__(self) -> Self:
        for event, listener in self._events.items():
            self._room.on(event, listener)
        there = self._room.remote_participants.get(self._learner)
        if there is not None:
            for publication in there.track_publications.values():
                if publication.track is not None:
                    self._on_track(publication.track, publication, there)
        try:
            await self._publish()
        except PublishTrackError as error:
            await self._close()
            raise RoomError("The room takes no sound.") from error
        except BaseException:
            await self._close()
            raise
        self._spawn(self._begin())
        self._spawn(self._loudspeaker.play())
        self._spawn(self._send())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(_LAST_WORDS_SECONDS):
                await self._all_sent.wait()
                if not self._lost and self._present:
                    await asyncio.sleep(_UNDERWAY_SECONDS)
        await self._close()

    @property
    def on_playback(self) -> Playback | None:
        return self._loudspeaker.on_playback

    @on_playback.setter
    def on_playback(self, listener: Playback | None) -> None:
        self._loudspeaker.on_playback = listener

    @property
    def on_presence(self) -> Presence | None:
        return self._presence

    @on_presence.setter
    def on_presence(self, listener: Presence | None) -> None:
        self._presence = listener
        there = self._learner in self._room.remote_participants
        self._told = self._present or (there and not self._joined.is_set())
        if listener is not None and not self._told:
            listener(False)

    @property
    def audible(self) -> bool:
        return self._loudspeaker.audible

    def send(self, message: ServerMessage) -> None:
        if self._lost or not self._present:
            return
        if isinstance(message, Ready):  # which answers every `joined` so far
            others = (waiting for waiting in self._inbox if not isinstance(waiting, Joined))
            self._inbox = deque(others)
        self._outbox.append(message.model_dump_json())
        self._all_sent.clear()
        self._queued.set()

    def suspend(self, on: bool) -> None:
        self._loudspeaker.suspend(on)

    async def learner_joined(self, timeout: float) -> bool:
        """Waits for the learner's first `joined`. False when it has not come within that many
        seconds, or the room was closed."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._joined.wait()
        return self._joined.is_set() and not self._lost

    async def messages(self) -> AsyncIterator[ClientMessage]:
        while True:
            while self._inbox:
                message = self._inbox.popleft()
                if isinstance(message, RemoteProtocolError):
                    raise message
                yield message
            if self._lost:
                return
            self._arrived.clear()
            await self._arrived.wait()

    # what the room tells

    def _on_data(self, packet: rtc.DataPacket) -> None:
        sender = packet.participant
        if sender is None or sender.identity != self._learner or packet.topic != TOPIC:
            return
        message: ClientMessage | RemoteProtocolError
        try:
            message = protocol.parse_client(packet.data)
        except RemoteProtocolError as error:
            message = error
        if len(self._inbox) >= _MESSAGES_AT_MOST:
            self._inbox.clear()
            message = RemoteProtocolError("Messages arrive much faster than they are taken.")
        self._inbox.append(message)
        self._arrived.set()
        if isinstance(message, Joined):
            self._joined.set()
            self._joined_at = asyncio.get_running_loop().time()
            self._see(present=True)

    def _on_track(
        self,
        track: rtc.Track,
        publication: rtc.RemoteTrackPublication,
        participant: rtc.RemoteParticipant,
    ) -> None:
        microphone = publication.source == rtc.TrackSource.SOURCE_MICROPHONE
        if participant.identity == self._learner and microphone:
            self._microphone.hear(track)

    def _on_track_gone(
        self,
        track: rtc.Track | None,
        publication: rtc.RemoteTrackPublication,
        participant: rtc.RemoteParticipant,
    ) -> None:
        self._microphone.leave(publication.sid)

    def _on_heard(self, track: rtc.Track) -> None:
        self._heard.set()

    def _on_arrival(self, participant: rtc.RemoteParticipant) -> None:
        """Of a learner who came back before they were known to be gone, the `joined` was answered
        already: it is not said again."""
        since = asyncio.get_running_loop().time() - self._joined_at
        if participant.identity == self._learner and since < _OVERTAKEN_SECONDS:
            self._see(present=True)

    def _on_departure(self, participant: rtc.RemoteParticipant) -> None:
        if participant.identity == self._learner:
            self._see(present=False)

    def _on_republished(self, *_: object) -> None:
        self._wait_to_be_heard()
        self._spawn(self._begin())

    def _on_reconnected(self) -> None:
        self._spawn(self._publish_again())

    def _on_disconnected(self, *_: object) -> None:
        self._lose()

    def _see(self, *, present: bool) -> None:
        """Notes whether the learner is there, and tells when that is news."""
        self._present = present
        if not present:
            self._outbox.clear()
        if self._presence is not None and present != self._told:
            self._told = present
            self._presence(present)

    def _wait_to_be_heard(self) -> None:
        self._heard.clear()
        self._loudspeaker.cut(True)

    # what is done meanwhile

    async def _publish(self) -> None:
        self._wait_to_be_heard()
        track = rtc.LocalAudioTrack.create_audio_track(TRACK, self._loudspeaker.source)
        options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
        me = self._room.local_participant
        self._publication = await me.publish_track(track, options)

    async def _begin(self) -> None:
        """Lets the sound begin when the track is listened to, so that nothing of it is lost."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_HEARD_SECONDS):
                await self._heard.wait()
        self._loudspeaker.cut(False)

    async def _publish_again(self) -> None:
        """Publishes the track when the SDK, which has joined the room again, has not done so."""
        assert self._publication is not None
        if self._publication.sid not in self._room.local_participant.track_publications:
            await self._publish()
            await self._begin()

    async def _send(self) -> None:
        me = self._room.local_participant
        while True:
            if not self._outbox:
                self._all_sent.set()
                self._queued.clear()
                await self._queued.wait()
                continue
            text = self._outbox.popleft()
            to = [self._learner]
            try:
                if len(data := text.encode()) <= MAX_PACKET:
                    await me.publish_data(data, topic=TOPIC, destination_identities=to)
                else:
                    await me.send_text(text, topic=TOPIC, destination_identities=to, compress=False)
            except (PublishDataError, rtc.StreamError) as error:
                log.warning("a message was not sent: %s", type(error).__name__)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("the line to the room broke", exc_info=error)
            self._lose()

    def _lose(self) -> None:
        """The line is gone for good."""
        self._lost = True
        self._outbox.clear()
        self._all_sent.set()
        self._joined.set()
        self._arrived.set()
        self._microphone.close()
        self._loudspeaker.close()

    async def _close(self) -> None:
        for event, listener in self._events.items():
            self._room.off(event, listener)
        self._lose()
        await self._microphone.aclose()
        await utils.aio.cancel_and_wait(*self._tasks)
        with suppress(TimeoutError):
            async with asyncio.timeout(_LAST_WORDS_SECONDS):
                await self._loudspeaker.source.aclose()
