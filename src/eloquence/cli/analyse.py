"""`eloquence analyse`: a recording becomes a report, and a folder of them a table."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from eloquence.cli._shown import language_of

if TYPE_CHECKING:
    from rich.console import Console

    from eloquence.coaching.character import Language
    from eloquence.coaching.report import Report
    from eloquence.ops.folder import Analysed, Order, Score


def analyse(
    recording: Annotated[
        Path,
        typer.Argument(help="A WAV, FLAC, MP3 or Ogg file with one speaker, or a folder of them."),
    ],
    exercise: Annotated[
        str, typer.Option(help="The exercise whose norms it is compared with.")
    ] = "conversation_libre_marie",
    language: Annotated[
        str | None, typer.Option(help="fr or en [default: the one that is set].")
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(
            help="Folder for the report as HTML, PDF, JSON and CSV; of a folder, one folder for "
            "each recording, and summary.csv."
        ),
    ] = None,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="Print the report as JSON; of a folder, one line for each."),
    ] = False,
    max_minutes: Annotated[float, typer.Option(min=0.1, help="Refuse a longer recording.")] = 60.0,
    jobs: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=512,
            help="Recordings of a folder at once [default: one per core, if memory allows].",
        ),
    ] = None,
) -> None:
    """Say how somebody speaks in a recording, or in every recording of a folder.

    A recording that cannot be analysed is listed with the reason, and the others go on; the status
    is then 1.
    """
    from eloquence.config import load
    from eloquence.observability import logs
    from eloquence.ops.folder import Order

    spoken = language_of(language)
    settings = load()
    logs.configure(settings)
    order = Order(settings, recording, exercise, spoken, 60 * max_minutes, report, as_json)
    if recording.is_dir():
        _analyse_folder(order, jobs)
    else:
        _analyse_one(order)


def _analyse_one(order: "Order") -> None:
    import asyncio
    from typing import Literal

    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    from eloquence.ops import analysis
    from eloquence.storage import export

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
                order.settings,
                order.folder,
                exercise_id=order.exercise,
                language=order.language,
                progress=tell,
                max_seconds=order.max_seconds,
            )
        )
    if order.report is not None:
        export.write_report(found, order.report, order.folder)
    if order.document:
        typer.echo(found.model_dump_json(indent=2))
    else:
        show(found, Console())
        if order.report is not None:
            typer.echo(f"{order.report / 'report.html'}")


def _analyse_folder(order: "Order", jobs: int | None) -> None:
    from contextlib import closing

    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from eloquence.ops import folder

    files = folder.recordings(order.folder)
    order = folder.prepared(order)
    count = folder.jobs(order) if jobs is None else jobs
    done: list[folder.Analysed] = []
    interrupted = False
    with (
        Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            console=Console(stderr=True),
            transient=True,
        ) as bar,
        closing(folder.analyse_folder(order, files, jobs=count)) as results,
    ):
        task = bar.add_task("Analysing", total=len(files))
        try:
            for one in results:
                if order.document:
                    _print_line(one)
                done.append(replace(one, document=""))
                bar.update(task, completed=len(done))
        except KeyboardInterrupt:
            interrupted = True
    if not order.document:
        show_folder(done, order.language, Console())
    if order.report is not None:
        path = folder.write_summary(done, order.report)
        if not order.document:
            typer.echo(f"{path}")
    if interrupted:
        typer.echo(f"Interrupted: {len(done)} of {len(files)} recordings were analysed.", err=True)
        raise typer.Exit(130)
    if any(one.failure for one in done):
        raise typer.Exit(1)


def _print_line(one: "Analysed") -> None:
    """One line of JSON: the file, and its report or its error."""
    import json

    name = json.dumps(one.file, ensure_ascii=False)
    if one.failure is None:
        typer.echo(f'{{"file":{name},"report":{one.document}}}')
    else:
        told = {
            "code": one.failure.code,
            "message": one.failure.message,
            "mend": one.failure.mend,
        }
        typer.echo(f'{{"file":{name},"error":{json.dumps(told, ensure_ascii=False)}}}')


def show_folder(analysed: "Sequence[Analysed]", language: "Language", console: "Console") -> None:
    """Prints a row for each recording with its priority below its name, then each reason why
    something has no score, and the recordings that could not be analysed."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Column, Table
    from rich.text import Text

    words = _WORDS[language]
    heads = {score.dimension: score.label for one in analysed for score in one.scores}
    table = Table(
        Column(f"{words['file']}\n→ {words['priority'].lower()}", overflow="fold"),
        *(Column(words[name], no_wrap=True, justify="right") for name in ("seconds", "words")),
        *(Column(label.replace(" ", "\n"), justify="right") for label in heads.values()),
        box=SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
    )
    done = [one for one in analysed if one.failure is None]
    for one in done:
        name = f"{one.file}\n→ {one.priority}" if one.priority else one.file
        heard = "–" if one.words is None else str(one.words)
        ranges = {score.dimension: _range(score) for score in one.scores}
        cells = (ranges.get(dimension, "–") for dimension in heads)
        row = (name, f"{one.seconds:.0f} s", heard, *cells)
        table.add_row(*(Text(cell) for cell in row))
    if table.row_count:
        console.print(table)
    if any(one.words is None for one in done):
        console.print(Text(f"– {words['words']}{words['colon']}{words['by_ear']}"))
    for reason, concerned in _reasons(done).items():
        console.print(Text(f"– {_listed(concerned)}{words['colon']}{reason}"))
    for one in analysed:
        if one.failure is not None:
            console.print(Text(f"{one.file}{words['colon']}{one.failure.message}"), style="red")
            if one.failure.mend:
                console.print(Text(f"  → {one.failure.mend}"))


def _reasons(analysed: "Sequence[Analysed]") -> dict[str, list[str]]:
    """What each reason concerns: the recordings that have no score at all for it, or else the
    dimensions."""
    found: dict[str, list[str]] = {}
    for one in analysed:
        missing = [score for score in one.scores if score.low is None]
        alone = len({score.reason for score in missing}) == 1 and len(missing) == len(one.scores)
        for score in missing:
            concerned = found.setdefault(score.reason, [])
            name = one.file if alone else score.label
            if name not in concerned:
                concerned.append(name)
    return found


def _listed(names: "Sequence[str]") -> str:
    """The names; of many, the first ones and how many there are."""
    if len(names) <= _MOST_NAMES:
        return ", ".join(names)
    return f"{', '.join(names[:_MOST_NAMES])}… ({len(names)})"


def _range(score: "Score") -> str:
    if score.low is None or score.high is None:
        return "–"
    return f"{100 * score.low:.0f}–{100 * score.high:.0f}"


_MOST_NAMES = 6
"""Recordings that are named for one reason."""

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
        "file": "Fichier",
        "seconds": "Durée",
        "words": "Mots",
        "by_ear": "non reconnus, l’analyse s’est faite à l’oreille.",
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
        "file": "File",
        "seconds": "Length",
        "words": "Words",
        "by_ear": "not recognised, the analysis was made by ear.",
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
