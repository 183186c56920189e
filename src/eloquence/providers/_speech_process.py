"""A speech engine in a process of its own, which we talk to over pipes.

One process serves all conversations of an Eloquence process. It starts at the first request, is
started again when it dies or hangs, and ends with `close()`.
"""

import asyncio
import json
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from eloquence.errors import TextToSpeechError
from eloquence.providers._speech_frames import HEADER, PAYLOAD_LIMIT, Kind, frame

START_SECONDS = 20.0
"""How long an engine may take to load."""
SILENCE_SECONDS = 8.0
"""How long a request may go without a frame before the engine counts as hung."""
_FAREWELL_SECONDS = 0.5
_QUEUE_FRAMES = 4096


@dataclass(frozen=True, slots=True)
class Sound:
    """PCM16 mono at 24 kHz."""

    pcm: bytes


@dataclass(frozen=True, slots=True)
class WordStarts:
    """(character position in the text, seconds from the start of the text), in order."""

    starts: tuple[tuple[int, float], ...]


Part = Sound | WordStarts


class _GoneError(Exception):
    """The process went away under a request."""


@dataclass(slots=True)
class _Run:
    """One life of the process."""

    process: asyncio.subprocess.Process
    reader: asyncio.Task[None]
    requests: dict[int, "asyncio.Queue[Part | Exception | None]"] = field(default_factory=dict)


class SpeechProcess:
    """`module` is run as `python -m module arguments…` and speaks `_speech_frames`."""

    def __init__(self, name: str, module: str, *arguments: str) -> None:
        self.name = name
        self._command = (sys.executable, "-m", module, *arguments)
        self._run: _Run | None = None
        self._starting = asyncio.Lock()
        self._warming: asyncio.Task[None] | None = None
        self._number = 0
        self._closed = False

    def speak(self, request: Mapping[str, object]) -> "Speech":
        """The speech of one request; use it as an async context manager and iterate it."""
        return Speech(self, request)

    @property
    def pid(self) -> int | None:
        """The process that speaks now, if any."""
        return None if self._run is None else self._run.process.pid

    async def start(self) -> None:
        """Loads the engine now rather than at the first word. Raises TextToSpeechError."""
        await self._running()

    def warm(self) -> None:
        """Begins to load the engine, so that the first word need not wait for it."""
        if self._run is None and self._warming is None and not self._closed:
            self._warming = asyncio.create_task(self._warm(), name=f"{self.name} warming")

    async def _warm(self) -> None:
        try:
            await self.start()
        except TextToSpeechError:
            return  # whoever speaks first is told
        finally:
            self._warming = None

    async def close(self) -> None:
        self._closed = True
        if self._warming is not None:
            await asyncio.wait([self._warming])
        async with self._starting:
            await self._stop()

    async def _running(self) -> _Run:
        async with self._starting:
            if self._closed:
                raise TextToSpeechError(f"{self.name} was closed.", cause="internal")
            if self._run is not None and not self._run.reader.done():
                return self._run
            await self._stop()
            self._run = await self._started()
            return self._run

    async def _started(self) -> _Run:
        process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        assert process.stdout is not None
        try:
            async with asyncio.timeout(START_SECONDS):
                kind, _, payload = await _read(process.stdout)
        except (TimeoutError, _GoneError) as error:
            await _end(process)
            raise TextToSpeechError(
                f"{self.name} did not start.",
                cause="internal",
                mend=f"See why with: {' '.join(('python', *self._command[1:3]))}",
            ) from error
        except asyncio.CancelledError:
            await _end(process)
            raise
        if kind is not Kind.READY:
            await _end(process)
            raise TextToSpeechError(
                f"{self.name} cannot speak: {json.loads(payload)['message']}.", cause="internal"
            )
        requests: dict[int, asyncio.Queue[Part | Exception | None]] = {}
        reader = asyncio.create_task(
            self._hear(process.stdout, requests), name=f"{self.name} reader"
        )
        return _Run(process, reader, requests)

    async def _stop(self) -> None:
        run, self._run = self._run, None
        if run is None:
            return
        await _end(run.process)
        await asyncio.wait([run.reader])

    async def _restart_after(self, run: _Run) -> None:
        """Ends a life that went wrong, unless somebody else has already done so."""
        async with self._starting:
            if self._run is run:
                await self._stop()

    async def _hear(
        self,
        source: asyncio.StreamReader,
        requests: "dict[int, asyncio.Queue[Part | Exception | None]]",
    ) -> None:
        """Hands each frame to its request, until the process ends."""
        try:
            while True:
                kind, number, payload = await _read(source)
                waiting = requests.get(number)
                if waiting is None:
                    continue  # of a request that was left
                part: Part | Exception | None = None
                if kind is Kind.SOUND:
                    part = Sound(payload)
                elif kind is Kind.WORDS:
                    part = WordStarts(tuple((int(at), float(s)) for at, s in json.loads(payload)))
                elif kind is Kind.ERROR:
                    part = TextToSpeechError(
                        f"{self.name} refused a sentence: {json.loads(payload)['message']}.",
                        cause="bad_request",
                    )
                try:
                    waiting.put_nowait(part)
                except asyncio.QueueFull:
                    requests.pop(number, None)
        except _GoneError:
            for waiting in requests.values():
                if not waiting.full():
                    waiting.put_nowait(_GoneError())


class Speech:
    """The parts of one request, in order. Leaving the context cancels what is not yet spoken.

    A process that dies is started again once, and the request continues where it stopped: what
    was already given out is not given twice. Raises TextToSpeechError.
    """

    def __init__(self, process: SpeechProcess, request: Mapping[str, object]) -> None:
        self._process = process
        self._payload = json.dumps(request).encode()
        self._run: _Run | None = None
        self._number = 0
        self._parts: asyncio.Queue[Part | Exception | None] = asyncio.Queue(_QUEUE_FRAMES)
        self._given_bytes = 0
        self._given_words = 0
        self._skip_bytes = 0
        self._skip_words = 0
        self._tries = 0
        self._ended = False

    async def __aenter__(self) -> Self:
        await self._ask()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._leave()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Part:
        while not self._ended:
            try:
                async with asyncio.timeout(SILENCE_SECONDS):
                    part = await self._parts.get()
            except TimeoutError:
                part = _GoneError()
            if isinstance(part, _GoneError):
                await self._again()
            elif isinstance(part, Exception):
                self._ended = True
                self._forget()
                raise part
            elif part is None:
                self._ended = True
                self._forget()
            elif (new := self._unheard(part)) is not None:
                return new
        raise StopAsyncIteration

    async def _ask(self) -> None:
        run = await self._process._running()
        self._process._number = self._process._number % 0xFFFF_FFFE + 1
        self._number = self._process._number
        self._run = run
        self._parts = asyncio.Queue(_QUEUE_FRAMES)
        run.requests[self._number] = self._parts
        assert run.process.stdin is not None
        run.process.stdin.write(frame(Kind.SPEAK, self._number, self._payload))

    async def _again(self) -> None:
        self._tries += 1
        run = self._run
        self._forget()
        if run is not None:
            await self._process._restart_after(run)
        if self._tries > 1:
            self._ended = True
            raise TextToSpeechError(f"{self._process.name} stopped twice.", cause="internal")
        self._skip_bytes, self._skip_words = self._given_bytes, self._given_words
        await self._ask()

    def _unheard(self, part: Part) -> Part | None:
        """The part, without what an earlier try has already given out."""
        if isinstance(part, Sound):
            pcm = part.pcm[self._skip_bytes :]
            self._skip_bytes -= len(part.pcm) - len(pcm)
            self._given_bytes += len(pcm)
            return Sound(pcm) if pcm else None
        starts = part.starts[self._skip_words :]
        self._skip_words -= len(part.starts) - len(starts)
        self._given_words += len(starts)
        return WordStarts(starts) if starts else None

    def _forget(self) -> None:
        if self._run is not None:
            self._run.requests.pop(self._number, None)
            self._run = None

    def _leave(self) -> None:
        run = self._run
        self._forget()
        if run is None or run.reader.done() or run.process.stdin is None:
            return
        if not run.process.stdin.is_closing():
            run.process.stdin.write(frame(Kind.CANCEL, self._number))


async def _read(source: asyncio.StreamReader) -> tuple[Kind, int, bytes]:
    try:
        length, kind, number = HEADER.unpack(await source.readexactly(HEADER.size))
        if length > PAYLOAD_LIMIT:
            raise _GoneError
        return Kind(kind), number, await source.readexactly(length)
    except (asyncio.IncompleteReadError, ConnectionError, ValueError) as error:
        raise _GoneError from error


async def _end(process: asyncio.subprocess.Process) -> None:
    """Asks the process to leave by closing its input, and makes it leave if it does not."""
    if process.stdin is not None:
        process.stdin.close()
    try:
        async with asyncio.timeout(_FAREWELL_SECONDS):
            await process.wait()
    except TimeoutError:
        with suppress(ProcessLookupError):  # it left in this very moment
            process.kill()
        await process.wait()
