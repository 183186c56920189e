"""The raw figures of a session: each with its standard error, or with why it cannot be taken."""

from collections.abc import Mapping
from math import hypot

from eloquence.coaching.evaluation import Reading, standard_error
from eloquence.coaching.norms import Norms
from eloquence.coaching.observation import Observation
from eloquence.coaching.session import Profile
from eloquence.delivery.quality import Fault
from eloquence.delivery.sound import HOP
from eloquence.delivery.tally import MEASURES, Tally

_OF_VOICE = frozenset({"pitch_variation", "loudness_variation", "turn_end_pitch", "trail_off"})
_OF_PITCH = frozenset({"pitch_variation", "turn_end_pitch"})
_OF_DIALOGUE = frozenset({"response_latency", "talk_ratio", "questions", "interruptions", "uptake"})
REASONS: Mapping[Fault, str] = {
    "silence": "no_speech",
    "no_voice": "no_voice",
    "music": "music",
    "clipping": "clipping",
    "noise": "noise",
}
"""Why the sound was not measured, as a key of `Phrases.reasons`."""
OF_THE_WHOLE = frozenset({*REASONS.values(), "no_sound", "profile_speech_difference"})
"""Reasons that hold for all that is taken from the sound or the voice, whatever the measure."""
Readings = Mapping[str, Reading]
"""Measure -> what was read of it."""

_UNASKED = 1.0
"""Semitones of error of the ends of statements when no punctuation tells them from questions that
only the tone marks."""


def readings(
    seen: Observation, tally: Tally, norms: Norms, profile: Profile = "native"
) -> dict[str, Reading]:
    """Every measure of `norms` on a tally of the session."""
    found = {}
    for name in norms.measures:
        reason = _unmeasured(name, seen, tally, norms, profile)
        found[name] = Reading(None, reason=reason) if reason else reading(name, seen, tally, norms)
    return found


def reading(name: str, seen: Observation, tally: Tally, norms: Norms) -> Reading:
    """One measure on a tally of the session, whether or not it should be taken there."""
    norm = norms.measures[name]
    value = MEASURES[name](tally)
    if value is None:
        return Reading(None, reason="nothing")
    error = standard_error(norm, value, float(getattr(tally, norm.per)), by_ear=seen.by_ear)
    if not seen.punctuated:
        if name == "mid_phrase_pauses":
            error = hypot(error, norms.unknown_pauses.error)
        elif name == "turn_end_pitch" and not seen.by_ear:
            error = hypot(error, _UNASKED)
    return Reading(value, error)


def _unmeasured(name: str, seen: Observation, tally: Tally, norms: Norms, profile: Profile) -> str:
    """Why a measure cannot be taken in this session (a key of `Phrases.reasons`), or nothing."""
    norm = norms.measures[name]
    if not seen.turns:
        return "no_speech"
    if profile == "speech_difference" and norm.about == "speech":
        return "profile_speech_difference"
    if (name in _OF_VOICE or seen.by_ear) and seen.fault is not None:
        return REASONS[seen.fault]
    if name in _OF_VOICE and not seen.sounds:
        return "no_sound"
    if seen.by_ear and norm.by_ear is None:
        return "by_ear"
    if name in _OF_PITCH and tally.pitch_frames * HOP < norms.least_voicing:
        return "little_voice"
    if name in _OF_DIALOGUE and not tally.character_turns:
        return "no_dialogue"
    if tally.seconds < norm.least_seconds:
        return "more_speech"
    if name == "filled_pauses" and not (seen.tally.filled_pauses or seen.verbatim):
        return "none_written"
    if name == "sentence_length" and not seen.punctuated:
        return "no_punctuation"
    if norm.least and getattr(tally, norm.per) < norm.least:
        if norm.per == "stretches" or (norm.per == "ends" and not seen.by_ear):
            return "more_ends"
        return "more_turns"  # by ear a statement is known to end where the turn does
    return ""
