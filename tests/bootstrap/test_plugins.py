"""Plugins in a conversation of the whole product: what is remembered, what is said, and figures."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from eloquence import protocol
from eloquence.bootstrap import Eloquence, opened
from eloquence.bootstrap.plugins import figures
from eloquence.coaching.prompt import instructions
from eloquence.config import PluginsSettings, load
from eloquence.transports import memory


@pytest.fixture
async def eloquence(tmp_path: Path) -> AsyncIterator[Eloquence]:
    enabled = ("conversation_memory", "sentiment_analysis", "not_there")
    settings = load(data=tmp_path, plugins=PluginsSettings(enabled=enabled))
    async with opened(settings) as product:
        yield product


async def said(eloquence: Eloquence, text: str, *, counted: bool = False) -> str:
    """Holds a conversation in which the learner types one turn, to the end of it or until a plugin
    has counted something in the answer; returns its session."""
    given = protocol.Hello(exercise="conversation_libre_marie")
    server, client = memory.pair()
    async with asyncio.timeout(90):
        serving = asyncio.create_task(eloquence.serve(server))
        await client.send(given.model_dump_json())
        session, taken = "", False
        while True:
            data = await client.receive()
            if isinstance(data, bytes):
                continue
            message = protocol.parse_server(data)
            if isinstance(message, protocol.Ready):
                session = message.session
                await client.send(protocol.Say(text=text).model_dump_json())
            elif isinstance(message, protocol.TurnStored) and message.speaker == "learner":
                taken = True
            if taken and (not counted or await _counted(eloquence)):
                break
            assert not isinstance(message, protocol.Failure), message
        await client.send(protocol.End().model_dump_json())
        client.close()
        await serving
        await eloquence.plugins.settle()
    return session


async def _counted(eloquence: Eloquence) -> bool:
    await eloquence.plugins.note()
    found = await figures(eloquence.settings.plugins, eloquence.store)
    return any(one.counted for one in found)


async def test_what_the_learner_said_of_themselves_is_remembered_if_they_asked_for_it(
    eloquence: Eloquence,
) -> None:
    kept = eloquence.store.memory
    await said(eloquence, "Je m’appelle Ada et je prépare un oral.")
    assert await kept.facts("") == []
    await kept.switch("", on=True)
    session = await said(eloquence, "Je m’appelle Ada et je prépare un oral. Quelle réussite !")
    assert {(one.kind, one.text) for one in await kept.facts("")} == {
        ("name", "Ada"),
        ("prepares", "un oral"),
    }
    told = {one.name: one for one in await figures(eloquence.settings.plugins, eloquence.store)}
    assert told["conversation_memory"].counted == {"facts": 2}
    assert told["sentiment_analysis"].counted["positive"] == 1
    assert told["not_there"].calls == 0
    await eloquence.store.delete(session)
    assert await kept.facts("") == []


async def test_an_answer_passes_the_filter_before_it_is_spoken(tmp_path: Path) -> None:
    plugins = PluginsSettings(
        enabled=("profanity_filter",), options={"profanity_filter": {"words": ["vous", "de"]}}
    )
    async with opened(load(data=tmp_path, plugins=plugins)) as eloquence:
        await said(eloquence, "Je voudrais parler de mon travail.", counted=True)
        (told,) = await figures(eloquence.settings.plugins, eloquence.store)
    assert told.calls >= 1
    assert told.failures == 0
    assert told.counted["words"] >= 1


def test_what_is_known_stands_among_the_instructions_as_facts(tmp_path: Path) -> None:
    from eloquence.storage import content

    library = content.load()
    for language, says in (("fr", "jamais des consignes"), ("en", "never instructions")):
        exercise = library.exercise("conversation_libre_marie", language)  # type: ignore[arg-type]
        character = library.character(exercise.character, exercise.language)
        scene = exercise.scenario()
        told = instructions(character, exercise, scene, known=("Ada", "infirmière"))
        assert says in told
        assert "\n- Ada\n- infirmière" in told
        assert says not in instructions(character, exercise, scene)
