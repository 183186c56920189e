"""One conversation over an in-memory line: real engine, real voice activity, scripted words."""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from eloquence import protocol
from eloquence.coaching.session import Session, StoredSession
from eloquence.conversation.conversation import Conversation, Plan, Stages
from eloquence.conversation.stages import LastTurn
from eloquence.delivery import sound
from eloquence.errors import ConnectionLostError
from eloquence.protocol import Ended
from eloquence.storage import content
from eloquence.storage.sessions import open_store
from eloquence.testing.learner import Learner
from eloquence.testing.stages import ScriptedLLM, ScriptedSTT, ScriptedTTS
from eloquence.transports import memory
from eloquence.transports.websocket import WebSocketTransport

EXERCISE = "conversation_libre_marie"
Script = Callable[[Learner], Awaitable[None]]


@dataclass
class Talk:
    """What a scripted conversation runs with; change a field before `held`."""

    folder: Path
    stt: ScriptedSTT = field(default_factory=lambda: ScriptedSTT(["Bonjour Marie."]))
    llm: ScriptedLLM = field(default_factory=lambda: ScriptedLLM(["Très bien, merci à vous."]))
    tts: ScriptedTTS = field(default_factory=ScriptedTTS)
    hello: protocol.Hello = field(default_factory=lambda: protocol.Hello(exercise=EXERCISE))
    duration: float = 300.0
    idle: float = 600.0
    last_turn: LastTurn = field(default_factory=LastTurn)
    by_ear: bool = False
    prepare: Callable[[], None] = lambda: None
    """Called inside the loop, for stages that need one to be made."""
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
        session = Session(
            id=secrets.token_hex(8),
            exercise=exercise.id,
            scenario=scenario.id,
            character=exercise.character,
            language=self.hello.language,
            started_at=time.time(),
        )
        plan = Plan(
            session=session,
            exercise=exercise,
            scenario=scenario,
            character=library.character(exercise.character, self.hello.language),
            lines=library.lines(self.hello.language),
            stages=Stages(stt=self.stt, llm=self.llm, tts=self.tts),
            statuses={},
            last_turn=self.last_turn,
            by_ear=self.by_ear,
            duration=self.duration,
            idle=self.idle,
            patience=self.hello.patience,
            push_to_talk=self.hello.push_to_talk,
            measure=_measured,
        )
        self.learner = Learner(self.hello)
        server, client = memory.pair()
        database = f"sqlite:///{self.folder / 'test.db'}"
        async with open_store(database, self.folder / "recordings") as store:

            async def serve() -> None:
                async with WebSocketTransport(server) as transport:
                    await transport.hello()
                    end = await Conversation(plan, transport, store).run()
                    transport.send(Ended(session=session.id, status=end.status, reason=end.reason))

            serving = asyncio.create_task(serve())
            try:
                return await self.learner.talk(client, script)
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
