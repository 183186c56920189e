"""How sessions in rooms are asked for, joined again, and ended from outside.

    ticket = await eloquence.rooms.ask(hello, account, key=idempotency_key)

The session is stored first, then its room is made and a worker is sent for. Whoever dies in between
leaves a session without a holder, and a watcher finds one for it (`eloquence.bootstrap.watching`).
"""

import asyncio
import hashlib
import hmac
import logging
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from eloquence.bootstrap.current import Current
from eloquence.bootstrap.practice import practice
from eloquence.bootstrap.stages import choices, serving
from eloquence.coaching.session import Status
from eloquence.config import Settings
from eloquence.errors import RoomError, SessionEndedError, SessionNotFoundError
from eloquence.protocol import Hello
from eloquence.storage.accounts import Account
from eloquence.storage.content import LANGUAGES, Library
from eloquence.storage.requests import Place
from eloquence.storage.sessions import SqlSessionStore
from eloquence.transports.livekit_server import (
    ALL_RIGHTS,
    JOIN_SECONDS,
    Assignment,
    LiveKitServer,
    Rights,
)

log = logging.getLogger("eloquence.rooms")


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a learner needs to join a room. `url` is LiveKit's as their browser reaches it; with
    the token they can begin to join until `expires` (POSIX seconds)."""

    session: str
    room: str
    url: str
    token: str
    identity: str
    expires: float


@asynccontextmanager
async def open_rooms(
    current: Current, library: Library, store: SqlSessionStore
) -> AsyncIterator["Rooms"]:
    """The rooms of these settings' LiveKit server, which need not be there yet."""
    settings = current.settings
    secret = settings.livekit_api_secret.get_secret_value()
    async with LiveKitServer(
        settings.livekit_url, settings.livekit_api_key, secret, agent_name=settings.agent_name
    ) as livekit:
        rooms = Rooms(current, library, store, livekit)
        try:
            yield rooms
        finally:
            await rooms.close()


class Rooms:
    """The sessions in rooms. Every call raises RoomError when LiveKit cannot be reached, and
    StorageError; a session that is not of that account raises SessionNotFoundError."""

    def __init__(
        self, current: Current, library: Library, store: SqlSessionStore, livekit: LiveKitServer
    ) -> None:
        self._current = current
        self._library = library
        self._store = store
        self.livekit = livekit
        self._asking: dict[tuple[str, str], asyncio.Task[Ticket]] = {}
        self._warming: asyncio.Task[None] | None = None

    @property
    def _settings(self) -> Settings:
        return self._current.settings

    async def warm(self) -> None:
        """Reads the exercises and loads the providers, once; whoever asks meanwhile waits."""
        if self._warming is None:
            self._warming = asyncio.create_task(asyncio.to_thread(self._warm))
        await asyncio.shield(self._warming)

    def _warm(self) -> None:
        for language in LANGUAGES:
            self._library.exercises(language)
            choices(self._settings, language)

    async def ask(
        self,
        hello: Hello,
        account: Account,
        *,
        key: str = "",
        allowed: Callable[[], Awaitable[None]] | None = None,
    ) -> Ticket:
        """A new session with its room and a worker under way; the same one for the same `key` of
        the same account while it is live, for 10 minutes. `allowed` is called before one is made,
        and raises what forbids it.

        Raises ContentError, SessionNotFoundError and SessionCreationError (there is no such thing
        to practise), ConfigurationError (a stage cannot serve), SessionLiveError (the account's
        earlier one is live), RoomError; no session is left live then.
        """
        if not key:
            return await self._ask(hello, account, "", allowed)
        # Those that come at the same time share one answer, also when it is a refusal.
        same = account.id, hashlib.sha256(key.encode()).hexdigest()
        asking = self._asking.get(same)
        if asking is None:
            asking = asyncio.create_task(self._ask(hello, account, same[1], allowed))
            self._asking[same] = asking
            asking.add_done_callback(lambda done: self._asked(same, done))
        return await asyncio.shield(asking)

    def _asked(self, same: tuple[str, str], done: "asyncio.Task[Ticket]") -> None:
        del self._asking[same]
        if not done.cancelled():
            done.exception()  # whoever asked may be gone by now

    async def _ask(
        self,
        hello: Hello,
        account: Account,
        key: str,
        allowed: Callable[[], Awaitable[None]] | None,
    ) -> Ticket:
        if key:
            known = await self._store.requests.known(account.id, key)
            if known is not None:
                return await self._again(known.session_id, known.room, account)
        if allowed is not None:
            await allowed()
        await self.warm()
        asked = await practice(hello, self._library, self._store.of(account.id))
        chosen = await asyncio.to_thread(serving, self._settings, asked.purpose, asked.language)
        session = asked.session(hello, chosen, id=secrets.token_hex(8), started_at=time.time())
        made = await self._store.requests.add(
            session,
            learner=account.id,
            room=f"s_{secrets.token_urlsafe(16)}",
            request=hello.model_dump_json(),
            key=key,
            # Without accounts everybody is the same learner.
            most=self._settings.live_per_learner if account.id else None,
        )
        if not made.new:
            return await self._again(made.session_id, made.room, account)
        try:
            await self.livekit.create(made.room)
            await self.livekit.dispatch(made.room, Assignment(made.session_id, epoch=1))
        except RoomError:
            log.warning("session %s has no room: it is ended", made.session_id)
            await self._finish(made.session_id, made.room, "failed", "room")
            raise
        return self._ticket(made.session_id, made.room, account)

    async def ticket(self, session_id: str, account: Account, *, missing: int = 0) -> Ticket:
        """A fresh token to join a session again. Raises SessionEndedError when it is over.

        The holder of the epoch that is `missing` makes way for another. LiveKit servers that have
        lost what Redis knew of a room may each hold one of its name, and then a coach is well, and
        alone: none but its learner can tell.
        """
        place = await self._own(self._store.requests.place(session_id), account)
        ticket = await self._again(place.session_id, place.room, account)
        if missing:  # and LiveKit answers: nobody makes way for one who cannot come
            following = await self._store.take_over(session_id, missing)
            if following is not None:
                log.warning(
                    "session %s: its learner misses its holder: epoch %d begins",
                    session_id,
                    following,
                )
                await self.livekit.dispatch_again(place.room, session_id, following)
        return ticket

    async def ticket_for(
        self, room: str, account: Account, *, rights: Rights = ALL_RIGHTS
    ) -> Ticket:
        """The same for the session of that room."""
        place = await self._own(self._store.requests.in_room(room), account)
        return await self._again(place.session_id, place.room, account, rights=rights)

    async def open_ticket(
        self, room: str, participant: str, account: Account, *, rights: Rights = ALL_RIGHTS
    ) -> Ticket:
        """A token for a room without a session, which is made: for trying out, in development
        alone. Raises SessionNotFoundError elsewhere."""
        if not self._settings.development:
            raise SessionNotFoundError("There is no such session in a room.")
        return await self._again("", room, account, rights=rights, device=f"{room}\n{participant}")

    async def end(self, session_id: str, account: Account) -> None:
        """Ends a live session; whoever holds it has lost it from then on. Harmless when it is
        over."""
        place = await self._own(self._store.requests.place(session_id), account, over=True)
        if place.live:
            await self._finish(session_id, place.room, "interrupted", "learner")

    async def end_all(self, account: Account) -> None:
        """Ends what an account has live, as an operator does who shuts it out."""
        for place in await self._store.requests.finish_all(account.id, "interrupted", "operator"):
            await self._close_room(place.session_id, place.room)

    def identity(self, learner: str, session_id: str, device: str = "") -> str:
        """Under which name a learner is in the room of a session: nobody can tell from it who it
        is, nor find it out."""
        secret = self._settings.livekit_api_secret.get_secret_value()
        who = "\n".join((learner, session_id, device))
        return hmac.new(secret.encode(), who.encode(), hashlib.sha256).hexdigest()[:32]

    async def close(self) -> None:
        """Waits for what is being prepared."""
        under_way = {*self._asking.values(), *filter(None, [self._warming])}
        if under_way:
            await asyncio.wait(under_way)

    async def _own(
        self, finding: Awaitable[Place], account: Account, *, over: bool = False
    ) -> Place:
        place = await finding
        if place.learner != account.id:
            raise SessionNotFoundError("There is no such session in a room.")
        if not (place.live or over):
            raise SessionEndedError(
                "This session is over.", mend="Its report is among your sessions."
            )
        return place

    async def _again(
        self,
        session_id: str,
        room: str,
        account: Account,
        *,
        rights: Rights = ALL_RIGHTS,
        device: str = "",
    ) -> Ticket:
        await self.livekit.create(room)  # it is gone when the server was restarted
        return self._ticket(session_id, room, account, rights=rights, device=device)

    def _ticket(
        self,
        session_id: str,
        room: str,
        account: Account,
        *,
        rights: Rights = ALL_RIGHTS,
        device: str = "",
    ) -> Ticket:
        identity = self.identity(account.id, session_id, device)
        return Ticket(
            session=session_id,
            room=room,
            url=self._settings.livekit_public_url or self._settings.livekit_url,
            token=self.livekit.token(room, identity, rights=rights),
            identity=identity,
            expires=time.time() + JOIN_SECONDS,
        )

    async def _finish(self, session_id: str, room: str, status: Status, reason: str) -> None:
        await self._store.requests.finish(session_id, status, reason)
        await self._close_room(session_id, room)

    async def _close_room(self, session_id: str, room: str) -> None:
        try:
            await self.livekit.delete(room)
        except RoomError as error:
            # It closes by itself once it is empty, and its coach has lost the session.
            log.warning("the room of session %s stays: %s", session_id, error.message)
