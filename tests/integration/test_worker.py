"""Real workers on a real LiveKit server: one process per conversation, and what becomes of a
conversation when processes end, are asked to end, or are killed."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from tests.conftest import running

from eloquence import protocol
from eloquence.bootstrap import Eloquence, opened
from eloquence.bootstrap.rooms import Ticket
from eloquence.coaching.session import StoredSession
from eloquence.config import load
from eloquence.ops.doctor import diagnose
from eloquence.storage.accounts import Account
from eloquence.testing.parts import LiveKit
from eloquence.testing.room_learner import RoomLearner
from eloquence.testing.workers import Worker, environment, worker

pytestmark = pytest.mark.timeout(400)  # several workers start, on machines that may be busy
EXERCISE = "conversation_libre_marie"
ANYBODY = Account(id="", name="", role="operator")


@dataclass
class Site:
    """A deployment: where its data are, and how its processes are set."""

    livekit: LiveKit
    folder: Path
    settings: dict[str, str]
    product: Eloquence

    async def ask(self) -> tuple[Ticket, RoomLearner]:
        """A session that was asked for, and its learner, who is not there yet."""
        rooms = self.product.rooms
        assert rooms is not None
        ticket = await rooms.ask(protocol.Hello(exercise=EXERCISE), ANYBODY)

        async def again() -> tuple[str, str]:
            fresh = await rooms.ticket(ticket.session, ANYBODY)
            return fresh.url, fresh.token

        return ticket, RoomLearner(self.livekit.url, ticket.token, again=again)

    @asynccontextmanager
    async def talk(self) -> AsyncIterator[tuple[Ticket, RoomLearner]]:
        """A session whose learner is there and has heard the coach's first words."""
        ticket, learner = await self.ask()
        async with learner.there():
            await learner.quiet()
            yield ticket, learner

    async def ended(self, ticket: Ticket, learner: RoomLearner) -> StoredSession:
        """The learner ends the session; gives what was stored of it."""
        await learner.send(protocol.End())
        await learner.until(lambda: learner.count("ended") > 0)
        return await self.product.store.get(ticket.session)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("workers")


@pytest.fixture(scope="module")
def first(livekit: LiveKit, folder: Path) -> Iterator[Worker]:
    """A worker that several tests share; none may stop it."""
    for part in running(lambda: worker(environment(livekit, folder / "data"), folder, idle=2)):
        with asyncio.Runner() as runner:
            runner.run(part.ready())
        yield part


@asynccontextmanager
async def site_of(
    livekit: LiveKit, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Site]:
    settings = environment(livekit, folder / "data")
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    async with opened(load()) as product:
        yield Site(livekit, folder, settings, product)


@pytest.fixture
async def site(
    livekit: LiveKit, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Site]:
    async with site_of(livekit, folder, monkeypatch) as made:
        yield made


@pytest.mark.speech
async def test_a_learner_joins_hears_the_coach_answers_and_the_session_is_stored(
    first: Worker, site: Site, sentence: bytes
) -> None:
    async with site.talk() as (ticket, learner):
        await learner.say(sentence)
        await learner.quiet()
        stored = await site.ended(ticket, learner)
    assert stored.end is not None
    assert stored.end.status == "complete"
    speakers = [turn.speaker for turn in stored.turns]
    assert speakers[:3] == ["character", "learner", "character"]
    assert stored.turns[1].sound is not None
    await first.until(lambda found: found["live"] == 0)  # its process has ended


async def test_a_killed_conversation_goes_on_in_another_process(first: Worker, site: Site) -> None:
    """P01: the learner stays in the room, hears the coach again, and loses no turn."""
    async with site.talk() as (ticket, learner):
        before = await site.product.store.get(ticket.session)
        holder = await first.holder(ticket.session)
        killed = asyncio.get_running_loop().time()
        ready = learner.count("ready")
        holder.kill()
        await learner.until(lambda: learner.count("ready") > ready)
        await learner.until(lambda: learner.heard_after(killed + 0.3) is not None)
        heard = learner.heard_after(killed + 0.3)
        assert heard is not None
        print(f"kill to sound: {heard - killed:.2f} s")
        assert (await first.holder(ticket.session, epoch=2)).pid != holder.pid
        await learner.quiet()
        after = await site.ended(ticket, learner)
    assert learner.joins == 1
    assert after.turns[: len(before.turns)] == before.turns
    assert [turn.index for turn in after.turns] == list(range(len(after.turns)))
    assert after.end is not None
    assert after.end.status == "complete"


async def test_a_waiting_process_that_is_killed_costs_nobody_a_conversation(
    first: Worker, site: Site
) -> None:
    """P13, TC-08."""
    await first.ready()
    server = next(child for child in first.children if "forkserver" in " ".join(child.cmdline()))
    for child in server.children():
        child.kill()
    async with site.talk() as (ticket, learner):
        await site.ended(ticket, learner)


async def test_a_session_whose_learner_never_comes_is_left_to_nobody(
    first: Worker, site: Site
) -> None:
    """A process that waits for somebody ends with its session."""
    ticket, _ = await site.ask()
    await first.holder(ticket.session)
    assert site.product.rooms is not None
    await site.product.rooms.end(ticket.session, ANYBODY)
    await first.until(lambda found: found["live"] == 0)
    assert await site.product.store.pulses() == []


async def test_a_worker_that_is_to_stop_ends_no_conversation(
    livekit: LiveKit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P07: after SIGTERM its conversation goes on, new learners go to another worker, and it exits
    with 0. P08, TC-48: after a second one it is gone within 2 s, and others go on with what it
    held."""
    monkeypatch.setenv("ELOQUENCE_AGENT_NAME", "leaving")
    async with (
        site_of(livekit, tmp_path, monkeypatch) as site,
        worker(site.settings, tmp_path, name="one") as one,
        worker(site.settings, tmp_path, name="two") as two,
    ):
        two.kill()
        await one.ready()
        async with site.talk() as (ticket, learner):
            await one.holder(ticket.session)
            await two.start()
            await two.ready()
            children = one.children
            one.signal(signal.SIGTERM)
            await one.until(lambda found: found["draining"])
            async with site.talk() as (other, newcomer):
                await two.holder(other.session)
                await site.ended(other, newcomer)
            assert learner.count("ended") == 0
            stored = await site.ended(ticket, learner)
            assert stored.end is not None
            assert stored.end.status == "complete"
        assert await one.ended() == 0
        await until_gone(children)

        async with site.talk() as (ticket, learner):
            await two.holder(ticket.session)
            await one.start()
            await one.ready()
            children = two.children
            two.signal(signal.SIGTERM)
            await two.until(lambda found: found["draining"])
            ready = learner.count("ready")
            two.signal(signal.SIGTERM)
            await two.ended(within=2.0)
            await learner.until(lambda: learner.count("ready") > ready)
            await one.holder(ticket.session, epoch=2)
            await site.ended(ticket, learner)
        await until_gone(children)


async def test_a_worker_waits_for_its_livekit_server_and_finds_it_again(
    own_livekit: LiveKit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """N03, B-06, X-15, C-08: registered again well within 6.016 s of the server's end."""
    own_livekit.kill()
    async with (
        site_of(own_livekit, tmp_path, monkeypatch) as site,
        worker(site.settings, tmp_path) as part,
    ):
        await part.until(lambda found: found["idle"] > 0, 90.0)
        found = await part.health()
        assert found is not None
        assert found["lacks"] == ["registered"]
        await own_livekit.start()
        await part.ready(15.0)

        own_livekit.kill()
        await part.until(lambda found: not found["registered"])
        began = time.monotonic()
        await own_livekit.start()
        up = time.monotonic()
        await part.ready(15.0)
        print(f"registered {time.monotonic() - up:.2f} s after the server answered")
        assert time.monotonic() - began < 6.016

        async with site.talk() as (ticket, _):
            holder = await part.holder(ticket.session)
            children = part.children
            part.signal(signal.SIGKILL)
            await part.ended()
            await until_gone([holder, *children])  # P10: none outlives its worker


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Those that have not ended, a dead one that nobody has waited for left out."""
    found = []
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


async def until_gone(processes: list[psutil.Process]) -> None:
    async with asyncio.timeout(10.0):
        while alive(processes):  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def test_the_doctor_finds_the_server_and_its_key(site: Site) -> None:
    found = await diagnose(load(port=0))
    livekit = next(check for check in found.checks if check.name == "LiveKit")
    assert livekit.verdict == "ok"
