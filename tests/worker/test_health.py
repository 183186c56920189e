"""What a worker tells of itself, and whose events it takes."""

import base64
import hashlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import aiohttp
import pytest
from livekit import api
from tests.worker.conftest import SECRET

from eloquence.config import Settings
from eloquence.errors import ConfigurationError, StorageError
from eloquence.worker.health import LARGEST_EVENT, Health, Reachability, served

WELL = Health(registered=True, models=True, store=True, draining=False, live=2, capacity=12, idle=2)


@dataclass
class Subject:
    found: Health = WELL

    async def health(self) -> Health:
        return self.found


@pytest.fixture
def subject() -> Subject:
    return Subject()


@pytest.fixture
async def address(settings: Settings, subject: Subject) -> AsyncIterator[str]:
    async with served(settings, subject) as port:
        yield f"http://127.0.0.1:{port}"


async def got(url: str) -> tuple[int, dict[str, object]]:
    async with aiohttp.ClientSession() as session, session.get(url) as reply:
        return reply.status, await reply.json()


async def sent(url: str, body: bytes, authorization: str | None) -> int:
    headers = {} if authorization is None else {"Authorization": authorization}
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, data=body, headers=headers) as reply,
    ):
        return reply.status


def signed(body: bytes, secret: str = SECRET) -> str:
    """LiveKit's signature: a token that holds the body's hash."""
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    return api.AccessToken("key-of-tests", secret).with_sha256(digest).to_jwt()


async def test_a_worker_that_can_hold_a_conversation_is_well(address: str) -> None:
    """ORD-05, D-11."""
    status, body = await got(f"{address}/health")
    assert status == 200
    assert body["status"] == "ok"
    assert (body["live"], body["capacity"], body["idle"]) == (2, 12, 2)


@pytest.mark.parametrize("lacking", ["registered", "models", "store"])
async def test_one_that_cannot_says_what_it_lacks(
    address: str, subject: Subject, lacking: str
) -> None:
    without: Any = {lacking: False}
    subject.found = replace(WELL, **without)
    status, body = await got(f"{address}/health")
    assert status == 503
    assert body["status"] == "unavailable"
    assert body["lacks"] == [lacking]


async def test_one_that_is_asked_to_stop_is_well_and_says_so(
    address: str, subject: Subject
) -> None:
    subject.found = replace(WELL, draining=True)
    status, body = await got(f"{address}/health")
    assert (status, body["status"]) == (200, "draining")


async def test_an_event_with_livekits_signature_is_taken(address: str) -> None:
    """LK-12."""
    body = json.dumps({"event": "room_finished", "room": {"name": "s_1"}}).encode()
    assert await sent(f"{address}/webhook", body, signed(body)) == 200


@pytest.mark.parametrize("kind", ["none", "empty", "other secret", "other body"])
async def test_an_event_without_it_is_refused(address: str, kind: str) -> None:
    body = json.dumps({"event": "room_finished", "room": {"name": "s_1"}}).encode()
    authorization = {
        "none": None,
        "empty": "",
        "other secret": signed(body, "another-secret-0123456789-abcdef"),
        "other body": signed(b"{}"),
    }[kind]
    assert await sent(f"{address}/webhook", body, authorization) == 401


async def test_an_event_is_not_read_beyond_its_bound(address: str) -> None:
    body = b" " * (LARGEST_EVENT + 1)
    assert await sent(f"{address}/webhook", body, signed(body)) == 413


async def test_a_port_that_is_taken_is_told(settings: Settings, subject: Subject) -> None:
    async with served(settings, subject) as port:
        taken = settings.model_copy(update={"worker_port": port})
        with pytest.raises(ConfigurationError, match=str(port)):
            async with served(taken, subject):
                pass


class Store:
    """A store that answers while `up`, and counts how often it is asked."""

    def __init__(self) -> None:
        self.up = True
        self.asked = 0

    async def pulses(self) -> object:
        self.asked += 1
        if not self.up:
            raise StorageError("The database refused.")
        return ()


async def test_the_store_is_asked_once_however_often_the_health_is() -> None:
    store = Store()
    reachability = Reachability(store)
    assert [await reachability.reached() for _ in range(50)] == [True] * 50
    assert store.asked == 1


async def test_a_store_that_refuses_is_not_reached() -> None:
    store = Store()
    store.up = False
    assert not await Reachability(store).reached()
