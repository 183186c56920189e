"""Vosk's recognisers: with a model in this process, at a vosk-server, at a service of one's own."""

import asyncio
import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

import httpx2 as httpx
import websockets
from livekit.agents import APIConnectionError, APIError, APITimeoutError
from websockets.asyncio.client import ClientConnection

from eloquence.errors import SpeechToTextError
from eloquence.providers._failures import refused
from eloquence.providers._utterances import RATE, Heard, HeardWord, Recogniser
from eloquence.providers.openai import heard as transcription
from eloquence.providers.openai import wav

T = TypeVar("T")

_PIECE = RATE * 2 // 10
"""Bytes (0.1 s) that are decoded at a time."""
_CONNECT_SECONDS = 3.0


class Server(Protocol):
    """Where a server is, and how long it may take to answer, in seconds."""

    @property
    def url(self) -> str: ...

    @property
    def patience(self) -> float: ...


class SharedModel:
    """A model's weights, loaded once for all conversations, by the first that needs them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._model: Any = None

    def loaded(self) -> Any:
        """The model. Slow the first time: not for the event loop. Raises SpeechToTextError."""
        import vosk

        with self._lock:
            if self._model is None:
                vosk.SetLogLevel(-1)
                try:
                    self._model = vosk.Model(str(self._folder))
                except Exception as error:  # the package raises nothing more precise
                    raise SpeechToTextError(
                        f"The model in {self._folder} cannot be loaded.",
                        cause="internal",
                        mend="Remove it and download it again: eloquence models download NAME.",
                    ) from error
            return self._model


class LocalVosk(Recogniser):
    """Decodes in threads, with the shared model."""

    def __init__(self, model: SharedModel, threads: ThreadPoolExecutor) -> None:
        self._model = model
        self._threads = threads
        self._recogniser: Any = None
        self._waiting = b""
        self._text = ""
        self._found: list[dict[str, Any]] = []
        self._before = 0
        self._taken = 0

    async def open(self) -> None:
        self._recogniser = await self._in_thread(self._made)

    async def hear(self, pcm: bytes) -> str:
        self._waiting += pcm
        if len(self._waiting) >= _PIECE:
            piece, self._waiting = self._waiting, b""
            self._text = await self._in_thread(partial(self._decode, piece))
        return self._text

    async def finish(self) -> Heard:
        piece, self._waiting, self._text = self._waiting, b"", ""
        return await self._in_thread(partial(self._finish, piece))

    async def close(self) -> None:
        self._recogniser = None

    async def _in_thread(self, work: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        except SpeechToTextError as error:
            raise APIConnectionError(str(error), retryable=False) from error

    def _made(self) -> Any:
        import vosk

        recogniser = vosk.KaldiRecognizer(self._model.loaded(), float(RATE))
        recogniser.SetWords(True)
        return recogniser

    def _decode(self, piece: bytes) -> str:
        self._taken += len(piece) // 2
        if self._recogniser.AcceptWaveform(piece):
            self._found.append(json.loads(self._recogniser.Result()))
            return _text(self._found)
        partial_text = json.loads(self._recogniser.PartialResult()).get("partial", "")
        return f"{_text(self._found)} {partial_text}".strip()

    def _finish(self, piece: bytes) -> Heard:
        if piece:
            self._decode(piece)
        self._found.append(json.loads(self._recogniser.FinalResult()))
        found, self._found = self._found, []
        before, self._before = self._before, self._taken
        return understood(found, before / RATE)


class ServerVosk(Recogniser):
    """A vosk-server, one connection for each utterance. A connection that breaks is made again,
    and the whole utterance is sent once more."""

    def __init__(self, options: Server) -> None:
        self._options = options
        self._socket: ClientConnection | None = None
        self._sound = b""
        self._sent = 0
        self._found: list[dict[str, Any]] = []
        self._text = ""

    async def hear(self, pcm: bytes) -> str:
        self._sound += pcm
        if len(self._sound) - self._sent >= _PIECE:
            await self._once_more(self._send)
        return self._text

    async def finish(self) -> Heard:
        try:
            found = await self._once_more(self._ended)
        finally:
            await self.close()
            self._sound, self._text = b"", ""
        return understood(found, 0.0)

    async def close(self) -> None:
        socket, self._socket = self._socket, None
        self._sent, self._found = 0, []
        if socket is not None:
            await socket.close()

    async def _once_more(self, work: Callable[[], Any]) -> Any:
        try:
            return await work()
        except APIError as error:
            await self.close()
            if not error.retryable:
                raise
            return await work()

    async def _send(self) -> None:
        """Sends what has not been sent yet, and takes the answer to each piece."""
        socket = await self._connected()
        while len(self._sound) > self._sent:
            piece = self._sound[self._sent : self._sent + 4 * _PIECE]
            self._sent += len(piece)
            answer = await self._asked(socket, piece)
            if "text" in answer:
                self._found.append(answer)
                self._text = _text(self._found)
            else:
                self._text = f"{_text(self._found)} {answer.get('partial', '')}".strip()

    async def _ended(self) -> list[dict[str, Any]]:
        await self._send()
        socket = await self._connected()
        return [*self._found, await self._asked(socket, '{"eof" : 1}')]

    async def _connected(self) -> ClientConnection:
        if self._socket is None:
            try:
                self._socket = await websockets.connect(
                    self._options.url,
                    open_timeout=min(_CONNECT_SECONDS, self._options.patience),
                    close_timeout=0.5,
                )
                await self._socket.send(
                    json.dumps({"config": {"sample_rate": RATE, "words": True}})
                )
            except TimeoutError as error:
                raise APITimeoutError("The recogniser did not accept in time.") from error
            except websockets.InvalidStatus as error:
                status = error.response.status_code
                said = f"The recogniser answered {status}."
                raise refused(said, status, error.response.headers) from None
            except (OSError, websockets.WebSocketException) as error:
                raise APIConnectionError("The recogniser cannot be reached.") from error
        return self._socket

    async def _asked(self, socket: ClientConnection, message: bytes | str) -> dict[str, Any]:
        try:
            async with asyncio.timeout(self._options.patience):
                await socket.send(message)
                answer = json.loads(await socket.recv())
        except TimeoutError as error:
            raise APITimeoutError("The recogniser did not answer in time.") from error
        except (OSError, websockets.WebSocketException) as error:
            raise APIConnectionError("The recogniser went away.") from error
        except ValueError as error:
            raise APIError("The recogniser's answer cannot be read.") from error
        if not isinstance(answer, dict):
            raise APIError("The recogniser's answer cannot be read.")
        return answer


class RestVosk(Recogniser):
    """A service of this product, or one like it: the WAV of an utterance to `/transcribe`, field
    `file` (STT-02), with the language that is spoken."""

    def __init__(self, options: Server, client: httpx.AsyncClient, language: str) -> None:
        self._client = client
        self._language = language
        self._patience = options.patience
        address = options.url.rstrip("/")
        self._address = address if address.endswith("/transcribe") else f"{address}/transcribe"
        self._sound = b""

    async def hear(self, pcm: bytes) -> str:
        self._sound += pcm
        return ""

    async def finish(self) -> Heard:
        sound, self._sound = self._sound, b""
        try:
            return await self._transcribed(sound)
        except APIError as error:
            if not error.retryable:
                raise
            return await self._transcribed(sound)

    async def _transcribed(self, sound: bytes) -> Heard:
        file = ("speech.wav", wav(sound), "audio/wav")
        try:
            async with asyncio.timeout(self._patience + len(sound) / 2 / RATE):
                answer = await self._client.post(
                    self._address, files={"file": file}, data={"language": self._language}
                )
        except TimeoutError as error:
            raise APITimeoutError("The recogniser did not answer in time.") from error
        except httpx.HTTPError as error:
            raise APIConnectionError("The recogniser cannot be reached.") from error
        if answer.status_code != 200:
            said = f"The recogniser answered {answer.status_code}."
            raise refused(said, answer.status_code, answer.headers)
        return transcription(answer.text)


def understood(found: list[dict[str, Any]], before: float) -> Heard:
    """The utterance from Vosk's results. Its times may count from the start of the utterance or
    from the `before` seconds of sound that went ahead of it. Raises APIError for no result."""
    words: list[HeardWord] = []
    confidences: list[float] = []
    try:
        for result in found:
            for word in result.get("result", ()):
                start, end = float(word["start"]), float(word["end"])
                shift = before if start >= before - 0.1 else 0.0
                sure = min(1.0, max(0.0, float(word.get("conf", 1.0))))
                words.append(HeardWord(str(word["word"]), start - shift, end - shift, sure))
                confidences.append(sure)
        text = _text(found)
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise APIError("The recogniser's answer cannot be read.") from error
    sure = sum(confidences) / len(confidences) if confidences else 1.0
    return Heard(text, tuple(words), sure)


def _text(found: list[dict[str, Any]]) -> str:
    texts = [result.get("text", "") for result in found]
    if not all(isinstance(text, str) for text in texts):
        raise APIError("The recogniser's answer cannot be read.")
    return " ".join(text for text in texts if text)


def client() -> httpx.AsyncClient:
    return httpx.AsyncClient(timeout=httpx.Timeout(60.0, connect=_CONNECT_SECONDS))


async def close(client: httpx.AsyncClient) -> None:
    await client.aclose()
