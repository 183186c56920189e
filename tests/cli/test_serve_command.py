"""`eloquence serve`: a busy port, and a process that dies in the middle of a conversation."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from websockets.asyncio.client import connect

from eloquence import protocol
from eloquence.storage.sessions import open_store

SERVE = [sys.executable, "-c", "from eloquence.cli import main; main()", "serve"]


def test_a_busy_port_is_named_with_another_to_try() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = subprocess.run(
            [*SERVE, "--port", str(port)], capture_output=True, text=True, timeout=150, check=False
        )
    assert done.returncode == 2
    assert f"127.0.0.1:{port}" in done.stderr
    assert f"--port {port + 1}" in done.stderr
    assert "Traceback" not in done.stderr


async def test_a_process_killed_in_a_conversation_loses_no_acknowledged_turn(
    own_home: Path,
) -> None:
    """SES-04, TC-29: kill -9, then the next start ends the session with a reason."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = await asyncio.create_subprocess_exec(
        *SERVE, "--port", str(port), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert server.stdout is not None
    try:
        async with asyncio.timeout(150):
            assert str(port).encode() in await server.stdout.readline()
            session, acknowledged = await _killed_in_the_middle(port, server.pid)
    finally:
        if server.returncode is None:
            server.kill()
        await server.communicate()
    database = f"sqlite:///{own_home / 'eloquence.db'}"
    async with open_store(database, own_home / "recordings") as store:
        stored = await store.get(session)
    assert [turn.index for turn in stored.turns][: len(acknowledged)] == acknowledged
    assert stored.end is not None
    assert (stored.end.status, stored.end.reason) == ("interrupted", "process_died")


async def _killed_in_the_middle(port: int, pid: int) -> tuple[str, list[int]]:
    origin = f"http://localhost:{port}"
    session = ""
    acknowledged: list[int] = []
    async with connect(f"ws://localhost:{port}/api/v1/talk", origin=origin) as line:  # type: ignore[arg-type]
        await line.send(protocol.Hello(exercise="conversation_libre_marie").model_dump_json())
        while len(acknowledged) < 2:
            data = await line.recv()
            if isinstance(data, bytes):
                continue
            match protocol.parse_server(data):
                case protocol.Ready(session=opened):
                    session = opened
                case protocol.SegmentEnd(segment=segment, duration=duration):
                    ended = protocol.PlaybackEnded(segment=segment, position=duration)
                    await line.send(ended.model_dump_json())
                case protocol.TurnStored(index=index):
                    acknowledged.append(index)
                    if len(acknowledged) == 1:
                        said = protocol.Say(text="Je voudrais parler de mon travail.")
                        await line.send(said.model_dump_json())
                case _:
                    pass
        os.kill(pid, signal.SIGKILL)
    return session, acknowledged


@pytest.mark.parametrize("wrong", ["ELOQUENCE_PORT=abc", "ELOQUENCE_NOTHING=1"])
def test_a_wrong_setting_is_named_without_a_traceback(wrong: str) -> None:
    name, value = wrong.split("=")
    done = subprocess.run(
        SERVE,
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
        env={**os.environ, name: value, "ELOQUENCE_LANGUAGE": "xx"},
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
