"""Conversations in virtual time: turns, interruptions, patience, endings (RT, SES, CLI-02)."""

import time

import numpy as np
import pytest
from livekit.agents import APIStatusError
from tests.conversation.conftest import Talk, pcm, quietest

from eloquence import protocol
from eloquence.coaching.session import SessionEnd
from eloquence.errors import ConnectionLostError, StorageError
from eloquence.testing import clock
from eloquence.testing.learner import Learner

pytestmark = pytest.mark.speech
LONG = "Je vous écoute avec beaucoup d’attention, prenez tout votre temps. " * 4


def test_a_spoken_turn_is_answered_and_stored_with_its_words_and_latencies(
    talk: Talk, sentence: bytes
) -> None:
    """RT-02, SES-02: microphone → words → answer → voice, each turn stored as it ends."""

    async def script(learner: Learner) -> None:
        await learner.quiet()
        await learner.say(sentence)
        await learner.quiet()

    ended = clock.run(talk.held(script))
    opening, said, answer = talk.stored.turns
    assert (ended.status, ended.reason) == ("complete", "learner")
    assert [turn.speaker for turn in talk.stored.turns] == ["character", "learner", "character"]
    assert said.text == "Bonjour Marie."
    assert answer.text == "Très bien, merci à vous."
    assert said.end - said.start == pytest.approx(len(sentence) / 32_000, abs=0.4)
    assert said.sound is not None
    assert said.sound.snr is not None
    assert answer.latency.response is not None
    assert answer.latency.response < 1.2
    assert opening.text.startswith("Bonjour ! Je suis ravie")
    assert np.abs(np.frombuffer(bytes(talk.learner.sound), "<i2")).max() > 4000


def test_an_interruption_stops_the_sound_and_what_was_heard_is_what_is_stored(
    talk: Talk, sentence: bytes
) -> None:
    talk.llm.replies = [LONG, "D’accord."]

    async def script(learner: Learner) -> None:
        await learner.quiet()
        await learner.say(sentence)
        await learner.until(lambda: len(learner.client.heard.first_sound) == 2)
        await learner.say(bytes(32_000 * 3))
        await learner.say(sentence)
        await learner.quiet()
        await learner.quiet()

    clock.run(talk.held(script))
    cut = next(turn for turn in talk.stored.turns if turn.interrupted)
    assert 10 < len(cut.text) < len(LONG) / 2
    assert LONG.startswith(cut.text)
    context = talk.llm.asked[1]
    heard = [m.text_content for m in context.messages() if m.role == "assistant"]
    assert heard[-1] == cut.text
    assert talk.learner.client.heard.silenced


@pytest.mark.parametrize("noise", ["cough", "mm"])
def test_a_cough_or_a_murmur_holds_the_character_back_for_a_moment_only(
    talk: Talk, sentence: bytes, noise: str
) -> None:
    talk.llm.replies = [LONG]
    talk.stt.texts = ["Bonjour Marie.", "Mm."]
    rng = np.random.default_rng(1)
    cough = rng.normal(0, 0.2, 4000) * np.hanning(4000)
    murmur = np.frombuffer(sentence, "<i2")[9_000:15_000].astype(np.float32) / 32768
    short = pcm(cough if noise == "cough" else murmur)

    async def script(learner: Learner) -> None:
        await learner.quiet()
        await learner.say(sentence)
        await learner.until(lambda: len(learner.client.heard.first_sound) == 2)
        await learner.say(bytes(32_000 * 2))
        await learner.say(short)
        await learner.quiet()

    clock.run(talk.held(script))
    answer = talk.stored.turns[2]
    assert not answer.interrupted
    assert answer.text == LONG.strip()


@pytest.mark.parametrize("seconds", [1.0, 2.0])
def test_a_thinking_pause_in_an_interview_does_not_end_the_turn(
    talk: Talk, sentence: bytes, seconds: float
) -> None:
    """EXO-04: patience is the exercise's; the pause falls inside a sentence."""
    talk.hello = protocol.Hello(exercise="entretien_embauche")
    talk.stt.texts = ["Je cherche", "un poste de chef de projet."]
    samples = np.frombuffer(sentence, "<i2")
    middle = quietest(samples)
    first, second = samples[:middle].tobytes(), samples[middle:].tobytes()

    async def script(learner: Learner) -> None:
        await learner.quiet()
        await learner.say(first + bytes(int(seconds * 32_000)) + second)
        await learner.quiet()

    clock.run(talk.held(script))
    said = [turn for turn in talk.stored.turns if turn.speaker == "learner"]
    assert [turn.text for turn in said] == ["Je cherche un poste de chef de projet."]


def test_push_to_talk_takes_the_turn_on_release_and_hears_nothing_before(
    talk: Talk, sentence: bytes
) -> None:
    talk.hello = protocol.Hello(exercise="conversation_libre_marie", push_to_talk=True)

    async def script(learner: Learner) -> None:
        await learner.quiet()
        await learner.say(sentence)
        await learner.say(bytes(32_000 * 4))
        assert not learner.said("turn_stored", speaker="learner")
        await learner.client.send(protocol.Press())
        await learner.say(sentence)
        await learner.client.send(protocol.Release())
        await learner.quiet()

    clock.run(talk.held(script))
    said = [turn for turn in talk.stored.turns if turn.speaker == "learner"]
    assert [turn.text for turn in said] == ["Bonjour Marie."]


def test_a_typed_turn_is_answered_like_a_spoken_one(talk: Talk) -> None:
    async def script(learner: Learner) -> None:
        await learner.quiet()
        await learner.client.send(protocol.Say(text="Je préfère écrire."))
        await learner.quiet()

    clock.run(talk.held(script))
    assert talk.stored.turns[1].text == "Je préfère écrire."
    assert talk.stored.turns[2].text == "Très bien, merci à vous."


def test_a_typed_turn_over_the_character_stops_it_and_keeps_its_place(talk: Talk) -> None:
    talk.llm.replies = [LONG, "Entendu."]

    async def script(learner: Learner) -> None:
        await learner.quiet()
        await learner.client.send(protocol.Say(text="Commençons."))
        await learner.until(lambda: len(learner.client.heard.first_sound) == 2)
        await learner.say(bytes(32_000 * 2))
        await learner.client.send(protocol.Say(text="Attendez."))
        await learner.client.send(protocol.Say(text="Je reprends."))
        await learner.until(lambda: learner.count("turn_stored", speaker="learner") == 3)
        await learner.quiet()

    clock.run(talk.held(script))
    said = [turn.text for turn in talk.stored.turns if turn.speaker == "learner"]
    assert said == ["Commençons.", "Attendez.", "Je reprends."]
    cut = talk.stored.turns[2]
    assert cut.interrupted
    assert LONG.startswith(cut.text)
    assert talk.stored.turns[-1].text == "Entendu."


def test_a_page_closed_in_mid_sentence_leaves_a_stored_session_with_a_reason(
    talk: Talk, sentence: bytes
) -> None:
    """A01: what was being said is kept, marked as cut off."""

    async def script(learner: Learner) -> None:
        await learner.quiet()
        await learner.say(sentence[: len(sentence) // 2])
        raise ConnectionLostError("the page is closed")

    clock.run(talk.abandoned(script))
    assert talk.stored.end is not None
    assert (talk.stored.end.status, talk.stored.end.reason) == ("interrupted", "page_closed")
    last = talk.stored.turns[-1]
    assert last.speaker == "learner"
    assert last.interrupted
    assert last.end - last.start > 0.5


def test_an_end_that_the_store_does_not_take_is_tried_again(talk: Talk) -> None:
    async def script(learner: Learner) -> None:
        await learner.quiet()
        back = time.monotonic() + 60.0
        stored = talk.store.end

        async def end(session_id: str, told: SessionEnd) -> None:
            if time.monotonic() < back:
                raise StorageError("The store is away.")
            await stored(session_id, told)

        talk.store.end = end  # type: ignore[method-assign, assignment]
        await learner.until(lambda: learner.count("ended") > 0, within=900)

    talk.idle = 45.0
    assert clock.run(talk.held(script)).reason == "idle"
    assert talk.stored.end is not None


def test_ten_minutes_of_silence_end_the_conversation_with_a_reason(talk: Talk) -> None:
    """SES-05: two offers to wait, then the session is ended as idle."""
    talk.duration = 1200.0

    async def script(learner: Learner) -> None:
        await learner.until(lambda: learner.count("ended") > 0, within=900)

    ended = clock.run(talk.held(script))
    assert (ended.status, ended.reason) == ("interrupted", "idle")
    spoken = [turn.text for turn in talk.stored.turns]
    assert len(spoken) <= 4
    assert "Prenez votre temps, je vous écoute." in spoken


def test_the_character_closes_the_exercise_when_its_time_is_over(
    talk: Talk, sentence: bytes
) -> None:
    talk.duration = 8.0

    async def script(learner: Learner) -> None:
        await learner.quiet()
        await learner.say(bytes(32_000 * 8))
        await learner.say(sentence)
        await learner.until(lambda: learner.count("ended") > 0)

    ended = clock.run(talk.held(script))
    assert (ended.status, ended.reason) == ("complete", "duration")
    assert not talk.llm.asked


def test_a_refused_key_is_said_aloud_and_shown_and_ends_nothing(
    talk: Talk, sentence: bytes
) -> None:
    """LLM-06: 401 is named; nothing is left in silence."""
    talk.llm.replies = [APIStatusError("refused", status_code=401, body=None, retryable=False)]

    async def script(learner: Learner) -> None:
        await learner.quiet()
        for _ in range(6):
            await learner.say(sentence)
            await learner.say(bytes(32_000 * 9))

    ended = clock.run(talk.held(script))
    assert (ended.status, ended.reason) == ("complete", "learner")
    notices = talk.learner.said("notice", code="llm_authentication")
    assert notices
    assert any("n’arrive pas à vous répondre" in text for text in talk.tts.said)


def test_pausing_stops_the_clock_and_nothing_is_heard_until_resumed(
    talk: Talk, sentence: bytes
) -> None:
    async def script(learner: Learner) -> None:
        await learner.quiet()
        await learner.client.send(protocol.Pause())
        await learner.say(sentence)
        await learner.say(bytes(32_000 * 5))
        assert not learner.said("turn_stored", speaker="learner")
        await learner.client.send(protocol.Resume())
        await learner.say(sentence)
        await learner.quiet()

    clock.run(talk.held(script))
    assert talk.stored.end is not None
    assert talk.stored.end.duration < 20
