"""From which address a request comes: never from where the client merely says."""

import pytest
from starlette.requests import HTTPConnection

from eloquence.errors import ConfigurationError
from eloquence.server.addresses import Addresses


def asked(peer: str | None, *forwarded: str) -> HTTPConnection:
    headers = [(b"x-forwarded-for", one.encode()) for one in forwarded]
    client = None if peer is None else (peer, 1234)
    return HTTPConnection({"type": "http", "headers": headers, "client": client})


def test_a_header_that_no_proxy_of_ours_wrote_is_not_believed() -> None:
    assert Addresses(()).of(asked("203.0.113.5", "198.51.100.1")) == "203.0.113.5"
    assert Addresses(("10.0.0.1",)).of(asked("203.0.113.5", "198.51.100.1")) == "203.0.113.5"


def test_behind_our_proxies_it_is_the_last_address_that_is_none_of_them() -> None:
    addresses = Addresses(("10.0.0.0/8", "192.0.2.7"))
    assert addresses.of(asked("10.0.0.1", "198.51.100.1")) == "198.51.100.1"
    # The client wrote the first one itself; each proxy added the one that it saw.
    assert addresses.of(asked("10.0.0.1", "1.2.3.4, 198.51.100.1, 10.9.9.9")) == "198.51.100.1"
    assert addresses.of(asked("192.0.2.7", "1.2.3.4", "198.51.100.1")) == "198.51.100.1"


def test_what_is_no_address_ends_the_search() -> None:
    addresses = Addresses(("10.0.0.0/8",))
    assert addresses.of(asked("10.0.0.1", "198.51.100.1, unknown")) == "10.0.0.1"
    assert addresses.of(asked("10.0.0.1")) == "10.0.0.1"
    assert addresses.of(asked(None, "198.51.100.1")) == ""
    assert addresses.of(asked("testclient")) == ""


def test_of_version_6_it_is_the_network_of_one_household() -> None:
    addresses = Addresses(("::1",))
    assert addresses.of(asked("2001:db8:1:2:3::9")) == "2001:db8:1:2::/64"
    assert addresses.of(asked("::1", "2001:db8:1:2:ffff::1")) == "2001:db8:1:2::/64"
    assert addresses.of(asked("::ffff:203.0.113.5")) == "203.0.113.5"


def test_a_proxy_that_is_no_address_is_refused_at_the_start() -> None:
    with pytest.raises(ConfigurationError, match="trusted_proxies"):
        Addresses(("proxy.example",))
