"""One conversation in a room, in a process of its own.

Its exit status says what becomes of the session. `DONE`: nobody needs to hold it, because it is
over, or another process does. Anything else, a signal included: it is live and has lost its holder.
So whatever this process cannot mend, it leaves at once: the next one goes on from the stored turns.
"""

import asyncio
import faulthandler
import logging
import os
import time
from contextlib import AsyncExitStack, suppress
from functools import partial
from pathlib import Path
from typing import IO, NoReturn

from livekit import rtc
from livekit.agents import JobContext, JobProcess
from livekit.agents.ipc.log_queue import LogQueueHandler
from livekit.agents.utils import http_context

from eloquence.bootstrap.product import Eloquence, opened
from eloquence.bootstrap.stages import serving
from eloquence.coaching.session import Session, SessionEnd
from eloquence.config import Settings
from eloquence.conversation.conversation import SUPERSEDED
from eloquence.conversation.stages import StageContext
from eloquence.errors import (
    EloquenceError,
    LeaseLostError,
    RoomError,
    SessionNotFoundError,
    StorageError,
)
from eloquence.observability.logs import Line
from eloquence.protocol import Ended, Failure
from eloquence.storage.content import LANGUAGES
from eloquence.storage.leases import Lease
from eloquence.transports.livekit_room import RoomTransport
from eloquence.transports.livekit_server import Assignment, assignment
from eloquence.worker.standstill import watched

log = logging.getLogger("eloquence.worker.job")

DONE = 0
ABANDONED = 75
"""EX_TEMPFAIL: try again, elsewhere."""

CONNECT_SECONDS = 10.0
"""Within which the room must have been joined (TC-09)."""
LEARNER_SECONDS = 120.0
"""How long a learner who asked for a session may take to join it (TC-11)."""
TAKEN_IN_SECONDS = 1.5
"""How long the room of a session that is over waits for its learner to leave."""
LEAVING_SECONDS = 10.0
"""Within which the process of a session that is over must have ended."""
_LAST_LINES_SECONDS = 0.2
_FAREWELL_SECONDS = 0.5
_RETRY_SECONDS = 5.0

_PRODUCT = "product"


def prepare(settings: Settings, process: JobProcess) -> None:
    """Loads everything that a conversation needs, before there is one to hold.

    A process that cannot be prepared ends after some seconds, lest it be replaced in a tight loop.
    """
    for handler in logging.getLogger().handlers:  # which sends its lines to the worker
        handler.setFormatter(Line("%(message)s"))
    runner = asyncio.Runner()
    stack = AsyncExitStack()
    try:
        product = runner.run(stack.enter_async_context(opened(settings)))
        runner.run(product.warm())
        runner.run(_tls())
        for language in LANGUAGES:
            product.library.exercises(language)
            product.library.lines(language)
            with suppress(EloquenceError):  # which whoever asks for that language is told
                serving(settings, "exercise", language)
    except EloquenceError as error:
        log.error("no conversation can be prepared: %s", error.message)
        time.sleep(_RETRY_SECONDS)
        raise
    # The runner is kept: to close it would close the product, which the job's own loop goes on
    # with. Nothing in it belongs to a loop.
    process.userdata[_PRODUCT] = (product, stack, runner)


async def _tls() -> None:
    """Reads the certificates that outside services are known by, which takes a while."""
    async with http_context.open():
        pass


async def hold(context: JobContext) -> None:
    """The job: holds the session that its metadata name, in the room that it was sent to."""
    product: Eloquence = context.proc.userdata[_PRODUCT][0]
    holding = asyncio.create_task(_hold(context, product), name="holding")
    try:
        await asyncio.wait({holding})
    except asyncio.CancelledError:
        # The worker is gone, or wants this process gone. A conversation that is cancelled would
        # end its session; one that is left does not.
        _leave(ABANDONED, "the worker is gone")
    if holding.exception() is not None:
        log.error("the job failed", exc_info=holding.exception())
        _leave(ABANDONED, "the job failed")
    faulthandler.dump_traceback_later(LEAVING_SECONDS, exit=True)
    context.shutdown()


async def _hold(context: JobContext, product: Eloquence) -> None:
    given = assignment(context.job.metadata)
    began = time.monotonic()
    joining = asyncio.create_task(_joined(context, given), name="joining")
    try:
        lease = await product.store.claim(given.session, given.epoch)
    except LeaseLostError:
        joining.cancel()
        log.info("session %s, epoch %d: held elsewhere, or over", given.session, given.epoch)
        return
    except StorageError as error:
        _leave(ABANDONED, error.message)
    session = lease.held.stored.session
    log.info(
        "session %s: exercise %s, scene %s, %s, epoch %d, process %d, claimed in %.0f ms",
        session.id,
        session.exercise,
        session.scenario,
        session.language,
        given.epoch,
        os.getpid(),
        1000 * (time.monotonic() - began),
    )
    rooms = product.rooms
    assert rooms is not None
    learner = rooms.identity(lease.held.learner, session.id)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(lease)
        trace = stack.enter_context(_trace(product.settings.data))
        stood_still = partial(_leave, ABANDONED, "the event loop stands still")
        await stack.enter_async_context(watched(stood_still, trace))
        _wake_voice(product, session)
        gone = asyncio.Event()

        def on_gone(*_: object) -> None:
            lease.leave()  # at once: the conversation sees its line end, and would end the session
            gone.set()

        context.room.on("disconnected", on_gone)
        watching = (
            asyncio.create_task(_until_lost(lease, product, context.room)),
            asyncio.create_task(_until_gone(lease, product, gone)),
        )
        try:
            async with AsyncExitStack() as line:
                opening = asyncio.create_task(
                    _opened(joining, RoomTransport(context.room, learner), line), name="opening"
                )
                ended = await _converse(product, lease, opening)
                # What does not end by itself now, as a stream of the SDK, ends with the process.
                faulthandler.dump_traceback_later(LEAVING_SECONDS, exit=True)
            if gone.is_set():
                await watching[1]  # which leaves
        finally:
            for task in watching:
                task.cancel()
    if not ended:
        return
    await _until_left(context.room, learner)
    await product.plugins.settle()
    try:
        await rooms.livekit.delete(lease.held.room)
    except RoomError as error:
        # It closes by itself once it is empty.
        log.info("the room of session %s stays: %s", session.id, error.message)


def _wake_voice(product: Eloquence, session: Session) -> None:
    """Lets what speaks start while the room is joined."""
    library, language = product.library, session.language
    with suppress(EloquenceError):  # which holding the session raises again
        exercise = library.exercise(session.exercise, language)
        chosen = serving(product.settings, session.purpose, language)["tts"]
        context = StageContext(
            language=language,
            exercise=exercise,
            scenario=exercise.scenarios[0],
            character=library.character(session.character, language),
            resources=product.resources,
        )
        chosen.provider.create(chosen.options, context).prewarm()


async def _joined(context: JobContext, given: Assignment) -> None:
    """Joins the room, in time or not at all."""
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            # Subscribed by LiveKit itself: asked for while the line is mended, it is lost.
            await context.connect()
    except (TimeoutError, rtc.ConnectError) as error:
        _leave(ABANDONED, f"the room of session {given.session}: {type(error).__name__}")


async def _opened(
    joining: "asyncio.Task[None]", transport: RoomTransport, line: AsyncExitStack
) -> RoomTransport:
    """The line, once the room is joined."""
    await joining
    return await line.enter_async_context(transport)


async def _converse(
    product: Eloquence, lease: Lease, opening: "asyncio.Task[RoomTransport]"
) -> bool:
    """Holds the session to its end, and tells it to the learner. False when another process holds
    it now."""
    session_id = lease.held.stored.session.id
    resumed = bool(lease.held.stored.turns)
    if not resumed and not await (await opening).learner_joined(LEARNER_SECONDS):
        log.info("session %s: nobody came", session_id)
        await _end(lease, SessionEnd(status="interrupted", reason="abandoned", duration=0.0))
        return True
    try:
        end = await product.hold(lease, opening)
    except LeaseLostError:
        return False
    except (StorageError, RoomError) as error:
        _leave(ABANDONED, error.message)
    except EloquenceError as error:
        log.error("session %s failed: %s", session_id, error.code)
        await _end(lease, SessionEnd(status="failed", reason=error.code, duration=0.0))
        (await opening).send(
            Failure(
                code=error.code,
                message=error.message,
                mend=error.mend,
                retryable=error.retryable,
            )
        )
    else:
        log.info("session %s: %s, %s", session_id, end.status, end.reason)
        if end.reason == SUPERSEDED:
            return False
        (await opening).send(Ended(session=session_id, status=end.status, reason=end.reason))
    return True


async def _until_left(room: rtc.Room, learner: str) -> None:
    """Leaves the learner's client the time to take in that it is over: what is on its way to it is
    dropped with the room."""
    left = asyncio.Event()
    room.on("participant_disconnected", lambda *_: left.set())
    with suppress(TimeoutError):
        async with asyncio.timeout(TAKEN_IN_SECONDS):
            while learner in room.remote_participants:
                await left.wait()
                left.clear()


async def _end(lease: Lease, end: SessionEnd) -> None:
    """Ends a session that no conversation has ended."""
    # It was, or is held elsewhere, or is deleted, or a watcher will find it.
    with suppress(StorageError, SessionNotFoundError):
        await lease.end(lease.held.stored.session.id, end)


async def _until_lost(lease: Lease, product: Eloquence, room: rtc.Room) -> None:
    """Leaves without a word when another process holds the session."""
    await lease.lost.wait()
    if room.isconnected() and await _is_over(lease, product):
        # It was ended, perhaps by this very process, which has some seconds to close.
        await asyncio.sleep(LEAVING_SECONDS)
    with suppress(Exception):
        async with asyncio.timeout(_FAREWELL_SECONDS):
            await room.disconnect()
    _leave(DONE, "the session is over, or held by another process")


async def _until_gone(lease: Lease, product: Eloquence, gone: asyncio.Event) -> None:
    """Leaves when the room is lost for good: there is another one for the next process."""
    await gone.wait()
    _leave(DONE if await _is_over(lease, product) else ABANDONED, "the room is gone")


async def _is_over(lease: Lease, product: Eloquence) -> bool:
    try:
        return (await product.store.get(lease.held.stored.session.id)).end is not None
    except SessionNotFoundError:  # its learner has deleted it
        return True
    except StorageError:
        return False


def _trace(data: Path) -> IO[bytes]:
    """Where a process that stands still writes where it stood."""
    try:
        return (data / "logs" / "eloquence_errors.log").open("ab")
    except OSError:
        return Path(os.devnull).open("ab")


def _leave(status: int, why: str) -> NoReturn:
    """Ends this process at once."""
    log.warning("leaving: %s", why)
    for handler in logging.getLogger().handlers:
        handler.close()  # the engine's sends its lines from a thread
        if isinstance(handler, LogQueueHandler):
            handler.thread.join(_LAST_LINES_SECONDS)
    os._exit(status)
