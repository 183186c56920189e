"""A conversation goes on in another process, from what was stored of it (X-15, SES-04)."""

from typing import Any

import pytest
from tests.conversation.conftest import Talk

from eloquence import protocol
from eloquence.coaching.exercise import Exercise
from eloquence.conversation.stages import LastTurn, Resources, StageContext
from eloquence.errors import LeaseLostError
from eloquence.providers.script import Options, create
from eloquence.storage import content
from eloquence.testing import clock
from eloquence.testing.learner import Learner
from eloquence.testing.stages import ScriptedLLM, ScriptedSTT

pytestmark = pytest.mark.speech


def lost(talk: Talk) -> Any:
    """A script whose end is that another process takes the session over."""

    async def script(learner: Learner) -> None:
        await talk.store.take_over(talk.session_id, 1)
        await learner.until(lambda: learner.count("ended") > 0)

    return script


def texts(talk: Talk) -> list[tuple[int, str]]:
    return [(turn.index, turn.text) for turn in talk.stored.turns]


def test_the_second_holder_says_one_sentence_and_goes_on_where_the_first_one_was(
    talk: Talk, sentence: bytes
) -> None:
    resumed = content.load().lines("fr").resumed
    talk.epoch = 1
    talk.llm = ScriptedLLM(["Quel est votre métier ?"])

    async def first(learner: Learner) -> None:
        await learner.quiet()
        await learner.say(sentence)
        await learner.quiet()
        await lost(talk)(learner)

    async def second(learner: Learner) -> None:
        await learner.quiet()
        await learner.say(sentence)
        await learner.quiet()

    async def both() -> list[tuple[int, str]]:
        ended = await talk.held(first)
        assert ended.reason == "superseded"
        assert talk.stored.end is None  # whoever holds it now ends it
        said = texts(talk)
        talk.epoch, talk.last_turn = 2, LastTurn()
        talk.stt = ScriptedSTT(["Je suis menuisier."])
        talk.llm = ScriptedLLM(["Et depuis quand ?"])
        await talk.held(second)
        return said

    before = clock.run(both())
    assert [index for index, _ in before] == [0, 1, 2]
    ready = talk.learner.said("ready")[0]
    assert isinstance(ready, protocol.Ready)
    assert ready.resumed
    assert ready.elapsed > 0
    again = [
        message.text
        for message in talk.learner.said("caption", final=True)
        if isinstance(message, protocol.Caption) and message.id.startswith("t")
    ]
    assert again == [text for _, text in before]
    after = texts(talk)
    assert after[:3] == before
    assert [index for index, _ in after] == [0, 1, 2, 3, 4, 5]
    spoken = after[3][1]
    assert any(spoken == f"{line} Quel est votre métier ?" for line in resumed)
    assert after[4:] == [(4, "Je suis menuisier."), (5, "Et depuis quand ?")]
    read = [
        message.text_content for message in talk.llm.asked[-1].messages() if message.role == "user"
    ]
    assert read == ["Bonjour Marie.", "Je suis menuisier."]
    starts = [turn.start for turn in talk.stored.turns]
    assert starts == sorted(starts)
    assert talk.stored.end is not None


def test_a_turn_that_was_owed_an_answer_is_answered_by_the_next_holder(
    talk: Talk, sentence: bytes
) -> None:
    talk.epoch = 1
    talk.llm = ScriptedLLM(["Trop tard."], first=30.0)

    async def first(learner: Learner) -> None:
        await learner.quiet()
        await learner.say(sentence)
        await learner.until(lambda: learner.count("turn_stored", speaker="learner") > 0)
        await lost(talk)(learner)

    clock.run(talk.held(first))
    talk.epoch, talk.last_turn = 2, LastTurn()
    talk.llm = ScriptedLLM(["Je vous réponds enfin."], first=2.2)
    talk.tts.said.clear()

    async def second(learner: Learner) -> None:
        await learner.quiet()
        await learner.quiet()

    clock.run(talk.held(second))
    said = [turn.text for turn in talk.stored.turns if turn.speaker == "character"]
    assert said[1] in content.load().lines("fr").resumed
    assert said[2] == "Je vous réponds enfin."
    assert "Trop tard." not in said
    fillers = content.load().lines("fr").filler
    assert not any(line in talk.tts.said for line in fillers)  # nobody sat in silence meanwhile


def test_the_exercise_clock_the_phase_and_the_offline_coach_go_on(
    talk: Talk, sentence: bytes
) -> None:
    """The offline coach asks its next question, not its first one again."""
    library = content.load()
    exercise: Exercise = library.exercise("entretien_embauche", "fr")

    def conductor() -> Any:
        context = StageContext(
            language="fr",
            exercise=exercise,
            scenario=exercise.scenario(),
            character=library.character(exercise.character, "fr"),
            resources=Resources(),
            last_turn=talk.last_turn,
        )
        return create(Options(), context)

    talk.hello = protocol.Hello(exercise=exercise.id)
    talk.epoch = 1
    talk.llm = conductor()
    talk.stt = ScriptedSTT(["J’ai longtemps dirigé une équipe de douze personnes."])

    async def first(learner: Learner) -> None:
        await learner.quiet()
        for _ in range(2):
            await learner.say(sentence)
            await learner.quiet()
        await lost(talk)(learner)

    clock.run(talk.held(first))
    place = talk.llm.place  # type: ignore[attr-defined]
    asked = [turn.text for turn in talk.stored.turns if turn.speaker == "character"]
    talk.epoch, talk.last_turn = 2, LastTurn()
    talk.llm = conductor()

    async def second(learner: Learner) -> None:
        await learner.quiet()
        assert talk.llm.place == place  # type: ignore[attr-defined]
        await learner.say(sentence)
        await learner.quiet()

    clock.run(talk.held(second))
    said = [turn.text for turn in talk.stored.turns if turn.speaker == "character"]
    assert said[: len(asked)] == asked
    assert said[-1] not in asked
    assert asked[-1] in said[len(asked)]  # the question is put again
    ready = talk.learner.said("ready")[0]
    assert isinstance(ready, protocol.Ready)
    assert 0 < ready.elapsed < ready.duration


def test_the_first_holder_cannot_write_once_it_was_taken_over(talk: Talk, sentence: bytes) -> None:
    talk.epoch = 1
    refused: list[str] = []

    async def script(learner: Learner) -> None:
        await learner.quiet()
        await talk.store.take_over(talk.session_id, 1)
        turn = (await talk.store.get(talk.session_id)).turns[0]
        try:
            await talk.store.append(talk.session_id, turn.model_copy(update={"index": 9}), epoch=1)
        except LeaseLostError as error:
            refused.append(error.code)
        await learner.until(lambda: learner.count("ended") > 0)

    ended = clock.run(talk.held(script))
    assert refused == ["lease_lost"]
    assert ended.reason == "superseded"
    assert [turn.index for turn in talk.stored.turns] == [0]


def test_what_the_learner_asked_the_first_holder_is_done_by_the_second_one(
    talk: Talk, sentence: bytes
) -> None:
    """Asked to stop, it closes the conversation: the model would have gone on with it."""
    talk.epoch = 1
    talk.stt = ScriptedSTT(["On arrête là."])

    async def first(learner: Learner) -> None:
        await learner.quiet()
        await learner.say(sentence)
        await learner.until(lambda: learner.count("turn_stored", speaker="learner") > 0)
        await lost(talk)(learner)

    clock.run(talk.held(first))
    assert texts(talk)[1:] == [(1, "On arrête là.")]
    talk.epoch, talk.last_turn = 2, LastTurn()

    async def second(learner: Learner) -> None:
        await learner.until(lambda: learner.count("ended") > 0)

    ended = clock.run(talk.held(second))
    assert (ended.status, ended.reason) == ("complete", "learner")
