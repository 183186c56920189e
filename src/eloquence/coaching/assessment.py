"""From a stored session to its report: the same session gives the same report, byte for byte."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from math import isfinite
from statistics import fmean, median

import numpy as np

from eloquence.coaching.character import Character
from eloquence.coaching.evaluation import (
    Reading,
    Scored,
    quick_score,
    scored,
    standard_error,
    state,
)
from eloquence.coaching.exercise import Dimension, Exercise, Register
from eloquence.coaching.feedback import Phrases, clock, feedback
from eloquence.coaching.history import History
from eloquence.coaching.lexicon import Lexicon
from eloquence.coaching.norms import Norms
from eloquence.coaching.observation import HeardTurn, Moment, Observation, observation
from eloquence.coaching.report import (
    Curve,
    DimensionScore,
    Evaluation,
    Event,
    Feedback,
    Measure,
    Part,
    Pause,
    Quality,
    Report,
    ReportTurn,
)
from eloquence.coaching.session import SessionEnd, StoredSession, Turn
from eloquence.delivery import pitch, quality
from eloquence.delivery.sound import HOP
from eloquence.delivery.tally import MEASURES, Tally

MOST_POINTS = 2000
"""Points of a curve at most."""

_CUT_OFF = SessionEnd(status="interrupted", reason="process_died", duration=0.0)
_VOICE = ("pitch_variation", "loudness_variation")
_OF_WORDS = ("words_per_minute", "filled_pauses", "repetitions", "tics", "sentence_length")


def assess(
    stored: StoredSession,
    exercise: Exercise,
    character: Character,
    norms: Norms,
    lexicon: Lexicon,
    phrases: Phrases,
    history: History = (),
) -> Report:
    """The report of a session, whatever is in it: no turn at all, no word, no sound, no end.

    Scores only the dimensions of the exercise that `norms` can score. `norms`, `lexicon` and
    `phrases` are those of the session's language.
    """
    register = exercise.register_
    turns = stored.turns
    end = stored.end or _CUT_OFF
    duration = max([end.duration, *(turn.end for turn in turns)])
    seen = observation(turns, norms, lexicon, register)
    readings = _readings(seen, seen.tally, norms)
    refusal = _refusal(seen, norms, phrases)
    names = [name for name in exercise.criteria.dimensions if name in norms.dimensions]
    nothing = Scored(None, None, None, 0.0, {})
    scores: dict[Dimension, Scored] = {
        name: nothing if refusal else scored(norms.dimensions[name], readings, norms, register)
        for name in names
    }
    costs = {name: _effects(name, scores[name], seen, readings, norms, register) for name in names}
    dimensions = tuple(
        _dimension(
            name, scores[name], costs[name], seen, readings, norms, phrases, exercise, refusal
        )
        for name in names
    )
    told = _feedback(
        seen,
        scores,
        costs,
        readings,
        dimensions,
        norms,
        phrases,
        history,
        stored.session.started_at,
    )
    report_turns = tuple(_turns(turns, seen, character, phrases))
    measures = _measures(seen, readings, report_turns, norms, phrases)
    return Report(
        session=stored.session.id,
        language=stored.session.language,
        exercise=exercise.id,
        title=stored.session.title or exercise.title,
        character=character.id,
        started_at=stored.session.started_at,
        duration=round(duration, 3),
        status=end.status,
        reason=end.reason,
        stages=stored.session.stages,
        speech_seconds=round(seen.tally.seconds, 3),
        word_count=seen.tally.words,
        quality=_quality(seen, stored, phrases),
        feedback=told,
        dimensions=dimensions,
        passing_score=exercise.criteria.passing_score,
        measures=measures,
        turns=report_turns,
        pace=_pace(seen, readings, norms, register, phrases),
        pitch=_pitch(seen, readings, norms, register, phrases),
        intensity=_intensity(seen, readings, norms, register, phrases),
        evaluation=_evaluation(dimensions, told, measures, seen, duration),
        audio=stored.audio,
    )


def _readings(seen: Observation, tally: Tally, norms: Norms) -> dict[str, Reading]:
    """Every measure of `norms` on a tally of the session, with its error or its reason."""
    found = {}
    for name, norm in norms.measures.items():
        reason = _unmeasured(name, seen, norms)
        value = None if reason else MEASURES[name](tally)
        if value is None:
            found[name] = Reading(None, reason=reason or "nothing")
            continue
        error = standard_error(norm, value, tally.seconds, by_ear=seen.by_ear)
        if name == "mid_phrase_pauses" and not seen.punctuated:
            error = float(np.hypot(error, norms.unknown_pauses.error))
        found[name] = Reading(value, error)
    return found


def _unmeasured(name: str, seen: Observation, norms: Norms) -> str:
    """Why a measure cannot be taken in this session (a key of `Phrases.reasons`), or nothing."""
    norm = norms.measures[name]
    if not seen.turns:
        return "no_speech"
    if (name in _VOICE or seen.by_ear) and (reason := _unusable(seen)):
        return reason
    if name in _VOICE and not seen.sounds:
        return "no_sound"
    if seen.by_ear and (norm.by_ear is None or name in _OF_WORDS):
        return "by_ear"
    if name == "pitch_variation" and seen.voiced_seconds < norms.least_voicing:
        return "little_voice"
    if seen.tally.seconds < norm.least_seconds:
        return "more_speech"
    if name == "filled_pauses" and not seen.tally.filled_pauses:
        return "none_written"
    if name == "sentence_length" and not seen.punctuated:
        return "no_punctuation"
    return ""


def _unusable(seen: Observation) -> str:
    if seen.clipping > quality.MOST_CLIPPING:
        return "clipping"
    return "noise" if seen.snr is not None and seen.snr < quality.LOWEST_SNR else ""


def _refusal(seen: Observation, norms: Norms, phrases: Phrases) -> str:
    """Why the whole session has no score, in a sentence; empty when it may have."""
    if not seen.turns:
        return phrases.reasons["no_speech"]
    tally = seen.tally
    if tally.seconds < norms.least_seconds:
        return phrases.reasons["too_short"].format(
            low=phrases.number(norms.least_seconds, 0), value=phrases.number(tally.seconds, 0)
        )
    if not seen.by_ear and tally.words < norms.least_words:
        return phrases.reasons["too_few_words"].format(low=norms.least_words, value=tally.words)
    return ""


def _reason(name: str, key: str, norms: Norms, phrases: Phrases) -> str:
    low = norms.least_voicing if key == "little_voice" else norms.measures[name].least_seconds
    return phrases.reasons[key].format(low=phrases.number(low, 0)) if key else ""


def _effects(
    name: Dimension,
    score: Scored,
    seen: Observation,
    readings: Mapping[str, Reading],
    norms: Norms,
    register: Register,
) -> dict[Moment, float]:
    """How much the dimension would rise without each moment that is evidence for it."""
    if score.score is None:
        return {}
    dimension = norms.dimensions[name]
    parts = frozenset(score.parts)
    now = quick_score(dimension, readings, norms, register, parts)
    effects = {}
    for moment in seen.moments:
        if not parts.intersection(moment.measures):
            continue
        effects[moment] = 0.0
        if not moment.good:
            without = _without(seen, moment, readings, norms)
            then = quick_score(dimension, without, norms, register, parts)
            effects[moment] = max(0.0, then - now)
    return effects


def _without(
    seen: Observation, moment: Moment, readings: Mapping[str, Reading], norms: Norms
) -> dict[str, Reading]:
    """The readings with a moment taken out. Where it is more than half of the session, what is
    left proves nothing of the measures that it is evidence for, and they have no value."""
    tally = seen.tally - moment.costs
    little = (
        tally.seconds < seen.tally.seconds / 2 or tally.pitch_frames < seen.tally.pitch_frames / 2
    )
    gone = moment.measures if little else ()
    without = {}
    for name in norms.measures:
        lost = readings[name].value is None or name in gone
        value = None if lost else MEASURES[name](tally)
        without[name] = Reading(value, readings[name].error)
    return without


def _dimension(
    name: Dimension,
    score: Scored,
    effects: Mapping[Moment, float],
    seen: Observation,
    readings: Mapping[str, Reading],
    norms: Norms,
    phrases: Phrases,
    exercise: Exercise,
    refusal: str,
) -> DimensionScore:
    norm = norms.dimensions[name]
    register = exercise.register_
    parts = tuple(
        Part(
            measure=part,
            label=norms.measures[part].label,
            value=_rounded(readings[part].value),
            unit=norms.measures[part].unit,
            weight=weight,
            score=_rounded(score.parts.get(part)),
            band=norms.measures[part].bands[register],
            source=norms.measures[part].source,
            reason=_reason(part, readings[part].reason, norms, phrases),
        )
        for part, weight in norm.parts.items()
    )
    if score.score is None or score.low is None or score.high is None:
        missing = [part for part in norm.parts if readings[part].value is None]
        first = max(missing, key=lambda part: norm.parts[part], default="")
        return DimensionScore(
            dimension=name,
            label=norm.label,
            state="not_scored",
            coverage=_rounded(score.coverage) or 0.0,
            reason=refusal
            or (first and _reason(first, readings[first].reason, norms, phrases))
            or phrases.reasons["coverage"],
            parts=parts,
        )
    outcome = state(score.low, score.high, exercise.criteria.passing_score)
    weighted = sorted(
        score.parts, key=lambda part: (norm.parts[part] * (1 - score.parts[part]), part)
    )
    carried = max(score.parts, key=lambda part: (norm.parts[part] * score.parts[part], part))
    return DimensionScore(
        dimension=name,
        label=norm.label,
        state=outcome,
        score=_rounded(score.score),
        low=_rounded(score.low),
        high=_rounded(score.high),
        coverage=_rounded(min(1.0, score.coverage)) or 0.0,
        provisional=seen.tally.seconds < norms.full_seconds,
        summary=phrases.summaries[outcome].format(
            label=norm.label,
            best=_lower(norms.measures[carried].label),
            worst=_lower(norms.measures[weighted[-1]].label),
        ),
        parts=parts,
        events=tuple(_event(moment, effect) for moment, effect in effects.items()),
    )


def _event(moment: Moment, effect: float) -> Event:
    return Event(
        id=moment.id,
        kind=moment.kind,
        start=round(moment.start, 3),
        end=round(moment.end, 3),
        text=moment.text,
        value=_rounded(moment.value),
        effect=round(effect, 4),
        turn=moment.turn,
    )


def _feedback(
    seen: Observation,
    scores: Mapping[Dimension, Scored],
    costs: Mapping[Dimension, Mapping[Moment, float]],
    readings: Mapping[str, Reading],
    dimensions: Sequence[DimensionScore],
    norms: Norms,
    phrases: Phrases,
    history: History,
    started_at: float,
) -> Feedback:
    if all(score.score is None for score in scores.values()):
        reason = next((dimension.reason for dimension in dimensions), phrases.reasons["nothing"])
        return Feedback(headline=phrases.headlines["not_scored"].format(reason=reason))
    effects: dict[Moment, float] = {}
    for found in costs.values():
        for moment, effect in found.items():
            effects[moment] = effects.get(moment, 0.0) + effect
    pauses = [
        (silence.start, silence.end)
        for turn in seen.turns
        for silence in turn.silences
        if silence.kind == "boundary"
    ]
    return feedback(
        dimensions,
        readings,
        effects,
        pauses,
        norms,
        phrases,
        history=history,
        started_at=started_at,
        by_ear=seen.by_ear,
    )


def _turns(
    turns: Sequence[Turn], seen: Observation, character: Character, phrases: Phrases
) -> Iterable[ReportTurn]:
    heard = {turn.index: turn for turn in seen.turns}
    previous: Turn | None = None
    for turn in turns:
        mine = heard.get(turn.index)
        first = mine.span[0] if mine else turn.start
        response = None
        if previous is not None and previous.speaker != turn.speaker:
            before = heard.get(previous.index)
            response = round(first - (before.span[1] if before else previous.end), 3)
        yield ReportTurn(
            index=turn.index,
            speaker=turn.speaker,
            name=phrases.learner if turn.speaker == "learner" else character.name,
            start=turn.start,
            end=turn.end,
            text=turn.text,
            words=turn.words,
            interrupted=turn.interrupted,
            response=response,
            pauses=_silences(mine),
            speech=turn.sound.speech if turn.sound else (),
        )
        previous = turn


def _silences(turn: HeardTurn | None) -> tuple[Pause, ...]:
    return tuple(
        Pause(start=round(silence.start, 3), end=round(silence.end, 3), kind=silence.kind)
        for silence in (turn.silences if turn else ())
    )


def _measures(
    seen: Observation,
    readings: Mapping[str, Reading],
    turns: Sequence[ReportTurn],
    norms: Norms,
    phrases: Phrases,
) -> tuple[Measure, ...]:
    known = [
        Measure(
            id=name,
            label=norm.label,
            value=_rounded(readings[name].value),
            unit=norm.unit,
            error=_rounded(readings[name].error) if readings[name].value is not None else None,
            reason=_reason(name, readings[name].reason, norms, phrases),
        )
        for name, norm in norms.measures.items()
    ]
    curves = [
        (turn.sound.start, pitch.semitones(turn.sound, seen.median_pitch))
        for turn in seen.turns
        if turn.sound and seen.median_pitch
    ]
    voiced = bool(curves) and not _unusable(seen)
    whole = np.concatenate([curve for _, curve in curves]) if voiced else np.zeros(0)
    windows = [window for start, curve in curves for window in pitch.windows(curve, start)]
    boundary = [
        silence.seconds
        for turn in seen.turns
        for silence in turn.silences
        if silence.kind == "boundary"
    ]
    answers = [
        turn.response
        for before, turn in pairwise(turns)
        if turn.speaker == "learner" and turn.response is not None and not before.interrupted
    ]
    others: list[tuple[str, float | None, str]] = [
        ("pitch_range", pitch.range_80(whole), "semitones"),
        ("monotony", pitch.monotony(windows) if voiced else None, "share"),
        ("trail_off", None if _unusable(seen) else seen.trail_off, "decibels"),
        ("boundary_pause", median(boundary) if boundary else None, "seconds"),
        ("response_latency", median(answers) if answers else None, "seconds"),
    ]
    known += [
        Measure(
            id=name,
            label=phrases.measures[name],
            value=_rounded(value),
            unit=phrases.measures[unit],
            reason="" if value is not None else phrases.reasons["nothing"],
        )
        for name, value, unit in others
    ]
    return tuple(known)


def _quality(seen: Observation, stored: StoredSession, phrases: Phrases) -> Quality:
    notes = []
    if seen.turns and seen.by_ear:
        notes.append(phrases.notes["doubt" if seen.doubt else "by_ear"])
    if seen.snr is not None and seen.snr < quality.LOWEST_SNR:
        notes.append(phrases.notes["noise"].format(value=phrases.number(seen.snr, 0)))
    if seen.clipping > quality.MOST_CLIPPING:
        share = phrases.number(100 * seen.clipping, 1)
        notes.append(phrases.notes["clipping"].format(value=share))
    if seen.turns and not seen.by_ear:
        if seen.tally.filled_pauses:
            notes.append(phrases.notes["floor"])
        if not seen.punctuated:
            notes.append(phrases.notes["unpunctuated"])
    if seen.sounds and stored.session.source == "conversation":
        notes.append(phrases.notes["gain"])
    return Quality(
        snr=_rounded(seen.snr),
        clipping=round(seen.clipping, 6),
        words_heard=any(turn.words for turn in stored.turns if turn.speaker == "learner"),
        notes=tuple(notes),
    )


def _pace(
    seen: Observation,
    readings: Mapping[str, Reading],
    norms: Norms,
    register: Register,
    phrases: Phrases,
) -> Curve:
    norm = norms.measures["speech_rate"]
    times, values = seen.pace
    known = [value for value in values if value is not None]
    mean = readings["speech_rate"].value
    if known and mean is not None:
        sentence = phrases.curves["pace_sentence"].format(
            low=phrases.number(min(known), norm.decimals),
            high=phrases.number(max(known), norm.decimals),
            value=phrases.number(mean, norm.decimals),
            target=phrases.zone(norm.bands[register], norm),
        )
    else:
        sentence = phrases.curves["pace_none"]
    points = norm.bands[register]
    times, values = _thinned(times, values)
    return Curve(
        label=phrases.curves["pace"],
        unit=phrases.curves["pace_unit"],
        times=times,
        values=values,
        band=None if points[2] is None or points[3] is None else (points[2], points[3]),
        sentence=sentence,
    )


def _pitch(
    seen: Observation,
    readings: Mapping[str, Reading],
    norms: Norms,
    register: Register,
    phrases: Phrases,
) -> Curve:
    norm = norms.measures["pitch_variation"]
    times: list[float] = []
    values: list[float | None] = []
    for turn in seen.turns:
        if turn.sound is None or seen.median_pitch is None:
            continue
        curve = pitch.semitones(turn.sound, seen.median_pitch)
        times += [turn.sound.start + index * HOP for index in range(len(curve))]
        values += [None if np.isnan(value) else float(value) for value in curve]
    value = readings["pitch_variation"].value
    flat = [moment for moment in seen.moments if moment.kind == "monotone_stretch"]
    if value is None:
        sentence = phrases.curves["pitch_none"]
    else:
        sentence = phrases.curves["pitch_flat" if flat else "pitch_sentence"].format(
            value=phrases.number(value, norm.decimals),
            target=phrases.zone(norm.bands[register], norm),
            moments=phrases.listed([clock(moment.start) for moment in flat]),
        )
    thin_times, thin_values = _thinned(times, values)
    return Curve(
        label=phrases.curves["pitch"],
        unit=phrases.curves["pitch_unit"],
        times=thin_times,
        values=thin_values,
        sentence=sentence,
    )


def _intensity(
    seen: Observation,
    readings: Mapping[str, Reading],
    norms: Norms,
    register: Register,
    phrases: Phrases,
) -> Curve:
    """Level of the speech in dB over its own median, with gaps where nobody speaks."""
    norm = norms.measures["loudness_variation"]
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
    sentence = (
        phrases.curves["intensity_none"]
        if value is None
        else phrases.curves["intensity_sentence"].format(
            value=phrases.number(value, norm.decimals),
            target=phrases.zone(norm.bands[register], norm),
        )
    )
    thin_times, thin_values = _thinned(times, relative)
    return Curve(
        label=phrases.curves["intensity"],
        unit=phrases.curves["intensity_unit"],
        times=thin_times,
        values=thin_values,
        sentence=sentence,
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


def _evaluation(
    dimensions: Sequence[DimensionScore],
    told: Feedback,
    measures: Sequence[Measure],
    seen: Observation,
    duration: float,
) -> Evaluation:
    """The outcome in the form of EVA-01."""
    scores = {one.dimension: one.score for one in dimensions if one.score is not None}
    points = [*told.strengths, *([told.priority] if told.priority else [])]
    lines = [remark.text for remark in points] or [told.headline]
    if told.drill:
        lines.append(f"{told.drill.title} – {told.drill.instructions}")
    return Evaluation(
        scores={str(name): score for name, score in scores.items()},
        feedback=tuple(lines),
        duration=round(duration, 3),
        wordCount=seen.tally.words,
        fluencyScore=scores.get("fluency"),
        confidenceScore=scores.get("confidence"),
        customMetrics={measure.id: measure.value for measure in measures},
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None or not isfinite(value) else round(value, 4)


def _lower(label: str) -> str:
    return label if label[1:2].isupper() else label[:1].lower() + label[1:]
