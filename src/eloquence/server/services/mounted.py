"""The services beside the page, for programs of whoever may talk here.

They are behind what the page is behind: where people sign in, whoever asks sends a key or is a
signed-in browser on this server's own page, and has a number of requests a minute. Without
accounts only programs of this very machine are answered; where others could reach the server then,
nobody is.
"""

from collections.abc import Mapping

from fastapi import APIRouter, Depends, FastAPI
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse

from eloquence.bootstrap import Eloquence
from eloquence.bootstrap.exposure import is_loopback, places
from eloquence.bootstrap.speech import Speech
from eloquence.errors import PermissionDeniedError
from eloquence.registry import Stage
from eloquence.server import access
from eloquence.server.limits import Limits
from eloquence.server.services import llm, stt, tts
from eloquence.server.services._gate import PASSED, Gate
from eloquence.server.services._problems import problem
from eloquence.server.services._service import Service

_OWN = frozenset({"same-origin", "none"})
_FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip")
AT_ONCE: Mapping[Stage, int] = {"stt": 4, "llm": 16, "tts": 4}
"""Requests that are answered beside the conversations of the same process."""

_ROUTERS: Mapping[Stage, APIRouter] = {"stt": stt.router, "llm": llm.router, "tts": tts.router}
_MOST_BYTES: Mapping[Stage, int] = {
    "stt": stt.MOST_FORM,
    "llm": llm.MOST_BYTES,
    "tts": tts.MOST_BYTES,
}
_PATHS = {
    stage: frozenset(str(getattr(route, "path", "")) for route in router.routes)
    for stage, router in _ROUTERS.items()
}
PATHS = frozenset().union(*_PATHS.values())
_METHODS = {
    str(getattr(route, "path", "")): ", ".join(getattr(route, "methods", ()))
    for router in _ROUTERS.values()
    for route in router.routes
}
_MISTAKEN = {"/tts": "/api/tts"}
"""Paths at which programs have looked for a service, and where it is (TTS-04)."""


def mount(app: FastAPI) -> None:
    """Adds the routes, and what protects them; what protects the whole is added after it."""
    for stage, router in _ROUTERS.items():
        app.include_router(router, dependencies=[Depends(_passed)])
        app.add_middleware(
            Gate,
            most_bytes=_MOST_BYTES[stage],
            at_once=AT_ONCE[stage],
            paths=_PATHS[stage],
            admit=_admit,
        )


def opened(eloquence: Eloquence) -> dict[Stage, Service]:
    """The services of a product, which share what its conversations have loaded. Where people sign
    in, they have the models that the operator has chosen, whose price the operator knows."""
    speech = Speech(lambda: eloquence.settings, eloquence.library, eloquence.resources)
    only = eloquence.settings.accounts
    return {stage: Service(stage, speech, only=only) for stage in _ROUTERS}


def mistaken(path: str) -> JSONResponse | None:
    """The answer to a request that found none of the routes, though it was meant for one."""
    if path in _MISTAKEN:
        return problem(404, "not_found", f"There is no {path} here.", f"Use {_MISTAKEN[path]}.")
    if path not in PATHS:
        return None
    method = _METHODS[path] or "WebSocket"
    answer = problem(405, "bad_request", f"{path} is asked by {method}.")
    answer.headers["Allow"] = _METHODS[path]
    return answer


async def _passed(connection: HTTPConnection) -> None:
    """Keeps whatever a router takes for one of the paths, and a gate does not, out."""
    if PASSED not in connection.scope:
        raise PermissionDeniedError("This path is not served.")


async def _admit(connection: HTTPConnection) -> str:
    if connection.headers.get("sec-fetch-site", "none") not in _OWN:
        raise PermissionDeniedError("This is for programs, and for this server's own page.")
    eloquence: Eloquence = connection.app.state.eloquence
    who = await access.account(await access.known(connection))
    settings = eloquence.settings
    if not settings.accounts and not (
        all(is_loopback(place) for place in places(settings)) and _is_near(connection)
    ):
        raise PermissionDeniedError(
            "Where people do not sign in, the services are for this machine alone.",
            mend="Unset ELOQUENCE_SIGN_IN and make a key: eloquence accounts add NAME.",
        )
    limits: Limits = connection.app.state.limits
    await limits.service(who)
    return who.id


def _is_near(connection: HTTPConnection) -> bool:
    """Whether a program of this machine asks, and not a proxy for somebody else."""
    near = connection.client is not None and is_loopback(connection.client.host)
    return near and not any(name in connection.headers for name in _FORWARDED)
