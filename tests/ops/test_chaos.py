"""Services that fail on purpose, for all stages or one of them."""

import asyncio
import re
import sys
from collections.abc import AsyncIterator

import httpx2 as httpx
import pytest

from eloquence.ops.chaos import MODES, Services

CHAT = {"model": "m", "messages": [{"role": "user", "content": "Bonjour"}], "stream": False}


@pytest.fixture
async def services() -> AsyncIterator[Services]:
    async with Services() as services:
        yield services


@pytest.fixture
async def client(services: Services) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=services.url, timeout=60) as client:
        yield client


async def chat(client: httpx.AsyncClient) -> int:
    return (await client.post("/v1/chat/completions", json=CHAT)).status_code


async def speech(client: httpx.AsyncClient) -> int:
    return (await client.post("/v1/audio/speech", json={"input": "Bonjour"})).status_code


async def test_one_stage_fails_while_the_others_answer(
    services: Services, client: httpx.AsyncClient
) -> None:
    services.modes["llm"] = "500"
    assert (await chat(client), await speech(client)) == (500, 200)


async def test_modes_change_while_it_runs_over_http(
    services: Services, client: httpx.AsyncClient
) -> None:
    told = await client.put("/chaos", json={"tts": "401", "mode": "429"})
    assert told.json() == {"mode": "429", "modes": {"tts": "401"}, "known": list(MODES)}
    assert (await chat(client), await speech(client)) == (429, 401)
    assert (await client.get("/chaos")).json()["mode"] == "429"


@pytest.mark.parametrize("body", [b'{"llm": "worse"}', b'{"vad": "ok"}', b"[", b"[1]"])
async def test_a_mode_that_is_none_is_refused_and_changes_nothing(
    services: Services, client: httpx.AsyncClient, body: bytes
) -> None:
    assert (await client.put("/chaos", content=body)).status_code == 400
    assert (services.mode, services.modes) == ("ok", {})


async def test_a_share_of_the_requests_fails_and_the_same_ones_for_a_seed() -> None:
    async def answers() -> list[int]:
        async with (
            Services(mode="500", share=0.3, seed=7) as services,
            httpx.AsyncClient(base_url=services.url) as client,
        ):
            return [await chat(client) for _ in range(60)]

    first, second = await answers(), await answers()
    assert first == second
    assert 8 <= first.count(500) <= 28


async def test_an_answer_without_end_goes_on_until_the_client_leaves(
    services: Services, client: httpx.AsyncClient
) -> None:
    services.mode = "endless"
    words = len(services.reply.split())
    seen = 0
    async with client.stream("POST", "/v1/chat/completions", json=CHAT | {"stream": True}) as got:
        async for line in got.aiter_lines():
            seen += '"content"' in line
            if seen > 4 * words:
                break
    assert seen > 4 * words


async def test_a_refusal_says_when_to_come_back(
    services: Services, client: httpx.AsyncClient
) -> None:
    services.mode, services.retry_after = "429", "12"
    answer = await client.post("/v1/chat/completions", json=CHAT)
    assert answer.headers["retry-after"] == "12"


async def test_the_command_tells_how_to_point_the_product_at_it() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "from eloquence.cli import main; main()",
        "chaos", "ok", "--llm", "500", "--port", "0",
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        told = ""
        while "PUT" not in told:
            told += (await asyncio.wait_for(process.stdout.readline(), 60)).decode()
        found = re.search(r"OPENAI_BASE_URL=(\S+)/v1 ", told)
        assert found is not None
        async with httpx.AsyncClient(base_url=found[1], timeout=60) as client:
            assert (await chat(client), await speech(client)) == (500, 200)
    finally:
        process.terminate()
        await process.wait()
        process._transport.close()  # type: ignore[attr-defined]  # else its pipe is told of as open


async def test_a_mode_that_the_command_does_not_know_is_refused() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "from eloquence.cli import main; main()", "chaos", "worse",
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, error = await process.communicate()
    assert process.returncode == 2
    assert b"stall_mid" in error
