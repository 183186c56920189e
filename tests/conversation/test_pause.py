"""Pause: nothing is heard or said until `resume`, and what comes after keeps its place."""

from typing import Any

import pytest
from livekit.agents import APIConnectionError, stt
from livekit.agents.types import DEFAULT_API_CONNECT_OPTIONS, TimedString
from tests.conversation.conftest import Talk

from eloquence import protocol
from eloquence.testing import clock
from eloquence.testing.learner import Learner
from eloquence.testing.stages import ScriptedSTT, _ScriptedRecognition

pytestmark = pytest.mark.speech
SECOND = bytes(32_000)
LONG = "Je vous écoute avec beaucoup d’attention, prenez tout votre temps. " * 4


class WordySTT(ScriptedSTT):
    """Gives each word a time, as Vosk and Whisper do; `losses` lines are lost, one per turn."""

    losses = 0

    def stream(self, **_: Any) -> stt.RecognizeStream:
        return _Wordy(self, DEFAULT_API_CONNECT_OPTIONS)


class _Wordy(_ScriptedRecognition):
    def _say(self, start: float, end: float) -> None:
        text = self._owner.next()
        share = (end - start) / len(text.split())
        words = [
            TimedString(
                word,
                start_time=self.start_time_offset + start + n * share,
                end_time=self.start_time_offset + start + (n + 1) * share,
            )
            for n, word in enumerate(text.split())
        ]
        data = stt.SpeechData(
            language=self._owner.language, text=text, start_time=start, end_time=end, words=words
        )
        self._event_ch.send_nowait(
            stt.SpeechEvent(type=stt.SpeechEventType.FINAL_TRANSCRIPT, alternatives=[data])
        )
        if self._owner.given <= self._owner.losses:  # type: ignore[attr-defined]
            raise APIConnectionError("the line to the recogniser was lost")


async def paused(learner: Learner, seconds: int) -> None:
    await learner.client.send(protocol.Pause())
    await learner.say(SECOND * seconds)
    await learner.client.send(protocol.Resume())


def test_words_said_after_a_pause_have_the_times_at_which_they_were_said(
    talk: Talk, sentence: bytes
) -> None:
    talk.stt = WordySTT(["un deux trois", "quatre cinq six"])

    async def script(learner: Learner) -> None:
        await learner.quiet()
        await learner.say(sentence)
        await learner.quiet()
        await paused(learner, 60)
        await learner.say(SECOND + sentence)
        await learner.quiet()

    clock.run(talk.held(script))
    said = [turn for turn in talk.stored.turns if turn.speaker == "learner"][1]
    assert said.words
    assert said.words[0].start > 60
    assert said.end - said.start < len(sentence) / 32_000 + 1


@pytest.mark.parametrize("message", [protocol.SetPushToTalk(on=False), protocol.Press()])
def test_the_microphone_stays_off_in_a_pause_whatever_else_is_clicked(
    talk: Talk, sentence: bytes, message: protocol.ClientMessage
) -> None:
    press = isinstance(message, protocol.Press)
    talk.hello = protocol.Hello(exercise="conversation_libre_marie", push_to_talk=press)

    async def script(learner: Learner) -> None:
        await learner.quiet()
        await learner.client.send(protocol.Pause())
        await learner.client.send(message)
        await learner.say(sentence + SECOND * 4)
        assert not learner.said("hearing", on=True)

    clock.run(talk.held(script))


def test_an_answer_that_is_ready_in_a_pause_waits_for_its_end(talk: Talk, sentence: bytes) -> None:
    talk.llm.replies = [LONG]

    async def script(learner: Learner) -> None:
        await learner.quiet()
        await learner.say(sentence)
        await learner.until(lambda: learner.count("state", state="thinking") > 0)
        stored = learner.count("turn_stored", speaker="character")
        await learner.client.send(protocol.Pause())
        await learner.say(SECOND * 40)
        assert learner.count("turn_stored", speaker="character") == stored
        await learner.client.send(protocol.Resume())
        await learner.quiet()

    clock.run(talk.held(script))


def test_a_character_that_goes_on_after_a_pause_is_shown_speaking(
    talk: Talk, sentence: bytes
) -> None:
    talk.llm.replies = [LONG]

    async def script(learner: Learner) -> None:
        await learner.quiet()
        await learner.say(sentence)
        await learner.until(lambda: len(learner.client.heard.first_sound) == 2)
        await learner.say(SECOND)
        await paused(learner, 5)
        await learner.say(SECOND * 2)
        assert learner.client.playing
        assert learner.client.state == "speaking"

    clock.run(talk.held(script))


def test_the_recording_of_the_character_stands_still_in_a_pause(
    talk: Talk, sentence: bytes
) -> None:
    kept: list[float] = []

    class Recording:
        def learner(self, position: float, pcm: bytes) -> None:
            pass

        def character(self, position: float, pcm: bytes) -> None:
            kept.append(position + len(pcm) / 48_000)

    talk.recording = Recording()
    talk.llm.replies = [LONG]

    async def script(learner: Learner) -> None:
        await learner.quiet()
        await learner.say(sentence)
        await learner.until(lambda: len(learner.client.heard.first_sound) == 2)
        await learner.say(SECOND)
        await paused(learner, 20)
        await learner.quiet()

    clock.run(talk.held(script))
    assert max(kept) == pytest.approx(talk.stored.turns[2].end, abs=0.5)


def test_a_conversation_left_paused_ends_as_idle(talk: Talk) -> None:
    """Else a forgotten tab keeps its place for ever."""
    talk.idle = 30.0

    async def script(learner: Learner) -> None:
        await learner.quiet()
        await learner.client.send(protocol.Pause())
        await learner.say(SECOND * 90)
        assert learner.count("ended")

    clock.run(talk.held(script))


def test_words_keep_their_times_when_the_recogniser_was_lost_and_came_back(
    talk: Talk, sentence: bytes
) -> None:
    """S04: it counts from anew; the session's clock does not."""
    talk.stt = WordySTT(["un deux trois", "quatre cinq", "six sept", "huit neuf"])
    talk.stt.losses = 1

    async def script(learner: Learner) -> None:
        await learner.quiet()
        for _ in range(3):
            await learner.say(sentence)
            await learner.quiet()

    clock.run(talk.held(script))
    said = [turn for turn in talk.stored.turns if turn.speaker == "learner"]
    for turn in said:
        assert turn.words
        assert turn.end - turn.start < len(sentence) / 32_000 + 1
    assert [turn.start for turn in said] == sorted(turn.start for turn in said)
