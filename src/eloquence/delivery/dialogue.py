"""Turn-taking: how fast one answers, who talks, who asks, and what is taken up.

Pure over both speakers' turns. The partner's words need no times. Overlap is normal in a lively
French talk: only a start well before the partner's end, with more than a word of assent, counts
as an interruption.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from eloquence.delivery.expressions import Expression, ends_sentence, hits, sentences
from eloquence.delivery.lexical import forms
from eloquence.delivery.syllables import plain
from eloquence.delivery.words import Word

INTERRUPTION = 0.5
"""Seconds before the partner's end from which a start is an interruption."""
SLOW = 1.0
"""Seconds from which an answer is late in conversation: 13 % of the answers of native French
dialogues. After a hard question one or two seconds of thought are good."""
LONGEST_BACKCHANNEL = 3
"""Words that a sign of listening has at most."""
SHORTEST_CONTENT = 3
"""Letters of a word that can be taken up, at least."""
_OPENING = 3  # words of a sentence among which a question word opens it


@dataclass(frozen=True, slots=True)
class Utterance:
    """One turn of a dialogue. `start` and `end` are seconds of its speech, without the silence
    around it; `index` is what the events name. `cut` is whether the other's speech ended it."""

    index: int
    learner: bool
    start: float
    end: float
    words: tuple[Word, ...] = ()
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Response:
    """The learner's answer to a turn of the partner: its index and seconds from the partner's end
    to its start. Negative where it overlaps."""

    index: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Interruption:
    """A turn of the learner that took the partner's: seconds by which it was early."""

    index: int
    start: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Question:
    """A sentence of the learner that asks. `open` when it cannot be answered by yes or no."""

    index: int
    first: int
    last: int
    open: bool


@dataclass(frozen=True, slots=True)
class QuestionWords:
    """How a language asks. `open` and `closed` open a question (« comment », « est-ce que »);
    `inverted` are the subjects after an inverted verb and a hyphen (« vous »)."""

    open: tuple[Expression, ...]
    closed: tuple[Expression, ...]
    inverted: frozenset[str] = frozenset()


def untimed(text: str) -> tuple[Word, ...]:
    """The words of a text that has no times, as a partner's has. Punctuation that stands apart, as
    in French, goes with the word before it."""
    words: list[str] = []
    for piece in text.split():
        if words and not any(letter.isalnum() for letter in piece):
            words[-1] += piece
        else:
            words.append(piece)
    return tuple(Word(word, 0.0, 0.0) for word in words)


def exchanges(turns: Sequence[Utterance]) -> list[tuple[Utterance, Utterance]]:
    """Each (partner's turn, learner's turn right after it), in the order of their starts."""
    ordered = sorted(turns, key=lambda turn: (turn.start, turn.index))
    return [
        (before, after) for before, after in pairwise(ordered) if after.learner > before.learner
    ]


def responses(turns: Sequence[Utterance], *, backchannels: Collection[str] = ()) -> list[Response]:
    """How long each answer of the learner took: its start minus the partner's end, in seconds
    (Levinson & Torreira 2015: about 0.2 s across languages). Interruptions and mere signs of
    listening are no answers."""
    stolen = {one.index for one in interruptions(turns, backchannels=backchannels)}
    return [
        Response(after.index, after.start - before.end)
        for before, after in exchanges(turns)
        if after.index not in stolen and not backchannel(after, backchannels)
    ]


def response_latency(found: Sequence[Response]) -> float | None:
    """Median seconds of the responses; an overlap counts as it is. None without any."""
    return median(one.seconds for one in found) if found else None


def slow_responses(found: Sequence[Response], *, limit: float = SLOW) -> float | None:
    """Share of the responses that took longer than `limit` seconds, 0..1; None without any."""
    return sum(one.seconds > limit for one in found) / len(found) if found else None


def backchannel(turn: Utterance, backchannels: Collection[str]) -> bool:
    """Whether a turn is only a sign of listening (« oui », « d'accord », "mm"): at most three
    words, each of them listed, or together."""
    texts = [plain(word.text) for word in turn.words]
    texts = [text for text in texts if text]
    return 0 < len(texts) <= LONGEST_BACKCHANNEL and (
        " ".join(texts) in backchannels or all(text in backchannels for text in texts)
    )


def interruptions(
    turns: Sequence[Utterance], *, backchannels: Collection[str] = ()
) -> list[Interruption]:
    """The learner's turns that start more than 0.5 s before the partner's end, or that cut it off,
    and are more than a sign of listening."""
    found = []
    for before, after in exchanges(turns):
        early = before.end - after.start
        if (early > INTERRUPTION + 1e-9 or before.cut) and not backchannel(after, backchannels):
            found.append(Interruption(after.index, after.start, max(0.0, early)))
    return found


def talk_ratio(turns: Sequence[Utterance]) -> float | None:
    """The learner's words / all words, 0..1; of seconds of speech where either has no words."""
    sides = {
        learner: [turn for turn in turns if turn.learner is learner] for learner in (True, False)
    }
    if not sides[True] or not sides[False]:
        return None
    amounts = [float(sum(len(turn.words) for turn in sides[side])) for side in (True, False)]
    if not all(amounts):
        amounts = [sum(turn.end - turn.start for turn in sides[side]) for side in (True, False)]
    total = sum(amounts)
    return amounts[0] / total if total > 0 else None


def questions(turn: Utterance, asking: QuestionWords) -> list[Question]:
    """The questions of one turn. A sentence is one when it ends with a question mark; in a turn
    without punctuation, when a word that asks is among its first three or it holds an inverted
    verb. French questions by tone alone are found only where the recogniser writes the mark."""
    punctuated = any(ends_sentence(word.text) for word in turn.words)
    found = []
    for first, last in sentences(turn.words):
        sentence = turn.words[first : last + 1]
        asked = hits(sentence, asking.open)
        if punctuated:
            is_question = "?" in sentence[-1].text
        else:
            asked = [hit for hit in asked if hit.first < _OPENING]
            others = hits(sentence, asking.closed)
            is_question = (
                bool(asked)
                or any(hit.first < _OPENING for hit in others)
                or any(_inverted(word, asking.inverted) for word in sentence)
            )
        if is_question:
            found.append(Question(turn.index, first, last, bool(asked)))
    return found


def _inverted(word: Word, subjects: Collection[str]) -> bool:
    verb, hyphen, subject = plain(word.text).rpartition("-")
    return bool(hyphen and verb) and subject in subjects


def question_share(found: Sequence[Question], turns: Sequence[Utterance]) -> float | None:
    """Share of the learner's turns that hold a question, 0..1 (Huang 2017: asking more, and
    following up, is liked); None without turns."""
    own = [turn.index for turn in turns if turn.learner]
    return len({one.index for one in found}) / len(own) if own else None


def open_share(found: Sequence[Question]) -> float | None:
    """Share of the questions that are open, 0..1; None without questions."""
    return sum(one.open for one in found) / len(found) if found else None


def content_words(words: Sequence[Word], *, stop_words: Collection[str]) -> set[str]:
    """The content words of a turn: at least three letters, not listed, a plural like its
    singular."""
    return {
        form.removesuffix("s").removesuffix("x") if len(form) > SHORTEST_CONTENT else form
        for form in forms(words)
        if len(form) >= SHORTEST_CONTENT and form not in stop_words and not form.endswith("'")
    }


def taken_up(
    turns: Sequence[Utterance], *, stop_words: Collection[str]
) -> list[tuple[int, frozenset[str]]]:
    """For each answer of the learner, its index and the content words of the partner's last turn
    that it uses again."""
    return [
        (
            after.index,
            frozenset(
                content_words(before.words, stop_words=stop_words)
                & content_words(after.words, stop_words=stop_words)
            ),
        )
        for before, after in exchanges(turns)
        if before.words and after.words
    ]


def uptake(turns: Sequence[Utterance], *, stop_words: Collection[str]) -> float | None:
    """Share of the learner's answers that take up a content word of the partner's last turn, 0..1
    (Packard & Berger 2021: it shows listening); None without any answer in words."""
    found = taken_up(turns, stop_words=stop_words)
    return sum(bool(words) for _, words in found) / len(found) if found else None
