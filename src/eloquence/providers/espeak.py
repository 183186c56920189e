"""The voice that needs no download: espeak-ng, in a process of its own because it is GPL-3."""

from functools import partial
from importlib.util import find_spec
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from eloquence.coaching.character import Voice
from eloquence.conversation.stages import StageContext
from eloquence.errors import DependencyNotFoundError
from eloquence.providers._clause_speech import ClauseSpeech
from eloquence.providers._on_this_machine import without_package
from eloquence.providers._speech_process import SpeechProcess
from eloquence.registry import Provider, Readiness

VOICES = {
    ("fr", "feminine"): "fr+f2",
    ("fr", "masculine"): "fr+m3",
    ("en", "feminine"): "en+f2",
    ("en", "masculine"): "en+m3",
}
HUMANE_RATE = 150
"""espeak's own words per minute. With our breaths between clauses a French text comes out at 157
spoken words per minute (tests hold it between 135 and 165), the pace of a calm conversation."""


class Options(BaseModel):
    """`rate` is espeak's words per minute, `pitch` 0..100 with 50 as the voice's own, `voice` a
    name of espeak-ng with its variant, e.g. `fr+f4`; empty: by the character."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    voice: Annotated[str, Field(pattern=r"^$|^[a-z]{2,3}(-[a-z0-9]+)*(\+[A-Za-z0-9]+)?$")] = ""
    rate: Annotated[int, Field(ge=80, le=400)] = HUMANE_RATE
    pitch: Annotated[int, Field(ge=0, le=100)] = 50


def request(options: Options, language: str, voice: Voice, text: str) -> dict[str, object]:
    """What the espeak process is asked for one clause."""
    name = options.voice or voice.names.get("espeak", "") or VOICES[language, voice.kind]
    rate = min(400, max(80, round(options.rate * voice.pace)))
    return {"text": text, "voice": name, "rate": rate, "pitch": options.pitch}


def create(options: Options, context: StageContext) -> ClauseSpeech:
    if not _installed():
        raise DependencyNotFoundError(
            "The espeak voice needs the package 'espeakng-loader'.",
            mend="Install it: pip install 'eloquence[espeak]'.",
        )
    process = context.resources.get(
        "espeak",
        partial(SpeechProcess, "espeak-ng", "eloquence.providers._espeak_worker"),
        SpeechProcess.close,
    )
    voice = context.character.voice
    name = request(options, context.language, voice, "")["voice"]
    return ClauseSpeech(
        process=process,
        request=partial(request, options, context.language, voice),
        model=f"espeak-ng {name}",
        provider="espeak",
    )


def check(options: Options, language: str) -> Readiness:
    if not _installed():
        return without_package("espeakng-loader", "espeak")
    return Readiness(ready=True, detail="A plain synthetic voice, made on this machine.")


def _installed() -> bool:
    return find_spec("espeakng_loader") is not None


tts = Provider(
    name="espeak",
    options=Options,
    create=create,
    check=check,
    languages=frozenset({"fr", "en"}),
)
