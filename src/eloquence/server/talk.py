"""The socket of a conversation."""

import logging

from fastapi import APIRouter, WebSocket
from starlette.websockets import WebSocketDisconnect, WebSocketState

from eloquence.bootstrap import Eloquence
from eloquence.errors import ConnectionLostError, EloquenceError, PermissionDeniedError
from eloquence.protocol import Failure
from eloquence.server import access

log = logging.getLogger("eloquence.server")
router = APIRouter()

_REFUSED = 1008
"""The code with which a socket is closed that may not be used."""


class BrowserSocket:
    """A browser's WebSocket as the transport wants it."""

    def __init__(self, websocket: WebSocket) -> None:
        self._websocket = websocket

    async def receive(self) -> str | bytes:
        try:
            message = await self._websocket.receive()
        except (RuntimeError, WebSocketDisconnect) as error:
            raise ConnectionLostError("The page is gone.") from error
        if message["type"] == "websocket.disconnect":
            raise ConnectionLostError("The page is gone.")
        data = message.get("bytes")
        if data is not None:
            return bytes(data)
        return str(message.get("text") or "")

    async def send(self, data: str | bytes) -> None:
        try:
            if isinstance(data, bytes):
                await self._websocket.send_bytes(data)
            else:
                await self._websocket.send_text(data)
        except (RuntimeError, WebSocketDisconnect, OSError) as error:
            raise ConnectionLostError("The page is gone.") from error


@router.websocket("/api/v1/talk")
async def talk(websocket: WebSocket) -> None:
    """One conversation: `hello` first, then the wire protocol of `eloquence.protocol`."""
    eloquence: Eloquence = websocket.app.state.eloquence
    await websocket.accept()
    try:
        who = await access.account(await access.known(websocket))
        if eloquence.rooms is not None:
            raise PermissionDeniedError("Conversations of this server are held in rooms.")
    except EloquenceError as error:
        refused = Failure(
            code=error.code,
            message=error.message,
            mend=error.mend,
            retryable=error.retryable,
        )
        await websocket.send_text(refused.model_dump_json())
        await websocket.close(_REFUSED)
        return
    await eloquence.serve(BrowserSocket(websocket), who.id)
    if websocket.client_state == WebSocketState.CONNECTED:
        try:
            await websocket.close()
        except RuntimeError:
            log.debug("the page closed the socket first")
