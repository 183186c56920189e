"""Scripted stages with fixed latencies: what a conversation is made of when only it is tested.

They hear real sound and make real sound; only the words are given beforehand. Latencies are in
seconds and are kept to whatever clock the loop runs on.
"""

import asyncio
import uuid
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal, Never

import numpy as np
from livekit import rtc
from livekit.agents import APIConnectionError, APIError, LanguageCode, llm, stt, tts, utils
from livekit.agents.types import DEFAULT_API_CONNECT_OPTIONS, NOT_GIVEN, APIConnectOptions

RATE = 16_000
SPEECH_RATE = 24_000
_LOUD = 0.01
_CHARACTERS_PER_SECOND = 15.0
_GAP = 0.06
_TONE = 180.0


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


AnswerFault = Literal["ok", "hang", "stall", "close", "slow", "empty", "endless"]
"""How a scripted model fails: it says nothing at all, stops half-way and holds the line or drops
it, takes 4 s for each word, gives an answer with nothing in it, or goes on for ever."""


class ScriptedLLM(llm.LLM[Never]):
    """Answers with the replies in order: first token after `first`, then `rate` words a second.

    An `Exception` among the replies is raised in its turn. The last reply is repeated. `fault` may
    be changed at any time; `open` counts the answers that are being given.
    """

    def __init__(
        self,
        replies: Iterable[str | Exception],
        *,
        first: float = 0.2,
        rate: float = 40.0,
        fault: AnswerFault = "ok",
    ) -> None:
        super().__init__()
        self.replies = list(replies)
        self.first = first
        self.rate = rate
        self.fault = fault
        self.asked: list[llm.ChatContext] = []
        self.open = 0

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
        self._fault = owner.fault
        super().__init__(owner, **rest)

    async def _run(self) -> None:
        self._owner.open += 1
        try:
            await self._answer()
        finally:
            self._owner.open -= 1

    async def _answer(self) -> None:
        await asyncio.sleep(1e9 if self._fault == "hang" else self._owner.first)
        if isinstance(self._reply, Exception):
            raise self._reply
        words = [] if self._fault == "empty" else list(_words(self._reply))
        half = len(words) // 2
        if self._fault == "endless":
            words = [f"{self._reply} "] * 100_000
        between = 4.0 if self._fault == "slow" else 1 / self._owner.rate
        for number, word in enumerate(words):
            if number:
                await asyncio.sleep(between)
            if number == half and self._fault == "stall":
                await asyncio.sleep(1e9)
            if number == half and self._fault == "close":
                raise APIConnectionError("The connection was closed.")
            self._event_ch.send_nowait(
                llm.ChatChunk(
                    id=uuid.uuid4().hex,
                    delta=llm.ChoiceDelta(role="assistant", content=word),
                )
            )


SpeechMode = Literal["ok", "hang", "stall", "close", "truncate", "garbage", "empty"]
"""How a scripted voice speaks: `hang` gives no sound; `stall`, `close` and `truncate` give a part
of it and then nothing, an error, or an end as if all were well; `garbage` gives noise, `empty`
ends without a sound."""


class ScriptedTTS(tts.TTS[Never]):
    """A tone as long as the text would take to say, its first sound after `first` seconds.

    Each of the words in `tones` is a tone of its own, so that what was heard can be told by ear
    (see `words_in`). `pace` is how many seconds a second of sound takes to come, 0 for all at once.
    Each text that is asked for takes the first of `next_modes` as the mode from then on; `part` is
    the share of the sound that comes of one that breaks off.
    """

    def __init__(
        self,
        *,
        first: float = 0.1,
        mode: SpeechMode = "ok",
        tones: Sequence[str] = (),
        pace: float = 0.0,
        haste: float = 1.0,
    ) -> None:
        super().__init__(
            capabilities=tts.TTSCapabilities(streaming=False),
            sample_rate=SPEECH_RATE,
            num_channels=1,
        )
        self.first = first
        self.mode: SpeechMode = mode
        self.next_modes: list[SpeechMode] = []
        self.tones = tones
        self.pace = pace
        self.haste = haste
        self.part = 0.5
        self.said: list[str] = []
        self.failing: Exception | None = None
        self.open = 0
        """Streams that are not closed."""

    def synthesize(
        self, text: str, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    ) -> tts.ChunkedStream:
        self.said.append(text)
        if self.next_modes:
            self.mode = self.next_modes.pop(0)
        return _ScriptedSpeech(tts=self, input_text=text, conn_options=conn_options)

    def sound(self, text: str) -> bytes:
        """What it gives for a text when all is well: PCM16."""
        if not self.tones:
            return tone(len(text) / _CHARACTERS_PER_SECOND / self.haste)
        gap = bytes(2 * round(_GAP * SPEECH_RATE))
        spoken = [self._spoken(word) for word in text.split()]
        return gap.join(word for word in spoken if word) + gap

    def _spoken(self, word: str) -> bytes:
        letters = len(_letters(word))
        seconds = max(0.1, letters / _CHARACTERS_PER_SECOND) / self.haste
        return tone(seconds, hertz=_pitches(self.tones).get(_letters(word), _TONE))


class _ScriptedSpeech(tts.ChunkedStream):
    def __init__(self, **rest: Any) -> None:
        super().__init__(**rest)
        assert isinstance(self._tts, ScriptedTTS)
        self._owner = self._tts
        self._owner.open += 1
        self._closed = False

    async def aclose(self) -> None:
        if not self._closed:
            self._closed = True
            self._owner.open -= 1
        await super().aclose()

    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        owner = self._owner
        mode = owner.mode
        await asyncio.sleep(owner.first)
        if owner.failing is not None:
            raise owner.failing
        if mode == "hang":
            await asyncio.Event().wait()
        output_emitter.initialize(
            request_id=utils.shortuuid(),
            sample_rate=SPEECH_RATE,
            num_channels=1,
            mime_type="audio/pcm",
        )
        sound = owner.sound(self.input_text)
        if mode in ("stall", "close", "truncate"):
            sound = sound[: int(len(sound) // 2 * owner.part) * 2]
        elif mode == "garbage":
            sound = np.random.default_rng(0).bytes(len(sound))
        elif mode == "empty":
            sound = b""
        size = 2 * SPEECH_RATE // 10
        for at in range(0, len(sound), size):
            output_emitter.push(sound[at : at + size])
            await asyncio.sleep(owner.pace * size / 2 / SPEECH_RATE)
        if mode == "stall":
            await asyncio.Event().wait()
        if mode == "close":
            output_emitter.flush()
            await asyncio.sleep(0.01)
            raise APIConnectionError("The voice went away.")
        output_emitter.flush()


def words_in(pcm: bytes, tones: Sequence[str]) -> list[str]:
    """Which of the words in `tones` are heard in PCM16 at 24 kHz, one for each stretch of tone."""
    sound = np.frombuffer(pcm, "<i2").astype(float)
    step = SPEECH_RATE // 100
    loud = np.abs(sound[: len(sound) // step * step]).reshape(-1, step).max(axis=1) > 1_000
    edges = np.flatnonzero(np.diff(np.concatenate(([False], loud, [False])).astype(int)))
    known = {hertz: word for word, hertz in _pitches(tones).items()} | {_TONE: ""}
    heard = []
    for first, last in zip(edges[::2], edges[1::2], strict=True):
        piece = sound[first * step : last * step]
        power = np.abs(np.fft.rfft(piece * np.hanning(len(piece)), 1 << 16))
        hertz = power.argmax() * SPEECH_RATE / (1 << 16)
        heard.append(known[min(known, key=lambda one: abs(one - hertz))])
    return [word for word in heard if word]


def _pitches(tones: Sequence[str]) -> dict[str, float]:
    """A pitch in hertz of its own for each of at most forty words, far from that of the next."""
    return {_letters(word): 300 * 1.06 ** (number * 7 % 40) for number, word in enumerate(tones)}


def _letters(word: str) -> str:
    return "".join(letter for letter in word.lower() if letter.isalnum())


def tone(seconds: float, *, rate: int = SPEECH_RATE, hertz: float = _TONE) -> bytes:
    """PCM16 mono of a sine at -12 dBFS."""
    at = np.arange(round(seconds * rate)) / rate
    return (8192 * np.sin(2 * np.pi * hertz * at)).astype("<i2").tobytes()


def _words(text: str) -> Iterator[str]:
    pieces = text.split(" ")
    for number, piece in enumerate(pieces):
        yield piece if number == len(pieces) - 1 else f"{piece} "
