"""What of a model's text is meant for the ear: no thoughts, no calls of tools, no markup."""

import re
import unicodedata

_OPENING = re.compile(
    r"<(?P<tag>think|thinking|thought|reasoning|tool_calls?|function_calls?)\b[^>\n]{0,60}>"
    r"|(?P<fence>```)|(?P<object>\{)|(?P<calls>\[TOOL_CALLS\])|(?P<special><\|[^|>\n]{0,40}\|>)",
    re.IGNORECASE,
)
_STRAY = re.compile(r"</(?:think|thinking|thought|reasoning)>", re.IGNORECASE)
_LONGEST = 80
"""Characters that the beginning of such a part has at most."""

_LINK = re.compile(r"!?\[([^\]\n]{1,60})\]\([^)\s]*\)")
_NOT_SPOKEN = re.compile(
    r"\*[^*\n]{1,60}\*(?!\*)|\[[^\]\n]{1,60}\]|<[^>\n]{0,60}>|https?://\S+|^\s*(?:#{1,6}|[-•>])\s+"
)
"""Stage directions, markup and addresses that a model may write and a voice must not read out."""
_BOLD = re.compile(r"\*\*([^*\n]+)\*\*")
_SYMBOLS = frozenset("*_#`~|<>{}[]\\^")
_READ = frozenset("+=×÷±−€$£°%&")
"""Symbols that a voice has words for."""


class Aloud:
    """Takes out of a text that is still being written whatever is not meant for the ear.

    A part that is not closed is left out to the end.
    """

    def __init__(self) -> None:
        self._held = ""
        self._until: re.Pattern[str] | None = None
        self._depth = 0

    def push(self, text: str) -> str:
        """What of it is known to be meant for the ear."""
        self._held += text
        given = ""
        while True:
            if self._until is not None or self._depth:
                if not self._left():
                    return given
                continue
            opening, stray = _OPENING.search(self._held), _STRAY.search(self._held)
            if stray is not None and (opening is None or stray.start() < opening.start()):
                # a thought whose beginning the host has kept to itself
                given, self._held = "", self._held[stray.end() :]
                continue
            if opening is None:
                break
            given += self._held[: opening.start()]
            self._held = self._held[opening.end() :]
            self._enter(opening)
        safe = self._safe()
        given, self._held = given + self._held[:safe], self._held[safe:]
        return given

    def flush(self) -> str:
        """What is left once no more comes."""
        left, self._held = self._held, ""
        return "" if self._until is not None or self._depth else left

    def _enter(self, opening: re.Match[str]) -> None:
        match opening.lastgroup:
            case "tag":
                self._until = re.compile(f"</{opening['tag']}>", re.IGNORECASE)
            case "fence":
                self._until = re.compile("```")
            case "calls":
                self._until = re.compile(r"\n")
            case "object":
                self._depth = 1

    def _left(self) -> bool:
        """Whether the part that is left out has ended."""
        if self._until is not None:
            end = self._until.search(self._held)
            if end is None:
                self._held = self._held[-_LONGEST:]
                return False
            self._held, self._until = self._held[end.end() :], None
            return True
        for at, character in enumerate(self._held):
            self._depth += {"{": 1, "}": -1}.get(character, 0)
            if not self._depth:
                self._held = self._held[at + 1 :]
                return True
        self._held = ""
        return False

    def _safe(self) -> int:
        """How much of the text cannot be the beginning of such a part."""
        since = max(0, len(self._held) - _LONGEST)
        for at in range(since, len(self._held)):
            if self._held[at] == "<" and ">" not in self._held[at:]:
                return at
            if self._held[at] == "[" and "[tool_calls]".startswith(self._held[at:].lower()):
                return at
            if self._held[at] == "`" and not self._held[at:].strip("`"):
                return at
        return len(self._held)


def spoken(clause: str) -> str:
    """What a voice reads of a clause; empty when it is nothing."""
    plain = _NOT_SPOKEN.sub(" ", _BOLD.sub(r"\1", _LINK.sub(r"\1", clause)))
    kept = "".join(_heard(character) for character in plain).strip()
    return kept if any(character.isalnum() for character in kept) else ""


def _heard(character: str) -> str:
    if character in _SYMBOLS:
        return " "
    kind = unicodedata.category(character)
    if character in _READ or kind[0] in "LNPZ" or kind == "Mn" or character in "\n\t":
        return "" if "\ufe00" <= character <= "\ufe0f" else character
    return "" if kind == "Cf" else " "
