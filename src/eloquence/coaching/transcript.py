"""What was said, sentence by sentence: as a judge reads it, and as quotes are looked up in it.

Hesitations, the learner's name and what is addressed to a grader are taken out; a sentence said
again is shown as such, so that saying a thing twice is not saying more.
"""

import difflib
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from eloquence.coaching import masking
from eloquence.coaching.judgement import Quote
from eloquence.coaching.session import Speaker, Turn
from eloquence.delivery.words import Word

LONG = 30
"""Words after which a stretch without full stops is cut, at pauses where there are."""
LEAST_QUOTE = 3
"""Words that a quote must have at least."""
_PAUSE = 0.5  # seconds between two words that end a sentence where nothing else does
_SAME = 0.8  # share of content words said before from which a sentence is said again

Times = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence, numbered from 1. `times` are seconds on the session's clock, None where a word
    has none. `hidden` words are those from the first to one before the last index; `name` the same
    for the learner's own name; `again` is the number of the sentence that this one repeats."""

    number: int
    turn: int
    speaker: Speaker
    words: tuple[str, ...]
    times: tuple[Times | None, ...]
    hidden: masking.Span | None = None
    name: masking.Span | None = None
    again: int | None = None

    @property
    def start(self) -> float | None:
        return next((times[0] for times in self.times if times), None)

    def open(self, index: int) -> bool:
        """Whether the word may be read."""
        return not any(span and span[0] <= index < span[1] for span in (self.hidden, self.name))

    @property
    def shown(self) -> str:
        """The words that may be read, `[…]` for masked ones and `[nom]` for the name."""
        if self.again is not None:
            return f"[= {self.again}]"
        shown: list[str] = []
        for index, word in enumerate(self.words):
            if self.open(index):
                shown.append(_UNSAID.sub("", word))
            else:
                hole = "[nom]" if self.hidden is None or not _within(index, self.hidden) else "[…]"
                if not shown or shown[-1] != hole:
                    shown.append(hole)
        return " ".join(word for word in shown if word)


def sentences(turns: Iterable[Turn]) -> tuple[Sentence, ...]:
    """The sentences of the exercise, in order; the warm-up is left out."""
    found: list[Sentence] = []
    for turn in turns:
        if turn.phase != "exercise":
            continue
        for part in _cut(_cleaned(_timed(turn))):
            words, times = zip(*part, strict=True)
            found.append(Sentence(len(found) + 1, turn.index, turn.speaker, words, times))
    hidden: dict[int, masking.Span | None] = {}
    for speaker in ("learner", "character"):
        own = [sentence for sentence in found if sentence.speaker == speaker]
        spans = masking.masked([sentence.words for sentence in own])
        hidden |= {one.number: span for one, span in zip(own, spans, strict=True)}
    masked = [
        replace(one, hidden=hidden[one.number], name=_name(one.words))
        if one.speaker == "learner"
        else replace(one, hidden=hidden[one.number])
        for one in found
    ]
    return tuple(_repeats(masked))


def learner_words(spoken: Iterable[Sentence]) -> int:
    """How many words of the learner may be read."""
    return sum(
        one.open(index)
        for one in spoken
        if one.speaker == "learner" and one.again is None
        for index in range(len(one.words))
    )


def quoted(text: str, spoken: Sequence[Sentence], number: int | None = None) -> Quote | None:
    """The learner's own words that `text` gives, looked up without regard to case, punctuation,
    apostrophes and spaces; in sentence `number` first. None when nobody may quote them: they were
    not said, are masked, or are too few."""
    wanted = atoms(text)
    if len(text.split()) < LEAST_QUOTE or len(wanted) < LEAST_QUOTE:
        return None
    own = [one for one in spoken if one.speaker == "learner"]
    turns = list(dict.fromkeys(one.turn for one in own))
    named = [one for one in own if one.number == number]
    for place in (*([one] for one in named), *([o for o in own if o.turn == t] for t in turns)):
        found = _find(wanted, place)
        if found is not None:
            return found
    return None


def atoms(text: str) -> list[str]:
    """The words of a text as they are compared: case folded, split at apostrophes and hyphens."""
    return re.findall(r"[^\W_]+", unicodedata.normalize("NFKC", text).casefold())


def content(words: Iterable[str]) -> frozenset[str]:
    """The words that carry content: longer than three letters or numbers, small words left out."""
    found = {atom for word in words for atom in atoms(word)}
    return frozenset(
        each for each in found if (len(each) > 3 or each.isdigit()) and each not in _SMALL
    )


def _find(wanted: Sequence[str], place: Sequence[Sentence]) -> Quote | None:
    said = [
        (atom, sentence, index)
        for sentence in place
        for index, word in enumerate(sentence.words)
        for atom in atoms(word)
    ]
    for at in range(len(said) - len(wanted) + 1):
        part = said[at : at + len(wanted)]
        if [atom for atom, _, _ in part] == list(wanted) and all(s.open(i) for _, s, i in part):
            spots = list(dict.fromkeys((sentence.number, index) for _, sentence, index in part))
            by_number = {sentence.number: sentence for _, sentence, _ in part}
            times = [by_number[number].times[index] for number, index in spots]
            known = [each for each in times if each]
            return Quote(
                text=" ".join(by_number[number].words[index] for number, index in spots),
                turn=part[0][1].turn,
                start=known[0][0] if known else None,
                end=known[-1][1] if known else None,
            )
    return None


def _timed(turn: Turn) -> list[tuple[str, Times | None]]:
    """The words of a turn as written, each with the times of the word that was heard."""
    words: tuple[Word, ...] = turn.words or ()
    written = turn.text.split() or [word.text for word in words]
    if not words:
        return [(word, None) for word in written]
    plain = ["".join(atoms(word)) for word in written]
    heard = ["".join(atoms(word.text)) for word in words]
    times: list[Times | None] = [None] * len(written)
    for at, to, size in difflib.SequenceMatcher(
        a=plain, b=heard, autojunk=False
    ).get_matching_blocks():
        for offset in range(size):
            times[at + offset] = (words[to + offset].start, words[to + offset].end)
    return list(zip(written, times, strict=True))


def _cleaned(words: Sequence[tuple[str, Times | None]]) -> list[tuple[str, Times | None]]:
    kept: list[tuple[str, Times | None]] = []
    for word, times in words:
        plain = "".join(atoms(word))
        repeated = kept and len(plain) <= 3 and plain == "".join(atoms(kept[-1][0]))
        if not _HESITATION.fullmatch(plain) and not repeated:
            kept.append((word, times))
        elif kept and word[-1] in ".!?…" and kept[-1][0][-1] not in ".!?…":
            kept[-1] = (kept[-1][0].rstrip(",;:") + word[-1], kept[-1][1])
    return kept


def _cut(words: Sequence[tuple[str, Times | None]]) -> Iterable[list[tuple[str, Times | None]]]:
    """Sentences: up to a full stop, or in long stretches without one up to a pause, or `LONG`."""
    part: list[tuple[str, Times | None]] = []
    stops = sum(word.rstrip('»"” ')[-1:] in _STOPS for word, _ in words)
    punctuated = stops > 0 and len(words) / stops <= LONG
    for at, (word, times) in enumerate(words):
        part.append((word, times))
        after = words[at + 1][1] if at + 1 < len(words) else None
        paused = times is not None and after is not None and after[0] - times[1] >= _PAUSE
        if (
            word.rstrip('»"” ')[-1:] in _STOPS
            or (paused and not punctuated)
            or len(part) >= 2 * LONG
            or (len(part) >= LONG and not punctuated)
        ):
            yield part
            part = []
    if part:
        yield part


def _repeats(spoken: Sequence[Sentence]) -> Iterable[Sentence]:
    """The sentences, with those of the learner marked that say nothing but what one said."""
    before: list[tuple[int, frozenset[str], bool]] = []
    for one in spoken:
        if one.speaker != "learner" or one.hidden is not None:
            yield one
            continue
        words = content(one.words)
        denied = any(atom in _NOT for word in one.words for atom in atoms(word))
        again = next(
            (
                number
                for number, said, otherwise in before
                if len(words) >= 3
                and denied == otherwise
                and len(words & said) >= _SAME * len(words)
            ),
            None,
        )
        if again is None:
            before.append((one.number, words, denied))
        yield replace(one, again=again)


def _name(words: Sequence[str]) -> masking.Span | None:
    """Where the speaker says their own name."""
    plain = [" ".join(atoms(word)) for word in words]
    for at in range(len(words)):
        for size in (1, 2, 3):
            if " ".join(plain[at : at + size]) in _CALLED:
                first = last = at + size
                while last < min(len(words), first + 3):
                    if plain[last] in _AFTER_NAME or (last - first == 2 and words[last].islower()):
                        break
                    last += 1
                    if words[last - 1][-1] in ",.!?;:…":
                        break
                return (first, last) if last > first else None
    return None


def _within(index: int, span: masking.Span) -> bool:
    return span[0] <= index < span[1]


_STOPS = frozenset(".!?…")
_HESITATION = re.compile(r"e+u+h+m?|h+e+u+|h+u+m+|h*m+h*|u+h+|u+m+|e+r+m?|a+h+m+")
_UNSAID = re.compile(r"[\x00-\x1f\x7f{}<>\[\]`|\\#=~^*_]")
_CALLED = frozenset({"je m appelle", "mon nom est", "mon prénom est", "my name is", "my name s"})
_AFTER_NAME = frozenset({"et", "je", "j ai", "and", "i", "i m", "i am", "from", "de", "c est"})
_NOT = frozenset({"ne", "n", "pas", "jamais", "sans", "not", "t", "never", "no", "without"})
_SMALL = frozenset(
    {"avec", "dans", "pour", "mais", "donc", "alors", "cette", "elle", "elles", "nous", "vous"}
    | {"leur", "leurs", "notre", "votre", "sont", "était", "être", "avoir", "fait", "faire"}
    | {"plus", "très", "bien", "aussi", "comme", "quand", "parce", "tout", "tous", "toute"}
    | {"voilà", "enfin", "vraiment", "encore", "même", "sans", "sous", "chez", "vers", "entre"}
    | {"that", "this", "with", "from", "have", "been", "were", "they", "them", "their", "there"}
    | {"what", "when", "which", "would", "could", "should", "about", "because", "just", "really"}
    | {"very", "then", "than", "also", "your", "will", "some", "into", "over", "here", "quel"}
    | {"quelle", "quels", "quelles", "pouvez", "avez", "êtes", "dites", "parlez", "racontez"}
    | {"tell", "does", "peux", "peut", "cela", "ceci", "celui", "celle", "suis", "avait", "avais"}
)
