"""Reports of stored sessions, made from their logs."""

import asyncio
from concurrent.futures import Executor
from functools import partial
from typing import TYPE_CHECKING

from eloquence.coaching.assessment import assess
from eloquence.coaching.report import Report
from eloquence.config import Settings
from eloquence.storage import content, export, recordings
from eloquence.storage.sessions import SqlSessionStore

if TYPE_CHECKING:
    from eloquence.conversation.stages import Resources


class Reports:
    """Everything that is derived from stored sessions."""

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

    async def report(self, session_id: str) -> Report:
        """The report of a stored session, made from its log. Raises SessionNotFoundError."""
        stored = await self._store.get(session_id)
        language = stored.session.language
        exercise = self._library.exercise(stored.session.exercise, language)
        return await asyncio.get_running_loop().run_in_executor(
            self._analyst,
            partial(
                assess,
                stored,
                exercise,
                self._library.character(stored.session.character, language),
                self._library.norms(language),
                self._library.lexicon(language),
                self._library.phrases(language),
            ),
        )

    async def html(self, session_id: str) -> str:
        """The report as one file that works offline. Raises SessionNotFoundError."""
        report = await self.report(session_id)
        audio = None
        if "mix" in report.audio:
            path = recordings.path(self._settings.recordings, session_id, "mix")
            audio = await asyncio.to_thread(path.read_bytes)
        return export.report_html(report, export.web_folder(), audio)
