"""Answering as a service: a chat in OpenAI's shape is answered by whichever language model the
settings name (LLM-01). To a host that speaks OpenAI's protocol it goes on as it came; that host
alone gets the key (LLM-02, LLM-08)."""

import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager

from fastapi import APIRouter, FastAPI, Request
from starlette.responses import JSONResponse, Response

from eloquence.config import Settings
from eloquence.errors import EloquenceError
from eloquence.providers._hosts import OPENAI
from eloquence.providers.openai import HostedModelOptions
from eloquence.providers.passing import EVENTS, Answer, Patience
from eloquence.server.services import _chat
from eloquence.server.services._bounds import bounded
from eloquence.server.services._flow import Body, Flow, circle, onward
from eloquence.server.services._problems import told
from eloquence.server.services._service import Answering, Service, application

MOST_BYTES = 1024 * 1024
AT_ONCE = 128
"""Most of an answer's time is the host's, not ours."""

_UNKEPT = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}

router = APIRouter()


@router.post("/v1/chat/completions", response_model=None)
async def complete(request: Request, served: Answering) -> Response:
    """The answer of the language model, whole or (`"stream": true`) as it is written."""
    body = await request.body()
    if served.only:
        body = bounded(body, _length(served))
    if served.speech.passes_on("llm", served.language):
        return _passed_on(request, served, "/chat/completions", body)
    asked = _chat.asked(body)
    if asked.stream:
        return Flow(_streamed(served, asked))
    async with _answered(served, asked) as shape:
        text = "".join([piece async for piece in shape.answer.pieces])
        return JSONResponse(shape.whole(text), headers=_UNKEPT)


@router.get("/v1/models", response_model=None)
async def models(request: Request, served: Answering) -> Response:
    """The models that there are: those of the host, or the one that the settings name."""
    if served.speech.passes_on("llm", served.language):
        return _passed_on(request, served, "/models", None)
    served.speech.check("llm", served.language)
    chosen = served.speech.choice("llm", served.language)
    return JSONResponse(_chat.models(chosen.provider.name, chosen.readiness.model))


def _length(served: Service) -> str:
    """What the host calls the length of an answer. OpenAI's newer models take only the newer name,
    every other host knows the older one."""
    options = served.speech.choice("llm", served.language).options
    newer = isinstance(options, HostedModelOptions) and options.host().url == OPENAI
    return "max_completion_tokens" if newer else "max_tokens"


def _passed_on(request: Request, served: Service, path: str, body: bytes | None) -> Response:
    headers = onward(request)
    if headers is None:
        return circle()
    answering = served.speech.passed_on(
        path,
        body,
        served.language,
        headers=headers,
        patience=served.patience,
        only=served.only,
    )
    return Flow(_body(answering))


@asynccontextmanager
async def _body(answering: AbstractAsyncContextManager[Answer]) -> AsyncIterator[Body]:
    async with answering as answer, aclosing(_told(answer.pieces, answer.kind)) as pieces:
        yield Body(answer.kind, pieces, _UNKEPT)


@asynccontextmanager
async def _streamed(served: Service, asked: _chat.Asked) -> AsyncIterator[Body]:
    usage = asked.stream_options is not None and asked.stream_options.include_usage
    async with (
        _answered(served, asked) as shape,
        aclosing(_events(shape, usage=usage)) as events,
        aclosing(_told(events, EVENTS)) as pieces,
    ):
        yield Body(EVENTS, pieces, _UNKEPT)


@asynccontextmanager
async def _answered(served: Service, asked: _chat.Asked) -> AsyncIterator[_chat.Shape]:
    async with served.speech.answered(
        asked.chat, served.language, patience=served.patience, wishes=asked.wishes
    ) as answer:
        yield _chat.shaped(answer)


async def _events(shape: _chat.Shape, *, usage: bool) -> AsyncGenerator[bytes]:
    first = True
    async for piece in shape.answer.pieces:
        yield shape.piece(piece, first=first)
        first = False
    yield shape.end(usage=usage)


async def _told(answer: AsyncIterator[bytes], kind: str) -> AsyncGenerator[bytes]:
    """The pieces of an answer; the last event of a stream that breaks off says why, as OpenAI's
    clients read it."""
    begun = False
    try:
        async for piece in answer:
            begun = True
            yield piece
    except EloquenceError as error:
        if begun and kind == EVENTS:
            event = json.dumps({"error": json.loads(bytes(told(error).body))["error"]})
            yield f"\n\ndata: {event}\n\n".encode()
        raise


def create_app(
    settings: Settings, *, at_once: int = AT_ONCE, patience: Patience | None = None
) -> FastAPI:
    """The answering service for these settings, for at most so many chats at once."""
    return application(
        "llm", settings, router, most_bytes=MOST_BYTES, at_once=at_once, patience=patience
    )
