"""`eloquence doctor` as people and scripts run it."""

import json

import pytest
import typer
from typer.testing import CliRunner

from eloquence.cli import doctor

app = typer.Typer()
app.command("doctor")(doctor.doctor)


@pytest.fixture(autouse=True)
def free_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ELOQUENCE_PORT", "0")


def test_it_exits_0_when_one_can_talk_and_says_how_to_do_better() -> None:
    result = CliRunner().invoke(app, [])
    assert result.exit_code == 0, result.output
    assert "✓ hears: none (automatic)" in result.output
    assert "eloquence models download vosk-model-small-fr-0.22" in result.output
    assert "A conversation can be held." in result.output


def test_it_exits_1_when_one_cannot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ELOQUENCE_TTS", "piper")
    result = CliRunner().invoke(app, [])
    assert result.exit_code == 1
    assert "✗ speaks: piper (chosen)" in result.output


def test_it_says_where_what_is_said_would_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ELOQUENCE_LLM", "openai")
    monkeypatch.setenv("SCALEWAY_SECRET_KEY", "scw-hush")
    by_ear = CliRunner().invoke(app, [])
    assert "goes to" not in by_ear.output
    monkeypatch.setenv("ELOQUENCE_STT", "openai")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-hush")
    result = CliRunner().invoke(app, [])
    assert "what is said goes to api.scaleway.ai" in result.output
    assert "what is said goes to api.openai.com" in result.output
    assert "hush" not in result.output


def test_scripts_get_json() -> None:
    result = CliRunner().invoke(app, ["--json"])
    found = json.loads(result.output)
    assert found["can_talk"] is True
    assert {check["name"] for check in found["checks"]} >= {"python", "data folder", "disk", "port"}
    assert len(found["stages"]) == 6
