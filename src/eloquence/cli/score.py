"""`eloquence score`: scores for research, one line per recording."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer


def score(
    file: Annotated[
        str, typer.Argument(help="A file with one JSON object per line; - for standard input.")
    ] = "-",
    jsonl: Annotated[
        bool,
        typer.Option("--jsonl", help="One JSON object per line, in and out, the one form."),
    ] = True,
    jobs: Annotated[
        int | None,
        typer.Option(min=1, max=512, help="Processes [default: one per core, if memory allows]."),
    ] = None,
) -> None:
    """Score timed words and recordings for research.

    Each line in: id, wav, text, words ([[word, start, end], …]), lang (fr or en), and, if wanted,
    register (conversation or presentation). wav is looked for from the folder of the file. Each
    line out: id, scores (each dimension's score, or null), intervals, reasons, measures and
    events, or error. The status is 1 when a line failed.
    """
    import os
    import sys

    from eloquence.config import load
    from eloquence.errors import StorageError
    from eloquence.observability import logs
    from eloquence.ops.scoring import score_lines

    settings = load()
    logs.configure(settings)
    path = None if file == "-" else Path(file)
    failed = False
    try:
        source = (
            sys.stdin.fileno()
            if path is None
            else os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        )
    except OSError as error:
        raise StorageError(
            f"The file {file} cannot be read: {error.strerror}.", mend="Check its name."
        ) from error
    folder = Path() if path is None else path.parent
    results = score_lines(_lines(source), folder, content_folder=settings.content, jobs=jobs)
    try:
        for result in results:
            failed |= result.failed
            typer.echo(result.text)
    except KeyboardInterrupt:
        typer.echo("Interrupted.", err=True)
        raise typer.Exit(130) from None
    finally:
        results.close()
        if path is not None:
            os.close(source)
    if failed:
        raise typer.Exit(1)


def _lines(source: int) -> Iterator[bytes]:
    """The lines of a file that is open, without its buffer: one that another thread waits on could
    not be closed at an interrupt."""
    import os

    rest = b""
    while piece := os.read(source, 1 << 16):
        *whole, rest = (rest + piece).split(b"\n")
        yield from whole
    if rest:
        yield rest
