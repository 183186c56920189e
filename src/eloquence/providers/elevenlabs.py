"""The voices of ElevenLabs, through LiveKit's plugin: `pip install 'eloquence[elevenlabs]'`.

The text that is spoken goes to ElevenLabs, which keeps it in the account's history. Customers with
an enterprise contract set `zero_retention`; for others ElevenLabs refuses such requests.
"""

import re
from typing import Annotated

from livekit.agents import tts as engine_tts
from pydantic import Field, SecretStr

from eloquence.conversation.stages import StageContext
from eloquence.errors import ConfigurationError
from eloquence.providers._hosts import Host
from eloquence.providers._vendors import (
    address,
    chosen_model,
    chosen_voice,
    needed,
    probed,
    readiness,
    refusal,
)
from eloquence.providers.openai import SpeakingOptions, by_sentences
from eloquence.registry import Provider, Readiness

VOICES = {"feminine": "EXAVITQu4vr4xnSDxMaL", "masculine": "JBFqnCBsd6RMkjVDRZzb"}
"""Sarah and George, whom every account has; with these models they speak both languages."""
_OWN = re.compile(r"[A-Za-z0-9]{20}")
_DEFAULT = "eleven_turbo_v2_5"
_OF_ALL_LANGUAGES = {
    "eleven_turbo_v2": "eleven_turbo_v2_5",
    "eleven_flash_v2": "eleven_flash_v2_5",
    "eleven_monolingual_v1": "eleven_multilingual_v2",
}
"""What speaks French in place of a model that only knows English."""
_TOLD_THE_LANGUAGE = frozenset({"eleven_turbo_v2_5", "eleven_flash_v2_5"})
_EVEN = 1.0


class Options(SpeakingOptions):
    """`voice` is an id of ElevenLabs' library; empty: by the character. `speed` 0.7..1.2 of the
    voice's own. `zero_retention` asks ElevenLabs to keep nothing (enterprise contracts only).
    `first`, `idle` and `total` are deadlines in seconds."""

    api_key: SecretStr | None = None
    base_url: str = "https://api.elevenlabs.io"
    model: str = ""
    speed: Annotated[float, Field(ge=0.7, le=1.2)] = _EVEN
    zero_retention: bool = False

    def host(self) -> Host:
        """Raises ConfigurationError for an address that is none."""
        return Host(address(self.base_url, "/v1"), self.api_key, "ELEVEN_API_KEY")

    def chosen_model(self, language: str) -> tuple[str, str]:
        """The model, and what there is to say of it."""
        model, note = chosen_model(self.model, _DEFAULT)
        if language != "en" and model in _OF_ALL_LANGUAGES:
            speaks = _OF_ALL_LANGUAGES[model]
            return speaks, f"{model} only speaks English: {speaks} is used in its place."
        return model, note


def create(options: Options, context: StageContext) -> engine_tts.StreamAdapter:
    ready = check(options, context.language)
    if not ready.ready:
        raise refusal("tts", "ElevenLabs", ready)
    with needed("elevenlabs"):
        from eloquence.providers._elevenlabs import Speaker, VoiceSettings
    host = options.host()
    character = context.character.voice
    model, _ = options.chosen_model(context.language)
    voice, _ = chosen_voice(
        options.voice or character.names.get("elevenlabs", ""), _OWN, VOICES, character
    )
    given: dict[str, object] = {}
    speed = min(1.2, max(0.7, options.speed * character.pace))
    if speed != _EVEN:
        given["voice_settings"] = VoiceSettings(stability=0.5, similarity_boost=0.75, speed=speed)
    if model in _TOLD_THE_LANGUAGE:
        given["language"] = context.language
    speaker = Speaker(
        options,
        context.resources,
        voice_id=voice,
        model=model,
        encoding="pcm_24000",
        api_key=host.key.get_secret_value() if host.key else "none",
        base_url=host.url,
        enable_logging=not options.zero_retention,
        **given,
    )
    return by_sentences(speaker)


def check(options: Options, language: str) -> Readiness:
    try:
        host = options.host()
    except ConfigurationError as error:
        return Readiness(ready=False, detail=error.message, mend=error.mend)
    model, of_model = options.chosen_model(language)
    _, of_voice = chosen_voice(options.voice, _OWN, VOICES)
    return readiness("elevenlabs", host, model, of_model, of_voice)


async def probe(options: Options, language: str) -> Readiness:
    """Asks for the list of models; a key that may only speak is not shown it, and is good."""
    ready = check(options, language)
    if not ready.ready:
        return ready
    host = options.host()
    key = host.key.get_secret_value() if host.key else "none"
    asked = f"{host.url}/models"
    limited = b"missing_permissions"
    return await probed("tts", ready, host, asked, {"xi-api-key": key}, limited=limited)


tts = Provider(
    name="elevenlabs",
    options=Options,
    create=create,
    check=check,
    languages=frozenset({"fr", "en"}),
    environment={
        "api_key": ("ELEVEN_API_KEY", "ELEVENLABS_API_KEY"),
        "model": ("TTS_MODEL",),
        "voice": ("TTS_VOICE_ID",),
    },
    probe=probe,
)
