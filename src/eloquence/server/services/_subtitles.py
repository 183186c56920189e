"""A transcript as lines with times, for subtitles and for OpenAI's `segments`."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from eloquence.delivery.words import Word

PAUSE = 0.6
"""Seconds of silence that end a line."""
LONGEST = 7.0
"""Seconds that a line lasts at most: as long as one is shown."""
MOST_CHARACTERS = 84
"""Two rows of 42."""


@dataclass(frozen=True, slots=True)
class Line:
    """What is said between two moments, in seconds. `confidence` 0..1 is the mean of its words',
    None when it is not known."""

    start: float
    end: float
    text: str
    confidence: float | None = None


def lines(text: str, words: Sequence[Word] | None, duration: float) -> list[Line]:
    """The lines of a recording of `duration` seconds: cut at pauses, and where they get too long;
    a single one where no times are known."""
    if not words:
        return [Line(0.0, duration, text)] if text else []
    found: list[list[Word]] = [[words[0]]]
    for before, word in pairwise(words):
        line = found[-1]
        length = sum(len(one.text) + 1 for one in line) + len(word.text)
        pause = word.start - before.end >= PAUSE
        if pause or word.end - line[0].start > LONGEST or length > MOST_CHARACTERS:
            found.append([word])
        else:
            line.append(word)
    return [_line(line) for line in found]


def srt(shown: Iterable[Line]) -> str:
    """SubRip."""
    return "".join(
        f"{number}\n{_time(line.start, ',')} --> {_time(line.end, ',')}\n{line.text}\n\n"
        for number, line in enumerate(shown, 1)
    )


def vtt(shown: Iterable[Line]) -> str:
    """WebVTT."""
    cues = "".join(
        f"{_time(line.start, '.')} --> {_time(line.end, '.')}\n{_escaped(line.text)}\n\n"
        for line in shown
    )
    return f"WEBVTT\n\n{cues}"


def _line(words: Sequence[Word]) -> Line:
    known = [word.confidence for word in words if word.confidence is not None]
    sure = sum(known) / len(known) if known else None
    return Line(words[0].start, words[-1].end, " ".join(word.text for word in words), sure)


def _time(seconds: float, point: str) -> str:
    whole, milli = divmod(round(seconds * 1000), 1000)
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours:02}:{minute:02}:{second:02}{point}{milli:03}"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
