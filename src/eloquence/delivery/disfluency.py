"""Hesitation in words: filled pauses, repetitions, repairs, and words of unusual length.

Habits of speech (« du coup », "you know") are found by `expressions`. The lists of a language are
arguments, in the plain form of `syllables.plain`. What a recogniser did not write down cannot be
found here, so every count is a floor.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from math import exp, log
from typing import Literal

import numpy as np

from eloquence.delivery.expressions import Hit, ends_sentence
from eloquence.delivery.sound import SHORTEST_PAUSE
from eloquence.delivery.syllables import Language, parts, plain, syllable_count
from eloquence.delivery.words import Word

INITIAL_WEIGHT = 0.5
"""What a filled pause before a sentence weighs: planning there is fluent use (Kosmala & Crible
2022). One inside a sentence weighs 1."""
LEAST_LENGTHS = 40
"""Words from which a speaker's own word lengths can be told."""
LEAST_HOLD = 0.2
"""Seconds by which a held word is longer than expected."""
MOST_SWALLOWED = 0.6
"""Share of its expected length below which a word is swallowed."""
_MARKS = " \u00a0,;:.!?…"
_CUTS = ("-", "–", "~")


@dataclass(frozen=True, slots=True)
class FilledPause:
    """« euh » or "um": the word's index, and whether it stands inside a sentence."""

    index: int
    medial: bool

    @property
    def weight(self) -> float:
        return 1.0 if self.medial else INITIAL_WEIGHT


@dataclass(frozen=True, slots=True)
class Repair:
    """Words that the speaker took back: from the first to the last index of what was abandoned."""

    kind: Literal["cut", "replaced", "restarted"]
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class OddLength:
    """A word much longer or shorter than the speaker's others: its index, its length as a multiple
    of the expected one, and how unusual that is in robust standard deviations."""

    index: int
    ratio: float
    z: float


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


def repairs(
    words: Sequence[Word],
    *,
    fillers: Collection[str],
    alternatives: Sequence[Collection[str]],
    restarts: Collection[str],
    open_words: Collection[str],
) -> list[Repair]:
    """What one turn took back, in order, filled pauses aside; plain repeats are `repetitions`.

    A word is *cut* when it is written so ("mont-", « mét~ »). A small word is *replaced* by another
    one of its set (« le la »), or by its own other form (« de d' »). A sentence is *restarted* when
    its subject comes back after one or two words that cannot end a phrase (« je vais je prends »).
    On the 66 stories of ParisStories 96 % of the words found as replaced or restarted (112 of 117)
    are marked there as taken back, and with the repetitions 64 % of the 1,035 words marked so are
    found; longer rewordings are not.
    Low stakes only: repairs hardly matter to listeners (r = .20, Suzuki 2021).
    """
    pieces = [piece for index, word in enumerate(words) for piece in _pieces(word, index, fillers)]
    found: list[Repair] = []
    for at, (text, index) in enumerate(pieces):
        written = words[index].text.rstrip(_MARKS)
        if len(written) > 1 and written.endswith(_CUTS):
            found.append(Repair("cut", index, index))
        elif not ends_sentence(words[index].text) and at + 1 < len(pieces):
            after, place = pieces[at + 1]
            if place != index and _replaces(text, after, alternatives):
                found.append(Repair("replaced", index, index))
            elif text in restarts:
                middle = _until_again(pieces[at : at + 4], words, restarts, open_words)
                if middle is not None:
                    found.append(Repair("restarted", index, middle))
    return found


def _pieces(word: Word, index: int, fillers: Collection[str]) -> list[tuple[str, int]]:
    """The plain parts of a word, elision split, with its index; none for a filled pause."""
    text = plain(word.text)
    return [] if not text or text in fillers else [(part, index) for part in parts(text)]


def _replaces(text: str, after: str, alternatives: Sequence[Collection[str]]) -> bool:
    if _same(text, after):
        return text != after and "'" in text + after
    return any(text in known and after in known for known in alternatives)


def _same(text: str, other: str) -> bool:
    """Whether two words are one, elided or not: « je » and « j' »."""
    return text.rstrip("'").removesuffix("e") == other.rstrip("'").removesuffix("e")


def _until_again(
    pieces: Sequence[tuple[str, int]],
    words: Sequence[Word],
    restarts: Collection[str],
    open_words: Collection[str],
) -> int | None:
    """The last word before a subject that comes back after one or two open words."""
    subject = pieces[0][0]
    for gap in (1, 2):
        middle = pieces[1 : gap + 1]
        if len(pieces) < gap + 2 or not all(
            text in open_words and not ends_sentence(words[index].text) for text, index in middle
        ):
            return None
        again = pieces[gap + 1][0]
        if again in restarts and _same(again, subject) and not _same(middle[0][0], subject):
            return middle[-1][1]
    return None


def odd_lengths(
    turns: Sequence[Sequence[Word]], language: Language, *, fillers: Collection[str]
) -> list[list[OddLength]]:
    """For each turn, its words of unusual length, against the speaker's own other words.

    log seconds = b0 + b1 log syllables + b2 log letters + b3 (before a pause or punctuation), by
    least squares over all turns, once more without the residuals beyond 2.5; z is the residual over
    1.4826 times its median absolute value. Nothing under 40 words. Events only, never a score: the
    times of recognisers are rough. `lengthened` and `swallowed` say which of them to show.
    """
    rows: list[tuple[int, int, float, tuple[float, float, float, float]]] = []
    for turn, words in enumerate(turns):
        for index, word in enumerate(words):
            text = plain(word.text)
            syllables = syllable_count(word.text, language)
            seconds = word.end - word.start
            if text in fillers or not syllables or seconds <= 0:
                continue
            final = (
                index == len(words) - 1
                or words[index + 1].start - word.end >= SHORTEST_PAUSE - 1e-9
                or word.text.rstrip()[-1:] in tuple(",;:.!?…")
            )
            rows.append((turn, index, log(seconds), (1.0, log(syllables), log(len(text)), final)))
    found: list[list[OddLength]] = [[] for _ in turns]
    if len(rows) < LEAST_LENGTHS:
        return found
    lengths = np.array([row[2] for row in rows])
    traits = np.array([row[3] for row in rows])
    kept = np.ones(len(rows), dtype=bool)
    for _ in range(2):
        weights = np.linalg.lstsq(traits[kept], lengths[kept], rcond=None)[0]
        residuals = lengths - traits @ weights
        spread = 1.4826 * float(np.median(np.abs(residuals)))
        if spread < 1e-6:
            return found
        kept = np.abs(residuals) < 2.5 * spread
    for (turn, index, *_), residual in zip(rows, residuals.tolist(), strict=True):
        if abs(residual) > 2 * spread:
            found[turn].append(OddLength(index, exp(residual), residual / spread))
    return found


def lengthened(odd: OddLength, word: Word) -> bool:
    """Whether a word was held: z over 2 and at least 0.2 s longer than expected."""
    seconds = word.end - word.start
    return odd.z > 2 and seconds - seconds / odd.ratio >= LEAST_HOLD


def swallowed(odd: OddLength, word: Word, language: Language) -> bool:
    """Whether a word of two syllables or more was spoken in less than 0.6 of its expected time."""
    return odd.z < -2 and odd.ratio < MOST_SWALLOWED and syllable_count(word.text, language) > 1


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
