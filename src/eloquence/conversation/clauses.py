"""Cutting text that is still being written into clauses that can already be spoken."""

import re
from dataclasses import dataclass

_BREAK = re.compile(r"[.!?…;:,]+(?:\s?[»”\"')\]])*(?=\s)|\n+")
_ABBREVIATED = re.compile(
    r"(?:\b[A-ZÀ-Ü]|\b(?:Mme|Mlle|MM|Mr|Mrs|Ms|Dr|Pr|Me|St|Ste|etc|cf|p|ex|vs|No|n°))\.$"
)
_SPACE_BEFORE_MARK = re.compile(r"\s+[!?;:»]")
_STRONG = frozenset(".!?…\n")

LEAST_WEAK = 18
"""Characters before a comma that are worth a breath of their own, except at the very start."""
MOST = 220
"""Characters of a clause that nothing has broken: cut at the last space."""


@dataclass(frozen=True, slots=True)
class Clause:
    """A piece of text as written, spaces included, and the silence in seconds after it."""

    text: str
    pause: float

    @property
    def speakable(self) -> bool:
        return any(character.isalnum() for character in self.text)


class Clauses:
    """Gives out clauses as soon as they are complete; all of them together are the text."""

    def __init__(self) -> None:
        self._text = ""
        self._begun = False

    def push(self, text: str) -> list[Clause]:
        self._text += text
        found = []
        while (end := self._end()) is not None:
            found.append(self._take(end))
        return found

    def flush(self) -> list[Clause]:
        """Everything that is left, as clauses."""
        found = self.push("")
        if self._text:
            found.append(self._take(len(self._text)))
        return found

    def _end(self) -> int | None:
        """Where the next complete clause ends, spaces after it included."""
        for match in _BREAK.finditer(self._text):
            end = match.end()
            rest = self._text[end:]
            after = len(rest) - len(rest.lstrip())
            if _SPACE_BEFORE_MARK.match(rest):
                continue
            if _ABBREVIATED.search(self._text[:end]):
                continue
            weak = not _STRONG & set(match.group())
            if weak and self._begun and end < LEAST_WEAK:
                continue
            return end + after
        if len(self._text) > MOST:
            cut = self._text.rfind(" ", 0, MOST)
            return cut + 1 if cut > 0 else MOST
        return None

    def _take(self, end: int) -> Clause:
        clause, self._text = self._text[:end], self._text[end:]
        self._begun = True
        return Clause(clause, pause_after(clause))


def pause_after(text: str) -> float:
    """Seconds of silence that are due after a clause, by the mark it ends with."""
    marks = re.findall(r"[.!?…;:,]", text[-6:])
    if not marks:
        return 0.0
    return {",": 0.16, ";": 0.25, ":": 0.25}.get(marks[-1], 0.38)
