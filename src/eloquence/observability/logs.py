"""Where log lines go (LOG-01 to LOG-06), and which are worth reading.

Lines of `eloquence` and of the engine go to rotating files in the data folder; warnings go to
standard error too, except the engine's about its own speed. No line holds what was said, nor a
secret: those who log see to it.
"""

import logging
import os
import re
import sys
import traceback
from collections.abc import Mapping
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Protocol

from eloquence.errors import StorageError

FORMAT = "%(asctime)s - %(name)s - %(levelname)s - %(message)s"
MEGABYTE = 1024 * 1024
LOGGERS = ("eloquence", "livekit")
HARMLESS = (
    "skipping user input, speech scheduling is paused",
    "_SegmentSynchronizerImpl.playback_finished called before text/audio input is done",
    "rotate_segment called while",
    "no request_id provided for TTS",
    "publisher data channel",  # … '_reliable' closed unexpectedly: a room was left
    "drop unknown FFI handle",
)
"""What the engine says, as a warning or an error, of things that are as they should be."""
_OF_THE_MACHINE = ("slower than realtime", "event loop blocked for")
"""What the engine warns of that whoever talks can do nothing about: it stays in the files."""

_CONTROLS: Mapping[int, str] = {
    **{code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029)},
    0x0A: "\\n",
    0x0D: "\\r",
    0x09: "\t",
}
_TRACE_CONTROLS = {code: text for code, text in _CONTROLS.items() if code != 0x0A}


class Line(logging.Formatter):
    """One record, one line: a line break in a message is written as `\\n`, so that nothing from
    outside can pass for a line of ours. A traceback keeps its own lines, indented."""

    def format(self, record: logging.LogRecord) -> str:
        record.message = record.getMessage().translate(_CONTROLS)
        record.asctime = self.formatTime(record, self.datefmt)
        line = self.formatMessage(record)
        if record.exc_info:
            trace = self._trace(record).translate(_TRACE_CONTROLS)
            line = f"{line}\n{re.sub(r'^', '    ', trace, flags=re.MULTILINE)}"
        return line

    def _trace(self, record: logging.LogRecord) -> str:
        """The traceback; of the engine's records without the exception's text, in which a
        provider may have put what was said."""
        assert record.exc_info is not None
        kind, _, trace = record.exc_info
        if not record.name.startswith("livekit") or kind is None:
            return self.formatException(record.exc_info)
        return "".join(traceback.format_tb(trace)) + kind.__qualname__


class AtLeast(logging.Filter):
    """Lets through what is at least of a level, counting the engine's harmless lines as DEBUG."""

    def __init__(self, level: int) -> None:
        super().__init__()
        self._level = level

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name.startswith("livekit") and record.levelno > logging.DEBUG:
            said = record.getMessage()
            if any(harmless in said for harmless in HARMLESS):
                record.levelno, record.levelname = logging.DEBUG, "DEBUG"
        return record.levelno >= self._level


class OverTheConversation(AtLeast):
    """Lets through what people read while they talk: without the engine's measures of itself."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name.startswith("livekit") and record.levelno < logging.ERROR:
            said = record.getMessage()
            if any(known in said for known in _OF_THE_MACHINE):
                return False
        return super().filter(record)


class _PrivateFile(RotatingFileHandler):
    """A rotating file that only its owner may read."""

    def _open(self):  # type: ignore[no-untyped-def] # as the library leaves it
        os.close(os.open(self.baseFilename, os.O_CREAT | os.O_WRONLY, 0o600))
        return super()._open()


class Place(Protocol):
    """What of the settings says where lines go and which."""

    @property
    def data(self) -> Path: ...

    @property
    def log_level(self) -> str: ...


def configure(settings: Place, *, console_level: int = logging.WARNING) -> None:
    """Sends log lines to `logs` in the data folder (made if absent), and those of at least
    `console_level` to standard error. May be called again: the last call counts. Raises
    StorageError when the folder cannot be written."""
    folder, level = settings.data / "logs", settings.log_level
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        everything = _PrivateFile(
            folder / "eloquence.log", maxBytes=10 * MEGABYTE, backupCount=5, encoding="utf-8"
        )
        errors = _PrivateFile(
            folder / "eloquence_errors.log", maxBytes=5 * MEGABYTE, backupCount=3, encoding="utf-8"
        )
    except OSError as error:
        raise StorageError(
            f"The folder of logs {folder} cannot be written: {error.strerror}.",
            mend="Check that you may write there, or choose another with ELOQUENCE_DATA.",
        ) from error
    console = logging.StreamHandler(sys.stderr)
    for handler, passing in (
        (everything, AtLeast(logging.getLevelNamesMapping()[level])),
        (errors, AtLeast(logging.ERROR)),
        (console, OverTheConversation(console_level)),
    ):
        handler.setFormatter(Line(FORMAT))
        handler.addFilter(passing)
    for name in LOGGERS:
        logger = logging.getLogger(name)
        for old in list(logger.handlers):
            logger.removeHandler(old)
            old.close()
        for handler in (everything, errors, console):
            logger.addHandler(handler)
        logger.setLevel(level)
