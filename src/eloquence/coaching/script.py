"""The offline coach: conducts an exercise from its file, with no language model.

It asks, listens, follows up on what was heard or measured, and moves on to the next step, until
the close. It never pretends to have understood: a line that needs words is only said when words
were recognised. All it does depends on the exercise, the turns and the seed alone.
"""

import random
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from eloquence.coaching.character import Language
from eloquence.coaching.exercise import Exercise, FollowUp, Register, Scenario, Step

SHORT_ANSWER = 4.0
"""Seconds of speech under which an answer is short."""
LONG_ANSWER = 45.0
"""Seconds of speech over which an answer is long."""
HESITANT_PAUSES = 2
"""Silences of at least 1 s, inside one turn, from which an answer is hesitant."""
COMMAND_WORDS = 9
"""Only a turn of at most so many words can ask to repeat or to stop: in a longer one the same
words are part of a story."""
SILENCES_MAX = 2
"""Silent turns after which the step is left for the next one."""

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
    the silences of at least 1 s inside the turn."""

    text: str = ""
    seconds: float = 0.0
    syllable_rate: float | None = None
    pauses: int = 0

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
    """

    def __init__(
        self, exercise: Exercise, scenario: Scenario, language: Language, seed: int = 0
    ) -> None:
        self.place = Place(last=scenario.prompts.initial)
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

    def reply(self, heard: Heard) -> Line:
        """The next line, and the place moved accordingly."""
        self.place = replace(self.place, replies=self.place.replies + 1)
        if self.place.done or self._asks(heard, self._cues.stop):
            return self._close()
        if self._asks(heard, self._cues.repeat):
            lead = self._draw(self._cues.repeating)
            self.place = replace(self.place, encouraged=False)
            return Line(f"{lead} {self.place.last}")
        if heard.silent:
            return self._after_silence(heard)
        self.place = replace(self.place, silences=0)
        follow_up = self._follow_up(heard)
        if follow_up is not None:
            return self._say(self._draw(follow_up.say), self._lead(heard, follow_up))
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
        return self._say(self._draw(nudges or self._cues.nudges), "")

    def _next(self, heard: Heard) -> Line:
        """The question of this step if it was not put yet, of the next one otherwise."""
        if self.place.asked:
            if self.place.step + 1 >= len(self._script.steps):
                return self._close()
            self.place = replace(self.place, step=self.place.step + 1, follow_ups=frozenset())
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
        if item.heard and not _holds(_plain(heard.text), item.heard):
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

    def _lead(self, heard: Heard, follow_up: FollowUp | None) -> str:
        """A short reaction to put before the line, or nothing. Never twice in a row."""
        if heard.silent or self.place.encouraged:
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

    def _asks(self, heard: Heard, cues: Iterable[str]) -> bool:
        plain = _plain(heard.text)
        return len(plain.split()) <= COMMAND_WORDS and _holds(plain, cues)

    def _is_question(self, heard: Heard) -> bool:
        return heard.text.rstrip().endswith("?") or self._asks(heard, self._cues.question)

    @property
    def _step(self) -> Step:
        return self._script.steps[self.place.step]


@dataclass(frozen=True, slots=True)
class _Cues:
    """What can be asked of any coach, and what it then says, in one language."""

    stop: tuple[str, ...]
    repeat: tuple[str, ...]
    question: tuple[str, ...]
    repeating: tuple[str, ...]
    deflections: tuple[str, ...]
    nudges: tuple[str, ...]


_CUES: dict[Language, _Cues] = {
    "fr": _Cues(
        stop=(
            "on arrête là", "on s'arrête là", "arrêtons là", "arrêtons-nous là", "je veux arrêter",
            "je voudrais arrêter", "j'aimerais arrêter", "je préfère arrêter", "on peut arrêter",
            "on va s'arrêter là", "on en reste là", "j'ai terminé", "terminons", "au revoir",
            "arrêter la séance", "arrêter l'exercice", "fin de la séance",
        ),
        repeat=(
            "pouvez-vous répéter", "vous pouvez répéter", "peux-tu répéter", "tu peux répéter",
            "pourriez-vous répéter", "vous pourriez répéter", "répétez", "répète s'il te plaît",
            "redites", "je n'ai pas entendu", "j'ai pas entendu", "je n'ai pas compris",
            "j'ai pas compris", "c'était quoi la question", "quelle était la question",
        ),
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
        stop=(
            "let's stop", "let us stop", "stop here", "stop there", "i want to stop",
            "i'd like to stop", "i would like to stop", "can we stop", "we can stop", "i'm done",
            "i am done", "that's all for today", "goodbye", "good bye", "end the session",
            "stop the session", "stop the exercise",
        ),
        repeat=(
            "can you repeat", "could you repeat", "please repeat", "repeat the question",
            "say that again", "say it again", "i didn't hear", "i did not hear",
            "i didn't understand", "i did not understand", "what was the question",
            "i didn't catch that",
        ),
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


def _plain(text: str) -> str:
    """Lower case, no accent, words apart by one space: what recognisers agree on."""
    letters = unicodedata.normalize("NFD", text.casefold().replace("œ", "oe"))
    bare = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return " ".join(re.findall(r"[^\W_]+", bare))


def _holds(plain: str, phrases: Iterable[str]) -> bool:
    """Whether one of the phrases is in the plain text, as whole words."""
    return any(f" {_plain(phrase)} " in f" {plain} " for phrase in phrases if _plain(phrase))
