"""Drills and second tries: made of an exercise, run to their close, and what they refer to."""

import pytest

from eloquence.coaching.character import Language
from eloquence.coaching.practice import (
    drill_exercise,
    favourite_tic,
    forbids_word,
    question_before,
    retry_exercise,
    uses,
)
from eloquence.coaching.script import Conductor, Heard
from eloquence.coaching.session import Phase, Speaker, Turn
from eloquence.delivery.words import Word
from eloquence.storage import content

LIBRARY = content.load()
DRILLS = [
    (language, drill)
    for language in content.LANGUAGES
    for drill in LIBRARY.phrases(language).drills
]


def turn(index: int, speaker: Speaker, text: str, phase: Phase = "exercise") -> Turn:
    words = tuple(Word(word, n * 0.3, n * 0.3 + 0.3) for n, word in enumerate(text.split()))
    return Turn(
        index=index, speaker=speaker, start=0, end=1, text=text, phase=phase,
        words=words if speaker == "learner" else None,
    )  # fmt: skip


@pytest.mark.parametrize(("language", "drill"), DRILLS, ids=lambda part: getattr(part, "id", part))
def test_every_drill_runs_to_its_close(language: Language, drill: object) -> None:
    found = LIBRARY.phrases(language).drill(drill.id)  # type: ignore[attr-defined]
    assert found is not None
    lines = LIBRARY.lines(language)
    exercise = LIBRARY.exercise("entretien_embauche", language)
    made, scene = drill_exercise(found, exercise, exercise.scenario(), lines)
    assert (made.id, scene.id) == (exercise.id, exercise.scenario().id)
    assert 60 <= made.duration_minutes * 60 <= 120
    assert not made.levels_of(scene)
    coach = Conductor(made, scene, language)
    assert coach.opening() == found.spoken
    assert coach.reply(Heard(seconds=10)).text in lines.practice.go_on
    last = coach.reply(Heard(seconds=found.seconds))
    assert last.done
    assert last.text in lines.practice.drill_close


def test_a_drill_that_is_said_to_be_over_is_not_asked_to_go_on() -> None:
    drill = LIBRARY.phrases("fr").drills[0]
    exercise = LIBRARY.exercise("entretien_embauche", "fr")
    made, scene = drill_exercise(drill, exercise, exercise.scenario(), LIBRARY.lines("fr"))
    assert Conductor(made, scene, "fr").reply(Heard(seconds=10, finished=True)).done


def test_a_drill_that_nobody_fills_ends_all_the_same() -> None:
    drill = LIBRARY.phrases("fr").drills[0]
    exercise = LIBRARY.exercise("entretien_embauche", "fr")
    made, scene = drill_exercise(drill, exercise, exercise.scenario(), LIBRARY.lines("fr"))
    coach = Conductor(made, scene, "fr")
    replies = [coach.reply(Heard(seconds=2)) for _ in range(4)]
    assert [reply.done for reply in replies] == [False, False, False, True]
    assert len({reply.text for reply in replies}) == 4


def test_the_forbidden_word_is_the_learner_s_own_and_is_named() -> None:
    turns = [
        turn(0, "character", "du coup du coup du coup du coup"),
        turn(1, "learner", "en fait je suis parti et du coup voilà du coup j'ai changé"),
    ]
    word = favourite_tic(turns, LIBRARY.lexicon("fr"))
    assert word == "du coup"
    assert favourite_tic([turn(0, "learner", "je suis parti")], LIBRARY.lexicon("fr")) == ""
    forbidding = [drill for drill in LIBRARY.phrases("fr").drills if forbids_word(drill)]
    (drill,) = forbidding
    exercise = LIBRARY.exercise("entretien_embauche", "fr")
    lines = LIBRARY.lines("fr")
    _, scene = drill_exercise(drill, exercise, exercise.scenario(), lines, word)
    assert "«\u00a0du coup\u00a0»" in scene.prompts.initial


@pytest.mark.parametrize(
    ("text", "word", "count"),
    [
        ("Du coup, je pars. Du coup ?", "du coup", 2),
        ("le coup du coupable", "du coup", 0),
        ("Voilà, voilà.", "voilà", 2),
        ("", "du coup", 0),
        ("du coup", "", 0),
    ],
)
def test_uses_of_a_word_are_counted_as_whole_words(text: str, word: str, count: int) -> None:
    assert uses(text, word) == count


TURNS = [
    turn(0, "character", "Qu’aimez-vous ?", "warm_up"),
    turn(1, "learner", "Les jardins.", "warm_up"),
    turn(2, "character", "Merci, passons à l’exercice.", "warm_up"),
    turn(3, "learner", "oui"),
    turn(4, "character", "Parlez-moi d’une réussite."),
    turn(5, "character", LIBRARY.lines("fr").silence[0]),
    turn(6, "character", LIBRARY.lines("fr").hints.parts["result"][0]),
    turn(6, "character", "J’attends votre réponse."),
    turn(7, "learner", "J’ai réduit le délai."),
    turn(8, "learner", "De moitié."),
]


@pytest.mark.parametrize(
    ("index", "question"),
    [
        (7, "Parlez-moi d’une réussite."),
        (8, "Parlez-moi d’une réussite."),
        (3, ""),
        (1, None),
        (4, None),
        (99, None),
    ],
)
def test_the_question_before_an_answer_is_found(index: int, question: str | None) -> None:
    levels = LIBRARY.exercise("entretien_embauche", "fr").levels
    assert question_before(TURNS, index, LIBRARY.lines("fr"), levels) == question


def test_a_second_try_closes_after_one_answer_and_repeats_the_question_when_asked() -> None:
    lines = LIBRARY.lines("fr")
    exercise = LIBRARY.exercise("entretien_embauche", "fr")
    made, scene = retry_exercise("Votre réussite ?", exercise, exercise.scenario(), lines)
    coach = Conductor(made, scene, "fr")
    assert coach.opening().endswith("Votre réussite ?")
    assert coach.reply(Heard("Pouvez-vous répéter ?", 1.5)).text.endswith("Votre réussite ?")
    assert coach.reply(Heard("Euh…", 1.0)).text in lines.practice.go_on
    last = coach.reply(Heard("J’ai réduit le délai.", 6.0))
    assert last.done
    assert last.text in lines.practice.retry_close
