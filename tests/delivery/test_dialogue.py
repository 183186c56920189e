"""Turn-taking."""

from collections.abc import Callable

import pytest

from eloquence.coaching.lexicon import Lexicon
from eloquence.delivery import dialogue
from eloquence.delivery.dialogue import Utterance, untimed

Lexicons = Callable[[str], Lexicon]
LISTENING = frozenset({"oui", "d'accord", "ah", "tout à fait"})


def partner(
    index: int, start: float, end: float, text: str = "Bonjour", cut: bool = False
) -> Utterance:
    return Utterance(index, False, start, end, untimed(text), cut)


def learner(index: int, start: float, end: float, text: str = "Je viens de Lyon") -> Utterance:
    return Utterance(index, True, start, end, untimed(text))


def test_the_response_is_the_time_from_the_partners_end() -> None:
    turns = [partner(0, 0, 3), learner(1, 3.4, 5), partner(2, 5.5, 7), learner(3, 9, 11)]
    found = dialogue.responses(turns)
    assert [(one.index, round(one.seconds, 2)) for one in found] == [(1, 0.4), (3, 2.0)]
    assert dialogue.response_latency(found) == pytest.approx(1.2)
    assert dialogue.slow_responses(found) == 0.5


def test_no_response_has_no_latency() -> None:
    assert dialogue.responses([learner(0, 0, 3)]) == []
    assert dialogue.response_latency([]) is None
    assert dialogue.slow_responses([]) is None


def test_punctuation_apart_goes_with_the_word_before_it() -> None:
    assert [word.text for word in untimed("« Vous venez\u00a0? »")] == ["«", "Vous", "venez?»"]


def test_a_second_turn_of_the_learner_answers_nothing() -> None:
    turns = [partner(0, 0, 3), learner(1, 4, 5), learner(2, 9, 11)]
    assert [one.index for one in dialogue.responses(turns)] == [1]


@pytest.mark.parametrize(
    ("start", "text", "stolen"),
    [
        (2.6, "Mais non, attendez", False),
        (2.4, "Mais non, attendez", True),
        (1.0, "oui d'accord", False),
        (1.0, "Tout à fait", False),
        (1.0, "oui oui oui mais attendez", True),
    ],
)
def test_an_interruption_starts_half_a_second_early_and_is_more_than_assent(
    start: float, text: str, stolen: bool
) -> None:
    turns = [partner(0, 0, 3), learner(1, start, 5, text)]
    found = dialogue.interruptions(turns, backchannels=LISTENING)
    assert [one.index for one in found] == ([1] if stolen else [])


def test_a_partner_who_was_cut_off_was_interrupted_and_not_answered() -> None:
    turns = [partner(0, 0, 3, cut=True), learner(1, 2.9, 5, "Mais enfin non")]
    assert len(dialogue.interruptions(turns)) == 1
    assert dialogue.responses(turns) == []


def test_the_talk_ratio_counts_words_and_seconds_where_there_are_none() -> None:
    assert dialogue.talk_ratio([partner(0, 0, 1, "a b c d e f"), learner(1, 1, 9, "g h")]) == 0.25
    silent = [Utterance(0, False, 0, 3), Utterance(1, True, 3, 4)]
    assert dialogue.talk_ratio(silent) == 0.25
    assert dialogue.talk_ratio([learner(0, 0, 3)]) is None


@pytest.mark.parametrize(
    ("language", "text", "asked"),
    [
        ("fr", "Comment travaillez-vous ?", [True]),
        ("fr", "Vous venez ?", [False]),
        ("fr", "Et vous habitez où ?", [True]),
        ("fr", "Je viens. Et vous ? Pourquoi ?", [False, True]),
        ("fr", "et comment faites-vous cela", [True]),
        ("fr", "est-ce que vous venez demain", [False]),
        ("fr", "venez-vous demain", [False]),
        ("fr", "je ne sais pas comment faire", []),
        ("fr", "Dites ce que vous voulez.", []),
        ("en", "What do you do?", [True]),
        ("en", "do you like it", [False]),
        ("en", "and how does it work", [True]),
        ("en", "it works the way it does", []),
    ],
)
def test_questions_are_found_and_open_ones_told_apart(
    language: str, text: str, asked: list[bool], lexicons: Lexicons
) -> None:
    found = dialogue.questions(learner(1, 0, 3, text), lexicons(language).asking)
    assert [one.open for one in found] == asked


def test_the_shares_of_questions() -> None:
    turns = [learner(0, 0, 1), learner(1, 1, 2), partner(2, 2, 3)]
    found = [dialogue.Question(0, 0, 1, True), dialogue.Question(0, 2, 3, False)]
    assert dialogue.question_share(found, turns) == 0.5
    assert dialogue.open_share(found) == 0.5
    assert dialogue.open_share([]) is None
    assert dialogue.question_share([], [partner(0, 0, 1)]) is None


def test_uptake_is_using_the_partners_content_words_again(lexicons: Lexicons) -> None:
    stop_words = lexicons("fr").stop_words
    turns = [
        partner(0, 0, 3, "Le délai de livraison vous inquiète ?"),
        learner(1, 3, 6, "Oui, les délais sont trop longs."),
        partner(2, 6, 9, "Et le prix, qu'en pensez-vous ?"),
        learner(3, 9, 12, "Je voudrais que vous y pensiez avec moi."),
    ]
    assert dialogue.taken_up(turns, stop_words=stop_words) == [
        (1, frozenset({"délai"})), (3, frozenset()),
    ]  # fmt: skip
    assert dialogue.uptake(turns, stop_words=stop_words) == 0.5
    assert dialogue.uptake([learner(0, 0, 1)], stop_words=stop_words) is None
