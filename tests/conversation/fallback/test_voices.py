"""A conversation's voice is never silent, and says each word once (B28, B29, T01 to T06)."""

import asyncio
import gc
import logging
import random
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from livekit import rtc
from livekit.agents import APIStatusError, tts, utils
from livekit.agents.types import (
    DEFAULT_API_CONNECT_OPTIONS,
    USERDATA_TIMED_TRANSCRIPT,
    APIConnectOptions,
    TimedString,
)

from eloquence.conversation.fallback.breaker import Breaker
from eloquence.conversation.fallback.chain import Chain, Link, Switch
from eloquence.conversation.fallback.intake import PEAK
from eloquence.conversation.fallback.voices import Answer, Voices
from eloquence.errors import TextToSpeechError
from eloquence.protocol import StageStatus
from eloquence.testing import clock
from eloquence.testing.stages import SPEECH_RATE, ScriptedTTS, SpeechMode, tone, words_in

CLAUSE = "Bonjour Marie, parlez-moi donc aujourd’hui de votre dernier grand voyage en Italie."
NEXT = "Ensuite nous verrons ensemble comment raconter cette belle histoire plus simplement."
WORDS = (CLAUSE + " " + NEXT).split()
PLAIN = ["".join(letter for letter in word.lower() if letter.isalnum()) for word in WORDS]
FIRST, SECOND = PLAIN[: len(CLAUSE.split())], PLAIN[len(CLAUSE.split()) :]
FAULTS: tuple[SpeechMode, ...] = ("hang", "stall", "close", "truncate", "garbage", "empty")

Voice = tts.TTS[Any]


def spoken_by(*stages: Voice, **settings: Any) -> Voices:
    return Voices(
        Chain("tts", [link(f"v{i}", stage) for i, stage in enumerate(stages)]), "fr", **settings
    )


def link(name: str, stage: Voice) -> Link[Voice]:
    return Link(name, stage, Breaker(), StageStatus(provider=name, detail=""))


def scripted(mode: SpeechMode = "ok", **settings: Any) -> ScriptedTTS:
    return ScriptedTTS(mode=mode, tones=WORDS, **settings)


class Heard:
    """The sound of an answer, with when each piece came."""

    def __init__(self) -> None:
        self.pcm = b""
        self.came: list[tuple[float, float]] = []
        """When a piece came, and how many seconds of sound had come before it."""
        self.timed: list[tuple[str, float]] = []

    @property
    def words(self) -> list[str]:
        return words_in(self.pcm, WORDS)

    @property
    def first(self) -> float:
        return self.came[0][0]

    @property
    def longest_wait(self) -> float:
        """Seconds that the listener waited at most once sound had begun."""
        until, longest = self.first, 0.0
        for (at, before), (_, after) in pairwise([*self.came, (0.0, len(self.pcm) / 48_000)]):
            longest = max(longest, at - until)
            until = max(until, at) + after - before
        return longest

    @property
    def length(self) -> float:
        """Seconds until the last sound is over."""
        at, before = self.came[-1]
        return at + len(self.pcm) / 48_000 - before

    async def clause(self, said: Answer | Voice, text: str) -> None:
        begins = len(self.pcm) / 48_000
        async with said.synthesize(text) as stream:
            async for audio in stream:
                self.note(audio.frame, begins)

    def note(self, frame: rtc.AudioFrame, begins: float) -> None:
        self.came.append((asyncio.get_running_loop().time(), len(self.pcm) / 48_000))
        self.pcm += bytes(frame.data)
        for word in frame.userdata.get(USERDATA_TIMED_TRANSCRIPT, ()):
            self.timed.append((str(word), begins + float(word.start_time)))


def heard(voices: Voices, *clauses: str) -> Heard:
    """What is heard of the clauses of one answer, in virtual time."""

    async def listen() -> Heard:
        found = Heard()
        said = voices.answer()
        for clause in clauses:
            await found.clause(said, clause)
        await voices.aclose()
        return found

    found: Heard = clock.run(listen())
    return found


BROKEN: tuple[tuple[SpeechMode, float], ...] = (
    *(("hang", 0.0), ("garbage", 1.0), ("empty", 0.0)),
    *((mode, part) for mode in ("stall", "close") for part in (0.05, 0.3, 0.5, 0.75, 0.95)),
    *(("truncate", part) for part in (0.05, 0.3, 0.5)),
)


@pytest.mark.parametrize("pace", [0.0, 0.3, 0.9])
@pytest.mark.parametrize(("fault", "part"), BROKEN)
def test_every_word_is_heard_once_whatever_a_voice_does(
    fault: SpeechMode, part: float, pace: float
) -> None:
    """T02, T03, T04: the first sound within 2.5 s, no wait longer than that, no word lost."""
    broken, other = scripted(fault, pace=pace), scripted(haste=1.2)
    broken.part = part
    found = heard(spoken_by(broken, other), CLAUSE, NEXT)
    assert found.words == PLAIN
    assert found.first <= 2.5
    assert found.longest_wait <= 2.5
    assert broken.open == other.open == 0


@pytest.mark.parametrize("pace", [1.6, 3.0, 10.0, 40.0])
def test_a_voice_that_comes_steadily_but_too_slowly_is_left(pace: float) -> None:
    """No piece is late, yet the listener waits for each: as of a line of 1 KB/s."""
    slow, other = scripted(pace=pace), scripted(haste=1.2)
    found = heard(spoken_by(slow, other), CLAUSE, NEXT)
    assert found.words == PLAIN
    assert found.first <= 2.5
    assert found.longest_wait <= 2.5
    assert found.length - len(found.pcm) / 48_000 <= 3.5
    assert slow.said == [CLAUSE]
    assert slow.open == other.open == 0


def test_a_voice_that_is_slow_and_alone_is_listened_to() -> None:
    assert heard(spoken_by(scripted(pace=3.0)), CLAUSE).words == FIRST


@pytest.mark.parametrize("pace", [0.0, 0.5])
def test_a_voice_that_is_well_is_heard_as_soon_as_if_it_were_alone(pace: float) -> None:
    async def alone() -> Heard:
        found = Heard()
        await found.clause(scripted(first=0.3, pace=pace), CLAUSE)
        return found

    found = heard(spoken_by(scripted(first=0.3, pace=pace), scripted()), CLAUSE)
    assert found.first == pytest.approx(clock.run(alone()).first, abs=0.001)
    assert found.longest_wait < 0.03  # a voice only twice as fast as speech; else none
    assert found.words == FIRST


def test_a_break_in_a_later_clause_costs_nothing_that_can_be_heard() -> None:
    """The sound of the first clause covers it: the second is said as a whole by one voice."""
    broken, other = scripted(), scripted(haste=1.2)
    broken.next_modes = ["ok", "stall"]
    found = heard(spoken_by(broken, other), CLAUSE, NEXT)
    assert found.words == PLAIN
    assert found.longest_wait < 0.001
    assert other.said == [NEXT]


def test_a_voice_that_failed_is_left_alone_in_that_answer_and_tried_in_the_next() -> None:
    broken, other = scripted(), scripted()
    broken.next_modes = ["close", "ok"]
    voices = spoken_by(broken, other)

    async def talk() -> None:
        found = Heard()
        said = voices.answer()
        await found.clause(said, CLAUSE)
        await found.clause(said, NEXT)
        assert broken.said == [CLAUSE]
        await found.clause(voices.answer(), NEXT)
        assert broken.said == [CLAUSE, NEXT]

    clock.run(talk())


def test_a_refused_key_is_not_tried_again_in_the_next_answer() -> None:
    refused, other = scripted(), scripted()
    refused.failing = APIStatusError("no", status_code=401)
    voices = spoken_by(refused, other)
    for _ in range(5):
        assert heard(voices, CLAUSE).words == FIRST
    assert len(refused.said) == 1


def test_a_voice_that_has_to_be_loaded_is_waited_for_when_it_is_first_asked() -> None:
    async def spoken() -> list[str]:
        slow, other = scripted(first=3.0), scripted()
        chain = Chain[Voice](
            "tts", [replace(link("slow", slow), loading=4.0), link("other", other)]
        )
        voices = Voices(chain, "fr")
        serving = []
        for _ in range(2):
            await Heard().clause(voices.answer(), CLAUSE)
            serving.append(chain.serving.name)
        await voices.aclose()
        return serving

    assert clock.run(spoken()) == ["slow", "other"]


def test_a_host_that_stands_by_is_not_called_before_it_is_needed() -> None:
    ready: list[str] = []

    class Warm(ScriptedTTS):
        name = ""

        def prewarm(self) -> None:
            ready.append(self.name)

    def standing(name: str, where: str) -> Link[Voice]:
        voice = Warm()
        voice.name = name
        status = StageStatus(provider=name, detail="", leaves_machine=where)
        return Link(name, voice, Breaker(), status)

    hosts = [standing(name, "example.org") for name in ("chosen", "other")]
    Voices(Chain("tts", [*hosts, standing("here", "")]), "fr").prewarm()
    assert ready == ["chosen", "here"]


def test_whoever_serves_is_told_when_it_changes() -> None:
    told: list[Switch] = []
    broken, other = scripted("hang"), scripted()
    chain = Chain("tts", [link("first", broken), link("second", other)], told.append)
    voices = Voices(chain, "fr")
    heard(voices, CLAUSE)
    broken.mode = "ok"
    heard(voices, CLAUSE)
    assert [(switch.status.provider, switch.cause) for switch in told] == [
        ("second", "timeout"),
        ("first", None),
    ]


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("fault", ["hang", "close", "garbage", "empty"])
def test_when_nobody_speaks_that_is_known_within_3_seconds(fault: SpeechMode, count: int) -> None:
    """T06. It is no error of the engine's, which would end the session at the fourth."""
    stages = [scripted(fault) for _ in range(count)]
    for stage in stages:
        stage.part = 0.0
    voices = spoken_by(*stages)
    errors: list[object] = []
    voices.on("error", errors.append)

    async def seconds() -> float:
        with pytest.raises(TextToSpeechError):
            await Heard().clause(voices.answer(), CLAUSE)
        return asyncio.get_running_loop().time()

    assert clock.run(seconds()) <= 3.0
    assert not errors
    assert not any(stage.open for stage in stages)


# what is sound and what is not


class Formatted(tts.TTS[Any]):
    """Gives these samples in this format, as they are."""

    def __init__(self, samples: np.ndarray[Any, Any], rate: int, channels: int = 1) -> None:
        capabilities = tts.TTSCapabilities(streaming=False)
        super().__init__(capabilities=capabilities, sample_rate=rate, num_channels=channels)
        self.samples = samples.astype("<i2")

    def synthesize(
        self, text: str, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    ) -> tts.ChunkedStream:
        return _FormattedStream(tts=self, input_text=text, conn_options=conn_options)


class _FormattedStream(tts.ChunkedStream):
    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        owner = self._tts
        assert isinstance(owner, Formatted)
        output_emitter.initialize(
            request_id=utils.shortuuid(),
            sample_rate=owner.sample_rate,
            num_channels=owner.num_channels,
            mime_type="audio/pcm",
        )
        output_emitter.push(owner.samples.tobytes())


def sine(seconds: float, rate: int, level: float = 0.25) -> np.ndarray[Any, Any]:
    return level * 32_767 * np.sin(2 * np.pi * 220 * np.arange(round(seconds * rate)) / rate)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 24_000, 44_100, 48_000])
def test_any_format_becomes_24_khz_mono(rate: int, channels: int) -> None:
    samples = np.repeat(sine(5.0, rate), channels)
    other = scripted()
    found = heard(spoken_by(Formatted(samples, rate, channels), other), CLAUSE)
    sound = np.frombuffer(found.pcm, "<i2").astype(float)
    assert not other.said
    assert len(sound) / SPEECH_RATE == pytest.approx(5.0, abs=0.08)
    power = np.abs(np.fft.rfft(sound))
    assert power.argmax() * SPEECH_RATE / len(sound) == pytest.approx(220, abs=1)
    assert np.abs(sound).max() == pytest.approx(0.25 * 32_767, rel=0.05)


NOISE = np.random.default_rng(1)
HTML = np.frombuffer(b"<!doctype html><title>It works!</title><p>Welcome to nginx " * 2_000, "<i2")
UNSOUND = {
    "noise": NOISE.integers(-32_768, 32_767, 60_000),
    "html": HTML,
    "bytes out of step": np.frombuffer(b"\0" + tone(3.0)[:-1], "<i2"),
    "square": np.sign(sine(4.0, SPEECH_RATE)) * 32_767,
    "silence": np.zeros(4 * SPEECH_RATE),
    "a hum that cannot be heard": np.full(4 * SPEECH_RATE, 20),
    "a page after some speech": np.concatenate([np.frombuffer(tone(0.5), "<i2"), HTML]),
    "noise after some speech": np.concatenate(
        [np.frombuffer(tone(0.5), "<i2"), NOISE.integers(-32_768, 32_767, 60_000)]
    ),
}


@pytest.mark.parametrize("name", UNSOUND)
def test_what_is_no_speech_is_never_heard(name: str) -> None:
    """T03: never a noise burst, whatever a host calls sound; and somebody says the clause."""
    other = scripted()
    found = heard(spoken_by(Formatted(UNSOUND[name], SPEECH_RATE), other), CLAUSE)
    assert other.said == [CLAUSE]
    assert found.words[-len(FIRST) + 2 :] == FIRST[2:]
    sound = np.abs(np.frombuffer(found.pcm, "<i2").astype(int))
    assert sound.max() < 10_000  # tones are at 8192, the noise is at full scale


def test_a_peak_is_never_above_minus_1_dbfs() -> None:
    loud = Formatted(np.clip(sine(5.0, SPEECH_RATE, 1.1), -32_768, 32_767), SPEECH_RATE)
    sound = np.frombuffer(heard(spoken_by(loud, scripted()), CLAUSE).pcm, "<i2")
    assert np.abs(sound.astype(int)).max() <= PEAK


@pytest.mark.parametrize(("rate", "channels"), [(0, 1), (1, 1), (10**6, 1), (24_000, 0)])
def test_an_impossible_format_is_a_failure(rate: int, channels: int) -> None:
    class Impossible(ScriptedTTS):
        def synthesize(
            self, text: str, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
        ) -> Any:
            return _Impossible(rate, channels)

    found = heard(spoken_by(Impossible(), scripted()), CLAUSE)
    assert found.words == FIRST


class _Impossible:
    """A stream of a client that believes whatever a host says of its sound."""

    def __init__(self, rate: int, channels: int) -> None:
        frame = rtc.AudioFrame(tone(0.1), 24_000, 1, 2_400)
        frame._sample_rate = rate
        frame._num_channels = channels
        self._frames = [tts.SynthesizedAudio(frame=frame, request_id="")]

    async def __aenter__(self) -> "_Impossible":
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    def __aiter__(self) -> "_Impossible":
        return self

    async def __anext__(self) -> tts.SynthesizedAudio:
        if not self._frames:
            raise StopAsyncIteration
        return self._frames.pop()


def test_sound_far_too_long_for_its_text_is_a_failure_before_it_is_heard() -> None:
    """An endless voice: of a later clause nothing is heard."""
    endless = ScriptedTTS()
    plain = endless.sound
    endless.sound = lambda text: plain(text * 30)  # type: ignore[method-assign]
    other = scripted()
    found = heard(spoken_by(endless, other), "Bonjour Marie.")
    assert other.said == ["Bonjour Marie."]
    assert len(found.pcm) / 48_000 < 2.0


def test_a_voice_that_is_known_is_cut_short_by_less_before_it_is_noticed() -> None:
    """B29: a clause that ends too early without an error, of a voice whose rate was learned."""
    broken, other = scripted(), scripted()
    broken.part = 0.6
    broken.next_modes = ["ok", "ok", "truncate"]
    voices = spoken_by(broken, other)
    heard(voices, CLAUSE, NEXT)
    assert heard(voices, CLAUSE).words == FIRST
    assert other.said == [CLAUSE]


def test_a_very_fast_voice_is_believed_the_third_time() -> None:
    fast, other = scripted(haste=2.3), scripted(haste=1.3)
    voices = spoken_by(fast, other)
    for _ in range(4):
        assert heard(voices, CLAUSE).words == FIRST
    assert len(other.said) == 2


# word times


class Timed(ScriptedTTS):
    """Tells when each word begins."""

    def synthesize(
        self, text: str, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    ) -> tts.ChunkedStream:
        return _TimedSpeech(super().synthesize(text, conn_options=conn_options), self, text)  # type: ignore[return-value]


class _TimedSpeech:
    def __init__(self, stream: tts.ChunkedStream, owner: ScriptedTTS, text: str) -> None:
        self._stream = stream
        self._words = []
        for number, word in enumerate(text.split(" ")):
            before = " ".join(text.split(" ")[:number])
            begins = len(owner.sound(before)) / 48_000 if before else 0.0
            self._words.append(TimedString(f"{word} ", start_time=begins))

    async def __aenter__(self) -> "_TimedSpeech":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stream.aclose()

    def __aiter__(self) -> "_TimedSpeech":
        return self

    async def __anext__(self) -> tts.SynthesizedAudio:
        audio = await anext(self._stream)
        audio.frame.userdata[USERDATA_TIMED_TRANSCRIPT] = self._words
        self._words = []
        return audio


@pytest.mark.parametrize("fault", ["ok", "stall", "close", "hang"])
@pytest.mark.parametrize("who", ["both", "first", "second"])
def test_each_word_is_told_once_when_it_begins_also_when_a_clause_was_taken_over(
    fault: SpeechMode, who: str
) -> None:
    kinds = {"both": (Timed, Timed), "first": (Timed, ScriptedTTS), "second": (ScriptedTTS, Timed)}
    first, second = kinds[who]
    broken, other = first(mode=fault, tones=WORDS), second(tones=WORDS, haste=1.2)
    found = heard(spoken_by(broken, other), CLAUSE, NEXT)
    assert found.words == PLAIN
    if (
        not found.timed
        or (who == "second" and fault == "ok")
        or (who == "first" and fault == "hang")
    ):
        assert not found.timed
        return
    told = "".join(word for word, _ in found.timed).split()
    assert told[: len(FIRST)] == CLAUSE.split()
    starts = [start for _, start in found.timed]
    assert starts == sorted(starts)
    exact = who == "both" or fault == "ok"
    begins = _begins(found.pcm)
    for (_, start), real in zip(found.timed, begins, strict=False):
        assert start == pytest.approx(real, abs=0.03 if exact else 0.6)


def _begins(pcm: bytes) -> list[float]:
    sound = np.abs(np.frombuffer(pcm, "<i2").astype(int))
    step = SPEECH_RATE // 200
    loud = sound[: len(sound) // step * step].reshape(-1, step).max(axis=1) > 500
    edges = np.flatnonzero(np.diff(np.concatenate(([False], loud)).astype(int)) == 1)
    return [float(edge) * step / SPEECH_RATE for edge in edges]


# streams that are given up (ST-01 to ST-09, D-17, D-18)


async def torn(said: Answer, text: str, chance: random.Random, length: float) -> None:
    """Listens to a clause and does to its stream what a careless owner may do, at any moment."""
    stream = said.synthesize(text)
    deed = chance.choice(["cancel", "close", "close twice", "again", "whole"])

    async def listen() -> None:
        async with stream:
            async for _ in stream:
                pass

    listening = asyncio.create_task(listen())
    if deed != "whole":
        await asyncio.sleep(chance.random() * length)
    if deed == "cancel":
        listening.cancel()
        await asyncio.wait([listening])
        assert listening.cancelled() or listening.done()
    elif deed in ("close", "close twice"):
        closers = [stream.aclose() for _ in range(1 if deed == "close" else 2)]
        await asyncio.gather(*closers)
    elif deed == "again":
        async with stream:
            pass
    await asyncio.gather(listening, return_exceptions=True)
    await stream.aclose()


def complaints(caplog: pytest.LogCaptureFixture) -> list[str]:
    words = ("aclose", "already running", "never retrieved", "asynchronous generator", "pending")
    return [r.getMessage() for r in caplog.records if any(w in r.getMessage() for w in words)]


def test_2000_clauses_torn_at_any_instant_leave_nothing_behind(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING)

    async def tear() -> set[asyncio.Task[Any]]:
        chance = random.Random(7)
        stages = [scripted(first=0.1, pace=0.2) for _ in range(3)]
        chain = Chain[Voice]("tts", [link(f"v{i}", stage) for i, stage in enumerate(stages)])
        voices = Voices(chain, "fr")
        modes: Sequence[SpeechMode] = ("ok", "ok", *FAULTS)
        for _ in range(100):
            for each in chain.links:
                each.breaker.succeeded()
            for stage in stages[:2]:
                stage.mode = chance.choice(modes)
            texts = [" ".join(chance.sample(WORDS, 4)) for _ in range(20)]
            async with asyncio.TaskGroup() as tasks:
                for text in texts:
                    tasks.create_task(torn(voices.answer(), text, chance, 4.0))
        await voices.aclose()
        assert [stage.open for stage in stages] == [0, 0, 0]
        return asyncio.all_tasks() - {asyncio.current_task()}

    left = clock.run(tear())
    gc.collect()
    assert not left
    assert not complaints(caplog)


def test_an_interruption_is_no_failure_of_a_voice() -> None:
    async def interrupted() -> None:
        stage = scripted(first=0.3, pace=0.5)
        voices = spoken_by(stage, scripted())
        for moment in np.linspace(0.0, 2.4, 60):
            speaking = asyncio.create_task(Heard().clause(voices.answer(), CLAUSE))
            await asyncio.sleep(float(moment))
            speaking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await speaking
            assert stage.open == 0
        breaker = voices.chain.links[0].breaker
        assert breaker.cause is None
        assert breaker.state == "closed"
        await voices.aclose()

    clock.run(interrupted())


def test_a_voice_that_cancels_itself_is_a_voice_that_failed() -> None:
    """D-18: only the owner's own cancellation is passed on."""

    class Selfish(ScriptedTTS):
        def synthesize(
            self, text: str, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
        ) -> Any:
            raise asyncio.CancelledError

    assert heard(spoken_by(Selfish(), scripted()), CLAUSE).words == FIRST
