"""Hearing by ear: turns without words."""

import asyncio
from pathlib import Path

import numpy as np
import pytest
from livekit.agents import stt

from eloquence.conversation.stages import HEARD, Resources
from eloquence.providers import ear
from eloquence.providers._utterances import UtteranceSTT
from eloquence.testing.context import stage_context
from eloquence.testing.hearing import RATE, finals, frames, heard, recording, silence

Kind = stt.SpeechEventType


@pytest.fixture
def stage(resources: Resources) -> UtteranceSTT:
    return ear.create(ear.Options(), stage_context("fr", resources=resources))


@pytest.mark.speech
async def test_each_stretch_of_speech_is_one_utterance_without_words(
    stage: UtteranceSTT, shared_data: Path
) -> None:
    voice = recording(shared_data / "fixtures-fr/voxforge/fr-sb-497.wav")
    sound = np.concatenate([silence(1), voice, silence(1.5), voice, silence(1)])
    events = await heard(stage, sound)
    said = finals(events)
    assert said
    assert {final.text for final in said} == {HEARD}
    assert {final.language for final in said} == {"fr"}
    kinds = [event.type for event in events]
    assert kinds.count(Kind.START_OF_SPEECH) == kinds.count(Kind.END_OF_SPEECH) == len(said)
    assert kinds[0] is Kind.START_OF_SPEECH
    starts, ends = [f.start_time for f in said], [f.end_time for f in said]
    assert 0.4 < starts[0] < 2.4
    assert ends == sorted(ends)
    second = 1 + len(voice) / RATE + 1.5
    assert any(second - 0.6 < start < second + 1.6 for start in starts)
    assert ends[-1] < len(sound) / RATE - 0.5


@pytest.mark.parametrize("noise", ["silence", "click", "hiss"])
async def test_what_is_no_speech_is_no_turn(stage: UtteranceSTT, noise: str) -> None:
    """S06"""
    sound = silence(5)
    draw = np.random.default_rng(1)
    if noise == "click":
        sound[RATE : RATE + 800] = draw.integers(-20_000, 20_000, 800)
    if noise == "hiss":
        sound = draw.integers(-300, 300, len(sound)).astype(np.int16)
    assert await heard(stage, sound) == []


@pytest.mark.speech
async def test_a_blip_of_speech_is_no_turn(stage: UtteranceSTT, shared_data: Path) -> None:
    voice = recording(shared_data / "fixtures-fr/lamartine.wav")
    loud = int(np.argmax(np.convolve(np.abs(voice.astype(float)), np.ones(2_000), "same")))
    blip = voice[loud - 1_000 : loud + 1_000]
    assert finals(await heard(stage, np.concatenate([silence(1), blip, silence(1)]))) == []


@pytest.mark.speech
async def test_three_tenths_of_a_second_of_silence_are_enough_to_end_an_utterance(
    stage: UtteranceSTT, shared_data: Path
) -> None:
    sentence = recording(shared_data / "fixtures-fr/lamartine.wav")[: 2 * RATE]
    async with stage.stream() as stream:
        for frame in frames(np.concatenate([sentence, silence(0.3)])):
            stream.push_frame(frame)
        ended = 0.0
        while ended < 1.8:  # the input stays open: only the silence can have ended it
            event = await asyncio.wait_for(anext(stream), 5)
            if event.type is Kind.FINAL_TRANSCRIPT:
                ended = event.alternatives[0].end_time
    assert ended == pytest.approx(2.0, abs=0.15)


@pytest.mark.speech
async def test_a_flush_ends_the_utterance_without_waiting_for_silence(
    stage: UtteranceSTT, shared_data: Path
) -> None:
    voice = recording(shared_data / "fixtures-fr/lamartine.wav")[: 2 * RATE]
    async with stage.stream() as stream:
        for frame in frames(voice):
            stream.push_frame(frame)
        stream.flush()
        async for event in stream:
            if event.type is Kind.FINAL_TRANSCRIPT:
                break
        assert event.alternatives[0].end_time <= 2.05
        for frame in frames(np.concatenate([silence(1), voice, silence(1)])):
            stream.push_frame(frame)
        stream.end_input()
        later = finals([event async for event in stream])
    assert later
    assert 3.0 < later[0].start_time < 4.3, "the silence we put in does not shift the clock"


def test_it_is_always_ready_and_names_the_model_that_would_help() -> None:
    readiness = ear.check(ear.Options(), "fr")
    assert readiness.ready
    assert readiness.model == "vosk-model-small-fr-0.22"
    assert "models download" in readiness.mend
    assert readiness.leaves_machine == ""
