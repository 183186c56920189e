"""Speaking a text with a stage made for conversations, outside of one."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from livekit import rtc
from livekit.agents import APIError, tts
from livekit.agents.types import APIConnectOptions
from livekit.agents.utils import http_context

from eloquence.conversation.faults import cause_of
from eloquence.errors import TextToSpeechError

RATE = 24_000
PATIENCE = 60.0
"""Seconds that a voice may take for its next piece of sound, at the very most."""
_OPTIONS = APIConnectOptions(max_retry=0, timeout=PATIENCE)


@dataclass(frozen=True, slots=True)
class Spoken:
    """A text being spoken: `pieces` are PCM16, mono, `RATE` per second, as they are made; reading
    them raises TextToSpeechError."""

    provider: str
    model: str
    pieces: AsyncIterator[bytes]


@asynccontextmanager
async def spoken(create: Callable[[], tts.TTS[Any]], text: str) -> AsyncIterator[Spoken]:
    """The text, spoken by the stage that `create` makes; leaving ends it. Raises what `create`
    raises."""
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(http_context.open())
        stage = create()
        stack.push_async_callback(stage.aclose)
        stream: tts.SynthesizeStream | tts.ChunkedStream
        if stage.capabilities.streaming:
            stream = stage.stream(conn_options=_OPTIONS)
            stream.push_text(text)
            stream.end_input()
        else:
            stream = stage.synthesize(text, conn_options=_OPTIONS)
        stack.push_async_callback(stream.aclose)
        yield Spoken(stage.provider, stage.model, _pieces(stage, stream))


async def _pieces(
    stage: tts.TTS[Any], stream: tts.SynthesizeStream | tts.ChunkedStream
) -> AsyncIterator[bytes]:
    resampler: rtc.AudioResampler | None = None
    if stage.sample_rate != RATE:
        resampler = rtc.AudioResampler(stage.sample_rate, RATE)
    try:
        while True:
            async with asyncio.timeout(PATIENCE):
                audio = await anext(stream, None)
            if audio is None:
                break
            frames = [audio.frame] if resampler is None else resampler.push(audio.frame)
            for frame in frames:
                yield frame.data.tobytes()
        for frame in resampler.flush() if resampler else ():
            yield frame.data.tobytes()
    except TimeoutError as error:
        raise TextToSpeechError(
            f"The voice {stage.provider} gave no sound within {PATIENCE:g} s.",
            cause="timeout",
            mend="Try again, or see: eloquence doctor.",
        ) from error
    except APIError as error:
        raise TextToSpeechError(
            f"The voice {stage.provider} failed ({cause_of(error)}).",
            cause=cause_of(error),
            mend="See: eloquence doctor.",
        ) from error
