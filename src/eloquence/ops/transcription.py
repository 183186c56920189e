"""What is said in a recording, with the time of each word."""

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eloquence.delivery.words import Word
from eloquence.ops.analysis import LONGEST_SENTENCE, MARGIN, Span, recognised_in, turn_spans
from eloquence.storage.decoding import Decoded, Waveform

if TYPE_CHECKING:
    from eloquence.conversation.recognition import Recognise


@dataclass(frozen=True, slots=True)
class Transcript:
    """`words` have times in seconds from the start of the recording; None when the recogniser
    tells none. `duration` is the recording's, in seconds."""

    text: str
    words: tuple[Word, ...] | None
    duration: float


async def transcript(recording: Decoded, recognise: "Recognise") -> Transcript:
    """What is said in the recording. Raises what `recognise` raises."""
    spans = await asyncio.to_thread(stretches, recording.samples, recording.duration)
    text, words = await recognised_in(recording.samples, spans, recognise)
    return Transcript(text, words, recording.duration)


def stretches(samples: Waveform, duration: float) -> list[Span]:
    """What a recogniser is given at once: a short recording as it is, of a longer one where there
    may be speech, cut at its longest silences and with a margin around it."""
    if duration <= LONGEST_SENTENCE:
        return [(0.0, duration)]
    found = turn_spans(samples, LONGEST_SENTENCE)
    ends = [0.0, *(end for _, end in found)]
    starts = [*(start for start, _ in found), duration]
    return [
        (
            max(start - MARGIN, (start + before) / 2),
            min(end + MARGIN, (end + after) / 2),
        )
        for (start, end), before, after in zip(found, ends[:-1], starts[1:], strict=True)
    ]
