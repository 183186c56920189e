#!/usr/bin/env python3
"""Writes `schemas/*.json` from the types of the content files, for editors that check YAML.

`--check` writes nothing and fails when a schema is not up to date.
"""

import json
import sys
from pathlib import Path

from eloquence.coaching.character import Character, Model
from eloquence.coaching.exercise import Exercise
from eloquence.coaching.rubric import Rubric

FOLDER = Path(__file__).resolve().parent.parent / "schemas"
TYPES: dict[str, type[Model]] = {
    "character.json": Character,
    "exercise.json": Exercise,
    "rubric.json": Rubric,
}


def schemas() -> dict[str, str]:
    """The text of each schema file, by name."""
    return {
        name: json.dumps(
            {"$schema": "https://json-schema.org/draft/2020-12/schema"}
            | model.model_json_schema(by_alias=True),
            ensure_ascii=False,
            indent=2,
        )
        + "\n"
        for name, model in TYPES.items()
    }


def main() -> int:
    stale = [
        name
        for name, text in schemas().items()
        if not (FOLDER / name).is_file() or (FOLDER / name).read_text(encoding="utf-8") != text
    ]
    if "--check" in sys.argv[1:]:
        for name in stale:
            sys.stderr.write(f"schemas/{name} is stale: python scripts/generate_schemas.py\n")
        return 1 if stale else 0
    FOLDER.mkdir(exist_ok=True)
    for name in stale:
        (FOLDER / name).write_text(schemas()[name], encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
