"""What learners asked for: sessions in rooms, each made once however often it is asked for.

    asked = await store.requests.add(session, learner=account.id, room=room, request=hello, key=key)
    if asked.new:
        ...  # this call made it: nobody else prepares its room

A request's key is unique per learner, in the database: of any number of processes that are asked at
once, exactly one makes the session.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Connection,
    Engine,
    Select,
    delete,
    exists,
    func,
    insert,
    select,
    text,
    update,
)

from eloquence.coaching.session import Session, SessionEnd, Status
from eloquence.errors import SessionLiveError, SessionNotFoundError
from eloquence.storage.accounts import OffLoop
from eloquence.storage.database import failures, requests, sessions, turns

SAME = 600.0
"""Seconds within which the same key means the same request."""
DAY = 86_400.0
"""Seconds for which it is known who asked, and how long they talked."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The session that a request made, now or (`new` is False) when it came for the first time."""

    session_id: str
    room: str
    new: bool


@dataclass(frozen=True, slots=True)
class Place:
    """Where a session is held. `learner` is the account that it is of."""

    session_id: str
    learner: str
    room: str
    live: bool


@dataclass(frozen=True, slots=True)
class Live:
    """A live session as an operator sees it: nothing of what is said. `epoch` as in
    `eloquence.storage.leases`, 0 without a room; `held` is whether a process holds it."""

    session: Session
    in_room: bool
    epoch: int
    held: bool


@dataclass(frozen=True, slots=True)
class Connections:
    """How many sessions their learner joined, and how many never came to a word."""

    succeeded: int
    failed: int


class Requests:
    """The requests of a store, on its engine and its thread. Every call raises StorageError when
    the store fails. `now` gives POSIX seconds."""

    def __init__(
        self, engine: Engine, off_loop: OffLoop, now: Callable[[], float] = time.time
    ) -> None:
        self._engine = engine
        self._writer = engine.execution_options(writes=True)
        self._off_loop = off_loop
        self._now = now

    async def known(self, learner: str, key: str) -> Asked | None:
        """The session that the same request of that learner made within `SAME` seconds, while it
        is live."""
        return await self._off_loop(lambda: self._known(learner, key))

    async def add(
        self,
        session: Session,
        *,
        learner: str,
        room: str,
        request: str,
        key: str = "",
        most: int | None = None,
    ) -> Asked:
        """Keeps a session that a process is to hold in a room, in its first epoch; or the one that
        the same request made before. Raises SessionLiveError when `most` sessions of that learner
        are live already."""
        return await self._off_loop(
            lambda: self._add(session, learner, room, request, key or session.id, most)
        )

    async def place(self, session_id: str) -> Place:
        """Where a session is held. Raises SessionNotFoundError, also for one that no room has."""
        return await self._off_loop(lambda: self._place(sessions.c.id == session_id))

    async def in_room(self, room: str) -> Place:
        """Which session that room is of. Raises SessionNotFoundError."""
        return await self._off_loop(lambda: self._place(sessions.c.room == room))

    async def finish(self, session_id: str, status: Status, reason: str) -> bool:
        """Ends a live session whoever holds it: the holder has lost it by then. False when it is
        over already."""
        return await self._off_loop(lambda: self._finish(session_id, status, reason))

    async def finish_all(self, learner: str, status: Status, reason: str) -> Sequence[Place]:
        """Ends every session that a learner has live in a room; returns where those were held."""
        return await self._off_loop(lambda: self._finish_all(learner, status, reason))

    async def talked(self, learner: str) -> tuple[float, float]:
        """How many seconds a learner has talked in the sessions of the last day, and in how many
        seconds the first of them will be a day old."""
        return await self._off_loop(lambda: self._talked(learner))

    async def live(self) -> Sequence[Live]:
        """Every live session of every process, oldest first."""
        return await self._off_loop(self._live)

    async def connections(self, since: float) -> Connections:
        """Of the sessions that began since that time."""
        return await self._off_loop(lambda: self._connections(since))

    async def forget(self, learner: str) -> None:
        """Forgets that a learner ever asked."""
        await self._off_loop(lambda: self._forget(learner))

    # What follows blocks, and runs on the store's thread.

    def _known(self, learner: str, key: str) -> Asked | None:
        with failures(), self._engine.connect() as connection:
            return self._same(connection, learner, key)

    def _same(self, connection: Connection, learner: str, key: str) -> Asked | None:
        since = self._now() - SAME
        same = (
            select(sessions.c.id, sessions.c.room)
            .join(requests, requests.c.session_id == sessions.c.id)
            .where(
                requests.c.learner == learner,
                requests.c.key == key,
                requests.c.asked_at > since,
                sessions.c.ending.is_(None),
            )
        )
        found = connection.execute(same).first()
        return None if found is None else Asked(found.id, found.room, new=False)

    def _add(
        self,
        session: Session,
        learner: str,
        room: str,
        request: str,
        key: str,
        most: int | None,
    ) -> Asked:
        now = self._now()
        of = (requests.c.learner == learner, requests.c.key == key)
        with failures(), self._writer.begin() as connection:
            if connection.dialect.name == "postgresql":
                # Requests of one learner, one after another: each sees what the last one did.
                lock = text("SELECT pg_advisory_xact_lock(hashtextextended(:learner, 5))")
                connection.execute(lock, {"learner": learner})
            same = self._same(connection, learner, key)
            if same is not None:
                return same
            if most is not None:
                live = _live_of(connection, learner)
                if len(live) >= most:
                    raise SessionLiveError(live[0])
            connection.execute(delete(requests).where(requests.c.asked_at < now - DAY))
            # The earlier request of that key keeps its row, which says how long was talked.
            connection.execute(update(requests).where(*of).values(key=requests.c.session_id))
            connection.execute(
                insert(requests).values(
                    learner=learner, key=key, session_id=session.id, asked_at=now
                )
            )
            connection.execute(
                insert(sessions).values(
                    **as_row(session, learner=learner, room=room, request=request)
                )
            )
        return Asked(session.id, room, new=True)

    def _place(self, which: Any) -> Place:
        columns = (sessions.c.id, sessions.c.learner, sessions.c.room, sessions.c.ending)
        with failures(), self._engine.connect() as connection:
            found = connection.execute(select(*columns).where(which)).first()
        if found is None or found.room is None:
            raise SessionNotFoundError("There is no such session in a room.")
        return Place(found.id, found.learner, found.room, live=found.ending is None)

    def _finish(self, session_id: str, status: Status, reason: str) -> bool:
        last = select(func.max(turns.c.end)).where(turns.c.session_id == session_id)
        of_it = update(sessions).where(sessions.c.id == session_id, sessions.c.ending.is_(None))
        with failures(), self._writer.begin() as connection:
            # The epoch first: from here on no holder adds a turn.
            taken = connection.execute(of_it.values(epoch=sessions.c.epoch + 1, owner=None))
            if not taken.rowcount:
                return False
            duration = connection.execute(last).scalar() or 0.0
            end = SessionEnd(status=status, reason=reason, duration=duration)
            connection.execute(of_it.values(ending=end.model_dump_json()))
        return True

    def _finish_all(self, learner: str, status: Status, reason: str) -> Sequence[Place]:
        with failures(), self._engine.connect() as connection:
            live = _live_of(connection, learner)
        ended = [one for one in live if self._finish(one, status, reason)]
        return [self._place(sessions.c.id == one) for one in ended]

    def _talked(self, learner: str) -> tuple[float, float]:
        now = self._now()
        day = (
            select(requests.c.asked_at, requests.c.talked, func.max(turns.c.end).label("end"))
            .outerjoin(turns, turns.c.session_id == requests.c.session_id)
            .where(requests.c.learner == learner, requests.c.asked_at > now - DAY)
            .group_by(requests.c.session_id, requests.c.asked_at, requests.c.talked)
        )
        with failures(), self._engine.connect() as connection:
            rows = connection.execute(day).all()
        seconds = sum(row.end or row.talked or 0.0 for row in rows)
        return seconds, min((row.asked_at for row in rows), default=now) + DAY - now

    def _live(self) -> Sequence[Live]:
        columns = (sessions.c.body, sessions.c.room, sessions.c.epoch, sessions.c.beat)
        live = select(*columns).where(sessions.c.ending.is_(None)).order_by(sessions.c.started_at)
        with failures(), self._engine.connect() as connection:
            rows = connection.execute(live).all()
        return [_seen(row) for row in rows]

    def _connections(self, since: float) -> Connections:
        spoke = exists().where(turns.c.session_id == sessions.c.id)
        begun = select(sessions.c.ending, spoke.label("spoke")).where(
            sessions.c.started_at >= since
        )
        with failures(), self._engine.connect() as connection:
            rows = connection.execute(begun).all()
        silent = [row.ending for row in rows if not row.spoke and row.ending is not None]
        ends = [SessionEnd.model_validate_json(ending) for ending in silent]
        return Connections(
            succeeded=sum(1 for row in rows if row.spoke),
            failed=sum(1 for end in ends if end.status == "failed" or end.reason == "abandoned"),
        )

    def _forget(self, learner: str) -> None:
        with failures(), self._writer.begin() as connection:
            connection.execute(delete(requests).where(requests.c.learner == learner))


def as_row(
    session: Session,
    *,
    learner: str = "",
    room: str | None = None,
    request: str = "",
    owner: str | None = None,
) -> dict[str, object]:
    """A new, live session as the database keeps it; one in a room is in its first epoch."""
    return {
        "id": session.id,
        "started_at": session.started_at,
        "owner": owner if room is None else None,
        "language": session.language,
        "body": session.model_dump_json(),
        "learner": learner,
        "room": room,
        "epoch": 0 if room is None else 1,
        "request": request or None,
    }


def remember_talked(connection: Connection, session_id: str) -> None:
    """Keeps how long a session was, which is to be deleted: what was talked stays talked."""
    last = select(func.max(turns.c.end)).where(turns.c.session_id == session_id)
    connection.execute(
        update(requests)
        .where(requests.c.session_id == session_id)
        .values(talked=last.scalar_subquery())
    )


def _live_of(connection: Connection, learner: str) -> Sequence[str]:
    live: Select[Any] = select(sessions.c.id).where(
        sessions.c.learner == learner,
        sessions.c.room.is_not(None),
        sessions.c.ending.is_(None),
    )
    return connection.scalars(live.order_by(sessions.c.started_at.desc())).all()


def _seen(found: Any) -> Live:
    session = Session.model_validate_json(found.body)
    return Live(session, found.room is not None, found.epoch, held=bool(found.beat))
