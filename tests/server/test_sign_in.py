"""Signing in and out, over real HTTP and at a real OpenID Connect provider (X-31, reliability 6.7:
3.3, 6.3, 7.x, 9.x). The provider's answers that nobody may believe are made in `provider.mjs`.
"""

import asyncio
import base64
import html
import itertools
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from tests.server.conftest import Served, serving

from eloquence.config import Settings, load
from eloquence.errors import ConfigurationError, SignInError, TooManyError
from eloquence.server.app import create_app
from eloquence.server.openid import AWAY, KEPT, RENEWED, OpenId, role
from eloquence.server.refusals import MOST, MOST_ADDRESSES, MOST_ANSWERS, WINDOW, Refusals
from eloquence.server.sign_in import own_page
from eloquence.storage.sessions import open_store
from eloquence.testing.parts import free_port

ROOT = Path(__file__).resolve().parents[2]
SECRET = "a secret of at least thirty-two characters: & = %"
BEGIN = "/api/v1/sign-in/oidc"


@dataclass(frozen=True)
class Desk(Served):
    """A server at which people sign in, and the address of the provider."""

    issuer: str
    key: str
    disabled_key: str

    @contextmanager
    def browser(self) -> Iterator[httpx.Client]:
        with httpx.Client(base_url=self.url, timeout=30) as client:
            yield client


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    node = shutil.which("node", path=str(ROOT / ".venv" / "bin")) or shutil.which("node")
    if node is None or not (ROOT / "node_modules" / "oidc-provider").is_dir():
        assert not os.environ.get("CI"), "CI has the provider: npm ci"
        pytest.skip("needs the OpenID Connect provider: npm ci")
    folder = tmp_path_factory.mktemp("desk")
    port = free_port()
    settings = load(
        data=folder,
        sign_in=True,
        oidc_issuer=f"http://127.0.0.1:{port}",
        oidc_client_id="eloquence",
        oidc_client_secret=SECRET,
        oidc_roles_claim="groups.of",
        trusted_proxies=("127.0.0.1", "::1"),
    )
    key, disabled_key = asyncio.run(_keys(settings))
    with contextmanager(serving)(settings) as served:
        given = {"port": port, "secret": SECRET, "redirect": f"{served.url}{BEGIN}/callback"}
        with (folder / "provider.log").open("wb") as log:
            provider = subprocess.Popen(
                [node, str(Path(__file__).with_name("provider.mjs")), json.dumps(given)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        assert provider.stdin
        assert provider.stdout
        try:
            told = provider.stdout.readline()
            assert told == b"ready\n", (told, (folder / "provider.log").read_text())
            yield Desk(served.port, settings, settings.oidc_issuer, key, disabled_key)
        finally:
            provider.stdin.close()
            provider.wait(20)
            provider.stdout.close()


async def _keys(settings: Settings) -> tuple[str, str]:
    async with open_store(settings.database, settings.recordings) as store:
        _, key = await store.accounts.add("Key holder", "author")
        shut_out, disabled = await store.accounts.add("Shut out", "learner")
        await store.accounts.disable(shut_out.id)
    return key, disabled


def at_provider(browser: httpx.Client, name: str, to: str = "/") -> httpx.Response:
    """Goes to the provider and signs in there as that name; returns the provider's last answer,
    which sends the browser back to us."""
    answer = browser.get(BEGIN, params={"to": to})
    for _ in range(12):
        if answer.is_redirect:
            place = str(answer.next_request.url) if answer.next_request else ""
            if urlsplit(place).path == f"{BEGIN}/callback":
                return answer
            answer = browser.get(place)
            continue
        assert answer.status_code == 200, (answer.url, answer.text)
        action = re.search(r'action="([^"]+)"', answer.text)
        prompt = re.search(r'name="prompt" value="([^"]+)"', answer.text)
        assert action
        assert prompt
        form = {"prompt": prompt[1], "login": name, "password": "x"}
        answer = browser.post(html.unescape(action[1]), data=form)
    raise AssertionError("the provider does not come to an end")


def callback(answer: httpx.Response) -> str:
    return str(answer.headers["location"])


def signed_in(browser: httpx.Client, name: str, to: str = "/") -> httpx.Response:
    """Signs in at the provider; what our server answers at last."""
    return browser.get(callback(at_provider(browser, name, to)))


def account(browser: httpx.Client) -> Any:
    return browser.get("/api/v1/status").json()["account"]


def given_cookie(answer: httpx.Response, name: str = "eloquence") -> str:
    """The one Set-Cookie header of that name."""
    (found,) = [
        one for one in answer.headers.get_list("set-cookie") if one.split("=")[0].endswith(name)
    ]
    return found


def test_somebody_signs_in_at_the_provider_and_comes_back_to_the_page_they_left(
    desk: Desk,
) -> None:
    with desk.browser() as browser:
        assert account(browser) is None
        answer = signed_in(browser, "ada", "/?exercise=1#report/s1")
        assert answer.status_code == 303
        assert answer.headers["location"] == "/?exercise=1#report/s1"
        assert answer.headers["cache-control"] == "no-store"
        who = account(browser)
        assert (who["name"], who["role"]) == ("ada of the school", "learner")
        assert browser.get("/api/v1/sessions").json() == []
    with desk.browser() as another:  # the same account, wherever they sign in
        signed_in(another, "ada")
        assert account(another) == who


@pytest.mark.parametrize(
    ("name", "expected"),
    [("operator", "operator"), ("author", "author"), ("odd", "learner"), ("curve", "learner")],
)
def test_the_role_is_the_highest_known_one_that_the_provider_names(
    desk: Desk, name: str, expected: str
) -> None:
    with desk.browser() as browser:
        signed_in(browser, name)
        assert account(browser)["role"] == expected


def test_the_role_is_what_the_provider_says_at_each_sign_in(desk: Desk) -> None:
    with desk.browser() as browser:
        signed_in(browser, "rising")
        before = account(browser)
    with desk.browser() as browser:
        signed_in(browser, "rising")
        after = account(browser)
    assert (before["role"], after["role"]) == ("learner", "author")
    assert before["id"] == after["id"]


@pytest.mark.parametrize("name", ["curve", "edwards"])
def test_tokens_are_believed_in_each_way_of_signing_that_is_allowed(desk: Desk, name: str) -> None:
    with desk.browser() as browser:
        assert signed_in(browser, name).headers["location"] == "/"
        assert account(browser)["name"] == f"{name} of the school"


FAULTS = (
    "expired",
    "eternal",
    "audience",
    "audiences",
    "unnamed",
    "issuer",
    "nonce",
    "nameless",
    "none",
    "stranger",
    "unknown",
    "shared",
    "confused",
    "garbled",
    "twofold",
)


@pytest.mark.parametrize("name", FAULTS)
def test_a_token_that_cannot_be_believed_signs_nobody_in(desk: Desk, name: str) -> None:
    """9.1, 9.2: expiry, audience, issuer, nonce, algorithm and key are each looked at."""
    with desk.browser() as browser:
        answer = signed_in(browser, name)
        assert answer.headers["location"] == "/?sign_in=failed"
        assert not [one for one in browser.cookies if one == "eloquence"]
        assert account(browser) is None


def test_an_answer_of_another_sign_in_signs_nobody_in(desk: Desk) -> None:
    """Another state, none, another browser's, and one whose sign-in was begun anew since."""
    with desk.browser() as browser, desk.browser() as attacker:
        back = httpx.URL(callback(at_provider(browser, "ada")))
        for wrong in ("another", "é", ""):
            theirs = at_provider(attacker, "eve")
            answer = attacker.get(httpx.URL(callback(theirs)).copy_set_param("state", wrong))
            assert answer.headers["location"] == "/?sign_in=expired"
        # The victim's browser is brought to the attacker's answer, and the other way round.
        assert browser.get(callback(at_provider(attacker, "eve"))).headers["location"] == (
            "/?sign_in=expired"
        )
        assert attacker.get(back).headers["location"] == "/?sign_in=expired"
        # That has cost the victim the sign-in that was under way, and nothing else.
        assert browser.get(back).headers["location"] == "/?sign_in=expired"
        assert account(browser) is account(attacker) is None
    with desk.browser() as nobody:
        answer = nobody.get(f"{BEGIN}/callback", params={"state": "", "code": "x"})
        assert answer.headers["location"] == "/?sign_in=expired"


def test_a_code_serves_once_and_only_with_its_own_verifier(desk: Desk) -> None:
    """RFC 7636: whoever has the code and the state alone has nothing."""
    with desk.browser() as browser:
        used = callback(at_provider(browser, "ada"))
        asked = browser.cookies["eloquence-asked"]
        assert browser.get(used).headers["location"] == "/"
        assert "eloquence-asked" not in browser.cookies
        with desk.browser() as thief:  # with everything that the browser had
            thief.cookies.set("eloquence-asked", asked)
            assert thief.get(used).headers["location"] == "/?sign_in=failed"
            assert account(thief) is None
    with desk.browser() as browser, desk.browser() as thief:
        back = httpx.URL(callback(at_provider(browser, "ada")))
        begun = thief.get(BEGIN)
        own = parse_qs(urlsplit(begun.headers["location"]).query)["state"][0]
        answer = thief.get(back.copy_set_param("state", own))
        assert answer.headers["location"] == "/?sign_in=failed"


def test_somebody_who_gives_up_at_the_provider_is_not_signed_in(desk: Desk) -> None:
    with desk.browser() as browser:
        page = browser.get(browser.get(BEGIN).headers["location"], follow_redirects=True)
        given_up = re.search(r'href="([^"]+/abort)"', page.text)
        assert given_up
        answer = browser.get(html.unescape(given_up[1]))
        while urlsplit(callback(answer)).path != f"{BEGIN}/callback":
            answer = browser.get(callback(answer))
        assert parse_qs(urlsplit(callback(answer)).query)["error"] == ["access_denied"]
        assert browser.get(callback(answer)).headers["location"] == "/?sign_in=refused"
        assert account(browser) is None


def test_an_answer_of_another_provider_is_not_taken(desk: Desk) -> None:
    """RFC 9207: the answer says whose it is."""
    with desk.browser() as browser:
        for wrong in ("https://evil.example", ""):
            back = httpx.URL(callback(at_provider(browser, "ada")))
            assert back.params["iss"] == desk.issuer
            answer = browser.get(back.copy_set_param("iss", wrong))
            assert answer.headers["location"] == "/?sign_in=failed"


def test_a_disabled_account_stays_out(desk: Desk) -> None:
    with desk.browser() as browser:
        signed_in(browser, "leaver")
        who = account(browser)
        asyncio.run(_disable(desk.settings, who["id"]))
        assert account(browser) is None
        assert signed_in(browser, "leaver").headers["location"] == "/?sign_in=disabled"
        assert account(browser) is None
        refused = browser.post("/api/v1/sign-in", json={"key": desk.disabled_key})
        assert (refused.status_code, refused.json()["code"]) == (401, "authentication")


async def _disable(settings: Settings, account_id: str) -> None:
    async with open_store(settings.database, settings.recordings) as store:
        await store.accounts.disable(account_id)


def test_a_key_signs_a_browser_in_and_out(desk: Desk) -> None:
    with desk.browser() as browser:
        answer = browser.post("/api/v1/sign-in", json={"key": desk.key})
        assert answer.json()["name"] == "Key holder"
        assert answer.json()["role"] == "author"
        assert account(browser)["id"] == answer.json()["id"]
        token = browser.cookies["eloquence"]
        assert browser.post("/api/v1/sign-out").status_code == 403  # from no page
        assert account(browser)
        left = browser.post("/api/v1/sign-out", headers={"Origin": desk.url})
        assert left.status_code == 204
        assert "Max-Age=0" in given_cookie(left)
        assert "eloquence" not in browser.cookies
        browser.cookies.set("eloquence", token)  # whoever kept the token has nothing
        assert account(browser) is None
        assert browser.get("/api/v1/sessions").status_code == 401


def test_signing_in_gives_a_new_token_and_ends_the_former(desk: Desk) -> None:
    """7.2.4: a token that somebody has put into a browser does not become a signed-in one."""
    token = "put-there"
    for _ in range(3):
        before = {"Cookie": f"eloquence={token}", "Origin": desk.url}
        url = f"{desk.url}/api/v1/sign-in"
        answer = httpx.post(url, json={"key": desk.key}, headers=before, timeout=30)
        given = given_cookie(answer).partition(";")[0].partition("=")[2]
        assert given != token
        told = desk.get("/api/v1/status", **before).json()
        assert told["account"] is None
        token = given
    assert desk.get("/api/v1/status", Cookie=f"eloquence={token}").json()["account"]


def test_the_cookie_is_for_this_server_alone_and_no_script_reads_it(desk: Desk) -> None:
    """3.3: HttpOnly, SameSite, and with https Secure and the prefix."""
    with desk.browser() as browser:
        answer = browser.post("/api/v1/sign-in", json={"key": desk.key})
        plain = given_cookie(answer)
        assert plain.startswith("eloquence=")
        assert {"HttpOnly", "Path=/", "SameSite=lax", "Max-Age=604800"} <= set(plain.split("; "))
        assert "Secure" not in plain
        again = browser.get("/api/v1/status")  # opening the page again keeps one signed in
        assert given_cookie(again) == plain


def test_behind_https_the_cookie_is_secure_and_bound_to_the_host(tmp_path: Path) -> None:
    settings = load(data=tmp_path, sign_in=True, public_url="https://coach.example.org")
    key, _ = asyncio.run(_keys(settings))
    with contextmanager(serving)(settings) as served:
        answer = httpx.post(f"{served.url}/api/v1/sign-in", json={"key": key}, timeout=60)
        cookie = given_cookie(answer)
        assert cookie.startswith("__Host-eloquence=")
        assert {"Secure", "HttpOnly", "Path=/"} <= set(cookie.split("; "))
        assert "Domain" not in cookie
        token = cookie.partition(";")[0].partition("=")[2]
        for name, known in (("__Host-eloquence", True), ("eloquence", False)):
            told = served.get("/api/v1/status", Cookie=f"{name}={token}").json()
            assert (told["account"] is not None) is known


def test_after_many_wrong_keys_an_address_waits_and_others_do_not(desk: Desk) -> None:
    """6.3.1, 2.4.1."""

    def tried(key: str, address: str) -> httpx.Response:
        headers = {"X-Forwarded-For": address}
        url = f"{desk.url}/api/v1/sign-in"
        return httpx.post(url, json={"key": key}, headers=headers, timeout=30)

    answers = [tried("elq_wrong", "198.51.100.7").status_code for _ in range(MOST)]
    assert set(answers) == {401}
    waiting = tried(desk.key, "198.51.100.7")
    assert (waiting.status_code, waiting.json()["code"]) == (429, "too_many")
    assert 0 < int(waiting.headers["retry-after"]) <= WINDOW
    bearer = {"Authorization": f"Bearer {desk.key}", "X-Forwarded-For": "198.51.100.7"}
    assert httpx.get(f"{desk.url}/api/v1/sessions", headers=bearer, timeout=60).status_code == 429
    assert tried(desk.key, "198.51.100.8").status_code == 200


def test_refusals_are_forgotten_after_a_while() -> None:
    now = itertools.count(1.0, 1.0)
    clock = [0.0]
    refusals = Refusals(lambda: clock[0])
    for _ in range(MOST):
        clock[0] = next(now)
        refusals.check("a")
        refusals.note("a")
    with pytest.raises(TooManyError) as refused:
        refusals.check("a")
    assert refused.value.after == pytest.approx(1.0 + WINDOW - clock[0])
    refusals.check("b")
    clock[0] = 1.0 + WINDOW
    refusals.check("a")
    clock[0] += WINDOW
    refusals.check("a")
    for number in range(MOST_ADDRESSES + 50):
        refusals.note(str(number))
    assert len(refusals._of) == MOST_ADDRESSES


@pytest.mark.parametrize(
    "to",
    [
        "//evil.example",
        "https://evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "evil.example",
        "javascript:alert(1)",
        "/\tx",
        "/\n/evil.example",
        "/é",
        "",
        "//[",
        "/" + "a" * 600,
    ],
)
def test_nobody_is_sent_to_another_site_after_signing_in(desk: Desk, to: str) -> None:
    assert own_page(to) == "/"
    with desk.browser() as browser:
        assert signed_in(browser, "ada", to).headers["location"] == "/"


def test_a_cookie_that_was_written_over_sends_nobody_elsewhere(desk: Desk) -> None:
    for text in ("", "e30=", "bnVsbA==", "é", "!!!", "W10="):
        answer = httpx.get(
            f"{desk.url}{BEGIN}/callback?state=x&code=y",
            headers={b"Cookie": f"eloquence-asked={text}".encode()},
        )
        assert answer.headers["location"] == "/?sign_in=expired"


def test_roles_are_read_from_lists_and_texts() -> None:
    assert role(["operator", "author"]) == "operator"
    assert role("author, learner") == "author"
    for nothing in (None, [], "", 7, {"operator": 1}, ["Operator"], [["operator"]]):
        assert role(nothing) == "learner"


async def test_a_provider_that_does_not_answer_is_said_to(tmp_path: Path) -> None:
    openid = OpenId(_settings(tmp_path, f"http://127.0.0.1:{free_port()}"))
    with pytest.raises(SignInError) as refused:
        await openid.ask("https://coach.example.org/back")
    assert refused.value.why == "unreachable"


def test_a_provider_without_https_or_client_is_refused_at_the_start(tmp_path: Path) -> None:
    for issuer in ("http://id.example", "id.example", "ftp://id.example", "https://[", ""):
        with pytest.raises(ConfigurationError):
            OpenId(_settings(tmp_path, issuer))
    with pytest.raises(ConfigurationError):
        OpenId(load(data=tmp_path, oidc_issuer="https://id.example"))


def _settings(folder: Path, issuer: str) -> Settings:
    return load(data=folder, oidc_issuer=issuer, oidc_client_id="eloquence")


@pytest.fixture
def answers() -> Iterator[tuple[str, dict[str, Any], list[str]]]:
    """A place on this machine, what it answers by path, and which paths were asked for."""
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
    from threading import Thread

    said: dict[str, Any] = {}
    asked: list[str] = []

    class Place(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.do_GET()

        def do_GET(self) -> None:
            asked.append(self.path)
            answer = said.get(self.path, 404)
            status, body = (answer, b"") if isinstance(answer, int) else (200, answer)
            body = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            if status == 302:
                self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Place) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", said, asked
        server.shutdown()
        thread.join()


DISCOVERY = "/.well-known/openid-configuration"


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (500, "unreachable"),
        (404, "failed"),
        (302, "failed"),
        (b"no json", "failed"),
        (b"[]", "failed"),
        (b"{" + b" " * 300_000 + b"}", "failed"),
        ({"issuer": "https://evil.example"}, "failed"),
        ({}, "failed"),
    ],
)
async def test_what_a_provider_may_not_say_of_itself_is_refused(
    tmp_path: Path,
    answers: tuple[str, dict[str, Any], list[str]],
    answer: object,
    why: str,
) -> None:
    """API10: another issuer, a redirection, too much, or no JSON."""
    place, said, asked = answers
    said[DISCOVERY] = answer
    with pytest.raises(SignInError) as refused:
        await OpenId(_settings(tmp_path, place)).ask("https://coach.example.org/back")
    assert refused.value.why == why
    assert asked == [DISCOVERY]


async def test_a_provider_that_sends_people_where_there_is_no_https_is_refused(
    tmp_path: Path, answers: tuple[str, dict[str, Any], list[str]]
) -> None:
    place, said, _ = answers
    for endpoint in ("http://evil.example/auth", "javascript:alert(1)", 7, None):
        said[DISCOVERY] = {"issuer": place, "authorization_endpoint": endpoint}
        with pytest.raises(SignInError):
            await OpenId(_settings(tmp_path, place)).ask("https://coach.example.org/back")


async def test_what_the_provider_says_of_itself_is_kept_for_an_hour(
    tmp_path: Path, answers: tuple[str, dict[str, Any], list[str]]
) -> None:
    place, said, asked = answers
    said[DISCOVERY] = {"issuer": f"{place}/", "authorization_endpoint": f"{place}/auth?x=1"}
    clock = [0.0]
    openid = OpenId(_settings(tmp_path, place), lambda: clock[0])
    first = await openid.ask("https://coach.example.org/back")
    clock[0] = KEPT - 1
    second = await openid.ask("https://coach.example.org/back")
    assert asked == [DISCOVERY]
    query = parse_qs(urlsplit(first.url).query)
    assert query["x"] == ["1"]
    assert query["redirect_uri"] == ["https://coach.example.org/back"]
    assert query["code_challenge_method"] == ["S256"]
    secrets = {first.state, first.nonce, first.verifier, second.state, second.nonce}
    assert len(secrets) == 5
    assert first.verifier not in first.url
    clock[0] = KEPT
    await openid.ask("https://coach.example.org/back")
    assert asked == [DISCOVERY, DISCOVERY]


async def test_a_provider_that_does_not_answer_is_asked_once_for_all_who_wait(
    tmp_path: Path, answers: tuple[str, dict[str, Any], list[str]]
) -> None:
    place, said, asked = answers
    said[DISCOVERY] = 500
    clock = [0.0]
    openid = OpenId(_settings(tmp_path, place), lambda: clock[0])

    async def why() -> str:
        with pytest.raises(SignInError) as refused:
            await openid.ask("https://coach.example.org/back")
        return refused.value.why

    assert set(await asyncio.gather(*(why() for _ in range(20)))) == {"unreachable"}
    assert len(asked) == 1
    clock[0] = AWAY
    said[DISCOVERY] = {"issuer": place, "authorization_endpoint": f"{place}/auth"}
    assert (await openid.ask("https://coach.example.org/back")).url.startswith(f"{place}/auth?")


async def test_the_provider_is_not_asked_without_end_about_answers_that_somebody_made_up(
    tmp_path: Path, answers: tuple[str, dict[str, Any], list[str]]
) -> None:
    place, said, asked = answers
    said[DISCOVERY] = {"issuer": place, "token_endpoint": f"{place}/tokens"}
    app = create_app(_settings(tmp_path, place).model_copy(update={"sign_in": True}))
    kept = dict.fromkeys(("url", "state", "nonce", "verifier"), "x")
    cookie = base64.urlsafe_b64encode(json.dumps(kept).encode()).decode()

    def stranger(address: str) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(app=app, client=(address, 50_000)),
            base_url="http://localhost",
            cookies={"eloquence-asked": cookie},
        )

    made_up = {"state": "x", "code": "y"}
    async with app.router.lifespan_context(app):
        for _ in range(MOST_ANSWERS - 2):
            app.state.refused_answers.note("198.51.100.7")
        for _ in range(2):
            async with stranger("198.51.100.7") as client:
                answer = await client.get(f"{BEGIN}/callback", params=made_up)
            assert answer.headers["location"] == "/?sign_in=failed"
        asked.clear()
        async with stranger("198.51.100.7") as client:
            refused = await client.get(f"{BEGIN}/callback", params=made_up)
        assert refused.status_code == 429
        assert asked == []
        async with stranger("198.51.100.8") as client:
            answer = await client.get(f"{BEGIN}/callback", params=made_up)
        assert answer.status_code == 303


async def test_an_unknown_key_has_the_keys_asked_for_again_but_not_each_time(
    tmp_path: Path, answers: tuple[str, dict[str, Any], list[str]]
) -> None:
    """A provider may change its keys; tokens of no key of its do not make us ask without end."""
    from jwt import InvalidKeyError

    place, said, asked = answers
    said["/keys"] = {"keys": [_public_key("first")]}
    told: Mapping[str, Any] = {"issuer": place, "jwks_uri": f"{place}/keys"}
    clock = [0.0]
    openid = OpenId(_settings(tmp_path, place), lambda: clock[0])
    header = {"alg": "ES256", "kid": "first"}
    assert (await openid._key(told, header)).key_id == "first"
    said["/keys"] = {"keys": [_public_key("second")]}
    for _ in range(20):
        with pytest.raises(InvalidKeyError):
            await openid._key(told, {"alg": "ES256", "kid": "second"})
    assert len(asked) == 1
    clock[0] = RENEWED
    assert (await openid._key(told, {"alg": "ES256", "kid": "second"})).key_id == "second"
    assert (await openid._key(told, {"alg": "ES256"})).key_id == "second"  # the only one
    with pytest.raises(InvalidKeyError):  # a key serves for its own algorithm alone
        await openid._key(told, {"alg": "EdDSA", "kid": "second"})
    assert len(asked) == 2


def _public_key(name: str) -> dict[str, Any]:
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
    from jwt.algorithms import ECAlgorithm

    public = generate_private_key(SECP256R1()).public_key()
    return {**ECAlgorithm.to_jwk(public, as_dict=True), "kid": name, "use": "sig"}
