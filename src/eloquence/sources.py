"""Where settings are written: variables, `.env`, the settings file, and older names of variables.

The settings file is `eloquence.toml` in the folder where the command runs, or the one that
`ELOQUENCE_CONFIG` names, which may also be JSON (PRV-01). Whether what is read makes sense is for
`eloquence.config` to say.
"""

import io
import json
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eloquence.errors import ConfigurationError
from eloquence.registry import STAGES

ENV_FILE = Path(".env")
DEFAULT_FILE = Path("eloquence.toml")
PREFIX = "ELOQUENCE_"
MOST_BYTES = 1 << 20
"""A larger file is not read: it is none of ours."""

SHARED = (
    "livekit_url",
    "livekit_api_key",
    "livekit_api_secret",
    "database_url",
    "redis_url",
    "agent_instructions",
    "enable_metrics",
    "metrics_retention_hours",
)
"""Settings whose variables are commonly given without `ELOQUENCE_`."""

OLDER = (
    *(f"{stage.upper()}_PROVIDER" for stage in STAGES),
    *(name.upper() for name in SHARED),
    "ENABLED_PLUGINS",
    "LOG_LEVEL",
    "DEBUG",
)
"""Variables that are read besides those that begin with `ELOQUENCE_` (CFG-01 to CFG-07)."""

_OLDER_KEYS = {
    "provider_name": "provider",
    "voice_id": "voice",
    "instructions": "agent_instructions",
    "enabled_plugins": "plugins",
}
"""What JSON files of older installations call our settings."""
_ADDRESSES = {
    "llm": {"MISTRAL_BASE_URL": "openai"},
    "tts": {"TTS_SERVICE_URL": "service", "PIPER_TTS_URL": "service"},
}
"""Whose address is given, without a word on who shall serve, is meant (CFG-01, CFG-06)."""
_LEVELS = {"WARN": "WARNING", "CRITICAL": "ERROR", "FATAL": "ERROR", "TRACE": "DEBUG"}
_last_read: dict[Path, dict[str, str]] = {}
"""What each `.env` said when it could last be read in this process."""
_YES = frozenset({"1", "true", "yes", "on"})


@dataclass(frozen=True, slots=True)
class Named:
    """What a variable of an older name gives a setting."""

    value: str
    variable: str


def settings_file(given: object = None) -> Path:
    """The settings file: the one that was `given`, else that of ELOQUENCE_CONFIG, else
    `eloquence.toml` here."""
    named = given or surroundings().get("ELOQUENCE_CONFIG")
    return Path(str(named)).expanduser() if named else DEFAULT_FILE


def read(path: Path) -> dict[str, Any]:
    """What the settings file says; empty when there is no `eloquence.toml`. Raises
    ConfigurationError, which names file and line, when it cannot be read."""
    text = file_text(path)
    if text is None:
        if path == DEFAULT_FILE:
            return {}
        raise ConfigurationError(
            f"There is no settings file {path}.",
            mend="Correct ELOQUENCE_CONFIG, or leave it out to use eloquence.toml.",
        )
    return parsed(text, path)


def parsed(text: str, path: Path) -> dict[str, Any]:
    """What a settings file of that name would say with that text. Raises ConfigurationError."""
    try:
        found = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        line = getattr(error, "lineno", None) or _told_line(str(error), text)
        raise ConfigurationError(
            f"{path}{f', line {line}' if line else ''}: {_first_words(error)}.",
            mend=f"Correct that line, or put back the last version of {path}.",
        ) from error
    if not isinstance(found, dict):
        raise ConfigurationError(
            f"{path}, line 1: this is not a table of settings.",
            mend='Write it as {"llm": {"provider": "openai"}}.',
        )
    return _as_ours(found) if path.suffix == ".json" else found


def _as_ours(found: dict[str, Any]) -> dict[str, Any]:
    """What a JSON file of an older installation says, in our names (PRV-01)."""
    ours = {_OLDER_KEYS.get(name, name): value for name, value in found.items()}
    for stage in STAGES:
        if isinstance(section := ours.get(stage), dict):
            more = section.pop("extra_params", None)
            named = {_OLDER_KEYS.get(name, name): value for name, value in section.items()}
            ours[stage] = {**named, **(more if isinstance(more, dict) else {})}
    if isinstance(listed := ours.get("plugins"), list):
        ours["plugins"] = _plugins(listed)
    return ours


def _plugins(listed: list[Any]) -> dict[str, Any]:
    """Plugins that are listed by name, or as tables with `plugin_name`, `enabled` and `config`."""
    tables = [{"plugin_name": one} if isinstance(one, str) else one for one in listed]
    known = [one for one in tables if isinstance(one, dict)]
    known = [one for one in known if isinstance(one.get("plugin_name"), str)]
    options = {one["plugin_name"]: one["config"] for one in known if one.get("config")}
    enabled = [one["plugin_name"] for one in known if one.get("enabled", True)]
    return {"enabled": enabled, **({"options": options} if options else {})}


def file_text(path: Path) -> str | None:
    """The text of a file of settings, or None when there is none. Raises ConfigurationError."""
    try:
        with path.open("rb") as file:
            raw = file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it is no name of a file"
        raise ConfigurationError(
            f"{path} cannot be read: {why}.",
            mend="Check that it is a file and that you may read it.",
        ) from error
    if len(raw) > MOST_BYTES:
        raise ConfigurationError(
            f"{path} is larger than {MOST_BYTES >> 20} MB.",
            mend="This is no file of settings: put back the right one.",
        )
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigurationError(
            f"{path}, line {line}: this is not UTF-8 text.",
            mend="Save the file as UTF-8, or put back its last version.",
        ) from error


def env_file() -> dict[str, str]:
    """The variables of `.env` that have a value. Raises ConfigurationError, which names the
    line."""
    text = file_text(ENV_FILE)
    if not text:
        return {}
    from dotenv import dotenv_values
    from dotenv.parser import parse_stream

    for binding in parse_stream(io.StringIO(text)):
        if binding.error:
            raise ConfigurationError(
                f"{ENV_FILE}, line {binding.original.line}: this is not NAME=value.",
                mend="Correct that line, or begin it with # to leave it out.",
            )
    written = dotenv_values(stream=io.StringIO(text))
    return {name: value for name, value in written.items() if value}


def surroundings() -> Mapping[str, str]:
    """The variables that providers read: those of `.env`, under those of the environment. While
    `.env` cannot be read, what it last said counts. Raises ConfigurationError when it never could
    be."""
    try:
        file = ENV_FILE.absolute()
    except FileNotFoundError:  # the working folder is gone, and `.env` with it
        return os.environ
    try:
        _last_read[file] = env_file()
    except ConfigurationError:
        if file not in _last_read:
            raise
    return {**_last_read[file], **os.environ}


def older_names(given: Mapping[str, str]) -> dict[str, Named]:
    """What the variables of older installations, and those that other programs read as well, give
    each setting (CFG-01 to CFG-07)."""
    found: dict[str, Named] = {}
    for stage in STAGES:
        variable = f"{stage.upper()}_PROVIDER"
        if name := given.get(variable, "").strip().lower():
            found[stage] = Named(name, variable)
    for setting in SHARED:
        variable = setting.upper()
        if value := given.get(variable, ""):
            found[setting] = Named(value, variable)
    if names := given.get("ENABLED_PLUGINS", "").strip():
        found["plugins"] = Named(names, "ENABLED_PLUGINS")
    if given.get("DEBUG", "").strip().lower() in _YES:
        found["log_level"] = Named("DEBUG", "DEBUG")
    elif level := given.get("LOG_LEVEL", "").strip().upper():
        found["log_level"] = Named(_LEVELS.get(level, level), "LOG_LEVEL")
    return found


def implied(given: Mapping[str, str]) -> dict[str, Named]:
    """Which provider the address of a service means for a stage that nobody has chosen one for."""
    return {
        stage: Named(provider, variable)
        for stage, known in _ADDRESSES.items()
        for variable, provider in reversed(known.items())
        if given.get(variable)
    }


def place(loc: tuple[int | str, ...], path: Path) -> str:
    """Where a setting is written that turned out to be wrong: a variable, or a file with its line;
    empty when it cannot be told."""
    name = str(loc[0]) if loc else ""
    variable = f"{PREFIX}{name.upper()}"
    try:
        older = older_names(surroundings()).get(name)
        for one in (variable, older.variable if older else ""):
            if one in os.environ:
                return f"{one} in the environment"
            if one and (line := _env_line(one)):
                return f"{ENV_FILE}, line {line}"
    except ConfigurationError:
        return ""
    return _line_of(path, name, tuple(str(part) for part in loc[1:]))


def _env_line(variable: str) -> int:
    """The line of `.env` that sets a variable, or 0."""
    text = file_text(ENV_FILE) or ""
    found = re.search(
        rf"(?mi)^(?:[^\S\n]*export)?[^\S\n]*({re.escape(variable)})[^\S\n]*(?:=|$)", text
    )
    return text.count("\n", 0, found.start(1)) + 1 if found else 0


def _line_of(path: Path, name: str, inner: tuple[str, ...]) -> str:
    """The file, and the line of it on which a name is set, as `eloquence.toml, line 3`."""
    try:
        lines = (file_text(path) or "").splitlines()
    except ConfigurationError:
        return str(path)
    found = 0
    inside = ""
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if head := re.match(r"\[+\s*\"?([\w-]+)\"?[^\]]*\]", text):
            inside = head[1]
            if inside == name and not found:
                found = number
            continue
        key = re.match(r"(?:export\s+)?\"?([\w.-]+)\"?\s*[=:]", text)
        if key is None:
            continue
        if key[1].partition(".")[0] == name and not inside:
            found = found or number
        elif inside == name and key[1] in inner:
            found = number
            break
    return f"{path}, line {found}" if found else str(path)


def _told_line(said: str, text: str) -> int | None:
    told = re.search(r"at line (\d+)", said)
    if told:
        return int(told[1])
    return text.count("\n") + 1 if "end of document" in said else None


def _first_words(error: Exception) -> str:
    """What a parser says, without where: it never quotes more than a character of the file."""
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    said = re.sub(r"\s*\((at|char|line).*\)$|: line \d+ column.*$", "", str(error))
    said = said.partition("\n")[0][:80]
    return (said[:1].lower() + said[1:]) or "it cannot be read"
