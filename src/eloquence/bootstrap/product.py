"""One process of the product, and the conversations that it holds."""

import asyncio
import gc
import logging
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from eloquence.bootstrap import chains
from eloquence.bootstrap import plugins as attendance
from eloquence.bootstrap.current import Current
from eloquence.bootstrap.exposure import check
from eloquence.bootstrap.practice import practice
from eloquence.bootstrap.reports import Reports
from eloquence.bootstrap.stages import BY_EAR, serving
from eloquence.coaching.exercise import Exercise
from eloquence.coaching.levels import turn_score
from eloquence.coaching.profiles import norms_for
from eloquence.coaching.session import Session, SessionEnd, Turn
from eloquence.config import Settings
from eloquence.delivery import sound
from eloquence.errors import (
    CapacityError,
    ConnectionLostError,
    ContentError,
    EloquenceError,
)
from eloquence.plugins.running import Plugins
from eloquence.protocol import INPUT_RATE, Ended, Failure, Hello
from eloquence.storage import content
from eloquence.storage.leases import Held, Lease
from eloquence.storage.recordings import Recorder
from eloquence.storage.sessions import SqlSessionStore, open_store

if TYPE_CHECKING:
    from eloquence.bootstrap.rooms import Rooms
    from eloquence.conversation.plan import Plan
    from eloquence.conversation.stages import Resources
    from eloquence.conversation.transport import Transport
    from eloquence.transports.websocket import Socket

log = logging.getLogger("eloquence")


class Eloquence:
    """One process of the product: its settings, content, store and live conversations."""

    def __init__(
        self,
        settings: Settings,
        library: content.Library,
        store: SqlSessionStore,
        resources: "Resources",
        analyst: ThreadPoolExecutor,
    ) -> None:
        self.current = Current(settings)
        self.library = library
        self.store = store
        self.resources = resources
        self._analyst = analyst
        self.reports = Reports(self.current, library, store, analyst)
        self.plugins = Plugins(store.plugins)
        self._warming: asyncio.Future[None] | None = None
        self.stopping = False
        """Set when the process is being stopped."""
        self.live = 0
        """How many conversations this process holds now."""
        self.rooms: Rooms | None = None
        """How sessions in rooms are asked for; None where conversations are held here."""

    @property
    def settings(self) -> Settings:
        """The settings now: a conversation that begins takes them once."""
        return self.current.settings

    @contextmanager
    def admitted(self) -> Iterator[None]:
        """A place for one conversation. Raises CapacityError when all are taken."""
        most = self.settings.max_conversations
        if self.live >= most:
            raise CapacityError(
                f"All {most} places for conversations are taken.",
                mend="Try again in a few minutes.",
            )
        self.live += 1
        try:
            yield
        finally:
            self.live -= 1
            if self.live == 0:
                # A conversation leaves many cycles; collecting them here costs nobody a word.
                gc.collect()

    async def serve(self, socket: "Socket", learner: str = "") -> None:
        """Holds the conversation that a client asks for over its socket, and tells it the end.
        `learner` is the account that it is of.

        Errors are told to the client, never raised.
        """
        await self.warm()
        from eloquence.transports.websocket import WebSocketTransport

        async with WebSocketTransport(socket) as transport:
            try:
                hello = await transport.hello()
                session_id, end = await self.converse(hello, transport, learner)
            except ConnectionLostError:
                return
            except EloquenceError as error:
                log.info("a conversation was refused or failed: %s", error.code)
                failure = Failure(
                    code=error.code,
                    message=error.message,
                    mend=error.mend,
                    retryable=error.retryable,
                )
                transport.send(failure)
            except Exception:
                log.exception("a conversation failed")
                transport.send(
                    Failure(
                        code="internal",
                        message="The conversation failed.",
                        mend="What was said until here is kept; the log says more.",
                    )
                )
            else:
                transport.send(Ended(session=session_id, status=end.status, reason=end.reason))

    async def converse(
        self, hello: Hello, transport: "Transport", learner: str = ""
    ) -> tuple[str, SessionEnd]:
        """Holds one conversation of an account over the transport; returns its id and how it ended.

        Raises CapacityError, ContentError (no such exercise or drill), SessionNotFoundError and
        SessionCreationError (nothing to practise in that session), ConfigurationError (a stage
        that was named cannot serve), AgentCreationError, StorageError.
        """
        from eloquence.conversation.conversation import Conversation

        with self.admitted():
            store = self.store.of(learner)
            async with self._planned(hello, learner) as plan:
                end = await Conversation(plan, transport, store).run()
            self.reports.ended(plan.session.id)
            return plan.session.id, end

    async def hold(self, lease: Lease, line: "Awaitable[Transport]") -> SessionEnd:
        """Holds a session that was asked for elsewhere, from its beginning or from where its
        earlier holder left it; it is planned while the line is being opened. Raises as `converse`
        does, and what the line raises; the session stays live then."""
        from eloquence.conversation.conversation import Conversation

        hello = Hello.model_validate_json(lease.held.request)
        async with self._planned(hello, lease.held.learner, lease.held) as plan:
            return await Conversation(plan, await line, lease).run()

    @asynccontextmanager
    async def _planned(
        self, hello: Hello, learner: str, held: Held | None = None
    ) -> "AsyncIterator[Plan]":
        """The plan of a conversation, with its recording and its stages open."""
        from eloquence.conversation.plan import Plan, Resumed, Stages
        from eloquence.conversation.stages import StageContext

        asked = await practice(hello, self.library, self.store.of(learner))
        exercise, scenario, language = asked.exercise, asked.scenario, asked.language
        character = self.library.character(exercise.character, language)
        settings = self.settings  # they may change while it is being planned
        chosen = serving(settings, asked.purpose, language)
        goes_on = held is not None and bool(held.stored.turns)
        context = StageContext(
            language=language,
            exercise=exercise,
            scenario=scenario,
            character=character,
            resources=self.resources,
            seed=held.stored.session.seed if held and goes_on else secrets.randbits(32),
            exam=hello.exam,
        )
        made = await chains.made(settings, chosen, context)
        stages = Stages(made.stages["stt"], made.stages["llm"], made.stages["tts"])
        async with AsyncExitStack() as stack:
            stack.push_async_callback(stages.aclose)  # of a conversation that never ran
            session = asked.session(
                hello,
                chosen,
                id=secrets.token_hex(8) if held is None else held.stored.session.id,
                started_at=time.time(),
                seed=context.seed,
            )
            resumed = None
            if held is not None and goes_on:
                session = held.stored.session
                resumed = Resumed(held.stored.turns, held.checkpoint)
            recorder = None
            if hello.keep_audio:
                recorder = await stack.enter_async_context(Recorder(settings.recordings, session))
            hooks, known = await stack.enter_async_context(
                attendance.attending(self.plugins, settings.plugins, self.store, session, learner)
            )
            yield Plan(
                session=session,
                exercise=exercise,
                scenario=scenario,
                character=character,
                lines=self.library.lines(language),
                stages=stages,
                chains=made.chains,
                statuses=made.statuses,
                last_turn=context.last_turn,
                by_ear=chosen["stt"].provider.name == BY_EAR,
                duration=asked.duration,
                idle=60 * settings.idle_minutes,
                patience=None if asked.purpose == "drill" else hello.patience,
                push_to_talk=hello.push_to_talk,
                measure=self._measure,
                grade=partial(self._grade, session, exercise),
                warm_up=hello.warm_up,
                hints=hello.hints,
                task=asked.task,
                forbidden=asked.forbidden,
                seed=context.seed,
                recording=recorder,
                hooks=hooks,
                known=known,
                resumed=resumed,
                away=60 * settings.away_minutes,
                instructions=settings.agent_instructions,
                stopping=lambda: self.stopping,
            )

    async def warm(self) -> None:
        """Loads the engine, its models and the tables of its languages, once; whoever comes
        meanwhile waits for it.

        Two threads that import the engine at the same time would meet in the middle of it.
        """
        if self._warming is None:
            self._warming = asyncio.get_running_loop().run_in_executor(
                self._analyst, partial(_warm, self.library)
            )
        await asyncio.shield(self._warming)

    async def _measure(self, samples: NDArray[np.float32], start: float) -> sound.Sound:
        return await asyncio.get_running_loop().run_in_executor(
            self._analyst, partial(sound.measure, samples, INPUT_RATE, start=start)
        )

    async def _grade(self, session: Session, exercise: Exercise, turn: Turn) -> float | None:
        """How well a measured turn held the session's goal."""
        return await asyncio.get_running_loop().run_in_executor(
            self._analyst, partial(self._graded, session, exercise, turn)
        )

    def _graded(self, session: Session, exercise: Exercise, turn: Turn) -> float | None:
        norms = norms_for(self.library.norms(session.language), exercise, session.profile)
        lexicon = self.library.lexicon(session.language)
        return turn_score(turn, norms, lexicon, exercise.register_, session.goal, session.profile)


def _warm(library: content.Library) -> None:
    from livekit.agents import inference
    from livekit.local_inference import EOT

    import eloquence.conversation.conversation
    import eloquence.transports.websocket  # noqa: F401

    inference.VAD()
    EOT()  # the end-of-turn model, whose weights all conversations share
    sound.measure(np.zeros(INPUT_RATE, dtype=np.float32), INPUT_RATE)
    # Read in the middle of a conversation they would hold up its sound. A wrong one is told by the
    # report that needs it.
    for language in content.LANGUAGES:
        with suppress(ContentError):
            library.norms(language)
            library.lexicon(language)
            library.phrases(language)


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Eloquence]:
    """The product, with its store open; everything is closed in reverse at the end.

    Raises StorageError when the data folder cannot be used, ConfigurationError when the settings
    are not safe to serve.
    """
    check(settings)
    from eloquence.conversation.stages import Resources

    async with AsyncExitStack() as stack:
        # One thread, of ordinary priority: one that yields would be put off while it holds what the
        # live sound waits for.
        analyst = ThreadPoolExecutor(1, thread_name_prefix="eloquence-analysis")
        stack.callback(analyst.shutdown)
        resources = Resources()
        stack.push_async_callback(resources.close)
        store = await stack.enter_async_context(open_store(settings.database, settings.recordings))
        library = content.load(settings.content)
        product = Eloquence(settings, library, store, resources, analyst)
        stack.push_async_callback(product.reports.close)
        stack.push_async_callback(product.plugins.close)
        if settings.in_rooms:
            from eloquence.bootstrap.rooms import open_rooms

            product.rooms = await stack.enter_async_context(
                open_rooms(product.current, library, store)
            )
        yield product
