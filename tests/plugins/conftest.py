"""Plugins that are installed in a folder of their own, and a ledger that is a dictionary."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from eloquence.plugins import Context
from eloquence.plugins.running import Attendance, Limits, Plugins, Wanted


@dataclass
class Figures:
    """A ledger of one process."""

    figures: dict[str, dict[str, float]] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)

    async def add(self, plugin: str, amounts: Mapping[str, float]) -> None:
        own = self.figures.setdefault(plugin, {})
        for name, by in amounts.items():
            own[name] = own.get(name, 0) + by

    async def switch_off(self, plugin: str) -> None:
        self.gone.add(plugin)

    async def off(self) -> frozenset[str]:
        return frozenset(self.gone)


@dataclass
class Stage:
    """The plugins of one conversation at a time. Their limits are those of a machine that may be
    busy; a test of who is late sets its own."""

    ledger: Figures = field(default_factory=Figures)
    limits: Limits = field(default_factory=lambda: Limits(seconds=10.0))
    context: Context = field(default_factory=lambda: Context(language="fr"))

    @asynccontextmanager
    async def holding(
        self, *wanted: Wanted, remembering: bool = False
    ) -> AsyncIterator[Attendance]:
        """The plugins, tried and ready; everything is noted when it is left."""
        plugins = Plugins(self.ledger)
        try:
            async with plugins.attending(
                wanted, self.limits, self.context, remembering=remembering
            ) as attendance:
                await asyncio.wait_for(attendance.ready(), 60)
                yield attendance
        finally:
            await plugins.close()


@pytest.fixture
def stage() -> Stage:
    return Stage()


Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Installs a module under the names of entry points, as a package installer would."""
    folder = tmp_path / "site"

    def put(module: str, source: str, **points: str) -> None:
        about = folder / f"{module}-1.2.dist-info"
        about.mkdir(parents=True)
        (folder / f"{module}.py").write_text(source, encoding="utf-8")
        (about / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.2\n", encoding="utf-8"
        )
        lines = "".join(f"{name} = {module}:{value}\n" for name, value in points.items())
        (about / "entry_points.txt").write_text(f"[eloquence.plugins]\n{lines}", encoding="utf-8")
        monkeypatch.syspath_prepend(str(folder))

    return put


@pytest.fixture
def hostile(install: Install) -> None:
    """The plugin `hostile`, which does what its option `deed` says."""
    source = "from eloquence.testing.hostile_plugin import plugin\n"
    install("hostile", source, hostile="plugin")
