"""Hearing what is being said, over a socket that speaks vosk-server's protocol.

The client sends `{"config": {…}}` if it wants, then sound (PCM16, mono) and after each piece reads
one answer: `{"partial": …}`, or the words of what has just been said. After `{"eof": 1}` the last
words come, and the socket is closed; after `{"reset": 1}` they come and it goes on.
"""

import asyncio
import json
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, Field, ValidationError
from starlette.websockets import WebSocket, WebSocketDisconnect

from eloquence.errors import EloquenceError
from eloquence.server.services._problems import told
from eloquence.server.services._service import Service

if TYPE_CHECKING:
    from eloquence.conversation.live_recognition import LiveRecognition, Said

IDLE_SECONDS = 60.0
"""How long nothing may come."""
MOST_SECONDS = 4 * 3600.0
"""Longest sound that one socket takes."""
_MOST_REASON = 120
_BAD, _REFUSED, _FAILED = 1007, 1008, 1011


class Config(BaseModel):
    """What a client may set: hertz of its sound, whether it wants words with their times, and
    whether it reads its results as `alternatives`, of which there is only ever one. What else
    vosk-server knows (`phrase_list`, `model`) is the recogniser's own affair here."""

    sample_rate: Annotated[float, Field(ge=8_000, le=48_000)] = 16_000
    words: bool = True
    max_alternatives: Annotated[int, Field(ge=0)] = 0


class _ClosedError(Exception):
    """The socket is to be closed."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


async def converse(websocket: WebSocket, served: Service) -> None:
    """Serves one socket to its end."""
    try:
        served.speech.check("stt", served.language)
    except EloquenceError as error:
        await websocket.send_denial_response(told(error))
        return
    await websocket.accept()
    code, reason = 1000, ""
    try:
        async with AsyncExitStack() as stack:
            await _Conversation(websocket, served, stack).go_on()
    except WebSocketDisconnect:
        return
    except _ClosedError as closed:
        code, reason = closed.code, closed.reason
    except EloquenceError as error:
        code, reason = _FAILED, f"{error.code}: {error.message}"
    try:
        await websocket.close(code, _short(reason))
    except (RuntimeError, WebSocketDisconnect):
        return  # the client was faster


class _Conversation:
    def __init__(self, websocket: WebSocket, served: Service, stack: AsyncExitStack) -> None:
        self._websocket = websocket
        self._served = served
        self._stack = stack
        self._config = Config()
        self._heard: LiveRecognition | None = None
        self._seconds = 0.0

    async def go_on(self) -> None:
        while True:
            message = await self._message()
            if isinstance(message, bytes):
                await self._answer(await self._hear(message))
                continue
            if "config" in message:
                self._configure(message["config"])
            elif "eof" in message or "reset" in message:
                rest = None if self._heard is None else await self._heard.finish()
                await self._answer(self._result(rest))
                if "eof" in message:
                    return
            else:
                raise _ClosedError(_BAD, "Send config, sound, reset or eof.")

    async def _message(self) -> bytes | dict[str, Any]:
        try:
            async with asyncio.timeout(IDLE_SECONDS):
                message = await self._websocket.receive()
        except TimeoutError:
            raise _ClosedError(_REFUSED, f"Nothing came for {IDLE_SECONDS:g} s.") from None
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", 1005))
        sound = message.get("bytes")
        if sound is not None:
            return bytes(sound)
        try:
            read = json.loads(message.get("text") or "")
        except (ValueError, RecursionError):
            read = None
        if not isinstance(read, dict):
            raise _ClosedError(_BAD, "A text must be a JSON object.")
        return read

    def _configure(self, given: object) -> None:
        if self._heard is not None:
            raise _ClosedError(_BAD, "The config comes before the sound.")
        try:
            self._config = Config.model_validate(given)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            raise _ClosedError(_BAD, f"config.{where}: {first['msg']}.") from None

    async def _hear(self, sound: bytes) -> dict[str, Any]:
        if len(sound) % 2:
            raise _ClosedError(_BAD, "Sound is PCM16: two bytes for each sample.")
        rate = round(self._config.sample_rate)
        self._seconds += len(sound) / 2 / rate
        if self._seconds > MOST_SECONDS:
            raise _ClosedError(_REFUSED, f"More than {MOST_SECONDS:g} s of sound.")
        if self._heard is None:
            speech, language = self._served.speech, self._served.language
            live = speech.live_recognition(language, rate)
            self._heard = await self._stack.enter_async_context(live)
        await self._heard.hear(sound)
        said = self._heard.said()
        if said is None:
            return {"partial": self._heard.partial}
        return self._result(said)

    def _result(self, said: "Said | None") -> dict[str, Any]:
        found: dict[str, Any] = {}
        confidences = [1.0]
        if said is not None and said.words:
            known = [word.confidence for word in said.words if word.confidence is not None]
            confidences = known or confidences
            if self._config.words:
                found["result"] = [
                    {
                        "conf": 1.0 if word.confidence is None else word.confidence,
                        "end": round(word.end, 3),
                        "start": round(word.start, 3),
                        "word": word.text,
                    }
                    for word in said.words
                ]
        found["text"] = "" if said is None else said.text
        if not self._config.max_alternatives:
            return found
        return {"alternatives": [{"confidence": _mean(confidences), **found}]}

    async def _answer(self, answer: dict[str, Any]) -> None:
        await self._websocket.send_text(json.dumps(answer, ensure_ascii=False))


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _short(reason: str) -> str:
    """As much of it as fits into the frame that closes a socket."""
    return reason.encode()[:_MOST_REASON].decode(errors="ignore")
