"""Supertonic, with its real package and a model made on the spot that hums."""

from pathlib import Path

import numpy as np
import pytest
from livekit.agents import APIConnectionError
from livekit.agents.types import USERDATA_TIMED_TRANSCRIPT

from eloquence.coaching.character import Voice
from eloquence.conversation.stages import Resources
from eloquence.errors import ConfigurationError, TextToSpeechError
from eloquence.providers import supertonic
from eloquence.testing.asking import ONCE
from eloquence.testing.context import stage_context
from eloquence.testing.supertonic import HERTZ, SECONDS_PER_CHARACTER, write_humming_model


def pitch(pcm: bytes) -> float:
    """Hertz of the strongest tone in the first second."""
    sound = np.frombuffer(pcm, np.int16)[:24_000].astype(float)
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
    return float(np.argmax(spectrum) * 24_000 / len(sound))


async def test_each_clause_is_spoken_with_its_caption_ahead(
    tmp_path: Path, resources: Resources
) -> None:
    write_humming_model(tmp_path)
    options = supertonic.Options(models=tmp_path)
    stage = supertonic.create(options, stage_context(resources=resources))
    captions: list[str] = []
    seconds = 0.0
    async with stage.stream(conn_options=ONCE) as stream:
        stream.push_text("Bonjour, je suis Marie. « L’été », c’est… parfait !")
        stream.end_input()
        async for audio in stream:
            for word in audio.frame.userdata.get(USERDATA_TIMED_TRANSCRIPT, []):
                captions.append(str(word))
                assert word.start_time <= seconds + 0.3
            seconds += audio.frame.duration
    assert "".join(captions) == "Bonjour, je suis Marie. « L’été », c’est… parfait !"
    assert seconds > 2


async def test_a_character_speaks_with_a_voice_of_its_kind_and_at_its_own_pace(
    tmp_path: Path, resources: Resources
) -> None:
    write_humming_model(tmp_path)
    heard: dict[str, tuple[float, float]] = {}
    voices = {
        "F1": Voice(),
        "M1": Voice(kind="masculine", pace=0.8),
        "F2": Voice(names={"supertonic": "F2"}),
    }
    for name, voice in voices.items():
        options = supertonic.Options(models=tmp_path, threads=1)
        stage = supertonic.create(options, stage_context(resources=resources, voice=voice))
        frame = await stage.synthesize("Bonjour à tous.", conn_options=ONCE).collect()
        heard[name] = (pitch(frame.data.tobytes()), frame.duration)
    for name, (hertz, _) in heard.items():
        assert hertz == pytest.approx(HERTZ[name], rel=0.03)
    # <fr>Bonjour à tous.</fr>, à in two characters
    assert heard["F1"][1] == pytest.approx(25 * SECONDS_PER_CHARACTER, abs=0.1)
    assert heard["M1"][1] == pytest.approx(heard["F1"][1] / 0.8, rel=0.1)


async def test_what_the_voice_cannot_say_is_left_out_and_no_failure(
    tmp_path: Path, resources: Resources
) -> None:
    write_humming_model(tmp_path)
    options = supertonic.Options(models=tmp_path)
    stage = supertonic.create(options, stage_context(resources=resources))
    frame = await stage.synthesize("Deux ₿ et 漢字, voilà.", conn_options=ONCE).collect()
    assert frame.duration > 0.5


def test_a_missing_model_or_voice_is_told_with_what_to_do(
    tmp_path: Path, resources: Resources
) -> None:
    """X-29"""
    options = supertonic.Options(models=tmp_path)
    readiness = supertonic.check(options, "fr")
    assert not readiness.ready
    assert readiness.mend == "eloquence models download supertonic-3"
    with pytest.raises(TextToSpeechError, match="not here"):
        supertonic.create(options, stage_context(resources=resources))
    folder = write_humming_model(tmp_path)
    assert supertonic.check(options, "fr").ready
    assert supertonic.check(options, "fr").leaves_machine == ""
    unknown = supertonic.check(supertonic.Options(models=tmp_path, voice="alloy"), "fr")
    assert not unknown.ready
    assert "F1, F2, M1, M2" in unknown.mend
    own = folder / "voice_styles/F2.json"
    assert supertonic.check(supertonic.Options(models=tmp_path, voice=str(own)), "fr").ready
    (folder / "onnx/vocoder.onnx").unlink()
    assert not supertonic.check(options, "fr").ready


async def test_a_damaged_model_is_an_error_and_no_silence(
    tmp_path: Path, resources: Resources
) -> None:
    """S07: and nothing is fetched in its place."""
    (write_humming_model(tmp_path) / "onnx/vocoder.onnx").write_bytes(b"damaged")
    options = supertonic.Options(models=tmp_path)
    stage = supertonic.create(options, stage_context(resources=resources))
    with pytest.raises(APIConnectionError, match="supertonic cannot speak"):
        await stage.synthesize("Bonjour.", conn_options=ONCE).collect()


def test_options_that_are_wrong_are_refused_by_name() -> None:
    with pytest.raises(ConfigurationError, match="speed"):
        supertonic.tts.parse({"speed": 3}, {})
    with pytest.raises(ConfigurationError, match="stepps"):
        supertonic.tts.parse({"stepps": 5}, {})
