"""A report as files to take away: a page that works offline, a document, tables, and the data."""

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, get_args

from eloquence.coaching.report import Report
from eloquence.errors import ConfigurationError, StorageError
from eloquence.storage import table
from eloquence.storage.script import joined

Kind = Literal["html", "pdf", "json", "csv", "moments"]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""`html`: one page that works offline: style, drawing, data and sound are inside. `pdf`: a
document to print. `json`: the data. `csv`: scores and measures as a table; `moments`: the marks as
a table."""

PAGE, STYLE, SCRIPT = "standalone.html", "report.css", "report.js"
NO_AUDIO = 'data-audio=""'

MOST_AUDIO = 30 * 1024 * 1024

_FORMS: dict[Kind, tuple[str, str]] = {
    "html": (".html", "text/html; charset=utf-8"),
    "pdf": (".pdf", "application/pdf"),
    "json": (".json", "application/json"),
    "csv": (".csv", "text/csv; charset=utf-8"),
    "moments": ("-moments.csv", "text/csv; charset=utf-8"),
}
_PACKAGE = Path(__file__).resolve().parent.parent
_KINDS = ((b"fLaC", "audio/flac"), (b"OggS", "audio/ogg"), (b"RIFF", "audio/wav"))


def web_folder() -> Path:
    """Where the page's files are: in the installed package, or beside the sources in a checkout.

    Raises ConfigurationError when neither is there.
    """
    for folder in (_PACKAGE / "web", _PACKAGE.parent.parent / "web"):
        if (folder / "report").is_dir():
            return folder
    raise ConfigurationError(
        "The files of the page are missing.", mend="Install Eloquence again, or run: make setup."
    )


@dataclass(frozen=True, slots=True)
class File:
    """A file of a report. Its name is safe on every system and tells whose it is."""

    name: str
    media_type: str
    content: bytes


def file(report: Report, kind: Kind, audio: Path | None = None) -> File:
    """The report as one file; a page plays the recording `audio`, unless it is larger than
    `MOST_AUDIO`. The same report gives the same bytes.

    Raises ConfigurationError (a file of the page is missing), StorageError (the recording cannot
    be read).
    """
    ending, media_type = _FORMS[kind]
    try:
        held = _content(report, kind, audio)
    except OSError as error:
        raise StorageError(
            f"The recording of session {report.session} cannot be read: {error.strerror}.",
            mend="Check that you may read the folder of recordings.",
        ) from error
    return File(f"{_stem(report)}{ending}", media_type, held)


def write_report(
    report: Report, folder: Path, audio: Path | None = None, forms: Sequence[Kind] = KINDS
) -> list[Path]:
    """Writes those forms of the report into `folder`, made if absent: `report.html`, `report.pdf`,
    `report.json`, `report.csv` and `report-moments.csv`. Returns what was written.

    Raises StorageError, ConfigurationError.
    """
    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for kind in forms:
            path = folder / f"report{_FORMS[kind][0]}"
            path.write_bytes(_content(report, kind, audio))
            written.append(path)
    except OSError as error:
        raise StorageError(
            f"The report cannot be written to {folder}: {error.strerror}.",
            mend="Choose a folder where you may write and that has space.",
        ) from error
    return written


def report_html(report: Report, web: Path, audio: bytes | None) -> str:
    """The report as one file; `audio` is the recording it plays (FLAC, Ogg, WAV or MP3), if any.

    Raises ConfigurationError when a file of the page is missing.
    """
    page = _read(web, PAGE)
    # A `<` in the data could otherwise end the script that carries it.
    data = report.model_dump_json().replace("<", "\\u003c")
    parts = {
        "<!--STYLE-->": _read(web, STYLE),
        "<!--DATA-->": data,
        "<!--SCRIPT-->": _script(web),
    }
    if audio is not None:
        parts[NO_AUDIO] = f'data-audio="{_data_uri(audio)}"'
    # Cut at the markers of the page alone: what is put in may hold the same letters.
    return _filled(page, parts)


def _content(report: Report, kind: Kind, audio: Path | None) -> bytes:
    if kind == "json":
        return f"{report.model_dump_json(indent=2)}\n".encode()
    if kind == "csv":
        return table.figures(report)
    if kind == "moments":
        return table.moments(report)
    if kind == "pdf":
        from eloquence.storage import pdf  # slow to load, and seldom needed

        return pdf.document(report)
    sound = None
    if audio is not None and audio.stat().st_size <= MOST_AUDIO:
        sound = audio.read_bytes()
    return report_html(report, web_folder(), sound).encode()


def _stem(report: Report) -> str:
    day = datetime.fromtimestamp(report.started_at, UTC).date().isoformat()
    what = re.sub(r"[^A-Za-z0-9]+", "-", report.exercise).strip("-").lower()
    which = re.sub(r"[^A-Za-z0-9]+", "", report.session)[:8]
    return "-".join(part for part in ("eloquence", day, what[:60], which) if part)


def _filled(page: str, parts: dict[str, str]) -> str:
    places = sorted((page.index(marker), marker) for marker in parts if marker in page)
    pieces, done = [], 0
    for place, marker in places:
        pieces += [page[done:place], parts[marker]]
        done = place + len(marker)
    return "".join([*pieces, page[done:]])


def _data_uri(audio: bytes) -> str:
    kind = next((kind for start, kind in _KINDS if audio.startswith(start)), "audio/mpeg")
    return f"data:{kind};base64,{base64.b64encode(audio).decode()}"


def _script(web: Path) -> str:
    try:
        return joined(web / "report" / SCRIPT)
    except OSError as error:
        raise _missing(error.filename) from error


def _read(web: Path, name: str) -> str:
    try:
        return (web / "report" / name).read_text(encoding="utf-8")
    except OSError as error:
        raise _missing(f"report/{name}") from error


def _missing(name: str) -> ConfigurationError:
    return ConfigurationError(
        f"The page's file {name} is missing.", mend="Install Eloquence again, or run: make setup."
    )
