"""From a stored session to its report: the same session gives the same report, byte for byte."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from eloquence.coaching import curves, figures
from eloquence.coaching.character import Character
from eloquence.coaching.checklist import hints
from eloquence.coaching.evaluation import Reading, state
from eloquence.coaching.exercise import Dimension, Exercise, Register
from eloquence.coaching.feedback import feedback
from eloquence.coaching.figures import rounded
from eloquence.coaching.history import History
from eloquence.coaching.judging import judged
from eloquence.coaching.lexicon import Lexicon
from eloquence.coaching.moments import moments, without
from eloquence.coaching.norms import Norms
from eloquence.coaching.observation import HeardTurn, Moment, Observation, observation
from eloquence.coaching.phrases import Phrases
from eloquence.coaching.profiles import norms_for
from eloquence.coaching.readings import REASONS, readings
from eloquence.coaching.refusals import criterion_reason, lower, unscored
from eloquence.coaching.report import (
    Content,
    Curve,
    DimensionScore,
    Evaluation,
    Event,
    Feedback,
    JudgedPart,
    Mark,
    Measure,
    Part,
    Pause,
    Report,
    ReportTurn,
)
from eloquence.coaching.rubric import Rubric
from eloquence.coaching.scoring import Result, effects, overall, result, weakest_turn
from eloquence.coaching.session import Profile, SessionEnd, StoredSession, Turn
from eloquence.delivery.tally import Tally

_BY_EAR: Dimension = "delivery"
_CUT_OFF = SessionEnd(status="interrupted", reason="process_died", duration=0.0)


@dataclass(frozen=True, slots=True)
class _Take:
    """What all parts of a report are made from. `norms` are those of the session (`norms_for`);
    `tally` and `moments` are without what the learner dismissed."""

    seen: Observation
    tally: Tally
    found: tuple[Moment, ...]
    moments: tuple[Moment, ...]
    readings: Mapping[str, Reading]
    norms: Norms
    register: Register
    phrases: Phrases
    passing_score: float
    refusal: str
    """Why nothing is scored, in a sentence; empty when something may be."""


def assess(
    stored: StoredSession,
    exercise: Exercise,
    character: Character,
    norms: Norms,
    lexicon: Lexicon,
    phrases: Phrases,
    *,
    rubric: Rubric | None = None,
    history: History = (),
) -> Report:
    """The report of a session, whatever is in it: no turn at all, no word, no sound, no end.

    `norms`, `lexicon` and `phrases` are those of the session's language; `rubric` is the one of the
    exercise, and `history` what the learner did before, for the advice alone. Warm-up turns are
    never scored. Raises ValueError when the exercise weighs a measure that the norms do not know
    (`profiles.faults`).
    """
    session = stored.session
    turns = stored.turns
    end = stored.end or _CUT_OFF
    duration = max([end.duration, *(turn.end for turn in turns)])
    standards = norms_for(norms, exercise, session.profile)
    seen = observation(
        [one for one in turns if one.phase != "warm_up"],
        standards,
        lexicon,
        verbatim=session.verbatim,
    )
    warm_up = observation([one for one in turns if one.phase == "warm_up"], standards, lexicon)
    take = _take(stored, exercise, seen, standards, phrases)
    results = _results(stored, exercise, rubric, take)
    rises = effects(
        results, take.moments, seen, take.tally, take.readings, standards, exercise.register_
    )
    dimensions = tuple(
        _dimension(name, one, rises, take, by_ear=seen.by_ear) for name, one in results.items()
    )
    weights = exercise.criteria.weights
    told = _feedback(dimensions, rises, take, history, session.started_at)
    heard = {turn.index: turn for turn in (*warm_up.turns, *seen.turns)}
    if session.profile == "speech_difference":
        heard = {index: replace(turn, silences=()) for index, turn in heard.items()}
    measures = figures.measures(seen, take.readings, standards, lexicon, phrases)
    return Report(
        session=session.id,
        language=session.language,
        exercise=exercise.id,
        setting=exercise.register_,
        title=session.title or exercise.title,
        character=character.id,
        started_at=session.started_at,
        duration=round(duration, 3),
        status=end.status,
        reason=end.reason,
        stages=session.stages,
        speech_seconds=round(seen.tally.seconds, 3),
        word_count=seen.tally.words,
        quality=figures.sound_quality(seen, stored, phrases),
        feedback=told,
        profile=session.profile,
        purpose=session.purpose,
        of=session.of,
        drill=session.drill,
        retried=session.retried,
        exam=session.exam,
        overall=overall(
            {name: one for name, one in results.items() if name in exercise.criteria.dimensions},
            weights,
            exercise.criteria.passing_score,
        ),
        dimensions=dimensions,
        content=_content(stored, exercise, rubric, seen, phrases),
        marks=tuple(_marks(take, rises)),
        baseline=figures.baseline(warm_up, seen),
        weakest_turn=weakest_turn(
            results, weights, seen, take.tally, take.readings, standards, exercise.register_
        ),
        worked=stored.annotations.worked,
        plan=stored.annotations.plan,
        passing_score=exercise.criteria.passing_score,
        measures=measures,
        turns=tuple(_turns(turns, heard, character, phrases)),
        **_curves(take, session.profile),
        evaluation=_evaluation(dimensions, told, measures, take, duration),
        audio=stored.audio,
    )


def _take(
    stored: StoredSession, exercise: Exercise, seen: Observation, norms: Norms, phrases: Phrases
) -> _Take:
    register = exercise.register_
    dismissed = stored.annotations.dismissed
    found = moments(seen, norms, register, stored.session.profile)
    tally = without(seen, found, dismissed, norms)
    return _Take(
        seen=seen,
        tally=tally,
        found=found,
        moments=tuple(moment for moment in found if moment.id not in dismissed),
        readings=readings(seen, tally, norms, stored.session.profile),
        norms=norms,
        register=register,
        phrases=phrases,
        passing_score=exercise.criteria.passing_score,
        refusal=_refusal(seen, tally, norms, phrases, stored),
    )


def _refusal(
    seen: Observation, tally: Tally, norms: Norms, phrases: Phrases, stored: StoredSession
) -> str:
    """Why the whole session has no score, in a sentence; empty when it may have."""
    if seen.fault is not None and (not seen.turns or seen.by_ear or seen.fault == "clipping"):
        return phrases.reasons[REASONS[seen.fault]]
    if not seen.turns:
        warmed = any(
            one.phase == "warm_up" and one.speaker == "learner" and (one.words or one.sound)
            for one in stored.turns
        )
        return phrases.reasons["only_warm_up" if warmed else "no_speech"]
    if stored.session.profile == "child":
        return phrases.reasons["profile_child"]
    if tally.seconds < norms.least_seconds:
        return phrases.reasons["too_short"].format(
            low=phrases.number(norms.least_seconds, 0), value=phrases.number(tally.seconds, 0)
        )
    if not seen.by_ear and tally.words < norms.least_words:
        return phrases.reasons["too_few_words"].format(low=norms.least_words, value=tally.words)
    return ""


def _results(
    stored: StoredSession, exercise: Exercise, rubric: Rubric | None, take: _Take
) -> dict[Dimension, Result]:
    """The dimensions of the exercise, scored unless the whole session is refused.

    Where the ear alone can score none of them, its own one stands beside them: the delivery.
    """
    found: dict[Dimension, Result] = {}
    nothing = {name: Reading(None) for name in take.readings}
    for name in exercise.criteria.dimensions:
        if name not in take.norms.dimensions:
            continue
        given = take.readings if not take.refusal else nothing
        alone = result(name, given, None, take.norms, take.register)
        spoken = judged(rubric, stored.judgement, name, alone.measured.score) if rubric else None
        if take.refusal:
            found[name] = alone
        else:
            found[name] = result(name, given, spoken, take.norms, take.register)
    by_ear = take.seen.by_ear and not take.refusal and _BY_EAR in take.norms.dimensions
    if by_ear and all(one.score is None for one in found.values()):
        delivery = result(_BY_EAR, take.readings, None, take.norms, take.register)
        if delivery.score is not None:
            found[_BY_EAR] = delivery
    return found


def _dimension(
    name: Dimension,
    one: Result,
    rises: Mapping[Moment, Mapping[Dimension, float]],
    take: _Take,
    *,
    by_ear: bool,
) -> DimensionScore:
    norms, phrases = take.norms, take.phrases
    norm = norms.dimensions[name]
    measured = one.measured
    shown = DimensionScore(
        dimension=name,
        label=norm.label,
        state="not_scored",
        coverage=rounded(one.coverage) or 0.0,
        measured=rounded(measured.score),
        judged=rounded(one.judged.score) if one.judged else None,
        judged_weight=rounded(norm.judged) or 0.0,
        parts=tuple(
            Part(
                measure=part,
                label=norms.measures[part].label,
                value=rounded(take.readings[part].value),
                unit=norms.measures[part].unit,
                percent=norms.measures[part].percent,
                weight=rounded(weight) or 0.0,
                score=rounded(measured.parts.get(part)),
                band=norms.measures[part].band(take.register),
                source=norms.measures[part].source,
                reason=figures.reason(part, take.readings[part].reason, norms, phrases),
            )
            for part, weight in norm.parts.items()
        ),
        criteria=tuple(_criterion(part, phrases) for part in one.judged.parts)
        if one.judged
        else (),
    )
    if one.score is None or one.low is None or one.high is None:
        why = take.refusal or unscored(norm, one, take.readings, norms, phrases, by_ear=by_ear)
        return shown.model_copy(update={"reason": why})
    outcome = state(one.low, one.high, take.passing_score)
    worst, best = _telling(name, one, take)
    return shown.model_copy(
        update={
            "state": outcome,
            "score": rounded(one.score),
            "low": rounded(one.low),
            "high": rounded(one.high),
            "provisional": take.tally.seconds < norms.full_seconds,
            "summary": phrases.summaries[outcome].format(
                label=norm.label, best=lower(best), worst=lower(worst)
            ),
            "events": tuple(
                _event(moment, rise[name]) for moment, rise in rises.items() if name in rise
            ),
        }
    )


def _criterion(part: JudgedPart, phrases: Phrases) -> JudgedPart:
    if not part.reason:
        return part
    return part.model_copy(update={"reason": criterion_reason(part.reason, phrases)})


def _telling(name: Dimension, one: Result, take: _Take) -> tuple[str, str]:
    """The labels of the part that costs most and of the one that carries most."""
    share = one.measured_weight
    known = [
        (share * take.norms.dimensions[name].parts[part], score, take.norms.measures[part].label)
        for part, score in one.measured.parts.items()
    ]
    if one.judged is not None and one.judged.score is not None:
        known += [
            ((1 - share) * part.weight, part.score, part.label)
            for part in one.judged.parts
            if part.score is not None and part.weight > 0
        ]
    costly = max(known, key=lambda part: (part[0] * (1 - part[1]), part[2]))
    carrying = max(known, key=lambda part: (part[0] * part[1], part[2]))
    return costly[2], carrying[2]


def _event(moment: Moment, effect: float) -> Event:
    return Event(
        id=moment.id,
        kind=moment.kind,
        start=round(moment.start, 3),
        end=round(moment.end, 3),
        text=moment.text,
        value=rounded(moment.value),
        effect=round(effect, 4),
        turn=moment.turn,
    )


def _marks(take: _Take, rises: Mapping[Moment, Mapping[Dimension, float]]) -> Iterable[Mark]:
    """Every moment once, the dismissed ones too, in the order of time."""
    kept = set(take.moments)
    seen: set[str] = set()
    for moment in take.found:
        if moment.id in seen:
            continue
        seen.add(moment.id)
        phrase = take.phrases.marks.get(moment.kind)
        yield Mark(
            id=moment.id,
            kind=moment.kind,
            label=phrase.name if phrase else moment.kind,
            start=round(moment.start, 3),
            end=round(moment.end, 3),
            turn=moment.turn,
            text=moment.text,
            about=phrase.text if phrase else "",
            value=rounded(moment.value),
            good=moment.good,
            dismissed=moment not in kept,
            effects={
                str(name): round(rise, 4) for name, rise in rises.get(moment, {}).items() if rise
            },
        )


def _content(
    stored: StoredSession,
    exercise: Exercise,
    rubric: Rubric | None,
    seen: Observation,
    phrases: Phrases,
) -> Content:
    if rubric is None:
        return Content(state="not_judged", reason=phrases.reasons["no_rubric"])
    scored = [turn for turn in stored.turns if turn.phase != "warm_up"]
    about = Content(
        state="not_judged",
        rubric=rubric.id,
        rubric_title=rubric.title,
        rubric_source=rubric.source,
        hints=hints(scored, exercise, rubric, stored.session.language),
    )
    given = stored.judgement
    if given is None or (given.rubric, given.rubric_version) != (rubric.id, rubric.version):
        alone = "recording" if stored.session.source == "recording" else "not_judged"
        why = "no_words" if seen.turns and seen.by_ear else alone
        return about.model_copy(update={"reason": phrases.reasons[why]})
    return about.model_copy(
        update={
            "state": "judged",
            "provider": given.provider,
            "model": given.model,
            "prompt_version": given.prompt_version,
            "spread": given.spread,
        }
    )


def _feedback(
    dimensions: Sequence[DimensionScore],
    rises: Mapping[Moment, Mapping[Dimension, float]],
    take: _Take,
    history: History,
    started_at: float,
) -> Feedback:
    if not any(one.score is not None for one in dimensions):
        reason = next((one.reason for one in dimensions), take.phrases.reasons["nothing"])
        return Feedback(headline=take.phrases.headlines["not_scored"].format(reason=reason))
    pauses = [
        (silence.start, silence.end)
        for turn in take.seen.turns
        for silence in turn.silences
        if silence.kind == "boundary"
    ]
    return feedback(
        dimensions,
        take.readings,
        {moment: sum(rise.values()) for moment, rise in rises.items() if rise},
        pauses,
        take.norms,
        take.phrases,
        history=history,
        started_at=started_at,
        by_ear=take.seen.by_ear,
    )


def _turns(
    turns: Sequence[Turn],
    heard: Mapping[int, HeardTurn],
    character: Character,
    phrases: Phrases,
) -> Iterable[ReportTurn]:
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
            phase=turn.phase,
            pauses=_silences(mine),
            speech=turn.sound.speech if turn.sound else (),
        )
        previous = turn


def _curves(take: _Take, profile: Profile) -> dict[str, Curve]:
    if profile == "speech_difference":
        why = take.phrases.reasons["profile_speech_difference"]
        kinds: tuple[curves.Kind, ...] = ("pace", "pitch", "intensity")
        return {kind: curves.hidden(kind, why, take.phrases) for kind in kinds}
    given = (take.readings, take.norms, take.register, take.phrases)
    return {
        "pace": curves.pace(take.seen, *given),
        "pitch": curves.pitch(take.seen, take.found, *given),
        "intensity": curves.intensity(take.seen, *given),
    }


def _silences(turn: HeardTurn | None) -> tuple[Pause, ...]:
    return tuple(
        Pause(start=round(silence.start, 3), end=round(silence.end, 3), kind=silence.kind)
        for silence in (turn.silences if turn else ())
    )


def _evaluation(
    dimensions: Sequence[DimensionScore],
    told: Feedback,
    measures: Sequence[Measure],
    take: _Take,
    duration: float,
) -> Evaluation:
    """The outcome in the form of EVA-01, with the focus areas of EVA-03 among its metrics."""
    scores = {one.dimension: one.score for one in dimensions if one.score is not None}
    points = [*told.strengths, *([told.priority] if told.priority else [])]
    lines = [remark.text for remark in points] or [told.headline]
    if told.drill:
        lines.append(f"{told.drill.title} – {told.drill.instructions}")
    natural = (
        None if take.refusal else figures.naturalness(take.readings, take.norms, take.register)
    )
    metrics: dict[str, float | str | None] = {measure.id: measure.value for measure in measures}
    metrics["naturalness"] = rounded(natural)
    metrics["response_time"] = metrics["response_latency"]
    return Evaluation(
        scores={str(name): score for name, score in scores.items()},
        feedback=tuple(lines),
        duration=round(duration, 3),
        wordCount=take.seen.tally.words,
        fluencyScore=scores.get("fluency"),
        confidenceScore=scores.get("confidence"),
        customMetrics=metrics,
    )
