"""Speaking as a service: a text becomes a sound file (TTS-01, TTS-02)."""

import base64
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Literal

from anyio import to_thread
from fastapi import APIRouter, FastAPI, Request
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from starlette.responses import Response

from eloquence.bootstrap.speech import Speech
from eloquence.coaching.character import Language
from eloquence.config import Settings
from eloquence.errors import TextToSpeechError
from eloquence.protocol import OUTPUT_RATE
from eloquence.providers.passing import Patience
from eloquence.server.services._flow import Body, Flow, circle, onward
from eloquence.server.services._service import Speaking, application
from eloquence.storage.encoding import ENCODINGS, Format, encoded

if TYPE_CHECKING:
    from eloquence.conversation.speech import Spoken
    from eloquence.providers.passing import Answer

MOST_CHARACTERS = 5_000
MOST_BYTES = 64 * 1024
MOST_SECONDS = 1_800
"""Longest sound that is made: no voice speaks `MOST_CHARACTERS` so slowly."""
AT_ONCE = 8

Name = Annotated[str, StringConstraints(pattern=r"^([A-Za-z0-9][A-Za-z0-9_+-]{0,63})?$")]

router = APIRouter()


class Wanted(BaseModel):
    """What is to be said, and how. `voice` is one of the provider's, or one of OpenAI's, for which
    the provider's nearest speaks; `model` counts where the provider has several. `pcm` is 16-bit
    mono at 24 kHz, sent while it is made."""

    model_config = ConfigDict(extra="forbid")

    text: Annotated[str, Field(min_length=1, max_length=MOST_CHARACTERS)]
    voice: Name = ""
    model: Annotated[str, Field(max_length=100)] = ""
    format: Format = "mp3"
    language: Language | None = None


class CustomVoice(BaseModel):
    """A voice as OpenAI's clients may also name it."""

    id: Name


class WantedInput(BaseModel):
    """The same as OpenAI's clients ask for it. `speed` scales the voice's own, as far as it can
    follow; `instructions` are for voices that take any, and change nothing here. `pcm` is sent
    while it is made, anything else when it is whole; with `stream_format` `sse`, as events."""

    input: Annotated[str, Field(min_length=1, max_length=MOST_CHARACTERS)]
    model: Annotated[str, Field(max_length=100)] = ""
    voice: Name | CustomVoice = ""
    response_format: Format = "mp3"
    speed: Annotated[float, Field(ge=0.25, le=4)] = 1.0
    instructions: str = ""
    stream_format: Literal["audio", "sse"] = "audio"
    language: Language | None = None


@router.post("/api/tts", response_model=None)
async def speak(wanted: Wanted, served: Speaking) -> Response:
    """The text as a sound file: MP3, or the format that is asked for (X-22)."""
    language = wanted.language or served.language
    model = "" if served.only else wanted.model
    speaking = served.speech.spoken(wanted.text, language, voice=wanted.voice, model=model)
    return await _sounding(speaking, wanted.format)


@router.post("/v1/audio/speech", response_model=None)
async def speech(request: Request, wanted: WantedInput, served: Speaking) -> Response:
    """The same in OpenAI's shape. To a host that speaks OpenAI's protocol it goes on as it came,
    and its sound comes back as it is made."""
    language = wanted.language or served.language
    voice = wanted.voice if isinstance(wanted.voice, str) else wanted.voice.id
    if served.speech.passes_on("tts", language):
        headers = onward(request)
        if headers is None:
            return circle()
        asked = wanted.model_dump(exclude={"language"}, exclude_defaults=True)
        asked |= {"model": wanted.model, "voice": voice, "speed": wanted.speed}
        return Flow(
            _passed_on(
                served.speech.speech_passed_on(
                    asked,
                    language,
                    headers=headers,
                    patience=served.patience,
                    only=served.only,
                )
            )
        )
    model = "" if served.only else wanted.model
    speaking = served.speech.spoken(
        wanted.input, language, voice=voice, model=model, pace=wanted.speed
    )
    if wanted.stream_format == "sse":
        return Flow(_events(speaking, wanted.response_format))
    return await _sounding(speaking, wanted.response_format)


@asynccontextmanager
async def _passed_on(answering: "AbstractAsyncContextManager[Answer]") -> AsyncIterator[Body]:
    async with answering as answer, aclosing(_bounded(answer.pieces)) as pieces:
        yield Body(answer.kind, pieces)


async def _sounding(speaking: "AbstractAsyncContextManager[Spoken]", form: Format) -> Response:
    if form == "pcm":
        return Flow(_flowing(speaking))
    async with speaking as speech:
        file = await _file(speech, form)
    return Response(file, media_type=ENCODINGS[form].media, headers=_by(speech))


async def _file(speech: "Spoken", form: Format) -> bytes:
    pcm = b"".join([piece async for piece in _bounded(speech.pieces)])
    return await to_thread.run_sync(encoded, pcm, OUTPUT_RATE, form)


@asynccontextmanager
async def _flowing(speaking: "AbstractAsyncContextManager[Spoken]") -> AsyncIterator[Body]:
    async with speaking as speech, aclosing(_bounded(speech.pieces)) as pieces:
        yield Body(f"audio/pcm; rate={OUTPUT_RATE}", pieces, _by(speech))


@asynccontextmanager
async def _events(
    speaking: "AbstractAsyncContextManager[Spoken]", form: Format
) -> AsyncIterator[Body]:
    async with speaking as speech:

        async def sound() -> AsyncGenerator[bytes]:
            if form == "pcm":
                async for piece in _bounded(speech.pieces):
                    yield piece
            else:
                yield await _file(speech, form)

        async def told() -> AsyncGenerator[bytes]:
            async with aclosing(sound()) as pieces:
                async for piece in pieces:
                    audio = base64.b64encode(piece).decode()
                    yield _event({"type": "speech.audio.delta", "audio": audio})
            yield _event({"type": "speech.audio.done"})

        async with aclosing(told()) as events:
            yield Body("text/event-stream", events, {"Cache-Control": "no-store", **_by(speech)})


def _event(body: dict[str, str]) -> bytes:
    return f"data: {json.dumps(body)}\n\n".encode()


async def _bounded(pieces: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
    size = 0
    async for piece in pieces:
        size += len(piece)
        if size > 2 * OUTPUT_RATE * MOST_SECONDS:
            raise TextToSpeechError("The voice does not come to an end.", cause="bad_answer")
        yield piece


def _by(speech: "Spoken") -> dict[str, str]:
    """Headers that tell who spoke."""
    return {"Eloquence-Provider": speech.provider, "Eloquence-Model": speech.model}


async def _warm(speech: Speech, language: Language) -> None:
    async with speech.spoken("Bonjour.", language) as spoken:
        async for _ in spoken.pieces:
            pass


def create_app(
    settings: Settings, *, at_once: int = AT_ONCE, patience: Patience | None = None
) -> FastAPI:
    """The speaking service for these settings, for at most so many texts at once."""
    return application(
        "tts",
        settings,
        router,
        most_bytes=MOST_BYTES,
        at_once=at_once,
        warm=_warm,
        patience=patience,
    )
