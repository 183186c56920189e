"""Hints: rare, short, on what is worked on, never in an exam."""

import re

import pytest
from pydantic import ValidationError

from eloquence.coaching.character import Language
from eloquence.coaching.hints import BLOCKED, EVERY, Hints
from eloquence.coaching.lines import HintLines
from eloquence.storage import content

LIBRARY = content.load()
LINES = HintLines(
    start=("Prenez votre temps.",),
    measures={"filled_pauses": ("Un silence, puis reprenez.", "Fermez la bouche.")},
    parts={"result": ("Le résultat ?",), "action": ("Votre action ?",)},
)


def hints(goal: str = "filled_pauses", *, offered: bool = True, exam: bool = False) -> Hints:
    return Hints(LINES, goal=goal, parts=("action", "result"), offered=offered, exam=exam)


def test_a_hint_is_offered_only_after_five_seconds_of_silence() -> None:
    assert hints().offer(10.0, BLOCKED) is None
    hint = hints().offer(10.0, BLOCKED + 0.5)
    assert hint is not None
    assert hint.about == "filled_pauses"


def test_a_new_hint_comes_once_a_minute_at_most() -> None:
    given = hints()
    shown: list[float] = []
    for second in range(300):
        hint = given.offer(float(second), 10.0)
        if hint is not None:
            given.gave(hint, float(second))
            shown.append(second)
    assert shown == [0, 60, 120, 180, 240]


def test_who_asks_again_within_the_minute_is_told_the_same_hint() -> None:
    given = hints()
    first = given.asked(3.0)
    assert first is not None
    given.gave(first, 3.0)
    assert given.asked(20.0) == first
    given.gave(first, 20.0)
    later = given.asked(3.0 + EVERY)
    assert later is not None
    assert later != first


def test_an_easy_question_wants_no_part_of_an_answer() -> None:
    given = hints(goal="")
    easy = given.asked(3.0, warm_up=True)
    assert easy is not None
    assert easy.about == "start"
    given.gave(easy, 3.0)
    later = given.asked(3.0 + EVERY)
    assert later is not None
    assert later.about == "action"


def test_hints_go_through_the_goal_and_the_parts_and_then_say_it_otherwise() -> None:
    given = hints()
    about, texts = [], []
    for turn in range(4):
        hint = given.asked(turn * EVERY)
        assert hint is not None
        given.gave(hint, turn * EVERY)
        about.append(hint.about)
        texts.append(hint.text)
    assert about == ["filled_pauses", "action", "result", "filled_pauses"]
    assert texts[0] != texts[3]


def test_without_goal_and_parts_the_hint_helps_one_to_begin() -> None:
    hint = Hints(LINES, goal="unknown").asked(0.0)
    assert hint is not None
    assert hint.about == "start"


def test_one_who_wants_none_gets_one_only_by_asking() -> None:
    given = hints(offered=False)
    assert given.offer(100.0, 60.0) is None
    assert given.asked(100.0) is not None


def test_in_an_exam_there_is_none_even_when_asked_for() -> None:
    assert hints(exam=True).offer(100.0, 60.0) is None
    assert hints(exam=True).asked(100.0) is None


@pytest.mark.parametrize("text", ["Respirez.", "Un conseil bien trop long pour être lu vite."])
def test_a_hint_has_two_to_six_words(text: str) -> None:
    with pytest.raises(ValidationError, match="2 to 6 words"):
        HintLines(start=(text,), measures={}, parts={})


@pytest.mark.parametrize("language", content.LANGUAGES)
def test_each_measure_that_can_be_a_goal_and_each_part_has_a_hint(language: Language) -> None:
    lines, norms = LIBRARY.lines(language).hints, LIBRARY.norms(language)
    scored = {name for name, norm in norms.measures.items() if norm.bands}
    assert scored <= set(lines.measures)
    for exercise in LIBRARY.exercises(language):
        assert exercise.parts, exercise.id
        assert set(exercise.parts) <= set(lines.parts), exercise.id


def test_both_languages_have_the_same_hints() -> None:
    french, english = LIBRARY.lines("fr").hints, LIBRARY.lines("en").hints
    assert set(french.measures) == set(english.measures)
    assert set(french.parts) == set(english.parts)


def test_french_lines_keep_french_typography() -> None:
    lines = LIBRARY.lines("fr")
    texts = [
        *(text for group in lines.hints.measures.values() for text in group),
        *(text for group in lines.hints.parts.values() for text in group),
        *(text for group in (lines.warm_up.open, lines.warm_up.more) for text in group),
        *lines.microphone.values(),
        *(text for group in lines.practice.model_dump().values() for text in group),
    ]
    for exercise in LIBRARY.exercises("fr"):
        texts += [
            text
            for demand in exercise.levels
            for kind, group in demand.model_dump().items()
            if kind != "prompt"
            for text in group
        ]
    for text in texts:
        assert not re.search(r"[^\u00a0][;:!?»]", text), text
        assert not re.search(r"«[^\u00a0]", text), text
        assert "'" not in text, text
