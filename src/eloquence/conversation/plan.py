"""Everything that is decided before a conversation starts."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from livekit.agents import llm, stt, tts
from numpy.typing import NDArray

from eloquence import protocol
from eloquence.coaching.character import Character
from eloquence.coaching.checkpoint import Checkpoint
from eloquence.coaching.exercise import Exercise, Scenario
from eloquence.coaching.lines import Lines
from eloquence.coaching.session import Session, Turn
from eloquence.conversation.fallback.chain import Chain
from eloquence.conversation.hooks import Hooks, NoHooks
from eloquence.conversation.stages import LastTurn
from eloquence.delivery.sound import Sound
from eloquence.registry import Stage

Measure = Callable[[NDArray[np.float32], float], Awaitable[Sound]]
"""Measures samples (16 kHz) that begin at a position in seconds, off the event loop."""
Grade = Callable[[Turn], Awaitable[float | None]]
"""How well a measured turn held the learner's goal, 0..1; None when it cannot be told."""


class Recording(Protocol):
    """Keeps the sound of a conversation, with consent. Positions are seconds since it began."""

    def learner(self, position: float, pcm: bytes) -> None:
        """PCM16 mono at 16 kHz."""
        ...

    def character(self, position: float, pcm: bytes) -> None:
        """PCM16 mono at 24 kHz: what was heard from that position on, told afterwards."""
        ...


@dataclass(slots=True)
class Stages:
    """The three engine objects of one conversation, made for it alone."""

    stt: stt.STT[Any]
    llm: llm.LLM[Any]
    tts: tts.TTS[Any]
    _closed: bool = field(default=False, init=False)

    async def aclose(self) -> None:
        """Closes each of them, also when another one fails at it; nothing is closed twice."""
        if self._closed:
            return
        self._closed = True
        async with AsyncExitStack() as stack:
            for stage in (self.tts, self.llm, self.stt):
                stack.push_async_callback(stage.aclose)


@dataclass(frozen=True, slots=True)
class Resumed:
    """A conversation that was begun elsewhere: its turns so far, and where it stood after the
    last of them (None when it had not said anything yet)."""

    turns: tuple[Turn, ...]
    checkpoint: Checkpoint | None


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that is decided before a conversation starts."""

    session: Session
    exercise: Exercise
    scenario: Scenario
    character: Character
    lines: Lines
    stages: Stages
    statuses: Mapping[Stage, protocol.StageStatus]
    last_turn: LastTurn
    by_ear: bool
    duration: float
    """Planned length in seconds."""
    idle: float
    """Seconds without a word from the learner after which the conversation is ended."""
    patience: float | None = None
    push_to_talk: bool = False
    measure: Measure | None = None
    grade: Grade | None = None
    recording: Recording | None = None
    chains: Sequence[Chain[Any]] = ()
    """Those of the stages that are served by several providers."""
    warm_up: bool = False
    hints: bool = True
    """Whether a blocked learner is offered a hint."""
    task: str = ""
    """What a drill or a second try asks, to be shown all along."""
    forbidden: str = ""
    """The word that a drill forbids."""
    seed: int = 0
    instructions: str = ""
    """What the operator tells every language model besides its character."""
    hooks: Hooks = field(default_factory=NoHooks)
    """The plugins that take part."""
    known: Sequence[str] = ()
    """What the learner has said of themselves in earlier conversations, for those who want that
    to be remembered."""
    resumed: Resumed | None = None
    """What was said before, when the conversation goes on from another process."""
    away: float = 300.0
    """Seconds for which a learner who has vanished is waited for."""
    stopping: Callable[[], bool] = lambda: False
    """Whether the whole process is being stopped."""
