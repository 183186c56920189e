"""Piper in a process of its own (GPL-3): `python -m eloquence.providers._piper_worker MODEL`.

A request is `{"text", "length_scale"}`: greater is slower.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import soxr
from piper import PiperVoice, SynthesisConfig

from eloquence.providers._speech_worker import Engine, Voice, serve

RATE = 24_000
_VOLUME = 0.8
"""Piper brings each sentence to full scale; this leaves 2 dB above it for whatever comes after."""


def load() -> tuple[Engine, dict[str, object]]:
    model = Path(sys.argv[1])
    voice = PiperVoice.load(model)

    def speak(wanted: dict[str, Any], out: Voice) -> None:
        config = SynthesisConfig(length_scale=float(wanted["length_scale"]), volume=_VOLUME)
        resampler: soxr.ResampleStream | None = None
        for chunk in voice.synthesize(str(wanted["text"]), config):
            if resampler is None:
                resampler = soxr.ResampleStream(chunk.sample_rate, RATE, 1, dtype="int16")
            sound = resampler.resample_chunk(chunk.audio_int16_array, last=False)
            if not out.sound(sound.tobytes()):
                return
        if resampler is not None:
            out.sound(resampler.resample_chunk(np.zeros(0, np.int16), last=True).tobytes())

    return speak, {"engine": "piper", "model": model.stem}


if __name__ == "__main__":
    raise SystemExit(serve(load))
