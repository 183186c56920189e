"""Cohere's language models, through the API with which it follows OpenAI's protocol."""

from functools import partial

from pydantic import SecretStr

from eloquence.providers._hosts import Host, normalised
from eloquence.providers.openai import HostedModelOptions, check, create_llm, probe
from eloquence.registry import Provider

COHERE = "https://api.cohere.ai/compatibility/v1"
_REFUSED = frozenset({"stream_options"})
"""A request that asks for usage reports in the stream is refused there."""


class Options(HostedModelOptions):
    """`model` empty: Command A. `base_url` for an address of one's own."""

    base_url: str = COHERE
    api_key: SecretStr | None = None

    def host(self) -> Host:
        return Host(normalised(self.base_url), self.api_key, "COHERE_API_KEY", _REFUSED)

    def chosen_model(self) -> str:
        return self.model or "command-a-03-2025"


llm = Provider(
    name="cohere",
    options=Options,
    create=create_llm,
    check=check,
    environment={"api_key": ("COHERE_API_KEY", "CO_API_KEY"), "model": ("LLM_MODEL",)},
    probe=partial(probe, "llm"),
)
