"""The stages of one conversation: whoever was chosen, and who takes over when they fail."""

import hashlib
import logging
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, SecretStr

from eloquence.bootstrap.stages import UNFAILING, Standby, standbys, status
from eloquence.coaching.character import Language
from eloquence.config import Settings
from eloquence.errors import AgentCreationError, EloquenceError
from eloquence.protocol import StageStatus
from eloquence.registry import Choice, Stage
from eloquence.storage.recorded import recorded

if TYPE_CHECKING:
    from eloquence.conversation.fallback.chain import Chain, Link
    from eloquence.conversation.stages import StageContext

log = logging.getLogger("eloquence")

_LOADING = 4.0
"""Seconds for which a voice on this machine is waited for while its model is being read."""


@dataclass(frozen=True, slots=True)
class Made:
    """The engine objects of the stages, and the chains that some of them are made of."""

    stages: Mapping[Stage, Any]
    chains: tuple["Chain[Any]", ...]
    statuses: Mapping[Stage, StageStatus]
    """As the page shows them."""


async def made(settings: Settings, chosen: Mapping[Stage, Choice], context: "StageContext") -> Made:
    """The stages of one conversation. Raises ConfigurationError, AgentCreationError; what was made
    until then is closed."""
    from eloquence.conversation.fallback.chain import Chain

    stages: dict[Stage, Any] = {}
    chains: list[Chain[Any]] = []
    statuses: dict[Stage, StageStatus] = {}
    try:
        async with AsyncExitStack() as stack:
            for stage, choice in chosen.items():
                standby = standbys(settings, stage, choice, context.language)
                statuses[stage] = status(choice, standby)
                links = _links(stage, choice, standby, context)
                for link in links:
                    stack.push_async_callback(link.stage.aclose)
                stages[stage] = links[0].stage
                if choice.provider.name not in UNFAILING:
                    chain = Chain(stage, links)
                    chains.append(chain)
                    stages[stage] = _stage(chain, context.language)
            stack.pop_all()  # from here on they are those of the conversation
    except EloquenceError:
        raise
    except Exception as error:
        log.exception("a stage could not be made")
        raise AgentCreationError(
            f"The coach could not be prepared ({type(error).__name__}).",
            mend="`eloquence doctor` says which stage is at fault.",
        ) from error
    return Made(stages, tuple(chains), statuses)


def _links(
    stage: Stage, choice: Choice, standby: Sequence[Standby], context: "StageContext"
) -> "list[Link[Any]]":
    links = [_link(stage, choice, context)]
    for one in standby:
        try:
            links.append(_link(stage, one.choice, context, last=one.last))
        except Exception as error:  # whoever only stands by must not keep anybody from talking
            name = one.choice.provider.name
            log.warning("stage %s: %s cannot stand by (%s)", stage, name, type(error).__name__)
    return links


def _link(
    stage: Stage, choice: Choice, context: "StageContext", *, last: bool = False
) -> "Link[Any]":
    from eloquence.conversation.fallback.breaker import Breaker
    from eloquence.conversation.fallback.chain import Link

    name, ready = choice.provider.name, choice.readiness
    breaker = f"breaker {stage} {name} {ready.model} {_mark(choice.options)}"
    return Link(
        name=name,
        stage=choice.provider.create(choice.options, context),
        breaker=context.resources.get(breaker, Breaker),
        status=status(choice),
        last=last,
        loading=0.0 if ready.leaves_machine or stage != "tts" else _LOADING,
    )


def _mark(options: BaseModel) -> str:
    """Differs from that of other options, also by a secret, of which it tells nothing: another host
    is another service, and a key that was mended is not left alone for the one before."""
    given = {
        name: value.get_secret_value() if isinstance(value, SecretStr) else value
        for name, value in options
    }
    return hashlib.sha256(repr(given).encode()).hexdigest()


def _stage(chain: "Chain[Any]", language: Language) -> Any:
    """The providers of a chain as one stage."""
    if chain.stage == "llm":
        from eloquence.conversation.fallback.answers import Answers

        return Answers(chain, language)
    if chain.stage == "stt":
        from eloquence.conversation.fallback.recognisers import Recognisers

        return Recognisers(chain)
    from eloquence.conversation.fallback.voices import Voices

    return Voices(chain, language, lost=recorded(language, "voice_lost"))
