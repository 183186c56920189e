"""Taking a session out: everything that is kept of it, as files that need no Eloquence."""

import asyncio
import shutil
from collections.abc import Sequence
from pathlib import Path

from eloquence import bootstrap
from eloquence.coaching.report import Report
from eloquence.coaching.session import StoredSession
from eloquence.config import Settings
from eloquence.errors import StorageError
from eloquence.storage import recordings
from eloquence.storage.export import Kind, write_report


async def export(
    settings: Settings, session_id: str, folder: Path, forms: Sequence[Kind] = ()
) -> list[Path]:
    """Writes those forms of the report to `folder`; with none, all that is kept: `session.json`,
    every form of the report, and the sound. Returns what was written.

    Raises SessionNotFoundError, StorageError, ContentError (the exercise of the session is no
    longer there).
    """
    async with bootstrap.opened(settings) as eloquence:
        stored = await eloquence.store.get(session_id)
        report = await eloquence.reports.report(session_id)
    return await asyncio.to_thread(_written, settings.recordings, stored, report, folder, forms)


async def table(settings: Settings, session_id: str) -> bytes:
    """The scores and measures of a session as CSV. Raises like `export`."""
    async with bootstrap.opened(settings) as eloquence:
        return (await eloquence.reports.file(session_id, "csv")).content


def _written(
    sounds: Path, stored: StoredSession, report: Report, folder: Path, forms: Sequence[Kind]
) -> list[Path]:
    session_id = stored.session.id
    kept = {name: recordings.path(sounds, session_id, name) for name in stored.audio}
    if forms:
        return write_report(report, folder, kept.get("mix"), forms)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        record = folder / "session.json"
        record.write_text(stored.model_dump_json(indent=2) + "\n", encoding="utf-8")
        copies = [Path(shutil.copyfile(path, folder / path.name)) for path in kept.values()]
    except OSError as error:
        raise StorageError(
            f"The session cannot be written to {folder}: {error.strerror}.",
            mend="Choose a folder where you may write and that has space.",
        ) from error
    return [record, *write_report(report, folder, kept.get("mix")), *copies]
