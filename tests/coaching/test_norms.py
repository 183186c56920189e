"""The shipped norms, word lists and sentences, and what their types refuse."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pydantic import ValidationError

from eloquence.coaching.exercise import DIMENSIONS
from eloquence.coaching.lexicon import Lexicon
from eloquence.coaching.norms import DimensionNorm, MeasureNorm, Norms
from eloquence.coaching.phrases import Phrases, Wording
from eloquence.delivery.expressions import Expression
from eloquence.delivery.syllables import plain
from eloquence.delivery.tally import MEASURES

Shipped = Callable[..., Any]
LANGUAGES = ("fr", "en")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_norm_is_of_a_measure_that_exists(shipped: Shipped, language: str) -> None:
    norms: Norms = shipped(Norms, language, "norms")
    assert norms.language == language
    assert set(norms.measures) == set(MEASURES)
    assert set(norms.dimensions) == set(DIMENSIONS)
    assert all(one.source for one in norms.dimensions.values())
    for name, norm in norms.measures.items():
        assert not norm.bands or "conversation" in norm.bands, name
        assert not norm.bands or (norm.source and norm.error), name


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_scored_measure_has_its_sentences_and_a_drill(
    shipped: Shipped, language: str
) -> None:
    norms: Norms = shipped(Norms, language, "norms")
    phrases: Phrases = shipped(Phrases, language, "feedback")
    cured = {cure for drill in phrases.drills for cure in drill.cures.items()}
    for measure in {part for one in norms.dimensions.values() for part in one.parts}:
        for bands in norms.measures[measure].bands.values():
            for side, point in (("low", bands[2]), ("high", bands[3])):
                if point is not None:
                    assert side in phrases.priorities[measure], (measure, side)
                    assert (measure, side) in cured


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_two_languages_have_the_same_sentences(shipped: Shipped, language: str) -> None:
    ours: Phrases = shipped(Phrases, language, "feedback")
    french: Phrases = shipped(Phrases, "fr", "feedback")
    for field in ("headlines", "summaries", "reasons", "notes", "curves", "measures", "strengths"):
        assert set(getattr(ours, field)) == set(getattr(french, field)), field
    assert {name: set(sides) for name, sides in ours.priorities.items()} == {
        name: set(sides) for name, sides in french.priorities.items()
    }


@pytest.mark.parametrize("language", LANGUAGES)
def test_words_are_listed_in_plain_form(shipped: Shipped, language: str) -> None:
    lexicon: Lexicon = shipped(Lexicon, language, "lexicon")
    for _, value in lexicon:
        for entry in () if isinstance(value, str) else value:
            if isinstance(entry, Expression):
                listed = {entry.said, *entry.not_after, *entry.not_before}
            else:
                listed = {entry} if isinstance(entry, str) else set(entry)
            assert {plain(word) for word in listed} == listed


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from texts(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from texts(one)


def test_french_sentences_keep_french_typography(shipped: Shipped) -> None:
    phrases: Phrases = shipped(Phrases, "fr", "feedback")
    for text in texts(phrases.model_dump()):
        assert not re.search(r"[\w»] [:;!?»%]|« |\w[;!?»]|'", text), text


@pytest.mark.parametrize("language", LANGUAGES)
def test_sentences_never_judge_the_person_nor_name_a_feeling(
    shipped: Shipped, language: str
) -> None:
    phrases: Phrases = shipped(Phrases, language, "feedback")
    banned = re.compile(
        r"vous êtes|nerveu|stress|anxi|timid|émotion|confian|you are|nervous|emotion|confident|shy",
        re.IGNORECASE,
    )
    for text in texts(phrases.model_dump()):
        assert not banned.search(text), text


def test_an_unknown_place_in_a_sentence_is_refused() -> None:
    with pytest.raises(ValidationError, match="unknown place"):
        Wording(title="t", text="À {nowhere}", plain="p")


@pytest.mark.parametrize(
    "points",
    [(1, 2, 3, 3, 4, 5), (1, None, 3, 4, 5, 6), (None,) * 6, (6, 5, 4, 3, 2, 1)],
)
def test_a_band_that_does_not_ascend_or_has_half_a_side_is_refused(points: Any) -> None:
    with pytest.raises(ValidationError):
        MeasureNorm(label="l", unit="u", bands={"conversation": points})


def test_weights_that_do_not_sum_to_one_are_refused() -> None:
    with pytest.raises(ValidationError, match="sum to 1"):
        DimensionNorm(label="l", parts={"speech_rate": 0.5})


def test_a_dimension_of_a_measure_without_band_is_refused(norms: Norms) -> None:
    given = norms.model_dump(mode="json")
    given["dimensions"]["fluency"]["parts"] = {"pause_frequency": 1.0}
    with pytest.raises(ValidationError, match="no band"):
        Norms.model_validate(given)
