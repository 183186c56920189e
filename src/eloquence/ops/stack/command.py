"""`scripts/stack start|stop|status|environment`: what `make stack` and `make stack-stop` call."""

import asyncio
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from eloquence.errors import ConfigurationError, EloquenceError
from eloquence.ops.stack import compose, plan
from eloquence.ops.stack.plan import Part
from eloquence.ops.stack.supervision import Supervision, created, end_group

_LOOK_SECONDS = 0.1
_MADE: Mapping[str, Callable[[], str]] = {
    "LIVEKIT_API_KEY": lambda: f"API{secrets.token_hex(6)}",
    "LIVEKIT_API_SECRET": lambda: secrets.token_hex(32),
    "POSTGRES_PASSWORD": lambda: secrets.token_hex(24),
}
"""Secrets that a stack makes itself, once, when nobody gave them."""


def main(deploy: Path, words: Sequence[str]) -> int:
    """The exit status of one command. `deploy` is the folder of the Compose file."""
    commands = {"start": start, "stop": stop, "status": status, "environment": environment}
    if len(words) != 1 or words[0] not in commands:
        print(f"stack {'|'.join(commands)}", file=sys.stderr)  # noqa: T201
        return 2
    try:
        return commands[words[0]](deploy, os.environ)
    except EloquenceError as error:
        print(f"✗ {error}", file=sys.stderr)  # noqa: T201
        return 1


def start(deploy: Path, outside: Mapping[str, str]) -> int:
    """Starts everything, and returns when all of it is healthy or one part is not."""
    folder = home(outside)
    if _alive(_recorded(folder)):
        raise ConfigurationError("A stack runs already.", mend="make stack-stop")
    parts, given = planned(deploy, outside)
    refuse_taken(parts)
    _write(folder / "plan.json", plan.shown(parts))
    (folder / "state.json").unlink(missing_ok=True)
    _link_models(folder, outside)
    with (folder / "supervision.log").open("ab") as log:
        process = subprocess.Popen(  # noqa: S603 - this very program
            [sys.executable, "-m", __name__, str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    _write(
        folder / "supervision.json",
        json.dumps({"pid": process.pid, "created": created(process.pid)}),
    )
    well = _watched(folder, process, parts)
    if well:
        _tell(folder, parts, given)
    return 0 if well else 1


def stop(deploy: Path, outside: Mapping[str, str]) -> int:
    """Stops exactly what `start` started, in the opposite order."""
    folder = home(outside)
    recorded = _recorded(folder)
    if _alive(recorded):
        _say("Stopping …")
        process = psutil.Process(recorded["pid"])
        process.terminate()
        process.wait()
    left = [entry for entry in _state(folder).get("parts", {}).values() if _alive(entry)]
    for entry in reversed(left):  # its supervision was killed
        process = psutil.Process(entry["pid"])
        process.terminate()
        try:
            process.wait(10)
        except psutil.TimeoutExpired:
            process.kill()
        end_group(entry["pid"])
    (folder / "supervision.json").unlink(missing_ok=True)
    _say("Stopped." if recorded or left else "No stack runs.")
    return 0


def status(deploy: Path, outside: Mapping[str, str]) -> int:
    """Says how each part is; 0 when all are healthy."""
    folder = home(outside)
    if not _alive(_recorded(folder)):
        _say("No stack runs.")
        return 1
    parts = _state(folder)["parts"]
    for name, entry in parts.items():
        _say(f"{name:22} {entry['state']:15} {entry.get('pid', '')}")
    return 0 if all(entry["state"] == "healthy" for entry in parts.values()) else 1


def environment(deploy: Path, outside: Mapping[str, str]) -> int:
    """Prints what `eloquence` needs to work on the stack's database and rooms, for a shell. These
    lines hold secrets."""
    written = home(outside) / "plan.json"
    if not written.is_file():
        raise ConfigurationError("There is no stack yet.", mend="make stack")
    parts = plan.read(written.read_text(encoding="utf-8"))
    served = next(part for part in parts if part.service == "token-service")
    for name in sorted(served.environment):
        if name.startswith(("ELOQUENCE_", "LIVEKIT_", "DATABASE_", "REDIS_")):
            value = served.environment[name].replace("'", "'\\''")
            _say(f"export {name}='{value}'")
    return 0


def planned(deploy: Path, outside: Mapping[str, str]) -> tuple[tuple[Part, ...], Mapping[str, str]]:
    """The parts, and the variables of which they were made: the environment's, over those of
    `deploy/.env`, over the secrets that the stack made itself."""
    folder = home(outside)
    given = {**compose.read_variables(deploy / ".env"), **outside}
    given = {**_secrets(folder, given), **given}
    given.setdefault("LIVEKIT_NODE_IP", own_address())
    given.setdefault("DRAIN_MINUTES", "1")
    given.setdefault("STOP_GRACE", "90s")
    services = compose.services((deploy / "compose.yaml").read_text(encoding="utf-8"), given)
    parts = plan.plan(
        services,
        given,
        folder=folder,
        livekit=(deploy / "livekit.yaml").read_text(encoding="utf-8"),
        find=plan.found,
        outside=outside,
    )
    return parts, given


def home(outside: Mapping[str, str]) -> Path:
    """Where the stack keeps its files: STACK_FOLDER, or beside this user's data. PostgreSQL does
    not run as root, and another user does not get into root's own folder."""
    from platformdirs import user_data_path

    if outside.get("STACK_FOLDER"):
        return Path(outside["STACK_FOLDER"]).absolute()
    if os.geteuid() == 0:
        return Path("/var/lib/eloquence/stack")
    return user_data_path("eloquence", appauthor=False) / "stack"


def own_address() -> str:
    """This machine's address towards others, or the loopback address when it has none. Nothing is
    sent: connecting a datagram socket only chooses a route."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, suppress(OSError):
        probe.connect(("192.0.2.254", 9))
        return str(probe.getsockname()[0])
    return "127.0.0.1"


def refuse_taken(parts: Sequence[Part]) -> None:
    """Raises ConfigurationError when another program listens on a part's port."""
    for part in parts:
        for variable, port in part.ports.items():
            with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind(("127.0.0.1", port))
                except OSError as error:
                    raise ConfigurationError(
                        f"{part.name} cannot have port {port}: {error.strerror}.",
                        mend=f"Stop what uses it, or choose another: make stack {variable}=…",
                    ) from None


def supervise(folder: Path) -> int:
    """The long-running part: keeps up what the plan in the folder says until SIGTERM."""
    parts = plan.read((folder / "plan.json").read_text(encoding="utf-8"))

    async def run() -> bool:
        asked = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, asked.set)
        return await Supervision(parts, folder).run(asked)

    return 0 if asyncio.run(run()) else 1


def _watched(folder: Path, process: subprocess.Popen[bytes], parts: Sequence[Part]) -> bool:
    """Says what becomes healthy, as it does; False when something does not."""
    told: set[str] = set()
    while True:
        ended = process.poll() is not None
        state = _state(folder)
        entries = state.get("parts", {})
        for name, entry in entries.items():
            if entry["state"] == "healthy" and name not in told:
                told.add(name)
                _say(f"✓ {name}")
        if len(told) == len(parts):
            return True
        if ended:
            _say(f"✗ {state.get('problem') or 'The stack did not start.'}")
            return False
        time.sleep(_LOOK_SECONDS)


def _tell(folder: Path, parts: Sequence[Part], given: Mapping[str, str]) -> None:
    _say("")
    for part in parts:
        ports = " ".join(f"{variable}={port}" for variable, port in part.ports.items())
        _say(f"{part.name:22} {ports:42} {part.folder / 'log'}")
    served = next(part for part in parts if part.service == "token-service")
    address = given.get("PUBLIC_URL") or f"http://localhost:{served.ports['TOKEN_PORT']}/"
    _say(f"\nEloquence: {address}   (make stack-stop ends it)")
    _say("To sign in, make a key (shown once):")
    _say('    eval "$(scripts/stack environment)"')
    _say("    .venv/bin/eloquence accounts add YOUR-NAME --role operator")


def _secrets(folder: Path, given: Mapping[str, str]) -> dict[str, str]:
    """The secrets that nobody gave, made once and kept for this user alone."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o711)
    file = folder / "secrets.env"
    kept = compose.read_variables(file)
    made = {
        name: make() for name, make in _MADE.items() if name not in kept and not given.get(name)
    }
    if made:
        _write(file, "".join(f"{name}={value}\n" for name, value in {**kept, **made}.items()))
    return {**kept, **made}


def _link_models(folder: Path, outside: Mapping[str, str]) -> None:
    """Models that this user has downloaded serve the stack as well."""
    from eloquence.config import load

    models, data = load().models, folder / "volumes" / "data"
    data.mkdir(parents=True, exist_ok=True)
    if models.is_dir() and not (data / "models").exists():
        (data / "models").symlink_to(models.absolute())


def _recorded(folder: Path) -> dict[str, Any]:
    return _json(folder / "supervision.json")


def _state(folder: Path) -> dict[str, Any]:
    return _json(folder / "state.json")


def _json(file: Path) -> dict[str, Any]:
    try:
        read: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return read


def _alive(entry: Mapping[str, Any]) -> bool:
    """Whether that very process runs, and not another one that has its number now."""
    if not entry.get("pid") or created(entry["pid"]) != entry["created"]:
        return False
    return bool(psutil.Process(entry["pid"]).status() != psutil.STATUS_ZOMBIE)


def _write(file: Path, text: str) -> None:
    """A file for this user alone."""
    file.touch(mode=0o600)
    file.chmod(0o600)
    file.write_text(text, encoding="utf-8")


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(supervise(Path(sys.argv[1])))
