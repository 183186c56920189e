"""Hearing utterances in a stream of sound, and giving each to a recogniser while it is spoken.

Every recogniser here shares this: a local voice activity model marks where speech begins and
ends; the recogniser gets the sound as it comes and is asked for its final answer as soon as the
speech has ended, so that the words are there before the turn is decided.
"""

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from livekit import rtc
from livekit.agents import APIConnectOptions, LanguageCode, inference, stt, utils
from livekit.agents.types import (
    DEFAULT_API_CONNECT_OPTIONS,
    NOT_GIVEN,
    NotGivenOr,
    TimedString,
)
from livekit.agents.vad import VADEvent, VADEventType

from eloquence.conversation.inline import Inline

RATE = 16_000
END_SILENCE = 0.2
"""Seconds of silence that end an utterance (not the turn: that is decided elsewhere, later)."""
LEAST_SPEECH = 0.25
"""Seconds of speech under which a sound is a blip (a cough, a click) and no utterance."""
_LEAD = 0.4
"""Seconds of sound before the first speech that a recogniser also gets."""
_LONGEST = 30.0
"""Seconds after which an utterance without any pause is cut, so that nothing grows for ever."""
PATIENCE = 2.5
ON_THIS_MACHINE = 6.0
"""Seconds after speech in which a model in this process may yet be at work: there is no better one
to ask, and it does not hang."""
_FLUSH_SILENCE = END_SILENCE + 0.35


@dataclass(frozen=True, slots=True)
class HeardWord:
    """Seconds from the start of the utterance's sound; confidence 0..1."""

    text: str
    start: float
    end: float
    confidence: float = 1.0


@dataclass(frozen=True, slots=True)
class Heard:
    """What a recogniser understood of one utterance; empty text when nothing."""

    text: str
    words: tuple[HeardWord, ...] = ()
    confidence: float = 1.0


NOTHING = Heard("")


class Recogniser(ABC):
    """Recognises one utterance after the other, for one conversation. PCM is 16 kHz mono int16.

    Blocking work leaves the event loop inside it. It raises livekit's APIError on failure.
    """

    async def open(self) -> None:  # noqa: B027 - most need nothing
        """Loads or connects what it needs, before the first utterance."""

    @abstractmethod
    async def hear(self, pcm: bytes) -> str:
        """Takes the next piece of the utterance; the text so far, empty when not known yet."""

    @abstractmethod
    async def finish(self) -> Heard:
        """Ends the utterance."""

    async def close(self) -> None:  # noqa: B027 - most need nothing
        """Lets go of what is this conversation's own."""


@dataclass(slots=True)
class _Clock:
    """Seconds of sound as the caller pushed it, from seconds as the voice activity model saw it:
    the two differ by the silence that we put in at each flush."""

    added: list[tuple[float, float]] = field(default_factory=list)

    def real(self, seen: float) -> float:
        return seen - sum(min(length, max(0.0, seen - at)) for at, length in self.added)


class UtteranceSTT(stt.STT[Literal["metrics_collected"]]):
    """A streaming recogniser stage: `recogniser()` makes one for each stream. `patience` is for how
    many seconds after speech its words are waited for before another recogniser is asked."""

    def __init__(
        self,
        *,
        recogniser: Callable[[], Recogniser],
        language: str,
        model: str,
        provider: str,
        interim: bool,
        word_times: bool,
        patience: float = PATIENCE,
    ) -> None:
        super().__init__(
            capabilities=stt.STTCapabilities(
                streaming=True,
                interim_results=interim,
                aligned_transcript="word" if word_times else False,
                offline_recognize=True,
                manual_flush=True,
            )
        )
        self.recogniser = recogniser
        self.language = LanguageCode(language)
        self.interim = interim
        self.patience = patience
        self._model = model
        self._provider = provider

    @property
    def model(self) -> str:
        return self._model

    @property
    def provider(self) -> str:
        return self._provider

    async def _recognize_impl(
        self,
        buffer: utils.AudioBuffer,
        *,
        language: NotGivenOr[str] = NOT_GIVEN,
        conn_options: APIConnectOptions,
    ) -> stt.SpeechEvent:
        """The words of a whole recording of one utterance."""
        recogniser = self.recogniser()
        try:
            await recogniser.open()
            for piece in _pieces(utils.merge_frames(buffer)):
                await recogniser.hear(piece)
            heard = await recogniser.finish()
        finally:
            await recogniser.close()
        return stt.SpeechEvent(
            type=stt.SpeechEventType.FINAL_TRANSCRIPT,
            alternatives=[speech_data(heard, self.language, 0.0, 0.0, 0.0)],
        )

    def stream(
        self,
        *,
        language: NotGivenOr[str] = NOT_GIVEN,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
    ) -> "UtteranceStream":
        return UtteranceStream(self, conn_options)


class UtteranceStream(stt.RecognizeStream):
    def __init__(self, stage: UtteranceSTT, conn_options: APIConnectOptions) -> None:
        super().__init__(stt=stage, conn_options=conn_options, sample_rate=RATE)
        self._stage = stage
        self._clock = _Clock()
        self._pushed = 0.0
        self._received = 0.0
        self._reached = 0.0
        self._moved = asyncio.Event()

    def push_frame(self, frame: rtc.AudioFrame) -> None:
        super().push_frame(frame)
        self._received += frame.duration

    async def caught_up(self, within: float) -> None:
        """Returns as soon as at most `within` seconds of what was pushed are still to be heard."""
        while self._received - self._clock.real(self._reached) > within:
            self._moved.clear()
            await self._moved.wait()

    async def _run(self) -> None:
        activity = inference.VAD(
            min_speech_duration=0.05,
            min_silence_duration=END_SILENCE,
            prefix_padding_duration=_LEAD,
            max_buffered_speech=_LONGEST + 2,
            executor=Inline(),
        ).stream()
        recogniser = self._stage.recogniser()
        self._clock = _Clock()
        self._pushed = 0.0

        async def feed() -> None:
            async for item in self._input_ch:
                if isinstance(item, rtc.AudioFrame):
                    self._pushed += item.duration
                    activity.push_frame(item)
                else:  # the caller wants the words now: silence makes the model end the utterance
                    self._clock.added.append((self._pushed, _FLUSH_SILENCE))
                    self._pushed += _FLUSH_SILENCE
                    activity.push_frame(_silence(_FLUSH_SILENCE))
            activity.end_input()

        async def listen() -> None:
            await recogniser.open()
            utterances = _Utterances(self, self._stage, recogniser)
            async for event in activity:
                await utterances.observe(event)
                self._reached = event.samples_index / RATE
                self._moved.set()
            await utterances.end()

        feeding, listening = asyncio.create_task(feed()), asyncio.create_task(listen())
        try:
            await asyncio.gather(feeding, listening)
        finally:
            await utils.aio.cancel_and_wait(feeding, listening)
            await activity.aclose()
            await recogniser.close()

    def say(self, event: stt.SpeechEvent) -> None:
        self._event_ch.send_nowait(event)

    def elapsed(self, since: float, until: float) -> float:
        """Seconds on the caller's clock between two moments of the activity model's."""
        return self._clock.real(until) - self._clock.real(since)

    def at(self, seen: float) -> float:
        """Seconds on the caller's clock, from seconds on the activity model's."""
        return self._clock.real(seen) + self.start_time_offset


class _Utterances:
    """From voice activity to speech events, one utterance at a time."""

    def __init__(
        self, stream: UtteranceStream, stage: UtteranceSTT, recogniser: Recogniser
    ) -> None:
        self._stream = stream
        self._stage = stage
        self._recogniser = recogniser
        self._open = False
        self._announced = False
        self._given = 0  # samples of the whole stream that a recogniser has already had
        self._began = 0.0
        self._onset = 0.0
        self._spoken = 0.0
        self._now = 0.0
        self._text = ""

    async def observe(self, event: VADEvent) -> None:
        self._now = event.samples_index / RATE
        if event.type is VADEventType.START_OF_SPEECH:
            await self._start(event)
        elif event.type is VADEventType.END_OF_SPEECH:
            await self.end(silence=event.silence_duration, speech=event.speech_duration)
        elif self._open:
            for frame in event.frames:
                await self._hear(frame.data.tobytes())
            if not event.raw_accumulated_silence:
                self._spoken += event.frames[0].duration if event.frames else 0.0
            self._announce()
            if self._now - self._began > _LONGEST:
                await self.end(speech=self._spoken)
                self._reopen()

    async def _start(self, event: VADEvent) -> None:
        if self._open:
            return
        sound = event.frames[0].data.tobytes()
        first = event.samples_index - len(sound) // 2
        skip = max(0, self._given - first)  # never twice the same sound
        self._open, self._announced, self._text = True, False, ""
        self._began = (first + skip) / RATE
        self._onset = max(self._began, self._now - event.speech_duration)
        self._spoken = event.speech_duration
        self._given = first + skip
        await self._hear(sound[2 * skip :])
        self._announce()

    def _reopen(self) -> None:
        """Goes on after a cut in uninterrupted speech."""
        self._open, self._announced, self._text = True, True, ""
        self._began = self._onset = self._now
        self._spoken = LEAST_SPEECH

    def _announce(self) -> None:
        if not self._announced and self._spoken >= LEAST_SPEECH:
            self._announced = True
            self._stream.say(stt.SpeechEvent(type=stt.SpeechEventType.START_OF_SPEECH))

    async def _hear(self, pcm: bytes) -> None:
        self._given += len(pcm) // 2
        text = await self._recogniser.hear(pcm)
        if self._stage.interim and self._announced and text and text != self._text:
            self._text = text
            self._stream.say(
                stt.SpeechEvent(
                    type=stt.SpeechEventType.INTERIM_TRANSCRIPT,
                    alternatives=[
                        stt.SpeechData(
                            language=self._stage.language,
                            text=text,
                            start_time=self._stream.at(self._onset),
                            end_time=self._stream.at(self._now),
                        )
                    ],
                )
            )

    async def end(self, *, silence: float = 0.0, speech: float | None = None) -> None:
        """Ends the utterance that is open, if any; `silence` seconds have passed since it did."""
        if not self._open:
            return
        self._open = False
        ended = time.time() - self._stream.elapsed(self._now - silence, self._now)
        heard = await self._recogniser.finish()
        if (self._spoken if speech is None else speech) < LEAST_SPEECH:
            return
        if not self._announced:
            self._announced = True
            self._stream.say(stt.SpeechEvent(type=stt.SpeechEventType.START_OF_SPEECH))
        if heard.text:
            self._stream.say(
                stt.SpeechEvent(
                    type=stt.SpeechEventType.FINAL_TRANSCRIPT,
                    alternatives=[
                        speech_data(
                            heard,
                            self._stage.language,
                            self._stream.at(self._began),
                            self._stream.at(self._onset),
                            self._stream.at(self._now - silence),
                        )
                    ],
                    speech_end_time=ended,
                )
            )
        self._stream.say(
            stt.SpeechEvent(type=stt.SpeechEventType.END_OF_SPEECH, speech_end_time=ended)
        )
        self._stream.say(
            stt.SpeechEvent(
                type=stt.SpeechEventType.RECOGNITION_USAGE,
                recognition_usage=stt.RecognitionUsage(audio_duration=self._now - self._began),
            )
        )


def speech_data(
    heard: Heard, language: LanguageCode, began: float, onset: float, ended: float
) -> stt.SpeechData:
    """All in seconds on the caller's clock: `began` is where the recogniser's sound, and so the
    times of its words, begin; `onset` and `ended` is where speech did."""
    words = [
        TimedString(
            word.text,
            start_time=began + word.start,
            end_time=began + word.end,
            confidence=word.confidence,
        )
        for word in heard.words
    ]
    return stt.SpeechData(
        language=language,
        text=heard.text,
        start_time=onset,
        end_time=ended,
        confidence=heard.confidence,
        words=words or None,
    )


def _silence(seconds: float) -> rtc.AudioFrame:
    count = round(seconds * RATE)
    return rtc.AudioFrame(bytes(2 * count), RATE, 1, count)


def _pieces(frame: rtc.AudioFrame) -> list[bytes]:
    """The sound at 16 kHz mono, in pieces of 0.1 s."""
    frames = [frame]
    if frame.sample_rate != RATE or frame.num_channels != 1:
        resampler = rtc.AudioResampler(frame.sample_rate, RATE, num_channels=frame.num_channels)
        frames = [*resampler.push(frame), *resampler.flush()]
    pcm = b"".join(part.data.tobytes() for part in frames)
    return [pcm[at : at + RATE // 5] for at in range(0, len(pcm), RATE // 5)]
