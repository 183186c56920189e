"""Any host that speaks OpenAI's protocol: Mistral at Scaleway (the default for the language
model), OpenAI itself, Ollama on this machine, and many more.

The engine enforces no deadline, so each call here has its own: to connect, to the first token or
byte, between two of them, and in all. A call that misses one is a timeout like any other.
"""

import asyncio
import io
import json
import re
import wave
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Annotated, Any, Literal, Protocol, TypeVar

import httpx2 as httpx
import openai
from livekit.agents import (
    APIConnectionError,
    APIConnectOptions,
    APIError,
    APITimeoutError,
    tokenize,
    utils,
)
from livekit.agents import llm as engine_llm
from livekit.agents import tts as engine_tts
from livekit.agents.inference.llm import LLMStream
from livekit.agents.types import DEFAULT_API_CONNECT_OPTIONS, NOT_GIVEN, NotGivenOr
from livekit.agents.utils import is_given
from pydantic import BaseModel, ConfigDict, Field

from eloquence.conversation.faults import cause_of
from eloquence.conversation.stages import StageContext
from eloquence.errors import ConfigurationError
from eloquence.providers._answering import AnswerClock, AnsweringOptions, Seconds
from eloquence.providers._failures import failure, refused
from eloquence.providers._hosts import (
    ENVIRONMENT,
    MISTRAL_ENVIRONMENT,
    OPENAI,
    SCALEWAY,
    Host,
    HostOptions,
    host,
)
from eloquence.providers._utterances import (
    PATIENCE,
    RATE,
    Heard,
    HeardWord,
    Recogniser,
    UtteranceSTT,
)
from eloquence.registry import Provider, Readiness, Stage

T = TypeVar("T")

VOICES: Mapping[str, Literal["feminine", "masculine"]] = {
    **dict.fromkeys(("alloy", "coral", "marin", "nova", "sage", "shimmer"), "feminine"),
    **dict.fromkeys(("ash", "ballad", "cedar", "echo", "fable", "onyx", "verse"), "masculine"),
}
"""OpenAI's own voices, by how they come across."""

_OPENAI_MODELS = re.compile(r"gpt-(?!oss)|chatgpt-|o\d")
"""Names of what OpenAI serves; the models that it gives away are at other hosts."""

Ask = Callable[[str], AbstractAsyncContextManager[Any]]

_SPEECH_RATE = 24_000
_PROBE_SECONDS = 5.0
_RAW = frozenset({"audio/pcm", "audio/raw", "audio/l16", "application/octet-stream", ""})


class Hosted(Protocol):
    """Options of a provider that asks an OpenAI-compatible host."""

    def host(self) -> Host: ...

    def chosen_model(self) -> str: ...


class HostedModelOptions(AnsweringOptions, ABC):
    """Options of a language model at an OpenAI-compatible host."""

    @abstractmethod
    def host(self) -> Host:
        """Who is asked. Raises ConfigurationError."""

    @abstractmethod
    def chosen_model(self) -> str:
        """The model that is asked for."""


class LanguageModelOptions(HostOptions, HostedModelOptions):
    """`model` empty: Mistral Nemo, or OpenAI's small model at OpenAI. A model that OpenAI alone
    has is asked for there, also where the key or the address of Mistral's is set as well."""

    def host(self) -> Host:
        if self.base_url or not _OPENAI_MODELS.match(self.model):
            return host(self, default=SCALEWAY)
        if self.mistral_base_url and self.openai_api_key is None:
            return host(self)  # where it leads may have the model too
        return host(self.model_copy(update={"mistral_base_url": ""}))

    def chosen_model(self) -> str:
        if self.model:
            return self.model
        return "gpt-4o-mini" if self.host().url == OPENAI else "mistral-nemo-instruct-2407"


class TranscriptionOptions(HostOptions):
    """`total` is the deadline in seconds for one utterance; one that fails is sent once more."""

    model: str = "whisper-1"
    total: Seconds = 8.0

    def host(self) -> Host:
        return host(self)

    def chosen_model(self) -> str:
        return self.model


class SpeakingOptions(BaseModel):
    """`voice` empty: by the character, else nova or onyx. `speed` 0.25..4. `first`, `idle` and
    `total` are deadlines in seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str = "tts-1"
    voice: str = ""
    speed: Annotated[float, Field(ge=0.25, le=4)] = 1.0
    first: Seconds = 4.0
    idle: Seconds = 3.0
    total: Seconds = 60.0


class SpeechOptions(SpeakingOptions, HostOptions):
    """How OpenAI's voices, or those of a host with its protocol, speak."""

    def host(self) -> Host:
        return host(self)

    def chosen_model(self) -> str:
        return self.model


class Chat(engine_llm.LLM[Literal["metrics_collected"]]):
    """The language model of one conversation, over the client that all share."""

    def __init__(self, options: HostedModelOptions, client: openai.AsyncClient) -> None:
        super().__init__()
        self._options = options
        self._client = client

    @property
    def model(self) -> str:
        return self._options.chosen_model()

    @property
    def provider(self) -> str:
        return self._options.host().name

    def chat(
        self,
        *,
        chat_ctx: engine_llm.ChatContext,
        tools: list[engine_llm.Tool] | None = None,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
        parallel_tool_calls: NotGivenOr[bool] = NOT_GIVEN,
        tool_choice: NotGivenOr[engine_llm.ToolChoice] = NOT_GIVEN,
        extra_kwargs: NotGivenOr[dict[str, Any]] = NOT_GIVEN,
    ) -> "ChatStream":
        asked: dict[str, Any] = {}
        if self._options.temperature is not None:
            asked["temperature"] = self._options.temperature
        # every host but OpenAI itself knows the older name
        newer = self._options.host().url == OPENAI
        most = "max_completion_tokens" if newer else "max_tokens"
        asked[most] = self._options.max_tokens
        if is_given(parallel_tool_calls):
            asked["parallel_tool_calls"] = parallel_tool_calls
        if is_given(tool_choice):
            asked["tool_choice"] = tool_choice
        if is_given(extra_kwargs):
            asked |= {
                most if key == "max_tokens" else key: extra_kwargs[key] for key in extra_kwargs
            }
        return ChatStream(
            self,
            self._options,
            self._client,
            chat_ctx=chat_ctx,
            tools=tools or [],
            conn_options=conn_options,
            asked=asked,
        )


class ChatStream(LLMStream):
    """One answer, with deadlines."""

    def __init__(
        self,
        model: Chat,
        options: HostedModelOptions,
        client: openai.AsyncClient,
        *,
        chat_ctx: engine_llm.ChatContext,
        tools: list[engine_llm.Tool],
        conn_options: APIConnectOptions,
        asked: dict[str, Any],
    ) -> None:
        super().__init__(
            model,
            model=model.model,
            strict_tool_schema=False,
            client=client,
            chat_ctx=chat_ctx,
            tools=tools,
            conn_options=conn_options,
            extra_kwargs=asked,
        )
        self._clock = AnswerClock(options)

    async def _run(self) -> None:
        await self._clock.keep(super()._run())

    def _parse_choice(self, *given: Any, **named: Any) -> engine_llm.ChatChunk | None:
        chunk = super()._parse_choice(*given, **named)
        if chunk is not None:
            self._clock.heard(chunk)
        return chunk


class Transcriber(Recogniser):
    """Sends each utterance, once it has ended, to a transcription endpoint."""

    def __init__(
        self, options: TranscriptionOptions, client: openai.AsyncClient, language: str
    ) -> None:
        self._options = options
        self._client = client
        self._language = language
        self._pcm = b""

    async def hear(self, pcm: bytes) -> str:
        self._pcm += pcm
        return ""

    async def finish(self) -> Heard:
        pcm, self._pcm = self._pcm, b""
        try:
            return await self._transcribed(pcm)
        except APIError as error:
            if not error.retryable:
                raise
            return await self._transcribed(pcm)  # no word is lost to one bad answer (S04)

    async def _transcribed(self, pcm: bytes) -> Heard:
        detailed = "whisper" in self._options.model
        wanted: dict[str, Any] = {"response_format": "json"}
        if detailed:
            wanted = {"response_format": "verbose_json", "timestamp_granularities": ["word"]}
        answer = await _in_time(
            self._client.audio.transcriptions.with_raw_response.create(
                file=("speech.wav", wav(pcm), "audio/wav"),
                model=self._options.model,
                language=self._language,
                **wanted,
            ),
            self._options.total,
        )
        return heard(answer.text)


def heard(body: str) -> Heard:
    """What a transcription endpoint answered. Raises APIError when it is no transcription."""
    try:
        answer = json.loads(body)
        words = tuple(
            HeardWord(
                str(word["word"]).strip(),
                float(word["start"]),
                float(word["end"]),
                min(1.0, max(0.0, float(word.get("conf") or 1.0))),
            )
            for word in answer.get("words") or ()
        )
        text = answer["text"]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise APIError("The transcription cannot be read.") from error
    if not isinstance(text, str):
        raise APIError("The transcription cannot be read.")
    return Heard(text.strip(), words)


def wav(pcm: bytes) -> bytes:
    """A WAV file of 16 kHz mono PCM16."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(pcm)
    return out.getvalue()


class Speaker(engine_tts.TTS[Literal["metrics_collected"]]):
    """Speaks one sentence for each request. `ask` gives the host's answer to a text, while it
    comes: its `headers`, and `iter_bytes()`."""

    def __init__(self, options: SpeakingOptions, host: str, ask: Ask) -> None:
        super().__init__(
            capabilities=engine_tts.TTSCapabilities(streaming=False),
            sample_rate=_SPEECH_RATE,
            num_channels=1,
        )
        self.options = options
        self.host = host
        self.ask = ask

    @property
    def model(self) -> str:
        return self.options.model

    @property
    def provider(self) -> str:
        return self.host

    def synthesize(
        self, text: str, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    ) -> "SpokenSentence":
        return SpokenSentence(self, text, conn_options)


class SpokenSentence(engine_tts.ChunkedStream):
    def __init__(self, speaker: Speaker, text: str, conn_options: APIConnectOptions) -> None:
        super().__init__(tts=speaker, input_text=text, conn_options=conn_options)
        self._speaker = speaker

    async def _run(self, output_emitter: engine_tts.AudioEmitter) -> None:
        options = self._speaker.options
        try:
            async with asyncio.timeout(options.total):
                await self._speak(output_emitter, options)
        except TimeoutError as error:
            raise APITimeoutError("The voice did not end in time.") from error

    async def _speak(self, emitter: engine_tts.AudioEmitter, options: SpeakingOptions) -> None:
        asking = self._speaker.ask(self.input_text)
        answer = await _in_time(asking.__aenter__(), options.first)
        sounded = False
        try:
            kind = answer.headers.get("content-type", "").split(";")[0].strip().lower()
            if kind not in _RAW and not kind.startswith("audio/"):
                raise APIError("The host answered something else than sound.")
            emitter.initialize(
                request_id=utils.shortuuid(),
                sample_rate=_SPEECH_RATE,
                num_channels=1,
                mime_type="audio/pcm" if kind in _RAW else kind,
            )
            pieces = answer.iter_bytes()
            while True:
                patience = options.idle if sounded else options.first
                piece = await _in_time(anext(pieces, b""), patience)
                if not piece:
                    break
                sounded = True
                emitter.push(piece)
        finally:
            await asking.__aexit__(None, None, None)
        if not sounded:
            raise APIError("The host answered no sound.")
        emitter.end_input()
        try:
            await emitter.join()
        except (ValueError, RuntimeError, OSError) as error:  # what the decoders raise
            raise APIError("The sound cannot be decoded.") from error
        if emitter.pushed_duration() <= 0.0:
            raise APIError("The sound cannot be decoded.")


async def _in_time(asking: Awaitable[T], seconds: float) -> T:
    """The answer, with a deadline, and the vendor's errors as the engine knows them. What a host
    said of the failure stays out of it: it may quote what was said."""
    try:
        async with asyncio.timeout(seconds):
            return await asking
    except (TimeoutError, openai.APITimeoutError) as error:
        raise APITimeoutError("The host did not answer in time.") from error
    except openai.APIStatusError as error:
        raise refused(
            f"The host answered {error.status_code}.",
            error.status_code,
            error.response.headers,
            error.request_id,
        ) from None
    except (openai.OpenAIError, httpx.HTTPError) as error:
        raise APIConnectionError("The host could not be reached, or went away.") from error


def create_llm(options: HostedModelOptions, context: StageContext) -> Chat:
    return Chat(options, _ready_client("llm", options, context))


def create_stt(options: TranscriptionOptions, context: StageContext) -> UtteranceSTT:
    client = _ready_client("stt", options, context)
    return UtteranceSTT(
        recogniser=partial(Transcriber, options, client, context.language),
        language=context.language,
        model=options.model,
        provider=options.host().name,
        interim=False,
        word_times="whisper" in options.model,
        patience=options.total if options.host().local else PATIENCE,
    )


def create_tts(options: SpeechOptions, context: StageContext) -> engine_tts.StreamAdapter:
    client = _ready_client("tts", options, context)
    paced, voice = spoken_as(options, context)

    def ask(text: str) -> AbstractAsyncContextManager[Any]:
        return client.audio.speech.with_streaming_response.create(
            input=text,
            model=paced.model,
            voice=voice,
            response_format="pcm",
            speed=paced.speed,
        )

    return by_sentences(Speaker(paced, options.host().name, ask))


def spoken_as(options: SpeakingOptions, context: StageContext) -> tuple[SpeakingOptions, str]:
    """The options at the character's pace, and the name of its voice."""
    voice = context.character.voice
    name = options.voice or voice.names.get("openai", "")
    name = name or ("nova" if voice.kind == "feminine" else "onyx")
    speed = min(4.0, max(0.25, options.speed * voice.pace))
    return options.model_copy(update={"speed": speed}), name


def by_sentences(speaker: engine_tts.TTS[Any]) -> engine_tts.StreamAdapter:
    """The voice, each of its sentences asked for as soon as it is written."""
    sentences = tokenize.blingfire.SentenceTokenizer(
        retain_format=True, min_sentence_len=4, stream_context_len=4
    )
    return engine_tts.StreamAdapter(tts=speaker, sentence_tokenizer=sentences)


def check(options: Hosted, language: str) -> Readiness:
    try:
        return options.host().readiness(options.chosen_model())
    except ConfigurationError as error:
        return Readiness(ready=False, detail=error.message, mend=error.mend)


async def probe(stage: Stage, options: Hosted, language: str) -> Readiness:
    """Asks the host for its models: whether it answers and takes the key."""
    readiness = check(options, language)
    if not readiness.ready:
        return readiness
    chosen = options.host()
    client = chosen.new_client()
    try:
        await _in_time(client.get("/models", cast_to=object), _PROBE_SECONDS)
    except APIError as error:
        problem = failure(stage, chosen.name, cause_of(error), mend=_mend(error, chosen))
        return Readiness(
            ready=False,
            detail=problem.message,
            mend=problem.mend,
            leaves_machine=readiness.leaves_machine,
        )
    finally:
        await client.close()
    return readiness


def _mend(error: APIError, chosen: Host) -> str:
    if cause_of(error) == "authentication":
        return f"Check {chosen.variable}."
    if cause_of(error) == "rate_limit":
        return "Wait, or look at the quota of the account."
    return f"Check the address {chosen.url} and the network."


def _ready_client(stage: Stage, options: Hosted, context: StageContext) -> openai.AsyncClient:
    readiness = check(options, context.language)
    if not readiness.ready:
        raise failure(stage, options.host().name, "authentication", mend=readiness.mend)
    return options.host().client(context.resources)


llm = Provider(
    name="openai",
    options=LanguageModelOptions,
    create=create_llm,
    check=check,
    environment=ENVIRONMENT | MISTRAL_ENVIRONMENT | {"model": ("LLM_MODEL",)},
    probe=partial(probe, "llm"),
)
stt = Provider(
    name="openai",
    options=TranscriptionOptions,
    create=create_stt,
    check=check,
    environment=ENVIRONMENT | {"model": ("STT_MODEL",)},
    probe=partial(probe, "stt"),
)
tts = Provider(
    name="openai",
    options=SpeechOptions,
    create=create_tts,
    check=check,
    environment=ENVIRONMENT | {"model": ("TTS_MODEL",), "voice": ("TTS_VOICE_ID",)},
    probe=partial(probe, "tts"),
)
