"""The real server on a free port of this machine, in a thread of its own."""

import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from livekit import api
from tests.conftest import running

from eloquence.bootstrap import Eloquence
from eloquence.config import Settings, load
from eloquence.server.app import create_app
from eloquence.server.connections import PromptProtocol
from eloquence.storage.accounts import LOCAL, Account, Role
from eloquence.testing import parts
from eloquence.testing.parts import LiveKit


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
        proxy_headers=False,
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


@dataclass(frozen=True)
class Rooms:
    """A server of sessions in rooms, asked without a network in between."""

    app: FastAPI
    livekit: api.LiveKitAPI

    @property
    def eloquence(self) -> Eloquence:
        product: Eloquence = self.app.state.eloquence
        return product

    async def account(self, role: Role = "learner") -> "Asker":
        """Somebody who has a key."""
        account, key = await self.eloquence.store.accounts.add("Ada", role)
        return self.asker(account, f"Bearer {key}")

    def asker(self, account: Account = LOCAL, key: str = "", address: str = "127.0.0.1") -> "Asker":
        line = httpx.ASGITransport(app=self.app, client=(address, 50_000))
        headers = {"Authorization": key} if key else {}
        client = httpx.AsyncClient(
            transport=line, base_url="http://localhost", headers=headers, timeout=60
        )
        return Asker(account, client)

    async def names(self) -> list[str]:
        """The rooms that the LiveKit server has."""
        listed = await self.livekit.room.list_rooms(api.ListRoomsRequest())
        return [room.name for room in listed.rooms]


@dataclass(frozen=True)
class Asker:
    """Somebody who asks."""

    account: Account
    client: httpx.AsyncClient

    async def ask(self, key: str = "", **hello: object) -> httpx.Response:
        """Asks for a session."""
        headers = {"Idempotency-Key": key} if key else {}
        body = {"exercise": "conversation_libre_marie", **hello}
        return await self.client.post("/api/v1/sessions", json=body, headers=headers)

    async def post(self, path: str, **body: object) -> httpx.Response:
        return await self.client.post(path, json=body)

    async def get(self, path: str) -> httpx.Response:
        return await self.client.get(path)


@pytest.fixture(scope="session")
def livekit() -> Iterator[LiveKit]:
    """A LiveKit server as it is to be deployed: rooms are made by us alone."""
    yield from running(partial(parts.livekit_server, settings={"room": {"auto_create": False}}))


@asynccontextmanager
async def serving_rooms(livekit: LiveKit, folder: Path, **given: object) -> AsyncIterator[Rooms]:
    """A server of sessions in the rooms of that LiveKit server."""
    settings = load(
        data=folder,
        livekit_url=livekit.url,
        livekit_api_key=livekit.key,
        livekit_api_secret=livekit.secret,
        **given,
    )
    app = create_app(settings)
    line = api.LiveKitAPI(livekit.url, livekit.key, livekit.secret)
    try:
        async with app.router.lifespan_context(app):
            yield Rooms(app, line)
    finally:
        await line.aclose()


@pytest.fixture
async def rooms(livekit: LiveKit, tmp_path: Path) -> AsyncIterator[Rooms]:
    """A server for people who sign in."""
    async with serving_rooms(livekit, tmp_path) as serving:
        yield serving
