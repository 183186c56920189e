"""What Socrates asks: `python -m pytest examples/eloquence-provider-socrates/tests`."""

import pytest
from eloquence_socrates.questions import Language, question


@pytest.mark.parametrize(
    ("answer", "language", "asked"),
    [
        ("Je suis prêt.", "fr", "Vous dites « Je suis prêt ». Qu’entendez-vous par là ?"),
        ("Bonjour. Je suis prêt", "fr", "Vous dites « Je suis prêt ». Qu’entendez-vous par là ?"),
        ("I am ready!", "en", "You say “I am ready”. What do you mean by that?"),
        ("Je pars parce qu’il le faut.", "fr", "Et si cette raison n’existait pas"),
        ("Everybody knows it.", "en", "Do you know an exception?"),
        ("…", "fr", "Je vous écoute"),
        ("", "en", "I am listening"),
    ],
)
def test_each_answer_has_its_question(answer: str, language: Language, asked: str) -> None:
    assert question(answer, language, 1, longest=12).startswith(asked)


def test_the_same_answer_is_asked_about_otherwise_the_next_time() -> None:
    asked = [question("Je suis prêt.", "fr", number, longest=12) for number in range(1, 6)]
    assert len(set(asked)) == 4
    assert asked[4] == asked[0]


def test_a_long_answer_is_quoted_by_its_end() -> None:
    answer = " ".join(f"mot{number}" for number in range(40))
    assert "« … mot37 mot38 mot39 »" in question(answer, "fr", 1, longest=3)
