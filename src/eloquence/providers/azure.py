"""Azure's speech services, through LiveKit's plugin: `pip install 'eloquence[azure]'`.

What is said or spoken goes to the region that was chosen (`AZURE_SPEECH_REGION`), which is where
Azure handles it; it does not keep it unless logging was asked for, and it never is here.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from livekit.agents import stt as engine_stt
from livekit.agents import tts as engine_tts
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from eloquence.coaching.character import Language
from eloquence.conversation.stages import StageContext
from eloquence.errors import ConfigurationError
from eloquence.providers._hosts import Host
from eloquence.providers._vendors import (
    address,
    chosen_voice,
    needed,
    probed,
    readiness,
    refusal,
)
from eloquence.providers.openai import SpeakingOptions, by_sentences
from eloquence.registry import Provider, Readiness

LOCALES: Mapping[str, str] = {"fr": "fr-FR", "en": "en-US"}
VOICES: Mapping[str, Mapping[str, str]] = {
    "fr": {"feminine": "fr-FR-DeniseNeural", "masculine": "fr-FR-HenriNeural"},
    "en": {"feminine": "en-US-JennyNeural", "masculine": "en-US-GuyNeural"},
}
_OWN = re.compile(r"[a-z]{2,3}-[A-Za-z]{2,4}(-[A-Za-z]+)?-[A-Za-z0-9]+(:[A-Za-z0-9]+)?")
_KEY = "Ocp-Apim-Subscription-Key"
_LISTEN = "/speech/recognition/conversation/cognitiveservices/v1"
_SPEAK = "/cognitiveservices/v1"
_VOICES = "/cognitiveservices/voices/list"
_EVEN = 1.0
_SILENCE = 0.3
"""Seconds that end a phrase; with less, Azure hears less well."""
Part = Literal["stt", "tts"]


class Resource(BaseModel):
    """`region` of the speech resource, such as francecentral; `endpoint` in its place for a
    resource with a name of its own, or a container on this machine."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    api_key: SecretStr | None = None
    region: Annotated[str, Field(pattern=r"^[a-z0-9]*$")] = ""
    endpoint: str = ""

    def host(self, part: Part, path: str) -> Host:
        """Raises ConfigurationError when there is no address, or one that is none."""
        url = f"https://{self.region}.{part}.speech.microsoft.com{path}"
        if self.endpoint:
            named = (urlsplit(self.endpoint).hostname or "").endswith(".azure.com")
            url = address(self.endpoint, f"/{part}{path}" if named else path)
        elif not self.region:
            raise ConfigurationError(
                "There is no region of Azure's speech services.",
                mend="Set AZURE_SPEECH_REGION, such as francecentral, and AZURE_SPEECH_KEY.",
            )
        return Host(url, self.api_key, "AZURE_SPEECH_KEY")

    @property
    def key(self) -> str:
        return self.api_key.get_secret_value() if self.api_key else "none"


class HearingOptions(Resource):
    """How Azure hears."""


class SpeechOptions(SpeakingOptions, Resource):
    """`voice` is one of Azure's names, such as fr-FR-DeniseNeural; empty: by the character.
    `speed` 0.5..2. There is no choice of a model: `model` is not used. `first`, `idle` and `total`
    are deadlines in seconds."""

    model: str = ""
    speed: Annotated[float, Field(ge=0.5, le=2)] = _EVEN


def create_stt(options: HearingOptions, context: StageContext) -> "engine_stt.STT[Any]":
    ready = check_stt(options, context.language)
    if not ready.ready:
        raise refusal("stt", "Azure", ready)
    with needed("azure"):
        from eloquence.providers._azure_ear import Recogniser
    url = options.host("stt", _LISTEN).url
    return Recogniser(url, options.key, context.language, LOCALES[context.language], _SILENCE)


def create_tts(options: SpeechOptions, context: StageContext) -> engine_tts.StreamAdapter:
    ready = check_tts(options, context.language)
    if not ready.ready:
        raise refusal("tts", "Azure", ready)
    with needed("azure"):
        from eloquence.providers._azure_voice import Prosody, Speaker
    character = context.character.voice
    voice, _ = chosen_voice(
        options.voice or character.names.get("azure", ""),
        _OWN,
        VOICES[context.language],
        character,
    )
    given: dict[str, object] = {}
    speed = min(2.0, max(0.5, options.speed * character.pace))
    if speed != _EVEN:
        given["prosody"] = Prosody(rate=speed)
    speaker = Speaker(
        options,
        context.resources,
        voice=voice,
        language=LOCALES[context.language],
        sample_rate=24_000,
        speech_key=options.key,
        speech_region=options.region or "none",
        speech_endpoint=options.host("tts", _SPEAK).url,
        **given,
    )
    return by_sentences(speaker)


def check_stt(options: HearingOptions, language: str) -> Readiness:
    try:
        host = options.host("stt", _LISTEN)
    except ConfigurationError as error:
        return Readiness(ready=False, detail=error.message, mend=error.mend)
    return readiness("azure", host, f"Azure {LOCALES.get(language, language)}")


def check_tts(options: SpeechOptions, language: str) -> Readiness:
    try:
        host = options.host("tts", _SPEAK)
    except ConfigurationError as error:
        return Readiness(ready=False, detail=error.message, mend=error.mend)
    voice, note = chosen_voice(options.voice, _OWN, VOICES.get(language, VOICES["en"]))
    return readiness("azure", host, voice, note)


async def probe_stt(options: HearingOptions, language: str) -> Readiness:
    """Asks for the list of voices: the recogniser has nothing that can be asked for by itself."""
    ready = check_stt(options, language)
    return await _probed("stt", options, ready) if ready.ready else ready


async def probe_tts(options: SpeechOptions, language: str) -> Readiness:
    """Asks for the list of voices."""
    ready = check_tts(options, language)
    return await _probed("tts", options, ready) if ready.ready else ready


async def _probed(stage: Part, options: Resource, ready: Readiness) -> Readiness:
    host = options.host("tts", _VOICES)
    return await probed(stage, ready, host, host.url, {_KEY: options.key})


_ENVIRONMENT: Mapping[str, tuple[str, ...]] = {
    "api_key": ("AZURE_SPEECH_KEY",),
    "region": ("AZURE_SPEECH_REGION",),
    "endpoint": ("AZURE_SPEECH_ENDPOINT",),
}
_LANGUAGES: frozenset[Language] = frozenset({"fr", "en"})

stt = Provider(
    name="azure",
    options=HearingOptions,
    create=create_stt,
    check=check_stt,
    languages=_LANGUAGES,
    environment=_ENVIRONMENT,
    probe=probe_stt,
)
tts = Provider(
    name="azure",
    options=SpeechOptions,
    create=create_tts,
    check=check_tts,
    languages=_LANGUAGES,
    environment={**_ENVIRONMENT, "voice": ("TTS_VOICE_ID",)},
    probe=probe_tts,
)
