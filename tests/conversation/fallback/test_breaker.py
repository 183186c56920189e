"""A provider that keeps failing is left alone, and tried again with care (RES-02)."""

import asyncio

import httpx2 as httpx
import openai
import pytest
from livekit.agents import APIConnectionError, APIError, APIStatusError, APITimeoutError

from eloquence.conversation.fallback.breaker import Breaker
from eloquence.conversation.faults import cause_of, retry_after
from eloquence.errors import Cause, LanguageModelError
from eloquence.testing import clock


def test_five_failures_in_a_row_open_it_for_180_seconds() -> None:
    async def states() -> list[str]:
        breaker = Breaker()
        seen = []
        for _ in range(5):
            seen.append(breaker.state)
            breaker.failed("internal")
        seen.append(breaker.state)
        await asyncio.sleep(179.9)
        seen.append(breaker.state)
        await asyncio.sleep(0.2)
        return [*seen, breaker.state]

    assert clock.run(states()) == ["closed"] * 5 + ["open", "open", "half_open"]


def test_a_success_between_failures_counts_them_anew() -> None:
    breaker = Breaker()
    for _ in range(3):
        for _ in range(4):
            breaker.failed("timeout")
        breaker.succeeded()
    assert breaker.state == "closed"
    assert breaker.cause is None


def test_three_calls_try_a_provider_that_was_left_alone() -> None:
    async def admitted() -> list[bool]:
        breaker = Breaker(recovery=1.0)
        for _ in range(5):
            breaker.failed("internal")
        refused = breaker.admits()
        await asyncio.sleep(1.1)
        return [refused, *(breaker.admits() for _ in range(4))]

    assert clock.run(admitted()) == [False, True, True, True, False]


@pytest.mark.parametrize("well", [True, False])
def test_the_first_trial_that_ends_decides(well: bool) -> None:
    async def state() -> str:
        breaker = Breaker(recovery=1.0)
        for _ in range(5):
            breaker.failed("internal")
        await asyncio.sleep(1.1)
        assert breaker.admits()
        if well:
            breaker.succeeded()
        else:
            breaker.failed("internal")
        return breaker.state

    assert clock.run(state()) == ("closed" if well else "open")


def test_a_trial_that_is_given_up_leaves_its_place_to_another() -> None:
    async def admitted() -> bool:
        breaker = Breaker(recovery=1.0, trials=1)
        for _ in range(5):
            breaker.failed("internal")
        await asyncio.sleep(1.1)
        assert breaker.admits()
        breaker.given_up()
        return breaker.admits()

    assert clock.run(admitted())


def test_a_refused_key_opens_it_at_once() -> None:
    breaker = Breaker()
    breaker.failed("authentication")
    assert not breaker.admits()


def test_requests_that_were_refused_for_what_they_held_close_it_to_nobody() -> None:
    breaker = Breaker()
    for _ in range(20):
        breaker.failed("bad_request")
    assert breaker.admits()
    assert breaker.cause == "bad_request"


def test_a_vendor_is_left_alone_for_as_long_as_it_asks() -> None:
    async def admitted() -> tuple[bool, bool]:
        breaker = Breaker()
        breaker.failed("rate_limit", after=7.0)
        await asyncio.sleep(6.9)
        before = breaker.admits()
        await asyncio.sleep(0.2)
        return before, breaker.admits()

    assert clock.run(admitted()) == (False, True)


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (APIStatusError("no", status_code=401), "authentication"),
        (APIStatusError("no", status_code=429), "rate_limit"),
        (APIStatusError("no", status_code=408), "timeout"),
        (APIStatusError("no", status_code=422), "bad_request"),
        (APIStatusError("no", status_code=503), "internal"),
        (APIStatusError("no", status_code=-1), "unreachable"),
        (APITimeoutError(), "timeout"),
        (APIConnectionError(), "unreachable"),
        (APIError("empty"), "bad_answer"),
        (KeyError("?"), "internal"),
        (LanguageModelError("no", cause="rate_limit"), "rate_limit"),
    ],
)
def test_every_error_has_a_cause(error: Exception, cause: Cause) -> None:
    assert cause_of(error) == cause


def test_the_cause_is_found_behind_what_the_engine_made_of_it() -> None:
    outer = APIConnectionError("failed after all tries")
    outer.__cause__ = APIStatusError("no", status_code=401)
    assert cause_of(outer) == "authentication"


def test_what_a_vendor_asks_for_is_found_in_the_answer_behind_the_error() -> None:
    request = httpx.Request("POST", "http://localhost/v1/chat/completions")
    response = httpx.Response(429, headers={"Retry-After": "12"}, request=request)
    vendor = openai.RateLimitError("slow down", response=response, body=None)
    outer = APIStatusError("slow down", status_code=429)
    outer.__context__ = vendor
    assert retry_after(outer) == 12
    assert retry_after(LanguageModelError("no", cause="rate_limit", after=3.0)) == 3
    assert retry_after(APIStatusError("slow down", status_code=429)) is None
