"""Under which names a service on a port of its own is asked: a foreign one could be bound to its
address, and a page of it would be of the same origin (DNS rebinding)."""

from collections.abc import Callable

import httpx
import pytest
from fastapi import FastAPI
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from eloquence.config import Settings, load
from eloquence.server.services import llm, stt, tts
from eloquence.testing.serving import served

PATHS = ("/health", "/live", "/v1/models", "/openapi.json", "/nothing")


def app(**settings: object) -> FastAPI:
    return llm.create_app(load(llm={"provider": "script"}, **settings))


@pytest.mark.parametrize("create", [stt.create_app, llm.create_app, tts.create_app])
async def test_a_foreign_name_is_refused_whatever_is_asked(
    create: Callable[[Settings], FastAPI],
) -> None:
    async with served(create(load())) as url, httpx.AsyncClient(base_url=url) as client:
        for name in ("evil.example", "evil.example:8001", "stt", "192.0.2.7", "localhost.", ""):
            for path in PATHS:
                answer = await client.get(path, headers={"Host": name})
                assert answer.status_code == 403, (name, path)
                assert "ELOQUENCE_ALLOWED_HOSTS" in answer.json()["error"]["message"]
        for name in ("localhost", "LOCALHOST:1", "127.0.0.1", "[::1]:8001"):
            assert (await client.get("/live", headers={"Host": name})).status_code == 200


async def test_a_socket_under_a_foreign_name_is_refused() -> None:
    async with served(stt.create_app(load(stt={"provider": "none"}))) as url:
        port = url.rpartition(":")[2]
        for path in ("", "/ws"):
            with pytest.raises(InvalidStatus) as refused:
                await connect(f"ws://evil.example:{port}{path}", host="127.0.0.1")
            assert refused.value.response.status_code == 403


async def test_what_listens_to_others_is_asked_as_they_know_it() -> None:
    """By its container's name, by its address, and by the names of the settings; no page of
    elsewhere has one of the first two."""
    open_to_all = app(host="0.0.0.0", allowed_hosts=("voices.example.org",))
    async with served(open_to_all) as url, httpx.AsyncClient(base_url=url) as client:
        for name, status in (
            ("llm:8001", 200),
            ("192.0.2.7:8001", 200),
            ("[2001:db8::7]", 200),
            ("voices.example.org", 200),
            ("evil.example", 403),
            ("evil.", 403),
            ("", 403),
        ):
            answer = await client.get("/live", headers={"Host": name})
            assert answer.status_code == status, name
