"""The judging of content, in the background: who may judge a session, and how far it is."""

import asyncio
import logging
import time
from concurrent.futures import Executor
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from eloquence.bootstrap.current import Current
from eloquence.bootstrap.stages import choose
from eloquence.coaching.exercise import Exercise
from eloquence.coaching.judgement import Judgement
from eloquence.coaching.rubric import Rubric
from eloquence.coaching.session import StoredSession, Turn
from eloquence.errors import EloquenceError, JudgementError
from eloquence.registry import Choice
from eloquence.storage.content import Library
from eloquence.storage.sessions import SqlSessionStore

if TYPE_CHECKING:
    from livekit.agents import llm

Refusal = Literal[
    "", "live", "practice", "no_rubric", "no_words", "no_model", "not_ready", "not_sent"
]
"""Why the content of a session cannot be judged; empty when it can.

`practice`: a drill or a second try is not judged. `no_model`: the offline coach is no model.
`not_sent`: the model would get the words of a conversation that it did not hold itself, on a
machine that the learner never chose for them."""

AT_ONCE = 2
"""How many sessions are judged at the same time."""

log = logging.getLogger("eloquence.judging")


LONGEST = 600.0
"""Seconds after which the judging of a process that has died counts as given up."""


class Judging:
    """The judgements under way in one process: each session at most once at a time, in all
    processes of one store."""

    def __init__(
        self, current: Current, library: Library, store: SqlSessionStore, analyst: Executor
    ) -> None:
        self._current = current
        self._library = library
        self._store = store
        self._analyst = analyst
        self._places = asyncio.Semaphore(AT_ONCE)
        self._running: dict[str, asyncio.Task[None]] = {}
        self._failed: set[str] = set()

    def state(self, session_id: str) -> Literal["", "pending", "failed"]:
        """How far the judgement of a session is; empty when none was begun or it is done."""
        if session_id in self._running:
            return "pending"
        return "failed" if session_id in self._failed else ""

    def refusal(self, stored: StoredSession) -> Refusal:
        """Why the content of a session cannot be judged. It reads files: keep it off the loop."""
        session = stored.session
        if stored.end is None:
            return "live"
        if session.purpose != "exercise":
            return "practice"
        if not self._library.exercise(session.exercise, session.language).rubric:
            return "no_rubric"
        if not any(_read(turn) for turn in stored.turns):
            return "no_words"
        return self._unfit(stored, self._choice(stored))

    def begin(self, stored: StoredSession, weakest: int | None) -> None:
        """Begins to judge a session that nothing refuses, unless it is being judged already.
        `weakest` is the turn of which one sentence is said better."""
        session_id = stored.session.id
        if session_id not in self._running:
            self._failed.discard(session_id)
            task = asyncio.create_task(self._judged(stored, weakest))
            self._running[session_id] = task
            task.add_done_callback(lambda _: self._running.pop(session_id))

    async def finished(self, session_id: str) -> None:
        """Returns when the session is not being judged any more."""
        if session_id in self._running:
            await asyncio.wait([self._running[session_id]])

    async def forget(self, session_id: str) -> None:
        """Stops judging a session, and forgets that it failed."""
        if session_id in self._running:
            self._running[session_id].cancel()
            await self.finished(session_id)
        self._failed.discard(session_id)

    async def close(self) -> None:
        """Stops all judgements."""
        for session_id in list(self._running):
            await self.forget(session_id)

    def _choice(self, stored: StoredSession) -> Choice:
        return choose(self._current.settings, "llm", stored.session.language)

    def _unfit(self, stored: StoredSession, choice: Choice) -> Refusal:
        """Why a model may not judge a session."""
        if choice.provider.name == "script":
            return "no_model"
        if not choice.readiness.ready:
            return "not_ready"
        outside = choice.readiness.leaves_machine
        held = stored.session.stages.get("llm") == choice.provider.name
        if outside and not (held and stored.session.hosts.get("llm") == outside):
            return "not_sent"
        return ""

    async def _judged(self, stored: StoredSession, weakest: int | None) -> None:
        session_id = stored.session.id
        try:
            async with self._places:
                if not await self._store.begin_judging(session_id, LONGEST):
                    return
                try:
                    # Another server may have been done just before this one began.
                    if (await self._store.get(session_id)).judgement != stored.judgement:
                        return
                    async with asyncio.timeout(LONGEST):
                        await self._keep(session_id, await self._asked(stored, weakest))
                finally:
                    await self._store.end_judging(session_id)
        except EloquenceError as error:
            self._failed.add(session_id)
            log.warning("session %s could not be judged: %s", session_id, error.code)
        except Exception as error:
            self._failed.add(session_id)
            log.warning("session %s could not be judged: %s", session_id, type(error).__name__)

    async def _keep(self, session_id: str, judgement: Judgement) -> None:
        # What only failed may be tried again; anything else is how it was judged.
        if all(one.reason == "failed" for one in judgement.criteria):
            self._failed.add(session_id)
        else:
            await self._store.judge(session_id, judgement)

    async def _asked(self, stored: StoredSession, weakest: int | None) -> Judgement:
        """The judgement, by a model made for it alone and closed afterwards."""
        loop = asyncio.get_running_loop()
        # On the thread that warms the engine: two that import it at once would meet inside it.
        judge, rewrite, resources = await loop.run_in_executor(self._analyst, _engine)
        try:
            choice, exercise, rubric, model = await loop.run_in_executor(
                None, partial(self._prepared, stored, resources)
            )
            try:
                judgement: Judgement = await judge(
                    stored,
                    exercise,
                    rubric,
                    model,
                    provider=choice.readiness.leaves_machine or choice.provider.name,
                    name=choice.readiness.model,
                    made_at=time.time(),
                )
                if weakest is None or all(one.reason for one in judgement.criteria):
                    return judgement
                better = await rewrite(stored, exercise, model, weakest)
                return judgement.model_copy(update={"rewrite": better})
            finally:
                await model.aclose()
        finally:
            await resources.close()

    def _prepared(
        self, stored: StoredSession, resources: Any
    ) -> "tuple[Choice, Exercise, Rubric, llm.LLM[Any]]":
        from eloquence.conversation.stages import StageContext

        session = stored.session
        exercise = self._library.exercise(session.exercise, session.language)
        choice = self._choice(stored)
        # What was allowed when it was begun may not be now.
        refusal = self._unfit(stored, choice)
        if refusal or exercise.rubric is None:
            raise JudgementError(f"The content cannot be judged: {refusal or 'no_rubric'}.")
        context = StageContext(
            language=session.language,
            exercise=exercise,
            scenario=exercise.scenarios[0],
            character=self._library.character(session.character, session.language),
            resources=resources,
        )
        model = choice.provider.create(choice.options, context)
        return choice, exercise, self._library.rubric(exercise.rubric, session.language), model


def _read(turn: Turn) -> bool:
    """Whether a turn has words that a judge would read; the warm-up is left out."""
    return turn.speaker == "learner" and turn.phase == "exercise" and bool(turn.text)


def _engine() -> Any:
    from eloquence.conversation.judging import judge, rewrite
    from eloquence.conversation.stages import Resources

    return judge, rewrite, Resources()
