"""A language model that always answers: who is asked, how long, and what goes on from where."""

import asyncio
import random
from collections.abc import Sequence
from typing import Any

import pytest
from livekit.agents import APIConnectionError, APIStatusError, llm

from eloquence.conversation.fallback.answers import Answers, Deadlines
from eloquence.conversation.fallback.breaker import Breaker
from eloquence.conversation.fallback.chain import Chain, Link, Switch
from eloquence.errors import LanguageModelError
from eloquence.protocol import StageStatus
from eloquence.testing import clock
from eloquence.testing.stages import AnswerFault, ScriptedLLM

WHOLE = "Très bien, merci à vous. Parlons de votre travail, et de ce que vous y aimez le plus."
SECOND = "Bonjour, je suis la seconde. Que faites-vous dans la vie ?"


def link(
    model: llm.LLM[Any], *, name: str = "model", local: bool = False, last: bool = False
) -> Link[llm.LLM[Any]]:
    where = "" if local else "example.org"
    status = StageStatus(provider=name, detail="", model="", leaves_machine=where)
    return Link(name, model, Breaker(), status, last)


def answers(*links: Link[llm.LLM[Any]], deadlines: Deadlines | None = None) -> Answers:
    return Answers(Chain("llm", links), "fr", deadlines)


def asked(text: str = "Bonjour Marie.") -> llm.ChatContext:
    context = llm.ChatContext.empty()
    context.add_message(role="system", content="Tu es Marie.")
    context.add_message(role="user", content=text)
    return context


async def pieces(model: Answers, context: llm.ChatContext | None = None) -> list[tuple[float, str]]:
    """What was passed on, and when."""
    loop = asyncio.get_running_loop()
    began, given = loop.time(), []
    async with model.chat(chat_ctx=context or asked()) as stream:
        async for chunk in stream:
            assert chunk.delta is not None
            given.append((loop.time() - began, chunk.delta.content or ""))
    return given


def said(given: Sequence[tuple[float, str]]) -> str:
    return "".join(text for _, text in given)


@pytest.mark.parametrize(
    ("fault", "within"),
    [("hang", 2.5), ("stall", 2.5), ("close", 0.8), ("empty", 0.8), ("slow", 2.5)],
)
def test_whoever_fails_is_followed_by_the_next(fault: AnswerFault, within: float) -> None:
    """L01-L06, B23-B26."""
    first, second = ScriptedLLM([WHOLE], fault=fault), ScriptedLLM([SECOND])
    given = clock.run(pieces(answers(link(first), link(second))))
    assert said(given).endswith("Que faites-vous dans la vie ?")
    assert given[0][0] <= within
    assert first.open == second.open == 0
