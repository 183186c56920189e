"""Settings that change while conversations go on: the next one takes them, a running one keeps its
own (X-40, C02)."""

import asyncio
import os
import pickle
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from eloquence import protocol
from eloquence.bootstrap import Eloquence, choose, opened
from eloquence.bootstrap.current import Current
from eloquence.bootstrap.speech import speech
from eloquence.config import Settings, load
from eloquence.ops import engines
from eloquence.ops.settings_file import Wanted
from eloquence.protocol import ServerMessage
from eloquence.testing.services import Services
from eloquence.transports import memory
from eloquence.transports.client import Client


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(text: str, name: str = "eloquence.toml") -> None:
    """Writes a file as an editor does that replaces it."""
    draft = Path(f"{name}.new")
    draft.write_text(text)
    draft.replace(name)


def test_a_change_is_seen_at_once_and_only_where_it_may_be(folder: Path) -> None:
    current = Current(load(idle_minutes=2))
    text = 'port = 9001\nidle_minutes = 5\nagent_instructions = "Souris."\n'
    write(text + '[tts]\nprovider = "espeak"\n')
    now = current.settings
    assert (now.tts.provider, now.agent_instructions) == ("espeak", "Souris.")
    assert (now.port, now.idle_minutes) == (7881, 2)
    write('[tts]\nprovider = "piper"\n')
    assert current.settings.tts.provider == "piper"
    assert now.tts.provider == "espeak"
    write("ELOQUENCE_TTS=none\n", ".env")
    assert current.settings.tts.provider == "none"
    Path(".env").unlink()
    Path("eloquence.toml").unlink()
    assert current.settings.tts.provider == "auto"


def test_a_change_in_place_of_the_same_length_is_seen_too(folder: Path) -> None:
    file = folder / "eloquence.toml"
    file.write_text('llm = "script"\n')
    current = Current(load())
    assert current.settings.llm.provider == "script"
    before = file.stat()
    file.write_text('llm = "openai"\n')
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    assert current.settings.llm.provider == "openai"


def test_while_the_env_file_is_broken_keys_are_what_they_last_were() -> None:
    """C01."""
    write('llm = "openai"\n')
    write("SCALEWAY_SECRET_KEY=scw-hush\n", ".env")
    current = Current(load())
    assert choose(current.settings, "llm", "fr").readiness.ready
    write("SCALEWAY_SECRET_KEY=scw-hush\nno name\n", ".env")
    assert choose(current.settings, "llm", "fr").readiness.ready
    assert current.problem is not None
    assert current.problem.message.startswith(".env, line 2")


def test_a_working_folder_that_was_removed_changes_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = folder / "gone"
    place.mkdir()
    monkeypatch.chdir(place)
    current = Current(load(llm="script"))
    place.rmdir()
    assert current.settings.llm.provider == "script"
    assert choose(current.settings, "llm", "fr").readiness.ready
    monkeypatch.chdir(folder)


def test_what_was_given_on_the_command_line_stays() -> None:
    current = Current(load(llm="script"))
    write('llm = "openai"\nstt = "none"\n')
    assert (current.settings.llm.provider, current.settings.stt.provider) == ("script", "none")


def test_a_process_that_is_made_later_takes_what_is_written_then() -> None:
    """A worker hands its settings to the processes that it makes, some of them after a change."""
    write('llm = "script"\n')
    handed = pickle.dumps(load(stt="none"))
    write('llm = "openai"\nstt = "vosk"\n')
    settings: Settings = pickle.loads(handed)
    assert settings.llm.provider == "script"
    current = Current(settings)
    assert (current.settings.llm.provider, current.settings.stt.provider) == ("openai", "none")


async def no_sound() -> AsyncIterator[bytes]:
    silent: tuple[bytes, ...] = ()
    for frame in silent:
        yield frame


class Talk:
    """A conversation whose learner types."""

    def __init__(self, eloquence: Eloquence) -> None:
        server, line = memory.pair()
        self.messages: list[ServerMessage] = []
        self._news = asyncio.Event()
        self._serving = asyncio.create_task(eloquence.serve(server))
        hello = protocol.Hello(exercise="conversation_libre_marie")
        self._client = Client(line, hello, microphone=no_sound(), on_message=self._note)
        self._running = asyncio.create_task(self._client.run())

    async def _note(self, message: ServerMessage) -> None:
        self.messages.append(message)
        self._news.set()

    async def until(self, kind: type[ServerMessage], count: int = 1) -> ServerMessage:
        async with asyncio.timeout(60):
            while True:
                found = [one for one in self.messages if isinstance(one, kind)]
                if len(found) >= count:
                    return found[-1]
                self._news.clear()
                await self._news.wait()

    @property
    def turns(self) -> int:
        return sum(isinstance(one, protocol.TurnStored) for one in self.messages)

    async def answered(self, text: str) -> None:
        """Says something, and waits for the partner's answer to be stored."""
        before = self.turns
        await self._client.send(protocol.Say(text=text))
        await self.until(protocol.TurnStored, before + 2)

    async def end(self) -> None:
        await self._client.send(protocol.End())
        await self._running
        await self._serving


def asked(services: Services) -> int:
    """How many chats a host was asked for."""
    return sum(one.path.endswith("/chat/completions") for one in services.asked)


async def test_a_conversation_keeps_its_provider_and_the_next_one_has_the_new_one(
    folder: Path,
) -> None:
    """C02: changed by the operator's command in the midst of a conversation; no turn is lost."""
    async with (
        Services(reply="Racontez-moi la suite.", speech_seconds=0.2) as first,
        Services(reply="Et ensuite ?", speech_seconds=0.2) as second,
    ):
        key = "api_key = 'none'"
        write(
            f"agent_instructions = 'Tutoie la personne.'\n"
            f"[stt]\nprovider = 'vosk'\nurl = '{first.websocket_url}'\n"
            f"[llm]\nprovider = 'openai'\nbase_url = '{first.url}'\nmodel = 'one'\n{key}\n"
            f"[tts]\nprovider = 'openai'\nbase_url = '{first.url}'\n{key}\n"
        )
        async with opened(load(data=folder / "data")) as eloquence:
            talk = Talk(eloquence)
            ready = await talk.until(protocol.Ready)
            assert isinstance(ready, protocol.Ready)
            assert ready.stages["llm"].model == "one"
            await talk.until(protocol.TurnStored)
            await talk.answered("Je vais au marché.")
            before = asked(first)
            assert before > 0
            assert [one for one in first.asked if b"Tutoie la personne." in one.body], "LLM-11"

            wanted = Wanted("openai", {"base_url": second.url, "model": "two"})
            changed = await asyncio.to_thread(engines.use, "llm", wanted)
            assert changed.warnings == ()

            await talk.answered("Le samedi, souvent.")
            assert asked(first) > before, "the running conversation keeps its own"
            assert asked(second) == 0
            assert not [one for one in talk.messages if isinstance(one, protocol.Notice)]
            await talk.end()
            before = asked(first)

            again = Talk(eloquence)
            ready = await again.until(protocol.Ready)
            assert isinstance(ready, protocol.Ready)
            assert ready.stages["llm"].model == "two"
            await again.until(protocol.TurnStored)
            await again.answered("Bonjour.")
            assert asked(second) > 0, "the next one has the new one"
            assert asked(first) == before
            await again.end()


async def test_the_speech_services_take_a_change_too() -> None:
    write('[tts]\nprovider = "espeak"\n')
    async with speech(load()) as stages:
        assert stages.choice("tts", "fr").provider.name == "espeak"
        write('[tts]\nprovider = "service"\nurl = "http://localhost:5002"\n')
        assert stages.choice("tts", "fr").provider.name == "service"
