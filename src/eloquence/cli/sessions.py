"""`eloquence sessions`: what is kept of past conversations."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from eloquence.cli._shown import print_json, print_table

if TYPE_CHECKING:
    from eloquence.coaching.session import Session, StoredSession
    from eloquence.storage.export import Kind

app = typer.Typer(
    name="sessions", help="Past conversations: list, show, export, delete.", no_args_is_help=True
)


@app.command("list")
def list_sessions(
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many, newest first.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """List past conversations, newest first."""
    import asyncio
    from collections.abc import Sequence

    from eloquence.config import load
    from eloquence.storage.sessions import open_store

    settings = load()

    async def listed() -> "Sequence[StoredSession]":
        async with open_store(settings.database, settings.recordings) as store:
            return await store.list(limit=limit)

    found = asyncio.run(listed())
    if as_json:
        print_json([_summary(stored) for stored in found])
    elif not found:
        typer.echo("There is no stored session yet. Start one with: eloquence serve --open")
    else:
        print_table(
            ("id", "when", "exercise", "language", "length", "ended", "sound"),
            (
                (
                    stored.session.id,
                    _when(stored.session.started_at),
                    _what(stored.session),
                    stored.session.language,
                    "" if stored.end is None else _length(stored.end.duration),
                    _ending(stored),
                    ", ".join(stored.audio),
                )
                for stored in found
            ),
        )


@app.command("show")
def show_session(
    session_id: Annotated[
        str, typer.Argument(metavar="ID", help="As `eloquence sessions list` shows it.")
    ],
    as_json: Annotated[
        bool, typer.Option("--json", help="Print all that is stored, as JSON.")
    ] = False,
    as_csv: Annotated[
        bool, typer.Option("--csv", help="Print its scores and measures, as CSV.")
    ] = False,
) -> None:
    """Show one conversation: who said what, and when."""
    import asyncio
    import sys

    from rich.console import Console
    from rich.text import Text

    from eloquence.config import load
    from eloquence.storage.sessions import open_store

    settings = load()

    async def found() -> "StoredSession":
        async with open_store(settings.database, settings.recordings) as store:
            return await store.get(session_id)

    if as_csv:
        from eloquence.ops import archive

        sys.stdout.write(asyncio.run(archive.table(settings, session_id)).decode("utf-8-sig"))
        return
    stored = asyncio.run(found())
    if as_json:
        typer.echo(stored.model_dump_json(indent=2))
        return
    console, session = Console(), stored.session
    console.print(Text(session.title or session.exercise, style="bold"))
    facts = [
        _when(session.started_at),
        session.language,
        "" if stored.end is None else _length(stored.end.duration),
        _ending(stored),
        " ".join(f"{stage}={name}" for stage, name in session.stages.items()),
        *(f"sound={name}" for name in stored.audio),
    ]
    console.print(Text(" · ".join(fact for fact in facts if fact), style="dim"))
    for turn in stored.turns:
        cut = " —" if turn.interrupted else ""
        line = Text(f"{_length(turn.start):>7}  ", style="dim")
        line.append(f"{session.character if turn.speaker == 'character' else 'you'}: ", "bold")
        line.append(f"{turn.text or '…'}{cut}", "not dim")
        console.print(line)


@app.command("export")
def export_session(
    session_id: Annotated[
        str, typer.Argument(metavar="ID", help="As `eloquence sessions list` shows it.")
    ],
    output: Annotated[
        Path | None, typer.Option(help="Folder to write to [default: ./eloquence-ID].")
    ] = None,
    pdf: Annotated[bool, typer.Option("--pdf", help="Only the report, to print.")] = False,
    html: Annotated[bool, typer.Option("--html", help="Only the report, as a page.")] = False,
    csv: Annotated[
        bool, typer.Option("--csv", help="Only the tables of measures and of moments.")
    ] = False,
) -> None:
    """Write all that is kept of a conversation to a folder: record, report and sound.

    With --pdf, --html or --csv, only these."""
    import asyncio

    from eloquence.config import load
    from eloquence.ops import archive

    settings = load()
    folder = output if output is not None else Path(f"eloquence-{session_id}")
    forms: list[Kind] = []
    forms += ["pdf"] if pdf else []
    forms += ["html"] if html else []
    forms += ["csv", "moments"] if csv else []
    for path in asyncio.run(archive.export(settings, session_id, folder, forms)):
        typer.echo(str(path))


@app.command("delete")
def delete_session(
    session_id: Annotated[
        str, typer.Argument(metavar="ID", help="As `eloquence sessions list` shows it.")
    ],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete a conversation, its report and its sound, for good."""
    import asyncio

    from eloquence.config import load
    from eloquence.storage.sessions import open_store

    settings = load()

    async def deleted() -> None:
        async with open_store(settings.database, settings.recordings) as store:
            await store.get(session_id)
            if not yes:
                await asyncio.to_thread(
                    typer.confirm, f"Delete session {session_id} for good?", abort=True
                )
            await store.delete(session_id)

    asyncio.run(deleted())
    typer.echo(f"Session {session_id} is deleted.")


def _summary(stored: "StoredSession") -> dict[str, object]:
    return {
        **stored.session.model_dump(),
        "end": None if stored.end is None else stored.end.model_dump(),
        "audio": list(stored.audio),
    }


def _what(session: "Session") -> str:
    title = session.title or session.exercise
    return title if session.purpose == "exercise" else f"{title} ({session.purpose})"


def _ending(stored: "StoredSession") -> str:
    if stored.end is None:
        return "live"
    if stored.end.status == "complete":
        return "complete"
    return f"{stored.end.status} ({stored.end.reason})"


def _when(posix: float) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(posix, UTC).astimezone().strftime("%Y-%m-%d %H:%M")


def _length(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"
