"""Which jobs a worker takes, what it tells of its load, and how it waits for its server."""

import asyncio
import json

import pytest
from livekit.agents import JobRequest
from livekit.agents.job import JobAcceptArguments
from livekit.protocol import agent

from eloquence.config import Settings
from eloquence.transports.livekit_server import Assignment
from eloquence.worker.agent_server import CoachServer, pause


class Asked:
    """A job that the server asks a worker to take, until `taken` is set once it was."""

    def __init__(self, name: str, metadata: str) -> None:
        self.accepted: list[str] = []
        self.rejected: list[bool] = []
        self.taken = asyncio.Event()
        job = agent.Job(id=name, metadata=metadata)
        self.request = JobRequest(job=job, on_accept=self._accept, on_reject=self._reject)

    async def _accept(self, arguments: JobAcceptArguments) -> None:
        self.accepted.append(arguments.identity)
        await self.taken.wait()

    async def _reject(self, terminate: bool) -> None:
        self.rejected.append(terminate)


def asked(number: int, epoch: int = 1) -> Asked:
    return Asked(f"job-{number}", json.dumps({"session": f"s{number}", "epoch": epoch}))


STALE = frozenset({"s99"})


@pytest.fixture
def server(settings: Settings) -> CoachServer:
    async def ignored(given: Assignment, room: str) -> None:
        raise AssertionError("no session was lost")

    async def current(given: Assignment) -> bool:
        return given.session not in STALE

    return CoachServer(settings, ignored, current)


async def test_the_coach_joins_under_the_name_of_its_epoch(server: CoachServer) -> None:
    """TC-10: a later attempt is another participant."""
    job = asked(1, epoch=3)
    job.taken.set()
    await server._requested(job.request)
    assert job.accepted == ["coach-3"]


@pytest.mark.parametrize(
    "metadata", ["", "[]", "{}", '{"session": "s1"}', '{"session": "s1", "epoch": "x"}']
)
async def test_a_job_that_names_no_session_is_refused_for_good(
    server: CoachServer, metadata: str
) -> None:
    job = Asked("job", metadata)
    await server._requested(job.request)
    assert (job.accepted, job.rejected) == ([], [True])


async def test_a_job_of_an_epoch_that_is_over_costs_no_process(server: CoachServer) -> None:
    job = asked(99)
    await server._requested(job.request)
    assert (job.accepted, job.rejected) == ([], [True])


async def test_a_burst_of_requests_is_admitted_to_the_last_place_and_no_further(
    server: CoachServer,
) -> None:
    """TC-06: three times the capacity at once. Those refused may go to another worker."""
    burst = [asked(number) for number in range(9)]
    answering = [asyncio.create_task(server._requested(job.request)) for job in burst]
    await asyncio.sleep(0)
    assert server.live == server.capacity == 3
    assert server._load() == 1.0
    for job in burst:
        job.taken.set()
    await asyncio.gather(*answering)
    assert sum(bool(job.accepted) for job in burst) == 3
    assert [job.rejected for job in burst if not job.accepted] == [[False]] * 6


async def test_the_load_counts_conversations_and_not_the_machine(server: CoachServer) -> None:
    """Pitfall: at a load of 1 the server drops a request without a word."""
    assert server._load() == 0.0
    job = asked(1)
    answering = asyncio.create_task(server._requested(job.request))
    await asyncio.sleep(0)
    assert server._load() == pytest.approx(1 / 3)
    job.taken.set()
    await answering


def test_a_server_that_was_away_for_a_moment_is_tried_often_and_never_given_up() -> None:
    """C-08, N03: soon found again after a restart, within 12 s after a long absence."""
    assert pause(0.0) == pause(6.0) == pytest.approx(0.2)
    assert pause(60.0) == pytest.approx(2.0)
    assert pause(600.0) == pause(86_400.0) == 10.0
