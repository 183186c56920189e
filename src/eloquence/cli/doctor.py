"""`eloquence doctor`: what works here, what is lacking, how to mend it."""

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from eloquence.ops.doctor import Diagnosis

_SIGNS = {"ok": "✓", "warning": "!", "failure": "✗"}
_STAGES = {"stt": "hears", "llm": "thinks", "tts": "speaks"}


def doctor(
    online: bool = typer.Option(False, "--online", help="Ask the vendors over the network too."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Say what works, what is lacking and how to mend it. Exit 0 if one can talk, else 1."""
    import asyncio

    from eloquence.cli._shown import print_json
    from eloquence.config import load
    from eloquence.ops.doctor import diagnose

    diagnosis = asyncio.run(diagnose(load(), online=online))
    if as_json:
        print_json(diagnosis.as_json())
    else:
        for line in lines(diagnosis):
            typer.echo(line)
    raise typer.Exit(0 if diagnosis.can_talk else 1)


def lines(diagnosis: "Diagnosis") -> list[str]:
    """The diagnosis as people read it."""
    told = []
    for check in diagnosis.checks:
        told.append(f"{_SIGNS[check.verdict]} {check.name}: {check.detail}")
        if check.mend:
            told.append(f"    → {check.mend}")
    language = ""
    for report in diagnosis.stages:
        if report.language != language:
            language = report.language
            told += ["", f"{language}:"]
        ready = report.readiness
        sign = _SIGNS["ok" if ready.ready else "failure"]
        how = "automatic" if report.automatic else "chosen"
        told.append(f"{sign} {_STAGES[report.stage]}: {report.provider} ({how}). {ready.detail}")
        if ready.leaves_machine:
            told.append(f"    what is said goes to {ready.leaves_machine}")
        if ready.mend:
            told.append(f"    → {ready.mend}")
        for name, other in report.others:
            if not other.ready and other.mend and report.automatic:
                told.append(f"    {name}: {other.detail} → {other.mend}")
    told += ["", "A conversation can be held." if diagnosis.can_talk else
             "A conversation cannot be held yet: see ✗."]  # fmt: skip
    return told
