"""Everything that is derived from stored sessions: reports, progress, goals, and their files."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Executor
from typing import TYPE_CHECKING, TypeVar

from eloquence.coaching.assessment import assess
from eloquence.coaching.history import History
from eloquence.coaching.report import Report
from eloquence.coaching.session import StoredSession
from eloquence.config import Settings
from eloquence.errors import MarkNotFoundError
from eloquence.storage import content, export, recordings
from eloquence.storage.export import File
from eloquence.storage.sessions import SqlSessionStore

if TYPE_CHECKING:
    from eloquence.conversation.stages import Resources

T = TypeVar("T")

MOST_KEPT = 16
"""Reports that are kept ready; one of a long conversation is several megabytes."""


class Reports:
    """The reports of one process.

    Reports are made on the analyst's thread, one at a time, and kept as long as what they depend
    on stays the same.
    """

    def __init__(
        self,
        settings: Settings,
        library: content.Library,
        store: SqlSessionStore,
        resources: "Resources",
        analyst: Executor,
    ) -> None:
        self._settings = settings
        self._library = library
        self._store = store
        self._resources = resources
        self._analyst = analyst
        self._making = asyncio.Lock()
        self._annotating = asyncio.Lock()
        self._kept: OrderedDict[str, tuple[object, Report]] = OrderedDict()

    async def report(self, session_id: str) -> Report:
        """The report of a stored session. Raises SessionNotFoundError, ContentError (its exercise
        is no longer there)."""
        async with self._making:
            return await self._current(session_id)

    async def file(self, session_id: str, kind: export.Kind) -> File:
        """The report as one file to take away. Raises SessionNotFoundError, ContentError."""
        report = await self.report(session_id)
        sound = None
        if kind == "html" and "mix" in report.audio:
            sound = recordings.path(self._settings.recordings, session_id, "mix")
        return await asyncio.to_thread(export.file, report, kind, sound)

    async def dismiss(self, session_id: str, mark: str, *, dismissed: bool) -> Report:
        """The report without a mark that the learner does not accept, or with it again. Raises
        MarkNotFoundError, SessionNotFoundError."""
        async with self._annotating:
            report = await self.report(session_id)
            added = (await self._store.get(session_id)).annotations
            if mark not in added.dismissed and all(one.id != mark for one in report.marks):
                raise MarkNotFoundError(
                    "The report has no such mark.",
                    mend="Load the report again: its marks may have changed.",
                )
            marks = added.dismissed | {mark} if dismissed else added.dismissed - {mark}
            await self._store.annotate(session_id, added.model_copy(update={"dismissed": marks}))
        return await self.report(session_id)

    async def annotate(
        self, session_id: str, *, worked: str | None = None, plan: str | None = None
    ) -> None:
        """Keeps what the learner says went well and what they will try; None leaves as it is.
        Raises SessionNotFoundError."""
        given = {"worked": worked, "plan": plan}
        async with self._annotating:
            added = (await self._store.get(session_id)).annotations
            changed = {name: text for name, text in given.items() if text is not None}
            await self._store.annotate(session_id, added.model_copy(update=changed))

    async def delete(self, session_id: str) -> None:
        """Deletes a session with all that was made of it. Raises SessionNotFoundError."""
        await self._store.delete(session_id)
        self._kept.pop(session_id, None)

    async def _current(self, session_id: str) -> Report:
        """The report, made anew only when something that it depends on has changed."""
        depends = await self._store.version(session_id)
        if session_id in self._kept and self._kept[session_id][0] == depends:
            self._kept.move_to_end(session_id)
            return self._kept[session_id][1]
        stored = await self._store.get(session_id)
        report = await self._analysed(lambda: self._assessed(stored, ()))
        self._kept[session_id] = (depends, report)
        self._kept.move_to_end(session_id)
        while len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)
        return report

    def _assessed(self, stored: StoredSession, history: History) -> Report:
        language = stored.session.language
        return assess(
            stored,
            self._library.exercise(stored.session.exercise, language),
            self._library.character(stored.session.character, language),
            self._library.norms(language),
            self._library.lexicon(language),
            self._library.phrases(language),
        )

    async def _analysed(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._analyst, work)
