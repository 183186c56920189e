"""What a learner asks to practise, found in the library and in the session that it belongs to."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.bootstrap.takes import answer, keep, question, session

from eloquence.bootstrap import Eloquence, opened
from eloquence.bootstrap.practice import Practice, practice
from eloquence.bootstrap.stages import choose, conducted
from eloquence.coaching.session import Turn
from eloquence.config import load
from eloquence.delivery.words import Word
from eloquence.errors import ContentError, EloquenceError, SessionCreationError
from eloquence.protocol import Hello


@pytest.fixture
async def eloquence(tmp_path: Path) -> AsyncIterator[Eloquence]:
    async with opened(load(data=tmp_path)) as product:
        warm_up = question(0, text="Où allez-vous ?").model_copy(update={"phase": "warm_up"})
        easy = answer(1, 3.0, 1).model_copy(update={"phase": "warm_up"})
        tics = tuple(
            Word(text, 100 + n * 0.3, 100.3 + n * 0.3)
            for n, text in enumerate(["du", "coup", "je", "pars", "et", "du", "coup", "voilà"])
        )
        await keep(
            product.store,
            session("s1", exercise="entretien_embauche", scenario="motivation"),
            warm_up,
            easy,
            question(2, 60.0, "Parlez-moi d’une réussite."),
            answer(3, 63.0, 2),
            Turn(
                index=4,
                speaker="learner",
                start=100,
                end=103,
                words=tics,
                text=" ".join(word.text for word in tics),
            ),
        )
        yield product


async def asked(eloquence: Eloquence, **hello: object) -> Practice:
    given = Hello.model_validate({"exercise": "conversation_libre_marie", **hello})
    return await practice(given, eloquence.library, eloquence.store)


async def test_a_whole_exercise_is_that_of_the_library(eloquence: Eloquence) -> None:
    found = await asked(eloquence, exercise="entretien_embauche", scenario="motivation")
    assert (found.exercise.id, found.scenario.id) == ("entretien_embauche", "motivation")
    assert (found.purpose, found.task, found.duration) == ("exercise", "", 7 * 60)


async def test_a_second_try_puts_the_question_of_that_turn_again(eloquence: Eloquence) -> None:
    found = await asked(eloquence, of="s1", retry=3)
    assert (found.exercise.id, found.scenario.id) == ("entretien_embauche", "motivation")
    assert (found.purpose, found.task) == ("retry", "Parlez-moi d’une réussite.")
    assert found.scenario.prompts.initial.endswith(found.task)


async def test_a_drill_forbids_the_word_that_the_learner_used_most(eloquence: Eloquence) -> None:
    found = await asked(eloquence, of="s1", drill="mot_interdit")
    assert (found.purpose, found.forbidden) == ("drill", "du coup")
    assert "«\u00a0du coup\u00a0»" in found.task
    other = await asked(eloquence, of="s1", drill="phrase_pleine")
    assert other.forbidden == ""
    assert other.duration == eloquence.library.phrases("fr").drill("phrase_pleine").seconds  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("hello", "kind", "mend"),
    [
        ({"of": "s1", "drill": "nage"}, ContentError, "phrase_pleine"),
        ({"of": "gone", "retry": 3}, EloquenceError, ""),
        ({"of": "s1", "retry": 99}, SessionCreationError, "own turns"),
        ({"of": "s1", "retry": 1}, SessionCreationError, "warm-up"),
        ({"of": "s1", "retry": 2}, SessionCreationError, "own turns"),
        ({"retry": 3}, SessionCreationError, "report"),
        ({"drill": "phrase_pleine"}, SessionCreationError, "report"),
        ({"of": "s1", "drill": "phrase_pleine", "retry": 3}, SessionCreationError, "Choose one"),
        ({"scenario": "nage"}, ContentError, "It has"),
    ],
)
async def test_what_cannot_be_practised_is_refused_with_a_mend(
    eloquence: Eloquence, hello: dict[str, object], kind: type[EloquenceError], mend: str
) -> None:
    with pytest.raises(kind) as refused:
        await asked(eloquence, **hello)
    assert mend in refused.value.mend
    assert "réussite" not in str(refused.value)


def test_drills_are_conducted_by_the_offline_coach_whatever_model_is_chosen() -> None:
    settings = load(llm={"provider": "openai", "model": "m", "base_url": "http://127.0.0.1:9/v1"})
    chosen = choose(settings, "llm", "fr")
    assert chosen.provider.name == "openai"
    assert conducted(chosen, "fr").provider.name == "script"
