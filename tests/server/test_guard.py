"""Who may talk to the server, and how much (SEC-01)."""

import asyncio
import socket
from contextlib import ExitStack
from urllib.parse import urlsplit

import httpx
import pytest
from starlette.responses import PlainTextResponse
from tests.server.conftest import Served
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from eloquence import protocol
from eloquence.config import load
from eloquence.server import connections
from eloquence.server.guard import Guard


def test_a_foreign_host_name_is_refused_so_that_no_name_can_be_bound_to_the_server(
    served: Served,
) -> None:
    refused = served.get("/api/v1/status", Host="evil.example")
    assert refused.status_code == 403
    assert "ELOQUENCE_ALLOWED_HOSTS" in refused.json()["mend"]


def test_another_site_cannot_change_anything(served: Served) -> None:
    headers = {"Origin": "https://evil.example"}
    url = f"{served.url}/api/v1/sessions/0123456789abcdef"
    assert httpx.delete(url, headers=headers, timeout=60).status_code == 403
    assert httpx.delete(url, headers={"Origin": served.url}, timeout=60).status_code == 404


@pytest.mark.parametrize(
    ("public", "origin", "status"),
    [
        ("https://coach.example.org", "https://coach.example.org", 200),
        ("https://coach.example.org", "http://coach.example.org", 403),
        ("https://coach.example.org", "http://localhost", 200),  # this machine's own
        ("http://coach.example.org", "http://coach.example.org", 200),
    ],
)
async def test_a_page_without_the_tls_of_ours_is_another_sites(
    public: str, origin: str, status: int
) -> None:
    """Whoever is between a browser and the server can make such a page."""
    guarded = Guard(PlainTextResponse("done"), load(public_url=public))
    line = httpx.ASGITransport(app=guarded)
    url = f"http://{urlsplit(origin).netloc}/"
    async with httpx.AsyncClient(transport=line) as client:
        assert (await client.post(url, headers={"Origin": origin})).status_code == status


@pytest.mark.parametrize("origin", ["https://evil.example", "null", None])
async def test_a_conversation_is_opened_from_the_page_itself_only(
    served: Served, origin: str | None
) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with connect(served.talk, origin=origin):  # type: ignore[arg-type]
            pass
    assert refused.value.response.status_code == 403


def test_a_body_that_is_too_large_is_refused_unread(served: Served) -> None:
    answer = httpx.post(f"{served.url}/api/v1/models/x", content=b"0" * 70_000, timeout=60)
    assert answer.status_code == 413


def test_the_page_may_load_nothing_from_elsewhere(served: Served) -> None:
    headers = served.get("/").headers
    assert "default-src 'self'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["permissions-policy"].startswith("microphone=(self)")


async def told(served: Served, *sent: str | bytes) -> protocol.ServerMessage:
    """The first message after what was sent."""
    async with connect(served.talk, origin=served.url) as line:  # type: ignore[arg-type]
        for message in sent:
            await line.send(message)
        return protocol.parse_server(await line.recv())


@pytest.mark.parametrize(
    "sent",
    ['{"type":"end"}', "not json", b"\0\0", '{"type":"hello","version":99,"exercise":"x"}'],
)
async def test_a_conversation_that_does_not_begin_with_hello_is_told_so(
    served: Served, sent: str | bytes
) -> None:
    failure = await told(served, sent)
    assert isinstance(failure, protocol.Failure)
    assert failure.code == "remote_protocol"


async def test_a_wrong_exercise_is_refused_with_the_nearest_one(served: Served) -> None:
    failure = await told(
        served, protocol.Hello(exercise="conversation_libre_mari").model_dump_json()
    )
    assert isinstance(failure, protocol.Failure)
    assert failure.code == "content"
    assert "conversation_libre_marie" in failure.mend


async def test_a_frame_larger_than_allowed_closes_that_line_only(served: Served) -> None:
    async with connect(served.talk, origin=served.url) as line:  # type: ignore[arg-type]
        await line.send(b"0" * 100_000)
        with pytest.raises(ConnectionClosed) as closed:
            await line.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1009
    assert served.get("/health").status_code == 200


async def test_sound_faster_than_speech_ends_the_conversation(served: Served) -> None:
    hello = protocol.Hello(exercise="conversation_libre_marie").model_dump_json()
    async with (
        asyncio.timeout(30),
        connect(served.talk, origin=served.url) as line,  # type: ignore[arg-type]
    ):
        await line.send(hello)
        for _ in range(600):
            await line.send(bytes(640))
        failures: list[protocol.Failure] = []
        while not failures:
            data = await line.recv()
            message = protocol.parse_server(data) if isinstance(data, str) else None
            failures = [message] if isinstance(message, protocol.Failure) else []
    assert failures[0].code == "remote_protocol"


async def test_the_next_conversation_is_refused_clearly_when_all_places_are_taken(
    served: Served,
) -> None:
    """TC-05: no waiting in silence."""
    hello = protocol.Hello(exercise="conversation_libre_marie").model_dump_json()
    async with asyncio.timeout(30):
        async with connect(served.talk, origin=served.url) as first:  # type: ignore[arg-type]
            await first.send(hello)
            while not isinstance(protocol.parse_server(await first.recv()), protocol.Ready):
                pass
            failure = await told(served, hello)
            await first.send(protocol.End().model_dump_json())
            data: str | bytes = b""
            while isinstance(data, bytes) or not isinstance(
                protocol.parse_server(data), protocol.Ended
            ):
                data = await first.recv()
    assert isinstance(failure, protocol.Failure)
    assert (failure.code, failure.retryable) == ("capacity", True)
    sessions = (await asyncio.to_thread(served.get, "/api/v1/sessions")).json()
    assert sessions[0]["status"] == "complete"


def test_a_malformed_origin_is_refused(served: Served) -> None:
    headers = {"Origin": "http://["}
    assert (
        httpx.post(f"{served.url}/api/v1/models/x", headers=headers, timeout=60).status_code == 403
    )


def test_connections_that_ask_for_nothing_are_closed_and_give_their_place_back(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """K02: half-open connections cannot stop the server."""
    monkeypatch.setattr(connections, "HEADER_SECONDS", 0.2)
    with ExitStack() as stack:
        idle = [
            stack.enter_context(socket.create_connection(("127.0.0.1", served.port)))
            for _ in range(20)
        ]
        for line in idle[::2]:
            line.sendall(b"GET / HTTP/1.1\r\nHost: local")
        for line in idle:
            line.settimeout(10)
            assert line.recv(1) == b""
    monkeypatch.setattr(connections, "HEADER_SECONDS", 60.0)  # our own request is not that quick
    assert served.get("/health").status_code == 200
