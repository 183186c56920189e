"""An answer that is sent while it is made."""

import logging
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from eloquence.errors import EloquenceError
from eloquence.server.services._problems import problem

log = logging.getLogger("eloquence.service")

_OURS = f"eloquence-{secrets.token_hex(8)}"
"""This process in `Via` (RFC 9110, 7.6.3), so that no request goes round in a circle."""


def onward(request: Request) -> Mapping[str, str] | None:
    """The headers with which a request goes on to a host; None when it has been here before."""
    via = request.headers.get("via", "")
    return None if _OURS in via else {"Via": f"{via}, 1.1 {_OURS}".removeprefix(", ")}


def circle() -> Response:
    """The answer to a request that has been here before."""
    return problem(508, "configuration", "The address of the host leads back to this service.")


@dataclass(frozen=True, slots=True)
class Body:
    """`kind` is its media type."""

    kind: str
    pieces: AsyncIterator[bytes]
    headers: Mapping[str, str] = field(default_factory=dict)


class Flow(Response):
    """What fails before the first piece is an error like any other. What fails later closes the
    connection before the end of the body, so that nobody takes a part for the whole."""

    def __init__(self, opening: AbstractAsyncContextManager[Body]) -> None:
        super().__init__()
        self._opening = opening

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._opening as body:
            piece = await anext(body.pieces, b"")
            self.init_headers({**body.headers, "Content-Type": body.kind})
            del self.headers["Content-Length"]
            start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
            await send(start)
            try:
                while piece:
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
                    piece = await anext(body.pieces, b"")
            except EloquenceError as error:
                log.warning("%s broke off: %s", scope["path"], error.code)
                return
            await send({"type": "http.response.body", "body": b""})
