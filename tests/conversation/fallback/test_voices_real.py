"""The conversation's voice over real voices: espeak, and a host over HTTP that is torn at."""

import asyncio
import gc
import logging
import random
import string
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from livekit.agents import utils
from livekit.agents.types import USERDATA_TIMED_TRANSCRIPT

from eloquence.coaching.character import Language
from eloquence.coaching.character import Voice as Character
from eloquence.coaching.lines import Lines
from eloquence.conversation.fallback.breaker import Breaker
from eloquence.conversation.fallback.chain import Chain, Link
from eloquence.conversation.fallback.intake import PEAK
from eloquence.conversation.fallback.voices import Voices
from eloquence.conversation.stages import Resources, StageContext
from eloquence.protocol import StageStatus
from eloquence.providers import espeak, openai
from eloquence.storage import content
from eloquence.storage.content import SHIPPED
from eloquence.storage.recorded import recorded
from eloquence.testing import clock
from eloquence.testing.services import Mode, Services
from eloquence.testing.stages import ScriptedTTS

SENTENCE = "Bonjour Marie, parlez-moi donc de votre dernier voyage en Italie."


def context(resources: Resources) -> StageContext:
    library = content.load()
    exercise = library.exercise("conversation_libre_marie", "fr")
    character = library.character(exercise.character, "fr")
    character = character.model_copy(update={"voice": Character()})
    return StageContext("fr", exercise, exercise.scenario(), character, resources)


def link(name: str, stage: Any) -> Link[Any]:
    return Link(name, stage, Breaker(), StageStatus(provider=name, detail=""))


def odd_texts(count: int) -> list[str]:
    """Texts as a model may write them, and worse (T05)."""
    chance = random.Random(5)
    words = [
        "oui",
        "non",
        "3,14",
        "1789",
        "2e",
        "100",
        "%",
        "@",
        "https://example.org/a?b=c&d=1",
        "🙂",
        "👩\u200d🚀",
        "«",
        "ah",
        "!",
        "»",
        "hello",
        "world",
        "l’été",
    ]
    letters = (
        string.printable + "éèêçœÉ’«»…—\u00a0\u202f\u200b\u200d\ufeff漢字кир🙂👍🏽\u0301\x00\x07"
    )
    texts = [
        "",
        " ",
        "\n\n",
        "...",
        "🙂",
        "🙂🙂🙂",
        "?!",
        "\u200b",
        "a",
        "7",
        "—",
        "https://example.org",
    ]
    texts += [
        "mot " * 1_250,
        "a" * 5_000,
        "1" * 5_000,
        "é" * 220,
        "🙂" * 400,
        "<b>gras</b>",
        "A.B.C.",
    ]
    texts += [
        "0,5 % de 1 000 000 € le 14/07/1789 à 8h30",
        "I said « bonjour », then left.",
        "x²+y²=z²",
    ]
    while len(texts) < count:
        size = chance.randint(1, 12)
        if chance.random() < 0.5:
            texts.append(" ".join(chance.choices(words, k=size)))
        else:
            texts.append("".join(chance.choices(letters, k=size * 3)))
    return texts


async def spoken(voices: Voices, text: str) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    pcm = b""
    async with voices.synthesize(text) as stream:
        async for audio in stream:
            pcm += bytes(audio.frame.data)
    return np.frombuffer(pcm, "<i2")


def test_500_odd_texts_are_spoken_or_skipped_by_a_scripted_voice() -> None:
    async def speak() -> None:
        stage = ScriptedTTS(first=0.0, haste=8.0)
        voices = Voices(Chain("tts", [link("scripted", stage)]), "fr")
        for text in odd_texts(520):
            assert len(await spoken(voices, text))

    clock.run(speak())


def test_500_odd_texts_are_spoken_or_skipped_by_espeak() -> None:
    """T05: 0 errors, and no peak above -1 dBFS."""

    async def speak() -> list[str]:
        resources = Resources()
        failed = []
        try:
            stage = espeak.create(espeak.Options(), context(resources))
            voices = Voices(Chain("tts", [link("espeak", stage)]), "fr", first=30.0, idle=30.0)
            for text in odd_texts(520):
                if len(text) > 2_000 and len(set(text)) < 3:
                    text = text[:500]  # espeak needs minutes for a number of 5,000 digits
                try:
                    sound = await spoken(voices, text)
                except Exception as error:
                    failed.append(f"{text[:40]!r}: {error!r}")
                    continue
                assert len(sound)
                assert np.abs(sound.astype(int)).max() <= PEAK
            await voices.aclose()
        finally:
            await resources.close()
        return failed

    assert asyncio.run(speak()) == []


def test_words_of_a_local_voice_keep_their_times() -> None:
    async def speak() -> list[tuple[str, float]]:
        resources = Resources()
        words: list[tuple[str, float]] = []
        try:
            stage = espeak.create(espeak.Options(), context(resources))
            voices = Voices(Chain("tts", [link("espeak", stage)]), "fr", first=30.0, idle=30.0)
            async with voices.synthesize(SENTENCE) as stream:
                async for audio in stream:
                    timed = audio.frame.userdata.get(USERDATA_TIMED_TRANSCRIPT, ())
                    words.extend((str(word), float(word.start_time)) for word in timed)
            await voices.aclose()
        finally:
            await resources.close()
        return words

    words = asyncio.run(speak())
    assert "".join(word for word, _ in words).split() == SENTENCE.split()
    starts = [start for _, start in words]
    assert starts == sorted(starts)
    assert 2.0 < starts[-1] < 8.0


def test_300_clauses_over_http_torn_at_any_instant_leave_no_connection(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """ST-01 to ST-12, D-17, D-18: nothing pending, nothing unclosed, nothing complained of."""
    caplog.set_level(logging.WARNING)
    modes: tuple[Mode, ...] = (
        "ok",
        "500",
        "hang",
        "stall_mid",
        "close_mid",
        "empty",
        "garbage",
        "html",
    )

    async def tear() -> None:
        chance = random.Random(11)
        resources = Resources()
        async with utils.http_context.open(), Services(speech_seconds=4.0) as services:
            before = asyncio.all_tasks()
            options = openai.SpeechOptions(base_url=f"{services.url}/v1", api_key="key")
            stage = openai.create_tts(options, context(resources))
            chain = Chain("tts", [link("host", stage), link("last", ScriptedTTS(first=0.0))])
            voices = Voices(chain, "fr", first=0.15, idle=0.1)

            async def one() -> None:
                stream = voices.answer().synthesize(SENTENCE)

                async def listen() -> None:
                    async with stream:
                        async for _ in stream:
                            pass

                listening = asyncio.create_task(listen())
                await asyncio.sleep(chance.random() * 0.3)
                if chance.random() < 0.5:
                    listening.cancel()
                else:
                    await stream.aclose()
                await asyncio.gather(listening, return_exceptions=True)
                await stream.aclose()

            for _ in range(30):
                services.mode = chance.choice(modes)
                chain.links[0].breaker.succeeded()
                await asyncio.gather(*(one() for _ in range(10)))
            await voices.aclose()
            await resources.close()
            left = [
                task
                for task in asyncio.all_tasks() - before - services._connections
                if not task.done()
            ]
            assert not left

    open_before = len(list(Path("/proc/self/fd").iterdir()))
    asyncio.run(tear())
    gc.collect()
    assert len(list(Path("/proc/self/fd").iterdir())) == open_before
    words = ("aclose", "already running", "never retrieved", "unclosed", "asynchronous generator")
    said = [record.getMessage() for record in caplog.records]
    assert not [text for text in said if any(word in text.lower() for word in words)]


@pytest.mark.parametrize("language", ["fr", "en"])
def test_the_recorded_sentences_are_there_and_small(language: Language) -> None:
    lines: Lines = content.load().lines(language)
    sounds = recorded(language, "voice_lost")
    assert len(sounds) == len(lines.voice_lost) == 2
    for pcm, line in zip(sounds, lines.voice_lost, strict=True):
        seconds = len(pcm) / 48_000
        assert len(line) / 25 < seconds < len(line) / 10
        assert 1_000 < np.abs(np.frombuffer(pcm, "<i2").astype(int)).max() <= PEAK
    size = sum(path.stat().st_size for path in (SHIPPED / language / "recorded").iterdir())
    assert size < 50_000
