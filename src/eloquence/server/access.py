"""Who asks, and what they may do.

    router = APIRouter(prefix="/api/v1", dependencies=[Depends(own)])

    @router.get("/sessions")
    async def sessions(who: Signed) -> ...: ...

    @router.post("/models/{name}", dependencies=[Depends(require("operator"))])

People are known by an API key (`Authorization: Bearer …`) or by the cookie of a browser that is
signed in; without accounts everybody is the local learner, who is the operator too. What is said
and made in a session is for its learner alone: to everybody else, operators as well, it is not
there.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection
from starlette.responses import Response

from eloquence.bootstrap import Eloquence
from eloquence.config import Settings
from eloquence.errors import AuthenticationError, PermissionDeniedError
from eloquence.server.refusals import Refusals
from eloquence.storage.accounts import LOCAL, Account, Role

_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_MEND = "Sign in, or send an API key: Authorization: Bearer …"


async def known(connection: HTTPConnection) -> Account | None:
    """Who asks; None when nobody is signed in. Raises AuthenticationError for a key that is not
    valid: that is never taken for nobody."""
    eloquence: Eloquence = connection.app.state.eloquence
    if not eloquence.settings.accounts:
        return LOCAL
    kind, _, key = connection.headers.get("authorization", "").partition(" ")
    if kind:
        return await by_key(connection, key.strip() if kind.lower() == "bearer" else "")
    token = sign_in_token(connection)
    if not token:
        return None
    if _changes(connection) and "origin" not in connection.headers:
        # That it is this server's own is for the guard to see. A program uses a key.
        raise PermissionDeniedError("A browser says from which page it asks, and this one did not.")
    return await eloquence.store.accounts.by_sign_in(token)


async def by_key(connection: HTTPConnection, key: str) -> Account:
    """Whose key that is. Raises AuthenticationError when it is nobody's, and TooManyError after too
    many of those from one address."""
    state = connection.app.state
    eloquence: Eloquence = state.eloquence
    refusals: Refusals = state.refusals
    address = state.addresses.of(connection)
    refusals.check(address)
    found = await eloquence.store.accounts.by_key(key) if key else None
    if found is None:
        refusals.note(address)
        raise AuthenticationError("This key is not valid.", mend=_MEND)
    return found


async def account(who: Annotated[Account | None, Depends(known)]) -> Account:
    """Who asks. Raises AuthenticationError when nobody is signed in."""
    if who is None:
        raise AuthenticationError("Nobody is signed in.", mend=_MEND)
    return who


Known = Annotated[Account | None, Depends(known)]
"""Who asks, or None: for what anybody may see."""
Signed = Annotated[Account, Depends(account)]
"""Who asks; 401 for nobody."""


async def own(connection: HTTPConnection, who: Signed) -> None:
    """Lets somebody who is signed in pass. The session in the path has to be their own: that of
    somebody else is as absent as one that never was. Raises AuthenticationError,
    SessionNotFoundError."""
    session_id = connection.path_params.get("session_id")
    if session_id is not None:
        eloquence: Eloquence = connection.app.state.eloquence
        await eloquence.store.of(who.id).check(session_id)


def require(role: Role) -> Callable[[Account], Awaitable[None]]:
    """A dependency that lets only that role and those above it pass. Raises
    PermissionDeniedError."""

    async def required(who: Signed) -> None:
        if not who.may(role):
            raise PermissionDeniedError(f"This is for the role {role!r}; yours is {who.role!r}.")

    return required


def cookie_name(settings: Settings, name: str = "eloquence") -> str:
    """The name of the cookie of a signed-in browser, or of another one of ours. Under https it has
    the prefix that keeps other hosts of the same domain from setting it."""
    return f"__Host-{name}" if _secure(settings) else name


def give_cookie(
    response: Response, settings: Settings, token: str, *, name: str = "eloquence", seconds: float
) -> None:
    """Gives a browser a cookie that no script can read and no other site can have sent along."""
    response.set_cookie(
        cookie_name(settings, name),
        token,
        max_age=int(seconds),
        path="/",
        secure=_secure(settings),
        httponly=True,
        samesite="lax",
    )


def take_cookie(response: Response, settings: Settings, *, name: str = "eloquence") -> None:
    """Has a browser forget a cookie."""
    give_cookie(response, settings, "", name=name, seconds=0)


def sign_in_token(connection: HTTPConnection) -> str:
    """The token of a browser that is signed in, or an empty text."""
    eloquence: Eloquence = connection.app.state.eloquence
    return connection.cookies.get(cookie_name(eloquence.settings), "")


def _secure(settings: Settings) -> bool:
    return settings.public_url.startswith("https://")


def _changes(connection: HTTPConnection) -> bool:
    return connection.scope["type"] == "websocket" or connection.scope["method"] not in _READING
