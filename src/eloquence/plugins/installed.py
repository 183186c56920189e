"""Which plugins are installed, without importing any."""

import sys
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points

from eloquence.errors import PluginError

GROUP = "eloquence.plugins"


@dataclass(frozen=True, slots=True)
class Installed:
    """A plugin as its package announces it. `value` is where it is, as `module:attribute`."""

    name: str
    value: str
    package: str
    version: str


def installed() -> tuple[Installed, ...]:
    """All of them, by name."""
    return _on(tuple(sys.path))


def find(name: str) -> Installed:
    """The plugin of that name. Raises PluginError."""
    for one in installed():
        if one.name == name:
            return one
    known = ", ".join(one.name for one in installed())
    raise PluginError(f"There is no plugin named {name!r}.", mend=f"Installed: {known or 'none'}.")


@cache
def _on(path: tuple[str, ...]) -> tuple[Installed, ...]:
    """What is installed on that path: to look reads a file of every package."""
    found: dict[str, Installed] = {}
    for point in entry_points(group=GROUP):
        package, version = ("", "") if point.dist is None else (point.dist.name, point.dist.version)
        found.setdefault(point.name, Installed(point.name, point.value, package, version))
    return tuple(found[name] for name in sorted(found))
