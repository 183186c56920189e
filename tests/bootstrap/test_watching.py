"""Sessions whose holder is gone find another one, exactly one (X-15, TC-01, TC-04, TC-35)."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from eloquence.bootstrap.watching import GIVEN_UP, STALE, STARTING, Watch
from eloquence.coaching.session import Session, SessionEnd
from eloquence.errors import LeaseLostError, RoomError, StorageError
from eloquence.storage.leases import Lease
from eloquence.storage.sessions import SqlSessionStore, open_store
from eloquence.testing import clock


@dataclass
class House:
    """A store, and holders that come when they are asked for."""

    store: SqlSessionStore
    held: list[tuple[int, float]] = field(default_factory=list)
    """Each epoch that found a holder, and when."""
    asked: list[int] = field(default_factory=list)
    holders: list[asyncio.Task[None]] = field(default_factory=list)
    slow: float = 0.0
    """Seconds that LiveKit takes to answer."""
    down: bool = False
    """LiveKit cannot be reached."""
    deaf: bool = False
    """Nobody comes when asked."""
    fragile: float | None = None
    """Seconds after which each holder dies."""

    async def begin(self, session_id: str = "s1") -> None:
        session = Session(
            id=session_id,
            exercise="conversation_libre_marie",
            scenario="libre",
            character="marie_coach",
            language="fr",
            started_at=time.time(),
        )
        await self.store.requests.add(session, learner="", room="room", request="")

    async def dispatch_again(self, room: str, session_id: str, epoch: int) -> None:
        assert room == "room"
        if self.slow:
            await asyncio.sleep(self.slow)
        if self.down:
            raise RoomError("LiveKit cannot be reached.")
        self.asked.append(epoch)
        if not self.deaf:
            self.hold(session_id, epoch)

    def hold(self, session_id: str, epoch: int) -> None:
        self.holders.append(asyncio.create_task(self._hold(session_id, epoch)))

    async def _hold(self, session_id: str, epoch: int) -> None:
        try:
            lease = await self.store.claim(session_id, epoch)
        except LeaseLostError:
            return
        self.held.append((epoch, time.monotonic()))
        async with lease:
            await _live(lease, self.fragile)

    async def dies(self, number: int = -1) -> None:
        self.holders[number].cancel()
        with suppress(asyncio.CancelledError):
            await self.holders[number]


async def _live(lease: Lease, seconds: float | None) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await lease.lost.wait()


@asynccontextmanager
async def house(folder: Path) -> AsyncIterator[House]:
    async with open_store(f"sqlite:///{folder / 'test.db'}", folder / "recordings") as store:
        made = House(store)
        try:
            yield made
        finally:
            for holder in made.holders:
                holder.cancel()
            await asyncio.gather(*made.holders, return_exceptions=True)


def watched(folder: Path, story: Callable[[House], Awaitable[None]], *, watchers: int = 1) -> House:
    async def told() -> House:
        async with house(folder) as made:
            tasks = [asyncio.create_task(Watch(made.store, made).run()) for _ in range(watchers)]
            try:
                await story(made)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
            return made

    made: House = clock.run(told())
    return made


def test_a_holder_that_dies_is_followed_within_the_time_of_four_beats(tmp_path: Path) -> None:
    died: list[float] = []

    async def story(made: House) -> None:
        await made.begin()
        made.hold("s1", 1)
        await asyncio.sleep(7.3)
        died.append(time.monotonic())
        await made.dies()
        await asyncio.sleep(10)

    made = watched(tmp_path, story)
    assert [epoch for epoch, _ in made.held] == [1, 2]
    assert made.held[1][1] - died[0] <= STALE + 1.0


@pytest.mark.parametrize("watchers", [1, 2, 5])
def test_a_holder_that_lives_keeps_its_session_however_many_watch(
    tmp_path: Path, watchers: int
) -> None:
    async def story(made: House) -> None:
        await made.begin()
        made.hold("s1", 1)
        await asyncio.sleep(60)

    assert [epoch for epoch, _ in watched(tmp_path, story, watchers=watchers).held] == [1]


def test_five_watchers_find_one_follower_between_them(tmp_path: Path) -> None:
    async def story(made: House) -> None:
        await made.begin()
        made.hold("s1", 1)
        await asyncio.sleep(3)
        await made.dies()
        await asyncio.sleep(10)

    made = watched(tmp_path, story, watchers=5)
    assert made.asked == [2]


def test_a_session_that_nobody_began_to_hold_is_dispatched_again(tmp_path: Path) -> None:
    async def story(made: House) -> None:
        await made.begin()
        await asyncio.sleep(STARTING + 2)

    assert watched(tmp_path, story).asked == [2]


def test_holders_that_take_long_to_come_are_asked_for_ever_less_often(tmp_path: Path) -> None:
    asked: list[int] = []

    async def story(made: House) -> None:
        made.deaf = True
        await made.begin()
        for _ in range(3):
            await asyncio.sleep(80)
            asked.append(len(made.asked))

    watched(tmp_path, story)
    assert asked == [3, 5, 7]


def test_a_holder_that_has_been_beating_slowly_is_not_taken_for_dead(tmp_path: Path) -> None:
    async def story(made: House) -> None:
        await made.begin()
        await made.store.claim("s1", 1)
        for pause in (0.5, 1.5, 1.5, 3.0, 5.0):
            await asyncio.sleep(pause)
            assert await made.store.beat("s1", 1)

    assert watched(tmp_path, story).asked == []


def test_while_livekit_is_away_it_is_tried_again_and_the_session_lives(tmp_path: Path) -> None:
    async def story(made: House) -> None:
        await made.begin()
        made.hold("s1", 1)
        await asyncio.sleep(3)
        made.down = True
        await made.dies()
        await asyncio.sleep(40)
        made.down = False
        await asyncio.sleep(STARTING + 2)
        assert (await made.store.get("s1")).end is None

    assert len(watched(tmp_path, story).held) == 2


def test_when_livekit_is_back_a_session_finds_its_holder_within_seconds(tmp_path: Path) -> None:
    """N02."""
    back: list[float] = []

    async def story(made: House) -> None:
        await made.begin()
        made.hold("s1", 1)
        await asyncio.sleep(3)
        made.down = True
        await made.dies()
        await asyncio.sleep(33.3)
        made.down = False
        back.append(time.monotonic())
        await asyncio.sleep(5)

    made = watched(tmp_path, story)
    assert [epoch for epoch, _ in made.held] == [1, 2]
    assert made.held[1][1] - back[0] <= 2.0


def test_a_livekit_that_does_not_answer_holds_up_no_other_session(tmp_path: Path) -> None:
    async def story(made: House) -> None:
        await made.begin("s1")
        await made.begin("s2")
        made.hold("s1", 1)
        made.hold("s2", 1)
        await asyncio.sleep(3)
        made.slow = 60.0
        await made.dies(0)
        await asyncio.sleep(10)
        made.slow = 0.0
        await made.dies(1)
        await asyncio.sleep(10)
        assert made.asked == [2]  # the second session's; the first one's is still being asked

    watched(tmp_path, story)


def test_a_store_that_does_not_answer_makes_nobody_look_dead(tmp_path: Path) -> None:
    class Flaky:
        def __init__(self, store: SqlSessionStore) -> None:
            self.store = store
            self.down = False
            self.taken = 0

        async def pulses(self) -> object:
            if self.down:
                raise StorageError("away")
            return await self.store.pulses()

        async def take_over(self, session_id: str, epoch: int) -> int | None:
            self.taken += 1
            return await self.store.take_over(session_id, epoch)

        async def end(self, *_: object, **__: object) -> None:
            raise AssertionError("nothing is to be ended")

    async def told() -> int:
        async with house(tmp_path) as made:
            await made.begin()
            lease = await made.store.claim("s1", 1)
            flaky = Flaky(made.store)
            watching = asyncio.create_task(Watch(flaky, made).run())  # type: ignore[arg-type]
            async with lease:
                await asyncio.sleep(5)
            flaky.down = True  # neither the holder nor the watcher reaches the store
            await asyncio.sleep(30)
            flaky.down = False
            async with lease:
                await asyncio.sleep(5)
            watching.cancel()
            return flaky.taken

    assert clock.run(told()) == 0


def test_a_session_that_kills_each_holder_is_ended_as_failed(tmp_path: Path) -> None:
    ends: list[SessionEnd | None] = []

    async def story(made: House) -> None:
        made.fragile = 1.0
        await made.begin()
        made.hold("s1", 1)
        await asyncio.sleep(120)
        ends.append((await made.store.get("s1")).end)

    made = watched(tmp_path, story)
    assert ends[0] is not None
    assert (ends[0].status, ends[0].reason) == ("failed", "engine")
    assert len(made.held) <= 12


def test_a_session_without_any_holder_is_ended_in_the_end(tmp_path: Path) -> None:
    ends: list[SessionEnd | None] = []

    async def story(made: House) -> None:
        made.deaf = True
        await made.begin()
        await asyncio.sleep(GIVEN_UP - 30)
        ends.append((await made.store.get("s1")).end)
        await asyncio.sleep(60)
        ends.append((await made.store.get("s1")).end)

    watched(tmp_path, story)
    assert ends[0] is None
    assert ends[1] is not None
    assert (ends[1].status, ends[1].reason) == ("failed", "process_died")
