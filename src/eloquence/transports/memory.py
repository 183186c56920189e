"""Two ends of one line inside a process: what `talk` and the tests use instead of a network."""

import asyncio

from eloquence.errors import ConnectionLostError

_SIZE = 4096


class MemorySocket:
    """One end; made in pairs by `pair()`."""

    def __init__(
        self,
        inbound: "asyncio.Queue[str | bytes | None]",
        outbound: "asyncio.Queue[str | bytes | None]",
    ) -> None:
        self._inbound = inbound
        self._outbound = outbound
        self._closed = False

    async def receive(self) -> str | bytes:
        if self._closed:
            raise ConnectionLostError("The line is closed.")
        data = await self._inbound.get()
        if data is None:
            self._closed = True
            raise ConnectionLostError("The other end closed the line.")
        return data

    async def send(self, data: str | bytes) -> None:
        if self._closed:
            raise ConnectionLostError("The line is closed.")
        await self._outbound.put(data)

    def close(self) -> None:
        """Both ends see the line as lost once they have read what was sent."""
        if not self._closed:
            self._closed = True
            try:
                self._outbound.put_nowait(None)
            except asyncio.QueueFull:
                self._outbound.get_nowait()
                self._outbound.put_nowait(None)


def pair() -> tuple[MemorySocket, MemorySocket]:
    """A line: (server's end, client's end)."""
    up: asyncio.Queue[str | bytes | None] = asyncio.Queue(_SIZE)
    down: asyncio.Queue[str | bytes | None] = asyncio.Queue(_SIZE)
    return MemorySocket(up, down), MemorySocket(down, up)
