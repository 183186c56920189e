"""Which stage failed, why, and what the learner is told of it."""

from collections.abc import Mapping

from livekit.agents import APIConnectionError, APITimeoutError

from eloquence.errors import Cause
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


def cause_of(error: object) -> Cause:
    """Why a service failed, from the exception that its client raised."""
    status = getattr(error, "status_code", None)
    if status in (401, 403):
        return "authentication"
    if status == 429:
        return "rate_limit"
    if isinstance(error, APITimeoutError):
        return "timeout"
    if isinstance(error, APIConnectionError):
        return "unreachable"
    return "internal"
