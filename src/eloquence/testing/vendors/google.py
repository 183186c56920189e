"""Google's host: gRPC, in the clear or with a certificate of the tests, with the messages of the
first version of its interface."""

import datetime
import ipaddress
import json
import tempfile
import threading
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path
from typing import Any, NoReturn, Self

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID
from google.cloud.speech_v1.types import cloud_speech as said

from eloquence.testing.services import Asked
from eloquence.testing.vendors import Ear, Mode, Stretch, Vendor

_SERVICE = "google.cloud.speech.v1.Speech"
_REFUSALS = {
    "401": grpc.StatusCode.UNAUTHENTICATED,
    "402": grpc.StatusCode.RESOURCE_EXHAUSTED,
    "429": grpc.StatusCode.RESOURCE_EXHAUSTED,
    "500": grpc.StatusCode.INTERNAL,
    "html": grpc.StatusCode.UNAVAILABLE,
    "close_mid": grpc.StatusCode.UNAVAILABLE,
}
_INTERIM_SECONDS = 0.5
_GARBAGE = object()
"""Written as what is no message."""
_Event = said.StreamingRecognizeResponse.SpeechEventType


class Google(Vendor):
    """Hears `text` in each stretch of sound. It is reached with TLS, as Google itself, unless
    `clear`; then the bearer of each request must be there."""

    name = "google"

    def __init__(self, *, clear: bool = False) -> None:
        super().__init__()
        self.clear = clear
        self.oldest: int | None = None
        """After how many stretches of speech a stream is too old."""
        self.port = 0
        self._ended = threading.Event()
        self._folder = tempfile.TemporaryDirectory()
        self._server: grpc.Server | None = None

    @property
    def options(self) -> dict[str, object]:
        if self.clear:
            return {"endpoint": f"http://127.0.0.1:{self.port}"}
        return {
            "endpoint": f"https://localhost:{self.port}",
            "credentials_file": str(self._file("key.json")),
            "certificates": str(self._file("certificate.pem")),
        }

    def __enter__(self) -> Self:
        self._server = server = grpc.server(
            futures.ThreadPoolExecutor(8, thread_name_prefix="host")
        )
        one, many = grpc.unary_unary_rpc_method_handler, grpc.stream_stream_rpc_method_handler
        handlers = {
            "StreamingRecognize": many(
                self._listen,
                said.StreamingRecognizeRequest.deserialize,
                self._written(said.StreamingRecognizeResponse),
            ),
            "Recognize": one(
                self._recognise,
                said.RecognizeRequest.deserialize,
                self._written(said.RecognizeResponse),
            ),
        }
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(_SERVICE, handlers),))
        if self.clear:
            self.port = server.add_insecure_port("127.0.0.1:0")
        else:
            key, certificate = _certificate()
            self._file("certificate.pem").write_bytes(certificate)
            self._file("key.json").write_text(json.dumps(_account()))
            self.port = server.add_secure_port(
                "127.0.0.1:0", grpc.ssl_server_credentials([(key, certificate)])
            )
        server.start()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._server is not None
        self._ended.set()
        self._server.stop(None).wait()
        self._folder.cleanup()

    def _file(self, name: str) -> Path:
        return Path(self._folder.name) / name

    def _written(self, kind: Any) -> Any:
        def written(message: Any) -> bytes:
            answer: bytes = b"\xff\xff" if message is _GARBAGE else kind.serialize(message)
            return answer

        return written

    def _received(self, path: str, context: Any) -> Mode:
        headers = dict(context.invocation_metadata())
        mode = self.noted(Asked(path, headers, b""))
        if mode == "hang":
            self._wait(context)
        if not self.clear and not headers.get("authorization", "").startswith("Bearer "):
            self._refuse(context, "401")
        if mode in _REFUSALS and mode != "close_mid":
            self._refuse(context, mode)
        return mode

    def _refuse(self, context: Any, mode: str) -> NoReturn:
        context.abort(_REFUSALS[mode], "refused")
        raise AssertionError

    def _wait(self, context: Any) -> NoReturn:
        """Until the client has left, or the test is over."""
        left = threading.Event()
        context.add_callback(left.set)
        while not left.wait(0.05) and not self._ended.is_set():
            pass
        context.abort(grpc.StatusCode.CANCELLED, "nobody listens")
        raise AssertionError

    def _recognise(self, request: said.RecognizeRequest, context: Any) -> Any:
        mode = self._received("Recognize", context)
        if mode == "garbage":
            return _GARBAGE
        sound = request.audio.content
        self.heard_bytes += len(sound)
        ear = Ear("" if mode == "empty" else self.text)
        for at in range(0, len(sound), 3_200):
            ear.hear(sound[at : at + 3_200])
        found = ear.ended()
        if found is None or not found.words:
            return said.RecognizeResponse()
        result = said.SpeechRecognitionResult(
            alternatives=[_alternative(found)], language_code="fr-fr"
        )
        return said.RecognizeResponse(results=[result])

    def _listen(
        self, requests: Iterator[said.StreamingRecognizeRequest], context: Any
    ) -> Iterator[Any]:
        mode = self._received("StreamingRecognize", context)
        first = next(requests, None)
        if first is None:
            return
        config = first.streaming_config.config
        if config.language_code not in ("fr-FR", "en-US") or not config.enable_word_time_offsets:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "not as it should be")
        if mode == "headers_then_hang":
            context.send_initial_metadata(())
            self._wait(context)
        ear = Ear("" if mode == "empty" else self.text)
        since, stretches = 0.0, 0
        for request in requests:
            if stretches == self.oldest:
                context.abort(grpc.StatusCode.OUT_OF_RANGE, "too old")
            sound = request.audio_content
            self.heard_bytes += len(sound)
            spoke = ear.speaking
            ended = ear.hear(sound)
            if ear.speaking and not spoke:
                if mode == "close_mid":
                    self._refuse(context, mode)
                if mode == "garbage":
                    yield _GARBAGE
                yield _event(_Event.SPEECH_ACTIVITY_BEGIN)
            if mode == "stall_mid":
                continue
            since += len(sound) / 2 / ear.rate
            if ear.speaking and since >= _INTERIM_SECONDS:
                since = 0.0
                yield from _told(ear.so_far(), final=False)
            if ended is not None:
                stretches += 1
                yield from _told(ended, final=True)
                yield _event(_Event.SPEECH_ACTIVITY_END)
        if mode == "stall_mid":
            self._wait(context)
        last = ear.ended()
        if last is not None:
            yield from _told(last, final=True)
            yield _event(_Event.SPEECH_ACTIVITY_END)


def _event(kind: Any) -> said.StreamingRecognizeResponse:
    return said.StreamingRecognizeResponse(speech_event_type=kind)


def _told(stretch: Stretch, *, final: bool) -> Iterator[said.StreamingRecognizeResponse]:
    if not stretch.words:
        return
    alternative = _alternative(stretch)
    if not final:  # words that may still change have no times yet
        alternative = said.SpeechRecognitionAlternative(transcript=stretch.text)
    result = said.StreamingRecognitionResult(
        alternatives=[alternative], is_final=final, language_code="fr-fr"
    )
    yield said.StreamingRecognizeResponse(results=[result])


def _alternative(stretch: Stretch) -> said.SpeechRecognitionAlternative:
    return said.SpeechRecognitionAlternative(
        transcript=stretch.text,
        confidence=0.98,
        words=[
            said.WordInfo(
                word=word,
                start_time=datetime.timedelta(seconds=start),
                end_time=datetime.timedelta(seconds=end),
                confidence=0.9,
            )
            for word, start, end in stretch.words
        ],
    )


def _account() -> dict[str, str]:
    """The key of a service account that nobody knows."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return {
        "type": "service_account",
        "project_id": "the-tests",
        "private_key_id": "none",
        "private_key": _pem(key).decode(),
        "client_email": "nobody@the-tests.iam.gserviceaccount.com",
        "client_id": "0",
        "token_uri": "http://127.0.0.1:9/token",
    }


def _certificate() -> tuple[bytes, bytes]:
    """A key for localhost and its certificate, which vouches for itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    return _pem(key), certificate.public_bytes(serialization.Encoding.PEM)


def _pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
