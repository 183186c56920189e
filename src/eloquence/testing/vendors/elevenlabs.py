"""ElevenLabs' host: `POST /v1/text-to-speech/{voice}/stream` and the list of models."""

import json
import re

from aiohttp import web

from eloquence.testing.vendors import KEY, WebVendor

_LANGUAGE_TOLD = {"eleven_turbo_v2_5", "eleven_flash_v2_5"}
_MODELS = _LANGUAGE_TOLD | {"eleven_turbo_v2", "eleven_multilingual_v2", "eleven_v3"}


class ElevenLabs(WebVendor):
    """Speaks a tone. `used_up` refuses as for an account without characters left, `limited` shows
    no list of models, as to a key that may only speak."""

    name = "elevenlabs"
    used_up = False
    limited = False

    @property
    def options(self) -> dict[str, object]:
        return {"base_url": self.url, "api_key": KEY}

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/v1/text-to-speech/{voice}/stream", self._speak),
            web.get("/v1/models", self._models),
        ]

    async def _speak(self, request: web.Request) -> web.StreamResponse:
        mode = await self.received(request)
        self._known(request)
        if self.used_up:
            raise self._told(401, "quota_exceeded")
        if not re.fullmatch(r"[A-Za-z0-9]{20}", request.match_info["voice"]):
            raise self._told(404, "voice_not_found")
        asked = await request.json()
        if asked["model_id"] not in _MODELS:
            raise self._told(400, "model_not_found")
        if asked.get("language_code") and asked["model_id"] not in _LANGUAGE_TOLD:
            raise self._told(400, "unsupported_language")
        if request.query.get("output_format") != "pcm_24000" or not asked["text"].strip():
            raise self._told(400, "invalid_request")
        return await self.sound(request, mode, "audio/pcm")

    async def _models(self, request: web.Request) -> web.Response:
        await self.received(request)
        self._known(request)
        if self.limited:
            raise self._told(401, "missing_permissions")
        return web.json_response([{"model_id": model} for model in sorted(_MODELS)])

    def _known(self, request: web.Request) -> None:
        if request.headers.get("xi-api-key") != KEY:
            raise self._told(401, "invalid_api_key")

    def _told(self, status: int, why: str) -> web.HTTPException:
        return self.refused(status, json.dumps({"detail": {"status": why, "message": why}}))
