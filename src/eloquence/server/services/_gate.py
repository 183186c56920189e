"""What every request to a service keeps to: how much, how many at once, and how long."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from eloquence.errors import CapacityError, EloquenceError, TooManyError
from eloquence.server.guard import asked_as
from eloquence.server.services._problems import problem, told

BODY_SECONDS = 60.0
"""Seconds within which the whole of a request must have come."""
OPEN = frozenset({"/health", "/live"})
"""Answered however much there is to do."""


PASSED = "eloquence.passed"
"""Where a scope says that a gate has let it in."""

Admit = Callable[[HTTPConnection], Awaitable[str]]
"""Lets whoever may use the service pass, and tells who it is, empty for the only one there is;
raises one of our errors for anybody else."""


class Gate:
    """Refuses requests that are too large, too slow, too many, or of a web page: services are for
    programs, and a page of another site could otherwise use a visitor's browser to reach them.

    Nothing of a request is read before `admit` has let it pass, which also sees to web pages then.
    Nobody whom it names has more than half of the places.
    A request whose client has left is ended at once, with everything that was begun for it. With
    `paths` it is for these alone; with `known`, whatever is asked under another name is refused: a
    foreign one could be bound to our address (DNS rebinding).
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        most_bytes: int,
        at_once: int,
        paths: frozenset[str] | None = None,
        admit: Admit | None = None,
        known: Callable[[str], bool] | None = None,
    ) -> None:
        self._app = app
        self._most_bytes = most_bytes
        self._at_once = at_once
        self._paths = paths
        self._admit = admit
        self._known = known
        self._inside = 0
        self._of_one: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal: JSONResponse | None
        if self._is_foreign(scope):
            mend = "Ask localhost, or add the name to ELOQUENCE_ALLOWED_HOSTS."
            refusal = problem(403, "refused", "This name is not one of this service's.", mend)
            await self._refused(refusal, scope, receive, send)
            return
        if not self._keeps(scope):
            await self._app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        refusal = None
        who = ""
        if self._admit is not None:
            try:
                who = await self._admit(connection)
            except EloquenceError as error:
                refusal = told(error)
        refusal = refusal or self._refusal(connection.headers, who)
        if refusal is not None:
            await self._refused(refusal, scope, receive, send)
            return
        scope[PASSED] = True
        self._inside += 1
        self._of_one[who] += 1
        try:
            if scope["type"] == "websocket":
                await self._app(scope, receive, send)
            else:
                await self._answered(scope, receive, send)
        finally:
            self._inside -= 1
            self._of_one[who] -= 1
            if not self._of_one[who]:
                del self._of_one[who]

    def _keeps(self, scope: Scope) -> bool:
        if scope["type"] not in ("http", "websocket"):
            return False
        path = scope["path"]
        return path not in OPEN if self._paths is None else path in self._paths

    def _is_foreign(self, scope: Scope) -> bool:
        if self._known is None or scope["type"] not in ("http", "websocket"):
            return False
        return not self._known(asked_as(Headers(scope=scope)))

    def _refusal(self, headers: Headers, who: str) -> JSONResponse | None:
        if self._admit is None and of_a_page(headers):
            return problem(403, "refused", "This service is for programs, not for web pages.")
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > self._most_bytes:
            return self._too_large()
        if self._inside >= self._at_once:
            message = f"All {self._at_once} places of this service are taken."
            return told(CapacityError(message, mend="Try again in a moment."))
        if who and self._of_one[who] >= max(1, self._at_once // 2):
            message = "Half of the places of this service are yours already."
            return told(TooManyError(message, after=1.0, mend="Wait for an answer first."))
        return None

    async def _refused(
        self, refusal: JSONResponse, scope: Scope, receive: Receive, send: Send
    ) -> None:
        if scope["type"] == "websocket":
            await receive()
        if scope["type"] == "http" or "websocket.http.response" in scope.get("extensions", {}):
            await refusal(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008})

    def _too_large(self) -> JSONResponse:
        return problem(413, "too_large", f"At most {self._most_bytes} bytes are taken.")

    async def _answered(self, scope: Scope, receive: Receive, send: Send) -> None:
        messages: asyncio.Queue[Message] = asyncio.Queue(1)
        begun = ended = False

        async def sending(message: Message) -> None:
            nonlocal begun, ended
            begun = True
            ended = message["type"] == "http.response.body" and not message.get("more_body")
            await send(message)

        async def listening() -> JSONResponse | None:
            """Until the client has left, or must be refused."""
            received = 0
            try:
                async with asyncio.timeout(BODY_SECONDS):
                    more = True
                    while more:
                        message = await receive()
                        if message["type"] == "http.disconnect":
                            return None
                        received += len(message.get("body", b""))
                        if received > self._most_bytes:
                            return self._too_large()
                        await messages.put(message)
                        more = message.get("more_body", False)
            except TimeoutError:
                return problem(408, "too_slow", f"It did not come within {BODY_SECONDS:g} s.")
            while (await receive())["type"] != "http.disconnect":
                pass
            return None

        working = asyncio.ensure_future(self._app(scope, messages.get, sending))
        client = asyncio.create_task(listening())
        try:
            await asyncio.wait({working, client}, return_when=asyncio.FIRST_COMPLETED)
            if ended:  # what was begun for it is being put away
                await asyncio.wait({working})
        finally:
            refusal = client.result() if client.done() else None
            working.cancel()
            client.cancel()
            await asyncio.wait({working, client})
        if not working.cancelled():
            working.result()
        elif refusal is not None and not begun:
            await refusal(scope, receive, send)


def of_a_page(headers: Headers) -> bool:
    """Whether a web page asks: its browser says so, in one way or the other."""
    return "origin" in headers or headers.get("sec-fetch-site", "none") != "none"
