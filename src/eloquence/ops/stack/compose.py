"""What this project's Compose file says, with its variables filled in."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eloquence.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Port:
    """`inside` is the one that the service knows; `variable` sets `outside`."""

    inside: int
    outside: int
    variable: str


@dataclass(frozen=True, slots=True)
class Check:
    """How a service's health is asked. Seconds."""

    command: tuple[str, ...]
    interval: float
    timeout: float
    retries: int
    start_period: float

    @property
    def patience(self) -> float:
        """How long after its start a service may be unhealthy."""
        return self.start_period + self.retries * (self.interval + self.timeout)


@dataclass(frozen=True, slots=True)
class Service:
    """One service of the file. `after`: those that must be healthy before it starts; `volumes`:
    names by the folder inside; `grace`: seconds it may take to stop."""

    name: str
    image: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    ports: tuple[Port, ...]
    check: Check
    after: tuple[str, ...]
    aliases: tuple[str, ...] = ()
    volumes: Mapping[str, str] = field(default_factory=dict)
    grace: float = 10.0


def services(text: str, variables: Mapping[str, str]) -> dict[str, Service]:
    """The services of a Compose file by their names, those of a profile left out. Raises
    ConfigurationError when a variable that must be given is not."""
    from ruamel.yaml import YAML

    document = YAML(typ="safe").load(text)
    read = {
        name: _service(name, entry, variables)
        for name, entry in document["services"].items()
        if "profiles" not in entry
    }
    for service in read.values():
        unknown = sorted(set(service.after) - set(read))
        if unknown:
            raise ConfigurationError(f"{service.name} waits for {unknown[0]}, which is no service.")
    return read


def filled(text: str, variables: Mapping[str, str]) -> str:
    """The text with its variables filled in: `$NAME`, `${NAME}`, `${NAME:-otherwise}`,
    `${NAME:+instead}`, `${NAME:?what is wrong}`, and `$$` for a dollar. Raises ConfigurationError.
    """
    out, rest = [], text
    while rest:
        before, dollar, rest = rest.partition("$")
        out.append(before)
        if not dollar:
            break
        if rest.startswith("$"):
            out.append("$")
            rest = rest[1:]
        elif rest.startswith("{"):
            end = _closing(rest)
            out.append(_value(rest[1:end], variables))
            rest = rest[end + 1 :]
        elif bare := re.match(r"[A-Za-z_]\w*", rest):
            out.append(variables.get(bare[0], ""))
            rest = rest[bare.end() :]
        else:
            raise ConfigurationError(f"{text!r} has a $ that names no variable.")
    return "".join(out)


def read_variables(path: Path) -> dict[str, str]:
    """The variables of a `.env` file; none when there is no such file."""
    from dotenv import dotenv_values

    if not path.is_file():
        return {}
    return {name: value for name, value in dotenv_values(path).items() if value}


def seconds(text: str) -> float:
    """A duration as Compose writes it, as `1m30s`, in seconds."""
    units = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
    found = re.findall(r"(\d+(?:\.\d+)?)(ms|h|m|s)", text)
    if not found or "".join(number + unit for number, unit in found) != text:
        raise ConfigurationError(f"{text!r} is no duration.")
    return sum(float(number) * units[unit] for number, unit in found)


def _service(name: str, entry: Mapping[str, Any], variables: Mapping[str, str]) -> Service:
    def text(value: object) -> str:
        return filled(str(value), variables)

    networks = entry.get("networks", [])
    aliases = [
        alias
        for network in (networks.values() if isinstance(networks, dict) else ())
        for alias in (network or {}).get("aliases", [])
    ]
    volumes = [text(line).split(":") for line in entry.get("volumes", [])]
    check = entry["healthcheck"]
    return Service(
        name=name,
        image=text(entry["image"]),
        command=tuple(text(word) for word in entry.get("command", ())),
        environment={key: text(value) for key, value in entry.get("environment", {}).items()},
        ports=tuple(_ports(entry.get("ports", []), variables)),
        check=Check(
            command=tuple(text(word) for word in check["test"][1:]),
            interval=seconds(check["interval"]),
            timeout=seconds(check["timeout"]),
            retries=int(check["retries"]),
            start_period=seconds(check["start_period"]),
        ),
        after=tuple(entry.get("depends_on", {})),
        aliases=tuple(aliases),
        volumes={inside: source for source, inside, *_ in volumes if not source.startswith(".")},
        grace=seconds(text(entry.get("stop_grace_period", "10s"))),
    )


def _ports(lines: list[str], variables: Mapping[str, str]) -> list[Port]:
    """The TCP ports that are published, each with the variable that moves it."""
    ports = []
    for line in lines:
        if line.endswith("/udp"):
            continue
        *_, outside, inside = filled(line, variables).split(":")
        ports.append(Port(int(inside), int(outside), re.findall(r"\$\{(\w*_PORT)", line)[-1]))
    return ports


def _closing(text: str) -> int:
    """Where the brace closes with which the text begins."""
    depth = 0
    for place, character in enumerate(text):
        depth += (character == "{") - (character == "}")
        if depth == 0:
            return place
    raise ConfigurationError(f"{text!r} has a brace that does not close.")


def _value(inner: str, variables: Mapping[str, str]) -> str:
    found = re.fullmatch(r"(\w+)(?:(:[-+?])(.*))?", inner, re.DOTALL)
    if found is None:
        raise ConfigurationError(f"${{{inner}}} is no variable.")
    name, rule, rest = found[1], found[2], found[3] or ""
    given = variables.get(name, "")
    if rule == ":-":
        return given or filled(rest, variables)
    if rule == ":+":
        return filled(rest, variables) if given else ""
    if rule == ":?" and not given:
        raise ConfigurationError(f"{name} is not set.", mend=f"{rest[:1].upper()}{rest[1:]}.")
    return given
