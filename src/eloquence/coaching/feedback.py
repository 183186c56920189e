"""Words for the learner: two strengths at most, one priority, one drill.

Each remark names a moment, what was observed, its effect on the listener and the next attempt.
All sentences come from `feedback.yaml`; only figures, moments and the learner's own words are put
in. They speak of the take, never of the person nor of what the person feels.
"""

from collections.abc import Iterable, Mapping, Sequence
from string import Formatter
from typing import Literal

from pydantic import Field, field_validator

from eloquence.coaching.character import Language, Model
from eloquence.coaching.evaluation import Reading, Scored, band_score, expected_score, side
from eloquence.coaching.exercise import Dimension, Register
from eloquence.coaching.norms import MeasureNorm, Norms, Points
from eloquence.coaching.observation import Moment
from eloquence.coaching.report import Drill, Feedback, Remark

Side = Literal["low", "high"]

STRONG = 0.9
"""Score of a measure from which it may be praised."""
FINE = 0.85
"""Score of a measure from which it is no priority."""
_SHOWN = 3
_CONTRARY: dict[Side, str] = {"low": "fast_stretch", "high": "slow_stretch"}

_REMARK_PLACES = frozenset(
    {"moment", "moments", "count", "value", "unit", "target", "quote", "seconds", "label"}
)
_PLACES = frozenset(
    {"label", "best", "worst", "reason", "strength", "priority", "value", "low", "high"}
    | {"target", "moments"}
)


def _check_places(text: str, known: frozenset[str] = _PLACES) -> str:
    for _, place, _, _ in Formatter().parse(text):
        if place is not None and place not in known:
            raise ValueError(f"unknown place {{{place}}}; known: {', '.join(sorted(known))}")
    return text


class Wording(Model):
    """A remark. `plain` stands in for `text` when there is no moment to point to."""

    title: str
    text: str
    plain: str

    @field_validator("text", "plain")
    @classmethod
    def _known_places(cls, text: str) -> str:
        return _check_places(text, _REMARK_PLACES)


class DrillPhrase(Model):
    """A drill of the library and the faults it cures: measure → which side of the band."""

    id: str
    title: str
    instructions: str
    seconds: int = Field(ge=30, le=180)
    success: str
    cures: dict[str, Side]


class Phrases(Model):
    """Every sentence of a report, in one language."""

    language: Language
    decimal: str
    """The decimal sign."""
    percent: str
    """A share of a hundred, with its sign."""
    comma: str
    last: str
    """What joins items of a list, and its last two."""
    target: dict[Literal["between", "at_least", "at_most"], str]
    learner: str
    """What the learner is called in the transcript."""
    headlines: dict[Literal["both", "priority", "strength", "good", "not_scored"], str]
    summaries: dict[Literal["pass", "near", "not_yet"], str]
    reasons: dict[str, str]
    notes: dict[str, str]
    curves: dict[str, str]
    measures: dict[str, str]
    """Names of figures that have no norm."""
    strengths: dict[str, Wording]
    priorities: dict[str, dict[Side, Wording]]
    drills: tuple[DrillPhrase, ...]

    @field_validator("headlines", "summaries", "reasons", "notes", "curves", "target")
    @classmethod
    def _known_places(cls, texts: dict[str, str]) -> dict[str, str]:
        for text in texts.values():
            _check_places(text)
        return texts

    def number(self, value: float, decimals: int) -> str:
        """The figure as people write it."""
        return f"{value:.{decimals}f}".replace(".", self.decimal)

    def listed(self, items: Sequence[str]) -> str:
        """« a, b et c »."""
        if len(items) < 2:
            return "".join(items)
        return self.comma.join(items[:-1]) + self.last + items[-1]

    def shown(self, value: float, norm: MeasureNorm) -> str:
        """A measure's value as people write it, without its unit."""
        if norm.percent:
            return self.percent.format(value=self.number(100 * value, 0))
        return self.number(value, norm.decimals)

    def zone(self, points: Points, norm: MeasureNorm) -> str:
        """The target zone of a band in words."""
        low, high = points[2], points[3]
        kind: Literal["between", "at_least", "at_most"] = (
            "at_most" if low is None else "at_least" if high is None else "between"
        )
        return self.target[kind].format(
            low="" if low is None else self.shown(low, norm),
            high="" if high is None else self.shown(high, norm),
        )


def clock(seconds: float) -> str:
    """A time on the recording, as 0:42."""
    whole = max(0, int(seconds))
    return f"{whole // 60}:{whole % 60:02d}"


def feedback(
    dimensions: Mapping[Dimension, Scored],
    readings: Mapping[str, Reading],
    effects: Mapping[Moment, float],
    pauses: Sequence[tuple[float, float]],
    norms: Norms,
    register: Register,
    phrases: Phrases,
) -> Feedback:
    """The remarks on a scored session.

    The priority is the measure with the largest weight x (1 - score) x reliability x
    trainability; strengths are those of the largest weight x score x reliability, of different
    families. `effects` says how much each moment costs; `pauses` are boundary pauses, as moments
    for praise.
    """
    weights = _weights(dimensions, norms)
    scores = {
        measure: expected_score(
            reading.value, norms.measures[measure].bands[register], reading.error
        )
        for measure in weights
        if (reading := readings[measure]).value is not None
    }
    chosen = _priority(scores, weights, readings, norms, register, phrases)
    moments = sorted(effects, key=lambda moment: -effects[moment])
    priority, drill = None, None
    if chosen is not None:
        measure, where = chosen
        found = [
            one
            for one in moments
            if measure in one.measures and not one.good and one.kind != _CONTRARY[where]
        ]
        priority = _remark(
            phrases.priorities[measure][where], measure, found, readings, norms, register, phrases
        )
        drill = _drill(measure, where, phrases)
    family = "" if chosen is None else norms.measures[chosen[0]].family
    strengths: list[Remark] = []
    families = {family}
    for measure in sorted(
        scores,
        key=lambda one: (-weights[one] * scores[one] * norms.measures[one].reliability, one),
    ):
        norm = norms.measures[measure]
        if len(strengths) == 2 or norm.family in families or measure not in phrases.strengths:
            continue
        if scores[measure] < STRONG:
            continue
        families.add(norm.family)
        found = _praised(measure, effects, pauses)
        strengths.append(
            _remark(phrases.strengths[measure], measure, found, readings, norms, register, phrases)
        )
    return Feedback(
        headline=_headline(strengths, priority, phrases),
        strengths=tuple(strengths),
        priority=priority,
        drill=drill,
    )


def _weights(dimensions: Mapping[Dimension, Scored], norms: Norms) -> dict[str, float]:
    """How much each measured part weighs over all scored dimensions."""
    weights: dict[str, float] = {}
    for name, score in dimensions.items():
        if score.score is None:
            continue
        for part in score.parts:
            weight = norms.dimensions[name].parts[part] / score.coverage / len(dimensions)
            weights[part] = weights.get(part, 0.0) + weight
    return weights


def _priority(
    scores: Mapping[str, float],
    weights: Mapping[str, float],
    readings: Mapping[str, Reading],
    norms: Norms,
    register: Register,
    phrases: Phrases,
) -> tuple[str, Side] | None:
    best: tuple[float, str, Side] | None = None
    for measure in sorted(scores):
        value = readings[measure].value
        norm = norms.measures[measure]
        if value is None:
            continue
        points = norm.bands[register]
        if max(scores[measure], band_score(value, points)) >= FINE:  # a doubt is no fault
            continue
        where = side(value, points)
        if where == "inside" or where not in phrases.priorities.get(measure, {}):
            continue
        gain = weights[measure] * (1 - scores[measure]) * norm.reliability * norm.trainability
        if best is None or gain > best[0]:
            best = (gain, measure, "low" if where == "low" else "high")
    return None if best is None else best[1:]


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
    good = [one for one in good if one.kind in {"good_run", "lively_stretch"}]
    return sorted(good, key=lambda one: (-(one.value or 0.0), one.start))[:1]


def _remark(
    wording: Wording,
    measure: str,
    found: Sequence[Moment],
    readings: Mapping[str, Reading],
    norms: Norms,
    register: Register,
    phrases: Phrases,
) -> Remark:
    norm = norms.measures[measure]
    value = readings[measure].value
    first = found[0] if found else None
    shown = sorted(found[:_SHOWN], key=lambda moment: moment.start)
    text = (wording.text if found else wording.plain).format(
        moment=clock(first.start) if first else "",
        moments=phrases.listed([clock(moment.start) for moment in shown]),
        count=len(found),
        value="" if value is None else phrases.shown(value, norm),
        unit=norm.unit,
        target=phrases.zone(norm.bands[register], norm),
        quote=first.text if first else "",
        seconds=phrases.number(first.end - first.start, 1) if first else "",
        label=norm.label,
    )
    return Remark(
        title=wording.title,
        text=text,
        start=round(first.start, 3) if first else None,
        end=round(first.end, 3) if first else None,
        measure=measure,
    )


def _drill(measure: str, where: Side, phrases: Phrases) -> Drill | None:
    for drill in phrases.drills:
        if drill.cures.get(measure) == where:
            return Drill(
                id=drill.id,
                title=drill.title,
                instructions=drill.instructions,
                seconds=drill.seconds,
                success=drill.success,
                measure=measure,
            )
    return None


def _headline(strengths: Iterable[Remark], priority: Remark | None, phrases: Phrases) -> str:
    strength = next(iter(strengths), None)
    if strength is not None and priority is not None:
        kind: Literal["both", "priority", "strength", "good"] = "both"
    elif priority is not None:
        kind = "priority"
    else:
        kind = "strength" if strength is not None else "good"
    return phrases.headlines[kind].format(
        strength=_inside(strength.title) if strength else "",
        priority=_inside(priority.title) if priority else "",
    )


def _inside(title: str) -> str:
    """A title inside a sentence."""
    return title[:1].lower() + title[1:]
