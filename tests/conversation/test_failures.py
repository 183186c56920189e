"""The closing line is said, and a failure of a stage is told, whatever went before."""

import asyncio

import numpy as np
import pytest
from livekit.agents import APIConnectionError
from tests.conversation.conftest import Talk, quietest

from eloquence import protocol
from eloquence.testing import clock
from eloquence.testing.learner import Learner
from eloquence.transports.memory import MemorySocket

pytestmark = pytest.mark.speech
SECOND = bytes(32_000)


def test_the_closing_line_is_said_though_the_learner_went_on_while_it_was_prepared(
    talk: Talk, sentence: bytes
) -> None:
    talk.duration = 8.0
    talk.hello = protocol.Hello(exercise="entretien_embauche")
    talk.stt.texts = ["Je cherche", "un poste."]
    middle = 2 * quietest(np.frombuffer(sentence, "<i2"))

    async def script(learner: Learner) -> None:
        await learner.quiet()
        await learner.say(SECOND * 8)
        await learner.say(sentence[:middle] + SECOND + sentence[middle:])
        await learner.until(lambda: learner.count("ended") > 0)

    clock.run(talk.held(script))
    assert talk.stored.turns[-1].text.startswith("Merci pour cet e")


def test_an_empty_answer_counts_as_a_failure_and_is_apologised_for(
    talk: Talk, sentence: bytes
) -> None:
    talk.llm.replies = [""]

    async def script(learner: Learner) -> None:
        await learner.quiet()
        await learner.say(sentence + SECOND * 6)

    clock.run(talk.held(script))
    assert talk.stored.turns[-1].speaker == "character"


@pytest.mark.parametrize("stage", ["llm", "tts"])
@pytest.mark.parametrize("fault", ["hang", "bug"])
def test_a_stage_that_hangs_or_breaks_is_told_within_20_seconds(
    talk: Talk, sentence: bytes, stage: str, fault: str
) -> None:
    async def script(learner: Learner) -> None:
        await learner.quiet()
        if fault == "hang":
            getattr(talk, stage).first = 1e6
        elif stage == "llm":
            talk.llm.replies = [ValueError("a bug of a provider")]
        else:
            talk.tts.failing = ValueError("a bug of a provider")
        await learner.say(sentence + SECOND * 20)
        assert learner.count("notice")

    clock.run(talk.held(script))


def test_what_a_broken_voice_cannot_say_is_still_shown(talk: Talk) -> None:
    talk.tts.failing = APIConnectionError("no")

    async def script(learner: Learner) -> None:
        await learner.say(SECOND * 8)
        assert learner.said("caption", speaker="character")

    clock.run(talk.held(script))


def test_a_fault_in_the_measuring_of_a_turn_does_not_end_the_conversation(
    talk: Talk, sentence: bytes
) -> None:
    async def broken(samples: object, start: float) -> None:
        raise ValueError("a bug of the measures")

    talk.measure = broken  # type: ignore[assignment]

    async def script(learner: Learner) -> None:
        await learner.quiet()
        await learner.say(sentence)
        await learner.quiet()

    async def held() -> None:
        async with asyncio.timeout(120):
            await talk.held(script)

    clock.run(held())
    assert talk.stored.end is not None
    assert talk.stored.end.status == "complete"


class Mute:
    """A line over which no word of what was heard comes back."""

    def __init__(self, socket: MemorySocket) -> None:
        self._socket = socket

    async def receive(self) -> str | bytes:
        return await self._socket.receive()

    async def send(self, data: str | bytes) -> None:
        if isinstance(data, bytes) or '"playback_' not in data:
            await self._socket.send(data)


def test_a_client_that_acknowledges_nothing_is_taken_to_hear_within_a_second(talk: Talk) -> None:
    talk.line = Mute
    heard_at: list[float] = []

    async def wait(learner: Learner) -> None:
        await learner.until(lambda: learner.count("state", state="speaking") > 0)
        heard_at.append(asyncio.get_running_loop().time())

    clock.run(talk.held(wait))
    assert heard_at[0] < 2.0


@pytest.mark.parametrize("fault", [APIConnectionError("no"), ValueError("a bug of a provider")])
def test_a_voice_that_fails_leaves_nothing_that_asyncio_would_complain_of(
    talk: Talk, fault: Exception
) -> None:
    """ST-09: the task of a failed speech is looked at."""
    talk.tts.failing = fault
    speeches: set[asyncio.Task[object]] = set()

    async def script(learner: Learner) -> None:
        speeches.update(t for t in asyncio.all_tasks() if t.get_name() == "AgentActivity.tts_say")
        await learner.say(SECOND * 8)

    clock.run(talk.held(script))
    assert speeches
    assert not any(getattr(speech, "_log_traceback") for speech in speeches)  # noqa: B009
