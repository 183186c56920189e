"""Which settings are refused before anybody can come in (TOK-05, X-32)."""

import pytest

from eloquence.bootstrap import opened
from eloquence.bootstrap.exposure import check, is_loopback
from eloquence.config import Settings, load
from eloquence.errors import ConfigurationError
from eloquence.server.app import create_app

STRONG = "0123456789abcdef" * 2
SEEDS = "devsecret123456789abcdef0123456789abcdef"
HERE = "ws://127.0.0.1:7880"
THERE = "ws://livekit:7880"


def rooms(**given: object) -> Settings:
    known = {"livekit_url": HERE, "livekit_api_key": "key", "livekit_api_secret": STRONG}
    return load(**known | given)


def refused(settings: Settings) -> bool:
    try:
        check(settings)
    except ConfigurationError:
        return True
    return False


@pytest.mark.parametrize(
    ("key", "secret"),
    [
        ("devkey", STRONG),
        ("key", SEEDS),
        ("devkey", "secret"),
        ("key", "0123456789abcdef0123456789abcde"),
    ],
)
def test_a_secret_that_is_known_or_short_is_for_development_on_this_machine_alone(
    key: str, secret: str
) -> None:
    pair = {"livekit_api_key": key, "livekit_api_secret": secret}
    assert refused(rooms(**pair))
    assert not refused(rooms(**pair, development=True))
    assert refused(rooms(**pair, development=True, livekit_url=THERE))
    assert refused(rooms(**pair, development=True, host="0.0.0.0"))
    assert refused(rooms(**pair, development=True, livekit_public_url="wss://rtc.example.org"))


@pytest.mark.parametrize(("key", "secret"), [("", STRONG), ("key", ""), ("", "")])
def test_rooms_need_a_key_and_a_secret(key: str, secret: str) -> None:
    assert refused(rooms(livekit_api_key=key, livekit_api_secret=secret, development=True))


def test_development_never_reaches_further_than_this_machine() -> None:
    assert refused(rooms(development=True, host="192.0.2.1"))
    assert not refused(rooms(development=True, host="::1", livekit_url="ws://localhost:7880"))


def test_without_signing_in_rooms_are_for_this_machine_alone() -> None:
    assert not refused(rooms(sign_in=False))
    assert refused(rooms(sign_in=False, host="0.0.0.0"))
    assert refused(rooms(sign_in=False, livekit_url=THERE))


@pytest.mark.parametrize("given", [{"sign_in": False}, {"development": True}])
def test_a_page_that_a_proxy_opens_to_others_is_not_of_this_machine_alone(
    given: dict[str, object],
) -> None:
    assert refused(rooms(**given, public_url="https://coach.example.org"))
    assert not refused(rooms(**given, public_url="https://localhost"))


def test_people_who_sign_in_may_come_from_anywhere() -> None:
    assert not refused(rooms(host="0.0.0.0", livekit_url=THERE))


def test_one_machine_without_rooms_needs_no_secret() -> None:
    assert not refused(load())


async def test_both_the_server_and_a_worker_refuse_to_start() -> None:
    unsafe = rooms(livekit_api_key="devkey", livekit_api_secret=SEEDS)
    with pytest.raises(ConfigurationError) as told:
        create_app(unsafe)
    assert "openssl rand" in told.value.mend
    assert SEEDS not in str(told.value)
    with pytest.raises(ConfigurationError):
        async with opened(unsafe):
            pass


@pytest.mark.parametrize(
    ("host", "alone"),
    [
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("::1", True),
        ("localhost", True),
        ("localhost.example.org", False),
        ("0.0.0.0", False),
        ("192.168.1.2", False),
        ("livekit", False),
        ("", False),
    ],
)
def test_what_only_this_machine_reaches(host: str, alone: bool) -> None:
    assert is_loopback(host) is alone
