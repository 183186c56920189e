"""An application over real HTTP on a free port of this machine, in the test's own event loop."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from fastapi import FastAPI

from eloquence.server.connections import PromptProtocol


@asynccontextmanager
async def served(app: FastAPI) -> AsyncIterator[str]:
    """Serves the application; yields its address, as `http://127.0.0.1:port`."""
    started = asyncio.Event()

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            started.set()

    config = uvicorn.Config(
        app,
        port=0,
        log_config=None,
        http=PromptProtocol,
        ws="websockets-sansio",
        ws_max_size=1 << 20,
        timeout_graceful_shutdown=2,
    )
    server = Server(config)
    serving = asyncio.create_task(server.serve())
    starting = asyncio.create_task(started.wait())
    try:
        await asyncio.wait({serving, starting}, return_when=asyncio.FIRST_COMPLETED)
        assert server.started, "the application did not start"
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        starting.cancel()
        server.should_exit = True
        await serving
