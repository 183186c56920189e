"""The commands. Each module of this room is one command or one group of them.

Modules here import only light things at the top, so that `eloquence --help` starts at once; what
a command needs is imported when it runs.
"""

import sys

import typer

from eloquence import __version__
from eloquence.errors import (
    AccountNotFoundError,
    CapacityError,
    ConfigurationError,
    ContentError,
    EloquenceError,
    ModelError,
    ProviderError,
    RecordingError,
    SessionNotFoundError,
    StorageError,
)

app = typer.Typer(
    name="eloquence",
    help="Eloquence: a real-time voice coach, French first. Start with: eloquence serve --open",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

EXITS: tuple[tuple[type[EloquenceError], int], ...] = (
    (ConfigurationError, 2),
    (ContentError, 3),
    (RecordingError, 4),
    (SessionNotFoundError, 5),
    (AccountNotFoundError, 5),
    (CapacityError, 6),
    (ModelError, 7),
    (ProviderError, 8),
    (StorageError, 9),
)
"""Which exit status an error gives; any other error of ours gives 1."""


def _version(asked: bool) -> None:
    if asked:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version and leave."
    ),
) -> None:
    """Common options."""


def _register() -> None:
    from eloquence.cli import (
        accounts,
        analyse,
        chaos,
        characters,
        config,
        doctor,
        exercises,
        models,
        plugins,
        providers,
        score,
        serve,
        service,
        sessions,
        talk,
        worker,
    )

    app.command("serve")(serve.serve)
    app.command("worker")(worker.worker)
    app.command("talk")(talk.talk)
    app.command("analyse")(analyse.analyse)
    app.command("score")(score.score)
    app.command("doctor")(doctor.doctor)
    app.command("chaos")(chaos.chaos)
    app.add_typer(config.app, name="config")
    app.add_typer(providers.app, name="providers")
    app.add_typer(models.app, name="models")
    app.add_typer(exercises.app, name="exercises")
    app.add_typer(characters.app, name="characters")
    app.add_typer(sessions.app, name="sessions")
    app.add_typer(accounts.app, name="accounts")
    app.add_typer(service.app, name="service")
    app.add_typer(plugins.app, name="plugins")
    # As `manage_agents.py` spells them (PRV-02 to PRV-05).
    app.command("show", hidden=True)(config.show)
    app.command("list-providers", hidden=True)(providers.list_providers)
    app.command("change-llm", hidden=True)(providers.change_llm)
    app.command("change-tts", hidden=True)(providers.change_tts)
    app.command("change-stt", hidden=True)(providers.change_stt)


def exit_status(error: EloquenceError) -> int:
    """The exit status for an error, from the table above."""
    return next((status for kind, status in EXITS if isinstance(error, kind)), 1)


def main() -> None:
    """Entry point of the `eloquence` command: errors of ours are one message and an exit status."""
    _register()
    try:
        app()
    except EloquenceError as error:
        typer.echo(f"eloquence: {error.message}", err=True)
        if error.mend:
            typer.echo(f"  → {error.mend}", err=True)
        sys.exit(exit_status(error))
