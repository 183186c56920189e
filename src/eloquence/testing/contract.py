"""What a provider of any stage is tried with: options that make it ready on this machine, a host
that fails in every way if it asks one, and a look at what it leaves behind.

A package that brings a provider of its own can try it in the same way:

    with subject("tts", "elevenlabs", folder) as one:
        one.fail("stall_mid")
        stage = one.made(resources)
"""

import asyncio
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import psutil

from eloquence import registry
from eloquence.coaching.character import Language
from eloquence.conversation.stages import Resources
from eloquence.registry import Provider, Stage
from eloquence.testing.context import stage_context
from eloquence.testing.deadlines import deadline, deadlines
from eloquence.testing.parakeet import write_listening_model
from eloquence.testing.piper import write_humming_voice
from eloquence.testing.services import Services
from eloquence.testing.supertonic import write_humming_model
from eloquence.testing.vendors import local_server

PROPERTIES: Mapping[str, str] = {
    "listed": "its name is known without anything of it being imported",
    "options": "what it does not know, or cannot be, is refused by name; a key is never shown",
    "check": "it says at once and offline whether it is ready, and what to do when it is not",
    "languages": "it takes the language of the conversation, and says when it does not know it",
    "streams": "its result comes as it is made, first within two seconds (stt: as fast as speech)",
    "again": "it serves turn after turn",
    "times": "words carry the times at which they were said (stt) or are heard (tts)",
    "leaves": "left in the middle, no task, thread, process or connection stays",
    "closes": "it may be closed once and twice",
    "401": "a refused key is told as such",
    "429": "so is a host that asks to be left alone, and for how long",
    "500": "a host that fails is told as such",
    "hang": "a host that says nothing is given up within the deadlines",
    "cut": "an answer that stops in the middle is an error, after what had come",
    "empty": "an answer with nothing in it is an error (stt: nothing was said)",
    "garbage": "what cannot be read is an error and no noise",
}
"""What every provider is held to, as in the tables of docs/providers.md."""

LOCAL = "local: no host is asked"
"""Why a provider is not tried with a host that fails."""

RETRY_AFTER = 7.0
"""Seconds for which a host asks to be left alone when it answers 429."""
_SHORT = 2.0
"""Seconds, where a deadline must pass: the same stage is to answer again within it."""
_SETTLED = 3.0


class Host(Protocol):
    """Who is asked over the network: `mode` is how it fails, see `eloquence.testing.services`."""

    mode: Any
    asked: list[Any]


@dataclass(slots=True)
class Subject:
    """One provider. `host` is None when nothing is asked over the network."""

    stage: Stage
    provider: Provider
    options: Mapping[str, object]
    host: Host | None = None
    language: Language = "fr"

    def made(self, resources: Resources) -> Any:
        """A stage for one conversation, with deadlines for how its host fails by now."""
        mode = self.host.mode if self.host is not None else "ok"
        whole = deadline(mode, _SHORT)
        given = {**deadlines(mode, _SHORT), "patience": whole}
        if self.stage == "stt":
            given["total"] = whole
        known = self.provider.options.model_fields
        given = {name: seconds for name, seconds in given.items() if name in known}
        options = self.provider.parse({**given, **self.options}, {})
        return self.provider.create(options, stage_context(self.language, resources=resources))

    def fail(self, mode: str) -> None:
        """From now on its host fails like this."""
        assert self.host is not None
        self.host.mode = mode
        if isinstance(self.host, Services):
            self.host.retry_after = f"{RETRY_AFTER:g}" if mode == "429" else ""


@contextmanager
def subject(stage: Stage, name: str, folder: Path) -> Iterator[Subject]:
    """The provider of that name, ready to be made; `folder` is an empty one for its models. Raises
    LookupError for a name of another package, whose options are not known here."""
    provider = registry.provider(stage, name)
    if (stage, name) in _LOCAL:
        options = _LOCAL[stage, name](folder)
        language: Language = "en" if name in ("pocketsphinx", "none") else "fr"
        yield Subject(stage, provider, options, language=language)
    elif (stage, name) in _HOSTED:
        with _services() as services:
            yield Subject(stage, provider, _HOSTED[stage, name](services), services)
    else:
        try:
            vendor = local_server(stage, name)
            host = vendor.__enter__()
        except KeyError:
            raise LookupError(name) from None
        try:
            yield Subject(stage, provider, host.options, host)
        finally:
            vendor.__exit__(None, None, None)


def _with_voice(folder: Path) -> dict[str, object]:
    write_humming_voice(folder)
    return {"models": folder}


def _with_supertonic(folder: Path) -> dict[str, object]:
    write_humming_model(folder)
    return {"models": folder, "threads": 1}


def _with_parakeet(folder: Path) -> dict[str, object]:
    write_listening_model(folder)
    return {"models": folder, "threads": 1}


_LOCAL: Mapping[tuple[Stage, str], Callable[[Path], dict[str, object]]] = {
    ("stt", "none"): lambda folder: {},
    ("stt", "pocketsphinx"): lambda folder: {},
    ("stt", "parakeet"): _with_parakeet,
    ("llm", "script"): lambda folder: {},
    ("tts", "espeak"): lambda folder: {},
    ("tts", "piper"): _with_voice,
    ("tts", "supertonic"): _with_supertonic,
}
_HOSTED: Mapping[tuple[Stage, str], Callable[[Services], dict[str, object]]] = {
    ("stt", "vosk"): lambda services: {"url": services.websocket_url},
    ("stt", "openai"): lambda services: {"base_url": services.url},
    ("llm", "openai"): lambda services: {"base_url": services.url},
    ("llm", "mistral"): lambda services: {"base_url": services.url},
    ("llm", "cohere"): lambda services: {"base_url": services.url},
    ("llm", "anthropic"): lambda services: {"base_url": services.url},
    ("tts", "openai"): lambda services: {"base_url": services.url},
    ("tts", "service"): lambda services: {"url": services.url},
}


@contextmanager
def _services() -> Iterator[Services]:
    """The services in a thread of their own: what they leave open is their own affair."""
    services = Services()
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="host", daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(services.__aenter__(), loop).result(10)
    try:
        yield services
    finally:
        asyncio.run_coroutine_threadsafe(services.__aexit__(None, None, None), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@dataclass(slots=True)
class Traces:
    """What runs in this process, to be compared with what ran before."""

    tasks: set["asyncio.Task[Any]"] = field(default_factory=asyncio.all_tasks)
    threads: set[int] = field(default_factory=lambda: set(_threads()))
    processes: set[int] = field(default_factory=lambda: set(_processes()))
    sockets: int = field(default_factory=lambda: _sockets())

    def left(self) -> list[str]:
        """What is here now and was not then."""
        tasks = [repr(task.get_coro()) for task in asyncio.all_tasks() - self.tasks]
        threads = [name for ident, name in _threads().items() if ident not in self.threads]
        processes = [f"process {pid}" for pid in _processes() if pid not in self.processes]
        more = _sockets() - self.sockets
        return [*tasks, *threads, *processes, *([f"{more} sockets"] if more > 0 else [])]

    async def tasks_left(self) -> list[str]:
        """The tasks that are here now and were not then; what the event loop finalises by itself,
        as a client's iterator, has a few turns of it to go."""
        for _ in range(10):
            if asyncio.all_tasks() <= self.tasks:
                break
            await asyncio.sleep(0)
        return [repr(task.get_coro()) for task in asyncio.all_tasks() - self.tasks]

    async def settled(self) -> list[str]:
        """What is left after all had a little time to go; empty when nothing is."""
        for _ in range(round(_SETTLED / 0.02)):
            if not self.left():
                break
            await asyncio.sleep(0.02)
        return self.left()


def _threads() -> dict[int, str]:
    """All but the pool of the event loop, which resolves names for everybody, the one thread with
    which gRPC waits for all its connections as long as the process lives, and the tests' hosts."""
    return {
        thread.ident: f"thread {thread.name}"
        for thread in threading.enumerate()
        if thread.ident is not None
        and not thread.name.startswith(("asyncio_", "host"))
        and "_poll_wrapper" not in thread.name
    }


def _processes() -> list[int]:
    own = psutil.Process()
    return [
        child.pid
        for child in own.children(recursive=True)
        if child.is_running() and child.status() != psutil.STATUS_ZOMBIE
    ]


def _sockets() -> int:
    """Connections that this process has made and not closed. Those that it has accepted, as the
    hosts of the tests do, are none of them."""
    found = psutil.Process().net_connections("inet")
    listening = {one.laddr.port for one in found if one.status == "LISTEN"}
    made = [one for one in found if one.laddr.port not in listening]
    return sum(one.status in {"ESTABLISHED", "CLOSE_WAIT", "SYN_SENT"} for one in made)
