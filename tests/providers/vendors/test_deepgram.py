"""What only Deepgram does."""

import asyncio
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from livekit.agents import APIError

from eloquence.conversation.faults import cause_of, retry_after
from eloquence.conversation.stages import Resources
from eloquence.providers import deepgram
from eloquence.testing.asking import ONCE
from eloquence.testing.context import stage_context
from eloquence.testing.hearing import Samples, finals, frames, heard, silence
from eloquence.testing.services import tone
from eloquence.testing.vendors import KEY, RETRY_AFTER, Mode
from eloquence.testing.vendors.deepgram import Deepgram

SPEECH: Samples = np.frombuffer(tone(1.0, 16_000), "<i2")


@pytest.fixture
def vendor() -> Iterator[Deepgram]:
    with Deepgram() as running:
        yield running


async def test_deepgram_is_asked_for_words_as_they_are_and_not_to_keep_them(
    vendor: Deepgram, resources: Resources
) -> None:
    options = deepgram.stt.parse(vendor.options, {})
    await heard(deepgram.stt.create(options, stage_context(resources=resources)), silence(0.1))
    asked = vendor.asked[0]
    assert asked.headers["authorization"] == f"Token {KEY}"
    query = {name: value[0] for name, value in parse_qs(urlsplit(asked.path).query).items()}
    wanted = {
        "model": "nova-3",
        "language": "fr",
        "mip_opt_out": "true",
        "filler_words": "true",
        "smart_format": "false",
        "profanity_filter": "false",
        "interim_results": "true",
        "encoding": "linear16",
        "sample_rate": "16000",
        "endpointing": "200",
    }
    assert query.items() >= wanted.items()


async def test_a_silent_microphone_does_not_cost_the_line(
    vendor: Deepgram, resources: Resources
) -> None:
    """Deepgram hangs up after ten seconds without sound or a word that there is none."""
    options = deepgram.stt.parse(vendor.options, {})
    made = deepgram.stt.create(options, stage_context(resources=resources))
    async with made.stream(conn_options=ONCE):
        assert await asyncio.to_thread(vendor.kept_alive.wait, 5)


async def test_a_recording_of_one_utterance_is_recognised_too(
    vendor: Deepgram, resources: Resources
) -> None:
    options = deepgram.stt.parse(vendor.options, {})
    made = deepgram.stt.create(options, stage_context(resources=resources))
    event = await made.recognize(list(frames(SPEECH)), conn_options=ONCE)
    assert event.alternatives[0].text == vendor.text
    assert event.alternatives[0].words
    assert "mip_opt_out=true" in vendor.asked[0].path


async def test_the_end_is_told_as_soon_as_all_was_heard(
    vendor: Deepgram, resources: Resources
) -> None:
    """LiveKit's plugin would sleep for five seconds more."""
    made = deepgram.stt.create(
        deepgram.stt.parse(vendor.options, {}), stage_context(resources=resources)
    )
    async with asyncio.timeout(3):
        assert finals(await heard(made, SPEECH))


@pytest.mark.parametrize(
    ("mode", "why"),
    [
        ("401", "authentication"),
        ("402", "rate_limit"),
        ("429", "rate_limit"),
        ("500", "internal"),
        ("html", "bad_answer"),
        ("garbage", "bad_answer"),
        ("close_mid", "unreachable"),
    ],
)
async def test_a_recording_that_cannot_be_recognised_tells_why(
    vendor: Deepgram, resources: Resources, mode: Mode, why: str
) -> None:
    vendor.mode = mode
    options = deepgram.stt.parse(vendor.options, {})
    made = deepgram.stt.create(options, stage_context(resources=resources))
    with pytest.raises(APIError) as caught:
        await made.recognize(list(frames(SPEECH)), conn_options=ONCE)
    assert cause_of(caught.value) == why
    assert retry_after(caught.value) == (RETRY_AFTER if mode == "429" else None)


async def test_the_probe_refuses_a_wrong_key_and_names_its_variable(vendor: Deepgram) -> None:
    wrong = deepgram.stt.parse({**vendor.options, "api_key": "wrong"}, {})
    told = await deepgram.probe(wrong, "fr")  # type: ignore[arg-type]
    assert not told.ready
    assert "DEEPGRAM_API_KEY" in told.mend


@pytest.mark.parametrize("given", ["whisper-1", "gpt-4o-transcribe"])
def test_a_model_of_openai_that_a_variable_still_names_is_replaced_and_that_is_told(
    given: str,
) -> None:
    """STT-07, X-29"""
    options = deepgram.stt.parse({}, {"DEEPGRAM_API_KEY": "k", "STT_MODEL": given})
    ready = deepgram.check(options, "fr")  # type: ignore[arg-type]
    assert ready.ready
    assert ready.model == "nova-3"
    assert given in ready.detail


@pytest.mark.parametrize(
    "given", ["https://api.eu.deepgram.com", "https://api.eu.deepgram.com/v1/listen"]
)
def test_another_region_of_deepgram_is_named_as_who_hears(given: str) -> None:
    ready = deepgram.check(deepgram.Options(base_url=given, api_key="k"), "fr")
    assert ready.leaves_machine == "api.eu.deepgram.com"
    assert deepgram.Options(base_url=given).host().url == "https://api.eu.deepgram.com/v1/listen"
