"""From which address a request comes, for limits."""

import ipaddress
from collections.abc import Sequence

from starlette.requests import HTTPConnection

from eloquence.errors import ConfigurationError

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Addresses:
    """Whom requests come from, behind these proxies (addresses, or networks as `10.0.0.0/8`).
    Raises ConfigurationError for what is neither."""

    def __init__(self, trusted_proxies: Sequence[str]) -> None:
        try:
            self._trusted = tuple(
                ipaddress.ip_network(one, strict=False) for one in trusted_proxies
            )
        except ValueError as error:
            raise ConfigurationError(
                f"Setting 'trusted_proxies': {error}.", mend="Give addresses, or networks."
            ) from error

    def of(self, connection: HTTPConnection) -> str:
        """The address that asks, the last one that is no proxy of ours; of IPv6 its network of 64
        bits, since that is what one household or one host is given. Empty when it is not known."""
        asking = _read(connection.client.host if connection.client else "")
        forwarded = ",".join(connection.headers.getlist("x-forwarded-for")).split(",")
        # Only what our own proxies have added is believed: each writes on the right.
        while asking is not None and self._trusts(asking) and forwarded:
            before = _read(forwarded.pop().strip())
            if before is None:
                break
            asking = before
        return _shown(asking)

    def _trusts(self, address: _Address) -> bool:
        return any(address in network for network in self._trusted)


def _read(text: str) -> _Address | None:
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _shown(address: _Address | None) -> str:
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, 64), strict=False))
    return "" if address is None else str(address)
