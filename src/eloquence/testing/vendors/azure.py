"""Azure's hosts: the voice that takes SSML, the list of voices, and the socket that hears, on which
the SDK speaks a protocol of its own: text and binary messages with headers, one turn after the
other."""

import asyncio
import json
import re
from collections.abc import Mapping
from xml.etree import ElementTree

import aiohttp
from aiohttp import web

from eloquence.testing.vendors import KEY, Ear, Mode, Stretch, WebVendor

_SSML = "{http://www.w3.org/2001/10/synthesis}"
_TICKS = 10_000_000
_HEADER = 44
_HYPOTHESIS_SECONDS = 0.5


class Azure(WebVendor):
    """Speaks a tone, and hears `text` in each stretch of sound. `said` is the text of each markup
    that came, `voices` who was to say it and `rates` how fast."""

    name = "azure"

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []
        self.voices: list[str] = []
        self.rates: list[str | None] = []

    @property
    def options(self) -> dict[str, object]:
        return {"endpoint": self.url, "api_key": KEY}

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/cognitiveservices/v1", self._speak),
            web.get("/cognitiveservices/voices/list", self._list),
            web.get("/speech/recognition/conversation/cognitiveservices/v1", self._listen),
        ]

    async def _speak(self, request: web.Request) -> web.StreamResponse:
        mode = await self.received(request)
        self._known(request)
        if request.headers.get("X-Microsoft-OutputFormat") != "raw-24khz-16bit-mono-pcm":
            raise self.refused(400)
        try:
            asked = ElementTree.fromstring(await request.text())  # noqa: S314 - from a test
        except ElementTree.ParseError:
            raise self.refused(400) from None
        voice = asked.find(f"{_SSML}voice")
        if voice is None or not re.fullmatch(r"[a-z]{2}-[A-Z]{2}-\w+Neural", voice.get("name", "")):
            raise self.refused(400)
        prosody = voice.find(f"{_SSML}prosody")
        self.voices.append(voice.get("name", ""))
        self.said.append("".join(voice.itertext()))
        self.rates.append(None if prosody is None else prosody.get("rate"))
        return await self.sound(request, mode, "audio/pcm")

    async def _list(self, request: web.Request) -> web.Response:
        await self.received(request)
        self._known(request)
        return web.json_response([{"ShortName": "fr-FR-DeniseNeural", "Locale": "fr-FR"}])

    async def _listen(self, request: web.Request) -> web.StreamResponse:
        mode = await self.received(request)
        self._known(request)
        asked = request.query
        if asked.get("language") not in ("fr-FR", "en-US") or asked.get("format") != "detailed":
            raise self.refused(400)
        line = web.WebSocketResponse(protocols=("USP",))
        await line.prepare(request)
        if mode == "headers_then_hang":
            await asyncio.Event().wait()
        timed = asked.get("wordLevelTimestamps") == "true"
        await _Conversation(self, request, line, mode, timed).converse()
        return line

    def _known(self, request: web.Request) -> None:
        if request.headers.get("Ocp-Apim-Subscription-Key") != KEY:
            raise self.refused(401)


class _Conversation:
    """One socket. Words come with times only when they were asked for."""

    def __init__(
        self,
        vendor: Azure,
        request: web.Request,
        line: web.WebSocketResponse,
        mode: Mode,
        timed: bool,
    ) -> None:
        self._vendor = vendor
        self._request = request
        self._line = line
        self._mode = mode
        self._timed = timed
        self._ear = Ear("" if mode == "empty" else vendor.text)
        self._turn = ""
        self._told = 0.0

    async def converse(self) -> None:
        async for message in self._line:
            if message.type is aiohttp.WSMsgType.BINARY:
                headers, sound = _taken_apart(message.data)
                if headers["Path"] != "audio":
                    continue
                if headers["X-RequestId"] != self._turn:
                    self._turn = headers["X-RequestId"]
                    await self._send("turn.start", {"context": {"serviceTag": "of-the-tests"}})
                await self._hear(sound)

    async def _hear(self, sound: bytes) -> None:
        if not sound:
            if self._mode != "stall_mid":
                await self._end(self._ear.ended())
                await self._send("speech.phrase", {"RecognitionStatus": "EndOfDictation"})
                await self._send("turn.end", {})
            return
        if sound.startswith(b"RIFF"):
            sound = sound[_HEADER:]
        self._vendor.heard_bytes += len(sound)
        spoke = self._ear.speaking
        ended = self._ear.hear(sound)
        if self._ear.speaking and not spoke:
            if self._mode == "garbage":
                await self._send("speech.phrase", {"canari": [7]})
            await self._send("speech.startDetected", {"Offset": 0})
        if self._ear.speaking:
            if self._mode == "close_mid":
                assert self._request.transport is not None
                self._request.transport.abort()
            self._told += len(sound) / 2 / self._ear.rate
            if self._told >= _HYPOTHESIS_SECONDS and self._mode not in ("stall_mid", "empty"):
                self._told = 0.0
                stretch = self._ear.so_far()
                await self._send(
                    "speech.hypothesis", {"Text": stretch.text.lower(), **_where(stretch)}
                )
        if self._mode != "stall_mid":
            await self._end(ended)

    async def _end(self, stretch: Stretch | None) -> None:
        if stretch is None:
            return
        self._told = 0.0
        await self._send("speech.endDetected", {"Offset": round(stretch.end * _TICKS)})
        if not stretch.words:
            await self._send("speech.phrase", {"RecognitionStatus": "NoMatch", **_where(stretch)})
            return
        best: dict[str, object] = {
            "Confidence": 0.98,
            "Lexical": stretch.text.lower(),
            "ITN": stretch.text,
            "MaskedITN": stretch.text,
            "Display": stretch.text,
        }
        if self._timed:
            best["Words"] = [
                {
                    "Word": word.lower(),
                    "Offset": round(start * _TICKS),
                    "Duration": round((end - start) * _TICKS),
                    "Confidence": 0.9,
                }
                for word, start, end in stretch.words
            ]
        phrase = {"RecognitionStatus": "Success", "DisplayText": stretch.text, "NBest": [best]}
        await self._send("speech.phrase", {**phrase, **_where(stretch)})

    async def _send(self, path: str, body: Mapping[str, object]) -> None:
        await self._line.send_str(
            f"X-RequestId:{self._turn}\r\nContent-Type:application/json; charset=utf-8\r\n"
            f"Path:{path}\r\n\r\n{json.dumps(body)}"
        )


def _taken_apart(message: bytes) -> tuple[Mapping[str, str], bytes]:
    """The headers of a binary message, whose length stands in its first two bytes, and the rest."""
    length = int.from_bytes(message[:2], "big")
    lines = message[2 : 2 + length].decode().strip().split("\r\n")
    return {name: value.strip() for name, value in (line.split(":", 1) for line in lines)}, message[
        2 + length :
    ]


def _where(stretch: Stretch) -> dict[str, object]:
    return {
        "Offset": round(stretch.start * _TICKS),
        "Duration": round((stretch.end - stretch.start) * _TICKS),
    }
