"""How the words were chosen, and how steadily they came: figures that are never scored."""

from collections.abc import Callable
from dataclasses import dataclass

from eloquence.coaching.lexicon import Lexicon
from eloquence.coaching.observation import HeardTurn, Observation
from eloquence.delivery import dialogue, disfluency, expressions, lexical, timing
from eloquence.delivery.disfluency import per_hundred_words
from eloquence.delivery.expressions import Hit
from eloquence.delivery.words import Word

LEAST_WORDS = 100
"""Words below which a count per 100 words says little."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure by its stable name. `unit` and `reason`, which says why there is no value, are keys
    of the phrases; `percent` is whether the value is a share."""

    name: str
    value: float | None
    unit: str
    percent: bool = False
    reason: str = "nothing"


def wording(seen: Observation, lexicon: Lexicon, *, fluency: bool = True) -> tuple[Figure, ...]:
    """The figures of a session's words; without those of hesitation unless `fluency`.

    `repairs`, `held_words`, `swallowed_words`, `minimisers`, `concreteness` per 100 words;
    `hedge_stacks` share of the sentences with two hedges or more; `tic_share` share of the most
    frequent habit among all; `variety` MATTR-50; `connectives` how many different ones;
    `own_share` « je » among « je », « nous », « on »; `open_questions` share of the questions that
    cannot be answered by yes or no; `readability` Kandel-Moles or Flesch;
    `rate_variation` standard deviation of the pace of runs over its mean.
    """
    turns = [turn for turn in seen.turns if turn.words]
    fillers = lexicon.filled_pauses
    words = seen.tally.words
    few = "by_ear" if seen.by_ear else "few_words"
    enough = words >= LEAST_WORDS

    def counted(name: str, count: Callable[[HeardTurn], int]) -> Figure:
        if not enough:
            return Figure(name, None, "per_hundred", reason=few)
        return Figure(name, per_hundred_words(sum(map(count, turns)), words), "per_hundred")

    def said(turn: HeardTurn, listed: tuple[expressions.Expression, ...]) -> list[Hit]:
        return expressions.hits(turn.words, listed, fillers=fillers)

    whole = [word for turn in turns for word in turn.words]
    links = {hit.said for turn in turns for hit in said(turn, lexicon.connectives)}
    chosen = (
        counted("minimisers", lambda turn: len(said(turn, lexicon.minimisers))),
        counted("concreteness", lambda turn: len(_concrete(turn, lexicon))),
        Figure("connectives", float(len(links)) if enough else None, "different", reason=few),
        Figure(
            "variety",
            lexical.mattr(lexical.forms(whole, fillers=fillers)),
            "of_words",
            percent=True,
            reason=few,
        ),
        _own_share(whole, lexicon, few),
        Figure(
            "open_questions",
            dialogue.open_share([one for turn in turns for one in turn.questions]),
            "of_questions",
            percent=True,
        ),
        *_of_sentences(seen, turns, lexicon, few),
    )
    if not fluency:
        return chosen
    odd = disfluency.odd_lengths([turn.words for turn in turns], lexicon.language, fillers=fillers)
    lengths = [
        (one, turn.words[one.index])
        for turn, found in zip(turns, odd, strict=True)
        for one in found
    ]
    held = sum(disfluency.lengthened(one, word) for one, word in lengths)
    lost = sum(disfluency.swallowed(one, word, lexicon.language) for one, word in lengths)
    favourite = disfluency.favourite([hit for turn in turns for hit in turn.tics])
    return (
        *chosen,
        counted("repairs", lambda turn: len(turn.repairs)),
        Figure(
            "held_words",
            per_hundred_words(held, words) if enough else None,
            "per_hundred",
            reason=few,
        ),
        Figure(
            "swallowed_words",
            per_hundred_words(lost, words) if enough else None,
            "per_hundred",
            reason=few,
        ),
        Figure("tic_share", favourite[1] if favourite else None, "of_tics", percent=True),
        Figure("rate_variation", _rate_variation(turns, lexicon), "of_mean", percent=True),
    )


def _concrete(turn: HeardTurn, lexicon: Lexicon) -> list[lexical.Concrete]:
    return lexical.concrete(turn.words, numbers=lexicon.numbers, dates=lexicon.dates)


def _own_share(words: list[Word], lexicon: Lexicon, few: str) -> Figure:
    agency = lexical.agency(words, own=lexicon.own_subjects, shared=lexicon.shared_subjects)
    enough = len(words) >= LEAST_WORDS
    return Figure(
        "own_share",
        agency.own_share if enough else None,
        "of_subjects",
        percent=True,
        reason="nothing" if enough else few,
    )


def _of_sentences(
    seen: Observation, turns: list[HeardTurn], lexicon: Lexicon, few: str
) -> tuple[Figure, Figure]:
    """What needs to know where sentences end."""
    reason = few if seen.tally.words < LEAST_WORDS else "" if seen.punctuated else "no_punctuation"
    if reason:
        return (
            Figure("hedge_stacks", None, "of_sentences", percent=True, reason=reason),
            Figure("readability", None, "points", reason=reason),
        )
    fillers = lexicon.filled_pauses
    sentences = stacked = syllables = 0
    for turn in turns:
        sentences += len(lexical.sentence_lengths(turn.words, fillers=fillers))
        hedges = lexical.hedges(turn.words, lexicon.hedges, fillers=fillers)
        stacked += len(lexical.stacks(turn.words, hedges))
        syllables += lexical.syllables_of(turn.words, lexicon.language, fillers=fillers)
    ease = lexical.readability(seen.tally.words, sentences, syllables, lexicon.language)
    return (
        Figure("hedge_stacks", stacked / sentences, "of_sentences", percent=True),
        Figure("readability", ease, "points"),
    )


def _rate_variation(turns: list[HeardTurn], lexicon: Lexicon) -> float | None:
    runs = [
        (
            float(timing.syllables(turn.words[first : last + 1], lexicon.language)),
            turn.words[last].end - turn.words[first].start,
        )
        for turn in turns
        for first, last in timing.runs(turn.words, turn.silences)
    ]
    return timing.rate_variation(runs)
