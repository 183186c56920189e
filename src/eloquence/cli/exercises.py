"""`eloquence exercises`: what can be practised, and whether an author's file is right."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from eloquence.cli._shown import language_of, library_of, print_json, print_table

if TYPE_CHECKING:
    from eloquence.coaching.exercise import Exercise

app = typer.Typer(help="The exercises: list, show, check.", no_args_is_help=True)

LANGUAGE = typer.Option(None, "--language", "-l", help="fr or en [default: the settings'].")
WHAT_TO_CHECK = "A file, or a folder of content; without it, all content that would be read."
JSON = typer.Option(False, "--json", help="Print JSON.")


@app.command("list")
def list_exercises(language: str = LANGUAGE, as_json: bool = JSON) -> None:
    """List the exercises of a language, easiest first."""
    spoken = language_of(language)
    found = library_of().exercises(spoken)
    if as_json:
        print_json([_summary(exercise) for exercise in found])
        return
    rows = [
        (
            exercise.id,
            f"{exercise.icon} {exercise.title}".strip(),
            exercise.difficulty,
            f"{exercise.duration_minutes:g} min",
        )
        for exercise in found
    ]
    print_table(("id", "title", "difficulty", "length"), rows)


@app.command()
def show(
    exercise_id: str = typer.Argument(..., metavar="ID", help="An id that `list` prints."),
    language: str = LANGUAGE,
    as_json: bool = JSON,
) -> None:
    """Show one exercise: its scenarios, how it is judged, how long the character waits."""
    spoken = language_of(language)
    library = library_of()
    exercise = library.exercise(exercise_id, spoken)
    if as_json:
        print_json(exercise.model_dump(mode="json", by_alias=True))
        return
    character = library.character(exercise.character, spoken)
    criteria, patience = exercise.criteria, exercise.patience
    rows = [
        ("id", exercise.id),
        ("description", exercise.description),
        ("goal", exercise.goal),
        ("with", f"{character.name}, {character.role} ({character.id})"),
        ("difficulty", exercise.difficulty),
        ("length", f"{exercise.duration_minutes:g} min"),
        ("judged on", ", ".join(criteria.dimensions)),
        ("pass mark", f"{criteria.passing_score:g}"),
        ("focus areas", ", ".join(criteria.focus_areas)),
        ("patience", f"{patience.minimum:g} s to {patience.maximum:g} s"),
        *((f"tip {number}", tip) for number, tip in enumerate(exercise.tips, 1)),
        *(
            (
                f"scenario {scenario.id}",
                f"{scenario.title}: {scenario.objective} ({len(scenario.script.steps)} steps)",
            )
            for scenario in exercise.scenarios
        ),
    ]
    print_table(None, [row for row in rows if row[1]], title=exercise.title)


@app.command()
def check(
    path: Annotated[Path | None, typer.Argument(help=WHAT_TO_CHECK)] = None,
) -> None:
    """Check content files: print every problem with its line and mend, and exit with 3."""
    from eloquence.config import load
    from eloquence.storage import content

    library = content.load(load().content)
    found = library.problems if path is None else content.problems(path, library)
    for problem in found:
        typer.echo(problem.message)
        typer.echo(f"  → {problem.mend}")
    if found:
        typer.echo(f"{len(found)} problem{'s' if len(found) > 1 else ''}.", err=True)
        raise typer.Exit(3)
    typer.echo("All content is right." if path is None else f"{path} is right.")


def _summary(exercise: "Exercise") -> dict[str, object]:
    return exercise.model_dump(
        mode="json",
        include={"id", "title", "description", "character", "difficulty", "duration_minutes"},
    ) | {
        "language": exercise.language,
        "scenarios": [scenario.id for scenario in exercise.scenarios],
        "dimensions": list(exercise.criteria.dimensions),
    }
