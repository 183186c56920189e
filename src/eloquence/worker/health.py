"""What a worker tells of itself over HTTP: `/health`, and `/webhook` for LiveKit's events.

`/health` answers 200 only when a conversation could really be held here: LiveKit knows this worker,
the models are loaded, and the store answers. Otherwise 503, and the body says which of them not.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from typing import Literal, Protocol

from aiohttp import web
from livekit import api

from eloquence.bootstrap.plugins import Figures
from eloquence.config import Settings
from eloquence.errors import ConfigurationError, StorageError

log = logging.getLogger("eloquence.worker.health")

LARGEST_EVENT = 65_536
"""Bytes of the largest webhook that is read."""
_STORE_SECONDS = 2.0
_FRESH_SECONDS = 1.0
"""How long the store's answer counts."""

Status = Literal["ok", "draining", "unavailable"]


@dataclass(frozen=True, slots=True)
class Health:
    """What a worker is able to do now. `idle` counts processes that wait for a conversation."""

    registered: bool
    models: bool
    store: bool
    draining: bool
    live: int
    capacity: int
    idle: int
    plugins: tuple[Figures, ...] = ()
    """The figures of each plugin, of all processes together; none when the store is away."""

    @property
    def lacks(self) -> tuple[str, ...]:
        """What keeps it from holding a conversation."""
        needed = {"registered": self.registered, "models": self.models, "store": self.store}
        return tuple(name for name, there in needed.items() if not there)

    @property
    def status(self) -> Status:
        if self.lacks:
            return "unavailable"
        return "draining" if self.draining else "ok"

    def as_json(self) -> dict[str, object]:
        return {"status": self.status, "lacks": list(self.lacks), **asdict(self)}


class Subject(Protocol):
    """Whose health it is."""

    async def health(self) -> Health: ...


class Store(Protocol):
    """What is asked of the store to know that it answers."""

    async def pulses(self) -> object: ...


class Reachability:
    """Whether the store answers, asked at most once a second however often it is looked at."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._asked_at = -_FRESH_SECONDS
        self._reached = False
        self._asking = asyncio.Lock()

    async def reached(self) -> bool:
        async with self._asking:
            if time.monotonic() - self._asked_at >= _FRESH_SECONDS:
                self._reached = await self._ask()
                self._asked_at = time.monotonic()
            return self._reached

    async def _ask(self) -> bool:
        try:
            async with asyncio.timeout(_STORE_SECONDS):
                await self._store.pulses()
        except (StorageError, TimeoutError):
            return False
        return True


def application(settings: Settings, subject: Subject) -> web.Application:
    """The HTTP side of a worker."""
    secret = settings.livekit_api_secret.get_secret_value()
    receiver = api.WebhookReceiver(api.TokenVerifier(settings.livekit_api_key, secret))

    async def health(_: web.Request) -> web.Response:
        found = await subject.health()
        return web.json_response(found.as_json(), status=503 if found.lacks else 200)

    async def webhook(request: web.Request) -> web.Response:
        """Nothing depends on these events: they are told in the log, for whoever looks back."""
        body = await request.text()
        try:
            event = receiver.receive(body, request.headers.get("Authorization", ""))
        except Exception as error:
            log.warning("a webhook without LiveKit's signature: %s", type(error).__name__)
            return web.Response(status=401)
        log.info("LiveKit: %s, room %s", event.event, event.room.name)
        return web.Response(status=200)

    app = web.Application(client_max_size=LARGEST_EVENT)
    app.router.add_get("/health", health)
    app.router.add_post("/webhook", webhook)
    return app


@asynccontextmanager
async def served(settings: Settings, subject: Subject) -> AsyncIterator[int]:
    """Answers on the worker's address while it is open; gives the port. Raises
    ConfigurationError when something else listens there."""
    runner = web.AppRunner(application(settings, subject), access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, settings.worker_host, settings.worker_port)
        try:
            await site.start()
        except OSError as error:
            raise ConfigurationError(
                f"Cannot listen on {settings.worker_host}:{settings.worker_port}: "
                f"{error.strerror}.",
                mend="Stop what uses that port, or choose another with ELOQUENCE_WORKER_PORT.",
            ) from error
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()
