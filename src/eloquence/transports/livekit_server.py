"""The LiveKit server as an operator of rooms sees it: rooms, dispatches, tokens.

    async with LiveKitServer(url, key, secret, agent_name="eloquence") as livekit:
        await livekit.create(room)
        await livekit.dispatch(room, Assignment(session=id, epoch=1))
        token = livekit.token(room, identity)

Every call raises RoomError when the server cannot be reached, or refuses.
"""

import asyncio
import json
from dataclasses import asdict, dataclass
from datetime import timedelta
from types import TracebackType
from typing import Self

import aiohttp
from livekit import api

from eloquence.errors import RoomError

JOIN_SECONDS = 120
"""Seconds for which a learner's token can be used to join."""
EMPTY_SECONDS = 300
"""Seconds after which an empty room is closed (LK-09, C-19)."""
MOST_PARTICIPANTS = 10
"""Participants in a room (LK-09)."""
_CALL_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Assignment:
    """What a worker is told: which session to hold, and in which epoch
    (`eloquence.storage.leases`)."""

    session: str
    epoch: int

    def as_metadata(self) -> str:
        """As the metadata of a job."""
        return json.dumps(asdict(self))

    @property
    def identity(self) -> str:
        """Under which name the coach of that epoch joins the room."""
        return coach(self.epoch)


@dataclass(frozen=True, slots=True)
class Rights:
    """What somebody may do in a room: be heard, hear, write."""

    publish: bool = True
    subscribe: bool = True
    data: bool = True


ALL_RIGHTS = Rights()
"""Those of a learner."""


def assignment(metadata: str) -> Assignment:
    """The assignment in a job's metadata. Raises ValueError."""
    read = json.loads(metadata)
    if not isinstance(read, dict):
        raise ValueError("The metadata of a job is an object.")
    return Assignment(session=str(read["session"]), epoch=int(read["epoch"]))


def coach(epoch: int) -> str:
    """The identity of the coach of that epoch."""
    return f"coach-{epoch}"


class LiveKitServer:
    """The server's own programming interface. Use as an async context manager."""

    def __init__(self, url: str, key: str, secret: str, *, agent_name: str) -> None:
        self._url = url
        self._key = key
        self._secret = secret
        self._agent_name = agent_name
        self._api: api.LiveKitAPI | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._api is not None:
            await self._api.aclose()
            self._api = None

    def token(
        self,
        room: str,
        identity: str,
        *,
        name: str = "",
        seconds: int = JOIN_SECONDS,
        rights: Rights = ALL_RIGHTS,
    ) -> str:
        """A learner's right to join that room and no other: to be heard, to hear, to write."""
        grants = api.VideoGrants(
            room_join=True,
            room=room,
            can_publish=rights.publish,
            can_publish_sources=["microphone"] if rights.publish else None,
            can_subscribe=rights.subscribe,
            can_publish_data=rights.data,
            can_update_own_metadata=False,
        )
        token = api.AccessToken(self._key, self._secret).with_identity(identity)
        return (
            token.with_name(name).with_ttl(timedelta(seconds=seconds)).with_grants(grants).to_jwt()
        )

    async def check(self) -> None:
        """Raises RoomError when the server does not answer, or does not know our key."""
        with _failures():
            await self._open.room.list_rooms(api.ListRoomsRequest(names=["-"]))

    def coach_token(self, room: str, identity: str) -> str:
        """A coach's right to join that room, as LiveKit gives it to one that it has chosen."""
        grants = api.VideoGrants(room_join=True, room=room, agent=True)
        token = api.AccessToken(self._key, self._secret).with_identity(identity)
        return token.with_kind("agent").with_grants(grants).to_jwt()

    async def create(self, room: str) -> None:
        """Makes the room; harmless when it is there."""
        asked = api.CreateRoomRequest(
            name=room,
            empty_timeout=EMPTY_SECONDS,
            departure_timeout=EMPTY_SECONDS,
            max_participants=MOST_PARTICIPANTS,
        )
        with _failures():
            await self._open.room.create_room(asked)

    async def dispatch(self, room: str, given: Assignment) -> None:
        """Asks for a worker to hold a session in that room. That one was found is told by the
        session's beat alone."""
        asked = api.CreateAgentDispatchRequest(
            agent_name=self._agent_name, room=room, metadata=given.as_metadata()
        )
        with _failures():
            await self._open.agent_dispatch.create_dispatch(asked)

    async def dispatch_again(self, room: str, session_id: str, epoch: int) -> None:
        """Asks for a holder of that epoch, and puts the one before it out of the room."""
        await self.create(room)  # it is gone when the server was restarted
        await self.dispatch(room, Assignment(session_id, epoch))
        await self.remove(room, coach(epoch - 1))

    async def remove(self, room: str, identity: str) -> None:
        """Puts somebody out of the room; harmless when they are not there."""
        with _failures(harmless="not_found"):
            asked = api.RoomParticipantIdentity(room=room, identity=identity)
            await self._open.room.remove_participant(asked)

    async def delete(self, room: str) -> None:
        """Closes the room for everybody; harmless when it is not there."""
        with _failures(harmless="not_found"):
            await self._open.room.delete_room(api.DeleteRoomRequest(room=room))

    @property
    def _open(self) -> api.LiveKitAPI:
        if self._api is None:  # made by the first call, on its event loop
            timeout = aiohttp.ClientTimeout(total=_CALL_SECONDS)
            self._api = api.LiveKitAPI(self._url, self._key, self._secret, timeout=timeout)
        return self._api


class _failures:  # noqa: N801 - reads as a statement
    """Tells whatever goes wrong with the server as a RoomError, without what it answered: a refusal
    may hold the token."""

    def __init__(self, harmless: str = "") -> None:
        self._harmless = harmless

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        if isinstance(error, api.TwirpError):
            if error.code == self._harmless:
                return True
            raise RoomError(
                f"LiveKit refused ({error.code}).",
                mend="Check LIVEKIT_API_KEY and LIVEKIT_API_SECRET."
                if error.status in (401, 403)
                else "",
            ) from None
        if isinstance(error, aiohttp.ClientError | asyncio.TimeoutError | OSError):
            raise RoomError(
                "LiveKit cannot be reached.", mend="Check LIVEKIT_URL and that the server runs."
            ) from error
        return False
