"""Time: rates, pauses and runs, from timed words or, by ear, from the sound alone.

Everything is counted inside the *speaking span* of a turn, from its first word (or sound) to its
last: the silence around it belongs to turn-taking. Counts of turns add up, so that the measures
of a session are ratios of sums and a stretch of speech can be taken out again.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from itertools import pairwise
from statistics import median
from typing import Literal

from eloquence.delivery.sound import SHORTEST_PAUSE, Sound
from eloquence.delivery.syllables import Language, plain, syllable_count
from eloquence.delivery.words import Word

PauseKind = Literal["boundary", "mid_phrase", "unknown"]
Interval = tuple[float, float]

LONG_MID_PHRASE = 1.0
"""Seconds from which a silence inside a phrase is long."""
LONG_ANYWHERE = 2.0
"""Seconds from which a silence is long wherever it falls."""

SYLLABLES_PER_NUCLEUS: Mapping[Language, float] = {"fr": 1.05, "en": 1.08}
"""What a syllable nucleus found in the sound stands for: measured on read speech of known text."""

_EDGE = 0.05  # s of a gap in which a syllable may be that of the word beside it
_SENTENCE_END = ".!?…"
_PUNCTUATION = ".,;:!?…"


@dataclass(frozen=True, slots=True)
class Silence:
    """A silent pause inside a turn, of at least 0.25 s (Campione & Véronis 2002; de Jong & Bosker
    2013). `after` is the index of the word before it, None by ear."""

    start: float
    end: float
    kind: PauseKind
    after: int | None = None

    @property
    def seconds(self) -> float:
        return self.end - self.start

    @property
    def long(self) -> bool:
        """At least 1 s inside a phrase, or 2 s anywhere."""
        limit = LONG_MID_PHRASE if self.kind == "mid_phrase" else LONG_ANYWHERE
        return self.seconds >= limit - 1e-9


def span(words: Sequence[Word]) -> Interval | None:
    """The speaking span of a turn: first word onset to last word offset, in seconds."""
    return (words[0].start, max(word.end for word in words)) if words else None


def span_by_ear(sound: Sound) -> Interval | None:
    """The speaking span of a turn from its stretches of speech alone."""
    return (sound.speech[0][0], sound.speech[-1][1]) if sound.speech else None


def punctuated(words: Sequence[Word]) -> bool:
    """Whether the recogniser writes punctuation at all."""
    return any(word.text.rstrip(' \u00a0\u202f»"”')[-1:] in tuple(_PUNCTUATION) for word in words)


def punctuated_like(words: Sequence[Word], text: str) -> list[Word]:
    """The words in the spelling and with the punctuation of a text of the same speech, wherever
    the two have the same word in the same order (longest common blocks)."""
    tokens = [token for token in text.split() if plain(token)]
    spoken = [plain(word.text) for word in words]
    blocks = SequenceMatcher(
        None, spoken, [plain(token) for token in tokens], autojunk=False
    ).get_matching_blocks()
    found = list(words)
    for mine, theirs, size in blocks:
        for offset in range(size):
            word = words[mine + offset]
            found[mine + offset] = replace(word, text=tokens[theirs + offset])
    return found


def sentence_count(words: Sequence[Word]) -> int:
    """Sentences in one punctuated turn; a last one without a full stop counts."""
    ends = [word.text.rstrip(' \u00a0\u202f»"”')[-1:] in tuple(_SENTENCE_END) for word in words]
    return sum(ends) + (1 if ends and not ends[-1] else 0)


def silences(
    words: Sequence[Word],
    *,
    clause_openers: Collection[str],
    open_words: Collection[str],
    fillers: Collection[str],
    with_punctuation: bool,
    speech: Sequence[Interval] | None = None,
    nuclei: Sequence[float] | None = None,
) -> list[Silence]:
    """The silent pauses between the words of one turn, each with where it falls.

    A pause is at a *boundary* when the word before it carries punctuation, when a clause opener
    follows, or when a filler stands there; otherwise it is *mid-phrase* (Kahng 2018 shows that
    only these hurt). Without punctuation that can be said only of a pause after a word that
    cannot end a phrase; the other ones are *unknown*. A gap that the sound shows to be mostly
    speech, with one of its `nuclei` inside, is a word that was not understood, and no pause:
    sound without a syllable may be what the room made of the word before.
    """
    found = []
    for index in range(len(words) - 1):
        start, end = words[index].end, words[index + 1].start
        if end - start < SHORTEST_PAUSE - 1e-9:
            continue
        if (
            speech is not None
            and overlap((start, end), speech) > 0.5 * (end - start)
            and (nuclei is None or any(start + _EDGE <= at <= end - _EDGE for at in nuclei))
        ):
            continue
        before, after = plain(words[index].text), plain(words[index + 1].text)
        kind: PauseKind
        if (
            words[index].text.rstrip(' \u00a0\u202f»"”')[-1:] in tuple(_PUNCTUATION)
            or opens_clause(after, clause_openers)
            or before in fillers
            or after in fillers
        ):
            kind = "boundary"
        elif with_punctuation or before in open_words or before.endswith("'"):
            kind = "mid_phrase"
        else:
            kind = "unknown"
        found.append(Silence(start, end, kind, index))
    return found


def opens_clause(word: str, clause_openers: Collection[str]) -> bool:
    """Whether a word in plain form opens a clause, elided or not (« qu'il »)."""
    if word in clause_openers:
        return True
    head, apostrophe, _ = word.partition("'")
    return bool(apostrophe) and head + apostrophe in clause_openers


def silences_by_ear(sound: Sound) -> list[Silence]:
    """The silent pauses between stretches of speech; where they fall is unknown."""
    return [
        Silence(left[1], right[0], "unknown")
        for left, right in pairwise(sound.speech)
        if right[0] - left[1] >= SHORTEST_PAUSE - 1e-9
    ]


def syllables(words: Sequence[Word], language: Language) -> int:
    """Spoken syllables of timed words."""
    return sum(syllable_count(word.text, language) for word in words)


def syllables_by_ear(sound: Sound, language: Language) -> float:
    """Syllables of a sound from its nuclei, corrected for those that are usually missed."""
    return len(sound.nuclei) * SYLLABLES_PER_NUCLEUS[language]


def overlap(interval: Interval, others: Sequence[Interval]) -> float:
    """Seconds that one interval shares with a list of intervals that do not overlap."""
    start, end = interval
    return sum(max(0.0, min(end, right) - max(start, left)) for left, right in others)


def speech_rate(syllables: float, seconds: float) -> float | None:
    """Syllables per second of the speaking span, pauses included (Cucchiarini 2000; Suzuki 2021:
    the speed family correlates .59-.62 with listeners' ratings)."""
    return syllables / seconds if seconds > 0 else None


def articulation_rate(syllables: float, seconds: float, pause_seconds: float) -> float | None:
    """Syllables per second of the span without its silent pauses (Préfontaine 2016)."""
    return speech_rate(syllables, seconds - pause_seconds)


def words_per_minute(words: int, seconds: float) -> float | None:
    """Words per minute of the speaking span."""
    return 60 * words / seconds if seconds > 0 else None


def phonation_ratio(seconds: float, pause_seconds: float) -> float | None:
    """Share of the span that is not silent pause, 0..1 (Kormos & Dénes 2004)."""
    return max(0.0, 1 - pause_seconds / seconds) if seconds > 0 else None


def mean_run(syllables: float, pauses: int, turns: int) -> float | None:
    """Syllables between two pauses: syllables / (pauses + turns) (Préfontaine 2016)."""
    return syllables / (pauses + turns) if pauses + turns > 0 else None


def per_minute(count: float, seconds: float) -> float | None:
    """A count per minute of the speaking span."""
    return 60 * count / seconds if seconds > 0 else None


def runs(words: Sequence[Word], silences: Sequence[Silence]) -> list[tuple[int, int]]:
    """(first, last) index of each stretch of words between two silent pauses of one turn."""
    ends = [silence.after for silence in silences if silence.after is not None]
    firsts = [0, *(end + 1 for end in ends)]
    return [
        (first, last)
        for first, last in zip(firsts, [*ends, len(words) - 1], strict=True)
        if first <= last
    ]


def rate_variation(runs: Sequence[tuple[float, float]]) -> float | None:
    """Coefficient of variation of the syllable rate over runs of (syllables, seconds), each
    weighted by its seconds: standard deviation / mean. Runs under five syllables say nothing of
    rate and are left out; None under three others. Weak evidence: a hint, never a score."""
    kept = [(count, seconds) for count, seconds in runs if count >= 5 and seconds > 0]
    total = sum(seconds for _, seconds in kept)
    if len(kept) < 3:
        return None
    mean = sum(count for count, _ in kept) / total
    spread = sum(seconds * (count / seconds - mean) ** 2 for count, seconds in kept) / total
    return float(spread**0.5 / mean)


def boundary_pause(silences: Sequence[Silence]) -> float | None:
    """Median seconds of the pauses at boundaries: 0.3 to 1.0 sounds natural. None without any."""
    lengths = [silence.seconds for silence in silences if silence.kind == "boundary"]
    return median(lengths) if lengths else None


def rate_curve(
    onsets: Sequence[tuple[float, float]],
    spans: Sequence[Interval],
    *,
    window: float = 6.0,
    step: float = 1.0,
) -> tuple[list[float], list[float | None]]:
    """Syllables per second in sliding windows: times of their centres (s) and rates.

    `onsets` are (time, syllables); only windows of which at least half is inside the speaking
    spans have a rate, and it counts the seconds inside spans alone. Other windows are None.
    """
    if not spans:
        return [], []
    times: list[float] = []
    rates: list[float | None] = []
    begin, finish = spans[0][0], max(end for _, end in spans)
    count = max(1, int((finish - begin) / step) + 1)
    ordered = sorted(onsets)
    low = high = 0
    for index in range(count):
        centre = begin + index * step
        left, right = centre - window / 2, centre + window / 2
        while low < len(ordered) and ordered[low][0] < left:
            low += 1
        high = max(high, low)
        while high < len(ordered) and ordered[high][0] < right:
            high += 1
        inside = overlap((left, right), spans)
        times.append(round(centre, 3))
        spoken = sum(amount for _, amount in ordered[low:high])
        rates.append(round(spoken / inside, 3) if inside >= window / 2 else None)
    return times, rates
