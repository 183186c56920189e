"""Vosk: a server by WebSocket, the seeds' service by HTTP, and a model on this machine."""

import asyncio
import os
from pathlib import Path

import numpy as np
import pytest
from livekit.agents import APIError, stt

from eloquence.conversation.stages import Resources
from eloquence.errors import SpeechToTextError
from eloquence.providers import _vosk_recognisers as recognisers
from eloquence.providers import vosk
from eloquence.providers._utterances import Heard, HeardWord
from eloquence.testing.context import stage_context
from eloquence.testing.deadlines import IN_TIME, deadline
from eloquence.testing.hearing import finals, heard, recording, silence
from eloquence.testing.services import Mode, Services, Word, tone


def options(url: str, mode: Mode = "ok") -> vosk.Options:
    parsed = vosk.stt.parse({"url": url, "patience": deadline(mode)}, {})
    assert isinstance(parsed, vosk.Options)
    return parsed


@pytest.mark.speech
async def test_a_server_gives_partials_and_words_with_their_times(
    services: Services, resources: Resources, shared_data: Path
) -> None:
    services.transcript = (Word("bonjour", 0.2, 0.6), Word("à", 0.7, 0.8), Word("tous", 0.8, 1.1))
    stage = vosk.create(options(services.websocket_url), stage_context(resources=resources))
    voice = recording(shared_data / "fixtures-fr/lamartine.wav")[:32_000]
    events = await heard(stage, np.concatenate([silence(2), voice, silence(0.5)]))
    partials = [e for e in events if e.type is stt.SpeechEventType.INTERIM_TRANSCRIPT]
    assert [partial.alternatives[0].text for partial in partials][-1] == "bonjour à tous"
    (final,) = finals(events)
    assert final.text == "bonjour à tous"
    assert final.words is not None
    starts = [word.start_time for word in final.words if isinstance(word.start_time, float)]
    assert np.diff(starts) == pytest.approx([0.5, 0.1])
    assert starts[0] == pytest.approx(final.start_time, abs=0.4)
    assert 2.4 < final.start_time < 3.4
    assert final.confidence == pytest.approx(0.9)


async def listened(recogniser: recognisers.ServerVosk | recognisers.RestVosk) -> Heard:
    try:
        await recogniser.open()
        for _ in range(12):
            await recogniser.hear(tone(0.1, 16_000))
        return await recogniser.finish()
    finally:
        await recogniser.close()


async def test_the_server_gets_every_sample_once(services: Services) -> None:
    found = await listened(recognisers.ServerVosk(options(services.websocket_url)))
    assert found.text == "bonjour marie"
    assert services.heard_bytes == 12 * 3_200


async def test_a_connection_that_breaks_in_mid_utterance_loses_no_word(services: Services) -> None:
    """S04"""
    services.next_modes = ["close_mid", "ok"]
    found = await listened(recognisers.ServerVosk(options(services.websocket_url)))
    assert found.text == "bonjour marie"
    assert len(services.asked) == 2


FAILURES = ["500", "429", "401", "hang", "headers_then_hang", "stall_mid", "close_mid", "badjson",
            "slow", "garbage", "html"]  # fmt: skip


@pytest.mark.parametrize("mode", FAILURES)
@pytest.mark.parametrize("scheme", ["ws", "http"])
async def test_a_server_that_fails_is_an_error_in_time(
    services: Services, resources: Resources, scheme: str, mode: Mode
) -> None:
    """S01-S05"""
    services.mode = mode
    url = services.url.replace("http", scheme)
    stage = vosk.create(options(url, mode), stage_context(resources=resources))
    recogniser = stage.recogniser()
    assert isinstance(recogniser, recognisers.ServerVosk | recognisers.RestVosk)
    async with asyncio.timeout(IN_TIME):
        with pytest.raises(APIError):
            await listened(recogniser)


@pytest.mark.parametrize("scheme", ["ws", "http"])
async def test_a_server_that_hears_nothing_gives_no_words(
    services: Services, resources: Resources, scheme: str
) -> None:
    services.mode = "empty"
    url = services.url.replace("http", scheme)
    stage = vosk.create(options(url), stage_context(resources=resources))
    recogniser = stage.recogniser()
    assert isinstance(recogniser, recognisers.ServerVosk | recognisers.RestVosk)
    assert (await listened(recogniser)).text == ""


async def test_the_service_of_the_seeds_is_asked_as_they_ask_it(
    services: Services, resources: Resources
) -> None:
    """STT-02, STT-06, X-03"""
    for variable in ("VOSK_STT_URL", "WHISPER_STT_URL"):
        parsed = vosk.stt.parse({}, {variable: services.url})
        stage = vosk.stt.create(parsed, stage_context(resources=resources))
        recogniser = stage.recogniser()
        assert (await listened(recogniser)).text == "bonjour marie"
    asked = services.asked[-1]
    assert asked.path == "/transcribe"
    assert b'name="file"' in asked.body
    assert b"RIFF" in asked.body
    assert b'name="language"\r\n\r\nfr' in asked.body


def test_times_count_from_the_utterance_however_vosk_counts_them() -> None:
    word = {"word": "oui", "start": 0.5, "end": 0.75, "conf": 1.0}
    later = {"word": "oui", "start": 10.5, "end": 10.75, "conf": 1.0}
    expected = (HeardWord("oui", 0.5, 0.75),)
    for found in (word, later):
        result = {"text": "oui", "result": [found]}
        assert recognisers.understood([result], 10.0).words == expected
    assert recognisers.understood([{"text": ""}, {}], 0.0) == Heard("")


def test_a_missing_model_is_told_with_the_command_that_fetches_it(
    tmp_path: Path, resources: Resources
) -> None:
    """S07, STT-04"""
    nothing = vosk.Options(models=tmp_path)
    readiness = vosk.check(nothing, "fr")
    assert not readiness.ready
    assert readiness.mend == "eloquence models download vosk-model-small-fr-0.22"
    assert readiness.model == "vosk-model-small-fr-0.22"
    with pytest.raises(SpeechToTextError, match="no model"):
        vosk.create(nothing, stage_context(resources=resources))
    (tmp_path / "vosk-model-small-fr-0.22").mkdir()
    half = vosk.check(nothing, "fr")
    assert not half.ready
    assert str(tmp_path) in half.detail


async def test_a_damaged_model_is_an_error_that_names_its_folder(
    tmp_path: Path, resources: Resources
) -> None:
    """S07"""
    (tmp_path / "am").mkdir()
    (tmp_path / "am" / "final.mdl").write_bytes(b"")
    given = vosk.stt.parse({"model": str(tmp_path)}, {})
    assert isinstance(given, vosk.Options)
    assert vosk.check(given, "fr").ready
    stage = vosk.create(given, stage_context(resources=resources))
    with pytest.raises(APIError) as caught:
        await heard(stage, silence(1))
    assert str(tmp_path) in str(caught.value)
    assert not caught.value.retryable


@pytest.mark.parametrize("url", ["localhost:2700", "ftp://host", "ws://"])
def test_an_address_that_is_none_is_not_ready(url: str) -> None:
    assert not vosk.check(vosk.Options(url=url), "fr").ready


def test_what_leaves_the_machine_is_named() -> None:
    assert vosk.check(vosk.Options(url="wss://stt.example/"), "fr").leaves_machine == "stt.example"
    assert vosk.check(vosk.Options(url="ws://127.0.0.1:2700"), "fr").leaves_machine == ""


@pytest.mark.model
@pytest.mark.speech
async def test_french_is_recognised_by_a_model_on_this_machine(
    resources: Resources, shared_data: Path
) -> None:
    folder = os.environ.get("ELOQUENCE_TEST_VOSK_MODEL")
    if not folder:
        pytest.skip("needs a French Vosk model: set ELOQUENCE_TEST_VOSK_MODEL to its folder")
    stage = vosk.create(vosk.Options(model=folder), stage_context(resources=resources))
    voice = recording(shared_data / "fixtures-fr/voxforge/fr-sb-503.wav")
    found = finals(await heard(stage, np.concatenate([voice, silence(0.5)])))
    assert "yeux" in " ".join(final.text for final in found)
