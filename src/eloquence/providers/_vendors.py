"""What the vendors' providers share: the package that must be there, one HTTP session for the
process, voices and models of somebody else, and the question whether a key works."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from urllib.parse import urlsplit, urlunsplit

import aiohttp
import httpx2 as httpx
from livekit.agents import APIError
from multidict import CIMultiDict, CIMultiDictProxy

from eloquence.coaching.character import Voice
from eloquence.conversation.faults import status_cause
from eloquence.conversation.stages import Resources
from eloquence.errors import Cause, ConfigurationError, DependencyNotFoundError, ProviderError
from eloquence.providers._failures import failure
from eloquence.providers._hosts import Host
from eloquence.providers._plugins import plugin
from eloquence.providers.openai import VOICES
from eloquence.registry import Readiness, Stage

PROBE_SECONDS = 5.0
_READ = 4096
_NOTHING: CIMultiDictProxy[str] = CIMultiDictProxy(CIMultiDict())
_OF_OPENAI = re.compile(r"(tts|whisper|gpt)-\S+")
"""Models that a variable may still name after the vendor was changed."""


def installed(package: str) -> bool:
    """Whether a package can be imported; nothing of it is."""
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:
        return False


def readiness(extra: str, host: Host, model: str, *notes: str) -> Readiness:
    """Whether the vendor's package and a key are there; `extra` is the provider's name and that of
    its extra, `notes` are sentences for people."""
    if not installed(f"livekit.plugins.{extra}"):
        return Readiness(
            ready=False,
            detail=f"The package for {extra} is not installed.",
            mend=f"Install it: pip install 'eloquence[{extra}]'.",
            leaves_machine="" if host.local else host.name,
        )
    found = host.readiness(model)
    return replace(found, detail=" ".join((found.detail, *(note for note in notes if note))))


@contextmanager
def needed(extra: str) -> Iterator[None]:
    """For the import of what a vendor's package is needed for, which is loaded first. Raises
    DependencyNotFoundError when it is absent."""
    try:
        plugin(extra)
        yield
    except ModuleNotFoundError as error:
        raise DependencyNotFoundError(
            f"Provider {extra!r} needs the package {error.name!r}.",
            mend=f"Install it: pip install 'eloquence[{extra}]'.",
        ) from error


@contextmanager
def traced() -> Iterator[None]:
    """Keeps what an error was made of, which tells how long the vendor asks to be left alone: the
    plugins hide it, and the engine then raises the error again in the context of another."""
    try:
        yield
    except APIError as error:
        error.__cause__ = error.__cause__ or error.__context__
        raise


def refusal(stage: Stage, who: str, readiness: Readiness) -> ConfigurationError | ProviderError:
    """Why a stage that is not ready cannot be made."""
    if "pip install" in readiness.mend:
        return DependencyNotFoundError(readiness.detail, mend=readiness.mend)
    return failure(stage, who, "authentication", mend=readiness.mend)


def address(given: str, path: str) -> str:
    """The address with that path, of which a beginning may have been given. Raises
    ConfigurationError for what is none."""
    parts = urlsplit(given.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigurationError(
            f"{parts.scheme or 'No scheme'} is not an address of a host.",
            mend="Give one such as https://host.example or http://127.0.0.1:8080.",
        )
    return urlunsplit((parts.scheme, parts.netloc, path, "", ""))


def chosen_model(given: str, default: str) -> tuple[str, str]:
    """The model to ask for, and what there is to say of it: one of OpenAI's gives the default."""
    if not given:
        return default, ""
    if _OF_OPENAI.fullmatch(given):
        return default, f"{given} is a model of OpenAI: {default} is used in its place."
    return given, ""


def chosen_voice(
    given: str, own: re.Pattern[str], fitting: Mapping[str, str], kind: Voice | None = None
) -> tuple[str, str]:
    """The voice to speak with, and what there is to say of it (X-29): a name that is none of the
    vendor's (`own`) gives the one of `fitting` ("feminine", "masculine") that is like it."""
    like = kind.kind if kind is not None else "feminine"
    if not given:
        return fitting[like], ""
    if own.fullmatch(given):
        return given, ""
    taken = fitting[VOICES.get(given, like)]
    whose = "a voice of OpenAI" if given in VOICES else "no voice of this vendor"
    return taken, f"Warning: {given} is {whose}, {taken} speaks in its place."


def session(resources: Resources, *, sound: bool = False) -> aiohttp.ClientSession:
    """The HTTP session that all conversations of the process share; the one for `sound` takes
    nothing else as an answer. To be called in the loop."""
    if sound:
        return resources.get("vendors' voices", partial(_new_session, _sound), _close)
    return resources.get("vendors", partial(_new_session, _usable), _close)


def _new_session(
    looked_at: Callable[[aiohttp.ClientResponse], Awaitable[None]],
) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        trust_env=True,
        connector=aiohttp.TCPConnector(limit_per_host=50, keepalive_timeout=60),
        raise_for_status=looked_at,
    )


async def _close(made: aiohttp.ClientSession) -> None:
    await made.close()


async def _sound(answer: aiohttp.ClientResponse) -> None:
    await _usable(answer)
    if answer.content_type.startswith("text/") or answer.content_type == "application/json":
        answer.release()
        raise ProviderError("The host answered something else than sound.", cause="bad_answer")


async def _usable(answer: aiohttp.ClientResponse) -> None:
    """A status that tells of a failure is one, and so is a page. Of an error only the status and
    the headers of the answer go on: what a host writes may quote what was said, and what was asked
    holds the key."""
    if answer.status >= 400:
        written = await answer.content.read(_READ)
        answer.release()
        raise aiohttp.ClientResponseError(
            aiohttp.RequestInfo(answer.url, answer.method, _NOTHING, answer.url),
            (),
            status=meant(answer.status, written),
            message="The host refused.",
            headers=answer.headers,
        )
    if answer.content_type == "text/html":
        answer.release()
        raise ProviderError("The host answered a page.", cause="bad_answer")


def meant(status: int, written: bytes = b"") -> int:
    """The status that says what was meant: what is used up is a limit, not a wrong key."""
    return 429 if status == 402 or (status in (401, 403) and b"quota" in written) else status


async def probed(
    stage: Stage,
    ready: Readiness,
    host: Host,
    url: str,
    headers: Mapping[str, str],
    *,
    limited: bytes = b"",
) -> Readiness:
    """The readiness, once the host has been asked whether it takes the key: within 5 s. A refusal
    in which `limited` is written says that the key is good, but not for this question."""
    if not ready.ready:
        return ready
    why: Cause
    try:
        async with asyncio.timeout(PROBE_SECONDS), httpx.AsyncClient() as client:
            answer = await client.get(url, headers=headers)
    except TimeoutError:
        why = "timeout"
    except httpx.HTTPError:
        why = "unreachable"
    else:
        if answer.is_success or (limited and limited in answer.content):
            return ready
        why = status_cause(meant(answer.status_code, answer.content))
    return told(stage, ready, host, why)


def told(stage: Stage, ready: Readiness, host: Host, why: Cause) -> Readiness:
    """The readiness of a vendor that failed when it was asked."""
    problem = failure(stage, host.name, why)
    mend = f"Check the address {host.url} and the network."
    if why == "authentication":
        mend = f"Check {host.variable}."
    if why == "rate_limit":
        mend = "Wait, or look at the quota of the account."
    return replace(ready, ready=False, detail=problem.message, mend=mend)
