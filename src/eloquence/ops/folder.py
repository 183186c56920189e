"""Analysing all recordings of a folder, each on its own: one bad file never stops the others."""

import asyncio
import os
from collections.abc import Generator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from eloquence.coaching.character import Language
from eloquence.config import Settings
from eloquence.errors import EloquenceError, RecordingError, StorageError
from eloquence.ops import parallel

if TYPE_CHECKING:
    from eloquence.coaching.report import Report, State
    from eloquence.ops.analysis import Analyse

SUFFIXES = frozenset({".wav", ".flac", ".mp3", ".ogg", ".oga", ".opus"})
"""Endings of the files that are taken for recordings, in capitals or not."""
BY_EAR_MEGABYTES = 400.0
"""Memory that one process needs for an hour of sound, its libraries included."""
RECOGNISER_MEGABYTES = 2000.0
"""The same with a recogniser of this machine."""
SUMMARY = "summary.csv"


@dataclass(frozen=True, slots=True)
class Order:
    """What is done with every recording of a folder."""

    settings: Settings
    folder: Path
    exercise: str
    language: Language
    max_seconds: float
    report: Path | None = None
    """Where the report folders go; None for none."""
    document: bool = False
    """Whether the whole report comes back as JSON."""
    by_ear: bool = False
    """Whether it is known that there is no recogniser."""


@dataclass(frozen=True, slots=True)
class Score:
    """One dimension of one recording; `low` and `high` are its 80 % interval, 0..1."""

    dimension: str
    label: str
    state: "State"
    score: float | None
    low: float | None
    high: float | None
    reason: str


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no result: the code of the error, and what people are told."""

    code: str
    message: str
    mend: str = ""

    @classmethod
    def of(cls, error: Exception) -> "Failure":
        """The failure of an error; one that is not ours is told by its kind alone, since its text
        may hold anything."""
        if isinstance(error, EloquenceError):
            return cls(error.code, error.message, error.mend)
        kind = type(error).__name__
        return cls("internal", f"Unexpected error ({kind}).", "Tell us which file it was.")


@dataclass(frozen=True, slots=True)
class Analysed:
    """One recording: its name in the folder, and what was found or why not."""

    file: str
    seconds: float = 0.0
    """The recording's length."""
    speech_seconds: float = 0.0
    words: int | None = None
    """Words heard; None by ear."""
    scores: tuple[Score, ...] = ()
    priority: str = ""
    document: str = ""
    """The report as JSON, when it was asked for."""
    failure: Failure | None = None


def recordings(folder: Path) -> list[str]:
    """The recordings in a folder and its subfolders, by their names in it with `/`, sorted. What is
    hidden is left out, and links to folders are not followed.

    Raises RecordingError when there is none.
    """
    found = []
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [
            (Path(parent) / name).relative_to(folder).as_posix()
            for name in files
            if Path(name).suffix.lower() in SUFFIXES and not name.startswith(".")
        ]
    if not found:
        raise RecordingError(
            f"There is no recording in the folder {folder}.",
            mend=f"Files that are read end with: {', '.join(sorted(SUFFIXES))}.",
        )
    return sorted(found)


def prepared(order: Order) -> Order:
    """The order with what all its recordings have in common looked at once: whether there is a
    recogniser. Raises ContentError (no such exercise), DependencyNotFoundError (the recogniser that
    was named is not ready)."""
    from eloquence.bootstrap import BY_EAR
    from eloquence.ops.analysis import ready
    from eloquence.storage import content

    content.load(order.settings.content).exercise(order.exercise, order.language)
    by_ear = ready(order.settings, order.language).provider.name == BY_EAR
    return replace(order, by_ear=by_ear)


def jobs(order: Order) -> int:
    """How many recordings are analysed at once: one per core, as far as memory allows."""
    return parallel.jobs_for(BY_EAR_MEGABYTES if order.by_ear else RECOGNISER_MEGABYTES)


def analyse_folder(order: Order, files: Sequence[str], *, jobs: int) -> Generator[Analysed]:
    """What was found in each of the files, in their order, from at most `jobs` processes."""
    analyst = _Analyst(order)
    try:
        yield from parallel.each(analyst, files, jobs=min(jobs, len(files)), died=_died)
    finally:
        analyst.close()


def summary(analysed: Sequence[Analysed]) -> bytes:
    """One row per recording, as comma-separated values that a spreadsheet opens."""
    from eloquence.storage.table import table

    names = list(dict.fromkeys(score.dimension for one in analysed for score in one.scores))
    columns = ["file", "seconds", "speech_seconds", "words"]
    for name in names:
        columns += [name, f"{name}_low", f"{name}_high", f"{name}_state", f"{name}_reason"]
    columns += ["priority", "error", "mend"]
    rows = []
    for one in analysed:
        failure = one.failure or Failure("", "")
        known = {score.dimension: score for score in one.scores}
        row: list[str | float | None] = [one.file]
        row += ["", "", ""] if one.failure else [one.seconds, one.speech_seconds, one.words]
        for name in names:
            score = known.get(name)
            row += (
                [None] * 5
                if score is None
                else [score.score, score.low, score.high, score.state, score.reason]
            )
        rows.append([*row, one.priority, failure.message, failure.mend])
    return table(columns, rows)


def write_summary(analysed: Sequence[Analysed], folder: Path) -> Path:
    """Writes `summary.csv` into the folder of the reports. Raises StorageError."""
    path = folder / SUMMARY
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_bytes(summary(analysed))
    except OSError as error:
        raise StorageError(
            f"The summary cannot be written to {folder}: {error.strerror}.",
            mend="Choose a folder where you may write and that has space.",
        ) from error
    return path


def _found(file: str, report: "Report", *, document: bool) -> Analysed:
    priority = report.feedback.priority
    return Analysed(
        file=file,
        seconds=report.duration,
        speech_seconds=report.speech_seconds,
        words=report.word_count if report.quality.words_heard else None,
        scores=tuple(
            Score(one.dimension, one.label, one.state, one.score, one.low, one.high, one.reason)
            for one in report.dimensions
        ),
        priority=priority.title if priority else "",
        document=report.model_dump_json() if document else "",
    )


def _died(file: str) -> Analysed:
    return Analysed(
        file,
        failure=Failure(
            "internal",
            "The process that analysed it ended before it was done.",
            "Try that file alone; it may need more memory than there is.",
        ),
    )


class _Analyst:
    """What one process does with one recording after the other. Its recogniser is loaded with the
    first one and kept for the others; pickled, it is as new."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._runner: asyncio.Runner | None = None
        self._stack: AsyncExitStack | None = None
        self._analyse: Analyse | None = None

    def __reduce__(self) -> "tuple[type[_Analyst], tuple[Order]]":
        return _Analyst, (self._order,)

    def __call__(self, file: str) -> Analysed:
        from eloquence.storage import export

        order = self._order
        path = order.folder / file
        try:
            if self._runner is None:
                self._runner = asyncio.Runner()
            report = self._runner.run(self._report(path))
            if order.report is not None:
                export.write_report(report, order.report / file, path)
        except Exception as error:
            return Analysed(file, failure=Failure.of(error))
        return _found(file, report, document=order.document)

    async def _report(self, path: Path) -> "Report":
        if self._analyse is None:
            from eloquence.ops.analysis import analyst

            order = self._order
            self._stack = AsyncExitStack()
            self._analyse = await self._stack.enter_async_context(
                analyst(
                    order.settings,
                    exercise_id=order.exercise,
                    language=order.language,
                    max_seconds=order.max_seconds,
                    by_ear=order.by_ear,
                )
            )
        return await self._analyse(path, None)

    def close(self) -> None:
        if self._runner is not None:
            if self._stack is not None:
                self._runner.run(self._stack.aclose())
            self._runner.close()
