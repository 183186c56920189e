"""Sessions in a database: an append-only log of turns, on the disk before a call returns.

    async with open_store(settings.database, settings.recordings) as store:
        await store.open(session)
        await store.append(session.id, turn)
        await store.end(session.id, SessionEnd(status="complete", reason="learner", duration=300))

Several processes may share one SQLite file. Each holds a locked file beside it for as long as it
lives; when a store is opened, live sessions whose process no longer holds its lock are ended as
`interrupted`, reason `process_died`. Sessions that are held in rooms are not among them: they are
taken over (`eloquence.storage.leases`).
"""

import asyncio
import time
import zlib
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError
from sqlalchemy import Engine, Row, Select, Update, delete, func, insert, select, text, update

from eloquence.coaching.character import Language
from eloquence.coaching.checkpoint import Checkpoint
from eloquence.coaching.history import History, Past
from eloquence.coaching.judgement import Judgement
from eloquence.coaching.session import Annotations, Session, SessionEnd, StoredSession, Turn
from eloquence.delivery.sound import Sound
from eloquence.errors import SessionNotFoundError, StorageError
from eloquence.storage import recordings as kept_audio
from eloquence.storage.accounts import Accounts
from eloquence.storage.database import (
    check,
    connect,
    failures,
    file,
    location,
    migrate,
    sessions,
    turns,
    wipe,
)
from eloquence.storage.leases import Held, Lease, Pulse, lost
from eloquence.storage.memory import Memory
from eloquence.storage.owners import Owners
from eloquence.storage.plugin_figures import PluginFigures
from eloquence.storage.requests import Requests, as_row, remember_talked

T = TypeVar("T")


@asynccontextmanager
async def open_store(database_url: str, recordings: Path) -> AsyncIterator["SqlSessionStore"]:
    """The store, made or brought up to date as needed. Raises StorageError.

    `recordings` is the folder that holds each session's sound.
    """
    # One thread: writes keep their order, and no call can hold up the event loop.
    thread = ThreadPoolExecutor(1, thread_name_prefix="eloquence-store")
    loop = asyncio.get_running_loop()
    try:
        store = await loop.run_in_executor(thread, _open, database_url, recordings, thread)
        try:
            yield store
        finally:
            await loop.run_in_executor(thread, store.close)
    finally:
        thread.shutdown()


def _open(database_url: str, recordings: Path, thread: ThreadPoolExecutor) -> "SqlSessionStore":
    url = location(database_url)
    engine = connect(url)
    try:
        check(engine)
        migrate(engine)
        path = file(url)
        # Which process of another machine is alive cannot be told from here.
        owners = Owners(path.with_name(f"{path.name}-owners")) if path is not None else None
    except BaseException:
        engine.dispose()
        raise
    store = SqlSessionStore(engine, recordings, owners, thread)
    try:
        store.recover()
    except BaseException:
        store.close()
        raise
    return store


class SqlSessionStore:
    """A `SessionStore` over SQLAlchemy; `open_store` makes one."""

    def __init__(
        self,
        engine: Engine,
        recordings: Path,
        owners: Owners | None,
        thread: ThreadPoolExecutor,
    ) -> None:
        self._engine = engine
        self._writer = engine.execution_options(writes=True)
        self._recordings = recordings
        self._owners = owners
        self._thread = thread
        self.accounts = Accounts(engine, self._off_loop)
        self.requests = Requests(engine, self._off_loop)
        self.memory = Memory(engine, self._off_loop)
        self.plugins = PluginFigures(engine, self._off_loop)

    def of(self, learner: str) -> "LearnerStore":
        """The sessions of that account alone."""
        return LearnerStore(self, learner)

    async def open(self, session: Session, *, learner: str = "") -> None:
        """Keeps a new, live session of that account. Raises StorageError when its id is taken."""
        await self._off_loop(lambda: self._insert_session(session, learner))

    async def append(
        self,
        session_id: str,
        turn: Turn,
        checkpoint: Checkpoint | None = None,
        *,
        epoch: int | None = None,
    ) -> None:
        """Keeps a turn of a live session. The same turn again is harmless; another turn of the
        same index, or any turn after the end, raises StorageError. With an `epoch`, LeaseLostError
        when another process holds the session."""
        await self._off_loop(lambda: self._insert_turn(session_id, turn, checkpoint, epoch))

    async def attach(self, session_id: str, index: int, sound: Sound) -> None:
        """Adds what was measured on a turn that was appended without it, even after the end. The
        same again is harmless, another one a StorageError."""
        await self._off_loop(lambda: self._update_sound(session_id, index, sound))

    async def end(self, session_id: str, end: SessionEnd, *, epoch: int | None = None) -> None:
        """Ends a live session. The same end again is harmless, another one a StorageError. With an
        `epoch`, LeaseLostError when another process holds the session."""
        await self._off_loop(lambda: self._update_end(session_id, end, epoch))

    # sessions that are held in rooms

    async def claim(self, session_id: str, epoch: int) -> Lease:
        """The session, for the one process that is to hold it in that epoch. Raises LeaseLostError
        when that process is another one, or the session is over."""
        held = await self._off_loop(lambda: self._claim(session_id, epoch))
        return Lease(self, session_id, epoch, held)

    async def begin(self, session: Session, epoch: int) -> None:
        """Keeps a session as it really begins: its start, and who serves its stages."""
        await self._off_loop(lambda: self._update_body(session, epoch))

    async def beat(self, session_id: str, epoch: int) -> bool:
        """Tells that the holder lives; False when it is another one, or the session is over."""
        return await self._off_loop(lambda: self._beat(session_id, epoch))

    async def pulses(self) -> Sequence[Pulse]:
        """Every live session that is held in a room."""
        return await self._off_loop(self._select_pulses)

    async def take_over(self, session_id: str, epoch: int) -> int | None:
        """Takes a session from its holder of that epoch; returns the next epoch, which waits for
        its holder, or None when somebody else was faster or the session is over."""
        return await self._off_loop(lambda: self._take_over(session_id, epoch))

    async def learner(self, session_id: str) -> str:
        """The account that a session is of. Raises SessionNotFoundError."""
        return await self._off_loop(lambda: self._select_learner(session_id))

    async def annotate(self, session_id: str, change: Callable[[Annotations], Annotations]) -> None:
        """Changes what the learner added. Two changes at once, also on two servers, both count."""
        await self._off_loop(lambda: self._change_annotations(session_id, change))

    async def judge(self, session_id: str, judgement: Judgement) -> None:
        """Keeps how the content was judged, in place of an earlier judgement."""
        await self._off_loop(lambda: self._update(session_id, judgement=judgement))

    async def begin_judging(self, session_id: str, seconds: float) -> bool:
        """Tells all processes that this one is judging the content, for at most so many seconds;
        False when another one is."""
        return await self._off_loop(lambda: self._begin_judging(session_id, time.time(), seconds))

    async def end_judging(self, session_id: str) -> None:
        """Tells them that it is not any more. Harmless for a session that is gone."""
        await self._off_loop(lambda: self._end_judging(session_id))

    async def judging(self, session_id: str) -> bool:
        """Whether some process is judging the content now."""
        return await self._off_loop(lambda: self._judging(session_id, time.time()))

    async def remember(self, session_id: str, past: Past) -> None:
        """Keeps what later sessions need of this one, in place of what was kept before."""
        await self._off_loop(lambda: self._update(session_id, outcome=past))

    async def history(
        self,
        language: Language,
        *,
        before: float | None = None,
        limit: int = 100,
        learner: str = "",
    ) -> History:
        """What the last `limit` sessions of a learner in a language that began before that time
        left, oldest first; of those only that were remembered."""
        recent = _recent(learner, language, before, limit)
        return await self._off_loop(lambda: self._select_history(recent))

    async def unremembered(
        self,
        language: Language,
        *,
        before: float | None = None,
        limit: int = 100,
        learner: str = "",
    ) -> Sequence[str]:
        """Which of the last `limit` sessions that `history` looks at ended and left nothing yet,
        oldest first."""
        recent = _recent(learner, language, before, limit)
        return await self._off_loop(lambda: self._select_unremembered(recent))

    async def version(self, session_id: str) -> tuple[object, ...]:
        """A value that differs whenever `get` would give something else; much cheaper."""
        return await self._off_loop(lambda: self._select_version(session_id))

    async def get(self, session_id: str) -> StoredSession:
        return await self._off_loop(lambda: self._select_session(session_id))

    async def list(
        self, *, limit: int = 100, offset: int = 0, learner: str = ""
    ) -> Sequence[StoredSession]:
        """Those of a learner, newest first, without their turns and judgements."""
        return await self._off_loop(lambda: self._select_sessions(limit, offset, learner))

    async def delete(self, session_id: str) -> None:
        """The session, its turns and its recordings, for good: nothing of them is left in the
        database's files."""
        await self._off_loop(lambda: self._delete_session(session_id))

    async def erase(self, account_id: str) -> int:
        """Deletes an account with all its sessions and recordings, for good; returns how many
        sessions. Raises AccountNotFoundError."""
        await self.accounts.disable(account_id)  # nobody may begin another one meanwhile
        erased = 0
        while ids := await self._off_loop(lambda: self._ids_of(account_id)):
            for session_id in ids:
                with suppress(SessionNotFoundError):
                    await self.delete(session_id)
                    erased += 1
        await self.requests.forget(account_id)
        await self.memory.forget(account_id)
        await self.accounts.remove(account_id)
        await self._off_loop(self._wipe)
        return erased

    # What follows blocks, and runs on the store's thread.

    def recover(self) -> None:
        """Ends the live sessions of processes that are gone."""
        if self._owners is None:
            return
        live = select(sessions.c.id, sessions.c.owner).where(
            sessions.c.ending.is_(None), sessions.c.room.is_(None)
        )
        with failures(), self._engine.connect() as connection:
            orphans = [row.id for row in connection.execute(live) if self._is_gone(row.owner)]
        if orphans:
            with failures(), self._writer.begin() as connection:
                for session_id in orphans:
                    last = select(func.max(turns.c.end)).where(turns.c.session_id == session_id)
                    end = SessionEnd(
                        status="interrupted",
                        reason="process_died",
                        duration=connection.execute(last).scalar() or 0.0,
                    )
                    connection.execute(
                        update(sessions)
                        .where(sessions.c.id == session_id, sessions.c.ending.is_(None))
                        .values(ending=end.model_dump_json(), owner=None)
                    )
        self._owners.sweep()

    def close(self) -> None:
        self._engine.dispose()
        if self._owners is not None:
            self._owners.release()

    def _is_gone(self, owner: str | None) -> bool:
        assert self._owners is not None
        return owner is None or not self._owners.alive(owner)

    def _insert_session(self, session: Session, learner: str) -> None:
        kept_audio.folder(self._recordings, session.id)  # the id must be able to name a folder
        owner = self._owners.name if self._owners is not None else None
        with failures(), self._writer.begin() as connection:
            taken = select(sessions.c.id).where(sessions.c.id == session.id)
            if connection.execute(taken).first() is not None:
                raise StorageError(f"There already is a session {session.id}.")
            connection.execute(
                insert(sessions).values(**as_row(session, learner=learner, owner=owner))
            )

    def _insert_turn(
        self, session_id: str, turn: Turn, checkpoint: Checkpoint | None, epoch: int | None
    ) -> None:
        with failures(), self._writer.begin() as connection:
            found = connection.execute(_session(session_id).with_for_update()).first()
            if found is None:
                raise _not_found(session_id)
            if epoch is not None and found.epoch != epoch:
                raise lost(session_id)
            present = connection.execute(_turn_of(session_id, turn.index)).first()
            if present is not None:
                kept = _turn(present)
                if turn.sound is None:  # it may have been attached since
                    kept = kept.model_copy(update={"sound": None})
                if kept != turn:
                    raise StorageError(
                        f"Session {session_id} already has another turn {turn.index}."
                    )
                return
            if found.ending is not None:
                raise StorageError(f"Session {session_id} has ended: it takes no more turns.")
            connection.execute(
                insert(turns).values(
                    session_id=session_id,
                    index=turn.index,
                    end=turn.end,
                    body=turn.model_dump_json(exclude={"sound"}),
                    sound=_deflated(turn.sound),
                    checkpoint=None if checkpoint is None else checkpoint.model_dump_json(),
                )
            )

    def _update_sound(self, session_id: str, index: int, sound: Sound) -> None:
        with failures(), self._writer.begin() as connection:
            if connection.execute(_session(session_id)).first() is None:
                raise _not_found(session_id)
            present = connection.execute(_turn_of(session_id, index)).first()
            if present is None:
                raise StorageError(f"Session {session_id} has no turn {index}.")
            if present.sound is None:
                connection.execute(
                    update(turns)
                    .where(turns.c.session_id == session_id, turns.c.index == index)
                    .values(sound=_deflated(sound))
                )
            elif _turn(present).sound != sound:
                raise StorageError(f"Turn {index} of session {session_id} was measured already.")

    def _update_end(self, session_id: str, end: SessionEnd, epoch: int | None) -> None:
        with failures(), self._writer.begin() as connection:
            found = connection.execute(_session(session_id).with_for_update()).first()
            if found is None:
                raise _not_found(session_id)
            if epoch is not None and found.epoch != epoch:
                raise lost(session_id)
            if found.ending is not None:
                if _stored(found).end != end:
                    raise StorageError(f"Session {session_id} has already ended.")
                return
            connection.execute(
                update(sessions)
                .where(sessions.c.id == session_id)
                .values(ending=end.model_dump_json(), owner=None)
            )

    def _claim(self, session_id: str, epoch: int) -> Held:
        with failures(), self._writer.begin() as connection:
            free = _live(session_id, epoch).where(sessions.c.beat == 0)
            if not connection.execute(free.values(beat=1)).rowcount:
                raise lost(session_id)
            found = connection.execute(_session(session_id)).one()
            said = select(turns).where(turns.c.session_id == session_id).order_by(turns.c.index)
            rows = connection.execute(said).all()
        return Held(
            stored=_stored(found, tuple(_turn(row) for row in rows)),
            checkpoint=_checkpoint(rows[-1]) if rows else None,
            request=found.request or "",
            learner=found.learner,
            room=found.room or "",
        )

    def _update_body(self, session: Session, epoch: int) -> None:
        begun = {"body": session.model_dump_json(), "started_at": session.started_at}
        with failures(), self._writer.begin() as connection:
            if not connection.execute(_live(session.id, epoch).values(**begun)).rowcount:
                raise lost(session.id)

    def _beat(self, session_id: str, epoch: int) -> bool:
        with failures(), self._writer.begin() as connection:
            if connection.dialect.name == "postgresql":
                # A beat that is lost in a power cut was of no use to anybody.
                connection.execute(text("SET LOCAL synchronous_commit = off"))
            counted = _live(session_id, epoch).values(beat=sessions.c.beat + 1)
            return bool(connection.execute(counted).rowcount)

    def _select_pulses(self) -> Sequence[Pulse]:
        seen = select(sessions.c.id, sessions.c.room, sessions.c.epoch, sessions.c.beat)
        live = seen.where(sessions.c.ending.is_(None), sessions.c.room.is_not(None))
        with failures(), self._engine.connect() as connection:
            rows = connection.execute(live).all()
        return [Pulse(row.id, row.room, row.epoch, row.beat) for row in rows]

    def _take_over(self, session_id: str, epoch: int) -> int | None:
        with failures(), self._writer.begin() as connection:
            taken = _live(session_id, epoch).values(epoch=epoch + 1, beat=0)
            return epoch + 1 if connection.execute(taken).rowcount else None

    def _select_learner(self, session_id: str) -> str:
        kept_audio.folder(self._recordings, session_id)  # not every database takes every character
        of = select(sessions.c.learner).where(sessions.c.id == session_id)
        with failures(), self._engine.connect() as connection:
            found = connection.execute(of).first()
        if found is None:
            raise _not_found(session_id)
        return str(found.learner)

    def _change_annotations(
        self, session_id: str, change: Callable[[Annotations], Annotations]
    ) -> None:
        with failures(), self._writer.begin() as connection:
            found = connection.execute(_session(session_id).with_for_update()).first()
            if found is None:
                raise _not_found(session_id)
            changed = change(_stored(found).annotations).model_dump_json()
            of_it = update(sessions).where(sessions.c.id == session_id)
            connection.execute(of_it.values(annotations=changed))

    def _begin_judging(self, session_id: str, now: float, seconds: float) -> bool:
        free = sessions.c.judging.is_(None) | (sessions.c.judging < now)
        change = update(sessions).where(sessions.c.id == session_id, free)
        with failures(), self._writer.begin() as connection:
            return bool(connection.execute(change.values(judging=now + seconds)).rowcount)

    def _end_judging(self, session_id: str) -> None:
        change = update(sessions).where(sessions.c.id == session_id).values(judging=None)
        with failures(), self._writer.begin() as connection:
            connection.execute(change)

    def _judging(self, session_id: str, now: float) -> bool:
        busy = select(sessions.c.id).where(sessions.c.id == session_id, sessions.c.judging >= now)
        with failures(), self._engine.connect() as connection:
            return connection.execute(busy).first() is not None

    def _update(self, session_id: str, **added: Judgement | Past) -> None:
        values = {name: value.model_dump_json() for name, value in added.items()}
        change = update(sessions).where(sessions.c.id == session_id).values(**values)
        with failures(), self._writer.begin() as connection:
            if not connection.execute(change).rowcount:
                raise _not_found(session_id)

    def _select_history(self, recent: Select[Any]) -> History:
        with failures(), self._engine.connect() as connection:
            rows = connection.execute(recent).all()
        kept = (_past(row) for row in reversed(rows) if row.outcome is not None)
        return tuple(past for past in kept if past is not None)

    def _select_unremembered(self, recent: Select[Any]) -> Sequence[str]:
        with failures(), self._engine.connect() as connection:
            rows = connection.execute(recent).all()
        return [row.id for row in reversed(rows) if row.outcome is None or _past(row) is None]

    def _select_version(self, session_id: str) -> tuple[object, ...]:
        said = select(func.count(), func.count(turns.c.sound))
        with failures(), self._engine.begin() as connection:
            found = connection.execute(_session(session_id)).first()
            if found is None:
                raise _not_found(session_id)
            counts = connection.execute(said.where(turns.c.session_id == session_id)).one()
        names = kept_audio.kept(self._recordings, session_id)
        return (found.ending, found.annotations, found.judgement, *counts, names)

    def _select_session(self, session_id: str) -> StoredSession:
        said = select(turns).where(turns.c.session_id == session_id).order_by(turns.c.index)
        with failures(), self._engine.begin() as connection:
            found = connection.execute(_session(session_id)).first()
            if found is None:
                raise _not_found(session_id)
            rows = connection.execute(said).all()
        return self._with_audio(_stored(found, tuple(_turn(row) for row in rows)))

    def _ids_of(self, learner: str) -> Sequence[str]:
        with failures(), self._engine.connect() as connection:
            return connection.scalars(
                select(sessions.c.id).where(sessions.c.learner == learner)
            ).all()

    def _select_sessions(self, limit: int, offset: int, learner: str) -> Sequence[StoredSession]:
        # A judgement quotes the session at length: a hundred of them are not read for a list.
        short = [column for column in sessions.c if column.name not in {"judgement", "outcome"}]
        newest = select(*short).where(sessions.c.learner == learner)
        newest = newest.order_by(sessions.c.started_at.desc(), sessions.c.id)
        with failures(), self._engine.connect() as connection:
            rows = connection.execute(newest.limit(limit).offset(offset)).all()
        return [self._with_audio(_stored(row)) for row in rows]

    def _delete_session(self, session_id: str) -> None:
        with failures(), self._engine.connect() as connection:
            if connection.execute(_session(session_id)).first() is None:
                raise _not_found(session_id)
        # The sound first: were it to fail, the session is still there to be deleted again.
        kept_audio.delete(self._recordings, session_id)
        with failures(), self._writer.begin() as connection:
            remember_talked(connection, session_id)
            connection.execute(delete(sessions).where(sessions.c.id == session_id))
        self._wipe()

    def _wipe(self) -> None:
        wipe(self._engine)

    def _with_audio(self, stored: StoredSession) -> StoredSession:
        names = kept_audio.kept(self._recordings, stored.session.id)
        return stored.model_copy(update={"audio": names})

    async def _off_loop(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


class LearnerStore:
    """The sessions of one account as a `SessionStore`: those that it opens are of that account, and
    those of others are not there."""

    def __init__(self, store: SqlSessionStore, learner: str) -> None:
        self._store = store
        self._learner = learner

    async def open(self, session: Session) -> None:
        await self._store.open(session, learner=self._learner)

    async def append(
        self, session_id: str, turn: Turn, checkpoint: Checkpoint | None = None
    ) -> None:
        await self.check(session_id)
        await self._store.append(session_id, turn, checkpoint)

    async def attach(self, session_id: str, index: int, sound: Sound) -> None:
        await self.check(session_id)
        await self._store.attach(session_id, index, sound)

    async def end(self, session_id: str, end: SessionEnd) -> None:
        await self.check(session_id)
        await self._store.end(session_id, end)

    async def get(self, session_id: str) -> StoredSession:
        await self.check(session_id)
        return await self._store.get(session_id)

    async def list(self, *, limit: int = 100, offset: int = 0) -> Sequence[StoredSession]:
        return await self._store.list(limit=limit, offset=offset, learner=self._learner)

    async def delete(self, session_id: str) -> None:
        await self.check(session_id)
        await self._store.delete(session_id)

    async def check(self, session_id: str) -> None:
        """Raises SessionNotFoundError, the same for a session of somebody else and for none."""
        if await self._store.learner(session_id) != self._learner:
            raise _not_found(session_id)


def _session(session_id: str) -> Select[Any]:
    return select(sessions).where(sessions.c.id == session_id)


def _live(session_id: str, epoch: int) -> Update:
    """A change of a session that is not over and is in that epoch."""
    return update(sessions).where(
        sessions.c.id == session_id, sessions.c.epoch == epoch, sessions.c.ending.is_(None)
    )


def _checkpoint(row: Row[Any]) -> Checkpoint | None:
    try:
        return None if row.checkpoint is None else Checkpoint.model_validate_json(row.checkpoint)
    except ValidationError:  # of another version: the turns are there all the same
        return None


def _recent(learner: str, language: Language, before: float | None, limit: int) -> Select[Any]:
    """The ended sessions of a learner in a language, newest first."""
    ended = select(sessions.c.id, sessions.c.outcome).where(
        sessions.c.learner == learner,
        sessions.c.language == language,
        sessions.c.ending.is_not(None),
    )
    if before is not None:
        ended = ended.where(sessions.c.started_at < before)
    return ended.order_by(sessions.c.started_at.desc(), sessions.c.id).limit(limit)


def _turn_of(session_id: str, index: int) -> Select[Any]:
    return select(turns).where(turns.c.session_id == session_id, turns.c.index == index)


def _stored(row: Row[Any], said: tuple[Turn, ...] = ()) -> StoredSession:
    added = row.annotations
    judged = row._mapping.get("judgement")
    try:
        return StoredSession(
            session=Session.model_validate_json(row.body),
            turns=said,
            end=None if row.ending is None else SessionEnd.model_validate_json(row.ending),
            annotations=Annotations() if added is None else Annotations.model_validate_json(added),
            judgement=None if judged is None else Judgement.model_validate_json(judged),
        )
    except ValidationError:
        raise _unreadable(row.id) from None  # the cause would quote what was said


def _past(row: Row[Any]) -> Past | None:
    try:
        return Past.model_validate_json(row.outcome)
    except ValidationError:  # of another version: it can be made again from the log
        return None


def _turn(row: Row[Any]) -> Turn:
    try:
        turn = Turn.model_validate_json(row.body)
        return turn.model_copy(update={"sound": _inflated(row.sound)})
    except (ValidationError, zlib.error):
        raise _unreadable(row.session_id) from None  # the cause would quote what was said


def _deflated(sound: Sound | None) -> bytes | None:
    return None if sound is None else zlib.compress(sound.model_dump_json().encode())


def _inflated(sound: bytes | None) -> Sound | None:
    return None if sound is None else Sound.model_validate_json(zlib.decompress(sound))


def _not_found(session_id: str) -> SessionNotFoundError:
    return SessionNotFoundError(
        f"There is no stored session {session_id}.", mend="See: eloquence sessions list."
    )


def _unreadable(session_id: str) -> StorageError:
    return StorageError(
        f"What is stored of session {session_id} cannot be read.",
        mend="It may come from another version of Eloquence, or the database is damaged.",
    )
