#!/usr/bin/env python3
"""Writes the tables of docs/providers.md from what comes of the contract suite.

generate_providers.py                 runs the suite (some minutes), then writes the tables
generate_providers.py --notes FILE    writes them from the notes of a run with CONTRACT_NOTES=FILE

A property that failed, or was not tried, ends it with status 1 and nothing is written. That the
committed tables are so is checked by the suite itself, cell by cell.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from eloquence import registry
from eloquence.registry import STAGES, Stage
from eloquence.testing.contract import PROPERTIES

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "providers.md"
SUITE = [
    "tests/providers/test_contract.py",
    *(f"tests/providers/test_contract_{stage}.py" for stage in STAGES),
]
Cells = dict[tuple[str, str, str], str]


def kinds(stage: Stage) -> list[str]:
    """The columns of a stage's table: a language model's words have no times."""
    return [kind for kind in PROPERTIES if not (stage == "llm" and kind == "times")]


def cells(notes: Path) -> Cells:
    """What came of each property of each provider; several tests of one must agree."""
    found: Cells = {}
    for line in notes.read_text("utf-8").splitlines():
        stage, name, kind, outcome = json.loads(line)
        before = found.setdefault((stage, name, kind), outcome)
        found[stage, name, kind] = max(before, outcome, key=weight)
    return found


def weight(outcome: str) -> int:
    """A failure counts most, then what could not be tried."""
    return {"✓": 0, "–": 1, "✗": 3}.get(outcome, 2)


def table(stage: Stage, found: Cells) -> str:
    columns = kinds(stage)
    rows = [
        [f"`{name}`", *(found[stage, name, kind] for kind in columns)]
        for name in registry.names(stage)
    ]
    lines = [["provider", *columns], ["---"] * (len(columns) + 1), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def legend() -> str:
    rows = "".join(f"| {name} | {meaning} |\n" for name, meaning in PROPERTIES.items())
    return f"| property | what it says |\n| --- | --- |\n{rows}"


def written(page: str, mark: str, text: str) -> str:
    """The page with that text between the marks."""
    before, rest = page.split(f"<!-- {mark} -->\n", 1)
    closing = f"<!-- /{mark.split()[0]} -->"
    return f"{before}<!-- {mark} -->\n{text}{closing}{rest.split(closing, 1)[1]}"


def untried(found: Cells) -> list[str]:
    """The cells that have failed, or are not there."""
    return [
        f"{stage} {name}: {kind}"
        for stage in STAGES
        for name in registry.names(stage)
        for kind in kinds(stage)
        if found.get((stage, name, kind), "✗") == "✗"
    ]


def main() -> int:
    if sys.argv[1:2] == ["--notes"]:
        notes = Path(sys.argv[2])
    else:
        notes = Path(tempfile.mkdtemp()) / "notes"
        subprocess.run(  # noqa: S603 - our own suite
            [sys.executable, "-m", "pytest", "-q", *SUITE],
            cwd=ROOT,
            env=os.environ | {"CONTRACT_NOTES": str(notes)},
            check=False,
        )
    found = cells(notes)
    if missing := untried(found):
        sys.stderr.write("\n  ".join(["Failed, or not tried:", *missing]) + "\n")
        return 1
    text = written(PAGE.read_text("utf-8"), "properties", legend())
    for stage in STAGES:
        text = written(text, f"contract {stage}", table(stage, found))
    PAGE.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
