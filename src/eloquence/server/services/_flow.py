"""An answer that is sent while it is made."""

import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from eloquence.errors import EloquenceError

log = logging.getLogger("eloquence.service")


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
