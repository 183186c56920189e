"""However a language model fails, the learner hears something soon, and the exercise goes on."""

import itertools
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from livekit.agents import APIStatusError, llm
from tests.conversation.conftest import EXERCISE, Talk, quietest

from eloquence import protocol
from eloquence.conversation.fallback.answers import Answers
from eloquence.conversation.fallback.breaker import Breaker
from eloquence.conversation.fallback.chain import Chain, Link
from eloquence.conversation.stages import Resources, StageContext
from eloquence.protocol import StageStatus
from eloquence.providers import script as offline
from eloquence.storage import content
from eloquence.testing import clock
from eloquence.testing.learner import Learner
from eloquence.testing.stages import ScriptedLLM, ScriptedSTT

pytestmark = pytest.mark.speech
SECOND = bytes(32_000)
LINES = content.load().lines("fr")
REPLY = "Très bien, merci à vous. Parlons de votre travail, et de ce que vous y aimez le plus."


def link(stage: llm.LLM[Any], name: str, *, local: bool = False, last: bool = False) -> Any:
    where = "" if local or last else "example.org"
    status = StageStatus(provider=name, detail="", model="", leaves_machine=where)
    return Link(name, stage, Breaker(), status, last)


def offline_coach(talk: Talk) -> Any:
    library = content.load()
    exercise = library.exercise(EXERCISE, "fr")
    context = StageContext(
        language="fr",
        exercise=exercise,
        scenario=exercise.scenario(),
        character=library.character(exercise.character, "fr"),
        resources=Resources(),
        last_turn=talk.last_turn,
    )
    return link(offline.create(offline.Options(), context), "script", last=True)


def chain(talk: Talk, *models: llm.LLM[Any], local: bool = False) -> Answers:
    """The models, and the exercise's file when all of them fail."""
    links = [link(model, f"model {n}", local=local) for n, model in enumerate(models)]
    return Answers(Chain("llm", [*links, offline_coach(talk)]), "fr")


def silences(learner: Learner, ends: Sequence[float]) -> list[float]:
    """Seconds from each end of the learner's speech to the next sound of the character."""
    heard = learner.client.heard.first_sound
    return [min(at for at in heard if at > end) - end for end in ends]


def longest_gap(sound: bytes) -> float:
    """Seconds of the longest silence between two sounds of the character."""
    loud = np.flatnonzero(np.abs(np.frombuffer(sound, "<i2")) > 1_000)
    return float(np.diff(loud).max()) / protocol.OUTPUT_RATE


def no_word_twice(text: str) -> bool:
    words = [word.strip(".,;:!?… ").casefold() for word in text.split()]
    return all(first != second for first, second in itertools.pairwise(words))


async def answered(learner: Learner, turns: int) -> None:
    """Waits for the end of the answer to that turn, which may be a long one."""
    await learner.until(
        lambda: learner.count("turn_stored", speaker="character") > turns, within=60.0
    )


async def turns(learner: Learner, sentence: bytes, ends: list[float], count: int = 3) -> None:
    for _ in range(count):
        await learner.say(sentence)
        ends.append(time.perf_counter())
        await answered(learner, len(ends))


FAILING = {
    "500": APIStatusError("refused", status_code=500),
    "429": APIStatusError("refused", status_code=429),
    "401": APIStatusError("refused", status_code=401),
    "bug": ValueError("a bug of a provider"),
}


@pytest.mark.parametrize(
    "fault", ["hang", "stall", "close", "slow", "empty", "endless", "500", "429", "401", "bug"]
)
def test_the_learner_hears_something_within_2_5_seconds_in_every_turn(
    talk: Talk, sentence: bytes, fault: str
) -> None:
    """L01-L07, B21-B26: no session closed, no silent turn, no word twice."""
    failing = ScriptedLLM([FAILING.get(fault, REPLY)])
    if fault not in FAILING:
        failing.fault = fault  # type: ignore[assignment]
    talk.answers = chain(talk, failing)
    ends: list[float] = []

    async def script(learner: Learner) -> None:
        await learner.quiet()
        await turns(learner, sentence, ends, count)

    count = 1 if fault == "endless" else 3
    ended = clock.run(talk.held(script))
    waited = silences(talk.learner, ends)
    assert (ended.status, ended.reason) == ("complete", "learner")
    assert max(waited) <= 2.5
    spoken = [turn.speaker for turn in talk.stored.turns]
    assert spoken == ["character", *["learner", "character"] * count]
    for turn in talk.stored.turns:
        assert turn.text
        assert no_word_twice(turn.text), turn.text
        assert not turn.interrupted
    assert failing.open == 0
    assert len(failing.asked) <= 2 * count


@pytest.mark.parametrize("fault", ["hang", "stall", "close", "slow", "empty", "401"])
def test_another_model_goes_on_where_the_first_broke_off(
    talk: Talk, sentence: bytes, fault: str
) -> None:
    """L03: what was heard is said once, and the sentence is finished by the next model."""
    failing, other = ScriptedLLM([FAILING.get(fault, REPLY)]), ScriptedLLM([REPLY])
    if fault not in FAILING:
        failing.fault = fault  # type: ignore[assignment]
    talk.answers = chain(talk, failing, other)
    ends: list[float] = []

    async def script(learner: Learner) -> None:
        await learner.quiet()
        await turns(learner, sentence, ends, 2)

    clock.run(talk.held(script))
    assert max(silences(talk.learner, ends)) <= 2.5
    answers = [turn.text for turn in talk.stored.turns if turn.speaker == "character"]
    assert answers[1:] == [REPLY] * 2
    changes = talk.learner.said("stage")
    assert [change.provider for change in changes] == ["model 1"]  # type: ignore[union-attr]


def test_a_fast_answer_comes_without_anything_before_it(talk: Talk, sentence: bytes) -> None:
    talk.llm.first = 1.0
    ends: list[float] = []

    async def script(learner: Learner) -> None:
        await learner.quiet()
        await turns(learner, sentence, ends, 2)

    clock.run(talk.held(script))
    assert not any(line in talk.tts.said for line in LINES.filler)
    assert max(silences(talk.learner, ends)) <= 1.6


def test_a_late_answer_is_announced_never_twice_in_the_same_way(
    talk: Talk, sentence: bytes
) -> None:
    """What announced it is heard and shown, and neither stored nor read back by a model."""
    talk.llm.first = 2.2
    ends: list[float] = []

    async def script(learner: Learner) -> None:
        await learner.quiet()
        await turns(learner, sentence, ends)

    clock.run(talk.held(script))
    said = [line for line in talk.tts.said if line in LINES.filler]
    assert len(said) == 3
    assert all(first != second for first, second in itertools.pairwise(said))
    shown = talk.learner.said("caption", speaker="character", final=True)
    assert f"{said[0]} Très bien, merci à vous." in [one.text for one in shown]  # type: ignore[union-attr]
    answers = [turn.text for turn in talk.stored.turns if turn.speaker == "character"]
    assert answers[1:] == ["Très bien, merci à vous."] * 3
    read = [message.text_content for message in talk.llm.asked[-1].messages()]
    assert read.count("Très bien, merci à vous.") == 2


def test_an_answer_that_stays_away_is_announced_again(talk: Talk, sentence: bytes) -> None:
    """A model on this machine may take 12 s to load."""
    failing = ScriptedLLM([REPLY])
    failing.fault = "hang"
    talk.answers = chain(talk, failing, local=True)

    async def script(learner: Learner) -> None:
        await learner.quiet()
        await learner.say(sentence)
        await answered(learner, 1)

    clock.run(talk.held(script))
    assert sum(line in LINES.filler for line in talk.tts.said) == 4


def test_a_late_answer_is_not_announced_in_a_pause(talk: Talk, sentence: bytes) -> None:
    """All of it would be heard at once when the learner comes back."""
    failing = ScriptedLLM([REPLY])
    failing.fault = "hang"
    talk.answers = chain(talk, failing, local=True)

    async def script(learner: Learner) -> None:
        await learner.quiet()
        await learner.say(sentence)
        await learner.until(lambda: learner.count("state", state="thinking") > 0)
        await learner.client.send(protocol.Pause())
        await learner.say(SECOND * 20)
        await learner.client.send(protocol.Resume())
        await learner.quiet()

    clock.run(talk.held(script))
    assert talk.stored.turns[2].text
    assert not any(line in talk.tts.said for line in LINES.filler)


def test_nothing_is_announced_to_a_learner_who_goes_on(talk: Talk, sentence: bytes) -> None:
    """An answer that was prepared in vain may be as late as it likes."""
    talk.llm.first = 30.0
    talk.hello = protocol.Hello(exercise="entretien_embauche")
    talk.stt = ScriptedSTT(["Je cherche", "un poste", "de chef de projet", "dans une ville."])
    middle = 2 * quietest(np.frombuffer(sentence, "<i2"))

    async def script(learner: Learner) -> None:
        await learner.quiet()
        for _ in range(3):
            await learner.say(sentence[:middle])
            await learner.say(SECOND * 2)
        assert not any(line in talk.tts.said for line in LINES.filler)

    clock.run(talk.held(script))


def test_a_conversation_whose_only_model_is_dead_goes_on_by_the_exercise(
    talk: Talk, sentence: bytes
) -> None:
    """L01: it is told what happened; no turn is silent, and nothing is closed at the fourth."""
    talk.llm.replies = [APIStatusError("refused", status_code=401, retryable=False)]
    ends: list[float] = []

    async def script(learner: Learner) -> None:
        await learner.quiet()
        await turns(learner, sentence, ends, 5)

    ended = clock.run(talk.held(script))
    assert (ended.status, ended.reason) == ("complete", "learner")
    assert max(silences(talk.learner, ends)) <= 2.5
    assert talk.learner.said("notice", code="llm_authentication")
    answers = [turn.text for turn in talk.stored.turns if turn.speaker == "character"][1:]
    assert all(answer.startswith(LINES.no_answer) for answer in answers)
    assert len({answer.partition(". ")[2] for answer in answers}) == 5  # a new line each time


def test_the_exercise_stands_in_with_a_question_that_was_not_put_and_the_model_reads_it(
    talk: Talk, sentence: bytes
) -> None:
    """TC 44: the model is asked again at once when it is back."""
    steps = content.load().exercise(EXERCISE, "fr").scenario().script.steps
    gone = APIStatusError("gone", status_code=500)
    asked = steps[0].ask[0]
    model = ScriptedLLM([f"Enchantée. {asked}", gone, gone, "Merci, je vous retrouve."])
    talk.answers = chain(talk, model)
    ends: list[float] = []

    async def script(learner: Learner) -> None:
        await learner.quiet()
        await turns(learner, sentence, ends)

    clock.run(talk.held(script))
    answers = [turn.text for turn in talk.stored.turns if turn.speaker == "character"]
    assert answers[1] == f"Enchantée. {asked}"
    assert any(answers[2].endswith(line) for line in steps[1].ask)
    assert answers[3] == "Merci, je vous retrouve."
    read = [message.text_content for message in model.asked[-1].messages()]
    assert answers[2] in read
    changes = talk.learner.said("stage")
    assert [change.provider for change in changes] == ["script", "model 0"]  # type: ignore[union-attr]


@pytest.mark.parametrize("when", [0.1, 0.8, 2.0])
def test_a_learner_who_cuts_in_while_a_model_fails_is_answered_next(
    talk: Talk, sentence: bytes, when: float
) -> None:
    """In the middle of what announces an answer, before one, and in one."""
    model = ScriptedLLM([REPLY], fault="hang")
    talk.answers = chain(talk, model)

    async def script(learner: Learner) -> None:
        await learner.quiet()
        await learner.say(sentence)
        await learner.listening()
        await learner.say(bytes(2 * int(when * 16_000)))
        model.fault = "ok"
        await learner.say(sentence)
        await learner.until(lambda: learner.count("turn_stored", speaker="learner") == 2)
        await learner.until(lambda: REPLY in [turn.text for turn in shown(learner)])

    ended = clock.run(talk.held(script))
    assert (ended.status, ended.reason) == ("complete", "learner")
    assert talk.stored.turns[-1].text == REPLY
    assert model.open == 0


def shown(learner: Learner) -> list[Any]:
    return learner.said("caption", speaker="character", final=True)


@pytest.mark.parametrize("fault", ["stall", "close"])
@pytest.mark.parametrize("another", [True, False], ids=["model", "file"])
def test_a_break_after_the_first_clause_leaves_no_gap_over_2_5_seconds(
    talk: Talk, sentence: bytes, fault: Any, another: bool
) -> None:
    """L03: the shortest clause there is, and the next one from whoever is next."""
    model = ScriptedLLM(["Oui, je comprends bien."], fault=fault)
    next_one = ScriptedLLM(["Oui, je vous suis tout à fait."], first=0.6)
    talk.answers = chain(talk, model, *([next_one] if another else []))
    heard = bytearray()

    async def script(learner: Learner) -> None:
        await learner.quiet()
        await learner.say(sentence)
        before = len(learner.sound)
        await learner.quiet()
        heard.extend(learner.sound[before:])

    clock.run(talk.held(script))
    answer = talk.stored.turns[-1].text
    assert answer.startswith("Oui, ")
    assert no_word_twice(answer)
    if another:
        assert answer == "Oui, je vous suis tout à fait."
    assert longest_gap(bytes(heard)) <= 2.5
