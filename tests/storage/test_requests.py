"""What learners asked for, on SQLite and on PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.bootstrap.takes import session

from eloquence.coaching.session import SessionEnd, Turn
from eloquence.storage.requests import Asked
from eloquence.storage.sessions import SqlSessionStore, open_store
from eloquence.testing.parts import Postgres


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


async def asked(store: SqlSessionStore, name: str, learner: str, key: str = "") -> Asked:
    return await store.requests.add(
        session(name), learner=learner, room=f"s_{name}", request="{}", key=key
    )


def turn(end: float) -> Turn:
    return Turn(index=0, speaker="character", start=0.5, end=end, text="Bonjour.")


async def test_the_minutes_of_a_day_count_also_for_a_key_that_is_used_again(
    store: SqlSessionStore,
) -> None:
    for number in range(3):
        made = await asked(store, f"s{number}", "ada", "click")
        assert made.new
        await store.append(made.session_id, turn(100.0))
        assert await store.requests.finish(made.session_id, "interrupted", "learner")
    assert (await store.requests.talked("ada"))[0] == 300.0


async def test_all_that_one_learner_has_live_is_ended_and_nothing_of_others(
    store: SqlSessionStore,
) -> None:
    for name, learner in (("a", "ada"), ("b", "ada"), ("over", "ada"), ("e", "eve")):
        await asked(store, name, learner)
    over = SessionEnd(status="complete", reason="learner", duration=3.0)
    await store.end("over", over)
    ended = await store.requests.finish_all("ada", "interrupted", "operator")
    assert {(one.session_id, one.room, one.live) for one in ended} == {
        ("a", "s_a", False),
        ("b", "s_b", False),
    }
    assert (await store.get("over")).end == over
    assert not await store.beat("a", 1)
    assert [pulse.session_id for pulse in await store.pulses()] == ["e"]
    assert await store.requests.finish_all("ada", "interrupted", "operator") == []
