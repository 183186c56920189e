"""Rates, pauses and runs from words whose times are known."""

import json
from pathlib import Path

import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from eloquence.delivery import timing
from eloquence.delivery.live import last_turn_facts
from eloquence.delivery.sound import measure
from eloquence.delivery.words import Word

OPENERS = frozenset({"et", "qu'", "mais"})
OPEN = frozenset({"le", "de", "je"})
FILLERS = frozenset({"euh"})


def words(*timed: tuple[str, float, float]) -> list[Word]:
    return [Word(text, start, end) for text, start, end in timed]


def kinds(spoken: list[Word], *, with_punctuation: bool = True) -> list[str]:
    return [
        silence.kind
        for silence in timing.silences(
            spoken,
            clause_openers=OPENERS,
            open_words=OPEN,
            fillers=FILLERS,
            with_punctuation=with_punctuation,
        )
    ]


def test_a_pause_after_punctuation_is_at_a_boundary() -> None:
    assert kinds(words(("bonjour,", 0, 0.5), ("Marie", 1, 1.5))) == ["boundary"]


def test_a_pause_before_a_clause_opener_is_at_a_boundary() -> None:
    assert kinds(words(("venu", 0, 0.5), ("mais", 1, 1.2))) == ["boundary"]
    assert kinds(words(("dire", 0, 0.5), ("qu’il", 1, 1.2))) == ["boundary"]


def test_a_pause_around_a_filler_is_at_a_boundary() -> None:
    assert kinds(words(("le", 0, 0.2), ("euh", 0.6, 0.9), ("chat", 1.3, 1.6))) == ["boundary"] * 2


def test_a_pause_inside_a_phrase_is_mid_phrase() -> None:
    assert kinds(words(("le", 0, 0.2), ("chat", 0.6, 0.9))) == ["mid_phrase"]


def test_without_punctuation_only_an_open_word_makes_a_pause_mid_phrase() -> None:
    spoken = words(("le", 0, 0.2), ("chat", 0.6, 0.9), ("dort", 1.4, 1.7))
    assert kinds(spoken, with_punctuation=False) == ["mid_phrase", "unknown"]


def test_a_gap_under_a_quarter_of_a_second_is_no_pause() -> None:
    assert kinds(words(("le", 0, 0.2), ("chat", 0.44, 0.9))) == []


def test_a_gap_full_of_speech_is_a_word_not_understood_and_no_pause() -> None:
    spoken = words(("le", 0, 0.2), ("chat", 1.2, 1.5))
    found = timing.silences(
        spoken,
        clause_openers=OPENERS,
        open_words=OPEN,
        fillers=FILLERS,
        with_punctuation=True,
        speech=[(0.0, 0.9), (1.15, 1.5)],
    )
    assert found == []


@pytest.mark.parametrize(
    ("seconds", "kind", "long"),
    [(0.9, "mid_phrase", False), (1.0, "mid_phrase", True), (1.9, "boundary", False),
     (2.0, "boundary", True), (1.9, "unknown", False), (2.0, "unknown", True)],
)  # fmt: skip
def test_long_is_one_second_inside_a_phrase_and_two_elsewhere(
    seconds: float, kind: timing.PauseKind, long: bool
) -> None:
    assert timing.Silence(3.0, 3.0 + seconds, kind).long is long


def test_rates_are_ratios_of_what_was_counted() -> None:
    assert timing.speech_rate(45, 10) == 4.5
    assert timing.articulation_rate(45, 10, 1) == 5.0
    assert timing.words_per_minute(30, 10) == 180
    assert timing.phonation_ratio(10, 1) == 0.9
    assert timing.mean_run(45, 4, 1) == 9
    assert timing.per_minute(2, 30) == 4


def test_nothing_spoken_has_no_rate() -> None:
    assert timing.span([]) is None
    assert timing.speech_rate(0, 0) is None
    assert timing.articulation_rate(5, 1, 1) is None
    assert timing.mean_run(0, 0, 0) is None
    assert timing.rate_curve([], []) == ([], [])


def test_a_steady_pace_is_a_flat_curve() -> None:
    onsets = [(0.1 + index / 5, 1.0) for index in range(150)]
    times, rates = timing.rate_curve(onsets, [(0.0, 30.0)])
    known = [rate for rate in rates if rate is not None]
    assert times[0] == 0
    assert len(times) == 31
    assert known == pytest.approx([5.0] * len(known), abs=0.2)


def test_the_curve_has_a_gap_where_somebody_else_speaks() -> None:
    onsets = [(index / 5, 1.0) for index in range(50)]
    onsets += [(30 + index / 5, 1.0) for index in range(50)]
    times, rates = timing.rate_curve(onsets, [(0.0, 10.0), (30.0, 40.0)])
    assert all(rate is None for time, rate in zip(times, rates, strict=True) if 14 <= time <= 26)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.floats(0.01, 1), st.floats(0, 3)), min_size=1, max_size=40),
    st.booleans(),
)
def test_pauses_lie_between_words_and_never_overlap(
    steps: list[tuple[float, float]], punctuated: bool
) -> None:
    clock, spoken = 0.0, []
    for length, gap in steps:
        spoken.append(Word("chat", clock, clock + length))
        clock += length + gap
    found = timing.silences(
        spoken,
        clause_openers=OPENERS,
        open_words=OPEN,
        fillers=FILLERS,
        with_punctuation=punctuated,
    )
    edges = [edge for silence in found for edge in (silence.start, silence.end)]
    assert edges == sorted(edges)
    assert all(silence.seconds >= 0.25 - 1e-6 for silence in found)


def test_the_last_turn_is_told_from_its_words() -> None:
    spoken = words(("bonjour", 1, 1.5), ("Marie", 2.6, 3.0))
    assert last_turn_facts(spoken, None) == (2.0, 2.0, 1)


def test_nothing_heard_gives_no_facts() -> None:
    assert last_turn_facts(None, None) == (0.0, None, 0)
    assert last_turn_facts([], None) == (0.0, None, 0)


@pytest.mark.speech
def test_pauses_by_ear_agree_with_word_times(shared_data: Path) -> None:
    folder = shared_data / "fixtures-en/librivox"
    for file in sorted(folder.glob("*.json")):
        timed = [word for word in json.loads(file.read_text())["w"] if word["t"][0] != "<"]
        samples, rate = soundfile.read(file.with_suffix(".wav"), dtype="float32")
        span = timing.span_by_ear(measure(samples, rate))
        assert span is not None
        assert span[0] == pytest.approx(timed[0]["b"], abs=0.2)
        assert span[1] == pytest.approx(timed[-1]["b"] + timed[-1]["d"], abs=0.25)


@pytest.mark.speech
def test_the_last_turn_is_told_by_ear(shared_data: Path) -> None:
    samples, rate = soundfile.read(shared_data / "fixtures-fr/lamartine.wav", dtype="float32")
    seconds, syllable_rate, _ = last_turn_facts(None, measure(samples, rate))
    assert 12 < seconds < 14
    assert syllable_rate is not None
    assert 2.5 < syllable_rate < 5
