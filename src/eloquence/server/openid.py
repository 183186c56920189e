"""An OpenID Connect provider, asked who somebody is: the authorization code flow with PKCE.

    asked = await openid.ask(redirect_uri)             # the browser is sent to asked.url
    person = await openid.person(asked, code, redirect_uri)

OpenID Connect Core 1.0 (3.1), Discovery 1.0, RFC 7636 (PKCE, S256), RFC 9207 (`iss` in the answer).
An ID token is believed when it is signed with RS256, ES256 or EdDSA by a key that the provider
publishes, and issuer, audience, expiry and nonce are right. Nothing of what the provider answers is
logged or told: it may hold a token.
"""

import asyncio
import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import httpx2 as httpx
import jwt

from eloquence.config import Settings
from eloquence.errors import ConfigurationError, SignInError, SignInFault
from eloquence.storage.accounts import ROLES, Role

ALGORITHMS = ("RS256", "ES256", "EdDSA")
"""How an ID token may be signed; never by nothing, nor by a secret that both know."""
LEEWAY = 30.0
"""Seconds by which the provider's clock may differ."""
KEPT = 3600.0
"""Seconds for which what the provider says of itself is kept."""
RENEWED = 30.0
"""Seconds before its keys are asked for again because of one that is not known."""
AWAY = 2.0
"""Seconds for which one that did not answer is left alone: who waited meanwhile waits no longer."""
ANSWER_SECONDS = 10.0
MOST_BYTES = 256 * 1024
"""Bytes of one answer."""
MOST_NAME = 200
"""Characters of a person's name that are kept."""
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True, slots=True)
class Asked:
    """A sign-in that was begun. `url` is where the browser goes; the rest is kept for the answer
    and told to nobody else."""

    url: str
    state: str
    nonce: str
    verifier: str


@dataclass(frozen=True, slots=True)
class Person:
    """Whom the provider vouches for. `issuer` and `subject` together are theirs for ever."""

    issuer: str
    subject: str
    name: str
    role: Role


class OpenId:
    """The provider of these settings. Raises SignInError when it cannot be reached or cannot be
    believed."""

    def __init__(self, settings: Settings, now: Callable[[], float] = time.monotonic) -> None:
        if not settings.oidc_issuer or not settings.oidc_client_id:
            raise ConfigurationError(
                "No OpenID Connect provider is set.",
                mend="Set ELOQUENCE_OIDC_ISSUER and ELOQUENCE_OIDC_CLIENT_ID.",
            )
        if not _protected(settings.oidc_issuer):
            raise ConfigurationError(
                "The OpenID Connect provider is not reached by https.",
                mend="Give an ELOQUENCE_OIDC_ISSUER that begins with https://.",
            )
        self._issuer = settings.oidc_issuer
        self._client = settings.oidc_client_id
        self._secret = settings.oidc_client_secret.get_secret_value()
        self._roles_claim = settings.oidc_roles_claim
        self._now = now
        self._asking = asyncio.Lock()
        self._asking_keys = asyncio.Lock()
        self._told: Mapping[str, Any] = {}
        self._told_at = -KEPT
        self._away_at = -AWAY
        self._keys: tuple[jwt.PyJWK, ...] = ()
        self._keys_at = -KEPT

    async def ask(self, redirect_uri: str) -> Asked:
        """Begins a sign-in whose answer comes to that address."""
        told = await self._provider()
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        challenge = hashlib.sha256(verifier.encode()).digest()
        asked = {
            "response_type": "code",
            "client_id": self._client,
            "redirect_uri": redirect_uri,
            "scope": "openid profile",
            "state": state,
            "nonce": nonce,
            "code_challenge": base64.urlsafe_b64encode(challenge).decode().rstrip("="),
            "code_challenge_method": "S256",
        }
        place = _address(told, "authorization_endpoint")
        joined = "&" if urlsplit(place).query else "?"
        return Asked(f"{place}{joined}{urlencode(asked)}", state, nonce, verifier)

    async def check_issuer(self, issuer: str) -> None:
        """Raises SignInError when an answer names another provider than this one, or none where
        this one names itself."""
        told = await self._provider()
        named = issuer or told.get("authorization_response_iss_parameter_supported")
        if named and issuer != told["issuer"]:
            raise _failed("The answer is of another provider.")

    async def person(self, asked: Asked, code: str, redirect_uri: str) -> Person:
        """Who the code of an answer is of."""
        told = await self._provider()
        tokens = await self._tokens(told, asked, code, redirect_uri)
        claims = await self._claims(told, str(tokens.get("id_token", "")), asked.nonce)
        subject = str(claims["sub"])
        if not _names(claims) or _claim(claims, self._roles_claim) is None:
            # What was not put into the ID token, the provider tells when it is asked.
            claims = {**await self._userinfo(told, tokens, subject), **claims}
        name = next(iter(_names(claims)), subject)
        roles = _claim(claims, self._roles_claim)
        return Person(told["issuer"], subject, name[:MOST_NAME], role(roles))

    async def _tokens(
        self, told: Mapping[str, Any], asked: Asked, code: str, redirect_uri: str
    ) -> Mapping[str, Any]:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": asked.verifier,
        }
        headers = {}
        ways = told.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        if self._secret and "client_secret_basic" in ways:
            # RFC 6749, 2.3.1: both are encoded before they are joined.
            pair = f"{quote(self._client, safe='')}:{quote(self._secret, safe='')}"
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        else:
            form["client_id"] = self._client
            if self._secret:
                form["client_secret"] = self._secret
        place = _address(told, "token_endpoint")
        return await _answer("POST", place, headers=headers, form=form)

    async def _claims(self, told: Mapping[str, Any], token: str, nonce: str) -> Mapping[str, Any]:
        try:
            key = await self._key(told, jwt.get_unverified_header(token))
            claims = jwt.decode(
                token,
                key,
                algorithms=ALGORITHMS,
                audience=self._client,
                issuer=told["issuer"],
                leeway=LEEWAY,
                options={"require": ["iss", "sub", "aud", "exp", "iat"]},
            )
        except jwt.PyJWTError as error:
            raise _failed(f"The ID token is not valid ({type(error).__name__}).") from None
        many = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
        if (many or "azp" in claims) and claims.get("azp") != self._client:
            raise _failed("The ID token is for another client.")
        if not hmac.compare_digest(str(claims.get("nonce", "")).encode(), nonce.encode()):
            raise _failed("The ID token is of another sign-in.")
        return claims

    async def _userinfo(
        self, told: Mapping[str, Any], tokens: Mapping[str, Any], subject: str
    ) -> Mapping[str, Any]:
        if "userinfo_endpoint" not in told or "access_token" not in tokens:
            return {}
        bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
        claims = await _answer("GET", _address(told, "userinfo_endpoint"), headers=bearer)
        if claims.get("sub") != subject:
            raise _failed("What the provider tells is of somebody else.")
        return claims

    async def _provider(self) -> Mapping[str, Any]:
        """What the provider says of itself."""
        async with self._asking:
            if self._now() - self._told_at < KEPT:
                return self._told
            if self._now() - self._away_at < AWAY:
                raise _unreachable()
            place = f"{self._issuer.rstrip('/')}/.well-known/openid-configuration"
            try:
                told = await _answer("GET", place)
            except SignInError as error:
                if error.why == "unreachable":
                    self._away_at = self._now()
                raise
            if str(told.get("issuer", "")).rstrip("/") != self._issuer.rstrip("/"):
                raise _failed("The provider calls itself something else.")
            self._told, self._told_at = told, self._now()
            return told

    async def _key(self, told: Mapping[str, Any], header: Mapping[str, Any]) -> jwt.PyJWK:
        """The key that a token says it is signed with. Raises jwt.PyJWTError."""
        if header.get("alg") not in ALGORITHMS:
            raise jwt.InvalidAlgorithmError
        async with self._asking_keys:
            age = self._now() - self._keys_at
            found = _signing(self._keys, header)
            if age >= KEPT or (found is None and age >= RENEWED):
                answer = await _answer("GET", _address(told, "jwks_uri"))
                self._keys = tuple(jwt.PyJWKSet.from_dict(dict(answer)).keys)
                self._keys_at = self._now()
                found = _signing(self._keys, header)
        if found is None:
            raise jwt.InvalidKeyError
        return found


def role(claimed: object) -> Role:
    """The highest of our roles among those that a claim lists; `learner` when it lists none."""
    listed = claimed.replace(",", " ").split() if isinstance(claimed, str) else claimed
    if not isinstance(listed, list):
        return "learner"
    return next((one for one in reversed(ROLES) if one in listed), "learner")


def _claim(claims: Mapping[str, Any], name: str) -> object:
    """A claim of that name, or of that path, as `realm_access.roles`."""
    if name in claims:
        return claims[name]
    found: object = claims
    for part in name.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _names(claims: Mapping[str, Any]) -> list[str]:
    said = (claims.get(name) for name in ("name", "preferred_username"))
    plain = ("".join(c for c in one if c.isprintable()) for one in said if isinstance(one, str))
    return [one.strip() for one in plain if one.strip()]


def _signing(keys: tuple[jwt.PyJWK, ...], header: Mapping[str, Any]) -> jwt.PyJWK | None:
    fit = [
        key
        for key in keys
        if key.algorithm_name == header["alg"] and key.public_key_use in (None, "sig")
    ]
    if "kid" in header:
        return next((key for key in fit if key.key_id == header["kid"]), None)
    return fit[0] if len(fit) == 1 else None


def _address(told: Mapping[str, Any], name: str) -> str:
    place = told.get(name)
    if not isinstance(place, str) or not _protected(place):
        raise _failed(f"The provider gives no {name}, or one without https.")
    return place


def _protected(url: str) -> bool:
    """Whether nobody on the way can read or change what is sent there."""
    try:
        parts = urlsplit(url)
        name = parts.hostname
    except ValueError:
        return False
    return bool(name) and (
        parts.scheme == "https" or (parts.scheme == "http" and name in _LOOPBACK)
    )


async def _answer(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    form: Mapping[str, str] | None = None,
) -> Mapping[str, Any]:
    """The JSON object at that address."""
    content = b""
    try:
        async with (
            asyncio.timeout(ANSWER_SECONDS),
            httpx.AsyncClient(timeout=ANSWER_SECONDS, follow_redirects=False) as client,
            client.stream(method, url, headers=headers, data=form) as response,
        ):
            if response.status_code >= 500:
                raise _unreachable()
            if response.status_code != 200:
                raise _failed(f"The provider refused ({response.status_code}).")
            async for piece in response.aiter_bytes():
                content += piece
                if len(content) > MOST_BYTES:
                    raise _failed("The provider says too much.")
    except (httpx.HTTPError, TimeoutError, OSError) as error:
        raise _unreachable() from error
    try:
        read = json.loads(content)
    except ValueError:
        read = None
    if not isinstance(read, dict):
        raise _failed("What the provider says cannot be read.")
    return read


def _failed(message: str, why: SignInFault = "failed") -> SignInError:
    return SignInError(message, why=why)


def _unreachable() -> SignInError:
    return _failed("The OpenID Connect provider does not answer.", "unreachable")
