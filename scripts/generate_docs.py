#!/usr/bin/env python3
"""Writes the reference pages of `docs/` from the code that they describe.

generate_docs.py            writes settings.md, commands.md, protocol.md and errors.md, and the
                            tables of measures.md and scores.md
generate_docs.py --check    exits 1, naming the file, when one is out of date
"""

import ast
import importlib
import inspect
import json
import re
import sys
import textwrap
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

import content_tables
import typer
from content_tables import table
from fastapi.routing import APIRoute
from pydantic import BaseModel
from typer.testing import CliRunner

from eloquence import cli, config, errors, protocol
from eloquence.bootstrap import AUTOMATIC
from eloquence.bootstrap.rooms import Ticket
from eloquence.plugins import Plugin
from eloquence.registry import STAGES, Provider, Stage
from eloquence.server import rooms
from eloquence.server.app import STATUSES

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
BANNER = "<!-- Written by scripts/generate_docs.py: change the code, not this page. -->\n"
WIDTH = 88
DEFAULTS = {"data": "this user's data folder for `eloquence`", "plugins": "none"}
"""Defaults in words, where they differ from machine to machine or are a table."""
KINDS = {"plugins": "names, or a table"}
STAGE_TITLES: Mapping[Stage, str] = {
    "stt": "Hearing (`stt`)",
    "llm": "Answering (`llm`)",
    "tts": "Speaking (`tts`)",
}

Schema = Mapping[str, Any]


def attribute_docs(model: type) -> dict[str, str]:
    """The docstrings that stand under the attributes of a class and its parents."""
    found: dict[str, str] = {}
    for parent in reversed(model.__mro__):
        if not parent.__module__.startswith("eloquence"):
            continue
        body = ast.parse(textwrap.dedent(inspect.getsource(parent))).body[0]
        assert isinstance(body, ast.ClassDef)
        for node, after in zip(body.body, body.body[1:], strict=False):
            if (
                isinstance(node, ast.AnnAssign)
                and isinstance(node.target, ast.Name)
                and isinstance(after, ast.Expr)
                and isinstance(after.value, ast.Constant)
                and isinstance(after.value.value, str)
            ):
                found[node.target.id] = one_line(after.value.value)
    return found


def one_line(text: str | None) -> str:
    return " ".join((text or "").split())


def docstring(model: type) -> str:
    """The class's own docstring, not one that it inherits."""
    return inspect.cleandoc(model.__dict__.get("__doc__") or "")


def type_of(schema: Schema) -> str:
    """A JSON schema's type in a few words, with its range."""
    if "$ref" in schema:
        return f"`{str(schema['$ref']).rsplit('/', 1)[-1]}`"
    if "const" in schema:
        return f"`{json.dumps(schema['const'])}`"
    if "enum" in schema:
        return " or ".join(f"`{value}`" for value in schema["enum"])
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(type_of(one) for one in schema["anyOf"]))
    match schema.get("type"):
        case "integer":
            return f"whole number{span(schema)}"
        case "number":
            return f"number{span(schema)}"
        case "boolean":
            return "`true` or `false`"
        case "null":
            return "nothing"
        case "array":
            return f"list of {type_of(schema.get('items', {}))}"
        case "object":
            rest = schema.get("additionalProperties")
            return f"table of {type_of(rest)}" if isinstance(rest, dict) else "table"
        case "string" if schema.get("format") == "path":
            return "path"
        case "string" if schema.get("format") == "password":
            return "secret"
        case "string" if names := re.fullmatch(r"\^\(([\w|]+)\)\$", schema.get("pattern", "")):
            return " or ".join(f"`{name}`" for name in names[1].split("|"))
        case "string" if "pattern" in schema:
            return f"text like `{schema['pattern']}`"
        case "string":
            return "text" + (f", at most {schema['maxLength']}" if "maxLength" in schema else "")
        case _:
            return "anything"


def span(schema: Schema) -> str:
    """The range of a number, as `, 1 to 500`."""
    limits = [
        f"{word} {schema[key]:g}"
        for key, word in (("minimum", "from"), ("exclusiveMinimum", "over"), ("maximum", "to"))
        if key in schema
    ]
    return f", {' '.join(limits)}" if limits else ""


def shown(value: object) -> str:
    """A default as the page shows it."""
    if value is None or value in ("", ()):
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value}`"


def settings_page() -> str:
    """Every setting, and every option of every provider that ships."""
    schema = config.Settings.model_json_schema(by_alias=False)["properties"]
    docs = attribute_docs(config.Settings)
    rows = []
    for name, field in config.Settings.model_fields.items():
        staged = name in STAGES
        default = DEFAULTS.get(name) or shown("auto" if staged else field.get_default())
        staged_kind = "name of a provider, or a table" if staged else ""
        kind = KINDS.get(name) or staged_kind or type_of(schema[name])
        variable = f"`ELOQUENCE_{name.upper()}`"
        rows.append((f"`{name}`", variable, kind, default, docs.get(name, "")))
    parts = [
        "# Settings\n\n" + BANNER,
        "A setting comes from the command line where there is an option for it, else from the\n"
        "environment, else from a file `.env`, else from a file `eloquence.toml` (both in the\n"
        "folder where the command runs), else it has its default. A wrong value, and an\n"
        "unknown name in one of the two files, are refused with the name of the setting.\n",
        table(("Setting", "Variable", "Kind", "Default", "What it is"), rows),
        "## Choosing who hears, answers and speaks\n",
        "Each of the three stages has a provider, chosen by name. `auto` takes the first of these\n"
        "that is ready, all of which stay on this machine:\n",
        "".join(
            f"- `{stage}`: " + ", ".join(f"`{name}`" for name in AUTOMATIC[stage]) + "\n"
            for stage in STAGES
        ),
        "A provider that was named is never replaced by another: when it is not ready, the\n"
        "conversation is refused with the reason, and `eloquence doctor` says what is missing.\n"
        "Options stand beside the name:\n",
        '```toml\n[stt]\nprovider = "vosk"\nurl = "ws://localhost:2700"\n```\n',
        '```sh\nELOQUENCE_STT=\'{"provider": "vosk", "url": "ws://localhost:2700"}\'\n```\n',
        "Some options are also read from variables of their own, named in the tables; the first\n"
        "variable that is set counts, and an option that was given counts more. They may stand in\n"
        "`.env` too.\n",
    ]
    for stage in STAGES:
        parts.append(f"## {STAGE_TITLES[stage]}\n")
        parts.extend(provider_part(stage, name, value) for name, value in shipped(stage))
    parts.append(plugins_part())
    return "\n".join(parts)


def plugins_part() -> str:
    """The table `plugins`, and the options of the plugins that ship."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    parts = [
        "## Plugins\n",
        docstring(config.PluginsSettings) + " See [plugins.md](plugins.md).\n",
        options_table(config.PluginsSettings, without=("options",)),
    ]
    for name, value in project["entry-points"]["eloquence.plugins"].items():
        module_name, _, attribute = value.partition(":")
        plugin: Plugin = getattr(importlib.import_module(module_name), attribute)
        if plugin.options.model_fields:
            parts.append(f"### `plugins.{name}`\n")
            parts.append(docstring(plugin.options) + "\n")
            parts.append(options_table(plugin.options))
    return "\n".join(parts)


def options_table(model: type[BaseModel], without: tuple[str, ...] = ()) -> str:
    schema, docs = model.model_json_schema()["properties"], attribute_docs(model)
    rows = [
        (
            f"`{name}`",
            type_of(schema[name]),
            ", ".join(f"`{one}`" for one in default)
            if isinstance(default := field.get_default(), tuple)
            else shown(default),
            docs.get(name, ""),
        )
        for name, field in model.model_fields.items()
        if name not in without
    ]
    return table(("Option", "Kind", "Default", "What it is"), rows)


def shipped(stage: Stage) -> Iterator[tuple[str, str]]:
    """Name and `module:attribute` of the project's own providers of a stage."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    yield from project["entry-points"][f"eloquence.{stage}"].items()


def provider_part(stage: Stage, name: str, value: str) -> str:
    module_name, _, attribute = value.partition(":")
    module = importlib.import_module(module_name)
    provider: Provider = getattr(module, attribute)
    schema = provider.options.model_json_schema(by_alias=False).get("properties", {})
    languages = ", ".join(f"`{one}`" for one in sorted(provider.languages)) or "any"
    parts = [
        f"### `{stage}` = `{name}`\n",
        inspect.cleandoc(module.__doc__ or "").partition("\n\n")[0] + "\n",
        docstring(provider.options) + "\n",
        f"Languages: {languages}.\n",
    ]
    rows = [
        (
            f"`{option}`",
            type_of(schema[option]),
            shown(field.get_default()),
            ", ".join(f"`{variable}`" for variable in provider.environment.get(option, ())),
        )
        for option, field in provider.options.model_fields.items()
    ]
    if rows:
        parts.append(table(("Option", "Kind", "Default", "Variables that also set it"), rows))
    return "\n".join(parts)


def commands_page() -> str:
    """What `--help` says, command by command."""
    cli._register()
    parts = [
        "# Commands\n\n" + BANNER,
        "`eloquence` is in `.venv/bin` after `make setup`. How a command can end, besides 0 and\n"
        "2 for a wrong option, is told in [errors.md](errors.md).\n",
    ]
    for words in ([], *command_words()):
        called = " ".join(["eloquence", *words])
        result = CliRunner().invoke(
            cli.app, [*words, "--help"], prog_name="eloquence", terminal_width=WIDTH
        )
        assert result.exit_code == 0, called
        parts.append(f"## `{called}`\n\n```\n{result.output.strip()}\n```\n")
    return "\n".join(parts)


def command_words() -> Iterator[list[str]]:
    """The words of each command and group, in the order in which help lists them."""
    root: Any = typer.main.get_command(cli.app)
    for name, command in root.commands.items():
        yield [name]
        for inner in getattr(command, "commands", {}):
            yield [name, inner]


def protocol_page() -> str:
    """Every message of the wire, in both directions."""
    names = ("VERSION", "INPUT_RATE", "INPUT_FRAME", "OUTPUT_RATE", "SEGMENT_HEADER")
    constants = [(f"`{name}`", str(getattr(protocol, name))) for name in names]
    parts = [
        "# The wire protocol\n\n" + BANNER,
        inspect.cleandoc(protocol.__doc__ or "") + "\n",
        "The socket is at `/api/v1/talk`. A frame larger than "
        f"{protocol.MAX_FRAME_BYTES} bytes closes the connection.\n",
        table(("Constant", "Value"), constants),
        "The page's TypeScript types are in `web/protocol.d.ts`, written from the same source.\n",
        *asking_part(),
        "## From the client\n",
        *map(message_part, get_args(protocol.ClientMessage)),
        "## From the server\n",
        *map(message_part, get_args(protocol.ServerMessage)),
        "## Parts of messages\n",
        message_part(protocol.StageStatus),
    ]
    return "\n".join(parts)


def message_part(message: type[BaseModel]) -> str:
    kind = message.model_fields.get("type")
    title = kind.default if kind else message.__name__
    schema = message.model_json_schema()["properties"]
    docs = attribute_docs(message)
    rows = [
        (
            f"`{name}`",
            type_of(schema[name]),
            "required" if field.is_required() else shown(field.default) or "empty",
            docs.get(name, ""),
        )
        for name, field in message.model_fields.items()
        if name != "type"
    ]
    parts = [f"### `{title}`\n"]
    if docstring(message):
        parts.append(docstring(message) + "\n")
    if rows:
        parts.append(table(("Field", "Kind", "Default", "What it is"), rows))
    return "\n".join(parts)


def asking_part() -> Iterator[str]:
    """How a session in a room is asked for, from the routes themselves."""
    asked = [route for route in rooms.router.routes if isinstance(route, APIRoute)]
    routes = [
        (
            f"`{method} {route.path}`",
            " ".join(inspect.cleandoc(route.endpoint.__doc__ or "").split()),
        )
        for route in asked
        if route.include_in_schema
        for method in sorted(route.methods)
    ]
    yield "## Asking for a room\n"
    yield (
        "Where conversations are held in LiveKit rooms, one is asked for over HTTP first, by a\n"
        "browser that is signed in or with `Authorization: Bearer` and an API key.\n"
    )
    yield table(("Request", "What it does"), routes)
    ticket = " ".join(inspect.cleandoc(Ticket.__doc__ or "").split())
    named = ", ".join(f"`{one.name}`" for one in fields(Ticket))
    yield f"`Ticket`: {ticket} Its fields: {named}.\n"


def errors_page() -> str:
    """Every error with what the server and the command line make of it."""
    told = {
        words[0]: words[1]
        for line in (errors.__doc__ or "").splitlines()
        if line.startswith("    ") and len(words := line.split(None, 1)) == 2
    }
    rows = [
        (
            f"`{kind.code}`",
            f"{'· ' * depth}{kind.__name__}",
            told.get(kind.__name__, "") if depth else "",
            str(next((status for one, status in STATUSES if issubclass(kind, one)), 500)),
            str(next((status for one, status in cli.EXITS if issubclass(kind, one)), 1)),
            again(kind),
        )
        for depth, kind in error_tree(errors.EloquenceError)
    ]
    causes = [
        (f"`{cause}`", "yes" if errors.ProviderError("", cause=cause).retryable else "no")
        for cause in get_args(errors.Cause)
    ]
    return "\n".join(
        [
            "# Errors\n\n" + BANNER,
            "Every error that Eloquence raises on purpose has a stable code for machines, a\n"
            "message for people, and where there is one a mend: what to do about it. None holds\n"
            "what was said, nor a secret. The server answers problem details (RFC 9457), the\n"
            "socket an `error` message, the command line a message and an exit status.\n",
            table(("Code", "Error", "Means", "HTTP", "Exit", "Worth trying again"), rows),
            "The server itself also answers 403 and 413 with code `refused` (a foreign host name\n"
            "or origin, a body that is too large), and 422 with `bad_request`.\n",
            "## Why a provider failed\n",
            table(("Cause", "Worth trying again"), causes),
        ]
    )


def error_tree(
    kind: type[errors.EloquenceError], depth: int = 0
) -> Iterator[tuple[int, type[errors.EloquenceError]]]:
    yield depth, kind
    for child in kind.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from error_tree(child, depth + 1)


def again(kind: type[errors.EloquenceError]) -> str:
    asked = inspect.signature(kind).parameters
    if "cause" in asked:
        return "by its cause"
    if "retryable" in asked:
        return "as it says"
    return "yes" if kind.__new__(kind).retryable else "no"


def pages() -> dict[Path, str]:
    """What each generated page must hold."""
    return {
        DOCS / "settings.md": settings_page(),
        DOCS / "commands.md": commands_page(),
        DOCS / "protocol.md": protocol_page(),
        DOCS / "errors.md": errors_page(),
        **dict(pages_with_tables()),
    }


def pages_with_tables() -> Iterator[tuple[Path, str]]:
    """Pages by people whose tables come from the content."""
    parts = content_tables.parts(DOCS)
    for name in ("measures.md", "scores.md"):
        page = DOCS / name
        yield page, content_tables.filled(page.read_text(encoding="utf-8"), parts)


def main(arguments: list[str]) -> int:
    checking = "--check" in arguments
    stale = [
        (path, text)
        for path, text in pages().items()
        if not path.is_file() or path.read_text(encoding="utf-8") != text
    ]
    for path, text in stale:
        name = path.relative_to(ROOT)
        if checking:
            sys.stderr.write(f"{name} is out of date: run scripts/generate_docs.py\n")
        else:
            path.write_text(text, encoding="utf-8")
            sys.stdout.write(f"{name} written\n")
    return 1 if checking and stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
