"""Recognising speech while it comes, with a stage made for conversations, outside of one."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from livekit import rtc
from livekit.agents import APIError, inference, stt
from livekit.agents.types import APIConnectOptions
from livekit.agents.utils import http_context

from eloquence.conversation.faults import cause_of
from eloquence.conversation.recognition import DEADLINE, transcript
from eloquence.conversation.stages import HEARD
from eloquence.delivery.words import Word
from eloquence.errors import Cause, SpeechToTextError

BEHIND = 0.5
"""Seconds of sound that may wait to be heard before no more is taken."""
AHEAD = 60.0
"""Seconds by which the sound may be ahead of real time, where a stream does not tell how far it
is."""
_OPTIONS = APIConnectOptions(max_retry=0, timeout=DEADLINE)
_SOON = frozenset(
    {stt.SpeechEventType.INTERIM_TRANSCRIPT, stt.SpeechEventType.PREFLIGHT_TRANSCRIPT}
)


@runtime_checkable
class Paced(Protocol):
    """A stream that tells how far it is."""

    async def caught_up(self, within: float) -> None:
        """Returns as soon as at most `within` seconds of what was pushed are still to be heard."""
        ...


@dataclass(frozen=True, slots=True)
class Said:
    """One or more sentences. `words` have times in seconds from the first sound; None when the
    recogniser tells none."""

    text: str
    words: Sequence[Word] | None


class LiveRecognition:
    """Speech that is being recognised. Each call raises SpeechToTextError when the recogniser has
    failed; one call at a time."""

    def __init__(self, stage: stt.STT[Any], rate: int) -> None:
        self._stage = stage
        self._rate = rate
        self._stream: stt.RecognizeStream | None = None
        self._reading: asyncio.Task[None] | None = None
        self._final: list[stt.SpeechData] = []
        self._began = time.monotonic()
        self._seconds = 0.0
        self.partial = ""
        """What the sentence that is being said is like so far; may be empty."""

    async def hear(self, pcm: bytes) -> None:
        """Takes the next piece (PCM16, mono); returns when there is room for another one."""
        stream, reading = self._streaming()
        for at in range(0, len(pcm), 2 * self._rate):
            piece = pcm[at : at + 2 * self._rate]
            if not reading.done():
                stream.push_frame(rtc.AudioFrame(piece, self._rate, 1, len(piece) // 2))
                self._seconds += len(piece) / 2 / self._rate
                room = asyncio.ensure_future(self._room(stream))
                try:
                    await asyncio.wait({room, reading}, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    room.cancel()
                    await asyncio.wait({room})
                if not room.cancelled():
                    room.result()
        if reading.done():
            reading.result()
            raise self._failed("bad_answer")

    def said(self) -> Said | None:
        """The sentences that have ended since this was asked last; None when none has."""
        found, self._final = self._final, []
        return Said(*transcript(found)) if found else None

    async def finish(self) -> Said:
        """What is left once all is heard, of which the text may be empty. What is heard after it
        begins anew, and its times go on."""
        if self._stream is not None and self._reading is not None:
            reading = self._reading
            if not reading.done():
                self._stream.end_input()
                await asyncio.wait({reading}, timeout=DEADLINE)
                if not reading.done():
                    raise self._late()
            reading.result()
            await self.close()
        self.partial = ""
        return self.said() or Said("", [])

    async def close(self) -> None:
        """Lets go of the stream."""
        stream, reading = self._stream, self._reading
        self._stream = self._reading = None
        if reading is not None:
            reading.cancel()
            await asyncio.wait({reading})
            if not reading.cancelled():
                reading.exception()  # whoever asked has been told
        if stream is not None:
            await stream.aclose()

    def _streaming(self) -> tuple[stt.RecognizeStream, asyncio.Task[None]]:
        if self._stream is None or self._reading is None:
            self._stream = self._stage.stream(conn_options=_OPTIONS)
            self._stream.start_time_offset = self._seconds
            self._reading = asyncio.create_task(self._read(self._stream))
        return self._stream, self._reading

    async def _read(self, stream: stt.RecognizeStream) -> None:
        try:
            async for event in stream:
                found = event.alternatives[:1]
                if event.type in _SOON and found:
                    self.partial = found[0].text
                elif event.type is stt.SpeechEventType.FINAL_TRANSCRIPT:
                    self.partial = ""
                    self._final += [one for one in found if one.text and one.text != HEARD]
        except APIError as error:
            raise self._failed(cause_of(error)) from error

    async def _room(self, stream: stt.RecognizeStream) -> None:
        if isinstance(stream, Paced):
            try:
                async with asyncio.timeout(DEADLINE):
                    await stream.caught_up(BEHIND)
            except TimeoutError as error:
                raise self._late() from error
        else:
            await asyncio.sleep(self._seconds - (time.monotonic() - self._began) - AHEAD)

    def _late(self) -> SpeechToTextError:
        return SpeechToTextError(
            f"The recogniser {self._stage.provider} did not keep up for {DEADLINE:g} s.",
            cause="timeout",
            mend="Try again, or see: eloquence doctor.",
        )

    def _failed(self, cause: Cause) -> SpeechToTextError:
        return SpeechToTextError(
            f"The recogniser {self._stage.provider} failed ({cause}).",
            cause=cause,
            mend="See: eloquence doctor.",
        )


@asynccontextmanager
async def live_recognition(
    create: Callable[[], stt.STT[Any]], rate: int
) -> AsyncIterator[LiveRecognition]:
    """Hears sound of `rate` samples per second with the stage that `create` makes; leaving ends it.
    Raises what `create` raises."""
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(http_context.open())
        stage = create()
        stack.push_async_callback(stage.aclose)
        if not stage.capabilities.streaming:
            stage = stt.StreamAdapter(stt=stage, vad=inference.VAD())
        one = LiveRecognition(stage, rate)
        stack.push_async_callback(one.close)
        yield one
