"""Hesitation in words: filled pauses, repetitions, repairs, and words that last too long.

Habits of speech (« du coup », "you know") are found by `expressions`. The lists of a language are arguments, in the plain form of `syllables.plain`. What a recogniser
did not write down cannot be found here, so every count is a floor.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from eloquence.delivery.expressions import Hit
from eloquence.delivery.syllables import plain
from eloquence.delivery.words import Word

INITIAL_WEIGHT = 0.5
"""What a filled pause before a sentence weighs: planning there is fluent use (Kosmala & Crible
2022). One inside a sentence weighs 1."""


@dataclass(frozen=True, slots=True)
class FilledPause:
    """« euh » or "um": the word's index, and whether it stands inside a sentence."""

    index: int
    medial: bool

    @property
    def weight(self) -> float:
        return 1.0 if self.medial else INITIAL_WEIGHT


def filled_pauses(words: Sequence[Word], fillers: Collection[str]) -> list[FilledPause]:
    """The filled pauses of one turn. One that opens the turn or follows punctuation is initial."""
    found = []
    for index, word in enumerate(words):
        if plain(word.text) in fillers:
            before = words[index - 1].text.rstrip() if index else ""
            initial = index == 0 or before[-1:] in tuple(".,;:!?…")
            found.append(FilledPause(index, medial=not initial))
    return found


def repetitions(
    words: Sequence[Word], *, emphatic: Collection[str], fillers: Collection[str]
) -> list[tuple[int, int]]:
    """Immediate repeats of one to three words, each (first, last) index of the second saying.

    Filled pauses in between are looked over; `emphatic` repeats (« très très »), figures and
    repeats across the end of a sentence are wanted and not counted.
    """
    kept = [index for index, word in enumerate(words) if plain(word.text) not in fillers]
    texts = [plain(words[index].text) for index in kept]
    found = []
    at = 0
    while at < len(texts):
        for size in (3, 2, 1):
            first, second = texts[at : at + size], texts[at + size : at + 2 * size]
            if len(second) < size or first != second or not all(first):
                continue
            ends = any(
                words[index].text.rstrip()[-1:] in tuple(".!?") for index in kept[at : at + size]
            )
            wanted = " ".join(first + second) in emphatic or all(text.isdigit() for text in first)
            if ends or wanted:
                continue
            found.append((kept[at + size], kept[at + 2 * size - 1]))
            at += size
            break
        else:
            at += 1
    return found


def favourite(found: Sequence[Hit]) -> tuple[str, float] | None:
    """The habit said most often, and its share among all, 0..1; the earlier one of equals. None
    without any."""
    if not found:
        return None
    said, count = Counter(hit.said for hit in found).most_common(1)[0]
    return said, count / len(found)


def per_hundred_words(count: float, words: int) -> float | None:
    """A count per 100 words; None without words."""
    return 100 * count / words if words > 0 else None
