"""Azure's hosts: the voice that takes SSML, and the list of voices."""

import re
from xml.etree import ElementTree

from aiohttp import web

from eloquence.testing.services import tone
from eloquence.testing.vendors import KEY, WebVendor

_SSML = "{http://www.w3.org/2001/10/synthesis}"


class AzureVoice(WebVendor):
    """Speaks a tone. `said` is the text of each markup that came, `voices` who was to say it and
    `rates` how fast."""

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
        return await self.sound(request, mode, "audio/pcm", tone(self.speech_seconds))

    async def _list(self, request: web.Request) -> web.Response:
        await self.received(request)
        self._known(request)
        return web.json_response([{"ShortName": "fr-FR-DeniseNeural", "Locale": "fr-FR"}])

    def _known(self, request: web.Request) -> None:
        if request.headers.get("Ocp-Apim-Subscription-Key") != KEY:
            raise self.refused(401)
