"""Figures of plugins, for all processes together, and which of them are switched off: numbers and
names, nothing of what was said."""

import time
from collections.abc import Callable, Mapping

from sqlalchemy import Engine, delete, insert, select, update

from eloquence.storage.accounts import OffLoop
from eloquence.storage.database import failures, plugin_figures

OFF = "off_at"
"""The figure, POSIX seconds, of a plugin that was switched off."""


class PluginFigures:
    """The figures of a store, on its engine and its thread. Every call raises StorageError when the
    store fails. `now` gives POSIX seconds."""

    def __init__(
        self, engine: Engine, off_loop: OffLoop, now: Callable[[], float] = time.time
    ) -> None:
        self._engine = engine
        self._writer = engine.execution_options(writes=True)
        self._off_loop = off_loop
        self._now = now

    async def add(self, plugin: str, amounts: Mapping[str, float]) -> None:
        """Adds to a plugin's figures."""
        given = dict(amounts)
        await self._off_loop(lambda: self._add(plugin, given))

    async def switch_off(self, plugin: str) -> None:
        """Keeps that a plugin is switched off, from now on or already."""
        await self._off_loop(lambda: self._switch_off(plugin))

    async def switch_on(self, plugin: str) -> None:
        """Lets it take part again; harmless when it does."""
        await self._off_loop(lambda: self._switch_on(plugin))

    async def off(self) -> frozenset[str]:
        """The plugins that are switched off."""
        return frozenset(name for name, one in (await self.all()).items() if OFF in one)

    async def all(self) -> dict[str, dict[str, float]]:
        """The figures of every plugin that ever took part: `calls`, `failures`, `timeouts`,
        `seconds`, `started`, `off_at`, and as `own.<name>` what it counts itself."""
        return await self._off_loop(self._all)

    # What follows blocks, and runs on the store's thread.

    def _add(self, plugin: str, amounts: Mapping[str, float]) -> None:
        with failures(), self._writer.begin() as connection:
            for figure, by in amounts.items():
                of = (plugin_figures.c.plugin == plugin, plugin_figures.c.figure == figure)
                change = update(plugin_figures).where(*of)
                change = change.values(value=plugin_figures.c.value + by)
                if not connection.execute(change).rowcount:
                    new = insert(plugin_figures)
                    connection.execute(new.values(plugin=plugin, figure=figure, value=by))

    def _switch_off(self, plugin: str) -> None:
        of = (plugin_figures.c.plugin == plugin, plugin_figures.c.figure == OFF)
        with failures(), self._writer.begin() as connection:
            if connection.execute(select(plugin_figures).where(*of)).first() is None:
                new = insert(plugin_figures)
                connection.execute(new.values(plugin=plugin, figure=OFF, value=self._now()))

    def _switch_on(self, plugin: str) -> None:
        of = (plugin_figures.c.plugin == plugin, plugin_figures.c.figure == OFF)
        with failures(), self._writer.begin() as connection:
            connection.execute(delete(plugin_figures).where(*of))

    def _all(self) -> dict[str, dict[str, float]]:
        found: dict[str, dict[str, float]] = {}
        by_name = select(plugin_figures).order_by(plugin_figures.c.plugin, plugin_figures.c.figure)
        with failures(), self._engine.connect() as connection:
            for row in connection.execute(by_name):
                found.setdefault(row.plugin, {})[row.figure] = row.value
        return found
