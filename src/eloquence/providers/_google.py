"""LiveKit's plugin for Google's recogniser, as it is used here: over one connection of the process,
which must be there within its deadline. The client would try to connect for an hour."""

import asyncio
import hashlib
import time
from typing import Any

import grpc
from google.api_core.exceptions import (
    GoogleAPICallError,
    InternalServerError,
    OutOfRange,
    ServiceUnavailable,
)
from google.auth.credentials import AnonymousCredentials
from google.cloud import speech_v1, speech_v2
from google.cloud.speech_v1.services.speech.transports import (
    SpeechGrpcAsyncIOTransport as FirstTransport,
)
from google.cloud.speech_v2.services.speech.transports import (
    SpeechGrpcAsyncIOTransport as SecondTransport,
)
from google.oauth2.service_account import Credentials
from livekit import rtc
from livekit.agents import (
    APIConnectionError,
    APIConnectOptions,
    APIError,
    APIStatusError,
    APITimeoutError,
    utils,
)
from livekit.agents.types import DEFAULT_API_CONNECT_OPTIONS, NOT_GIVEN, NotGivenOr
from livekit.plugins import google as plugin
from livekit.plugins.google.stt import SpeechStream

from eloquence.conversation.stages import Resources

_SCOPES = ["https://www.googleapis.com/auth/cloud-platform"]
_CONNECT_SECONDS = 3.0
_CUT = "Internal error from Core"
"""What the client says when a stream ends while sound is being sent, or cannot be read."""
_LAST_SECONDS = 4.0
"""After the sound has ended, until all that was heard must have been told."""
_SHORT_SECONDS = 10.0
"""A stream that was over sooner did not end for its age."""
_READY = grpc.ChannelConnectivity.READY
_FAILED = grpc.ChannelConnectivity.TRANSIENT_FAILURE


class _Account(Credentials):
    """A service account that signs for itself: it asks nobody for a token, nor where it may be
    used, which the client would ask another host of Google's in the background."""

    def _is_regional_access_boundary_lookup_required(self) -> bool:
        return False


_from_file: Any = _Account.from_service_account_file


class _First(speech_v1.SpeechAsyncClient):
    async def streaming_recognize(self, requests: Any = None, **_: Any) -> Any:
        await connected(self)
        return await super().streaming_recognize(requests, retry=None, timeout=None)


class _Second(speech_v2.SpeechAsyncClient):
    async def streaming_recognize(self, requests: Any = None, **_: Any) -> Any:
        await connected(self)
        return await super().streaming_recognize(requests, retry=None, timeout=None)


async def connected(client: Any) -> None:
    """Returns once the client has a connection. Raises TimeoutError, ConnectionError."""
    channel = client.transport.grpc_channel
    async with asyncio.timeout(_CONNECT_SECONDS):
        while (state := channel.get_state(try_to_connect=True)) is not _READY:
            if state is _FAILED:
                raise ConnectionError("Google could not be reached.")
            await channel.wait_for_state_change(state)


def client(
    host: str, secure: bool, credentials_file: str, certificates: str, *, second: bool = False
) -> Any:
    """A client of the first or second version of the interface. Raises what cannot be read of the
    two files: OSError, ValueError."""
    kind: Any = _Second if second else _First
    transport: Any = SecondTransport if second else FirstTransport
    if not secure:
        channel = grpc.aio.insecure_channel(host)
        return kind(transport=transport(channel=channel))
    trusted = None
    if certificates:
        with open(certificates, "rb") as file:  # noqa: PTH123 - read once
            trusted = grpc.ssl_channel_credentials(file.read())
    made = transport(
        host=host,
        credentials=_from_file(credentials_file, scopes=_SCOPES),
        ssl_channel_credentials=trusted,
        always_use_jwt_access=True,
    )
    return kind(transport=made)


class Recogniser(plugin.STT):
    """The plugin's engine; `given` is what its constructor takes."""

    def __init__(
        self,
        resources: Resources,
        host: str,
        secure: bool,
        credentials_file: str,
        certificates: str,
        **given: Any,
    ) -> None:
        nobody = AnonymousCredentials()  # type: ignore[no-untyped-call]
        super().__init__(credentials=nobody, **given)  # ours are read when the client is made
        self._resources = resources
        self._reached = (host, secure, credentials_file, certificates)

    async def _create_client(self, timeout: float) -> Any:
        second = self._config.version == 2
        mark = hashlib.sha256(repr((self._reached, second)).encode()).hexdigest()[:16]
        return self._resources.get(
            f"google {mark}",
            lambda: client(*self._reached, second=second),
            lambda made: made.transport.close(),
        )

    def stream(
        self,
        *,
        language: NotGivenOr[str] = NOT_GIVEN,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
    ) -> "RecognisedStream":
        stream = RecognisedStream(
            stt=self,
            pool=self._pool,
            recognizer_cb=self._get_recognizer,
            config=self._sanitize_options(language=language),
            conn_options=conn_options,
        )
        self._streams.add(stream)
        return stream


class RecognisedStream(SpeechStream):
    """Google ends each stream after five minutes: the next one goes on, and its times count from
    the first sound of all."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self._before = 0.0
        self._given = 0.0
        self._said_all = asyncio.Event()

    def end_input(self) -> None:
        super().end_input()
        self._said_all.set()

    async def _run(self) -> None:
        self._before, self._given = self.start_time_offset, 0.0
        self._reconnect_event.clear()
        try:
            while not await self._heard_out():
                pass
        finally:
            self._reconnect_event.set()  # the plugin leaves a task behind that waits for it

    async def _heard_out(self) -> bool:
        """Hears until the sound is over; False when Google ended the stream before, as it may."""
        try:
            await self._in_time()
        except APIConnectionError as error:
            if isinstance(error.__cause__, AttributeError | TypeError | ValueError):
                raise APIError("What Google sends cannot be read.") from None
            raise
        except APIStatusError as error:
            why, lasted = error.__cause__, time.time() - self._session_connected_at
            cut = isinstance(why, InternalServerError) and why.message == _CUT
            if (cut or isinstance(why, OutOfRange)) and lasted > _SHORT_SECONDS:
                return False
            if cut:
                raise await self._why() from None
            if error.status_code == ServiceUnavailable.code:
                raise APIConnectionError("Google went away.") from None
            raise APIStatusError("Google refused.", status_code=error.status_code) from None
        if not self._input_ch.closed:
            raise APIError("Google ended the stream, or what it sends cannot be read.")
        return True

    async def _why(self) -> APIError:
        """Why the stream was cut, which the client forgets when it was just sending sound."""
        stage = self._stt
        assert isinstance(stage, Recogniser)
        gone = APIConnectionError("Google went away.")
        if self._config.version == 2:
            return gone
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                await asked(await stage._create_client(0), str(self._config.languages[0]))
        except GoogleAPICallError as error:
            if isinstance(error, ServiceUnavailable):
                return gone
            return APIStatusError("Google refused.", status_code=error.code or -1)
        except TimeoutError:
            return APITimeoutError("Google did not answer in time.")
        except ConnectionError:
            return gone
        return gone

    async def _in_time(self) -> None:
        """What the plugin does, which waits without end for the last words."""
        hearing = asyncio.create_task(super()._run())
        ending = asyncio.create_task(self._said_all.wait())
        try:
            await asyncio.wait({hearing, ending}, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait({hearing}, timeout=_LAST_SECONDS)
            if not hearing.done():
                raise APITimeoutError("Google did not tell in time what it heard last.")
            hearing.result()
        finally:
            await utils.aio.cancel_and_wait(hearing, ending)

    def _build_streaming_config(self) -> Any:
        self.start_time_offset = self._before + self._given
        return super()._build_streaming_config()

    def _build_audio_request(self, frame: rtc.AudioFrame) -> Any:
        self._given += frame.duration
        return super()._build_audio_request(frame)


async def asked(made: Any, locale: str) -> None:
    """Asks for the words of a tenth of a second of silence, as little as can be asked for. Raises
    TimeoutError, ConnectionError, google's GoogleAPICallError."""
    await connected(made)
    await made.recognize(
        config=speech_v1.RecognitionConfig(
            encoding=speech_v1.RecognitionConfig.AudioEncoding.LINEAR16,
            sample_rate_hertz=16_000,
            language_code=locale,
        ),
        audio=speech_v1.RecognitionAudio(content=bytes(3_200)),
        retry=None,
        timeout=_CONNECT_SECONDS,
    )
