"""Sessions in rooms: asked for once, joined again, ended from outside, and how often."""

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from livekit import api
from tests.bootstrap.takes import session
from tests.conftest import running
from tests.server.conftest import Rooms, Served, serving, serving_rooms
from tests.steady import Steady
from websockets.asyncio.client import connect

from eloquence import protocol
from eloquence.coaching.session import Turn
from eloquence.config import load
from eloquence.errors import LeaseLostError, TooManyError
from eloquence.server.health import KEPT_SECONDS, Health
from eloquence.server.limits import (
    AWAY_SECONDS,
    JUDGEMENTS_PER_MINUTE,
    TOKENS_PER_MINUTE,
    Limits,
    open_limits,
)
from eloquence.storage.accounts import LOCAL, Account, Role
from eloquence.storage.requests import DAY, SAME, Requests
from eloquence.storage.sessions import open_store
from eloquence.testing import parts
from eloquence.testing.parts import LiveKit, Postgres, Redis

pytestmark = pytest.mark.integration

ADA = Account("ada", "Ada", "learner")
EVE = Account("eve", "Eve", "learner")


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    yield from running(parts.postgres)


@pytest.fixture
def redis() -> Iterator[Redis]:
    yield from running(parts.redis)


@pytest.fixture
def own_livekit() -> Iterator[LiveKit]:
    """A LiveKit server that the test may kill and start again."""
    yield from running(partial(parts.livekit_server, settings={"room": {"auto_create": False}}))


@pytest.fixture
def own_postgres() -> Iterator[Postgres]:
    """A PostgreSQL server that the test may kill and start again."""
    yield from running(parts.postgres)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> Postgres | None:
    """Where several servers keep their sessions; None for a file."""
    if request.param == "sqlite":
        return None
    server: Postgres = request.getfixturevalue("postgres")
    return server


async def location(database: Postgres | None) -> dict[str, Any]:
    return {} if database is None else {"database_url": await database.database()}


def turn(end: float) -> Turn:
    return Turn(index=0, speaker="character", start=0.5, end=end, text="Bonjour.")


async def assigned(rooms: Rooms, room: str) -> list[dict[str, object]]:
    """What the workers that were sent for were told. LiveKit itself always asks for whoever has no
    name; ours have one."""
    listed = await rooms.livekit.agent_dispatch.list_dispatch(room)
    return [json.loads(one.metadata) for one in listed if one.agent_name == "eloquence"]


# asking


async def test_asking_makes_a_session_its_room_and_sends_for_one_worker(rooms: Rooms) -> None:
    ada = await rooms.account()
    answer = await ada.ask()
    assert answer.status_code == 201
    assert answer.headers["cache-control"] == "no-store"
    ticket = answer.json()
    assert set(ticket) == {"session", "room", "url", "token", "identity", "expires"}
    listed = await rooms.livekit.room.list_rooms(api.ListRoomsRequest(names=[ticket["room"]]))
    (room,) = listed.rooms
    assert (room.max_participants, room.empty_timeout) == (10, 300)  # LK-09
    assert await assigned(rooms, room.name) == [{"session": ticket["session"], "epoch": 1}]
    (pulse,) = await rooms.eloquence.store.pulses()
    assert (pulse.session_id, pulse.epoch, pulse.beat) == (ticket["session"], 1, 0)
    assert await rooms.eloquence.store.learner(ticket["session"]) == ada.account.id


async def test_the_body_is_the_hello_and_a_worker_finds_it_again(rooms: Rooms) -> None:
    ada = await rooms.account()
    asked = await ada.ask(push_to_talk=True, language="fr")
    lease = await rooms.eloquence.store.claim(asked.json()["session"], 1)
    kept = json.loads(lease.held.request)
    assert kept["push_to_talk"] is True
    assert (kept["type"], kept["version"]) == ("hello", 1)
    assert lease.held.room == asked.json()["room"]


async def test_a_room_has_a_name_that_nobody_can_guess(rooms: Rooms) -> None:
    names = {(await (await rooms.account()).ask()).json()["room"] for _ in range(5)}
    assert len(names) == 5
    assert all(name.startswith("s_") and len(name) >= 2 + 128 / 6 for name in names)


async def test_what_cannot_be_practised_leaves_no_session(rooms: Rooms) -> None:
    ada, other = await rooms.account(), await rooms.account()
    theirs = (await other.ask()).json()["session"]
    assert (await ada.ask(exercise="nothing")).status_code == 404
    assert (await ada.ask(unknown=1)).status_code == 422
    assert (await ada.ask(of=theirs, drill="pauses")).json()["code"] == "session_not_found"
    assert [one.session_id for one in await rooms.eloquence.store.pulses()] == [theirs]


async def test_the_older_address_is_the_same(rooms: Rooms) -> None:
    ada = await rooms.account()
    answer = await ada.post("/api/sessions", exercise="conversation_libre_marie")
    assert answer.status_code == 201


async def test_nobody_asks_without_signing_in(rooms: Rooms) -> None:
    nobody = rooms.asker()
    answers = [
        await nobody.ask(),
        await nobody.post("/api/sessions", exercise="conversation_libre_marie"),
        await nobody.post("/api/v1/sessions/0123/token"),
        await nobody.post("/api/v1/sessions/0123/end"),
        await nobody.post("/token", room="test"),
        await nobody.get("/token?room=test&identity=test"),
        await nobody.get("/metrics/sessions"),
    ]
    assert [answer.status_code for answer in answers] == [401] * 7


# once


async def test_a_hundred_clicks_make_one_session_one_room_and_send_for_one_worker(
    livekit: LiveKit, tmp_path: Path
) -> None:
    async with serving_rooms(livekit, tmp_path, starts_per_minute=1) as rooms:
        ada = await rooms.account()
        before = set(await rooms.names())
        answers = await asyncio.gather(*(ada.ask("click") for _ in range(100)))
        assert {answer.status_code for answer in answers} == {201}
        assert len({answer.json()["session"] for answer in answers}) == 1
        (pulse,) = await rooms.eloquence.store.pulses()
        assert set(await rooms.names()) - before == {pulse.room}
        assert await assigned(rooms, pulse.room) == [{"session": pulse.session_id, "epoch": 1}]
        later = await ada.ask("click")  # and it is never counted as another start
        assert later.json()["session"] == pulse.session_id


async def test_two_servers_that_are_clicked_at_once_make_one_session_together(
    livekit: LiveKit, tmp_path: Path, database: Postgres | None
) -> None:
    given = await location(database)
    async with (
        serving_rooms(livekit, tmp_path, **given) as one,
        serving_rooms(livekit, tmp_path, **given) as two,
    ):
        ada = await one.account()
        there = two.asker(ada.account, ada.client.headers["Authorization"])
        before = set(await one.names())
        answers = await asyncio.gather(
            *(who.ask("click") for _ in range(25) for who in (ada, there))
        )
        assert {answer.status_code for answer in answers} == {201}
        (pulse,) = await one.eloquence.store.pulses()
        assert {answer.json()["session"] for answer in answers} == {pulse.session_id}
        assert set(await one.names()) - before == {pulse.room}
        assert await assigned(one, pulse.room) == [{"session": pulse.session_id, "epoch": 1}]


async def test_servers_that_are_asked_at_once_keep_to_the_sessions_that_one_may_hold(
    livekit: LiveKit, tmp_path: Path, database: Postgres | None
) -> None:
    given = await location(database) | {"live_per_learner": 2, "starts_per_minute": 100}
    async with (
        serving_rooms(livekit, tmp_path, **given) as one,
        serving_rooms(livekit, tmp_path, **given) as two,
    ):
        ada = await one.account()
        there = two.asker(ada.account, ada.client.headers["Authorization"])
        answers = await asyncio.gather(*(who.ask() for _ in range(6) for who in (ada, there)))
        assert sorted(answer.status_code for answer in answers) == [201] * 2 + [429] * 10
        assert len(await one.eloquence.store.pulses()) == 2


async def test_the_same_key_of_somebody_else_is_another_request(rooms: Rooms) -> None:
    ada, other = await rooms.account(), await rooms.account()
    one, two = await ada.ask("click"), await other.ask("click")
    assert one.json()["session"] != two.json()["session"]


async def test_a_key_is_new_again_after_ten_minutes_and_when_its_session_is_over(
    livekit: LiveKit, tmp_path: Path
) -> None:
    async with serving_rooms(livekit, tmp_path, live_per_learner=5) as rooms:
        ada = await rooms.account()
        first = (await ada.ask("click")).json()["session"]
        now = rooms.eloquence.store.requests._now()
        rooms.eloquence.store.requests._now = lambda: now + SAME - 1
        assert (await ada.ask("click")).json()["session"] == first
        rooms.eloquence.store.requests._now = lambda: now + SAME + 1
        second = (await ada.ask("click")).json()["session"]
        assert second != first
        await ada.post(f"/api/v1/sessions/{second}/end")
        assert (await ada.ask("click")).json()["session"] not in (first, second)


# again, and over


async def test_who_has_a_live_session_is_told_which_to_go_on_with_it_or_end_it(
    rooms: Rooms,
) -> None:
    ada = await rooms.account()
    first = (await ada.ask()).json()
    refused = await ada.ask()
    assert refused.status_code == 429
    assert refused.json()["code"] == "session_live"
    assert refused.json()["session"] == first["session"]
    assert int(refused.headers["retry-after"]) > 0
    again = await ada.post(f"/api/v1/sessions/{first['session']}/token")
    assert again.status_code == 200
    assert (again.json()["room"], again.json()["identity"]) == (first["room"], first["identity"])
    assert (await ada.post(f"/api/v1/sessions/{first['session']}/end")).status_code == 204
    assert (await ada.ask()).status_code == 201


async def test_a_holder_whom_its_learner_misses_makes_way_for_another_once(rooms: Rooms) -> None:
    """P: a coach that is well, in a room of that name which its learner is not in."""
    ada = await rooms.account()
    ticket = (await ada.ask()).json()
    path, store = f"/api/v1/sessions/{ticket['session']}", rooms.eloquence.store

    async def epoch() -> int:
        return next(p.epoch for p in await store.pulses() if p.session_id == ticket["session"])

    lease = await store.claim(ticket["session"], 1)
    async with lease:
        assert (await ada.post(f"{path}/token", missing=0)).status_code == 200
        assert await epoch() == 1
        for _ in range(2):
            assert (await ada.post(f"{path}/token", missing=1)).status_code == 200
            assert await epoch() == 2
        await lease.lost.wait()
    sent_for = await assigned(rooms, ticket["room"])
    assert {one["epoch"] for one in sent_for} == {1, 2}
    other = await rooms.account()
    assert (await other.post(f"{path}/token", missing=2)).status_code == 404
    assert (await ada.post(f"{path}/token", missing=-1)).status_code == 422
    assert await epoch() == 2


async def test_a_session_that_is_over_cannot_be_joined_and_ends_but_once(rooms: Rooms) -> None:
    ada = await rooms.account()
    ticket = (await ada.ask()).json()
    path = f"/api/v1/sessions/{ticket['session']}"
    for _ in range(2):
        assert (await ada.post(f"{path}/end")).status_code == 204
    assert (await ada.post(f"{path}/token")).status_code == 410
    assert (await ada.post("/token", room=ticket["room"])).status_code == 410
    assert ticket["room"] not in await rooms.names()


async def test_whoever_holds_a_session_that_is_ended_has_lost_it(rooms: Rooms) -> None:
    ada = await rooms.account()
    session = (await ada.ask()).json()["session"]
    store = rooms.eloquence.store
    lease = await store.claim(session, 1)
    await lease.append(session, turn(12.5))
    await ada.post(f"/api/v1/sessions/{session}/end")
    assert not await store.beat(session, 1)
    with pytest.raises(LeaseLostError):
        await lease.append(session, turn(20.0).model_copy(update={"index": 1}))
    end = (await store.get(session)).end
    assert end is not None
    assert (end.status, end.reason, end.duration) == ("interrupted", "learner", 12.5)


async def test_the_room_of_a_live_session_that_is_deleted_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[str] = []

    async def close(room: str) -> None:
        closed.append(room)

    nowhere: Any = SimpleNamespace(url="ws://127.0.0.1:9", key="key", secret="0123456789abcdef" * 2)
    async with serving_rooms(nowhere, tmp_path) as rooms:
        assert rooms.eloquence.rooms is not None
        monkeypatch.setattr(rooms.eloquence.rooms.livekit, "delete", close)
        ada, store = await rooms.account(), rooms.eloquence.store
        await store.requests.add(session("s0"), learner=ada.account.id, room="s_room", request="{}")
        await store.open(session("s1"), learner=ada.account.id)  # in no room
        for name in ("s0", "s1"):
            assert (await ada.client.delete(f"/api/v1/sessions/{name}")).status_code == 204
        assert await store.list(learner=ada.account.id) == []
    assert closed == ["s_room"]


async def test_the_session_of_somebody_else_is_not_there(rooms: Rooms) -> None:
    ticket = (await (await rooms.account()).ask()).json()
    for other in (await rooms.account(), await rooms.account("operator")):
        answers = [
            await other.post(f"/api/v1/sessions/{ticket['session']}/token"),
            await other.post(f"/api/v1/sessions/{ticket['session']}/end"),
            await other.post("/token", room=ticket["room"]),
            await other.get(f"/token?room={ticket['room']}&identity={ticket['identity']}"),
        ]
        absent = [
            await other.post("/api/v1/sessions/0123456789abcdef/token"),
            await other.post("/api/v1/sessions/0123456789abcdef/end"),
            await other.post("/token", room="s_0123456789abcdef"),
            await other.get("/token?room=s_0123456789abcdef&identity=x"),
        ]
        assert [answer.status_code for answer in answers] == [404] * 4
        said = [answer.text.replace(ticket["session"], "0123456789abcdef") for answer in answers]
        assert said == [answer.text for answer in absent]
    assert len(await rooms.eloquence.store.pulses()) == 1


# when LiveKit is away


async def test_without_livekit_no_session_is_left_live_and_the_same_click_works_later(
    own_livekit: LiveKit, tmp_path: Path
) -> None:
    own_livekit.kill()
    async with serving_rooms(own_livekit, tmp_path) as rooms:
        ada = await rooms.account()
        refused = await asyncio.gather(*(ada.ask("click") for _ in range(5)))
        assert {answer.status_code for answer in refused} == {503}
        assert all(int(answer.headers["retry-after"]) > 0 for answer in refused)
        assert own_livekit.secret not in refused[0].text
        assert await rooms.eloquence.store.pulses() == []
        (kept,) = await rooms.eloquence.store.list(learner=ada.account.id)
        assert kept.end is not None
        assert (kept.end.status, kept.end.reason) == ("failed", "room")
        await own_livekit.start()
        assert (await ada.ask("click")).status_code == 201


async def test_a_room_that_livekit_lost_is_made_again_for_who_comes_back(
    own_livekit: LiveKit, tmp_path: Path
) -> None:
    async with serving_rooms(own_livekit, tmp_path) as rooms:
        ada = await rooms.account()
        ticket = (await ada.ask()).json()
        own_livekit.kill()
        await own_livekit.start()
        assert await rooms.names() == []
        assert (await ada.post(f"/api/v1/sessions/{ticket['session']}/token")).status_code == 200
        assert await rooms.names() == [ticket["room"]]


async def test_a_session_ends_also_while_livekit_is_away(
    own_livekit: LiveKit, tmp_path: Path
) -> None:
    async with serving_rooms(own_livekit, tmp_path) as rooms:
        ada = await rooms.account()
        session = (await ada.ask()).json()["session"]
        own_livekit.kill()
        assert (await ada.post(f"/api/v1/sessions/{session}/token")).status_code == 503
        assert (await ada.post(f"/api/v1/sessions/{session}/end")).status_code == 204
        assert await rooms.eloquence.store.pulses() == []


async def test_health_says_which_part_cannot_be_reached(
    own_livekit: LiveKit, tmp_path: Path
) -> None:
    async with serving_rooms(own_livekit, tmp_path) as rooms:
        now = 0.0
        rooms.app.state.health = Health(rooms.eloquence, clock=lambda: now)
        probe = rooms.asker()
        well = await probe.get("/health")
        assert well.status_code == 200
        assert well.json() == {"status": "ok", "store": True, "livekit": True, "live": 0}
        own_livekit.kill()
        assert (await probe.get("/health")).status_code == 200
        now = KEPT_SECONDS
        ill = await probe.get("/health")
        assert ill.status_code == 503
        assert (ill.json()["store"], ill.json()["livekit"]) == (True, False)
        await own_livekit.start()
        now = 2 * KEPT_SECONDS
        assert (await probe.get("/health")).status_code == 200


async def test_health_notices_a_database_that_is_gone(
    livekit: LiveKit, own_postgres: Postgres, tmp_path: Path
) -> None:
    given = await location(own_postgres)
    async with serving_rooms(livekit, tmp_path, **given) as rooms:
        assert (await rooms.asker().get("/health")).status_code == 200
        own_postgres.kill()
        rooms.app.state.health = Health(rooms.eloquence)
        ill = await rooms.asker().get("/health")
        assert ill.status_code == 503
        assert (ill.json()["store"], ill.json()["livekit"]) == (False, True)
        await own_postgres.start()


# how often


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time by which requests are counted: change its one element."""
    seconds = [1_800_000_000.0]
    clock = SimpleNamespace(time=lambda: seconds[0], monotonic=lambda: seconds[0])
    for module in ("limits.aio.storage.memory.time", "eloquence.server.limits.time"):
        monkeypatch.setattr(module, clock)
    return seconds


@pytest.fixture
async def requests(tmp_path: Path) -> AsyncIterator[Requests]:
    """What was asked for, in an empty store."""
    async with open_store(f"sqlite:///{tmp_path / 'test.db'}", tmp_path / "r") as store:
        yield store.requests


async def wait(counting: Awaitable[None]) -> float:
    """The seconds to wait; 0 when it was allowed."""
    try:
        await counting
    except TooManyError as error:
        return error.after
    return 0.0


async def test_an_account_begins_so_many_sessions_in_a_minute(
    now: list[float], requests: Requests
) -> None:
    limits = Limits(load(starts_per_minute=3), requests)
    for _ in range(3):
        now[0] += 1
        assert await wait(limits.start(ADA, "192.0.2.1")) == 0
    assert await wait(limits.start(ADA, "192.0.2.2")) == pytest.approx(58)
    assert await wait(limits.start(EVE, "192.0.2.2")) == 0
    now[0] += 58.5
    assert await wait(limits.start(ADA, "192.0.2.2")) == 0


async def test_an_address_begins_so_many_whoever_asks(now: list[float], requests: Requests) -> None:
    limits = Limits(load(starts_per_address=2), requests)
    people = [replace(ADA, id=str(number)) for number in range(3)]
    waits = [await wait(limits.start(one, "192.0.2.1")) for one in people]
    assert waits == [0, 0, pytest.approx(60)]
    assert await wait(limits.start(people[2], "192.0.2.2")) == 0


async def test_without_accounts_nobody_is_kept_from_beginning_by_what_others_began(
    now: list[float], requests: Requests
) -> None:
    limits = Limits(load(starts_per_minute=1), requests)
    assert [await wait(limits.start(LOCAL, "127.0.0.1")) for _ in range(3)] == [0, 0, 0]


async def test_an_account_is_given_so_many_tokens_in_a_minute(
    now: list[float], requests: Requests
) -> None:
    limits = Limits(load(), requests)
    waits = [await wait(limits.token(ADA, "192.0.2.1")) for _ in range(TOKENS_PER_MINUTE + 1)]
    assert waits == [0] * TOKENS_PER_MINUTE + [pytest.approx(60)]
    assert await wait(limits.token(EVE, "192.0.2.1")) == 0


async def test_an_account_has_so_many_sessions_judged_in_a_minute(
    now: list[float], requests: Requests
) -> None:
    limits = Limits(load(), requests)
    waits = [await wait(limits.judgement(ADA)) for _ in range(JUDGEMENTS_PER_MINUTE + 1)]
    assert waits == [0] * JUDGEMENTS_PER_MINUTE + [pytest.approx(60)]
    assert await wait(limits.judgement(EVE)) == 0
    assert [await wait(limits.judgement(LOCAL)) for _ in range(20)] == [0] * 20


async def test_too_many_starts_are_told_with_the_seconds_to_wait(
    livekit: LiveKit, tmp_path: Path
) -> None:
    async with serving_rooms(livekit, tmp_path, starts_per_minute=1, live_per_learner=9) as rooms:
        ada = await rooms.account()
        assert (await ada.ask()).status_code == 201
        refused = await ada.ask()
        assert (refused.status_code, refused.json()["code"]) == (429, "too_many")
        assert 50 <= int(refused.headers["retry-after"]) <= 60
        assert len(await rooms.eloquence.store.pulses()) == 1


@pytest.mark.parametrize(("trusted", "statuses"), [((), [201, 429]), (("10.0.0.1",), [201, 201])])
async def test_what_a_stranger_says_of_their_address_is_not_believed(
    livekit: LiveKit, tmp_path: Path, trusted: tuple[str, ...], statuses: list[int]
) -> None:
    async with serving_rooms(
        livekit, tmp_path, starts_per_address=1, trusted_proxies=trusted
    ) as rooms:
        answers = []
        for number in range(2):
            ada = await rooms.account()
            there = rooms.asker(ada.account, ada.client.headers["Authorization"], "10.0.0.1")
            there.client.headers["X-Forwarded-For"] = f"192.0.2.{number}"
            answers.append((await there.ask()).status_code)
        assert answers == statuses


async def test_an_account_talks_so_many_minutes_in_a_day_deleted_sessions_as_well(
    livekit: LiveKit, tmp_path: Path
) -> None:
    async with serving_rooms(livekit, tmp_path, minutes_per_day=10) as rooms:
        ada, store = await rooms.account(), rooms.eloquence.store
        for seconds in (400.0, 201.0):
            session = (await ada.ask()).json()["session"]
            await store.append(session, turn(seconds))
            await ada.post(f"/api/v1/sessions/{session}/end")
            await ada.client.delete(f"/api/v1/sessions/{session}")
        refused = await ada.ask()
        assert refused.status_code == 429
        assert DAY - 60 < int(refused.headers["retry-after"]) <= DAY
        assert (await (await rooms.account()).ask()).status_code == 201
        tomorrow = store.requests._now() + DAY
        store.requests._now = lambda: tomorrow
        assert (await ada.ask()).status_code == 201


async def test_what_is_talked_and_what_is_asked_of_services_are_of_the_same_minutes(
    livekit: LiveKit, tmp_path: Path
) -> None:
    async with serving_rooms(livekit, tmp_path, minutes_per_day=1) as rooms:
        ada, store, limits = await rooms.account(), rooms.eloquence.store, rooms.app.state.limits
        session = (await ada.ask()).json()["session"]
        await store.append(session, turn(48.0))
        await ada.post(f"/api/v1/sessions/{session}/end")
        waits = [await wait(limits.service(ada.account)) for _ in range(4)]
        assert [one > 0 for one in waits] == [False, False, False, True]
        assert DAY - 60 < waits[-1] <= DAY
        assert (await ada.ask()).status_code == 429
        eve = await rooms.account()
        assert await wait(limits.service(eve.account)) == 0
        assert (await eve.ask()).status_code == 201


async def test_an_account_that_is_erased_leaves_nothing_of_what_it_asked_for(
    rooms: Rooms,
) -> None:
    ada = await rooms.account()
    session = (await ada.ask()).json()["session"]
    await rooms.eloquence.store.append(session, turn(60.0))
    assert (await rooms.eloquence.store.requests.talked(ada.account.id))[0] == 60.0
    await rooms.eloquence.store.erase(ada.account.id)
    assert (await rooms.eloquence.store.requests.talked(ada.account.id))[0] == 0.0


async def test_servers_count_together_in_redis_and_each_its_own_while_it_is_away(
    redis: Redis,
    requests: Requests,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = load(redis_url=redis.url, starts_per_minute=2)
    later = 0.0
    clock = SimpleNamespace(time=time.time, monotonic=lambda: time.monotonic() + later)
    monkeypatch.setattr("eloquence.server.limits.time", clock)
    async with open_limits(settings, requests) as one, open_limits(settings, requests) as two:
        assert [await wait(who.start(ADA, "a")) for who in (one, two)] == [0, 0]
        assert 0 < await wait(one.start(ADA, "a")) <= 60
        assert 0 < await wait(two.start(ADA, "a")) <= 60
        redis.kill()
        with caplog.at_level(logging.WARNING, "eloquence.server"):
            with Steady() as taken:
                waits = [await wait(one.start(EVE, "a")) for _ in range(4)]
            assert taken.seconds < 2
        assert [one > 0 for one in waits] == [False, False, True, True]
        assert sum("Redis" in record.message for record in caplog.records) == 1
        await redis.start()
        assert await wait(one.start(EVE, "a")) > 0, "it is left alone for a while"
        later = AWAY_SECONDS
        assert await wait(one.start(EVE, "a")) == 0, "it counts again, and has forgotten"


# what an operator sees


async def test_an_operator_sees_the_live_sessions_of_all_servers_and_nothing_that_is_said(
    livekit: LiveKit, tmp_path: Path
) -> None:
    async with (
        serving_rooms(livekit, tmp_path) as one,
        serving_rooms(livekit, tmp_path) as two,
    ):
        ada, store = await one.account(), one.eloquence.store
        lost = (await (await one.account()).ask()).json()["session"]
        await store.requests.finish(lost, "interrupted", "abandoned")
        session = (await ada.ask()).json()["session"]
        await store.append(session, turn(3.0))
        assert await store.take_over(session, 1) == 2
        operator = await two.account("operator")
        shown = (await operator.get("/metrics/sessions")).json()
        assert shown["active_count"] == 1  # MET-08
        (live,) = shown["sessions"]
        assert (live["id"], live["exercise"]) == (session, "conversation_libre_marie")
        assert (live["recoveries"], live["held"], live["room"]) == (1, False, True)
        assert 0 <= live["duration"] < 60
        assert shown["connections"] == {"succeeded": 1, "failed": 1}  # SES-02
        assert shown["timestamp"].endswith("Z")
        assert "Bonjour" not in json.dumps(shown)
        assert ada.account.id not in json.dumps(shown)


@pytest.mark.parametrize("role", ["learner", "author"])
async def test_the_live_sessions_are_for_operators_alone(rooms: Rooms, role: Role) -> None:
    answer = await (await rooms.account(role)).get("/metrics/sessions")
    assert answer.status_code == 403


# the page and the socket


async def test_the_page_of_rooms_reaches_livekit_and_nothing_else(rooms: Rooms) -> None:
    policy = (await rooms.asker().get("/")).headers["content-security-policy"]
    place = rooms.eloquence.settings.livekit_url.removeprefix("ws://")
    assert f"connect-src 'self' ws://{place} http://{place};" in policy


async def test_https_is_kept_to_where_the_page_is_opened_so(
    livekit: LiveKit, tmp_path: Path
) -> None:
    public = "https://coach.example.org"
    async with serving_rooms(
        livekit, tmp_path, public_url=public, livekit_public_url="wss://rtc.example.org"
    ) as rooms:
        page = await rooms.asker().client.get("/", headers={"Host": "coach.example.org"})
        assert "max-age" in page.headers["strict-transport-security"]
        reached = "connect-src 'self' wss://rtc.example.org https://rtc.example.org;"
        assert reached in page.headers["content-security-policy"]
        ada = await rooms.account()
        ticket = (
            await ada.client.post(
                "/api/v1/sessions",
                json={"exercise": "conversation_libre_marie"},
                headers={"Origin": public},
            )
        ).json()
        assert ticket["url"] == "wss://rtc.example.org"
        foreign = await ada.client.post("/token", headers={"Origin": "https://evil.example"})
        assert foreign.status_code == 403


@pytest.fixture
def in_development(livekit: LiveKit, tmp_path: Path) -> Iterator[Served]:
    yield from serving(
        load(
            data=tmp_path,
            development=True,
            livekit_url=livekit.url,
            livekit_api_key=livekit.key,
            livekit_api_secret=livekit.secret,
        )
    )


async def test_no_conversation_is_held_by_a_server_of_rooms_itself(
    in_development: Served,
) -> None:
    origin: Any = in_development.url
    async with connect(in_development.talk, origin=origin) as line:
        told = protocol.parse_server(await line.recv())  # it may be closed before a hello is sent
    assert isinstance(told, protocol.Failure)
    assert told.code == "permission_denied"


async def test_the_page_is_told_that_conversations_are_held_in_rooms(rooms: Rooms) -> None:
    status = (await (await rooms.account()).get("/api/v1/status")).json()
    assert status["transport"] == "livekit"
    assert status["capacity"] == {"live": 0}


def test_a_server_that_holds_its_conversations_itself_gives_no_tokens(served: Served) -> None:
    answer = httpx.post(f"{served.url}/token", json={"room": "test", "participant": "test"})
    assert answer.status_code == 409
    assert "LIVEKIT_URL" in answer.json()["mend"]
    shown = served.get("/metrics/sessions").json()
    assert (shown["active_count"], shown["sessions"]) == (0, [])
