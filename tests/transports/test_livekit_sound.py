"""The loudspeaker of a room, over WebRTC's own source of sound and without any room."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from livekit import rtc
from livekit.agents.voice.io import PlaybackFinishedEvent
from tests.steady import Steady

from eloquence.conversation.utterance import UTTERANCE, Utterance
from eloquence.protocol import OUTPUT_RATE, ServerMessage
from eloquence.testing.stages import tone
from eloquence.transports.livekit_sound import Loudspeaker


class Ear:
    """A loudspeaker that plays, and what it told."""

    def __init__(self) -> None:
        self.messages: list[ServerMessage] = []
        self.finished: list[PlaybackFinishedEvent] = []
        self.started = 0
        self.reports: list[tuple[float, bool]] = []
        self._happened = asyncio.Event()
        self.loudspeaker = Loudspeaker(self.messages.append)
        self.loudspeaker.on("playback_finished", self.finished.append)
        self.loudspeaker.on("playback_started", self._start)
        self.loudspeaker.on_playback = self._report

    def _start(self, _: object) -> None:
        self.started += 1
        self._happened.set()

    def _report(self, utterance: Utterance, position: float, *, finished: bool) -> None:
        self.reports.append((position, finished))
        self._happened.set()

    async def until(self, holds: Callable[[], bool]) -> None:
        """Waits for something to hold; looked at on each report."""
        async with asyncio.timeout(10.0):
            while not holds():
                self._happened.clear()
                await self._happened.wait()

    @property
    def types(self) -> list[str]:
        return [message.type for message in self.messages]

    async def __aenter__(self) -> "Ear":
        self.playing = asyncio.create_task(self.loudspeaker.play())
        return self

    async def __aexit__(self, *_: object) -> None:
        self.loudspeaker.close()
        await self.playing
        await self.loudspeaker.source.aclose()

    async def say(self, seconds: float, utterance: Utterance | None = None) -> Utterance:
        """Hands it a whole segment, much faster than it is played."""
        utterance = utterance or told(seconds)
        await self.begin(seconds, utterance)
        self.loudspeaker.flush()
        return utterance

    async def begin(self, seconds: float, utterance: Utterance) -> None:
        pcm = tone(seconds)
        for at in range(0, len(pcm), 4000):
            piece = pcm[at : at + 4000]
            frame = rtc.AudioFrame(piece, OUTPUT_RATE, 1, len(piece) // 2)
            frame.userdata[UTTERANCE] = utterance
            await self.loudspeaker.capture_frame(frame)


def told(seconds: float) -> Utterance:
    """An utterance of ten words, evenly spread."""
    words = [(f"mot{n} ", n * seconds / 10) for n in range(10)]
    text = "".join(word for word, _ in words)
    return Utterance(text=text, timed=words, duration=seconds, complete=True)


@pytest.fixture
async def ear() -> AsyncIterator[Ear]:
    async with Ear() as ear:
        yield ear


async def test_a_segment_is_played_at_its_own_speed_to_its_end(ear: Ear) -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    with Steady() as played:
        with Steady() as handed:
            utterance = await ear.say(0.6)
        await ear.loudspeaker.wait_for_playout()
    assert handed.seconds < 0.3, "handed over faster than played"
    assert loop.time() - began > 0.55
    assert played.seconds < 1.5
    (finished,) = ear.finished
    assert not finished.interrupted
    assert finished.playback_position == pytest.approx(0.6)
    assert finished.synchronized_transcript is None
    assert utterance.handed_at is not None
    assert utterance.started_at is not None
    assert utterance.started_at >= utterance.handed_at
    assert ear.types == ["segment_start", "segment_end"]
    position, over = ear.reports[-1]
    assert over
    assert position == pytest.approx(0.6)
    assert ear.started == 1
    assert not ear.loudspeaker.audible


async def test_a_clear_ends_the_segment_where_it_was_heard(ear: Ear) -> None:
    utterance = await ear.say(5.0)
    await ear.until(lambda: any(position > 0.2 for position, _ in ear.reports))
    assert ear.loudspeaker.audible
    ear.loudspeaker.clear_buffer()
    ear.loudspeaker.clear_buffer()
    (finished,) = ear.finished
    assert finished.interrupted
    assert 0.2 < finished.playback_position < 2.0
    assert finished.synchronized_transcript == utterance.heard(finished.playback_position)
    assert finished.synchronized_transcript != utterance.text.strip()
    assert ear.loudspeaker.source.queued_duration == 0
    assert ear.types.count("playback_clear") == 1


async def test_a_pause_goes_on_with_the_next_sample(ear: Ear) -> None:
    utterance = await ear.say(0.8)
    await ear.until(lambda: any(position > 0.2 for position, _ in ear.reports))
    before = time.time()
    ear.loudspeaker.pause()
    held = time.time()
    ear.loudspeaker.pause()
    reports = len(ear.reports)
    assert ear.loudspeaker.source.queued_duration == 0
    await asyncio.wait({ear.playing}, timeout=0.3)
    assert len(ear.reports) == reports
    assert ear.loudspeaker.audible, "it will be heard again if the pause was a false alarm"
    least = time.time() - held
    ear.loudspeaker.resume()
    most = time.time() - before
    await ear.loudspeaker.wait_for_playout()
    assert 0.25 < least <= utterance.held <= most
    (finished,) = ear.finished
    assert finished.playback_position == pytest.approx(0.8)
    assert not finished.interrupted
    positions = [position for position, _ in ear.reports]
    assert positions == sorted(positions)
    assert ear.types.count("playback_pause") == ear.types.count("playback_resume") == 1


async def test_the_engine_cannot_lift_a_suspension(ear: Ear) -> None:
    ear.loudspeaker.suspend(True)
    await ear.say(0.2)
    ear.loudspeaker.pause()
    ear.loudspeaker.resume()
    await asyncio.wait({ear.playing}, timeout=0.3)
    assert ear.started == 0
    assert not ear.loudspeaker.audible
    ear.loudspeaker.suspend(False)
    await ear.loudspeaker.wait_for_playout()
    assert ear.finished[0].playback_position == pytest.approx(0.2)


async def test_what_is_cleared_before_it_was_heard_was_not_heard(ear: Ear) -> None:
    ear.loudspeaker.cut(True)
    await ear.say(1.0)
    ear.loudspeaker.clear_buffer()
    (finished,) = ear.finished
    assert finished.interrupted
    assert finished.playback_position == 0
    assert finished.synchronized_transcript == ""


async def test_sound_that_comes_after_a_clear_belongs_to_nobody(ear: Ear) -> None:
    utterance = told(5.0)
    await ear.begin(1.0, utterance)
    ear.loudspeaker.clear_buffer()
    await ear.begin(1.0, utterance)
    ear.loudspeaker.flush()
    assert len(ear.finished) == 1
    await ear.say(0.1)
    await ear.loudspeaker.wait_for_playout()
    assert [event.interrupted for event in ear.finished] == [True, False]


async def test_a_voice_slower_than_its_sound_leaves_a_gap_and_nothing_else(ear: Ear) -> None:
    utterance = told(0.4)
    await ear.begin(0.2, utterance)
    await ear.until(lambda: ear.started == 1)
    await asyncio.wait({ear.playing}, timeout=0.4)
    assert ear.finished == []
    await ear.begin(0.2, utterance)
    ear.loudspeaker.flush()
    await ear.loudspeaker.wait_for_playout()
    assert ear.finished[0].playback_position == pytest.approx(0.4)
    assert ear.started == 1


async def test_a_line_that_is_gone_ends_every_segment(ear: Ear) -> None:
    await ear.say(3.0)
    await ear.say(3.0)
    ear.loudspeaker.close()
    assert [event.interrupted for event in ear.finished] == [True, True]
    await ear.say(1.0)
    assert len(ear.finished) == 3
    await ear.loudspeaker.wait_for_playout()


_STEPS = st.sampled_from(["say", "flush", "pause", "resume", "clear", "suspend", "go on", "wait"])


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=st.lists(_STEPS, max_size=12))
def test_whatever_happens_each_segment_ends_exactly_once_within_its_length(
    steps: list[str],
) -> None:
    async def play() -> None:
        async with Ear() as ear:
            loudspeaker = ear.loudspeaker
            for step in steps:
                match step:
                    case "say":
                        await ear.begin(0.05, told(0.05))
                    case "flush":
                        loudspeaker.flush()
                    case "pause":
                        loudspeaker.pause()
                    case "resume":
                        loudspeaker.resume()
                    case "clear":
                        loudspeaker.clear_buffer()
                    case "suspend":
                        loudspeaker.suspend(True)
                    case "go on":
                        loudspeaker.suspend(False)
                    case _:
                        await asyncio.wait({ear.playing}, timeout=0.02)
            loudspeaker.flush()
            loudspeaker.resume()
            loudspeaker.suspend(False)
            async with asyncio.timeout(10.0):
                await loudspeaker.wait_for_playout()
            assert len(ear.finished) == loudspeaker.captured_playout_segments
            ends = [message for message in ear.messages if message.type == "segment_start"]
            assert len(ends) == len(ear.finished)
            assert all(0 <= event.playback_position <= 0.65 for event in ear.finished)
            assert not loudspeaker.audible

    asyncio.run(play())
