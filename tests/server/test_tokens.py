"""What a token is good for, as the real LiveKit server sees it (TOK-01..06, X-08, X-31)."""

import base64
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import jwt
import pytest
from livekit import rtc
from tests.server.conftest import Rooms, serving_rooms

from eloquence.testing.parts import LiveKit
from eloquence.transports.livekit_server import JOIN_SECONDS, LiveKitServer

pytestmark = pytest.mark.integration

LEEWAY = 60
"""Seconds for which LiveKit still takes a token that has expired."""


@pytest.fixture
async def server(livekit: LiveKit) -> AsyncIterator[LiveKitServer]:
    """The LiveKit server with a room `here` of our making."""
    async with LiveKitServer(
        livekit.url, livekit.key, livekit.secret, agent_name="eloquence"
    ) as server:
        await server.create("here")
        yield server


@pytest.fixture
async def development(livekit: LiveKit, tmp_path: Path) -> AsyncIterator[Rooms]:
    """A server on a developer's machine, where nobody signs in."""
    async with serving_rooms(livekit, tmp_path, development=True) as rooms:
        yield rooms


async def joining(livekit: LiveKit, token: str) -> int:
    """The status with which the LiveKit server answers whether a token may join."""
    url = f"http://127.0.0.1:{livekit.port}/rtc/validate"
    async with aiohttp.ClientSession() as session:
        params = {"access_token": token} if token else {}
        async with session.get(url, params=params) as answer:
            return answer.status


async def calling(livekit: LiveKit, token: str, service: str, call: str, **body: object) -> int:
    """The status with which the LiveKit server answers a call of its interface."""
    url = f"http://127.0.0.1:{livekit.port}/twirp/livekit.{service}/{call}"
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, json=body, headers=headers) as answer,
    ):
        return answer.status


def claims(token: str) -> dict[str, Any]:
    read: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return read


def part(content: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


def changed(token: str, **grants: object) -> str:
    """The token with other grants and the signature that it had."""
    header, _, signature = token.split(".")
    read = claims(token)
    return ".".join((header, part(read | {"video": read["video"] | grants}), signature))


def signed(livekit: LiveKit, read: dict[str, Any], secret: str = "", key: str = "") -> str:
    given = read | ({"iss": key} if key else {})
    return jwt.encode(given, secret or livekit.secret, algorithm="HS256")


# what it grants


async def test_a_learner_may_join_one_room_be_heard_hear_and_write_and_nothing_else(
    rooms: Rooms,
) -> None:
    ticket = (await (await rooms.account()).ask()).json()
    read = claims(ticket["token"])
    assert read["video"] == {
        "roomJoin": True,
        "room": ticket["room"],
        "canPublish": True,
        "canPublishSources": ["microphone"],
        "canSubscribe": True,
        "canPublishData": True,
        "canUpdateOwnMetadata": False,
    }
    assert set(read) == {"video", "sub", "iss", "nbf", "exp"}
    assert read["sub"] == ticket["identity"]
    assert read["exp"] - time.time() == pytest.approx(JOIN_SECONDS, abs=5)
    assert ticket["expires"] == pytest.approx(read["exp"], abs=2)


async def test_nobody_can_tell_from_an_identity_who_it_is(rooms: Rooms) -> None:
    ada, eve = await rooms.account(), await rooms.account()
    ticket, other = (await ada.ask()).json(), (await eve.ask()).json()
    again = (await ada.post(f"/api/v1/sessions/{ticket['session']}/token")).json()
    assert again["identity"] == ticket["identity"] != other["identity"]
    assert len(ticket["identity"]) == 32
    await ada.post(f"/api/v1/sessions/{ticket['session']}/end")
    later = (await ada.ask()).json()
    assert later["identity"] != ticket["identity"], "nor that two sessions are of the same person"
    assert ada.account.id not in ticket["token"] + ticket["identity"]


async def test_the_identity_that_a_client_names_is_not_the_one_it_gets(rooms: Rooms) -> None:
    ada = await rooms.account()
    ticket = (await ada.ask()).json()
    for answer in (
        await ada.get(f"/token?room={ticket['room']}&identity=coach-1"),
        await ada.post("/token", room=ticket["room"], participant="coach-1"),
        await ada.post("/token", room=ticket["room"], identity="coach-1"),
    ):
        assert answer.status_code == 200
        assert claims(answer.json()["token"])["sub"] == ticket["identity"]
        assert answer.json()["url"] == ticket["url"]


# what the real server takes


async def test_a_learner_joins_their_own_room_and_finds_nobody_of_another(rooms: Rooms) -> None:
    tickets = [(await (await rooms.account()).ask()).json() for _ in range(2)]
    joined = [rtc.Room() for _ in tickets]
    try:
        for room, ticket in zip(joined, tickets, strict=True):
            await room.connect(ticket["url"], ticket["token"])
            assert room.name == ticket["room"]
            assert room.local_participant.identity == ticket["identity"]
        assert [len(room.remote_participants) for room in joined] == [0, 0]
    finally:
        for room in joined:
            await room.disconnect()


async def test_the_real_server_refuses_what_we_did_not_sign(
    server: LiveKitServer, livekit: LiveKit
) -> None:
    ours = server.token("here", "somebody")
    read = claims(ours)
    header, body, signature = ours.split(".")
    unsigned = part({"alg": "none", "typ": "JWT"})
    assert await joining(livekit, ours) == 200
    refused = {
        "no token": "",
        "not a token": "abc",
        "another signature": f"{header}.{body}.{signature[:-6]}AAAAAA",
        "no signature": f"{unsigned}.{body}.",
        "none of ours with a signature": f"{unsigned}.{body}.{signature}",
        "another secret": signed(livekit, read, secret="x" * 40),
        "an empty secret's": signed(livekit, read, secret="\0" * 32),
        "another key": signed(livekit, read, key="devkey"),
        "more rights": changed(ours, roomAdmin=True, roomCreate=True),
        "another room": changed(ours, room="elsewhere"),
        "expired": server.token("here", "somebody", seconds=-LEEWAY - 5),
        "not yet valid": signed(livekit, read | {"nbf": time.time() + 3600}),
    }
    answers = {name: await joining(livekit, token) for name, token in refused.items()}
    assert answers == dict.fromkeys(refused, 401)


async def test_the_real_server_refuses_a_token_of_ours_that_names_nobody_or_no_room(
    server: LiveKitServer, livekit: LiveKit
) -> None:
    read = claims(server.token("here", "somebody"))
    nobody = signed(livekit, read | {"sub": ""})
    nowhere = signed(livekit, read | {"video": read["video"] | {"room": ""}})
    no_join = signed(livekit, read | {"video": read["video"] | {"roomJoin": False}})
    assert await joining(livekit, nobody) in (400, 401)
    assert await joining(livekit, nowhere) in (400, 401)
    assert await joining(livekit, no_join) == 401


async def test_the_real_server_has_no_rooms_but_those_that_we_made(
    server: LiveKitServer, livekit: LiveKit
) -> None:
    assert await joining(livekit, server.token("elsewhere", "somebody")) == 404
    room = rtc.Room()
    with pytest.raises(rtc.ConnectError):
        await room.connect(livekit.url, server.token("elsewhere", "somebody"))


async def test_a_learners_token_gives_no_power_over_rooms(rooms: Rooms, livekit: LiveKit) -> None:
    ticket, other = [(await (await rooms.account()).ask()).json() for _ in range(2)]
    token, its = ticket["token"], {"room": ticket["room"]}
    calls = [
        ("RoomService", "ListRooms", {}),
        ("RoomService", "CreateRoom", {"name": "mine"}),
        ("RoomService", "DeleteRoom", its),
        ("RoomService", "DeleteRoom", {"room": other["room"]}),
        ("RoomService", "ListParticipants", its),
        ("RoomService", "ListParticipants", {"room": other["room"]}),
        ("RoomService", "RemoveParticipant", its | {"identity": "coach-1"}),
        ("RoomService", "UpdateParticipant", its | {"identity": ticket["identity"]}),
        ("RoomService", "UpdateRoomMetadata", its | {"metadata": "x"}),
        ("RoomService", "SendData", its | {"data": "eA=="}),
        ("AgentDispatchService", "ListDispatch", its),
        ("AgentDispatchService", "CreateDispatch", its | {"agentName": "eloquence"}),
    ]
    answers = {
        (service, call): await calling(livekit, token, service, call, **body)
        for service, call, body in calls
    }
    assert set(answers.values()) <= {401, 403}, answers
    assert {ticket["room"], other["room"]} <= set(await rooms.names())
    assert "mine" not in await rooms.names()


# older ways to ask


async def test_in_development_a_room_can_be_named_as_older_clients_do(
    development: Rooms, livekit: LiveKit
) -> None:
    nobody = development.asker()
    for answer in (
        await nobody.post("/token", room="test", participant="test"),  # TOK-02
        await nobody.get("/token?room=test&identity=test"),  # TOK-01
    ):
        assert answer.status_code == 200
        assert answer.json()["url"] == livekit.url
        assert await joining(livekit, answer.json()["token"]) == 200
    other = await nobody.post("/token", room="test", participant="other")
    assert other.json()["identity"] != answer.json()["identity"], "they may be there at once"


async def test_elsewhere_only_the_room_of_a_session_of_ones_own_can_be_named(
    rooms: Rooms,
) -> None:
    for asker in (await rooms.account(), await rooms.account("operator")):
        assert (await asker.post("/token", room="named", participant="test")).status_code == 404
        assert (await asker.get("/token?room=named&identity=test")).status_code == 404
    assert "named" not in await rooms.names()


@pytest.mark.parametrize("room", ["", "a b", "é", "x" * 65, "../x", "a\0b"])
async def test_a_name_that_is_no_rooms_is_refused(development: Rooms, room: str) -> None:
    nobody = development.asker()
    assert (await nobody.post("/token", room=room)).status_code == 422
    answer = await nobody.client.get("/token", params={"room": room, "identity": "x"})
    assert answer.status_code == 422


async def test_fewer_rights_can_be_asked_for(development: Rooms) -> None:
    nobody = development.asker()
    permissions = {"canPublish": True, "canSubscribe": True}  # TOK-03
    full = await nobody.post("/token", room="test", participant="x", permissions=permissions)
    assert claims(full.json()["token"])["video"]["canPublishSources"] == ["microphone"]
    permissions = {"canPublish": False, "canSubscribe": True, "canPublishData": False}
    ears = await nobody.post("/token", room="test", participant="x", permissions=permissions)
    video = claims(ears.json()["token"])["video"]
    assert (video["canPublish"], video["canSubscribe"], video["canPublishData"]) == (
        False,
        True,
        False,
    )
    assert "canPublishSources" not in video, "which would give the right back"


@pytest.mark.parametrize(
    "permissions",
    [
        {"roomCreate": True},
        {"roomAdmin": True},
        {"canPublish": True, "hidden": True},
        {"canUpdateOwnMetadata": True},
        {"canPublishSources": ["camera"]},
        {"canPublish": "yes"},
        {"canPublish": 1},
        {"canSubscribe": None},
        {"can_publish": True},
    ],
)
async def test_more_rights_cannot_be_asked_for(
    development: Rooms, permissions: dict[str, object]
) -> None:
    answer = await development.asker().post("/token", room="test", permissions=permissions)
    assert answer.status_code == 403
    assert "token" not in answer.json()


async def test_the_root_answers_a_probe(rooms: Rooms) -> None:
    assert (await rooms.asker().get("/")).status_code == 200  # TOK-04, X-12
