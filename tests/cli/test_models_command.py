"""`eloquence models` as people run it."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from eloquence import cli
from eloquence.cli import models as command
from eloquence.errors import ModelError
from eloquence.storage import models

app = typer.Typer()
app.add_typer(command.app, name="models")


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["models", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_the_list_tells_what_is_here(own_home: Path) -> None:
    (own_home / "models" / "vosk-model-small-fr-0.22").mkdir(parents=True)
    found = {entry["name"]: entry["installed"] for entry in json.loads(run("list", "--json"))}
    assert found["vosk-model-small-fr-0.22"] is True
    assert found["vosk-model-small-en-us-0.15"] is False
    assert str(own_home / "models") in run("list").replace("\n", "")


def test_what_is_here_is_not_fetched_again_and_can_be_removed(own_home: Path) -> None:
    folder = own_home / "models" / "fr_FR-siwis-medium"
    folder.mkdir(parents=True)
    assert "here already" in run("download", "fr_FR-siwis-medium")
    assert "was removed" in run("remove", "fr_FR-siwis-medium")
    assert not folder.exists()
    assert "is not here" in run("remove", "fr_FR-siwis-medium")


def test_an_unknown_name_is_told_with_the_known_ones() -> None:
    result = CliRunner().invoke(app, ["models", "download", "nothing"])
    assert isinstance(result.exception, ModelError)
    assert "vosk-model-small-fr-0.22" in result.exception.mend
    assert cli.exit_status(result.exception) == 7


def test_a_host_that_cannot_be_reached_is_a_message_and_leaves_nothing(
    own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = models.Model(
        name="small", stage="stt", language="fr", about="", licence="", size=1,
        archive="http://127.0.0.1:9/small.zip",
    )  # fmt: skip
    monkeypatch.setattr(models, "catalogue", lambda: (nowhere,))
    result = CliRunner().invoke(app, ["models", "download", "small"])
    assert isinstance(result.exception, ModelError)
    assert "network" in result.exception.mend
    assert not (own_home / "models" / "small").exists()
