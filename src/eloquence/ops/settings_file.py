"""Changing the settings file without an editor, and without losing what somebody wrote in it.

    use("llm", Wanted("openai", {"model": "gpt-4o"}, ("mistral",)))
    set_plugins(lambda listed: {"enabled": (*listed.enabled, "profanity_filter")})

Comments and order stay. The file that would come of a change is read as the product reads it before
anything is written; then it takes the place of the old one at once, with the same rights. Whoever
else changes it meanwhile is waited for.
"""

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tomlkit
from pydantic import ValidationError
from tomlkit.exceptions import TOMLKitError

from eloquence import sources
from eloquence.config import PluginsSettings, Settings, load
from eloquence.errors import ConfigurationError
from eloquence.registry import Stage

PATIENCE = 5.0
"""Seconds that another change is waited for."""
_LOOK = 0.02

Table = dict[str, Any]
Checked = Callable[[Settings], None]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Who shall serve a stage: the provider, its options, and who takes over when it fails."""

    provider: str
    options: Mapping[str, object] = field(default_factory=dict)
    fallback: tuple["Wanted", ...] = ()

    def as_table(self) -> Table:
        """As it stands under the stage in the settings file."""
        return {"provider": self.provider, **self.options} | (
            {"fallback": [one.as_fallback() for one in self.fallback]} if self.fallback else {}
        )

    def as_fallback(self) -> str | Table:
        return {"provider": self.provider, **self.options} if self.options else self.provider


def use(stage: Stage, wanted: Wanted, check: Checked = lambda settings: None) -> Settings:
    """Writes who shall serve a stage; gives the settings as they are then. `check` is told them
    first, and raises what forbids them. Raises ConfigurationError; nothing is changed then."""
    return change(lambda found: {**found, stage: wanted.as_table()}, check)


def set_plugins(
    made: Callable[[PluginsSettings], Mapping[str, Sequence[str]]],
    check: Checked = lambda settings: None,
) -> Settings:
    """Writes lists of plugins, as `enabled`, that `made` makes of what the file itself says: a
    variable that counts more is none of it. Raises as `use`."""

    def with_plugins(found: Table) -> Table:
        known = found.get("plugins", {})
        try:
            lists = made(PluginsSettings.model_validate(known))
        except ValidationError as error:
            raise ConfigurationError(
                "What the settings file says of plugins is wrong.",
                mend="Correct [plugins] in it by hand: docs/plugins.md.",
            ) from error
        rest = known if isinstance(known, dict) else {}
        return {**found, "plugins": {**rest, **{name: list(one) for name, one in lists.items()}}}

    return change(with_plugins, check)


def change(made: Callable[[Table], Table], check: Checked = lambda settings: None) -> Settings:
    """Writes what `made` makes of the settings file's content. Raises as `use`."""
    path = sources.settings_file()
    with suppress(OSError):
        path = path.resolve(strict=path.is_symlink())  # the file itself, not what points to it
    with _alone(path):
        text = sources.file_text(path) or ""
        found = sources.parsed(text, path) if text.strip() else {}
        wanted = made(found)
        edited = _edited(text, found, wanted, path)
        return _put(edited, path, check)


def _edited(text: str, found: Table, wanted: Table, path: Path) -> str:
    """The text that says what is wanted, with the comments and the order of the old one."""
    if path.suffix == ".json":
        return json.dumps(wanted, ensure_ascii=False, indent=2) + "\n"
    changed = [name for name in {**found, **wanted} if found.get(name) != wanted.get(name)]
    for in_place in (True, False):
        try:
            document = tomlkit.parse(text)
            for name in changed:
                _set(document, name, wanted.get(name), in_place=in_place)
            edited = tomlkit.dumps(document)
            if sources.parsed(edited, path) == wanted:
                return edited
        except (TOMLKitError, ConfigurationError, ValueError, TypeError, RecursionError):
            continue
    raise ConfigurationError(
        f"{path} is written in a way that cannot be changed without losing something.",
        mend=f"Change {', '.join(changed)} in it by hand.",
    )


def _set(document: Any, name: str, value: Any, *, in_place: bool) -> None:
    """Sets one name of a document; a table that is there is changed where it stands, key by key."""
    known = document.get(name)
    if value is None:
        document.pop(name, None)
    elif in_place and isinstance(known, dict) and isinstance(value, dict):
        for key in [key for key in known if key not in value]:
            del known[key]
        for key, one in value.items():
            if key not in known or known[key] != one:
                known[key] = _item(one)
    elif not isinstance(value, dict):
        document[name] = value
    else:
        # At the end: a table in the midst of plain settings would swallow those after it.
        document.pop(name, None)
        if document.as_string().strip():
            document.add(tomlkit.nl())
        table = tomlkit.table()
        for key, one in value.items():
            table.add(key, _item(one))
        document.add(name, table)


def _item(value: Any) -> Any:
    """A value as TOML writes it inside a table: tables and lists on one line."""
    if isinstance(value, dict):
        inline = tomlkit.inline_table()
        inline.update({key: _item(one) for key, one in value.items()})
        return inline
    if isinstance(value, (list, tuple)):
        array = tomlkit.array()
        array.extend(_item(one) for one in value)
        return array
    return tomlkit.item(value)


def _put(text: str, path: Path, check: Checked) -> Settings:
    """Puts the text in the place of the file, once it was read as settings and found good."""
    try:
        descriptor, name = tempfile.mkstemp(
            dir=path.parent, prefix=f".{path.stem}-", suffix=path.suffix or ".toml"
        )
    except OSError as error:
        raise _unwritable(path, error) from error
    draft = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        settings = _good(draft, path)
        check(settings)
        _give_rights(draft, path)
        draft.replace(path)
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        draft.unlink(missing_ok=True)
    return settings


def _good(draft: Path, path: Path) -> Settings:
    """The settings that the draft would give. Raises ConfigurationError, in the file's own name."""
    try:
        return load(config=draft)
    except ConfigurationError as error:
        said = error.message.replace(str(draft), str(path))
        raise ConfigurationError(f"Nothing was changed. {said}", mend=error.mend) from error


def _give_rights(draft: Path, path: Path) -> None:
    """Gives the draft the mode and the owner of the file, or of any new file."""
    try:
        old = path.stat()
    except FileNotFoundError:
        umask = os.umask(0)
        os.umask(umask)
        draft.chmod(0o666 & ~umask)
        return
    draft.chmod(old.st_mode & 0o7777)
    if sys.platform != "win32" and (old.st_uid, old.st_gid) != (os.geteuid(), os.getegid()):
        with suppress(PermissionError):  # only root gives files away
            os.chown(draft, old.st_uid, old.st_gid)


def _unwritable(path: Path, error: OSError) -> ConfigurationError:
    return ConfigurationError(
        f"{path} cannot be written: {error.strerror or type(error).__name__}.",
        mend="Check that you may write in its folder; a file that is mounted from outside is "
        "changed where it comes from.",
    )


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Nobody else changes the file meanwhile. Its folder is locked, as the file itself is
    replaced; the system frees the lock when its holder dies."""
    if sys.platform == "win32":
        yield
        return
    import fcntl

    try:
        descriptor = os.open(path.parent, os.O_RDONLY)
    except OSError as error:
        raise _unwritable(path, error) from error
    try:
        until = time.monotonic() + PATIENCE
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= until:
                    raise ConfigurationError(
                        f"{path} is being changed by another program.", mend="Try again."
                    ) from None
                time.sleep(_LOOK)
        yield
    finally:
        os.close(descriptor)
