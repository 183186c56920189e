"""Nothing is left of a conversation, however it ends (ST-01, ST-09, B-01, C-01)."""

import logging

import pytest
from benchmarks.endurance import PHASES, Ears, endured, voice
from tests.conversation.conftest import Talk

from eloquence.testing import clock
from eloquence.testing.learner import Learner


def test_sessions_ended_in_every_phase_leave_no_task_thread_descriptor_or_complaint() -> None:
    left = clock.run(endured(sessions=3 * len(PHASES), warm=len(PHASES)))
    assert left["complaints"] == 0
    assert left["tasks left"] == 0
    assert left["threads left"] == 0
    assert left["descriptors left"] == 0


def test_the_synthetic_voice_of_these_runs_really_interrupts(talk: Talk) -> None:
    async def script(learner: Learner) -> None:
        await learner.until(lambda: learner.client.playing)
        await learner.say(bytes(32_000))
        await learner.say(voice(1.2))
        await learner.quiet()
        await learner.quiet()

    clock.run(talk.held(script))
    assert talk.stored.turns[0].interrupted


@pytest.mark.parametrize(
    "line",
    [
        "aclose(): asynchronous generator is already running",
        "Task exception was never retrieved",
        "Task was destroyed but it is pending!",
        "Unclosed client session",
    ],
)
def test_the_complaints_that_must_not_appear_are_recognised(line: str) -> None:
    ears = Ears()
    ears.emit(logging.LogRecord("asyncio", logging.ERROR, "", 0, line, None, None))
    assert ears.lines == [line]
