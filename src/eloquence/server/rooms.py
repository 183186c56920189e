"""Sessions in LiveKit rooms: asking for one, joining it again, ending it; and tokens as older
clients ask for them."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from eloquence.bootstrap import Eloquence
from eloquence.bootstrap.rooms import Rooms, Ticket
from eloquence.errors import ConfigurationError, PermissionDeniedError, SessionNotFoundError
from eloquence.protocol import Hello
from eloquence.server.access import Signed, own
from eloquence.server.limits import Limits
from eloquence.storage.accounts import Account
from eloquence.transports.livekit_server import Rights

router = APIRouter(dependencies=[Depends(own)])

RoomName = Annotated[str, Field(min_length=1, max_length=64, pattern="^[A-Za-z0-9_-]+$")]
Name = Annotated[str, Field(max_length=128)]

_RIGHTS = {"canPublish": "publish", "canSubscribe": "subscribe", "canPublishData": "data"}
"""What a client may ask for in a token, as LiveKit calls it."""


class TokenRequest(BaseModel):
    """A token for a room. `participant` and `identity` are the same and name nobody: under which
    name somebody is in a room is not theirs to choose."""

    model_config = ConfigDict(extra="forbid")

    room: RoomName
    participant: Name = ""
    identity: Name = ""
    permissions: dict[str, Any] = {}


class Rejoining(BaseModel):
    """Why one joins again. `missing` is the epoch of the coach whom one has met, and who has not
    been in the room for a while although the line is well."""

    model_config = ConfigDict(extra="forbid")

    missing: int = Field(default=0, ge=0)


@router.post("/api/v1/sessions", status_code=201)
@router.post("/api/sessions", status_code=201, include_in_schema=False)
async def ask(
    request: Request,
    who: Signed,
    hello: Hello,
    key: Annotated[str, Header(alias="Idempotency-Key", max_length=255)] = "",
) -> dict[str, Any]:
    """Makes a session, its room, and sends for a worker; the answer is what one needs to join
    (`Ticket`). The same `Idempotency-Key` gives the same session for 10 minutes."""
    limits: Limits = request.app.state.limits
    address = request.app.state.addresses.of(request)

    async def allowed() -> None:
        await limits.start(who, address)

    return asdict(await _rooms(request).ask(hello, who, key=key, allowed=allowed))


@router.post("/api/v1/sessions/{session_id}/token")
async def rejoin(
    request: Request, who: Signed, session_id: str, rejoining: Rejoining | None = None
) -> dict[str, Any]:
    """A fresh token for a live session (`Ticket`); a coach that is `missing` is replaced."""
    rooms = _rooms(request)
    await _count_token(request, who)
    missing = rejoining.missing if rejoining is not None else 0
    return asdict(await rooms.ticket(session_id, who, missing=missing))


@router.post("/api/v1/sessions/{session_id}/end", status_code=204)
async def end(request: Request, who: Signed, session_id: str) -> Response:
    """Ends a live session, whoever holds it. Harmless when it is over."""
    await _rooms(request).end(session_id, who)
    return Response(status_code=204)


@router.get("/token")
async def token(
    request: Request,
    who: Signed,
    room: Annotated[RoomName, Query()],
    identity: Annotated[Name, Query()] = "",
) -> dict[str, Any]:
    """A token for the room of one's own session (TOK-01)."""
    return asdict(await _ticket(request, who, room, identity, Rights()))


@router.post("/token")
async def token_with(request: Request, who: Signed, asked: TokenRequest) -> dict[str, Any]:
    """The same, with fewer rights when they are named (TOK-02, TOK-03, X-08)."""
    participant = asked.participant or asked.identity
    return asdict(await _ticket(request, who, asked.room, participant, rights(asked.permissions)))


def rights(permissions: dict[str, Any]) -> Rights:
    """The rights that those permissions leave. Raises PermissionDeniedError for any other right."""
    for name, value in permissions.items():
        if name not in _RIGHTS or not isinstance(value, bool):
            raise PermissionDeniedError(
                "A learner may publish, subscribe and send data in a room, and nothing else.",
                mend=f"Permissions: {', '.join(_RIGHTS)}, each true or false.",
            )
    return Rights(**{_RIGHTS[name]: value for name, value in permissions.items()})


async def _ticket(
    request: Request, who: Account, room: str, participant: str, wanted: Rights
) -> Ticket:
    rooms = _rooms(request)
    await _count_token(request, who)
    try:
        return await rooms.ticket_for(room, who, rights=wanted)
    except SessionNotFoundError:
        return await rooms.open_ticket(room, participant, who, rights=wanted)


async def _count_token(request: Request, who: Account) -> None:
    limits: Limits = request.app.state.limits
    await limits.token(who, request.app.state.addresses.of(request))


def _rooms(request: Request) -> Rooms:
    eloquence: Eloquence = request.app.state.eloquence
    if eloquence.rooms is None:
        raise ConfigurationError(
            "This server holds its conversations itself, over its socket.",
            mend="With LIVEKIT_URL they are held in rooms.",
        )
    return eloquence.rooms
