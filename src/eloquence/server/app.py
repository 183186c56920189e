"""The web application: routes, errors and what protects them."""

import asyncio
import logging
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.exception_handlers import http_exception_handler
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.responses import Response

from eloquence import __version__
from eloquence.bootstrap import opened
from eloquence.bootstrap.exposure import check
from eloquence.config import Settings
from eloquence.errors import (
    AccountNotFoundError,
    AuthenticationError,
    CapacityError,
    ConfigurationError,
    ContentError,
    EloquenceError,
    FactNotFoundError,
    JudgementError,
    MarkNotFoundError,
    ModelError,
    PermissionDeniedError,
    ProviderError,
    RemoteProtocolError,
    RoomError,
    SessionEndedError,
    SessionLiveError,
    SessionNotFoundError,
    StorageError,
    TooManyError,
)
from eloquence.server import api, engines, memory, metrics, plugins, rooms, sign_in, talk
from eloquence.server.addresses import Addresses
from eloquence.server.downloads import Downloads
from eloquence.server.guard import Guard
from eloquence.server.health import Health
from eloquence.server.limits import open_limits
from eloquence.server.openid import OpenId
from eloquence.server.refusals import MOST_ANSWERS, Refusals
from eloquence.server.services import mounted
from eloquence.server.services._problems import failed, invalid, mistake, refused
from eloquence.storage.export import web_folder

log = logging.getLogger("eloquence.server")

STATUSES: tuple[tuple[type[EloquenceError], int], ...] = (
    (AuthenticationError, 401),
    (PermissionDeniedError, 403),
    (AccountNotFoundError, 404),
    (FactNotFoundError, 404),
    (TooManyError, 429),
    (SessionNotFoundError, 404),
    (SessionEndedError, 410),
    (MarkNotFoundError, 404),
    (JudgementError, 409),
    (ContentError, 404),
    (RemoteProtocolError, 400),
    (CapacityError, 503),
    (RoomError, 503),
    (ConfigurationError, 409),
    (ModelError, 502),
    (ProviderError, 502),
    (StorageError, 507),
)
"""Which HTTP status an error gives; any other error of ours gives 500."""


def create_app(settings: Settings) -> FastAPI:
    """The application for these settings; its store opens and closes with its lifespan. Raises
    ConfigurationError when they are not safe to serve."""
    check(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with (
            opened(settings) as eloquence,
            open_limits(settings, eloquence.store.requests) as limits,
            asyncio.TaskGroup() as tasks,
        ):
            app.state.eloquence = eloquence
            app.state.limits = limits
            app.state.services = mounted.opened(eloquence)
            app.state.health = Health(eloquence)
            app.state.downloads = Downloads(settings.models, tasks)
            tasks.create_task((eloquence.rooms or eloquence).warm())
            yield
            app.state.downloads.stop()

    app = FastAPI(
        title="Eloquence",
        version=__version__,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
    )
    mounted.mount(app)
    app.add_middleware(Guard, settings=settings, programs=mounted.PATHS)
    app.add_exception_handler(EloquenceError, _problem)
    app.add_exception_handler(RequestValidationError, _bad_request)
    app.add_exception_handler(HTTPException, _refused)
    app.state.addresses = Addresses(settings.trusted_proxies)
    app.state.refusals = Refusals()
    app.state.refused_answers = Refusals(most=MOST_ANSWERS)
    app.state.openid = OpenId(settings) if settings.oidc_issuer else None
    app.include_router(api.public)
    app.include_router(sign_in.router)
    app.include_router(api.router)
    app.include_router(talk.router)
    app.include_router(rooms.router)
    app.include_router(metrics.router)
    app.include_router(memory.router)
    app.include_router(plugins.router)
    app.include_router(engines.router)

    @app.get("/health")
    async def health(request: Request) -> JSONResponse:
        """Whether this process can serve, and how full it is (X-12)."""
        health: Health = request.app.state.health
        seen = await health.seen()
        return JSONResponse(seen, 200 if seen["status"] == "ok" else 503)

    folder = web_folder()

    @app.get("/", include_in_schema=False)
    async def page() -> FileResponse:
        return FileResponse(folder / "index.html")

    app.mount("/", StaticFiles(directory=folder), name="page")
    return app


def problem(error: EloquenceError) -> tuple[int, dict[str, object]]:
    """The HTTP status and the problem details (RFC 9457) of an error."""
    status = next((code for kind, code in STATUSES if isinstance(error, kind)), 500)
    return status, {
        "type": f"urn:eloquence:error:{error.code}",
        "title": error.code.replace("_", " ").capitalize(),
        "status": status,
        "detail": error.message,
        "code": error.code,
        "mend": error.mend,
        **({"session": error.session} if isinstance(error, SessionLiveError) else {}),
    }


async def _problem(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, EloquenceError)
    if request.url.path in mounted.PATHS:
        return await failed(request, error)
    status, body = problem(error)
    headers = {"Retry-After": "60"} if status == 503 else {}
    if isinstance(error, TooManyError):
        headers["Retry-After"] = str(math.ceil(error.after))
    if isinstance(error, AuthenticationError):
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse(body, status, headers, media_type="application/problem+json")


async def _bad_request(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    if request.url.path in mounted.PATHS:
        return await invalid(request, error)
    detail, mend = mistake(error)
    body = {
        "type": "urn:eloquence:error:bad_request",
        "title": "Bad request",
        "status": 422,
        "detail": detail,
        "code": "bad_request",
        "mend": mend,
    }
    return JSONResponse(body, 422, media_type="application/problem+json")


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    path = request.url.path
    if error.status_code in (404, 405) and (answer := mounted.mistaken(path)) is not None:
        return answer
    if path in mounted.PATHS:
        return await refused(request, error)
    return await http_exception_handler(request, error)
