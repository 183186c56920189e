"""Joining an answer that broke off with its continuation: no word twice, none lost (L03)."""

import random

import pytest

from eloquence.conversation.fallback.seam import Seam

SAID = "Très bien, merci à vous. Parlons de vous, "


def joined(continuation: str, piece: int = 3, said: str = SAID) -> str:
    """What is new in a continuation that comes in pieces of so many characters."""
    seam = Seam(said)
    ends = range(0, len(continuation), piece)
    return "".join(seam.push(continuation[at : at + piece]) for at in ends) + seam.flush()


@pytest.mark.parametrize("piece", [1, 3, 1_000])
@pytest.mark.parametrize(
    ("continuation", "new"),
    [
        ("de votre travail.", "de votre travail."),
        (f"{SAID}de votre travail.", "de votre travail."),
        ("TRES BIEN merci à vous ! Parlons de vous… de votre travail.", "de votre travail."),
        ("Parlons de vous, de votre travail.", "de votre travail."),
        ("vous, de votre travail.", "de votre travail."),
        ("Très bien, merci à vous. Et sinon ?", "Et sinon ?"),
        ("Très bien, je vous remercie.", "je vous remercie."),
        (SAID.strip(), ""),
        ("Très bien.", ""),
        ("", ""),
    ],
)
def test_what_was_said_is_taken_away(continuation: str, new: str, piece: int) -> None:
    assert joined(continuation, piece) == new


@pytest.mark.parametrize(
    "continuation", ["vous avez raison.", "Merci.", "Très souvent, oui.", "et vous ?", "Bien sûr."]
)
def test_words_that_are_alike_by_chance_stay(continuation: str) -> None:
    assert joined(continuation) == continuation


def test_marks_that_belong_to_what_was_said_go_with_it() -> None:
    assert joined("Comment allez-vous ? Bien ?", said="Comment allez-vous\u00a0? ") == "Bien ?"


def test_without_anything_said_all_of_it_is_new() -> None:
    assert joined("Très bien.", said="") == "Très bien."


def test_wherever_it_begins_again_the_whole_is_said_once() -> None:
    chance = random.Random(3)
    words = [f"mot{number}" for number in range(13)]
    for _ in range(2_000):
        marks = [chance.choice(("", "", "", ",", ".")) for _ in words]
        cut = chance.randint(1, len(words) - 1)
        marks[cut - 1] = chance.choice(",.")  # what was passed on is whole clauses
        text = [word + mark for word, mark in zip(words, marks, strict=True)]
        again = chance.choice((cut, 0, chance.randint(0, max(0, cut - 2))))
        said = " ".join(text[:cut]) + " "
        new = joined(" ".join(text[again:]), chance.randint(1, 9), said)
        assert (said + new).split() == text
