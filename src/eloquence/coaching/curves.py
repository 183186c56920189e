"""The pictures of a report as lines over time, each with a sentence that says what it shows."""

from collections.abc import Mapping, Sequence
from statistics import fmean, median
from typing import Literal

import numpy as np

from eloquence.coaching.evaluation import Reading
from eloquence.coaching.exercise import Register
from eloquence.coaching.norms import Norms
from eloquence.coaching.observation import Moment, Observation
from eloquence.coaching.phrases import Phrases, clock
from eloquence.coaching.report import Curve
from eloquence.delivery.sound import HOP

MOST_POINTS = 2000
"""Points of a curve at most."""


Kind = Literal["pace", "pitch", "intensity"]


def hidden(kind: Kind, why: str, phrases: Phrases) -> Curve:
    """A curve that is not shown, and why."""
    return _curve(kind, (), (), why, phrases)


def pace(
    seen: Observation,
    readings: Mapping[str, Reading],
    norms: Norms,
    register: Register,
    phrases: Phrases,
) -> Curve:
    """Syllables per second in windows of 6 s."""
    times, values = seen.pace
    known = [value for value in values if value]  # a window of silence has no pace
    mean = readings["speech_rate"].value
    decimals = norms.measures["speech_rate"].decimals
    sentence = phrases.curves["pace_none"]
    if known and mean is not None:
        sentence = _sentence(
            "pace",
            "speech_rate",
            mean,
            norms,
            register,
            phrases,
            low=phrases.number(min(known), decimals),
            high=phrases.number(max(known), decimals),
        )
    points = norms.measures["speech_rate"].band(register)
    band = None if points[2] is None or points[3] is None else (points[2], points[3])
    return _curve("pace", times, values, sentence, phrases, band)


def pitch(
    seen: Observation,
    found: Sequence[Moment],
    readings: Mapping[str, Reading],
    norms: Norms,
    register: Register,
    phrases: Phrases,
) -> Curve:
    """Semitones from the speaker's own median, with gaps where there is no voice."""
    times: list[float] = []
    values: list[float | None] = []
    for turn in seen.turns:
        if turn.sound is None or seen.median_pitch is None:
            continue
        times += [turn.sound.start + index * HOP for index in range(len(turn.semitones))]
        values += [None if np.isnan(value) else float(value) for value in turn.semitones]
    value = readings["pitch_variation"].value
    flat = [moment for moment in found if moment.kind == "monotone_stretch"]
    sentence = phrases.curves["pitch_none"]
    if value is not None:
        sentence = _sentence(
            "pitch",
            "pitch_variation",
            value,
            norms,
            register,
            phrases,
            kind="flat" if flat else "sentence",
            moments=phrases.listed([clock(moment.start) for moment in flat]),
        )
    return _curve("pitch", times, values, sentence, phrases)


def intensity(
    seen: Observation,
    readings: Mapping[str, Reading],
    norms: Norms,
    register: Register,
    phrases: Phrases,
) -> Curve:
    """Level of the speech in dB over its own median, with gaps where nobody speaks."""
    times: list[float] = []
    values: list[float | None] = []
    for sound in seen.sounds:
        spoken = np.zeros(len(sound.intensity), dtype=bool)
        for start, end in sound.speech:
            first, last = round((start - sound.start) / HOP), round((end - sound.start) / HOP)
            spoken[first : last + 1] = True
        times += [sound.start + index * HOP for index in range(len(sound.intensity))]
        values += [
            level if inside else None for level, inside in zip(sound.intensity, spoken, strict=True)
        ]
    known = [level for level in values if level is not None]
    middle = median(known) if known else 0.0
    relative = [None if level is None else level - middle for level in values]
    value = readings["loudness_variation"].value
    sentence = phrases.curves["intensity_none"]
    if value is not None:
        sentence = _sentence("intensity", "loudness_variation", value, norms, register, phrases)
    return _curve("intensity", times, relative, sentence, phrases)


def _curve(
    kind: Kind,
    times: Sequence[float],
    values: Sequence[float | None],
    sentence: str,
    phrases: Phrases,
    band: tuple[float, float] | None = None,
) -> Curve:
    thin_times, thin_values = _thinned(times, values)
    return Curve(
        label=phrases.curves[kind],
        unit=phrases.curves[f"{kind}_unit"],
        times=thin_times,
        values=thin_values,
        band=band,
        sentence=sentence,
    )


def _sentence(
    curve: str,
    measure: str,
    value: float,
    norms: Norms,
    register: Register,
    phrases: Phrases,
    *,
    kind: str = "sentence",
    **places: str,
) -> str:
    """What the curve shows, with its target zone where the measure has one."""
    norm = norms.measures[measure]
    shown = phrases.number(value, norm.decimals)
    if not norm.bands:
        return phrases.curves[f"{curve}_plain"].format(value=shown, **places)
    return phrases.curves[f"{curve}_{kind}"].format(
        value=shown, target=phrases.zone(norm.band(register), norm), **places
    )


def _thinned(
    times: Sequence[float], values: Sequence[float | None]
) -> tuple[tuple[float, ...], tuple[float | None, ...]]:
    """At most `MOST_POINTS` points: equal groups, each its mean where at least half is known."""
    size = max(1, -(-len(times) // MOST_POINTS))
    thin_times = []
    thin_values: list[float | None] = []
    for first in range(0, len(times), size):
        group = [value for value in values[first : first + size] if value is not None]
        whole = times[first : first + size]
        thin_times.append(round(fmean(whole), 3))
        thin_values.append(round(fmean(group), 3) if 2 * len(group) >= len(whole) else None)
    return tuple(thin_times), tuple(thin_values)
