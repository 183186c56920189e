"""How demanding the partner is, and when that changes.

Four levels: a warm partner with open questions; follow-ups; objections, and no vague answer; an
impatient partner with interruptions and surprises. One moves up while the goal is held, so that
about three turns in four succeed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from eloquence.coaching.evaluation import PASS, band_score
from eloquence.coaching.exercise import Demand, Register
from eloquence.coaching.lexicon import Lexicon
from eloquence.coaching.norms import Norms
from eloquence.coaching.observation import observation
from eloquence.coaching.session import Profile, Turn
from eloquence.delivery.tally import MEASURES

HIGHEST = 4
FAILED = 0.5
"""Score of a turn under which it is a clear failure; between that and the pass mark it counts
neither way."""
IN_A_ROW = 2
"""Turns that must agree."""
LEAST_SECONDS = 5.0
"""Seconds of speech under which a turn says nothing about how it was held."""

Kind = Literal["follow_up", "objection", "vague", "silence", "interruption", "surprise"]


@dataclass(frozen=True, slots=True)
class Ladder:
    """Where one stands between 1 and `highest`. In an exam one never steps down."""

    highest: int = HIGHEST
    exam: bool = False
    level: int = 1
    recent: tuple[float, ...] = ()
    """Scores of the turns since the last step, the latest ones only."""

    def after(self, score: float | None) -> "Ladder":
        """After a turn of that score; None when it could not be told. A step takes two turns that
        agree, so that none is taken on the first one."""
        if score is None:
            return self
        recent = (*self.recent, score)[-IN_A_ROW:]
        if len(recent) == IN_A_ROW:
            if min(recent) >= PASS and self.level < self.highest:
                return replace(self, level=self.level + 1, recent=())
            if max(recent) < FAILED and self.level > 1 and not self.exam:
                return replace(self, level=self.level - 1, recent=())
        return replace(self, recent=recent)


def lines_at(demands: Sequence[Demand], level: int, kind: Kind) -> tuple[str, ...]:
    """The lines of a kind at a level: its own, or those of the nearest lower level that has
    some."""
    for demand in reversed(demands[:level]):
        lines: tuple[str, ...] = getattr(demand, kind)
        if lines:
            return lines
    return ()


def turn_score(
    turn: Turn,
    norms: Norms,
    lexicon: Lexicon,
    register: Register,
    goal: str = "",
    profile: Profile = "native",
) -> float | None:
    """How well one turn held the goal, 0..1; None under `LEAST_SECONDS` of speech, and when the
    report would score nothing of it either: sound too poor, a speaker without bands.

    The band score of the goal's measure on this turn alone. Without a goal, or with one that a
    single turn cannot show, the weighted mean of the fluency measures that it does show. `norms`
    are those of the exercise and the speaker (`norms_for`).
    """
    seen = observation([turn], norms, lexicon)
    refused = seen.fault is not None and (seen.by_ear or seen.fault == "clipping")
    if refused or seen.tally.seconds < LEAST_SECONDS:
        return None
    scores: dict[str, float] = {}
    for name in {goal, *norms.dimensions["fluency"].parts}:
        norm = norms.measures.get(name)
        if norm is None or register not in norm.bands or name not in MEASURES:
            continue
        if seen.by_ear and norm.by_ear is None:
            continue
        if profile == "speech_difference" and norm.about == "speech":
            continue
        value = MEASURES[name](seen.tally)
        if value is not None:
            scores[name] = band_score(value, norm.bands[register])
    if goal in scores:
        return scores[goal]
    weights = norms.dimensions["fluency"].parts
    shown = [name for name in weights if name in scores]
    whole = sum(weights[name] for name in shown)
    return sum(weights[name] * scores[name] for name in shown) / whole if whole > 0 else None
