"""Settings: flag > environment > `.env` > `eloquence.toml` > default. Made once, passed along; what
an operator may change while conversations go on is named in `LIVE`.

A stage is chosen by name (`ELOQUENCE_STT=vosk`, or `[stt] provider = "vosk"`); its options live
under the stage and are checked by the provider itself, so that a new provider never changes this
file. Unknown keys are refused.
"""

import ipaddress
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from platformdirs import user_data_path
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from eloquence import sources
from eloquence.errors import ConfigurationError
from eloquence.registry import STAGES, Stage
from eloquence.sources import surroundings


class StageSettings(BaseModel):
    """Which provider serves a stage. `auto` takes the best one that is ready and stays on this
    machine, and says which; `options` go to the provider. `fallback` are those that take over, in
    order, when it fails; each is a name, or a table like this one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    provider: str = "auto"
    options: dict[str, Any] = {}
    fallback: tuple["StageSettings", ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _read(cls, value: object) -> object:
        """From `"name"`, `"name,fallback,…"`, JSON, or a table with options beside `provider`."""
        if isinstance(value, str) and value.lstrip().startswith("{"):
            value = json.loads(value)
        if isinstance(value, str):
            first, *others = (name.strip() for name in value.split(","))
            value = {"provider": first, "fallback": [name for name in others if name]}
        if isinstance(value, dict):
            rest = dict(value)
            fallback = rest.pop("fallback", ())
            provider = rest.pop("provider", "auto")
            options = rest.pop("options", {}) if set(rest) <= {"options"} else rest
            return {
                "provider": provider,
                "options": options,
                "fallback": fallback.split(",") if isinstance(fallback, str) else fallback,
            }
        return value

    @field_validator("fallback")
    @classmethod
    def _one_line(cls, value: tuple["StageSettings", ...]) -> tuple["StageSettings", ...]:
        if any(one.fallback for one in value):
            raise ValueError("a fallback has no fallback of its own: put all of them in one list")
        return value


class PluginsSettings(BaseModel):
    """Which plugins take part in conversations, in this order. What else is in the table is the
    options of a plugin, by its name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    enabled: tuple[str, ...] = ()
    """Their names, in the order in which a text passes them."""
    required: tuple[str, ...] = ("profanity_filter",)
    """Those without which the coach says nothing of its own, besides those that say so of
    themselves."""
    seconds: Annotated[float, Field(gt=0, le=2)] = 0.3
    """Seconds that a conversation waits for one call."""
    memory_mb: Annotated[int, Field(ge=64)] = 256
    """Memory (MB) that a plugin may use in one conversation."""
    options: dict[str, dict[str, Any]] = {}

    @model_validator(mode="before")
    @classmethod
    def _read(cls, value: object) -> object:
        """From `"name,name"`, JSON, or a table with a table of options for each plugin."""
        if isinstance(value, str):
            value = json.loads(value) if value.lstrip().startswith("{") else {"enabled": value}
        if not isinstance(value, dict):
            return value
        read = {name: one for name, one in value.items() if not isinstance(one, dict)}
        tables = {name: one for name, one in value.items() if isinstance(one, dict)}
        return {**read, "options": {**tables.pop("options", {}), **tables}}

    @field_validator("enabled", "required", mode="before")
    @classmethod
    def _read_names(cls, value: object) -> object:
        names = value.split(",") if isinstance(value, str) else value
        if isinstance(names, list | tuple) and all(isinstance(one, str) for one in names):
            return tuple(dict.fromkeys(one.strip() for one in names if one.strip()))
        return value


_MEND = "Mend it in the environment (ELOQUENCE_…), .env or eloquence.toml."

StageChoice = Annotated[StageSettings, NoDecode]
PluginsChoice = Annotated[PluginsSettings, NoDecode]


LIVE = ("stt", "llm", "tts", "plugins", "agent_instructions")
"""Settings of which the next conversation takes what is written then; all others are read once,
when a program starts."""


class _Source(PydanticBaseSettingsSource):
    """Gives what was found elsewhere."""

    def __init__(self, settings_cls: type[BaseSettings], found: Mapping[str, Any]) -> None:
        super().__init__(settings_cls)
        self._found = found

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        return self._found.get(field_name), field_name, False

    def __call__(self) -> dict[str, Any]:
        return dict(self._found)


class Settings(BaseSettings):
    """Everything an operator can set. See `docs/settings.md` for the list with variables."""

    model_config = SettingsConfigDict(
        env_prefix="ELOQUENCE_",
        env_file=sources.ENV_FILE,
        env_file_encoding="utf-8",
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

    plugins: PluginsChoice = PluginsSettings()
    """Names of the plugins that take part, separated by commas, or a table. Also read from
    `ENABLED_PLUGINS`."""

    host: str = "127.0.0.1"
    """Address to listen on; only this machine by default."""
    port: Annotated[int, Field(ge=0, le=65_535)] = 7881
    """Port of the page and the conversations; 0 takes a free one."""
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = ()
    """Host names, besides this machine's own, under which the page may be opened; in a variable
    they are separated by commas."""
    max_conversations: Annotated[int, Field(ge=1, le=500)] = 12
    """Live conversations that one server, or one worker, admits (docs/performance.md says how it
    was measured)."""

    livekit_url: str = ""
    """Where the LiveKit server is, as `ws://livekit:7880`. With it conversations are held in its
    rooms, by `eloquence worker`; without it in this process. Also read from `LIVEKIT_URL`."""
    livekit_public_url: str = ""
    """The same server as the learners' browsers reach it; by default `livekit_url`."""
    livekit_api_key: str = ""
    """Also read from `LIVEKIT_API_KEY`."""
    livekit_api_secret: SecretStr = SecretStr("")
    """At least 32 characters. Also read from `LIVEKIT_API_SECRET`."""
    agent_name: str = Field("eloquence", pattern="^[a-z][a-z0-9_-]{0,31}$")
    """The name under which workers register, and sessions ask for them."""
    worker_host: str = "0.0.0.0"  # noqa: S104 - LiveKit's webhook and health probes come from outside
    """Address on which a worker tells its health and takes LiveKit's webhook."""
    worker_port: Annotated[int, Field(ge=0, le=65_535)] = 8080
    """Port of the same; 0 takes a free one."""
    idle_processes: Annotated[int, Field(ge=0, le=32)] = 2
    """Processes that a worker keeps ready, models loaded, for the next conversations."""
    job_memory_mb: Annotated[int, Field(ge=0)] = 1500
    """Memory (MB) over which a conversation's process is ended, and the conversation taken up by
    another one; 0 for no limit."""
    drain_minutes: Annotated[float, Field(ge=0, le=1440)] = 60.0
    """How long a worker that was asked to stop lets its conversations go on."""
    away_minutes: Annotated[float, Field(ge=0, le=120)] = 5.0
    """How long a learner who has vanished from a room is waited for."""
    database_url: str = ""
    """Where sessions are stored, as `postgresql://user:password@host/eloquence`; by default a file
    in the data folder. Also read from `DATABASE_URL`."""
    redis_url: str = ""
    """Where several servers count requests together; by default each counts its own. No session is
    kept there. Also read from `REDIS_URL`."""

    sign_in: bool | None = None
    """Whether people sign in. By default they do when conversations are held in rooms, except in
    development, and when the page is opened to other machines; on one machine there is one
    learner."""
    development: bool = False
    """Allows LiveKit's development keys and rooms without signing in, on this machine alone."""
    public_url: str = ""
    """Address of the page as people open it, as `https://coach.example.org`."""
    oidc_issuer: str = ""
    """Address of the OpenID Connect provider at which people sign in."""
    oidc_client_id: str = ""
    oidc_client_secret: SecretStr = SecretStr("")
    oidc_roles_claim: str = "roles"
    """The claim that lists a person's roles: `learner`, `author` or `operator`."""
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = ()
    """Addresses of the proxies whose `X-Forwarded-For` is believed."""
    live_per_learner: Annotated[int, Field(ge=1)] = 1
    """Sessions in rooms that one learner may hold at once."""
    starts_per_minute: Annotated[int, Field(ge=1)] = 10
    """Sessions in rooms that one learner may begin in a minute."""
    starts_per_address: Annotated[int, Field(ge=1)] = 30
    """The same for one address: a school may share one."""
    minutes_per_day: Annotated[float, Field(ge=0)] = 0.0
    """Minutes that one learner may talk in a day; 0 for no limit."""

    data: Path = Field(default_factory=lambda: user_data_path("eloquence", appauthor=False))
    """Where sessions, recordings and models are kept."""
    content: Path | None = None
    """The author's own folder of exercises and characters, read besides those that ship."""
    language: str = Field("fr", pattern="^(fr|en)$")
    """Language of the page before the learner chooses."""
    idle_minutes: Annotated[float, Field(gt=0, le=120)] = 10.0
    """A conversation in which nothing was heard for so long is ended."""
    log_level: str = Field("INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$")
    """The least that is written to the log files. Also read from `LOG_LEVEL`, and DEBUG for
    `DEBUG=true`."""
    agent_instructions: str = Field("", max_length=4_000)
    """What a language model is told besides its character and scene, whoever it plays. Also read
    from `AGENT_INSTRUCTIONS`."""
    enable_metrics: bool = True
    """Whether operators are told figures about sessions under `/metrics`. Also read from
    `ENABLE_METRICS`."""
    metrics_retention_hours: Annotated[float, Field(gt=0, le=8_760)] = 168.0
    """How far back such figures go. Also read from `METRICS_RETENTION_HOURS`."""
    config: Path | None = None
    """The settings file, which may also be JSON; by default `eloquence.toml` in the folder where
    the command runs."""

    _given: frozenset[str] = PrivateAttr(default=frozenset())

    @field_validator("allowed_hosts", "trusted_proxies", mode="before")
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
        flags = init_settings()
        given = sources.surroundings()
        older, implied = sources.older_names(given), sources.implied(given)
        return (
            init_settings,
            env_settings,
            dotenv_settings,
            _Source(
                settings_cls,
                {
                    name: {"enabled": one.value} if name == "plugins" else one.value
                    for name, one in older.items()
                },
            ),
            _Source(settings_cls, sources.read(sources.settings_file(flags.get("config")))),
            _Source(settings_cls, {name: {"provider": one.value} for name, one in implied.items()}),
        )

    @property
    def given(self) -> frozenset[str]:
        """The settings that were given on the command line."""
        return self._given

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
        return self.database_url or f"sqlite:///{self.data / 'eloquence.db'}"

    @property
    def in_rooms(self) -> bool:
        """Whether conversations are held in LiveKit's rooms."""
        return bool(self.livekit_url)

    @property
    def accounts(self) -> bool:
        """Whether people sign in."""
        if self.sign_in is not None:
            return self.sign_in
        return (self.in_rooms or not _is_own(self.host)) and not self.development


def _is_own(host: str) -> bool:
    """Whether only this machine can reach what listens on that address."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def load(**flags: Any) -> Settings:
    """The settings, with what was given on the command line first. Raises ConfigurationError."""
    given = {name: value for name, value in flags.items() if value is not None}
    sources.env_file()  # which says more of what is wrong in it than whoever reads it next
    try:
        settings = Settings(**given)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        flag = str(first["loc"][0]) in given if first["loc"] else False
        path = sources.settings_file(given.get("config"))
        place = "" if flag else sources.place(first["loc"], path)
        raise ConfigurationError(
            f"{f'{place}: setting' if place else 'Setting'} {where!r}: {first['msg']}.", mend=_MEND
        ) from error
    except (ValueError, RecursionError) as error:  # a variable that is not even well-formed
        raise ConfigurationError(f"The settings cannot be read: {error}.", mend=_MEND) from error
    settings._given = frozenset(given)
    return settings


__all__ = [
    "LIVE",
    "STAGES",
    "PluginsSettings",
    "Settings",
    "StageSettings",
    "load",
    "surroundings",
]
