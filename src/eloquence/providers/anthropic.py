"""Anthropic's language models, through LiveKit's plugin, with our deadlines around it."""

import asyncio
import hashlib
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

from livekit.agents.types import NOT_GIVEN
from pydantic import Field, SecretStr

from eloquence.conversation.faults import status_cause
from eloquence.conversation.stages import StageContext
from eloquence.errors import Cause, ConfigurationError, DependencyNotFoundError
from eloquence.providers._answering import AnsweringOptions, Timed
from eloquence.providers._failures import failure
from eloquence.providers._hosts import CONNECT_SECONDS, is_local
from eloquence.providers._plugins import plugin
from eloquence.registry import Provider, Readiness

if TYPE_CHECKING:
    import anthropic as vendor

ANTHROPIC = "https://api.anthropic.com"
_PROBE_SECONDS = 5.0


class Options(AnsweringOptions):
    """`model` empty: Claude Sonnet 4.6. `temperature`, 0..1, is sent only when it is given: newer
    models know none. Nothing is cached at the vendor. `base_url` for an address of one's own."""

    temperature: Annotated[float | None, Field(ge=0, le=1)] = None
    base_url: str = ANTHROPIC
    api_key: SecretStr | None = None

    @property
    def host(self) -> str:
        """Who is asked, empty when the address is none."""
        parts = urlsplit(self.base_url.strip())
        return (parts.hostname or "") if parts.scheme in ("http", "https") else ""

    @property
    def key(self) -> str:
        return self.api_key.get_secret_value() if self.api_key else "none"

    def chosen_model(self) -> str:
        return self.model or "claude-sonnet-4-6"


def create(options: Options, context: StageContext) -> Timed:
    """Raises DependencyNotFoundError, LanguageModelError without a key."""
    readiness = check(options, context.language)
    if not readiness.ready:
        if not _installed():
            raise DependencyNotFoundError(readiness.detail, mend=readiness.mend)
        if not options.host:
            raise ConfigurationError(readiness.detail, mend=readiness.mend)
        raise failure("llm", "Anthropic", "authentication", mend=readiness.mend)
    mark = hashlib.sha256(options.key.encode()).hexdigest()[:16]
    client = context.resources.get(
        f"anthropic {options.base_url} {mark}",
        lambda: _client(options),
        lambda made: made.close(),
    )
    model = plugin("anthropic").LLM(
        model=options.chosen_model(),
        client=client,
        api_key=options.key,
        max_tokens=options.max_tokens,
        temperature=NOT_GIVEN if options.temperature is None else options.temperature,
    )
    return Timed(options, model)


def check(options: Options, language: str) -> Readiness:
    if not _installed():
        return Readiness(
            ready=False,
            detail="The package 'livekit-plugins-anthropic' is not installed.",
            mend="pip install 'eloquence[anthropic]'",
        )
    if not options.host:
        return Readiness(
            ready=False,
            detail="base_url is not an address of a host.",
            mend=f"Leave it out, or give one such as {ANTHROPIC}.",
        )
    local = is_local(options.host)
    if options.api_key is None and not local:
        return Readiness(
            ready=False,
            detail=f"There is no key for {options.host}.",
            mend="Set ANTHROPIC_API_KEY.",
            leaves_machine=options.host,
        )
    model = options.chosen_model()
    where = "on this machine" if local else f"by {options.host}"
    return Readiness(
        ready=True,
        detail=f"{model}, {where}.",
        model=model,
        leaves_machine="" if local else options.host,
    )


async def probe(options: Options, language: str) -> Readiness:
    """Asks the vendor for its models: whether it answers and takes the key."""
    readiness = check(options, language)
    if not readiness.ready:
        return readiness
    import anthropic as vendor

    client = _client(options)
    cause: Cause | None = None
    try:
        async with asyncio.timeout(_PROBE_SECONDS):
            await client.models.list(limit=1)
    except (TimeoutError, vendor.APITimeoutError):
        cause = "timeout"
    except vendor.APIStatusError as error:
        cause = status_cause(error.status_code)
    except vendor.AnthropicError:
        cause = "unreachable"
    finally:
        await client.close()
    if cause is None:
        return readiness
    mend = "Check ANTHROPIC_API_KEY." if cause == "authentication" else "Check the network."
    problem = failure("llm", options.host, cause, mend=mend)
    return Readiness(
        ready=False,
        detail=problem.message,
        mend=problem.mend,
        leaves_machine=readiness.leaves_machine,
    )


def _client(options: Options) -> "vendor.AsyncAnthropic":
    import anthropic as vendor

    return vendor.AsyncAnthropic(
        api_key=options.key,
        base_url=options.base_url.strip(),
        max_retries=0,
        timeout=vendor.Timeout(60.0, connect=CONNECT_SECONDS),
    )


def _installed() -> bool:
    return find_spec("anthropic") is not None and find_spec("livekit.plugins.anthropic") is not None


llm = Provider(
    name="anthropic",
    options=Options,
    create=create,
    check=check,
    environment={
        "api_key": ("ANTHROPIC_API_KEY",),
        "base_url": ("ANTHROPIC_BASE_URL",),
        "model": ("LLM_MODEL",),
    },
    probe=probe,
)
