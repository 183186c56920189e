"""What a language model is given to read of a conversation."""

import re
from collections.abc import Mapping

from livekit.agents import APIStatusError, llm

from eloquence.coaching.character import Language

MOST = 32_000
"""Characters of the turns that a model is given to read: about an hour of talk, and room enough in
the context of most models."""
_TOO_LONG = re.compile(
    r"context.{0,20}(?:length|window|size|limit)|prompt.{0,20}too (?:long|large)"
    r"|too (?:long|many tokens|many input tokens)|too large for|maximum.{0,20}(?:length|tokens)",
    re.IGNORECASE,
)
_GO_ON: Mapping[Language, str] = {
    "fr": (
        "(Ta réponse a été coupée après ces mots. Continue-la à partir de là, en français, sans "
        "rien répéter et sans commentaire.)"
    ),
    "en": (
        "(Your answer was cut off after these words. Go on from there, in English, without "
        "repeating anything and without any comment.)"
    ),
}


def shortened(context: llm.ChatContext, most: int) -> llm.ChatContext:
    """The context without its oldest turns, so that at most so many characters of turns are left;
    what is no turn, as the instructions, and the latest turn always stay."""
    kept: list[llm.ChatItem] = []
    left, latest = most, True
    for item in reversed(context.items):
        if isinstance(item, llm.ChatMessage) and item.role in ("user", "assistant"):
            left -= len(item.text_content or "")
            if left < 0 and not latest:
                continue
            latest = False
        elif left < 0 and item.type in ("function_call", "function_call_output"):
            continue
        kept.append(item)
    return llm.ChatContext(kept[::-1])


def continued(context: llm.ChatContext, said: str, language: Language) -> llm.ChatContext:
    """The context for a model that is to go on from what another one has said of its answer."""
    if not said:
        return context
    longer = context.copy()
    longer.add_message(role="assistant", content=said.strip())
    longer.add_message(role="user", content=_GO_ON[language])
    return longer


def characters(context: llm.ChatContext) -> int:
    """How long its turns are."""
    return sum(
        len(message.text_content or "")
        for message in context.messages()
        if message.role in ("user", "assistant")
    )


def too_long(error: BaseException) -> bool:
    """Whether the provider says that it was given more to read than it can."""
    if not isinstance(error, APIStatusError):
        return False
    told = f"{error.message} {error.body}"
    return error.status_code == 413 or (
        error.status_code in (400, 422) and _TOO_LONG.search(told) is not None
    )
