"""Which process may write a session that is held in a room.

A session has an *epoch*, which counts its holders, and a *beat*, which its holder counts up twice
a second. Nobody compares clocks: a watcher that sees the same beat for too long, on its own clock,
takes the session over with the next epoch. From then on every write of the earlier holder is
refused, whether it is dead, hangs, or only was slow.

    epoch 1, beat 0    asked for, nobody holds it yet
    epoch 1, beat 9    held by the first process
    epoch 2, beat 0    taken over: waiting for its second holder
"""

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Self

from eloquence.coaching.checkpoint import Checkpoint
from eloquence.coaching.session import Session, SessionEnd, StoredSession, Turn
from eloquence.delivery.sound import Sound
from eloquence.errors import LeaseLostError, StorageError

if TYPE_CHECKING:
    from eloquence.storage.sessions import SqlSessionStore

log = logging.getLogger("eloquence.leases")

BEAT = 0.5
"""Seconds between two beats."""


@dataclass(frozen=True, slots=True)
class Pulse:
    """What a watcher sees of a live session. Epoch and beat as in the module's text."""

    session_id: str
    room: str
    epoch: int
    beat: int


@dataclass(frozen=True, slots=True)
class Held:
    """What a new holder is given: the session, what was said so far, where it stood, and the
    request it was begun with (a `hello` as JSON)."""

    stored: StoredSession
    checkpoint: Checkpoint | None
    request: str
    learner: str
    room: str


class Lease:
    """The right to write one session, as a `SessionStore` of that session alone.

        async with await store.claim(session_id, epoch) as lease:
            await Conversation(plan, transport, lease).run()

    While it is open it beats. `lost` is set once another process has taken the session over; every
    write raises LeaseLostError then.
    """

    def __init__(self, store: "SqlSessionStore", session_id: str, epoch: int, held: Held) -> None:
        self._store = store
        self._id = session_id
        self.epoch = epoch
        self.held = held
        self.lost = asyncio.Event()
        self._beating: asyncio.Task[None] | None = None
        self._over = self._left = False

    async def __aenter__(self) -> Self:
        self._beating = asyncio.create_task(self._beat(), name="lease")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._beating is not None
        self._beating.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._beating

    async def _beat(self) -> None:
        while True:
            try:
                if not await self._store.beat(self._id, self.epoch):
                    if self._over:
                        return
                    self.lost.set()
                    log.warning("session %s is held by another process now", self._id)
                    return
            except StorageError as error:
                log.warning("session %s: no beat: %s", self._id, error.message)
            await asyncio.sleep(BEAT)

    async def open(self, session: Session) -> None:
        """Keeps the session as it really begins. Raises LeaseLostError."""
        await self._store.begin(session, self.epoch)

    async def append(
        self, session_id: str, turn: Turn, checkpoint: Checkpoint | None = None
    ) -> None:
        await self._store.append(session_id, turn, checkpoint, epoch=self.epoch)

    async def attach(self, session_id: str, index: int, sound: Sound) -> None:
        # The same turn measured twice gives the same figures: no holder can harm another here.
        await self._store.attach(session_id, index, sound)

    def leave(self) -> None:
        """Leaves the session to the next holder: what was said is still stored, and `end` raises
        LeaseLostError from now on."""
        self._left = True

    async def end(self, session_id: str, end: SessionEnd) -> None:
        if self._left:
            raise lost(session_id)
        await self._store.end(session_id, end, epoch=self.epoch)
        self._over = True

    async def get(self, session_id: str) -> StoredSession:
        return await self._store.get(session_id)

    async def list(self, *, limit: int = 100, offset: int = 0) -> Sequence[StoredSession]:
        return await self._store.list(limit=limit, offset=offset)

    async def delete(self, session_id: str) -> None:
        await self._store.delete(session_id)


def lost(session_id: str) -> LeaseLostError:
    return LeaseLostError(f"Session {session_id} is held by another process.")
