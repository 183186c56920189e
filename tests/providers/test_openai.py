"""OpenAI-compatible hosts, against a server that speaks the protocol, well or badly."""

import asyncio
from typing import Any

import numpy as np
import pytest
from livekit.agents import APIConnectionError, APIError, APITimeoutError, tts

from eloquence import registry
from eloquence.coaching.character import Voice
from eloquence.conversation.stages import Resources
from eloquence.errors import ConfigurationError, LanguageModelError
from eloquence.providers import openai
from eloquence.providers._hosts import OPENAI, SCALEWAY, normalised
from eloquence.providers._utterances import NOTHING, Heard, HeardWord
from eloquence.testing.asking import answer, spoken
from eloquence.testing.context import stage_context
from eloquence.testing.deadlines import IN_TIME, deadline, deadlines
from eloquence.testing.services import Mode, Services, Word, tone

TEXT = "Bonjour. Je suis Marie, votre coach."


def chat(services: Services, resources: Resources, **given: object) -> openai.Chat:
    options = openai.llm.parse({"base_url": services.url, **deadlines(services.mode), **given}, {})
    made = openai.llm.create(options, stage_context(resources=resources))
    assert isinstance(made, openai.Chat)
    return made


# --- language model


async def test_the_answer_comes_token_by_token_and_the_request_has_the_seeds_shape(
    services: Services, resources: Resources
) -> None:
    """LLM-01, LLM-03"""
    assert await answer(chat(services, resources)) == services.reply
    asked = services.asked[0]
    assert asked.path == "/v1/chat/completions"
    body = asked.json()
    assert body["model"] == "mistral-nemo-instruct-2407"
    assert body["temperature"] == 0.7
    assert body["max_tokens"] == 150
    messages = body["messages"]
    assert isinstance(messages, list)
    assert [message["role"] for message in messages] == ["system", "user"]


async def test_what_was_said_before_the_failure_is_not_asked_for_again(
    services: Services, resources: Resources
) -> None:
    """L03: half a sentence has been heard; a retry would say it twice."""
    services.mode = "stall_mid"
    with pytest.raises(APITimeoutError) as caught:
        await answer(chat(services, resources))
    assert not caught.value.retryable


async def test_an_endless_answer_is_cut(services: Services, resources: Resources) -> None:
    """L07"""
    services.reply = "et encore " * 10_000
    services.token_seconds = 0.02
    async with asyncio.timeout(IN_TIME):
        with pytest.raises(APITimeoutError):
            await answer(chat(services, resources, total=0.5))


async def test_a_host_that_is_not_there_is_unreachable(resources: Resources) -> None:
    options = openai.llm.parse({"base_url": "http://127.0.0.1:9"}, {})
    model = openai.llm.create(options, stage_context(resources=resources))
    with pytest.raises(APIConnectionError):
        await answer(model)


async def test_conversations_share_one_client_and_nothing_else(
    services: Services, resources: Resources
) -> None:
    one, two = chat(services, resources), chat(services, resources)
    assert one is not two
    assert one._client is two._client
    assert set(await asyncio.gather(answer(one), answer(two))) == {services.reply}


# --- hosts and keys


@pytest.mark.parametrize(
    ("given", "base"),
    [
        ("https://api.scaleway.ai/v1", "https://api.scaleway.ai/v1"),
        ("https://api.scaleway.ai/abc/v1/chat/completions", "https://api.scaleway.ai/abc/v1"),
        ("https://api.scaleway.com/inference/v1/", "https://api.scaleway.com/inference/v1"),
        ("http://mistral-conversation:8001", "http://mistral-conversation:8001/v1"),
        ("http://localhost:11434/", "http://localhost:11434/v1"),
        ("https://host/v1beta/openai", "https://host/v1beta/openai"),
    ],
)
def test_an_address_is_accepted_in_every_form_of_the_seeds(given: str, base: str) -> None:
    """X-06, LLM-09"""
    assert normalised(given) == base


@pytest.mark.parametrize("given", ["localhost:8001", "ftp://host/v1", "https://", "  "])
def test_what_is_no_address_is_refused(given: str) -> None:
    with pytest.raises(ConfigurationError):
        normalised(given)
    assert not openai.check(openai.LanguageModelOptions(base_url=given or "x"), "fr").ready


def resolved(base_url: str = "", **environment: str) -> tuple[str, str | None]:
    options = openai.llm.parse({"base_url": base_url} if base_url else {}, environment)
    assert isinstance(options, openai.LanguageModelOptions)
    found = options.host()
    return found.url, found.key.get_secret_value() if found.key else None


def test_a_key_only_goes_to_the_host_it_was_made_for() -> None:
    """CFG-01, LLM-09"""
    assert resolved(SCALEWAY_SECRET_KEY="scw") == (SCALEWAY, "scw")
    assert resolved(MISTRAL_API_KEY="m") == (SCALEWAY, "m")
    assert resolved(OPENAI_API_KEY="sk") == (OPENAI, "sk")
    assert resolved(OPENAI_API_KEY="sk", SCALEWAY_SECRET_KEY="scw") == (SCALEWAY, "scw")
    assert resolved(OPENAI_API_KEY="sk", MISTRAL_BASE_URL="http://m:8001") == (
        "http://m:8001/v1",
        None,
    )
    assert resolved() == (SCALEWAY, None)


@pytest.mark.parametrize(
    ("model", "environment", "found"),
    [
        ("gpt-4o", {"SCALEWAY_SECRET_KEY": "scw", "OPENAI_API_KEY": "sk"}, (OPENAI, "sk")),
        ("o3-mini", {"SCALEWAY_SECRET_KEY": "scw"}, (OPENAI, None)),
        ("gpt-oss-120b", {"SCALEWAY_SECRET_KEY": "scw"}, (SCALEWAY, "scw")),
        ("mistral-nemo-instruct-2407", {"SCALEWAY_SECRET_KEY": "scw"}, (SCALEWAY, "scw")),
        (
            "gpt-4o",
            {"OPENAI_API_KEY": "sk", "MISTRAL_API_KEY": "m", "MISTRAL_BASE_URL": "http://m:1"},
            (OPENAI, "sk"),
        ),
        ("gpt-4o", {"MISTRAL_BASE_URL": "http://gateway:1"}, ("http://gateway:1/v1", None)),
    ],
)
def test_a_model_of_openai_is_asked_for_at_openai(
    model: str, environment: dict[str, str], found: tuple[str, str | None]
) -> None:
    """PRV-04 with the variables of CFG-02: `change-llm openai gpt-4o`."""
    options = openai.llm.parse({"model": model}, environment)
    assert isinstance(options, openai.LanguageModelOptions)
    host = options.host()
    assert (host.url, host.key and host.key.get_secret_value()) == found


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("https://api.openai.com/v1", "sk"),
        ("https://ours.openai.azure.com/v1", "sk"),
        ("https://api.mistral.ai/v1", "m"),
        ("https://openai.com.example/v1", None),
        ("https://openai-mistral.example/v1", None),
        ("http://192.0.2.7:8000/v1", None),
    ],
)
def test_a_host_that_only_looks_like_the_vendor_gets_no_key(address: str, key: str | None) -> None:
    """LLM-08, LLM-09"""
    assert resolved(address, OPENAI_API_KEY="sk", MISTRAL_API_KEY="m") == (address, key)
    empty = openai.llm.parse({"base_url": "https://host.example/v1", "api_key": ""}, {})
    assert not openai.check(empty, "fr").ready  # type: ignore[arg-type]


def test_a_missing_key_is_told_with_its_variable_and_no_key_is_ever_printed(
    resources: Resources,
) -> None:
    """LLM-07"""
    options = openai.llm.parse({}, {})
    readiness = openai.check(options, "fr")  # type: ignore[arg-type]
    assert not readiness.ready
    assert "SCALEWAY_SECRET_KEY" in readiness.mend
    with pytest.raises(LanguageModelError, match="SCALEWAY_SECRET_KEY") as caught:
        openai.llm.create(options, stage_context(resources=resources))
    assert caught.value.cause == "authentication"
    secret = openai.llm.parse({"api_key": "hush"}, {})
    assert "hush" not in repr(secret)


def test_what_leaves_the_machine_is_named() -> None:
    away = openai.check(openai.LanguageModelOptions(api_key="k"), "fr")
    assert away.leaves_machine == "api.scaleway.ai"
    home = openai.check(openai.LanguageModelOptions(base_url="http://localhost:11434"), "fr")
    assert home.ready
    assert home.leaves_machine == ""


@pytest.mark.parametrize("stage", registry.STAGES)
@pytest.mark.parametrize(("mode", "ready"), [("ok", True), ("401", False), ("500", False)])
async def test_the_probe_asks_the_host_itself(
    services: Services, stage: registry.Stage, mode: Mode, ready: bool
) -> None:
    services.mode = mode
    provider = registry.provider(stage, "openai")
    assert provider.probe is not None
    readiness = await provider.probe(provider.parse({"base_url": services.url}, {}), "fr")
    assert readiness.ready is ready
    assert readiness.mend or ready


# --- transcription


def transcriber(services: Services, **given: object) -> openai.Transcriber:
    options = openai.stt.parse(
        {"base_url": services.url, "total": deadline(services.mode), **given}, {}
    )
    assert isinstance(options, openai.TranscriptionOptions)
    return openai.Transcriber(options, options.host().new_client(), "fr")


async def transcribed(services: Services, **given: object) -> Heard:
    recogniser = transcriber(services, **given)
    try:
        await recogniser.hear(tone(0.5, 16_000))
        return await recogniser.finish()
    finally:
        await recogniser._client.close()


async def test_an_utterance_is_sent_as_wav_with_its_language_and_comes_back_with_times(
    services: Services,
) -> None:
    services.transcript = (Word("bonjour", 0.1, 0.4), Word("Marie", 0.4, 0.9))
    found = await transcribed(services)
    assert found == Heard(
        "bonjour Marie", (HeardWord("bonjour", 0.1, 0.4), HeardWord("Marie", 0.4, 0.9))
    )
    asked = services.asked[0]
    assert asked.path == "/v1/audio/transcriptions"
    assert b"RIFF" in asked.body
    assert b'name="language"\r\n\r\nfr' in asked.body
    assert b"verbose_json" in asked.body


async def test_one_bad_answer_loses_no_word(services: Services) -> None:
    """S04"""
    services.next_modes = ["close_mid", "ok"]
    assert (await transcribed(services)).text == "bonjour marie"
    assert len(services.asked) == 2
    assert services.asked[0].body.count(b"RIFF") == services.asked[1].body.count(b"RIFF") == 1


@pytest.mark.parametrize(
    "mode", ["500", "429", "401", "hang", "headers_then_hang", "stall_mid", "close_mid", "badjson",
             "slow", "garbage", "html"],
)  # fmt: skip
async def test_a_transcription_that_fails_is_an_error_in_time(
    services: Services, mode: Mode
) -> None:
    """S01-S05"""
    services.mode = mode
    async with asyncio.timeout(IN_TIME):
        with pytest.raises(APIError):
            await transcribed(services)
    assert len(services.asked) <= 2


async def test_an_empty_transcription_is_nothing_heard(services: Services) -> None:
    services.mode = "empty"
    assert await transcribed(services) == NOTHING


# --- speech


def speaker(services: Services, resources: Resources) -> "tts.TTS[Any]":
    options = openai.tts.parse({"base_url": services.url, **deadlines(services.mode)}, {})
    made: tts.TTS[Any] = openai.tts.create(options, stage_context(resources=resources))
    return made


async def test_each_sentence_is_spoken_as_pcm_in_the_voice_of_the_seeds(
    services: Services, resources: Resources
) -> None:
    """TTS-01, X-22"""
    pcm, text = await spoken(speaker(services, resources), TEXT)
    assert len(pcm) == pytest.approx(2 * len(tone(services.speech_seconds)), abs=1_000)
    assert np.abs(np.frombuffer(pcm, np.int16)).max() > 1_000
    assert text.split() == TEXT.split()
    body = services.asked[0].json()
    assert (body["model"], body["voice"], body["response_format"]) == ("tts-1", "nova", "pcm")


async def test_a_masculine_character_has_another_voice_and_its_own_pace(
    services: Services, resources: Resources
) -> None:
    options = openai.tts.parse({"base_url": services.url}, {})
    voice = Voice(kind="masculine", pace=0.8)
    stage = openai.tts.create(options, stage_context(resources=resources, voice=voice))
    await stage.synthesize("Bonjour.").collect()
    body = services.asked[0].json()
    assert (body["voice"], body["speed"]) == ("onyx", 0.8)


@pytest.mark.parametrize(
    "mode", ["500", "429", "401", "hang", "headers_then_hang", "stall_mid", "close_mid", "badjson",
             "empty", "slow", "garbage", "html"],
)  # fmt: skip
async def test_a_voice_that_fails_is_an_error_in_time_and_no_noise(
    services: Services, resources: Resources, mode: Mode
) -> None:
    """T01-T04: a cut sentence is never reported as fine."""
    services.mode = mode
    async with asyncio.timeout(IN_TIME):
        with pytest.raises(APIError):
            await spoken(speaker(services, resources), TEXT)
