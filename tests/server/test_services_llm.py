"""The answering service: chats go on to a host, and its answers come back as they are written."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import httpx
import openai
import pytest

from eloquence.config import load
from eloquence.conversation.faults import seconds_until
from eloquence.providers.passing import Patience
from eloquence.server.services import llm
from eloquence.testing.services import Mode, Services
from eloquence.testing.serving import served

CHAT: dict[str, object] = {
    "model": "mistral-nemo-instruct-2407",
    "messages": [
        {"role": "system", "content": "Tu es Marie, coach en communication."},
        {"role": "user", "content": "Bonjour, je prépare un entretien."},
    ],
    "temperature": 0.7,
    "max_tokens": 150,
}
KEY = "a-key-of-the-server"
Write = Callable[[asyncio.StreamWriter], Awaitable[None]]
PATIENT = Patience()
QUICK = Patience(connect=2.0, answer=2.0, whole=20.0)


@asynccontextmanager
async def passing(address: str, patience: Patience = PATIENT) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a service that passes on to the address."""
    options = {"base_url": address, "api_key": KEY}
    settings = load(llm={"provider": "openai", "options": options})
    async with (
        served(llm.create_app(settings, patience=patience)) as url,
        httpx.AsyncClient(base_url=url, timeout=60) as client,
    ):
        yield client


def words(events: str) -> str:
    """What the events of a stream say together."""
    lines = [line.removeprefix("data: ") for line in events.split("\n") if line]
    deltas = [json.loads(line)["choices"][0]["delta"] for line in lines if line != "[DONE]"]
    return "".join(delta.get("content", "") for delta in deltas)


@pytest.mark.parametrize("end", ["", "/", "/v1", "/v1/", "/v1/chat/completions"])
async def test_a_chat_is_answered_by_the_host(end: str) -> None:
    """LLM-01, LLM-03, LLM-04, X-06: however its address was written."""
    async with Services(reply="Bonjour, parlez-moi de vous.") as host:
        async with passing(f"{host.url}{end}") as client:
            answer = await client.post("/v1/chat/completions", json=CHAT)
        assert answer.status_code == 200
        assert answer.json()["choices"][0]["message"]["content"] == host.reply
        assert host.asked[-1].path == "/v1/chat/completions"
        assert host.asked[-1].json() == CHAT


async def test_the_key_is_the_servers_and_nothing_of_the_client_goes_along() -> None:
    """LLM-02, LLM-08"""
    async with Services() as host, passing(host.url) as client:
        await client.post(
            "/v1/chat/completions",
            json=CHAT,
            headers={"Authorization": "Bearer mine", "Cookie": "a=b", "X-Own": "c"},
        )
        sent = host.asked[-1].headers
        assert sent["authorization"] == f"Bearer {KEY}"
        assert not {"cookie", "x-own"} & sent.keys()


async def test_the_probe_of_one_message_needs_no_model() -> None:
    """LLM-07"""
    async with Services() as host, passing(host.url) as client:
        answer = await client.post(
            "/v1/chat/completions", json={"messages": [{"role": "user", "content": "test"}]}
        )
        assert answer.status_code == 200
        assert host.asked[-1].json()["model"] == "mistral-nemo-instruct-2407"


async def test_the_seeds_variables_name_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """LLM-08, X-06: the older variable holds a whole path."""
    async with Services() as host:
        monkeypatch.setenv("MISTRAL_BASE_URL", f"{host.url}/v1/chat/completions")
        monkeypatch.setenv("SCALEWAY_SECRET_KEY", KEY)
        async with (
            served(llm.create_app(load())) as url,
            httpx.AsyncClient(base_url=url, timeout=60) as client,
        ):
            assert (await client.get("/health")).json()["ready"]
            assert (await client.post("/v1/chat/completions", json=CHAT)).status_code == 200
        assert host.asked[-1].headers["authorization"] == f"Bearer {KEY}"


async def test_a_stream_comes_piece_by_piece_in_order() -> None:
    """Each piece of the host is sent on before the next one is written."""
    sent = 0
    heard: asyncio.Queue[None] = asyncio.Queue()

    async def write(writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        for number in range(20):
            event = {"choices": [{"index": 0, "delta": {"content": f"{number} "}}]}
            piece = b"data: " + json.dumps(event).encode() + b"\n\n"
            writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            sent += 1
            await heard.get()
        writer.write(b"0\r\n\r\n")

    async with (
        events(write) as (address, *_),
        passing(address) as client,
        client.stream("POST", "/v1/chat/completions", json=CHAT | {"stream": True}) as answer,
    ):
        assert answer.headers["content-type"] == "text/event-stream"
        text = ""
        async for piece in answer.aiter_text():
            text += piece
            assert words(text).split() == [str(number) for number in range(sent)]
            heard.put_nowait(None)
        assert sent == 20


@asynccontextmanager
async def events(
    write: Write | None,
) -> AsyncIterator[tuple[str, asyncio.Event, asyncio.Event]]:
    """A host that answers with the events that are written, or not at all; and what is set when it
    was asked, and when whoever asked has closed the connection."""
    came, left = asyncio.Event(), asyncio.Event()
    over = asyncio.Event()

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(int(head.lower().split(b"content-length: ")[1].split()[0]))
        came.set()
        if write is not None:
            writer.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                b"Transfer-Encoding: chunked\r\n\r\n"
            )
            await write(writer)
        await reader.read()
        left.set()
        writer.close()
        await writer.wait_closed()
        over.set()

    server = await asyncio.start_server(converse, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", came, left
        await over.wait()


@pytest.mark.parametrize("begun", [True, False])
async def test_the_host_is_left_as_soon_as_the_client_leaves(begun: bool) -> None:
    """In the middle of an answer, and before its first word."""

    async def write(writer: asyncio.StreamWriter) -> None:
        piece = b'data: {"choices": []}\n\n'
        writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))

    async with (
        events(write if begun else None) as (address, came, left),
        passing(address) as client,
    ):
        asking = asyncio.create_task(first_piece(client))
        if begun:
            await asking
        else:
            async with asyncio.timeout(30):
                await came.wait()
            await asyncio.wait([asking], timeout=0.5)
            assert not left.is_set()
            asking.cancel()
            await asyncio.wait([asking])
        async with asyncio.timeout(30):
            await left.wait()


async def first_piece(client: httpx.AsyncClient) -> None:
    asked = CHAT | {"stream": True}
    async with client.stream("POST", "/v1/chat/completions", json=asked) as answer:
        await anext(answer.aiter_bytes())


@pytest.mark.parametrize(
    ("mode", "status", "cause"),
    [
        ("401", 401, "Check SCALEWAY_SECRET_KEY"),
        ("429", 429, "quota"),
        ("500", 502, "HTTP 500"),
        ("hang", 504, "network"),
        ("headers_then_hang", 504, "network"),
        ("html", 502, "address"),
    ],
)
async def test_a_failure_of_the_host_is_explained(
    mode: Mode, status: int, cause: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LLM-06, LLM-07"""
    patience = QUICK if "hang" in mode else PATIENT
    async with Services(mode=mode) as host:
        monkeypatch.setenv("MISTRAL_BASE_URL", host.url)
        monkeypatch.setenv("SCALEWAY_SECRET_KEY", KEY)
        async with (
            served(llm.create_app(load(), patience=patience)) as url,
            httpx.AsyncClient(base_url=url, timeout=60) as client,
        ):
            answer = await client.post("/v1/chat/completions", json=CHAT)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    told = answer.json()
    assert cause in told["mend"]
    assert told["code"] == told["error"]["code"] == "llm"
    assert KEY not in answer.text
    assert "entretien" not in answer.text


async def test_a_request_that_the_host_refuses_is_explained() -> None:
    """LLM-06: 400 and 422 are both an invalid request."""
    async with (
        Services(unknown=frozenset({"temperature"})) as host,
        passing(host.url) as client,
    ):
        answer = await client.post("/v1/chat/completions", json=CHAT)
    assert answer.status_code == 422
    assert "HTTP 400: invalid request" in answer.json()["mend"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"messages": []}',
        b'{"messages": ["a"]}',
        b'{"messages": [{"content": "a"}]}',
    ],
)
async def test_what_is_no_chat_goes_nowhere(body: bytes) -> None:
    """LLM-06"""
    async with Services() as host, passing(host.url) as client:
        answer = await client.post("/v1/chat/completions", content=body)
        assert answer.status_code == 422
        assert "messages" in answer.json()["mend"]
        assert not host.asked


@pytest.mark.parametrize(("written", "seconds"), [("7", "7"), ("1.2", "2"), ("soon", None)])
async def test_when_to_come_back_is_passed_on(written: str, seconds: str | None) -> None:
    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(
            b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n"
            b"Connection: close\r\nRetry-After: " + written.encode() + b"\r\n\r\n"
        )
        writer.close()

    server = await asyncio.start_server(converse, "127.0.0.1", 0)
    async with server, passing(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}") as client:
        answer = await client.post("/v1/chat/completions", json=CHAT)
    assert answer.status_code == 429
    assert answer.headers.get("retry-after") == seconds


def test_a_date_to_come_back_at_is_understood() -> None:
    now = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
    assert seconds_until("Sat, 21 Nov 2026 12:01:30 GMT", now) == 90
    assert seconds_until("Sat, 21 Nov 2026 11:00:00 GMT", now) == 0
    assert seconds_until("", now) is None
    assert seconds_until("inf", now) is None
    assert seconds_until("nan", now) is None


async def test_a_host_that_is_not_there_is_named() -> None:
    async with passing("http://127.0.0.1:9") as client:
        answer = await client.post("/v1/chat/completions", json=CHAT)
    assert answer.status_code == 502
    assert "could not be reached" in answer.json()["detail"]


@pytest.mark.parametrize("mode", ["stall_mid", "close_mid"])
async def test_an_answer_that_breaks_off_says_so_to_openais_client(mode: Mode) -> None:
    async with (
        Services(mode=mode, reply="un deux trois quatre cinq six") as host,
        passing(host.url, QUICK if mode == "stall_mid" else PATIENT) as client,
        openai.AsyncClient(base_url=f"{client.base_url}/v1", api_key="none", max_retries=0) as sdk,
    ):
        stream = await sdk.chat.completions.create(
            model="any", messages=[{"role": "user", "content": "test"}], stream=True
        )
        said = [(await anext(stream)).choices[0].delta.content for _ in range(3)]
        assert said == ["un ", "deux ", "trois "]
        with pytest.raises(openai.APIError, match=r"in time|reached"):
            await anext(stream)


async def test_openais_client_is_answered_and_told_of_failures() -> None:
    async with Services() as host, passing(host.url) as client:
        sdk = openai.AsyncClient(base_url=f"{client.base_url}/v1", api_key="none", max_retries=0)
        answer = await sdk.chat.completions.create(
            model="any", messages=[{"role": "user", "content": "test"}]
        )
        assert answer.choices[0].message.content == host.reply
        assert [model async for model in sdk.models.list()] == []
        host.mode = "401"
        with pytest.raises(openai.AuthenticationError, match="refused the key"):
            await sdk.chat.completions.create(
                model="any", messages=[{"role": "user", "content": "test"}]
            )
        await sdk.close()


async def test_without_a_host_nothing_is_made_up() -> None:
    """LLM-05"""
    async with (
        served(llm.create_app(load())) as url,
        httpx.AsyncClient(base_url=url, timeout=60) as client,
    ):
        answers = [
            await client.get("/health"),
            await client.post("/v1/chat/completions", json=CHAT),
        ]
    for answer in answers:
        assert answer.status_code == 503
        assert "SCALEWAY_SECRET_KEY" in answer.json()["mend"]


async def test_a_service_that_leads_back_to_itself_does_not_go_round(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """X-06: the address of this very service, given to it as its host's."""
    monkeypatch.setenv("MISTRAL_API_KEY", KEY)
    async with served(llm.create_app(load())) as url:
        monkeypatch.setenv("MISTRAL_BASE_URL", url)
        async with httpx.AsyncClient(base_url=url, timeout=60) as client:
            answer = await client.post("/v1/chat/completions", json=CHAT)
    assert answer.status_code == 502
    assert "leads back to this service" in answer.json()["mend"]


async def test_nothing_of_a_chat_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async with Services(mode="500") as host, passing(host.url) as client:
        with caplog.at_level(logging.DEBUG, "eloquence"):
            await client.post("/v1/chat/completions", json=CHAT)
    ours = [line.getMessage() for line in caplog.records if line.name.startswith("eloquence")]
    assert ours == ["/v1/chat/completions was answered with: llm"]


async def test_a_request_that_is_too_large_is_refused_however_it_comes() -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b" " * 65_536

    async with Services() as host, passing(host.url) as client:
        answer = await client.post("/v1/chat/completions", content=b" " * (llm.MOST_BYTES + 1))
        assert answer.status_code == 413
        answer = await client.post("/v1/chat/completions", content=endless())
        assert answer.status_code == 413
        assert not host.asked


async def test_a_request_that_does_not_come_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eloquence.server.services._gate.BODY_SECONDS", 0.2)

    async with Services() as host, passing(host.url) as client:
        port = client.base_url.port
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(
            b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{"
        )
        assert b" 408 " in await reader.readline()
        writer.close()
        await writer.wait_closed()
