"""What the engine needs of every voice, whoever wrote it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from livekit.agents import tts
from livekit.agents.types import USERDATA_TIMED_TRANSCRIPT, APIConnectOptions

from eloquence import registry
from eloquence.conversation.stages import Resources
from eloquence.testing.context import stage_context
from eloquence.testing.piper import write_humming_voice
from eloquence.testing.services import Services

ONCE = APIConnectOptions(max_retry=0, timeout=5)
TEXT = "Bonjour. Je suis Marie, votre coach : on commence ?"


@pytest.fixture
async def services() -> AsyncIterator[Services]:
    async with Services() as running:
        yield running


@pytest.fixture(params=registry.names("tts"))
def voice(
    request: pytest.FixtureRequest, services: Services, resources: Resources, tmp_path: Path
) -> "tts.TTS[Any]":
    given: dict[str, dict[str, object]] = {
        "openai": {"base_url": services.url},
        "service": {"url": services.url},
        "espeak": {},
        "piper": {"models": tmp_path},
    }
    write_humming_voice(tmp_path)
    if request.param not in given:
        pytest.skip(f"{request.param} comes from another package: its options are not known here")
    provider = registry.provider("tts", request.param)
    options = provider.parse(given[request.param], {})
    assert provider.check(options, "fr").ready
    made: tts.TTS[Any] = provider.create(options, stage_context(resources=resources))
    return made


async def spoken(voice: "tts.TTS[Any]", *pieces: str) -> tuple[bytes, str]:
    pcm, text = b"", ""
    async with voice.stream(conn_options=ONCE) as stream:
        for piece in pieces:
            stream.push_text(piece)
        stream.end_input()
        async for audio in stream:
            assert audio.frame.sample_rate == voice.sample_rate == 24_000
            assert audio.frame.num_channels == 1
            pcm += audio.frame.data.tobytes()
            text += "".join(audio.frame.userdata.get(USERDATA_TIMED_TRANSCRIPT, []))
    return pcm, text


async def test_text_becomes_sound_that_carries_its_text(voice: "tts.TTS[Any]") -> None:
    assert voice.capabilities.streaming
    assert voice.capabilities.aligned_transcript
    pcm, text = await spoken(voice, TEXT)
    sound = np.frombuffer(pcm, np.int16).astype(float)
    assert len(sound) > 24_000
    assert np.sqrt(np.mean(sound**2)) > 300
    assert np.abs(sound).max() < 32_767 * 10 ** (-1 / 20)
    assert text.split() == TEXT.split()


async def test_text_may_come_in_pieces_of_any_size(voice: "tts.TTS[Any]") -> None:
    pcm, text = await spoken(voice, *TEXT)
    assert len(pcm) > 24_000
    assert text.split() == TEXT.split()


@pytest.mark.parametrize("text", ["", " ", "\n"])
async def test_no_text_is_no_sound_and_no_failure(voice: "tts.TTS[Any]", text: str) -> None:
    assert (await spoken(voice, text))[0] == b""


async def test_a_sentence_can_be_asked_for_as_a_whole(voice: "tts.TTS[Any]") -> None:
    frame = await voice.synthesize("Bonjour.", conn_options=ONCE).collect()
    assert frame.duration > 0.2


async def test_an_interruption_leaves_nothing_running(voice: "tts.TTS[Any]") -> None:
    await spoken(voice, "Bonjour.")  # what is shared has been started
    before = asyncio.all_tasks()
    stream = voice.stream(conn_options=ONCE)
    stream.push_text(TEXT * 20)
    stream.flush()
    await asyncio.wait_for(anext(stream), 20)
    await stream.aclose()
    await asyncio.sleep(0)
    left = [one for one in asyncio.all_tasks() - before if "Services" not in repr(one.get_coro())]
    assert left == []
    assert (await spoken(voice, "Encore."))[0], "and it speaks again at once"


async def test_it_names_itself_for_the_metrics(voice: "tts.TTS[Any]") -> None:
    assert voice.model not in ("", "unknown")
    assert voice.provider not in ("", "unknown")
