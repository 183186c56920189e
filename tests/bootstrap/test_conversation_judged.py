"""From the last word to the judged report: a whole conversation with models elsewhere."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

from tests.bootstrap.test_judging import ANSWER, LIBRE, TOLD

from eloquence import protocol
from eloquence.bootstrap import opened
from eloquence.config import load
from eloquence.protocol import ServerMessage
from eloquence.storage.content import SHIPPED
from eloquence.testing.services import Services
from eloquence.transports import memory
from eloquence.transports.client import Client


async def nothing() -> AsyncIterator[bytes]:
    silent: tuple[bytes, ...] = ()
    for frame in silent:
        yield frame


async def test_the_model_that_held_a_conversation_judges_it_when_it_has_ended(
    tmp_path: Path,
) -> None:
    """The address 0.0.0.0 reaches this machine and is not one of its own names: for what may be
    sent where, it is another machine."""
    content = tmp_path / "content" / "fr" / "exercises"
    content.mkdir(parents=True)
    shipped = (SHIPPED / "fr" / "exercises" / f"{LIBRE}.yaml").read_text(encoding="utf-8")
    rubric = "" if "\nrubric:" in shipped else "rubric: conversation\n"
    (content / f"{LIBRE}.yaml").write_text(rubric + shipped, encoding="utf-8")
    async with Services(reply=ANSWER, speech_seconds=0.2) as services:
        away = {
            "provider": "openai",
            "base_url": services.url.replace("127.0.0.1", "0.0.0.0"),
            "api_key": "sk-canary",
        }
        settings = load(
            data=tmp_path / "data", content=content.parent.parent, stt=away, llm=away, tts=away
        )
        async with opened(settings) as eloquence:
            server, line = memory.pair()
            serving = asyncio.create_task(eloquence.serve(server))

            async def take_part(message: ServerMessage) -> None:
                match message:
                    case protocol.StateChanged(state="listening") if not said:
                        said.append(TOLD)
                        await client.send(protocol.Say(text=TOLD))
                    case protocol.TurnStored(speaker="learner"):
                        await client.send(protocol.End())

            said: list[str] = []
            hello = protocol.Hello(exercise=LIBRE)
            client = Client(line, hello, microphone=nothing(), on_message=take_part)
            ended = await client.run()
            assert (await eloquence.reports.report(ended.session)).content.state == "pending"
            await serving
            await eloquence.reports.judged(ended.session)
            stored = await eloquence.store.get(ended.session)
            assert stored.session.hosts == dict.fromkeys(("stt", "llm", "tts"), "0.0.0.0")
            report = await eloquence.reports.report(ended.session)
            assert report.content.state == "judged"
            assert report.content.provider == "0.0.0.0"
            assert [turn.text for turn in report.turns if turn.speaker == "learner"] == [TOLD]
