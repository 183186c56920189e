"""Scripted stages with fixed latencies: what a conversation is made of when only it is tested.

They hear real sound and make real sound; only the words are given beforehand. Latencies are in
seconds and are kept to whatever clock the loop runs on.
"""

import asyncio
import uuid
from collections.abc import Iterable, Iterator
from typing import Any, Literal, Never

import numpy as np
from livekit import rtc
from livekit.agents import APIError, LanguageCode, llm, stt, tts, utils
from livekit.agents.types import DEFAULT_API_CONNECT_OPTIONS, NOT_GIVEN, APIConnectOptions

RATE = 16_000
SPEECH_RATE = 24_000
_LOUD = 0.01
_CHARACTERS_PER_SECOND = 15.0


class ScriptedSTT(stt.STT[Literal["metrics_collected"]]):
    """Gives the next text `delay` seconds after each stretch of sound has ended.

    A stretch ends where the level stays under -40 dBFS for `delay`; texts come in order, and the
    last one again when they are used up.
    """

    def __init__(self, texts: Iterable[str], *, delay: float = 0.1, language: str = "fr") -> None:
        super().__init__(capabilities=stt.STTCapabilities(streaming=True, interim_results=False))
        self.texts = list(texts)
        self.delay = delay
        self.language = LanguageCode(language)
        self.given = 0

    async def _recognize_impl(
        self, buffer: Any, *, language: Any = NOT_GIVEN, conn_options: APIConnectOptions
    ) -> stt.SpeechEvent:
        raise APIError("a scripted recogniser only streams")

    def stream(
        self,
        *,
        language: Any = NOT_GIVEN,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
    ) -> stt.RecognizeStream:
        return _ScriptedRecognition(self, conn_options)

    def next(self) -> str:
        text = self.texts[min(self.given, len(self.texts) - 1)]
        self.given += 1
        return text


class _ScriptedRecognition(stt.RecognizeStream):
    def __init__(self, owner: ScriptedSTT, conn_options: APIConnectOptions) -> None:
        super().__init__(stt=owner, conn_options=conn_options, sample_rate=RATE)
        self._owner = owner

    async def _run(self) -> None:
        position = quiet = 0.0
        begun: float | None = None
        async for frame in self._input_ch:
            if not isinstance(frame, rtc.AudioFrame):
                continue
            level = np.abs(np.frombuffer(frame.data, dtype=np.int16)).max(initial=0) / 32768
            position += frame.duration
            if level > _LOUD:
                begun = position if begun is None else begun
                quiet = 0.0
            elif begun is not None:
                quiet += frame.duration
                if quiet >= self._owner.delay - 1e-6:
                    self._say(begun, position - quiet)
                    begun, quiet = None, 0.0

    def _say(self, start: float, end: float) -> None:
        if end - start < 0.08:
            return
        data = stt.SpeechData(
            language=self._owner.language, text=self._owner.next(), start_time=start, end_time=end
        )
        self._event_ch.send_nowait(
            stt.SpeechEvent(type=stt.SpeechEventType.FINAL_TRANSCRIPT, alternatives=[data])
        )


class ScriptedLLM(llm.LLM[Never]):
    """Answers with the replies in order: first token after `first`, then `rate` words a second.

    An `Exception` among the replies is raised in its turn. The last reply is repeated.
    """

    def __init__(
        self, replies: Iterable[str | Exception], *, first: float = 0.2, rate: float = 40.0
    ) -> None:
        super().__init__()
        self.replies = list(replies)
        self.first = first
        self.rate = rate
        self.asked: list[llm.ChatContext] = []

    def chat(
        self,
        *,
        chat_ctx: llm.ChatContext,
        tools: list[llm.Tool] | None = None,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
        **_: Any,
    ) -> llm.LLMStream:
        reply = self.replies[min(len(self.asked), len(self.replies) - 1)]
        self.asked.append(chat_ctx.copy())
        return _ScriptedAnswer(
            self, reply, chat_ctx=chat_ctx, tools=tools or [], conn_options=conn_options
        )


class _ScriptedAnswer(llm.LLMStream):
    def __init__(self, owner: ScriptedLLM, reply: str | Exception, **rest: Any) -> None:
        self._owner = owner
        self._reply = reply
        super().__init__(owner, **rest)

    async def _run(self) -> None:
        await asyncio.sleep(self._owner.first)
        if isinstance(self._reply, Exception):
            raise self._reply
        for number, word in enumerate(_words(self._reply)):
            if number:
                await asyncio.sleep(1 / self._owner.rate)
            self._event_ch.send_nowait(
                llm.ChatChunk(
                    id=uuid.uuid4().hex,
                    delta=llm.ChoiceDelta(role="assistant", content=word),
                )
            )


class ScriptedTTS(tts.TTS[Never]):
    """A tone as long as the text would take to say, its first sound after `first` seconds."""

    def __init__(self, *, first: float = 0.1) -> None:
        super().__init__(
            capabilities=tts.TTSCapabilities(streaming=False),
            sample_rate=SPEECH_RATE,
            num_channels=1,
        )
        self.first = first
        self.said: list[str] = []
        self.failing: Exception | None = None

    def synthesize(
        self, text: str, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    ) -> tts.ChunkedStream:
        self.said.append(text)
        return _ScriptedSpeech(tts=self, input_text=text, conn_options=conn_options)


class _ScriptedSpeech(tts.ChunkedStream):
    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        owner = self._tts
        assert isinstance(owner, ScriptedTTS)
        await asyncio.sleep(owner.first)
        if owner.failing is not None:
            raise owner.failing
        output_emitter.initialize(
            request_id=utils.shortuuid(),
            sample_rate=SPEECH_RATE,
            num_channels=1,
            mime_type="audio/pcm",
        )
        output_emitter.push(tone(len(self.input_text) / _CHARACTERS_PER_SECOND))
        output_emitter.flush()


def tone(seconds: float, *, rate: int = SPEECH_RATE, hertz: float = 180.0) -> bytes:
    """PCM16 mono of a sine at -12 dBFS."""
    at = np.arange(round(seconds * rate)) / rate
    return (8192 * np.sin(2 * np.pi * hertz * at)).astype("<i2").tobytes()


def _words(text: str) -> Iterator[str]:
    pieces = text.split(" ")
    for number, piece in enumerate(pieces):
        yield piece if number == len(pieces) - 1 else f"{piece} "
