"""A plain livekit-agents worker, as its documentation has it, with the scripted stages.

    LIVEKIT_URL=… LIVEKIT_API_KEY=… LIVEKIT_API_SECRET=… python -m benchmarks.bare_worker KIND

KIND is `bare` (the engine's default settings) or `fast` (voice activity alone ends a turn, after
`scripted.PATIENCE`; input in frames of 20 ms).
"""

import asyncio
import logging
import math
import os
import sys
from typing import Any

from livekit.agents import Agent, AgentServer, AgentSession, JobContext, JobProcess, inference
from livekit.agents.voice.room_io import AudioInputOptions, RoomOptions

from benchmarks import scripted

OPENING = "Bonjour ! Je suis ravie de discuter avec vous."


def prewarm(process: JobProcess) -> None:
    inference.VAD()
    inference.TurnDetector(version="v1-mini")


def settings_of(kind: str) -> dict[str, Any]:
    if kind == "bare":
        return {}
    return {
        "vad": inference.VAD(min_silence_duration=0.25),
        "aec_warmup_duration": None,
        "turn_handling": {
            "turn_detection": "vad",
            "endpointing": {"min_delay": scripted.PATIENCE, "max_delay": scripted.PATIENCE},
            "interruption": {"mode": "vad", "min_duration": 0.1},
            "preemptive_generation": {"enabled": True, "preemptive_tts": True},
        },
    }


async def hold(job: JobContext) -> None:
    kind = os.environ["BENCH_KIND"]
    session: AgentSession[Any] = AgentSession(
        stt=scripted.make_stt(),
        llm=scripted.make_llm(),
        tts=scripted.make_tts(),
        **settings_of(kind),
    )
    heard = (
        RoomOptions()
        if kind == "bare"
        else RoomOptions(
            audio_input=AudioInputOptions(
                sample_rate=16_000, frame_size_ms=20, pre_connect_audio=False
            )
        )
    )
    await session.start(
        Agent(instructions="Tu es Marie."), room=job.room, room_options=heard, record=False
    )
    session.say(OPENING)


async def main(kind: str) -> None:
    os.environ["BENCH_KIND"] = kind
    logging.basicConfig(level=logging.INFO)
    server = AgentServer(
        host="127.0.0.1",
        port=0,
        num_idle_processes=int(os.environ.get("BENCH_IDLE", "2")),
        setup_fnc=prewarm,
        load_fnc=lambda _: 0.0,
        load_threshold=math.inf,
    )
    server.rtc_session(hold, agent_name=kind)
    await server.run(devmode=False)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
