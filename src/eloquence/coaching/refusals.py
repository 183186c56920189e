"""Why a dimension has no score: what it lacks, by name, and the reason."""

from collections.abc import Iterator
from dataclasses import dataclass

from eloquence.coaching.figures import reason
from eloquence.coaching.norms import DimensionNorm, Norms
from eloquence.coaching.phrases import Phrases
from eloquence.coaching.readings import OF_THE_WHOLE, Readings
from eloquence.coaching.scoring import Result


@dataclass(frozen=True, slots=True)
class _Lack:
    """A part of a dimension without a score: what it weighs, and a key of `Phrases.reasons`."""

    label: str
    weight: float
    key: str
    sentence: str


def criterion_reason(key: str, phrases: Phrases) -> str:
    """Why a criterion was not judged, in a sentence."""
    key = "too_little" if key == "too_short" else key
    return phrases.reasons.get(key, phrases.reasons["not_judged"])


def unscored(
    dimension: DimensionNorm,
    one: Result,
    readings: Readings,
    norms: Norms,
    phrases: Phrases,
    *,
    by_ear: bool,
) -> str:
    """The reason that weighs most of what the dimension lacks, with the names of what lacks for it
    unless the reason holds for the whole session."""
    lacks = [
        *_unmeasured(dimension, readings, norms, phrases),
        *_unjudged(dimension, one, phrases, by_ear=by_ear),
    ]
    groups: dict[str, list[_Lack]] = {}
    for lack in lacks:
        groups.setdefault(lack.sentence, []).append(lack)
    if not groups:
        return phrases.reasons["coverage"]
    most = max(groups.values(), key=lambda group: sum(lack.weight for lack in group))
    first = most[0]
    if first.key in OF_THE_WHOLE:
        return first.sentence
    names = ", ".join(dict.fromkeys(lack.label for lack in most))
    if first.key == "by_ear":
        return phrases.reasons["lacks_words"].format(label=names)
    if first.key == "not_judged":
        share = phrases.number(100 * sum(lack.weight for lack in most), 0)
        return phrases.reasons["lacks_content"].format(value=share)
    return phrases.reasons["lacks"].format(label=names, reason=first.sentence)


def lower(label: str) -> str:
    """A label inside a sentence; its first letter stays in an abbreviation."""
    first = next((index for index, letter in enumerate(label) if letter.isalpha()), 0)
    if label[first + 1 : first + 2].isupper():
        return label
    return label[:first] + label[first : first + 1].lower() + label[first + 1 :]


def _unmeasured(
    dimension: DimensionNorm, readings: Readings, norms: Norms, phrases: Phrases
) -> Iterator[_Lack]:
    for part, weight in dimension.parts.items():
        given = readings[part]
        if given.value is None:
            sentence = reason(part, given.reason or "nothing", norms, phrases)
            label = lower(norms.measures[part].label)
            yield _Lack(label, (1 - dimension.judged) * weight, given.reason, sentence)


def _unjudged(
    dimension: DimensionNorm, one: Result, phrases: Phrases, *, by_ear: bool
) -> Iterator[_Lack]:
    content = phrases.measures["content"]
    if dimension.judged <= 0:
        return
    if by_ear or one.judged is None:
        key = "by_ear" if by_ear else "not_judged"
        yield _Lack(content, dimension.judged, key, phrases.reasons[key])
        return
    for part in one.judged.parts:
        if part.score is None:
            sentence = criterion_reason(part.reason, phrases)
            weight = dimension.judged * part.weight
            yield _Lack(lower(part.label), weight, part.reason, sentence)
