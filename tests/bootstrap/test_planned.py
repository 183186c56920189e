"""What was made for a conversation is closed once, however far the conversation came."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Never

import pytest
from tests.bootstrap.takes import session
from tests.bootstrap.test_product import begun

from eloquence import protocol
from eloquence.bootstrap import Eloquence, chains, opened
from eloquence.bootstrap import plugins as attendance
from eloquence.bootstrap.stages import choose
from eloquence.config import load
from eloquence.conversation.stages import Resources
from eloquence.errors import AgentCreationError, ConnectionLostError, StorageError
from eloquence.registry import Choice, Stage
from eloquence.storage.recordings import Recorder
from eloquence.testing.context import stage_context
from eloquence.transports import memory
from eloquence.transports.websocket import WebSocketTransport

ONCE = {"stt": 1, "llm": 1, "tts": 1}
HELLO = protocol.Hello(exercise="entretien_embauche", keep_audio=True)


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """How often each stage was closed that the product has made."""
    counts: dict[str, int] = {}
    making = chains.made

    async def made(*given: Any) -> chains.Made:
        result = await making(*given)
        for stage, engine in result.stages.items():
            monkeypatch.setattr(engine, "aclose", counting(counts, stage, engine.aclose))
        return result

    monkeypatch.setattr(chains, "made", made)
    return counts


def counting(counts: dict[str, int], name: str, close: Any) -> Any:
    async def aclose() -> None:
        counts[name] = counts.get(name, 0) + 1
        await close()

    return aclose


@pytest.fixture
async def eloquence(tmp_path: Path) -> AsyncIterator[Eloquence]:
    async with opened(load(data=tmp_path, stt="none", tts="espeak")) as product:
        yield product


async def test_stages_of_a_conversation_that_was_held_are_closed_once(
    eloquence: Eloquence, closed: dict[str, int]
) -> None:
    ready, _ = await begun(eloquence)
    assert isinstance(ready, protocol.Ready)
    assert closed == ONCE


async def test_stages_are_closed_when_the_recorder_cannot_begin(
    eloquence: Eloquence, closed: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(_: object) -> Never:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(Recorder, "__aenter__", full)
    with pytest.raises(RuntimeError, match="thread"):
        await eloquence.converse(HELLO, None)  # type: ignore[arg-type]
    assert closed == ONCE


async def test_stages_are_closed_when_the_plugins_cannot_begin(
    eloquence: Eloquence, closed: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    @asynccontextmanager
    async def broken(*_: object) -> AsyncIterator[Never]:
        raise RuntimeError("no process is left")
        yield

    monkeypatch.setattr(attendance, "attending", broken)
    with pytest.raises(RuntimeError, match="process"):
        await eloquence.converse(HELLO, None)  # type: ignore[arg-type]
    assert closed == ONCE


async def test_stages_are_closed_when_the_session_cannot_be_stored(
    eloquence: Eloquence, closed: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*_: object, **__: object) -> Never:
        raise StorageError("The disk is full.")

    monkeypatch.setattr(eloquence.store, "open", full)
    await eloquence.warm()
    server, _ = memory.pair()
    async with WebSocketTransport(server) as transport:
        with pytest.raises(StorageError):
            await eloquence.converse(HELLO, transport)
    assert closed == ONCE


async def test_stages_are_closed_when_the_line_is_not_opened(
    eloquence: Eloquence, closed: dict[str, int]
) -> None:
    """Of a session in a room that is gone."""
    kept = session("s1", exercise="entretien_embauche", scenario="motivation")
    request = HELLO.model_dump_json()
    await eloquence.store.requests.add(kept, learner="", room="room", request=request)
    lease = await eloquence.store.claim("s1", 1)

    async def line() -> Never:
        raise ConnectionLostError("The room is gone.")

    with pytest.raises(ConnectionLostError):
        await eloquence.hold(lease, line())
    assert closed == ONCE


async def test_all_that_was_made_is_closed_when_a_later_stage_cannot_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also who only stands by, and also when the first of them fails to close."""
    counts: dict[str, int] = {}
    making = chains._link

    async def broken() -> Never:
        counts["openai"] = 1
        raise RuntimeError("cannot close")

    def link(*given: Any, **named: Any) -> Any:
        made = making(*given, **named)
        close = broken if made.name == "openai" else counting(counts, made.name, made.stage.aclose)
        monkeypatch.setattr(made.stage, "aclose", close)
        return made

    def unrecorded(*_: object) -> Never:
        raise RuntimeError("no recorded sentence")

    monkeypatch.setattr(chains, "_link", link)
    monkeypatch.setattr(chains, "recorded", unrecorded)
    resources = Resources()
    settings = load(llm={"provider": "openai", "api_key": "k"}, tts="espeak")
    chosen: dict[Stage, Choice] = {
        "llm": choose(settings, "llm", "fr"),
        "tts": choose(settings, "tts", "fr"),
    }
    with pytest.raises(AgentCreationError):
        await chains.made(settings, chosen, stage_context(resources=resources))
    assert counts == {"openai": 1, "script": 1, "espeak": 1}
    await resources.close()
