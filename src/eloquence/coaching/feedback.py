"""Words for the learner: two strengths at most, one priority, one drill.

Each remark names a moment, what was observed, its effect on the listener and the next attempt.
All sentences come from `feedback.yaml`; only figures, moments and the learner's own words are put
in. They speak of the take, never of the person nor of what the person feels.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from eloquence.coaching.evaluation import Reading, band_score, side
from eloquence.coaching.exercise import Dimension
from eloquence.coaching.history import JUDGED, Figure, History, judged_figure, mastered, resting
from eloquence.coaching.norms import MeasureNorm, Norms, Points
from eloquence.coaching.observation import Moment
from eloquence.coaching.phrases import (
    DrillPhrase,
    JudgedWording,
    Phrases,
    Side,
    Wording,
    clock,
    inside,
)
from eloquence.coaching.report import DimensionScore, Drill, Feedback, JudgedPart, Part, Remark

STRONG = 0.9
"""Score of a measure from which it may be praised."""
FINE = 0.85
"""Score of a measure from which it is no priority."""
WELL_JUDGED = 0.75
"""Score of a criterion from which it may be praised and is no priority."""
JUDGED_RELIABILITY = 0.6
"""Of a judged criterion, beside the reliabilities of measures. A proposal: about the agreement
(weighted kappa) of one good judge with people, Huynh 2026."""
_SHOWN = 3
_CONTRARY: dict[Side, str] = {"low": "fast_stretch", "high": "slow_stretch"}
_CONTENT = "content"


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A measure or criterion that a remark may be about, over all dimensions it counts for."""

    name: str
    label: str
    score: float
    weight: float
    family: str
    reliability: float
    trainability: float
    part: Part | None = None
    criterion: JudgedPart | None = None
    dimension: Dimension = "structure"

    @property
    def gain(self) -> float:
        return self.weight * (1 - self.score) * self.reliability * self.trainability

    @property
    def strength(self) -> float:
        return self.weight * self.score * self.reliability

    @property
    def strong(self) -> bool:
        return self.score >= (STRONG if self.part else WELL_JUDGED)


def feedback(
    dimensions: Sequence[DimensionScore],
    readings: Mapping[str, Reading],
    effects: Mapping[Moment, float],
    pauses: Sequence[tuple[float, float]],
    norms: Norms,
    phrases: Phrases,
    *,
    history: History = (),
    started_at: float = 0.0,
    by_ear: bool = False,
) -> Feedback:
    """The remarks on a scored session.

    The priority is the measure or judged criterion with the largest weight x (1 - score) x
    reliability x trainability that does not rest (see `resting`); strengths are those of the
    largest weight x score x reliability, of different families. `effects` says how much each
    moment costs; `pauses` are boundary pauses, as moments for praise; `history`, `started_at`
    (POSIX seconds) and `by_ear` say what was advised before and whether it may be compared.
    """
    candidates = _candidates(dimensions, norms)
    faults = [one for one in candidates if _fault(one, phrases)]
    figures = {
        name: Figure(value=reading.value, error=reading.error)
        for name, reading in readings.items()
        if reading.value is not None
    }
    bands: dict[str, Points] = {}
    for one in candidates:
        bands[one.name] = one.part.band if one.part else JUDGED
        if one.criterion is not None and (figure := judged_figure(one.criterion)):
            figures.setdefault(one.name, figure)
    rest = resting(history, figures, bands, started_at=started_at, by_ear=by_ear)
    chosen = next((one for one in faults if one.name not in rest), None)
    found = sorted(effects, key=lambda moment: -effects[moment])
    priority = None if chosen is None else _priority(chosen, found, norms, phrases)
    strengths: list[Remark] = []
    families = {"" if chosen is None else chosen.family}
    for one in sorted(candidates, key=lambda one: (-one.strength, one.name)):
        if len(strengths) == 2 or one.family in families or not one.strong:
            continue
        remark = _strength(one, effects, pauses, norms, phrases)
        if remark is not None:
            families.add(one.family)
            strengths.append(remark)
    unmoved = (one for one in faults if chosen is None and one.name not in mastered(history))
    open_one = next(unmoved, None)
    return Feedback(
        headline=_headline(strengths, priority, open_one, phrases),
        strengths=tuple(strengths),
        priority=priority,
        drill=_drill(chosen or open_one, phrases, by_ear=by_ear),
    )


def _candidates(dimensions: Sequence[DimensionScore], norms: Norms) -> list[_Candidate]:
    """Every scored part and judged criterion, those with most to gain first."""
    scored = [one for one in dimensions if one.score is not None]
    found: dict[tuple[str, str], _Candidate] = {}
    for dimension in scored:
        for candidate in (*_parts(dimension, norms), *_criteria(dimension)):
            key = (candidate.family, candidate.name)
            weight = candidate.weight / len(scored)
            if key in found:
                weight += found[key].weight
            found[key] = replace(candidate, weight=weight)
    return sorted(found.values(), key=lambda one: (-one.gain, one.name))


def _parts(dimension: DimensionScore, norms: Norms) -> Iterator[_Candidate]:
    measured = [part for part in dimension.parts if part.score is not None]
    total = sum(part.weight for part in measured)
    share = 1.0 if dimension.judged is None else 1.0 - dimension.judged_weight
    for part in measured:
        norm = norms.measures[part.measure]
        yield _Candidate(
            name=part.measure,
            label=part.label,
            score=part.score or 0.0,
            weight=share * part.weight / total if total else 0.0,
            family=norm.family,
            reliability=norm.reliability,
            trainability=norm.trainability,
            part=part,
        )


def _criteria(dimension: DimensionScore) -> Iterator[_Candidate]:
    if dimension.judged is None:
        return
    for criterion in dimension.criteria:
        if criterion.score is not None and not criterion.measured:
            yield _Candidate(
                name=criterion.criterion,
                label=criterion.label,
                score=criterion.score,
                weight=(dimension.judged_weight or 1.0) * criterion.weight,
                family=_CONTENT,
                reliability=JUDGED_RELIABILITY,
                trainability=1.0,
                criterion=criterion,
                dimension=dimension.dimension,
            )


def _fault(one: _Candidate, phrases: Phrases) -> bool:
    """Whether a candidate is worth working on. A doubt is no fault: the value itself must lie
    outside, and not just the mean over its error."""
    if one.criterion is not None:
        return one.score < WELL_JUDGED
    assert one.part is not None
    if one.part.value is None or one.weight <= 0:
        return False
    if max(one.score, band_score(one.part.value, one.part.band)) >= FINE:
        return False
    return side(one.part.value, one.part.band) in phrases.priorities.get(one.name, {})


def _side(part: Part) -> Side:
    return "low" if side(part.value or 0.0, part.band) == "low" else "high"


def _priority(one: _Candidate, moments: Sequence[Moment], norms: Norms, phrases: Phrases) -> Remark:
    if one.part is None:
        return _judged(one, phrases.judged.priority, phrases)
    where = _side(one.part)
    found = [
        moment
        for moment in moments
        if one.name in moment.measures and not moment.good and moment.kind != _CONTRARY[where]
    ]
    return _measured(one.part, phrases.priorities[one.name][where], found, norms, phrases)


def _strength(
    one: _Candidate,
    effects: Mapping[Moment, float],
    pauses: Sequence[tuple[float, float]],
    norms: Norms,
    phrases: Phrases,
) -> Remark | None:
    if one.part is None:
        return _judged(one, phrases.judged.strength, phrases)
    if one.name not in phrases.strengths:
        return None
    found = _praised(one.name, effects, pauses)
    return _measured(one.part, phrases.strengths[one.name], found, norms, phrases)


def _praised(
    measure: str, effects: Mapping[Moment, float], pauses: Sequence[tuple[float, float]]
) -> list[Moment]:
    if measure in {"mid_phrase_pauses", "long_pauses", "phonation_ratio"}:
        wanted = [pause for pause in pauses if 0.3 <= pause[1] - pause[0] <= 1.0]
        longest = sorted(wanted, key=lambda pause: (pause[0] - pause[1], pause[0]))[:1]
        return [
            Moment("good_pause", start, end, -1, (measure,), value=end - start)
            for start, end in longest
        ]
    good = [one for one in effects if one.good and measure in one.measures]
    return sorted(good, key=lambda one: (-(one.value or 0.0), one.start))[:1]


def _measured(
    part: Part, wording: Wording, found: Sequence[Moment], norms: Norms, phrases: Phrases
) -> Remark:
    norm: MeasureNorm = norms.measures[part.measure]
    first = found[0] if found else None
    shown = sorted(found[:_SHOWN], key=lambda moment: moment.start)
    text = (wording.text if found else wording.plain).format(
        moment=clock(first.start) if first else "",
        moments=phrases.listed([clock(moment.start) for moment in shown]),
        count=len(found),
        value="" if part.value is None else phrases.shown(part.value, norm),
        unit=norm.unit,
        target=phrases.zone(part.band, norm),
        quote=first.text if first else "",
        seconds=phrases.number(first.end - first.start, 1) if first else "",
        label=norm.label,
    )
    return Remark(
        title=wording.title,
        text=text,
        start=round(first.start, 3) if first else None,
        end=round(first.end, 3) if first else None,
        measure=part.measure,
    )


def _judged(one: _Candidate, wording: JudgedWording, phrases: Phrases) -> Remark:
    criterion = one.criterion
    assert criterion is not None
    quote = next((quote for quote in criterion.quotes if quote.start is not None), None)
    level = int(criterion.level or 0)
    levels = [text.strip().rstrip(".") for text in criterion.levels] or [criterion.label]
    text = (wording.plain if quote is None else wording.text).format(
        moment="" if quote is None else clock(quote.start or 0.0),
        quote="" if quote is None else quote.text.strip().rstrip("."),
        label=criterion.label,
        level=levels[min(level, len(levels) - 1)],
        next=levels[min(level + 1, len(levels) - 1)],
        missing=phrases.judged.effect(one.dimension),
    )
    return Remark(
        title=wording.title.format(
            label=criterion.label, moment="", quote="", level="", next="", missing=""
        ),
        text=text,
        start=None if quote is None else quote.start,
        end=None if quote is None else quote.end,
        measure=criterion.criterion,
    )


def _drill(one: _Candidate | None, phrases: Phrases, *, by_ear: bool) -> Drill | None:
    if one is None:
        return None
    drill = _cure(one, phrases)
    if drill is None:
        return None
    return Drill(
        id=drill.id,
        title=drill.title,
        instructions=drill.instructions,
        seconds=drill.seconds,
        success=phrases.success(drill, by_ear=by_ear),
        measure=one.name,
    )


def _cure(one: _Candidate, phrases: Phrases) -> DrillPhrase | None:
    if one.part is not None:
        where = _side(one.part)
        return next((each for each in phrases.drills if each.cures.get(one.name) == where), None)
    named = (each for each in phrases.drills if one.name in each.criteria)
    kindred = (each for each in phrases.drills if one.dimension in each.dimensions)
    return next(named, None) or next(kindred, None)


def _headline(
    strengths: Sequence[Remark],
    priority: Remark | None,
    open_one: _Candidate | None,
    phrases: Phrases,
) -> str:
    strength = strengths[0] if strengths else None
    kind: Literal["both", "priority", "strength", "good", "open"]
    if open_one is not None:
        kind = "open"
    elif priority is not None:
        kind = "both" if strength is not None else "priority"
    else:
        kind = "strength" if strength is not None else "good"
    return phrases.headlines[kind].format(
        strength=inside(strength.title) if strength else "",
        priority=inside(priority.title) if priority else "",
        label=inside(open_one.label) if open_one else "",
    )
