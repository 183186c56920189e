"""Hearing as a service: a recording becomes words with times (STT-01, STT-02)."""

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Annotated

import numpy as np
from anyio import to_thread
from fastapi import APIRouter, FastAPI, File, Form, UploadFile
from pydantic import BaseModel

from eloquence.bootstrap.speech import Speech
from eloquence.coaching.character import Language
from eloquence.config import Settings
from eloquence.errors import RecordingError
from eloquence.ops.transcription import transcript
from eloquence.server.services._service import Served, application
from eloquence.storage.decoding import RATE, Decoded, decode, plain

MOST_BYTES = 25 * 1024 * 1024
MOST_SECONDS = 900.0
"""Longest recording: more than a WAV file at 16 kHz of `MOST_BYTES` holds."""
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


@router.post("/transcribe")
async def transcribe(
    served: Served,
    file: Annotated[UploadFile | None, File()] = None,
    audio: Annotated[UploadFile | None, File()] = None,
    language: Annotated[Language | None, Form()] = None,
) -> Transcription:
    """The words of a WAV, FLAC, MP3 or Ogg recording in the form's `file` or `audio`."""
    sent = file or audio
    if sent is None:
        raise RecordingError(
            "There is no recording in the request.",
            mend="Send it as the field file of a form: curl -F file=@speech.wav …/transcribe",
        )
    spoken = language or served.language
    async with served.speech.recogniser(spoken) as recognise:
        found = await transcript(await _decoded(sent.file), recognise)
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


async def _decoded(file: IO[bytes]) -> Decoded:
    """The recording's sound. What is not plain WAV is decoded by another process, with bounded
    memory, time and length. Raises RecordingError."""
    found = await to_thread.run_sync(plain, file)
    if found is not None:
        return found
    with TemporaryDirectory() as folder:
        path = Path(folder) / "recording"
        await to_thread.run_sync(_kept, file, path)
        return await decode(path, max_seconds=MOST_SECONDS, name="that was sent")


def _kept(file: IO[bytes], path: Path) -> None:
    file.seek(0)
    with path.open("wb") as out:
        shutil.copyfileobj(file, out)


async def _warm(speech: Speech, language: Language) -> None:
    async with speech.recogniser(language) as recognise:
        await recognise(np.zeros(RATE // 2, np.float32), RATE)


def create_app(settings: Settings, *, at_once: int = AT_ONCE) -> FastAPI:
    """The hearing service for these settings, for at most so many recordings at once."""
    # a form has some bytes around its file
    return application(
        "stt", settings, router, most_bytes=MOST_BYTES + 4096, at_once=at_once, warm=_warm
    )
