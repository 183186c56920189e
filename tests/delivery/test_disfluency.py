"""Hesitation in words."""

from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from eloquence.coaching.lexicon import Lexicon
from eloquence.delivery import disfluency
from eloquence.delivery.disfluency import Repair
from eloquence.delivery.expressions import Hit
from eloquence.delivery.syllables import plain
from eloquence.delivery.words import Word
from eloquence.testing.corpora import Sentence, turns

Lexicons = Callable[[str], Lexicon]


def said(text: str) -> list[Word]:
    return [Word(word, index * 0.4, index * 0.4 + 0.3) for index, word in enumerate(text.split())]


def test_a_filled_pause_inside_a_sentence_weighs_twice_one_before_it() -> None:
    found = disfluency.filled_pauses(said("Euh je pense. Euh que le euh budget"), {"euh"})
    assert [filler.index for filler in found] == [0, 3, 6]
    assert [filler.weight for filler in found] == [0.5, 0.5, 1.0]


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("je je pense", [(1, 1)]),
        ("je euh je pense", [(2, 2)]),
        ("dans le dans le parc", [(2, 3)]),
        ("le le le chat", [(1, 1), (2, 2)]),
        ("c'est très très bien", []),
        ("il y a 2 2 chats", []),
        ("Je viens. Viens ici", []),
        ("le chat dort", []),
    ],
)
def test_repetitions_are_found_unless_they_are_meant(
    text: str, places: list[tuple[int, int]]
) -> None:
    found = disfluency.repetitions(said(text), emphatic={"très très"}, fillers={"euh"})
    assert found == places


def test_counts_per_hundred_words_need_words() -> None:
    assert disfluency.per_hundred_words(3, 60) == 5
    assert disfluency.per_hundred_words(0, 0) is None


def test_the_favourite_habit_and_its_share() -> None:
    found = [Hit("voilà", 1, 1), Hit("du coup", 3, 4), Hit("du coup", 8, 9), Hit("bah", 10, 10)]
    assert disfluency.favourite(found) == ("du coup", 0.5)
    assert disfluency.favourite([]) is None


def repaired(words: list[Word], lexicon: Lexicon) -> list[Repair]:
    return disfluency.repairs(
        words,
        fillers=lexicon.filled_pauses,
        alternatives=lexicon.alternatives,
        restarts=lexicon.restarts,
        open_words=lexicon.open_words,
    )


@pytest.mark.parametrize(
    ("language", "text", "found"),
    [
        ("fr", "dans le mét- le métro", [Repair("cut", 2, 2)]),
        ("fr", "je prends le euh la voiture", [Repair("replaced", 2, 2)]),
        ("fr", "envie de d'abandonner", [Repair("replaced", 1, 1)]),
        ("fr", "je suis j'ai vu", [Repair("restarted", 0, 1)]),
        ("fr", "c'est c'était bien", [Repair("restarted", 0, 0)]),
        ("fr", "Je suis venu. Je repars.", []),
        ("fr", "ce que c'est", []),
        ("fr", "une des passantes", []),
        ("en", "we took the a bus", [Repair("replaced", 2, 2)]),
        ("en", "I was I am here", [Repair("restarted", 0, 1)]),
        ("en", "the mont- montreal one", [Repair("cut", 1, 1)]),
        ("en", "move in with me", []),
    ],
)
def test_what_was_taken_back_is_found(
    language: str, text: str, found: list[Repair], lexicons: Lexicons
) -> None:
    assert repaired(said(text), lexicons(language)) == found


@pytest.mark.speech
def test_repairs_agree_with_what_annotators_marked_as_taken_back(
    paris_stories: list[Sentence], lexicons: Lexicons
) -> None:
    """ParisStories: 112 of 117 replaced words and restarts are marked there (precision .96); with
    repetitions .64 of the 1,035 words marked so are found (658). What is written as cut is a cut
    word whether or not its annotator marked it as repaired."""
    lexicon = lexicons("fr")
    right = found = covered = marks = 0
    for sentence in paris_stories:
        words = list(sentence.words)
        truth = {at for at, labels in enumerate(sentence.labels) if "reparandum" in labels}
        reached: set[int] = set()
        for repair in repaired(words, lexicon):
            reached.update(range(repair.first - 1, repair.last + 2))
            if repair.kind != "cut":
                found += 1
                right += bool(truth & set(range(repair.first, repair.last + 1)))
        for first, last in disfluency.repetitions(
            words, emphatic=lexicon.emphatic, fillers=lexicon.filled_pauses
        ):
            reached.update(range(first - 2 * (last - first + 1), last + 1))
        marks += len(truth)
        covered += len(truth & reached)
    assert (right, found) == (112, 117)
    assert (covered, marks) == (658, 1035)


@pytest.mark.speech
def test_every_written_filled_pause_is_found_and_nothing_else(
    rhapsodie: list[Sentence], paris_stories: list[Sentence], lexicons: Lexicons
) -> None:
    """Rhapsodie: all 1,012 « euh » that have times (of 1,016); ParisStories: all 1,626 that are
    whole. Recall 1 and precision 1: what is written is found. What a recogniser leaves out can be
    heard by the sound alone."""
    written = {"euh", "heu", "hum", "hm", "hmm", "euhm", "mm", "mmh"}
    for corpus, least in ((rhapsodie, 1000), (paris_stories, 1600)):
        wanted = found = right = 0
        for sentence in corpus:
            fillers = disfluency.filled_pauses(sentence.words, lexicons("fr").filled_pauses)
            truth = {at for at, word in enumerate(sentence.words) if plain(word.text) in written}
            wanted += len(truth)
            found += len(fillers)
            right += len({filler.index for filler in fillers} & truth)
        assert wanted > least
        assert right == wanted == found


@pytest.mark.speech
def test_english_filled_pauses_are_found_in_transcripts(
    shared_data: Path, lexicons: Lexicons
) -> None:
    """The 49 clips of mfa-fillers: every *um*, *uh* and *hm* of their transcripts, and the one "you
    know" that is said for itself."""
    lexicon = lexicons("en")
    text = (shared_data / "fixtures-en/mfa-fillers/transcripts.txt").read_text()
    clips = dict(
        part.split('": "')
        for line in text.splitlines()
        for part in [line.strip(' ",')]
        if '": "' in part
    )
    counts = {}
    for name, transcript in clips.items():
        words = [Word(word, 0, 0) for word in transcript.split() if word[0] not in "<["]
        found = disfluency.filled_pauses(words, lexicon.filled_pauses)
        assert len(found) == sum(word.text in ("um", "uh", "hm") for word in words)
        counts[name] = len(found)
    assert len(clips) > 45
    assert counts["mfa_uhum"] == 6
    assert counts["mfa_uhuh"] == 6
    assert counts["mfa_her"] == 0


def drawn(count: int, random: Random) -> list[Word]:
    """Words of a steady speaker: 0.18 s a syllable, give or take a tenth."""
    words, clock = [], 0.0
    for _ in range(count):
        text, syllables = random.choice(
            [("le", 1), ("budget", 2), ("réunion", 3), ("calendrier", 4)]
        )
        length = 0.18 * syllables * random.uniform(0.9, 1.1)
        words.append(Word(text, clock, clock + length))
        clock += length
    return words


def test_a_word_that_was_held_or_swallowed_stands_out() -> None:
    words = drawn(80, Random(7))
    words[40] = Word("le", words[40].start, words[40].start + 0.7)
    words[60] = Word("calendrier", words[60].start, words[60].start + 0.2)
    (found,) = disfluency.odd_lengths([words], "fr", fillers=())
    held = [one.index for one in found if disfluency.lengthened(one, words[one.index])]
    lost = [one.index for one in found if disfluency.swallowed(one, words[one.index], "fr")]
    assert (held, lost) == ([40], [60])


def test_a_few_words_say_nothing_of_length() -> None:
    assert disfluency.odd_lengths([drawn(39, Random(7))], "fr", fillers=()) == [[]]


def test_lengths_without_spread_are_not_odd() -> None:
    words = [Word("le", index, index + 0.25) for index in range(60)]
    assert disfluency.odd_lengths([words], "fr", fillers=()) == [[]]


@pytest.mark.speech
def test_few_words_of_native_speech_are_odd(rhapsodie: list[Sentence], lexicons: Lexicons) -> None:
    """Over the speakers of Rhapsodie 3 % of the words are held and 0.3 % swallowed."""
    speakers: dict[tuple[str, str], list[tuple[Word, ...]]] = {}
    for turn in turns(rhapsodie):
        words = tuple(word for sentence in turn for word in sentence.words)
        speakers.setdefault((turn[0].recording, turn[0].speaker), []).append(words)
    total = held = lost = 0
    for spoken in speakers.values():
        found = disfluency.odd_lengths(spoken, "fr", fillers=lexicons("fr").filled_pauses)
        for words, odd in zip(spoken, found, strict=True):
            total += len(words)
            held += sum(disfluency.lengthened(one, words[one.index]) for one in odd)
            lost += sum(disfluency.swallowed(one, words[one.index], "fr") for one in odd)
    assert 0.01 < held / total < 0.05
    assert 0.0005 < lost / total < 0.01
