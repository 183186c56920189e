"""Who may write a session in a room: one process at a time, on SQLite and on PostgreSQL (B19)."""

import asyncio
import os
import random
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from eloquence.coaching.checkpoint import Checkpoint, GuidanceState
from eloquence.coaching.session import Session, SessionEnd, Turn
from eloquence.errors import LeaseLostError, SessionNotFoundError, StorageError
from eloquence.storage.leases import BEAT
from eloquence.storage.sessions import SqlSessionStore, open_store
from eloquence.testing.parts import Postgres

END = SessionEnd(status="complete", reason="learner", duration=12.0)


def session(session_id: str = "s1") -> Session:
    return Session(
        id=session_id,
        exercise="conversation_libre_marie",
        scenario="libre",
        character="marie_coach",
        language="fr",
        started_at=1_700_000_000.0,
    )


def turn(index: int, text: str = "bonjour") -> Turn:
    speaker = "learner" if index % 2 else "character"
    return Turn(index=index, speaker=speaker, start=index * 2.0, end=index * 2.0 + 1.5, text=text)


def checkpoint(elapsed: float) -> Checkpoint:
    return Checkpoint(elapsed=elapsed, guidance=GuidanceState(phase="exercise", question="Et ?"))


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'eloquence.db'}"
    server: Postgres = request.getfixturevalue("database_server")
    return asyncio.run(server.database())


@pytest.fixture
async def store(address: str, tmp_path: Path) -> AsyncIterator[SqlSessionStore]:
    async with open_store(address, tmp_path / "recordings") as opened:
        yield opened


async def asked(store: SqlSessionStore, session_id: str = "s1") -> None:
    one = session(session_id)
    await store.requests.add(one, learner="ada", room="room", request='{"a": 1}')


async def test_a_session_is_claimed_once_and_only_in_its_epoch(store: SqlSessionStore) -> None:
    await asked(store)
    with pytest.raises(LeaseLostError):
        await store.claim("s1", 2)
    lease = await store.claim("s1", 1)
    assert (lease.held.learner, lease.held.room, lease.held.request) == ("ada", "room", '{"a": 1}')
    with pytest.raises(LeaseLostError):
        await store.claim("s1", 1)
    assert await store.learner("s1") == "ada"
    with pytest.raises(SessionNotFoundError):
        await store.learner("s2")


async def test_of_fifty_processes_that_claim_at_once_one_holds_the_session(
    store: SqlSessionStore,
) -> None:
    await asked(store)
    claims = await asyncio.gather(
        *(store.claim("s1", 1) for _ in range(50)), return_exceptions=True
    )
    assert sum(not isinstance(claim, LeaseLostError) for claim in claims) == 1


async def test_the_next_holder_is_given_the_turns_and_where_the_last_one_left_off(
    store: SqlSessionStore,
) -> None:
    await asked(store)
    first = await store.claim("s1", 1)
    for index in range(3):
        await first.append("s1", turn(index), checkpoint(10.0 * index))
    assert await store.take_over("s1", 1) == 2
    second = await store.claim("s1", 2)
    assert [one.index for one in second.held.stored.turns] == [0, 1, 2]
    assert second.held.checkpoint == checkpoint(20.0)


async def test_every_write_of_a_holder_that_was_followed_is_refused(
    store: SqlSessionStore,
) -> None:
    await asked(store)
    first = await store.claim("s1", 1)
    await first.append("s1", turn(0), checkpoint(1.0))
    await store.take_over("s1", 1)
    with pytest.raises(LeaseLostError):
        await first.append("s1", turn(1), checkpoint(2.0))
    with pytest.raises(LeaseLostError):
        await first.open(session())
    with pytest.raises(LeaseLostError):
        await first.end("s1", END)
    assert not await store.beat("s1", 1)
    stored = await store.get("s1")
    assert (len(stored.turns), stored.end) == (1, None)
    second = await store.claim("s1", 2)
    await second.append("s1", turn(1, "moi"), checkpoint(2.0))
    await second.end("s1", END)
    assert [one.text for one in (await store.get("s1")).turns] == ["bonjour", "moi"]


async def test_a_holder_that_leaves_a_session_stores_what_was_said_and_does_not_end_it(
    store: SqlSessionStore,
) -> None:
    await asked(store)
    first = await store.claim("s1", 1)
    first.leave()
    await first.append("s1", turn(0), checkpoint(1.0))
    with pytest.raises(LeaseLostError):
        await first.end("s1", END)
    stored = await store.get("s1")
    assert (len(stored.turns), stored.end) == (1, None)
    assert await store.take_over("s1", 1) == 2


async def test_of_many_watchers_one_takes_a_session_over(store: SqlSessionStore) -> None:
    await asked(store)
    taken = await asyncio.gather(*(store.take_over("s1", 1) for _ in range(20)))
    assert sorted(one for one in taken if one is not None) == [2]


async def test_a_session_that_is_over_is_neither_claimed_nor_taken_over(
    store: SqlSessionStore,
) -> None:
    await asked(store)
    lease = await store.claim("s1", 1)
    await lease.end("s1", END)
    assert await store.take_over("s1", 1) is None
    assert not await store.beat("s1", 1)
    assert list(await store.pulses()) == []


async def test_a_lease_beats_while_it_is_open_and_tells_when_it_is_lost(
    store: SqlSessionStore,
) -> None:
    await asked(store)
    async with await store.claim("s1", 1) as lease:
        async with asyncio.timeout(60):
            while (await store.pulses())[0].beat < 3:  # noqa: ASYNC110 - of the database
                await asyncio.sleep(BEAT / 10)
            assert not lease.lost.is_set()
            await store.take_over("s1", 1)
            await lease.lost.wait()


async def test_a_turn_whose_acknowledgement_was_lost_can_be_written_again(
    store: SqlSessionStore,
) -> None:
    await asked(store)
    lease = await store.claim("s1", 1)
    await lease.append("s1", turn(0), checkpoint(1.0))
    await lease.append("s1", turn(0), checkpoint(1.0))
    with pytest.raises(StorageError):
        await lease.append("s1", turn(0, "autre"), checkpoint(1.0))
    assert len((await store.get("s1")).turns) == 1


async def test_two_servers_that_start_at_once_make_the_tables_once(
    address: str, tmp_path: Path
) -> None:
    async def opened() -> None:
        async with open_store(address, tmp_path / "recordings") as store:
            await store.pulses()

    await asyncio.gather(*(opened() for _ in range(6)))


_WRITER = """
import asyncio, sys
from pathlib import Path
from eloquence.storage.sessions import open_store
sys.path.insert(0, sys.argv[3])
from test_leases import turn, checkpoint

async def main():
    async with open_store(sys.argv[1], Path(sys.argv[2])) as store:
        lease = await store.claim("s1", int(sys.argv[4]))
        async with lease:
            index = len(lease.held.stored.turns)
            while True:
                await lease.append("s1", turn(index), checkpoint(float(index)))
                print(index, flush=True)
                index += 1

asyncio.run(main())
"""


def _started(command: list[str]) -> "subprocess.Popen[str]":
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


async def test_no_acknowledged_turn_is_lost_or_doubled_when_holders_are_killed(
    address: str, tmp_path: Path
) -> None:
    """kill -9 at random instants; each next holder goes on from the stored turns (TC-29)."""
    drawn = random.Random(5)
    told: list[int] = []
    recordings = tmp_path / "recordings"
    async with open_store(address, recordings) as store:
        await asked(store)
        for epoch in range(1, 6):
            command = [sys.executable, "-c", _WRITER, address, str(recordings)]
            command += [str(Path(__file__).parent), str(epoch)]
            writer = _started(command)
            assert writer.stdout is not None
            lines = [
                await asyncio.to_thread(writer.stdout.readline) for _ in range(drawn.randint(1, 25))
            ]
            os.kill(writer.pid, signal.SIGKILL)
            rest = await asyncio.to_thread(writer.stdout.read)
            told += [int(line) for line in (*lines, *rest.splitlines())]
            writer.stdout.close()
            writer.wait()
            assert await store.take_over("s1", epoch) == epoch + 1
        kept = [one.index for one in (await store.get("s1")).turns]
    assert kept == list(range(len(kept)))
    assert told == sorted(set(told))
    assert set(told) <= set(kept)
    assert len(kept) - len(told) <= 5  # stored, but the process died before it said so
