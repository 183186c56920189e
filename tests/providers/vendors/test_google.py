"""What only Google's recogniser does."""

import asyncio
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from livekit.agents import APIError, stt
from livekit.agents.types import APIConnectOptions

from eloquence.conversation.faults import cause_of
from eloquence.conversation.stages import Resources
from eloquence.errors import ConfigurationError
from eloquence.providers import google
from eloquence.testing.asking import ONCE
from eloquence.testing.context import stage_context
from eloquence.testing.deadlines import IN_TIME
from eloquence.testing.hearing import Samples, finals, frames, heard, silence
from eloquence.testing.services import tone
from eloquence.testing.vendors.google import Google

SPEECH: Samples = np.frombuffer(tone(1.0, 16_000), "<i2")
SAID = np.concatenate([silence(0.5), SPEECH, silence(0.6)])


@pytest.fixture
def vendor() -> Iterator[Google]:
    with Google() as running:
        yield running


def recogniser(options: dict[str, object], resources: Resources) -> "stt.STT[str]":
    made: stt.STT[str] = google.stt.create(
        google.stt.parse(options, {}), stage_context(resources=resources)
    )
    return made


async def test_the_account_signs_for_itself(vendor: Google, resources: Resources) -> None:
    """No other host of Google's is asked for a token: the bearer is a signature of our own."""
    assert finals(await heard(recogniser(vendor.options, resources), SAID))
    bearer = vendor.asked[0].headers["authorization"]
    assert bearer.count(".") == 2
    assert "x-allowed-locations" not in vendor.asked[0].headers


async def test_a_recording_of_one_utterance_is_recognised_too(
    vendor: Google, resources: Resources
) -> None:
    made = recogniser(vendor.options, resources)
    event = await made.recognize(list(frames(SPEECH)), conn_options=ONCE)
    assert event.alternatives[0].text == vendor.text
    assert event.alternatives[0].words


async def test_a_container_on_this_machine_is_reached_without_a_key_and_nothing_leaves(
    resources: Resources,
) -> None:
    with Google(clear=True) as container:
        ready = google.check(google.stt.parse(container.options, {}), "fr")  # type: ignore[arg-type]
        assert ready.ready
        assert ready.leaves_machine == ""
        assert finals(await heard(recogniser(container.options, resources), SAID))


async def test_a_host_that_takes_the_call_and_says_nothing_is_not_waited_for(
    vendor: Google, resources: Resources
) -> None:
    """The client itself would try for an hour."""
    soon = APIConnectOptions(max_retry=0, timeout=1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        made = recogniser(vendor.options | {"endpoint": f"https://localhost:{port}"}, resources)
        async with asyncio.timeout(IN_TIME), made.stream(conn_options=soon) as stream:
            with pytest.raises(APIError) as caught:
                await anext(stream)
    assert cause_of(caught.value) in {"timeout", "unreachable"}


async def test_the_last_words_are_not_waited_for_without_end(
    vendor: Google, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eloquence.providers._google._LAST_SECONDS", 0.3)
    vendor.mode = "stall_mid"
    async with asyncio.timeout(IN_TIME):
        with pytest.raises(APIError) as caught:
            await heard(recogniser(vendor.options, resources), SAID)
    assert cause_of(caught.value) == "timeout"


async def test_a_host_whose_certificate_nobody_vouches_for_is_not_spoken_to(
    vendor: Google, resources: Resources
) -> None:
    options = {name: value for name, value in vendor.options.items() if name != "certificates"}
    with pytest.raises(APIError) as caught:
        await heard(recogniser(options, resources), SAID)
    assert cause_of(caught.value) == "unreachable"
    assert vendor.heard_bytes == 0


async def test_a_stream_that_google_ends_for_its_age_goes_on_and_times_count_on(
    vendor: Google, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Google hears for five minutes at most; the scores compare words of a whole session."""
    monkeypatch.setattr("eloquence.providers._google._SHORT_SECONDS", 0.0)
    vendor.oldest = 1
    made = recogniser(vendor.options, resources)
    stream = made.stream(conn_options=ONCE)
    for frame in frames(SAID):
        stream.push_frame(frame)
    first = await _final(stream)
    for frame in frames(np.concatenate([SAID, SAID])):
        stream.push_frame(frame)
    second = await _final(stream)
    await stream.aclose()
    assert len(vendor.asked) >= 2
    assert first.start_time == pytest.approx(0.5, abs=0.1)
    assert second.start_time > first.end_time + 0.5
    assert second.words is not None
    assert second.words[0].start_time == second.start_time


async def test_a_stream_that_is_refused_for_its_age_at_once_is_not_opened_again(
    vendor: Google, resources: Resources
) -> None:
    vendor.oldest = 0
    with pytest.raises(APIError):
        await heard(recogniser(vendor.options, resources), SAID)
    streams = [asked for asked in vendor.asked if asked.path == "StreamingRecognize"]
    assert len(streams) == 1


async def _final(stream: stt.RecognizeStream) -> stt.SpeechData:
    async with asyncio.timeout(5):
        async for event in stream:
            if event.type is stt.SpeechEventType.FINAL_TRANSCRIPT:
                return event.alternatives[0]
    raise AssertionError("no words")


@pytest.mark.parametrize(
    ("location", "host"),
    [
        ("eu", "eu-speech.googleapis.com"),
        ("global", "speech.googleapis.com"),
        ("europe-west4", "europe-west4-speech.googleapis.com"),
    ],
)
def test_who_hears_is_where_the_operator_said_and_in_europe_by_itself(
    vendor: Google, location: str, host: str
) -> None:
    environment = {"GOOGLE_APPLICATION_CREDENTIALS": str(vendor.options["credentials_file"])}
    given = {} if location == "eu" else {"location": location}
    ready = google.check(google.stt.parse(given, environment), "fr")  # type: ignore[arg-type]
    assert ready.ready
    assert ready.leaves_machine == host


@pytest.mark.parametrize("written", ["", "not json", '{"type": "authorized_user"}', "[]"])
def test_a_file_that_is_no_key_of_a_service_account_is_told(tmp_path: Path, written: str) -> None:
    file = tmp_path / "key.json"
    file.write_text(written)
    ready = google.check(google.Options(credentials_file=file), "fr")
    assert not ready.ready
    assert "GOOGLE_APPLICATION_CREDENTIALS" in ready.mend


def test_nothing_is_said_in_the_clear_over_the_network() -> None:
    ready = google.check(google.Options(endpoint="http://host.example"), "fr")
    assert not ready.ready
    with pytest.raises(ConfigurationError, match="clear"):
        google.Options(endpoint="http://host.example").host()


async def test_a_key_that_cannot_sign_is_told_by_the_probe(vendor: Google, tmp_path: Path) -> None:
    file = tmp_path / "key.json"
    file.write_text(json.dumps({"type": "service_account", "project_id": "x"}))
    options = google.stt.parse({**vendor.options, "credentials_file": file}, {})
    began = time.monotonic()
    told = await google.probe(options, "fr")  # type: ignore[arg-type]
    assert not told.ready
    assert "GOOGLE_APPLICATION_CREDENTIALS" in told.mend
    assert time.monotonic() - began < 5
