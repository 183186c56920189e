"""The plugins of a conversation: which the settings want, and what becomes of what they find."""

import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from eloquence.coaching.session import Session
from eloquence.config import PluginsSettings
from eloquence.errors import SessionNotFoundError, StorageError

if TYPE_CHECKING:
    from eloquence.plugins.running import Attendance, Plugins, Wanted
    from eloquence.storage.sessions import SqlSessionStore

log = logging.getLogger("eloquence.plugins")

MEMORY = "conversation_memory"
"""The plugin by which learners' facts are found, and without which none are used."""


def wanted(settings: PluginsSettings) -> "tuple[Wanted, ...]":
    """The plugins that the settings enable, in their order."""
    from eloquence.plugins.running import Wanted

    return tuple(
        Wanted(name, settings.options.get(name, {}), required=name in settings.required)
        for name in settings.enabled
    )


@asynccontextmanager
async def attending(
    plugins: "Plugins",
    settings: PluginsSettings,
    store: "SqlSessionStore",
    session: Session,
    learner: str,
) -> "AsyncIterator[tuple[Attendance, tuple[str, ...]]]":
    """The plugins of a session, and what its learner wants to be remembered of earlier ones. When
    the session is over, they are told all of it; nobody waits for that."""
    from eloquence.plugins import Context
    from eloquence.plugins.running import Limits

    known: tuple[str, ...] = ()
    remembering = False
    if MEMORY in settings.enabled:
        try:
            remembering = await store.memory.wanted(learner)
            if remembering:
                known = tuple(one.text for one in await store.memory.facts(learner))
        except StorageError as error:
            log.warning("what is remembered cannot be read: %s", error.message)
    limits = Limits(seconds=settings.seconds, memory=settings.memory_mb << 20)
    context = Context(session.language, session.exercise, session.character)
    async with plugins.attending(
        wanted(settings), limits, context, remembering=remembering
    ) as attendance:
        yield attendance, known
        if attendance.names:
            await _finish(attendance, store, session, learner)


async def _finish(
    attendance: "Attendance", store: "SqlSessionStore", session: Session, learner: str
) -> None:
    """Hands over what was said, unless the session goes on elsewhere or is deleted."""
    try:
        stored = await store.get(session.id)
    except (StorageError, SessionNotFoundError):
        return
    if stored.end is not None:
        turns = [
            ("learner" if turn.speaker == "learner" else "coach", turn.text)
            for turn in stored.turns
            if turn.text
        ]
        attendance.finish(turns, lambda _, facts: store.memory.note(learner, session.id, facts))


@dataclass(frozen=True, slots=True)
class Figures:
    """What an operator is told of a plugin, for all processes together: numbers alone. `seconds`
    were spent in its calls; `slow` counts the conversations that it held up, `counted` is what it
    counts itself."""

    name: str
    enabled: bool = False
    off: bool = False
    calls: int = 0
    failures: int = 0
    timeouts: int = 0
    slow: int = 0
    seconds: float = 0.0
    counted: Mapping[str, int] = field(default_factory=dict)

    def as_json(self) -> dict[str, object]:
        return asdict(self)


async def figures(settings: PluginsSettings, store: "SqlSessionStore") -> list[Figures]:
    """Of every plugin that is enabled or ever took part (PLG-09). Raises StorageError."""
    known = await store.plugins.all()
    return [
        _figures(name, name in settings.enabled, known.get(name, {}))
        for name in sorted({*settings.enabled, *known})
    ]


def _figures(name: str, enabled: bool, known: Mapping[str, float]) -> Figures:
    own = "own."
    return Figures(
        name=name,
        enabled=enabled,
        off="off_at" in known,
        calls=int(known.get("calls", 0)),
        failures=int(known.get("failures", 0)),
        timeouts=int(known.get("timeouts", 0)),
        slow=int(known.get("slow", 0)),
        seconds=round(known.get("seconds", 0.0), 3),
        counted={
            figure.removeprefix(own): int(value)
            for figure, value in known.items()
            if figure.startswith(own)
        },
    )
