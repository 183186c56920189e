"""Everything that is derived from stored sessions: reports, progress, goals, and their files."""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from eloquence.bootstrap.current import Current
from eloquence.bootstrap.judging import Judging, Refusal
from eloquence.coaching import schedule
from eloquence.coaching.assessment import assess
from eloquence.coaching.character import Language
from eloquence.coaching.drills import criterion_label
from eloquence.coaching.exercise import Register
from eloquence.coaching.history import History, Past, past
from eloquence.coaching.judgement import Judgement
from eloquence.coaching.norms import Norms
from eloquence.coaching.phrases import Phrases
from eloquence.coaching.profiles import norms_for
from eloquence.coaching.progress import Progress, compared, placed, progress, restricted
from eloquence.coaching.report import Comparison, Goal, Report
from eloquence.coaching.session import Annotations, Session, StoredSession
from eloquence.errors import (
    EloquenceError,
    JudgementError,
    MarkNotFoundError,
    SessionNotFoundError,
)
from eloquence.storage import content, export, recordings
from eloquence.storage.export import File
from eloquence.storage.sessions import SqlSessionStore

T = TypeVar("T")

MOST_KEPT = 8
"""Reports that are kept ready; one of a long conversation is several megabytes."""
HISTORY = 60
"""Earlier sessions that a report may look back on."""
LONG_HISTORY = 500
"""Sessions that the progress of a learner is made of."""
CAUGHT_UP = 8
"""Sessions without an outcome, such as those of an older version, that are looked at each time."""

_REFUSALS: dict[Refusal, str] = {
    "live": "A session is judged after its end.",
    "practice": "Drills and second tries are not judged.",
    "no_rubric": "This exercise has no rubric to judge the content by.",
    "no_words": "No words were heard: there is nothing to judge.",
    "no_model": "No language model is chosen: the content is not judged.",
    "not_ready": "The language model is not ready.",
    "not_sent": "The words stay here: the language model is on another machine and did not hold "
    "this conversation.",
}
_MENDS: dict[Refusal, str] = {
    "no_model": "Choose one: ELOQUENCE_LLM=openai.",
    "not_ready": "`eloquence doctor` says what it lacks.",
    "not_sent": "Choose a model on this machine, or hold the next conversation with that one.",
}

log = logging.getLogger("eloquence.reports")


@dataclass(frozen=True, slots=True)
class _Kept:
    """A report, and what it was made of."""

    version: object
    history: History
    report: Report
    refusal: Refusal
    """Why its content cannot be judged."""
    judged: bool
    """Whether a model was asked about its content, whatever it answered."""


class Reports:
    """The reports of one process.

    They are made on the analyst's thread, one at a time, and kept as long as what they depend on
    stays the same. What later sessions need of one is stored whenever its report is made.
    """

    def __init__(
        self,
        current: Current,
        library: content.Library,
        store: SqlSessionStore,
        analyst: Executor,
    ) -> None:
        self._settings = current.settings  # of which none that is used here changes
        self._library = library
        self._store = store
        self._analyst = analyst
        self._judging = Judging(current, library, store, analyst)
        self._following: dict[str, asyncio.Task[None]] = {}
        self._making = asyncio.Lock()
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._unreadable: set[str] = set()

    async def report(self, session_id: str) -> Report:
        """The report of a stored session. Raises SessionNotFoundError, ContentError (its exercise
        is no longer there)."""
        kept = await self._current(session_id)
        elsewhere = False
        if self._settings.in_rooms and not (kept.refusal or kept.judged):
            # The worker that held it has not judged it: the first server that is asked does.
            elsewhere = await self._store.judging(session_id)
            if not elsewhere and not self._judging.state(session_id):
                self.ended(session_id)
        return self._told(kept, elsewhere=elsewhere)

    async def file(self, session_id: str, kind: export.Kind) -> File:
        """The report as one file to take away. Raises SessionNotFoundError, ContentError."""
        report = await self.report(session_id)
        return await asyncio.to_thread(self._file, report, kind)

    async def dismiss(self, session_id: str, mark: str, *, dismissed: bool) -> Report:
        """The report without a mark that the learner does not accept, or with it again. Raises
        MarkNotFoundError, SessionNotFoundError."""
        report = await self.report(session_id)
        added = (await self._store.get(session_id)).annotations
        if mark not in added.dismissed and all(one.id != mark for one in report.marks):
            raise MarkNotFoundError(
                "The report has no such mark.",
                mend="Load the report again: its marks may have changed.",
            )

        def changed(added: Annotations) -> Annotations:
            marks = added.dismissed | {mark} if dismissed else added.dismissed - {mark}
            return added.model_copy(update={"dismissed": marks})

        await self._store.annotate(session_id, changed)
        return await self.report(session_id)

    async def annotate(
        self, session_id: str, *, worked: str | None = None, plan: str | None = None
    ) -> None:
        """Keeps what the learner says went well and what they will try; None leaves as it is.
        Raises SessionNotFoundError."""
        given = {"worked": worked, "plan": plan}
        changed = {name: text for name, text in given.items() if text is not None}
        await self._store.annotate(session_id, lambda added: added.model_copy(update=changed))

    async def compare(self, session_id: str, other_id: str) -> Comparison:
        """A session beside an earlier one; nothing of two languages can be compared. Raises
        SessionNotFoundError, ContentError."""
        report, other = await self.report(session_id), await self.report(other_id)
        if report.comparison is not None and report.comparison.session == other_id:
            return report.comparison  # a second try is compared with the one turn that it tries
        before, after = past(other), past(report)
        if other.language != report.language:
            before = before.model_copy(update={"measures": {}, "criteria": {}})
        focus = after.goal or before.priority
        norms, phrases = await self._norms(report)
        return compared(
            before,
            after,
            norms,
            report.setting,
            phrases,
            focus=focus,
            label=criterion_label(report, focus),
        )

    async def progress(
        self,
        language: Language,
        *,
        exercise: str = "",
        setting: Register | None = None,
        learner: str = "",
    ) -> Progress:
        """A learner's takes in one language, of one exercise or of all; `setting` is by default
        that of the last one. Raises ContentError (no such exercise)."""
        async with self._making:
            history = await self._history(learner, language, limit=LONG_HISTORY)
        if exercise:
            one = await asyncio.to_thread(self._library.exercise, exercise, language)
            setting = one.register_
            history = tuple(each for each in history if each.exercise == exercise)
        last = next((each for each in reversed(history) if each.purpose == "exercise"), None)
        setting = setting or (last.setting if last else "conversation")
        norms = await asyncio.to_thread(self._library.norms, language)
        phrases = await asyncio.to_thread(self._library.phrases, language)
        return progress(history, norms, phrases, setting=setting)

    async def goals(self, exercise: str, language: Language, *, by_ear: bool) -> tuple[Goal, ...]:
        """All that one may choose to work on in an exercise. Raises ContentError (no such
        exercise)."""

        def known() -> tuple[Goal, ...]:
            one = self._library.exercise(exercise, language)
            norms = norms_for(self._library.norms(language), one)
            return schedule.goals(one, norms, self._library.phrases(language), by_ear=by_ear)

        return await asyncio.to_thread(known)

    async def proposal(
        self, exercise: str, language: Language, *, learner: str = ""
    ) -> Goal | None:
        """What a learner may work on in the next session of an exercise: what the last one
        proposed, or else the last session of any exercise; in the learner's own words where they
        wrote some. Raises ContentError (no such exercise)."""
        await asyncio.to_thread(self._library.exercise, exercise, language)
        async with self._making:
            history = await self._history(learner, language)
        takes = [one for one in history if one.purpose == "exercise"]
        last = next((one for one in reversed(takes) if one.exercise == exercise), None)
        last = last or (takes[-1] if takes else None)
        if last is None:
            return None
        report = await self.report(last.session)
        norms, phrases = await self._norms(report)
        # Whether a mastered goal is due again depends on today.
        today = report.model_copy(update={"started_at": time.time()})
        goal = schedule.proposal(today, history, norms, phrases)
        if goal is None or (report.exercise != exercise and goal.measure not in norms.measures):
            return None
        own = report.proposal is not None and report.proposal.measure == goal.measure
        return goal.model_copy(update={"plan": report.plan}) if own and report.plan else goal

    async def judge(self, session_id: str) -> None:
        """Begins to judge the content of a session, or to judge it again; harmless while it is
        being judged. Raises JudgementError, which says why it cannot be; SessionNotFoundError."""
        kept = await self._current(session_id)
        if kept.refusal:
            raise JudgementError(_REFUSALS[kept.refusal], mend=_MENDS.get(kept.refusal, ""))
        self._judging.begin(await self._store.get(session_id), kept.report.weakest_turn)

    def refusal(self, stored: StoredSession) -> Refusal:
        """Why the content of a session cannot be judged. It reads files: keep it off the loop."""
        return self._judging.refusal(stored)

    def ended(self, session_id: str) -> None:
        """A session has just ended: makes its report, then judges its content, in the background.
        Nothing is sent to a model that did not hold that conversation itself."""
        if session_id not in self._following:
            task = asyncio.create_task(self._follow(session_id))
            self._following[session_id] = task
            task.add_done_callback(lambda _: self._following.pop(session_id))

    async def judged(self, session_id: str) -> None:
        """Returns when nothing of the session is being made in the background any more."""
        if session_id in self._following:
            await asyncio.wait([self._following[session_id]])
        await self._judging.finished(session_id)

    async def delete(self, session_id: str) -> None:
        """Deletes a session with all that was made of it. Raises SessionNotFoundError."""
        await self._forget(session_id)
        await self._store.delete(session_id)
        self._kept.pop(session_id, None)

    async def close(self) -> None:
        """Stops what is under way in the background."""
        for session_id in list(self._following):
            await self._forget(session_id)
        await self._judging.close()

    async def _follow(self, session_id: str) -> None:
        try:
            kept = await self._current(session_id)
            if not (kept.refusal or kept.judged):
                stored = await self._store.get(session_id)
                self._judging.begin(stored, kept.report.weakest_turn)
        except Exception as error:
            log.warning("nothing follows session %s: %s", session_id, _name(error))

    async def _forget(self, session_id: str) -> None:
        if session_id in self._following:
            self._following[session_id].cancel()
            await asyncio.wait([self._following[session_id]])
        await self._judging.forget(session_id)

    def _told(self, kept: _Kept, *, elsewhere: bool) -> Report:
        """The report with how far the judging of its content is, here or `elsewhere`."""
        report = kept.report
        state = "pending" if elsewhere else self._judging.state(report.session)
        if report.session in self._following and not kept.refusal:
            state = "pending"
        if not state or (state == "failed" and report.content.state == "judged"):
            return report
        reason = self._library.phrases(report.language).reasons[state]
        told = {"state": "pending" if state == "pending" else "not_judged", "reason": reason}
        return report.model_copy(update={"content": report.content.model_copy(update=told)})

    async def _current(self, session_id: str) -> _Kept:
        async with self._making:
            return await self._remade(session_id)

    async def _remade(self, session_id: str) -> _Kept:
        """The report, made anew only when something that it depends on has changed."""
        version = await self._store.version(session_id)
        learner = await self._store.learner(session_id)
        kept = self._kept.get(session_id)
        if kept is not None and kept.version == version:
            began = kept.report.started_at
            before = await self._history(learner, kept.report.language, before=began)
            if before == kept.history:
                self._kept.move_to_end(session_id)
                return kept
        stored = await self._store.get(session_id)
        session = stored.session
        history = await self._history(learner, session.language, before=session.started_at)
        report = await self._made(stored, history)
        refusal = await asyncio.to_thread(self.refusal, stored)
        reason = self._library.phrases(session.language).reasons.get(refusal)
        if reason and report.content.state == "not_judged":
            content = report.content.model_copy(update={"reason": reason})
            report = report.model_copy(update={"content": content})
        self._kept[session_id] = kept = _Kept(
            version, history, report, refusal, judged=stored.judgement is not None
        )
        self._kept.move_to_end(session_id)
        while len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)
        return kept

    async def _history(
        self,
        learner: str,
        language: Language,
        *,
        before: float | None = None,
        limit: int = HISTORY,
    ) -> History:
        """What earlier sessions left. Those that left nothing yet are looked at, a few each time:
        oldest first, since the advice of each depends on those before it."""
        missing = await self._store.unremembered(
            language, before=before, limit=limit, learner=learner
        )
        for session_id in [one for one in missing if one not in self._unreadable][:CAUGHT_UP]:
            try:
                stored = await self._store.get(session_id)
                started = stored.session.started_at
                earlier = await self._store.history(
                    language, before=started, limit=HISTORY, learner=learner
                )
                await self._made(stored, earlier)
            except Exception as error:  # one odd session must not cost all later reports
                log.warning("session %s leaves nothing to later ones: %s", session_id, _name(error))
                self._unreadable.add(session_id)
        return await self._store.history(language, before=before, limit=limit, learner=learner)

    async def _made(self, stored: StoredSession, history: History) -> Report:
        """The report; what later sessions need of it is stored."""
        session = stored.session
        mother = None
        known = any(one.session == session.of for one in history)
        if session.purpose == "retry" or (session.purpose == "drill" and not known):
            mother = await self._mother(session)
        report = await self._analysed(partial(self._placed, stored, history, mother))
        if stored.end is not None:
            await self._store.remember(session.id, past(report))
        return report

    async def _mother(self, session: Session) -> StoredSession | None:
        """The session that a drill belongs to, or the tried turn of it; None when it is gone."""
        try:
            mother = await self._store.get(session.of)
        except SessionNotFoundError:
            return None
        return mother if session.retried is None else restricted(mother, session.retried)

    def _file(self, report: Report, kind: export.Kind) -> File:
        sound = None
        if kind == "html" and "mix" in report.audio:
            sound = recordings.path(self._settings.recordings, report.session, "mix")
        return export.file(report, kind, sound)

    def _placed(
        self, stored: StoredSession, history: History, mother: StoredSession | None
    ) -> Report:
        report = self._assessed(stored, history)
        if stored.judgement is not None and stored.judgement.rewrite is not None:
            better = {"rewrite": stored.judgement.rewrite}
            report = report.model_copy(
                update={"feedback": report.feedback.model_copy(update=better)}
            )
        if stored.judgement is not None and (why := _unjudged(stored.judgement)):
            reason = self._library.phrases(report.language).reasons[why]
            void = {"state": "not_judged", "reason": reason}
            report = report.model_copy(update={"content": report.content.model_copy(update=void)})
        parent: Past | None = None if mother is None else past(self._assessed(mother, ()))
        session = stored.session
        norms, phrases = self._compared_with(report)
        return placed(report, history, norms, phrases, session=session, parent=parent)

    def _assessed(self, stored: StoredSession, history: History) -> Report:
        language = stored.session.language
        exercise = self._library.exercise(stored.session.exercise, language)
        return assess(
            stored,
            exercise,
            self._library.character(stored.session.character, language),
            self._library.norms(language),
            self._library.lexicon(language),
            self._library.phrases(language),
            rubric=None if not exercise.rubric else self._library.rubric(exercise.rubric, language),
            history=history,
        )

    def _compared_with(self, report: Report) -> tuple[Norms, Phrases]:
        """The norms of the report's exercise and speaker, and the words for them."""
        exercise = self._library.exercise(report.exercise, report.language)
        norms = norms_for(self._library.norms(report.language), exercise, report.profile)
        return norms, self._library.phrases(report.language)

    async def _norms(self, report: Report) -> tuple[Norms, Phrases]:
        return await asyncio.to_thread(self._compared_with, report)

    async def _analysed(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._analyst, work)


def _unjudged(judgement: Judgement) -> str:
    """Why a model has judged nothing, as a key of `reasons`; empty when it judged something."""
    reasons = [one.reason for one in judgement.criteria]
    if not reasons or not all(reasons):
        return ""
    return "too_little" if reasons[0] == "too_short" else reasons[0]


def _name(error: Exception) -> str:
    """What the log says of an error: never its text, which may quote what was said."""
    return error.code if isinstance(error, EloquenceError) else type(error).__name__
