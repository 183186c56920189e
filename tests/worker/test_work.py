"""When a worker starts at all, and what asks it to stop."""

import asyncio
import os
import signal

import pytest

from eloquence.bootstrap.watching import Watch
from eloquence.config import Settings
from eloquence.errors import ConfigurationError
from eloquence.transports.livekit_server import Assignment
from eloquence.worker.work import Stopping, Worker, work


async def test_without_a_livekit_server_there_is_nothing_to_work_for() -> None:
    with pytest.raises(ConfigurationError, match="none is named"):
        await work(Settings())


async def test_a_worker_refuses_keys_that_everybody_knows(settings: Settings) -> None:
    """X-32."""
    known = settings.model_copy(update={"livekit_api_key": "devkey"})
    with pytest.raises(ConfigurationError, match="are known"):
        await work(known)


async def test_the_first_signal_asks_and_the_second_urges() -> None:
    async with Stopping() as stopping:
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(stopping.asked.wait(), 10.0)
        assert not stopping.urged.is_set()
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.wait_for(stopping.urged.wait(), 10.0)


async def test_a_worker_that_has_not_started_yet_stops_at_once(settings: Settings) -> None:
    worker = Worker(settings)
    await asyncio.wait_for(worker.stop(asyncio.Event()), 10.0)
    health = await worker.health()
    assert health.draining
    assert health.lacks == ("registered", "models", "store")


class Recovered(Watch):
    """Notes what it is to recover."""

    def __init__(self) -> None:
        self.sessions: list[tuple[str, int, str]] = []

    async def recover(self, session_id: str, epoch: int, room: str) -> None:
        self.sessions.append((session_id, epoch, room))


async def test_a_session_whose_process_died_is_taken_up_at_once_unless_it_keeps_dying(
    settings: Settings,
) -> None:
    """One that no process survives is left to the watch, which counts and gives up."""
    worker, watch = Worker(settings), Recovered()
    worker._watch = watch
    await worker._recover(Assignment("a", 1), "room-a")
    await worker._recover(Assignment("b", 1), "room-b")
    await worker._recover(Assignment("a", 2), "room-a")
    assert watch.sessions == [("a", 1, "room-a"), ("b", 1, "room-b")]
