"""`eloquence models`: the speech models on this machine."""

import typer

app = typer.Typer(help="Speech models: list, download, remove.", no_args_is_help=True)

NAME = typer.Argument(..., metavar="NAME", help="A name that `list` prints.")


@app.command("list")
def list_models(as_json: bool = typer.Option(False, "--json", help="Print JSON.")) -> None:
    """List the models, and which are here."""
    from eloquence.cli._shown import print_json, print_table
    from eloquence.config import load
    from eloquence.storage import models

    folder = load().models
    known = models.catalogue()
    if as_json:
        print_json(
            [
                {**entry.model_dump(mode="json"), "installed": models.installed(entry, folder)}
                for entry in known
            ]
        )
        return
    rows = [
        (
            entry.name,
            entry.language,
            f"{entry.size / 1e6:.0f} MB",
            "here" if models.installed(entry, folder) else "",
            entry.about,
        )
        for entry in known
    ]
    print_table(("name", "language", "size", "", "what it is"), rows)
    typer.echo(f"Folder: {folder}")


@app.command()
def download(name: str = NAME) -> None:
    """Fetch a model; a download that was cut goes on where it stopped."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    from eloquence.config import load
    from eloquence.errors import ModelError
    from eloquence.storage import models

    entry, folder = models.model(name), load().models
    if models.installed(entry, folder):
        typer.echo(f"{name} is here already: {folder / name}")
        return
    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(name, total=entry.size)
        try:
            fetched = models.download(
                entry, folder, lambda here, total: bar.update(task, completed=here, total=total)
            )
        except KeyboardInterrupt:
            raise ModelError(
                "The download was stopped.", mend="The same command goes on where it stopped."
            ) from None
    typer.echo(f"{name} is ready: {fetched.folder}")
    if fetched.unpublished:
        typer.echo("Its vendor publishes no checksum: the one found was recorded for next time.")


@app.command()
def remove(name: str = NAME) -> None:
    """Remove a model from this machine."""
    from eloquence.config import load
    from eloquence.storage import models

    there = models.remove(models.model(name), load().models)
    typer.echo(f"{name} was removed." if there else f"{name} is not here.")
