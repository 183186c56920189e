"""A voice that is a service of its own: `eloquence service tts`, or any program that answers
`POST /api/tts` with sound (TTS-01, TTS-02). Keys of vendors stay there."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx2 as httpx
from livekit.agents import tts as engine_tts

from eloquence.conversation.stages import StageContext
from eloquence.providers._failures import failure, refused
from eloquence.providers._hosts import CONNECT_SECONDS, is_local
from eloquence.providers.openai import Speaker, SpeakingOptions, by_sentences, spoken_as
from eloquence.registry import Provider, Readiness

_PATH = "/api/tts"


class Options(SpeakingOptions):
    """`url` of the service, with or without `/api/tts`. `model` empty: the service's own. How fast
    it speaks is the service's affair."""

    url: str = ""
    model: str = ""

    @property
    def address(self) -> str:
        return self.url.rstrip("/").removesuffix(_PATH) + _PATH

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or ""


@dataclass(frozen=True, slots=True)
class _Answer:
    """A service's answer as `Speaker` reads it."""

    response: httpx.Response

    @property
    def headers(self) -> httpx.Headers:
        return self.response.headers

    def iter_bytes(self) -> AsyncIterator[bytes]:
        return self.response.aiter_bytes()


def create(options: Options, context: StageContext) -> engine_tts.StreamAdapter:
    readiness = check(options, context.language)
    if not readiness.ready:
        raise failure("tts", "The speaking service", "bad_request", mend=readiness.mend)
    client = context.resources.get(
        "speaking service",
        lambda: httpx.AsyncClient(timeout=httpx.Timeout(60.0, connect=CONNECT_SECONDS)),
        lambda made: made.aclose(),
    )
    _, voice = spoken_as(options, context)
    wanted = {"voice": voice, "model": options.model, "language": context.language}

    @asynccontextmanager
    async def ask(text: str) -> AsyncIterator[_Answer]:
        body = {"text": text, "format": "pcm", **wanted}
        async with client.stream("POST", options.address, json=body) as response:
            if response.is_error:
                said = f"The service answered {response.status_code}."
                raise refused(said, response.status_code, response.headers)
            yield _Answer(response)

    named = options.model_copy(update={"model": options.model or "service"})
    return by_sentences(Speaker(named, options.host, ask))


def check(options: Options, language: str) -> Readiness:
    if urlsplit(options.url).scheme not in ("http", "https") or not options.host:
        return Readiness(
            ready=False,
            detail="There is no address of a speaking service.",
            mend="Set TTS_SERVICE_URL, as http://openai-tts:5002.",
        )
    return Readiness(
        ready=True,
        detail=f"Spoken by the service at {options.host}.",
        leaves_machine="" if is_local(options.host) else options.host,
    )


tts = Provider(
    name="service",
    options=Options,
    create=create,
    check=check,
    environment={"url": ("TTS_SERVICE_URL", "PIPER_TTS_URL"), "voice": ("TTS_VOICE_ID",)},
)
