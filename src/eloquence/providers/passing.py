"""Passing a request on to an OpenAI-compatible host, and its answer back as it comes.

The host's key is added here; nothing else of whoever asked goes along. What a host says of a
failure stays here: it may quote what was said, or a key.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx2 as httpx

from eloquence.conversation.faults import seconds_until, status_cause
from eloquence.errors import ProviderError
from eloquence.providers._failures import failure
from eloquence.providers._hosts import Host
from eloquence.registry import Stage

EVENTS = "text/event-stream"
_KINDS: Mapping[Stage, frozenset[str]] = {
    "llm": frozenset({"application/json", EVENTS}),
    "tts": frozenset({"application/octet-stream", EVENTS}),
}
"""What is an answer; to a request for speech, any sound is too."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a host may take, in seconds: to accept the connection, for its next piece, and for
    the whole answer (RES-01)."""

    connect: float = 90.0
    answer: float = 60.0
    whole: float = 600.0


@dataclass(frozen=True, slots=True)
class Answer:
    """`kind` is its media type. Reading the pieces raises LanguageModelError."""

    kind: str
    pieces: AsyncIterator[bytes]


def new_client(patience: Patience) -> httpx.AsyncClient:
    """A client for any number of requests at once; the caller closes it."""
    return httpx.AsyncClient(
        timeout=httpx.Timeout(patience.answer, connect=patience.connect),
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=32),
    )


async def close(client: httpx.AsyncClient) -> None:
    await client.aclose()


@asynccontextmanager
async def passed_on(
    client: httpx.AsyncClient,
    host: Host,
    path: str,
    body: bytes | None = None,
    *,
    headers: Mapping[str, str],
    patience: Patience,
    stage: Stage = "llm",
) -> AsyncIterator[Answer]:
    """The host's answer to `body` (a GET without one); leaving closes the connection if it is not
    at its end. Raises the stage's ProviderError with the cause and, from 429, when to try again."""
    until = asyncio.get_running_loop().time() + patience.connect + patience.whole
    asked = {"Accept-Encoding": "identity", **headers}
    if body is not None:
        asked["Content-Type"] = "application/json"
    if host.key is not None:
        asked["Authorization"] = f"Bearer {host.key.get_secret_value()}"
    request = client.build_request(
        "GET" if body is None else "POST", f"{host.url}{path}", content=body, headers=asked
    )
    try:
        response = await client.send(request, stream=True)
    except httpx.HTTPError as error:
        raise _unanswered(stage, host, error) from None
    try:
        if response.status_code != 200:
            after = response.headers.get("retry-after", "")
            raise refusal(host, response.status_code, after, stage)
        kind = response.headers.get("content-type", "").split(";")[0].strip().lower()
        if not (kind in _KINDS[stage] or (stage == "tts" and kind.startswith("audio/"))):
            raise failure(stage, host.name, "bad_answer", mend=f"Check the address {host.url}.")
        yield Answer(kind, _pieces(stage, host, response, until))
    finally:
        await response.aclose()


async def _pieces(
    stage: Stage, host: Host, response: httpx.Response, until: float
) -> AsyncIterator[bytes]:
    pieces = response.aiter_bytes()
    first = True
    while True:
        try:
            async with asyncio.timeout_at(until):
                piece = await anext(pieces, b"")
        except (httpx.HTTPError, TimeoutError) as error:
            raise _unanswered(stage, host, error) from None
        if first and not piece:
            raise failure(stage, host.name, "bad_answer", mend="Try again in a moment.")
        if not piece:
            return
        first = False
        yield piece


def refusal(host: Host, status: int, retry_after: str = "", stage: Stage = "llm") -> ProviderError:
    """What it means that the host answered with this status, and what to do (LLM-06, LLM-07)."""
    cause = status_cause(status) if status >= 400 else "bad_answer"
    mend = f"Check the address {host.url}."
    if status == 508:
        mend = f"Its address leads back to this service. Give {stage} a base_url."
    elif cause == "authentication":
        mend = f"HTTP {status}: unauthorized. Check {host.variable}, then start this service again."
    elif status == 404:
        mend = f"HTTP 404. Check the address {host.url}, and the name of the model."
    elif cause == "bad_request" and stage == "tts":
        mend = f"HTTP {status}: invalid request. Check the names of the model and of the voice."
    elif cause == "bad_request":
        mend = (
            f"HTTP {status}: invalid request. Check the name of the model, and that each message "
            "has a role and a content."
        )
    elif cause == "rate_limit":
        mend = "Wait, or look at the quota of the account."
    elif cause in ("internal", "timeout"):
        mend = f"HTTP {status}. Try again in a moment."
    after = seconds_until(retry_after, datetime.now(UTC)) if cause == "rate_limit" else None
    return failure(stage, host.name, cause, mend=mend, after=after)


def _unanswered(stage: Stage, host: Host, error: Exception) -> ProviderError:
    late = isinstance(error, httpx.TimeoutException | TimeoutError)
    mend = f"Check the address {host.url} and the network."
    return failure(stage, host.name, "timeout" if late else "unreachable", mend=mend)


def chat(
    body: bytes, model: str, refuses: frozenset[str] = frozenset(), *, only: bool = False
) -> bytes:
    """The request of a chat, with the model filled in where none is named, or wherever it is the
    `only` one, and without the fields that the host refuses. Raises LanguageModelError when it is
    no such request."""
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError):
        asked = None
    messages = asked.get("messages") if isinstance(asked, dict) else None
    if not isinstance(messages, list) or not messages or not all(map(_is_message, messages)):
        raise failure(
            "llm",
            "This service",
            "bad_request",
            mend="POST a JSON object with messages: a list of objects with a role and a content.",
        )
    if asked.get("model") and not only and not refuses & asked.keys():
        return body
    named = None if only else asked.get("model")
    kept = {key: value for key, value in asked.items() if key not in refuses}
    return json.dumps({**kept, "model": named or model}).encode()


def _is_message(message: object) -> bool:
    return isinstance(message, dict) and isinstance(message.get("role"), str)
