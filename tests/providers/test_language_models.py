"""Mistral, Cohere and Anthropic, each with its real client, against a server on this machine that
speaks its protocol, well or badly; and how they and OpenAI's fail."""

import asyncio
import json
import logging
import threading
from typing import Any

import pytest
from livekit.agents import APIConnectionError, APIError, APIStatusError, APITimeoutError
from livekit.agents.llm import LLM, ChatContext

from eloquence import registry
from eloquence.conversation.fallback.history import too_long
from eloquence.conversation.faults import cause_of, retry_after
from eloquence.conversation.stages import Resources
from eloquence.errors import ConfigurationError, EloquenceError, LanguageModelError
from eloquence.providers import anthropic, cohere, mistral, openai
from eloquence.providers._hosts import SCALEWAY
from eloquence.providers.anthropic import ANTHROPIC
from eloquence.providers.cohere import COHERE
from eloquence.providers.mistral import MISTRAL
from eloquence.registry import Provider
from eloquence.testing.asking import ONCE, answer, told
from eloquence.testing.context import stage_context
from eloquence.testing.deadlines import IN_TIME, deadlines
from eloquence.testing.services import Mode, Services

VENDORS = (mistral.llm, cohere.llm, anthropic.llm)


def model(
    vendor: Provider, services: Services, resources: Resources, **given: object
) -> "LLM[Any]":
    options = vendor.parse({"base_url": services.url, **deadlines(services.mode), **given}, {})
    made: LLM[Any] = vendor.create(options, stage_context(resources=resources))
    return made


@pytest.mark.parametrize("vendor", [openai.llm, *VENDORS], ids=lambda vendor: vendor.name)
@pytest.mark.parametrize(
    ("mode", "kind", "why"),
    [
        ("500", APIStatusError, "internal"),
        ("429", APIStatusError, "rate_limit"),
        ("401", APIStatusError, "authentication"),
        ("hang", APITimeoutError, "timeout"),
        ("headers_then_hang", APITimeoutError, "timeout"),
        ("stall_mid", APITimeoutError, "timeout"),
        ("slow", APITimeoutError, "timeout"),
        ("close_mid", APIConnectionError, "unreachable"),
        ("empty", APIError, "bad_answer"),
        ("badjson", APIError, None),
        ("garbage", APIError, None),
        ("html", APIError, None),
    ],
)
async def test_a_vendor_that_fails_is_an_error_within_its_deadline_and_tells_its_cause(
    services: Services,
    resources: Resources,
    vendor: Provider,
    mode: Mode,
    kind: type[APIError],
    why: str | None,
) -> None:
    """L01-L08, RES-03: never silence without an error, never longer than the deadlines."""
    services.mode = mode
    services.retry_after = "7" if mode == "429" else ""
    asked = model(vendor, services, resources)
    errors: list[object] = []
    asked.on("error", errors.append)
    async with asyncio.timeout(IN_TIME):
        with pytest.raises(kind) as caught:
            await answer(asked)
    assert why is None or cause_of(caught.value) == why
    assert retry_after(caught.value) == (7.0 if mode == "429" else None)
    assert len(errors) == 1
    assert len(services.asked) == 1, "no hammering"


@pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.name)
async def test_conversations_of_a_process_share_one_client(
    services: Services, resources: Resources, vendor: Provider
) -> None:
    one, two = (model(vendor, services, resources) for _ in range(2))
    before = len(resources._closers)
    assert set(await asyncio.gather(answer(one), answer(two))) == {services.reply}
    assert len(resources._closers) == before == 1


@pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.name)
@pytest.mark.parametrize(("mode", "ready"), [("ok", True), ("401", False), ("500", False)])
async def test_the_probe_asks_the_vendor_itself(
    services: Services, vendor: Provider, mode: Mode, ready: bool
) -> None:
    services.mode = mode
    assert vendor.probe is not None
    found = await vendor.probe(vendor.parse({"base_url": services.url}, {}), "fr")
    assert found.ready is ready
    assert found.mend or ready
    assert len(services.asked) == 1


@pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.name)
async def test_a_vendor_that_is_not_there_is_told_by_the_probe(vendor: Provider) -> None:
    assert vendor.probe is not None
    found = await vendor.probe(vendor.parse({"base_url": "http://127.0.0.1:9"}, {}), "fr")
    assert not found.ready
    assert "could not be reached" in found.detail


@pytest.mark.parametrize(
    ("vendor", "variable"),
    [
        (mistral.llm, "MISTRAL_API_KEY"),
        (cohere.llm, "COHERE_API_KEY"),
        (anthropic.llm, "ANTHROPIC_API_KEY"),
    ],
    ids=lambda given: getattr(given, "name", ""),
)
def test_a_missing_key_is_told_with_its_variable(
    resources: Resources, vendor: Provider, variable: str
) -> None:
    """PRV-08, LLM-07"""
    options = vendor.parse({}, {})
    found = vendor.check(options, "fr")
    assert not found.ready
    assert found.mend == f"Set {variable}."
    assert found.leaves_machine
    with pytest.raises(LanguageModelError, match=variable) as caught:
        vendor.create(options, stage_context(resources=resources))
    assert caught.value.cause == "authentication"
    secret = vendor.parse({}, {variable: "hush"})
    assert vendor.check(secret, "fr").ready
    assert "hush" not in repr(secret)


@pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.name)
def test_the_model_of_the_seeds_variable_is_the_one_that_is_asked(vendor: Provider) -> None:
    """LLM-10, CFG-05"""
    named = vendor.parse({}, {"LLM_MODEL": "some-model"})
    assert vendor.parse({"model": "own"}, {"LLM_MODEL": "some-model"}) != named
    assert named.chosen_model() == "some-model"  # type: ignore[attr-defined]
    assert vendor.parse({}, {}).chosen_model()  # type: ignore[attr-defined]


@pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.name)
def test_an_address_that_is_none_is_refused(resources: Resources, vendor: Provider) -> None:
    options = vendor.parse({"base_url": "localhost:8001"}, {})
    assert not vendor.check(options, "fr").ready
    with pytest.raises(EloquenceError):
        vendor.create(options, stage_context(resources=resources))


class Quoting:
    """A host that begins to answer, or refuses at once, with an error that quotes what was said."""

    def __init__(self, head: bytes, body: bytes) -> None:
        self.answer = b"HTTP/1.1 " + head + b"\r\nConnection: close\r\n\r\n" + body
        self.server: asyncio.Server | None = None

    async def __aenter__(self) -> str:
        self.server = await asyncio.start_server(self._converse, "127.0.0.1", 0)
        return f"http://127.0.0.1:{self.server.sockets[0].getsockname()[1]}"

    async def __aexit__(self, *_: object) -> None:
        assert self.server is not None
        self.server.close()
        await self.server.wait_closed()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(self.answer)
        await writer.drain()
        writer.close()


@pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.name)
async def test_what_a_host_quotes_of_the_conversation_is_nowhere_to_be_read(
    resources: Resources, vendor: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    body = b'{"type": "error", "error": {"type": "x", "message": "un canari jaune"}}'
    kind = b"400 Bad Request\r\nContent-Type: application/json"
    with caplog.at_level(logging.DEBUG):
        async with Quoting(kind, body) as url:
            options = vendor.parse({"base_url": url}, {})
            asked = vendor.create(options, stage_context(resources=resources))
            with pytest.raises(APIStatusError) as caught:
                await answer(asked)
    assert cause_of(caught.value) == "bad_request"
    assert "canari" not in told(caught.value, caplog.records)


@pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.name)
async def test_that_a_conversation_is_too_long_for_a_model_is_known(
    resources: Resources, vendor: Provider
) -> None:
    body = b'{"error": {"message": "prompt is too long: 9000 tokens, canari"}}'
    async with Quoting(b"400 Bad Request\r\nContent-Type: application/json", body) as url:
        options = vendor.parse({"base_url": url}, {})
        asked = vendor.create(options, stage_context(resources=resources))
        with pytest.raises(APIStatusError) as caught:
            await answer(asked)
    assert too_long(caught.value)
    assert "canari" not in repr(caught.value)


async def test_a_vendor_that_is_overloaded_in_the_middle_of_an_answer_is_told(
    resources: Resources, caplog: pytest.LogCaptureFixture
) -> None:
    """Anthropic sends an event of its own then, under a status that was 200."""
    started: dict[str, Any] = {
        "id": "m", "type": "message", "role": "assistant", "content": [], "model": "x",
        "stop_reason": None, "usage": {"input_tokens": 1, "output_tokens": 1},
    }  # fmt: skip
    events: list[tuple[str, dict[str, Any]]] = [
        ("message_start", {"message": started}),
        ("content_block_delta", {"index": 0, "delta": {"type": "text_delta", "text": "Bon"}}),
        ("error", {"error": {"type": "overloaded_error", "message": "un canari jaune"}}),
    ]
    body = "".join(
        f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n"
        for kind, fields in events
    )
    with caplog.at_level(logging.DEBUG):
        async with Quoting(b"200 OK\r\nContent-Type: text/event-stream", body.encode()) as url:
            options = anthropic.llm.parse({"base_url": url}, {})
            asked = anthropic.llm.create(options, stage_context(resources=resources))
            with pytest.raises(APIError) as caught:
                await answer(asked)
    assert cause_of(caught.value) in {"internal", "unreachable"}, "somebody else may be asked"
    assert "canari" not in told(caught.value, caplog.records)


# --- Mistral


def asked_host(**environment: str) -> tuple[str, str | None]:
    options = mistral.llm.parse({}, environment)
    assert isinstance(options, mistral.Options)
    found = options.host()
    return found.url, found.key.get_secret_value() if found.key else None


def test_a_key_only_goes_to_the_host_that_it_was_made_for() -> None:
    """LLM-02, LLM-09, CFG-01"""
    assert asked_host(MISTRAL_API_KEY="m") == (MISTRAL, "m")
    assert asked_host(SCALEWAY_SECRET_KEY="scw") == (SCALEWAY, "scw")
    assert asked_host(SCALEWAY_SECRET_KEY="scw", MISTRAL_API_KEY="scw") == (SCALEWAY, "scw")
    assert asked_host(SCALEWAY_SECRET_KEY="scw", MISTRAL_BASE_URL=MISTRAL) == (MISTRAL, None)
    assert asked_host(MISTRAL_API_KEY="m", MISTRAL_BASE_URL="http://mistral-conversation:8001") == (
        "http://mistral-conversation:8001/v1",
        "m",
    )


@pytest.mark.parametrize(
    ("environment", "model"),
    [
        ({"MISTRAL_API_KEY": "m"}, "mistral-small-latest"),
        ({"SCALEWAY_SECRET_KEY": "scw"}, "mistral-nemo-instruct-2407"),
        ({"MISTRAL_BASE_URL": "http://mistral:8001"}, "mistral-nemo-instruct-2407"),
    ],
)
def test_each_host_of_mistral_has_its_fast_model(environment: dict[str, str], model: str) -> None:
    options = mistral.llm.parse({}, environment)
    assert isinstance(options, mistral.Options)
    assert options.chosen_model() == model


async def test_a_host_of_ones_own_is_asked_in_the_shape_of_the_seeds(
    services: Services, resources: Resources
) -> None:
    """LLM-03, X-06"""
    asked = model(mistral.llm, services, resources, base_url=f"{services.url}/v1/chat/completions")
    assert await answer(asked) == services.reply
    body = services.asked[0].json()
    assert services.asked[0].path == "/v1/chat/completions"
    assert body["model"] == "mistral-nemo-instruct-2407"
    assert (body["temperature"], body["max_tokens"]) == (0.7, 150)


# --- Cohere


async def test_cohere_is_asked_for_nothing_that_it_refuses(
    services: Services, resources: Resources
) -> None:
    """Its OpenAI-compatible API answers 400 to a field that it does not know."""
    services.unknown = frozenset({"stream_options", "max_completion_tokens"})
    asked = model(cohere.llm, services, resources)
    assert await answer(asked) == services.reply
    body = services.asked[0].json()
    assert (body["model"], body["max_tokens"]) == ("command-a-03-2025", 150)


def test_mistral_itself_is_asked_for_nothing_that_it_refuses() -> None:
    options = mistral.llm.parse({"api_key": "m"}, {})
    assert isinstance(options, mistral.Options)
    assert "stream_options" in options.host().refuses


def test_coheres_own_address_is_the_default() -> None:
    options = cohere.llm.parse({}, {"CO_API_KEY": "co"})
    assert isinstance(options, cohere.Options)
    assert options.host().url == COHERE
    assert cohere.llm.check(options, "fr").leaves_machine == "api.cohere.ai"


# --- Anthropic


async def test_anthropic_is_asked_in_its_own_shape_and_caches_nothing(
    services: Services, resources: Resources
) -> None:
    asked = model(anthropic.llm, services, resources, max_tokens=99)
    assert await answer(asked) == services.reply
    request = services.asked[0]
    assert request.path == "/v1/messages"
    body = request.json()
    assert body["model"] == "claude-sonnet-4-6"
    assert body["max_tokens"] == 99
    assert body["system"] == [{"text": "Tu es Marie, coach en communication.", "type": "text"}]
    assert body["messages"] == [{"role": "user", "content": [{"text": "Bonjour", "type": "text"}]}]
    assert "temperature" not in body
    assert b"cache_control" not in request.body


async def test_a_temperature_is_sent_to_anthropic_when_it_is_given(
    services: Services, resources: Resources
) -> None:
    await answer(model(anthropic.llm, services, resources, temperature=0.3))
    assert services.asked[0].json()["temperature"] == 0.3
    with pytest.raises(ConfigurationError, match="temperature"):
        anthropic.llm.parse({"temperature": 1.5}, {})


async def test_what_anthropic_had_said_before_it_stopped_has_been_passed_on(
    services: Services, resources: Resources
) -> None:
    """L03: the next provider completes it."""
    services.mode = "stall_mid"
    said = ""
    asked = model(anthropic.llm, services, resources)

    async def heard() -> None:
        nonlocal said
        async with asked.chat(chat_ctx=ChatContext.empty(), conn_options=ONCE) as stream:
            async for chunk in stream:
                said += (chunk.delta.content or "") if chunk.delta else ""

    with pytest.raises(APITimeoutError) as caught:
        await heard()
    assert said.strip()
    assert services.reply.startswith(said)
    assert not caught.value.retryable


async def test_a_provider_of_a_plugin_can_be_made_in_any_thread(
    services: Services, resources: Resources
) -> None:
    """Providers are chosen and made off the event loop."""
    options = anthropic.llm.parse({"base_url": services.url}, {})
    made: list[LLM[Any]] = []
    thread = threading.Thread(
        target=lambda: made.append(
            anthropic.llm.create(options, stage_context(resources=resources))
        )
    )
    thread.start()
    await asyncio.to_thread(thread.join)
    assert await answer(made[0]) == services.reply
    assert anthropic.Options().base_url == ANTHROPIC


def test_every_name_of_the_seeds_is_registered() -> None:
    """LLM-10, X-07"""
    assert {"openai", "anthropic", "cohere", "mistral"} <= set(registry.names("llm"))
