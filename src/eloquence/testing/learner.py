"""A learner who talks by script: real sound in, the client's truth out."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

from eloquence import protocol
from eloquence.protocol import INPUT_FRAME, INPUT_RATE, ServerMessage
from eloquence.transports.client import Client
from eloquence.transports.websocket import Socket

_FRAME_BYTES = INPUT_FRAME * 2
_FRAME = INPUT_FRAME / INPUT_RATE
_SILENCE = bytes(_FRAME_BYTES)


@dataclass(slots=True)
class Learner:
    """Speaks what it is told to, frame by frame at the speed of speech, and is silent otherwise.

    `messages` holds all that the server said, each with its time on the loop's clock.
    """

    hello: protocol.Hello
    messages: list[tuple[float, ServerMessage]] = field(default_factory=list)
    sound: bytearray = field(default_factory=bytearray)
    """What the loudspeaker played: PCM16 at 24 kHz, silence included."""
    client: Client = field(init=False)
    _waiting: deque[bytes] = field(default_factory=deque)
    _spoken: asyncio.Event = field(default_factory=asyncio.Event)
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def talk(
        self, socket: Socket, script: Callable[["Learner"], Awaitable[None]]
    ) -> protocol.Ended:
        """Holds a conversation over the socket: follows the script, then ends it if need be."""
        self.client = Client(
            socket, self.hello, microphone=self._frames(), sink=self._hear, on_message=self._note
        )
        async with asyncio.TaskGroup() as tasks:
            holding = tasks.create_task(self.client.run())
            following = tasks.create_task(self._follow(script))
            ended = await holding
            following.cancel()
        return ended

    async def say(self, pcm: bytes) -> None:
        """Speaks PCM16 mono at 16 kHz, and returns when it is all said."""
        self._spoken.clear()
        for at in range(0, len(pcm), _FRAME_BYTES):
            self._waiting.append(pcm[at : at + _FRAME_BYTES].ljust(_FRAME_BYTES, b"\0"))
        await self._spoken.wait()

    async def until(self, holds: Callable[[], bool], within: float = 30.0) -> None:
        """Waits for something to hold; looked at on each message and each frame."""
        async with asyncio.timeout(within), self._changed:
            await self._changed.wait_for(holds)

    async def quiet(self) -> None:
        """Waits until the character has said something more and has finished."""
        said = self.count("turn_stored", speaker="character")
        await self.until(lambda: self.count("turn_stored", speaker="character") > said)

    async def listening(self) -> None:
        """Waits until the character is heard speaking."""
        await self.until(lambda: self.client.playing)

    def count(self, type_: str, **fields: object) -> int:
        return len(self.said(type_, **fields))

    def said(self, type_: str, **fields: object) -> list[ServerMessage]:
        """The server's messages of a type with these values."""
        return [
            message
            for _, message in self.messages
            if message.type == type_
            and all(getattr(message, name) == value for name, value in fields.items())
        ]

    async def _follow(self, script: Callable[["Learner"], Awaitable[None]]) -> None:
        await self.until(lambda: self.count("ready") > 0)
        await script(self)
        if not self.count("ended"):
            await self.client.send(protocol.End())

    async def _frames(self) -> AsyncIterator[bytes]:
        began, sent = time.perf_counter(), 0
        while True:
            if self._waiting:
                yield self._waiting.popleft()
                if not self._waiting:
                    self._spoken.set()
            else:
                yield _SILENCE
            sent += 1
            await self._look()
            await asyncio.sleep(max(0.0, began + sent * _FRAME - time.perf_counter()))

    def _hear(self, pcm: bytes | None) -> None:
        self.sound += pcm or bytes(int(protocol.OUTPUT_RATE * _FRAME) * 2)

    async def _note(self, message: ServerMessage) -> None:
        self.messages.append((asyncio.get_running_loop().time(), message))
        await self._look()

    async def _look(self) -> None:
        async with self._changed:
            self._changed.notify_all()
