"""Plugins: what one is, and all that its author needs.

    def create(options: Options) -> Echo: ...

    plugin = Plugin(name="echo", create=create, changes=frozenset({"coach_turn"}))

A plugin is data, found by an entry point of the group `eloquence.plugins`; listing the names
imports nothing. It runs in a process of its own, one for each conversation, never in ours: what it
keeps in memory is of one learner, and ends with the conversation. `docs/plugins.md` tells more.

What `create` returns has a method for each hook that it takes, plain or `async`:

    learner_turn(text, context) -> str | None       what the learner said
    coach_turn(text, context) -> str | None         what the coach is about to say, or has said
    session_end(turns, context) -> facts | None     everything, once the conversation is over

A hook without a method is not called. One among `changes` is waited for, and its answer replaces
the text; None leaves it. Any other is called beside the conversation, and holds up nothing.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

Hook = Literal["learner_turn", "coach_turn", "session_end"]
HOOKS: tuple[Hook, ...] = ("learner_turn", "coach_turn", "session_end")
Speaker = Literal["learner", "coach"]


class Options(BaseModel):
    """What may be set on a plugin; one without options needs no model of its own."""

    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True, slots=True)
class Context:
    """Where a hook is called: never who the learner is. `trial` tells that nobody said this: the
    plugin is being tried before the conversation needs it."""

    language: str = "fr"
    exercise: str = ""
    character: str = ""
    trial: bool = False
    counts: dict[str, int] = field(default_factory=dict)
    """What was counted in this call, by name: shown to operators, per plugin, as figures."""

    def count(self, name: str, by: int = 1) -> None:
        """Adds to a figure of the plugin's own. Names are lower-case words; at most 16."""
        self.counts[name] = self.counts.get(name, 0) + by


@dataclass(frozen=True, slots=True)
class Said:
    """One turn of a conversation that is over."""

    speaker: Speaker
    text: str


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that a learner said of themselves, for `session_end` of a plugin that
    `remembers`."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Plugin:
    """A plugin, as data.

    `create(options)` makes what has the hooks' methods, once per process. `takes` names the hooks
    that are called, `changes` those whose answer replaces the text (they count as taken).
    `required` is for a filter without which nothing may be said: when it fails, a neutral line is
    said instead. `languages` is empty when it takes any. `keeps` says in one sentence what is kept
    because of it, empty for nothing. `remembers`: it finds facts, and so runs only for learners
    who asked for that.
    """

    name: str
    create: Callable[[Any], object]
    takes: frozenset[Hook] = frozenset()
    changes: frozenset[Hook] = frozenset()
    options: type[BaseModel] = Options
    required: bool = False
    languages: frozenset[str] = frozenset()
    keeps: str = ""
    remembers: bool = False


class AgentPlugin(ABC):
    """The older interface (PLG-01). A class of that shape may stand behind an entry point as it
    is: its `process_message` is given what the learner said, and what it returns is what the
    coach reads."""

    @abstractmethod
    async def process_message(self, message: str, context: dict[str, Any]) -> str: ...

    @abstractmethod
    def get_name(self) -> str: ...

    @abstractmethod
    def is_enabled(self) -> bool: ...


class _Adapter:
    """An `AgentPlugin` with the hooks of today."""

    def __init__(self, older: Any) -> None:
        self._older = older

    async def learner_turn(self, text: str, context: Context) -> str:
        facts = {
            "language": context.language,
            "exercise": context.exercise,
            "character": context.character,
        }
        return str(await self._older.process_message(text, facts))


def adapted(older: Any) -> Plugin:
    """A plugin that has the older interface, given as a class or as an object. One that is not
    enabled takes no hook. Raises TypeError for anything else."""
    made = older() if isinstance(older, type) else older
    if not all(callable(getattr(made, name, None)) for name in _OLDER):
        raise TypeError("neither a Plugin nor an object with the methods of AgentPlugin")
    changes: frozenset[Hook] = frozenset({"learner_turn"}) if made.is_enabled() else frozenset()
    return Plugin(name=str(made.get_name()), create=lambda _: _Adapter(made), changes=changes)


_OLDER = ("process_message", "get_name", "is_enabled")

__all__ = [
    "HOOKS",
    "AgentPlugin",
    "Context",
    "Fact",
    "Hook",
    "Options",
    "Plugin",
    "Said",
    "Speaker",
    "adapted",
]
