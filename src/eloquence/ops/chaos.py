"""Services that really speak their protocols, well or badly: to see what a failing one does to a
conversation.

One small server answers like an OpenAI-compatible host (`/v1/chat/completions`,
`/v1/audio/transcriptions`, `/v1/audio/speech`, `/v1/models`), like Anthropic (`/v1/messages`), like
the services of this product (`/transcribe`, `/api/tts`) and, as a WebSocket, like a vosk-server.
Latencies are fixed, failures are chosen, for all stages or for one:

    async with Services() as services:
        services.modes["llm"] = "stall_mid"
        ... services.url ...

`GET /chaos` tells the modes, and `PUT /chaos` with `{"llm": "hang"}` changes them.
"""

import asyncio
import base64
import hashlib
import json
import random
import struct
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from itertools import cycle
from types import TracebackType
from typing import Literal, Self, get_args
from urllib.parse import urlsplit

from eloquence.registry import Stage

Mode = Literal[
    "ok", "500", "429", "401", "hang", "headers_then_hang", "stall_mid", "close_mid",
    "badjson", "empty", "slow", "garbage", "html", "endless",
]  # fmt: skip
"""`hang` answers nothing; `headers_then_hang` only the status; `stall_mid` and `close_mid` stop in
the middle, holding or closing the connection; `slow` waits `slow_seconds` between pieces;
`garbage` sends random bytes, `html` a page, `empty` a well-formed answer with nothing in it;
`endless` never comes to an end."""
MODES: tuple[Mode, ...] = get_args(Mode)

_STATUS = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    404: "Not Found",
    429: "Too Many Requests",
    500: "Error",
}
_HTML = b"<!doctype html><title>It works!</title><p>It works!"
_GARBAGE = bytes((37 * number + 11) % 256 for number in range(4096))
_WEBSOCKET = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_BODY_LIMIT = 64 << 20
_STAGES: Mapping[str, Stage] = {
    "/chat/completions": "llm",
    "/messages": "llm",
    "/audio/speech": "tts",
    "/api/tts": "tts",
    "/audio/transcriptions": "stt",
    "/transcribe": "stt",
}
"""Which stage a path belongs to, by how it ends; a WebSocket is the recogniser's."""


@dataclass(slots=True)
class Asked:
    """One request as it came in."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> dict[str, object]:
        parsed: dict[str, object] = json.loads(self.body)
        return parsed


@dataclass(slots=True)
class Word:
    """A word of the text that a recogniser gives, in seconds."""

    text: str
    start: float
    end: float


@dataclass(slots=True)
class Services:
    """The server. Everything may be changed while it runs; use it as an async context manager."""

    mode: Mode = "ok"
    modes: dict[Stage, Mode] = field(default_factory=dict)
    """The mode of a stage, in place of `mode`."""
    share: float = 1.0
    """Share 0..1 of the requests that meet their mode; the others are answered well."""
    seed: int = 0
    """Which requests those are."""
    host: str = "127.0.0.1"
    port: int = 0
    """0: a free one."""
    keep: bool = True
    """Whether to keep what was asked, for whoever started it."""
    next_modes: list[Mode] = field(default_factory=list)
    """Each request that comes in takes the first of these as the mode from then on."""
    reply: str = "Bonjour, je suis Marie. Parlez-moi de vous."
    """What the language model says, token by token."""
    transcript: tuple[Word, ...] = (Word("bonjour", 0.1, 0.5), Word("marie", 0.5, 0.9))
    speech_seconds: float = 1.0
    """How long the spoken answer is: a quiet tone of 220 Hz, PCM16 at 24 kHz."""
    speaker: Callable[[str], Awaitable[bytes]] | None = None
    """Speaks a text as PCM16 at 24 kHz, in place of the tone."""
    first_seconds: float = 0.0
    """Before the first token, byte or transcript."""
    token_seconds: float = 0.0
    slow_seconds: float = 4.0
    unknown: frozenset[str] = frozenset()
    """Keys that a chat request must not have: one with such a key is answered 400."""
    retry_after: str = ""
    """The header `Retry-After` of an answer that refuses, when there is one."""
    asked: list[Asked] = field(default_factory=list)
    heard_bytes: int = 0
    """PCM that came over the WebSocket."""
    _server: asyncio.Server | None = None
    _chance: random.Random = field(default_factory=random.Random)
    _connections: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def url(self) -> str:
        """`http://127.0.0.1:port`."""
        if self._server is None:
            raise RuntimeError("the services have not been started")
        port = self._server.sockets[0].getsockname()[1]
        return f"http://{self.host}:{port}"

    @property
    def websocket_url(self) -> str:
        return self.url.replace("http", "ws")

    async def __aenter__(self) -> Self:
        self._chance.seed(self.seed)
        self._server = await asyncio.start_server(self._connected, self.host, self.port)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._server is not None:
            self._server.close()
        for task in list(self._connections):
            task.cancel()
        if self._connections:
            await asyncio.wait(self._connections)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._converse(reader, writer))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while (asked := await _request(reader)) is not None:
                if self.keep:
                    self.asked.append(asked)
                if urlsplit(asked.path).path == "/chaos":
                    await self._control(asked, writer)
                    continue
                if self.next_modes:
                    self.mode = self.next_modes.pop(0)
                if asked.headers.get("upgrade", "").lower() == "websocket":
                    await _Vosk(self, self._mode("stt"), reader, writer).converse(asked)
                    break
                if not await self._answer(asked, writer):
                    break
        except (ConnectionError, asyncio.IncompleteReadError, ValueError, IndexError):
            return  # the client left, or does not speak HTTP
        finally:
            writer.close()

    def _mode(self, stage: Stage | None) -> Mode:
        """How a request of that stage is answered."""
        mode = self.mode if stage is None else self.modes.get(stage, self.mode)
        well = self.share < 1.0 and self._chance.random() >= self.share
        return "ok" if well else mode

    async def _control(self, asked: Asked, writer: asyncio.StreamWriter) -> None:
        status = 200
        if asked.body:
            try:
                wanted = asked.json()
                if not (wanted.keys() <= {"mode", "stt", "llm", "tts"}):
                    raise ValueError("unknown key")
                if not all(mode in MODES for mode in wanted.values()):
                    raise ValueError("unknown mode")
            except (ValueError, AttributeError):
                status = 400
            else:
                self.mode = wanted.pop("mode", self.mode)  # type: ignore[assignment]
                self.modes |= wanted  # type: ignore[arg-type]
        body: dict[str, object] = {"mode": self.mode, "modes": self.modes, "known": MODES}
        await _send(writer, status, "application/json", json.dumps(body).encode())

    async def _answer(self, asked: Asked, writer: asyncio.StreamWriter) -> bool:
        """Answers one request; whether the connection may be used again."""
        path = urlsplit(asked.path).path
        stage = next((one for end, one in _STAGES.items() if path.endswith(end)), None)
        mode = self._mode(stage)
        if mode == "hang":
            await asyncio.Event().wait()
        if mode in ("500", "429", "401"):
            body = json.dumps({"error": {"message": "refused", "type": "test"}}).encode()
            await _send(writer, int(mode), "application/json", body, self.retry_after)
            return True
        if mode == "headers_then_hang":
            writer.write(_head(200, "text/event-stream", chunked=True))
            await writer.drain()
            await asyncio.Event().wait()
        if mode == "html":
            await _send(writer, 200, "text/html", _HTML)
            return True
        await asyncio.sleep(self.first_seconds)
        if path.endswith("/messages"):
            return await self._messages(mode, writer)
        if stage == "llm":
            return await self._chat(mode, asked, writer)
        if stage == "tts":
            return await self._speech(mode, asked, writer)
        if stage == "stt":
            return await self._transcription(mode, path, writer)
        if path.endswith("/models"):
            body = json.dumps({"object": "list", "data": []}).encode()
            await _send(writer, 200, "application/json", body)
            return True
        await _send(writer, 404, "application/json", b"{}")
        return True

    async def _chat(self, mode: Mode, asked: Asked, writer: asyncio.StreamWriter) -> bool:
        if mode == "garbage":
            await _send(writer, 200, "text/event-stream", _GARBAGE)
            return True
        if self.unknown & asked.json().keys():
            await _send(writer, 400, "application/json", b'{"error": {"message": "unknown key"}}')
            return True
        text = "" if mode == "empty" else self.reply
        if not asked.json().get("stream"):
            message = {"role": "assistant", "content": text}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            body = {"id": "1", "object": "chat.completion", "created": 0, "choices": [choice]}
            await _send(writer, 200, "application/json", json.dumps(body).encode())
            return True
        pieces = [_delta({"content": token}, None) for token in _tokens(text)]
        if mode == "badjson":
            pieces = [b"data: {not json}\n\n"]
        ending = [_delta({}, "stop"), b"data: [DONE]\n\n"]
        return await self._stream(mode, writer, "text/event-stream", pieces, ending)

    async def _messages(self, mode: Mode, writer: asyncio.StreamWriter) -> bool:
        """An answer in the events of Anthropic's API."""
        if mode == "garbage":
            await _send(writer, 200, "text/event-stream", _GARBAGE)
            return True
        usage = {"input_tokens": 10, "output_tokens": 1}
        message: dict[str, object] = {
            "id": "msg_1", "type": "message", "role": "assistant", "content": [], "model": "test",
            "stop_reason": None, "stop_sequence": None, "usage": usage,
        }  # fmt: skip
        block = {"type": "text", "text": ""}
        opening = _event("message_start", message=message) + _event("ping")
        opening += _event("content_block_start", index=0, content_block=block)
        pieces = [
            _event("content_block_delta", index=0, delta={"type": "text_delta", "text": token})
            for token in _tokens("" if mode == "empty" else self.reply)
        ]
        if mode == "badjson":
            pieces = [b"event: content_block_delta\ndata: {not json}\n\n"]
        ending = [
            _event("content_block_stop", index=0),
            _event(
                "message_delta",
                delta={"stop_reason": "end_turn", "stop_sequence": None},
                usage={"output_tokens": len(pieces)},
            ),
            _event("message_stop"),
        ]
        if not pieces:
            ending.insert(0, opening)
        else:
            pieces[0] = opening + pieces[0]
        return await self._stream(mode, writer, "text/event-stream", pieces, ending)

    async def _speech(self, mode: Mode, asked: Asked, writer: asyncio.StreamWriter) -> bool:
        if mode == "garbage":
            await _send(writer, 200, "audio/mpeg", _GARBAGE)
            return True
        if mode == "badjson":
            await _send(writer, 200, "application/json", b"{not json}")
            return True
        if mode == "empty":
            sound = b""
        elif self.speaker is not None:
            said = asked.json()
            sound = await self.speaker(str(said.get("input") or said.get("text")))
        else:
            sound = tone(self.speech_seconds)
        pieces = [sound[at : at + 4_800] for at in range(0, len(sound), 4_800)]
        return await self._stream(mode, writer, "audio/pcm", pieces, [])

    async def _transcription(self, mode: Mode, path: str, writer: asyncio.StreamWriter) -> bool:
        if mode in ("badjson", "garbage"):
            body = b"{not json}" if mode == "badjson" else _GARBAGE
            await _send(writer, 200, "application/json", body)
            return True
        if mode == "slow":
            await asyncio.sleep(self.slow_seconds)
        words = () if mode == "empty" else self.transcript
        answer: dict[str, object] = {"text": " ".join(word.text for word in words)}
        if not path.endswith("/transcribe"):
            answer |= {
                "task": "transcribe", "language": "french", "duration": 1.0,
                "words": [{"word": w.text, "start": w.start, "end": w.end} for w in words],
            }  # fmt: skip
        body = json.dumps(answer).encode()
        if mode == "endless":
            return await self._stream(mode, writer, "application/json", [b" " * 64], [])
        if mode in ("stall_mid", "close_mid"):
            writer.write(_head(200, "application/json", length=len(body)) + body[:5])
            await writer.drain()
            if mode == "stall_mid":
                await asyncio.Event().wait()
            return False
        await _send(writer, 200, "application/json", body)
        return True

    def _gap(self, mode: Mode) -> float:
        """Seconds between two pieces; an endless answer must not fill the machine."""
        if mode == "slow":
            return self.slow_seconds
        return max(self.token_seconds, 0.01) if mode == "endless" else self.token_seconds

    async def _stream(
        self,
        mode: Mode,
        writer: asyncio.StreamWriter,
        kind: str,
        pieces: list[bytes],
        ending: list[bytes],
    ) -> bool:
        writer.write(_head(200, kind, chunked=True))
        half = max(1, len(pieces) // 2)
        for number, piece in enumerate(cycle(pieces) if mode == "endless" else pieces):
            if number == half and mode == "stall_mid":
                await asyncio.Event().wait()
            if number == half and mode == "close_mid":
                return False
            writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            await writer.drain()
            await asyncio.sleep(self._gap(mode))
        for piece in ending:
            writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        return True


class _Vosk:
    """A vosk-server at the other end of a WebSocket: partials while sound comes, the words after
    half a second of silence or at `eof`."""

    def __init__(
        self,
        services: Services,
        mode: Mode,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._services = services
        self._at_first = mode
        self._reader = reader
        self._writer = writer
        self._seconds = 0.0
        self._loud = False
        self._rate = 16_000

    async def converse(self, asked: Asked) -> None:
        mode = self._at_first
        if mode == "hang":
            await asyncio.Event().wait()
        if mode in ("500", "429", "401", "html"):
            status, wait = 500 if mode == "html" else int(mode), self._services.retry_after
            await _send(self._writer, status, "text/html", _HTML, wait)
            return
        key = asked.headers["sec-websocket-key"].encode()
        accept = base64.b64encode(hashlib.sha1(key + _WEBSOCKET).digest())  # noqa: S324 - RFC 6455
        self._writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )
        count = 0
        while True:
            opcode, payload = await self._receive()
            if opcode == 8:
                self._write(8, payload)
                await self._writer.drain()
                return
            if opcode == 9:
                self._write(10, payload)
                continue
            count += 1
            if mode == "headers_then_hang" or (mode == "stall_mid" and count > 3):
                continue
            if mode == "close_mid" and count > 3:
                return
            if mode == "slow":
                await asyncio.sleep(self._services.slow_seconds)
            await asyncio.sleep(self._services.first_seconds)
            if mode == "endless" and opcode == 1 and b"eof" in payload:
                continue
            answer = self._answer(opcode, payload)
            if answer is not None:
                self._write(1, answer)
                await self._writer.drain()

    def _answer(self, opcode: int, payload: bytes) -> bytes | None:
        if opcode == 1:
            message = json.loads(payload)
            if "config" in message:
                self._rate = int(message["config"].get("sample_rate", self._rate))
                return None
            return self._result()
        self._services.heard_bytes += len(payload)
        self._seconds += len(payload) / 2 / self._rate
        self._loud = self._loud or any(payload)
        mode = self._now
        if mode == "badjson":
            return b"{not json}"
        if mode == "garbage":
            return json.dumps({"result": 7, "text": ["?"]}).encode()
        words = self._services.transcript if self._loud and mode != "empty" else ()
        text = " ".join(word.text for word in words if word.start <= self._seconds)
        return json.dumps({"partial": text}).encode()

    @property
    def _now(self) -> Mode:
        """A connection that was refused stays so; otherwise what is set by now counts."""
        if self._services.share < 1.0:
            return self._at_first
        return self._services.modes.get("stt", self._services.mode)

    def _result(self) -> bytes:
        mode = self._now
        if mode == "badjson":
            return b"{not json}"
        if mode == "garbage":
            return json.dumps({"result": 7, "text": ["?"]}).encode()
        words = self._services.transcript if self._loud and mode != "empty" else ()
        self._seconds, self._loud = 0.0, False
        found = [
            {"word": word.text, "start": word.start, "end": word.end, "conf": 0.9} for word in words
        ]
        answer: dict[str, object] = {"text": " ".join(word.text for word in words)}
        if found:
            answer["result"] = found
        return json.dumps(answer).encode()

    async def _receive(self) -> tuple[int, bytes]:
        first, second = await self._reader.readexactly(2)
        length = second & 0x7F
        if length == 126:
            (length,) = struct.unpack(">H", await self._reader.readexactly(2))
        elif length == 127:
            (length,) = struct.unpack(">Q", await self._reader.readexactly(8))
        if length > _BODY_LIMIT:
            raise ConnectionError("frame too long")
        mask = await self._reader.readexactly(4) if second & 0x80 else b"\0\0\0\0"
        payload = await self._reader.readexactly(length)
        plain = bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))
        return first & 0x0F, plain

    def _write(self, opcode: int, payload: bytes) -> None:
        length = len(payload)
        size = bytes([length]) if length < 126 else struct.pack(">BH", 126, length)
        self._writer.write(bytes([0x80 | opcode]) + size + payload)


def tone(seconds: float, rate: int = 24_000) -> bytes:
    """A quiet triangle of 220 Hz, PCM16."""
    period = rate / 220
    return b"".join(
        struct.pack("<h", round(4_000 * (abs((number / period) % 1 * 4 - 2) - 1)))
        for number in range(round(seconds * rate))
    )


def _delta(delta: dict[str, str], finish: str | None) -> bytes:
    body = {"id": "1", "object": "chat.completion.chunk", "created": 0, "model": "test",
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}  # fmt: skip
    return b"data: " + json.dumps(body).encode() + b"\n\n"


def _event(kind: str, **fields: object) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode()


def _tokens(text: str) -> list[str]:
    """The text in pieces as a language model gives it; together they are the text."""
    words = text.split(" ") if text else []
    return [f"{word} " for word in words[:-1]] + words[-1:]


def _head(
    status: int,
    kind: str,
    *,
    length: int | None = None,
    chunked: bool = False,
    retry_after: str = "",
) -> bytes:
    size = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {length or 0}"
    wait = f"Retry-After: {retry_after}\r\n" if retry_after else ""
    return (
        f"HTTP/1.1 {status} {_STATUS[status]}\r\nContent-Type: {kind}\r\n{wait}{size}\r\n\r\n"
    ).encode()


async def _send(
    writer: asyncio.StreamWriter, status: int, kind: str, body: bytes, retry_after: str = ""
) -> None:
    writer.write(_head(status, kind, length=len(body), retry_after=retry_after) + body)
    await writer.drain()


async def _request(reader: asyncio.StreamReader) -> Asked | None:
    first = await reader.readline()
    if not first:
        return None
    path = first.decode("latin-1").split(" ")[1]
    headers: dict[str, str] = {}
    while (line := (await reader.readline()).strip()) != b"":
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()
    if headers.get("transfer-encoding", "").lower() == "chunked":
        body = b""
        while size := int(await reader.readline(), 16):
            body += await reader.readexactly(size)
            await reader.readline()
        await reader.readline()
        return Asked(path, headers, body)
    length = int(headers.get("content-length", "0"))
    if length > _BODY_LIMIT:
        raise ConnectionError("request too long")
    return Asked(path, headers, await reader.readexactly(length))
