"""Hearing as a service: a recording, or what is being said, becomes words with times (STT-01,
STT-02)."""

import json
import math
import shutil
import zlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Annotated, Any, Literal

import numpy as np
from anyio import to_thread
from fastapi import APIRouter, FastAPI, File, Form, UploadFile, WebSocket
from pydantic import BaseModel
from starlette.responses import JSONResponse, PlainTextResponse, Response

from eloquence.bootstrap.speech import Speech
from eloquence.coaching.character import Language
from eloquence.config import Settings
from eloquence.errors import RecordingError, SpeechToTextError
from eloquence.ops.transcription import Transcript, transcript
from eloquence.server.services import _subtitles, _vosk
from eloquence.server.services._flow import Body, Flow
from eloquence.server.services._service import Hearing, Service, application
from eloquence.storage.decoding import RATE, Decoded, decode, plain

MOST_BYTES = 25 * 1024 * 1024
MOST_FORM = MOST_BYTES + 4096
"""A form has some bytes around its file."""
MOST_SECONDS = 900.0
"""Longest recording: more than a WAV file at 16 kHz of `MOST_BYTES` holds."""
DECODING_SECONDS = 20.0
"""Longest time that decoding may take: a recording of `MOST_SECONDS` takes two."""
AT_ONCE = 16

router = APIRouter()


class SpokenWord(BaseModel):
    """One word: seconds from the start of the recording, `conf` 0..1 or null when unknown."""

    word: str
    start: float
    end: float
    conf: float | None


class Transcription(BaseModel):
    """What was said. `words` is null when the recogniser tells no times; `duration` in seconds."""

    text: str
    words: list[SpokenWord] | None
    duration: float
    language: Language


Kind = Literal["json", "text", "srt", "verbose_json", "vtt"]
_NAMES = {"fr": "french", "en": "english"}


@router.post("/transcribe")
async def transcribe(
    served: Hearing,
    file: Annotated[UploadFile | None, File()] = None,
    audio: Annotated[UploadFile | None, File()] = None,
    language: Annotated[Language | None, Form()] = None,
) -> Transcription:
    """The words of a WAV, FLAC, MP3 or Ogg recording in the form's `file` or `audio`."""
    spoken = language or served.language
    found = await _transcript(served, file or audio, spoken)
    words = found.words
    return Transcription(
        text=found.text,
        words=None
        if words is None
        else [
            SpokenWord(word=one.text, start=one.start, end=one.end, conf=one.confidence)
            for one in words
        ],
        duration=round(found.duration, 3),
        language=spoken,
    )


@router.post("/v1/audio/transcriptions", response_model=None)
async def transcriptions(
    served: Hearing,
    file: Annotated[UploadFile | None, File()] = None,
    model: Annotated[str, Form()] = "",
    language: Annotated[str, Form(max_length=20)] = "",
    response_format: Annotated[Kind, Form()] = "json",
    granularities: Annotated[
        list[Literal["word", "segment"]] | None, Form(alias="timestamp_granularities[]")
    ] = None,
    temperature: Annotated[float, Form(ge=0, le=1)] = 0.0,
    prompt: Annotated[str, Form()] = "",
    stream: Annotated[bool, Form()] = False,
) -> Response:
    """The same in OpenAI's shape. The recogniser is that of the settings, whichever `model` is
    named; `prompt` and `temperature` are for models that have them, and change nothing here."""
    spoken = _language(language) or served.language
    found = await _transcript(served, file, spoken)
    if stream:
        return Flow(_events(found.text))
    if response_format == "text":
        return PlainTextResponse(f"{found.text}\n")
    if response_format == "json":
        usage = {"type": "duration", "seconds": math.ceil(found.duration)}
        return JSONResponse({"text": found.text, "usage": usage})
    shown = _subtitles.lines(found.text, found.words, found.duration)
    if response_format == "srt":
        return PlainTextResponse(_subtitles.srt(shown), media_type="application/x-subrip")
    if response_format == "vtt":
        return PlainTextResponse(_subtitles.vtt(shown), media_type="text/vtt")
    return JSONResponse(_verbose(found, shown, spoken, granularities or ["segment"]))


@router.websocket("/ws")
async def listen(websocket: WebSocket, served: Hearing) -> None:
    """What is said on a socket that speaks vosk-server's protocol."""
    await _vosk.converse(websocket, served)


alone = APIRouter()
"""The routes of a service that has its port for itself: vosk-server's clients know no path."""
alone.include_router(router)
alone.add_api_websocket_route("/", listen)


async def _transcript(served: Service, sent: UploadFile | None, spoken: Language) -> Transcript:
    if sent is None:
        raise RecordingError(
            "There is no recording in the request.",
            mend="Send it as the field file of a form: curl -F file=@speech.wav …",
        )
    async with served.speech.recogniser(spoken) as recognise:
        return await transcript(await _decoded(sent.file), recognise)


def _language(written: str) -> Language | None:
    """Of `fr`, `fr-FR` or nothing. Raises SpeechToTextError."""
    match written.lower().replace("_", "-").partition("-")[0]:
        case "":
            return None
        case "fr" | "french" | "français":
            return "fr"
        case "en" | "english":
            return "en"
    raise SpeechToTextError(
        "This language is not spoken here.", cause="bad_request", mend="language is fr or en."
    )


def _verbose(
    found: Transcript, shown: list[_subtitles.Line], spoken: Language, wanted: Sequence[str]
) -> dict[str, Any]:
    """`avg_logprob` is the logarithm of the words' mean confidence, `compression_ratio` that of the
    text, as OpenAI's own. What only Whisper has (`seek`, `tokens`, `no_speech_prob`) is there for
    clients that insist on it, and says nothing."""
    body: dict[str, Any] = {
        "task": "transcribe",
        "language": _NAMES[spoken],
        "duration": round(found.duration, 3),
        "text": found.text,
        "usage": {"type": "duration", "seconds": math.ceil(found.duration)},
    }
    if "segment" in wanted:
        body["segments"] = [
            {
                "id": number,
                "seek": 0,
                "start": round(line.start, 3),
                "end": round(line.end, 3),
                "text": line.text,
                "tokens": [],
                "temperature": 0.0,
                "avg_logprob": math.log(max(1e-6, line.confidence or 1.0)),
                "compression_ratio": _compression(line.text),
                "no_speech_prob": 0.0,
            }
            for number, line in enumerate(shown)
        ]
    if "word" in wanted and found.words is not None:
        body["words"] = [
            {"word": one.text, "start": round(one.start, 3), "end": round(one.end, 3)}
            for one in found.words
        ]
    return body


def _compression(text: str) -> float:
    written = text.encode()
    return round(len(written) / len(zlib.compress(written)), 3)


@asynccontextmanager
async def _events(text: str) -> AsyncIterator[Body]:
    """The whole transcript as the events of one that comes in pieces."""

    async def pieces() -> AsyncIterator[bytes]:
        for event in (
            {"type": "transcript.text.delta", "delta": text},
            {"type": "transcript.text.done", "text": text},
        ):
            yield f"data: {json.dumps(event, ensure_ascii=False)}\n\n".encode()

    yield Body("text/event-stream", pieces(), {"Cache-Control": "no-store"})


async def _decoded(file: IO[bytes]) -> Decoded:
    """The recording's sound. What is not plain WAV is decoded by another process, with bounded
    memory, time and length. Raises RecordingError."""
    found = await to_thread.run_sync(plain, file)
    if found is not None:
        return found
    with TemporaryDirectory() as folder:
        path = Path(folder) / "recording"
        await to_thread.run_sync(_kept, file, path)
        return await decode(
            path, max_seconds=MOST_SECONDS, within=DECODING_SECONDS, name="that was sent"
        )


def _kept(file: IO[bytes], path: Path) -> None:
    file.seek(0)
    with path.open("wb") as out:
        shutil.copyfileobj(file, out)


async def _warm(speech: Speech, language: Language) -> None:
    async with speech.recogniser(language) as recognise:
        await recognise(np.zeros(RATE // 2, np.float32), RATE)


def create_app(settings: Settings, *, at_once: int = AT_ONCE) -> FastAPI:
    """The hearing service for these settings, for at most so many recordings at once."""
    return application("stt", settings, alone, most_bytes=MOST_FORM, at_once=at_once, warm=_warm)
