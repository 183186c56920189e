"""The real servers of a deployment, and one conversation in a room of theirs."""

import asyncio
import logging
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest
import soundfile
import soxr
from livekit import api, rtc
from numpy.typing import NDArray
from tests.conftest import running

from eloquence import protocol
from eloquence.coaching.session import Session, SessionEnd, StoredSession
from eloquence.conversation.conversation import Conversation
from eloquence.conversation.plan import Plan, Stages
from eloquence.conversation.stages import LastTurn
from eloquence.delivery import sound
from eloquence.protocol import Ended
from eloquence.storage import content
from eloquence.storage.sessions import open_store
from eloquence.testing import parts
from eloquence.testing.parts import LiveKit, Postgres, Redis, Toxiproxy
from eloquence.testing.room_learner import RoomLearner
from eloquence.testing.stages import ScriptedLLM, ScriptedSTT, ScriptedTTS
from eloquence.transports.livekit_room import RoomTransport

_P = TypeVar("_P")
EXERCISE = "conversation_libre_marie"
BUSY = "slower than realtime"
"""What the engine writes on a machine that has too much to do."""
TEARDOWN = ("publisher data channel closed unexpectedly", "drop unknown FFI handle")
"""What the WebRTC client writes, as an error, each time a room is left."""


@pytest.fixture(scope="session")
def livekit() -> Iterator[LiveKit]:
    """A LiveKit server that all tests share; none may stop it."""
    yield from running(parts.livekit_server)


@pytest.fixture
def own_livekit() -> Iterator[LiveKit]:
    """A LiveKit server that the test may kill and start again."""
    yield from running(parts.livekit_server)


@pytest.fixture(scope="session")
def redis() -> Iterator[Redis]:
    yield from running(parts.redis)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    yield from running(parts.postgres)


@pytest.fixture(scope="session")
def toxiproxy() -> Iterator[Toxiproxy]:
    yield from running(parts.toxiproxy)


def token(livekit: LiveKit, room: str, identity: str) -> str:
    """The right to join a room and do anything in it."""
    grants = api.VideoGrants(room_join=True, room=room)
    made = api.AccessToken(livekit.key, livekit.secret).with_identity(identity)
    return made.with_grants(grants).to_jwt()


@asynccontextmanager
async def joined(livekit: LiveKit, name: str, identity: str) -> AsyncIterator[rtc.Room]:
    """A participant in a room."""
    room = rtc.Room()
    await room.connect(livekit.url, token(livekit, name, identity))
    try:
        yield room
    finally:
        await room.disconnect()


@dataclass
class RoomTalk:
    """A scripted conversation in a room; change a field before `held`."""

    folder: Path
    livekit: LiveKit
    room: str = field(default_factory=lambda: f"s_{secrets.token_hex(16)}")
    identity: str = field(default_factory=lambda: f"learner-{secrets.token_hex(8)}")
    stt: ScriptedSTT = field(default_factory=lambda: ScriptedSTT(["Bonjour Marie."]))
    llm: ScriptedLLM = field(default_factory=lambda: ScriptedLLM(["Très bien, merci à vous."]))
    tts: ScriptedTTS = field(default_factory=ScriptedTTS)
    push_to_talk: bool = False
    idle: float = 600.0
    away: float = 30.0
    transport: type[RoomTransport] = RoomTransport
    learner: RoomLearner = field(init=False, repr=False)
    stored: StoredSession = field(init=False, repr=False)
    end: SessionEnd = field(init=False, repr=False)
    over: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the coach has ended the conversation."""

    def __post_init__(self) -> None:
        self.learner = RoomLearner(
            self.livekit.url, token(self.livekit, self.room, self.identity), again=self.fresh
        )

    async def fresh(self) -> tuple[str, str]:
        """What the server gives a learner who comes back."""
        return self.livekit.url, token(self.livekit, self.room, self.identity)

    async def held(self, script: Callable[[RoomLearner], Awaitable[None]]) -> SessionEnd:
        """Holds the conversation until the script is over or the coach ends it; `stored` is what
        was kept of it."""
        async with open_store(f"sqlite:///{self.folder / 'test.db'}", self.folder / "r") as store:
            plan = self._plan()

            async def coach() -> None:
                async with (
                    joined(self.livekit, self.room, "coach-1") as room,
                    self.transport(room, self.identity) as transport,
                ):
                    assert await transport.learner_joined(20.0)
                    self.end = end = await Conversation(plan, transport, store).run()
                    self.over.set()
                    transport.send(
                        Ended(session=plan.session.id, status=end.status, reason=end.reason)
                    )

            async def follow(learner: RoomLearner) -> None:
                await script(learner)
                if not self.over.is_set():
                    await learner.send(protocol.End())
                    await learner.until(lambda: learner.count("ended") > 0)

            serving = asyncio.create_task(coach())
            try:
                talking = asyncio.create_task(self.learner.talk(follow))
                await asyncio.wait({serving, talking}, return_when=asyncio.FIRST_COMPLETED)
                if serving.done():
                    serving.result()
                await talking
            finally:
                await serving
                self.stored = await store.get(plan.session.id)
        return self.end

    def _plan(self) -> Plan:
        library = content.load()
        exercise = library.exercise(EXERCISE, "fr")
        scenario = exercise.scenario()
        return Plan(
            session=Session(
                id=secrets.token_hex(8),
                exercise=exercise.id,
                scenario=scenario.id,
                character=exercise.character,
                language="fr",
                started_at=time.time(),
            ),
            exercise=exercise,
            scenario=scenario,
            character=library.character(exercise.character, "fr"),
            lines=library.lines("fr"),
            stages=Stages(stt=self.stt, llm=self.llm, tts=self.tts),
            statuses={},
            last_turn=LastTurn(),
            by_ear=False,
            duration=300.0,
            idle=self.idle,
            away=self.away,
            push_to_talk=self.push_to_talk,
            measure=_measured,
        )


async def _measured(samples: NDArray[np.float32], start: float) -> sound.Sound:
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(None, partial(sound.measure, samples, 16_000, start=start))


@pytest.fixture
def room_talk(tmp_path: Path, livekit: LiveKit) -> RoomTalk:
    return RoomTalk(tmp_path, livekit)


@pytest.fixture
def complaints(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """What asyncio, the engine and this project complained of, without what the WebRTC client
    writes whenever a room is left."""

    def found() -> list[str]:
        return [
            f"{record.name}: {record.getMessage()}"
            for record in caplog.records
            if record.levelno >= logging.WARNING
            and not any(known in record.getMessage() for known in (*TEARDOWN, BUSY))
        ]

    return found


@pytest.fixture(scope="session")
def sentence(shared_data: Path) -> bytes:
    """A French sentence of a real voice: PCM16 at 16 kHz."""
    path = sorted((shared_data / "fixtures-fr" / "voxforge").rglob("*.wav"))[0]
    samples, rate = soundfile.read(path, dtype="float32")
    speech: NDArray[Any] = np.asarray(soxr.resample(samples, rate, 16_000)).astype(np.float32)
    spoken = sound.measure(speech, 16_000).speech
    said = speech[int(spoken[0][0] * 16_000) : int(spoken[-1][1] * 16_000)]
    return bytes((np.clip(said, -1, 1) * 32767).astype("<i2").tobytes())
