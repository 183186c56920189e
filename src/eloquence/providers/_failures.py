"""What a failed call to a vendor means, in our own errors."""

from collections.abc import Mapping
from datetime import UTC, datetime

from livekit.agents import APIStatusError

from eloquence.conversation.faults import retry_after, seconds_until
from eloquence.errors import (
    Cause,
    LanguageModelError,
    ProviderError,
    SpeechToTextError,
    TextToSpeechError,
)
from eloquence.registry import Stage

_ERRORS: dict[Stage, type[ProviderError]] = {
    "stt": SpeechToTextError,
    "llm": LanguageModelError,
    "tts": TextToSpeechError,
}
_SAID: dict[Cause, str] = {
    "authentication": "refused the key",
    "rate_limit": "asks to slow down, or its quota is used up",
    "timeout": "did not answer in time",
    "unreachable": "could not be reached",
    "bad_request": "did not understand the request",
    "bad_answer": "gave an answer that cannot be used",
    "internal": "failed",
}


def failure(
    stage: Stage, who: str, why: Cause, *, mend: str = "", after: float | None = None
) -> ProviderError:
    """Our error for a stage: `who` is the vendor or host, `mend` what the operator can do, `after`
    how many seconds the vendor asks to wait."""
    return _ERRORS[stage](f"{who} {_SAID[why]}.", cause=why, mend=mend, after=after)


def refused(
    message: str, status: int, headers: Mapping[str, str], request: str | None = None
) -> APIStatusError:
    """The engine's error for a host that answered with this status and these headers. `message`
    is ours: what a host says of a failure may quote what was said."""
    error = APIStatusError(message, status_code=status, request_id=request)
    written = headers.get("retry-after")
    _note(error, seconds_until(written, datetime.now(UTC)) if written else None)
    return error


def note_wait(error: BaseException) -> None:
    """Keeps with the error how long the vendor asks to wait: the engine raises it again without
    what it was made of."""
    _note(error, retry_after(error))


def _note(error: BaseException, after: float | None) -> None:
    if after is not None:
        error.after = after  # type: ignore[attr-defined]
