"""How long a connection may stay without asking for anything."""

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

HEADER_SECONDS = 10.0
"""Seconds within which a new connection must have sent a whole request header."""


class PromptProtocol(H11Protocol):
    """HTTP connections that must say what they want: one that sends its header byte by byte, or
    nothing at all, is closed, so that a few idle ones cannot take all the places."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._deadline = asyncio.get_running_loop().call_later(HEADER_SECONDS, self._overdue)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        super().connection_lost(exc)

    def _overdue(self) -> None:
        silent = self.cycle is None and self.transport.get_protocol() is self
        if silent and not self.transport.is_closing():
            self.transport.close()
