"""Vendors' hosts on loopback, which speak their wire formats, well or badly.

Each runs in a thread of its own, so that what it leaves open is its own affair:

    with local_server("tts", "elevenlabs") as vendor:
        vendor.mode = "close_mid"
        ... provider.parse(vendor.options, {}) ...
"""

import asyncio
import threading
from abc import ABC, abstractmethod
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar, Literal, Self, TypeVar

import numpy as np
from aiohttp import web

from eloquence.registry import Stage
from eloquence.testing.services import Asked, tone

T = TypeVar("T")
Mode = Literal[
    "ok", "401", "402", "429", "500", "hang", "headers_then_hang", "stall_mid", "close_mid",
    "empty", "garbage", "html",
]  # fmt: skip
"""As in `eloquence.testing.services`; `402` is how some tell of an account without money."""

KEY = "key-of-the-tests"
RETRY_AFTER = 7.0
"""Seconds for which a vendor asks to be left alone in the mode 429."""
HTML = "<!doctype html><title>It works!</title><p>It works!"
_LOUD = 500
_tone = cache(tone)
_PAUSE = 0.3


class Vendor(ABC):
    """A vendor's host. Everything may be changed while it runs; use it as a context manager."""

    name: ClassVar[str]
    """That of the provider whose host it is."""
    refusals: ClassVar[Mapping[Mode, int]] = {"401": 401, "402": 402, "429": 429, "500": 500}

    def __init__(self) -> None:
        self.mode: Mode = "ok"
        self.next_modes: list[Mode] = []
        """Each request that comes in takes the first of these as the mode from then on."""
        self.text = "bonjour je suis Marie"
        """What is heard of each stretch of sound."""
        self.speech_seconds = 1.0
        """How long each spoken answer is."""
        self.asked: list[Asked] = []
        self.heard_bytes = 0

    @property
    @abstractmethod
    def options(self) -> dict[str, object]:
        """What a provider must be told to come here."""

    @abstractmethod
    def __enter__(self) -> Self: ...

    @abstractmethod
    def __exit__(self, *_: object) -> None: ...

    def noted(self, asked: Asked) -> Mode:
        """Keeps the request; the mode in which it is served."""
        self.asked.append(asked)
        if self.next_modes:
            self.mode = self.next_modes.pop(0)
        return self.mode


class WebVendor(Vendor):
    """A vendor over HTTP and WebSockets. `port` is known once it runs."""

    def __init__(self) -> None:
        super().__init__()
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @abstractmethod
    def routes(self) -> list[web.RouteDef]: ...

    def __enter__(self) -> Self:
        self._thread.start()
        self._there(self._start())
        return self

    def __exit__(self, *_: object) -> None:
        assert self._runner is not None
        self._there(self._runner.cleanup())
        self._there(self._loop.shutdown_asyncgens())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _there(self, doing: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(doing, self._loop).result(10)

    async def _start(self) -> None:
        app = web.Application(client_max_size=64 << 20)
        app.add_routes(self.routes())
        self._runner = web.AppRunner(
            app, handler_cancellation=True, shutdown_timeout=0.1, access_log=None
        )
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = self._runner.addresses[0][1]

    async def received(self, request: web.Request) -> Mode:
        """The mode in which a request is served. What is refused, hangs or is a page is so here."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        mode = self.noted(Asked(request.path_qs, headers, await request.read()))
        if mode == "hang":
            await asyncio.Event().wait()
        if mode in self.refusals:
            raise self.refused(self.refusals[mode])
        if mode == "html":
            raise web.HTTPOk(text=HTML, content_type="text/html")
        return mode

    def refused(self, status: int, body: str = '{"error": "refused"}') -> web.HTTPException:
        """A refusal to raise."""
        headers = {"Retry-After": f"{RETRY_AFTER:g}"} if status == 429 else None
        made = web.HTTPException(text=body, content_type="application/json", headers=headers)
        made.set_status(status)
        return made

    async def sound(self, request: web.Request, mode: Mode, kind: str) -> web.StreamResponse:
        """A tone as it streams, 24 kHz, in pieces of 0.1 s."""
        if mode == "garbage":
            raise web.HTTPOk(text="{not json}", content_type="application/json")
        answer = web.StreamResponse(headers={"Content-Type": kind})
        answer.enable_chunked_encoding()
        await answer.prepare(request)
        if mode == "headers_then_hang":
            await asyncio.Event().wait()
        pcm = _tone(self.speech_seconds)
        pieces = [pcm[at : at + 4_800] for at in range(0, len(pcm), 4_800)]
        for number, piece in enumerate([] if mode == "empty" else pieces):
            if number == len(pieces) // 2 and mode == "stall_mid":
                await asyncio.Event().wait()
            if number == len(pieces) // 2 and mode == "close_mid":
                assert request.transport is not None
                request.transport.abort()
                break
            await answer.write(piece)
        return answer


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of sound, in seconds since the first that came; the words spread evenly over it."""

    start: float
    end: float
    words: tuple[tuple[str, float, float], ...]

    @property
    def text(self) -> str:
        return " ".join(word for word, _, _ in self.words)


@dataclass(slots=True)
class Ear:
    """Where sound is loud, and so what a recogniser of the tests makes of it. PCM16 mono."""

    text: str
    rate: int = 16_000
    _bytes: int = 0
    _start: float | None = None
    _loud_until: float = 0.0

    @property
    def speaking(self) -> bool:
        return self._start is not None

    def hear(self, pcm: bytes) -> Stretch | None:
        """Takes sound; the stretch that has ended with it, if any."""
        at = self._bytes / 2 / self.rate
        self._bytes += len(pcm)
        now = self._bytes / 2 / self.rate
        if len(pcm) >= 2 and np.abs(np.frombuffer(pcm[: len(pcm) // 2 * 2], "<i2")).max() > _LOUD:
            self._start = at if self._start is None else self._start
            self._loud_until = now
        if self._start is not None and now - self._loud_until >= _PAUSE:
            return self.ended()
        return None

    def ended(self) -> Stretch | None:
        """Ends the stretch, if there is one."""
        if self._start is None:
            return None
        stretch, self._start = self.so_far(), None
        return stretch

    def so_far(self) -> Stretch:
        """The stretch that has not ended yet."""
        assert self._start is not None
        words = self.text.split()
        step = (self._loud_until - self._start) / max(1, len(words))
        return Stretch(
            self._start,
            self._loud_until,
            tuple(
                (word, self._start + number * step, self._start + (number + 1) * step)
                for number, word in enumerate(words)
            ),
        )


@contextmanager
def local_server(stage: Stage, name: str) -> Iterator[Vendor]:
    """The host of the vendor that serves a stage under that name. Raises KeyError when there is
    none here, ModuleNotFoundError when what its wire format needs is not installed."""
    kind = _KNOWN[stage, name]
    with kind() as vendor:
        yield vendor


def _elevenlabs() -> Vendor:
    from eloquence.testing.vendors.elevenlabs import ElevenLabs

    return ElevenLabs()


def _deepgram() -> Vendor:
    from eloquence.testing.vendors.deepgram import Deepgram

    return Deepgram()


def _azure() -> Vendor:
    from eloquence.testing.vendors.azure import Azure

    return Azure()


def _google() -> Vendor:
    from eloquence.testing.vendors.google import Google

    return Google()


_KNOWN = {
    ("tts", "elevenlabs"): _elevenlabs,
    ("tts", "azure"): _azure,
    ("stt", "deepgram"): _deepgram,
    ("stt", "azure"): _azure,
    ("stt", "google"): _google,
}
