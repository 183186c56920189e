"""However a recogniser fails, the learner is heard or told that they are not, within seconds, and
the conversation goes on (S01-S06, TC 42)."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pytest
from livekit.agents import APIConnectionError, APIError
from numpy.typing import NDArray
from tests.conversation.conftest import Talk, pcm

from eloquence import protocol
from eloquence.conversation.fallback.breaker import Breaker
from eloquence.conversation.fallback.chain import Chain, Link
from eloquence.conversation.fallback.recognisers import BY_EAR, Recognisers
from eloquence.conversation.stages import Resources
from eloquence.protocol import StageStatus
from eloquence.providers import ear
from eloquence.providers._utterances import NOTHING, Heard, HeardWord, Recogniser, UtteranceSTT
from eloquence.storage import content
from eloquence.testing import clock
from eloquence.testing.context import stage_context
from eloquence.testing.learner import Learner

pytestmark = pytest.mark.speech
SECOND = bytes(32_000)
Fault = Literal["ok", "refused", "hang", "close_mid", "junk", "empty", "slow"]


class Faulty(Recogniser):
    """A service that recognises every sentence as the same words, well or badly."""

    def __init__(self, vendor: "Vendor") -> None:
        self._vendor = vendor
        self._heard = 0

    async def hear(self, pcm: bytes) -> str:
        self._heard += len(pcm)
        match self._vendor.fault:
            case "refused":
                raise APIConnectionError("refused")
            case "hang":
                await asyncio.Event().wait()
            case "close_mid" if self._heard > 16_000:
                raise APIConnectionError("closed")
        return ""

    async def finish(self) -> Heard:
        if self._vendor.fault == "junk":
            raise APIError("an answer that cannot be read")
        if self._vendor.fault == "hang":
            await asyncio.Event().wait()
        if self._vendor.fault == "slow":
            await asyncio.sleep(2.0)
        if self._vendor.fault == "empty":
            return NOTHING
        return Heard(self._vendor.words, (HeardWord(self._vendor.words.split()[-1], 0.5, 1.0),))


class Vendor(UtteranceSTT):
    def __init__(self, fault: Fault = "ok") -> None:
        super().__init__(
            recogniser=lambda: Faulty(self),
            language="fr", model="vendor", provider="vendor", interim=False, word_times=True,
        )  # fmt: skip
        self.fault: Fault = fault
        self.words = "je cherche un poste"


def recognisers(*vendors: Vendor) -> Recognisers:
    """The vendors, and by ear when all of them fail."""
    by_ear = ear.create(ear.Options(), stage_context(resources=Resources()))
    stages: Sequence[Any] = [*vendors, by_ear]
    names = [f"vendor{n}" for n in range(len(vendors))] + [BY_EAR]
    return Recognisers(
        Chain(
            "stt",
            [
                Link(name, stage, Breaker(), StageStatus(provider=name, detail=""))
                for name, stage in zip(names, stages, strict=True)
            ],
        )
    )


def waits(learner: Learner, ends: Sequence[float]) -> list[float]:
    heard = learner.client.heard.first_sound
    return [min(at for at in heard if at > end) - end for end in ends]


async def turns(learner: Learner, sentence: bytes, ends: list[float], count: int) -> None:
    for _ in range(count):
        await learner.say(sentence)
        ends.append(time.perf_counter())
        await learner.quiet()


FAULTS: Sequence[Fault] = ("refused", "hang", "close_mid", "junk", "empty", "slow")


@pytest.mark.parametrize("fault", FAULTS)
def test_with_nobody_to_take_over_the_learner_is_told_and_the_exercise_goes_on(
    talk: Talk, sentence: bytes, fault: Fault
) -> None:
    """S01, S02, S05: told aloud within 3 s and by a notice; every turn is kept with its sound."""
    vendor = Vendor()
    talk.recognisers = recognisers(vendor)
    talk.llm.replies = ["Bien, racontez-moi la suite."]
    ends: list[float] = []

    async def script(learner: Learner) -> None:
        await learner.quiet()
        await turns(learner, sentence, ends, 1)
        vendor.fault = fault
        await turns(learner, sentence, ends, 3)
        vendor.fault = "ok"
        await turns(learner, sentence, ends, 1)

    ended = clock.run(talk.held(script))
    assert (ended.status, ended.reason) == ("complete", "learner")
    said = [turn for turn in talk.stored.turns if turn.speaker == "learner"]
    assert all(turn.sound is not None and turn.end - turn.start > 1 for turn in said)
    lost = [turn.text == "" for turn in said]
    notices = [one.code for one in talk.learner.said("notice") if isinstance(one, protocol.Notice)]
    answers = [turn.text for turn in talk.stored.turns if turn.speaker == "character"][1:]
    if fault == "slow":
        assert lost == [False] * 5
        assert max(waits(talk.learner, ends)) <= 2.5
        return
    assert lost == [False, True, True, True, False]
    assert max(waits(talk.learner, ends)) <= 2.5
    told = talk.stored.turns.index(said[1]) + 1
    assert talk.stored.turns[told].start - said[1].end <= 3.0
    assert [code[:4] for code in notices] == ["stt_"]
    assert "ne comprends plus" in answers[1]
    assert answers[0] == answers[4] == talk.llm.replies[0]
    assert len({answers[1], answers[2], answers[3], answers[4]}) == 4


@pytest.mark.parametrize("fault", FAULTS)
def test_another_recogniser_takes_over_and_no_word_is_lost(
    talk: Talk, sentence: bytes, fault: Fault
) -> None:
    """S03, S04: nothing is told, as nothing was lost."""
    vendor = Vendor(fault)
    talk.recognisers = recognisers(vendor, Vendor())
    ends: list[float] = []

    async def script(learner: Learner) -> None:
        await learner.quiet()
        await turns(learner, sentence, ends, 2)

    ended = clock.run(talk.held(script))
    assert ended.status == "complete"
    said = [turn for turn in talk.stored.turns if turn.speaker == "learner"]
    assert [turn.text for turn in said] == ["je cherche un poste"] * 2
    for turn in said:
        assert turn.words
        assert turn.words[0].start == pytest.approx(turn.start, abs=0.1)
    assert not talk.learner.count("notice")
    assert max(waits(talk.learner, ends)) <= 2.5


def test_what_is_typed_is_answered_by_the_model_while_nobody_is_understood(
    talk: Talk, sentence: bytes
) -> None:
    talk.recognisers = recognisers(Vendor("refused"))

    async def script(learner: Learner) -> None:
        await learner.quiet()
        await learner.say(sentence)
        await learner.quiet()
        await learner.client.send(protocol.Say(text="Je cherche un poste."))
        await learner.quiet()

    clock.run(talk.held(script))
    assert [turn.text for turn in talk.stored.turns][2:] == [
        talk.stored.turns[2].text, "Je cherche un poste.", "Très bien, merci à vous.",
    ]  # fmt: skip


def test_a_short_answer_is_taken_though_its_words_come_while_they_are_waited_for(
    talk: Talk, sentence: bytes
) -> None:
    """« Oui » said over the character only means "go on"; understood over « Un instant. », as by a
    slow recogniser, it is an answer."""
    vendor = Vendor("slow")
    vendor.words = "oui"
    talk.recognisers = recognisers(vendor)

    async def script(learner: Learner) -> None:
        await learner.quiet()
        await learner.say(sentence)
        await learner.quiet()

    clock.run(talk.held(script))
    assert [turn.text for turn in talk.stored.turns][1:] == ["oui", "Très bien, merci à vous."]


def test_nobody_says_that_words_are_late_before_the_turn_can_be_over(
    talk: Talk, sentence: bytes
) -> None:
    """A patience of 3 s and more leaves a learner as long to think, however slow the recogniser."""
    talk.recognisers = recognisers(Vendor("slow"))
    talk.hello = talk.hello.model_copy(update={"exercise": "grand_oral"})

    async def script(learner: Learner) -> None:
        await learner.quiet()
        await learner.say(sentence)
        await learner.say(SECOND * 2)
        await learner.say(sentence)
        await learner.quiet()

    clock.run(talk.held(script))
    assert not any(line in talk.tts.said for line in content.load().lines("fr").filler)
    said = [turn.text for turn in talk.stored.turns if turn.speaker == "learner"]
    assert said == ["je cherche un poste je cherche un poste"]


def test_nobody_speaks_while_the_key_is_held_and_once_it_is_released_words_may_be_late(
    talk: Talk, sentence: bytes
) -> None:
    vendor = Vendor("slow")
    talk.recognisers = recognisers(vendor)
    talk.hello = talk.hello.model_copy(update={"push_to_talk": True})
    fillers = content.load().lines("fr").filler
    held: list[str] = []

    async def script(learner: Learner) -> None:
        await learner.quiet()
        await learner.client.send(protocol.Press())
        await learner.say(sentence)
        await learner.say(SECOND * 3)
        await learner.say(sentence)
        held.extend(line for line in fillers if line in talk.tts.said)
        vendor.fault = "hang"
        await learner.say(SECOND * 2)
        held.extend(line for line in fillers if line in talk.tts.said)
        await learner.client.send(protocol.Release())
        await learner.quiet()

    clock.run(talk.held(script))
    assert held == []
    assert sum(line in talk.tts.said for line in fillers) == 1
    assert talk.stored.turns[1].text.startswith("je cherche un poste")
    assert [turn.speaker for turn in talk.stored.turns] == ["character", "learner", "character"]


def test_by_key_a_turn_that_nobody_understands_is_answered_too(talk: Talk, sentence: bytes) -> None:
    talk.recognisers = recognisers(Vendor("hang"))
    talk.hello = talk.hello.model_copy(update={"push_to_talk": True})

    async def script(learner: Learner) -> None:
        await learner.quiet()
        await learner.client.send(protocol.Press())
        await learner.say(sentence)
        await learner.client.send(protocol.Release())
        await learner.quiet()

    clock.run(talk.held(script))
    assert [turn.speaker for turn in talk.stored.turns] == ["character", "learner", "character"]
    assert "ne comprends plus" in talk.stored.turns[2].text


def music(seconds: float) -> NDArray[np.float32]:
    """Chords of a melody with a beat, as of a radio in the next room."""
    rng = np.random.default_rng(3)
    at = np.arange(int(seconds * 16_000)) / 16_000
    sound = np.zeros_like(at)
    for beat in np.arange(0, seconds, 0.5):
        since = np.clip(at - beat, 0, None)
        shape = (at >= beat) * np.exp(-3 * since)
        root = 220 * 2 ** (rng.integers(0, 12) / 12)
        for step in (1, 1.26, 1.5, 2):
            sound += shape * np.sin(2 * np.pi * root * step * since)
        sound += 0.5 * (at >= beat) * np.exp(-60 * since) * rng.normal(0, 1, at.size)
    return np.asarray(0.3 * sound / np.abs(sound).max(), dtype=np.float32)


def noise(seconds: float, *, pink: bool) -> NDArray[np.float32]:
    white = np.random.default_rng(7).normal(0, 1, int(seconds * 16_000))
    if pink:
        spectrum = np.fft.rfft(white)
        white = np.fft.irfft(spectrum / np.sqrt(np.maximum(1, np.arange(spectrum.size))))
    return np.asarray(0.3 * white / np.abs(white).max(), dtype=np.float32)


@pytest.mark.parametrize("kind", ["white", "pink", "music"])
def test_ten_minutes_of_noise_make_at_most_one_turn(talk: Talk, kind: str) -> None:
    """S06, with the real voice activity model, while no recogniser knows any words."""
    talk.recognisers = recognisers(Vendor("empty"))
    talk.duration = 1_200.0
    sound = pcm(music(60.0) if kind == "music" else noise(60.0, pink=kind == "pink"))

    async def script(learner: Learner) -> None:
        await learner.quiet()
        for _ in range(10):
            await learner.say(sound)

    clock.run(talk.held(script))
    assert [turn.speaker for turn in talk.stored.turns].count("learner") <= 1
