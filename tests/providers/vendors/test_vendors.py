"""What holds of every vendor whose real client runs against a host of the tests, whether it hears
or speaks."""

import asyncio
from collections.abc import Iterator, Mapping

import pytest

from eloquence import registry
from eloquence.conversation.stages import Resources
from eloquence.errors import (
    DependencyNotFoundError,
    ProviderError,
    SpeechToTextError,
    TextToSpeechError,
)
from eloquence.providers import _vendors
from eloquence.registry import Provider, Stage
from eloquence.testing.context import stage_context
from eloquence.testing.deadlines import IN_TIME
from eloquence.testing.vendors import KEY, Mode, Vendor, local_server

Named = tuple[Stage, str]
VENDORS: list[Named] = [
    ("stt", "deepgram"),
    ("stt", "azure"),
    ("stt", "google"),
    ("tts", "elevenlabs"),
    ("tts", "azure"),
]
AZURE = {"AZURE_SPEECH_KEY": "k", "AZURE_SPEECH_REGION": "francecentral"}
USUAL: list[tuple[Named, Mapping[str, str], str]] = [
    (("stt", "deepgram"), {"DEEPGRAM_API_KEY": "k"}, "api.deepgram.com"),
    (("stt", "azure"), AZURE, "francecentral.stt.speech.microsoft.com"),
    (("tts", "elevenlabs"), {"ELEVENLABS_API_KEY": "k"}, "api.elevenlabs.io"),
    (("tts", "elevenlabs"), {"ELEVEN_API_KEY": "k"}, "api.elevenlabs.io"),
    (("tts", "azure"), AZURE, "francecentral.tts.speech.microsoft.com"),
]
ERRORS: Mapping[Stage, type[ProviderError]] = {"stt": SpeechToTextError, "tts": TextToSpeechError}


@pytest.fixture(params=VENDORS, ids="-".join)
def asked(request: pytest.FixtureRequest) -> Iterator[tuple[Provider, Vendor]]:
    """A provider, and the host that it asks."""
    with local_server(*request.param) as running:
        yield registry.provider(*request.param), running


@pytest.mark.parametrize(("mode", "ready"), [("ok", True), ("401", False), ("500", False)])
async def test_the_probe_asks_the_vendor_whether_the_key_works(
    asked: tuple[Provider, Vendor], mode: Mode, ready: bool
) -> None:
    provider, vendor = asked
    vendor.mode = mode
    assert provider.probe is not None
    told = await provider.probe(provider.parse(vendor.options, {}), "fr")
    assert told.ready is ready
    assert ready or told.mend
    assert KEY not in repr(told)


async def test_the_probe_does_not_wait_for_a_host_that_is_silent(
    asked: tuple[Provider, Vendor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_vendors, "PROBE_SECONDS", 0.3)
    provider, vendor = asked
    vendor.mode = "hang"
    assert provider.probe is not None
    async with asyncio.timeout(IN_TIME):
        told = await provider.probe(provider.parse(vendor.options, {}), "fr")
    assert not told.ready
    assert "in time" in told.detail


@pytest.mark.parametrize(("named", "environment", "host"), USUAL)
def test_the_vendors_usual_variables_make_it_ready_and_who_receives_what_is_said_is_named(
    named: Named, environment: Mapping[str, str], host: str
) -> None:
    provider = registry.provider(*named)
    ready = provider.check(provider.parse({}, environment), "fr")
    assert ready.ready
    assert ready.leaves_machine == host
    assert provider.languages == {"fr", "en"}


@pytest.mark.parametrize(
    ("named", "variable"),
    [
        (("stt", "deepgram"), "DEEPGRAM_API_KEY"),
        (("stt", "azure"), "AZURE_SPEECH_REGION"),
        (("tts", "elevenlabs"), "ELEVEN_API_KEY"),
        (("tts", "azure"), "AZURE_SPEECH_REGION"),
    ],
)
async def test_without_a_key_the_variable_is_named(
    named: Named, variable: str, resources: Resources
) -> None:
    provider = registry.provider(*named)
    options = provider.parse({}, {})
    ready = provider.check(options, "fr")
    assert not ready.ready
    assert variable in ready.mend
    with pytest.raises(ERRORS[named[0]], match=variable) as caught:
        provider.create(options, stage_context(resources=resources))
    assert isinstance(caught.value, ProviderError)
    assert caught.value.cause == "authentication"


@pytest.mark.parametrize(
    ("named", "environment"), {named: environment for named, environment, _ in USUAL}.items()
)
def test_without_its_package_the_command_is_named(
    named: Named,
    environment: Mapping[str, str],
    resources: Resources,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    provider = registry.provider(*named)
    options = provider.parse({}, environment)
    monkeypatch.setattr(_vendors, "installed", lambda package: False)
    assert f"pip install 'eloquence[{named[1]}]'" in provider.check(options, "fr").mend
    with pytest.raises(DependencyNotFoundError, match="pip install"):
        provider.create(options, stage_context(resources=resources))
