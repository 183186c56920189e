"""`eloquence characters`: the persons one talks with."""

import typer

from eloquence.cli._shown import language_of, library_of, print_json, print_table

app = typer.Typer(help="The characters: list, show.", no_args_is_help=True)

LANGUAGE = typer.Option(None, "--language", "-l", help="fr or en [default: the settings'].")
JSON = typer.Option(False, "--json", help="Print JSON.")


@app.command("list")
def list_characters(language: str = LANGUAGE, as_json: bool = JSON) -> None:
    """List the characters of a language."""
    found = library_of().characters(language_of(language))
    if as_json:
        print_json(
            [
                character.model_dump(
                    mode="json", include={"id", "name", "description", "role", "avatar", "language"}
                )
                for character in found
            ]
        )
        return
    rows = [
        (character.id, f"{character.avatar} {character.name}".strip(), character.role)
        for character in found
    ]
    print_table(("id", "name", "role"), rows)


@app.command()
def show(
    character_id: str = typer.Argument(..., metavar="ID", help="An id that `list` prints."),
    language: str = LANGUAGE,
    as_json: bool = JSON,
) -> None:
    """Show one character, with what a language model is told."""
    import difflib

    from eloquence.errors import ContentError

    known = {each.id: each for each in library_of().characters(language_of(language))}
    if character_id not in known:
        # The conversation falls back to the default character; whoever names one to look at it
        # wants that one.
        near = difflib.get_close_matches(character_id, known, n=1)
        raise ContentError(
            f"There is no character {character_id!r}.",
            mend=f"{f'Did you mean {near[0]!r}? ' if near else ''}Characters: {', '.join(known)}.",
        )
    character = known[character_id]
    if as_json:
        print_json(character.model_dump(mode="json"))
        return
    traits = character.personality
    rows = [
        ("id", character.id),
        ("role", character.role),
        ("description", character.description),
        ("personality", traits.summary),
        (
            "traits",
            f"warmth {traits.warmth:g}, formality {traits.formality:g}, "
            f"directness {traits.directness:g}",
        ),
        ("style", character.style),
        ("interaction", character.interaction),
        ("expertise", ", ".join(character.expertise)),
        ("voice", character.voice.kind),
        ("prompt", character.prompt.strip()),
    ]
    print_table(None, [row for row in rows if row[1]], title=character.name)
