"""Which processes stand for the services of the Compose file, with which ports, after whom."""

import re
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from eloquence.errors import ConfigurationError
from eloquence.ops.stack.compose import Check, Port, Service

UNPUBLISHED = {
    "redis": (Port(6379, 6379, "REDIS_PORT"),),
    "postgres": (Port(5432, 5432, "POSTGRES_PORT"),),
}
"""Ports that Compose keeps inside its network, and processes have on this machine."""

SEVERAL = {
    "livekit-agent": "STACK_WORKERS",
    "livekit-server": "STACK_LIVEKIT",
    "token-service": "STACK_SERVERS",
}
"""Services of which there can be several, and the variable that says how many."""

_ASKS = {
    "vosk-stt": "ELOQUENCE_STT",
    "mistral-conversation": "ELOQUENCE_LLM",
    "openai-tts": "ELOQUENCE_TTS",
}
"""Which setting of a conversation chooses a service of speech. Without the service, conversations
take what the machine has."""

STEP = 100
"""By how much the ports of each further one are higher, unless its variable says otherwise."""

INSTALL = {
    "livekit-server": "scripts/parts",
    "redis-server": "apt-get install redis-server",
    "redis-cli": "apt-get install redis-server",
    "postgres": "apt-get install postgresql",
    "pg_isready": "apt-get install postgresql",
}
"""How what is missing is installed."""

_PLACES = (".parts/bin", "~/go/bin", "/usr/local/bin", "/usr/sbin", "/usr/lib/postgresql/*/bin")
_PASSED = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR")

Find = Callable[[str], Path]


@dataclass(frozen=True, slots=True)
class Part:
    """One process of the stack.

    `after`: parts that must be healthy first. `check` is a command, or one address that must answer
    200. `files` are written, and `first` is run (once, while `done` is absent), before it starts.
    `user` is who runs it when root asks; `grace` are the seconds it is given to stop.
    """

    name: str
    service: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    ports: Mapping[str, int]
    after: tuple[str, ...]
    check: Check
    folder: Path
    grace: float
    files: Mapping[str, str] = field(default_factory=dict)
    first: tuple[tuple[str, ...], ...] = ()
    done: str = ""
    user: str = ""


def plan(
    services: Mapping[str, Service],
    variables: Mapping[str, str],
    *,
    folder: Path,
    livekit: str,
    find: Find,
    outside: Mapping[str, str],
) -> tuple[Part, ...]:
    """The parts, in the order in which they may start.

    `livekit` is the text of livekit.yaml; `outside` is this process's environment, of which only
    what every program needs is passed on, so that a vendor's key reaches no other service than the
    one to which the Compose file gives it (D-21). Raises ConfigurationError when two parts share a
    port (X-02), a program is missing, or services wait for each other.
    """
    for name in _left_out(services, variables):
        services = without(name, services)
    counts = {name: _count(name, variables) for name in services}
    if counts["livekit-server"] > 1 and "redis" not in services:
        raise ConfigurationError(
            "Several LiveKit servers find each other through Redis.",
            mend="Leave out STACK_REDIS=0.",
        )
    ports = {
        (name, number): _ports(service, number, variables)
        for name, service in services.items()
        for number in range(1, counts[name] + 1)
    }
    refuse_shared(ports)
    base = {name: outside[name] for name in _PASSED if name in outside}
    parts = []
    for name in in_order(services):
        service = services[name]
        for number in range(1, counts[name] + 1):
            others = _addresses(services, counts, ports, number)
            part = Part(
                name=_called(name, number),
                service=name,
                command=service.command,
                environment={
                    **base,
                    **{
                        key: _local(value, others, service, folder)
                        for key, value in service.environment.items()
                    },
                },
                ports={port.variable: port.outside for port in ports[name, number]},
                after=tuple(
                    _called(other, each)
                    for other in service.after
                    for each in range(1, counts[other] + 1)
                ),
                check=service.check,
                folder=folder / _called(name, number),
                grace=service.grace,
            )
            image = service.image.rpartition(":")[0]
            recipe = _RECIPES.get(image)
            if recipe is None:
                raise ConfigurationError(f"There is no program for the image {image}.")
            inside = {port.inside: port.outside for port in ports[name, number]}
            moved = _Moved(inside, variables, _replaced(livekit, others), find, number)
            part = recipe(part, moved)
            parts.append(replace(part, check=_check(service.check, inside, find)))
    return tuple(parts)


def in_order(services: Mapping[str, Service]) -> list[str]:
    """The names of the services, each after those that it waits for; otherwise as in the file.
    Raises ConfigurationError when services wait for each other."""
    ordered: list[str] = []
    while len(ordered) < len(services):
        ready = [
            name
            for name, service in services.items()
            if name not in ordered and all(other in ordered for other in service.after)
        ]
        if not ready:
            circle = ", ".join(sorted(set(services) - set(ordered)))
            raise ConfigurationError(f"These services wait for each other: {circle}.")
        ordered += ready[:1]
    return ordered


def without(left_out: str, services: Mapping[str, Service]) -> dict[str, Service]:
    """The services without one of them, and without what the others know of it."""
    return {
        name: replace(
            service,
            after=tuple(other for other in service.after if other != left_out),
            environment={
                key: value
                for key, value in service.environment.items()
                if not re.search(rf"\b{left_out}:\d", value) and key != _ASKS.get(left_out)
            },
        )
        for name, service in services.items()
        if name != left_out
    }


def refuse_shared(ports: Mapping[tuple[str, int], Sequence[Port]]) -> None:
    """Raises ConfigurationError when two services would listen on one port (X-02)."""
    taken: dict[int, str] = {}
    for (name, number), listed in ports.items():
        for port in listed:
            who = _called(name, number)
            if port.outside in taken:
                raise ConfigurationError(
                    f"{who} and {taken[port.outside]} both want port {port.outside}.",
                    mend=f"Set {port.variable} to another one.",
                )
            taken[port.outside] = who


def found(name: str) -> Path:
    """Where a program of this machine is. Raises ConfigurationError that says how to install it."""
    beside = Path(sys.executable).parent / name
    on_path = str(beside) if beside.is_file() else shutil.which(name)
    if on_path:
        return Path(on_path)
    for place in _PLACES:
        pattern = Path(place).expanduser().absolute() / name
        matches = sorted(Path("/").glob(str(pattern).lstrip("/")), reverse=True)
        if matches:
            return matches[0]
    raise ConfigurationError(
        f"{name} is not installed.", mend=f"Install it: {INSTALL.get(name, 'make setup')}"
    )


@dataclass(frozen=True, slots=True)
class _Moved:
    """What a recipe needs to know: ports by the one inside, variables, livekit.yaml, programs."""

    ports: Mapping[int, int]
    variables: Mapping[str, str]
    livekit: str
    find: Find
    number: int

    @property
    def address(self) -> str:
        """Where what people open listens; everything else only on this machine."""
        return self.variables.get("PUBLISH_ADDRESS", "127.0.0.1")

    def variable(self, name: str, otherwise: str) -> str:
        own = f"{name}_{self.number}" if self.number > 1 else name
        return self.variables.get(own, otherwise)


def _redis(part: Part, moved: _Moved) -> Part:
    rest = _with_ports(part.command[1:], moved.ports)
    program = str(moved.find("redis-server"))
    command = (program, *rest, "--bind", "127.0.0.1", "--dir", str(part.folder))
    return replace(part, command=command)


def _postgres(part: Part, moved: _Moved) -> Part:
    """The database is made as the image makes it, from POSTGRES_USER, _PASSWORD and _DB."""
    given = part.environment
    data = str(part.folder / "data")
    secret = part.folder / "password"
    programs = moved.find("postgres").resolve().parent
    made = (
        *(str(programs / "initdb"), f"--pgdata={data}", f"--username={given['POSTGRES_USER']}"),
        *(f"--pwfile={secret}", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8"),
    )
    database = part.folder / "database.sql"
    single = f'"{programs / "postgres"}" --single -D "{data}" postgres < "{database}"'
    return replace(
        part,
        command=(
            *(str(programs / "postgres"), "-D", data, "-p", str(moved.ports[5432])),
            *("-k", str(part.folder), "-c", "listen_addresses=127.0.0.1"),
        ),
        environment={
            name: value for name, value in given.items() if not name.startswith("POSTGRES")
        },
        files={
            "password": given["POSTGRES_PASSWORD"],
            "database.sql": f"CREATE DATABASE {given['POSTGRES_DB']};\n",
        },
        first=(made, ("/bin/sh", "-c", single)),
        done="data/PG_VERSION",
        user="postgres",
    )


def _livekit(part: Part, moved: _Moved) -> Part:
    start = int(part.environment["LIVEKIT_RTC_UDP_PORT_START"])
    end = int(part.environment["LIVEKIT_RTC_UDP_PORT_END"])
    start, end = (bound + STEP * (moved.number - 1) for bound in (start, end))
    tcp = moved.ports[int(part.environment["LIVEKIT_RTC_TCP_PORT"])]
    return replace(
        part,
        command=(
            *(str(moved.find("livekit-server")), "--config", str(part.folder / "livekit.yaml")),
            *("--bind", moved.address),
        ),
        files={"livekit.yaml": moved.livekit},
        environment={
            **part.environment,
            "LIVEKIT_PORT": str(moved.ports[7880]),
            "LIVEKIT_RTC_TCP_PORT": str(tcp),
            "LIVEKIT_RTC_UDP_PORT_START": moved.variable("LIVEKIT_UDP_START", str(start)),
            "LIVEKIT_RTC_UDP_PORT_END": moved.variable("LIVEKIT_UDP_END", str(end)),
        },
    )


def _eloquence(part: Part, moved: _Moved) -> Part:
    rest = _with_ports(part.command[1:], moved.ports)
    address = moved.address if part.service == "token-service" else "127.0.0.1"
    words = tuple(address if word == "0.0.0.0" else word for word in rest)  # noqa: S104
    environment = {**part.environment, "ELOQUENCE_WORKER_HOST": "127.0.0.1"}
    if "ELOQUENCE_WORKER_PORT" in environment:
        inside = int(environment["ELOQUENCE_WORKER_PORT"])
        environment["ELOQUENCE_WORKER_PORT"] = str(moved.ports.get(inside, 0))
    command = (str(moved.find("eloquence")), *words)
    return replace(part, command=command, environment=environment)


_RECIPES: Mapping[str, Callable[[Part, _Moved], Part]] = {
    "redis": _redis,
    "postgres": _postgres,
    "livekit/livekit-server": _livekit,
    "eloquence": _eloquence,
}
"""How each image is a program of this machine."""


def _left_out(services: Mapping[str, Service], variables: Mapping[str, str]) -> list[str]:
    names = [name.strip() for name in variables.get("STACK_WITHOUT", "").split(",") if name.strip()]
    optional = ("redis", "vosk-stt", "mistral-conversation", "openai-tts")
    for name in names:
        if name not in services or name not in optional:
            raise ConfigurationError(
                f"STACK_WITHOUT names {name!r}.", mend=f"Name some of {', '.join(optional)}."
            )
    return names


def _count(name: str, variables: Mapping[str, str]) -> int:
    variable = SEVERAL.get(name)
    text = variables.get(variable, "1") if variable else "1"
    if not text.isdecimal() or not 1 <= int(text) <= 9:
        raise ConfigurationError(f"{variable} is {text!r}.", mend="Give a number from 1 to 9.")
    return int(text)


def _called(name: str, number: int) -> str:
    return name if number == 1 else f"{name}-{number}"


def _ports(service: Service, number: int, variables: Mapping[str, str]) -> tuple[Port, ...]:
    ports = []
    for port in service.ports or UNPUBLISHED.get(service.name, ()):
        variable = port.variable if number == 1 else f"{port.variable}_{number}"
        usual = port.outside + STEP * (number - 1)
        given = variables.get(variable, str(usual))
        if not given.isdecimal() or not 1 <= int(given) <= 65_535:
            raise ConfigurationError(f"{variable} is {given!r}.", mend="Give a port.")
        ports.append(Port(port.inside, int(given), variable))
    return tuple(ports)


def _addresses(
    services: Mapping[str, Service],
    counts: Mapping[str, int],
    ports: Mapping[tuple[str, int], Sequence[Port]],
    number: int,
) -> dict[str, str]:
    """Where the other services are, for the one with that number: they are shared out evenly."""
    addresses = {}
    for name, service in services.items():
        chosen = (number - 1) % counts[name] + 1
        for first, port in zip(ports[name, 1], ports[name, chosen], strict=True):
            for alias in (name, *service.aliases):
                addresses[f"{alias}:{port.inside}"] = f"127.0.0.1:{port.outside}"
            addresses[f"localhost:{first.outside}"] = f"localhost:{port.outside}"
    return addresses


def _local(value: str, addresses: Mapping[str, str], service: Service, folder: Path) -> str:
    """A value of the environment, with the addresses and folders of this machine."""
    if value in service.volumes:
        return str(folder / "volumes" / service.volumes[value])
    return _replaced(value, addresses)


def _replaced(text: str, addresses: Mapping[str, str]) -> str:
    pattern = "|".join(rf"\b{re.escape(each)}\b" for each in sorted(addresses, reverse=True))
    return re.sub(pattern, lambda match: addresses[match[0]], text)


def _with_ports(words: Sequence[str], ports: Mapping[int, int]) -> tuple[str, ...]:
    """The words, each port that follows `--port` or `-p` moved to where it is on this machine."""
    moved = list(words)
    for place, word in enumerate(words[:-1]):
        if word in ("--port", "-p") and words[place + 1].isdecimal():
            moved[place + 1] = str(ports[int(words[place + 1])])
    return tuple(moved)


def _check(check: Check, ports: Mapping[int, int], find: Find) -> Check:
    """The same question on this machine: an address is asked by the stack itself."""
    for word in check.command:
        address = re.fullmatch(r"(http://[\w.]+):(\d+)(/.*)", word)
        if address:
            port = ports[int(address[2])]
            return replace(check, command=(f"http://127.0.0.1:{port}{address[3]}",))
    program, *rest = check.command
    return replace(check, command=(str(find(program)), *_with_ports(rest, ports)))


def shown(parts: Sequence[Part]) -> str:
    """The plan as JSON, which the supervision reads back. It holds secrets."""
    from pydantic import TypeAdapter

    return TypeAdapter(tuple[Part, ...]).dump_json(tuple(parts), indent=1).decode()


def read(text: str) -> tuple[Part, ...]:
    """The plan that `shown` wrote."""
    from pydantic import TypeAdapter

    return TypeAdapter(tuple[Part, ...]).validate_json(text)
