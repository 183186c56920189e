"""What the engine needs of every language model, whoever wrote it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from livekit.agents import llm
from livekit.agents.types import APIConnectOptions

from eloquence import registry
from eloquence.conversation.stages import Resources
from eloquence.testing.context import stage_context
from eloquence.testing.services import Services

ONCE = APIConnectOptions(max_retry=0, timeout=5)


@pytest.fixture
async def services() -> AsyncIterator[Services]:
    async with Services() as running:
        yield running


@pytest.fixture(params=registry.names("llm"))
def model(
    request: pytest.FixtureRequest, services: Services, resources: Resources
) -> "llm.LLM[Any]":
    given: dict[str, dict[str, object]] = {"openai": {"base_url": services.url}, "script": {}}
    if request.param not in given:
        pytest.skip(f"{request.param} comes from another package: its options are not known here")
    provider = registry.provider("llm", request.param)
    options = provider.parse(given[request.param], {})
    assert provider.check(options, "fr").ready
    made: llm.LLM[Any] = provider.create(options, stage_context(resources=resources))
    return made


def said(*texts: str) -> llm.ChatContext:
    context = llm.ChatContext.empty()
    context.add_message(role="system", content="Tu es Marie.")
    for text in texts:
        context.add_message(role="user", content=text)
    return context


async def answer(model: "llm.LLM[Any]", context: llm.ChatContext) -> str:
    text = ""
    async with model.chat(chat_ctx=context, conn_options=ONCE) as stream:
        async for chunk in stream:
            text += (chunk.delta.content or "") if chunk.delta else ""
    return text


async def test_it_answers_in_words(model: "llm.LLM[Any]") -> None:
    assert (await answer(model, said("Bonjour"))).strip()


async def test_it_answers_turn_after_turn(model: "llm.LLM[Any]") -> None:
    context = said()
    for turn in ("Bonjour", "Je parle de mon projet.", "Merci."):
        context.add_message(role="user", content=turn)
        reply = await answer(model, context)
        assert reply.strip()
        context.add_message(role="assistant", content=reply)


async def test_an_interruption_leaves_nothing_running(model: "llm.LLM[Any]") -> None:
    await answer(model, said("Bonjour"))
    before = asyncio.all_tasks()
    stream = model.chat(chat_ctx=said("Bonjour"), conn_options=ONCE)
    await anext(stream)
    await stream.aclose()
    await asyncio.sleep(0)
    left = [one for one in asyncio.all_tasks() - before if "Services" not in repr(one.get_coro())]
    assert left == []


async def test_it_names_itself_for_the_metrics(model: "llm.LLM[Any]") -> None:
    assert model.model not in ("", "unknown")
    assert model.provider not in ("", "unknown")
