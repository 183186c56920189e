"""What learners have said of themselves, kept for those who asked for it.

    await store.memory.switch(learner, on=True)
    await store.memory.note(learner, session_id, [("name", "Ada")])
    await store.memory.facts(learner)

A fact goes with the conversation that it was said in, and with its learner. Whoever switches the
memory off keeps the facts, unused, until they erase them.
"""

import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, Row, delete, insert, select, update

from eloquence.errors import FactNotFoundError
from eloquence.storage.accounts import OffLoop
from eloquence.storage.database import facts, failures, memories, sessions, wipe

MOST = 40
"""Facts of one learner; the oldest make room."""
LONGEST = 120
"""Characters of a fact."""


@dataclass(frozen=True, slots=True)
class KnownFact:
    """Something that a learner said of themselves. `kind` is `name`, `trade`, `prepares`, `date`,
    `project` or another word of a plugin's; `noted_at` is POSIX seconds."""

    id: str
    kind: str
    text: str
    noted_at: float


class Memory:
    """The facts of a store, on its engine and its thread. Every call raises StorageError when the
    store fails. `now` gives POSIX seconds."""

    def __init__(
        self, engine: Engine, off_loop: OffLoop, now: Callable[[], float] = time.time
    ) -> None:
        self._engine = engine
        self._writer = engine.execution_options(writes=True)
        self._off_loop = off_loop
        self._now = now

    async def wanted(self, learner: str) -> bool:
        """Whether the learner has switched the memory on."""
        return await self._off_loop(lambda: self._wanted(learner))

    async def switch(self, learner: str, *, on: bool) -> None:
        """Switches the memory on or off."""
        await self._off_loop(lambda: self._switch(learner, on))

    async def facts(self, learner: str) -> Sequence[KnownFact]:
        """All facts of a learner, oldest first."""
        return await self._off_loop(lambda: self._facts(learner))

    async def note(
        self, learner: str, session_id: str, found: Sequence[tuple[str, str]]
    ) -> Sequence[KnownFact]:
        """Keeps facts, as (kind, text), that were said in a session; returns those that were not
        known. A new name takes the place of an old one. Nothing is kept when the learner does not
        want that any more, or has deleted the session."""
        return await self._off_loop(lambda: self._note(learner, session_id, found))

    async def correct(self, learner: str, fact_id: str, text: str) -> KnownFact:
        """Changes a fact. Raises FactNotFoundError, also for one of somebody else."""
        return await self._off_loop(lambda: self._correct(learner, fact_id, text))

    async def erase(self, learner: str, fact_id: str) -> None:
        """Erases a fact. Raises FactNotFoundError, also for one of somebody else."""
        await self._off_loop(lambda: self._erase(learner, fact_id))

    async def forget(self, learner: str) -> None:
        """Erases all facts of a learner, and switches the memory off."""
        await self._off_loop(lambda: self._forget(learner))

    # What follows blocks, and runs on the store's thread.

    def _wanted(self, learner: str) -> bool:
        with failures(), self._engine.connect() as connection:
            return _wants(connection, learner)

    def _switch(self, learner: str, on: bool) -> None:
        with failures(), self._writer.begin() as connection:
            if on != _wants(connection, learner):
                connection.execute(
                    insert(memories).values(learner=learner)
                    if on
                    else delete(memories).where(memories.c.learner == learner)
                )

    def _facts(self, learner: str) -> Sequence[KnownFact]:
        with failures(), self._engine.connect() as connection:
            return _of(connection, learner)

    def _note(
        self, learner: str, session_id: str, found: Sequence[tuple[str, str]]
    ) -> Sequence[KnownFact]:
        with failures(), self._writer.begin() as connection:
            there = select(sessions.c.id).where(
                sessions.c.id == session_id, sessions.c.learner == learner
            )
            if not _wants(connection, learner) or connection.execute(there).first() is None:
                return ()
            known = {(one.kind, one.text.casefold()) for one in _of(connection, learner)}
            new: list[KnownFact] = []
            for kind, text in found:
                fact = KnownFact(secrets.token_hex(8), kind[:32], _line(text), self._now())
                if not fact.text or (fact.kind, fact.text.casefold()) in known:
                    continue
                known.add((fact.kind, fact.text.casefold()))
                if fact.kind == "name":
                    older = facts.c.learner == learner, facts.c.kind == "name"
                    connection.execute(delete(facts).where(*older))
                    new = [one for one in new if one.kind != "name"]
                new.append(fact)
                connection.execute(
                    insert(facts).values(
                        id=fact.id,
                        learner=learner,
                        session_id=session_id,
                        kind=fact.kind,
                        text=fact.text,
                        noted_at=fact.noted_at,
                    )
                )
            for old in _of(connection, learner)[:-MOST]:
                connection.execute(delete(facts).where(facts.c.id == old.id))
        wipe(self._engine)
        return new

    def _correct(self, learner: str, fact_id: str, text: str) -> KnownFact:
        own = (facts.c.id == fact_id, facts.c.learner == learner)
        with failures(), self._writer.begin() as connection:
            if not connection.execute(update(facts).where(*own).values(text=_line(text))).rowcount:
                raise _not_found(fact_id)
            corrected = _fact(connection.execute(select(facts).where(*own)).one())
        wipe(self._engine)
        return corrected

    def _erase(self, learner: str, fact_id: str) -> None:
        own = delete(facts).where(facts.c.id == fact_id, facts.c.learner == learner)
        with failures(), self._writer.begin() as connection:
            if not connection.execute(own).rowcount:
                raise _not_found(fact_id)
        wipe(self._engine)

    def _forget(self, learner: str) -> None:
        with failures(), self._writer.begin() as connection:
            connection.execute(delete(facts).where(facts.c.learner == learner))
            connection.execute(delete(memories).where(memories.c.learner == learner))
        wipe(self._engine)


def _wants(connection: Connection, learner: str) -> bool:
    wanted = select(memories.c.learner).where(memories.c.learner == learner)
    return connection.execute(wanted).first() is not None


def _of(connection: Connection, learner: str) -> list[KnownFact]:
    own = select(facts).where(facts.c.learner == learner)
    return [_fact(row) for row in connection.execute(own.order_by(facts.c.noted_at, facts.c.id))]


def _fact(row: Row[Any]) -> KnownFact:
    return KnownFact(row.id, row.kind, row.text, row.noted_at)


def _line(text: str) -> str:
    """A fact is one line: it stands in a list that a model reads."""
    return " ".join(text.split())[:LONGEST].strip()


def _not_found(fact_id: str) -> FactNotFoundError:
    return FactNotFoundError(f"There is no fact {fact_id}.", mend="It may be erased already.")
