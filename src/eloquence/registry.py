"""Providers of a stage, and how they are found.

Everybody comes through the same door: the providers that ship here and those of another package
are entry points of the groups `eloquence.stt`, `eloquence.llm` and `eloquence.tts`. Listing the
names imports nothing; choosing one imports exactly one.
"""

import os
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal

from pydantic import BaseModel, ValidationError

from eloquence.errors import ConfigurationError, DependencyNotFoundError, ProviderNotFoundError

Stage = Literal["stt", "llm", "tts"]
STAGES: tuple[Stage, ...] = ("stt", "llm", "tts")


@dataclass(frozen=True, slots=True)
class Readiness:
    """What a provider says of itself for one language, without starting anything.

    `detail` is one sentence for people: what is active, or what is missing. `mend` is the command
    or the step that would make it ready; `model` names the model in use or, of what is not ready
    and by ear, one that `eloquence models download` knows and that would help. `leaves_machine`
    names the outside host that would receive speech or text, or is empty when everything stays on
    this machine.
    """

    ready: bool
    detail: str
    mend: str = ""
    model: str = ""
    leaves_machine: str = ""


@dataclass(frozen=True, slots=True)
class Provider:
    """A vendor's implementation of a stage, as data.

    `create(options, context)` makes a fresh engine object for one conversation (see
    `eloquence.conversation.stages` for the context). `check(options, language)` must be quick and
    must not touch the network. `environment` maps an option to the variables that also set it,
    first found wins. `languages` is empty when the provider takes any language.
    `probe(options, language)` asks the vendor itself, over the network, whether all is well.
    """

    name: str
    options: type[BaseModel]
    create: Callable[[Any, Any], Any]
    check: Callable[[Any, str], Readiness]
    languages: frozenset[str] = frozenset()
    environment: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    probe: Callable[[Any, str], Awaitable[Readiness]] | None = None

    def parse(
        self, given: Mapping[str, object], environment: Mapping[str, str] | None = None
    ) -> BaseModel:
        """The options from what was given and the environment. Raises ConfigurationError."""
        surroundings = os.environ if environment is None else environment
        values: dict[str, object] = {}
        for option, variables in self.environment.items():
            found = next((surroundings[name] for name in variables if surroundings.get(name)), None)
            if found is not None:
                values[option] = found
        values.update(given)
        try:
            return self.options.model_validate(values)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(part) for part in first["loc"]) or "options"
            known = ", ".join(sorted(self.options.model_fields))
            raise ConfigurationError(
                f"Option {where!r} of provider {self.name!r}: {first['msg']}.",
                mend=f"Options it knows: {known}.",
            ) from error


def names(stage: Stage) -> list[str]:
    """The providers of a stage that are installed, sorted, without importing any."""
    return sorted(point.name for point in _points(stage))


def provider(stage: Stage, name: str) -> Provider:
    """The provider of that name. Raises ProviderNotFoundError or DependencyNotFoundError."""
    for point in _points(stage):
        if point.name == name:
            return _load(point)
    raise ProviderNotFoundError(
        f"There is no {stage} provider named {name!r}.",
        mend=f"Installed: {', '.join(names(stage)) or 'none'}.",
    )


@dataclass(frozen=True, slots=True)
class Choice:
    """Which provider serves a stage for a language, with its options and what it says of itself.

    `automatic` tells that nobody named it. `passed_over` is empty, or says who was named before it
    and is not ready, why, and the mend.
    """

    provider: Provider
    options: BaseModel
    readiness: Readiness
    automatic: bool
    passed_over: str = ""


def choose(
    stage: Stage,
    wanted: str,
    options: Mapping[str, object],
    language: str,
    order: Sequence[str],
    defaults: Mapping[str, object] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Choice:
    """The provider `wanted`, or with `auto` the first of `order` that is ready, else the last.

    `environment` stands for the process's own; `defaults` are options for those providers that
    know them and were given none. A provider that was named is never replaced: when it is not
    ready, its readiness says why.
    Raises ProviderNotFoundError, DependencyNotFoundError, ConfigurationError.
    """
    if wanted != "auto":
        return _choice(
            stage, wanted, options, language, defaults or {}, environment, automatic=False
        )
    found: Choice | None = None
    for name in order:
        try:
            found = _choice(
                stage, name, options, language, defaults or {}, environment, automatic=True
            )
        except (ProviderNotFoundError, DependencyNotFoundError, ConfigurationError):
            if name == order[-1] and found is None:
                raise
            continue
        if found.readiness.ready:
            return found
    assert found is not None
    return found


def _choice(
    stage: Stage,
    name: str,
    options: Mapping[str, object],
    language: str,
    defaults: Mapping[str, object],
    environment: Mapping[str, str] | None,
    *,
    automatic: bool,
) -> Choice:
    found = provider(stage, name)
    known = {key: value for key, value in defaults.items() if key in found.options.model_fields}
    parsed = found.parse({**known, **options}, environment)
    if found.languages and language not in found.languages:
        readiness = Readiness(
            ready=False,
            detail=f"Provider {name!r} does not speak {language!r}.",
            mend=f"It knows: {', '.join(sorted(found.languages))}.",
        )
    else:
        readiness = found.check(parsed, language)
    return Choice(found, parsed, readiness, automatic)


def _points(stage: Stage) -> tuple[EntryPoint, ...]:
    return _points_on(tuple(sys.path), stage)


@cache
def _points_on(path: tuple[str, ...], stage: Stage) -> tuple[EntryPoint, ...]:
    """What is installed on that path. To look reads a file of every package, each time that a
    conversation begins."""
    return tuple(entry_points(group=f"eloquence.{stage}"))


def _load(point: EntryPoint) -> Provider:
    try:
        loaded = point.load()
    except ModuleNotFoundError as error:
        raise DependencyNotFoundError(
            f"Provider {point.name!r} needs the package {error.name!r}.",
            mend=f"Install it: pip install 'eloquence[{point.name}]'.",
        ) from error
    if not isinstance(loaded, Provider):
        raise ConfigurationError(f"Entry point {point.value!r} is not an eloquence Provider.")
    return loaded
