"""LiveKit's plugin for Deepgram, as it is used here: over the session of the process, and told when
what Deepgram sends cannot be read, which the plugin only logs."""

import asyncio
import json
from typing import Any, cast

import aiohttp
from livekit.agents import APIConnectionError, APIConnectOptions, APIError, stt
from livekit.agents.types import DEFAULT_API_CONNECT_OPTIONS, NOT_GIVEN, NotGivenOr
from livekit.agents.utils import AudioBuffer
from livekit.plugins import deepgram
from livekit.plugins.deepgram.stt import SpeechStream

from eloquence.conversation.stages import Resources
from eloquence.providers._vendors import session, traced

_CLOSE_SECONDS = 1.0
_CLOSED = {aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSING, aiohttp.WSMsgType.CLOSED}
_SAID = {"Results", "SpeechStarted", "UtteranceEnd", "Metadata"}


class Recogniser(deepgram.STT):
    """The plugin's engine; `given` is what its constructor takes."""

    def __init__(self, resources: Resources, **given: Any) -> None:
        super().__init__(**given)
        self._resources = resources

    def _ensure_session(self) -> aiohttp.ClientSession:
        return session(self._resources)

    def stream(
        self,
        *,
        language: NotGivenOr[str] = NOT_GIVEN,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
    ) -> "RecognisedStream":
        stream = RecognisedStream(
            stt=self,
            conn_options=conn_options,
            opts=self._sanitize_options(language=language),
            api_key=self._api_key,
            http_session=self._ensure_session(),
            base_url=self._opts.endpoint_url,
        )
        self._streams.add(stream)
        return stream

    async def _recognize_impl(
        self,
        buffer: AudioBuffer,
        *,
        language: NotGivenOr[str] = NOT_GIVEN,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
    ) -> stt.SpeechEvent:
        try:
            return await super()._recognize_impl(
                buffer, language=language, conn_options=conn_options
            )
        except APIConnectionError as error:
            if isinstance(error.__cause__, KeyError | ValueError | TypeError | LookupError):
                raise APIError("The transcription cannot be read.") from None
            raise


class RecognisedStream(SpeechStream):
    _line: "_Line | None" = None

    async def _run(self) -> None:
        try:
            await super()._run()
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling() or self._line is None or not self._line.over:
                raise

    async def _connect_ws(self) -> aiohttp.ClientWebSocketResponse:
        with traced():
            self._line = _Line(await super()._connect_ws())
        return cast("aiohttp.ClientWebSocketResponse", self._line)


class _Line:
    """A socket on which everything that comes can be read, or else fails; closing it takes a second
    at most, also when nobody answers. Once all has been told it is `over`, and cancels who reads:
    the plugin would sleep for seconds more before it looks."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._said_all = False
        self.over = False

    async def send_str(self, written: str) -> None:
        await self._socket.send_str(written)
        self._said_all = self._said_all or written == SpeechStream._CLOSE_MSG

    async def receive(self) -> aiohttp.WSMessage:
        message = await self._socket.receive()
        if self._said_all and message.type in _CLOSED:
            self.over = True
            raise asyncio.CancelledError
        written = message.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY)
        if written and not _readable(message.data):
            raise APIError("What Deepgram sends cannot be read.")
        return message

    async def close(self) -> None:
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self._socket.close()
        except TimeoutError:
            pass

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)


def _readable(written: str | bytes) -> bool:
    try:
        said = json.loads(written)
        if said["type"] != "Results":
            return said["type"] in _SAID
        return all(
            isinstance(heard["transcript"], str) and isinstance(heard["words"], list)
            for heard in said["channel"]["alternatives"]
        )
    except (ValueError, TypeError, LookupError):
        return False
