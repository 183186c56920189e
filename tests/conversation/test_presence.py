"""A learner who vanishes from a line that they may come back to (TC-14, A01, A02)."""

import asyncio

import pytest
from tests.conversation.conftest import Talk

from eloquence import protocol
from eloquence.conversation.transport import Transport
from eloquence.storage import content
from eloquence.testing import clock
from eloquence.testing.learner import Learner
from eloquence.testing.stages import ScriptedLLM

pytestmark = pytest.mark.speech
SECOND = bytes(32_000)


def presence(transport: Transport, present: bool) -> None:
    assert transport.on_presence is not None
    transport.on_presence(present)


def ready(learner: Learner) -> list[protocol.Ready]:
    return [one for one in learner.said("ready") if isinstance(one, protocol.Ready)]


@pytest.mark.parametrize("gone", [5.0, 40.0, 240.0])
def test_whoever_comes_back_is_told_so_in_one_sentence_and_goes_on(
    talk: Talk, sentence: bytes, gone: float
) -> None:
    talk.llm = ScriptedLLM(["Quel est votre métier ?", "Merci."])

    async def script(learner: Learner) -> None:
        await learner.quiet()
        await learner.say(sentence)
        await learner.quiet()
        presence(talk.transport, False)
        await asyncio.sleep(gone)
        presence(talk.transport, True)
        await learner.quiet()
        await learner.say(sentence)
        await learner.quiet()

    ended = clock.run(talk.held(script))
    assert (ended.status, ended.reason) == ("complete", "learner")
    first, again = ready(talk.learner)
    assert (first.resumed, again.resumed) == (False, True)
    assert first.session == again.session
    said = [turn.text for turn in talk.stored.turns]
    resumed = content.load().lines("fr").resumed
    assert said[3] in {f"{line} Quel est votre métier ?" for line in resumed}
    assert said[4:] == ["Bonjour Marie.", "Merci."]
    assert talk.stored.end is not None
    assert talk.stored.end.duration < gone + 20
    if gone > 30:
        assert talk.stored.end.duration < gone  # the exercise's clock stood still


def test_nothing_is_said_to_somebody_who_is_not_there(talk: Talk, sentence: bytes) -> None:
    async def script(learner: Learner) -> None:
        await learner.quiet()
        presence(talk.transport, False)
        await asyncio.sleep(120)
        before = learner.count("segment_start")
        assert before == 1
        presence(talk.transport, True)
        await learner.quiet()

    clock.run(talk.held(script))


def test_whoever_does_not_come_back_ends_the_session_as_interrupted(talk: Talk) -> None:
    talk.away = 300.0

    async def script(learner: Learner) -> None:
        await learner.quiet()
        presence(talk.transport, False)
        await learner.until(lambda: learner.count("ended") > 0, within=400)

    ended = clock.run(talk.held(script))
    assert (ended.status, ended.reason) == ("interrupted", "page_closed")


def test_a_short_absence_in_a_silence_is_passed_over(talk: Talk, sentence: bytes) -> None:
    async def script(learner: Learner) -> None:
        await learner.quiet()
        await learner.say(SECOND)
        presence(talk.transport, False)
        await asyncio.sleep(1.0)
        presence(talk.transport, True)
        await learner.say(SECOND * 3)

    clock.run(talk.held(script))
    assert len(talk.stored.turns) == 1
    assert len(ready(talk.learner)) == 2


def test_a_learner_who_had_paused_comes_back_to_the_pause(talk: Talk) -> None:
    async def script(learner: Learner) -> None:
        await learner.quiet()
        await learner.client.send(protocol.Pause())
        await learner.until(lambda: learner.count("state", state="paused") > 0)
        presence(talk.transport, False)
        await asyncio.sleep(60)
        presence(talk.transport, True)
        await learner.say(SECOND * 5)
        assert learner.count("segment_start") == 1
        await learner.client.send(protocol.Resume())
        await learner.until(lambda: learner.count("state", state="listening") > 1)

    clock.run(talk.held(script))
    last = [one.state for one in talk.learner.said("state")][-1]  # type: ignore[union-attr]
    assert last == "listening"


def test_joined_is_answered_with_the_state_and_what_was_said(talk: Talk, sentence: bytes) -> None:
    async def script(learner: Learner) -> None:
        await learner.quiet()
        await learner.say(sentence)
        await learner.quiet()
        await learner.client.send(protocol.Joined())
        await learner.until(lambda: learner.count("ready") > 1)

    clock.run(talk.held(script))
    shown = [
        one.id
        for one in talk.learner.said("caption", final=True)
        if isinstance(one, protocol.Caption) and one.id.startswith("t")
    ]
    assert shown == ["t0", "t1", "t2"]


def test_an_answer_on_its_way_is_given_to_whoever_is_back_at_once(
    talk: Talk, sentence: bytes
) -> None:
    talk.llm = ScriptedLLM(["Quel est votre métier ?"], first=2.0)

    async def script(learner: Learner) -> None:
        await learner.quiet()
        await learner.say(sentence)
        await learner.until(lambda: learner.count("turn_stored", speaker="learner") > 0)
        presence(talk.transport, False)
        await asyncio.sleep(0.5)
        presence(talk.transport, True)
        await learner.quiet()
        await learner.quiet()

    clock.run(talk.held(script))
    resumed = content.load().lines("fr").resumed
    said = [turn.text for turn in talk.stored.turns if turn.speaker == "character"]
    assert said[1] in resumed
    assert said[2] == "Quel est votre métier ?"


def test_a_speech_that_broke_off_in_a_pause_is_gone_on_with_after_it(talk: Talk) -> None:
    async def script(learner: Learner) -> None:
        await learner.until(lambda: learner.count("segment_start") > 0)
        await learner.client.send(protocol.Pause())
        await learner.until(lambda: learner.count("state", state="paused") > 0)
        presence(talk.transport, False)
        await asyncio.sleep(60)
        presence(talk.transport, True)
        await learner.say(SECOND * 2)
        await learner.client.send(protocol.Resume())
        await learner.quiet()

    clock.run(talk.held(script))
    resumed = content.load().lines("fr").resumed
    said = [turn.text for turn in talk.stored.turns]
    assert any(said[-1].startswith(line) for line in resumed)


def test_a_line_that_breaks_again_and_again_is_told_of_in_one_sentence_each_time(
    talk: Talk, sentence: bytes
) -> None:
    talk.llm = ScriptedLLM(["Quel est votre métier ?"])

    async def script(learner: Learner) -> None:
        await learner.quiet()
        await learner.say(sentence)
        await learner.quiet()
        for _ in range(3):
            presence(talk.transport, False)
            await asyncio.sleep(10)
            presence(talk.transport, True)
            await learner.quiet()

    clock.run(talk.held(script))
    resumed = content.load().lines("fr").resumed
    for turn in talk.stored.turns[-3:]:
        assert turn.text in {f"{line} Quel est votre métier ?" for line in resumed}


def test_whoever_comes_back_unnoticed_to_a_silence_is_spoken_to(talk: Talk) -> None:
    """The nudges were said to a line that was lost, and nobody knew."""

    async def script(learner: Learner) -> None:
        said = 3  # the question, and twice an offer to wait
        await learner.until(lambda: learner.count("segment_start") == said, within=90)
        await learner.say(SECOND * 60)
        assert learner.count("segment_start") == said
        await learner.client.send(protocol.Joined())
        await learner.until(lambda: learner.count("segment_start") > said, within=5.0)

    clock.run(talk.held(script))
