"""10,000 streams of a language model and of a voice, over real HTTP, against services that fail in
every way: opened, entered twice, closed twice and cancelled at random instants (ST-01 to ST-12,
B-01, C-01, D-17, D-18)."""

import asyncio
import gc
import logging
import random
from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

import pytest
from livekit.agents import llm

from eloquence.bootstrap.stages import status
from eloquence.coaching.character import Language
from eloquence.conversation.fallback.answers import Answers, Deadlines
from eloquence.conversation.fallback.breaker import Breaker
from eloquence.conversation.fallback.chain import Chain, Link
from eloquence.conversation.fallback.voices import Voices
from eloquence.conversation.stages import Resources
from eloquence.ops.chaos import MODES, Services
from eloquence.registry import Stage, choose
from eloquence.testing.context import stage_context

STREAMS = 5_000
"""Of each stage."""
AT_ONCE = 40
DEEDS = ("whole", "cancel", "cancel", "close", "close twice", "enter twice", "leave", "unused")
WORDS = ("aclose", "already running", "never retrieved", "generator", "pending", "Unclosed")
LANGUAGE: Language = "fr"

Opened = Callable[[], Any]


async def torn(opened: Opened, chance: random.Random) -> str:
    """Opens a stream and does to it what a careless owner may do, at a random instant."""
    deed = chance.choice(DEEDS)
    stream = opened()
    if deed == "unused":
        await stream.aclose()
        return deed

    async def read() -> None:
        async with stream:
            async for _ in stream:
                if deed == "leave":
                    return

    reading = asyncio.create_task(read())
    if deed not in ("whole", "leave"):
        await asyncio.sleep(chance.uniform(0.0, 0.08))
    if deed == "cancel":
        reading.cancel()
        await asyncio.wait([reading])
        if not reading.cancelled() and (error := reading.exception()) is not None:
            assert not isinstance(error, RuntimeError), error
    elif deed.startswith("close"):
        await asyncio.gather(*(stream.aclose() for _ in range(1 if deed == "close" else 2)))
    elif deed == "enter twice":
        async with stream:
            pass
    for error in await asyncio.gather(reading, return_exceptions=True):
        assert not isinstance(error, RuntimeError), error
    await stream.aclose()
    return deed


def chain(stage: Stage, hosts: list[str], resources: Resources) -> Chain[Any]:
    context = stage_context(LANGUAGE, resources=resources)
    links = []
    for number, url in enumerate(hosts):
        options = {"base_url": f"{url}/v1", "api_key": "none"}
        chosen = choose(stage, "openai", options, LANGUAGE, ())
        made = chosen.provider.create(chosen.options, context)
        links.append(Link(f"host {number}", made, Breaker(failures=10**9), status(chosen)))
    return Chain(stage, links)


def of_model(hosts: list[str], resources: Resources) -> tuple[Any, Opened]:
    deadlines = Deadlines(first=0.15, only=0.15, idle=0.1, total=2.0)
    answers = Answers(chain("llm", hosts, resources), LANGUAGE, deadlines)
    context = llm.ChatContext.empty()
    context.add_message(role="user", content="Bonjour.")
    return answers, partial(answers.chat, chat_ctx=context)


def of_voice(hosts: list[str], resources: Resources) -> tuple[Any, Opened]:
    voices = Voices(chain("tts", hosts, resources), LANGUAGE, first=0.15, idle=0.1, whole=2.0)
    return voices, lambda: voices.answer().synthesize("Bonjour, je suis Marie.")


@pytest.mark.timeout(900)
@pytest.mark.parametrize("made", [of_model, of_voice])
async def test_5000_streams_torn_at_any_instant_leave_nothing_behind(
    made: Callable[[list[str], Resources], tuple[Any, Opened]], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    chance = random.Random(11)
    resources = Resources()
    seen: dict[str, int] = {}
    async with AsyncExitStack() as stack:
        failing = await stack.enter_async_context(Services(slow_seconds=0.05, keep=False))
        well = await stack.enter_async_context(Services(keep=False))
        for services in (failing, well):
            services.reply = "Merci, c’est clair."
            services.speech_seconds = 0.4
        stage, opened = made([failing.url, well.url], resources)
        before = asyncio.all_tasks()
        for _ in range(STREAMS // AT_ONCE):
            failing.mode = chance.choice(MODES)
            async with asyncio.TaskGroup() as tasks:
                together = [tasks.create_task(torn(opened, chance)) for _ in range(AT_ONCE)]
            for one in together:
                seen[one.result()] = seen.get(one.result(), 0) + 1
        await stage.aclose()
        await resources.close()
        await asyncio.sleep(0)
        left = asyncio.all_tasks() - before
        held = {one for one in left if "_converse" not in repr(one.get_coro())}
        assert not held, held
    gc.collect()
    assert sum(seen.values()) == STREAMS
    assert seen.keys() == set(DEEDS)
    told = [record.getMessage() for record in caplog.records]
    assert [one for one in told if any(word in one for word in WORDS)] == []
