"""A question about an answer, by its words alone."""

import re
from collections.abc import Mapping, Sequence
from typing import Literal

Language = Literal["fr", "en"]

_CAUSE: Mapping[Language, str] = {
    "fr": r"\b(?:parce qu|car\b|puisqu)",
    "en": r"\b(?:because|since)\b",
}
_ABSOLUTE: Mapping[Language, str] = {
    "fr": r"\b(?:toujours|jamais|tout le monde|personne|tous|toutes)\b",
    "en": r"\b(?:always|never|everybody|everyone|nobody|all)\b",
}
_NOTHING: Mapping[Language, str] = {
    "fr": "Je vous écoute : quelle est la première chose qui vous vient ?",
    "en": "I am listening: what is the first thing that comes to mind?",
}
_OF_CAUSE: Mapping[Language, Sequence[str]] = {
    "fr": (
        "Et si cette raison n’existait pas, qu’est-ce qui changerait ?",
        "Comment savez-vous que c’est bien là la raison ?",
    ),
    "en": (
        "And if that reason did not exist, what would change?",
        "How do you know that this is the reason?",
    ),
}
_OF_ABSOLUTE: Mapping[Language, Sequence[str]] = {
    "fr": ("Connaissez-vous une exception ? Laquelle ?", "Sans exception ? Donnez-moi un exemple."),
    "en": ("Do you know an exception? Which one?", "Without exception? Give me an example."),
}
_OF_ANYTHING: Mapping[Language, Sequence[str]] = {
    "fr": (
        "Vous dites « {said} ». Qu’entendez-vous par là ?",
        "« {said} » : qu’est-ce qui vous le fait penser ?",
        "Que répondriez-vous à quelqu’un qui dirait le contraire de « {said} » ?",
        "Si « {said} » est vrai, qu’est-ce qui en découle ?",
    ),
    "en": (
        "You say “{said}”. What do you mean by that?",
        "“{said}”: what makes you think so?",
        "What would you answer to somebody who said the opposite of “{said}”?",
        "If “{said}” is true, what follows from it?",
    ),
}


def question(answer: str, language: Language, number: int, *, longest: int) -> str:
    """The question about the answer, the `number`th of a conversation (from 1): the same words and
    number give the same one. At most `longest` words are quoted."""
    said = _last_sentence(answer)
    if not said:
        return _NOTHING[language]
    asked = _OF_ANYTHING[language]
    if re.search(_CAUSE[language], said, re.IGNORECASE):
        asked = _OF_CAUSE[language]
    elif re.search(_ABSOLUTE[language], said, re.IGNORECASE):
        asked = _OF_ABSOLUTE[language]
    return asked[(number - 1) % len(asked)].format(said=_quoted(said, longest))


def _last_sentence(answer: str) -> str:
    sentences = [one.strip(" \t\n\u00a0,;:") for one in re.split(r"[.!?…]+", answer)]
    return next((one for one in reversed(sentences) if one), "")


def _quoted(said: str, longest: int) -> str:
    words = said.split()
    return " ".join(words) if len(words) <= longest else "… " + " ".join(words[-longest:])
