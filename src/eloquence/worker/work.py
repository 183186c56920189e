"""The worker's own process: registers, watches over the sessions, tells its health, and stops
without ending a conversation."""

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial

from eloquence.bootstrap import exposure
from eloquence.bootstrap.plugins import Figures, figures
from eloquence.bootstrap.watching import Watch
from eloquence.config import Settings
from eloquence.errors import ConfigurationError, RoomError, StorageError
from eloquence.storage.sessions import SqlSessionStore, open_store
from eloquence.transports.livekit_server import Assignment, LiveKitServer, coach
from eloquence.worker.agent_server import CoachServer
from eloquence.worker.health import Health, Reachability, served

log = logging.getLogger("eloquence.worker")

LEFT_SECONDS = 1.0
"""How long a worker that is told twice to stop still looks for others to hold its sessions."""
_STORE_PAUSE = 1.0
_ASKED_SECONDS = 1.0
_SUDDEN_SECONDS = 5.0
"""A session that loses its process twice within so long is left to the watch, which gives up one
that no process survives."""


async def work(settings: Settings, started: Callable[[int], None] = lambda _: None) -> None:
    """Holds conversations until SIGTERM or SIGINT, then lets them finish; a second signal leaves
    them to other workers. `started` is told the port of the health.

    Raises ConfigurationError when there is no LiveKit server to work for, or its keys are unsafe.
    """
    if not settings.in_rooms:
        raise ConfigurationError(
            "A worker holds conversations in the rooms of a LiveKit server, and none is named.",
            mend="Set LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET; without rooms, "
            "`eloquence serve` is all that is needed.",
        )
    exposure.check(settings)
    log.info("UNIFIED LIVEKIT AGENT STARTING")
    stopping = Stopping()
    worker = Worker(settings)
    async with stopping, served(settings, worker) as port:
        started(port)
        working = asyncio.create_task(worker.run())
        asked = asyncio.create_task(stopping.asked.wait())
        await asyncio.wait({working, asked}, return_when=asyncio.FIRST_COMPLETED)
        if asked.done():
            await worker.stop(stopping.urged)
            working.cancel()
        asked.cancel()
        with suppress(asyncio.CancelledError):
            await working


class Stopping:
    """The signals that ask this process to stop: the first, and those after it."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.urged = asyncio.Event()

    async def __aenter__(self) -> "Stopping":
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._signalled)
        return self

    async def __aexit__(self, *_: object) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)

    def _signalled(self) -> None:
        (self.urged if self.asked.is_set() else self.asked).set()


class Worker:
    """One worker, from its first try to reach the store to its last conversation."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._server: CoachServer | None = None
        self._reachability: Reachability | None = None
        self._watch: Watch | None = None
        self._store: SqlSessionStore | None = None
        self._lost: dict[str, float] = {}
        self._draining = False

    async def run(self) -> None:
        """Works until it is cancelled. Starts whatever is not there yet, and waits for it."""
        settings = self._settings
        secret = settings.livekit_api_secret.get_secret_value()
        livekit = LiveKitServer(
            settings.livekit_url, settings.livekit_api_key, secret, agent_name=settings.agent_name
        )
        async with _store(settings) as store, livekit:
            self._store = store
            self._reachability = Reachability(store)
            self._server = CoachServer(settings, self._recover, partial(_current, store))
            self._watch = Watch(store, Nearest(self._server, livekit))
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._watch.run())
                log.info("Router will automatically detect the exercise of each session")
                try:
                    await self._server.run()
                finally:
                    await self._server.aclose()

    async def stop(self, urged: asyncio.Event) -> None:
        """Takes no more conversations and returns when the last one is over; those that are not
        when the time is up, or when it is urged, are left to other workers."""
        self._draining = True
        server = self._server
        if server is None or not server.started:
            return
        log.info("draining: %d conversation(s) go on", server.live)
        server.stop_filling()
        draining = asyncio.create_task(server.drain(None))
        urging = asyncio.create_task(urged.wait())
        seconds = 60 * self._settings.drain_minutes
        waited = {draining, urging}
        await asyncio.wait(waited, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if not draining.done():
            with suppress(TimeoutError):
                async with asyncio.timeout(LEFT_SECONDS):
                    await server.kill()
        for task in waited:
            task.cancel()

    async def health(self) -> Health:
        server, reachability = self._server, self._reachability
        idle = server.idle if server else 0
        live = server.live if server else 0
        return Health(
            registered=server is not None and server.registered.is_set(),
            models=idle + live > 0 or (server is not None and not self._settings.idle_processes),
            store=reachability is not None and await reachability.reached(),
            draining=self._draining,
            live=live,
            capacity=self._settings.max_conversations,
            idle=idle,
            plugins=await self._plugins(),
        )

    async def _plugins(self) -> tuple[Figures, ...]:
        if self._store is None:
            return ()
        try:
            async with asyncio.timeout(_ASKED_SECONDS):
                return tuple(await figures(self._settings.plugins, self._store))
        except (StorageError, TimeoutError):
            return ()

    async def _recover(self, given: Assignment, room: str) -> None:
        """Finds another process for a session that has just lost its own."""
        assert self._watch is not None
        now = asyncio.get_running_loop().time()
        self._lost = {one: at for one, at in self._lost.items() if now - at < _SUDDEN_SECONDS}
        sudden = given.session in self._lost
        self._lost[given.session] = now
        if not sudden:
            await self._watch.recover(given.session, given.epoch, room)


async def _current(store: SqlSessionStore, given: Assignment) -> bool:
    """Whether that epoch of a session still waits for its holder. True when the store does not say:
    who is sent there finds out."""
    try:
        async with asyncio.timeout(_ASKED_SECONDS):
            pulses = await store.pulses()
    except (StorageError, TimeoutError):
        return True
    waiting = {(one.session_id, one.epoch) for one in pulses if not one.beat}
    return (given.session, given.epoch) in waiting


class Nearest:
    """Finds holders for sessions that have lost theirs: here if a process waits here, otherwise
    wherever LiveKit finds one."""

    def __init__(self, server: CoachServer, livekit: LiveKitServer) -> None:
        self._server = server
        self._livekit = livekit

    async def dispatch_again(self, room: str, session_id: str, epoch: int) -> None:
        """As `eloquence.bootstrap.watching.Dispatcher` says. Raises RoomError."""
        given = Assignment(session_id, epoch)
        await self._livekit.create(room)  # it is gone when the server was restarted
        token = self._livekit.coach_token(room, given.identity)
        if not await self._server.launch(given, room, token):
            await self._livekit.dispatch(room, given)
        # Learners' clients heed the newest coach alone, and whoever is asked for must be so once.
        with suppress(RoomError):
            await self._livekit.remove(room, coach(epoch - 1))


@asynccontextmanager
async def _store(settings: Settings) -> AsyncIterator[SqlSessionStore]:
    """The store, waited for as long as it takes."""
    told = False
    while True:
        opening = open_store(settings.database, settings.recordings)
        try:
            store = await opening.__aenter__()
        except StorageError as error:
            if not told:
                log.warning("waiting for the store: %s", error.message)
                told = True
            await asyncio.sleep(_STORE_PAUSE)
            continue
        try:
            yield store
        finally:
            await opening.__aexit__(None, None, None)
        return
