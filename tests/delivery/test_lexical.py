"""Words chosen."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eloquence.coaching.lexicon import Lexicon
from eloquence.delivery import lexical
from eloquence.delivery.expressions import hits
from eloquence.delivery.words import Word
from eloquence.testing.corpora import Sentence

Lexicons = Callable[[str], Lexicon]


def said(text: str) -> list[Word]:
    return [Word(word, index * 0.4, index * 0.4 + 0.3) for index, word in enumerate(text.split())]


def hedged(text: str, lexicon: Lexicon) -> list[tuple[str, bool]]:
    found = lexical.hedges(said(text), lexicon.hedges, fillers=lexicon.filled_pauses)
    return [(hedge.said, hedge.stacked) for hedge in found]


@pytest.mark.parametrize(
    "text",
    [
        "je ne pense pas", "je pense pas que ce soit vrai", "un peu de sel", "plutôt que de partir",
        "je crois en vous", "je ne sais pas si vous viendrez", "je trouve un emploi",
    ],
)  # fmt: skip
def test_negated_and_literal_hedges_are_none_in_french(text: str, lexicons: Lexicons) -> None:
    assert hedged(text, lexicons("fr")) == []


@pytest.mark.parametrize(
    "text",
    ["I don't think", "what I think matters", "this kind of work", "I believe in you",
     "a bit of sugar"],
)  # fmt: skip
def test_negated_and_literal_hedges_are_none_in_english(text: str, lexicons: Lexicons) -> None:
    assert hedged(text, lexicons("en")) == []


def test_two_hedges_in_a_sentence_are_a_stack_and_one_is_not(lexicons: Lexicons) -> None:
    text = "Je pense que c'est peut-être vrai. Il me semble qu'il pleut."
    assert hedged(text, lexicons("fr")) == [
        ("je pense", True), ("peut-être", True), ("il me semble", False),
    ]  # fmt: skip
    words = said(text)
    found = lexical.hedges(words, lexicons("fr").hedges)
    assert lexical.stacks(words, found) == [(0, 4)]
    assert hedged("I guess it is maybe true", lexicons("en")) == [
        ("i guess", True),
        ("maybe", True),
    ]


@pytest.mark.parametrize(
    ("language", "text", "wanted"),
    [
        ("fr", "j'ai juste aidé un petit groupe", ["juste", "un petit"]),
        ("fr", "c'est juste, tout simplement", []),
        ("en", "I just helped, nothing special", ["just", "nothing special"]),
        ("en", "it is just as good", []),
    ],
)
def test_minimisers_make_smaller(
    language: str, text: str, wanted: list[str], lexicons: Lexicons
) -> None:
    found = hits(said(text), lexicons(language).minimisers)
    assert [hit.said for hit in found] == wanted


def test_forms_split_elisions_and_leave_filled_pauses_out() -> None:
    words = said("L'homme, euh, qu'on aime aujourd'hui")
    assert lexical.forms(words, fillers={"euh"}) == [
        "l'", "homme", "qu'", "on", "aime", "aujourd'hui",
    ]  # fmt: skip


def test_diversity_needs_enough_words() -> None:
    assert lexical.mtld(["a"] * 99) is None
    assert lexical.mattr(["a"] * 49) is None


def test_diversity_of_one_word_and_of_words_that_never_return() -> None:
    same, different = ["a"] * 200, [str(number) for number in range(200)]
    assert lexical.mtld(same) == 2.0  # the ratio falls to .5 at each second word
    assert lexical.mtld(different) == 200.0
    assert lexical.mattr(same) == pytest.approx(1 / 50)
    assert lexical.mattr(different) == 1.0


def test_mtld_of_a_text_worked_by_hand() -> None:
    """Four words over and over: after the sixth the ratio is 4/6 = .667 <= .72, so that a stretch
    has six words: 20 of them in 120 words, from either side."""
    assert lexical.mtld(["a", "b", "c", "d"] * 30) == 6.0


@settings(deadline=None)
@given(st.lists(st.sampled_from("abcdefghij"), min_size=50, max_size=200))
def test_the_moving_ratio_is_that_of_every_window(tokens: list[str]) -> None:
    ratios = [len(set(tokens[at : at + 50])) / 50 for at in range(len(tokens) - 49)]
    assert lexical.mattr(tokens) == pytest.approx(sum(ratios) / len(ratios))


def test_figures_names_and_dates_are_concrete(lexicons: Lexicons) -> None:
    lexicon = lexicons("fr")
    words = said("En mars, Marie Curie a réduit de 30 % vingt-deux coûts à Lyon, Paris. Puis rien.")
    found = lexical.concrete(words, numbers=lexicon.numbers, dates=lexicon.dates)
    assert [(one.kind, one.first, one.last) for one in found] == [
        ("date", 1, 1), ("name", 2, 3), ("number", 7, 7), ("number", 9, 9), ("name", 12, 12),
        ("name", 13, 13),
    ]  # fmt: skip


def test_agency_tells_i_from_we(lexicons: Lexicons) -> None:
    lexicon = lexicons("fr")
    agency = lexical.agency(
        said("j'ai décidé, et je je crois qu'on a gagné, nous avons fini"),
        own=lexicon.own_subjects,
        shared=lexicon.shared_subjects,
    )
    assert (agency.own, agency.shared) == (2, 2)
    assert agency.own_share == 0.5
    assert lexical.agency([], own={"i"}, shared={"we"}).own_share is None


def test_connectives_are_counted_by_type_too(lexicons: Lexicons) -> None:
    text = "D'abord le budget, ensuite le calendrier, ensuite l'équipe, parce que c'est lié."
    found = lexical.connectives(said(text), lexicons("fr").connectives)
    assert [hit.said for hit in found] == ["d'abord", "ensuite", "ensuite", "parce que"]
    assert len({hit.said for hit in found}) == 3


def test_readability_is_the_published_formula() -> None:
    assert lexical.readability(100, 10, 150, "en") == pytest.approx(206.835 - 10.15 - 126.9)
    assert lexical.readability(100, 10, 150, "fr") == pytest.approx(207 - 10.15 - 110.4)
    assert lexical.readability(0, 0, 0, "fr") is None


def test_sentence_lengths_leave_filled_pauses_out() -> None:
    assert lexical.sentence_lengths(said("Euh. Je viens, euh, demain. Oui"), fillers={"euh"}) == [
        3,
        1,
    ]


@pytest.mark.speech
def test_diversity_of_stories_does_not_fall_with_their_length(
    paris_stories: list[Sentence], lexicons: Lexicons
) -> None:
    """On 66 stories of 100 to 2,000 words and more, MTLD of a half is that of the whole within 15 %
    (median), while types / tokens falls by a quarter (McCarthy & Jarvis 2010)."""
    stories: dict[str, list[str]] = {}
    for sentence in paris_stories:
        tokens = lexical.forms(sentence.words, fillers=lexicons("fr").filled_pauses)
        stories.setdefault(sentence.recording, []).extend(tokens)
    moves, falls = [], []
    for tokens in stories.values():
        half = tokens[: len(tokens) // 2]
        whole, part = lexical.mtld(tokens), lexical.mtld(half)
        if whole and part:
            moves.append(abs(part / whole - 1))
            falls.append(1 - (len(set(tokens)) / len(tokens)) / (len(set(half)) / len(half)))
    assert len(moves) > 50
    assert sorted(moves)[len(moves) // 2] < 0.15
    assert sorted(falls)[len(falls) // 2] > 0.2
