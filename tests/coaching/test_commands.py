"""What can be asked of the coach by voice, and what is only part of an answer."""

import pytest

from eloquence.coaching.character import Language
from eloquence.coaching.commands import Command, command


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("fr", "Aide-moi.", "help"),
        ("fr", "euh… aidez-moi, s’il vous plaît", "help"),
        ("fr", "Je suis bloquée.", "help"),
        ("fr", "Pause !", "pause"),
        ("fr", "Bon, on fait une pause ?", "pause"),
        ("fr", "Recommencer", "restart"),
        ("fr", "Non, pardon, on recommence depuis le début.", "restart"),
        ("fr", "Répète", "repeat"),
        ("fr", "Pouvez-vous répéter la question, madame ?", "repeat"),
        ("fr", "Fin.", "stop"),
        ("fr", "Stop, merci.", "stop"),
        ("fr", "bon, je voudrais arrêter maintenant", "stop"),
        ("en", "Help me, please.", "help"),
        ("en", "I'm stuck", "help"),
        ("en", "can we take a break?", "pause"),
        ("en", "OK, start over.", "restart"),
        ("en", "Sorry, could you repeat that?", "repeat"),
        ("en", "That's all for today, thanks.", "stop"),
    ],
)
def test_a_request_is_understood(language: Language, text: str, expected: Command) -> None:
    assert command(text, language) == expected


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("fr", ""),
        ("fr", "…"),
        ("fr", "Aidez-moi à comprendre vos contraintes."),
        ("fr", "J’aide mes collègues depuis dix ans."),
        ("fr", "Je recommence à peine à travailler."),
        ("fr", "J’ai fait une pause de deux ans dans ma carrière."),
        ("fr", "À la fin, nous avons livré à temps."),
        ("fr", "J’ai dû répéter ma présentation dix fois."),
        ("fr", "J’ai dit au revoir à mon équipe et je suis partie pour Lyon un lundi matin."),
        ("en", "Can you help me understand your budget?"),
        ("en", "I had to start over after the merger."),
        ("en", "We paused the project."),
        ("en", "In the end we won."),
    ],
)
def test_the_same_words_in_an_answer_ask_for_nothing(language: Language, text: str) -> None:
    assert command(text, language) is None
