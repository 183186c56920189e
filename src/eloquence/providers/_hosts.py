"""Which OpenAI-compatible host is asked, with which key."""

import hashlib
import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

import openai
from openai._models import FinalRequestOptions
from pydantic import BaseModel, ConfigDict, SecretStr

from eloquence.conversation.stages import Resources
from eloquence.errors import ConfigurationError
from eloquence.registry import Readiness

SCALEWAY = "https://api.scaleway.ai/v1"
OPENAI = "https://api.openai.com/v1"
CONNECT_SECONDS = 3.0


class HostOptions(BaseModel):
    """`base_url` and `api_key` are what one sets; the others come from the environment, so that a
    key only ever goes to the host it was made for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base_url: str = ""
    api_key: SecretStr | None = None
    mistral_base_url: str = ""
    mistral_api_key: SecretStr | None = None
    openai_base_url: str = ""
    openai_api_key: SecretStr | None = None


ENVIRONMENT: dict[str, tuple[str, ...]] = {
    "openai_base_url": ("OPENAI_BASE_URL",),
    "openai_api_key": ("OPENAI_API_KEY",),
}
MISTRAL_ENVIRONMENT: dict[str, tuple[str, ...]] = {
    "mistral_base_url": ("MISTRAL_BASE_URL",),
    "mistral_api_key": ("SCALEWAY_SECRET_KEY", "MISTRAL_API_KEY"),
}


@dataclass(frozen=True, slots=True)
class Host:
    """An OpenAI-compatible host. `variable` names where its key is expected; `refuses` are the
    fields of our requests that it does not take: they are left out."""

    url: str
    key: SecretStr | None
    variable: str
    refuses: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        return urlsplit(self.url).hostname or ""

    @property
    def local(self) -> bool:
        return is_local(self.name)

    def readiness(self, model: str) -> Readiness:
        if self.key is None and not self.local:
            return Readiness(
                ready=False,
                detail=f"There is no key for {self.name}.",
                mend=f"Set {self.variable}.",
                leaves_machine=self.name,
            )
        where = "on this machine" if self.local else f"by {self.name}"
        return Readiness(
            ready=True,
            detail=f"{model}, {where}.",
            model=model,
            leaves_machine="" if self.local else self.name,
        )

    def client(self, resources: Resources) -> openai.AsyncClient:
        """The client for this host that all conversations of the process share."""
        secret = self.key.get_secret_value() if self.key else "none"
        mark = hashlib.sha256(secret.encode()).hexdigest()[:16]
        return resources.get(f"openai {self.url} {mark}", self.new_client, _close)

    def new_client(self) -> openai.AsyncClient:
        client = _Client(
            base_url=self.url,
            api_key=self.key.get_secret_value() if self.key else "none",
            max_retries=0,
            timeout=openai.Timeout(60.0, connect=CONNECT_SECONDS),
        )
        client.refused = self.refuses
        return client


class _Client(openai.AsyncClient):
    """A client that leaves out what its host refuses; the engine always asks for usage reports."""

    refused: frozenset[str] = frozenset()

    async def _prepare_options(self, options: FinalRequestOptions) -> FinalRequestOptions:
        if self.refused and isinstance(options.json_data, dict):
            options.json_data = {
                key: value for key, value in options.json_data.items() if key not in self.refused
            }
        return options


def host(options: HostOptions, *, default: str = OPENAI) -> Host:
    """The host that the options mean. Raises ConfigurationError for an address that is none."""
    mistral, own = options.mistral_api_key, options.openai_api_key
    scaleway_variable = "SCALEWAY_SECRET_KEY (or MISTRAL_API_KEY)"
    if options.base_url:
        url = normalised(options.base_url)
        name = urlsplit(url).hostname or ""
        if _is_of(name, "openai.com", "openai.azure.com"):
            return Host(url, options.api_key or own, "OPENAI_API_KEY")
        if _is_of(name, "scaleway.ai", "scaleway.com", "mistral.ai"):
            return Host(url, options.api_key or mistral, scaleway_variable)
        return Host(url, options.api_key or None, "api_key in the options of the stage")
    if options.mistral_base_url:
        url = normalised(options.mistral_base_url)
        return Host(url, options.api_key or mistral, scaleway_variable)
    if options.openai_base_url:
        url = normalised(options.openai_base_url)
        return Host(url, options.api_key or own, "OPENAI_API_KEY")
    if default == OPENAI or (mistral is None and options.api_key is None and own is not None):
        return Host(OPENAI, options.api_key or own, "OPENAI_API_KEY")
    return Host(default, options.api_key or mistral, scaleway_variable)


def normalised(address: str) -> str:
    """The base of an OpenAI-compatible API, with or without `/v1` or `/v1/chat/completions` given
    (X-06). Raises ConfigurationError."""
    parts = urlsplit(address.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigurationError(
            f"{parts.scheme or 'No scheme'} is not an address of a host.",
            mend="Give a base_url such as https://api.scaleway.ai/v1 or http://localhost:11434/v1.",
        )
    path = parts.path.rstrip("/").removesuffix("/chat/completions").rstrip("/")
    if not re.search(r"/v\d+[a-z]*(/|$)", path):
        path += "/v1"
    return urlunsplit((parts.scheme, parts.netloc, path, "", ""))


def _is_of(name: str, *domains: str) -> bool:
    """Whether a host is of one of these domains: a part of a name can be anybody's."""
    return any(name == domain or name.endswith(f".{domain}") for domain in domains)


def is_local(name: str) -> bool:
    """Whether a host name means this machine."""
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


async def _close(client: openai.AsyncClient) -> None:
    await client.close()
