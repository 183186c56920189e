"""Words chosen: variety, caution, links, concreteness and the length of sentences.

All of it is read from the words as written, in plain forms with elisions split (« l'homme » is
*l'*, *homme*): no lemmas, so that nothing has to be downloaded and everything can be checked by
hand. Inflection therefore counts as variety, in every text alike; compare a speaker with their own
past, not with figures made on lemmas. The lists of a language are arguments.
"""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from eloquence.delivery.expressions import Expression, Hit, ends_sentence, hits, sentences
from eloquence.delivery.syllables import Language, parts, plain, syllable_count
from eloquence.delivery.words import Word

LEAST_WORDS = 100
"""Words below which lexical diversity says nothing (Koizumi 2012)."""
MTLD_THRESHOLD = 0.72
MATTR_WINDOW = 50


@dataclass(frozen=True, slots=True)
class Hedge:
    """A cautious expression (« je pense », "sort of"), and whether another one stands in the same
    sentence: one is courtesy or honesty, two are a stack."""

    said: str
    first: int
    last: int
    stacked: bool


@dataclass(frozen=True, slots=True)
class Concrete:
    """A figure, a name or a date: from the first to the last index of its words."""

    kind: Literal["number", "name", "date"]
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Agency:
    """How often the speaker is the subject: « je » / "I", and « nous », « on » / "we"."""

    own: int
    shared: int

    @property
    def own_share(self) -> float | None:
        """Share of « je » / "I" among both, 0..1; None without either."""
        total = self.own + self.shared
        return self.own / total if total else None


def forms(words: Sequence[Word], *, fillers: Collection[str] = ()) -> list[str]:
    """The plain forms that diversity is counted on: elisions split, filled pauses left out."""
    found: list[str] = []
    for word in words:
        text = plain(word.text)
        if text and text not in fillers:
            found += parts(text)
    return found


def mtld(tokens: Sequence[str], *, threshold: float = MTLD_THRESHOLD) -> float | None:
    """Measure of textual lexical diversity (McCarthy & Jarvis 2010): words per stretch in which
    the type-token ratio stays above the threshold, mean of a forward and a backward reading.

    None under 100 tokens. Does not fall with the length of the text, as types / tokens does.
    """
    if len(tokens) < LEAST_WORDS:
        return None
    return (_factor_length(tokens, threshold) + _factor_length(tokens[::-1], threshold)) / 2


def _factor_length(tokens: Sequence[str], threshold: float) -> float:
    factors, length = 0.0, 0
    types: set[str] = set()
    for token in tokens:
        types.add(token)
        length += 1
        if len(types) / length <= threshold:
            factors += 1
            types, length = set(), 0
    if length:
        factors += (1 - len(types) / length) / (1 - threshold)
    return len(tokens) / factors if factors > 0 else float(len(tokens))


def mattr(tokens: Sequence[str], *, window: int = MATTR_WINDOW) -> float | None:
    """Moving-average type-token ratio, 0..1 (Covington & McFall 2010): mean of types / tokens over
    every window of 50 tokens. None under one window."""
    if len(tokens) < window:
        return None
    counts: dict[str, int] = {}
    total = windows = 0
    for index, token in enumerate(tokens):
        counts[token] = counts.get(token, 0) + 1
        if index >= window:
            gone = tokens[index - window]
            counts[gone] -= 1
            if not counts[gone]:
                del counts[gone]
        if index >= window - 1:
            total += len(counts)
            windows += 1
    return total / (windows * window)


def hedges(
    words: Sequence[Word], expressions: Iterable[Expression], *, fillers: Collection[str] = ()
) -> list[Hedge]:
    """The hedges of one turn, in order (Hosman 1989: they lower authority). Negated ones (« je
    pense pas », a claim) and literal uses are excluded by the rules of the expressions."""
    found = hits(words, expressions, fillers=fillers)
    places = sentences(words)
    counts = [sum(first <= hit.first <= last for hit in found) for first, last in places]
    return [
        Hedge(
            hit.said,
            hit.first,
            hit.last,
            any(
                first <= hit.first <= last and count > 1
                for (first, last), count in zip(places, counts, strict=True)
            ),
        )
        for hit in found
    ]


def stacks(words: Sequence[Word], found: Sequence[Hedge]) -> list[tuple[int, int]]:
    """The sentences of one turn that hold two hedges or more, each (first, last) index from its
    first hedge to its last."""
    joined = []
    for first, last in sentences(words):
        inside = [hedge for hedge in found if first <= hedge.first <= last]
        if len(inside) > 1:
            joined.append((inside[0].first, inside[-1].last))
    return joined


def connectives(
    words: Sequence[Word], expressions: Iterable[Expression], *, fillers: Collection[str] = ()
) -> list[Hit]:
    """The words of one turn that mark its structure; their *types* (distinct `said`) help more
    than their number."""
    return hits(words, expressions, fillers=fillers)


def concrete(
    words: Sequence[Word], *, numbers: Collection[str], dates: Collection[str]
) -> list[Concrete]:
    """Figures, names and dates of one turn: the part of concreteness that can be counted without a
    rating list (Packard & Berger 2021 link concreteness to listening and persuasion).

    Neighbours of one kind are one. Names are the words with a capital inside a sentence, where the
    words have capitals at all.
    """
    kinds: list[Literal["number", "name", "date"] | None] = []
    start = True
    for word in words:
        text = plain(word.text)
        bare = text.partition("'")[2] or text
        if bare in dates:
            kinds.append("date")
        elif any(letter.isdigit() for letter in bare) or _is_number(bare, numbers):
            kinds.append("number")
        elif not start and _capital(word.text):
            kinds.append("name")
        else:
            kinds.append(None)
        start = ends_sentence(word.text)
    found: list[Concrete] = []
    for index, kind in enumerate(kinds):
        if kind is None:
            continue
        before = found[-1] if found and found[-1].last == index - 1 else None
        if before is not None and before.kind == kind and not _closed(words[index - 1].text):
            found[-1] = Concrete(kind, before.first, index)
        else:
            found.append(Concrete(kind, index, index))
    return found


def _is_number(text: str, numbers: Collection[str]) -> bool:
    return text in numbers or (
        "-" in text and all(part in numbers or part == "et" for part in text.split("-"))
    )


def _capital(text: str) -> bool:
    letters = [part for part in re.split(r"[’']", text.strip('«»"“”() ')) if part]
    last = letters[-1] if letters else ""
    return len(last) > 1 and last[0].isupper()


def _closed(text: str) -> bool:
    return text.rstrip()[-1:] in tuple(",;:.!?…")


def agency(words: Sequence[Word], *, own: Collection[str], shared: Collection[str]) -> Agency:
    """How often the speaker says « je » or « nous » as a subject. An immediate repeat (« je je »)
    is said once. Which of the two an exercise wants is the exercise's affair."""
    texts = [plain(word.text).partition("'") for word in words]
    heads = [head + apostrophe for head, apostrophe, _ in texts]
    tails = [tail for _, _, tail in texts]
    counts = [0, 0]
    for kind, listed in enumerate((own, shared)):
        said = [head in listed or tail in listed for head, tail in zip(heads, tails, strict=True)]
        counts[kind] = sum(now and not before for before, now in pairwise([False, *said]))
    return Agency(*counts)


def sentence_lengths(words: Sequence[Word], *, fillers: Collection[str] = ()) -> list[int]:
    """Words in each sentence of one punctuated turn, filled pauses left out; empty ones too."""
    lengths = [
        sum(plain(word.text) not in fillers for word in words[first : last + 1])
        for first, last in sentences(words)
    ]
    return [length for length in lengths if length]


def readability(words: int, sentences: int, syllables: int, language: Language) -> float | None:
    """How easy a text reads, about 0 (hard) to 100 (easy); above 60 is easy. None without words.

    English: Flesch 1948, 206.835 - 1.015 words/sentence - 84.6 syllables/word. French: Kandel &
    Moles 1958, 207 - 1.015 words/sentence - 73.6 syllables/word. Made for print with canonical
    syllables, and it rests on a recogniser's punctuation: information, never a score.
    """
    if words <= 0 or sentences <= 0:
        return None
    constant, per_syllable = (207.0, 73.6) if language == "fr" else (206.835, 84.6)
    return constant - 1.015 * words / sentences - per_syllable * syllables / words


def syllables_of(
    words: Sequence[Word], language: Language, *, fillers: Collection[str] = ()
) -> int:
    """Syllables of the words without the filled pauses, as `readability` takes them."""
    return sum(
        syllable_count(word.text, language) for word in words if plain(word.text) not in fillers
    )
