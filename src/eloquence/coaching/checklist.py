"""Hints on the content that need no model: words that were said or were not, named as hints.

They are found by words alone, so they can be wrong both ways, and they never count for a score.
"""

from collections.abc import Iterator, Sequence

from eloquence.coaching.character import Language
from eloquence.coaching.exercise import Exercise
from eloquence.coaching.judgement import Quote
from eloquence.coaching.judging import figures
from eloquence.coaching.report import ContentHint
from eloquence.coaching.rubric import Hint, Rubric
from eloquence.coaching.session import Turn
from eloquence.coaching.transcript import Sentence, atoms, content, sentences

QUOTES = 3
"""Quotes of a hint at most."""
_AFTER = 6  # words quoted after what was found
_STEM = 5  # letters by which two forms of a word are taken for one
_ENOUGH = 0.5  # share of the answers that take up a word of their question


def hints(
    turns: Sequence[Turn], exercise: Exercise, rubric: Rubric | None, language: Language
) -> tuple[ContentHint, ...]:
    """What the rubric's hints find in the learner's words, in its order; empty without a rubric of
    that language, in the exercise, and when no words were heard."""
    if rubric is None or rubric.language != language or exercise.rubric != rubric.id:
        return ()
    spoken = sentences(turns)
    own = [one for one in spoken if one.speaker == "learner" and one.hidden is None]
    if not own:
        return ()
    return tuple(_looked_for(hint, spoken, own) for hint in rubric.hints)


def _looked_for(hint: Hint, spoken: Sequence[Sentence], own: Sequence[Sentence]) -> ContentHint:
    match hint.looks_for:
        case "phrases":
            quotes = list(_phrases(hint, own))
            found = bool(quotes)
        case "figure":
            quotes = list(_figures(own))
            found = bool(quotes)
        case "answer":
            answers = list(_answers(spoken))
            quotes = [quote for quote in answers if quote is not None]
            found = bool(quotes) and len(quotes) >= _ENOUGH * len(answers)
    return ContentHint(
        id=hint.id,
        label=hint.label,
        found=found,
        text=hint.found if found else hint.absent,
        quotes=tuple(quotes[:QUOTES]) if found else (),
    )


def _phrases(hint: Hint, own: Sequence[Sentence]) -> Iterator[Quote]:
    """Where one of the phrases was said, once for each sentence."""
    wanted = [atoms(phrase) for phrase in hint.phrases]
    for one in own:
        said = [(atom, index) for index, word in enumerate(one.words) for atom in atoms(word)]
        plain = [atom for atom, _ in said]
        starts = (
            said[at][1]
            for phrase in wanted
            for at in range(len(plain) - len(phrase) + 1)
            if plain[at : at + len(phrase)] == phrase
        )
        first = min(starts, default=None)
        if first is not None:
            yield _quote(one, first)


def _figures(own: Sequence[Sentence]) -> Iterator[Quote]:
    for one in own:
        for index, word in enumerate(one.words):
            if figures(atoms(word)):
                yield _quote(one, index)
                break


def _answers(spoken: Sequence[Sentence]) -> Iterator[Quote | None]:
    """For each answer to a question, where it takes up one of the question's words, or None."""
    asked: frozenset[str] = frozenset()
    answering: int | None = None
    taken_up: Quote | None = None
    for one in spoken:
        if one.speaker == "character":
            if answering is not None:
                yield taken_up
                answering, taken_up = None, None
                asked = frozenset()
            if one.words[-1].endswith("?"):
                asked = frozenset(word[:_STEM] for word in content(one.words))
        elif asked:
            answering = one.turn
            if taken_up is None:
                taken_up = next(
                    (
                        _quote(one, index)
                        for index, word in enumerate(one.words)
                        if any(said[:_STEM] in asked for said in content([word]))
                    ),
                    None,
                )
    if answering is not None:
        yield taken_up


def _quote(one: Sentence, index: int) -> Quote:
    last = min(len(one.words), index + 1 + _AFTER)
    times = [each for each in one.times[index:last] if each]
    return Quote(
        text=" ".join(one.words[index:last]),
        turn=one.turn,
        start=times[0][0] if times else None,
        end=times[-1][1] if times else None,
    )
