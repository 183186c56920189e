"""Counts positive, negative and neutral words of what the learner said, for whoever develops
exercises: three figures per installation, kept of nobody.

It looks at the words alone, never at the voice, and says nothing of how anybody feels: inferring
emotions of people at work or in education from their voice or face is forbidden by the EU's AI Act,
Art. 5(1)(f), and would be no better founded in a score. Its figures reach no report, no score, no
prompt and no log; only the operator's metrics. It is off unless an operator enables it.
"""

import re
import unicodedata
from importlib.resources import files

from eloquence.plugins import Context, Options, Plugin

LANGUAGES = ("fr", "en")
_WORD = re.compile(r"[^\W\d_]+")


class Analysis:
    """The two lists of each language."""

    def __init__(self) -> None:
        self._signs = {language: read(language) for language in LANGUAGES}

    def learner_turn(self, text: str, context: Context) -> None:
        signs = self._signs[context.language]
        plain = unicodedata.normalize("NFC", text).casefold()
        for word in _WORD.findall(plain):
            context.count(signs.get(word, "neutral"))


def read(language: str) -> dict[str, str]:
    """`positive` or `negative`, by word: a line of the list begins with + or -."""
    text = (files("eloquence.plugins") / "lists" / f"sentiment.{language}.txt").read_text("utf-8")
    found = {}
    for line in text.splitlines():
        sign, words = line[:1], line[1:].split()
        if sign in _SIGNS:
            found.update(dict.fromkeys(words, _SIGNS[sign]))
    return found


_SIGNS = {"+": "positive", "-": "negative"}


def create(options: Options) -> Analysis:
    return Analysis()


plugin = Plugin(
    name="sentiment_analysis",
    create=create,
    takes=frozenset({"learner_turn"}),
    languages=frozenset(LANGUAGES),
)
