"""One conversation over an in-memory line: real engine, real voice activity, scripted words."""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import soxr
from numpy.typing import NDArray

from eloquence import protocol
from eloquence.bootstrap.practice import Practice
from eloquence.coaching.session import Session, SessionStore, StoredSession
from eloquence.conversation.conversation import Conversation
from eloquence.conversation.fallback.answers import Answers
from eloquence.conversation.fallback.recognisers import Recognisers
from eloquence.conversation.hooks import Hooks, NoHooks
from eloquence.conversation.plan import Grade, Measure, Plan, Recording, Resumed, Stages
from eloquence.conversation.stages import LastTurn
from eloquence.delivery import sound
from eloquence.errors import ConnectionLostError
from eloquence.protocol import Ended
from eloquence.storage import content
from eloquence.storage.sessions import SqlSessionStore, open_store
from eloquence.testing.learner import Learner
from eloquence.testing.stages import ScriptedLLM, ScriptedSTT, ScriptedTTS
from eloquence.transports import memory
from eloquence.transports.memory import MemorySocket
from eloquence.transports.websocket import Socket, WebSocketTransport

EXERCISE = "conversation_libre_marie"
Script = Callable[[Learner], Awaitable[None]]


@dataclass
class Talk:
    """What a scripted conversation runs with; change a field before `held`."""

    folder: Path
    stt: ScriptedSTT = field(default_factory=lambda: ScriptedSTT(["Bonjour Marie."]))
    recognisers: Recognisers | None = None
    """Recognisers in place of `stt`."""
    llm: ScriptedLLM = field(default_factory=lambda: ScriptedLLM(["Très bien, merci à vous."]))
    answers: Answers | None = None
    """Answers in place of `llm`."""
    tts: ScriptedTTS = field(default_factory=ScriptedTTS)
    hello: protocol.Hello = field(default_factory=lambda: protocol.Hello(exercise=EXERCISE))
    duration: float = 300.0
    idle: float = 600.0
    last_turn: LastTurn = field(default_factory=LastTurn)
    by_ear: bool = False
    recording: Recording | None = None
    hooks: Hooks = field(default_factory=NoHooks)
    measure: Measure | None = None
    """Measures a turn; the real measures when None."""
    grade: Grade | None = None
    practice: Practice | None = None
    """A drill or a second try, in place of the exercise."""
    line: Callable[[MemorySocket], Socket] = lambda socket: socket
    """The learner's end of the line."""
    prepare: Callable[[], None] = lambda: None
    """Called inside the loop, for stages that need one to be made."""
    epoch: int | None = None
    """Holds it as a session in a room, in that epoch; from the second one on it goes on."""
    session_id: str = field(default_factory=lambda: secrets.token_hex(8))
    away: float = 300.0
    store: SqlSessionStore = field(init=False)
    transport: WebSocketTransport = field(init=False)
    learner: Learner = field(init=False)
    stored: StoredSession = field(init=False)

    async def abandoned(self, script: Script) -> None:
        """Holds a conversation whose script breaks the line with ConnectionLostError."""
        with pytest.raises(BaseExceptionGroup) as broken:
            await self.held(script)
        assert broken.value.subgroup(ConnectionLostError) is not None

    async def held(self, script: Script) -> Ended:
        """Holds the conversation; `stored` is what was kept of it."""
        self.prepare()
        library = content.load()
        exercise = library.exercise(self.hello.exercise, self.hello.language)
        scenario = exercise.scenario()
        asked = self.practice or Practice(exercise, scenario, self.hello.language)
        exercise, scenario = asked.exercise, asked.scenario
        session = Session(
            id=self.session_id,
            exercise=exercise.id,
            scenario=scenario.id,
            character=exercise.character,
            language=self.hello.language,
            started_at=time.time(),
            purpose=asked.purpose,
            goal=self.hello.goal,
            exam=self.hello.exam,
        )
        plan = Plan(
            session=session,
            exercise=exercise,
            scenario=scenario,
            character=library.character(exercise.character, self.hello.language),
            lines=library.lines(self.hello.language),
            stages=Stages(
                stt=self.recognisers or self.stt, llm=self.answers or self.llm, tts=self.tts
            ),
            chains=[stage.chain for stage in (self.recognisers, self.answers) if stage is not None],
            statuses={},
            last_turn=self.last_turn,
            by_ear=self.by_ear,
            duration=asked.duration if self.practice else self.duration,
            idle=self.idle,
            patience=self.hello.patience,
            push_to_talk=self.hello.push_to_talk,
            measure=self.measure or _measured,
            grade=self.grade,
            warm_up=self.hello.warm_up,
            hints=self.hello.hints,
            task=asked.task,
            forbidden=asked.forbidden,
            recording=self.recording,
            hooks=self.hooks,
            away=self.away,
        )
        self.learner = Learner(self.hello)
        server, client = memory.pair()
        database = f"sqlite:///{self.folder / 'test.db'}"
        async with open_store(database, self.folder / "recordings") as store:
            self.store = store
            if self.epoch == 1:
                await store.requests.add(session, learner="", room="room", request="")

            async def serve() -> None:
                async with WebSocketTransport(server) as transport, AsyncExitStack() as stack:
                    self.transport = transport
                    await transport.hello()
                    kept: SessionStore = store
                    held_plan = plan
                    if self.epoch is not None:
                        claimed = await store.claim(session.id, self.epoch)
                        kept = await stack.enter_async_context(claimed)
                        held = claimed.held
                        if held.stored.turns:
                            held_plan = replace(
                                plan,
                                session=held.stored.session,
                                resumed=Resumed(held.stored.turns, held.checkpoint),
                            )
                    end = await Conversation(held_plan, transport, kept).run()
                    transport.send(Ended(session=session.id, status=end.status, reason=end.reason))

            serving = asyncio.create_task(serve())
            try:
                return await self.learner.talk(self.line(client), script)
            finally:
                client.close()
                await serving
                self.stored = await store.get(session.id)


async def _measured(samples: NDArray[np.float32], start: float) -> sound.Sound:
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(None, partial(sound.measure, samples, 16_000, start=start))


@pytest.fixture
def talk(tmp_path: Path) -> Talk:
    return Talk(tmp_path)


@pytest.fixture(scope="module")
def sentence(shared_data: Path) -> bytes:
    """A French sentence of a real voice: PCM16 at 16 kHz."""
    path = sorted((shared_data / "fixtures-fr" / "voxforge").rglob("*.wav"))[0]
    samples, rate = soundfile.read(path, dtype="float32")
    speech = np.asarray(soxr.resample(samples, rate, 16_000))
    spoken = sound.measure(speech.astype(np.float32), 16_000).speech
    return pcm(speech[int(spoken[0][0] * 16_000) : int(spoken[-1][1] * 16_000)])


def pcm(samples: NDArray[Any]) -> bytes:
    return bytes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())


def quietest(samples: NDArray[np.int16]) -> int:
    """Where the middle third of a sentence is softest: between two words."""
    third = samples.size // 3
    level = np.convolve(np.abs(samples[third : 2 * third].astype(float)), np.ones(800), "valid")
    return third + int(level.argmin()) + 400
