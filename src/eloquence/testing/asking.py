"""Asking a language model or a voice once, and all that it gave; what is said to a recogniser is
in `eloquence.testing.hearing`."""

import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from livekit.agents import llm, tts
from livekit.agents.types import USERDATA_TIMED_TRANSCRIPT, APIConnectOptions

from eloquence.observability.logs import FORMAT, Line

ONCE = APIConnectOptions(max_retry=0, timeout=5)
"""Without the engine's own retries."""


def said(*texts: str) -> llm.ChatContext:
    """A conversation with Marie in which the learner has said this."""
    context = llm.ChatContext.empty()
    context.add_message(role="system", content="Tu es Marie, coach en communication.")
    for text in texts:
        context.add_message(role="user", content=text)
    return context


async def answer(model: "llm.LLM[Any]", context: llm.ChatContext | None = None) -> str:
    """The model's whole answer, to a greeting unless there is a `context`."""
    written = ""
    asked = said("Bonjour") if context is None else context
    async with model.chat(chat_ctx=asked, conn_options=ONCE) as stream:
        async for chunk in stream:
            written += (chunk.delta.content or "") if chunk.delta else ""
    return written


async def spoken(voice: "tts.TTS[Any]", *pieces: str) -> tuple[bytes, str]:
    """The whole sound of a text that comes in pieces, 24 kHz mono PCM16, and the text it bears."""
    pcm, text = b"", ""
    async with voice.stream(conn_options=ONCE) as stream:
        for piece in pieces:
            stream.push_text(piece)
        stream.end_input()
        async for audio in stream:
            assert audio.frame.sample_rate == voice.sample_rate == 24_000
            assert audio.frame.num_channels == 1
            pcm += audio.frame.data.tobytes()
            text += "".join(audio.frame.userdata.get(USERDATA_TIMED_TRANSCRIPT, []))
    return pcm, text


async def twice(*closing: Callable[[], Awaitable[None]]) -> None:
    """Closes each of these twice, one after the other."""
    for close in closing:
        await close()
        await close()


def told(error: BaseException | None, records: Iterable[logging.LogRecord]) -> str:
    """All that could be read of a failure: the log, the error, and what it was made of."""
    lines = [Line(FORMAT).format(record) for record in records]
    while error is not None:
        lines += [str(error), repr(error)]
        error = error.__cause__ or error.__context__
    return "\n".join(lines)
