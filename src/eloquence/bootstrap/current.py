"""The settings as they are now, while a program goes on running (X-40).

    current = Current(settings)
    current.settings    # the next conversation takes what is written at that moment

Only what `eloquence.config.LIVE` names changes; ports, folders and accounts are as they were when
the program started. A conversation that is under way keeps the stages that it was made with.
"""

import logging
import threading
from pathlib import Path

from eloquence import sources
from eloquence.config import LIVE, Settings, load
from eloquence.errors import ConfigurationError

log = logging.getLogger("eloquence")

Mark = tuple[int, int, int] | None
"""What tells two states of a file apart: its time (ns), size and inode; None without a file."""


class Current:
    """The last settings that could be read. What was given on the command line stays."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._live = tuple(name for name in LIVE if name not in settings.given)
        self._named = settings.config if "config" in settings.given else None
        self._file = sources.settings_file(settings.config)
        self._problem: ConfigurationError | None = None
        self._reading = threading.Lock()
        self._marks = self._look()
        self._read()  # a process may be made long after its settings were

    @property
    def settings(self) -> Settings:
        """The settings now. The files are looked at, and read only when they have changed."""
        with self._reading:
            marks = self._look()
            if marks != self._marks:
                self._read()
                self._marks = marks  # seen before it was read: what came meanwhile is read next
            return self._settings

    @property
    def problem(self) -> ConfigurationError | None:
        """Why what is written cannot be read: the last good settings are in use then."""
        return self._problem if self.settings else None

    def _read(self) -> None:
        try:
            self._file = sources.settings_file(self._named)
            found = load(config=self._named)
        except ConfigurationError as error:
            if self._problem is None or self._problem.message != error.message:
                log.warning("the settings stay as they were: %s %s", error.message, error.mend)
            self._problem = error
            return
        if self._problem is not None:
            log.info("the settings can be read again")
        self._problem = None
        new = {name: getattr(found, name) for name in self._live}
        changed = [name for name, value in new.items() if value != getattr(self._settings, name)]
        if changed:
            self._settings = self._settings.model_copy(update=new)
            log.info("changed settings, for new conversations: %s", ", ".join(changed))

    def _look(self) -> tuple[Mark, Mark]:
        return _mark(sources.ENV_FILE), _mark(self._file)


def _mark(path: Path) -> Mark:
    try:
        seen = path.stat()
    except (OSError, ValueError):
        return None
    return seen.st_mtime_ns, seen.st_size, seen.st_ino
