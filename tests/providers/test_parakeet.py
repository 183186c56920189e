"""Parakeet, with the real onnx-asr and a model made on the spot that hears one sentence."""

import asyncio
from pathlib import Path

import numpy as np
import pytest
from livekit.agents import APIConnectionError

from eloquence.conversation.stages import Resources
from eloquence.errors import ConfigurationError, SpeechToTextError
from eloquence.providers import parakeet
from eloquence.providers._parakeet_recogniser import Parakeet, SharedModel, understood
from eloquence.providers._threads import recognition_threads
from eloquence.providers._utterances import NOTHING, Heard
from eloquence.testing.context import stage_context
from eloquence.testing.parakeet import SENTENCE, write_listening_model
from eloquence.testing.stages import tone


def utterance(seconds: float) -> bytes:
    """Silence, a tone, silence."""
    quiet = bytes(2 * round(0.4 * 16_000))
    return quiet + tone(seconds, rate=16_000) + quiet


async def heard(recogniser: Parakeet, pcm: bytes) -> Heard:
    for at in range(0, len(pcm), 3_200):
        assert await recogniser.hear(pcm[at : at + 3_200]) == ""
    return await recogniser.finish()


async def test_an_utterance_becomes_text_with_marks_and_words_with_times(
    tmp_path: Path, resources: Resources
) -> None:
    model = SharedModel(write_listening_model(tmp_path), 1)
    recogniser = Parakeet(model, recognition_threads(resources))
    await recogniser.open()
    found = await heard(recogniser, utterance(2.0))
    assert found.text == SENTENCE
    assert [word.text for word in found.words] == ["Bonjour", "je", "suis", "Marie"]
    assert found.words[0].start == pytest.approx(0.4, abs=0.1)
    for before, after in zip(found.words, found.words[1:], strict=False):
        assert before.start < before.end <= after.start
    assert found.words[-1].end < 2.8
    assert 0.9 < found.confidence <= 1.0
    assert (await heard(recogniser, utterance(2.0))).text == SENTENCE, "and the next utterance"
    await recogniser.close()


@pytest.mark.parametrize("pcm", [b"", bytes(320), bytes(32_000)])
async def test_silence_and_next_to_nothing_is_nothing_heard(
    tmp_path: Path, resources: Resources, pcm: bytes
) -> None:
    model = SharedModel(write_listening_model(tmp_path), 1)
    recogniser = Parakeet(model, recognition_threads(resources))
    assert await heard(recogniser, pcm) == NOTHING


async def test_conversations_share_the_model_and_hear_at_once(
    tmp_path: Path, resources: Resources
) -> None:
    folder = write_listening_model(tmp_path)
    stages = [
        parakeet.create(parakeet.Options(models=tmp_path), stage_context(resources=resources))
        for _ in range(2)
    ]
    recognisers = [stage.recogniser() for stage in stages]
    assert all(isinstance(one, Parakeet) for one in recognisers)
    assert len({id(one._model) for one in recognisers if isinstance(one, Parakeet)}) == 1
    pcm = utterance(1.6)

    async def one(number: int) -> str:
        await recognisers[number].hear(pcm)
        return (await recognisers[number].finish()).text

    assert set(await asyncio.gather(one(0), one(1))) == {SENTENCE}
    assert {stage.model for stage in stages} == {folder.name}


def test_a_missing_model_is_told_with_the_command_that_fetches_it(
    tmp_path: Path, resources: Resources
) -> None:
    options = parakeet.Options(models=tmp_path)
    readiness = parakeet.check(options, "fr")
    assert not readiness.ready
    assert readiness.mend == "eloquence models download parakeet-tdt-0.6b-v3-int8"
    with pytest.raises(SpeechToTextError, match="not here"):
        parakeet.create(options, stage_context(resources=resources))
    folder = write_listening_model(tmp_path)
    assert parakeet.check(options, "fr").ready
    assert parakeet.check(options, "fr").leaves_machine == ""
    assert parakeet.check(parakeet.Options(model=str(folder)), "en").ready
    (folder / "vocab.txt").unlink()
    assert not parakeet.check(options, "fr").ready


async def test_a_damaged_model_is_an_error_and_no_silence(
    tmp_path: Path, resources: Resources
) -> None:
    """S07: and nothing is fetched in its place."""
    folder = write_listening_model(tmp_path)
    (folder / "encoder-model.int8.onnx").write_bytes(b"damaged")
    recogniser = Parakeet(SharedModel(folder, 1), recognition_threads(resources))
    with pytest.raises(APIConnectionError, match="cannot be loaded") as caught:
        await recogniser.open()
    assert not caught.value.retryable


async def test_a_model_that_stops_decoding_is_an_error(
    tmp_path: Path, resources: Resources
) -> None:
    folder = write_listening_model(tmp_path)
    wrong = (folder / "encoder-model.int8.onnx").read_bytes()
    (folder / "decoder_joint-model.int8.onnx").write_bytes(wrong)
    recogniser = Parakeet(SharedModel(folder, 1), recognition_threads(resources))
    with pytest.raises(APIConnectionError, match="stopped decoding"):
        await heard(recogniser, utterance(1.0))


def test_options_that_are_wrong_are_refused_by_name() -> None:
    with pytest.raises(ConfigurationError, match="threads"):
        parakeet.stt.parse({"threads": -1}, {})
    with pytest.raises(ConfigurationError, match="beam"):
        parakeet.stt.parse({"beam": 4}, {})


def test_words_end_with_their_last_token_and_marks_belong_to_no_word() -> None:
    found = understood(
        " Oui, c'est vrai.",
        (" Oui", ",", " c", "'", "est", " vra", "i", "."),
        (0.0, 0.8, 1.0, 1.08, 1.16, 1.4, 1.56, 3.0),
        (0.0, 0.0, 0.0, 0.0, -0.6931471805599453, 0.0, 0.0, 0.0),
        3.2,
    )
    assert found.text == "Oui, c'est vrai."
    assert [word.text for word in found.words] == ["Oui", "c'est", "vrai"]
    times = [time for word in found.words for time in (word.start, word.end)]
    assert times == pytest.approx([0.0, 0.24, 1.0, 1.4, 1.4, 1.8])
    assert [word.confidence for word in found.words] == pytest.approx([1.0, 2 ** (-1 / 3), 1.0])
    assert understood("", (), (), (), 0.0) == NOTHING


def test_a_tone_is_what_the_test_says_it_is() -> None:
    assert np.abs(np.frombuffer(utterance(0.5), np.int16)).max() > 5_000
