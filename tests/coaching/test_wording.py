"""Figures of words that are shown and never scored."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from eloquence.coaching.report import Measure, Report
from eloquence.coaching.session import Turn
from eloquence.delivery.words import Word

Assess = Callable[..., Report]

STORY = (
    "J'ai réduit de trente pour cent les coûts du projet à Lyon, en mars. D'abord, j'ai parlé avec "
    "Claire. Ensuite, nous avons, nous avons revu le le budget, parce que les délais étaient trop "
    "longs. Je pense que c'est peut-être un petit début. Par exemple, on a gagné deux jours. "
)


def turn(text: str, *, rate: float = 2.8) -> Turn:
    """A turn of words at so many per second, with a breath after each sentence."""
    words, clock = [], 0.0
    for word in text.split():
        words.append(Word(word, round(clock, 3), round(clock + 0.9 / rate, 3)))
        clock += 1 / rate + (0.5 if word.endswith(".") else 0.0)
    return Turn(index=0, speaker="learner", start=0.0, end=clock, text=text, words=tuple(words))


def measures(report: Report) -> dict[str, Measure]:
    return {measure.id: measure for measure in report.measures}


def test_the_words_of_a_session_have_their_figures(assessed: Assess) -> None:
    found = measures(assessed([turn(STORY * 3)]))
    assert found["concreteness"].value == pytest.approx(100 * 6 * 3 / 171, abs=1.5)
    assert found["connectives"].value == 4  # d'abord, ensuite, parce que, par exemple
    assert found["minimisers"].value == pytest.approx(100 * 3 / 171, abs=0.3)
    assert found["own_share"].value == pytest.approx(3 / 6)
    assert found["hedge_stacks"].value == pytest.approx(1 / 5)
    assert found["repairs"].value == 0
    assert found["readability"].value is not None
    assert 60 < found["readability"].value < 110
    assert found["variety"].percent
    assert all(found[name].unit for name in ("concreteness", "connectives", "readability"))


def test_open_questions_are_a_share_of_all(assessed: Assess) -> None:
    asked = "Comment travaillez-vous ici ? Vous venez demain ? Pourquoi ce choix ? "
    spoken = turn(asked.replace(" ?", "?"))
    assert measures(assessed([spoken]))["open_questions"].value == pytest.approx(2 / 3, abs=1e-3)
    assert measures(assessed([turn(STORY)]))["open_questions"].value is None


def test_what_a_figure_lacks_is_told(assessed: Assess) -> None:
    few = measures(assessed([turn(STORY)]))
    plain = measures(assessed([turn(STORY.replace(".", "").replace(",", "") * 3)]))
    for name in ("concreteness", "connectives", "own_share", "repairs", "hedge_stacks"):
        assert few[name].value is None
        assert few[name].reason
    assert plain["hedge_stacks"].value is None
    assert plain["hedge_stacks"].reason != few["hedge_stacks"].reason
    assert plain["concreteness"].value is not None


def test_no_word_has_no_figure(assessed: Assess) -> None:
    found = measures(assessed([]))
    assert found["variety"].value is None
    assert found["rate_variation"].value is None


@pytest.mark.parametrize("name", ["repairs", "held_words", "swallowed_words", "rate_variation"])
def test_a_speech_difference_has_no_figures_of_hesitation(assessed: Assess, name: str) -> None:
    turns: Sequence[Any] = [turn(STORY * 3)]
    assert name in measures(assessed(turns))
    assert name not in measures(assessed(turns, profile="speech_difference"))
    assert "connectives" in measures(assessed(turns, profile="speech_difference"))
