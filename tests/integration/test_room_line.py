"""One conversation over a real LiveKit server: a learner's client and a coach in one room."""

import asyncio
from collections.abc import Callable

import pytest
from tests.integration.conftest import RoomTalk

from eloquence.testing.room_learner import RoomLearner

pytestmark = [pytest.mark.speech]


async def test_a_spoken_turn_goes_both_ways_and_each_is_stored(
    room_talk: RoomTalk, sentence: bytes, complaints: Callable[[], list[str]]
) -> None:
    before = asyncio.all_tasks()

    async def script(learner: RoomLearner) -> None:
        await learner.quiet()
        await learner.say(sentence)
        await learner.quiet()

    end = await room_talk.held(script)
    print(room_talk.learner.messages)
    assert end.status == "complete"
    turns = room_talk.stored.turns
    assert [turn.speaker for turn in turns[:3]] == ["character", "learner", "character"]
    assert asyncio.all_tasks() == before
    assert complaints() == []
