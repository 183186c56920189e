"""Deepgram's host: the socket and the request of `/v1/listen`, and what it knows of a key."""

import asyncio
import json
import threading
from typing import Any

import aiohttp
from aiohttp import web

from eloquence.testing.vendors import KEY, Ear, Mode, Stretch, WebVendor

_REQUEST = "00000000-0000-0000-0000-000000000000"
_MODELS = {"nova-3", "nova-2", "nova-3-general", "nova-2-general"}
_INTERIM_SECONDS = 0.5


class Deepgram(WebVendor):
    """Hears `text` in each stretch of sound. `kept_alive` is set by a message that says so."""

    name = "deepgram"

    def __init__(self) -> None:
        super().__init__()
        self.kept_alive = threading.Event()

    @property
    def options(self) -> dict[str, object]:
        return {"base_url": self.url, "api_key": KEY}

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/v1/listen", self._listen),
            web.post("/v1/listen", self._transcribe),
            web.get("/v1/auth/token", self._token),
        ]

    async def _listen(self, request: web.Request) -> web.StreamResponse:
        mode = await self.received(request)
        self._known(request)
        asked = request.query
        if asked.get("encoding") != "linear16" or asked.get("model") not in _MODELS:
            raise self.refused(400, '{"err_code": "Bad Request"}')
        line = web.WebSocketResponse()
        await line.prepare(request)
        if mode == "headers_then_hang":
            await asyncio.Event().wait()
        await _Conversation(self, line, mode, int(asked["sample_rate"])).converse()
        return line

    async def _transcribe(self, request: web.Request) -> web.Response:
        mode = await self.received(request)
        self._known(request)
        sound = (await request.read())[44:]  # after the header of a WAV file
        self.heard_bytes += len(sound)
        if mode == "garbage":
            return web.json_response({"result": 7, "text": ["?"]})
        if mode == "close_mid":
            assert request.transport is not None
            request.transport.abort()
        ear = Ear("" if mode == "empty" else self.text)
        for at in range(0, len(sound), 3_200):
            ear.hear(sound[at : at + 3_200])
        found = ear.ended() if ear.speaking else None
        channel = {"alternatives": [_alternative(found)]}
        return web.json_response(
            {"metadata": {"request_id": _REQUEST}, "results": {"channels": [channel]}}
        )

    async def _token(self, request: web.Request) -> web.Response:
        await self.received(request)
        self._known(request)
        return web.json_response({"api_key_id": _REQUEST, "scopes": ["usage:write"]})

    def _known(self, request: web.Request) -> None:
        if request.headers.get("Authorization") != f"Token {KEY}":
            raise self.refused(401, '{"err_code": "INVALID_AUTH", "err_msg": "Invalid"}')


class _Conversation:
    """One socket: sound comes, results go."""

    def __init__(
        self, vendor: Deepgram, line: web.WebSocketResponse, mode: Mode, rate: int
    ) -> None:
        self._vendor = vendor
        self._line = line
        self._mode = mode
        self._rate = rate
        self._ear = Ear("" if mode == "empty" else vendor.text, rate)
        self._told = 0.0

    async def converse(self) -> None:
        async for message in self._line:
            if message.type is aiohttp.WSMsgType.BINARY:
                await self._hear(message.data)
            elif message.type is aiohttp.WSMsgType.TEXT:
                said = json.loads(message.data)["type"]
                if said == "KeepAlive":
                    self._vendor.kept_alive.set()
                if said in ("Finalize", "CloseStream") and self._mode != "stall_mid":
                    await self._end(self._ear.ended())
                if said == "CloseStream":
                    if self._mode == "stall_mid":
                        await asyncio.Event().wait()
                    await self._send({"type": "Metadata", "request_id": _REQUEST, "channels": 1})
                    await self._line.close()

    async def _hear(self, sound: bytes) -> None:
        self._vendor.heard_bytes += len(sound)
        spoke = self._ear.speaking
        ended = self._ear.hear(sound)
        if self._ear.speaking and not spoke:
            if self._mode == "garbage":
                await self._send({"type": "Results", "channel": 7, "text": ["?"]})
            await self._send({"type": "SpeechStarted", "channel": [0], "timestamp": 0.0})
        if self._ear.speaking:
            if self._mode == "close_mid":
                transport = self._line._req.transport if self._line._req else None
                assert transport is not None
                transport.abort()
                return
            self._told += len(sound) / 2 / self._rate
            if self._told >= _INTERIM_SECONDS and self._mode != "stall_mid":
                self._told = 0.0
                await self._say(self._ear.so_far(), final=False)
        if self._mode != "stall_mid":
            await self._end(ended)

    async def _end(self, stretch: Stretch | None) -> None:
        if stretch is not None:
            self._told = 0.0
            await self._say(stretch, final=True)

    async def _say(self, stretch: Stretch, *, final: bool) -> None:
        await self._send(
            {
                "type": "Results",
                "channel_index": [0, 1],
                "start": stretch.start,
                "duration": stretch.end - stretch.start,
                "is_final": final,
                "speech_final": final,
                "channel": {"alternatives": [_alternative(stretch)]},
                "metadata": {"request_id": _REQUEST},
            }
        )

    async def _send(self, message: dict[str, Any]) -> None:
        await self._line.send_json(message)


def _alternative(stretch: Stretch | None) -> dict[str, Any]:
    words = stretch.words if stretch is not None else ()
    return {
        "transcript": " ".join(word for word, _, _ in words),
        "confidence": 0.98 if words else 0.0,
        "words": [
            {
                "word": word.lower(),
                "punctuated_word": word,
                "start": start,
                "end": end,
                "confidence": 0.9,
            }
            for word, start, end in words
        ],
    }
