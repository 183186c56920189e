"""`eloquence config`: the settings as they are, and where each comes from (PRV-02)."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from eloquence.coaching.character import Language
    from eloquence.config import Settings
    from eloquence.ops.engines import Described

app = typer.Typer(help="The settings, and where each comes from.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("show")
def show(as_json: AsJson = False) -> None:
    """Show each setting and where it comes from, and who serves each stage."""
    from eloquence import sources
    from eloquence.cli._shown import print_json, print_table
    from eloquence.config import load
    from eloquence.ops import engines
    from eloquence.registry import STAGES

    settings = load()
    values = {
        name: {"value": _value(settings, name), "from": engines.place(settings, name)}
        for name in type(settings).model_fields
        if name not in STAGES
    }
    stages = [engines.described(settings, stage) for stage in STAGES]
    file = sources.settings_file(settings.config)
    if as_json:
        print_json(
            {
                "file": str(file),
                "stages": {one.stage: _stage(one, settings) for one in stages},
                "settings": values,
            }
        )
        return
    print_table(
        ("stage", "provider", "model", "voice", "ready", "if it fails", "from"),
        (_row(one, settings) for one in stages),
    )
    for told in lacking(stages, engines.spoken(settings)):
        typer.echo(told)
    print_table(
        ("setting", "value", "from"),
        ((name, _cell(one["value"]), one["from"]) for name, one in values.items()),
    )
    typer.echo(f"File: {file.absolute()}{'' if file.is_file() else ' (not there yet)'}")


def lacking(stages: "list[Described]", language: "Language") -> list[str]:
    """What is missing for a stage to be ready in a language, with its mend, as lines to print."""
    told = []
    for one in stages:
        for engine in (one.chosen, *one.fallback):
            readiness = engine.readiness[language]
            if not readiness.ready:
                told.append(f"! {one.stage}, {engine.provider}: {readiness.detail}")
                if readiness.mend:
                    told.append(f"    → {readiness.mend}")
    return told


def _row(one: "Described", settings: "Settings") -> tuple[str, ...]:
    told = _stage(one, settings)
    name = told["provider"]
    shown = name if told["serves"] == name else f"{name}: {told['serves']}"
    return (
        one.stage,
        shown,
        told["model"],
        told["voice"],
        "yes" if told["ready"] else "no",
        ", ".join([*told["fallback"], *(f"({name})" for name in told["last"])]),
        one.place,
    )


def _stage(one: "Described", settings: "Settings") -> dict[str, Any]:
    """A stage in the language of the settings, without secrets."""
    from eloquence.bootstrap import BY_EAR
    from eloquence.ops.engines import spoken

    language = spoken(settings)
    chosen, readiness = one.chosen, one.chosen.readiness[language]
    # Of what is not ready, and by ear, the model is the one that would help.
    serves = readiness.ready and chosen.serves[language] != BY_EAR
    return {
        "provider": chosen.provider,
        "serves": chosen.serves[language],
        "model": str(chosen.options.get("model") or (readiness.model if serves else "")),
        "voice": str(chosen.options.get("voice", "")),
        "options": chosen.options,
        "ready": readiness.ready,
        "detail": readiness.detail,
        "mend": readiness.mend,
        "leaves_machine": readiness.leaves_machine,
        "fallback": [engine.provider for engine in one.fallback],
        "last": list(one.last[language]),
        "from": one.place,
    }


def _cell(value: Any) -> str:
    import json

    return json.dumps(value, ensure_ascii=False) if isinstance(value, (dict, list)) else str(value)


def _value(settings: "Settings", name: str) -> Any:
    """The value of a setting as it may be shown."""
    from pydantic import BaseModel, SecretStr

    from eloquence.ops.engines import HIDDEN, hidden

    value = getattr(settings, name)
    if isinstance(value, SecretStr):
        return HIDDEN if value.get_secret_value() else ""
    if isinstance(value, BaseModel):
        return hidden("", value.model_dump(mode="json"))
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, str):
        return hidden("", value)
    return [str(one) for one in value] if isinstance(value, tuple) else str(value)
