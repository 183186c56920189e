"""A report as one page that works offline: style, drawing, data and sound are inside."""

import base64
from pathlib import Path

from eloquence.coaching.report import Report
from eloquence.errors import ConfigurationError, StorageError
from eloquence.storage.script import joined

PAGE, STYLE, SCRIPT = "standalone.html", "report.css", "report.js"
NO_AUDIO = 'data-audio=""'

MOST_AUDIO = 30 * 1024 * 1024

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


def write_report(report: Report, folder: Path, audio: Path | None = None) -> None:
    """Writes `report.json` and `report.html` into `folder`, made if absent. `audio` is put into the
    page unless it is larger than `MOST_AUDIO`. Raises StorageError, ConfigurationError."""
    try:
        sound = None
        if audio is not None and audio.stat().st_size <= MOST_AUDIO:
            sound = audio.read_bytes()
        page = report_html(report, web_folder(), sound)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "report.json").write_text(
            report.model_dump_json(indent=2) + "\n", encoding="utf-8"
        )
        (folder / "report.html").write_text(page, encoding="utf-8")
    except OSError as error:
        raise StorageError(
            f"The report cannot be written to {folder}: {error.strerror}.",
            mend="Choose a folder where you may write and that has space.",
        ) from error


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
