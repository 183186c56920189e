"""Recognising recorded speech with a stage made for conversations, as fast as it can."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from typing import Any

import numpy as np
from livekit import rtc
from livekit.agents import APIError, stt
from livekit.agents.types import APIConnectOptions
from livekit.agents.utils import http_context, is_given
from numpy.typing import NDArray

from eloquence.conversation.faults import cause_of
from eloquence.conversation.stages import HEARD
from eloquence.delivery.words import Word
from eloquence.errors import SpeechToTextError

Recognise = Callable[[NDArray[np.float32], int], Awaitable[tuple[str, Sequence[Word] | None]]]
"""From mono samples (-1..1) and their rate to what was said and its words, whose times are seconds
from the first sample; the words are None when the recogniser gives no times."""

DEADLINE = 60.0
"""Seconds that one stretch of speech may take to be recognised."""
_FRAME = 0.1
_TAIL = 0.6
"""Seconds of silence after the sound, so that a streaming recogniser ends its last sentence."""
_OPTIONS = APIConnectOptions(max_retry=2, retry_interval=0.5, timeout=DEADLINE)


@asynccontextmanager
async def recogniser(create: Callable[[], stt.STT[Any]]) -> AsyncIterator[Recognise]:
    """A function that recognises one stretch after the other. Raises SpeechToTextError."""
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(http_context.open())
        stage = create()
        stack.push_async_callback(stage.aclose)

        async def recognise(
            samples: NDArray[np.float32], rate: int
        ) -> tuple[str, Sequence[Word] | None]:
            heard = _at_once if stage.capabilities.offline_recognize else _streamed
            try:
                async with asyncio.timeout(DEADLINE):
                    found = await heard(stage, samples, rate)
            except TimeoutError as error:
                raise SpeechToTextError(
                    f"The recogniser {stage.provider} did not answer within {DEADLINE:g} s.",
                    cause="timeout",
                    mend="Try again, or see: eloquence doctor.",
                ) from error
            except APIError as error:
                raise SpeechToTextError(
                    f"The recogniser {stage.provider} failed ({cause_of(error)}).",
                    cause=cause_of(error),
                    mend="See: eloquence doctor.",
                ) from error
            return transcript(found)

        yield recognise


async def _at_once(
    stage: stt.STT[Any], samples: NDArray[np.float32], rate: int
) -> list[stt.SpeechData]:
    event = await stage.recognize(list(_frames(samples, rate)), conn_options=_OPTIONS)
    return event.alternatives[:1]


async def _streamed(
    stage: stt.STT[Any], samples: NDArray[np.float32], rate: int
) -> list[stt.SpeechData]:
    async with aclosing(stage.stream(conn_options=_OPTIONS)) as stream:
        for frame in _frames(np.pad(samples, (0, round(_TAIL * rate))), rate):
            stream.push_frame(frame)
            await asyncio.sleep(0)  # the recogniser's own task must get its turn
        stream.end_input()
        return [
            event.alternatives[0]
            async for event in stream
            if event.type is stt.SpeechEventType.FINAL_TRANSCRIPT and event.alternatives
        ]


def _frames(samples: NDArray[np.float32], rate: int) -> list[rtc.AudioFrame]:
    pcm = (np.clip(samples, -1, 1) * 32_767).astype("<i2")
    size = round(_FRAME * rate)
    return [
        rtc.AudioFrame(part.tobytes(), rate, 1, part.size)
        for part in (pcm[at : at + size] for at in range(0, pcm.size, size))
    ]


def transcript(found: Sequence[stt.SpeechData]) -> tuple[str, list[Word] | None]:
    """What these sentences say together, and their words; None when one of them has no times."""
    said = [data for data in found if data.text and data.text != HEARD]
    text = " ".join(data.text for data in said)
    if any(not data.words for data in said):
        return text, None
    return text, [word for data in said for word in _words(data)]


def _words(data: stt.SpeechData) -> list[Word]:
    return [
        Word(
            text=str(word),
            start=float(word.start_time),
            end=float(word.end_time),
            confidence=float(word.confidence) if is_given(word.confidence) else None,
        )
        for word in data.words or ()
        if is_given(word.start_time) and is_given(word.end_time)
    ]
