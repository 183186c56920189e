"""`eloquence service` as a program: it tells its address, serves, and ends when it is asked to."""

import asyncio
import json
import os
import signal
import sys

import httpx
from websockets.asyncio.client import connect

from eloquence.testing.services import Services

ELOQUENCE = (sys.executable, "-c", "from eloquence.cli import main; main()")


async def test_a_service_serves_requests_and_sockets_until_it_is_ended() -> None:
    """STT-01, STT-03: also with a socket that nobody has closed."""
    async with Services() as host:
        hearing = {"provider": "openai", "options": {"base_url": host.url}}
        process = await asyncio.create_subprocess_exec(
            *ELOQUENCE, "service", "stt", "--port", "0", "--at-once", "2",
            env={**os.environ, "ELOQUENCE_STT": json.dumps(hearing)},
            stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert process.stdout is not None
        async with asyncio.timeout(150):
            line = (await process.stdout.readline()).decode()
            address = "http://" + line.split("http://")[1].strip().rstrip("/")
            async with httpx.AsyncClient(base_url=address) as client:
                assert (await client.get("/live")).status_code == 200
                missing = await client.post("/transcribe")
                assert missing.status_code == 422
            async with connect(address.replace("http", "ws")) as socket:
                await socket.send(json.dumps({"config": {"sample_rate": 8_000}}))
                await socket.send(bytes(3_200))
                assert json.loads(await socket.recv()) == {"partial": ""}
                process.send_signal(signal.SIGTERM)
                assert await process.wait() in (0, -signal.SIGTERM)
