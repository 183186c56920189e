"""Timed words: what a recogniser heard, and when."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Word:
    """One spoken word with its times in seconds; `confidence` is 0..1, or None when unknown."""

    text: str
    start: float
    end: float
    confidence: float | None = None
