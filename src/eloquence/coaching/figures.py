"""The raw figures of a report: all measures, how good the sound was, and the baseline."""

from collections.abc import Mapping
from math import isfinite
from statistics import fmean, median

import numpy as np

from eloquence.coaching.evaluation import Reading, expected_score
from eloquence.coaching.exercise import Register
from eloquence.coaching.lexicon import Lexicon
from eloquence.coaching.norms import Norms
from eloquence.coaching.observation import Observation
from eloquence.coaching.phrases import Phrases
from eloquence.coaching.report import Baseline, Measure, Quality
from eloquence.coaching.session import StoredSession
from eloquence.coaching.wording import wording
from eloquence.delivery import intensity, lexical, pitch, quality
from eloquence.delivery.tally import MEASURES

_NATURAL = ("speech_rate", "mean_run", "mid_phrase_pauses", "pitch_variation", "response_latency")
_ENOUGH_NATURAL = 3


def rounded(value: float | None) -> float | None:
    """A figure as reports keep it; None for one that is none."""
    return None if value is None or not isfinite(value) else round(value, 4)


def reason(name: str, key: str, norms: Norms, phrases: Phrases) -> str:
    """Why a measure was not taken, in a sentence."""
    norm = norms.measures[name]
    low = {
        "little_voice": norms.least_voicing,
        "more_turns": norm.least,
        "more_ends": norm.least,
    }.get(key, norm.least_seconds)
    return phrases.reasons[key].format(low=phrases.number(low, 0)) if key else ""


def measures(
    seen: Observation,
    readings: Mapping[str, Reading],
    norms: Norms,
    lexicon: Lexicon,
    phrases: Phrases,
) -> tuple[Measure, ...]:
    """Every measure of the norms, then those that are shown and have none."""
    known = [
        Measure(
            id=name,
            label=norm.label,
            value=rounded(readings[name].value),
            unit=norm.unit,
            percent=norm.percent,
            error=rounded(readings[name].error) if readings[name].value is not None else None,
            reason=reason(name, readings[name].reason, norms, phrases),
        )
        for name, norm in norms.measures.items()
    ]
    spoken_of = {name: one.reason for name, one in readings.items()}
    voiced = seen.fault is None and spoken_of["pitch_variation"] != "profile_speech_difference"
    curves = [(turn.sound, turn.semitones) for turn in seen.turns if turn.sound and voiced]
    whole = np.concatenate([curve for _, curve in curves]) if curves else np.zeros(0)
    windows = [one for sound, curve in curves for one in pitch.windows(curve, sound.start)]
    boundary = [
        silence.seconds
        for turn in seen.turns
        for silence in turn.silences
        if silence.kind == "boundary" and spoken_of["long_pauses"] != "profile_speech_difference"
    ]
    words = [word for turn in seen.turns for word in turn.words]
    tokens = lexical.forms(words, fillers=lexicon.filled_pauses)
    others: list[tuple[str, float | None, str, str]] = [
        ("pitch_range", pitch.range_80(whole), "semitones", "nothing"),
        ("monotony", pitch.monotony(windows), "share", "nothing"),
        ("boundary_pause", median(boundary) if boundary else None, "seconds", "nothing"),
        ("vocabulary", lexical.mtld(tokens), "words", "by_ear" if seen.by_ear else "few_words"),
    ]
    known += [
        Measure(
            id=one.name,
            label=phrases.measures[one.name],
            value=rounded(one.value),
            unit=phrases.measures[one.unit],
            percent=one.percent,
            reason="" if one.value is not None else phrases.reasons[one.reason],
        )
        for one in wording(
            seen, lexicon, fluency=spoken_of["long_pauses"] != "profile_speech_difference"
        )
    ]
    known += [
        Measure(
            id=name,
            label=phrases.measures[name],
            value=rounded(value),
            unit=phrases.measures[unit],
            percent=unit == "share",
            reason="" if value is not None else phrases.reasons[key],
        )
        for name, value, unit, key in others
    ]
    return tuple(known)


def naturalness(readings: Mapping[str, Reading], norms: Norms, register: Register) -> float | None:
    """How near rhythm, melody and turn-taking come to native talk, 0..1 (a focus area of EVA-03).

    The mean band score of pace, runs, pauses inside phrases, pitch variation and time before
    answering; None with fewer than three of them. For other tools only: no dimension, no state.
    """
    found = [
        expected_score(reading.value, norms.measures[name].band(register), reading.error)
        for name in _NATURAL
        if norms.measures[name].bands and (reading := readings[name]).value is not None
    ]
    return fmean(found) if len(found) >= _ENOUGH_NATURAL else None


def sound_quality(seen: Observation, stored: StoredSession, phrases: Phrases) -> Quality:
    """How good the sound was for measuring, with what the reader should know of it."""
    notes = []
    if stored.session.profile != "native":
        notes.append(phrases.notes[stored.session.profile])
    if seen.turns and seen.by_ear:
        notes.append(phrases.notes["doubt" if seen.doubt else "by_ear"])
    if seen.snr is not None and seen.snr < quality.LOWEST_SNR:
        notes.append(phrases.notes["noise"].format(value=phrases.number(seen.snr, 0)))
    if seen.fault == "music":
        notes.append(phrases.notes["music"])
    if seen.clipping > quality.MOST_CLIPPING:
        share = phrases.number(100 * seen.clipping, 1)
        notes.append(phrases.notes["clipping"].format(value=share))
    if seen.turns and not seen.by_ear:
        if seen.tally.filled_pauses:
            notes.append(phrases.notes["floor"])
        elif any(turn.unwritten for turn in seen.turns):
            notes.append(phrases.notes["heard_fillers"])
        if not seen.punctuated:
            notes.append(phrases.notes["unpunctuated"])
    if seen.sounds and stored.session.source == "conversation":
        notes.append(phrases.notes["gain"])
    return Quality(
        snr=rounded(seen.snr),
        clipping=round(seen.clipping, 6),
        words_heard=any(turn.words for turn in stored.turns if turn.speaker == "learner"),
        notes=tuple(notes),
    )


def baseline(warm_up: Observation, exercise: Observation) -> Baseline | None:
    """What the warm-up told; None without one."""
    if not warm_up.turns:
        return None
    before, after = (intensity.speech_level(one.sounds) for one in (warm_up, exercise))
    return Baseline(
        seconds=round(warm_up.tally.seconds, 3),
        level=rounded(before),
        noise=rounded(warm_up.snr),
        speech_rate=rounded(MEASURES["speech_rate"](warm_up.tally)),
        median_pitch=rounded(warm_up.median_pitch),
        level_change=None if before is None or after is None else round(after - before, 2),
    )
