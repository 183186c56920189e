"""The drawing of the report as one script: a page opened from a file cannot import modules."""

import re
from pathlib import Path

_IMPORT = re.compile(r'^import \{[^}]*\} from "([^"]+)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=async |class |const |function )", re.MULTILINE)


def joined(entry: Path) -> str:
    """The module with all it imports, each once and before its user, without imports or exports.

    The modules use named imports of relative paths, rename nothing, and have no name in common at
    their top. Raises OSError.
    """
    pieces: dict[Path, str] = {}
    _add(entry.resolve(), pieces)
    return "\n".join(pieces.values())


def _add(path: Path, pieces: dict[Path, str]) -> None:
    if path in pieces:
        return
    text = path.read_text(encoding="utf-8")
    for imported in _IMPORT.findall(text):
        _add((path.parent / imported).resolve(), pieces)
    pieces[path] = _EXPORT.sub("", _IMPORT.sub("", text))
