"""A learner in a room who talks by script: a real client, real sound both ways.

    learner = RoomLearner(livekit.url, token)
    await learner.talk(script)

It does what the page does: joins, publishes its microphone, says `joined` until the coach answers
`ready`, again when a coach appears or its own line was lost, and comes back with a fresh token when
it was disconnected.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from livekit import rtc
from livekit.agents import utils
from livekit.rtc.participant import PublishDataError

from eloquence import protocol
from eloquence.protocol import (
    INPUT_RATE,
    OUTPUT_RATE,
    TOPIC,
    ClientMessage,
    ServerMessage,
)

Script = Callable[["RoomLearner"], Awaitable[None]]
Token = Callable[[], Awaitable[tuple[str, str]]]
"""Gives the server's address and a fresh token, or raises when the session is over."""

_FRAME = INPUT_RATE // 100
"""Samples: WebRTC takes 10 ms at a time when nothing is queued, and a queue only grows."""
_SILENCE = bytes(_FRAME * 2)
_JOINED_SECONDS = (*(0.3,) * 10, 1.0)
"""Between two signs of being there, as the page gives them."""
_AGAIN_SECONDS = (0.2, 0.5, 1.0, 2.0)
AUDIBLE = 0.02
"""Root mean square, of 1, above which a frame is sound: the scripted voice is at 0.18."""


@dataclass(slots=True)
class RoomLearner:
    """Speaks what it is told to, frame by frame at the speed of speech, and is silent otherwise.

    `messages` holds what the coach said, each with its time; `levels` the root mean square of each
    20 ms that was heard, with the time at which they came. Times are the loop's clock. `again`
    gives a fresh token when the line was lost; without it the learner stays away.
    """

    url: str
    token: str
    again: Token | None = None
    messages: list[tuple[float, ServerMessage]] = field(default_factory=list)
    levels: list[tuple[float, float]] = field(default_factory=list)
    sound: bytearray = field(default_factory=bytearray)
    """What was heard: PCM16 at 24 kHz, silence included."""
    spoke: list[tuple[float, float]] = field(default_factory=list)
    """When each stretch of speech began and ended, as it was given to WebRTC."""
    joins: int = 0
    """How often the room was joined."""
    room: rtc.Room | None = None
    _ready: bool = False
    _waiting: deque[bytes] = field(default_factory=deque)
    _spoken: asyncio.Event = field(default_factory=asyncio.Event)
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    _gone: asyncio.Event = field(default_factory=asyncio.Event)
    _staying: asyncio.Task[None] | None = None
    _tasks: set[asyncio.Task[Any]] = field(default_factory=set)

    async def talk(self, script: Script, *, within: float = 60.0) -> None:
        """Joins, follows the script once the coach is ready, and leaves."""
        async with self.there():
            await self.until(lambda: self.count("ready") > 0, within)
            await script(self)

    @asynccontextmanager
    async def there(self) -> AsyncIterator["RoomLearner"]:
        """Is in the room meanwhile, or on the way back to it."""
        await self.join()
        try:
            yield self
        finally:
            await self.leave()

    async def join(self) -> None:
        """Joins the room. Raises rtc.ConnectError."""
        room = await self._enter(self.url, self.token)
        self._staying = asyncio.create_task(self._stay(room), name="room learner")
        self._staying.add_done_callback(lambda _: self._spawn(self._look()))

    async def leave(self) -> None:
        """Leaves the room for good."""
        staying, self._staying = self._staying, None
        if staying is not None:
            await utils.aio.cancel_and_wait(staying)
            if not staying.cancelled():
                staying.result()

    async def vanish(self) -> None:
        """Is suddenly gone, as when the page is closed; comes back if there is a way."""
        room = self.room
        self._gone.set()
        await self.until(lambda: self.room is not room)

    async def send(self, message: ClientMessage) -> None:
        await self.send_raw(message.model_dump_json().encode())

    async def send_raw(self, data: bytes, *, topic: str = TOPIC) -> None:
        """Sends any bytes, as a broken or a hostile client would."""
        assert self.room is not None
        await self.room.local_participant.publish_data(data, topic=topic)

    async def say(self, pcm: bytes) -> None:
        """Speaks PCM16 mono at 16 kHz, and returns when it is all said."""
        self._spoken.clear()
        for at in range(0, len(pcm), len(_SILENCE)):
            self._waiting.append(pcm[at : at + len(_SILENCE)].ljust(len(_SILENCE), b"\0"))
        await self._spoken.wait()

    async def until(self, holds: Callable[[], bool], within: float = 30.0) -> None:
        """Waits for something to hold; looked at on each message and each frame. Raises what made
        the learner leave the room."""
        async with asyncio.timeout(within), self._changed:
            await self._changed.wait_for(lambda: self._failed() or holds())

    def _failed(self) -> bool:
        if self._staying is not None and self._staying.done():
            self._staying.result()
        return False

    async def quiet(self) -> None:
        """Waits until the character has said something more and has finished."""
        said = self.count("turn_stored", speaker="character")
        await self.until(lambda: self.count("turn_stored", speaker="character") > said)

    async def listening(self) -> None:
        """Waits until the character is heard speaking."""
        await self.until(lambda: self.hears)

    async def hushed(self, quiet: float = 0.4) -> None:
        """Waits until nothing was heard for so many seconds."""
        began = asyncio.get_running_loop().time()
        await self.until(lambda: self.silent_after(began, quiet=quiet) is not None)

    @property
    def hears(self) -> bool:
        """Whether the last 20 ms that came were sound."""
        return bool(self.levels) and self.levels[-1][1] > AUDIBLE

    def count(self, type_: str, **fields: object) -> int:
        return len(self.said(type_, **fields))

    def said(self, type_: str, **fields: object) -> list[ServerMessage]:
        """The coach's messages of a type with these values."""
        return [
            message
            for _, message in self.messages
            if message.type == type_
            and all(getattr(message, name) == value for name, value in fields.items())
        ]

    def heard_after(self, time_: float) -> float | None:
        """When sound was first heard after that time; None when it was not."""
        return next((at for at, level in self.levels if at >= time_ and level > AUDIBLE), None)

    def silent_after(self, time_: float, *, quiet: float = 0.2) -> float | None:
        """When the sound ended, after that time, that was followed by so many seconds without;
        None when it went on."""
        last = time_
        for at, level in self.levels:
            if at < time_:
                continue
            if level > AUDIBLE:
                last = at
            elif at - last >= quiet:
                return last
        return None

    # being there

    async def _enter(self, url: str, token: str) -> rtc.Room:
        room = rtc.Room()
        room.on("data_received", self._on_data)
        room.on("track_subscribed", self._on_track)
        room.on("participant_connected", self._on_coach)
        room.on("reconnected", self._on_reconnected)
        room.on("disconnected", self._on_disconnected)
        room.register_text_stream_handler(TOPIC, self._on_stream)
        self._gone.clear()
        await room.connect(url, token)
        self.room = room
        self.joins += 1
        self._ready = False
        return room

    async def _stay(self, room: rtc.Room) -> None:
        """Is there, and comes back for as long as there is a way."""
        while True:
            await self._attend(room)
            found = await self._rejoined()
            if found is None:
                return
            room = found

    async def _attend(self, room: rtc.Room) -> None:
        source = rtc.AudioSource(INPUT_RATE, 1, queue_size_ms=0)
        track = rtc.LocalAudioTrack.create_audio_track("microphone", source)
        options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
        await room.local_participant.publish_track(track, options)
        work = [
            asyncio.create_task(self._speak(source), name="room learner speaks"),
            asyncio.create_task(self._knock(), name="room learner joins"),
            asyncio.create_task(self._gone.wait(), name="room learner is there"),
        ]
        try:
            done, _ = await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            await utils.aio.cancel_and_wait(*work)
            await room.disconnect()
            await utils.aio.cancel_and_wait(*self._tasks)
            await source.aclose()
            self.room = None
            await self._look()

    async def _rejoined(self) -> rtc.Room | None:
        for attempt in range(100):
            if self.again is None:
                return None
            await asyncio.sleep(_AGAIN_SECONDS[min(attempt, len(_AGAIN_SECONDS) - 1)])
            try:
                self.url, self.token = await self.again()
            except Exception:  # whatever way there was, there is none now
                return None
            with suppress(rtc.ConnectError):
                return await self._enter(self.url, self.token)
        return None

    async def _knock(self) -> None:
        """Says `joined` until the coach is ready."""
        said = 0
        while True:
            if self._ready:
                said = 0
            else:
                with suppress(PublishDataError):
                    await self.send(protocol.Joined())
                said += 1
            await asyncio.sleep(_JOINED_SECONDS[min(said, len(_JOINED_SECONDS) - 1)])

    async def _speak(self, source: rtc.AudioSource) -> None:
        began, sent = time.perf_counter(), 0
        while True:
            speaking = bool(self._waiting)
            pcm = self._waiting.popleft() if speaking else _SILENCE
            now = asyncio.get_running_loop().time()
            if speaking and (not self.spoke or self.spoke[-1][1]):
                self.spoke.append((now, 0.0))
            await source.capture_frame(rtc.AudioFrame(pcm, INPUT_RATE, 1, _FRAME))
            if speaking and not self._waiting:
                self.spoke[-1] = (self.spoke[-1][0], asyncio.get_running_loop().time())
                self._spoken.set()
            sent += 1
            await self._look()
            await asyncio.sleep(max(0.0, began + sent * _FRAME / INPUT_RATE - time.perf_counter()))

    # what the room tells

    def _on_data(self, packet: rtc.DataPacket) -> None:
        if packet.topic == TOPIC:
            self._note(packet.data.decode())

    def _on_stream(self, reader: rtc.TextStreamReader, sender: str) -> None:
        async def read() -> None:
            self._note(await reader.read_all())

        self._spawn(read())

    def _on_track(
        self,
        track: rtc.Track,
        publication: rtc.RemoteTrackPublication,
        participant: rtc.RemoteParticipant,
    ) -> None:
        if track.kind == rtc.TrackKind.KIND_AUDIO:
            self._spawn(self._hear(track))

    def _on_coach(self, participant: rtc.RemoteParticipant) -> None:
        self._ready = False

    def _on_reconnected(self) -> None:
        self._ready = False

    def _on_disconnected(self, *_: object) -> None:
        self._gone.set()

    def _note(self, text: str) -> None:
        message = protocol.parse_server(text)
        self._ready = self._ready or message.type == "ready"
        self.messages.append((asyncio.get_running_loop().time(), message))
        self._spawn(self._look())

    async def _hear(self, track: rtc.Track) -> None:
        stream = rtc.AudioStream(track, sample_rate=OUTPUT_RATE, num_channels=1, frame_size_ms=20)
        loop = asyncio.get_running_loop()
        try:
            async for event in stream:
                pcm = bytes(event.frame.data.cast("B"))
                samples = np.frombuffer(pcm, dtype="<i2") / 32768
                self.levels.append((loop.time(), float(np.sqrt(np.mean(samples**2)))))
                self.sound += pcm
        finally:
            await stream.aclose()

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _look(self) -> None:
        async with self._changed:
            self._changed.notify_all()
