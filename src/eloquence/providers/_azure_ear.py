"""Azure's recogniser: the SDK that LiveKit's plugin brings, asked for more than the plugin asks.

The plugin gives neither the times of words nor the cause of a failure, waits without end for a host
that is silent, and logs what the host says of a failure, which may be what was said.
"""

import asyncio
import json
import re
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

import azure.cognitiveservices.speech as speech
from livekit import rtc
from livekit.agents import (
    APIConnectionError,
    APIConnectOptions,
    APIError,
    APIStatusError,
    APITimeoutError,
    LanguageCode,
    stt,
    utils,
)
from livekit.agents.types import (
    DEFAULT_API_CONNECT_OPTIONS,
    NOT_GIVEN,
    NotGivenOr,
    TimedString,
)

from eloquence.providers._utterances import RATE
from eloquence.providers._vendors import meant

_TICKS = 10_000_000
"""Of Azure's clock in a second."""
_LAST_SECONDS = 5.0
"""After the sound has ended, until all that was heard must have been told."""
_STATUS = re.compile(r"\((\d{3})\)")
_Code = speech.CancellationErrorCode


@dataclass(frozen=True, slots=True)
class Place:
    """Where to listen, and how: `silence` in seconds ends a phrase."""

    url: str
    key: str
    locale: str
    silence: float


class Recogniser(stt.STT[Literal["metrics_collected"]]):
    def __init__(self, url: str, key: str, language: str, locale: str, silence: float) -> None:
        super().__init__(
            capabilities=stt.STTCapabilities(
                streaming=True,
                interim_results=True,
                aligned_transcript="word",
                offline_recognize=False,
            )
        )
        self.place = Place(re.sub(r"^http", "ws", url), key, locale, silence)
        self.language = LanguageCode(language)

    @property
    def model(self) -> str:
        return f"Azure {self.place.locale}"

    @property
    def provider(self) -> str:
        return "Azure"

    async def _recognize_impl(
        self,
        buffer: utils.AudioBuffer,
        *,
        language: NotGivenOr[str] = NOT_GIVEN,
        conn_options: APIConnectOptions,
    ) -> stt.SpeechEvent:
        raise NotImplementedError("Azure hears streams only")

    def stream(
        self,
        *,
        language: NotGivenOr[str] = NOT_GIVEN,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
    ) -> "RecognisedStream":
        return RecognisedStream(self, conn_options)


class RecognisedStream(stt.RecognizeStream):
    def __init__(self, stage: Recogniser, conn_options: APIConnectOptions) -> None:
        super().__init__(stt=stage, conn_options=conn_options, sample_rate=RATE)
        self._stage = stage
        self._speaking = False

    async def _run(self) -> None:
        self._speaking = False
        line = _Line(self._stage.place, self._begun, self._so_far, self._heard)
        feeding = asyncio.create_task(self._feed(line))
        try:
            await _first(line.connected, line.ended, seconds=self._conn_options.timeout)
            if not (line.connected.done() or line.ended.done()):
                raise APITimeoutError("Azure did not answer in time.")
            await _first(feeding, line.ended)
            await _first(line.ended, seconds=_LAST_SECONDS)
            if not line.ended.done():
                raise APITimeoutError("Azure did not tell in time what it heard last.")
            if (failed := line.ended.result()) is not None:
                raise failed
            self._end()
        finally:
            line.leave()
            await utils.aio.cancel_and_wait(feeding)

    async def _feed(self, line: "_Line") -> None:
        async for item in self._input_ch:
            if isinstance(item, rtc.AudioFrame):
                line.hear(item.data.tobytes())
        line.hear_no_more()

    def _begun(self) -> None:
        if not self._speaking:
            self._speaking = True
            self._say(stt.SpeechEvent(type=stt.SpeechEventType.START_OF_SPEECH))

    def _so_far(self, text: str, start: float, end: float) -> None:
        if not text.strip():
            return
        self._begun()
        said = stt.SpeechData(
            language=self._stage.language,
            text=text,
            start_time=start + self.start_time_offset,
            end_time=end + self.start_time_offset,
        )
        kind = stt.SpeechEventType.INTERIM_TRANSCRIPT
        self._say(stt.SpeechEvent(type=kind, alternatives=[said]))

    def _heard(self, written: str) -> None:
        said = speech_data(written, self._stage.language, self.start_time_offset)
        if said is None:
            return
        self._begun()
        kind = stt.SpeechEventType.FINAL_TRANSCRIPT
        self._say(stt.SpeechEvent(type=kind, alternatives=[said]))
        self._end()
        usage = stt.RecognitionUsage(audio_duration=said.end_time - said.start_time)
        kind = stt.SpeechEventType.RECOGNITION_USAGE
        self._say(stt.SpeechEvent(type=kind, recognition_usage=usage))

    def _end(self) -> None:
        if self._speaking:
            self._speaking = False
            self._say(stt.SpeechEvent(type=stt.SpeechEventType.END_OF_SPEECH))

    def _say(self, event: stt.SpeechEvent) -> None:
        if not self._event_ch.closed:
            self._event_ch.send_nowait(event)


async def _first(*waited: asyncio.Future[Any], seconds: float | None = None) -> None:
    await asyncio.wait(waited, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)


def speech_data(written: str, language: LanguageCode, offset: float) -> stt.SpeechData | None:
    """What a phrase of Azure's says, None when it says nothing; `offset` seconds are added to each
    time. Raises ValueError, TypeError or LookupError when it cannot be read."""
    phrase = json.loads(written)
    best = (phrase.get("NBest") or [{}])[0]
    text = (best.get("Display") or phrase.get("DisplayText") or "").strip()
    if not text:
        return None
    sure = float(best.get("Confidence", 1.0))
    words = [
        TimedString(
            str(word["Word"]),
            start_time=word["Offset"] / _TICKS + offset,
            end_time=(word["Offset"] + word["Duration"]) / _TICKS + offset,
            confidence=float(word.get("Confidence", sure)),
        )
        for word in best.get("Words") or ()
    ]
    return stt.SpeechData(
        language=language,
        text=text,
        start_time=phrase["Offset"] / _TICKS + offset,
        end_time=(phrase["Offset"] + phrase["Duration"]) / _TICKS + offset,
        confidence=sure,
        words=words or None,
    )


class _Line:
    """The SDK's recogniser. It has threads of its own: what they tell is told in the loop.

    `connected` is done once the host has answered; `ended` once nothing more will come, with the
    error if it failed.
    """

    def __init__(
        self,
        place: Place,
        begun: Callable[[], None],
        so_far: Callable[[str, float, float], None],
        heard: Callable[[str], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self.connected: asyncio.Future[None] = self._loop.create_future()
        self.ended: asyncio.Future[APIError | None] = self._loop.create_future()
        self._heard = heard
        self._sound = speech.audio.PushAudioInputStream(
            speech.audio.AudioStreamFormat(samples_per_second=RATE, bits_per_sample=16, channels=1)
        )
        self._recogniser = speech.SpeechRecognizer(
            _settings(place), speech.audio.AudioConfig(stream=self._sound), language=place.locale
        )
        self._connection = speech.Connection.from_recognizer(self._recogniser)
        self._connection.connected.connect(lambda _: self._tell(self._connect))
        told = self._recogniser
        told.speech_start_detected.connect(lambda _: self._tell(begun))
        told.recognizing.connect(
            lambda event: self._tell(
                so_far,
                event.result.text,
                event.result.offset / _TICKS,
                (event.result.offset + event.result.duration) / _TICKS,
            )
        )
        told.recognized.connect(lambda event: self._tell(self._phrase, event.result.json))
        told.canceled.connect(
            lambda event: self._tell(
                self._over,
                event.cancellation_details.code,
                event.cancellation_details.error_details or "",
            )
        )
        told.session_stopped.connect(lambda _: self._tell(self._over, _Code.NoError, ""))
        self._starting = told.start_continuous_recognition_async()

    def hear(self, pcm: bytes) -> None:
        self._sound.write(pcm)

    def hear_no_more(self) -> None:
        self._sound.close()

    def leave(self) -> None:
        """Lets go, once. The SDK may take ten seconds to hang up on a host that is silent, and as
        many to forget a recogniser: nobody waits for either, and it tells nothing any more."""
        told, connection, sound = self._recogniser, self._connection, self._sound
        del self._recogniser, self._connection, self._sound, self._starting
        for signal in (
            connection.connected,
            told.speech_start_detected,
            told.recognizing,
            told.recognized,
            told.canceled,
            told.session_stopped,
        ):
            signal.disconnect_all()
        threading.Thread(
            target=_hang_up, args=(told, connection, sound), name="azure hangs up", daemon=True
        ).start()

    def _tell(self, what: Callable[..., None], *said: Any) -> None:
        with suppress(RuntimeError):  # the loop has been closed meanwhile
            self._loop.call_soon_threadsafe(what, *said)

    def _connect(self) -> None:
        if not self.connected.done():
            self.connected.set_result(None)

    def _phrase(self, written: str) -> None:
        try:
            self._heard(written)
        except (ValueError, TypeError, LookupError):
            self._finish(APIError("What Azure sends cannot be read."))

    def _over(self, code: speech.CancellationErrorCode, details: str) -> None:
        self._finish(failure_of(code, details))

    def _finish(self, failed: APIError | None) -> None:
        if not self.ended.done():
            self.ended.set_result(failed)


def _hang_up(
    recogniser: speech.SpeechRecognizer,
    connection: speech.Connection,
    sound: speech.audio.PushAudioInputStream,
) -> None:
    """Ends what it alone still refers to, so that it is also forgotten here. In another order the
    SDK waits twice."""
    with suppress(RuntimeError):
        recogniser.stop_continuous_recognition()
    with suppress(RuntimeError):
        sound.close()


def failure_of(code: speech.CancellationErrorCode, details: str) -> APIError | None:
    """The error for how the SDK says that it ended, None when it did well. Of the details only a
    status is taken: they may quote what was said."""
    if code is _Code.NoError:
        return None
    if (status := _STATUS.search(details)) is not None:
        return APIStatusError("Azure refused.", status_code=meant(int(status.group(1))))
    if code in (_Code.AuthenticationFailure, _Code.Forbidden):
        return APIStatusError("Azure refused.", status_code=401)
    if code is _Code.TooManyRequests:
        return APIStatusError("Azure refused.", status_code=429)
    if code is _Code.BadRequest:
        return APIStatusError("Azure refused.", status_code=400)
    if code is _Code.ServiceTimeout:
        return APITimeoutError("Azure did not answer in time.")
    if code in (_Code.ConnectionFailure, _Code.ServiceUnavailable):
        return APIConnectionError("Azure could not be reached, or went away.")
    if details.startswith("Invalid response"):
        return APIError("What Azure sends cannot be read.")
    return APIStatusError("Azure failed.", status_code=500)


def _settings(place: Place) -> speech.SpeechConfig:
    settings = speech.SpeechConfig(endpoint=place.url, subscription=place.key)
    settings.output_format = speech.OutputFormat.Detailed
    settings.request_word_level_timestamps()
    settings.set_service_property(
        "wordLevelConfidence", "true", speech.ServicePropertyChannel.UriQueryParameter
    )
    settings.set_profanity(speech.ProfanityOption.Raw)
    milliseconds = str(max(100, round(place.silence * 1000)))
    settings.set_property(speech.PropertyId.Speech_SegmentationSilenceTimeoutMs, milliseconds)
    return settings
