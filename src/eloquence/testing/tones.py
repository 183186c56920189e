"""A recogniser whose words are tones, so that every word can be followed to its end.

stage = ToneSTT("close_mid", "ok")
sound = spoken(3, 1, 4)
"""

import asyncio
import math
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from livekit import rtc
from livekit.agents import APIConnectionError, APIError, LanguageCode, stt, utils
from livekit.agents.types import (
    DEFAULT_API_CONNECT_OPTIONS,
    NOT_GIVEN,
    APIConnectOptions,
    TimedString,
)
from numpy.typing import NDArray

from eloquence.conversation.stages import HEARD
from eloquence.testing.stages import tone

RATE = 16_000
_LOUD = 327
_FIRST, _STEP = 400, 100
_WINDOW = RATE // 100

Fault = Literal["ok", "refused", "hang", "close_mid", "junk", "empty", "mute", "bug"]
"""`refused` fails at the first sound that is given, `hang` says nothing for ever, `close_mid` fails
after half a second of loud sound, `junk` fails where it should understand, `empty` says that it
heard nothing, `mute` says nothing unless it knows words, `bug` cannot even be opened."""


class ToneSTT(stt.STT[Literal["metrics_collected"]]):
    """Understands the words that `spoken` makes: each one is a tone, told with its time.

    Words are final `delay` seconds of sound and `late` seconds of the clock after they end. Each
    stream takes the next of `faults`, the last one again when they are used up. With `idle` its
    streams fail after so many seconds without a word.
    """

    def __init__(
        self,
        *faults: Fault,
        delay: float = 0.2,
        late: float = 0.0,
        idle: float = math.inf,
        words: bool = True,
    ) -> None:
        super().__init__(capabilities=stt.STTCapabilities(streaming=True, interim_results=True))
        self.faults: list[Fault] = list(faults or ("ok",))
        self.delay = delay
        self.late = late
        self.idle = idle
        self.words = words
        """Without, it says `HEARD` for whatever was said."""
        self.deaf = True
        """Whether its streams that say nothing, `mute`, go on so."""
        self.opened = 0
        self.open = 0
        """How many of its streams are open now."""

    async def _recognize_impl(
        self, buffer: Any, *, language: Any = NOT_GIVEN, conn_options: APIConnectOptions
    ) -> stt.SpeechEvent:
        if self.fault() != "ok":
            raise APIConnectionError("refused")
        pcm = np.frombuffer(utils.merge_frames(buffer).data, dtype=np.int16)
        data = _spoken_words(_tones(pcm), 0.0)
        return stt.SpeechEvent(stt.SpeechEventType.FINAL_TRANSCRIPT, alternatives=[data])

    def stream(
        self,
        *,
        language: Any = NOT_GIVEN,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
    ) -> stt.RecognizeStream:
        fault = self.fault()
        self.opened += 1
        if fault == "bug":
            raise ValueError("a bug of a provider")
        return _ToneRecognition(self, fault, conn_options)

    def fault(self) -> Fault:
        return self.faults.pop(0) if len(self.faults) > 1 else self.faults[0]


class _ToneRecognition(stt.RecognizeStream):
    def __init__(self, owner: ToneSTT, fault: Fault, conn_options: APIConnectOptions) -> None:
        super().__init__(stt=owner, conn_options=conn_options, sample_rate=RATE)
        self._owner = owner
        self._fault = fault

    async def _run(self) -> None:
        self._owner.open += 1
        try:
            await self._listen()
        finally:
            self._owner.open -= 1

    async def _listen(self) -> None:
        owner, fault = self._owner, self._fault
        sound = np.empty(0, dtype=np.int16)
        since = quiet = loud = 0.0
        async for item in self._input_ch:
            if fault == "refused":
                raise APIConnectionError("refused")
            if not isinstance(item, rtc.AudioFrame):
                await self._understand(sound, since)
                since, sound, quiet, loud = since + len(sound) / RATE, sound[:0], 0.0, 0.0
                continue
            piece = np.frombuffer(item.data, dtype=np.int16)
            sound = np.concatenate([sound, piece])
            if np.abs(piece).max(initial=0) > _LOUD:
                loud, quiet = loud + item.duration, 0.0
            else:
                quiet += item.duration
            if quiet > owner.idle or (fault == "close_mid" and loud >= 0.5):
                raise APIConnectionError("closed")
            if quiet >= owner.delay - 1e-6:
                if loud:
                    await self._understand(sound, since)
                since, sound, loud = since + len(sound) / RATE, sound[:0], 0.0
        await self._understand(sound, since)

    async def _understand(self, sound: NDArray[np.int16], since: float) -> None:
        words = _tones(sound)
        if self._fault == "hang" or not np.abs(sound).max(initial=0) > _LOUD:
            return
        if self._fault == "junk":
            raise APIError("an answer that cannot be read")
        await asyncio.sleep(self._owner.late)
        mute = self._fault == "mute" and self._owner.deaf
        if words and not mute and self._fault != "empty":
            data = _spoken_words(words, since)
            if not self._owner.words:
                data = replace(data, text=HEARD, words=None)
            self._say(stt.SpeechEventType.FINAL_TRANSCRIPT, [data])
        if not mute:
            self._say(stt.SpeechEventType.END_OF_SPEECH, [])

    def _say(self, kind: stt.SpeechEventType, data: list[stt.SpeechData]) -> None:
        self._event_ch.send_nowait(stt.SpeechEvent(kind, alternatives=data))


def spoken(*words: int, seconds: float = 0.2, pause: float = 0.1) -> bytes:
    """PCM16 at 16 kHz of words for `ToneSTT`, 0..19 each, with a pause after each."""
    silent = bytes(2 * round(pause * RATE))
    return b"".join(
        tone(seconds, rate=RATE, hertz=_FIRST + _STEP * word) + silent for word in words
    )


def _tones(sound: NDArray[np.int16]) -> list[tuple[int, float, float]]:
    """The words in it, and their times in seconds."""
    levels = np.abs(sound[: len(sound) // _WINDOW * _WINDOW].reshape(-1, _WINDOW)).max(axis=1)
    edges = np.flatnonzero(np.diff(np.r_[0, levels > _LOUD, 0])).reshape(-1, 2)
    found = []
    for first, last in edges:
        piece = sound[first * _WINDOW : last * _WINDOW].astype(float)
        spectrum = np.abs(np.fft.rfft(piece * np.hanning(piece.size), 8192))
        hertz = float(spectrum.argmax()) * RATE / 8192
        found.append((round((hertz - _FIRST) / _STEP), first / 100, last / 100))
    return found


def _spoken_words(words: list[tuple[int, float, float]], since: float) -> stt.SpeechData:
    timed = [
        TimedString(f"mot{word}", start_time=since + start, end_time=since + end)
        for word, start, end in words
    ]
    return stt.SpeechData(
        language=LanguageCode("fr"),
        text=" ".join(timed),
        start_time=since + words[0][1] if words else 0.0,
        end_time=since + words[-1][2] if words else 0.0,
        words=timed,
    )
