"""Giving recorded sound to a recogniser stage as fast as it takes it, and what it made of it."""

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr
from livekit import rtc
from livekit.agents import stt
from livekit.agents.types import APIConnectOptions

RATE = 16_000
FRAME = 320
Samples = np.ndarray[Any, np.dtype[np.int16]]


def recording(path: Path) -> Samples:
    """Mono 16 kHz samples of a sound file."""
    sound, rate = soundfile.read(path, dtype="float32", always_2d=True)
    mono = soxr.resample(sound.mean(axis=1), rate, RATE)
    samples: Samples = (np.clip(mono, -1, 1) * 32_767).astype(np.int16)
    return samples


def silence(seconds: float) -> Samples:
    return np.zeros(round(seconds * RATE), np.int16)


def frames(sound: Samples) -> Iterable[rtc.AudioFrame]:
    """The sound as frames of 20 ms; the last one is filled with silence."""
    for start in range(0, len(sound), FRAME):
        piece = sound[start : start + FRAME]
        padded = np.pad(piece, (0, FRAME - len(piece)))
        yield rtc.AudioFrame(padded.tobytes(), RATE, 1, FRAME)


async def heard(
    stage: stt.STT[Any], sound: Samples, *, pace: float = 0.0, retries: int = 0
) -> list[stt.SpeechEvent]:
    """Every event that the stage gives for the sound, without the usage reports.

    `pace` is how many times slower than at once: 0 gives the frames as fast as possible, 1 in
    real time. Raises what the stage raises.
    """
    options = APIConnectOptions(max_retry=retries, retry_interval=0.0, timeout=5)
    async with stage.stream(conn_options=options) as stream:

        async def feed() -> None:
            for frame in frames(sound):
                stream.push_frame(frame)
                await asyncio.sleep(frame.duration * pace)
            stream.end_input()

        feeding = asyncio.create_task(feed())
        try:
            return [
                event
                async for event in stream
                if event.type is not stt.SpeechEventType.RECOGNITION_USAGE
            ]
        finally:
            feeding.cancel()
            await asyncio.wait([feeding])


def finals(events: Iterable[stt.SpeechEvent]) -> list[stt.SpeechData]:
    """The final transcripts among the events."""
    return [
        event.alternatives[0]
        for event in events
        if event.type is stt.SpeechEventType.FINAL_TRANSCRIPT
    ]
