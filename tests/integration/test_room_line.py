"""One conversation over a real LiveKit server: a learner's client and a coach in one room."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from livekit import rtc
from livekit.rtc._proto.room_pb2 import SimulateScenarioKind
from tests.integration.conftest import RoomTalk, joined, token

from eloquence import protocol
from eloquence.coaching.session import Turn
from eloquence.errors import RemoteProtocolError
from eloquence.storage import content
from eloquence.testing.parts import LiveKit
from eloquence.testing.room_learner import AUDIBLE, RoomLearner
from eloquence.testing.stages import ScriptedLLM, tone
from eloquence.transports.livekit_room import TRACK, RoomTransport

pytestmark = [pytest.mark.integration, pytest.mark.speech]
Complaints = Callable[[], list[str]]
LONG = (
    "Voilà une réponse qui prend son temps, qui ne s’arrête pas, et que l’on peut couper quand on "
    "le veut, parce qu’elle dure bien plus longtemps que ce que l’on a envie d’entendre."
)
SECOND = bytes(32_000)
STRETCHED = 1.0
"""Seconds by which WebRTC may draw sound out where it comes late."""


async def past_the_opening(learner: RoomLearner) -> None:
    """Cuts the first line off, so that a test is short."""
    await learner.listening()
    await learner.send(protocol.Interrupt())
    await learner.until(lambda: learner.count("turn_stored") > 0)


def spoken(talk: RoomTalk, speaker: str) -> list[Turn]:
    return [turn for turn in talk.stored.turns if turn.speaker == speaker]


def audible(learner: RoomLearner, since: float = 0.0) -> float:
    """Seconds of sound that the learner heard."""
    return sum(0.02 for at, level in learner.levels if at >= since and level > AUDIBLE)


def pitches(learner: RoomLearner) -> list[float]:
    """The strongest frequency of each 40 ms with sound that was heard."""
    size = protocol.OUTPUT_RATE // 25
    samples = np.frombuffer(bytes(learner.sound), dtype="<i2") / 32768
    blocks = samples[: samples.size // size * size].reshape(-1, size)
    loud = blocks[np.sqrt((blocks**2).mean(axis=1)) > AUDIBLE]
    return [float(np.abs(np.fft.rfft(block)).argmax()) * 25 for block in loud]


def now() -> float:
    return asyncio.get_running_loop().time()


# a conversation


async def test_a_spoken_turn_goes_both_ways_and_is_stored_with_its_sound_measured(
    room_talk: RoomTalk, sentence: bytes, complaints: Complaints
) -> None:
    before = asyncio.all_tasks()
    heard: list[float] = []

    async def script(learner: RoomLearner) -> None:
        await past_the_opening(learner)
        await learner.hushed()
        began = now()
        await learner.say(sentence)
        await learner.quiet()
        await learner.hushed()
        heard.append(audible(learner, began))

    end = await room_talk.held(script)
    assert (end.status, end.reason) == ("complete", "learner")
    learner, answer = room_talk.stored.turns[1:3]
    assert (learner.speaker, learner.text) == ("learner", "Bonjour Marie.")
    assert learner.end - learner.start == pytest.approx(len(sentence) / 32_000, abs=0.5)
    assert learner.sound is not None
    assert learner.sound.speech
    assert (answer.speaker, answer.text) == ("character", "Très bien, merci à vous.")
    assert not answer.interrupted
    assert answer.latency.response is not None
    parts = room_talk.learner.said("segment_end")
    answered = parts[-1].duration  # type: ignore[union-attr]
    assert answered - 0.25 < heard[0] < answered + STRETCHED
    captions = room_talk.learner.said("caption", speaker="character", final=True)
    assert captions[-1].text == answer.text  # type: ignore[union-attr]
    assert asyncio.all_tasks() == before
    assert complaints() == []


async def test_a_voice_that_cuts_in_silences_the_coach_and_the_reply_ends_where_it_was_heard(
    room_talk: RoomTalk, sentence: bytes
) -> None:
    room_talk.llm = ScriptedLLM([LONG, "D’accord."])
    silent: list[float | None] = []
    heard: list[float] = []

    async def script(learner: RoomLearner) -> None:
        await past_the_opening(learner)
        await learner.say(sentence)
        began = now()
        await learner.listening()
        await learner.until(lambda: audible(learner, began) > 1.0)
        cut_in = now()
        stored = learner.count("turn_stored", speaker="character")
        await learner.say(sentence)
        silent.append(learner.silent_after(cut_in, quiet=0.4))
        heard.append(audible(learner, began))
        await learner.until(lambda: learner.count("turn_stored", speaker="character") > stored + 1)
        assert silent[0] is not None
        assert silent[0] - cut_in < 2.5

    await room_talk.held(script)
    cut = next(turn for turn in spoken(room_talk, "character")[1:] if turn.interrupted)
    assert cut.text
    assert LONG.startswith(cut.text)
    # The scripted voice says 15 characters a second, each word at its place.
    assert len(cut.text) / 15 == pytest.approx(heard[0], abs=1.0)
    assert room_talk.learner.count("playback_clear") >= 2
    assert spoken(room_talk, "character")[-1].text == "D’accord."


async def test_a_pause_holds_the_sound_and_loses_or_repeats_none_of_it(
    room_talk: RoomTalk,
) -> None:
    room_talk.llm = ScriptedLLM(["Voici une réponse assez longue pour être suspendue."])
    heard: list[float] = []

    async def script(learner: RoomLearner) -> None:
        await past_the_opening(learner)
        await learner.hushed()
        began = now()
        await learner.send(protocol.Say(text="Bonjour."))
        await learner.until(lambda: audible(learner, began) > 0.8)
        await learner.send(protocol.Pause())
        paused = now()
        await learner.until(lambda: learner.silent_after(paused, quiet=1.0) is not None)
        quiet = audible(learner, began)
        await learner.until(lambda: now() > paused + 2.0)
        assert audible(learner, began) == quiet
        assert learner.count("state", state="paused") == 1
        await learner.send(protocol.Resume())
        await learner.quiet()
        await learner.hushed()
        heard.append(audible(learner, began))

    await room_talk.held(script)
    answer = spoken(room_talk, "character")[1]
    assert not answer.interrupted
    duration = room_talk.learner.said("segment_end")[-1].duration  # type: ignore[union-attr]
    assert duration - 0.25 < heard[0] < duration + STRETCHED


async def test_push_to_talk_hears_only_between_press_and_release(
    room_talk: RoomTalk, sentence: bytes
) -> None:
    room_talk.push_to_talk = True

    async def script(learner: RoomLearner) -> None:
        await past_the_opening(learner)
        await learner.say(sentence)
        await learner.say(SECOND)
        assert learner.count("hearing", on=True) == 0
        await learner.send(protocol.Press())
        await learner.say(sentence)
        await learner.send(protocol.Release())
        await learner.quiet()

    await room_talk.held(script)
    assert [turn.text for turn in spoken(room_talk, "learner")] == ["Bonjour Marie."]
    assert spoken(room_talk, "character")[-1].text == "Très bien, merci à vous."


async def test_a_typed_turn_is_answered_aloud(room_talk: RoomTalk) -> None:
    async def script(learner: RoomLearner) -> None:
        await past_the_opening(learner)
        began = now()
        await learner.send(protocol.Say(text="Je préfère écrire."))
        await learner.quiet()
        assert audible(learner, began) > 1.0

    await room_talk.held(script)
    assert spoken(room_talk, "learner")[0].text == "Je préfère écrire."


# a learner who vanishes


async def test_a_learner_who_vanishes_comes_back_to_the_same_conversation(
    room_talk: RoomTalk, sentence: bytes, complaints: Complaints
) -> None:
    room_talk.llm = ScriptedLLM(["Très bien, merci à vous.", LONG, "Oui."])

    async def script(learner: RoomLearner) -> None:
        await past_the_opening(learner)
        await learner.say(sentence)
        await learner.quiet()
        await learner.hushed()
        began = now()
        await learner.send(protocol.Say(text="Et vous ?"))
        await learner.until(lambda: audible(learner, began) > 0.5)
        ready = learner.count("ready")
        await learner.vanish()
        await learner.until(lambda: learner.count("ready") > ready)
        assert learner.count("ready") == ready + 1
        welcome = learner.said("ready")[ready]
        assert isinstance(welcome, protocol.Ready)
        assert welcome.resumed
        back = now()
        await learner.until(lambda: (learner.heard_after(back) or 0.0) > back)
        await learner.quiet()
        await learner.say(sentence)
        await learner.quiet()

    await room_talk.held(script)
    assert room_talk.learner.joins == 2
    assert [turn.text for turn in spoken(room_talk, "learner")] == [
        "Bonjour Marie.",
        "Et vous ?",
        "Bonjour Marie.",
    ]
    said = [turn.text for turn in spoken(room_talk, "character")]
    resumed = content.load().lines("fr").resumed
    assert any(text.startswith(line) for text in said for line in resumed)
    assert room_talk.learner.count("caption", id="t1", text="Bonjour Marie.") == 1
    assert complaints() == []


async def test_a_learner_who_stays_away_ends_the_conversation(room_talk: RoomTalk) -> None:
    room_talk.away = 1.0
    room_talk.learner.again = None

    async def script(learner: RoomLearner) -> None:
        await past_the_opening(learner)
        await learner.vanish()
        await room_talk.over.wait()

    async with asyncio.timeout(20.0):
        await room_talk.held(script)
    assert (room_talk.end.status, room_talk.end.reason) == ("interrupted", "page_closed")


@pytest.mark.parametrize("kind", ["SIMULATE_SIGNAL_RECONNECT", "SIMULATE_FULL_RECONNECT"])
async def test_the_learner_is_still_heard_after_their_line_was_lost(
    room_talk: RoomTalk, sentence: bytes, kind: str
) -> None:
    async def script(learner: RoomLearner) -> None:
        await past_the_opening(learner)
        assert learner.room is not None
        ready = learner.count("ready")
        await learner.room.simulate_scenario(SimulateScenarioKind.Value(kind))
        await learner.until(lambda: learner.count("ready") > ready)
        await learner.hushed()
        await learner.say(sentence)
        await learner.until(lambda: learner.count("turn_stored", speaker="learner") > 0)
        await learner.quiet()

    await room_talk.held(script)
    assert room_talk.learner.joins == 1
    assert spoken(room_talk, "learner")[0].text == "Bonjour Marie."


async def test_a_killed_livekit_server_costs_the_conversation_a_moment(
    tmp_path: Path, own_livekit: LiveKit, sentence: bytes
) -> None:
    talk = RoomTalk(tmp_path, own_livekit, llm=ScriptedLLM(["Très bien.", LONG, "Oui."]))
    waited: list[float] = []

    async def script(learner: RoomLearner) -> None:
        await past_the_opening(learner)
        await learner.say(sentence)
        await learner.quiet()
        await learner.hushed()
        began = now()
        await learner.send(protocol.Say(text="Et vous ?"))
        await learner.until(lambda: audible(learner, began) > 0.5)
        ready = learner.count("ready")
        own_livekit.kill()
        await own_livekit.start()
        began = now()
        await learner.until(lambda: learner.count("ready") > ready)
        await learner.until(lambda: learner.heard_after(began + 0.1) is not None)
        waited.append(now() - began)
        await learner.quiet()
        await learner.say(sentence)
        await learner.quiet()

    await talk.held(script)
    assert waited[0] < 15.0
    assert [turn.text for turn in spoken(talk, "learner")] == [
        "Bonjour Marie.",
        "Et vous ?",
        "Bonjour Marie.",
    ]


# what is not to be trusted


@pytest.mark.parametrize("junk", [b"\xff\xfe", b"{}", b'{"type": "hello"', b"[]" * 5000])
async def test_junk_from_the_learner_ends_the_conversation_with_a_reason(
    room_talk: RoomTalk, junk: bytes
) -> None:
    async def script(learner: RoomLearner) -> None:
        await learner.listening()
        await learner.send_raw(junk)
        await learner.until(lambda: learner.count("ended") > 0)

    end = await room_talk.held(script)
    assert (end.status, end.reason) == ("interrupted", "protocol")
    assert room_talk.learner.said("error")[0].code == "remote_protocol"  # type: ignore[union-attr]


async def test_nobody_else_in_the_room_is_listened_to(room_talk: RoomTalk, sentence: bytes) -> None:
    """TOK-03: the messages and the microphone of another participant count for nothing."""
    livekit = room_talk.livekit
    stranger = RoomLearner(livekit.url, token(livekit, room_talk.room, "stranger"))

    async def script(learner: RoomLearner) -> None:
        await past_the_opening(learner)
        async with stranger.there():
            await stranger.send_raw(b"junk")
            await stranger.send(protocol.End())
            await stranger.say(sentence)
            await stranger.say(SECOND)
            await learner.send_raw(b"junk", topic="chat")
            assert learner.count("hearing") == 0
        await learner.send(protocol.Say(text="Je suis là."))
        await learner.quiet()

    end = await room_talk.held(script)
    assert end.reason == "learner"
    assert [turn.text for turn in spoken(room_talk, "learner")] == ["Je suis là."]
    assert stranger.messages == []


# the line alone


async def test_messages_arrive_whatever_their_length(livekit: LiveKit) -> None:
    """Packets in their order; what is too long for one, as soon as it is whole."""
    texts = ["court", "é" * protocol.MAX_PACKET, "puis court", "x" * 200_000, "fin"]
    learner = RoomLearner(livekit.url, token(livekit, "lengths", "me"))
    async with (
        joined(livekit, "lengths", "coach-1") as room,
        RoomTransport(room, "me") as transport,
        learner.there(),
    ):
        assert await transport.learner_joined(10.0)
        for number, text in enumerate(texts):
            transport.send(
                protocol.Caption(id=f"c{number}", speaker="character", text=text, final=True)
            )
        await learner.until(lambda: learner.count("caption") == len(texts))
    arrived = [caption.text for caption in learner.said("caption")]  # type: ignore[union-attr]
    assert sorted(arrived) == sorted(texts)
    assert [text for text in arrived if len(text) < 100] == ["court", "puis court", "fin"]


async def test_the_last_words_reach_a_learner_whose_coach_leaves_at_once(
    livekit: LiveKit,
) -> None:
    async def left(name: str) -> None:
        learner = RoomLearner(livekit.url, token(livekit, name, "me"))
        async with learner.there():
            async with joined(livekit, name, "coach-1") as room, RoomTransport(room, "me") as line:
                assert await line.learner_joined(10.0)
                line.send(protocol.Ended(session=name, status="complete", reason="learner"))
            await learner.until(lambda: learner.count("ended") == 1, 5.0)

    for number in range(5):
        await left(f"last-words-{number}")


async def test_a_learner_who_never_comes_is_not_waited_for_longer_than_asked(
    livekit: LiveKit,
) -> None:
    async with joined(livekit, "empty", "coach-1") as room, RoomTransport(room, "me") as transport:
        assert not await transport.learner_joined(0.2)


async def test_a_room_that_is_left_ends_the_line_once_and_for_all(livekit: LiveKit) -> None:
    learner = RoomLearner(livekit.url, token(livekit, "left", "me"))
    finished: list[float] = []
    async with (
        joined(livekit, "left", "coach-1") as room,
        RoomTransport(room, "me") as transport,
        learner.there(),
    ):
        assert await transport.learner_joined(10.0)
        transport.audio_output.on(
            "playback_finished", lambda e: finished.append(e.playback_position)
        )
        await transport.audio_output.capture_frame(_frame(10.0))
        await learner.listening()
        await room.disconnect()
        received = [message async for message in transport.messages()]
        assert {message.type for message in received} <= {"joined"}
        assert len(finished) == 1
        assert 0.0 < finished[0] < 5.0
        frames = [frame async for frame in transport.audio_input]
        assert sum(frame.duration for frame in frames) <= 2.1
        transport.send(protocol.StateChanged(state="listening"))


async def test_the_track_is_named_and_the_sound_of_its_beginning_is_not_lost(
    livekit: LiveKit,
) -> None:
    learner = RoomLearner(livekit.url, token(livekit, "begin", "me"))
    async with (
        joined(livekit, "begin", "coach-1") as room,
        RoomTransport(room, "me") as transport,
    ):
        await transport.audio_output.capture_frame(_frame(0.3, hertz=200.0))
        await transport.audio_output.capture_frame(_frame(0.7, hertz=600.0))
        transport.audio_output.flush()
        async with learner.there():
            await transport.audio_output.wait_for_playout()
            assert learner.room is not None
            coach = learner.room.remote_participants["coach-1"]
            assert [track.name for track in coach.track_publications.values()] == [TRACK]
            await learner.hushed()
            low = [hertz for hertz in pitches(learner) if 150 < hertz < 300]
            assert 0.2 < 0.04 * len(low) < 0.3 + STRETCHED


async def test_a_flood_of_messages_that_nobody_takes_is_a_breach(livekit: LiveKit) -> None:
    learner = RoomLearner(livekit.url, token(livekit, "flood", "me"))
    async with (
        joined(livekit, "flood", "coach-1") as room,
        RoomTransport(room, "me") as transport,
        learner.there(),
    ):
        assert await transport.learner_joined(10.0)
        async with asyncio.timeout(20.0):
            for _ in range(1000):  # some of which a busy server drops
                await learner.send(protocol.Interrupt())
            with pytest.raises(RemoteProtocolError):
                async for _ in transport.messages():
                    pass


def _frame(seconds: float, *, hertz: float = 180.0) -> rtc.AudioFrame:
    pcm = tone(seconds, hertz=hertz)
    return rtc.AudioFrame(pcm, protocol.OUTPUT_RATE, 1, len(pcm) // 2)
