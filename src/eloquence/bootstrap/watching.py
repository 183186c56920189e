"""Watches over the sessions that are held in rooms: when a holder dies or hangs, another goes on.

Any number of watchers may run, on any machines: whoever is first to take the next epoch dispatches
it (`eloquence.storage.leases`). A watcher judges by its own clock alone, and only by beats that it
could have seen: while the store does not answer it, nobody is taken for dead.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from eloquence.coaching.session import SessionEnd
from eloquence.errors import LeaseLostError, RoomError, SessionNotFoundError, StorageError
from eloquence.storage.leases import Pulse

log = logging.getLogger("eloquence.watch")

EVERY = 0.25
"""Seconds between two looks at the store."""
STALE = 2.0
"""Seconds without a new beat after which a holder is gone: four beats."""
_SLOWER = 2.5
"""So many times the longest time between its recent beats must have passed as well: on a machine
that is too busy every holder beats late, and to begin others would make it busier still."""
_LATER = 4.0
"""So many times the watcher's own lateness is added, for it may share that machine."""
_BEATS = 8
_LOOKS = 20
STARTING = 10.0
"""Seconds within which a holder that was asked for must have begun to beat; twice as many for the
next one when it has not, up to `_LONGEST`."""
_LONGEST = 40.0
AGAIN = 1.0
"""Seconds after which LiveKit, which could not be reached, is asked again for the same holder."""
GIVEN_UP = 900.0
"""Seconds without any holder after which a session is ended."""
_LOOP = 10
_LOOP_SECONDS = 120.0
"""So many holders lost in so many seconds: what it dies of is in the session itself."""


class Store(Protocol):
    """What a watcher needs of the store."""

    async def pulses(self) -> Sequence[Pulse]: ...
    async def take_over(self, session_id: str, epoch: int) -> int | None: ...
    async def end(self, session_id: str, end: SessionEnd, *, epoch: int | None = None) -> None: ...


class Dispatcher(Protocol):
    """What it needs of the LiveKit server. Raises RoomError."""

    async def dispatch_again(self, room: str, session_id: str, epoch: int) -> None:
        """Asks for a holder of that epoch, and puts the one before it out of the room."""
        ...


@dataclass(slots=True)
class _Seen:
    """The latest change of a session's pulse, on the watcher's clock."""

    epoch: int
    beat: int
    at: float
    held_at: float
    """When it last had a holder."""
    lost: deque[float] = field(default_factory=lambda: deque(maxlen=_LOOP))
    """When its latest holders were lost."""
    beats: deque[float] = field(default_factory=lambda: deque(maxlen=_BEATS))
    """Seconds between the holder's latest beats."""
    asked: int = 0
    """How many holders in a row were asked for and have not come."""
    refused: int = 0
    """An epoch whose holder could not even be asked for."""

    def patience(self, late: float) -> float:
        """Seconds that may pass before the session is taken over by a watcher that is itself so
        many seconds late."""
        if self.beat:
            slow = max(STALE, _SLOWER * max(self.beats, default=0.0)) + _LATER * late
            return min(slow, STARTING)
        if self.epoch == self.refused:
            return AGAIN
        return min(STARTING * 2.0 ** max(0, self.asked - 1), _LONGEST)

    def changed(self, pulse: Pulse, now: float) -> None:
        """Takes in another epoch or beat."""
        if pulse.epoch != self.epoch:
            self.beats.clear()
            self.asked += pulse.epoch != self.refused
        elif self.beat:
            self.beats.append(now - self.at)
        if pulse.beat:
            self.held_at, self.asked = now, 0
        self.epoch, self.beat, self.at = pulse.epoch, pulse.beat, now


class Watch:
    """One watcher. `run` never returns; `recover` is for whoever knows that a holder is gone."""

    def __init__(self, store: Store, rooms: Dispatcher) -> None:
        self._store = store
        self._rooms = rooms
        self._seen: dict[str, _Seen] = {}
        self._taking: set[str] = set()
        """Sessions for which a holder is being asked."""
        self._late: deque[float] = deque(maxlen=_LOOKS)
        """Seconds by which the latest looks came late."""
        self.recovered = 0
        """How many sessions this watcher has taken over."""

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            await self._look_on(tasks)

    async def _look_on(self, tasks: asyncio.TaskGroup) -> None:
        looked, told = time.monotonic(), False
        while True:
            try:
                pulses = await self._store.pulses()
            except StorageError as error:
                if self._seen and not told:
                    log.warning("the store cannot be watched: %s", error.message)
                    told = True
            else:
                now, told = time.monotonic(), False
                late = now - looked - EVERY
                if late <= STALE:
                    self._late.append(max(0.0, late))
                else:
                    # This process stood still, or the store was away: who did not beat meanwhile
                    # may not have been able to, or may not have been seen.
                    for seen in self._seen.values():
                        seen.at = seen.held_at = now
                self._look(pulses, now, tasks)
                looked = now
            await asyncio.sleep(EVERY)

    def _look(self, pulses: Sequence[Pulse], now: float, tasks: asyncio.TaskGroup) -> None:
        live = {pulse.session_id for pulse in pulses}
        for gone in self._seen.keys() - live:
            del self._seen[gone]
        for pulse in pulses:
            # LiveKit may take its time to answer; the other sessions do not wait for it.
            if self._is_due(pulse, now) and pulse.session_id not in self._taking:
                self._taking.add(pulse.session_id)
                tasks.create_task(self._taken(pulse, now))

    def _is_due(self, pulse: Pulse, now: float) -> bool:
        seen = self._seen.get(pulse.session_id)
        if seen is None:
            self._seen[pulse.session_id] = _Seen(pulse.epoch, pulse.beat, now, now)
            return False
        if (seen.epoch, seen.beat) != (pulse.epoch, pulse.beat):
            seen.changed(pulse, now)
            return False
        return now - seen.at >= seen.patience(max(self._late, default=0.0))

    async def _taken(self, pulse: Pulse, now: float) -> None:
        try:
            await self._take(pulse, now)
        finally:
            self._taking.discard(pulse.session_id)

    async def _take(self, pulse: Pulse, now: float) -> None:
        seen = self._seen[pulse.session_id]
        seen.at = now
        if pulse.beat:
            seen.lost.append(now)
        looping = len(seen.lost) == _LOOP and now - seen.lost[0] < _LOOP_SECONDS
        if looping or now - seen.held_at >= GIVEN_UP:
            await self._give_up(pulse, "engine" if looping else "process_died")
        elif not pulse.beat and pulse.epoch == seen.refused:
            await self._ask(pulse.session_id, pulse.epoch, pulse.room)
        else:
            await self.recover(pulse.session_id, pulse.epoch, pulse.room)

    async def recover(self, session_id: str, epoch: int, room: str) -> None:
        """Finds another holder for a session whose holder of that epoch is gone. Harmless when
        somebody else does so at the same time."""
        try:
            following = await self._store.take_over(session_id, epoch)
        except StorageError as error:
            log.error("session %s could not be taken over: %s", session_id, error.message)
            return
        if following is not None:
            self.recovered += 1
            log.warning("session %s lost its holder: epoch %d begins", session_id, following)
            await self._ask(session_id, following, room)

    async def _ask(self, session_id: str, epoch: int, room: str) -> None:
        """Asks LiveKit for a holder of that epoch; notes that it could not be asked."""
        seen = self._seen.get(session_id)
        try:
            await self._rooms.dispatch_again(room, session_id, epoch)
        except RoomError as error:
            if seen is not None and seen.refused != epoch:
                seen.refused = epoch
                log.error("session %s waits for LiveKit: %s", session_id, error.message)
        else:
            if seen is not None:
                seen.refused = 0

    async def _give_up(self, pulse: Pulse, reason: str) -> None:
        try:
            following = await self._store.take_over(pulse.session_id, pulse.epoch)
            if following is not None:
                log.error("session %s is given up: %s", pulse.session_id, reason)
                end = SessionEnd(status="failed", reason=reason, duration=0.0)
                await self._store.end(pulse.session_id, end, epoch=following)
        except (LeaseLostError, SessionNotFoundError):
            return
        except StorageError as error:
            log.error("session %s could not be ended: %s", pulse.session_id, error.message)
