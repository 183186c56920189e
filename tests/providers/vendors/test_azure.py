"""What only Azure does."""

from collections.abc import Iterator

import numpy as np
import pytest
from azure.cognitiveservices.speech import CancellationErrorCode as Code

from eloquence.coaching.character import Language, Voice
from eloquence.conversation.faults import cause_of
from eloquence.conversation.stages import Resources
from eloquence.errors import ConfigurationError
from eloquence.providers import azure
from eloquence.providers._azure_ear import failure_of
from eloquence.testing.asking import ONCE
from eloquence.testing.context import stage_context
from eloquence.testing.hearing import Samples, finals, heard, silence
from eloquence.testing.services import tone
from eloquence.testing.vendors import KEY
from eloquence.testing.vendors.azure import Azure

SPEECH: Samples = np.frombuffer(tone(1.0, 16_000), "<i2")


@pytest.fixture
def vendor() -> Iterator[Azure]:
    with Azure() as running:
        yield running


async def said(
    vendor: Azure,
    resources: Resources,
    text: str,
    language: Language = "fr",
    voice: Voice | None = None,
) -> None:
    options = azure.tts.parse(vendor.options, {})
    context = stage_context(language, resources=resources, voice=voice)
    await azure.tts.create(options, context).synthesize(text, conn_options=ONCE).collect()


@pytest.mark.parametrize(
    "text", ["Vous & moi : 3 < 5 > 2", '</voice></speak><break time="9s"/>', '« Bonjour » ’ "']
)
async def test_what_looks_like_markup_is_said_and_not_obeyed(
    vendor: Azure, resources: Resources, text: str
) -> None:
    """LiveKit's plugin puts the text into the markup as it is: an & would be refused."""
    await said(vendor, resources, text)
    assert vendor.said == [text]


async def test_each_language_has_its_voice_and_a_character_its_pace(
    vendor: Azure, resources: Resources
) -> None:
    await said(vendor, resources, "Bonjour.")
    await said(vendor, resources, "Hello.", "en", Voice(kind="masculine", pace=0.9))
    assert vendor.voices == ["fr-FR-DeniseNeural", "en-US-GuyNeural"]
    assert vendor.rates == [None, "0.9"]
    assert b'xml:lang="en-US"' in vendor.asked[1].body
    assert vendor.asked[0].headers["ocp-apim-subscription-key"] == KEY


async def test_no_variable_that_only_the_plugin_reads_sends_the_text_elsewhere(
    vendor: Azure, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_SPEECH_ENDPOINT", "http://127.0.0.1:9/elsewhere")
    monkeypatch.setenv("AZURE_SPEECH_HOST", "ws://127.0.0.1:9")
    monkeypatch.setenv("AZURE_SPEECH_REGION", "elsewhere")
    await said(vendor, resources, "Bonjour.")
    assert vendor.said == ["Bonjour."]
    made = azure.stt.create(azure.stt.parse(vendor.options, {}), stage_context(resources=resources))
    assert finals(await heard(made, SPEECH))


async def test_a_line_that_breaks_once_loses_no_word(vendor: Azure, resources: Resources) -> None:
    """S04: the SDK says again what had not been answered."""
    vendor.next_modes = ["close_mid", "ok"]
    made = azure.stt.create(azure.stt.parse(vendor.options, {}), stage_context(resources=resources))
    sound = np.concatenate([silence(0.3), SPEECH, silence(0.6)])
    (found,) = finals(await heard(made, sound, pace=1.0))
    assert found.text == vendor.text
    assert found.start_time == pytest.approx(0.3, abs=0.15)
    assert len(vendor.asked) == 2


async def test_azure_is_asked_for_words_as_they_are(vendor: Azure, resources: Resources) -> None:
    made = azure.stt.create(
        azure.stt.parse(vendor.options, {}), stage_context("en", resources=resources)
    )
    await heard(made, SPEECH)
    asked = vendor.asked[0].path
    for wanted in ("language=en-US", "profanity=raw", "wordLevelTimestamps=true"):
        assert wanted in asked
    assert KEY not in asked


@pytest.mark.parametrize(
    ("code", "details", "why"),
    [
        (Code.AuthenticationFailure, "", "authentication"),
        (Code.ConnectionFailure, "WebSocket upgrade failed: (402).", "rate_limit"),
        (Code.TooManyRequests, "", "rate_limit"),
        (Code.BadRequest, "", "bad_request"),
        (Code.ServiceTimeout, "", "timeout"),
        (Code.ConnectionFailure, "WS_ERROR_UNDERLYING_IO_ERROR", "unreachable"),
        (Code.ServiceError, "Invalid response. Response text: un canari", "bad_answer"),
        (Code.ServiceError, "", "internal"),
    ],
)
def test_how_the_sdk_says_that_it_failed_becomes_a_cause_without_its_words(
    code: Code, details: str, why: str
) -> None:
    error = failure_of(code, details)
    assert cause_of(error) == why
    assert "canari" not in repr(error)


def test_an_end_without_a_fault_is_none() -> None:
    assert failure_of(Code.NoError, "") is None


def test_a_region_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="region"):
        azure.tts.parse({"region": "host.example/"}, {})


@pytest.mark.parametrize(
    ("endpoint", "speaks"),
    [
        (
            "https://mine.cognitiveservices.azure.com/",
            "https://mine.cognitiveservices.azure.com/tts/cognitiveservices/v1",
        ),
        ("http://127.0.0.1:5000", "http://127.0.0.1:5000/cognitiveservices/v1"),
    ],
)
def test_a_resource_of_ones_own_and_a_container_have_their_paths(
    endpoint: str, speaks: str
) -> None:
    options = azure.SpeechOptions(endpoint=endpoint)
    assert options.host("tts", "/cognitiveservices/v1").url == speaks
