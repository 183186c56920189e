"""The engine's worker as this product needs it: it never gives up registering, never takes more
than it can hold, and tells at once which session has lost its process."""

import asyncio
import logging
import math
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Any

from livekit.agents import AgentServer, JobExecutorType, JobRequest
from livekit.agents.ipc.job_executor import JobExecutor
from livekit.agents.job import JobAcceptArguments, RunningJobInfo
from livekit.protocol import agent, models

from eloquence.config import Settings
from eloquence.transports.livekit_server import Assignment, assignment
from eloquence.worker import job

log = logging.getLogger("eloquence.worker")

INITIALISE_SECONDS = 90.0
"""Within which a process must have loaded everything."""
SHUTDOWN_SECONDS = 5.0
TERMINATED_SECONDS = 1.0
"""How long a conversation that the server has put out of its room may take to leave by itself."""
_SHORTEST_PAUSE = 0.2
_LONGEST_PAUSE = 10.0

Gone = Callable[[Assignment, str], Awaitable[None]]
"""Is told which session lost its process, and its room."""
Current = Callable[[Assignment], Awaitable[bool]]
"""Whether somebody is still to hold a session in that epoch."""


def pause(absent: float) -> float:
    """Seconds to wait before LiveKit is tried again, when it has been absent for so many seconds:
    short enough that a restart is hardly noticed, never longer than 10 s."""
    return min(max(_SHORTEST_PAUSE, absent / 30), _LONGEST_PAUSE)


class CoachServer(AgentServer):
    """A worker of the LiveKit server. `run` returns when it is closed."""

    def __init__(self, settings: Settings, on_gone: Gone, current: Current) -> None:
        super().__init__(
            ws_url=settings.livekit_url,
            api_key=settings.livekit_api_key,
            api_secret=settings.livekit_api_secret.get_secret_value(),
            job_executor_type=JobExecutorType.PROCESS,
            host="127.0.0.1",
            port=0,
            setup_fnc=partial(job.prepare, settings),
            load_fnc=self._load,
            load_threshold=math.inf,  # admission is ours: see _requested
            num_idle_processes=settings.idle_processes,
            initialize_process_timeout=INITIALISE_SECONDS,
            shutdown_process_timeout=SHUTDOWN_SECONDS,
            job_memory_warn_mb=0,
            job_memory_limit_mb=settings.job_memory_mb,
            max_retry=0,  # see _connection_task
            preload_modules=["eloquence.worker.preload"],
        )
        self.rtc_session(job.hold, agent_name=settings.agent_name, on_request=self._requested)
        self.capacity = settings.max_conversations
        self.registered = asyncio.Event()
        """Whether the LiveKit server knows this worker now."""
        self.started = False
        self._admitted: set[str] = set()
        self._on_gone = on_gone
        self._current = current
        self._telling: set[asyncio.Task[None]] = set()
        self.on("worker_started", self._follow_processes)
        self.on("worker_registered", lambda *_: self.registered.set())

    @property
    def live(self) -> int:
        """How many conversations are held, or are about to be."""
        held = {info.job.id for info in self.active_jobs} if self.started else set()
        return len(self._admitted | held)

    @property
    def idle(self) -> int:
        """How many processes wait for a conversation, everything loaded."""
        return self._proc_pool._warmed_proc_queue.qsize() if self.started else 0

    async def kill(self) -> None:
        """Ends every process at once, as a power cut would, and has told of each session when it
        returns."""
        for process in self._proc_pool.processes:
            _kill(process)
        while self._proc_pool.processes:  # noqa: ASYNC110 - the engine tells of the last one only so
            await asyncio.sleep(0.01)
        await asyncio.gather(*self._telling, return_exceptions=True)

    def stop_filling(self) -> None:
        """Makes no more processes that wait for conversations."""
        self._proc_pool.set_target_idle_processes(0)

    async def launch(self, given: Assignment, room: str, token: str) -> bool:
        """Lets a process that waits here hold a session at once, without LiveKit's choosing among
        workers, which takes it 0.2 s. False when none waits, or this worker takes no more."""
        if self.draining or not self.idle or self.live >= self.capacity:
            return False
        work = agent.Job(
            id=f"{given.session}-{given.epoch}",
            type=agent.JobType.JT_ROOM,
            room=models.Room(name=room),
            agent_name=self._agent_name,
            metadata=given.as_metadata(),
        )
        running = RunningJobInfo(
            worker_id=self.id,
            accept_arguments=JobAcceptArguments(identity=given.identity, name="", metadata=""),
            job=work,
            url=self._ws_url,
            token=token,
            fake_job=False,
        )
        self._admitted.add(work.id)
        try:
            await self._proc_pool.launch_job(running)
        except Exception as error:  # the pool's own; whoever else is found comes instead
            log.warning("session %s found no process here: %s", given.session, type(error).__name__)
            return False
        finally:
            self._admitted.discard(work.id)
        return True

    def _load(self) -> float:
        """Never the machine's own load: at 1 the server would drop a request without a word."""
        return min(self.live / self.capacity, 1.0)

    async def _requested(self, request: JobRequest) -> None:
        try:
            given = assignment(request.job.metadata)
        except (ValueError, KeyError, TypeError):
            log.warning("a job without a session was refused")
            await request.reject(terminate=True)
            return
        if not await self._current(given):
            # A process that leaves again must be replaced, at a time when others are needed.
            log.info("session %s, epoch %d: not wanted any more", given.session, given.epoch)
            await request.reject(terminate=True)
            return
        if self.draining or self.live >= self.capacity:
            await request.reject(terminate=False)
            return
        self._admitted.add(request.id)  # nothing is awaited since it was counted
        try:
            await request.accept(identity=given.identity)
        except Exception as error:
            log.warning("session %s was not assigned: %s", given.session, type(error).__name__)
        finally:
            self._admitted.discard(request.id)

    def _is_available(self) -> bool:
        return not self.draining

    async def _connection_task(self) -> None:
        """Registers, and again whenever the connection is lost, for as long as it takes. The
        engine's own tries end after some minutes, and with a status that says that all is well."""
        lost = time.monotonic()
        once: Callable[[AgentServer], Awaitable[None]]
        once = AgentServer._connection_task.__wrapped__  # type: ignore[attr-defined]
        while not self._closed:
            try:
                await once(self)
            except RuntimeError as error:
                if self.registered.is_set():
                    self.registered.clear()
                    lost = time.monotonic()
                    log.warning("LiveKit is gone: %s", _cause(error))
                elif lost > 0.0:
                    log.warning("LiveKit cannot be reached yet: %s", _cause(error))
            waited = pause(time.monotonic() - lost)
            await asyncio.sleep(waited * random.uniform(0.8, 1.2))  # noqa: S311 - to spread workers

    async def _handle_termination(self, msg: agent.JobTermination) -> None:
        """The server has put a coach out of its room: a session that is over is leaving anyway,
        and one that is not needs another process."""
        process = self._proc_pool.get_by_job_id(msg.job_id)
        if process is None:
            return
        try:
            await asyncio.wait_for(asyncio.shield(process.join()), TERMINATED_SECONDS)
        except TimeoutError:
            _kill(process)

    def _follow_processes(self) -> None:
        self.started = True
        self._proc_pool.on("process_closed", self._ended)

    def _ended(self, process: JobExecutor) -> None:
        held = process.running_job
        status: Any = getattr(process, "exitcode", None)
        if held is None or status == job.DONE:
            return
        given = assignment(held.job.metadata)
        log.warning("session %s lost its process (status %s)", given.session, status)
        task = asyncio.create_task(self._tell(given, held.job.room.name))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def _tell(self, given: Assignment, room: str) -> None:
        await self._on_gone(given, room)


def _kill(process: JobExecutor) -> None:
    with suppress(ProcessLookupError, ValueError):  # it has ended meanwhile
        process._proc.kill()  # type: ignore[attr-defined]


def _cause(error: BaseException) -> str:
    """The kind of what went wrong. Its text may hold an address with a token."""
    return type(error.__context__ or error).__name__
