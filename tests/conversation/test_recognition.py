"""Recognising recorded speech with the stages of conversations."""

import asyncio
from typing import Any, Literal

import numpy as np
import pytest
from livekit import rtc
from livekit.agents import APIConnectionError, APIStatusError, LanguageCode, stt, utils
from livekit.agents.types import NOT_GIVEN, TimedString

from eloquence.conversation import recognition
from eloquence.conversation.stages import HEARD
from eloquence.delivery.words import Word
from eloquence.errors import SpeechToTextError
from eloquence.testing.stages import ScriptedSTT

RATE = 16_000
SOUND = np.concatenate([np.full(RATE, 0.5), np.zeros(RATE)]).astype(np.float32)


def data(text: str, *words: TimedString) -> stt.SpeechData:
    return stt.SpeechData(language=LanguageCode("fr"), text=text, words=list(words) or None)


class Offline(stt.STT[Literal["metrics_collected"]]):
    """Answers a whole recording with what it was given, or raises it."""

    def __init__(self, answer: stt.SpeechData | Exception | None) -> None:
        super().__init__(capabilities=stt.STTCapabilities(streaming=False, interim_results=False))
        self.answer = answer
        self.seconds = 0.0
        self.closed = False

    async def _recognize_impl(
        self, buffer: utils.AudioBuffer, *, language: Any = NOT_GIVEN, conn_options: Any
    ) -> stt.SpeechEvent:
        self.seconds = rtc.combine_audio_frames(buffer).duration
        if isinstance(self.answer, Exception):
            raise self.answer
        if self.answer is None:
            await asyncio.get_running_loop().create_future()
        return stt.SpeechEvent(
            type=stt.SpeechEventType.FINAL_TRANSCRIPT,
            alternatives=[self.answer] if self.answer else [],
        )

    async def aclose(self) -> None:
        self.closed = True


async def heard(stage: stt.STT[Any]) -> tuple[str, Any]:
    async with recognition.recogniser(lambda: stage) as recognise:
        return await recognise(SOUND, RATE)


async def test_words_come_with_their_times() -> None:
    stage = Offline(
        data(
            "Bonjour Marie",
            TimedString("Bonjour", start_time=0.1, end_time=0.5, confidence=0.9),
            TimedString("Marie", start_time=0.5, end_time=0.9),
        )
    )
    assert await heard(stage) == (
        "Bonjour Marie",
        [Word("Bonjour", 0.1, 0.5, 0.9), Word("Marie", 0.5, 0.9, None)],
    )
    assert stage.seconds == 2.0
    assert stage.closed


async def test_text_without_times_has_no_words() -> None:
    assert await heard(Offline(data("Bonjour Marie"))) == ("Bonjour Marie", None)


@pytest.mark.parametrize("nothing", ["", HEARD])
async def test_nothing_recognised_is_no_word(nothing: str) -> None:
    assert await heard(Offline(data(nothing))) == ("", [])


async def test_a_stage_that_only_streams_is_given_the_sound_as_a_stream() -> None:
    stage = ScriptedSTT(["Bonjour Marie"])
    stage._capabilities = stt.STTCapabilities(
        streaming=True, interim_results=False, offline_recognize=False
    )
    assert await heard(stage) == ("Bonjour Marie", None)


@pytest.mark.parametrize(
    ("failure", "cause"),
    [
        (APIStatusError("no", status_code=401), "authentication"),
        (APIStatusError("no", status_code=400), "bad_request"),
        (APIConnectionError("no", retryable=False), "unreachable"),
    ],
)
async def test_a_failure_says_which_stage_and_why(failure: Exception, cause: str) -> None:
    stage = Offline(failure)
    with pytest.raises(SpeechToTextError) as caught:
        await heard(stage)
    assert caught.value.cause == cause
    assert caught.value.mend
    assert stage.closed


async def test_a_recogniser_that_never_answers_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(recognition, "DEADLINE", 0.01)
    with pytest.raises(SpeechToTextError) as caught:
        await heard(Offline(None))
    assert caught.value.cause == "timeout"
