"""Whether settings are safe to serve with.

LiveKit's own development keys, and those that its examples print, are known to everybody: whoever
can reach the server could make themselves a token for any room. They are for one machine.
"""

import ipaddress
from urllib.parse import urlsplit

from eloquence.config import Settings
from eloquence.errors import ConfigurationError

LEAST_SECRET = 32
"""Bytes of the shortest secret that signs tokens: the length of what HMAC-SHA-256 makes of it."""
_KNOWN_KEYS = frozenset({"devkey"})
_KNOWN_SECRETS = ("devsecret",)
"""How those begin that are printed; LiveKit's own `secret` is too short in any case."""


def check(settings: Settings) -> None:
    """Raises ConfigurationError when conversations are to be held in rooms with a secret that is
    known or short, or for people who do not sign in, where others than this machine's can come."""
    if not settings.in_rooms:
        return
    if not (settings.livekit_api_key and settings.livekit_api_secret.get_secret_value()):
        raise ConfigurationError(
            "LIVEKIT_URL is given without LIVEKIT_API_KEY and LIVEKIT_API_SECRET.",
            mend="Give the pair that stands under `keys` in LiveKit's configuration.",
        )
    alone = all(is_loopback(place) for place in places(settings))
    if settings.development and not alone:
        raise ConfigurationError(
            "Development is for this machine alone, and these settings reach further.",
            mend="Let ELOQUENCE_HOST, LIVEKIT_URL and ELOQUENCE_PUBLIC_URL be of 127.0.0.1, or "
            "unset ELOQUENCE_DEVELOPMENT.",
        )
    if not settings.development and not _is_strong(settings):
        raise ConfigurationError(
            f"LIVEKIT_API_KEY and LIVEKIT_API_SECRET are known, or shorter than {LEAST_SECRET} "
            "bytes: anybody could enter any room.",
            mend="Make a secret with `openssl rand -hex 32`, give it to LiveKit as well; or set "
            "ELOQUENCE_DEVELOPMENT=true on a machine of your own.",
        )
    if not settings.accounts and not alone:
        raise ConfigurationError(
            "Without signing in, everybody who reaches this server is its operator.",
            mend="Unset ELOQUENCE_SIGN_IN, or let ELOQUENCE_HOST, LIVEKIT_URL and "
            "ELOQUENCE_PUBLIC_URL be of 127.0.0.1.",
        )


def is_loopback(host: str) -> bool:
    """Whether that name or address is this machine as only itself can reach it."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def places(settings: Settings) -> tuple[str, ...]:
    """Where people come in, and where LiveKit is."""
    # A proxy may bring others to a server that itself listens here alone.
    urls = (settings.livekit_url, settings.livekit_public_url, settings.public_url)
    return (settings.host, *((urlsplit(url).hostname or "") for url in urls if url))


def _is_strong(settings: Settings) -> bool:
    secret = settings.livekit_api_secret.get_secret_value()
    return (
        settings.livekit_api_key not in _KNOWN_KEYS
        and len(secret.encode()) >= LEAST_SECRET
        and not secret.lower().startswith(_KNOWN_SECRETS)
    )
