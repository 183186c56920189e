"""Hesitation in words."""

import pytest

from eloquence.delivery import disfluency
from eloquence.delivery.words import Word


def said(text: str) -> list[Word]:
    return [Word(word, index * 0.4, index * 0.4 + 0.3) for index, word in enumerate(text.split())]


def test_a_filled_pause_inside_a_sentence_weighs_twice_one_before_it() -> None:
    found = disfluency.filled_pauses(said("Euh je pense. Euh que le euh budget"), {"euh"})
    assert [filler.index for filler in found] == [0, 3, 6]
    assert [filler.weight for filler in found] == [0.5, 0.5, 1.0]


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("je je pense", [(1, 1)]),
        ("je euh je pense", [(2, 2)]),
        ("dans le dans le parc", [(2, 3)]),
        ("le le le chat", [(1, 1), (2, 2)]),
        ("c'est très très bien", []),
        ("il y a 2 2 chats", []),
        ("Je viens. Viens ici", []),
        ("le chat dort", []),
    ],
)
def test_repetitions_are_found_unless_they_are_meant(
    text: str, places: list[tuple[int, int]]
) -> None:
    found = disfluency.repetitions(said(text), emphatic={"très très"}, fillers={"euh"})
    assert found == places


def test_the_longest_phrase_is_found_first_and_none_twice() -> None:
    found = disfluency.phrases(
        said("Du coup, en fait du vin du coup"), {"du coup", "en fait", "du"}
    )
    assert found == [("du coup", 0, 1), ("en fait", 2, 3), ("du", 4, 4), ("du coup", 6, 7)]


def test_counts_per_hundred_words_need_words() -> None:
    assert disfluency.per_hundred_words(3, 60) == 5
    assert disfluency.per_hundred_words(0, 0) is None
