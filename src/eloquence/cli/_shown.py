"""What the content commands share: which library and language, and how a table is printed."""

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from eloquence.coaching.character import Language
    from eloquence.storage.content import Library


def library_of() -> "Library":
    """The library of the settings. Says on the error stream how many files were left out."""
    from eloquence.config import load
    from eloquence.storage import content

    settings = load()
    library = content.load(settings.content)
    if settings.content is not None and library.problems:
        typer.echo(
            f"{len(library.problems)} problem(s) in your content: eloquence exercises check",
            err=True,
        )
    return library


def language_of(given: str | None) -> "Language":
    """The language asked for, or the settings'. Raises typer.BadParameter for another one."""
    from eloquence.config import load
    from eloquence.storage.content import LANGUAGES

    language = given or load().language
    if language not in LANGUAGES:
        raise typer.BadParameter(f"{language!r} is not one of: {', '.join(LANGUAGES)}.")
    return language


def print_json(value: object) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))


def print_table(
    heads: Sequence[str] | None, rows: Iterable[Sequence[str]], title: str | None = None
) -> None:
    """A table on the terminal; without heads, one line per key."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(
        *(heads or ("", "")),
        title=title,
        title_justify="left",
        show_header=heads is not None,
        box=SIMPLE_HEAD if heads is not None else None,
    )
    # Whatever is narrow breaks the line; nothing is cut, and ids and keys are in one piece.
    for column in table.columns:
        column.overflow = "fold"
    table.columns[0].no_wrap = True
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    Console().print(table)
