"""The voice that is a service of its own, asked by a conversation."""

import numpy as np
import pytest
from livekit.agents import APIConnectionError, APIStatusError

from eloquence.config import load
from eloquence.conversation.stages import Resources
from eloquence.errors import TextToSpeechError
from eloquence.providers import service
from eloquence.server.services import tts as speaking
from eloquence.testing.asking import ONCE
from eloquence.testing.context import stage_context
from eloquence.testing.services import Services
from eloquence.testing.serving import served

TEXT = "Bonjour. Je suis Marie, votre coach."


async def test_a_conversation_speaks_by_the_real_service(resources: Resources) -> None:
    """D-20, TTS-01: what TTS_SERVICE_URL names is what the learner hears."""
    async with served(speaking.create_app(load(tts={"provider": "espeak"}))) as url:
        options = service.tts.parse({}, {"TTS_SERVICE_URL": url})
        voice = service.tts.create(options, stage_context(resources=resources))
        frame = await voice.synthesize(TEXT, conn_options=ONCE).collect()
        await resources.close()
    assert frame.sample_rate == 24_000
    assert 1.0 < frame.duration < 6.0
    assert np.abs(np.frombuffer(frame.data, np.int16)).max() > 1_000


@pytest.mark.parametrize("end", ["", "/", "/api/tts", "/api/tts/"])
def test_its_address_may_be_given_with_or_without_the_path(end: str) -> None:
    options = service.Options(url=f"http://openai-tts:5002{end}")
    assert options.address == "http://openai-tts:5002/api/tts"


def test_the_older_name_is_understood() -> None:
    """X-05."""
    options = service.tts.parse({}, {"PIPER_TTS_URL": "http://azure-tts:5002"})
    assert service.tts.check(options, "fr").leaves_machine == "azure-tts"


def test_without_an_address_it_says_what_to_set(resources: Resources) -> None:
    readiness = service.check(service.Options(), "fr")
    assert not readiness.ready
    assert "TTS_SERVICE_URL" in readiness.mend
    with pytest.raises(TextToSpeechError):
        service.create(service.Options(), stage_context(resources=resources))


async def test_a_refusal_is_told_as_what_it_is(resources: Resources) -> None:
    async with Services(mode="500") as services:
        voice = service.create(
            service.Options(url=services.url), stage_context(resources=resources)
        )
        with pytest.raises(APIStatusError) as refused:
            await voice.synthesize(TEXT, conn_options=ONCE).collect()
    assert refused.value.status_code == 500
    assert TEXT not in str(refused.value)


async def test_a_service_that_is_not_there_is_told(resources: Resources) -> None:
    async with Services() as services:
        gone = services.url
    voice = service.create(service.Options(url=gone), stage_context(resources=resources))
    with pytest.raises(APIConnectionError):
        await voice.synthesize(TEXT, conn_options=ONCE).collect()
