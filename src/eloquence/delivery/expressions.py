"""Words and phrases that a measure looks for, and where they do not count.

*Genre*, *voilà*, *like* and *right* are habits in one place and plain words in another. Which is
told by their neighbours and by where they stand, in rules that an author can read and edit; no
parser is needed. A rule that is unsure does not count: a false remark costs more than a missed one.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from eloquence.delivery.sound import SHORTEST_PAUSE
from eloquence.delivery.syllables import plain
from eloquence.delivery.words import Word

Place = Literal["anywhere", "first", "last", "alone", "trailing"]
"""Where an expression counts.

`anywhere`: everywhere. `first`: at the start of a sentence. `last`: before punctuation, a pause, a
hesitation or the end of the turn, but not in a question. `alone`: with nothing of its
phrase on either side. `trailing`: as the last word of a sentence that has others, hesitations
aside, where a link no longer links anything.
"""

_CLOSERS = ' \u00a0\u202f»"”)'
_SENTENCE_END = (".", "!", "?", "…")
_PUNCTUATION = (*_SENTENCE_END, ",", ";", ":", "–", "—")


class Expression(BaseModel):
    """One word or phrase in plain form (`syllables.plain`), and where it does not count.

    A bare string stands for one that counts everywhere. A neighbour is a word or a phrase with no
    punctuation in between; one that ends with an apostrophe is an elided word (« qu' »).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    said: str = Field(min_length=1)
    not_after: frozenset[str] = frozenset()
    """Not counted right after one of these, as « un genre »."""
    not_before: frozenset[str] = frozenset()
    """Not counted right before one of these, as « voilà pourquoi »."""
    where: Place = "anywhere"

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        return {"said": value} if isinstance(value, str) else value


@dataclass(frozen=True, slots=True)
class Hit:
    """An expression that was said: from the first to the last index of its words."""

    said: str
    first: int
    last: int


def hits(
    words: Sequence[Word],
    expressions: Iterable[Expression],
    *,
    fillers: Collection[str] = (),
) -> list[Hit]:
    """Where the expressions are said in one turn, longest first, without overlap, in order.

    Without punctuation and without word times a place can hardly be told: all but `anywhere` then
    count at the edges of the turn and beside hesitations only.
    """
    texts = [plain(word.text) for word in words]
    index: dict[str, list[tuple[tuple[str, ...], Expression]]] = {}
    for expression in expressions:
        parts = tuple(expression.said.split())
        index.setdefault(parts[0].partition("'")[0], []).append((parts, expression))
    for entries in index.values():
        entries.sort(key=lambda entry: -len(entry[0]))
    candidates: list[tuple[Expression, Hit]] = []
    at = 0
    while at < len(texts):
        entries = index.get(texts[at].partition("'")[0], [])
        match = next((entry for entry in entries if _said(entry[0], texts, at)), None)
        if match is None:
            at += 1
            continue
        parts, expression = match
        last = at + len(parts) - 1
        if not _excluded(expression, words, texts, at, last):
            candidates.append((expression, Hit(expression.said, at, last)))
        at = last + 1
    hesitant = {position for position, text in enumerate(texts) if text in fillers}
    for expression, hit in candidates:
        if expression.where == "anywhere":
            hesitant.update(range(hit.first, hit.last + 1))
    breaks = _breaks(words)
    asking = {
        at
        for first, last in sentences(words)
        if "?" in words[last].text
        for at in range(first, last + 1)
    }
    return [hit for one, hit in candidates if _stands(one.where, hit, breaks, hesitant, asking)]


def sentences(words: Sequence[Word]) -> list[tuple[int, int]]:
    """(first, last) index of each sentence of one turn, by its punctuation; a whole turn without
    any is one sentence."""
    found = []
    first = 0
    for index, word in enumerate(words):
        if ends_sentence(word.text) or index == len(words) - 1:
            found.append((first, index))
            first = index + 1
    return found


def ends_sentence(text: str) -> bool:
    """Whether a word as written carries the end of a sentence."""
    return _mark(text) in _SENTENCE_END


def _mark(text: str) -> str:
    """The punctuation that a word as written carries, or nothing."""
    end = text.rstrip(_CLOSERS)[-1:]
    return end if end in _PUNCTUATION else ""


def _said(parts: Sequence[str], texts: Sequence[str], at: int) -> bool:
    return at + len(parts) <= len(texts) and all(
        text == part or (part.endswith("'") and text.startswith(part))
        for part, text in zip(parts, texts[at:], strict=False)
    )


def _excluded(
    expression: Expression, words: Sequence[Word], texts: Sequence[str], first: int, last: int
) -> bool:
    """Whether a neighbour says that it does not count; punctuation in between parts neighbours."""
    joined_before = first > 0 and not _mark(words[first - 1].text)
    joined_after = not _mark(words[last].text)
    return (
        joined_before and any(_ends_with(texts[:first], one) for one in expression.not_after)
    ) or (
        joined_after and any(_said(one.split(), texts, last + 1) for one in expression.not_before)
    )


def _ends_with(texts: Sequence[str], phrase: str) -> bool:
    parts = phrase.split()
    before = texts[max(0, len(texts) - len(parts)) :]
    if len(before) < len(parts):
        return False
    head = before[0]
    return list(before[1:]) == parts[1:] and parts[0] in (head, head.partition("'")[2])


def _breaks(words: Sequence[Word]) -> list[int]:
    """What stands before each word and after the last: 2 the end of a sentence or of the turn, 1 a
    comma or a pause, 0 nothing."""
    found = [2]
    for before, after in pairwise(words):
        end = _mark(before.text)
        paused = after.start - before.end >= SHORTEST_PAUSE - 1e-9
        found.append(2 if end in _SENTENCE_END else int(bool(end) or paused))
    return [*found, 2]


def _stands(
    place: Place,
    hit: Hit,
    breaks: Sequence[int],
    hesitant: Collection[int],
    asking: Collection[int],
) -> bool:
    before, after = breaks[hit.first], breaks[hit.last + 1]
    apart_before = bool(before) or hit.first - 1 in hesitant
    apart_after = bool(after) or hit.last + 1 in hesitant
    match place:
        case "anywhere":
            return True
        case "first":
            return before == 2
        case "last":
            return apart_after and hit.last not in asking
        case "alone":
            return apart_before and apart_after
        case "trailing":
            end = hit.last + 1
            while breaks[end] < 2 and end in hesitant:
                end += 1
            return before < 2 and breaks[end] == 2 and hit.last not in asking
