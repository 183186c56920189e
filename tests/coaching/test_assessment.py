"""From a stored session to its report."""

import itertools
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eloquence.coaching.report import DimensionScore, Report
from eloquence.coaching.session import SessionEnd, Turn
from eloquence.delivery.sound import HOP, Sound, measure
from eloquence.delivery.words import Word

Assess = Callable[..., Report]


def said(
    count: int,
    *,
    rate: float = 4.9,
    start: float = 0.0,
    pause_every: int = 10,
    pause: float = 0.5,
    sentence: int = 10,
) -> tuple[Word, ...]:
    """`count` words of two syllables at a steady articulation `rate` (syllables per second), with
    a pause after every so many words and a full stop after every `sentence` words."""
    words, clock = [], start
    for index in range(1, count + 1):
        length = 2 / rate
        stop = "." if index % sentence == 0 else ""
        text = ("bateau", "maison", "jardin", "chanson", "matin", "couleur", "moment")[index % 7]
        words.append(Word(text + stop, round(clock, 4), round(clock + length, 4)))
        clock += length + (pause if index % pause_every == 0 else 0.0)
    return tuple(words)


def heard(
    seconds: float,
    *,
    start: float = 0.0,
    spread: float = 3.0,
    snr: float | None = 35.0,
    **other: Any,
) -> Sound:
    """A sound of steady speech whose pitch swings by `spread` semitones (standard deviation)."""
    frames = int(seconds / HOP) + 1
    swing = spread * math.sqrt(2)
    nuclei = [start + 0.1 + index / 4.5 for index in range(int((seconds - 0.2) * 4.5))]
    measured: dict[str, Any] = {
        "start": start,
        "duration": seconds,
        "pitch": tuple(
            None
            if index % 5 == 0
            else 120 * 2 ** (swing * math.sin(2 * math.pi * index * HOP / 1.7) / 12)
            for index in range(frames)
        ),
        "intensity": tuple(
            -22 + 7 * math.sin(2 * math.pi * index * HOP / 0.9) for index in range(frames)
        ),
        "speech": ((start, start + seconds),),
        "nuclei": tuple(nuclei),
        "snr": snr,
        "clipping": 0.0,
    }
    return Sound(**(measured | other))


def spoken(index: int, words: tuple[Word, ...] | None, sound: Sound | None = None) -> Turn:
    """A learner's turn."""
    begin = words[0].start if words else (sound.start if sound else 0.0)
    finish = words[-1].end if words else (sound.start + sound.duration if sound else 0.0)
    text = " ".join(word.text for word in words or ())
    return Turn(
        index=index, speaker="learner", start=begin, end=finish, text=text, words=words, sound=sound
    )


def dimension(report: Report, name: str) -> DimensionScore:
    return next(one for one in report.dimensions if one.dimension == name)


def measured(report: Report) -> dict[str, float | None]:
    return {one.id: one.value for one in report.measures}


def value(report: Report, name: str) -> float:
    found = measured(report)[name]
    assert found is not None
    return found


def score(report: Report, name: str) -> float:
    found = dimension(report, name).score
    assert found is not None
    return found


GOOD = said(200)
"""About 90 s of easy speech."""


def whole(words: tuple[Word, ...] = GOOD, **sound: Any) -> Turn:
    """One turn of words with a sound that agrees with them."""
    stretches: list[tuple[float, float]] = []
    for word in words:
        if stretches and word.start - stretches[-1][1] < 0.25:
            stretches[-1] = (stretches[-1][0], word.end)
        else:
            stretches.append((word.start, word.end))
    given = {"speech": tuple(stretches)} | sound
    return spoken(0, words, heard(words[-1].end - words[0].start, start=words[0].start, **given))


def test_a_good_take_passes_every_dimension_that_can_be_scored(assessed: Assess) -> None:
    report = assessed([whole()])
    assert [one.dimension for one in report.dimensions] == [
        "fluency", "confidence", "clarity", "engagement"
    ]  # fmt: skip
    assert {one.state for one in report.dimensions} == {"pass"}
    assert not any(one.provisional for one in report.dimensions)
    assert report.word_count == 200
    assert report.quality.words_heard
    assert report.feedback.priority is None
    assert report.feedback.drill is None
    assert 1 <= len(report.feedback.strengths) <= 2


def test_measures_are_those_of_the_words(assessed: Assess) -> None:
    report = assessed([whole()])
    assert value(report, "articulation_rate") == pytest.approx(4.9, rel=0.01)
    span = GOOD[-1].end
    assert value(report, "speech_rate") == pytest.approx(400 / span, rel=0.01)
    assert value(report, "words_per_minute") == pytest.approx(200 * 60 / span, rel=0.01)
    assert value(report, "phonation_ratio") == pytest.approx(1 - 19 * 0.5 / span, rel=0.01)
    assert value(report, "mean_run") == pytest.approx(20)
    assert value(report, "mid_phrase_pauses") == 0
    assert value(report, "sentence_length") == 10
    assert value(report, "boundary_pause") == pytest.approx(0.5)
    assert value(report, "pitch_variation") == pytest.approx(3.0, abs=0.2)


def test_the_same_session_gives_the_same_report_byte_for_byte(assessed: Assess) -> None:
    one, two = assessed([whole()]), assessed([whole()])
    assert one.model_dump_json() == two.model_dump_json()


def test_a_report_survives_its_own_json(assessed: Assess) -> None:
    report = assessed([whole()])
    assert Report.model_validate_json(report.model_dump_json()) == report


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"rate": 2.6}, "fluency"),
        ({"rate": 8.0}, "clarity"),
        ({"pause_every": 4, "sentence": 9}, "fluency"),
        ({"pause_every": 9, "pause": 2.5}, "fluency"),
    ],
    ids=["slow", "too fast", "pauses inside phrases", "long pauses"],
)
def test_a_fault_lowers_its_dimension(assessed: Assess, change: dict[str, Any], name: str) -> None:
    good, bad = assessed([whole()]), assessed([whole(said(200, **change))])
    assert score(bad, name) < score(good, name) - 0.1


def test_fillers_and_repetitions_lower_fluency(assessed: Assess) -> None:
    words = []
    for index, word in enumerate(GOOD):
        words.append(word)
        if index % 6 == 3:
            words.append(Word("euh", word.end, word.end + 0.05))
        if index % 10 == 6:
            words.append(Word(word.text, word.end - 0.02, word.end))
    report = assessed([whole(tuple(words))])
    assert value(report, "filled_pauses") > 12
    assert value(report, "repetitions") > 5
    assert score(report, "fluency") < score(assessed([whole()]), "fluency") - 0.1
    kinds = {event.kind for event in dimension(report, "fluency").events}
    assert {"filled_pause", "repetition"} <= kinds


def test_a_monotonous_voice_lowers_engagement_and_is_located(assessed: Assess) -> None:
    report = assessed([whole(spread=0.6)])
    engagement = dimension(report, "engagement")
    assert engagement.state == "not_yet"
    (flat,) = [event for event in engagement.events if event.kind == "monotone_stretch"]
    assert flat.effect > 0.1
    assert report.feedback.priority is not None
    assert report.feedback.priority.measure == "pitch_variation"
    assert report.feedback.drill is not None
    assert report.feedback.drill.id == "trois_couleurs"


def test_no_score_depends_on_how_high_the_voice_is(assessed: Assess) -> None:
    turn = whole(spread=1.5)
    assert turn.sound is not None
    shifted = tuple(None if hertz is None else hertz * 2 ** (4 / 12) for hertz in turn.sound.pitch)
    high = turn.model_copy(update={"sound": turn.sound.model_copy(update={"pitch": shifted})})
    for name in ("fluency", "clarity", "engagement"):
        assert score(assessed([high]), name) == pytest.approx(
            score(assessed([turn]), name), abs=1e-3
        )


@pytest.mark.parametrize("decibels", [-12.0, 12.0])
def test_no_score_depends_on_the_gain(assessed: Assess, decibels: float) -> None:
    turn = whole()
    assert turn.sound is not None
    levels = tuple(level + decibels for level in turn.sound.intensity)
    loud = turn.model_copy(update={"sound": turn.sound.model_copy(update={"intensity": levels})})
    assert score(assessed([loud]), "engagement") == pytest.approx(
        score(assessed([turn]), "engagement"), abs=1e-3
    )


def test_an_event_costs_what_leaving_it_out_would_give(assessed: Assess) -> None:
    words = said(120, pause_every=10, pause=0.4)
    cut = 65
    held = tuple(
        word if index < cut else Word(word.text, word.start + 3, word.end + 3)
        for index, word in enumerate(words)
    )
    report, without = assessed([spoken(0, held)]), assessed([spoken(0, words)])
    (event,) = [one for one in dimension(report, "fluency").events if one.kind == "long_pause"]
    assert event.value == pytest.approx(3)
    assert event.text == "bateau maison jardin … chanson matin couleur"
    gain = score(without, "fluency") - score(report, "fluency")
    assert event.effect == pytest.approx(gain, abs=0.03)
    assert event.effect > 0.05


def test_under_15_seconds_there_is_no_score_and_the_reason_is_given(assessed: Assess) -> None:
    report = assessed([whole(said(30))])
    assert {one.state for one in report.dimensions} == {"not_scored"}
    assert all("15 secondes" in one.reason for one in report.dimensions)
    assert report.feedback.strengths == ()
    assert report.feedback.priority is None
    assert "15 secondes" in report.feedback.headline
    assert report.evaluation.scores == {}


def test_under_40_words_there_is_no_score(assessed: Assess) -> None:
    report = assessed([spoken(0, said(38, rate=3.0, pause=1.0))])
    assert report.speech_seconds > 15
    assert all("40 mots" in one.reason for one in report.dimensions)


def test_under_45_seconds_a_score_is_provisional_and_its_interval_wider(assessed: Assess) -> None:
    short, long = assessed([whole(said(70))]), assessed([whole()])
    here, there = dimension(short, "engagement"), dimension(long, "engagement")
    assert here.provisional
    assert not there.provisional
    assert here.high is not None
    assert here.low is not None
    assert there.high is not None
    assert there.low is not None
    assert here.high - here.low > there.high - there.low


def test_by_ear_fluency_and_engagement_are_scored_with_wider_intervals_and_clarity_is_not(
    assessed: Assess,
) -> None:
    pieces = tuple((index * 5.0, index * 5.0 + 4.4) for index in range(18))
    nuclei = tuple(round(start + 0.1 + step / 4.8, 3) for start, _ in pieces for step in range(20))
    sound = heard(90, speech=pieces, nuclei=nuclei)
    report = assessed([spoken(0, None, sound)])
    assert report.word_count == 0
    assert not report.quality.words_heard
    assert any("oreille" in note for note in report.quality.notes)
    fluency = dimension(report, "fluency")
    assert fluency.coverage == pytest.approx(0.56)
    clarity = dimension(report, "clarity")
    assert clarity.coverage == pytest.approx(0.42)
    assert clarity.score is None
    assert clarity.measured is not None
    assert "contenu" in clarity.reason
    engagement = dimension(report, "engagement")
    assert engagement.coverage == pytest.approx(0.6)
    assert engagement.score == engagement.measured
    assert {pause.kind for pause in report.turns[0].pauses} == {"unknown"}
    by_words = dimension(assessed([whole()]), "fluency")
    assert fluency.high is not None
    assert fluency.low is not None
    assert by_words.high is not None
    assert by_words.low is not None
    assert fluency.high - fluency.low > by_words.high - by_words.low
    missing = [part for part in fluency.parts if part.value is None]
    assert {part.measure for part in missing} == {
        "mid_phrase_pauses", "filled_pauses", "repetitions"
    }  # fmt: skip
    assert all(part.reason for part in missing)


def test_words_that_do_not_fit_the_sound_give_a_report_by_ear(assessed: Assess) -> None:
    missed = tuple(word for word in GOOD if not 20 < word.start < 70)
    span = GOOD[-1].end
    turn = spoken(0, missed, heard(span, speech=((0.0, 40.0), (40.6, span))))
    report = assessed([turn])
    assert any("transcription" in note for note in report.quality.notes)
    assert all(event.kind != "long_pause" for event in dimension(report, "fluency").events)
    assert {pause.kind for pause in report.turns[0].pauses} == {"unknown"}


def test_turns_that_the_recogniser_missed_make_the_report_go_by_ear(assessed: Assess) -> None:
    words = said(60)
    known = whole(words)
    missed = [spoken(index, None, heard(20, start=30.0 * index)) for index in (1, 2)]
    report = assessed([known, *missed])
    assert any("transcription" in note for note in report.quality.notes)
    assert report.speech_seconds == pytest.approx(words[-1].end + 40, abs=0.5)


def test_in_noise_pitch_and_loudness_are_not_scored(assessed: Assess) -> None:
    report = assessed([whole(snr=9.0)])
    engagement = dimension(report, "engagement")
    assert engagement.state == "not_scored"
    assert "bruit" in engagement.reason
    assert dimension(report, "fluency").state == "pass"
    assert any("9 dB" in note for note in report.quality.notes)


def test_in_noise_nothing_is_scored_by_ear(assessed: Assess) -> None:
    report = assessed([spoken(0, None, heard(60, snr=9.0))])
    assert {one.state for one in report.dimensions} == {"not_scored"}
    assert all("bruit" in one.reason for one in report.dimensions)


def test_a_clipped_take_is_to_be_made_again(assessed: Assess) -> None:
    report = assessed([whole(clipping=0.02)])
    assert "refaites" in dimension(report, "engagement").reason
    assert any("2,0" in note for note in report.quality.notes)


def test_no_filler_written_is_not_taken_for_none_said(assessed: Assess) -> None:
    fluency = dimension(assessed([whole()]), "fluency")
    part = next(part for part in fluency.parts if part.measure == "filled_pauses")
    assert part.value is None
    assert "euh" in part.reason


def test_without_punctuation_pauses_inside_phrases_are_estimated(assessed: Assess) -> None:
    bare = tuple(Word(word.text.rstrip("."), word.start, word.end) for word in GOOD)
    report = assessed([whole(bare)])
    span = GOOD[-1].end
    assert value(report, "mid_phrase_pauses") == pytest.approx(0.15 * 19 * 60 / span, rel=0.01)
    clarity = dimension(report, "clarity")
    assert clarity.coverage == pytest.approx(0.6 * 0.9)
    assert clarity.state == "pass"
    assert any("ponctuation" in note for note in report.quality.notes)


def test_words_without_sound_score_fluency_and_clarity_alone(assessed: Assess) -> None:
    report = assessed([spoken(0, GOOD)])
    assert dimension(report, "fluency").state == "pass"
    assert dimension(report, "engagement").state == "not_scored"
    assert "son" in dimension(report, "engagement").reason
    assert report.pitch.times == ()


def test_a_session_without_turns_has_a_report(assessed: Assess) -> None:
    report = assessed([])
    assert report.status == "interrupted"
    assert report.reason == "process_died"
    assert report.duration == 0
    assert {one.state for one in report.dimensions} == {"not_scored"}
    assert report.pace.values == ()
    assert report.feedback.headline


def test_a_session_where_only_the_character_spoke_has_a_report(assessed: Assess) -> None:
    turn = Turn(index=0, speaker="character", start=0, end=4, text="Bonjour")
    end = SessionEnd(status="complete", reason="idle", duration=600)
    report = assessed([turn], end=end)
    assert (report.status, report.reason, report.duration) == ("complete", "idle", 600)
    assert report.turns[0].name == "Marie"
    assert {one.state for one in report.dimensions} == {"not_scored"}


def test_a_typed_turn_is_shown_and_not_measured(assessed: Assess) -> None:
    typed = Turn(index=1, speaker="learner", start=95, end=95, text="Merci, c’est clair")
    report = assessed([whole(), typed])
    assert report.word_count == 200
    assert report.turns[1].text == "Merci, c’est clair"


def test_silent_and_wordless_turns_do_no_harm(assessed: Assess) -> None:
    empty = heard(1, start=95, speech=(), nuclei=(), pitch=(None,) * 63, snr=None)
    report = assessed([whole(), spoken(1, (), empty), spoken(2, None, empty)])
    assert dimension(report, "fluency").score == score(assessed([whole()]), "fluency")


def test_the_response_latency_is_the_geometric_mean_of_the_waits_before_answering(
    assessed: Assess,
) -> None:
    turns, clock = [], 0.0
    for index, wait in enumerate((0.4, 1.0, 0.6)):
        turns.append(
            Turn(index=2 * index, speaker="character", start=clock, end=clock + 2, text="Oui")
        )
        words = said(60, start=clock + 2 + wait)
        turns.append(spoken(2 * index + 1, words))
        clock = words[-1].end + 1
    report = assessed(turns)
    assert value(report, "response_latency") == pytest.approx(
        (0.4 * 1.0 * 0.6) ** (1 / 3), rel=1e-3
    )
    assert report.turns[2].response == pytest.approx(1.0)


def test_the_evaluation_has_the_keys_of_eva_01(assessed: Assess) -> None:
    """EVA-01."""
    end = SessionEnd(status="complete", reason="learner", duration=100.0)
    report = assessed([whole(spread=0.8)], end=end)
    evaluation = json.loads(report.evaluation.model_dump_json())
    assert set(evaluation) == {
        "scores", "feedback", "duration", "wordCount", "fluencyScore", "confidenceScore",
        "customMetrics",
    }  # fmt: skip
    assert set(evaluation["scores"]) == {"fluency", "confidence", "clarity", "engagement"}
    assert evaluation["fluencyScore"] == evaluation["scores"]["fluency"]
    assert evaluation["confidenceScore"] == evaluation["scores"]["confidence"]
    assert evaluation["duration"] == 100
    assert evaluation["wordCount"] == 200
    assert evaluation["feedback"]
    metrics = evaluation["customMetrics"]
    assert {"speech_rate", "words_per_minute", "response_latency"} <= set(metrics)
    assert 0 < metrics["naturalness"] <= 1
    assert metrics["response_time"] == metrics["response_latency"]
    assert metrics["vocabulary"] > 0


def test_the_passing_score_is_that_of_the_exercise(assessed: Assess) -> None:
    """EVA-02, EVA-03: 0.7 unless the exercise says otherwise."""
    assert assessed([whole()]).passing_score == 0.7


def test_curves_are_small_have_gaps_and_are_said_in_words(assessed: Assess) -> None:
    long = said(3000)
    report = assessed([whole(long)])
    for curve in (report.pace, report.pitch, report.intensity):
        assert 0 < len(curve.times) <= 2000
        assert len(curve.times) == len(curve.values)
        assert list(curve.times) == sorted(curve.times)
        assert curve.sentence
        assert curve.unit
    assert report.pace.band == (4.2, 5.6)
    assert any(level is None for level in report.intensity.values)


def test_feedback_points_to_moments_and_to_one_drill(assessed: Assess) -> None:
    report = assessed([whole(said(200, pause_every=4, sentence=9))])
    priority, drill = report.feedback.priority, report.feedback.drill
    assert priority is not None
    assert drill is not None
    assert priority.measure == drill.measure == "mid_phrase_pauses"
    assert priority.start is not None
    assert "À 0:" in priority.text
    assert drill.id == "phrase_pleine"
    assert len(report.feedback.strengths) <= 2
    assert all(one.measure != priority.measure for one in report.feedback.strengths)


def test_feedback_is_english_for_an_english_session(assessed: Assess) -> None:
    report = assessed([whole(said(200, pause_every=4, sentence=9))], language="en")
    assert report.feedback.priority is not None
    assert "a pause cuts the sentence" in report.feedback.priority.text
    assert report.turns[0].name == "You"


def test_every_event_lies_in_its_turn_and_costs_something_or_nothing(assessed: Assess) -> None:
    report = assessed([whole(said(200, pause_every=4, sentence=9, pause=1.2))])
    for event in itertools.chain.from_iterable(one.events for one in report.dimensions):
        assert event.turn == 0
        assert -0.01 <= event.start < event.end <= report.turns[0].end + 0.01
        assert 0 <= event.effect <= 1


words_of_any_kind = st.lists(
    st.builds(
        Word,
        st.sampled_from(["euh", "je", "l’eau", "", "!", "bateau.", "du", "coup", "42", "qu’"]),
        st.floats(0, 200),
        st.floats(0, 200),
    ),
    max_size=80,
)


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(turns=st.lists(st.tuples(words_of_any_kind | st.none(), st.booleans()), max_size=4))
def test_words_out_of_order_or_without_length_still_give_a_report(
    assessed: Assess, turns: list[tuple[list[Word] | None, bool]]
) -> None:
    sound = heard(6)
    made = [
        Turn(
            index=index,
            speaker="learner",
            start=0,
            end=200,
            words=None if words is None else tuple(words),
            sound=sound if with_sound else None,
        )
        for index, (words, with_sound) in enumerate(turns)
    ]
    report = assessed(made)
    assert Report.model_validate_json(report.model_dump_json()) == report
    assert assessed(made).model_dump_json() == report.model_dump_json()


@pytest.mark.speech
def test_real_french_by_ear_has_plausible_measures(assessed: Assess, shared_data: Path) -> None:
    turns, clock = [], 0.0
    for index, file in enumerate(sorted((shared_data / "fixtures-fr/voxforge").glob("*.wav"))):
        samples, rate = soundfile.read(file, dtype="float32")
        turns.append(spoken(index, None, measure(samples, rate, start=clock)))
        clock += len(samples) / rate
    report = assessed(turns, register="presentation", source="recording")
    assert 3.2 < value(report, "speech_rate") < 5.5
    assert 0.7 < value(report, "phonation_ratio") < 1
    assert 2 < value(report, "pitch_variation") < 5
    assert dimension(report, "fluency").state in {"pass", "near"}
    assert dimension(report, "engagement").state in {"pass", "near"}


@pytest.mark.speech
def test_real_english_words_and_sound_agree(assessed: Assess, shared_data: Path) -> None:
    turns, clock = [], 0.0
    for index, file in enumerate(sorted((shared_data / "fixtures-en/librivox").glob("*.json"))):
        samples, rate = soundfile.read(file.with_suffix(".wav"), dtype="float32")
        words = tuple(
            Word(word["t"].split("(")[0], clock + word["b"], clock + word["b"] + word["d"])
            for word in json.loads(file.read_text())["w"]
            if word["t"][0] != "<"
        )
        turns.append(spoken(index, words, measure(samples, rate, start=clock)))
        clock += len(samples) / rate
    report = assessed(turns, language="en", register="presentation", source="recording")
    assert not any("by ear" in note for note in report.quality.notes)
    assert report.word_count == 71
    assert 4 < value(report, "articulation_rate") < 5
    assert dimension(report, "fluency").provisional
    by_ear = assessed([turn.model_copy(update={"words": None}) for turn in turns], language="en")
    assert value(by_ear, "speech_rate") == pytest.approx(value(report, "speech_rate"), rel=0.1)
