"""What is measured on the samples of one stretch of speech, small enough to be stored with it."""

from pydantic import BaseModel, ConfigDict

HOP = 0.016
"""Seconds between two frames of `pitch` and `intensity`."""


class Sound(BaseModel):
    """Acoustic measures of one stretch of speech. Times are seconds on the session's clock.

    Frame `i` of `pitch` and `intensity` is centred on `start + i * HOP`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    start: float
    duration: float
    pitch: tuple[float | None, ...]
    """Fundamental frequency in hertz per frame, None where unvoiced."""
    intensity: tuple[float, ...]
    """Level in decibels relative to full scale per frame, floored at -100."""
    speech: tuple[tuple[float, float], ...]
    """Stretches of sound that is speech, each (start, end)."""
    nuclei: tuple[float, ...]
    """Times of syllable nuclei found in the sound alone (de Jong & Wempe 2009)."""
    snr: float | None
    """Speech level over noise floor in decibels; None when there is no speech or no silence."""
    clipping: float
    """Share of samples at full scale, 0..1."""
