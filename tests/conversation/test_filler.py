"""What is said while an answer is late: not too early, not twice alike, never before a fast one."""

import asyncio
import time
from collections.abc import AsyncGenerator

import pytest
from livekit.agents import llm

from eloquence.conversation.filler import Fillers
from eloquence.conversation.hooks import Chunk
from eloquence.storage import content
from eloquence.testing import clock

LINES = ("Un instant.", "Je réfléchis.")
ANSWER = "Bonjour."


async def answering(seconds: float, closed: list[bool]) -> AsyncGenerator[Chunk, None]:
    try:
        await asyncio.sleep(seconds)
        yield llm.ChatChunk(id="1", delta=llm.ChoiceDelta(role="assistant", content=""))
        yield ANSWER
        yield " Merci."
    finally:
        closed.append(True)


async def said(seconds: float, *, over: float) -> list[tuple[float, str]]:
    """What comes, and when, of an answer after so many seconds to a turn that is known to be over
    at `over`, half a second after its last word."""
    fillers, closed = Fillers(LINES), list[bool]()
    began = time.time()
    loop = asyncio.get_running_loop()
    loop.call_later(over, lambda: fillers.turn_over(began + over - 0.5))
    given = [
        (round(time.time() - began, 2), chunk)
        async for chunk in fillers.before(answering(seconds, closed), over=False)
        if isinstance(chunk, str)
    ]
    assert closed == [True]
    assert not fillers.waiting
    return given


@pytest.mark.parametrize(
    ("seconds", "over", "given"),
    [
        (1.1, 0.1, []),
        (2.0, 0.1, [1.2]),
        (2.0, 0.5, [1.6]),
        (2.0, 1.5, []),
        (9.0, 3.0, [4.1, 7.1]),
        (2.0, 2.5, []),
        (30.0, 0.5, [1.6, 4.6, 7.6, 10.6]),
    ],
)
def test_it_comes_when_the_turn_is_over_and_the_silence_long(
    seconds: float, over: float, given: list[float]
) -> None:
    """1.6 s after the learner's last word, 1.2 s after the answer was asked for; again after 3 s,
    four times at most."""
    heard = clock.run(said(seconds, over=over))
    lines = [f"{LINES[number % 2]} " for number in range(len(given))]
    assert [text for _, text in heard] == [*lines, ANSWER, " Merci."]
    assert [at for at, _ in heard][:-2] == pytest.approx(given)


def test_it_ends_with_whoever_listens() -> None:
    """D-17: the answer is closed once, and the cancellation is passed on."""

    async def run() -> None:
        for tick in range(12):
            closed: list[bool] = []
            fillers = Fillers(LINES)

            async def listen(fillers: Fillers = fillers, closed: list[bool] = closed) -> None:
                async for _ in fillers.before(answering(2.0, closed), over=True):
                    pass

            listening = asyncio.create_task(listen())
            await asyncio.sleep(tick * 0.2 - 0.1 if tick else 0.0)
            listening.cancel()
            await asyncio.wait({listening})
            assert listening.cancelled() == (tick * 0.2 < 2.1)
            await asyncio.sleep(0)
            assert len(asyncio.all_tasks()) == 1
            assert len(closed) <= 1

    clock.run(run())


def test_a_failure_of_the_answer_is_passed_on() -> None:
    async def failing() -> AsyncGenerator[Chunk, None]:
        await asyncio.sleep(2.0)
        raise KeyError("a bug")
        yield ""

    async def run() -> None:
        with pytest.raises(KeyError):
            [_ async for _ in Fillers(LINES).before(failing(), over=True)]

    clock.run(run())


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Un instant. Bonjour.", "Bonjour."),
        ("Un instant. Je réfléchis. Un instant. Bonjour.", "Bonjour."),
        ("Un instant.", "Un instant."),
        ("Un ins", "Un ins"),
        ("Bonjour. Un instant. Merci.", "Bonjour. Un instant. Merci."),
        ("", ""),
    ],
)
def test_it_is_taken_out_of_what_is_kept(text: str, left: str) -> None:
    assert Fillers(LINES).without(text) == left


@pytest.mark.parametrize("language", content.LANGUAGES)
def test_the_lines_are_short_and_say_nothing_of_the_learner(language: str) -> None:
    lines = content.load().lines(language).filler  # type: ignore[arg-type]
    assert len(set(lines)) == len(lines) >= 2
    assert all(len(line.split()) <= 4 and line.endswith(".") for line in lines)
