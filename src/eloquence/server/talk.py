"""The socket of a conversation."""

import asyncio
import logging

from fastapi import APIRouter, WebSocket
from starlette.websockets import WebSocketDisconnect, WebSocketState

from eloquence import protocol
from eloquence.bootstrap import Eloquence
from eloquence.errors import ConnectionLostError, EloquenceError, RemoteProtocolError
from eloquence.transports.websocket import WebSocketTransport

log = logging.getLogger("eloquence.server")
router = APIRouter()

_HELLO_SECONDS = 5.0


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
    socket = BrowserSocket(websocket)
    try:
        async with WebSocketTransport(socket) as transport:
            try:
                hello = await _hello(socket)
                session_id, end = await eloquence.converse(hello, transport)
            except ConnectionLostError:
                return
            except EloquenceError as error:
                log.info("a conversation was refused or failed: %s", error.code)
                transport.send(
                    protocol.Failure(
                        code=error.code,
                        message=error.message,
                        mend=error.mend,
                        retryable=error.retryable,
                    )
                )
                return
            except Exception:
                log.exception("a conversation failed")
                transport.send(
                    protocol.Failure(
                        code="internal",
                        message="The conversation failed.",
                        mend="What was said until here is kept; the log says more.",
                    )
                )
                return
            if end.status != "live":
                transport.send(
                    protocol.Ended(session=session_id, status=end.status, reason=end.reason)
                )
    finally:
        if websocket.client_state == WebSocketState.CONNECTED:
            try:
                await websocket.close()
            except RuntimeError:
                log.debug("the page closed the socket first")


async def _hello(socket: BrowserSocket) -> protocol.Hello:
    try:
        async with asyncio.timeout(_HELLO_SECONDS):
            message = protocol.parse_client(_text(await socket.receive()))
    except TimeoutError:
        raise RemoteProtocolError("No hello came.") from None
    if not isinstance(message, protocol.Hello):
        raise RemoteProtocolError("A conversation begins with hello.")
    if message.version != protocol.VERSION:
        raise RemoteProtocolError(
            f"The page speaks version {message.version} of the protocol, this server "
            f"{protocol.VERSION}.",
            mend="Load the page again.",
        )
    return message


def _text(data: str | bytes) -> str:
    if isinstance(data, bytes):
        raise RemoteProtocolError("A conversation begins with hello.")
    return data
