"""Signing in and out: with a key, or at an OpenID Connect provider.

A browser that is signed in has a cookie (`eloquence.server.access`). What a sign-in at a provider
needs until its answer comes is in another cookie, for that browser alone, so that no server keeps
anything and the answer may come to any of them. An answer that cannot be believed leads back to the
page, as `/?sign_in=expired` (`eloquence.errors.SignInFault`).
"""

import base64
import hmac
import json
import logging
from dataclasses import asdict
from typing import Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from eloquence.bootstrap import Eloquence
from eloquence.config import Settings
from eloquence.errors import ConfigurationError, SignInError
from eloquence.server import access
from eloquence.server.access import Known
from eloquence.server.openid import Asked, OpenId
from eloquence.server.refusals import Refusals
from eloquence.storage.accounts import SIGNED_IN, Account

router = APIRouter(prefix="/api/v1")

ASKED_SECONDS = 600.0
"""Seconds that somebody may take at the provider."""
_ASKED = "eloquence-asked"
_CALLBACK = "/api/v1/sign-in/oidc/callback"

log = logging.getLogger("eloquence.server")


class Key(BaseModel):
    """What somebody signs in with."""

    model_config = ConfigDict(extra="forbid")

    key: SecretStr = Field(max_length=200)


@router.post("/sign-in")
async def sign_in(request: Request, given: Key) -> Response:
    """Signs this browser in with an API key; the answer is the account."""
    eloquence = _signing_in(request)
    account = await access.by_key(request, given.key.get_secret_value())
    response = JSONResponse({"id": account.id, "name": account.name, "role": account.role})
    await _signed_in(request, response, eloquence, account)
    return response


@router.post("/sign-out", status_code=204)
async def sign_out(request: Request, who: Known) -> Response:
    """Signs this browser out; harmless when it is already."""
    eloquence: Eloquence = request.app.state.eloquence
    response = Response(status_code=204)
    if token := access.sign_in_token(request):
        await eloquence.store.accounts.sign_out(token)
        access.take_cookie(response, eloquence.settings)
    return response


@router.get("/sign-in/oidc")
async def begin(request: Request, to: str = "/") -> Response:
    """Sends the browser to the OpenID Connect provider; `to` is the page that it comes back to."""
    settings = _signing_in(request).settings
    try:
        asked = await _openid(request).ask(_redirect_uri(request, settings))
    except SignInError as error:
        return _refused(error)
    response = RedirectResponse(asked.url, 303)
    kept = json.dumps(asdict(asked) | {"url": own_page(to)}).encode()
    text = base64.urlsafe_b64encode(kept).decode()
    access.give_cookie(response, settings, text, name=_ASKED, seconds=ASKED_SECONDS)
    return response


@router.get("/sign-in/oidc/callback")
async def answered(
    request: Request,
    state: str = "",
    code: str = "",
    error: str = "",
    iss: str = "",
) -> Response:
    """The provider's answer, which the browser brings back."""
    eloquence = _signing_in(request)
    settings = eloquence.settings
    openid = _openid(request)
    refusals: Refusals = request.app.state.refused_answers
    address = request.app.state.addresses.of(request)
    # Anybody can make up an answer, about which we would ask the provider.
    refusals.check(address)
    try:
        asked = _asked(request.cookies.get(access.cookie_name(settings, _ASKED), ""))
        if not hmac.compare_digest(asked.state.encode(), state.encode()):
            raise SignInError("This answer is of another sign-in.", why="expired")
        await openid.check_issuer(iss)
        if error or not code:
            raise SignInError("The provider signed nobody in.", why="refused")
        person = await openid.person(asked, code, _redirect_uri(request, settings))
        account = await eloquence.store.accounts.meet(
            person.issuer, person.subject, person.name, person.role
        )
        if account.disabled:
            raise SignInError("This account is disabled.", why="disabled")
    except SignInError as refused:
        if refused.why == "failed":
            refusals.note(address)
        response = _refused(refused)
    else:
        response = RedirectResponse(asked.url, 303)
        await _signed_in(request, response, eloquence, account)
    access.take_cookie(response, settings, name=_ASKED)
    return response


def own_page(to: str) -> str:
    """The page of ours that a browser may be sent to: `to`, or `/` when that is elsewhere."""
    try:
        parts = urlsplit(to)
    except ValueError:
        return "/"
    plain = to.isprintable() and to.isascii() and "\\" not in to and len(to) <= 500
    ours = to.startswith("/") and not to.startswith("//") and not parts.scheme and not parts.netloc
    return to if plain and ours else "/"


async def _signed_in(
    request: Request, response: Response, eloquence: Eloquence, account: Account
) -> None:
    """Gives the browser a new token, never one that it had before."""
    if former := access.sign_in_token(request):
        await eloquence.store.accounts.sign_out(former)
    token = await eloquence.store.accounts.sign_in(account.id)
    access.give_cookie(response, eloquence.settings, token, seconds=SIGNED_IN)


def _refused(error: SignInError) -> Response:
    log.warning("a sign-in failed: %s: %s", error.why, error.message)
    return RedirectResponse(f"/?sign_in={error.why}", 303)


def _asked(cookie: str) -> Asked:
    """What was kept of a sign-in that this browser began; `url` is the page to come back to. Raises
    SignInError."""
    try:
        kept: dict[str, Any] = json.loads(base64.urlsafe_b64decode(cookie))
        asked = Asked(**{name: str(kept[name]) for name in ("url", "state", "nonce", "verifier")})
    except (ValueError, TypeError, KeyError):
        raise SignInError("No sign-in was begun here, or too long ago.", why="expired") from None
    return Asked(own_page(asked.url), asked.state, asked.nonce, asked.verifier)


def _redirect_uri(request: Request, settings: Settings) -> str:
    return f"{(settings.public_url or str(request.base_url)).rstrip('/')}{_CALLBACK}"


def _signing_in(request: Request) -> Eloquence:
    """The product, when people sign in to it. Raises ConfigurationError."""
    eloquence: Eloquence = request.app.state.eloquence
    if not eloquence.settings.accounts:
        raise ConfigurationError(
            "Nobody signs in to this server.", mend="ELOQUENCE_SIGN_IN=true has people sign in."
        )
    return eloquence


def _openid(request: Request) -> OpenId:
    """The provider of the settings. Raises ConfigurationError."""
    openid: OpenId | None = request.app.state.openid
    if openid is None:
        raise ConfigurationError(
            "No OpenID Connect provider is set.",
            mend="Set ELOQUENCE_OIDC_ISSUER and ELOQUENCE_OIDC_CLIENT_ID.",
        )
    return openid
