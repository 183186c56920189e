"""What is known of a turn the moment it ends, for a coach that answers without a model."""

from collections.abc import Sequence
from itertools import pairwise

from eloquence.delivery import timing
from eloquence.delivery.sound import Sound
from eloquence.delivery.syllables import Language
from eloquence.delivery.words import Word

LONG_PAUSE = 1.0


def last_turn_facts(
    words: Sequence[Word] | None, sound: Sound | None, language: Language = "fr"
) -> tuple[float, float | None, int]:
    """(seconds of speech with its pauses, syllables per second or None, pauses of at least 1 s).

    From the words where there are any, else from the sound; (0, None, 0) when there is neither.
    """
    if words:
        span = timing.span(words)
        gaps = [right.start - left.end for left, right in pairwise(words)]
        syllables = float(timing.syllables(words, language))
    elif sound is not None:
        span = timing.span_by_ear(sound)
        gaps = [silence.seconds for silence in timing.silences_by_ear(sound)]
        syllables = timing.syllables_by_ear(sound, language)
    else:
        return 0.0, None, 0
    seconds = span[1] - span[0] if span else 0.0
    return seconds, timing.speech_rate(syllables, seconds), sum(gap >= LONG_PAUSE for gap in gaps)
