"""Joining an answer that broke off with its continuation by another model."""

import re
import unicodedata
from collections.abc import Sequence

_WORD = re.compile(r"\S+\s*")
_CHANCE = 3
"""Words alike that may be chance, where no clause ends with them."""


class Seam:
    """Takes away what a continuation repeats of the text that it continues: all of it, its last
    words, or a new beginning of it. Words are compared without case and punctuation.

    What may still be a repetition is held back until the next words decide.
    """

    def __init__(self, said: str) -> None:
        self._said = [word for word in _WORD.findall(said) if plain(word)]
        self._held = ""
        self._open = bool(self._said)

    def push(self, text: str) -> str:
        """What of it is new."""
        if not self._open:
            return text
        self._held += text
        return self._new(final=False)

    def flush(self) -> str:
        """What is left once no more comes."""
        return self._new(final=True) if self._open else ""

    def _new(self, *, final: bool) -> str:
        pieces = _WORD.findall(self._held)
        if not final and pieces and not pieces[-1][-1].isspace():
            pieces.pop()
        words = [piece for piece in pieces if plain(piece)]
        known, heard = [plain(word) for word in self._said], [plain(word) for word in words]
        undecided = any(
            len(heard) < len(known) - at and known[at : at + len(heard)] == heard
            for at in range(len(known))
        )
        if undecided and not final:
            return ""
        self._open = False
        ends_early = undecided and (len(heard) > 1 or known[:1] == heard)
        repeated = len(heard) if ends_early else self._repeated(known, heard, words)
        return self._after(repeated)

    def _repeated(self, known: Sequence[str], heard: Sequence[str], words: Sequence[str]) -> int:
        """How many words of the continuation are a repetition."""
        for at in range(len(known)):
            length = len(known) - at
            if known[at:] == heard[:length] and self._meant(length, self._said[at:], words):
                return length
        alike = 0
        while alike < min(len(known), len(heard)) and known[alike] == heard[alike]:
            alike += 1
        if alike >= _CHANCE:
            return alike
        while alike and not _clause_ends(self._said[alike - 1], words[alike - 1]):
            alike -= 1
        return alike

    @staticmethod
    def _meant(length: int, said: Sequence[str], words: Sequence[str]) -> bool:
        """Whether the last words come again; a single one may begin the next clause by chance."""
        return length > 1 or _clause_ends(said[0], words[0])

    def _after(self, count: int) -> str:
        """The text after so many of its words, and after the marks that belong to them."""
        text, self._held = self._held, ""
        if not count:
            return text
        at = 0
        for piece in _WORD.finditer(text):
            if plain(piece.group()):
                if not count:
                    break
                count -= 1
            at = piece.end()
        return text[at:]


def plain(word: str) -> str:
    """A word without case, accents and punctuation; empty for a mark alone."""
    bare = unicodedata.normalize("NFKD", word.casefold())
    return "".join(letter for letter in bare if letter.isalnum())


def _clause_ends(first: str, second: str) -> bool:
    """Whether both words carry the mark that ends a clause."""
    mark = first.rstrip()[-1]
    return mark in ".!?…;:," and second.rstrip()[-1] == mark
