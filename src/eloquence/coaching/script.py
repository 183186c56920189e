"""The offline coach: conducts an exercise from its file, with no language model.

It asks, listens, follows up on what was heard or measured, and moves on to the next step, until
the close. It never pretends to have understood: a line that needs words is only said when words
were recognised. All it does depends on the exercise, the turns and the seed alone.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from eloquence.coaching.character import Language
from eloquence.coaching.commands import COMMAND_WORDS, command, holds, plain
from eloquence.coaching.exercise import Exercise, FollowUp, Register, Scenario, Step
from eloquence.coaching.levels import Kind, lines_at

SHORT_ANSWER = 4.0
"""Seconds of speech under which an answer is short."""
LONG_ANSWER = 45.0
"""Seconds of speech over which an answer is long."""
HESITANT_PAUSES = 2
"""Silences of at least 1 s, inside one turn, from which an answer is hesitant."""
SILENCES_MAX = 2
"""Silent turns after which the step is left for the next one."""

_CONTENT = 4
"""Letters from which a word tells what a question is about."""
_SAME = 0.6
"""Share of such words from which two questions are the same."""
_DEMANDS: tuple[Kind, ...] = ("surprise", "objection", "follow_up")
"""What the partner's level may ask after an answer, the most demanding first."""

_PACE: dict[tuple[Language, Register], tuple[float, float]] = {
    ("fr", "conversation"): (3.0, 6.2),
    ("fr", "presentation"): (2.7, 5.6),
    ("en", "conversation"): (2.5, 5.5),
    ("en", "presentation"): (2.2, 5.0),
}
"""Syllables per second, pauses included, under which a turn is slow and over which it is fast:
the upper edge of the rate band (Rhapsodie p95 for French), and half-way down its lower side."""


@dataclass(frozen=True, slots=True)
class Line:
    """What the coach says next. `done` tells that it was the close."""

    text: str
    done: bool = False


@dataclass(frozen=True, slots=True)
class Heard:
    """What is known of the learner's turn. `text` is empty by ear; `seconds` is the duration of
    speech, 0 when nothing was said; `syllable_rate` is in syllables per second; `pauses` counts
    the silences of at least 1 s inside the turn; `finished` tells that the learner said that this
    was all."""

    text: str = ""
    seconds: float = 0.0
    syllable_rate: float | None = None
    pauses: int = 0
    finished: bool = False

    @property
    def silent(self) -> bool:
        return not self.text.strip() and self.seconds <= 0


@dataclass(frozen=True, slots=True)
class Place:
    """Where the conductor stands. Keep one to come back to it."""

    step: int = 0
    asked: bool = False
    """Whether the step has put its own question (the opening stands for the first one's)."""
    follow_ups: frozenset[int] = frozenset()
    """Which follow-ups of the step were given."""
    demands: frozenset[Kind] = frozenset()
    """Which demands of the partner's level were made in the step."""
    surprised: bool = False
    """Whether the surprise of the highest level was told."""
    spoken: float = 0.0
    """Seconds of speech that the step has been given."""
    silences: int = 0
    replies: int = 0
    last: str = ""
    """The last line without its encouragement: what is repeated on request."""
    said: frozenset[str] = frozenset()
    last_encouragement: str = ""
    encouraged: bool = False
    """Whether the last line began with an encouragement."""
    done: bool = False


class Conductor:
    """Conducts one scenario. The same seed and turns give the same lines.

    `place` may be read and set back, so that a reply that nobody heard can be given again.
    `level` is how demanding the partner is, 1..4. With `encourage` off no answer is praised.
    """

    def __init__(
        self,
        exercise: Exercise,
        scenario: Scenario,
        language: Language,
        seed: int = 0,
        *,
        encourage: bool = True,
    ) -> None:
        self.level = 1
        self._first = Place(asked=scenario.script.opening_asks, last=scenario.prompts.initial)
        self.place = self._first
        self._language = language
        self._encourage = encourage
        self._levels = exercise.levels_of(scenario)
        self._script = scenario.script
        self._opening = scenario.prompts.initial
        # One that trails off asks to go on: it cannot lead into the next question.
        self._praise = tuple(
            line for line in scenario.prompts.encouragement if not line.endswith(("...", "…"))
        )
        self._slow, self._fast = _PACE[language, exercise.register_]
        self._cues = _CUES[language]
        self._seed = seed

    def opening(self) -> str:
        """The first words of the conversation."""
        return self._opening

    def restart(self) -> None:
        """Goes back before the first question; what was said once is said otherwise now."""
        place = self.place
        self.place = replace(self._first, replies=place.replies, said=place.said)

    def take_over(self, said: Sequence[str]) -> None:
        """Goes on from another partner, who has said these lines: to the first question that was
        not put yet, or else to the last one."""
        asked = [_content(line) for line in said]
        place, steps = self.place, self._script.steps
        for number in range(place.step, len(steps)):
            own = number == place.step and place.asked
            if not own and not any(_put(line, asked) for line in steps[number].ask):
                break
        else:
            if place.asked and place.step == len(steps) - 1:
                return
        self.place = replace(
            place,
            step=number,
            asked=False,
            follow_ups=frozenset(),
            demands=frozenset(),
            spoken=0.0,
            silences=0,
        )

    def reply(self, heard: Heard) -> Line:
        """The next line, and the place moved accordingly."""
        self.place = replace(self.place, replies=self.place.replies + 1)
        asks = command(heard.text, self._language)
        if self.place.done or asks == "stop":
            return self._close()
        if asks == "restart":
            self.restart()
            return Line(self._opening)
        if asks == "repeat":
            lead = self._draw(self._cues.repeating)
            self.place = replace(self.place, encouraged=False)
            return Line(f"{lead} {self.place.last}")
        if heard.silent:
            return self._after_silence(heard)
        self.place = replace(self.place, silences=0, spoken=self.place.spoken + heard.seconds)
        if 0 < heard.seconds < SHORT_ANSWER and (line := self._demand("vague")) is not None:
            return self._say(line, "")
        follow_up = self._follow_up(heard)
        if follow_up is not None:
            return self._say(self._draw(follow_up.say), self._lead(heard, follow_up))
        for kind in _DEMANDS:
            if (line := self._demand(kind)) is not None:
                return self._say(line, "")
        return self._next(heard)

    def _after_silence(self, heard: Heard) -> Line:
        """A nudge, then the question put otherwise, then the next one."""
        silences = self.place.silences + 1
        self.place = replace(self.place, silences=silences)
        if silences > SILENCES_MAX:
            self.place = replace(self.place, silences=0)
            return self._next(heard)
        step = self._step
        nudges = [line for item in step.follow_ups if item.when == "silent" for line in item.say]
        demanded = lines_at(self._levels, self.level, "silence")
        return self._say(self._draw(demanded or nudges or self._cues.nudges), "")

    def _demand(self, kind: Kind) -> str | None:
        """What the partner's level asks besides: each kind once a step, the surprise once in all.

        Only of a step whose own question was put.
        """
        place = self.place
        lines = lines_at(self._levels, self.level, kind)
        if not lines or not place.asked or kind in place.demands:
            return None
        if kind == "surprise":
            if place.surprised:
                return None
            self.place = replace(place, surprised=True)
        elif kind != "vague" and place.demands & {"follow_up", "objection"}:
            return None  # one question more than the step's own is enough
        self.place = replace(self.place, demands=place.demands | {kind})
        return self._draw(lines)

    def _next(self, heard: Heard) -> Line:
        """The question of this step if it was not put yet, of the next one otherwise."""
        if self.place.asked:
            if self.place.step + 1 >= len(self._script.steps):
                return self._close()
            self.place = replace(
                self.place,
                step=self.place.step + 1,
                follow_ups=frozenset(),
                demands=frozenset(),
                spoken=0.0,
            )
        self.place = replace(self.place, asked=True)
        return self._say(self._draw(self._step.ask), self._lead(heard, None))

    def _close(self) -> Line:
        self.place = replace(self.place, done=True)
        return Line(self._say(self._draw(self._script.close), "").text, done=True)

    def _follow_up(self, heard: Heard) -> FollowUp | None:
        """The first follow-up of the step, in the file's order, that fits and was not given."""
        place = self.place
        if len(place.follow_ups) >= self._step.follow_ups_max:
            return None
        for index, item in enumerate(self._step.follow_ups):
            # Before the step's own question only what was said can call for something else.
            timely = place.asked or bool(item.heard)
            if index not in place.follow_ups and timely and self._fits(item, heard):
                self.place = replace(place, follow_ups=place.follow_ups | {index}, asked=True)
                return item
        return None

    def _fits(self, item: FollowUp, heard: Heard) -> bool:
        if item.heard and not holds(plain(heard.text), item.heard):
            return False
        rate = heard.syllable_rate
        spoke = heard.seconds >= SHORT_ANSWER
        match item.when:
            case None:
                return True
            case "short":
                return 0 < heard.seconds < SHORT_ANSWER
            case "long":
                return heard.seconds > LONG_ANSWER
            case "hesitant":
                return heard.pauses >= HESITANT_PAUSES
            case "fast":
                return rate is not None and spoke and rate > self._fast
            case "slow":
                return rate is not None and spoke and rate < self._slow
            case "question":
                return self._is_question(heard)
            case "silent":
                return False
            case "unfinished":
                return not heard.finished and self.place.spoken < self._step.seconds

    def _lead(self, heard: Heard, follow_up: FollowUp | None) -> str:
        """A short reaction to put before the line, or nothing. Never twice in a row."""
        if heard.silent or self.place.encouraged or not self._encourage:
            return ""
        if follow_up is None and self._is_question(heard):
            return self._draw(self._cues.deflections)
        if follow_up is not None and not follow_up.heard:
            return ""
        full = heard.text.strip() and heard.seconds >= SHORT_ANSWER
        pool = (*self._script.encouragement, *(self._praise if full else ()))
        pool = tuple(line for line in pool if line != self.place.last_encouragement)
        return self._pick(pool) if pool else ""

    def _say(self, text: str, lead: str) -> Line:
        self.place = replace(
            self.place,
            last=text,
            encouraged=bool(lead),
            last_encouragement=lead or self.place.last_encouragement,
        )
        return Line(f"{lead} {text}" if lead else text)

    def _draw(self, lines: Sequence[str]) -> str:
        """One of the lines, not said yet if there is one, and never the last one said again."""
        place = self.place
        fresh = [line for line in lines if line not in place.said]
        chosen = self._pick(fresh or [line for line in lines if line != place.last] or lines)
        self.place = replace(place, said=place.said | {chosen})
        return chosen

    def _pick(self, lines: Sequence[str]) -> str:
        return random.Random(f"{self._seed}/{self.place.replies}/{len(lines)}").choice(lines)  # noqa: S311 - variety, not secrecy

    def _is_question(self, heard: Heard) -> bool:
        if heard.text.rstrip().endswith("?"):
            return True
        said = plain(heard.text)
        return len(said.split()) <= COMMAND_WORDS and holds(said, self._cues.question)

    @property
    def _step(self) -> Step:
        return self._script.steps[self.place.step]


def _content(line: str) -> frozenset[str]:
    """The words that a line is about."""
    return frozenset(word for word in plain(line).split() if len(word) >= _CONTENT)


def _put(question: str, asked: Sequence[frozenset[str]]) -> bool:
    """Whether one of the lines, by its words, already was this question."""
    about = _content(question)
    return any(len(about & line) >= max(2, _SAME * len(about)) for line in asked)


@dataclass(frozen=True, slots=True)
class _Cues:
    """What can be asked of any coach, and what it then says, in one language."""

    question: tuple[str, ...]
    repeating: tuple[str, ...]
    deflections: tuple[str, ...]
    nudges: tuple[str, ...]


_CUES: dict[Language, _Cues] = {
    "fr": _Cues(
        question=(
            "et vous", "et toi", "est-ce que vous", "est-ce que tu", "pouvez-vous",
            "qu'en pensez-vous", "vous en pensez quoi", "avez-vous", "êtes-vous",
            "qui êtes-vous", "c'est-à-dire",
        ),
        repeating=("Bien sûr.", "Volontiers, je répète.", "Oui, voici de nouveau."),
        deflections=(
            "Bonne question, mais aujourd’hui c’est vous que j’écoute.",
            "Je vous laisse y réfléchir, c’est votre voix qui compte ici.",
        ),
        nudges=(
            "Prenez votre temps, je vous écoute.",
            "Commencez par un mot, n’importe lequel. La suite viendra.",
            "Rien ne presse. Respirez, puis lancez-vous.",
        ),
    ),
    "en": _Cues(
        question=(
            "and you", "what about you", "how about you", "do you", "can you tell me", "are you",
            "who are you", "what do you think", "what do you mean", "could you tell me",
        ),
        repeating=("Of course.", "Gladly, once more.", "Yes, here it is again."),
        deflections=(
            "A good question, but today you are the one I want to hear.",
            "I'll leave that one with you. Your voice is what counts here.",
        ),
        nudges=(
            "Take your time, I'm listening.",
            "Begin with one word, any word. The rest will come.",
            "There's no hurry. Breathe, then begin.",
        ),
    ),
}  # fmt: skip
