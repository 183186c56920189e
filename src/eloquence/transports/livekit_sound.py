"""The sound of a room: the learner's track as a microphone, the coach's as a loudspeaker."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from livekit import rtc
from livekit.agents.voice import io

from eloquence.conversation.transport import Playback
from eloquence.conversation.utterance import UTTERANCE, Utterance
from eloquence.protocol import (
    INPUT_RATE,
    OUTPUT_RATE,
    PlaybackClear,
    PlaybackPause,
    PlaybackResume,
    SegmentEnd,
    SegmentStart,
    ServerMessage,
)

_MICROPHONE_SECONDS = 2.0
_CLOSING_SECONDS = 1.0
_FRAME = OUTPUT_RATE // 20
"""Samples that are handed on at a time: 50 ms."""
_AHEAD = 0.2
"""Seconds of sound that are given to WebRTC before they are due: what the event loop may be late
by. A source that runs dry sends nothing, and the learner's client then delays all that follows. A
pause or a clear takes them back, so they cost no time."""
_TAIL = bytes(OUTPUT_RATE // 100 * 2)
"""WebRTC sends 10 ms at a time and would keep the rest of a segment until the next one."""
_REPORT_SECONDS = 0.25


class Microphone(io.AudioInput):
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
        if self._listening is not None:  # the SDK has been seen never to end a stream
            await asyncio.wait({self._listening}, timeout=_CLOSING_SECONDS)

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


class Loudspeaker(io.AudioOutput):
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
