"""Deepgram's recogniser, through LiveKit's plugin: `pip install 'eloquence[deepgram]'`.

The learner's speech goes to Deepgram while it is spoken. It is told not to keep it for the
improvement of its models (`mip_opt_out`), and hears words as they are: fillers stay, nothing is
masked, nothing is made prettier, since the scores count them.
"""

from livekit.agents import stt as engine_stt
from pydantic import BaseModel, ConfigDict, SecretStr

from eloquence.conversation.stages import StageContext
from eloquence.errors import ConfigurationError
from eloquence.providers._hosts import Host
from eloquence.providers._utterances import END_SILENCE, RATE
from eloquence.providers._vendors import (
    address,
    chosen_model,
    needed,
    probed,
    readiness,
    refusal,
)
from eloquence.registry import Provider, Readiness

_DEFAULT = "nova-3"


class Options(BaseModel):
    """`base_url` for Deepgram's other regions (https://api.eu.deepgram.com) or one's own
    installation. `mip_opt_out` false lets Deepgram use the speech for its models."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    api_key: SecretStr | None = None
    base_url: str = "https://api.deepgram.com"
    model: str = ""
    mip_opt_out: bool = True

    def host(self) -> Host:
        """Raises ConfigurationError for an address that is none."""
        return Host(address(self.base_url, "/v1/listen"), self.api_key, "DEEPGRAM_API_KEY")


def create(options: Options, context: StageContext) -> "engine_stt.STT[str]":
    ready = check(options, context.language)
    if not ready.ready:
        raise refusal("stt", "Deepgram", ready)
    with needed("deepgram"):
        from eloquence.providers._deepgram import Recogniser
    host = options.host()
    return Recogniser(
        context.resources,
        model=ready.model,
        language=context.language,
        interim_results=True,
        punctuate=True,
        smart_format=False,
        filler_words=True,
        profanity_filter=False,
        sample_rate=RATE,
        endpointing_ms=round(END_SILENCE * 1000),
        api_key=host.key.get_secret_value() if host.key else "none",
        base_url=host.url,
        mip_opt_out=options.mip_opt_out,
    )


def check(options: Options, language: str) -> Readiness:
    try:
        host = options.host()
    except ConfigurationError as error:
        return Readiness(ready=False, detail=error.message, mend=error.mend)
    model, note = chosen_model(options.model, _DEFAULT)
    return readiness("deepgram", host, model, note)


async def probe(options: Options, language: str) -> Readiness:
    """Asks Deepgram what it knows of the key."""
    ready = check(options, language)
    if not ready.ready:
        return ready
    host = options.host()
    key = host.key.get_secret_value() if host.key else "none"
    asked = address(options.base_url, "/v1/auth/token")
    return await probed("stt", ready, host, asked, {"Authorization": f"Token {key}"})


stt = Provider(
    name="deepgram",
    options=Options,
    create=create,
    check=check,
    languages=frozenset({"fr", "en"}),
    environment={"api_key": ("DEEPGRAM_API_KEY",), "model": ("STT_MODEL",)},
    probe=probe,
)
