"""When a hint is given and which: rarely, in a few words, at a pause, and on what is worked on.

Sparse hints help where continuous ones make dependent (Rhema 2015; the guidance hypothesis), so a
new hint comes at most once a minute, unasked only to a learner who is blocked, and never in an
exam.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from eloquence.coaching.lines import HintLines

BLOCKED = 5.0
"""Seconds of silence after the character's question after which a learner counts as blocked."""
EVERY = 60.0
"""Seconds between two different hints."""


@dataclass(frozen=True, slots=True)
class Hint:
    """A few words of help. `about` is a measure, a part of an answer, or `start`."""

    text: str
    about: str


class Hints:
    """The hints of one conversation. Times are seconds on the exercise's own clock.

    `goal` is the measure or part that the learner works on; `parts` are those of a good answer to
    this exercise, in order. `offered`: whether a blocked learner gets one unasked.
    """

    def __init__(
        self,
        lines: HintLines,
        *,
        goal: str = "",
        parts: Sequence[str] = (),
        offered: bool = True,
        exam: bool = False,
    ) -> None:
        known = {**lines.measures, **lines.parts}
        self._texts = {**known, "start": lines.start}
        wanted = dict.fromkeys([goal, *parts])
        self._abouts = [about for about in wanted if about in known] or ["start"]
        self._offered = offered and not exam
        self._exam = exam
        self._given = 0
        self._last: Hint | None = None
        self._at = -EVERY

    def asked(self, now: float, *, warm_up: bool = False) -> Hint | None:
        """The hint for somebody who asks; within a minute of the last one, that one again. None
        in an exam. An easy question of the warm-up wants no part of an answer."""
        if self._exam:
            return None
        if self._last is not None and now - self._at < EVERY:
            return self._last
        return Hint(self._texts["start"][0], "start") if warm_up else self._next()

    def offer(self, now: float, silence: float) -> Hint | None:
        """The hint for somebody who has been silent so long after a question, if one is due."""
        due = self._offered and silence > BLOCKED and now - self._at >= EVERY
        return self._next() if due else None

    def gave(self, hint: Hint, now: float) -> None:
        """Notes that the hint was shown."""
        if hint != self._last or now - self._at >= EVERY:
            self._given += hint.about in self._abouts
            self._last, self._at = hint, now

    @property
    def state(self) -> tuple[int, float | None]:
        """How many hints were given, and when the last one was."""
        return self._given, self._at if self._at >= 0 else None

    def restore(self, given: int, at: float | None) -> None:
        """Goes on from an earlier `state`."""
        self._given = given
        self._at = -EVERY if at is None else at

    def _next(self) -> Hint:
        rounds, place = divmod(self._given, len(self._abouts))
        about = self._abouts[place]
        texts = self._texts[about]
        return Hint(texts[rounds % len(texts)], about)
