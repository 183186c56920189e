"""A learner's client in Python: what the page does, for the terminal, tests and benchmarks.

It sends a microphone in 20 ms frames, plays the character at its natural speed into a sink, and
says truly how much of it was played.
"""

import asyncio
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

from eloquence import protocol
from eloquence.errors import ConnectionLostError, EloquenceError
from eloquence.protocol import INPUT_FRAME, OUTPUT_RATE, SEGMENT_HEADER, ServerMessage
from eloquence.transports.websocket import Socket

_TICK = 0.02
_TICK_BYTES = int(OUTPUT_RATE * _TICK) * 2
_PROGRESS = 0.25


class Sink(Protocol):
    """Where the character's sound goes: PCM16 mono at `OUTPUT_RATE`, one 20 ms tick a call.

    None is a tick of silence, so that what is written follows the clock.
    """

    def __call__(self, pcm: bytes | None) -> None: ...


@dataclass(slots=True)
class _Segment:
    sound: bytearray = field(default_factory=bytearray)
    played: int = 0
    ended: bool = False
    started: bool = False
    reported: float = 0.0

    @property
    def position(self) -> float:
        return self.played / 2 / OUTPUT_RATE


@dataclass(slots=True)
class Heard:
    """Marks of one conversation for measuring it, on `time.perf_counter`'s clock."""

    first_sound: list[float] = field(default_factory=list)
    """When the first sound of each segment arrived."""
    silenced: list[float] = field(default_factory=list)
    """When playback was held or cleared."""


class Client:
    """Talks the wire protocol over a socket until the server says `ended` or `error`."""

    def __init__(
        self,
        socket: Socket,
        hello: protocol.Hello,
        *,
        microphone: AsyncIterator[bytes],
        sink: Sink | None = None,
        on_message: Callable[[ServerMessage], Awaitable[None] | None] | None = None,
    ) -> None:
        """`microphone` gives PCM16 mono at `INPUT_RATE`, `INPUT_FRAME` samples each, in real
        time; when it ends, the conversation goes on in silence."""
        self._socket = socket
        self._hello = hello
        self._microphone = microphone
        self._sink = sink
        self._on_message = on_message
        self._segments: dict[int, _Segment] = {}
        self._paused = False
        self.heard = Heard()
        self.state: protocol.State | None = None
        self.ended: protocol.Ended | None = None
        self.failure: protocol.Failure | None = None
        self._ready = asyncio.Event()

    async def run(self) -> protocol.Ended:
        """Holds the conversation. Raises the error that the server told, or ConnectionLostError."""
        try:
            await self.send(self._hello)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._play())
                tasks.create_task(self._speak())
                await self._listen()
                raise _HangUp
        except* _HangUp:
            pass
        except* ConnectionLostError as lost:
            if self.ended is None and self.failure is None:
                raise lost.exceptions[0] from None
        if self.failure is not None:
            raise ToldError(self.failure)
        assert self.ended is not None
        return self.ended

    async def _listen(self) -> None:
        while self.ended is None and self.failure is None:
            data = await self._socket.receive()
            if isinstance(data, bytes):
                self._take_sound(data)
            else:
                await self._take(protocol.parse_server(data))

    async def send(self, message: protocol.ClientMessage) -> None:
        await self._socket.send(message.model_dump_json())

    @property
    def playing(self) -> bool:
        """Whether the character's sound is being played right now."""
        return not self._paused and any(
            len(segment.sound) > segment.played for segment in self._segments.values()
        )

    async def _speak(self) -> None:
        await self._ready.wait()
        async for pcm in self._microphone:
            await self._socket.send(pcm)
        silence = bytes(INPUT_FRAME * 2)
        began, sent = time.perf_counter(), 0
        while True:
            await self._socket.send(silence)
            sent += 1
            await asyncio.sleep(max(0.0, began + sent * 0.02 - time.perf_counter()))

    def _take_sound(self, data: bytes) -> None:
        (number,) = struct.unpack_from("<I", data)
        segment = self._segments.get(number)
        if segment is None:
            return
        if not segment.sound:
            self.heard.first_sound.append(time.perf_counter())
        segment.sound += data[SEGMENT_HEADER:]

    async def _take(self, message: ServerMessage) -> None:
        match message:
            case protocol.SegmentStart(segment=number):
                self._segments[number] = _Segment()
            case protocol.SegmentEnd(segment=number):
                if number in self._segments:
                    self._segments[number].ended = True
            case protocol.PlaybackPause():
                if not self._paused and self._segments:
                    self.heard.silenced.append(time.perf_counter())
                self._paused = True
            case protocol.PlaybackResume():
                self._paused = False
            case protocol.PlaybackClear(segment=number):
                segment = self._segments.pop(number, None)
                if segment is not None and not self._paused:
                    self.heard.silenced.append(time.perf_counter())
                self._paused = False
                position = segment.position if segment is not None else 0.0
                await self.send(protocol.PlaybackCleared(segment=number, position=position))
            case protocol.StateChanged(state=state):
                self.state = state
            case protocol.Ready():
                self._ready.set()
            case protocol.Failure():
                self.failure = message
            case protocol.Ended():
                self.ended = message
            case _:
                pass
        if self._on_message is not None:
            done = self._on_message(message)
            if done is not None:
                await done

    async def _play(self) -> None:
        began, ticks = time.perf_counter(), 0
        while True:
            ticks += 1
            await asyncio.sleep(max(0.0, began + ticks * _TICK - time.perf_counter()))
            pcm = await self._tick()
            if self._sink is not None:
                self._sink(pcm)

    async def _tick(self) -> bytes | None:
        if self._paused or not self._segments:
            return None
        number = min(self._segments)
        segment = self._segments[number]
        pcm = bytes(segment.sound[segment.played : segment.played + _TICK_BYTES])
        segment.played += len(pcm)
        if pcm and not segment.started:
            segment.started = True
            await self.send(protocol.PlaybackStarted(segment=number))
        if segment.ended and segment.played >= len(segment.sound):
            self._segments.pop(number, None)
            await self.send(protocol.PlaybackEnded(segment=number, position=segment.position))
        elif segment.position - segment.reported >= _PROGRESS:
            segment.reported = segment.position
            await self.send(protocol.PlaybackProgress(segment=number, position=segment.position))
        return pcm.ljust(_TICK_BYTES, b"\0") if pcm else None


class _HangUp(Exception):  # noqa: N818 - ends the tasks of a conversation that is over
    pass


class ToldError(EloquenceError):
    """The server refused or gave up, and said why."""

    def __init__(self, failure: protocol.Failure) -> None:
        super().__init__(failure.message, mend=failure.mend)
        self.failure = failure
