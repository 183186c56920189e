"""The no-code manager: `config show`, `providers list`, `providers use`, and the older spellings
(PRV-02 to PRV-06, PRV-08, X-29, X-30, X-36)."""

import asyncio
import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import Ran
from typer.testing import CliRunner

from eloquence import cli
from eloquence.errors import EloquenceError
from eloquence.testing.services import Services

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path


def run(*words: str) -> Ran:
    """Runs a command; an error of ours is told as `main` tells it."""
    if not cli.app.registered_commands:
        cli._register()
    result = CliRunner().invoke(cli.app, list(words))
    if isinstance(result.exception, EloquenceError):
        status = cli.exit_status(result.exception)
        return Ran(status, result.stdout, str(result.exception))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return Ran(result.exit_code, result.stdout, result.stderr)


def written(folder: Path) -> dict[str, Any]:
    return tomllib.loads((folder / "eloquence.toml").read_text())


def test_a_language_model_is_chosen(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """PRV-04."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-hush")
    ran = run("providers", "use", "llm", "openai", "gpt-4o", "--fallback", "script")
    assert ran.status == 0, ran.err
    wanted = {"provider": "openai", "model": "gpt-4o", "fallback": ["script"]}
    assert written(folder) == {"llm": wanted}
    assert "gpt-4o" in ran.out
    assert ran.err == ""
    assert "sk-hush" not in ran.out


@pytest.mark.parametrize("words", [("providers", "use", "tts"), ("change-tts",)])
def test_a_voice_of_another_vendor_is_accepted_with_a_warning(
    folder: Path, words: tuple[str, ...]
) -> None:
    """PRV-05, X-29: the words of the seeds themselves."""
    ran = run(*words, "elevenlabs", "eleven_turbo_v2", "--voice", "alloy")
    assert ran.status == 0, ran.err
    assert written(folder)["tts"] == {
        "provider": "elevenlabs", "model": "eleven_turbo_v2", "voice": "alloy",
    }  # fmt: skip
    assert "'alloy' is a voice of openai, not of elevenlabs" in ran.err


def test_the_recogniser_is_chosen_too(folder: Path) -> None:
    """X-30."""
    assert run("change-stt", "vosk", "--option", "url=ws://localhost:2700").status == 0
    assert written(folder)["stt"] == {"provider": "vosk", "url": "ws://localhost:2700"}
    assert run("providers", "use", "stt", "none").status == 0
    assert written(folder)["stt"] == {"provider": "none"}


def test_what_is_missing_is_told_with_its_mend_and_forbids_nothing(folder: Path) -> None:
    """PRV-08: a key is needed only for a provider that is chosen."""
    ran = run("change-llm", "anthropic")
    assert ran.status == 0, ran.err
    assert "Set ANTHROPIC_API_KEY." in ran.err
    assert written(folder) == {"llm": {"provider": "anthropic"}}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("llm", "nobody"), "no llm provider named 'nobody'"),
        (("llm", "openai", "--option", "temprature=1"), "no option 'temprature'"),
        (("llm", "openai", "--option", "temperature=warm"), "'temperature'"),
        (("llm", "openai", "--option", "api_key=sk-hush"), "Set OPENAI_API_KEY"),
        (("llm", "script", "some-model"), "no option 'model'"),
        (("llm", "openai", "--fallback", "nobody"), "no llm provider named 'nobody'"),
        (("llm", "openai", "--fallback", "openai"), "cannot take over from itself"),
        (("llm", "auto", "gpt-4o"), "'auto' takes no options"),
        (("tts", "openai", "--option", "speed=9"), "'speed'"),
    ],
)
def test_what_is_wrong_is_refused_with_cause_and_mend_and_nothing_is_written(
    folder: Path, words: tuple[str, ...], told: str
) -> None:
    (folder / "eloquence.toml").write_text("# ours\nport = 9001\n")
    ran = run("providers", "use", *words)
    assert ran.status == 2
    assert told in ran.err
    assert "sk-hush" not in ran.err + ran.out
    assert (folder / "eloquence.toml").read_text() == "# ours\nport = 9001\n"


def test_options_stay_while_the_provider_stays_and_go_with_it(folder: Path) -> None:
    run("change-llm", "openai", "gpt-4o", "--option", "temperature=0.3")
    run("change-llm", "openai", "--option", "max_tokens=90")
    assert written(folder)["llm"] == {
        "provider": "openai", "model": "gpt-4o", "temperature": 0.3, "max_tokens": 90,
    }  # fmt: skip
    run("change-llm", "openai", "--option", "temperature=")
    assert "temperature" not in written(folder)["llm"]
    run("change-llm", "mistral", "--fallback", "script")
    assert written(folder)["llm"] == {"provider": "mistral", "fallback": ["script"]}
    run("change-llm", "script")
    assert written(folder)["llm"] == {"provider": "script"}


def test_a_secret_that_somebody_wrote_by_hand_stays_and_is_never_shown(folder: Path) -> None:
    (folder / "eloquence.toml").write_text('[llm]\nprovider = "openai"\napi_key = "sk-hush"\n')
    ran = run("change-llm", "openai", "gpt-4o")
    assert ran.status == 0, ran.err
    assert written(folder)["llm"]["api_key"] == "sk-hush"
    shown = run("config", "show").out + run("config", "show", "--json").out + ran.out + ran.err
    assert "sk-hush" not in shown
    assert "•••" in shown


def test_a_secret_never_goes_to_another_address(folder: Path) -> None:
    (folder / "eloquence.toml").write_text(
        '[llm]\nprovider = "openai"\napi_key = "sk-hush"\n'
        'fallback = [{provider = "openai", base_url = "http://localhost:1/v1"}]\n'
    )
    assert run("change-llm", "openai", "gpt-4o").status == 0
    assert written(folder)["llm"]["api_key"] == "sk-hush"
    assert written(folder)["llm"]["fallback"] == [
        {"provider": "openai", "base_url": "http://localhost:1/v1"}
    ]
    assert run("change-llm", "openai", "--option", "base_url=https://other.example/v1").status == 0
    assert "sk-hush" not in (folder / "eloquence.toml").read_text()


def test_a_variable_that_counts_more_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ELOQUENCE_LLM", "script")
    ran = run("change-llm", "openai", "gpt-4o")
    assert "ELOQUENCE_LLM counts more than eloquence.toml" in ran.err
    assert written(folder)["llm"]["provider"] == "openai"


def test_show_tells_where_each_value_comes_from(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PRV-02."""
    (folder / "eloquence.toml").write_text('port = 9001\n[tts]\nprovider = "espeak"\n')
    (folder / ".env").write_text("ELOQUENCE_LANGUAGE=en\nELOQUENCE_OIDC_CLIENT_SECRET=hush\n")
    monkeypatch.setenv("ELOQUENCE_IDLE_MINUTES", "3")
    monkeypatch.setenv("LLM_PROVIDER", "script")
    monkeypatch.setenv("REDIS_URL", "redis://:hush@localhost/0")
    told = json.loads(run("show", "--json").out)
    places = {name: one["from"] for name, one in told["settings"].items()}
    assert places["port"] == "eloquence.toml"
    assert places["language"] == "ELOQUENCE_LANGUAGE in .env"
    assert places["idle_minutes"] == "ELOQUENCE_IDLE_MINUTES"
    assert places["redis_url"] == "REDIS_URL"
    assert places["agent_name"] == "default"
    assert told["settings"]["redis_url"]["value"] == "redis://:•••@localhost/0"
    assert told["settings"]["oidc_client_secret"]["value"] == "•••"
    stages = told["stages"]
    assert stages["llm"]["from"] == "LLM_PROVIDER"
    assert (stages["tts"]["provider"], stages["tts"]["from"]) == ("espeak", "eloquence.toml")
    assert stages["stt"]["serves"] == "none"
    people = run("config", "show").out
    assert "hush" not in people
    assert "idle_minutes" in people


def test_secrets_of_plugins_of_addresses_and_of_unknown_providers_are_not_shown(
    folder: Path,
) -> None:
    text = (
        '[llm]\nprovider = "openai"\nbase_url = "http://ada:hush@localhost:9/v1"\n'
        '[tts]\nprovider = "nobody"\nauth_token = "hush"\npassword = "hush"\n'
        '[plugins.theirs]\nclient_secret = "hush"\nwhere = "https://ada:hush@host.example"\n'
    )
    (folder / "eloquence.toml").write_text(text)
    for words in (("show", "--json"), ("show",), ("providers", "list", "--json")):
        ran = run(*words)
        assert ran.status == 0, ran.err
        assert "hush" not in ran.out + ran.err
    told = json.loads(run("show", "--json").out)
    assert told["stages"]["llm"]["options"]["base_url"] == "http://ada:•••@localhost:9/v1"
    assert run("change-llm", "openai", "some-model").status == 0
    assert written(folder)["llm"]["base_url"] == "http://ada:hush@localhost:9/v1"


def test_every_provider_is_listed_with_what_it_lacks(folder: Path) -> None:
    """PRV-03."""
    told = json.loads(run("list-providers", "--json").out)
    assert set(told) == {"stt", "llm", "tts"}
    openai = next(one for one in told["llm"] if one["provider"] == "openai")
    assert openai["ready"] is False
    assert "SCALEWAY_SECRET_KEY" in openai["mend"]
    assert openai["leaves_machine"] == "api.scaleway.ai"
    script = next(one for one in told["llm"] if one["provider"] == "script")
    assert script["chosen"]
    assert script["leaves_machine"] == ""
    people = run("providers", "list", "tts").out
    assert "espeak" in people
    assert "stays here" in people
    assert run("providers", "list", "ears").status == 2


def test_a_provider_that_serves_is_listed_as_it_is_set(folder: Path) -> None:
    address = "base_url=http://localhost:11434/v1"
    assert run("providers", "use", "llm", "openai", "--option", address).status == 0
    told = json.loads(run("providers", "list", "llm", "--json").out)["llm"]
    openai = next(one for one in told if one["provider"] == "openai")
    assert (openai["ready"], openai["leaves_machine"]) == (True, "")


def test_names_of_variables_and_hosts_are_whole_on_a_narrow_terminal(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    people = run("providers", "list", "llm").out
    assert "\n  openai: Set SCALEWAY_SECRET_KEY (or MISTRAL_API_KEY).\n" in people
    assert "…" not in people
    assert "…" not in run("plugins", "list").out
    assert run("providers", "use", "tts", "elevenlabs", "eleven_turbo_v2_5").status == 0
    assert "…" not in run("config", "show").out


async def test_the_vendor_is_asked_with_check(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Services() as services:
        monkeypatch.setenv("OPENAI_API_KEY", "sk-good")
        address = f"base_url={services.url}"
        words = ("change-llm", "openai", "gpt-4o", "--option", address, "--check")
        ran = await asyncio.to_thread(run, *words)
        assert ran.status == 0, ran.err
        assert "✓ openai" in ran.out
        services.mode = "401"
        ran = await asyncio.to_thread(run, "change-llm", "openai", "--check")
        assert ran.status == 8
        assert "✗ openai" in ran.out
        assert written(folder)["llm"]["base_url"] == services.url


def test_the_script_of_the_seeds_does_the_same(folder: Path) -> None:
    """X-36."""
    script = str(ROOT / "scripts" / "manage_agents.py")
    done = subprocess.run(
        [sys.executable, script, "change-llm", "script"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert written(folder) == {"llm": {"provider": "script"}}
