"""The espeak voice, with the real engine in its real process."""

import asyncio
import os
import signal
from pathlib import Path

import numpy as np
import pytest
from livekit.agents import APIStatusError
from livekit.agents.tts import SynthesizedAudio
from livekit.agents.types import USERDATA_TIMED_TRANSCRIPT, APIConnectOptions, TimedString

from eloquence.coaching.character import Language, Voice
from eloquence.conversation.stages import Resources
from eloquence.errors import ConfigurationError, TextToSpeechError
from eloquence.providers import _speech_process, espeak
from eloquence.providers._clause_speech import ClauseSpeech
from eloquence.providers._speech_process import Sound, SpeechProcess
from eloquence.testing.context import stage_context

NO_RETRY = APIConnectOptions(max_retry=0, timeout=5)
FRENCH = (
    "Bonjour, je suis Marie, votre coach. Aujourd’hui, nous allons parler de votre dernier "
    "projet : racontez-moi ce qui vous a plu, et ce qui fut difficile. Prenez votre temps, "
    "respirez, et commencez quand vous voulez."
)
ENGLISH = (
    "Hello, I am Marie, your coach. Today we are going to talk about your latest project: tell "
    "me what you liked, and what was hard. Take your time, breathe, and begin when you like."
)


async def spoken(voice: ClauseSpeech, text: str) -> list[SynthesizedAudio]:
    async with voice.stream(conn_options=NO_RETRY) as stream:
        stream.push_text(text)
        stream.end_input()
        return [audio async for audio in stream]


def pcm(parts: list[SynthesizedAudio]) -> np.ndarray:
    return np.concatenate([np.frombuffer(part.frame.data, np.int16) for part in parts])


def words(parts: list[SynthesizedAudio]) -> list[TimedString]:
    return [
        word for part in parts for word in part.frame.userdata.get(USERDATA_TIMED_TRANSCRIPT, [])
    ]


def seconds(given: object) -> float:
    assert isinstance(given, float)
    return given


def alive(pid: int | None) -> bool:
    return Path(f"/proc/{pid}").exists()


@pytest.fixture
def voice(resources: Resources) -> ClauseSpeech:
    return espeak.create(espeak.Options(), stage_context("fr", resources=resources))


@pytest.mark.parametrize(("language", "text"), [("fr", FRENCH), ("en", ENGLISH)])
async def test_the_pace_is_humane_by_default(
    resources: Resources, language: Language, text: str
) -> None:
    voice = espeak.create(espeak.Options(), stage_context(language, resources=resources))
    sound = pcm(await spoken(voice, text))
    minutes = len(sound) / 24_000 / 60
    count = len(text.replace("’", " ").replace(" :", "").split())
    assert 135 <= count / minutes <= 165
    assert np.abs(sound).max() > 3_000, "it is not silent"
    assert np.abs(sound).max() < 32_767 * 10 ** (-1 / 20), "and never louder than -1 dBFS"


async def test_every_word_has_the_time_at_which_it_is_heard(voice: ClauseSpeech) -> None:
    parts = await spoken(voice, FRENCH)
    timed = words(parts)
    assert "".join(timed) == FRENCH
    starts = [seconds(word.start_time) for word in timed]
    assert starts == sorted(starts)
    assert len(timed) >= 30
    duration = len(pcm(parts)) / 24_000
    assert seconds(timed[-1].end_time) == pytest.approx(duration, abs=0.02)
    # the breath after « Bonjour, » is before the next word, not inside it
    sound = np.abs(pcm(parts).astype(int))
    second = starts[1]
    assert sound[round((second - 0.1) * 24_000) : round(second * 24_000)].max() < 300
    assert sound[round(second * 24_000) : round((second + 0.15) * 24_000)].max() > 2_000


async def test_speech_starts_at_the_first_clause(voice: ClauseSpeech) -> None:
    async with voice.stream(conn_options=NO_RETRY) as stream:
        stream.push_text("Bonjour, je ")
        first = await asyncio.wait_for(anext(stream), 30)
        assert first.frame.duration > 0
        stream.push_text("suis là.")
        stream.end_input()
        assert [part async for part in stream]


async def test_a_character_has_its_voice_and_pace(resources: Resources) -> None:
    ask = espeak.request
    options = espeak.Options()
    assert ask(options, "fr", Voice(kind="feminine"), "")["voice"] == "fr+f2"
    assert ask(options, "fr", Voice(kind="masculine"), "")["voice"] == "fr+m3"
    assert ask(options, "en", Voice(names={"espeak": "en+f4"}), "")["voice"] == "en+f4"
    assert ask(espeak.Options(voice="fr+f5"), "fr", Voice(), "")["voice"] == "fr+f5"
    slow = await spoken(
        espeak.create(options, stage_context("fr", resources=resources, voice=Voice(pace=0.7))),
        "Prenez tout votre temps.",
    )
    fast = await spoken(
        espeak.create(options, stage_context("fr", resources=resources, voice=Voice(pace=1.4))),
        "Prenez tout votre temps.",
    )
    assert len(pcm(slow)) > 1.5 * len(pcm(fast))


async def test_conversations_share_one_process(resources: Resources) -> None:
    one, two = (
        espeak.create(espeak.Options(), stage_context("fr", resources=resources)) for _ in range(2)
    )
    first, second = await asyncio.gather(spoken(one, "Bonjour."), spoken(two, "Au revoir."))
    assert one.process is two.process
    assert len(pcm(first)) != len(pcm(second))


async def test_the_engine_can_be_loaded_before_the_first_word(voice: ClauseSpeech) -> None:
    voice.prewarm()
    voice.prewarm()
    await voice.process.start()
    pid = voice.process.pid
    assert pid is not None
    await spoken(voice, "Bonjour.")
    assert voice.process.pid == pid


async def test_closing_while_the_engine_loads_leaves_no_process(resources: Resources) -> None:
    voice = espeak.create(espeak.Options(), stage_context("fr", resources=resources))
    voice.prewarm()
    await resources.close()
    assert voice.process.pid is None


async def test_a_killed_process_is_started_again_unheard(voice: ClauseSpeech) -> None:
    before = pcm(await spoken(voice, FRENCH))
    pid = voice.process.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    after = pcm(await spoken(voice, FRENCH))
    assert voice.process.pid != pid
    assert len(after) == pytest.approx(len(before), rel=0.02)


async def test_a_process_that_dies_in_mid_clause_goes_on_where_it_stopped(
    voice: ClauseSpeech,
) -> None:
    text = "Un deux trois quatre cinq six sept huit neuf dix. " * 40
    asked = voice.request(text)
    async with voice.process.speak(asked) as whole:
        expected = b"".join([part.pcm async for part in whole if isinstance(part, Sound)])
    heard = b""
    async with voice.process.speak(asked) as speech:
        async for part in speech:
            if not isinstance(part, Sound):
                continue
            if not heard:
                assert voice.process.pid is not None
                os.kill(voice.process.pid, signal.SIGKILL)
            heard += part.pcm
    assert len(heard) == len(expected)


async def test_a_process_that_hangs_is_replaced(
    voice: ClauseSpeech, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T02"""
    await voice.process.start()
    monkeypatch.setattr(_speech_process, "SILENCE_SECONDS", 0.3)
    assert voice.process.pid is not None
    os.kill(voice.process.pid, signal.SIGSTOP)
    assert len(pcm(await spoken(voice, "Bonjour."))) > 5_000


async def test_closing_the_resources_ends_the_process(resources: Resources) -> None:
    made = stage_context("fr", resources=resources)
    voice = espeak.create(espeak.Options(), made)
    await spoken(voice, "Bonjour.")
    pid = voice.process.pid
    await made.resources.close()
    assert not alive(pid)
    with pytest.raises(TextToSpeechError, match="closed"):
        await voice.process.start()


async def test_a_left_speech_stops_the_engine(voice: ClauseSpeech) -> None:
    long = " ".join(["un"] * 5_000)
    async with voice.process.speak(voice.request(long)) as speech:
        await anext(speech)
    assert len(pcm(await spoken(voice, "Bonjour."))) > 5_000


@pytest.mark.parametrize(
    "text",
    [
        "…",
        "🙂",
        "**Bravo** !",
        "https://exemple.fr/a?b=1",
        "3,14 % de 60 €",
        "a" * 5_000,
        "« Oui » ?",
        "\x00\x07 [[f_@]]",
    ],
)
async def test_odd_text_is_spoken_or_skipped(voice: ClauseSpeech, text: str) -> None:
    """T05"""
    parts = await spoken(voice, text)
    assert parts
    assert "".join(words(parts)) == text


async def test_an_unknown_voice_is_refused_without_ending_the_process(resources: Resources) -> None:
    voice = espeak.create(
        espeak.Options(voice="fr+nobody"), stage_context("fr", resources=resources)
    )
    strange = espeak.create(espeak.Options(voice="qqq"), stage_context("fr", resources=resources))
    assert pcm(await spoken(voice, "Bonjour.")).size  # espeak falls back to its own variant
    with pytest.raises(APIStatusError):
        await spoken(strange, "Bonjour.")
    assert pcm(await spoken(voice, "Bonjour.")).size


async def test_an_engine_that_cannot_start_says_so() -> None:
    process = SpeechProcess("nothing", "eloquence.providers.no_such_engine")
    with pytest.raises(TextToSpeechError, match="did not start"):
        await process.start()
    await process.close()


def test_it_is_ready_on_this_machine_and_says_what_it_is() -> None:
    readiness = espeak.check(espeak.Options(), "fr")
    assert readiness.ready
    assert readiness.leaves_machine == ""


def test_a_voice_name_that_is_no_name_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="voice"):
        espeak.tts.parse({"voice": "../../etc"}, {})
