"""A learner's memory over HTTP, and the figures of plugins (PLG-04, PLG-09)."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from tests.bootstrap.takes import keep, session
from tests.server.conftest import Served, serving

from eloquence.config import PluginsSettings, Settings, load
from eloquence.storage.sessions import open_store


@dataclass(frozen=True)
class Remembering(Served):
    keys: dict[str, str]

    def ask(self, method: str, path: str, who: str, body: object = None) -> httpx.Response:
        return httpx.request(
            method,
            f"{self.url}{path}",
            json=body,
            headers={"Authorization": f"Bearer {self.keys[who]}"},
            timeout=60,
        )


async def _peopled(settings: Settings) -> dict[str, str]:
    keys = {}
    async with open_store(settings.database, settings.recordings) as store:
        for name in ("ada", "bob", "omar"):
            role = "operator" if name == "omar" else "learner"
            account, keys[name] = await store.accounts.add(name, role)  # type: ignore[arg-type]
            await keep(store, session(f"{name}-1"), learner=account.id)
            if name != "omar":
                await store.memory.switch(account.id, on=True)
                await store.memory.note(account.id, f"{name}-1", [("name", name.title())])
        await store.plugins.add("profanity_filter", {"calls": 3, "seconds": 0.5, "own.words": 2})
        await store.plugins.switch_off("hostile")
    return keys


@pytest.fixture
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Remembering]:
    settings = load(
        data=tmp_path_factory.mktemp("memory"),
        sign_in=True,
        plugins=PluginsSettings(enabled=("profanity_filter", "conversation_memory")),
    )
    keys = asyncio.run(_peopled(settings))
    for one in serving(settings):
        yield Remembering(one.port, settings, keys)


def test_everybody_sees_their_own_facts_alone(served: Remembering) -> None:
    for who in ("ada", "bob"):
        told = served.ask("GET", "/api/v1/memory", who).json()
        assert (told["available"], told["on"]) == (True, True)
        assert [fact["text"] for fact in told["facts"]] == [who.title()]
    told = served.ask("GET", "/api/v1/memory", "omar").json()
    assert (told["on"], told["facts"]) == (False, [])


def test_nobody_touches_the_fact_of_somebody_else(served: Remembering) -> None:
    """Not an operator either, and nothing tells it from one that never was."""
    fact = served.ask("GET", "/api/v1/memory", "ada").json()["facts"][0]["id"]
    for who in ("bob", "omar"):
        for method, body in (("PUT", {"text": "x"}), ("DELETE", None)):
            told = []
            for wanted in (fact, "0" * 16):
                answer = served.ask(method, f"/api/v1/memory/facts/{wanted}", who, body)
                assert answer.status_code == 404
                told.append(answer.text.replace(wanted, "…"))
            assert told[0] == told[1]
    assert served.ask("GET", "/api/v1/memory", "ada").json()["facts"][0]["text"] == "Ada"


def test_a_fact_is_corrected_and_erased_and_all_of_them(served: Remembering) -> None:
    fact = served.ask("GET", "/api/v1/memory", "ada").json()["facts"][0]["id"]
    path = f"/api/v1/memory/facts/{fact}"
    for text in ("", "   ", "x" * 121):
        assert served.ask("PUT", path, "ada", {"text": text}).status_code == 422
    assert served.ask("PUT", path, "ada", {"text": "Grace"}).json()["text"] == "Grace"
    assert served.ask("DELETE", path, "ada").status_code == 204
    assert served.ask("DELETE", "/api/v1/memory", "bob").status_code == 204
    told = served.ask("GET", "/api/v1/memory", "bob").json()
    assert (told["on"], told["facts"]) == (False, [])
    assert served.ask("PUT", "/api/v1/memory", "bob", {"on": True}).status_code == 204
    assert served.ask("GET", "/api/v1/memory", "bob").json()["on"] is True


def test_operators_see_figures_of_plugins(served: Remembering) -> None:
    told = served.ask("GET", "/metrics/plugins", "omar").json()
    assert told["active_count"] == 2
    by_name = {one["name"]: one for one in told["plugins"]}
    assert by_name["profanity_filter"] == {
        "name": "profanity_filter", "enabled": True, "off": False, "calls": 3, "failures": 0,
        "timeouts": 0, "slow": 0, "seconds": 0.5, "counted": {"words": 2},
    }  # fmt: skip
    assert by_name["hostile"]["off"] is True
    assert by_name["conversation_memory"]["calls"] == 0


def test_operators_alone_are_told_of_a_plugin_that_is_switched_off(served: Remembering) -> None:
    async def failed() -> None:
        settings = served.settings
        async with open_store(settings.database, settings.recordings) as store:
            await store.plugins.switch_off("profanity_filter")

    assert served.ask("GET", "/api/v1/status", "omar").json()["problems"] == []
    asyncio.run(failed())
    told = served.ask("GET", "/api/v1/status", "omar").json()["problems"]
    assert [one.split()[2] for one in told] == ["profanity_filter"]
    assert served.ask("GET", "/api/v1/status", "ada").json()["problems"] == []


def test_an_operator_lets_a_plugin_take_part_without_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PRV-06: written to the settings file, and in use from the next conversation on."""
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "eloquence.toml"
    file.write_text("# ours\n", encoding="utf-8")
    for served in serving(load(data=tmp_path / "data")):
        url = f"{served.url}/api/v1/plugins"
        assert not any(one["enabled"] for one in httpx.get(url, timeout=60).json()["plugins"])
        answer = httpx.put(f"{url}/example", json={"on": True}, timeout=60)
        enabled = [one["name"] for one in answer.json()["plugins"] if one["enabled"]]
        assert enabled == ["example"]
        assert file.read_text(encoding="utf-8").startswith("# ours\n")
        assert served.get("/metrics/plugins").json()["active_count"] == 1
        missing = httpx.put(f"{url}/nothing", json={"on": True}, timeout=60)
        assert (missing.status_code, missing.json()["code"]) == (409, "plugin")
        httpx.put(f"{url}/example", json={"on": False}, timeout=60)
        assert served.get("/metrics/plugins").json()["active_count"] == 0
