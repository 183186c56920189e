"""The learner is never left unheard: no word is lost or doubled when a recogniser fails (issue 6,
S01-S05, TC 42, 43, 44)."""

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from livekit import rtc
from livekit.agents import stt

from eloquence.conversation.fallback.breaker import Breaker
from eloquence.conversation.fallback.chain import Chain, Link, Switch
from eloquence.conversation.fallback.recognisers import BY_EAR, Recognisers
from eloquence.conversation.fallback.voice import RATE, Change, Voice
from eloquence.conversation.stages import HEARD
from eloquence.protocol import StageStatus
from eloquence.testing import clock
from eloquence.testing.tones import Fault, ToneSTT, spoken

FRAME = 320
WORD = 0.3


class Loud(Voice):
    """Takes whatever is loud for speech."""

    def __init__(self) -> None:
        super().__init__()
        self._still = 0.0

    def push(self, pcm: bytes) -> list[Change]:
        loud = np.abs(np.frombuffer(pcm, "<i2")).max(initial=0) > 327
        seconds = len(pcm) / 2 / RATE
        self._at += seconds
        self._still = 0.0 if loud else self._still + seconds
        if loud and not self.speaking:
            self.speaking, self.since = True, self._at - seconds
            return ["began"]
        if self.speaking and self._still >= 0.25:
            self.speaking, self.until = False, self._at - self._still
            return ["ended"]
        return []


@dataclass
class Heard:
    """One stream over a chain, spoken to in real time on the virtual clock."""

    stages: Sequence[stt.STT[Any]]
    names: Sequence[str] = ()
    switches: list[Switch] = field(default_factory=list)
    finals: list[tuple[float, stt.SpeechData]] = field(default_factory=list)
    """What was understood, and when by the loop's clock."""

    def __post_init__(self) -> None:
        names = self.names or [f"recogniser{n}" for n in range(len(self.stages))]
        links = [
            Link(name, stage, Breaker(), StageStatus(provider=name, detail=""))
            for name, stage in zip(names, self.stages, strict=True)
        ]
        self.chain: Chain[Any] = Chain("stt", links, self.switches.append)
        self.stage = Recognisers(self.chain, voice=Loud)

    async def __aenter__(self) -> "Heard":
        self.before = asyncio.all_tasks()
        self.stream = self.stage.stream()
        self._reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stream.aclose()
        self._reading.cancel()
        await asyncio.wait([self._reading])
        assert not asyncio.all_tasks() - self.before
        await self.stage.aclose()

    async def _read(self) -> None:
        async for event in self.stream:
            if event.type is stt.SpeechEventType.FINAL_TRANSCRIPT:
                self.finals.append((asyncio.get_running_loop().time(), event.alternatives[0]))

    async def say(self, pcm: bytes) -> float:
        """Speaks in real time; when the last of it was said."""
        for at in range(0, len(pcm), 2 * FRAME):
            piece = pcm[at : at + 2 * FRAME].ljust(2 * FRAME, b"\0")
            self.stream.push_frame(rtc.AudioFrame(piece, RATE, 1, FRAME))
            await asyncio.sleep(FRAME / RATE)
        return asyncio.get_running_loop().time()

    async def quiet(self, seconds: float) -> None:
        await self.say(bytes(2 * round(seconds * RATE)))

    @property
    def text(self) -> str:
        return " ".join(data.text for _, data in self.finals)

    @property
    def times(self) -> list[tuple[str, float]]:
        return [
            (str(word), round(word.start_time, 2))
            for _, data in self.finals
            for word in data.words or ()
            if isinstance(word.start_time, float)
        ]


def said(*words: int) -> str:
    return " ".join(f"mot{word}" for word in words)


async def one_sentence(*stages: stt.STT[Any], wait: float = 4.0) -> Heard:
    heard = Heard(stages)
    async with heard:
        await heard.quiet(1.0)
        heard.spoken = await heard.say(spoken(1, 2, 3, 4, 5))  # type: ignore[attr-defined]
        await heard.quiet(wait)
    return heard


@pytest.mark.parametrize("fault", ["refused", "hang", "close_mid", "junk", "empty", "mute", "bug"])
def test_a_sentence_that_one_leaves_is_understood_whole_and_once_by_the_next(
    fault: Fault,
) -> None:
    heard = clock.run(one_sentence(ToneSTT(fault), ToneSTT()))
    assert heard.text == said(1, 2, 3, 4, 5)
    assert heard.times == [(f"mot{n}", round(1.0 + (n - 1) * WORD, 2)) for n in range(1, 6)]
    ended = 2.4
    assert heard.finals[0][0] - ended <= (2.7 if fault in ("hang", "mute") else 1.0)
    (switch,) = heard.switches
    assert switch.status.provider == "recogniser1"
    assert switch.cause is not None


def test_when_all_is_well_the_first_alone_is_asked() -> None:
    second = ToneSTT()
    heard = clock.run(one_sentence(ToneSTT(), second))
    assert heard.text == said(1, 2, 3, 4, 5)
    assert second.opened == 0
    assert not heard.switches


def test_a_dropped_connection_is_made_again_before_it_counts() -> None:
    first, second = ToneSTT("close_mid", "ok"), ToneSTT()
    heard = clock.run(one_sentence(first, second))
    assert heard.text == said(1, 2, 3, 4, 5)
    assert (first.opened, second.opened) == (2, 0)
    assert heard.chain.links[0].breaker.state == "closed"
    assert heard.chain.links[0].breaker.cause is None


def test_half_an_hour_of_silence_with_idle_closes_is_no_failure() -> None:
    """TC 43"""

    async def listened() -> Heard:
        first, second = ToneSTT(idle=10.0), ToneSTT()
        heard = Heard([first, second])
        async with heard:
            for _ in range(30):
                await heard.quiet(60.0)
            await heard.say(spoken(7, 8))
            await heard.quiet(1.0)
        assert second.opened == 0
        assert first.opened == 2
        return heard

    heard = clock.run(listened())
    assert heard.text == said(7, 8)
    assert heard.times[0] == ("mot7", 1800.0)
    assert heard.chain.links[0].breaker.cause is None


def test_a_slow_recogniser_bounds_a_turn_at_8_seconds() -> None:
    """S03"""

    async def listened() -> Heard:
        heard = Heard([ToneSTT(late=30.0), ToneSTT(late=20.0), ToneSTT(words=False)],
                      ["one", "two", BY_EAR])  # fmt: skip
        async with heard:
            await heard.quiet(1.0)
            await heard.say(spoken(1, 2, 3, 4, 5))
            await heard.quiet(10.0)
        return heard

    heard = clock.run(listened())
    assert heard.text == HEARD
    assert heard.finals[0][0] - 2.4 <= 8.0


def test_a_stage_may_ask_for_more_patience() -> None:
    async def listened() -> Heard:
        slow = ToneSTT(late=4.0)
        slow.patience = 6.0  # type: ignore[attr-defined]
        return await one_sentence(slow, ToneSTT(words=False), wait=8.0)

    assert clock.run(listened()).text == said(1, 2, 3, 4, 5)


def test_a_sound_without_words_is_nobodys_fault() -> None:
    """What vendors say nothing about, another recogniser hears no words in either."""

    async def listened() -> Heard:
        heard = Heard([ToneSTT("mute"), ToneSTT("empty"), ToneSTT(words=False)],
                      ["one", "two", BY_EAR])  # fmt: skip
        async with heard:
            for _ in range(6):
                await heard.say(spoken(1, seconds=0.4))
                await heard.quiet(6.0)
        return heard

    heard = clock.run(listened())
    assert heard.text == ""
    assert not heard.switches
    assert [link.breaker.cause for link in heard.chain.links] == [None, None, None]


def test_a_long_sentence_that_nobody_finds_words_in_is_heard_by_ear() -> None:
    async def listened() -> Heard:
        heard = Heard([ToneSTT("empty"), ToneSTT(words=False)], ["one", BY_EAR])
        async with heard:
            await heard.say(spoken(1, 2, 3, 4, 5))
            await heard.quiet(2.0)
        return heard

    heard = clock.run(listened())
    assert heard.text == HEARD
    assert heard.chain.links[0].breaker.cause is not None


def test_by_ear_the_better_one_is_asked_first_at_each_sentence_and_comes_back() -> None:
    """S01: back with the first sentence after it is well."""

    async def listened() -> Heard:
        first = ToneSTT("refused")
        heard = Heard([first, ToneSTT(words=False)], ["one", BY_EAR])
        async with heard:
            await heard.say(spoken(1, 2, 3))
            await heard.quiet(2.0)
            first.faults = ["ok"]
            await heard.say(spoken(4, 5, 6))
            await heard.quiet(2.0)
        return heard

    heard = clock.run(listened())
    assert heard.text == f"{HEARD} {said(4, 5, 6)}"
    assert [switch.cause for switch in heard.switches] == ["unreachable", None]


def test_by_ear_nobody_serves_while_the_better_one_has_not_failed() -> None:
    """What by ear is nothing either was nobody's fault: the next sentence has its words."""

    async def listened() -> Heard:
        by_ear = ToneSTT("mute", words=False)
        heard = Heard([ToneSTT("mute", "ok"), by_ear], ["one", BY_EAR])
        async with heard:
            await heard.say(spoken(1, 2, 3, 4))
            await heard.quiet(8.0)
            by_ear.deaf = False
            await heard.say(spoken(5, 6, 7))
            await heard.quiet(2.0)
        return heard

    heard = clock.run(listened())
    assert heard.text == said(5, 6, 7)
    assert not heard.switches


def test_beside_one_that_serves_the_better_one_is_tried_without_risking_words() -> None:
    async def listened() -> Heard:
        first, second = ToneSTT("refused", "refused", "hang", "ok"), ToneSTT()
        heard = Heard([first, second])
        async with heard:
            for n in range(4):
                await heard.say(spoken(n, n + 1, n + 2))
                await heard.quiet(4.0)
        assert second.open == 0
        return heard

    heard = clock.run(listened())
    assert heard.text == said(0, 1, 2, 1, 2, 3, 2, 3, 4, 3, 4, 5)
    assert [switch.cause for switch in heard.switches] == ["unreachable", None]
    assert heard.chain.serving.name == "recogniser0"
    ends = [n * 4.9 + 0.8 for n in range(4)]
    assert all(at - end < 0.6 for (at, _), end in zip(heard.finals, ends, strict=True))


def test_five_failures_leave_it_alone_for_180_seconds_then_it_is_back() -> None:
    async def listened() -> tuple[Heard, int, int]:
        first, second = ToneSTT("refused"), ToneSTT()
        heard = Heard([first, second])
        async with heard:
            for _ in range(8):
                await heard.say(spoken(1, 2))
                await heard.quiet(2.0)
            tried = first.opened
            first.faults = ["ok"]
            await heard.quiet(150.0)
            await heard.say(spoken(3))
            await heard.quiet(40.0)
            assert first.opened == tried
            await heard.say(spoken(4))
            await heard.quiet(2.0)
        return heard, tried, first.opened

    heard, tried, opened = clock.run(listened())
    assert tried == 1 + 5  # once more at once, and at each sentence until the fifth failure
    assert opened == tried + 1
    assert heard.chain.serving.name == "recogniser0"
    assert heard.text == " ".join([said(1, 2)] * 8 + [said(3), said(4)])


def test_a_refused_key_is_not_tried_again() -> None:
    from livekit.agents import APIStatusError

    class Refused(ToneSTT):
        def stream(self, **_: Any) -> stt.RecognizeStream:
            self.opened += 1
            raise APIStatusError("no", status_code=401)

    first = Refused()
    heard = clock.run(one_sentence(first, ToneSTT()))
    assert heard.text == said(1, 2, 3, 4, 5)
    assert first.opened == 1
    assert heard.switches[0].cause == "authentication"


def test_speech_without_a_pause_to_one_that_hangs_is_not_lost() -> None:
    """A05: what was said in the last minute is kept."""

    async def listened() -> Heard:
        heard = Heard([ToneSTT("hang"), ToneSTT()])
        words = [n % 20 for n in range(160)]
        async with heard:
            await heard.say(spoken(*words))
            await heard.quiet(4.0)
        assert heard.text == said(*words)
        return heard

    heard = clock.run(listened())
    assert [round(at, 1) for _, at in heard.times] == [round(n * WORD, 1) for n in range(160)]


def test_a_recogniser_of_whole_utterances_is_one_of_the_chain() -> None:
    async def listened() -> Heard:
        whole = ToneSTT()
        whole.capabilities.streaming = False
        heard = Heard([ToneSTT("refused"), whole])
        async with heard:
            for _ in range(2):
                await heard.say(spoken(6, 7, 8))
                await heard.quiet(1.0)
        return heard

    heard = clock.run(listened())
    assert heard.text == said(6, 7, 8, 6, 7, 8)
    assert heard.times[3:] == [("mot6", 1.9), ("mot7", 2.2), ("mot8", 2.5)]


def test_the_end_of_the_sound_still_gives_the_last_words() -> None:
    async def listened() -> str:
        heard = Heard([ToneSTT("hang"), ToneSTT()])
        async with heard:
            await heard.say(spoken(1, 2, 3, 4))
            heard.stream.end_input()
            await asyncio.sleep(8.0)
        return heard.text

    assert clock.run(listened()) == said(1, 2, 3, 4)


def test_a_recording_is_understood_by_the_first_that_can() -> None:
    async def understood() -> str:
        heard = Heard([ToneSTT("refused"), ToneSTT()])
        frame = rtc.AudioFrame(sound := spoken(1, 2), RATE, 1, len(sound) // 2)
        event = await heard.stage.recognize(frame)
        return event.alternatives[0].text

    assert clock.run(understood()) == said(1, 2)


def test_when_nobody_is_left_the_sentence_is_tried_again_until_somebody_is_back() -> None:
    """TC 42: down for a while, the stream lives and recovers."""

    async def listened() -> Heard:
        only = ToneSTT("refused")
        heard = Heard([only])
        async with heard:
            await heard.say(spoken(1, 2, 3))
            await heard.quiet(3.0)
            only.faults = ["ok"]
            await heard.quiet(3.0)
            await heard.say(spoken(4))
            await heard.quiet(1.0)
        return heard

    assert clock.run(listened()).text == said(1, 2, 3, 4)


FAULTS: Sequence[Fault] = ("ok", "refused", "hang", "close_mid", "junk", "empty", "mute", "bug")


def test_a_thousand_streams_ended_at_random_instants_leave_nothing_open() -> None:
    """ST-01..12, D-17, D-18"""

    async def all_of_them() -> None:
        chance = random.Random(20_261_121)
        before = asyncio.all_tasks()

        async def one() -> None:
            stages = [
                ToneSTT(*chance.choices(FAULTS, k=3), late=chance.choice([0.0, 0.2]))
                for _ in range(3)
            ]
            heard = Heard(stages)
            life = chance.uniform(0.0, 5.0 if chance.random() < 0.1 else 1.5)
            async with heard:
                talking = asyncio.create_task(heard.say(spoken(*range(10))))
                await asyncio.sleep(life)
                talking.cancel()
                await asyncio.wait([talking])
                if chance.random() < 0.3:
                    heard.stream.end_input()
                    await asyncio.sleep(chance.uniform(0.0, 0.5))
            assert [stage.open for stage in stages] == [0, 0, 0]
            words = [word for word, _ in heard.times]
            assert words == [f"mot{n}" for n in range(len(words))]

        for _ in range(1_000):
            await one()
        assert asyncio.all_tasks() == before

    clock.run(all_of_them())


def test_cancelling_the_reader_is_passed_on() -> None:
    """D-18"""

    async def read() -> None:
        heard = Heard([ToneSTT("hang"), ToneSTT()])
        stream = heard.stage.stream()
        reading = asyncio.create_task(anext(stream))
        await asyncio.sleep(0.1)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        await stream.aclose()

    clock.run(read())


def test_closing_does_not_wait_for_a_provider_that_does_not_close() -> None:
    class Stuck(ToneSTT):
        def stream(self, **rest: Any) -> stt.RecognizeStream:
            stream = super().stream(**rest)

            async def aclose() -> None:
                await asyncio.sleep(60)

            stream.aclose = aclose  # type: ignore[method-assign]
            return stream

    async def closed() -> float:
        stage = Heard([Stuck(), ToneSTT()]).stage
        stream = stage.stream()
        await asyncio.sleep(0.1)
        since = time.monotonic()
        await stream.aclose()
        return time.monotonic() - since

    assert clock.run(closed()) <= 3.5
