"""The turns of a conversation on their way to the store, and the measuring of the learner's."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable

from eloquence.coaching.checkpoint import Checkpoint
from eloquence.coaching.session import SessionStore, Turn
from eloquence.conversation.plan import Measure
from eloquence.conversation.tape import Tape
from eloquence.errors import LeaseLostError, StorageError

log = logging.getLogger("eloquence.conversation")

_MARGIN = 0.3
"""Seconds of sound kept on both sides of a turn when it is measured."""


_AGAIN = 1.0
"""Seconds after which turns that could not be stored are tried again."""
_LAST_TRIES = 5
"""How often they are tried once no turn follows: a store that is started anew takes seconds."""


class Journal:
    """Stores turns in the order in which they are put, and measures the learner's from the tape.

    `stored(turn)` is called when a turn is safe, `failed(error)` once each time the store begins to
    fail, `lost()` when another process has taken the session over, and `measured(turn)` with each
    of the learner's turns once its sound was measured, as far as it could be.
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
        lost: Callable[[], None],
        measured: Callable[[Turn], Awaitable[None]],
    ) -> None:
        self._session_id = session_id
        self._store = store
        self._tape = tape
        self._measure_sound = measure
        self._stored = stored
        self._failed = failed
        self._lost = lost
        self._measured = measured
        self._turns: asyncio.Queue[tuple[Turn, Checkpoint] | None] = asyncio.Queue(maxsize=256)
        self.unmeasured = 0
        """How many of the learner's turns are still to be measured."""

    def put(self, turn: Turn, checkpoint: Checkpoint) -> None:
        """Takes a turn, and where the conversation stands after it."""
        if turn.speaker == "learner" and self._measure_sound is not None:
            self.unmeasured += 1
        self._turns.put_nowait((turn, checkpoint))

    async def close(self) -> None:
        """No turn follows; `write` returns once all are stored, or cannot be."""
        await self._turns.put(None)

    async def write(self, tasks: asyncio.TaskGroup) -> None:
        """Stores turns until `close`. While the store fails they wait in memory and are tried
        again every second."""
        waiting: deque[tuple[Turn, Checkpoint]] = deque()
        told = closing = False
        tries = 0
        while not closing or waiting:
            try:
                async with asyncio.timeout(_AGAIN if waiting else None):
                    put = await self._turns.get()
                if put is None:
                    closing = True
                else:
                    waiting.append(put)
            except TimeoutError:
                pass
            try:
                while waiting:
                    turn, checkpoint = waiting[0]
                    await self._store.append(self._session_id, turn, checkpoint)
                    waiting.popleft()
                    told = False
                    self._stored(turn)
                    if turn.speaker == "learner" and self._measure_sound is not None:
                        tasks.create_task(self._measure(turn, self._measure_sound))
            except LeaseLostError:
                self._lost()
                return
            except StorageError as error:
                log.error("turns of a session wait to be stored: %s", error.message)
                if not told:
                    self._failed(error)
                told = True
                tries += closing
                if tries > _LAST_TRIES:
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
