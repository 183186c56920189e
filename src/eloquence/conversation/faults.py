"""Which stage failed, why, and what the learner is told of it."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from livekit.agents import APIConnectionError, APIError, APIStatusError, APITimeoutError

from eloquence.errors import Cause, ProviderError
from eloquence.registry import STAGES, Stage

TOLD: Mapping[Cause, str] = {
    "authentication": "The service refused the key.",
    "rate_limit": "The service refuses more requests for now.",
    "timeout": "The service does not answer in time.",
    "unreachable": "The service cannot be reached.",
    "bad_answer": "The service gave no answer.",
}
"""What the learner is told of a failed stage: its kind, never what was said."""


def stage_of(error: object) -> Stage | None:
    """The stage that an error of the engine comes from, None when it is not of a stage."""
    kind = getattr(error, "type", "")
    return next((stage for stage in STAGES if kind == f"{stage}_error"), None)


def cause_of(error: BaseException | None) -> Cause:
    """Why a service failed, from the exception that its client raised, at last and before that."""
    if isinstance(error, ProviderError):
        return error.cause
    if isinstance(error, APIStatusError):
        return status_cause(error.status_code)
    if isinstance(error, APITimeoutError | TimeoutError):
        return "timeout"
    earlier = None if error is None else error.__cause__
    if isinstance(earlier, APIStatusError | APIConnectionError | ProviderError):
        return cause_of(earlier)
    if isinstance(error, APIConnectionError):
        return "unreachable"
    return "bad_answer" if isinstance(error, APIError) else "internal"


def status_cause(status: int) -> Cause:
    """Why a host that answered with this HTTP status did not do what it was asked; a status under
    400 that is an error nevertheless, or none (-1), is a connection that came to nothing."""
    if status in (401, 403):
        return "authentication"
    if status == 429:
        return "rate_limit"
    if status == 408:
        return "timeout"
    if status < 400:
        return "unreachable"
    return "bad_request" if status < 500 else "internal"


def retry_after(error: BaseException | None) -> float | None:
    """Seconds for which the vendor asks to be left alone, from the error or from the answer that it
    was made of; None when it says nothing."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        after = getattr(error, "after", None)
        if isinstance(after, int | float):
            return float(after)
        answer = getattr(error, "response", error)  # some clients put the headers on the error
        headers = getattr(answer, "headers", None)
        written = headers.get("retry-after") if headers is not None else None
        if written:
            return seconds_until(str(written), datetime.now(UTC))
        error = error.__cause__ or error.__context__
    return None


def seconds_until(retry_after: str, now: datetime) -> float | None:
    """A `Retry-After` header, seconds or a date, as seconds from now; None when it is neither."""
    written = retry_after.strip()
    try:
        seconds = float(written)
        return max(0.0, seconds) if math.isfinite(seconds) else None
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(written) - now).total_seconds())
    except (ValueError, TypeError):
        return None
