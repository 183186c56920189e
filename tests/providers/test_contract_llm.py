"""What the engine needs of every language model, whoever wrote it."""

import asyncio
import time

import pytest
from livekit.agents import APIError

from eloquence import registry
from eloquence.conversation.faults import cause_of, retry_after
from eloquence.conversation.stages import Resources
from eloquence.testing.asking import ONCE, answer, said, twice
from eloquence.testing.contract import LOCAL, RETRY_AFTER, Subject, Traces
from eloquence.testing.deadlines import IN_TIME

EVERY = [("llm", name) for name in registry.names("llm")]
pytestmark = pytest.mark.parametrize("provider_name", EVERY, ids=lambda given: given[1])
FIRST_SECONDS = 2.0


@pytest.mark.contract("streams")
async def test_it_answers_in_words_that_come_as_they_are_found(
    one: Subject, resources: Resources
) -> None:
    model = one.made(resources)
    await answer(model, said("Bonjour"))
    began = time.perf_counter()
    pieces: list[str] = []
    async with model.chat(chat_ctx=said("Bonjour"), conn_options=ONCE) as stream:
        async for chunk in stream:
            if chunk.delta and chunk.delta.content:
                if not pieces:
                    assert time.perf_counter() - began < FIRST_SECONDS
                pieces.append(chunk.delta.content)
    assert "".join(pieces).strip()
    assert one.host is None or len(pieces) > 3
    assert model.model not in ("", "unknown")
    assert model.provider not in ("", "unknown")


@pytest.mark.contract("again")
async def test_it_answers_turn_after_turn(one: Subject, resources: Resources) -> None:
    model = one.made(resources)
    context = said()
    for turn in ("Bonjour", "Je parle de mon projet.", "Merci."):
        context.add_message(role="user", content=turn)
        reply = await answer(model, context)
        assert reply.strip()
        context.add_message(role="assistant", content=reply)


@pytest.mark.contract("leaves")
@pytest.mark.parametrize("when", ["at once", "after a word", "while nothing comes"])
async def test_an_interruption_leaves_nothing_running(one: Subject, when: str) -> None:
    """D-17: the reader's task is awaited, the connection is given back."""
    traces, resources = Traces(), Resources()
    model = one.made(resources)
    await answer(model, said("Bonjour"))
    warm = Traces()
    if when == "while nothing comes" and one.host is not None:
        one.fail("hang")
    stream = model.chat(chat_ctx=said("Bonjour"), conn_options=ONCE)
    if when == "after a word":
        await asyncio.wait_for(anext(stream), 5)
    elif when == "while nothing comes":
        await asyncio.sleep(0.05)
    await stream.aclose()
    assert await warm.tasks_left() == []
    await model.aclose()
    await resources.close()
    assert await traces.settled() == []


@pytest.mark.contract("leaves")
async def test_whoever_waits_for_an_answer_can_be_cancelled(one: Subject) -> None:
    """D-18: a cancellation is passed on, never swallowed."""
    traces, resources = Traces(), Resources()
    model = one.made(resources)
    if one.host is not None:
        one.fail("stall_mid")
    reading = asyncio.create_task(answer(model, said("Bonjour")))
    await asyncio.sleep(0.05)
    if not reading.done():
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
    await model.aclose()
    await resources.close()
    assert await traces.settled() == []


@pytest.mark.contract("closes")
async def test_it_may_be_closed_twice(one: Subject, resources: Resources) -> None:
    model = one.made(resources)
    stream = model.chat(chat_ctx=said("Bonjour"), conn_options=ONCE)
    async for _ in stream:
        pass
    await twice(stream.aclose, model.aclose, resources.close)


@pytest.mark.contract
@pytest.mark.parametrize(
    ("kind", "mode", "causes"),
    [
        ("401", "401", {"authentication"}),
        ("429", "429", {"rate_limit"}),
        ("500", "500", {"internal"}),
        ("hang", "hang", {"timeout"}),
        ("hang", "headers_then_hang", {"timeout"}),
        ("cut", "close_mid", {"unreachable"}),
        ("cut", "stall_mid", {"timeout"}),
        ("empty", "empty", {"bad_answer"}),
        ("garbage", "garbage", {"bad_answer", "unreachable"}),
        ("garbage", "html", {"bad_answer", "unreachable"}),
    ],
)
async def test_a_failure_is_told_once_in_time_with_its_cause(
    one: Subject, resources: Resources, kind: str, mode: str, causes: set[str]
) -> None:
    """RES-01, RES-03, L01 to L08: one request, one error."""
    if one.host is None:
        pytest.skip(LOCAL)
    one.fail(mode)
    model = one.made(resources)
    async with asyncio.timeout(IN_TIME):
        with pytest.raises(APIError) as caught:
            await answer(model, said("Bonjour"))
    assert cause_of(caught.value) in causes
    assert retry_after(caught.value) == (RETRY_AFTER if mode == "429" else None)
    assert len(one.host.asked) == 1, "no hammering"
    one.fail("ok")
    assert (await answer(model, said("Bonjour"))).strip(), "and it answers again"
