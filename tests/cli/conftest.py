"""Running a command as a person would: what it prints, and how it ends."""

import sys
from collections.abc import Callable
from typing import NamedTuple

import pytest
import typer

from eloquence import cli


class Ran(NamedTuple):
    status: int
    out: str
    err: str


Run = Callable[..., Ran]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """`run("sessions", "list")`: the commands of this room that need no engine."""
    from eloquence.cli import accounts, analyse, score, sessions

    app = typer.Typer(pretty_exceptions_enable=False)
    app.command("analyse")(analyse.analyse)
    app.command("score")(score.score)
    app.add_typer(sessions.app, name="sessions")
    app.add_typer(accounts.app, name="accounts")
    monkeypatch.setattr(cli, "app", app)
    monkeypatch.setattr(cli, "_register", lambda: None)
    monkeypatch.setenv("COLUMNS", "200")

    def ran(*arguments: object) -> Ran:
        monkeypatch.setattr(sys, "argv", ["eloquence", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        printed = capsys.readouterr()
        return Ran(int(ended.value.code or 0), printed.out, printed.err)

    return ran
