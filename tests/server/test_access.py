"""Who may do what: every route of the application, asked by everybody (X-31, reliability 6.7:
8.2.1, 8.4.1). A route that has no rule here fails `test_every_route_has_a_rule`.

LiveKit is not there in these tests: a request that is let through as far as its room is answered
503, `room`.
"""

import asyncio
import itertools
import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from fastapi.routing import APIWebSocketRoute, iter_route_contexts
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from tests.bootstrap.takes import keep, session
from tests.server.conftest import Served, serving
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from eloquence import protocol
from eloquence.config import Settings, load
from eloquence.server.app import create_app
from eloquence.storage.accounts import ROLES, Role
from eloquence.storage.recordings import LEARNER_RATE, Recorder
from eloquence.storage.sessions import open_store

EXERCISE = "conversation_libre_marie"
HELLO = {"exercise": EXERCISE, "language": "fr"}
CHAT = {"messages": [{"role": "user", "content": "test"}]}


@dataclass(frozen=True)
class Rule:
    """Who may use a route, and what the owner of the object is answered. `role` is None where
    anybody may; `of` says which session of theirs the request is about: one that is `over`, one
    that is `live` in a room, one to be ended (`ending`) or deleted (`gone`). In path, query and
    body, `{session}` and `{room}` stand for that session and its room."""

    role: Role | None
    status: int
    code: str = ""
    of: str = ""
    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    body: Any = None


RULES: dict[tuple[str, str], Rule] = {
    ("GET", "/"): Rule(None, 200),
    ("GET", "/health"): Rule(None, 503),
    ("GET", "/api/openapi.json"): Rule(None, 200),
    ("GET", "/api/v1/status"): Rule(None, 200),
    ("POST", "/api/v1/sign-in"): Rule(None, 401, "authentication", body={"key": "elq_unknown"}),
    ("POST", "/api/v1/sign-out"): Rule(None, 204),
    ("GET", "/api/v1/sign-in/oidc"): Rule(None, 409, "configuration"),
    ("GET", "/api/v1/sign-in/oidc/callback"): Rule(None, 409, "configuration"),
    ("GET", "/api/v1/exercises"): Rule("learner", 200),
    ("GET", "/api/v1/models"): Rule("learner", 200),
    ("POST", "/api/v1/models/{name}"): Rule("operator", 502, "model", path={"name": "nothing"}),
    ("GET", "/metrics/sessions"): Rule("operator", 200),
    ("GET", "/metrics/plugins"): Rule("operator", 200),
    ("GET", "/api/v1/plugins"): Rule("operator", 200),
    ("PUT", "/api/v1/plugins/{name}"): Rule(
        "operator", 409, "plugin", path={"name": "nothing"}, body={"on": True}
    ),
    ("GET", "/api/v1/memory"): Rule("learner", 200),
    ("PUT", "/api/v1/memory"): Rule("learner", 409, "plugin", body={"on": True}),
    ("DELETE", "/api/v1/memory"): Rule("learner", 204),
    ("PUT", "/api/v1/memory/facts/{fact_id}"): Rule(
        "learner", 404, "fact_not_found", path={"fact_id": "none"}, body={"text": "Ada"}
    ),  # those of others: tests/server/test_memory.py
    ("DELETE", "/api/v1/memory/facts/{fact_id}"): Rule(
        "learner", 404, "fact_not_found", path={"fact_id": "none"}
    ),
    ("GET", "/api/v1/providers"): Rule("operator", 200),
    ("PUT", "/api/v1/providers/{stage}"): Rule(
        "operator", 409, "provider_not_found", path={"stage": "tts"}, body={"provider": "nobody"}
    ),
    ("POST", "/api/v1/providers/{stage}/check"): Rule("operator", 200, path={"stage": "tts"}),
    ("GET", "/api/v1/sessions"): Rule("learner", 200),
    ("GET", "/api/v1/progress"): Rule("learner", 200),
    ("GET", "/api/v1/goals"): Rule("learner", 200, query={"exercise": EXERCISE}),
    ("GET", "/api/v1/sessions/{session_id}/report"): Rule("learner", 200, of="over"),
    ("GET", "/api/v1/sessions/{session_id}/report.{kind}"): Rule(
        "learner", 200, of="over", path={"kind": "json"}
    ),
    ("GET", "/api/v1/sessions/{session_id}/audio/{name}"): Rule(
        "learner", 200, of="over", path={"name": "learner"}
    ),
    ("PUT", "/api/v1/sessions/{session_id}/marks/{mark}"): Rule(
        "learner", 404, "mark_not_found", "over", path={"mark": "none"}, body={"dismissed": True}
    ),
    ("PUT", "/api/v1/sessions/{session_id}/notes"): Rule(
        "learner", 204, of="over", body={"plan": "parler plus lentement"}
    ),
    ("POST", "/api/v1/sessions/{session_id}/judgement"): Rule(
        "learner", 409, "judgement", of="over"
    ),
    ("GET", "/api/v1/sessions/{session_id}/comparison"): Rule(
        "learner", 200, of="over", query={"with": "{session}"}
    ),
    ("DELETE", "/api/v1/sessions/{session_id}"): Rule("learner", 204, of="gone"),
    ("POST", "/api/v1/sessions"): Rule("learner", 503, "room", body=HELLO),
    ("POST", "/api/sessions"): Rule("learner", 503, "room", body=HELLO),
    ("POST", "/api/v1/sessions/{session_id}/token"): Rule("learner", 503, "room", "live"),
    ("POST", "/api/v1/sessions/{session_id}/end"): Rule("learner", 204, of="ending"),
    ("GET", "/token"): Rule("learner", 503, "room", "live", query={"room": "{room}"}),
    ("POST", "/token"): Rule("learner", 503, "room", "live", body={"room": "{room}"}),
    ("POST", "/transcribe"): Rule("learner", 422, "recording"),
    ("POST", "/v1/audio/transcriptions"): Rule("learner", 422, "recording"),
    ("POST", "/v1/chat/completions"): Rule("learner", 503, "dependency_not_found", body=CHAT),
    ("GET", "/v1/models"): Rule("learner", 503, "dependency_not_found"),
    ("POST", "/api/tts"): Rule("learner", 422, "tts", body={"text": "a", "voice": "Rachel"}),
    ("POST", "/v1/audio/speech"): Rule(
        "learner", 422, "tts", body={"input": "a", "voice": "Rachel"}
    ),
    ("WEBSOCKET", "/api/v1/talk"): Rule("learner", 0),  # `test_talk_…` below
    ("WEBSOCKET", "/ws"): Rule("learner", 0),  # tests/server/test_services_mounted.py
}

ASKED = [route for route in RULES if route[0] != "WEBSOCKET"]
OF_SESSIONS = [route for route in ASKED if RULES[route].of]
CHANGING = [route for route in ASKED if route[0] != "GET" and route[1] != "/api/v1/sign-in"]

PEOPLE: dict[str, Role] = {"ada": "learner", "bob": "learner", "cleo": "author", "omar": "operator"}


@dataclass(frozen=True)
class School(Served):
    """A server with four people, each with their sessions; `keys` and `browsers` by name."""

    keys: Mapping[str, str]
    browsers: Mapping[str, str]
    counter: Iterator[int]

    def ask(
        self,
        route: tuple[str, str],
        *,
        key: str | None = None,
        whose: str = "ada",
        of: str = "",
        headers: Mapping[str, str] | None = None,
        bare: bool = False,
    ) -> httpx.Response:
        """What a route answers about a session of somebody; `bare` without body and query."""
        method, path = route
        rule = RULES[route]
        session_id = f"{whose}-{of or rule.of}"
        filled = path.format(session_id=session_id, **rule.path)
        given = {"{session}": session_id, "{room}": f"s_{session_id}"}
        sent = dict(headers or {})
        # Behind a proxy of ours: every request from an address of its own, below all limits.
        sent["X-Forwarded-For"] = f"198.18.{next(self.counter) // 250}.{next(self.counter) % 250}"
        if key is not None:
            sent["Authorization"] = f"Bearer {key}"
        return httpx.request(
            method,
            f"{self.url}{filled}",
            params=None if bare else {name: given.get(v, v) for name, v in rule.query.items()},
            json=None if bare or rule.body is None else _filled(rule.body, given),
            headers=sent,
            timeout=60,
        )

    def cookie(self, name: str, **headers: str) -> dict[str, str]:
        return {"Cookie": f"eloquence={self.browsers[name]}", **headers}


def _filled(body: dict[str, Any], given: Mapping[str, str]) -> dict[str, Any]:
    return {name: given.get(v, v) if isinstance(v, str) else v for name, v in body.items()}


async def _peopled(settings: Settings) -> tuple[dict[str, str], dict[str, str]]:
    """Keys and browsers of everybody; the id of a session tells whose it is."""
    keys, browsers = {}, {}
    async with open_store(settings.database, settings.recordings) as store:
        for name, role in PEOPLE.items():
            account, keys[name] = await store.accounts.add(name, role)
            browsers[name] = await store.accounts.sign_in(account.id)
            for kind in ("over", "gone"):
                one = session(f"{name}-{kind}", keep_audio=True)
                async with Recorder(settings.recordings, one) as recorder:
                    recorder.learner(0.0, np.ones(LEARNER_RATE, dtype=np.int16).tobytes())
                await keep(store, one, learner=account.id)
            for kind in ("live", "ending"):
                one = session(f"{name}-{kind}")
                room = f"s_{one.id}"
                request = json.dumps(HELLO)
                await store.requests.add(one, learner=account.id, room=room, request=request)
    return keys, browsers


@pytest.fixture(scope="module")
def school(tmp_path_factory: pytest.TempPathFactory) -> Iterator[School]:
    """Rooms and accounts; LiveKit does not answer."""
    settings = load(
        data=tmp_path_factory.mktemp("school"),
        livekit_url="ws://127.0.0.1:9",
        livekit_api_key="key",
        livekit_api_secret="s" * 40,
        trusted_proxies=("127.0.0.1", "::1"),
        live_per_learner=1000,
        starts_per_minute=1000,
    )
    keys, browsers = asyncio.run(_peopled(settings))
    for served in serving(settings):
        yield School(served.port, settings, keys, browsers, itertools.count())


def code(answer: httpx.Response) -> str:
    """The code of the problem, empty for an answer that tells none."""
    problem = answer.headers.get("content-type", "") == "application/problem+json"
    return str(answer.json()["code"]) if problem else ""


def test_every_route_has_a_rule() -> None:
    """A new route is not served before somebody has written down here who may use it."""
    with tempfile.TemporaryDirectory() as folder:
        app = create_app(load(data=Path(folder)))
    found, mounted = set(), []
    for context in iter_route_contexts(app.routes):
        if isinstance(context.original_route, Mount):
            mounted.append(context.original_route.app)
        elif isinstance(context.original_route, APIWebSocketRoute):
            found.add(("WEBSOCKET", context.path))
        else:
            methods = (context.methods or set()) - {"HEAD"}
            found |= {(method, context.path) for method in methods}
    assert found == set(RULES)
    assert [type(one) for one in mounted] == [StaticFiles]  # the page, which is public


@pytest.mark.parametrize("route", ASKED, ids=" ".join)
def test_a_stranger_is_told_nothing_but_to_sign_in(school: School, route: tuple[str, str]) -> None:
    """Nobody, a key that is no key, another kind of credential, and a cookie that is no sign-in."""
    rule = RULES[route]
    strangers: list[dict[str, Any]] = [
        {},
        {"bare": True},
        {"key": "elq_01234567_not-a-key"},
        {"headers": {"Authorization": "Basic YWRhOmFkYQ=="}},
        {"headers": {"Cookie": "eloquence=nothing", "Origin": school.url}},
    ]
    for stranger in strangers:
        answer = school.ask(route, **stranger)
        if rule.role is None:
            if "bare" not in stranger and route[1] not in {"/api/v1/status", "/api/v1/sign-out"}:
                assert answer.status_code == rule.status, answer.text
            continue
        assert (answer.status_code, code(answer)) == (401, "authentication"), stranger
        assert answer.headers["www-authenticate"] == "Bearer"
        assert "ada" not in answer.text


@pytest.mark.parametrize("route", ASKED, ids=" ".join)
@pytest.mark.parametrize("name", PEOPLE)
def test_everybody_does_what_their_role_may_with_what_is_their_own(
    school: School, route: tuple[str, str], name: str
) -> None:
    rule = RULES[route]
    answer = school.ask(route, key=school.keys[name], whose=name)
    if rule.role is not None and ROLES.index(PEOPLE[name]) < ROLES.index(rule.role):
        assert (answer.status_code, code(answer)) == (403, "permission_denied")
    else:
        assert answer.status_code == rule.status, answer.text
        assert code(answer) == rule.code or not rule.code


@pytest.mark.parametrize("route", OF_SESSIONS, ids=" ".join)
@pytest.mark.parametrize("name", ["bob", "cleo", "omar"])
def test_a_session_of_somebody_else_is_not_there(
    school: School, route: tuple[str, str], name: str
) -> None:
    """Not for an operator either; and nothing tells it from one that never was."""
    told = []
    for absent in (False, True):
        of = "absent" if absent else RULES[route].of.replace("gone", "over")
        answer = school.ask(route, key=school.keys[name], of=of)
        assert (answer.status_code, code(answer)) == (404, "session_not_found"), answer.text
        told.append(answer.text.replace(f"ada-{of}", "…"))
    assert told[0] == told[1]


def test_what_others_asked_has_changed_nothing(school: School) -> None:
    """After all that was asked above of Ada's sessions, they are as they were."""
    report = school.ask(
        ("GET", "/api/v1/sessions/{session_id}/report"), key=school.keys["ada"]
    ).json()
    assert report["plan"] in ("", "parler plus lentement")  # hers, if anybody's
    listed = school.ask(("GET", "/api/v1/sessions"), key=school.keys["ada"]).json()
    states = {one["id"]: one["status"] for one in listed}
    assert states["ada-over"] == "complete"
    assert states["ada-live"] == "live"


@pytest.mark.parametrize("route", CHANGING, ids=" ".join)
def test_no_other_site_changes_anything_with_the_cookie_of_a_browser(
    school: School, route: tuple[str, str]
) -> None:
    """3.5.1: a browser that does not say from which page it asks is refused, as is another page."""
    for headers in ({}, {"Origin": "https://evil.example"}, {"Origin": "null"}):
        answer = school.ask(route, headers=school.cookie("bob", **headers), whose="bob")
        assert answer.status_code == 403, answer.text
    # Whoever signs out asks nothing more.
    who = "ada" if route[1] == "/api/v1/sign-out" else "cleo"
    own = school.ask(route, headers=school.cookie(who, Origin=school.url), whose=who)
    assert own.status_code != 401
    assert RULES[route].role == "operator" or own.status_code != 403


def test_lists_and_figures_are_of_ones_own_sessions_alone(school: School) -> None:
    for name in PEOPLE:
        key = school.keys[name]
        listed = school.ask(("GET", "/api/v1/sessions"), key=key).json()
        assert listed
        assert {one["id"].split("-")[0] for one in listed if "-" in one["id"]} == {name}
        progress = school.ask(("GET", "/api/v1/progress"), key=key).text
        others = [other for other in PEOPLE if other != name]
        assert f"{name}-over" in progress
        assert not [other for other in others if f"{other}-" in progress]


def test_ones_own_session_is_not_compared_with_that_of_somebody_else(school: School) -> None:
    for other in ("ada-over", "absent"):
        answer = httpx.get(
            f"{school.url}/api/v1/sessions/bob-over/comparison",
            params={"with": other},
            headers={"Authorization": f"Bearer {school.keys['bob']}"},
            timeout=60,
        )
        assert (answer.status_code, code(answer)) == (404, "session_not_found")


@pytest.mark.parametrize("wanted", [{"drill": "slow_down"}, {"retry": 1}])
def test_nobody_practises_on_the_session_of_somebody_else(
    school: School, wanted: dict[str, Any]
) -> None:
    for of in ("ada-over", "absent"):
        answer = httpx.post(
            f"{school.url}/api/v1/sessions",
            json={**HELLO, **wanted, "of": of},
            headers={"Authorization": f"Bearer {school.keys['bob']}"},
            timeout=60,
        )
        assert (answer.status_code, code(answer)) == (404, "session_not_found")


def test_a_stranger_learns_from_the_status_how_to_sign_in_and_nothing_else(
    school: School,
) -> None:
    told = school.ask(("GET", "/api/v1/status")).json()
    assert told.pop("version")
    assert told == {
        "language": "fr",
        "transport": "livekit",
        "accounts": True,
        "sign_in": {"oidc": False, "key": True},
        "account": None,
    }


def test_the_status_tells_who_one_is_and_what_is_wrong_with_the_content_to_its_authors(
    tmp_path: Path,
) -> None:
    content = tmp_path / "content"
    (content / "fr" / "exercises").mkdir(parents=True)
    (content / "fr" / "exercises" / "faux.yaml").write_text("id: [\n")
    settings = load(data=tmp_path / "data", content=content, sign_in=True)
    keys, _ = asyncio.run(_peopled(settings))
    for served in serving(settings):
        told = {
            name: served.get("/api/v1/status", Authorization=f"Bearer {key}").json()
            for name, key in keys.items()
        }
    assert told["ada"]["account"]["name"] == "ada"
    assert told["ada"]["account"]["role"] == "learner"
    assert told["ada"]["transport"] == "websocket"
    assert told["ada"]["problems"] == []
    assert len(told["cleo"]["problems"]) == len(told["omar"]["problems"]) == 1
    assert told["ada"]["stages"]["fr"]["stt"]


def test_without_accounts_everybody_is_the_local_learner(tmp_path: Path) -> None:
    """One machine: no key, no cookie, everything allowed; sessions of accounts are not shown."""
    settings = load(data=tmp_path)
    asyncio.run(_peopled(settings))

    async def local() -> None:
        async with open_store(settings.database, settings.recordings) as store:
            await keep(store, session("mine"))

    asyncio.run(local())
    for served in serving(settings):
        told = served.get("/api/v1/status").json()
        assert (told["accounts"], told["account"]["role"]) == (False, "operator")
        assert [one["id"] for one in served.get("/api/v1/sessions").json()] == ["mine"]
        assert served.get("/api/v1/sessions/mine/report").status_code == 200
        assert served.get("/api/v1/sessions/ada-over/report").status_code == 404
        assert served.get("/metrics/sessions").status_code == 200
        assert httpx.post(f"{served.url}/api/v1/models/nothing", timeout=60).status_code == 502
        assert (
            httpx.post(f"{served.url}/api/v1/sign-in", json={"key": "x"}, timeout=60).status_code
            == 409
        )


async def first(
    served: Served, hello: Mapping[str, Any], headers: Mapping[str, str]
) -> tuple[protocol.ServerMessage, int | None]:
    """What the socket says first, and how it closes when it does."""
    async with (
        asyncio.timeout(60),
        connect(served.talk, origin=served.url, additional_headers=headers) as line,  # type: ignore[arg-type]
    ):
        with suppress(ConnectionClosed):  # who may not talk is told before they say anything
            await line.send(json.dumps({"type": "hello", **hello}))
        said = protocol.parse_server(await line.recv())
        if not isinstance(said, protocol.Failure):
            return said, None
        await line.wait_closed()
        return said, line.close_code


async def test_talk_is_for_those_who_are_signed_in_and_their_sessions_are_theirs(
    tmp_path: Path,
) -> None:
    """4.4.3: the socket knows the same keys and cookies; a session is of whoever opened it."""
    settings = load(data=tmp_path, sign_in=True)
    keys, browsers = await asyncio.to_thread(lambda: asyncio.run(_peopled(settings)))
    with contextmanager(serving)(settings) as served:
        for nobody in ({}, {"Authorization": "Bearer x"}, {"Cookie": "eloquence=x"}):
            refused, closed = await first(served, HELLO, nobody)
            assert isinstance(refused, protocol.Failure)
            assert (refused.code, closed) == ("authentication", 1008)
        bob = {"Authorization": f"Bearer {keys['bob']}"}
        drill = {**HELLO, "drill": "slow_down", "of": "ada-over"}
        foreign, _ = await first(served, drill, bob)
        assert isinstance(foreign, protocol.Failure)
        assert foreign.code == "session_not_found"
        begun, _ = await first(served, HELLO, {"Cookie": f"eloquence={browsers['bob']}"})
        assert isinstance(begun, protocol.Ready)
        path = f"/api/v1/sessions/{begun.session}/report"
        answers = {
            name: (await asyncio.to_thread(served.get, path, Authorization=f"Bearer {key}"))
            for name, key in keys.items()
        }
        statuses = {name: answer.status_code for name, answer in answers.items()}
        assert statuses == {"ada": 404, "bob": 200, "cleo": 404, "omar": 404}


async def test_talk_is_refused_where_conversations_are_held_in_rooms(school: School) -> None:
    """Nobody goes round the limits of the rooms."""
    headers = {"Authorization": f"Bearer {school.keys['omar']}"}
    refused, closed = await first(school, HELLO, headers)
    assert isinstance(refused, protocol.Failure)
    assert (refused.code, closed) == ("permission_denied", 1008)
