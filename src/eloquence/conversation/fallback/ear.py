"""One provider that listens, and its words on the clock of the whole sound."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any, Literal

from livekit import rtc
from livekit.agents import stt
from livekit.agents.types import (
    DEFAULT_API_CONNECT_OPTIONS,
    NOT_GIVEN,
    APIConnectOptions,
    NotGivenOr,
    TimedString,
)
from livekit.agents.utils import AudioBuffer, is_given

from eloquence.conversation.fallback.chain import Link
from eloquence.conversation.fallback.voice import RATE, Voice

PATIENCE = 2.5
"""Seconds that a recogniser may take after speech has ended, unless its stage has a `patience`."""
LATEST = 7.0
"""Seconds after the end of speech for which words are waited for in all."""
_ONE_CALL = APIConnectOptions(max_retry=0, timeout=5.0)
_LEAD = 0.4
"""Seconds of sound before speech that a recogniser of whole utterances also gets."""
_LONGEST = 30.0
"""Seconds after which an utterance without any pause is given to it nevertheless."""


class Ear:
    """A provider's stream, whose seconds begin at `origin` of ours.

    Its task alone reads the stream and closes it. `heard` is called with each event, on our clock;
    `lost` once, when the stream is over though nobody left it, with why (None: it just ended).
    """

    def __init__(
        self,
        link: Link[stt.STT[Any]],
        origin: float,
        heard: "Callable[[Ear, stt.SpeechEvent], None]",
        lost: "Callable[[Ear, Exception | None], None]",
        voice: Callable[[], Voice] = Voice,
    ) -> None:
        stage = link.stage if link.stage.capabilities.streaming else Whole(link.stage, voice)
        self.link = link
        self.patience = min(float(getattr(link.stage, "patience", PATIENCE)), LATEST)
        """Seconds that it may take after speech has ended."""
        self.since = self.alive = time.monotonic()
        """When it began to listen; when it last said anything."""
        self.announced = False
        """Whether it took what it hears now for speech."""
        self.ended: float | None = None
        """When it said that an utterance was over, without any word of it."""
        self.well = False
        """Whether it has understood something."""
        self.owing = True
        """Whether its breaker was not told yet how it went."""
        self.due: asyncio.TimerHandle | None = None
        self._origin = origin
        self._stream = stage.stream(conn_options=_ONE_CALL)
        self.task = asyncio.create_task(self._listen(heard, lost))

    def push(self, frame: rtc.AudioFrame) -> None:
        with suppress(RuntimeError):  # its stream is over, which its task is about to tell
            self._stream.push_frame(frame)

    def flush(self) -> None:
        """Asks for the words of what it was given until now."""
        with suppress(RuntimeError):
            self._stream.flush()

    def end_input(self) -> None:
        with suppress(RuntimeError):
            self._stream.end_input()

    def leave(self) -> None:
        """Hears nothing from it any more; its task closes it."""
        self.rest()
        self.task.cancel()

    def rest(self) -> None:
        """Waits for nothing."""
        if self.due is not None:
            self.due.cancel()
            self.due = None

    async def _listen(
        self,
        heard: "Callable[[Ear, stt.SpeechEvent], None]",
        lost: "Callable[[Ear, Exception | None], None]",
    ) -> None:
        error: Exception | None = None
        try:
            try:
                async for event in self._stream:
                    self.alive = time.monotonic()
                    heard(self, self._on_our_clock(event))
            except Exception as failure:  # whatever a provider raises, another one takes over
                error = failure
            self.rest()
            lost(self, error)
        finally:
            await self._stream.aclose()

    def _on_our_clock(self, event: stt.SpeechEvent) -> stt.SpeechEvent:
        if not event.alternatives or not self._origin:
            return event
        moved = [_later(data, self._origin) for data in event.alternatives]
        return replace(event, alternatives=moved)


class Whole(stt.STT[Literal["metrics_collected"]]):
    """A recogniser of whole utterances as one that listens: its words come when somebody has
    spoken."""

    def __init__(self, stage: stt.STT[Any], voice: Callable[[], Voice] = Voice) -> None:
        super().__init__(capabilities=replace(stage.capabilities, streaming=True))
        self.stage = stage
        self.voice = voice

    async def _recognize_impl(
        self,
        buffer: AudioBuffer,
        *,
        language: NotGivenOr[str] = NOT_GIVEN,
        conn_options: APIConnectOptions,
    ) -> stt.SpeechEvent:
        return await self.stage.recognize(buffer, language=language, conn_options=conn_options)

    def stream(
        self,
        *,
        language: NotGivenOr[str] = NOT_GIVEN,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
    ) -> stt.RecognizeStream:
        return _WholeUtterances(self, conn_options)


class _WholeUtterances(stt.RecognizeStream):
    def __init__(self, owner: Whole, conn_options: APIConnectOptions) -> None:
        super().__init__(stt=owner, conn_options=conn_options, sample_rate=RATE)
        self._stage = owner.stage
        self._voice = owner.voice

    async def _run(self) -> None:
        voice = self._voice()
        kept: deque[tuple[float, rtc.AudioFrame]] = deque()
        at = 0.0
        async for item in self._input_ch:
            if isinstance(item, rtc.AudioFrame):
                kept.append((at, item))
                at += item.duration
                changes = voice.push(item.data.tobytes())
                if "began" in changes:
                    self._event_ch.send_nowait(stt.SpeechEvent(stt.SpeechEventType.START_OF_SPEECH))
                overdue = voice.speaking and at - voice.since > _LONGEST
                over = "ended" in changes or (overdue and voice.cut())
            else:
                over = voice.cut()
            if over:
                await self._understand(kept, voice)
                kept.clear()
            while not voice.speaking and kept and at - kept[0][0] > _LEAD:
                kept.popleft()
        if voice.cut():
            await self._understand(kept, voice)

    async def _understand(self, kept: "deque[tuple[float, rtc.AudioFrame]]", voice: Voice) -> None:
        if not kept:
            return
        said = await self._stage.recognize(
            [frame for _, frame in kept], conn_options=self._conn_options
        )
        if said.alternatives and said.alternatives[0].text:
            data = _later(said.alternatives[0], kept[0][0])
            data = replace(data, start_time=voice.since, end_time=voice.until)
            self._event_ch.send_nowait(replace(said, alternatives=[data]))
        self._event_ch.send_nowait(stt.SpeechEvent(stt.SpeechEventType.END_OF_SPEECH))


def _later(data: stt.SpeechData, seconds: float) -> stt.SpeechData:
    """The same words, so much later; a time of 0, which is none, stays so at an end."""
    words = None if data.words is None else [_word(word, seconds) for word in data.words]
    return replace(
        data,
        start_time=data.start_time + seconds,
        end_time=data.end_time + seconds if data.end_time else 0.0,
        words=words,
    )


def _word(word: str, seconds: float) -> TimedString:
    if not isinstance(word, TimedString):
        return TimedString(str(word))
    return TimedString(
        str(word),
        start_time=word.start_time + seconds if is_given(word.start_time) else NOT_GIVEN,
        end_time=word.end_time + seconds if is_given(word.end_time) else NOT_GIVEN,
        confidence=word.confidence,
        start_time_offset=word.start_time_offset,
        speaker_id=word.speaker_id,
    )
