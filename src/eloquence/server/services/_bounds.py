"""What a chat may ask for where the operator pays for it, and not whoever asks."""

import json
from typing import Any

from eloquence.errors import LanguageModelError

MOST_TOKENS = 4_096
"""Tokens of the longest answer that may be asked for: as many as the settings allow the coach."""
USUAL_TOKENS = 1_024
"""Tokens of an answer for which no length is asked: five minutes of speech."""
TAKEN = frozenset({
    "frequency_penalty", "logit_bias", "logprobs", "max_completion_tokens", "max_tokens",
    "messages", "model", "n", "parallel_tool_calls", "presence_penalty", "reasoning_effort",
    "response_format", "seed", "stop", "stream", "stream_options", "temperature", "tool_choice",
    "tools", "top_logprobs", "top_p", "user", "verbosity",
})  # fmt: skip
"""Fields that cost no more than the answer does. Others may: of several answers, of a search, of a
dearer tier; or have the host keep what was said."""
_LENGTHS = ("max_completion_tokens", "max_tokens")


def bounded(body: bytes, length: str) -> bytes:
    """The request of a chat, for one answer of a bounded length, which the host knows as the field
    `length`. What is no such request stays as it is. Raises LanguageModelError for more."""
    try:
        asked: Any = json.loads(body)
    except (ValueError, RecursionError):
        return body
    if not isinstance(asked, dict):
        return body
    for name in sorted(asked.keys() - TAKEN):
        if asked.pop(name):
            shown = name.encode("ascii", "backslashreplace").decode()[:64]
            raise _refused(f"Here a chat takes no {shown}", "Leave it out.")
    one = asked.get("n")
    if one is not None and not _is_within(one, 1):
        raise _refused("Here a chat has one answer", "Leave n out, or give 1; ask again for more.")
    most = USUAL_TOKENS
    for name in _LENGTHS:
        given = asked.pop(name, None)
        if given is None:
            continue
        if not _is_within(given, MOST_TOKENS):
            raise _refused(
                f"Here an answer has at most {MOST_TOKENS} tokens",
                f"Give a {name} from 1 to {MOST_TOKENS}, or leave it out.",
            )
        most = given
    return json.dumps(asked | {length: most}).encode()


def _is_within(value: object, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= most


def _refused(what: str, mend: str) -> LanguageModelError:
    return LanguageModelError(
        f"{what}.", cause="bad_request", mend=f"HTTP 422: invalid request. {mend}"
    )
