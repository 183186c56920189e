"""Drills and second tries as small exercises, conducted by the offline coach whatever else runs.

A drill is one instruction, one to two minutes of speech and a close. A second try is a question of
an earlier session, one answer and a close.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

from eloquence.coaching.commands import plain
from eloquence.coaching.exercise import (
    Demand,
    Exercise,
    FollowUp,
    Patience,
    Prompts,
    Scenario,
    Script,
    Step,
)
from eloquence.coaching.lexicon import Lexicon
from eloquence.coaching.lines import Lines
from eloquence.coaching.phrases import DrillPhrase
from eloquence.coaching.session import Turn
from eloquence.delivery import expressions

ENOUGH = 0.6
"""Share of a drill's seconds after which a silence ends it."""
ANSWER_SECONDS = 180.0
"""Planned length of a second try."""
_SHORTEST_ANSWER = 4.0
_DRILL_PATIENCE = Patience(minimum=4.0, maximum=8.0)
"""Drills ask for silences: one of two seconds must not end the turn."""
_TIC = "tic"


def drill_exercise(
    drill: DrillPhrase, exercise: Exercise, scenario: Scenario, lines: Lines, word: str = ""
) -> tuple[Exercise, Scenario]:
    """The drill as an exercise of the same name, character and norms. `word` is what it forbids."""
    spoken = drill.spoken
    if word:
        spoken = f"{spoken} {lines.practice.forbidden.format(word=word)}"
    step = Step(
        id="drill",
        ask=(spoken,),
        seconds=ENOUGH * drill.seconds,
        follow_ups=tuple(_more(line) for line in lines.practice.go_on),
        follow_ups_max=len(lines.practice.go_on),
    )
    scene = _scene(scenario, drill.title, spoken, step, lines.practice.drill_close)
    made = exercise.model_copy(
        update={
            "title": drill.title,
            "scenarios": (scene,),
            "duration_minutes": drill.seconds / 60,
            "patience": _DRILL_PATIENCE,
            "levels": (),
        }
    )
    return made, scene


def retry_exercise(
    question: str, exercise: Exercise, scenario: Scenario, lines: Lines
) -> tuple[Exercise, Scenario]:
    """One question of the exercise put again, for one answer."""
    step = Step(
        id="retry",
        ask=(question,),
        seconds=_SHORTEST_ANSWER,
        follow_ups=(_more(lines.practice.go_on[0]),),
    )
    opening = f"{lines.practice.again[0]} {question}"
    scene = _scene(scenario, scenario.title, opening, step, lines.practice.retry_close)
    made = exercise.model_copy(
        update={
            "scenarios": (scene,),
            "duration_minutes": ANSWER_SECONDS / 60,
            "levels": (),
        }
    )
    return made, scene


def question_before(
    turns: Sequence[Turn], index: int, lines: Lines, levels: Sequence[Demand] = ()
) -> str | None:
    """The character's last question before the learner's turn of that index; empty when nothing
    was asked before it, None when there is no such turn of the learner in the exercise."""
    tried = next((turn for turn in turns if turn.index == index), None)
    if tried is None or tried.speaker != "learner" or tried.phase == "warm_up":
        return None
    asides = {*lines.silence, *lines.no_answer, *lines.pausing, *lines.no_hint, *_hints(lines)}
    asides.update(lines.filler)
    asides.update(line for demand in levels for line in demand.silence)
    asked = [
        turn.text
        for turn in turns
        if turn.index < index
        and turn.speaker == "character"
        and turn.phase == "exercise"
        and turn.text
        and turn.text not in asides
    ]
    return asked[-1] if asked else ""


def forbids_word(drill: DrillPhrase) -> bool:
    """Whether the drill forbids the learner's most frequent filler word."""
    return drill.target.marks == _TIC or drill.target.measure == "tics"


def favourite_tic(turns: Iterable[Turn], lexicon: Lexicon) -> str:
    """The discourse marker that the learner used most; empty when none was heard."""
    heard = Counter(
        hit.said
        for turn in turns
        if turn.speaker == "learner" and turn.words
        for hit in expressions.hits(turn.words, lexicon.tics, fillers=lexicon.filled_pauses)
    )
    return min(heard, key=lambda said: (-heard[said], said), default="")


def uses(text: str, word: str) -> int:
    """How often a word or phrase stands in a text, as whole words."""
    said, wanted = plain(text).split(), plain(word).split()
    if not wanted:
        return 0
    return sum(said[at : at + len(wanted)] == wanted for at in range(len(said) - len(wanted) + 1))


def _more(line: str) -> FollowUp:
    return FollowUp(say=(line,), when="unfinished")


def _scene(
    scenario: Scenario, title: str, opening: str, step: Step, close: tuple[str, ...]
) -> Scenario:
    return Scenario(
        id=scenario.id,
        title=title,
        context=scenario.context,
        prompts=Prompts(system="", initial=opening),
        script=Script(steps=(step,), opening_asks=True, close=close),
    )


def _hints(lines: Lines) -> set[str]:
    groups = [lines.hints.start, *lines.hints.measures.values(), *lines.hints.parts.values()]
    return {text for group in groups for text in group}
