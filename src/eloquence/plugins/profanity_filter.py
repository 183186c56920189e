"""Keeps coarse words out of what the coach says and, if wanted, out of the learner's captions.

The words are in `lists/profanity.<language>.txt`, one to a line, each with a milder one after `=`
where there is one. Words are compared whole, whatever their case, accents and drawn-out letters.
"""

import re
import unicodedata
from collections.abc import Mapping
from importlib.resources import files
from typing import Literal

from eloquence.plugins import Context, Options, Plugin

LANGUAGES = ("fr", "en")
SILENCE = "…"
"""Stands for a word that has no milder one: a voice makes a short pause of it."""


class Filtering(Options):
    """`style`: a milder word is said, or the word is written with asterisks, which a voice leaves
    out. `captions`: what the learner said is treated the same way in the captions and for the
    language model; what is stored and scored stays as it was said. `words` are filtered besides
    those of the list, `allowed` are not."""

    style: Literal["euphemism", "asterisks"] = "euphemism"
    captions: bool = False
    words: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()


class Filter:
    """One conversation's filter."""

    def __init__(self, options: Filtering) -> None:
        self._asterisks = options.style == "asterisks"
        self._lists = {language: _List(language, options) for language in LANGUAGES}

    def coach_turn(self, text: str, context: Context) -> str | None:
        return self._filtered(text, context)

    def _filtered(self, text: str, context: Context) -> str | None:
        known = self._lists[context.language]
        found = known.found(text)
        for start, end, word in reversed(found):
            said = text[start:end]
            text = text[:start] + self._instead(said, known.milder.get(word, "")) + text[end:]
        if found:
            context.count("words", len(found))
        return text if found else None

    def _instead(self, said: str, milder: str) -> str:
        if self._asterisks:
            return said[0] + "*" * (len(said) - 1)
        if not milder:
            return SILENCE
        if len(said) > 1 and said.isupper():
            return milder.upper()
        return milder[0].upper() + milder[1:] if said[0].isupper() else milder


class FilterOfBoth(Filter):
    """The same, for the learner's words too."""

    def learner_turn(self, text: str, context: Context) -> str | None:
        return self._filtered(text, context)


class _List:
    """The words of one language. `milder` is by the folded word."""

    def __init__(self, language: str, options: Filtering) -> None:
        self.milder: Mapping[str, str] = {
            **read(language),
            **dict.fromkeys(map(_plainly, options.words), ""),
        }
        allowed = {_plainly(word) for word in options.allowed}
        words = sorted((word for word in self.milder if word not in allowed), key=len, reverse=True)
        self._words = {_plain_letters(word): word for word in reversed(words)}
        drawn = "|".join(_drawn(word) for word in words)
        self._pattern = re.compile(rf"(?<![^\W_])(?:{drawn})(?![^\W_])") if words else None

    def found(self, text: str) -> list[tuple[int, int, str]]:
        """Where each such word is in the text, and which one it is."""
        if self._pattern is None:
            return []
        folded, places = _folded(text)
        return [
            (places[one.start()], places[one.end() - 1] + 1, self._word(one.group()))
            for one in self._pattern.finditer(folded)
        ]

    def _word(self, said: str) -> str:
        return self._words.get(_plain_letters(said), said)


def read(language: str) -> dict[str, str]:
    """The list of a language: folded words, with a milder one or nothing."""
    text = (files("eloquence.plugins") / "lists" / f"profanity.{language}.txt").read_text("utf-8")
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    pairs = (line.partition("=") for line in lines if line)
    return {_plainly(word): milder.strip() for word, _, milder in pairs}


def _folded(text: str) -> tuple[str, list[int]]:
    """The text in small letters without accents, and of each of its letters the place in the
    text."""
    letters, places = [], []
    for place, letter in enumerate(text):
        for part in unicodedata.normalize("NFKD", _LIGATURES.get(letter, letter)):
            if not unicodedata.combining(part):
                letters.append(_APOSTROPHES.get(part, part).casefold()[:1])
                places.append(place)
    return "".join(letters), places


_LIGATURES = {"œ": "oe", "Œ": "oe", "æ": "ae", "Æ": "ae"}
_APOSTROPHES = {"’": "'"}


def _plainly(word: str) -> str:
    return " ".join(_folded(word.strip())[0].split())


def _plain_letters(word: str) -> str:
    """The word as it is compared: a letter that is drawn out counts once."""
    return re.sub(r"(.)\1+", r"\1", re.sub(r"[\s-]+", " ", word))


def _drawn(word: str) -> str:
    """A pattern that finds the word, with letters drawn out, and with other spaces. A letter that
    the word has twice is one part of it: two parts that take the same letters would try each way
    to share a long run of them."""
    runs = [run.group() for run in re.finditer(r"(.)\1*", word)]
    parts = [r"[\s-]+" if run[0] == " " else f"{re.escape(run[0])}{{{len(run)},}}" for run in runs]
    return "".join(parts)


def create(options: Filtering) -> Filter:
    return FilterOfBoth(options) if options.captions else Filter(options)


plugin = Plugin(
    name="profanity_filter",
    create=create,
    changes=frozenset({"coach_turn", "learner_turn"}),
    options=Filtering,
    required=True,
    languages=frozenset(LANGUAGES),
)
