"""Answering as a service: chats in OpenAI's shape go on to the host of the settings, which alone
gets the key (LLM-01, LLM-02, LLM-08)."""

import json
import secrets
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager

from fastapi import APIRouter, FastAPI, Request
from starlette.responses import Response

from eloquence.config import Settings
from eloquence.errors import EloquenceError
from eloquence.providers.passing import EVENTS, Answer, Patience
from eloquence.server.services._flow import Body, Flow
from eloquence.server.services._problems import problem, told
from eloquence.server.services._service import Served, Service, application

MOST_BYTES = 1024 * 1024
AT_ONCE = 128
"""Most of an answer's time is the host's, not ours."""

_OURS = f"eloquence-{secrets.token_hex(8)}"
"""This process in `Via` (RFC 9110, 7.6.3), so that no request goes round in a circle."""

router = APIRouter()


@router.post("/v1/chat/completions", response_model=None)
async def complete(request: Request, served: Served) -> Response:
    """The answer of the language model, whole or (`"stream": true`) as it is written."""
    return _passed_on(request, served, "/chat/completions", await request.body())


@router.get("/v1/models", response_model=None)
async def models(request: Request, served: Served) -> Response:
    """The models that the host has."""
    return _passed_on(request, served, "/models", None)


def _passed_on(request: Request, served: Service, path: str, body: bytes | None) -> Response:
    via = request.headers.get("via", "")
    if _OURS in via:
        return problem(508, "configuration", "The address of the host leads back to this service.")
    answering = served.speech.passed_on(
        path,
        body,
        served.language,
        headers={"Via": f"{via}, 1.1 {_OURS}".removeprefix(", ")},
        patience=request.app.state.patience,
    )
    return Flow(_body(answering))


@asynccontextmanager
async def _body(answering: AbstractAsyncContextManager[Answer]) -> AsyncIterator[Body]:
    async with answering as answer, aclosing(_told(answer)) as pieces:
        yield Body(answer.kind, pieces, {"Cache-Control": "no-store", "X-Accel-Buffering": "no"})


async def _told(answer: Answer) -> AsyncGenerator[bytes]:
    """The pieces of an answer; the last event of a stream that breaks off says why, as OpenAI's
    clients read it."""
    begun = False
    try:
        async for piece in answer.pieces:
            begun = True
            yield piece
    except EloquenceError as error:
        if begun and answer.kind == EVENTS:
            event = json.dumps({"error": json.loads(bytes(told(error).body))["error"]})
            yield f"\n\ndata: {event}\n\n".encode()
        raise


def create_app(
    settings: Settings, *, at_once: int = AT_ONCE, patience: Patience | None = None
) -> FastAPI:
    """The answering service for these settings, for at most so many chats at once."""
    app = application("llm", settings, router, most_bytes=MOST_BYTES, at_once=at_once)
    app.state.patience = patience or Patience()
    return app
