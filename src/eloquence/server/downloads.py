"""Model downloads that the page starts and watches."""

import asyncio
from pathlib import Path
from typing import Any

from eloquence.errors import ModelError
from eloquence.storage import models


class Downloads:
    """The downloads of one process; each model at most once at a time.

    Tasks belong to the group that is given, which the server's lifespan waits for.
    """

    def __init__(self, folder: Path, tasks: asyncio.TaskGroup) -> None:
        self._folder = folder
        self._tasks = tasks
        self._running: dict[str, asyncio.Task[None]] = {}
        self._received: dict[str, tuple[int, int]] = {}
        self._failed: dict[str, str] = {}

    def start(self, name: str) -> None:
        """Begins to fetch a model; harmless when it is here or on its way. Raises ModelError."""
        entry = models.model(name)
        if models.installed(entry, self._folder) or name in self._running:
            return
        self._failed.pop(name, None)
        self._received[name] = (0, entry.size)
        self._running[name] = self._tasks.create_task(self._fetch(entry))

    def stop(self) -> None:
        """Cancels what is under way; it goes on where it stopped the next time."""
        for task in self._running.values():
            task.cancel()

    def listed(self) -> list[dict[str, Any]]:
        """Every model of the catalogue, with its state for the page."""
        return [self._state(entry) for entry in models.catalogue()]

    def _state(self, entry: models.Model) -> dict[str, Any]:
        here = models.installed(entry, self._folder)
        received, total = self._received.get(entry.name, (0, entry.size))
        if here:
            state = "installed"
        elif entry.name in self._running:
            state = "downloading"
        else:
            state = "failed" if entry.name in self._failed else "absent"
        return {
            "name": entry.name,
            "language": entry.language,
            "stage": entry.stage,
            "size": entry.size,
            "title": entry.about,
            "installed": here,
            "state": state,
            "received": received,
            "total": total,
            "message": self._failed.get(entry.name, ""),
        }

    async def _fetch(self, entry: models.Model) -> None:
        def note(received: int, total: int | None) -> None:
            self._received[entry.name] = (received, total or entry.size)

        try:
            await models.fetch(entry, self._folder, note)
        except ModelError as error:
            self._failed[entry.name] = str(error)
        finally:
            del self._running[entry.name]
