"""What only ElevenLabs does."""

from collections.abc import Iterator

import pytest
from livekit.agents import APIError

from eloquence.coaching.character import Language, Voice
from eloquence.conversation.faults import cause_of
from eloquence.conversation.stages import Resources
from eloquence.providers import elevenlabs
from eloquence.testing.asking import ONCE
from eloquence.testing.context import stage_context
from eloquence.testing.vendors import KEY
from eloquence.testing.vendors.elevenlabs import ElevenLabs


@pytest.fixture
def vendor() -> Iterator[ElevenLabs]:
    with ElevenLabs() as running:
        yield running


async def asked(
    vendor: ElevenLabs,
    resources: Resources,
    language: Language = "fr",
    voice: Voice | None = None,
    **given: object,
) -> dict[str, object]:
    """The request for one sentence."""
    options = elevenlabs.tts.parse({**vendor.options, **given}, {})
    context = stage_context(language, resources=resources, voice=voice)
    made = elevenlabs.tts.create(options, context)
    await made.synthesize("Bonjour.", conn_options=ONCE).collect()
    return vendor.asked[-1].json()


async def test_a_sentence_is_asked_for_as_sound_that_is_not_compressed(
    vendor: ElevenLabs, resources: Resources
) -> None:
    body = await asked(vendor, resources)
    assert body["text"] == "Bonjour."
    assert (body["model_id"], body["language_code"]) == ("eleven_turbo_v2_5", "fr")
    assert body["voice_settings"] is None, "the voice as its maker set it"
    assert "output_format=pcm_24000" in vendor.asked[0].path
    assert vendor.asked[0].headers["xi-api-key"] == KEY
    assert KEY not in vendor.asked[0].path


@pytest.mark.parametrize(
    ("given", "language", "model", "code"),
    [
        ("eleven_turbo_v2", "fr", "eleven_turbo_v2_5", "fr"),
        ("eleven_turbo_v2", "en", "eleven_turbo_v2", None),
        ("eleven_multilingual_v2", "fr", "eleven_multilingual_v2", None),
        ("tts-1", "fr", "eleven_turbo_v2_5", "fr"),
    ],
)
async def test_a_model_that_does_not_speak_the_language_is_replaced_and_that_is_told(
    vendor: ElevenLabs,
    resources: Resources,
    given: str,
    language: Language,
    model: str,
    code: str | None,
) -> None:
    """TTS-07, X-29: the seeds' own command names eleven_turbo_v2, which only speaks English."""
    body = await asked(vendor, resources, language, model=given)
    assert body["model_id"] == model
    assert body.get("language_code") == code
    options = elevenlabs.tts.parse({**vendor.options, "model": given}, {})
    ready = elevenlabs.tts.check(options, language)
    assert ready.model == model
    assert ("in its place" in ready.detail) == (given != model)


async def test_a_characters_pace_is_kept_within_what_elevenlabs_takes(
    vendor: ElevenLabs, resources: Resources
) -> None:
    slow = await asked(vendor, resources, voice=Voice(pace=0.5))
    assert isinstance(slow["voice_settings"], dict)
    assert slow["voice_settings"]["speed"] == 0.7


@pytest.mark.parametrize("nothing_kept", [True, False])
async def test_elevenlabs_is_asked_to_keep_nothing_where_the_contract_has_it(
    vendor: ElevenLabs, resources: Resources, nothing_kept: bool
) -> None:
    await asked(vendor, resources, zero_retention=nothing_kept)
    assert f"enable_logging={str(not nothing_kept).lower()}" in vendor.asked[0].path


async def test_characters_that_are_used_up_are_a_limit_and_no_wrong_key(
    vendor: ElevenLabs, resources: Resources
) -> None:
    """ElevenLabs answers 401 to both."""
    vendor.used_up = True
    with pytest.raises(APIError) as caught:
        await asked(vendor, resources)
    assert cause_of(caught.value) == "rate_limit"


async def test_a_voice_that_is_not_in_the_library_is_a_bad_request(
    vendor: ElevenLabs, resources: Resources
) -> None:
    with pytest.raises(APIError) as caught:
        await asked(vendor, resources, model="eleven_unheard_of")
    assert cause_of(caught.value) == "bad_request"


async def test_a_key_that_may_only_speak_is_good(vendor: ElevenLabs) -> None:
    vendor.limited = True
    assert (await elevenlabs.probe(elevenlabs.Options(**vendor.options), "fr")).ready


def test_the_seeds_variables_are_read() -> None:
    """CFG-05"""
    environment = {
        "ELEVENLABS_API_KEY": "second",
        "ELEVEN_API_KEY": "secret-of-one",
        "TTS_MODEL": "eleven_flash_v2_5",
        "TTS_VOICE_ID": "nova",
    }
    options = elevenlabs.tts.parse({}, environment)
    assert isinstance(options, elevenlabs.Options)
    assert options.api_key is not None
    assert options.api_key.get_secret_value() == "secret-of-one"
    assert (options.model, options.voice) == ("eleven_flash_v2_5", "nova")
    assert "secret-of-one" not in repr(options)


def test_an_address_that_is_none_is_refused() -> None:
    ready = elevenlabs.check(elevenlabs.Options(base_url="ftp://host"), "fr")
    assert not ready.ready
    assert "address" in ready.detail
