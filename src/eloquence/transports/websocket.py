"""The embedded transport: the wire protocol of `eloquence.protocol` over any message socket."""

import asyncio
import contextlib
import struct
import time
from collections import deque
from collections.abc import AsyncIterator
from typing import Protocol

from livekit import rtc
from livekit.agents.voice import io

from eloquence import protocol
from eloquence.conversation.transport import Playback, Presence
from eloquence.conversation.utterance import UTTERANCE, Utterance
from eloquence.errors import ConnectionLostError, RemoteProtocolError
from eloquence.protocol import (
    INPUT_RATE,
    MAX_FRAME_BYTES,
    OUTPUT_RATE,
    ClientMessage,
    PlaybackClear,
    PlaybackCleared,
    PlaybackEnded,
    PlaybackPause,
    PlaybackProgress,
    PlaybackResume,
    PlaybackStarted,
    SegmentEnd,
    SegmentStart,
    ServerMessage,
)

_MICROPHONE_SECONDS = 2.0
_RATE_WINDOW = 5.0
_RATE_FACTOR = 2.0
_PENDING_BYTES = 4_000_000
"""About 80 s of speech: a client that does not read so much is gone."""
_SEND_SECONDS = 10.0
_HELLO_SECONDS = 5.0
_STARTED_SECONDS = 1.0
_CLEARED_SECONDS = 0.6
_ENDED_SECONDS = 2.0


class Socket(Protocol):
    """A message socket; both calls raise ConnectionLostError once the line is gone."""

    async def receive(self) -> str | bytes: ...

    async def send(self, data: str | bytes) -> None: ...


class Microphone(io.AudioInput):
    """The learner's sound, bounded: the oldest is dropped when the engine falls behind."""

    def __init__(self) -> None:
        super().__init__(label="websocket")
        self._frames: deque[rtc.AudioFrame] = deque()
        self._arrived = asyncio.Event()
        self._closed = False
        self._window: deque[tuple[float, int]] = deque()
        self._window_samples = 0
        self.dropped = 0.0
        """Seconds of sound that were dropped."""

    def push(self, pcm: bytes) -> None:
        """Takes PCM16 mono at `INPUT_RATE`. Raises RemoteProtocolError when bad or too fast."""
        samples = len(pcm) // 2
        if not samples or len(pcm) % 2 or len(pcm) > MAX_FRAME_BYTES:
            raise RemoteProtocolError("A sound frame has a wrong size.")
        self._bound_rate(samples)
        if sum(frame.duration for frame in self._frames) > _MICROPHONE_SECONDS:
            self.dropped += self._frames.popleft().duration
        self._frames.append(rtc.AudioFrame(pcm, INPUT_RATE, 1, samples))
        self._arrived.set()

    def _bound_rate(self, samples: int) -> None:
        now = time.monotonic()
        self._window.append((now, samples))
        self._window_samples += samples
        while now - self._window[0][0] > _RATE_WINDOW:
            self._window_samples -= self._window.popleft()[1]
        if self._window_samples > _RATE_FACTOR * _RATE_WINDOW * INPUT_RATE:
            raise RemoteProtocolError("Sound arrives much faster than it can be spoken.")

    def close(self) -> None:
        self._closed = True
        self._arrived.set()

    async def __anext__(self) -> rtc.AudioFrame:
        while not self._frames:
            if self._closed:
                raise StopAsyncIteration
            self._arrived.clear()
            await self._arrived.wait()
        return self._frames.popleft()


class _Segment:
    """One stretch of sound on its way to the ear."""

    def __init__(self, number: int, utterance: Utterance) -> None:
        self.number = number
        self.utterance = utterance
        self.pushed = 0.0
        self.position = 0.0
        self.started = False
        self.flushed = False
        self.clearing = False
        self.held_at = 0.0
        self.deadline: asyncio.TimerHandle | None = None


class Loudspeaker(io.AudioOutput):
    """The character's sound, whose position in the ear the client acknowledges.

    The client may fall silent at any point: every wait has a deadline, after which the segment
    ends where it was last known to be.
    """

    def __init__(self, outbox: "_Outbox") -> None:
        super().__init__(
            label="websocket",
            capabilities=io.AudioOutputCapabilities(pause=True),
            sample_rate=OUTPUT_RATE,
        )
        self._outbox = outbox
        self._segments: dict[int, _Segment] = {}
        self._current: _Segment | None = None
        self._paused = False
        self._suspended = False
        self._closed = False
        self._number = 0
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
            self._outbox.put(SegmentStart(segment=self._number))
            if self._held:
                self._outbox.put(PlaybackPause(segment=self._number))
            utterance.handed_at = time.time()
        segment = self._current
        if segment.clearing or self._closed:
            if self._closed:
                self._finish(segment, interrupted=True)
            return
        segment.pushed += frame.duration
        self._outbox.put_sound(segment.number, bytes(frame.data))
        if segment.deadline is None and not segment.started and not self._held:
            self._await(segment, _STARTED_SECONDS)
        await self._outbox.room()

    def flush(self) -> None:
        super().flush()
        segment, self._current = self._current, None
        if segment is None or segment.number not in self._segments:
            return
        segment.flushed = True
        if not segment.clearing:
            self._outbox.put(SegmentEnd(segment=segment.number, duration=segment.pushed))
            if segment.started and not self._held:
                self._await_end(segment)

    def clear_buffer(self) -> None:
        for segment in list(self._segments.values()):
            if segment.clearing:
                continue
            segment.clearing = True
            self._outbox.drop_sound(segment.number)
            self._outbox.put(PlaybackClear(segment=segment.number))
            self._await(segment, _CLEARED_SECONDS)
        self._paused = False

    def pause(self) -> None:
        super().pause()
        self._hold(paused=True)

    def resume(self) -> None:
        super().resume()
        self._hold(paused=False)

    def suspend(self, on: bool) -> None:
        """Holds the sound until it is let go again, whatever the engine does meanwhile."""
        self._hold(suspended=on)

    @property
    def _held(self) -> bool:
        return self._paused or self._suspended

    def _hold(self, *, paused: bool | None = None, suspended: bool | None = None) -> None:
        before = self._held
        self._paused = self._paused if paused is None else paused
        self._suspended = self._suspended if suspended is None else suspended
        if self._held == before:
            return
        now = time.time()
        for segment in self._segments.values():
            if segment.clearing:
                continue
            if self._held:
                segment.held_at = now
                self._cancel(segment)
                self._outbox.put(PlaybackPause(segment=segment.number))
                continue
            if segment.started:
                segment.utterance.held += now - segment.held_at
            self._outbox.put(PlaybackResume(segment=segment.number))
            if not segment.started:
                self._await(segment, _STARTED_SECONDS)
            elif segment.flushed:
                self._await_end(segment)

    def acknowledge(
        self, message: PlaybackStarted | PlaybackProgress | PlaybackEnded | PlaybackCleared
    ) -> None:
        """Takes the client's word for what was heard; late word of an old segment is ignored."""
        segment = self._segments.get(message.segment)
        if segment is None:
            return
        if not isinstance(message, PlaybackStarted):
            segment.position = min(max(segment.position, message.position), segment.pushed)
        match message:
            case PlaybackStarted():
                self._start(segment)
            case PlaybackProgress():
                self._start(segment)
                if segment.flushed and not segment.clearing and not self._held:
                    self._await_end(segment)
                self._report(segment, finished=False)
            case PlaybackEnded():
                self._start(segment)
                if segment.flushed:
                    self._finish(segment, interrupted=segment.clearing)
            case PlaybackCleared():
                if segment.clearing:
                    self._finish(segment, interrupted=True)

    def close(self) -> None:
        """Ends every segment where it is known to be: the line is gone."""
        self._closed = True
        for segment in list(self._segments.values()):
            self._finish(segment, interrupted=True)

    def _start(self, segment: _Segment) -> None:
        if segment.started:
            return
        segment.started = True
        segment.utterance.started_at = time.time()
        self._cancel(segment)
        if segment.flushed and not segment.clearing and not self._held:
            self._await_end(segment)
        self.on_playback_started(created_at=segment.utterance.started_at)

    def _finish(self, segment: _Segment, *, interrupted: bool) -> None:
        if self._segments.pop(segment.number, None) is None:
            return
        self._cancel(segment)
        if not interrupted:
            segment.position = segment.pushed
        self._report(segment, finished=True)
        self.on_playback_finished(
            playback_position=segment.position,
            interrupted=interrupted,
            synchronized_transcript=segment.utterance.heard(segment.position)
            if interrupted
            else None,
        )

    def _report(self, segment: _Segment, *, finished: bool) -> None:
        if self.on_playback is not None:
            self.on_playback(segment.utterance, segment.position, finished=finished)

    def _await_end(self, segment: _Segment) -> None:
        self._await(segment, segment.pushed - segment.position + _ENDED_SECONDS)

    def _await(self, segment: _Segment, seconds: float) -> None:
        self._cancel(segment)
        loop = asyncio.get_running_loop()
        segment.deadline = loop.call_later(seconds, self._overdue, segment)

    def _overdue(self, segment: _Segment) -> None:
        segment.deadline = None
        if segment.clearing:
            self._finish(segment, interrupted=True)
        elif not segment.started:
            self._start(segment)
        elif segment.flushed:
            self._finish(segment, interrupted=False)

    def _cancel(self, segment: _Segment) -> None:
        if segment.deadline is not None:
            segment.deadline.cancel()
            segment.deadline = None


class _Outbox:
    """What waits to be sent, in order; sound of a cleared segment is taken out again."""

    def __init__(self) -> None:
        self._items: deque[tuple[int, str | bytes]] = deque()
        self._arrived = asyncio.Event()
        self._roomy = asyncio.Event()
        self._roomy.set()
        self._sound = 0
        self._closed = False

    def put(self, message: ServerMessage) -> None:
        self._append(0, message.model_dump_json())

    def put_sound(self, segment: int, pcm: bytes) -> None:
        self._append(segment, struct.pack("<I", segment) + pcm)
        self._sound += len(pcm)
        if self._sound > _PENDING_BYTES:
            self._roomy.clear()

    def drop_sound(self, segment: int) -> None:
        self._items = deque(item for item in self._items if item[0] != segment)
        self._recount()

    async def room(self) -> None:
        """Waits until the client has read enough. Raises ConnectionLostError when it does not."""
        if self._roomy.is_set():
            return
        try:
            async with asyncio.timeout(_SEND_SECONDS):
                await self._roomy.wait()
        except TimeoutError as error:
            raise ConnectionLostError("The client does not read what it is sent.") from error

    async def take(self) -> str | bytes:
        while not self._items:
            self._arrived.clear()
            await self._arrived.wait()
        segment, data = self._items.popleft()
        if segment:
            self._sound -= len(data) - protocol.SEGMENT_HEADER
            if self._sound <= _PENDING_BYTES:
                self._roomy.set()
        return data

    def pending(self) -> bool:
        return bool(self._items)

    def close(self) -> None:
        self._closed = True
        self._items.clear()
        self._roomy.set()

    def _append(self, segment: int, data: str | bytes) -> None:
        if not self._closed:
            self._items.append((segment, data))
            self._arrived.set()

    def _recount(self) -> None:
        self._sound = sum(len(data) - protocol.SEGMENT_HEADER for kind, data in self._items if kind)
        if self._sound <= _PENDING_BYTES:
            self._roomy.set()


class WebSocketTransport:
    """A learner's line over one socket. Use as an async context manager.

    While it is open one task sends what is queued; `messages` must be iterated for sound and
    acknowledgements to arrive.
    """

    def __init__(self, socket: Socket) -> None:
        self._socket = socket
        self._outbox = _Outbox()
        self._microphone = Microphone()
        self._loudspeaker = Loudspeaker(self._outbox)
        self.audio_input: io.AudioInput = self._microphone
        self.audio_output: io.AudioOutput = self._loudspeaker
        self.on_presence: Presence | None = None
        self._sending: asyncio.Task[None] | None = None

    @property
    def on_playback(self) -> Playback | None:
        return self._loudspeaker.on_playback

    @on_playback.setter
    def on_playback(self, listener: Playback | None) -> None:
        self._loudspeaker.on_playback = listener

    @property
    def audible(self) -> bool:
        return self._loudspeaker.audible

    async def __aenter__(self) -> "WebSocketTransport":
        self._sending = asyncio.create_task(self._send(), name="websocket sender")
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._sending is not None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1.0):
                while self._outbox.pending() and not self._sending.done():
                    await asyncio.wait({self._sending}, timeout=0.02)
        self._lose()
        self._sending.cancel()
        await asyncio.wait({self._sending})

    def send(self, message: ServerMessage) -> None:
        self._outbox.put(message)

    def suspend(self, on: bool) -> None:
        self._loudspeaker.suspend(on)

    async def hello(self) -> protocol.Hello:
        """The client's first message.

        Raises RemoteProtocolError when something else comes, or nothing within 5 s, or another
        version of the protocol; ConnectionLostError.
        """
        try:
            async with asyncio.timeout(_HELLO_SECONDS):
                data = await self._socket.receive()
        except TimeoutError:
            raise RemoteProtocolError("No hello came.") from None
        message = protocol.parse_client(data) if isinstance(data, str) else None
        if not isinstance(message, protocol.Hello):
            raise RemoteProtocolError("A conversation begins with hello.")
        if message.version != protocol.VERSION:
            raise RemoteProtocolError(
                f"The page speaks version {message.version} of the protocol, this server "
                f"{protocol.VERSION}.",
                mend="Load the page again.",
            )
        return message

    async def messages(self) -> AsyncIterator[ClientMessage]:
        try:
            while True:
                data = await self._socket.receive()
                if isinstance(data, bytes):
                    self._microphone.push(data)
                    continue
                message = protocol.parse_client(data)
                if isinstance(
                    message, PlaybackStarted | PlaybackProgress | PlaybackEnded | PlaybackCleared
                ):
                    self._loudspeaker.acknowledge(message)
                else:
                    yield message
        except ConnectionLostError:
            return
        finally:
            self._lose()

    def _lose(self) -> None:
        self._microphone.close()
        self._loudspeaker.close()

    async def _send(self) -> None:
        try:
            while True:
                await self._socket.send(await self._outbox.take())
        except ConnectionLostError:
            self._outbox.close()
            self._lose()
