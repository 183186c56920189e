"""PocketSphinx with real speech: French by the model beside the project, English by its own."""

import csv
import gzip
from pathlib import Path

import numpy as np
import pytest
from livekit import rtc
from livekit.agents import APIConnectionError, stt

from eloquence.conversation.stages import Resources
from eloquence.errors import SpeechToTextError
from eloquence.providers import pocketsphinx
from eloquence.testing.context import stage_context
from eloquence.testing.french import french_recogniser_options, word_errors, words
from eloquence.testing.hearing import RATE, Samples, finals, heard, recording, silence

pytestmark = pytest.mark.speech


def prompts(data: Path) -> dict[str, str]:
    lines = (data / "fixtures-fr/voxforge/PROMPTS").read_text("utf-8").splitlines()
    return {line.split()[0].rsplit("/", 1)[-1]: line.split(" ", 1)[1] for line in lines}


async def test_french_sentences_are_recognised_while_they_are_spoken(
    shared_data: Path, tmp_path: Path, resources: Resources
) -> None:
    """At most one word in ten is wrong, in one conversation, with pauses inside sentences."""
    said = prompts(shared_data)
    options = pocketsphinx.stt.parse(
        french_recogniser_options(shared_data, said.values(), tmp_path), {}
    )
    stage = pocketsphinx.stt.create(options, stage_context("fr", resources=resources))
    errors = total = 0
    for name, sentence in said.items():
        voice = recording(shared_data / f"fixtures-fr/voxforge/{name}.wav")
        events = await heard(stage, np.concatenate([voice, silence(0.5)]))
        text = " ".join(final.text for final in finals(events))
        assert any(event.type is stt.SpeechEventType.INTERIM_TRANSCRIPT for event in events)
        errors += word_errors(words(sentence), text.split())
        total += len(words(sentence))
    assert errors / total <= 0.10


async def test_each_word_has_its_time_in_the_stream(
    shared_data: Path, tmp_path: Path, resources: Resources
) -> None:
    sentence = prompts(shared_data)["fr-sb-503"]
    options = pocketsphinx.stt.parse(
        french_recogniser_options(shared_data, [sentence], tmp_path), {}
    )
    stage = pocketsphinx.stt.create(options, stage_context("fr", resources=resources))
    voice = recording(shared_data / "fixtures-fr/voxforge/fr-sb-503.wav")
    later = finals(await heard(stage, np.concatenate([silence(3), voice, silence(0.5)])))
    at_once = finals(await heard(stage, np.concatenate([voice, silence(0.5)])))

    def starts(found: list[stt.SpeechData]) -> list[float]:
        times = [word.start_time for data in found for word in data.words or []]
        return [time for time in times if isinstance(time, float)]

    assert [word for data in later for word in data.words or []] == words(sentence)
    assert starts(later) == sorted(starts(later))
    assert np.median(np.subtract(starts(later), starts(at_once))) == pytest.approx(3, abs=0.1)
    assert {data.language for data in later} == {"fr"}


async def test_english_needs_nothing_but_the_package(
    shared_data: Path, resources: Resources
) -> None:
    """Free English dictation with the model of the wheel: modest, but words and not noise."""
    stage = pocketsphinx.create(pocketsphinx.Options(), stage_context("en", resources=resources))
    folder = shared_data / "fixtures-en/lj"
    with (folder / "metadata.csv").open(encoding="utf-8") as lines:
        rows = list(csv.reader(lines, delimiter="|", quoting=csv.QUOTE_NONE))[:3]
    errors = total = 0
    for row in rows:
        events = await heard(
            stage, np.concatenate([recording(folder / f"{row[0]}.flac"), silence(0.5)])
        )
        text = " ".join(final.text for final in finals(events))
        errors += word_errors(words(row[-1]), text.split())
        total += len(words(row[-1]))
    assert errors / total < 0.45


async def test_a_grammar_may_say_what_can_be_heard(
    shared_data: Path, tmp_path: Path, resources: Resources
) -> None:
    sentence = prompts(shared_data)["fr-sb-503"]
    options = french_recogniser_options(shared_data, [sentence], tmp_path)
    grammar = tmp_path / "sentence.gram"
    grammar.write_text(
        f"#JSGF V1.0 UTF-8;\ngrammar s;\npublic <s> = {' '.join(words(sentence))};\n", "utf-8"
    )
    del options["lm"]
    stage = pocketsphinx.stt.create(
        pocketsphinx.stt.parse({**options, "jsgf": str(grammar)}, {}),
        stage_context("fr", resources=resources),
    )
    event = await stage.recognize(
        _frame(recording(shared_data / "fixtures-fr/voxforge/fr-sb-503.wav"))
    )
    assert event.alternatives[0].text.split() == words(sentence)


def _frame(sound: Samples) -> rtc.AudioFrame:
    return rtc.AudioFrame(sound.tobytes(), RATE, 1, len(sound))


def test_a_packed_dictionary_is_unpacked_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    packed = tmp_path / "fr.dict.gz"
    packed.write_bytes(gzip.compress(b"oui ww ii\n"))
    plain = pocketsphinx.unpacked(packed)
    assert plain.read_bytes() == b"oui ww ii\n"
    before = plain.stat().st_mtime_ns
    assert pocketsphinx.unpacked(packed) == plain
    assert plain.stat().st_mtime_ns == before
    assert pocketsphinx.unpacked(plain) == plain


def test_what_is_lacking_is_named_with_its_mend(tmp_path: Path, resources: Resources) -> None:
    french = pocketsphinx.check(pocketsphinx.Options(), "fr")
    assert not french.ready
    assert "hmm" in french.mend
    gone = pocketsphinx.Options(hmm=tmp_path / "gone")
    assert str(tmp_path / "gone") in pocketsphinx.check(gone, "fr").detail
    with pytest.raises(SpeechToTextError, match="gone"):
        pocketsphinx.create(gone, stage_context("fr", resources=resources))
    assert not pocketsphinx.check(pocketsphinx.Options(hmm=tmp_path), "fr").ready
    assert pocketsphinx.check(pocketsphinx.Options(), "en").ready


async def test_a_damaged_model_is_an_error_of_the_stage(
    tmp_path: Path, resources: Resources
) -> None:
    """S07"""
    for name in ("hmm", "words.dict", "sentences.lm"):
        (tmp_path / name).write_text("damaged")
    options = pocketsphinx.Options(
        hmm=tmp_path / "hmm", dictionary=tmp_path / "words.dict", lm=tmp_path / "sentences.lm"
    )
    stage = pocketsphinx.create(options, stage_context("fr", resources=resources))
    with pytest.raises(APIConnectionError):
        await heard(stage, silence(1))
