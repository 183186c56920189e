"""The real servers that a deployment stands on, as parts of a test or a benchmark.

    async with redis() as store, livekit_server(redis=store.address) as livekit:
        …  # livekit.url, livekit.key, livekit.secret

Each part listens on free ports of this machine, keeps its files in a temporary folder, is waited
for until it answers, and is stopped with everything it started. `kill` ends one as a power cut
would; `start` brings it back on the same ports. A program that is not installed raises
MissingPartError, whose message says how to get it.
"""

import asyncio
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

_START_SECONDS = 30.0
_LOOK = 0.02
_PLACES = ("~/go/bin", "/usr/local/bin", "/usr/sbin", "/usr/lib/postgresql/*/bin")
_INSTALLED = {
    "livekit-server": "go install github.com/livekit/livekit-server/cmd/server@v1.11.0, "
    "as livekit-server on the PATH",
    "toxiproxy-server": "go install github.com/Shopify/toxiproxy/v2/cmd/server@v2.12.0, "
    "as toxiproxy-server on the PATH",
    "redis-server": "apt-get install redis-server",
    "postgres": "apt-get install postgresql",
}


class MissingPartError(Exception):
    """A server that is not installed on this machine; the message says how to install it."""


def program(name: str) -> Path:
    """Where a server's program is. Raises MissingPartError."""
    found = shutil.which(name)
    if found:
        return Path(found)
    for place in _PLACES:
        base = Path(place).expanduser()
        for path in sorted(Path("/").glob(str(base / name).lstrip("/")), reverse=True):
            if os.access(path, os.X_OK):
                return path
    raise MissingPartError(f"{name} is not installed: {_INSTALLED[name]}.")


def free_port(*, datagrams: bool = False) -> int:
    """A port of this machine that nobody listens on."""
    kind = socket.SOCK_DGRAM if datagrams else socket.SOCK_STREAM
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def own_address() -> str:
    """This machine's address towards others, or the loopback address when it has none.

    Nothing is sent: connecting a datagram socket only chooses a route.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, suppress(OSError):
        probe.connect(("192.0.2.254", 9))
        return str(probe.getsockname()[0])
    return "127.0.0.1"


@dataclass
class Part:
    """One server process, and how to know that it answers."""

    name: str
    command: list[str]
    folder: Path
    answers: Callable[[], Awaitable[bool]]
    user: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    patience: float = 5.0
    """Seconds that it is given to end by itself."""
    process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        """What the server has written."""
        return (self.folder / "log").read_text(errors="replace")

    async def start(self) -> None:
        """Starts it and waits until it answers. Raises RuntimeError with the end of its log when
        it ends instead, or has not answered within 30 s."""
        self.process = self._spawned()
        with suppress(TimeoutError):
            async with asyncio.timeout(_START_SECONDS):
                while self.process.poll() is None:
                    if await self.answers():
                        return
                    await asyncio.sleep(_LOOK)
        self.kill()
        raise RuntimeError(f"{self.name} did not start:\n{self.log[-2000:]}")

    def kill(self) -> None:
        """Ends it and its children at once, as a power cut would."""
        self._signal(signal.SIGKILL)
        if self.process is not None:
            self.process.wait()
            self.process = None

    async def stop(self) -> None:
        """Asks it to end, and ends it when it has not within its patience."""
        self._signal(signal.SIGINT)
        try:
            async with asyncio.timeout(self.patience):
                await self._ended()
        except TimeoutError:
            pass
        finally:
            self.kill()

    async def _ended(self) -> None:
        while self.process is not None and self.process.poll() is None:  # noqa: ASYNC110
            await asyncio.sleep(_LOOK)

    def _signal(self, number: signal.Signals) -> None:
        if self.process is not None and self.process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)

    def _spawned(self) -> subprocess.Popen[bytes]:
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(  # noqa: S603 - a program of this machine
                self.command,
                cwd=self.folder,
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **_as_user(self.user),
            )


@dataclass
class LiveKit(Part):
    """A LiveKit server."""

    port: int = 0
    key: str = ""
    secret: str = ""

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"


@dataclass
class Redis(Part):
    """A Redis server that keeps nothing."""

    port: int = 0

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"redis://{self.address}/0"


@dataclass
class Postgres(Part):
    """A PostgreSQL server, with the durability that it has by default."""

    port: int = 0
    programs: Path = Path()
    made: int = 0

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def url(self, database: str = "postgres", *, address: str = "") -> str:
        """The address of a database; by way of another address (a proxy's) when given."""
        return f"postgresql://postgres@{address or self.address}/{database}"

    async def database(self) -> str:
        """The address of a database of one's own, which is empty."""
        self.made += 1
        name = f"test_{os.getpid()}_{self.made}"
        await _done(
            str(self.programs / "createdb"),
            "--host=127.0.0.1",
            f"--port={self.port}",
            "--username=postgres",
            name,
        )
        return self.url(name)


@dataclass
class Proxy:
    """A line to a server that can be cut and made bad."""

    name: str
    address: str
    host: str
    port: int
    api: str

    async def cut(self) -> None:
        """Ends what is connected and refuses what connects."""
        await _asked("POST", f"{self.api}/proxies/{self.name}", {"enabled": False})

    async def mend(self) -> None:
        """Undoes `cut` and everything that was added."""
        toxics = await _asked("GET", f"{self.api}/proxies/{self.name}/toxics")
        for toxic in toxics:
            await _asked("DELETE", f"{self.api}/proxies/{self.name}/toxics/{toxic['name']}")
        await _asked("POST", f"{self.api}/proxies/{self.name}", {"enabled": True})

    async def add(self, kind: str, *, stream: str = "downstream", **attributes: float) -> None:
        """Makes the line bad in one way that toxiproxy knows: `latency` (latency, jitter: ms),
        `bandwidth` (rate: KB/s), `timeout` (timeout: ms, 0 = never closes), `reset_peer`…"""
        toxic = {"type": kind, "stream": stream, "attributes": attributes}
        await _asked("POST", f"{self.api}/proxies/{self.name}/toxics", toxic)


@dataclass
class Toxiproxy(Part):
    """Lines to servers, each of which can be cut and made bad."""

    port: int = 0
    made: int = 0

    async def to(self, upstream: str) -> Proxy:
        """A new line to a server at `host:port`."""
        self.made += 1
        name, port = f"line-{self.made}", free_port()
        api = f"http://127.0.0.1:{self.port}"
        listen = f"127.0.0.1:{port}"
        wanted = {"name": name, "listen": listen, "upstream": upstream, "enabled": True}
        await _asked("POST", f"{api}/proxies", wanted)
        return Proxy(name=name, address=listen, host="127.0.0.1", port=port, api=api)


@asynccontextmanager
async def livekit_server(
    *,
    redis: str = "",
    node_ip: str = "",
    key: str = "key-of-tests",
    secret: str = "secret-of-tests-0123456789-abcdef",  # noqa: S107 - of a server for one test
    webhook: str = "",
    settings: Mapping[str, Any] | None = None,
) -> AsyncIterator[LiveKit]:
    """A LiveKit server. `redis` (host:port) makes it one node of several; `settings` are further
    top-level entries of its configuration."""
    path = program("livekit-server")
    port = free_port()
    config: dict[str, Any] = {
        "port": port,
        "bind_addresses": ["127.0.0.1"],
        "rtc": {
            "tcp_port": free_port(),
            "udp_port": free_port(datagrams=True),
            "use_external_ip": False,
            "enable_loopback_candidate": True,
            "node_ip": node_ip or own_address(),
        },
        "keys": {key: secret},
        "logging": {"level": "info"},
    }
    if redis:
        config["redis"] = {"address": redis}
    if webhook:
        config["webhook"] = {"api_key": key, "urls": [webhook]}
    config.update(settings or {})
    with _folder() as folder:
        file = folder / "livekit.yaml"
        file.write_text(json.dumps(config))  # JSON is YAML
        server = LiveKit(
            name="livekit-server",
            command=[str(path), "--config", str(file)],
            folder=folder,
            answers=lambda: _answers_http(f"http://127.0.0.1:{port}/"),
            patience=0.1,  # it would wait for its rooms to empty, for 5 s or more
            port=port,
            key=key,
            secret=secret,
        )
        async with _running(server):
            yield server


@asynccontextmanager
async def redis() -> AsyncIterator[Redis]:
    """A Redis server."""
    path, port = program("redis-server"), free_port()
    with _folder() as folder:
        command = [str(path), "--port", str(port), "--bind", "127.0.0.1"]
        command += ["--save", "", "--appendonly", "no", "--dir", str(folder)]
        server = Redis(
            name="redis-server",
            command=command,
            folder=folder,
            answers=lambda: _answers_ping(port),
            port=port,
        )
        async with _running(server):
            yield server


@asynccontextmanager
async def postgres() -> AsyncIterator[Postgres]:
    """A PostgreSQL server, as the user `postgres` when this process is root's: the server refuses
    to run as root."""
    path, port = program("postgres"), free_port()
    programs = path.resolve().parent
    user = "postgres" if os.geteuid() == 0 else None
    if user is not None:
        try:
            owner = pwd.getpwnam(user)
        except KeyError:
            raise MissingPartError(
                f"There is no user postgres: {_INSTALLED['postgres']}."
            ) from None
    with _folder() as folder:
        data = folder / "data"
        if user is not None:
            os.chown(folder, owner.pw_uid, owner.pw_gid)
        made = [str(programs / "initdb"), f"--pgdata={data}", "--username=postgres"]
        made += ["--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]
        await _done(*made, user=user, folder=folder)
        command = [str(path), "-D", str(data), "-p", str(port), "-k", str(folder)]
        command += ["-c", "listen_addresses=127.0.0.1"]
        ready = [str(programs / "pg_isready"), "--host=127.0.0.1", f"--port={port}", "--quiet"]
        server = Postgres(
            name="postgres",
            command=command,
            folder=folder,
            answers=lambda: _succeeds(*ready),
            user=user,
            port=port,
            programs=programs,
        )
        async with _running(server):
            yield server


@asynccontextmanager
async def toxiproxy() -> AsyncIterator[Toxiproxy]:
    """A server of lines that can be cut."""
    path, port = program("toxiproxy-server"), free_port()
    with _folder() as folder:
        server = Toxiproxy(
            name="toxiproxy-server",
            command=[str(path), "-host", "127.0.0.1", "-port", str(port)],
            folder=folder,
            answers=lambda: _answers_http(f"http://127.0.0.1:{port}/version"),
            port=port,
        )
        async with _running(server):
            yield server


@asynccontextmanager
async def _running(part: Part) -> AsyncIterator[None]:
    try:
        await part.start()
        yield
    finally:
        await part.stop()


class _folder:  # noqa: N801 - reads as a statement
    """A folder for a server's files. Another user must reach it, so it is not inside a test's."""

    def __enter__(self) -> Path:
        self._path = Path(tempfile.mkdtemp(prefix="eloquence-part-"))
        return self._path

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._path, ignore_errors=True)


def _as_user(user: str | None) -> dict[str, Any]:
    if user is None:
        return {}
    owner = pwd.getpwnam(user)
    return {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}


async def _done(*command: str, user: str | None = None, folder: Path | None = None) -> None:
    """Runs a program to its end. Raises RuntimeError with what it wrote when it fails."""
    status, written = await asyncio.to_thread(_run, command, user, folder)
    if status:
        raise RuntimeError(f"{Path(command[0]).name} failed:\n{written[-2000:]}")


async def _succeeds(*command: str) -> bool:
    status, _ = await asyncio.to_thread(_run, command)
    return status == 0


def _run(
    command: Sequence[str], user: str | None = None, folder: Path | None = None
) -> tuple[int, str]:
    run = subprocess.run(  # noqa: S603 - a program of this machine
        command, cwd=folder, capture_output=True, check=False, text=True, **_as_user(user)
    )
    return run.returncode, run.stderr


async def _answers_http(url: str) -> bool:
    try:
        async with aiohttp.ClientSession() as session, session.get(url) as reply:
            return reply.status == 200
    except (aiohttp.ClientError, OSError):
        return False


async def _answers_ping(port: int) -> bool:
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    try:
        writer.write(b"PING\r\n")
        return await reader.readline() == b"+PONG\r\n"
    except OSError:
        return False
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def _asked(method: str, url: str, body: Mapping[str, Any] | None = None) -> Any:
    async with aiohttp.ClientSession() as session, session.request(method, url, json=body) as reply:
        reply.raise_for_status()
        return await reply.json() if reply.status != 204 else None
