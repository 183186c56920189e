"""The real server on a free port of this machine, in a thread of its own."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import uvicorn

from eloquence.config import Settings, load
from eloquence.server.app import create_app
from eloquence.server.connections import PromptProtocol


@dataclass(frozen=True)
class Served:
    """A running server."""

    port: int
    settings: Settings

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    @property
    def talk(self) -> str:
        return f"ws://localhost:{self.port}/api/v1/talk"

    def get(self, path: str, **headers: str) -> httpx.Response:
        return httpx.get(f"{self.url}{path}", headers=headers, timeout=60)


def serving(settings: Settings) -> Iterator[Served]:
    """Serves until the generator is closed."""
    config = uvicorn.Config(
        create_app(settings),
        port=0,
        log_config=None,
        http=PromptProtocol,
        ws="websockets-sansio",
        ws_max_size=65_536,
        timeout_graceful_shutdown=5,
    )
    server = uvicorn.Server(config)
    started = threading.Event()
    startup = server.startup

    async def announced(sockets: list[object] | None = None) -> None:
        await startup(sockets)  # type: ignore[arg-type]
        started.set()

    server.startup = announced  # type: ignore[method-assign, assignment]
    thread = threading.Thread(target=server.run)
    thread.start()
    assert started.wait(60)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield Served(port, settings)
    finally:
        server.should_exit = True
        thread.join(30)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server with an empty store, one place for a conversation and no speech model."""
    folder: Path = tmp_path_factory.mktemp("served")
    yield from serving(load(data=folder, max_conversations=1))
