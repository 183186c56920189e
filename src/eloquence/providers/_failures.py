"""What a failed call to a vendor means, in our own errors."""

from livekit.agents import APIConnectionError, APIError, APIStatusError, APITimeoutError

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


def cause(error: APIError) -> Cause:
    """Why the call failed."""
    if isinstance(error, APITimeoutError):
        return "timeout"
    if isinstance(error, APIStatusError):
        return status_cause(error.status_code)
    return "unreachable" if isinstance(error, APIConnectionError) else "bad_answer"


def status_cause(status: int) -> Cause:
    """Why a host that answered with this HTTP status did not do what it was asked."""
    if status in (401, 403):
        return "authentication"
    if status == 429:
        return "rate_limit"
    if status == 408:
        return "timeout"
    return "bad_request" if 400 <= status < 500 else "internal"


def failure(
    stage: Stage, who: str, why: Cause, *, mend: str = "", after: float | None = None
) -> ProviderError:
    """Our error for a stage: `who` is the vendor or host, `mend` what the operator can do, `after`
    how many seconds the vendor asks to wait."""
    return _ERRORS[stage](f"{who} {_SAID[why]}.", cause=why, mend=mend, after=after)
