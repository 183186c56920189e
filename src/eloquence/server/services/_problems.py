"""What a service answers when it cannot do what it was asked."""

import logging
import math
from collections.abc import Mapping

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from eloquence.errors import (
    AuthenticationError,
    CapacityError,
    Cause,
    ConfigurationError,
    EloquenceError,
    PermissionDeniedError,
    ProviderError,
    RecordingError,
    TooManyError,
)

log = logging.getLogger("eloquence.service")

CAUSES: Mapping[Cause, int] = {
    "authentication": 401,
    "rate_limit": 429,
    "timeout": 504,
    "unreachable": 502,
    "bad_request": 422,
    "bad_answer": 502,
    "internal": 502,
}
"""Which HTTP status the failure of a provider gives: its own, where it says what to mend."""


def problem(
    status: int, code: str, detail: str, mend: str = "", after: float | None = None
) -> JSONResponse:
    """Problem details; `after` is when to try again, in seconds."""
    body = {
        "type": f"urn:eloquence:error:{code}",
        "title": code.replace("_", " ").capitalize(),
        "status": status,
        "detail": detail,
        "code": code,
        "mend": mend,
        "error": {"message": f"{detail} {mend}".rstrip(), "type": code, "code": code},
    }
    headers = {} if after is None else {"Retry-After": str(math.ceil(after))}
    return JSONResponse(body, status, headers, media_type="application/problem+json")


def told(error: EloquenceError) -> JSONResponse:
    """The answer for an error of ours."""
    status, after = 500, None
    if isinstance(error, CapacityError):
        status, after = 503, 1.0
    elif isinstance(error, ConfigurationError):
        status, after = 503, 60.0
    elif isinstance(error, RecordingError):
        status = 422
    elif isinstance(error, ProviderError):
        status, after = CAUSES[error.cause], error.after
    elif isinstance(error, TooManyError):
        status, after = 429, error.after
    elif isinstance(error, PermissionDeniedError):
        status = 403
    elif isinstance(error, AuthenticationError):
        status = 401
    answer = problem(status, error.code, error.message, error.mend, after)
    if isinstance(error, AuthenticationError):
        answer.headers["WWW-Authenticate"] = "Bearer"
    return answer


async def failed(request: Request, error: Exception) -> JSONResponse:
    """The answer to a request that one of our errors ended."""
    assert isinstance(error, EloquenceError)
    log.warning("%s was answered with: %s", request.url.path, error.code)
    return told(error)


async def refused(request: Request, error: Exception) -> JSONResponse:
    """The answer to a request that no route takes, or not so."""
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        served = f"This service answers: {', '.join(_paths(request.app))}."
        return problem(404, "not_found", f"There is no {request.url.path} here.", served)
    response = problem(error.status_code, "bad_request", error.detail)
    response.headers.update(error.headers or {})
    return response


async def invalid(request: Request, error: Exception) -> JSONResponse:
    """The answer to a request whose fields are not what they must be."""
    assert isinstance(error, RequestValidationError)
    return problem(422, "bad_request", *mistake(error))


_PLACES = {"query": "the query", "path": "the path", "header": "the headers"}


def mistake(error: RequestValidationError) -> tuple[str, str]:
    """The first field that is not what it must be and why, and what to do about it."""
    first = error.errors()[0]
    place, *names = first["loc"]
    where = _PLACES.get(str(place), "the body")
    if first["type"] == "json_invalid" or not names:
        return (f"The body: {first['msg']}.", "Send the body as JSON, and say so: Content-Type.")
    # A name may be of the client's own making.
    name = ".".join(map(str, names)).encode("ascii", "backslashreplace").decode()[:100]
    if first["type"] == "missing":
        mend = f"Send {name} in {where}."
    elif first["type"] == "extra_forbidden":
        mend = f"Leave {name} out of {where}."
    else:
        mend = f"Correct {name} in {where}, and send the request again."
    return f"{name}: {first['msg']}.", mend


def explained(app: FastAPI) -> None:
    """Makes the application answer every failure with problem details."""
    app.add_exception_handler(EloquenceError, failed)
    app.add_exception_handler(HTTPException, refused)
    app.add_exception_handler(RequestValidationError, invalid)


def _paths(app: FastAPI) -> list[str]:
    """The routes as one asks for them, e.g. `POST /api/tts` (TTS-04)."""
    return [f"{min(asked).upper()} {path}" for path, asked in app.openapi()["paths"].items()]
