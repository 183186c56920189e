"""Piper, with its real engine and a voice made on the spot that hums."""

from pathlib import Path

import pytest
from livekit.agents import APIConnectionError
from livekit.agents.types import USERDATA_TIMED_TRANSCRIPT, APIConnectOptions

from eloquence.coaching.character import Voice
from eloquence.conversation.stages import Resources
from eloquence.errors import TextToSpeechError
from eloquence.providers import piper
from eloquence.testing.context import stage_context
from eloquence.testing.piper import write_humming_voice

ONCE = APIConnectOptions(max_retry=0, timeout=5)


async def test_each_clause_is_spoken_with_its_caption_ahead(
    tmp_path: Path, resources: Resources
) -> None:
    write_humming_voice(tmp_path)
    stage = piper.create(piper.Options(models=tmp_path), stage_context(resources=resources))
    captions: list[tuple[str, float]] = []
    seconds = 0.0
    async with stage.stream(conn_options=ONCE) as stream:
        stream.push_text("Bonjour, je suis Marie. Nous commençons.")
        stream.end_input()
        async for audio in stream:
            for word in audio.frame.userdata.get(USERDATA_TIMED_TRANSCRIPT, []):
                captions.append((word, seconds))
                assert word.start_time <= seconds + 0.3
            seconds += audio.frame.duration
    assert [caption for caption, _ in captions] == [
        "Bonjour, ", "je suis Marie. ", "Nous commençons.",
    ]  # fmt: skip
    assert seconds > 1


async def test_a_character_speaks_at_its_own_pace(tmp_path: Path, resources: Resources) -> None:
    write_humming_voice(tmp_path)
    lengths = []
    for pace in (0.7, 1.4):
        context = stage_context(resources=resources, voice=Voice(pace=pace))
        stage = piper.create(piper.Options(models=tmp_path), context)
        lengths.append((await stage.synthesize("Bonjour.", conn_options=ONCE).collect()).duration)
    assert lengths[0] == pytest.approx(2 * lengths[1], rel=0.15)


def test_a_missing_voice_is_told_with_the_command_that_fetches_it(
    tmp_path: Path, resources: Resources
) -> None:
    nothing = piper.Options(models=tmp_path)
    readiness = piper.check(nothing, "fr")
    assert not readiness.ready
    assert readiness.model == "fr_FR-siwis-medium"
    assert readiness.mend == "eloquence models download fr_FR-siwis-medium"
    with pytest.raises(TextToSpeechError, match="no voice"):
        piper.create(nothing, stage_context(resources=resources))
    model = write_humming_voice(tmp_path)
    assert piper.check(nothing, "fr").ready
    assert not piper.check(nothing, "en").ready
    model.with_name(f"{model.name}.json").unlink()
    assert not piper.check(nothing, "fr").ready
    assert "json" in piper.check(nothing, "fr").detail


async def test_a_damaged_voice_is_an_error_and_no_silence(
    tmp_path: Path, resources: Resources
) -> None:
    """S07"""
    write_humming_voice(tmp_path).write_bytes(b"damaged")
    stage = piper.create(piper.Options(models=tmp_path), stage_context(resources=resources))
    with pytest.raises(APIConnectionError, match="piper cannot speak"):
        await stage.synthesize("Bonjour.", conn_options=ONCE).collect()
