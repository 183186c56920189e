"""What a failed call to a vendor means, in our own errors."""

from eloquence.conversation.faults import retry_after
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


def note_wait(error: BaseException) -> None:
    """Keeps with the error how long the vendor asks to wait: the engine raises it again without
    what it was made of."""
    after = retry_after(error)
    if after is not None:
        error.after = after  # type: ignore[attr-defined]
