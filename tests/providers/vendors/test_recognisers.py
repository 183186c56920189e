"""Vendors' recognisers: their real clients against hosts that speak their wire formats, also
badly."""

import asyncio
import gc
import logging
from collections.abc import Iterator

import numpy as np
import pytest
from livekit.agents import APIError, stt, utils
from livekit.agents.types import APIConnectOptions

from eloquence import registry
from eloquence.conversation.faults import cause_of, retry_after
from eloquence.conversation.stages import Resources
from eloquence.errors import ConfigurationError
from eloquence.testing.asking import told
from eloquence.testing.context import stage_context
from eloquence.testing.deadlines import IN_TIME
from eloquence.testing.hearing import Samples, finals, frames, heard, silence
from eloquence.testing.services import tone
from eloquence.testing.vendors import KEY, RETRY_AFTER, Mode, Vendor, local_server

Kind = stt.SpeechEventType
CANARY = "canari"
VENDORS = ["deepgram", "azure", "google"]
TELLS_WHEN = {"deepgram"}
"""Whose client passes on for how long the vendor asks to be left alone."""
SPEECH: Samples = np.frombuffer(tone(1.6, 16_000), "<i2")
SAID = np.concatenate([silence(0.5), SPEECH, silence(0.6)])


@pytest.fixture(params=VENDORS)
def vendor(request: pytest.FixtureRequest) -> Iterator[Vendor]:
    with local_server("stt", request.param) as running:
        running.text = f"euh bonjour le {CANARY} jaune"
        yield running


def recogniser(vendor: Vendor, resources: Resources, **given: object) -> "stt.STT[str]":
    provider = registry.provider("stt", vendor.name)
    options = provider.parse({**vendor.options, **given}, {})
    made: stt.STT[str] = provider.create(options, stage_context(resources=resources))
    return made


async def failed(made: "stt.STT[str]", patience: float = 5.0) -> Exception:
    """How the stage fails at speech; `patience` is for the host's first word, in seconds."""
    options = APIConnectOptions(max_retry=0, timeout=patience)
    stream = made.stream(conn_options=options)

    async def talk() -> None:
        while True:
            for frame in frames(SAID):
                stream.push_frame(frame)
                await asyncio.sleep(frame.duration / 4)

    talking = asyncio.create_task(talk())
    try:
        async with asyncio.timeout(10):
            with pytest.raises((APIError, TimeoutError)) as caught:
                async for _ in stream:
                    pass
    finally:
        await utils.aio.cancel_and_wait(talking)
        await stream.aclose()
    return caught.value


async def test_each_word_comes_with_its_time_and_how_sure_it_is(
    vendor: Vendor, resources: Resources
) -> None:
    """The scores count words in time: fillers too."""
    made = recogniser(vendor, resources)
    events = await heard(made, SAID)
    kinds = [event.type for event in events]
    assert kinds[0] is Kind.START_OF_SPEECH
    assert kinds.count(Kind.START_OF_SPEECH) == kinds.count(Kind.END_OF_SPEECH) == 1
    assert Kind.INTERIM_TRANSCRIPT in kinds
    (said,) = finals(events)
    assert said.text == vendor.text
    assert said.words is not None
    assert [str(word).lower() for word in said.words] == vendor.text.lower().split()
    starts = [word.start_time for word in said.words]
    assert starts == pytest.approx([0.5 + 0.32 * number for number in range(5)], abs=0.1)
    assert [word.end_time for word in said.words][-1] == pytest.approx(2.1, abs=0.1)
    assert all(word.confidence == pytest.approx(0.9) for word in said.words)
    assert 0 < said.confidence <= 1
    assert said.language.language == "fr"
    assert made.capabilities.aligned_transcript == "word"
    assert made.model not in ("", "unknown")
    assert made.provider not in ("", "unknown")


async def test_two_stretches_of_speech_are_two_transcripts_in_order(
    vendor: Vendor, resources: Resources
) -> None:
    events = await heard(recogniser(vendor, resources), np.concatenate([SAID, SAID]))
    one, two = finals(events)
    assert one.end_time < two.start_time
    assert two.start_time == pytest.approx(one.start_time + len(SAID) / 16_000, abs=0.1)


async def test_silence_gives_no_words(vendor: Vendor, resources: Resources) -> None:
    assert finals(await heard(recogniser(vendor, resources), silence(2))) == []


async def test_speech_without_words_gives_no_words(vendor: Vendor, resources: Resources) -> None:
    vendor.mode = "empty"
    assert finals(await heard(recogniser(vendor, resources), SAID)) == []


async def test_speech_that_is_still_going_on_at_the_end_is_not_lost(
    vendor: Vendor, resources: Resources
) -> None:
    (said,) = finals(await heard(recogniser(vendor, resources), SPEECH))
    assert said.text == vendor.text


@pytest.mark.parametrize(
    ("mode", "causes"),
    [
        ("401", {"authentication"}),
        ("402", {"rate_limit"}),
        ("429", {"rate_limit"}),
        ("500", {"internal"}),
        ("close_mid", {"unreachable", "internal"}),
        ("html", {"unreachable", "bad_answer"}),
        ("garbage", {"bad_answer"}),
    ],
)
async def test_a_recogniser_that_fails_tells_its_cause_in_time_and_nothing_of_what_was_said(
    vendor: Vendor,
    resources: Resources,
    mode: Mode,
    causes: set[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """S01-S07"""
    vendor.mode = mode
    with caplog.at_level(logging.DEBUG):
        error = await failed(recogniser(vendor, resources))
    assert cause_of(error) in causes
    asks_to_wait = mode == "429" and vendor.name in TELLS_WHEN
    assert retry_after(error) == (RETRY_AFTER if asks_to_wait else None)
    assert len(vendor.asked) <= {"azure": 5, "google": 2}.get(vendor.name, 1), (
        "the SDK tries by itself, a second"
    )
    readable = told(error, caplog.records)
    assert KEY not in readable
    assert CANARY not in readable


@pytest.mark.parametrize("name", ["deepgram", "azure"])
async def test_a_host_that_does_not_answer_is_not_waited_for(
    name: str, resources: Resources
) -> None:
    """Google may be silent until there are words: of it see test_google."""
    with local_server("stt", name) as vendor:
        vendor.mode = "hang"
        async with asyncio.timeout(IN_TIME):
            error = await failed(recogniser(vendor, resources), patience=0.5)
    assert cause_of(error) in {"timeout", "unreachable"}


async def test_nothing_of_what_was_said_is_logged(
    vendor: Vendor, resources: Resources, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        assert finals(await heard(recogniser(vendor, resources), SAID))
    readable = told(None, caplog.records)
    assert KEY not in readable
    assert CANARY not in readable


async def test_a_host_that_is_not_there_is_unreachable(
    vendor: Vendor, resources: Resources
) -> None:
    address = next(name for name in vendor.options if name != "api_key")
    error = await failed(recogniser(vendor, resources, **{address: "http://127.0.0.1:9"}))
    assert cause_of(error) in {"unreachable", "timeout", "internal"}


@pytest.mark.parametrize("mode", ["ok", "hang", "stall_mid", "headers_then_hang"])
async def test_leaving_at_any_moment_leaves_nothing_running(
    vendor: Vendor, resources: Resources, mode: Mode
) -> None:
    made = recogniser(vendor, resources)
    await heard(made, SAID)  # what is shared has been made
    before = asyncio.all_tasks()
    vendor.mode = mode
    stream = made.stream(conn_options=APIConnectOptions(max_retry=0, timeout=5))
    for frame in frames(SPEECH):
        stream.push_frame(frame)
    if mode == "ok":
        await asyncio.wait_for(anext(stream), IN_TIME)
    async with asyncio.timeout(5):
        await stream.aclose()
    await asyncio.sleep(0)
    assert asyncio.all_tasks() <= before
    vendor.mode = "ok"
    assert finals(await heard(made, SAID)), "and it hears again"
    await made.aclose()
    await made.aclose()
    gc.collect()  # what is not closed would warn


async def test_a_conversation_is_heard_by_a_stage_of_its_own(
    vendor: Vendor, resources: Resources
) -> None:
    one, two = recogniser(vendor, resources), recogniser(vendor, resources)
    assert one is not two
    both = await asyncio.gather(heard(one, SAID), heard(two, SAID))
    assert [finals(events)[0].text for events in both] == [vendor.text] * 2


@pytest.mark.parametrize("name", VENDORS)
def test_a_bad_option_is_named(name: str) -> None:
    with pytest.raises(ConfigurationError, match="modell"):
        registry.provider("stt", name).parse({"modell": "x"}, {})
