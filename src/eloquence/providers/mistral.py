"""Mistral's language models: at Mistral itself, at Scaleway, or behind an address of one's own, as
the seeds' `mistral-conversation` (X-06, X-07, LLM-02, LLM-09)."""

from functools import partial
from urllib.parse import urlsplit

from pydantic import SecretStr

from eloquence.providers._hosts import SCALEWAY, Host, normalised
from eloquence.providers.openai import HostedModelOptions, check, create_llm, probe
from eloquence.registry import Provider

MISTRAL = "https://api.mistral.ai/v1"
_REFUSED = frozenset({"stream_options"})
"""Mistral's own API refuses fields that it does not know, and reports usage without being asked."""


class Options(HostedModelOptions):
    """`base_url` and `api_key` are what one sets; the others come from the environment, so that a
    key only ever goes to the host it was made for. Without an address it is Scaleway when
    `SCALEWAY_SECRET_KEY` is there, else Mistral. `model` empty: Mistral Nemo, or Mistral Small at
    Mistral itself."""

    base_url: str = ""
    api_key: SecretStr | None = None
    mistral_base_url: str = ""
    mistral_api_key: SecretStr | None = None
    scaleway_secret_key: SecretStr | None = None

    def host(self) -> Host:
        given = self.base_url or self.mistral_base_url
        if not given and self.scaleway_secret_key is not None:
            url = SCALEWAY
        else:
            url = normalised(given) if given else MISTRAL
        name = urlsplit(url).hostname or ""
        if "scaleway" in name:
            # the seeds give one key under both names
            key = self.api_key or self.scaleway_secret_key or self.mistral_api_key
            return Host(url, key, "SCALEWAY_SECRET_KEY")
        if name.endswith("mistral.ai"):
            return Host(url, self.api_key or self.mistral_api_key, "MISTRAL_API_KEY", _REFUSED)
        # a service of one's own, which passes on what it is given (CFG-01)
        key = self.api_key or self.mistral_api_key or self.scaleway_secret_key
        return Host(url, key, "MISTRAL_API_KEY")

    def chosen_model(self) -> str:
        if self.model:
            return self.model
        own = self.host().name.endswith("mistral.ai")
        return "mistral-small-latest" if own else "mistral-nemo-instruct-2407"


llm = Provider(
    name="mistral",
    options=Options,
    create=create_llm,
    check=check,
    environment={
        "mistral_base_url": ("MISTRAL_BASE_URL",),
        "mistral_api_key": ("MISTRAL_API_KEY",),
        "scaleway_secret_key": ("SCALEWAY_SECRET_KEY",),
        "model": ("LLM_MODEL",),
    },
    probe=partial(probe, "llm"),
)
