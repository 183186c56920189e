"""Vendors' voices: their real clients against hosts that speak their wire formats, also badly."""

import asyncio
import logging
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from livekit.agents import APIError, tts

from eloquence import registry
from eloquence.coaching.character import Voice
from eloquence.conversation.faults import cause_of, retry_after
from eloquence.conversation.stages import Resources
from eloquence.errors import ConfigurationError
from eloquence.providers import _vendors
from eloquence.testing.asking import ONCE, spoken, told
from eloquence.testing.context import stage_context
from eloquence.testing.deadlines import IN_TIME, deadlines
from eloquence.testing.vendors import KEY, RETRY_AFTER, Mode, Vendor, local_server

CANARY = "un canari jaune"
TEXT = f"Bonjour. C’est {CANARY}, votre coach & amie : on commence ?"
VENDORS = ["elevenlabs", "azure"]


@pytest.fixture(params=VENDORS)
def vendor(request: pytest.FixtureRequest) -> Iterator[Vendor]:
    with local_server("tts", request.param) as running:
        yield running


def voice(
    vendor: Vendor, resources: Resources, kind: Voice | None = None, /, **given: object
) -> "tts.TTS[Any]":
    provider = registry.provider("tts", vendor.name)
    options = provider.parse({**vendor.options, **deadlines(vendor.mode), **given}, {})
    made: tts.TTS[Any] = provider.create(options, stage_context(resources=resources, voice=kind))
    return made


async def test_each_sentence_becomes_sound_that_carries_its_text(
    vendor: Vendor, resources: Resources
) -> None:
    pcm, text = await spoken(voice(vendor, resources), TEXT)
    assert len(pcm) == pytest.approx(2 * 48_000 * vendor.speech_seconds, abs=2_000)
    assert np.abs(np.frombuffer(pcm, np.int16)).max() > 1_000
    assert text.split() == TEXT.split()
    assert len(vendor.asked) == 2


@pytest.mark.parametrize(
    ("mode", "why"),
    [
        ("401", "authentication"),
        ("402", "rate_limit"),
        ("429", "rate_limit"),
        ("500", "internal"),
        ("hang", "timeout"),
        ("headers_then_hang", "timeout"),
        ("stall_mid", "timeout"),
        ("close_mid", "unreachable"),
        ("empty", "bad_answer"),
        ("html", "bad_answer"),
        ("garbage", "bad_answer"),
    ],
)
async def test_a_voice_that_fails_tells_its_cause_in_time_and_nothing_of_what_was_said(
    vendor: Vendor,
    resources: Resources,
    mode: Mode,
    why: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """T01-T04: one request, one error, within the deadlines, and neither key nor text in it."""
    vendor.mode = mode
    made = voice(vendor, resources)
    with caplog.at_level(logging.DEBUG):
        async with asyncio.timeout(IN_TIME):
            with pytest.raises(APIError) as caught:
                await made.synthesize(TEXT, conn_options=ONCE).collect()
    assert cause_of(caught.value) == why
    assert len(vendor.asked) == 1, "no hammering"
    assert retry_after(caught.value) == (RETRY_AFTER if mode == "429" else None)
    readable = told(caught.value, caplog.records)
    assert KEY not in readable
    assert CANARY not in readable


async def test_a_host_that_is_not_there_is_unreachable(
    vendor: Vendor, resources: Resources
) -> None:
    address = next(name for name in vendor.options if name != "api_key")
    made = voice(vendor, resources, None, **{address: "http://127.0.0.1:9"})
    with pytest.raises(APIError) as caught:
        await made.synthesize("Bonjour.", conn_options=ONCE).collect()
    assert cause_of(caught.value) == "unreachable"


async def test_an_interruption_leaves_nothing_running_and_the_voice_speaks_again(
    vendor: Vendor, resources: Resources
) -> None:
    made = voice(vendor, resources)
    await spoken(made, TEXT)  # what is shared has been made
    before = asyncio.all_tasks()
    vendor.mode = "stall_mid"
    stream = made.synthesize(TEXT, conn_options=ONCE)
    await asyncio.wait_for(anext(stream), IN_TIME)
    await stream.aclose()
    await stream.aclose()
    await asyncio.sleep(0)
    assert asyncio.all_tasks() <= before
    vendor.mode = "ok"
    assert (await spoken(made, TEXT))[0]
    await made.aclose()
    await made.aclose()


async def test_conversations_share_one_session_which_is_closed_with_what_they_share(
    vendor: Vendor,
) -> None:
    """B-01"""
    resources = Resources()
    await asyncio.gather(*(spoken(voice(vendor, resources), TEXT) for _ in range(2)))
    session = _vendors.session(resources, sound=True)
    assert not session.closed
    await resources.close()
    assert session.closed


@pytest.mark.parametrize("kind", ["feminine", "masculine"])
@pytest.mark.parametrize("given", ["alloy", "onyx", "somebody", ""])
async def test_a_voice_of_another_vendor_is_replaced_and_that_is_told(
    vendor: Vendor, resources: Resources, kind: Any, given: str
) -> None:
    """X-29"""
    provider = registry.provider("tts", vendor.name)
    ready = provider.check(provider.parse({**vendor.options, "voice": given}, {}), "fr")
    assert ready.ready
    assert ("Warning" in ready.detail and given in ready.detail) == bool(given)
    await spoken(voice(vendor, resources, Voice(kind=kind), voice=given), TEXT)
    like = {"alloy": "feminine", "onyx": "masculine"}.get(given, kind)
    fitting = {
        "elevenlabs": {"feminine": "EXAVITQu4vr4xnSDxMaL", "masculine": "JBFqnCBsd6RMkjVDRZzb"},
        "azure": {"feminine": "fr-FR-DeniseNeural", "masculine": "fr-FR-HenriNeural"},
    }
    wanted = fitting[vendor.name][like]
    assert all(wanted in f"{asked.path}{asked.body!r}" for asked in vendor.asked)


async def test_a_voice_of_its_own_is_taken_from_the_options_before_the_characters(
    vendor: Vendor, resources: Resources
) -> None:
    own = {"elevenlabs": "Xb7hH8MSUJpSbSDYk0k2", "azure": "fr-FR-EloiseNeural"}[vendor.name]
    pinned = Voice(names={vendor.name: own})
    await spoken(voice(vendor, resources, pinned), TEXT)
    assert own in f"{vendor.asked[0].path}{vendor.asked[0].body!r}"
    provider = registry.provider("tts", vendor.name)
    ready = provider.check(provider.parse({**vendor.options, "voice": own}, {}), "fr")
    assert "Warning" not in ready.detail


@pytest.mark.parametrize("name", VENDORS)
@pytest.mark.parametrize("bad", [{"voise": "alloy"}, {"first": 0}, {"speed": 9}])
def test_a_bad_option_is_named(name: str, bad: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(bad))):
        registry.provider("tts", name).parse(bad, {})


async def test_the_probe_refuses_a_wrong_key_and_names_its_variable(vendor: Vendor) -> None:
    provider = registry.provider("tts", vendor.name)
    assert provider.probe is not None
    wrong = provider.parse({**vendor.options, "api_key": "wrong"}, {})
    told = await provider.probe(wrong, "fr")
    assert not told.ready
    assert {"elevenlabs": "ELEVEN_API_KEY", "azure": "AZURE_SPEECH_KEY"}[vendor.name] in told.mend
