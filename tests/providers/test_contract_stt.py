"""What the engine needs of every recogniser, whoever wrote it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
from livekit.agents import stt

from eloquence import registry
from eloquence.conversation.stages import Resources
from eloquence.testing.context import stage_context
from eloquence.testing.hearing import Samples, finals, frames, heard, recording, silence
from eloquence.testing.services import Services

Kind = stt.SpeechEventType
pytestmark = pytest.mark.speech


@pytest.fixture
async def services() -> AsyncIterator[Services]:
    async with Services() as running:
        yield running


@pytest.fixture(params=registry.names("stt"))
def stage(
    request: pytest.FixtureRequest, services: Services, resources: Resources
) -> "stt.STT[str]":
    given: dict[str, dict[str, object]] = {
        "vosk": {"url": services.websocket_url},
        "openai": {"base_url": services.url},
        "pocketsphinx": {},
        "none": {},
    }
    if request.param not in given:
        pytest.skip(f"{request.param} comes from another package: its options are not known here")
    provider = registry.provider("stt", request.param)
    options = provider.parse(given[request.param], {})
    assert provider.check(options, "en").ready
    made: stt.STT[str] = provider.create(options, stage_context("en", resources=resources))
    return made


@pytest.fixture
def voice(shared_data: Path) -> Samples:
    return recording(shared_data / "fixtures-en/misc/jfk.wav")[: 16_000 * 4]


async def test_speech_gives_a_start_words_with_a_language_and_an_end(
    stage: "stt.STT[str]", voice: Samples
) -> None:
    events = await heard(stage, np.concatenate([silence(0.5), voice, silence(0.6)]))
    kinds = [event.type for event in events]
    assert kinds[0] is Kind.START_OF_SPEECH
    assert kinds.count(Kind.START_OF_SPEECH) == kinds.count(Kind.END_OF_SPEECH) >= 1
    found = finals(events)
    assert found
    for final in found:
        assert final.text.strip()
        assert final.language == "en"
        assert 0 <= final.start_time <= final.end_time <= 6
        times = [word.start_time for word in final.words or []]
        assert all(isinstance(time, float) for time in times)
    interim = Kind.INTERIM_TRANSCRIPT in kinds
    assert interim <= stage.capabilities.interim_results
    assert any(final.words for final in found) == bool(stage.capabilities.aligned_transcript)


async def test_silence_gives_nothing(stage: "stt.STT[str]") -> None:
    assert await heard(stage, silence(3)) == []


async def test_no_sound_at_all_gives_nothing(stage: "stt.STT[str]") -> None:
    assert await heard(stage, silence(0)) == []


async def test_a_stage_can_listen_again(stage: "stt.STT[str]", voice: Samples) -> None:
    sound = np.concatenate([voice, silence(0.6)])
    first, second = await heard(stage, sound), await heard(stage, sound)
    assert bool(finals(first)) == bool(finals(second)) is True


async def test_leaving_in_mid_sentence_leaves_nothing_running(
    stage: "stt.STT[str]", voice: Samples
) -> None:
    before = asyncio.all_tasks()
    stream = stage.stream()
    for frame in frames(voice):
        stream.push_frame(frame)
    await asyncio.wait_for(anext(stream), 20)
    await stream.aclose()
    await asyncio.sleep(0)
    left = {task for task in asyncio.all_tasks() - before if not _of_the_server(task)}
    assert not left


async def test_a_recording_of_one_utterance_can_be_recognised(
    stage: "stt.STT[str]", voice: Samples
) -> None:
    assert stage.capabilities.offline_recognize
    event = await stage.recognize(list(frames(voice)))
    assert event.type is Kind.FINAL_TRANSCRIPT
    assert event.alternatives[0].text.strip()


def _of_the_server(task: "asyncio.Task[object]") -> bool:
    return "Services" in repr(task.get_coro())


async def test_it_names_itself_for_the_metrics(stage: "stt.STT[str]") -> None:
    assert stage.model not in ("", "unknown")
    assert stage.provider not in ("", "unknown")
    assert stage.capabilities.streaming
