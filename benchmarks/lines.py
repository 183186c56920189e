"""A server that holds conversations over WebSockets with scripted stages: ours or bare engine.

    python -m benchmarks.lines KIND PORT PATIENCE

KIND is `ours` (the product's conversation: store, tape, measures, captions), `bare` (a plain
livekit-agents session with its default settings) or `fast` (a plain session that waits no longer
than PATIENCE, with its own end-of-turn rule: voice activity). All three use the same socket, the
same stages and the same voice-activity model.
"""

import asyncio
import os
import secrets
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI, WebSocket
from livekit.agents import Agent, AgentSession, inference, utils

from eloquence import protocol
from eloquence.coaching.exercise import Patience
from eloquence.coaching.session import Session
from eloquence.conversation.conversation import Conversation
from eloquence.conversation.fallback.breaker import Breaker
from eloquence.conversation.fallback.chain import Chain, Link
from eloquence.conversation.plan import Plan, Stages
from eloquence.conversation.stages import LastTurn
from eloquence.delivery import sound
from eloquence.protocol import StageStatus
from eloquence.server.talk import BrowserSocket
from eloquence.storage import content
from eloquence.storage.sessions import SqlSessionStore, open_store
from eloquence.testing.stages import ScriptedLLM, ScriptedSTT, ScriptedTTS
from eloquence.transports.websocket import WebSocketTransport

REPLY = "Très bien, je vous suis. Et ensuite ?"


def stages() -> Stages:
    """STT final 100 ms after the speech, first token after 200 ms, first sound after 100 ms."""
    return Stages(
        stt=ScriptedSTT(["Je voudrais vous parler de mon travail."], delay=0.1),
        llm=ScriptedLLM([REPLY], first=0.2),
        tts=ScriptedTTS(first=0.1),
    )


OUTSIDE = Chain[Any](
    "llm",
    [Link("", None, Breaker(), StageStatus(provider="", detail="", leaves_machine="example.org"))],
)
"""With it answers are prepared as for a model that somebody outside is paid for."""
ANALYST = ThreadPoolExecutor(1, thread_name_prefix="eloquence-analysis")


async def ours(transport: WebSocketTransport, store: SqlSessionStore, patience: float) -> None:
    library = content.load()
    exercise = library.exercise("conversation_libre_marie", "fr").model_copy(
        update={"patience": Patience(minimum=patience, maximum=patience)}
    )
    scenario = exercise.scenario()
    session = Session(
        id=secrets.token_hex(8),
        exercise=exercise.id,
        scenario=scenario.id,
        character=exercise.character,
        language="fr",
        started_at=time.time(),
    )
    loop = asyncio.get_running_loop()

    async def measure(samples: Any, start: float) -> sound.Sound:
        return await loop.run_in_executor(
            ANALYST, partial(sound.measure, samples, 16_000, start=start)
        )

    plan = Plan(
        session=session,
        exercise=exercise,
        scenario=scenario,
        character=library.character(exercise.character, "fr"),
        lines=library.lines("fr"),
        stages=stages(),
        statuses={},
        last_turn=LastTurn(),
        by_ear=False,
        duration=3600,
        idle=3600,
        chains=[OUTSIDE] if os.environ.get("BENCH_FRUGAL") == "1" else [],
        measure=measure,
    )
    end = await Conversation(plan, transport, store).run()
    transport.send(protocol.Ended(session=session.id, status=end.status, reason=end.reason))


async def bare(transport: WebSocketTransport, settings: dict[str, Any]) -> None:
    made = stages()
    engine: AgentSession[Any] = AgentSession(stt=made.stt, llm=made.llm, tts=made.tts, **settings)
    engine.input.audio = transport.audio_input
    engine.output.audio = transport.audio_output
    engine.on(
        "agent_state_changed",
        lambda event: (
            transport.send(protocol.StateChanged(state=event.new_state))
            if event.new_state in ("listening", "thinking", "speaking")
            else None
        ),
    )
    async with utils.http_context.open():
        await engine.start(Agent(instructions="Tu es Marie."), record=False)
        transport.send(
            protocol.Ready(
                session="bare",
                character="",
                title="",
                duration=0,
                patience=0,
                by_ear=False,
                stages={},
            )
        )
        engine.say("Bonjour ! Je suis ravie de discuter avec vous.")
        async for message in transport.messages():
            if isinstance(message, protocol.End):
                break
        await engine.aclose()
        await made.aclose()
    transport.send(protocol.Ended(session="bare", status="complete", reason="learner"))


def settings_of(kind: str, patience: float) -> dict[str, Any]:
    if kind == "bare":
        return {}
    return {
        "vad": inference.VAD(min_silence_duration=0.25),
        "aec_warmup_duration": None,
        "turn_handling": {
            "turn_detection": "vad",
            "endpointing": {"min_delay": patience, "max_delay": patience},
            "interruption": {"mode": "vad", "min_duration": 0.1},
            "preemptive_generation": {
                "enabled": True,
                "preemptive_tts": os.environ.get("BENCH_FRUGAL") != "1",
                "max_retries": 3 if os.environ.get("BENCH_FRUGAL") == "1" else 50,
            },
        },
    }


def app(kind: str, patience: float) -> FastAPI:
    @asynccontextmanager
    async def lifespan(made: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            made.state.store = await stack.enter_async_context(
                open_store(f"sqlite:///{folder / 'bench.db'}", folder / "recordings")
            )
            yield

    made = FastAPI(lifespan=lifespan)

    @made.websocket("/talk")
    async def talk(websocket: WebSocket) -> None:
        await websocket.accept()
        async with WebSocketTransport(BrowserSocket(websocket)) as transport:
            await transport.hello()
            if kind == "ours":
                await ours(transport, made.state.store, patience)
            else:
                await bare(transport, settings_of(kind, patience))

    return made


if __name__ == "__main__":
    kind, port, patience = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    uvicorn.run(
        app(kind, patience),
        port=port,
        log_level="warning",
        ws="websockets-sansio",
        ws_max_size=protocol.MAX_FRAME_BYTES,
        ws_per_message_deflate=False,
    )
