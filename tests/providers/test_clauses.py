"""Cutting text that is still being written."""

from hypothesis import given
from hypothesis import strategies as st
from livekit.agents.types import TimedString

from eloquence.conversation.clauses import MOST, Clauses
from eloquence.providers._clause_speech import plain, timed_words


def cut(*pieces: str) -> list[str]:
    clauses = Clauses()
    found = [clause.text for piece in pieces for clause in clauses.push(piece)]
    return found + [clause.text for clause in clauses.flush()]


def test_a_clause_is_given_out_as_soon_as_it_is_complete() -> None:
    clauses = Clauses()
    assert clauses.push("Bonjour,") == []
    (first,) = clauses.push(" je")
    assert first.text == "Bonjour, "
    assert first.pause == 0.16
    assert clauses.push(" suis Marie") == []
    (second,) = clauses.push(". Et")
    assert second.text == "je suis Marie. "
    assert second.pause == 0.38


def test_french_marks_stay_with_their_clause() -> None:
    assert cut("Vraiment\u00a0? Oui\u00a0!") == ["Vraiment\u00a0? ", "Oui\u00a0!"]
    assert cut("Il a dit «\u00a0oui.\u00a0» Bien.") == ["Il a dit «\u00a0oui.\u00a0» ", "Bien."]


def test_numbers_and_abbreviations_are_not_cut() -> None:
    assert cut("Il fait 3,5 degrés à 10:30.") == ["Il fait 3,5 degrés à 10:30."]
    assert cut("M. Dupont et Mme. Roy sont là. Bien.") == [
        "M. Dupont et Mme. Roy sont là. ",
        "Bien.",
    ]


def test_short_clauses_inside_a_sentence_are_said_in_one_breath() -> None:
    assert cut("Bonjour, oui, non, bien sûr, allons-y maintenant. Fin.") == [
        "Bonjour, ",
        "oui, non, bien sûr, ",
        "allons-y maintenant. ",
        "Fin.",
    ]


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=60), max_size=12))
def test_the_clauses_together_are_the_text(pieces: list[str]) -> None:
    found = cut(*pieces)
    assert "".join(found) == "".join(pieces)
    assert all(0 < len(clause.rstrip()) <= MOST + 1 or not clause.strip() for clause in found)


@given(st.text(max_size=200))
def test_what_no_voice_can_say_becomes_spaces_at_the_same_places(text: str) -> None:
    sayable = plain(text)
    assert len(sayable) == len(text)
    assert not set(sayable) & set("*_#`<>[]{}\x00")


def test_words_are_timed_and_marks_go_with_the_word_before() -> None:
    words = timed_words("Ça coûte 60 € !", [(0, 0.0), (3, 0.2), (9, 0.5)], 1.0, 2.0)
    assert words == ["Ça ", "coûte ", "60 € !"]
    assert all(isinstance(word, TimedString) for word in words)
    assert [(word.start_time, word.end_time) for word in words] == [
        (1.0, 1.2),
        (1.2, 1.5),
        (1.5, 2.0),
    ]


@given(st.text(max_size=60), st.lists(st.tuples(st.integers(0, 60), st.floats(0, 5))))
def test_timed_words_together_are_the_text(text: str, starts: list[tuple[int, float]]) -> None:
    assert "".join(timed_words(text, sorted(starts), 0.0, 5.0)) == (text if text.strip() else "")
