"""Who serves each stage: what an operator sees of it, and how it is changed without code (PRV).

    described(settings, "llm")                       # chosen, who stands by, what could be chosen
    use("llm", Wanted("openai", {"model": "gpt-4o"}))

A change is checked as a whole before anything is written: the provider is there, its options are
right, the settings that come of it can be read. What it lacks to be ready, as a key, is told and
does not forbid it: keys are given in variables, never here.
"""

import asyncio
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal, get_args
from urllib.parse import urlsplit

from pydantic import BaseModel, SecretStr, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from eloquence import registry, sources
from eloquence.bootstrap import choose
from eloquence.bootstrap.exposure import is_loopback
from eloquence.bootstrap.stages import standbys, successor
from eloquence.coaching.character import Language
from eloquence.config import Settings, StageSettings, load, surroundings
from eloquence.errors import (
    ConfigurationError,
    DependencyNotFoundError,
    EloquenceError,
)
from eloquence.ops import settings_file
from eloquence.ops.settings_file import Wanted
from eloquence.registry import Choice, Provider, Readiness, Stage

LANGUAGES: tuple[Language, ...] = get_args(Language)
HIDDEN = "•••"
"""Stands for a secret that is set."""
PROBE_SECONDS = 10.0
"""How long a vendor may take to say whether all is well."""

_SECRET = re.compile(r"(key|token|secret|password|passphrase)$", re.IGNORECASE)
"""What secrets are called where nobody has said which options are."""
_PASSWORD = re.compile(r"(?<=://)([^/@\s]*:)[^/@\s]*(?=@)")
"""That of an address."""

_VOICES: Mapping[str, re.Pattern[str]] = {
    "openai": re.compile(
        "alloy|ash|ballad|cedar|coral|echo|fable|marin|nova|onyx|sage|shimmer|verse"
    ),
    "elevenlabs": re.compile(r"(?=.*\d)(?=.*[A-Z])[A-Za-z0-9]{20}"),
    "azure": re.compile(r"[a-z]{2,3}-[A-Z]{2}-\w+Neural"),
    "google": re.compile(r"[a-z]{2,3}-[A-Z]{2}-(Chirp|Neural2|Standard|Studio|Wavenet|News).*"),
    "piper": re.compile(r"[a-z]{2}_[A-Z]{2}-\w+-(x_low|low|medium|high)"),
    "supertonic": re.compile("[FM][1-5]"),
}
"""What the names of each vendor's voices look like (X-29)."""
_URLS = ("base_url", "url", "endpoint")
_ADDRESSES = (*_URLS, "region")
"""Options that say where a provider is."""
_ANY_VOICE = frozenset({"service"})
"""Providers that pass any voice on."""


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a provider. `schema` is its JSON schema; `variables` also set it, and
    `set_by` is the one that does now. The value of a `secret` is never shown nor written here."""

    name: str
    schema: Mapping[str, Any]
    secret: bool
    variables: tuple[str, ...]
    set_by: str


@dataclass(frozen=True, slots=True)
class Engine:
    """A provider as it is chosen, and what it says of itself in each language; with `auto`, what
    the one says that was found, which `serves` names."""

    provider: str
    options: Mapping[str, object]
    serves: Mapping[Language, str]
    readiness: Mapping[Language, Readiness]


@dataclass(frozen=True, slots=True)
class Offer:
    """A provider that could be chosen. `languages` is empty when it takes any."""

    provider: str
    installed: bool
    languages: tuple[str, ...]
    readiness: Mapping[Language, Readiness]
    options: tuple[Option, ...]


@dataclass(frozen=True, slots=True)
class Described:
    """One stage: who serves it, who takes over in which order, what else could be chosen. `last`
    names by language who stays on this machine and was named by nobody. `place` is where the choice
    is written, and `locked` the variable that counts more than the settings file, if one does."""

    stage: Stage
    chosen: Engine
    fallback: tuple[Engine, ...]
    last: Mapping[Language, tuple[str, ...]]
    place: str
    locked: str
    offers: tuple[Offer, ...]


@dataclass(frozen=True, slots=True)
class Warned:
    """Why a change may not do what was meant, with what to do; `places` are the names in it."""

    code: Literal["locked", "voice"]
    message: str
    places: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Changed:
    """What a change came to."""

    settings: Settings
    described: Described
    warnings: tuple[Warned, ...]


def described(settings: Settings, stage: Stage) -> Described:
    """A stage of these settings. It asks no vendor; never raises for what it finds."""
    wanted = settings.stage(stage)
    return Described(
        stage=stage,
        chosen=_engine(settings, stage),
        fallback=tuple(_engine(settings, stage, one) for one in wanted.fallback),
        last={language: tuple(_last(settings, stage, language)) for language in LANGUAGES},
        place=_readable(partial(place, settings, stage)),
        locked=_readable(partial(locked, stage)),
        offers=tuple(offer(settings, stage, name) for name in registry.names(stage)),
    )


def offer(settings: Settings, stage: Stage, name: str) -> Offer:
    """What choosing that provider, without options, would come to."""
    try:
        provider = registry.provider(stage, name)
    except EloquenceError as error:
        lacking = Readiness(ready=False, detail=error.message, mend=error.mend)
        return Offer(name, False, (), dict.fromkeys(LANGUAGES, lacking), ())
    alone = settings.model_copy(update={stage: StageSettings(provider=name)})
    readiness = _engine(alone, stage).readiness
    return Offer(
        provider=name,
        installed=not any("pip install" in one.mend for one in readiness.values()),
        languages=tuple(sorted(provider.languages)),
        readiness=readiness,
        options=tuple(_options(provider)),
    )


def use(stage: Stage, wanted: Wanted, *, anywhere: bool = True) -> Changed:
    """Writes who shall serve a stage. Secrets of the settings file stay with a provider that stays
    at the same address; without `anywhere`, so do those of variables: whoever asks may choose who
    serves, and shall not have the key that they do not know sent to a place of their own.
    Raises ProviderNotFoundError, DependencyNotFoundError, ConfigurationError; nothing is changed
    then."""
    before = load()
    kept = settings_of_file(stage)
    wanted = replace(
        _checked(before, stage, wanted, kept),
        fallback=tuple(_checked(before, stage, one, kept) for one in wanted.fallback),
    )
    _each_once(wanted)
    if not anywhere:
        for one in (wanted, *wanted.fallback):
            _stays(stage, one, (before.stage(stage), kept))
    settings_file.use(stage, wanted)
    settings = load()
    now = described(settings, stage)
    return Changed(settings, now, tuple(_warnings(now, wanted)))


async def probed(settings: Settings, stage: Stage) -> dict[str, dict[Language, Readiness]]:
    """What the vendors of a stage themselves say, asked over the network: by provider, the chosen
    one first. Those that have no way to be asked say what they know."""
    chosen = settings.stage(stage)
    found: dict[str, dict[Language, Readiness]] = {}
    for fallback in (None, *chosen.fallback):
        asked = [_probed(settings, stage, language, fallback) for language in LANGUAGES]
        told = dict(zip(LANGUAGES, await asyncio.gather(*asked), strict=True))
        found.setdefault((fallback or chosen).provider, told)
    return found


def spoken(settings: Settings) -> Language:
    """The language of the settings."""
    return "en" if settings.language == "en" else "fr"


def place(settings: Settings, name: str) -> str:
    """Where a setting comes from: `flag`, a variable, a file, or `default`. Raises
    ConfigurationError when a file cannot be read."""
    if name in settings.given:
        return "flag"
    if variable := locked(name):
        return variable
    file = sources.settings_file(settings.config)
    if name in sources.read(file):
        return str(file)
    implied = sources.implied(surroundings())
    return implied[name].variable if name in implied else "default"


def locked(name: str) -> str:
    """The variable that counts more than the settings file; empty when none does."""
    given, written = surroundings(), sources.env_file()
    older = sources.older_names(given).get(name)
    for variable in (f"{sources.PREFIX}{name.upper()}", older.variable if older else ""):
        if variable in given:
            return variable if variable in os.environ else f"{variable} in .env"
        if variable in written:
            return f"{variable} in .env"
    return ""


def settings_of_file(stage: Stage) -> StageSettings:
    """What the settings file itself says of a stage. Raises ConfigurationError."""
    return StageSettings.model_validate(sources.read(sources.settings_file()).get(stage, {}))


def typed(provider: Provider, name: str, text: str) -> object:
    """The value of an option that was given as text. Raises ConfigurationError."""
    field = _field(provider, name)
    if field is None:
        raise _unknown(provider, name)
    kind: Any = field.annotation
    try:
        value = TypeAdapter(kind).validate_python(text)
    except ValidationError:
        try:
            value = TypeAdapter(kind).validate_python(json.loads(text))
        except (ValidationError, ValueError):
            return text  # which the provider will refuse in its own words
    return value if isinstance(value, (bool, int, float, str, list)) else text


def shown(options: Mapping[str, object], provider: str, stage: Stage) -> dict[str, object]:
    """Options without the secrets among them."""
    try:
        known = registry.provider(stage, provider)
    except EloquenceError:
        known = None
    return {
        name: HIDDEN
        if known is not None and _is_secret(_field(known, name))
        else hidden(name, value)
        for name, value in options.items()
    }


def rewritable(options: Mapping[str, object], provider: str, stage: Stage) -> dict[str, object]:
    """Options without those that `use` does not take, as they stay in the file by themselves."""
    known = registry.provider(stage, provider)
    return {name: value for name, value in options.items() if not _is_secret(_field(known, name))}


def hidden(name: str, value: Any) -> Any:
    """A value of that name as it may be shown: without what is called like a secret, within it as
    well, and without the password of an address."""
    if isinstance(value, dict):
        return {inner: hidden(inner, one) for inner, one in value.items()}
    if value and _SECRET.search(name):
        return HIDDEN
    if isinstance(value, (list, tuple)):
        return [hidden("", one) for one in value]
    return _PASSWORD.sub(rf"\1{HIDDEN}", value) if isinstance(value, str) else value


def _readable(asked: Callable[[], str]) -> str:
    """What is asked of the files, or nothing while one cannot be read."""
    try:
        return asked()
    except ConfigurationError:
        return ""


def _engine(settings: Settings, stage: Stage, fallback: StageSettings | None = None) -> Engine:
    """The chosen provider of a stage, or a fallback of it."""
    wanted = fallback or settings.stage(stage)
    serves: dict[Language, str] = {}
    readiness: dict[Language, Readiness] = {}
    for language in LANGUAGES:
        found = _chosen(settings, stage, language, fallback)
        if isinstance(found, Readiness):
            serves[language], readiness[language] = wanted.provider, found
        else:
            serves[language], readiness[language] = found.provider.name, found.readiness
    options = shown(wanted.options, wanted.provider, stage)
    return Engine(wanted.provider, options, serves, readiness)


def _chosen(
    settings: Settings, stage: Stage, language: Language, fallback: StageSettings | None = None
) -> Choice | Readiness:
    try:
        if fallback is not None:
            return successor(settings, stage, fallback, language)
        return choose(settings, stage, language)
    except EloquenceError as error:
        return Readiness(ready=False, detail=error.message, mend=error.mend)


def _last(settings: Settings, stage: Stage, language: Language) -> Iterator[str]:
    found = _chosen(settings, stage, language)
    if isinstance(found, Choice):
        for one in standbys(settings, stage, found, language):
            if one.last:
                yield one.choice.provider.name


async def _probed(
    settings: Settings, stage: Stage, language: Language, fallback: StageSettings | None
) -> Readiness:
    found = await asyncio.to_thread(_chosen, settings, stage, language, fallback)
    if isinstance(found, Readiness):
        return found
    if not found.readiness.ready or found.provider.probe is None:
        return found.readiness
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            return await found.provider.probe(found.options, language)
    except TimeoutError:
        detail = f"{found.provider.name} does not answer within {PROBE_SECONDS:g} s."
        mend = "Check the network and the address of the service."
        return replace(found.readiness, ready=False, detail=detail, mend=mend)
    except EloquenceError as error:
        return replace(found.readiness, ready=False, detail=error.message, mend=error.mend)


def _checked(settings: Settings, stage: Stage, wanted: Wanted, kept: StageSettings) -> Wanted:
    """What is wanted, with the secrets that the file has for that provider. Raises
    ConfigurationError."""
    if wanted.provider == "auto":
        if wanted.options:
            raise ConfigurationError(
                "'auto' takes no options.", mend="Name the provider that they are for."
            )
        return wanted
    provider = registry.provider(stage, wanted.provider)
    wanted = replace(wanted, options=_meant(wanted, kept))
    for name in wanted.options:
        field = _field(provider, name)
        if field is None:
            raise _unknown(provider, name)
        if _is_secret(field):
            variables = " or ".join(secret_variables(provider)) or "its variable"
            raise ConfigurationError(
                f"A secret such as {name!r} is not written to the settings file.",
                mend=f"Set {variables} in the environment or in .env.",
            )
    secrets = {
        name: value
        for known in (kept, *kept.fallback)
        if known.provider == wanted.provider and _place_of(known) == _place_of(wanted)
        for name, value in known.options.items()
        if _is_secret(_field(provider, name))
    }
    options = {**secrets, **wanted.options}
    alone = StageSettings(provider=wanted.provider, options=options)
    # Raises in the provider's own words when an option is wrong.
    found = choose(settings.model_copy(update={stage: alone}), stage, LANGUAGES[0])
    if "pip install" in found.readiness.mend:
        raise DependencyNotFoundError(found.readiness.detail, mend=found.readiness.mend)
    return replace(wanted, options=options)


def _meant(wanted: Wanted, kept: StageSettings) -> dict[str, object]:
    """The options that are wanted; one that comes back as it was shown is that of the file."""
    known = [one.options for one in (kept, *kept.fallback) if one.provider == wanted.provider]
    return {
        name: next(
            (one[name] for one in known if name in one and hidden(name, one[name]) == value), value
        )
        for name, value in wanted.options.items()
    }


def _place_of(one: StageSettings | Wanted) -> list[object]:
    """To whom a provider sends words. A key goes to nobody else."""
    return [one.options.get(name, "") for name in _ADDRESSES]


def _stays(stage: Stage, wanted: Wanted, known: Sequence[StageSettings]) -> None:
    """Raises ConfigurationError when a key in a variable would go to an address that is new."""
    if wanted.provider == "auto":
        return
    provider = registry.provider(stage, wanted.provider)
    given = surroundings()
    set_here = [name for name in secret_variables(provider) if given.get(name)]
    mine = [one for whole in known for one in (whole, *whole.fallback)]
    places = {
        *(one.options.get(name) for one in mine if one.provider == provider.name for name in _URLS),
        *(field.default for name in _URLS if (field := _field(provider, name)) is not None),
    }
    for name in _URLS:
        address = str(wanted.options.get(name, ""))
        if set_here and address and address not in places and not _is_near(address):
            raise ConfigurationError(
                f"{name} is another address, and {set_here[0]} would be sent there.",
                mend="Whoever has the machine chooses it: eloquence providers use "
                f"{stage} {wanted.provider} --option {name}=…",
            )


def _is_near(address: str) -> bool:
    try:
        return is_loopback(urlsplit(address).hostname or "")
    except ValueError:
        return False


def _each_once(wanted: Wanted) -> None:
    """Raises ConfigurationError when a provider would take over from itself."""
    asked = [wanted]
    for one in wanted.fallback:
        if one.provider == "auto":
            raise ConfigurationError(
                "'auto' cannot take over from another provider.",
                mend="Name one; what stays on this machine stands by without being named.",
            )
        if any(one.as_fallback() == other.as_fallback() for other in asked):
            raise ConfigurationError(
                f"{one.provider!r} cannot take over from itself.",
                mend="Name each provider once, or give it another model or address.",
            )
        asked.append(one)


def _warnings(now: Described, wanted: Wanted) -> Iterator[Warned]:
    if now.locked:
        yield Warned(
            "locked",
            f"{now.locked} counts more than {sources.settings_file()}: "
            f"it still chooses {now.chosen.provider!r}. Take it away for this change to count.",
            {"variable": now.locked},
        )
    voice = wanted.options.get("voice")
    owner = voice_owner(voice) if now.stage == "tts" and isinstance(voice, str) else ""
    if owner and owner != wanted.provider and wanted.provider not in _ANY_VOICE:
        yield Warned(
            "voice",
            f"{voice!r} is a voice of {owner}, not of {wanted.provider}: leave the voice out to "
            f"have the character's own, or give one of {wanted.provider}.",
            {"voice": str(voice), "owner": owner, "provider": wanted.provider},
        )


def voice_owner(voice: str) -> str:
    """The vendor whose voices have such names, or an empty text."""
    return next((vendor for vendor, like in _VOICES.items() if like.fullmatch(voice)), "")


def _options(provider: Provider) -> Iterator[Option]:
    schema = provider.options.model_json_schema(by_alias=False).get("properties", {})
    given = surroundings()
    for name, field in provider.options.model_fields.items():
        variables = tuple(provider.environment.get(name, ()))
        if name == "models" or name.upper() in variables:
            continue  # what the product gives, or what is its variable and nothing else
        set_by = next((one for one in variables if given.get(one)), "")
        yield Option(name, schema[name], _is_secret(field), variables, set_by)


def secret_variables(provider: Provider) -> tuple[str, ...]:
    """The variables in which a provider's secrets are given."""
    return tuple(
        variable
        for name, variables in provider.environment.items()
        if _is_secret(_field(provider, name))
        for variable in variables
    )


def _field(provider: Provider, name: str) -> FieldInfo | None:
    fields = provider.options.model_fields
    if name in fields:
        return fields[name]
    for field in fields.values():
        choices = getattr(field.validation_alias, "choices", ())
        if name in choices or name == field.validation_alias:
            return field
    return None


def _is_secret(field: FieldInfo | None) -> bool:
    return field is not None and SecretStr in (field.annotation, *get_args(field.annotation))


def _unknown(provider: Provider, name: str) -> ConfigurationError:
    known: type[BaseModel] = provider.options
    return ConfigurationError(
        f"Provider {provider.name!r} has no option {name!r}.",
        mend=f"Options it knows: {', '.join(sorted(known.model_fields)) or 'none'}.",
    )
