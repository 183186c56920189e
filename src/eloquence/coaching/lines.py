"""What every character may need to say or to recognise, whatever the exercise."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from eloquence.coaching.character import Model

HINT_WORDS = (2, 6)
"""The least and the most words of a hint: it is read at a glance."""

Variants = Annotated[tuple[str, ...], Field(min_length=1)]


def _brief(text: str) -> str:
    words = len(re.findall(r"\w+", text.replace("’", "").replace("-", "")))
    if not HINT_WORDS[0] <= words <= HINT_WORDS[1]:
        raise ValueError(f"a hint has {HINT_WORDS[0]} to {HINT_WORDS[1]} words, not {words}")
    return text


HintText = Annotated[str, AfterValidator(_brief)]


class WarmUpLines(Model):
    """`open` greets with an easy personal question, `more` asks another one after a short answer,
    `passage` leads over to the exercise."""

    open: Variants
    more: Variants
    passage: Variants


class HintLines(Model):
    """Hints of two to six words. `start` helps one to begin; the others are by measure, or by
    part of a good answer (`situation`, `result`…, see `Exercise.parts`)."""

    start: Annotated[tuple[HintText, ...], Field(min_length=1)]
    measures: dict[str, Annotated[tuple[HintText, ...], Field(min_length=1)]]
    parts: dict[str, Annotated[tuple[HintText, ...], Field(min_length=1)]]


class PracticeLines(Model):
    """What is said around a drill or an answer that is tried again. `again` leads to the question;
    `forbidden` names the {word} of a drill that forbids one; `go_on` asks for more when a drill
    is not over; the others close."""

    again: Variants
    forbidden: str
    go_on: Annotated[tuple[str, ...], Field(min_length=1, max_length=5)]
    drill_close: Variants
    retry_close: Variants


class Lines(Model):
    """Lines of one language, from `content/<language>/lines.yaml`.

    `silence` is said, one after the other, when the learner stays silent; `no_answer` when no
    language model answers, before a line of the exercise; `backchannels` are the words with which a
    listener says "go on": alone, they do not interrupt the character.
    """

    silence: Variants
    no_answer: Variants
    filler: Annotated[tuple[str, ...], Field(min_length=2)]
    """Said while an answer is late, in turn."""
    unheard: Variants
    """Said when no word of a turn was understood, as no recogniser is left that knows any."""
    voice_lost: Variants
    """What the recordings `recorded/voice_lost_<n>.ogg` say when no voice is left for an answer,
    which is shown: the first time, and from then on until a voice is back."""
    unfiltered: Variants
    """Said in place of words that a required filter could not look at."""
    plugin_off: str
    """Shown when a plugin, its {name}, was switched off."""
    backchannels: frozenset[str]
    warm_up: WarmUpLines
    microphone: dict[Literal["noisy", "clipping", "quiet"], str]
    """Advice after the warm-up, by what is wrong with the sound."""
    hints: HintLines
    no_hint: Variants
    """Said or shown when a hint is asked for in an exam."""
    pausing: Variants
    """Said before a pause that was asked for by voice."""
    resumed: Variants
    """Said when the line was lost and is back, before the question is put again."""
    too_fast: str
    """Shown when messages come faster than they are taken."""
    practice: PracticeLines
