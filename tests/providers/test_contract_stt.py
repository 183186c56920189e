"""What the engine needs of every recogniser, whoever wrote it."""

import asyncio
import time
from pathlib import Path

import numpy as np
import pytest
from livekit.agents import APIError, stt
from livekit.agents.types import APIConnectOptions

from eloquence import registry
from eloquence.conversation.faults import cause_of, retry_after
from eloquence.conversation.stages import Resources
from eloquence.testing.asking import twice
from eloquence.testing.contract import LOCAL, RETRY_AFTER, Subject, Traces
from eloquence.testing.deadlines import IN_TIME, deadline
from eloquence.testing.hearing import Samples, finals, frames, heard, recording, silence

Kind = stt.SpeechEventType
EVERY = [("stt", name) for name in registry.names("stt")]
pytestmark = [
    pytest.mark.speech,
    pytest.mark.parametrize("provider_name", EVERY, ids=lambda given: given[1]),
]
FIRST_SECONDS = 2.0
MOST_TRIES = 6
"""An utterance is sent once more, and some vendors' own clients try a few times by themselves."""
SILENT_CLIENTS = frozenset({"azure", "google"})
"""Their clients try again by themselves, or send on while they are refused: then they say no more
than that it took too long, or cannot be read, and that only once the sound has ended: while it goes
on, it is the chain that leaves who tells nothing. For how long one is to wait they never say."""


@pytest.fixture
def voice(shared_data: Path) -> Samples:
    return recording(shared_data / "fixtures-en/misc/jfk.wav")[: 16_000 * 3]


async def failed(
    stage: "stt.STT[str]", sound: Samples, patience: float, *, ends: bool = False
) -> BaseException:
    """How the stage fails while somebody speaks and then waits, or once the sound `ends`, which it
    must in time; `patience` is for the host's first word, in seconds."""
    stream = stage.stream(conn_options=APIConnectOptions(max_retry=0, timeout=patience))
    for frame in frames(sound):
        stream.push_frame(frame)
    if ends:
        stream.end_input()

    async def told() -> None:
        async for _ in stream:
            pass

    try:
        with pytest.raises(APIError) as caught:
            await asyncio.wait_for(told(), IN_TIME)
    finally:
        await stream.aclose()
    return caught.value


@pytest.fixture
def stage(one: Subject, resources: Resources) -> "stt.STT[str]":
    made: stt.STT[str] = one.made(resources)
    return made


@pytest.mark.contract("streams")
async def test_speech_gives_a_start_words_with_a_language_and_an_end(
    one: Subject, stage: "stt.STT[str]", voice: Samples
) -> None:
    events = await heard(stage, np.concatenate([silence(0.5), voice, silence(0.6)]))
    kinds = [event.type for event in events]
    assert kinds[0] is Kind.START_OF_SPEECH
    assert kinds.count(Kind.START_OF_SPEECH) == kinds.count(Kind.END_OF_SPEECH) >= 1
    found = finals(events)
    assert found
    for final in found:
        assert final.text.strip()
        assert str(final.language).split("-")[0] == one.language
        assert 0 <= final.start_time <= final.end_time <= 6
    interim = Kind.INTERIM_TRANSCRIPT in kinds
    assert interim <= bool(stage.capabilities.interim_results)
    assert stage.model not in ("", "unknown")
    assert stage.provider not in ("", "unknown")
    assert stage.capabilities.streaming


@pytest.mark.contract("streams")
async def test_it_keeps_up_with_speech(stage: "stt.STT[str]", voice: Samples) -> None:
    sound = np.concatenate([silence(0.3), voice[: 16_000 * 2], silence(0.6)])
    await heard(stage, sound)  # what is shared has been loaded
    began = time.process_time()  # whatever else the machine is doing
    async with stage.stream(conn_options=APIConnectOptions(max_retry=0, timeout=5)) as stream:
        for frame in frames(sound):
            stream.push_frame(frame)
        stream.end_input()
        async for event in stream:
            if event.type is Kind.FINAL_TRANSCRIPT:
                assert time.process_time() - began < len(sound) / 16_000 + FIRST_SECONDS
                return
    pytest.fail("nothing was heard")


@pytest.mark.contract("streams")
@pytest.mark.parametrize("seconds", [0, 3])
async def test_silence_gives_no_words(stage: "stt.STT[str]", seconds: float) -> None:
    assert finals(await heard(stage, silence(seconds))) == []


@pytest.mark.contract("times")
async def test_words_carry_their_times_when_it_says_that_they_do(
    one: Subject, stage: "stt.STT[str]", voice: Samples
) -> None:
    found = finals(await heard(stage, np.concatenate([silence(0.5), voice, silence(0.6)])))
    timed = [word for final in found for word in final.words or []]
    assert bool(timed) == bool(stage.capabilities.aligned_transcript)
    if one.provider.name == "none":
        pytest.skip("needs a recogniser: by ear there are no words")
    assert timed
    for word in timed:
        assert isinstance(word.start_time, float)
        assert isinstance(word.end_time, float)
        assert 0 <= word.start_time <= word.end_time <= 6


@pytest.mark.contract("again")
async def test_a_stage_can_listen_again(stage: "stt.STT[str]", voice: Samples) -> None:
    sound = np.concatenate([voice, silence(0.6)])
    first, second = await heard(stage, sound), await heard(stage, sound)
    assert bool(finals(first)) == bool(finals(second)) is True


@pytest.mark.contract("again")
async def test_a_recording_of_one_utterance_can_be_recognised(
    stage: "stt.STT[str]", voice: Samples
) -> None:
    if not stage.capabilities.offline_recognize:
        assert finals(await heard(stage, voice))
        return
    event = await stage.recognize(list(frames(voice)))
    assert event.type is Kind.FINAL_TRANSCRIPT
    assert event.alternatives[0].text.strip()


@pytest.mark.contract("leaves")
async def test_leaving_in_mid_sentence_leaves_nothing_running(one: Subject, voice: Samples) -> None:
    traces, resources = Traces(), Resources()
    stage = one.made(resources)
    await heard(stage, np.concatenate([voice, silence(0.6)]))
    warm = Traces()
    stream = stage.stream()
    for frame in frames(voice):
        stream.push_frame(frame)
    await asyncio.wait_for(anext(stream), 20)
    await stream.aclose()
    assert await warm.tasks_left() == []
    await stage.aclose()
    await resources.close()
    left = await traces.settled()
    if one.provider.name == "google":  # gRPC keeps one connection for a while, whoever closes it
        left = [what for what in left if "sockets" not in what]
    assert left == []


@pytest.mark.contract("closes")
async def test_it_may_be_closed_twice(
    stage: "stt.STT[str]", resources: Resources, voice: Samples
) -> None:
    stream = stage.stream()
    for frame in frames(np.concatenate([voice, silence(0.6)])):
        stream.push_frame(frame)
    stream.end_input()
    async for _ in stream:
        pass
    await twice(stream.aclose, stage.aclose, resources.close)


@pytest.mark.contract
@pytest.mark.parametrize(
    ("kind", "mode", "causes"),
    [
        ("401", "401", {"authentication"}),
        ("429", "429", {"rate_limit"}),
        ("500", "500", {"internal"}),
        ("hang", "hang", {"timeout", "unreachable"}),
        ("cut", "close_mid", {"unreachable", "internal"}),
        ("empty", "empty", set()),
        ("garbage", "garbage", {"bad_answer", "unreachable"}),
    ],
)
async def test_a_failure_is_told_in_time_with_its_cause(
    one: Subject, resources: Resources, voice: Samples, kind: str, mode: str, causes: set[str]
) -> None:
    """RES-01, RES-03, S01 to S07"""
    if one.host is None:
        pytest.skip(LOCAL)
    one.fail(mode)
    stage = one.made(resources)
    sound = np.concatenate([silence(0.3), voice[: 16_000 * 2], silence(0.6)])
    if mode == "empty":
        assert finals(await heard(stage, sound)) == []
    else:
        silent = one.provider.name in SILENT_CLIENTS
        error = await failed(stage, sound, 2.0 if silent else deadline(mode), ends=silent)
        hidden = {"timeout", "bad_answer"} if silent else set()
        assert cause_of(error) in causes | hidden
        if mode == "429" and not silent:
            assert retry_after(error) == RETRY_AFTER
        assert len(one.host.asked) <= MOST_TRIES, "no hammering"
    one.fail("ok")
    assert finals(await heard(stage, sound)), "and it hears again"
