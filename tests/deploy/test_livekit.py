"""The real LiveKit server with the files that are deployed (D-16)."""

import asyncio
import os
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from livekit import api, rtc
from tests.deploy.deployment import DEPLOY, tool

from eloquence.testing.parts import free_port, own_address

KEY, SECRET = "APItest", "0123456789abcdef0123456789abcdef"
FORMER, FORMER_SECRET = "APIold", "an-old-secret-of-32-characters-xx"
DEV_KEY, DEV_SECRET = "devkey", "devsecret123456789abcdef0123456789abcdef"


@contextmanager
def server(config: Path, folder: Path, environment: Mapping[str, str]) -> Iterator[int]:
    """The server with that file, on free ports; gives its port once its root answers (LK-16)."""
    environment = {**ports(), **environment}
    port = int(environment["LIVEKIT_PORT"])
    log = folder / "livekit.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [tool("livekit-server"), "--config", str(config), "--bind", "127.0.0.1"],
            env={"PATH": os.environ["PATH"], **environment},
            stdout=out,
            stderr=out,
        )
    try:
        deadline = time.monotonic() + 20
        while process.poll() is None and time.monotonic() < deadline:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=1) as reply:
                    if reply.status == 200:
                        break
            except (urllib.error.URLError, OSError):
                time.sleep(0.05)
        else:
            pytest.fail(log.read_text()[-2000:])
        yield port
    finally:
        process.kill()
        process.wait()


def ports() -> dict[str, str]:
    """Free ports, in the variables that the server reads."""
    udp = str(free_port(datagrams=True))
    return {
        "LIVEKIT_PORT": str(free_port()),
        "LIVEKIT_RTC_TCP_PORT": str(free_port()),
        "LIVEKIT_RTC_UDP_PORT_START": udp,
        "LIVEKIT_RTC_UDP_PORT_END": udp,
    }


def deployed(**more: str) -> dict[str, str]:
    """The environment that the Compose file gives the server."""
    return {
        "LIVEKIT_KEYS": f'{{"{KEY}": "{SECRET}", "{FORMER}": "{FORMER_SECRET}"}}',
        "LIVEKIT_WEBHOOK_API_KEY": KEY,
        "NODE_IP": own_address(),
        **more,
    }


def token(room: str, identity: str, key: str = KEY, secret: str = SECRET) -> str:
    grants = api.VideoGrants(room_join=True, room=room)
    return api.AccessToken(key, secret).with_identity(identity).with_grants(grants).to_jwt()


async def test_the_deployed_file_is_taken_and_limits_rooms(tmp_path: Path) -> None:
    """D-16, LK-09, LK-11, C-19: keys come from the environment, and nothing in it is unknown."""
    with server(DEPLOY / "livekit.yaml", tmp_path, deployed()) as port:
        async with api.LiveKitAPI(f"ws://127.0.0.1:{port}", KEY, SECRET) as livekit:
            room = await livekit.room.create_room(api.CreateRoomRequest(name="a-room"))
        assert room.max_participants == 10
        assert room.empty_timeout == 300
        assert room.departure_timeout == 300
        assert {codec.mime.lower() for codec in room.enabled_codecs} == {"audio/opus", "audio/red"}


async def test_while_keys_are_exchanged_the_former_one_still_counts(tmp_path: Path) -> None:
    """B-19; a key that was taken away does not count."""
    with server(DEPLOY / "livekit.yaml", tmp_path, deployed()) as port:
        async with api.LiveKitAPI(f"ws://127.0.0.1:{port}", FORMER, FORMER_SECRET) as former:
            await former.room.list_rooms(api.ListRoomsRequest())
    now = deployed(LIVEKIT_KEYS=f'{{"{KEY}": "{SECRET}"}}')
    with server(DEPLOY / "livekit.yaml", tmp_path, now) as port:
        async with api.LiveKitAPI(f"ws://127.0.0.1:{port}", FORMER, FORMER_SECRET) as former:
            with pytest.raises(api.TwirpError) as refused:
                await former.room.list_rooms(api.ListRoomsRequest())
    assert refused.value.status == 401


async def test_in_development_two_people_hear_of_each_other_on_this_machine_alone(
    tmp_path: Path,
) -> None:
    """TOK-05: with the well-known keys the server listens on the loopback address only."""
    with server(DEPLOY / "livekit.dev.yaml", tmp_path, {}) as port:
        url = f"ws://127.0.0.1:{port}"
        first, second = rtc.Room(), rtc.Room()
        heard: asyncio.Queue[bytes] = asyncio.Queue()
        met = asyncio.Event()
        first.on("participant_connected", lambda _: met.set())
        second.on("data_received", lambda packet: heard.put_nowait(packet.data))
        met = asyncio.Event()
        first.on("participant_connected", lambda _: met.set())
        try:
            await first.connect(url, token("a-room", "first", DEV_KEY, DEV_SECRET))
            await second.connect(url, token("a-room", "second", DEV_KEY, DEV_SECRET))
            async with asyncio.timeout(20):
                await met.wait()
                await first.local_participant.publish_data(b"hello", reliable=True)
                assert await heard.get() == b"hello"
        finally:
            await first.disconnect()
            await second.disconnect()


async def test_people_find_their_room_again_after_the_server_was_away(tmp_path: Path) -> None:
    """B-06, C-08: the room is made again for those who hold a token for it, with the same limits,
    without Redis."""
    config, fixed = DEPLOY / "livekit.yaml", deployed(**ports())
    url, room = f"ws://127.0.0.1:{fixed['LIVEKIT_PORT']}", rtc.Room()
    back = asyncio.Event()
    room.on("reconnected", back.set)
    with server(config, tmp_path, fixed):
        async with api.LiveKitAPI(url, KEY, SECRET) as livekit:
            await livekit.room.create_room(api.CreateRoomRequest(name="a-room"))
        await room.connect(url, token("a-room", "learner"))
    try:
        with server(config, tmp_path, fixed):
            async with asyncio.timeout(20):
                await back.wait()
            async with api.LiveKitAPI(url, KEY, SECRET) as livekit:
                there = await livekit.room.list_rooms(api.ListRoomsRequest())
            assert [(one.name, one.departure_timeout) for one in there.rooms] == [("a-room", 300)]
    finally:
        await room.disconnect()
