"""What the engine gives a provider when it asks for a stage of one conversation."""

import threading
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar, runtime_checkable

from eloquence.coaching.character import Character, Language
from eloquence.coaching.exercise import Exercise, Scenario
from eloquence.coaching.script import Place

T = TypeVar("T")

HEARD = "…"
"""Stands for a stretch of speech that was heard but not recognised (by ear)."""


@dataclass(slots=True)
class LastTurn:
    """What is known of the learner's latest turn, for a coach that answers without a model."""

    text: str = ""
    """The words, empty by ear or when nothing was said."""
    seconds: float = 0.0
    """Duration of speech in the turn, pauses included."""
    syllable_rate: float | None = None
    """Syllables per second of the turn, from the words or else from the sound; None if unknown."""
    pauses: int = 0
    """Silences of at least 1 s inside the turn."""
    finished: bool = False
    """Whether the learner said by key that this was all (« J’ai fini »)."""


@dataclass(slots=True)
class Resources:
    """What the conversations of one process share: model weights and HTTP clients, never stages.

    `get(key, make)` makes a thing once and hands out the same one afterwards; `make` may be slow
    (loading a model) and is called off the event loop by its caller. What has an async closer is
    registered with it and closed in reverse order by `close()`.
    """

    _made: dict[str, object] = field(default_factory=dict)
    _closers: list[Callable[[], Awaitable[None]]] = field(default_factory=list)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def get(
        self, key: str, make: Callable[[], T], close: Callable[[T], Awaitable[None]] | None = None
    ) -> T:
        with self._lock:
            if key not in self._made:
                made = make()
                self._made[key] = made
                if close is not None:
                    self._closers.append(lambda: close(made))
            return self._made[key]  # type: ignore[return-value]

    async def close(self) -> None:
        while self._closers:
            await self._closers.pop()()
        self._made.clear()


@runtime_checkable
class Conducts(Protocol):
    """A language-model stage that follows the exercise's file by itself, as the offline coach."""

    level: int
    """How demanding the partner is, 1..4; set by the engine."""

    @property
    def finished(self) -> bool:
        """Whether it has said its close: the engine may end the session after it."""
        ...

    place: Place
    """Where it stands; set by the engine when a conversation goes on in another process."""

    def restart(self) -> None:
        """Goes back before the first question."""
        ...

    def take_over(self, said: Sequence[str]) -> None:
        """Makes ready to go on from a model that has said these lines."""
        ...


@dataclass(frozen=True, slots=True)
class StageContext:
    """Everything a provider may need to make its stage for one conversation."""

    language: Language
    exercise: Exercise
    scenario: Scenario
    character: Character
    resources: Resources
    last_turn: LastTurn = field(default_factory=LastTurn)
    """Updated in place by the engine before each reply."""
    seed: int = 0
    """Seeds whatever a stage draws at random, so that a conversation can be repeated."""
    exam: bool = False
    """Whether the learner is neither helped nor encouraged."""
