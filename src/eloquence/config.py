"""Settings: flag > environment > `.env` > `eloquence.toml` > default. Made once, passed along.

A stage is chosen by name (`ELOQUENCE_STT=vosk`, or `[stt] provider = "vosk"`); its options live
under the stage and are checked by the provider itself, so that a new provider never changes this
file. Unknown keys are refused.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from platformdirs import user_data_path
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from eloquence.errors import ConfigurationError
from eloquence.registry import STAGES, Stage


class StageSettings(BaseModel):
    """Which provider serves a stage. `auto` takes the best one that is ready and stays on this
    machine, and says which; `options` go to the provider."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    provider: str = "auto"
    options: dict[str, Any] = {}


_MEND = "Mend it in the environment (ELOQUENCE_…), .env or eloquence.toml."

StageChoice = Annotated[StageSettings, NoDecode]


class _OlderNames(PydanticBaseSettingsSource):
    """`STT_PROVIDER`, `LLM_PROVIDER` and `TTS_PROVIDER`, as older installations name them."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        given = surroundings()
        named = {stage: given.get(f"{stage.upper()}_PROVIDER", "").lower() for stage in STAGES}
        return {stage: _OLDER.get(name, name) for stage, name in named.items() if name}


_OLDER = {"mistral": "openai"}
"""Vendors that an OpenAI-compatible provider serves now (X-07)."""


class Settings(BaseSettings):
    """Everything an operator can set. See `docs/settings.md` for the list with variables."""

    model_config = SettingsConfigDict(
        env_prefix="ELOQUENCE_",
        env_file=".env",
        env_file_encoding="utf-8",
        toml_file="eloquence.toml",
        frozen=True,
        extra="forbid",
        dotenv_filtering="match_prefix",
    )

    stt: StageChoice = StageSettings()
    """Who recognises the learner's words."""
    llm: StageChoice = StageSettings()
    """Who finds the character's words."""
    tts: StageChoice = StageSettings()
    """Who speaks them."""

    host: str = "127.0.0.1"
    """Address to listen on; only this machine by default."""
    port: Annotated[int, Field(ge=0, le=65_535)] = 7881
    """Port of the page and the conversations; 0 takes a free one."""
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = ()
    """Host names, besides this machine's own, under which the page may be opened; in a variable
    they are separated by commas."""
    max_conversations: Annotated[int, Field(ge=1, le=500)] = 12
    """Live conversations that one process admits (docs/performance.md says how it was measured)."""

    data: Path = Field(default_factory=lambda: user_data_path("eloquence", appauthor=False))
    """Where sessions, recordings and models are kept."""
    content: Path | None = None
    """The author's own folder of exercises and characters, read besides those that ship."""
    language: str = Field("fr", pattern="^(fr|en)$")
    """Language of the page before the learner chooses."""
    idle_minutes: Annotated[float, Field(gt=0, le=120)] = 10.0
    """A conversation in which nothing was heard for so long is ended."""
    log_level: str = Field("INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$")
    """The least that is written to the log files."""

    @field_validator("stt", "llm", "tts", mode="before")
    @classmethod
    def _read_stage(cls, value: object) -> object:
        if isinstance(value, str):
            value = json.loads(value) if value.lstrip().startswith("{") else {"provider": value}
        if isinstance(value, dict) and "options" not in value:
            rest = dict(value)
            return {"provider": rest.pop("provider", "auto"), "options": rest}
        return value

    @field_validator("allowed_hosts", mode="before")
    @classmethod
    def _read_hosts(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(name.strip() for name in value.split(",") if name.strip())
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (
            init_settings,
            env_settings,
            dotenv_settings,
            _OlderNames(settings_cls),
            TomlConfigSettingsSource(settings_cls),
        )

    def stage(self, stage: Stage) -> StageSettings:
        chosen: StageSettings = getattr(self, stage)
        return chosen

    @property
    def models(self) -> Path:
        return self.data / "models"

    @property
    def recordings(self) -> Path:
        return self.data / "recordings"

    @property
    def database(self) -> str:
        return f"sqlite:///{self.data / 'eloquence.db'}"


def load(**flags: Any) -> Settings:
    """The settings, with what was given on the command line first. Raises ConfigurationError."""
    try:
        return Settings(**{name: value for name, value in flags.items() if value is not None})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigurationError(f"Setting {where!r}: {first['msg']}.", mend=_MEND) from error
    except ValueError as error:  # a file or a variable that is not even well-formed
        raise ConfigurationError(f"The settings cannot be read: {error}.", mend=_MEND) from error


def surroundings() -> Mapping[str, str]:
    """The variables that providers read: those of `.env`, under those of the environment."""
    from dotenv import dotenv_values

    written = dotenv_values(".env", encoding="utf-8")
    return {**{name: value for name, value in written.items() if value}, **os.environ}


__all__ = ["STAGES", "Settings", "StageSettings", "load", "surroundings"]
