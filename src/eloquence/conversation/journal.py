"""The turns of a conversation on their way to the store, and the measuring of the learner's."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable

from eloquence.coaching.session import SessionStore, Turn
from eloquence.conversation.plan import Measure
from eloquence.conversation.tape import Tape
from eloquence.errors import StorageError

log = logging.getLogger("eloquence.conversation")

_MARGIN = 0.3
"""Seconds of sound kept on both sides of a turn when it is measured."""


class Journal:
    """Stores turns in the order in which they are put, and measures the learner's from the tape.

    `stored(turn)` is called when a turn is safe, `failed(error)` once when the store fails, and
    `measured(turn)` with each of the learner's turns once its sound was measured, as far as it
    could be.
    """

    def __init__(
        self,
        session_id: str,
        store: SessionStore,
        tape: Tape,
        measure: Measure | None,
        *,
        stored: Callable[[Turn], None],
        failed: Callable[[StorageError], None],
        measured: Callable[[Turn], Awaitable[None]],
    ) -> None:
        self._session_id = session_id
        self._store = store
        self._tape = tape
        self._measure_sound = measure
        self._stored = stored
        self._failed = failed
        self._measured = measured
        self._turns: asyncio.Queue[Turn | None] = asyncio.Queue(maxsize=256)
        self.unmeasured = 0
        """How many of the learner's turns are still to be measured."""

    def put(self, turn: Turn) -> None:
        if turn.speaker == "learner" and self._measure_sound is not None:
            self.unmeasured += 1
        self._turns.put_nowait(turn)

    async def close(self) -> None:
        """No turn follows; `write` returns once all are stored, or cannot be."""
        await self._turns.put(None)

    async def write(self, tasks: asyncio.TaskGroup) -> None:
        """Stores turns until `close`. While the store fails they wait in memory."""
        waiting: deque[Turn] = deque()
        told = False
        while (turn := await self._turns.get()) is not None or waiting:
            if turn is not None:
                waiting.append(turn)
            try:
                while waiting:
                    stored = waiting[0]
                    await self._store.append(self._session_id, stored)
                    waiting.popleft()
                    self._stored(stored)
                    if stored.speaker == "learner" and self._measure_sound is not None:
                        tasks.create_task(self._measure(stored, self._measure_sound))
            except StorageError as error:
                log.error("turns of a session wait to be stored: %s", error.message)
                if not told:
                    self._failed(error)
                told = True
            if turn is None:
                return

    async def _measure(self, turn: Turn, measure: Measure) -> None:
        start = max(0.0, turn.start - _MARGIN)
        samples = self._tape.read(start, turn.end + _MARGIN)
        self._tape.forget(turn.end - _MARGIN)
        sound = None
        try:
            if samples.size:
                sound = await measure(samples, start)
                await self._store.attach(self._session_id, turn.index, sound)
        except StorageError as error:
            log.error("the sound of a turn was not stored: %s", error.message)
        except Exception as error:  # a fault of the measures must not cost the conversation
            log.error("the sound of a turn was not measured: %s", type(error).__name__)
        self.unmeasured -= 1
        await self._measured(turn.model_copy(update={"sound": sound}))
