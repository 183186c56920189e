"""Who is there, as a room tells it: news and messages take different ways and overtake each other.

The orders of events are those that the SDK gives; a real server cannot be made to give each of them
(the line itself is tested on one, see `tests/integration/test_room_line.py`).
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any, cast

from livekit import rtc
from livekit.rtc.event_emitter import EventEmitter

from eloquence import protocol
from eloquence.transports.livekit_room import RoomTransport

LEARNER = "learner"


class Told(EventEmitter[str]):
    """A room that tells what it is told to tell."""

    def __init__(self) -> None:
        super().__init__()
        self.remote_participants: dict[str, Any] = {}
        self.local_participant = SimpleNamespace(
            publish_track=self._publish, publish_data=self._publish, track_publications={}
        )

    async def _publish(self, *_: object, **__: object) -> Any:
        return SimpleNamespace(sid="TR_coach")

    def arrives(self) -> None:
        there = SimpleNamespace(identity=LEARNER, track_publications={})
        self.remote_participants[LEARNER] = there
        self.emit("participant_connected", there)

    def departs(self) -> None:
        self.emit("participant_disconnected", self.remote_participants.pop(LEARNER))

    def joins(self) -> None:
        data = protocol.Joined().model_dump_json().encode()
        sender = self.remote_participants[LEARNER]
        self.emit(
            "data_received", SimpleNamespace(participant=sender, topic=protocol.TOPIC, data=data)
        )


@asynccontextmanager
async def line(room: Told) -> AsyncIterator[tuple[RoomTransport, list[bool]]]:
    """A line on which nobody was told anything yet, and what is told from then on."""
    told: list[bool] = []
    async with RoomTransport(cast("rtc.Room", room), LEARNER) as transport:
        transport.on_presence = lambda present: told.append(present)
        yield transport, told


def test_whoever_is_back_before_they_were_known_to_be_gone_is_there() -> None:
    async def overtaken() -> list[bool]:
        room = Told()
        room.arrives()
        async with line(room) as (_, told):
            room.joins()
            room.joins()  # from the second participant, of whom nothing was told yet
            room.departs()
            room.arrives()
            return told

    assert asyncio.run(overtaken()) == [False, True]


def test_whoever_is_back_and_has_not_said_so_is_not_there_yet() -> None:
    async def silent() -> list[bool]:
        room = Told()
        room.arrives()
        async with line(room) as (transport, told):
            room.joins()
            transport._joined_at -= 60  # said long before
            room.departs()
            room.arrives()
            return told

    assert asyncio.run(silent()) == [False]


def test_whoever_leaves_without_having_joined_this_coach_is_told_to_be_gone() -> None:
    """The learner whom a second holder finds in the room may be a line that is lost already."""

    async def stale() -> list[bool]:
        room = Told()
        room.arrives()
        async with line(room) as (_, told):
            room.departs()
            room.arrives()
            room.joins()
            return told

    assert asyncio.run(stale()) == [False, True]
