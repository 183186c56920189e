"""Sentences that were recorded beforehand, for when there is nobody to say them."""

from functools import cache
from itertools import count

import numpy as np
import soundfile
import soxr

from eloquence.coaching.character import Language
from eloquence.storage.content import SHIPPED

RATE = 24_000


@cache
def recorded(language: Language, name: str) -> tuple[bytes, ...]:
    """The recordings `content/<language>/recorded/<name>_<n>.ogg`, n from 1, in order: PCM16 at
    24 kHz, mono. Empty when there are none."""
    folder = SHIPPED / language / "recorded"
    found: list[bytes] = []
    for number in count(1):
        path = folder / f"{name}_{number}.ogg"
        if not path.is_file():
            return tuple(found)
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
        wave = soxr.resample(samples.mean(axis=1), rate, RATE)
        found.append((np.clip(wave, -0.89, 0.89) * 32_767).astype("<i2").tobytes())
    return tuple(found)
