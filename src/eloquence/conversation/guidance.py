"""What the coach decides ahead of the partner: warm-up, requests by voice, hints, the level.

A learner's turn is looked at with `cue` as often as one likes, since an answer may be prepared in
vain; `take` is called once, when the turn is surely over.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from eloquence.coaching.checkpoint import GuidanceState
from eloquence.coaching.commands import command
from eloquence.coaching.exercise import Exercise, Register, Scenario
from eloquence.coaching.hints import Hint, Hints
from eloquence.coaching.levels import Ladder, lines_at
from eloquence.coaching.lines import Lines
from eloquence.coaching.session import Phase, Session
from eloquence.coaching.warm_up import WarmUp

Effect = Literal["begin", "pause", "end"]

LONG_TURN: Mapping[Register, float] = {"conversation": 25.0, "presentation": 60.0}
"""Seconds of one turn after which the most demanding partner cuts in."""
BETWEEN_CUTS = 90.0
"""Seconds between two such interruptions."""


@dataclass(frozen=True, slots=True)
class Cue:
    """A line that is said in place of the partner's answer.

    `effect` comes about once it was said: the exercise begins, or the conversation pauses or
    ends. `restart`: it is the first question again. `hint`: what it shows besides.
    """

    line: str
    effect: Effect | None = None
    restart: bool = False
    hint: Hint | None = None


class Guidance:
    """The coach's own part in one conversation. Times are seconds on its clock.

    `conducted` tells that the offline coach answers, which repeats and stops by itself.
    """

    def __init__(
        self,
        session: Session,
        exercise: Exercise,
        scenario: Scenario,
        lines: Lines,
        *,
        warm_up: bool = False,
        hints: bool = True,
        conducted: bool = False,
        seed: int = 0,
    ) -> None:
        whole = session.purpose == "exercise"
        self._session = session
        self._scenario = scenario
        self._levels = exercise.levels_of(scenario)
        self._long_turn = LONG_TURN[exercise.register_]
        self._lines = lines
        self._conducted = conducted
        self._seed = seed
        self._opening_questions = exercise.warm_up
        self._warm_up = WarmUp(lines.warm_up, self._opening_questions, seed)
        self._ladder = Ladder(highest=max(1, len(self._levels)), exam=session.exam)
        self._question = scenario.prompts.initial
        self._asides = {*lines.silence, *lines.no_answer, *lines.pausing, *lines.no_hint}
        self._asides.update(lines.filler + lines.unheard)
        self._asides.update(line for demand in self._levels for line in demand.silence)
        self._cut_in_at = 0.0
        self.offers_hints = hints and whole and not session.exam
        self.hints = Hints(
            lines.hints,
            goal=session.goal,
            parts=() if session.purpose == "drill" else exercise.parts,
            offered=self.offers_hints,
            exam=session.exam,
        )
        self.phase: Phase = "warm_up" if warm_up and whole else "exercise"
        if self.phase == "warm_up":
            self._question = self._warm_up.opening

    @property
    def state(self) -> GuidanceState:
        """Where it stands, for another process to go on from."""
        given, at = self.hints.state
        return GuidanceState(
            phase=self.phase,
            question=self._question,
            warm_up_turns=self._warm_up.turns,
            warm_up_seconds=self._warm_up.seconds,
            level=self._ladder.level,
            recent=self._ladder.recent,
            hints_given=given,
            hint_at=at,
            cut_in_at=self._cut_in_at,
        )

    def restore(self, state: GuidanceState) -> None:
        """Goes on from an earlier `state`."""
        self.phase = state.phase
        self._question = state.question
        self._warm_up = replace(
            self._warm_up, turns=state.warm_up_turns, seconds=state.warm_up_seconds
        )
        self._ladder = replace(self._ladder, level=state.level, recent=state.recent)
        self.hints.restore(state.hints_given, state.hint_at)
        self._cut_in_at = state.cut_in_at

    @property
    def opening(self) -> str:
        """The first words of the conversation."""
        return self._question

    @property
    def question(self) -> str:
        """What the learner is to answer: the partner's last words that were no aside."""
        return self._question

    @property
    def level(self) -> int | None:
        """How demanding the partner is; None where the scene has no levels."""
        return self._ladder.level if self._levels else None

    @property
    def highest(self) -> int:
        return self._ladder.highest

    @property
    def warmed_up(self) -> bool:
        """Whether the warm-up has had enough, but the exercise has not begun."""
        return self.phase == "warm_up" and self._warm_up.over

    @property
    def overdue(self) -> bool:
        """Whether the exercise begins at last, whoever is talking."""
        return self.phase == "warm_up" and self._warm_up.overdue

    @property
    def nudges(self) -> tuple[str, ...]:
        """What is said, one after the other, to a learner who stays silent; nothing in an exam."""
        demanded = lines_at(self._levels, self._ladder.level, "silence")
        return () if self._session.exam else demanded or self._lines.silence

    def cue(self, text: str, seconds: float, now: float) -> Cue | None:
        """What is said to a turn of that text and so many seconds of speech in place of the
        partner's answer; None when the partner answers."""
        asked = command(text, self._session.language)
        if asked == "pause":
            return Cue(self._drawn(self._lines.pausing), effect="pause")
        if asked == "stop" and not (self._conducted and self.phase == "exercise"):
            return Cue(self._scenario.script.close[0], effect="end")
        if asked == "help":
            hint = self.asked(now)
            if hint is None:
                return Cue(self._drawn(self._lines.no_hint))
            return Cue(hint.text, hint=hint)
        if asked == "restart":
            return Cue(self.first_question, restart=True)
        if asked == "repeat" and not (self._conducted and self.phase == "exercise"):
            return Cue(self._question)
        if self.phase == "warm_up":
            after = self._warm_up if self._warm_up.over else self._warm_up.after(seconds)
            return Cue(after.line, effect="begin" if after.over else None)
        return None

    def owed(self, text: str, now: float) -> Cue | None:
        """The same for a turn that was taken already, and has had no answer."""
        if self.phase == "warm_up" and command(text, self._session.language) is None:
            return Cue(self._warm_up.line, effect="begin" if self._warm_up.over else None)
        return self.cue(text, 0.0, now)

    def asked(self, now: float) -> Hint | None:
        """The hint for somebody who asks for one; None in an exam."""
        return self.hints.asked(now, warm_up=self.phase == "warm_up")

    def take(self, text: str, seconds: float, now: float) -> Cue | None:
        """The cue to a turn that is over, with its consequences here."""
        cue = self.cue(text, seconds, now)
        if cue is not None and cue.hint is not None:
            self.hints.gave(cue.hint, now)
        in_warm_up = self.phase == "warm_up" and command(text, self._session.language) is None
        if in_warm_up:
            self._warm_up = self._warm_up.after(seconds)
        return cue

    @property
    def first_question(self) -> str:
        """Where one begins again."""
        if self.phase == "warm_up":
            return self._warm_up.opening
        return self._scenario.prompts.initial

    def restart(self) -> None:
        """Goes back before the first question."""
        if self.phase == "warm_up":
            self._warm_up = WarmUp(self._lines.warm_up, self._opening_questions, self._seed)
        self._question = self.first_question

    def said(self, line: str) -> None:
        """Notes what the partner has said."""
        if line and line not in self._asides:
            self._question = line

    def aside(self, line: str) -> None:
        """Notes a line that is no question: a hint."""
        self._asides.add(line)

    def begin(self) -> str:
        """Ends the warm-up; returns the exercise's first words."""
        self.phase = "exercise"
        self._question = self._scenario.prompts.initial
        return self._question

    def scored(self, score: float | None) -> bool:
        """Takes how well a turn held the goal, 0..1; returns whether the level changed."""
        before = self._ladder.level
        self._ladder = self._ladder.after(score)
        return self._ladder.level != before

    def interruption(self, talked: float, now: float) -> str | None:
        """What the partner cuts in with on a turn that has lasted so long, if it does."""
        lines = lines_at(self._levels, self._ladder.level, "interruption")
        due = not self._cut_in_at or now - self._cut_in_at >= BETWEEN_CUTS
        if not lines or talked < self._long_turn or not due:
            return None
        self._cut_in_at = now
        return self._drawn(lines, now)

    def _drawn(self, lines: Sequence[str], salt: float = 0.0) -> str:
        return random.Random(f"{self._seed}/{salt}/{len(lines)}").choice(lines)  # noqa: S311 - variety
