"""Taking a port."""

import asyncio
import socket

import pytest

from eloquence.cli._listening import listener


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_what_is_sent_does_not_wait_to_be_sent_with_more(host: str) -> None:
    waits = asyncio.get_running_loop().create_future()

    def connected(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted = writer.get_extra_info("socket")
        waits.set_result(not accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()

    listening = listener(host, 0, "eloquence serve")
    server = await asyncio.start_server(connected, sock=listening)
    async with server:
        _, writer = await asyncio.open_connection(*listening.getsockname()[:2])
        assert not await waits
        writer.close()
        await writer.wait_closed()
