"""The speech services beside the page: for programs of whoever may talk here, and for nobody else.
Who may use which route is in `test_access.py`."""

import asyncio
import json
import socket
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from tests.server.conftest import Served, serving
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from eloquence.config import Settings, load
from eloquence.errors import LanguageModelError
from eloquence.server import limits
from eloquence.server.services import mounted, stt
from eloquence.server.services._bounds import bounded
from eloquence.storage.sessions import open_store
from eloquence.testing.services import Services

CHAT: Any = {"model": "any", "messages": [{"role": "user", "content": "Bonjour."}]}
STAGES: dict[str, Any] = {
    "stt": {"provider": "openai", "options": {"base_url": "http://127.0.0.1:9"}},
    "llm": {"provider": "script"},
    "tts": {"provider": "espeak"},
}
ORIGIN = "https://evil.example"


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server on one machine, without accounts."""
    yield from serving(load(data=tmp_path_factory.mktemp("alone"), **STAGES))


@dataclass(frozen=True)
class School(Served):
    """A server at which people sign in."""

    key: str
    browser: str


@pytest.fixture(scope="module")
def school(tmp_path_factory: pytest.TempPathFactory) -> Iterator[School]:
    settings = load(data=tmp_path_factory.mktemp("school"), sign_in=True, **STAGES)
    key, browser = asyncio.run(_somebody(settings))
    for served in serving(settings):
        yield School(served.port, settings, key, browser)


async def _somebody(settings: Settings) -> tuple[str, str]:
    async with open_store(settings.database, settings.recordings) as store:
        account, key = await store.accounts.add("Ada", "learner")
        return key, await store.accounts.sign_in(account.id)


async def spoken(url: str, end: str = "", **headers: str) -> Any:
    """What the socket answers to nothing at all."""
    address = f"{url.replace('http', 'ws')}/ws{end}"
    origin: Any = headers.pop("Origin", None)
    async with connect(address, origin=origin, additional_headers=headers) as line:
        await line.send('{"eof": 1}')
        return json.loads(await line.recv())


def test_openais_client_uses_the_coach_of_this_machine(alone: Served) -> None:
    with openai.OpenAI(base_url=f"{alone.url}/v1", api_key="any", max_retries=0) as client:
        answer = client.chat.completions.create(**CHAT)
        assert answer.choices[0].message.content
        assert [model.owned_by for model in client.models.list()] == ["script"]
        sound = client.audio.speech.create(
            input="Bonjour.", model="tts-1", voice="nova", response_format="pcm"
        )
        assert len(sound.content) > 10_000
        with pytest.raises(openai.InternalServerError, match="recogniser"):
            client.audio.transcriptions.create(
                file=("a.wav", client.audio.speech.create(
                    input="Bonjour.", model="tts-1", voice="nova", response_format="wav"
                ).content),
                model="whisper-1",
            )  # fmt: skip
    assert asyncio.run(spoken(alone.url)) == {"text": ""}


def test_a_key_is_the_accounts_own(school: School) -> None:
    with openai.OpenAI(base_url=f"{school.url}/v1", api_key=school.key, max_retries=0) as client:
        assert client.chat.completions.create(**CHAT).choices[0].message.content
    for key in ("elq_01234567_wrong", "none"):
        with (
            openai.OpenAI(base_url=f"{school.url}/v1", api_key=key, max_retries=0) as client,
            pytest.raises(openai.AuthenticationError, match="not valid"),
        ):
            client.chat.completions.create(**CHAT)
    bearer = {"Authorization": f"Bearer {school.key}"}
    assert asyncio.run(spoken(school.url, **bearer)) == {"text": ""}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"Authorization": "Bearer elq_01234567_wrong"}, 401),
        ({"Authorization": "Basic YWRhOmFkYQ=="}, 401),
        ({"Cookie": "eloquence=nothing", "Origin": "own"}, 401),
        ({"Cookie": "own"}, 403),
        ({"Cookie": "own", "Origin": ORIGIN}, 403),
        ({"Authorization": "own", "Origin": ORIGIN}, 403),
        ({"Authorization": "own", "Host": "evil.example"}, 403),
    ],
)
def test_a_socket_is_for_those_alone_who_may_talk(
    school: School, headers: dict[str, str], status: int
) -> None:
    """Refused as a handshake, with its reason; before anything of it is heard."""
    own = {
        "Cookie": f"eloquence={school.browser}",
        "Authorization": f"Bearer {school.key}",
        "Origin": school.url,
    }
    sent = {name: own.get(name, "") if value == "own" else value for name, value in headers.items()}
    if "Host" in sent:  # the client writes its own
        answer = httpx.get(
            f"{school.url}/ws",
            headers=sent
            | {
                "Connection": "Upgrade",
                "Upgrade": "websocket",
                "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
                "Sec-WebSocket-Version": "13",
            },
        )
        assert answer.status_code == status
        return
    with pytest.raises(InvalidStatus) as refused:
        asyncio.run(spoken(school.url, **sent))
    assert refused.value.response.status_code == status


def test_a_signed_in_browser_uses_them_from_the_servers_own_page(school: School) -> None:
    cookie = {"Cookie": f"eloquence={school.browser}", "Origin": school.url}
    assert asyncio.run(spoken(school.url, **cookie)) == {"text": ""}
    answer = httpx.post(f"{school.url}/v1/chat/completions", json=CHAT, headers=cookie, timeout=60)
    assert answer.status_code == 200


def test_no_other_site_uses_them_by_way_of_a_visitors_browser(alone: Served) -> None:
    """With or without an origin, whatever the method."""
    for headers in ({"Origin": ORIGIN}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}):
        for method, path in (
            ("POST", "/v1/chat/completions"),
            ("GET", "/v1/models"),
            ("POST", "/transcribe"),
        ):
            answer = httpx.request(method, f"{alone.url}{path}", headers=headers, timeout=60)
            assert answer.status_code == 403, (method, path, headers)
    with pytest.raises(InvalidStatus):
        asyncio.run(spoken(alone.url, Origin=ORIGIN))
    rebound = httpx.get(f"{alone.url}/v1/models", headers={"Host": "evil.example"}, timeout=60)
    assert rebound.status_code == 403


def test_without_accounts_nobody_but_this_machine_is_answered(tmp_path: Path) -> None:
    """Nor who comes through a proxy, nor anybody where the page is open to others."""
    open_to_all = load(data=tmp_path / "open", host="0.0.0.0", sign_in=False, **STAGES)
    public = load(
        data=tmp_path / "public", public_url="https://coach.example.org", sign_in=False, **STAGES
    )
    for settings in (open_to_all, public):
        for served in serving(settings):
            answer = served.get("/v1/models")
            assert answer.status_code == 403
            assert "this machine alone" in answer.json()["detail"]
            assert served.get("/").status_code == 200


def test_a_proxys_guest_is_not_this_machine(alone: Served) -> None:
    for name in ("X-Forwarded-For", "Forwarded", "X-Real-IP"):
        assert alone.get("/v1/models", **{name: "203.0.113.9"}).status_code == 403
    assert alone.get("/v1/models").status_code == 200


@pytest.mark.parametrize("end", ["%0A", "/", "%2F", "%00", ";x", "%20"])
def test_no_other_way_of_writing_a_path_gets_past_the_gate(school: School, end: str) -> None:
    """A router's pattern lets a line feed stand after a path."""
    for method, path in (("GET", "/v1/models"), ("POST", "/v1/chat/completions")):
        answer = httpx.request(method, f"{school.url}{path}{end}", json=CHAT, timeout=60)
        assert answer.status_code >= 400
        assert "choices" not in answer.text
        assert "owned_by" not in answer.text
    with pytest.raises((InvalidStatus, ConnectionClosed)):
        asyncio.run(spoken(school.url, end=end, Origin=school.url))


def test_nothing_of_a_strangers_upload_is_waited_for(school: School) -> None:
    """A stranger is refused by the header alone, whatever else would come."""
    with socket.create_connection(("127.0.0.1", school.port), timeout=10) as line:
        line.sendall(
            b"POST /transcribe HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999999\r\n"
            b"Content-Type: multipart/form-data; boundary=x\r\nExpect: 100-continue\r\n\r\n"
        )
        assert line.recv(12) == b"HTTP/1.1 401"


def test_recordings_are_larger_than_the_rest_of_what_the_page_sends(alone: Served) -> None:
    file = bytes(1 << 20)
    taken = httpx.post(f"{alone.url}/transcribe", files={"file": file}, timeout=60)
    assert taken.status_code == 422
    refused = httpx.post(
        f"{alone.url}/transcribe", files={"file": bytes(stt.MOST_FORM)}, timeout=60
    )
    assert refused.status_code == 413
    assert httpx.post(f"{alone.url}/api/v1/sign-in", content=file, timeout=60).status_code == 413


def test_an_account_has_so_many_requests_a_minute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SERVICES_PER_MINUTE", 3)
    settings = load(data=tmp_path / "limited", sign_in=True, **STAGES)
    key, _ = asyncio.run(_somebody(settings))
    for served in serving(settings):
        told = [served.get("/v1/models", Authorization=f"Bearer {key}") for _ in range(5)]
        assert [answer.status_code for answer in told] == [200, 200, 200, 429, 429]
        assert int(told[-1].headers["retry-after"]) >= 1
        assert told[-1].json()["error"]["code"] == "too_many"


async def test_an_account_has_the_models_of_the_settings(tmp_path: Path) -> None:
    """Whichever it names: the price is the operator's."""
    async with Services() as host:
        given = {"base_url": host.url, "api_key": "k", "model": "ours"}
        stages = STAGES | {
            "llm": {"provider": "openai", "options": given},
            "tts": {"provider": "openai", "options": given},
        }
        settings = load(data=tmp_path / "models", sign_in=True, **stages)
        key, _ = await _somebody(settings)
        for served in serving(settings):
            own = {"Authorization": f"Bearer {key}"}
            async with httpx.AsyncClient(base_url=served.url, headers=own, timeout=60) as client:
                for path, body in (
                    ("/v1/chat/completions", CHAT | {"model": "dearest"}),
                    ("/v1/audio/speech", {"input": "Bonjour.", "model": "dearest"}),
                    ("/api/tts", {"text": "Bonjour.", "model": "dearest"}),
                ):
                    answer = await client.post(path, json=body)
                    assert answer.status_code == 200, answer.text
        assert [json.loads(one.body)["model"] for one in host.asked] == ["ours"] * 3


async def test_an_account_asks_for_one_answer_of_a_bounded_length(tmp_path: Path) -> None:
    """K02: what an answer costs is the operator's to pay."""
    async with Services() as host:
        given = {"base_url": host.url, "api_key": "k", "model": "ours"}
        llm = {"llm": {"provider": "openai", "options": given}}
        settings = load(data=tmp_path / "bounded", sign_in=True, **STAGES | llm)
        key, _ = await _somebody(settings)
        for served in serving(settings):
            address = f"{served.url}/v1"
            async with openai.AsyncOpenAI(base_url=address, api_key=key, max_retries=0) as client:
                ask: Any = client.chat.completions.create
                for more, told in (
                    ({"n": 2}, "n"),
                    ({"n": 0}, "n"),
                    ({"extra_body": {"n": True}}, "n"),
                    ({"extra_body": {"n": "2"}}, "n"),
                    ({"max_tokens": 4_097}, "max_tokens"),
                    ({"max_tokens": 0}, "max_tokens"),
                    ({"max_tokens": 10, "max_completion_tokens": 10**9}, "max_completion_tokens"),
                    ({"extra_body": {"max_tokens": 1e9}}, "max_tokens"),
                    ({"service_tier": "priority"}, "service_tier"),
                    ({"extra_body": {"best_of": 20}}, "best_of"),
                    ({"store": True}, "store"),
                ):
                    with pytest.raises(openai.UnprocessableEntityError) as refused:
                        await ask(**CHAT, **more)
                    problem: Any = refused.value.response.json()
                    assert told in problem["detail"] + problem["mend"]
                    assert problem["mend"]
                    assert problem["error"]["message"] == f"{problem['detail']} {problem['mend']}"
                assert not host.asked
                await ask(**CHAT)
                await ask(**CHAT, n=1, max_tokens=4_096, temperature=0.2, store=False)
                await ask(**CHAT, max_completion_tokens=20)
        sent = [json.loads(one.body) for one in host.asked]
        assert [one["max_tokens"] for one in sent] == [1_024, 4_096, 20]
        assert sent[1].keys() == {"model", "messages", "n", "temperature", "max_tokens"}
        assert "max_completion_tokens" not in sent[2]


async def test_whoever_pays_asks_for_what_they_like(tmp_path: Path) -> None:
    """Without accounts a chat goes on as it came."""
    async with Services() as host:
        given = {"base_url": host.url, "api_key": "k", "model": "ours"}
        llm = {"llm": {"provider": "openai", "options": given}}
        asked = CHAT | {"n": 2, "max_tokens": 10_000, "store": True}
        for served in serving(load(data=tmp_path / "own", **STAGES | llm)):
            async with httpx.AsyncClient(base_url=served.url, timeout=60) as client:
                answer = await client.post("/v1/chat/completions", json=asked)
                assert answer.status_code == 200
        assert [json.loads(one.body) for one in host.asked] == [asked]


def test_openai_itself_is_told_the_length_by_its_newer_name() -> None:
    body = json.dumps(CHAT | {"max_tokens": 20}).encode()
    sent = json.loads(bounded(body, "max_completion_tokens"))
    assert sent == CHAT | {"max_completion_tokens": 20}
    for none in (b"", b"[1]", b"{", b"[" * 100_000, b"\xff"):
        assert bounded(none, "max_tokens") == none


def test_a_field_that_is_no_text_is_told_as_text() -> None:
    with pytest.raises(LanguageModelError, match="d800"):
        bounded(b'{"messages": [], "\\ud800": 1}', "max_tokens")


def test_what_an_account_asks_of_services_is_of_its_minutes_of_the_day(tmp_path: Path) -> None:
    """A request counts for five seconds; a minute has twelve."""
    settings = load(data=tmp_path / "day", sign_in=True, minutes_per_day=1, **STAGES)
    key, _ = asyncio.run(_somebody(settings))
    other, _ = asyncio.run(_somebody(settings))
    for served in serving(settings):
        told = [served.get("/v1/models", Authorization=f"Bearer {key}") for _ in range(13)]
        assert [answer.status_code for answer in told] == [200] * 12 + [429]
        problem = told[-1].json()
        assert "minutes a day" in problem["error"]["message"]
        assert problem["mend"]
        assert served.get("/v1/models", Authorization=f"Bearer {other}").status_code == 200


def test_no_account_holds_more_than_half_of_the_places(school: School) -> None:
    """K02: sockets that say nothing, all of the same learner."""
    other, _ = asyncio.run(_somebody(school.settings))

    async def refused() -> int:
        address = f"{school.url.replace('http', 'ws')}/ws"
        bearer = {"Authorization": f"Bearer {school.key}"}
        async with AsyncExitStack() as stack:
            for _ in range(mounted.AT_ONCE["stt"] // 2):
                await stack.enter_async_context(connect(address, additional_headers=bearer))
            with pytest.raises(InvalidStatus) as told:
                await connect(address, additional_headers=bearer)
            await spoken(school.url, Authorization=f"Bearer {other}")
            return told.value.response.status_code

    assert asyncio.run(refused()) == 429


def test_errors_are_in_the_shape_that_openais_clients_read(alone: Served) -> None:
    wrong = httpx.post(f"{alone.url}/v1/chat/completions", json={"messages": []}, timeout=60)
    assert wrong.status_code == 422
    assert "messages" in wrong.json()["error"]["message"]
    invalid = httpx.post(f"{alone.url}/v1/audio/speech", json={"input": ""}, timeout=60)
    assert "input" in invalid.json()["error"]["message"]
    method = alone.get("/api/tts")
    assert (method.status_code, method.headers["allow"]) == (405, "POST")
    assert method.headers["content-type"] == "application/problem+json"
    for answer in (alone.get("/tts"), httpx.post(f"{alone.url}/tts", json={"text": "a"})):
        assert (answer.status_code, answer.json()["mend"]) == (404, "Use /api/tts.")


def test_every_service_is_mounted_once() -> None:
    assert sorted(mounted.PATHS) == [
        "/api/tts",
        "/transcribe",
        "/v1/audio/speech",
        "/v1/audio/transcriptions",
        "/v1/chat/completions",
        "/v1/models",
        "/ws",
    ]
