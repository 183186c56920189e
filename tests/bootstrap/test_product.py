"""A conversation as the whole product opens it: what its first message says of what was asked."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.bootstrap.takes import answer, keep, question, session

from eloquence import protocol
from eloquence.bootstrap import Eloquence, opened
from eloquence.coaching.session import Session
from eloquence.config import load
from eloquence.transports import memory


@pytest.fixture
async def eloquence(tmp_path: Path) -> AsyncIterator[Eloquence]:
    async with opened(load(data=tmp_path)) as product:
        await keep(
            product.store,
            session("s1", exercise="entretien_embauche", scenario="motivation"),
            question(0, text="Parlez-moi d’une réussite."),
            answer(1, 3.0, 2),
        )
        yield product


async def begun(eloquence: Eloquence, **hello: object) -> tuple[protocol.ServerMessage, Session]:
    """The first message of a conversation that is ended at once, and what was stored of it."""
    given = protocol.Hello.model_validate({"exercise": "entretien_embauche", **hello})
    server, client = memory.pair()
    async with asyncio.timeout(60):
        serving = asyncio.create_task(eloquence.serve(server))
        await client.send(given.model_dump_json())
        data = await client.receive()
        while isinstance(data, bytes):
            data = await client.receive()
        first = protocol.parse_server(data)
        await client.send(protocol.End().model_dump_json())
        client.close()
        await serving
    newest = (await eloquence.store.list(limit=1))[0].session
    return first, newest


async def test_a_warm_up_an_exam_and_a_goal_are_told_and_kept(eloquence: Eloquence) -> None:
    ready, kept = await begun(
        eloquence, warm_up=True, exam=True, goal="filled_pauses", profile="learner"
    )
    assert isinstance(ready, protocol.Ready)
    assert (ready.phase, ready.exam, ready.goal) == ("warm_up", True, "filled_pauses")
    assert (ready.level, ready.hints, ready.purpose) == (1, False, "exercise")
    assert (kept.exam, kept.goal, kept.profile) == (True, "filled_pauses", "learner")
    assert (kept.purpose, kept.of) == ("exercise", "")


async def test_a_drill_and_a_second_try_are_told_and_kept(eloquence: Eloquence) -> None:
    drill, kept = await begun(eloquence, of="s1", drill="phrase_pleine", warm_up=True)
    assert isinstance(drill, protocol.Ready)
    phrase = eloquence.library.phrases("fr").drill("phrase_pleine")
    assert phrase is not None
    assert (drill.purpose, drill.phase, drill.title) == ("drill", "exercise", phrase.title)
    assert (drill.task, drill.duration) == (phrase.instructions, phrase.seconds)
    assert drill.stages["llm"].provider == "script"
    assert (kept.purpose, kept.of, kept.drill) == ("drill", "s1", "phrase_pleine")
    assert (kept.exercise, kept.scenario) == ("entretien_embauche", "motivation")

    retry, kept = await begun(eloquence, of="s1", retry=1)
    assert isinstance(retry, protocol.Ready)
    assert (retry.purpose, retry.task) == ("retry", "Parlez-moi d’une réussite.")
    assert (kept.purpose, kept.of, kept.retried) == ("retry", "s1", 1)


async def test_what_cannot_be_practised_is_told_to_the_client(eloquence: Eloquence) -> None:
    refused, _ = await begun(eloquence, of="s1", retry=99)
    assert isinstance(refused, protocol.Failure)
    assert refused.code == "session_creation"
    assert refused.mend
