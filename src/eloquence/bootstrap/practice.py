"""What a learner asks to practise: an exercise, a drill, or one answer again."""

from collections.abc import Mapping
from dataclasses import dataclass

from eloquence.coaching.character import Language
from eloquence.coaching.exercise import Exercise, Scenario
from eloquence.coaching.practice import (
    drill_exercise,
    favourite_tic,
    forbids_word,
    question_before,
    retry_exercise,
)
from eloquence.coaching.session import Purpose, Session, SessionStore, StoredSession
from eloquence.errors import ContentError, SessionCreationError
from eloquence.protocol import Hello
from eloquence.registry import Choice, Stage
from eloquence.storage.content import Library


@dataclass(frozen=True, slots=True)
class Practice:
    """What a conversation is about. `task` is shown all along; `forbidden` is a drill's word."""

    exercise: Exercise
    scenario: Scenario
    language: Language
    purpose: Purpose = "exercise"
    task: str = ""
    forbidden: str = ""

    @property
    def duration(self) -> float:
        """Planned length in seconds."""
        return 60 * (self.scenario.duration_minutes or self.exercise.duration_minutes)

    def session(
        self,
        hello: Hello,
        chosen: Mapping[Stage, Choice],
        *,
        id: str,  # noqa: A002 - that of the session
        started_at: float,
        seed: int = 0,
    ) -> Session:
        """The record of a conversation about it that begins at `started_at` (POSIX seconds)."""
        return Session(
            id=id,
            exercise=self.exercise.id,
            scenario=self.scenario.id,
            character=self.exercise.character,
            language=self.language,
            started_at=started_at,
            stages={stage: choice.provider.name for stage, choice in chosen.items()},
            hosts={
                stage: choice.readiness.leaves_machine
                for stage, choice in chosen.items()
                if choice.readiness.leaves_machine
            },
            keep_audio=hello.keep_audio,
            title=self.exercise.title,
            profile=hello.profile,
            purpose=self.purpose,
            of=hello.of if self.purpose != "exercise" else "",
            drill=hello.drill,
            retried=hello.retry,
            goal=hello.goal,
            exam=hello.exam,
            seed=seed,
        )


async def practice(hello: Hello, library: Library, store: SessionStore) -> Practice:
    """What the hello asks for. A drill and a second try are of the exercise, the scene and the
    language of the session that they belong to.

    Raises ContentError (no such exercise, scene or drill), SessionNotFoundError, and
    SessionCreationError when that session has nothing of the sort.
    """
    if not (hello.drill or hello.retry is not None):
        exercise = library.exercise(hello.exercise, hello.language)
        return Practice(exercise, _scene(exercise, hello.scenario), hello.language)
    if not hello.of:
        raise SessionCreationError(
            "A drill or a second try belongs to an earlier session, and none was named.",
            mend="Begin it from the report of that session.",
        )
    if hello.drill and hello.retry is not None:
        raise SessionCreationError(
            "A drill and a second try were asked for at once.", mend="Choose one of them."
        )
    earlier = await store.get(hello.of)
    if hello.drill:
        return _drill(hello.drill, earlier, library)
    assert hello.retry is not None
    return _retry(hello.retry, earlier, library)


def _drill(drill_id: str, earlier: StoredSession, library: Library) -> Practice:
    language = earlier.session.language
    phrases = library.phrases(language)
    drill = phrases.drill(drill_id)
    if drill is None:
        raise ContentError(
            f"There is no drill {drill_id!r} in {language!r}.",
            mend=f"Drills: {', '.join(one.id for one in phrases.drills)}.",
        )
    word = favourite_tic(earlier.turns, library.lexicon(language)) if forbids_word(drill) else ""
    exercise, scenario = drill_exercise(
        drill, *_of(earlier, library), library.lines(language), word
    )
    task = drill.instructions
    if word:
        task = f"{task} {library.lines(language).practice.forbidden.format(word=word)}"
    return Practice(exercise, scenario, language, "drill", task, word)


def _retry(index: int, earlier: StoredSession, library: Library) -> Practice:
    language = earlier.session.language
    exercise, scenario = _of(earlier, library)
    lines = library.lines(language)
    question = question_before(earlier.turns, index, lines, exercise.levels_of(scenario))
    if question is None:
        raise SessionCreationError(
            f"Turn {index} of that session is not an answer that can be tried again.",
            mend="Choose one of your own turns, after the warm-up.",
        )
    question = question or scenario.prompts.initial
    exercise, scenario = retry_exercise(question, exercise, scenario, lines)
    return Practice(exercise, scenario, language, "retry", question)


def _of(earlier: StoredSession, library: Library) -> tuple[Exercise, Scenario]:
    """The exercise and the scene of a session; its first scene when that one is gone."""
    exercise = library.exercise(earlier.session.exercise, earlier.session.language)
    try:
        return exercise, exercise.scenario(earlier.session.scenario)
    except KeyError:
        return exercise, exercise.scenario()


def _scene(exercise: Exercise, scenario_id: str | None) -> Scenario:
    try:
        return exercise.scenario(scenario_id)
    except KeyError:
        raise ContentError(
            f"Exercise {exercise.id!r} has no scenario {scenario_id!r}.",
            mend=f"It has: {', '.join(one.id for one in exercise.scenarios)}.",
        ) from None
