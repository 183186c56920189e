"""Modules joined into one script."""

from pathlib import Path

import pytest

from eloquence.storage.script import joined


def test_each_module_stands_once_before_its_users_and_nothing_is_imported(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "far.js").write_text('export const far = "export const far";\n')
    (tmp_path / "near.js").write_text(
        'import { far } from "./far.js";\n\nexport function near() { return far; }\n'
    )
    entry = tmp_path / "sub" / "entry.js"
    entry.write_text(
        'import {\n  near,\n} from "../near.js";\nimport { far } from "../far.js";\n'
        '/** @typedef {import("./types.d.ts").One} One */\nexport class Entry {}\n'
    )
    assert [line for line in joined(entry).splitlines() if line] == [
        'const far = "export const far";',
        "function near() { return far; }",
        '/** @typedef {import("./types.d.ts").One} One */',
        "class Entry {}",
    ]


def test_a_module_that_is_not_there_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "entry.js").write_text('import { gone } from "./gone.js";\n')
    with pytest.raises(FileNotFoundError, match=r"gone\.js"):
        joined(tmp_path / "entry.js")
