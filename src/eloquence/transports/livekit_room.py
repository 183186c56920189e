"""The transport of a room: sound in tracks, the protocol's messages in data packets.

    async with RoomTransport(room, learner) as transport:
        if await transport.learner_joined(60.0):
            …

The room is one's own: joined before, left after. The learner may vanish and come back under the
same identity, and so may the line to the server; sound and messages then go on where they were.
"""

import asyncio
import logging
import time
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
from eloquence.conversation.utterance import UTTERANCE, Utterance
from eloquence.errors import RemoteProtocolError, RoomError
from eloquence.protocol import (
    INPUT_RATE,
    MAX_PACKET,
    OUTPUT_RATE,
    TOPIC,
    ClientMessage,
    Joined,
    PlaybackClear,
    PlaybackPause,
    PlaybackResume,
    Ready,
    SegmentEnd,
    SegmentStart,
    ServerMessage,
)

log = logging.getLogger("eloquence.transports.room")

TRACK = "coach"
"""Name of the character's track."""
_MICROPHONE_SECONDS = 2.0
_FRAME = OUTPUT_RATE // 50
"""Samples that are handed on at a time: 20 ms."""
_AHEAD = 0.1
"""Seconds of sound that are given to WebRTC before they are due: what the event loop may be late
by. A pause or a clear takes them back, so they cost no time."""
_TAIL = bytes(OUTPUT_RATE // 100 * 2)
"""WebRTC sends 10 ms at a time and would keep the rest of a segment until the next one."""
_REPORT_SECONDS = 0.25
_HEARD_SECONDS = 3.0
"""Time that the learner's client has to subscribe before the sound begins anyway."""
_MESSAGES_AT_MOST = 256
"""Messages that may wait, either way, before the oldest (ours) or the line (theirs) is dropped."""
_SEND_SECONDS = 5.0
_LAST_WORDS_SECONDS = 1.0


class _Microphone(io.AudioInput):
    """The learner's sound from whichever track is theirs now, bounded: the oldest is dropped."""

    def __init__(self) -> None:
        super().__init__(label="room")
        self._frames: deque[rtc.AudioFrame] = deque(maxlen=round(_MICROPHONE_SECONDS * 50))
        self._arrived = asyncio.Event()
        self._closed = False
        self._track = ""
        self._listening: asyncio.Task[None] | None = None

    def hear(self, track: rtc.Track) -> None:
        """Listens to that track, and no longer to an earlier one."""
        if not self._closed and track.sid != self._track:
            self._track = track.sid
            earlier = self._listening
            self._listening = asyncio.create_task(self._listen(track, earlier), name="room ear")

    def leave(self, sid: str) -> None:
        """The track is gone: silence until there is another one."""
        if sid == self._track:
            self._track = ""
            if self._listening is not None:
                self._listening.cancel()

    def close(self) -> None:
        self._closed = True
        self._arrived.set()
        if self._listening is not None:
            self._listening.cancel()

    async def aclose(self) -> None:
        self.close()
        if self._listening is not None:
            await asyncio.wait({self._listening})

    async def _listen(self, track: rtc.Track, earlier: asyncio.Task[None] | None) -> None:
        if earlier is not None:
            earlier.cancel()
            await asyncio.wait({earlier})
        stream = rtc.AudioStream(track, sample_rate=INPUT_RATE, num_channels=1, frame_size_ms=20)
        try:
            async for event in stream:
                self._frames.append(event.frame)
                self._arrived.set()
        finally:
            await stream.aclose()

    async def __anext__(self) -> rtc.AudioFrame:
        while not self._frames:
            if self._closed:
                raise StopAsyncIteration
            self._arrived.clear()
            await self._arrived.wait()
        return self._frames.popleft()


class _Segment:
    """One stretch of sound on its way to the ear. Lengths are in samples."""

    def __init__(self, number: int, utterance: Utterance) -> None:
        self.number = number
        self.utterance = utterance
        self.sound = bytearray()
        self.length = 0
        self.sent = 0
        """How much was given to the source, of the sound and its tail."""
        self.started = False
        self.flushed = False
        self.held_at = 0.0
        self.reported_at = 0.0

    @property
    def waiting(self) -> int:
        return len(self.sound) // 2 - self.sent

    def take(self) -> bytes:
        """The next frame's sound."""
        begins = self.sent
        self.sent += min(self.waiting, _FRAME)
        return bytes(self.sound[begins * 2 : self.sent * 2])


class _Loudspeaker(io.AudioOutput):
    """The character's sound, played at its own speed; its position is what has left the source.

    `tell` takes the messages for the page, which shows them and answers none.
    """

    def __init__(self, tell: Callable[[ServerMessage], None]) -> None:
        super().__init__(
            label="room",
            capabilities=io.AudioOutputCapabilities(pause=True),
            sample_rate=OUTPUT_RATE,
        )
        self._tell = tell
        self.source = rtc.AudioSource(OUTPUT_RATE, 1, queue_size_ms=round(2 * _AHEAD * 1000))
        self._segments: dict[int, _Segment] = {}
        self._current: _Segment | None = None
        self._paused = self._suspended = self._cut = False
        self._closed = False
        self._number = 0
        self._clears = 0
        self._stirred = asyncio.Event()
        self.on_playback: Playback | None = None

    @property
    def audible(self) -> bool:
        return any(segment.started for segment in self._segments.values())

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        await super().capture_frame(frame)
        if self._current is None:
            self._number += 1
            utterance = frame.userdata.get(UTTERANCE) or Utterance()
            self._current = self._segments[self._number] = _Segment(self._number, utterance)
            self._tell(SegmentStart(segment=self._number))
            if self._held:
                self._tell(PlaybackPause(segment=self._number))
            utterance.handed_at = time.time()
        segment = self._current
        if self._closed:
            self._finish(segment, interrupted=True)
        if segment.number in self._segments:
            segment.sound += frame.data.cast("B")
            segment.length += frame.samples_per_channel
            self._stirred.set()

    def flush(self) -> None:
        super().flush()
        segment, self._current = self._current, None
        if segment is None or segment.number not in self._segments:
            return
        segment.flushed = True
        segment.sound += _TAIL
        self._tell(SegmentEnd(segment=segment.number, duration=segment.length / OUTPUT_RATE))
        self._stirred.set()

    def clear_buffer(self) -> None:
        self._take_back()
        for segment in list(self._segments.values()):
            self._tell(PlaybackClear(segment=segment.number))
            self._finish(segment, interrupted=True)
        self._hold(paused=False)

    def pause(self) -> None:
        super().pause()
        self._hold(paused=True)

    def resume(self) -> None:
        super().resume()
        self._hold(paused=False)

    def suspend(self, on: bool) -> None:
        """Holds the sound until it is let go again, whatever the engine does meanwhile."""
        self._hold(suspended=on)

    def cut(self, on: bool) -> None:
        """Holds the sound while there is no line to send it over."""
        self._hold(cut=on)

    def close(self) -> None:
        """Ends every segment where it is: the line is gone."""
        self._closed = True
        self._take_back()
        for segment in list(self._segments.values()):
            self._finish(segment, interrupted=True)
        self._stirred.set()

    async def play(self) -> None:
        """Plays what comes, until it is closed."""
        while not self._closed:
            segment = next(iter(self._segments.values()), None)
            if segment is None or self._held:
                await self._stir()
                continue
            early = self.source.queued_duration + _FRAME / OUTPUT_RATE - _AHEAD
            if segment.waiting and early > 0:
                await self._stir(early)
            elif segment.waiting:
                await self._send(segment)
            elif not segment.flushed:
                await self._stir(_REPORT_SECONDS)
            elif self.source.queued_duration > 0:
                await self._stir(self.source.queued_duration)
            else:
                self._finish(segment, interrupted=False)
            self._report(segment)

    async def _send(self, segment: _Segment) -> None:
        if not segment.started:
            segment.started = True
            segment.utterance.started_at = segment.reported_at = time.time()
            self.on_playback_started(created_at=segment.utterance.started_at)
            if self._held or segment.number not in self._segments:
                return
        pcm, clears = segment.take(), self._clears
        await self.source.capture_frame(rtc.AudioFrame(pcm, OUTPUT_RATE, 1, len(pcm) // 2))
        if clears != self._clears:
            self.source.clear_queue()  # the frame may have come after what was to clear it

    @property
    def _held(self) -> bool:
        return self._paused or self._suspended or self._cut

    def _hold(
        self,
        *,
        paused: bool | None = None,
        suspended: bool | None = None,
        cut: bool | None = None,
    ) -> None:
        before = self._held
        self._paused = self._paused if paused is None else paused
        self._suspended = self._suspended if suspended is None else suspended
        self._cut = self._cut if cut is None else cut
        if self._held == before:
            return
        now = time.time()
        if self._held:
            self._take_back()
        for segment in self._segments.values():
            if self._held:
                segment.held_at = now
                self._tell(PlaybackPause(segment=segment.number))
                continue
            if segment.started:
                segment.utterance.held += now - segment.held_at
            self._tell(PlaybackResume(segment=segment.number))
        self._stirred.set()

    def _take_back(self) -> None:
        """Takes back what the source has not played yet."""
        for segment in self._segments.values():
            segment.sent = self._played(segment)
        self._clears += 1
        self.source.clear_queue()

    def _played(self, segment: _Segment) -> int:
        """Samples of the segment that have left the source."""
        queued = round(self.source.queued_duration * OUTPUT_RATE)
        return max(0, segment.sent - queued)

    def _position(self, segment: _Segment) -> float:
        return min(self._played(segment), segment.length) / OUTPUT_RATE

    def _finish(self, segment: _Segment, *, interrupted: bool) -> None:
        if self._segments.pop(segment.number, None) is None:
            return
        position = self._position(segment) if interrupted else segment.length / OUTPUT_RATE
        if self.on_playback is not None:
            self.on_playback(segment.utterance, position, finished=True)
        self.on_playback_finished(
            playback_position=position,
            interrupted=interrupted,
            synchronized_transcript=segment.utterance.heard(position) if interrupted else None,
        )

    def _report(self, segment: _Segment) -> None:
        now = time.time()
        if segment.number not in self._segments or not segment.started:
            return
        if now - segment.reported_at >= _REPORT_SECONDS:
            segment.reported_at = now
            if self.on_playback is not None:
                self.on_playback(segment.utterance, self._position(segment), finished=False)

    async def _stir(self, seconds: float | None = None) -> None:
        """Waits until something changes, or for so long."""
        self._stirred.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stirred.wait()


class RoomTransport:
    """The line of one learner in a room that was joined already. Use as an async context manager.

    Messages go to the learner alone and count from the learner alone, known by their identity.
    While they are away, messages to them are dropped. `messages` ends when the room is closed, or
    this participant is put out of it, or the server was gone for longer than is tried to reach it.
    """

    def __init__(self, room: rtc.Room, learner: str) -> None:
        self._room = room
        self._learner = learner
        self._microphone = _Microphone()
        self._loudspeaker = _Loudspeaker(self.send)
        self.audio_input: io.AudioInput = self._microphone
        self.audio_output: io.AudioOutput = self._loudspeaker
        self._publication: rtc.LocalTrackPublication | None = None
        self._present = False
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
        if listener is not None and not self._present and (self._joined.is_set() or not there):
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
        if present == self._present:
            return
        self._present = present
        if not present:
            self._outbox.clear()
        if self._presence is not None:
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
        await self._loudspeaker.source.aclose()
