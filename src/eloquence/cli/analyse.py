"""`eloquence analyse`: a recording becomes a report."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from eloquence.cli._shown import language_of

if TYPE_CHECKING:
    from rich.console import Console

    from eloquence.coaching.report import Report


def analyse(
    recording: Annotated[
        Path, typer.Argument(help="A WAV, FLAC, MP3 or Ogg file with one speaker.")
    ],
    exercise: Annotated[
        str, typer.Option(help="The exercise whose norms it is compared with.")
    ] = "conversation_libre_marie",
    language: Annotated[
        str | None, typer.Option(help="fr or en [default: the one that is set].")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="Folder for report.json and report.html.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    max_minutes: Annotated[float, typer.Option(min=0.1, help="Refuse a longer recording.")] = 60.0,
) -> None:
    """Say how somebody speaks in a recording."""
    import asyncio
    from typing import Literal

    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    from eloquence.config import load
    from eloquence.observability import logs
    from eloquence.ops import analysis
    from eloquence.storage import export

    spoken = language_of(language)
    settings = load()
    logs.configure(settings)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        console=Console(stderr=True),
        transient=True,
    ) as bar:
        tasks = {"read": bar.add_task("Reading"), "listen": bar.add_task("Listening")}

        def tell(part: Literal["read", "listen"], share: float) -> None:
            bar.update(tasks[part], completed=100 * share)

        found = asyncio.run(
            analysis.analyse(
                settings,
                recording,
                exercise_id=exercise,
                language=spoken,
                progress=tell,
                max_seconds=60 * max_minutes,
            )
        )
    if report is not None:
        export.write_report(found, report, recording)
    if as_json:
        typer.echo(found.model_dump_json(indent=2))
    else:
        show(found, Console())
        if report is not None:
            typer.echo(f"{report / 'report.html'}")


_WORDS = {
    "fr": {
        "pass": "réussi",
        "near": "presque",
        "not_yet": "pas encore",
        "not_scored": "non évalué",
        "priority": "Priorité",
        "drill": "Exercice",
        "speech": "de parole",
        "colon": "\u00a0: ",
        "point": ",",
    },
    "en": {
        "pass": "passed",
        "near": "near",
        "not_yet": "not yet",
        "not_scored": "not scored",
        "priority": "Priority",
        "drill": "Drill",
        "speech": "of speech",
        "colon": ": ",
        "point": ".",
    },
}


def show(report: "Report", console: "Console") -> None:
    """Prints a report for people: scores with their reasons, feedback, and what was measured."""
    from rich.table import Table
    from rich.text import Text

    words = _WORDS[report.language]
    heading = f"{report.title} — {report.speech_seconds:.0f} s {words['speech']}"
    console.print(Text(heading, style="bold"))
    if report.feedback.headline:
        console.print(Text(report.feedback.headline))
    scores = Table(box=None, show_header=False, pad_edge=False)
    for dimension in report.dimensions:
        figure = ""
        why = dimension.reason or dimension.summary
        if dimension.low is not None and dimension.high is not None:
            figure = f"{100 * dimension.low:.0f}–{100 * dimension.high:.0f}"
        scores.add_row(
            Text(dimension.label),
            Text(words[dimension.state]),
            Text(figure),
            Text("" if why == report.feedback.headline else why),
        )
    console.print(scores)
    for remark in report.feedback.strengths:
        console.print(Text(f"+ {remark.title}{words['colon']}{remark.text}"))
    if report.feedback.priority is not None:
        priority = report.feedback.priority
        label = f"{words['priority']}{words['colon']}"
        console.print(Text(f"→ {label}{priority.title}. {priority.text}"))
    if report.feedback.drill is not None:
        drill = report.feedback.drill
        label = f"{words['drill']}{words['colon']}"
        console.print(Text(f"→ {label}{drill.title}. {drill.instructions}"))
    measured = Table(box=None, show_header=False, pad_edge=False)
    for measure in report.measures:
        if measure.value is not None:
            measured.add_row(
                Text(measure.label),
                Text(f"{measure.value:.2f}".replace(".", words["point"]), justify="right"),
                Text(measure.unit),
            )
    console.print(measured)
    for note in report.quality.notes:
        console.print(Text(note, style="dim"))
