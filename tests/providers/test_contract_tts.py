"""What the engine needs of every voice, whoever wrote it."""

import asyncio
import time
from typing import Any

import numpy as np
import pytest
from livekit.agents import APIError, tts
from livekit.agents.types import USERDATA_TIMED_TRANSCRIPT

from eloquence import registry
from eloquence.conversation.faults import cause_of, retry_after
from eloquence.conversation.stages import Resources
from eloquence.testing.asking import ONCE, spoken, twice
from eloquence.testing.contract import LOCAL, RETRY_AFTER, Subject, Traces
from eloquence.testing.deadlines import IN_TIME

TEXT = "Bonjour. Je suis Marie, votre coach : on commence ?"
EVERY = [("tts", name) for name in registry.names("tts")]
pytestmark = pytest.mark.parametrize("provider_name", EVERY, ids=lambda given: given[1])
FIRST_SECONDS = 2.0


@pytest.fixture
def voice(one: Subject, resources: Resources) -> "tts.TTS[Any]":
    made: tts.TTS[Any] = one.made(resources)
    return made


@pytest.mark.contract("streams")
async def test_text_becomes_sound_that_is_neither_silent_nor_distorted(
    voice: "tts.TTS[Any]",
) -> None:
    assert voice.capabilities.streaming
    pcm, _ = await spoken(voice, TEXT)
    sound = np.frombuffer(pcm, np.int16).astype(float)
    assert len(sound) > 24_000
    assert np.sqrt(np.mean(sound**2)) > 300
    assert np.abs(sound).max() < 32_767 * 10 ** (-1 / 20)
    assert voice.model not in ("", "unknown")
    assert voice.provider not in ("", "unknown")


@pytest.mark.contract("streams")
async def test_the_first_sound_comes_while_text_is_still_being_written(
    voice: "tts.TTS[Any]",
) -> None:
    await spoken(voice, "Bonjour.")  # what is shared has been started
    began = time.perf_counter()
    async with voice.stream(conn_options=ONCE) as stream:
        stream.push_text("Bonjour à vous. Je suis Marie, votre coach. Nous commençons tout de")
        await asyncio.wait_for(anext(stream), FIRST_SECONDS)
        assert time.perf_counter() - began < FIRST_SECONDS
        stream.push_text(" suite.")
        stream.end_input()
        assert [audio async for audio in stream]


@pytest.mark.contract("streams")
async def test_text_may_come_in_pieces_of_any_size(voice: "tts.TTS[Any]") -> None:
    pcm, text = await spoken(voice, *TEXT)
    assert len(pcm) > 24_000
    assert text.split() == TEXT.split()


@pytest.mark.contract("streams")
@pytest.mark.parametrize("text", ["", " ", "\n"])
async def test_no_text_is_no_sound_and_no_failure(voice: "tts.TTS[Any]", text: str) -> None:
    assert (await spoken(voice, text))[0] == b""


@pytest.mark.contract("times")
async def test_the_sound_carries_its_text_in_time(voice: "tts.TTS[Any]") -> None:
    assert voice.capabilities.aligned_transcript
    words: list[str] = []
    seconds = 0.0
    async with voice.stream(conn_options=ONCE) as stream:
        stream.push_text(TEXT)
        stream.end_input()
        async for audio in stream:
            for word in audio.frame.userdata.get(USERDATA_TIMED_TRANSCRIPT, []):
                assert -0.1 <= word.start_time <= seconds + audio.frame.duration + 0.3
                words.append(str(word))
            seconds += audio.frame.duration
    assert "".join(words).split() == TEXT.split()


@pytest.mark.contract("again")
async def test_a_sentence_can_be_asked_for_as_a_whole(voice: "tts.TTS[Any]") -> None:
    for _ in range(3):
        frame = await voice.synthesize("Bonjour.", conn_options=ONCE).collect()
        assert frame.duration > 0.2


@pytest.mark.contract("leaves")
@pytest.mark.parametrize("when", ["at once", "after a sound", "while nothing comes"])
async def test_an_interruption_leaves_nothing_running(one: Subject, when: str) -> None:
    traces, resources = Traces(), Resources()
    voice = one.made(resources)
    await spoken(voice, "Bonjour.")  # what is shared has been started
    warm = Traces()
    if when == "while nothing comes" and one.host is not None:
        one.fail("hang")
    stream = voice.stream(conn_options=ONCE)
    stream.push_text(TEXT * 20)
    stream.flush()
    if when == "after a sound":
        await asyncio.wait_for(anext(stream), 20)
    elif when == "while nothing comes":
        await asyncio.sleep(0.05)
    await stream.aclose()
    assert await warm.tasks_left() == []
    if one.host is not None:
        one.fail("ok")
    assert (await spoken(voice, "Encore."))[0], "and it speaks again at once"
    await voice.aclose()
    await resources.close()
    assert await traces.settled() == []


@pytest.mark.contract("closes")
async def test_it_may_be_closed_twice(voice: "tts.TTS[Any]", resources: Resources) -> None:
    stream = voice.stream(conn_options=ONCE)
    stream.push_text("Bonjour.")
    stream.end_input()
    async for _ in stream:
        pass
    await twice(stream.aclose, voice.aclose, resources.close)


@pytest.mark.contract
@pytest.mark.parametrize(
    ("kind", "mode", "causes"),
    [
        ("401", "401", {"authentication"}),
        ("429", "429", {"rate_limit"}),
        ("500", "500", {"internal"}),
        ("hang", "hang", {"timeout"}),
        ("hang", "headers_then_hang", {"timeout", "bad_answer"}),
        ("cut", "close_mid", {"unreachable"}),
        ("cut", "stall_mid", {"timeout"}),
        ("empty", "empty", {"bad_answer"}),
        ("garbage", "garbage", {"bad_answer"}),
        ("garbage", "html", {"bad_answer"}),
    ],
)
async def test_a_failure_is_told_once_in_time_with_its_cause(
    one: Subject, resources: Resources, kind: str, mode: str, causes: set[str]
) -> None:
    """RES-01, RES-03, T01 to T04: a cut sentence is never reported as fine."""
    if one.host is None:
        pytest.skip(LOCAL)
    one.fail(mode)
    voice = one.made(resources)
    async with asyncio.timeout(IN_TIME):
        with pytest.raises(APIError) as caught:
            await voice.synthesize("Bonjour.", conn_options=ONCE).collect()
    assert cause_of(caught.value) in causes
    assert retry_after(caught.value) == (RETRY_AFTER if mode == "429" else None)
    assert len(one.host.asked) == 1, "no hammering"
    one.fail("ok")
    assert (await spoken(voice, "Encore."))[0], "and it speaks again"
