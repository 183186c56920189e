"""Which provider serves each stage."""

from collections.abc import Mapping
from dataclasses import replace

from eloquence import registry
from eloquence.coaching.character import Language
from eloquence.coaching.session import Purpose
from eloquence.config import Settings, surroundings
from eloquence.errors import DependencyNotFoundError
from eloquence.protocol import StageStatus
from eloquence.registry import STAGES, Choice, Stage

AUTOMATIC: Mapping[Stage, tuple[str, ...]] = {
    "stt": ("vosk", "none"),
    "llm": ("script",),
    "tts": ("piper", "espeak"),
}
"""What `auto` tries, best first. All of it stays on this machine."""

BY_EAR = "none"
"""The recogniser that knows no words; a language model has nothing to read then."""


def choose(settings: Settings, stage: Stage, language: Language) -> Choice:
    """Which provider the settings give a stage. Raises ProviderNotFoundError,
    DependencyNotFoundError, ConfigurationError."""
    wanted = settings.stage(stage)
    return registry.choose(
        stage,
        wanted.provider,
        wanted.options,
        language,
        AUTOMATIC[stage],
        defaults={"models": settings.models},
        environment=surroundings(),
    )


def choices(settings: Settings, language: Language) -> dict[Stage, Choice]:
    """Which provider serves each stage for a language. Never replaces a named one; by ear the
    offline coach conducts, since a language model would have nothing to read."""
    chosen = {stage: choose(settings, stage, language) for stage in STAGES}
    if chosen["stt"].provider.name == BY_EAR:
        chosen["llm"] = conductor(chosen["llm"], language)
    return chosen


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


def status(choice: Choice) -> StageStatus:
    """A choice as the page shows it."""
    ready = choice.readiness
    return StageStatus(
        provider=choice.provider.name,
        detail=ready.detail,
        mend=ready.mend,
        model=ready.model,
        leaves_machine=ready.leaves_machine,
    )
