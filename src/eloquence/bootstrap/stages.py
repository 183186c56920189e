"""Which provider serves each stage."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from eloquence import protocol, registry
from eloquence.coaching.character import Language
from eloquence.coaching.session import Purpose
from eloquence.config import Settings, StageSettings, surroundings
from eloquence.errors import ConfigurationError, DependencyNotFoundError
from eloquence.protocol import StageStatus
from eloquence.registry import STAGES, Choice, Stage

log = logging.getLogger("eloquence")

AUTOMATIC: Mapping[Stage, tuple[str, ...]] = {
    "stt": ("vosk", "none"),
    "llm": ("script",),
    "tts": ("piper", "espeak"),
}
"""What `auto` tries, best first. All of it stays on this machine."""

LAST_RESORT: Mapping[Stage, tuple[str, ...]] = {
    "stt": ("vosk", "none"),
    "llm": ("script",),
    "tts": ("piper", "espeak"),
}
"""What serves when all that was chosen fail, where it is ready. All of it stays on this machine."""

OF_THE_CHOSEN = frozenset({"STT_MODEL", "LLM_MODEL", "TTS_MODEL", "TTS_VOICE_ID"})
"""Variables that say something of the chosen provider alone (CFG-05): whoever takes over from it is
another vendor, with other models and voices."""

BY_EAR = "none"
"""The recogniser that knows no words; a language model has nothing to read then."""

UNFAILING = frozenset({BY_EAR, "script"})
"""Providers that need nothing and always answer."""


def choose(settings: Settings, stage: Stage, language: Language) -> Choice:
    """Which provider the settings give a stage. Raises ProviderNotFoundError,
    DependencyNotFoundError, ConfigurationError."""
    return _chosen(settings, stage, settings.stage(stage), language, surroundings())


def successor(
    settings: Settings, stage: Stage, wanted: StageSettings, language: Language
) -> Choice:
    """Which provider a fallback of a stage is. Raises as `choose`."""
    given = surroundings()
    others = {name: given[name] for name in given if name not in OF_THE_CHOSEN}
    return _chosen(settings, stage, wanted, language, others)


def _chosen(
    settings: Settings,
    stage: Stage,
    wanted: StageSettings,
    language: Language,
    environment: Mapping[str, str],
) -> Choice:
    return registry.choose(
        stage,
        wanted.provider,
        wanted.options,
        language,
        AUTOMATIC[stage],
        defaults={"models": settings.models},
        environment=environment,
    )


def choices(settings: Settings, language: Language) -> dict[Stage, Choice]:
    """Which provider serves each stage for a language. A named one that is not ready is replaced
    by nobody but the first fallback that was named too and is ready; by ear the offline coach
    conducts, since a language model would have nothing to read. Raises as `choose`."""
    chosen = {stage: _first_ready(settings, stage, language) for stage in STAGES}
    if chosen["stt"].provider.name == BY_EAR:
        chosen["llm"] = conductor(chosen["llm"], language)
    return chosen


def _first_ready(settings: Settings, stage: Stage, language: Language) -> Choice:
    fallbacks = _fallbacks(settings, stage, language)
    try:
        chosen = choose(settings, stage, language)
    except DependencyNotFoundError as error:
        for one in fallbacks:
            return replace(one, passed_over=f"{error.message} {error.mend}".strip())
        raise
    ready = chosen.readiness
    if not ready.ready:
        for one in fallbacks:
            why = f"{chosen.provider.name}: {ready.detail} {ready.mend}".strip()
            return replace(one, passed_over=why)
    return chosen


def _fallbacks(settings: Settings, stage: Stage, language: Language) -> Iterator[Choice]:
    """The fallbacks of the settings that are ready, in order."""
    for wanted in settings.stage(stage).fallback:
        try:
            named = successor(settings, stage, wanted, language)
        except ConfigurationError as error:
            log.warning("a fallback of stage %s is left out: %s", stage, error.message)
            continue
        except Exception as error:  # somebody's package has a fault
            log.warning("a fallback of stage %s is left out (%s)", stage, type(error).__name__)
            continue
        if named.readiness.ready:
            yield named
        else:
            log.info("a fallback of stage %s is not ready: %s", stage, named.provider.name)


@dataclass(frozen=True, slots=True)
class Standby:
    """A provider that takes over when those before it fail. `last`: nobody named it; it stays on
    this machine."""

    choice: Choice
    last: bool


def standbys(
    settings: Settings, stage: Stage, chosen: Choice, language: Language
) -> tuple[Standby, ...]:
    """Who takes over, in order, when the chosen provider of a stage fails: those of the settings
    that are ready, then what stays on this machine. Who never fails needs nobody."""
    if chosen.provider.name in UNFAILING:
        return ()
    found = [
        Standby(one, last=False)
        for one in _fallbacks(settings, stage, language)
        if (one.provider.name, one.options) != (chosen.provider.name, chosen.options)
    ]
    known = {chosen.provider.name, *(one.choice.provider.name for one in found)}
    for name in LAST_RESORT[stage]:
        if name in known:
            continue
        with suppress(ConfigurationError):
            last = successor(settings, stage, StageSettings(provider=name), language)
            if last.readiness.ready and not last.readiness.leaves_machine:
                found.append(Standby(last, last=True))
    return tuple(found)


def serving(settings: Settings, purpose: Purpose, language: Language) -> dict[Stage, Choice]:
    """Who serves each stage of a conversation that is to begin. Raises DependencyNotFoundError when
    a stage is not ready."""
    chosen = choices(settings, language)
    if purpose != "exercise":
        chosen["llm"] = conducted(chosen["llm"], language)
    for stage, choice in chosen.items():
        if not choice.readiness.ready:
            raise DependencyNotFoundError(
                f"Stage {stage} ({choice.provider.name}): {choice.readiness.detail}",
                mend=choice.readiness.mend,
            )
    return chosen


def conducted(chosen: Choice, language: Language) -> Choice:
    """The offline coach, who conducts drills and second tries: their lines are fixed."""
    if chosen.provider.name == "script":
        return chosen
    return registry.choose("llm", "script", {}, language, AUTOMATIC["llm"])


def conductor(chosen: Choice, language: Language) -> Choice:
    """Who conducts by ear: the offline coach, saying so when somebody else was chosen."""
    script = conducted(chosen, language)
    if script is chosen:
        return chosen
    readiness = replace(
        script.readiness,
        detail=f"The offline coach conducts: without a recogniser the chosen "
        f"{chosen.provider.name} would have nothing to read.",
        mend="eloquence models list: a recogniser lets the chosen model answer.",
    )
    return replace(script, readiness=readiness)


def status(choice: Choice, standby: Sequence[Standby] = ()) -> StageStatus:
    """A choice as the page shows it, with who takes over when it fails."""
    ready = choice.readiness
    return StageStatus(
        provider=choice.provider.name,
        detail=ready.detail,
        mend=ready.mend,
        model=ready.model,
        leaves_machine=ready.leaves_machine,
        passed_over=choice.passed_over,
        standby=[
            protocol.Standby(
                provider=one.choice.provider.name,
                model=one.choice.readiness.model,
                leaves_machine=one.choice.readiness.leaves_machine,
            )
            for one in standby
        ],
    )
