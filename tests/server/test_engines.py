"""What operators see and change of the stages over HTTP (PRV, X-29, X-40)."""

import asyncio
import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.server.conftest import Served, serving

from eloquence.config import Settings, load
from eloquence.storage.sessions import open_store


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """A server whose settings file holds a secret."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-in-a-variable")
    (tmp_path / "eloquence.toml").write_text(
        '# ours\n[llm]\nprovider = "openai"\napi_key = "sk-in-the-file"\n'
    )
    yield from serving(load(data=tmp_path / "data", stt="openai", tts="espeak"))


def put(served: Served, stage: str, **wanted: Any) -> httpx.Response:
    return httpx.put(f"{served.url}/api/v1/providers/{stage}", json=wanted, timeout=60)


def stage(served: Served, name: str) -> dict[str, Any]:
    found = served.get("/api/v1/providers").json()["stages"]
    return next(one for one in found if one["stage"] == name)


def test_everything_is_told_except_secrets(served: Served) -> None:
    answer = served.get("/api/v1/providers")
    assert answer.status_code == 200
    assert "sk-in-the-file" not in answer.text
    assert "sk-in-a-variable" not in answer.text
    assert [one["stage"] for one in answer.json()["stages"]] == ["stt", "llm", "tts"]
    told = stage(served, "llm")
    assert told["chosen"]["options"] == {"api_key": "•••"}
    assert told["chosen"]["readiness"]["fr"]["ready"]
    assert told["last"]["fr"] == ["script"]
    openai = next(one for one in told["offers"] if one["provider"] == "openai")
    kinds = {one["name"]: one["type"] for one in openai["options"]}
    assert (kinds["model"], kinds["temperature"], kinds["max_tokens"]) == (
        "text", "number", "integer",
    )  # fmt: skip
    key = next(one for one in openai["options"] if one["name"] == "api_key")
    assert (key["secret"], key["default"]) == (True, None)


def test_a_change_is_written_and_counts_for_whoever_comes_next(served: Served) -> None:
    """X-40: the status of the page, which says what the next conversation will have, has it."""
    before = served.get("/api/v1/status").json()["stages"]["fr"]["llm"]["model"]
    answer = put(
        served, "llm", provider="openai", options={"model": "gpt-4o", "temperature": 0.2},
        fallback=[{"provider": "mistral"}],
    )  # fmt: skip
    assert answer.status_code == 200, answer.text
    assert "sk-in-the-file" not in answer.text
    written = Path("eloquence.toml").read_text()
    assert written.startswith("# ours\n")
    assert tomllib.loads(written)["llm"] == {
        "provider": "openai", "api_key": "sk-in-the-file", "model": "gpt-4o", "temperature": 0.2,
        "fallback": ["mistral"],
    }  # fmt: skip
    now = served.get("/api/v1/status").json()["stages"]["fr"]["llm"]["model"]
    assert (now, before == now) == ("gpt-4o", False)
    assert [one["provider"] for one in stage(served, "llm")["fallback"]] == ["mistral"]


def test_what_comes_back_as_it_was_shown_is_that_of_the_file(served: Served) -> None:
    file = Path("eloquence.toml")
    address = "http://ada:in-the-file@localhost:9/v1"
    file.write_text(f'[llm]\nprovider = "openai"\nbase_url = "{address}"\napi_key = "sk"\n')
    options = stage(served, "llm")["chosen"]["options"]
    assert "in-the-file" not in options["base_url"]
    options.pop("api_key")
    assert put(served, "llm", provider="openai", options=options).status_code == 200
    wanted = {"provider": "openai", "base_url": address, "api_key": "sk"}
    assert tomllib.loads(file.read_text())["llm"] == wanted


def test_a_voice_of_another_vendor_is_warned_of(served: Served) -> None:
    answer = put(served, "tts", provider="elevenlabs", options={"voice": "alloy"})
    assert [one["code"] for one in answer.json()["warnings"]] == ["voice"]


@pytest.mark.parametrize(
    ("name", "wanted", "status", "told"),
    [
        ("llm", {"provider": "nobody"}, 409, "nobody"),
        ("llm", {"provider": "openai", "options": {"model": 3.5}}, 409, "'model'"),
        ("llm", {"provider": "openai", "options": {"temperature": 9}}, 409, "'temperature'"),
        ("llm", {"provider": "openai", "options": {"api_key": "sk-x"}}, 409, "OPENAI_API_KEY"),
        ("llm", {"provider": "script", "fallback": [{"provider": "script"}]}, 409, "itself"),
        ("llm", {"provider": "../../etc"}, 422, "provider"),
        ("llm", {"provider": "openai", "surprise": 1}, 422, "surprise"),
        ("ears", {"provider": "none"}, 422, "stage"),
    ],
)
def test_what_is_wrong_is_a_problem_that_says_what_to_do_and_changes_nothing(
    served: Served, name: str, wanted: dict[str, Any], status: int, told: str
) -> None:
    before = Path("eloquence.toml").read_text()
    answer = put(served, name, **wanted)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert told in json.dumps(problem)
    assert problem["mend"]
    assert "sk-x" not in answer.text
    assert Path("eloquence.toml").read_text() == before


def test_a_broken_file_is_told_and_the_last_good_one_serves(served: Served) -> None:
    """C01."""
    assert served.get("/api/v1/providers").json()["problem"] is None
    Path("eloquence.toml").write_text("[llm]\nprovider = \n")
    told = served.get("/api/v1/providers").json()
    assert told["problem"]["detail"].startswith("eloquence.toml, line 2")
    assert told["problem"]["mend"]
    assert stage(served, "llm")["chosen"]["provider"] == "openai"
    status = served.get("/api/v1/status").json()
    assert [one for one in status["problems"] if "eloquence.toml, line 2" in one]
    answer = put(served, "llm", provider="script")
    assert answer.status_code == 409
    assert "line 2" in answer.json()["detail"]


def test_a_variable_that_counts_more_is_told(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ELOQUENCE_STT", "none")
    assert stage(served, "stt")["locked"] == "ELOQUENCE_STT"
    answer = put(served, "stt", provider="vosk").json()
    assert [one["code"] for one in answer["warnings"]] == ["locked"]


def test_the_vendors_are_asked(served: Served) -> None:
    answer = httpx.post(f"{served.url}/api/v1/providers/tts/check", timeout=60)
    assert answer.json()["espeak"]["fr"]["ready"] is True


async def _operator(settings: Settings) -> str:
    async with open_store(settings.database, settings.recordings) as store:
        _, key = await store.accounts.add("Omar", "operator")
        return key


@pytest.mark.parametrize(
    ("provider", "address", "status"),
    [
        ("openai", "https://elsewhere.example/v1", 409),
        ("anthropic", "https://elsewhere.example", 409),
        ("openai", "https://ours.example/v1", 200),
        ("openai", "http://127.0.0.1:11434/v1", 200),
        ("openai", "", 200),
        ("cohere", "https://elsewhere.example/v1", 200),
    ],
)
def test_an_operator_who_signs_in_sends_no_key_of_a_variable_to_another_address(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    provider: str,
    address: str,
    status: int,
) -> None:
    """Nor as a fallback: they may choose who serves, and cannot read the server's variables."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-in-a-variable")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-in-a-variable")
    monkeypatch.delenv("COHERE_API_KEY", raising=False)
    file = tmp_path / "eloquence.toml"
    file.write_text('[llm]\nprovider = "openai"\nbase_url = "https://ours.example/v1"\n')
    settings = load(data=tmp_path / "data", sign_in=True)
    key = asyncio.run(_operator(settings))
    wanted = {"provider": provider, "options": {"base_url": address} if address else {}}
    for served in serving(settings):
        before = file.read_text()
        for given in ({"provider": "script", "fallback": [wanted]}, wanted):
            answer = httpx.put(
                f"{served.url}/api/v1/providers/llm",
                json=given,
                headers={"Authorization": f"Bearer {key}"},
                timeout=60,
            )
            assert answer.status_code == status, answer.text
            if status == 409:
                assert "_API_KEY would be sent there" in answer.json()["detail"]
                assert file.read_text() == before
