"""When a turn ends and what interrupts: the engine's settings, chosen explicitly.

Every model named here runs on this machine; nothing contacts a vendor's service.
"""

from livekit.agents import inference
from livekit.agents.voice.turn import (
    EndpointingOptions,
    PreemptiveGenerationOptions,
    TurnHandlingOptions,
)

from eloquence.coaching.exercise import Patience
from eloquence.conversation.inline import Inline

SILENCE = 0.25
"""Seconds of silence after which voice activity ends; the end-of-turn model needs as much."""

_SUSPICION = 0.1
"""Seconds of voice over the character after which its sound is held back. Held, not cut: a cough
costs a short hole, a real interruption is heard at once."""

_TAIL = 0.04
"""Seconds by which voice activity outlasts the voice (docs/performance.md): taken off the wait, so
that the silence a learner hears is the patience that was chosen."""

_FALSE_ALARM = 0.9
"""Seconds without words after which what held the character back was nothing, and it goes on."""


def voice_activity() -> inference.VAD:
    """A voice-activity detector for one conversation."""
    return inference.VAD(min_silence_duration=SILENCE, executor=Inline())


def end_of_turn() -> inference.TurnDetector:
    """The end-of-turn model for one conversation, pinned to the version that runs locally."""
    return inference.TurnDetector(version="v1-mini")


def patience_with(chosen: float | None, of_exercise: Patience) -> Patience:
    """The exercise's patience, stretched or shortened to the learner's own maximum (seconds)."""
    if chosen is None:
        return of_exercise
    share = chosen / of_exercise.maximum
    return Patience(minimum=min(chosen, max(0.25, of_exercise.minimum * share)), maximum=chosen)


def endpointing(patience: Patience, *, push_to_talk: bool) -> EndpointingOptions:
    """How long the engine waits in a silence; not at all when the learner says by key."""
    if push_to_talk:
        return {"min_delay": 0.0, "max_delay": 0.0}
    return {"min_delay": patience.minimum - _TAIL, "max_delay": patience.maximum - _TAIL}


def preparing(*, frugal: bool) -> PreemptiveGenerationOptions:
    """How an answer is prepared while the silence is still being waited for, to be thrown away when
    the learner goes on. `frugal` limits that, for stages that somebody outside is paid for: a few
    attempts at the words, none at the voice."""
    return {
        "enabled": True,
        "preemptive_tts": not frugal,
        "max_retries": 3 if frugal else 50,
        "max_speech_duration": 15.0 if frugal else 600.0,
    }


def turn_handling(patience: Patience, *, push_to_talk: bool, frugal: bool) -> TurnHandlingOptions:
    """The engine's turn-handling options for that patience."""
    return {
        "turn_detection": "manual" if push_to_talk else end_of_turn(),
        "endpointing": endpointing(patience, push_to_talk=push_to_talk),
        "interruption": {
            "mode": "vad",
            "min_duration": _SUSPICION,
            "min_words": 0,
            "resume_false_interruption": True,
            "false_interruption_timeout": _FALSE_ALARM,
        },
        "preemptive_generation": preparing(frugal=frugal),
    }
