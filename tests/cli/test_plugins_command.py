"""`eloquence plugins`, also as `manage_agents.py` spells it (PRV-06, CFG-05)."""

import asyncio
import json
import sys
import tomllib
from pathlib import Path

import pytest
import typer

from eloquence import cli
from eloquence.cli import plugins
from eloquence.config import load
from eloquence.plugins.running import tried
from eloquence.storage.sessions import open_store

Figures = dict[str, dict[str, object]]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    app = typer.Typer(pretty_exceptions_enable=False)
    app.add_typer(plugins.app, name="plugins")
    monkeypatch.setattr(cli, "app", app)
    monkeypatch.setattr(cli, "_register", lambda: None)
    return tmp_path


def ran(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str
) -> tuple[int, str]:
    monkeypatch.setattr(sys, "argv", ["eloquence", "plugins", *words])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    printed = capsys.readouterr()
    return int(ended.value.code or 0), printed.out + printed.err


def test_a_plugin_is_added_and_removed_and_comments_stay(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = folder / "eloquence.toml"
    file.write_text('# ours\nlog_level = "INFO" # quiet\n', encoding="utf-8")
    status, told = ran(monkeypatch, capsys, "add", "--name", "profanity_filter")
    assert status == 0
    assert "required filter" in told
    assert ran(monkeypatch, capsys, "add", "example")[0] == 0
    assert load().plugins.enabled == ("profanity_filter", "example")
    assert ran(monkeypatch, capsys, "remove", "--name", "profanity_filter")[0] == 0
    text = file.read_text(encoding="utf-8")
    assert text.startswith('# ours\nlog_level = "INFO" # quiet\n')
    assert tomllib.loads(text)["plugins"]["enabled"] == ["example"]


def test_a_variable_takes_nothing_out_of_the_file_nor_into_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """CFG-05"""
    file = folder / "eloquence.toml"
    file.write_text('[plugins]\nenabled = ["profanity_filter"]\n', encoding="utf-8")
    monkeypatch.setenv("ENABLED_PLUGINS", "sentiment_analysis")
    _, told = ran(monkeypatch, capsys, "add", "example")
    assert "says otherwise" in told
    written = tomllib.loads(file.read_text(encoding="utf-8"))["plugins"]["enabled"]
    assert written == ["profanity_filter", "example"]
    _, told = ran(monkeypatch, capsys, "remove", "sentiment_analysis")
    assert "says otherwise" in told
    assert tomllib.loads(file.read_text(encoding="utf-8"))["plugins"]["enabled"] == written


def test_what_is_added_while_another_one_is_tried_stays(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = folder / "eloquence.toml"

    async def tried_meanwhile(*given: object) -> object:
        file.write_text('[plugins]\nenabled = ["profanity_filter"]\n', encoding="utf-8")
        return await tried(*given)  # type: ignore[arg-type]

    monkeypatch.setattr("eloquence.ops.plugins.tried", tried_meanwhile)
    assert ran(monkeypatch, capsys, "add", "example")[0] == 0
    assert load().plugins.enabled == ("profanity_filter", "example")


def test_one_that_is_not_installed_changes_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    status, told = ran(monkeypatch, capsys, "add", "nothing")
    assert status == 2
    assert "example" in told
    assert not (folder / "eloquence.toml").exists()
    assert ran(monkeypatch, capsys, "add")[0] == 2
    assert ran(monkeypatch, capsys, "add", "example", "--name", "other")[0] == 2


def test_a_variable_that_counts_more_is_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ENABLED_PLUGINS", "example, sentiment_analysis")
    assert load().plugins.enabled == ("example", "sentiment_analysis")
    assert "ENABLED_PLUGINS" in ran(monkeypatch, capsys, "remove", "example")[1]
    assert "does not take part" in ran(monkeypatch, capsys, "remove", "profanity_filter")[1]


def test_all_are_listed_with_their_figures_and_one_that_is_off_comes_back(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def failed() -> None:
        settings = load()
        async with open_store(settings.database, settings.recordings) as store:
            await store.plugins.add("example", {"calls": 4, "failures": 5, "seconds": 0.01})
            await store.plugins.add("sentiment_analysis", {"slow": 2})
            await store.plugins.switch_off("example")

    asyncio.run(failed())
    status, told = ran(monkeypatch, capsys, "list")
    assert status == 0
    assert "switched off" in told
    assert "no, slow in 2 conversations" in told
    assert "2.5" in told  # milliseconds per call
    assert ran(monkeypatch, capsys, "add", "example")[0] == 0
    listed = json.loads(ran(monkeypatch, capsys, "list", "--json")[1])
    by_name = {one["name"]: one for one in listed}
    assert by_name["example"] | {"package": ""} == {
        "name": "example", "package": "", "enabled": True, "off": False, "calls": 4,
        "failures": 5, "timeouts": 0, "slow": 0, "seconds": 0.01, "counted": {},
    }  # fmt: skip
    assert by_name["sentiment_analysis"]["enabled"] is False


def test_names_stay_whole_in_a_narrow_terminal(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def failed() -> None:
        settings = load()
        async with open_store(settings.database, settings.recordings) as store:
            await store.plugins.add("the_filter_of_a_third_party", {"calls": 99_999})
            await store.plugins.switch_off("the_filter_of_a_third_party")

    asyncio.run(failed())
    monkeypatch.setenv("COLUMNS", "80")
    _, told = ran(monkeypatch, capsys, "list")
    words = told.split()
    for name in ("the_filter_of_a_third_party", "conversation_memory", "profanity_filter"):
        assert name in words
    assert words.count("eloquence") == 4  # the package of each that ships
    assert {"switched", "failing", "99999", "failed", "late"} <= set(words)
    assert max(map(len, told.splitlines())) <= 80
