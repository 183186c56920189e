"""Supertonic in a process of its own: `python -m eloquence.providers._supertonic_worker FOLDER
THREADS`. Its networks are half a gigabyte in memory, which goes when the voice does.

A request is `{"text", "voice", "language", "steps", "speed"}`; `voice` is a file.
"""

import os
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import soxr

os.environ["HF_HUB_OFFLINE"] = "1"  # before the package is loaded: nothing is fetched from here

from supertonic import TTS, Style

from eloquence.providers._speech_worker import Engine, Voice, serve

RATE = 24_000
_PIECE = RATE // 2
"""Samples that are handed out at a time."""
_LOUDEST = 0.8
"""Of full scale: what comes after may add 2 dB."""


def load() -> tuple[Engine, dict[str, object]]:
    folder = Path(sys.argv[1])
    threads = int(sys.argv[2]) or min(4, os.cpu_count() or 1)
    engine = TTS(
        model_dir=folder,
        auto_download=False,
        intra_op_num_threads=threads,
        inter_op_num_threads=1,
    )
    known = engine.model.text_processor

    @cache
    def style(path: str) -> Style:
        return engine.get_voice_style_from_path(path)

    @cache
    def sayable(character: str) -> bool:
        return bool(known.validate_text(character)[0])

    def speak(wanted: dict[str, Any], out: Voice) -> None:
        text = "".join(one if sayable(one) else " " for one in str(wanted["text"]))
        if not any(one.isalnum() for one in text):
            return
        sound, seconds = engine.synthesize(
            text,
            voice_style=style(str(wanted["voice"])),
            total_steps=int(wanted["steps"]),
            speed=float(wanted["speed"]),
            lang=str(wanted["language"]),
            silence_duration=0.1,
        )
        spoken = sound.reshape(-1)[: int(float(seconds[0]) * engine.sample_rate)]
        pcm = _pcm(soxr.resample(spoken, engine.sample_rate, RATE))
        for at in range(0, len(pcm), _PIECE):
            if not out.sound(pcm[at : at + _PIECE].tobytes()):
                return

    return speak, {"engine": "supertonic", "model": folder.name}


def _pcm(sound: "np.ndarray[Any, np.dtype[np.float32]]") -> "np.ndarray[Any, np.dtype[np.int16]]":
    """16-bit samples, turned down when they would be louder than they may be."""
    loudest = float(np.abs(sound).max(initial=0.0))
    factor = min(1.0, _LOUDEST / loudest) if loudest > 0 else 1.0
    return np.asarray(np.round(sound * factor * 32_767), np.int16)


if __name__ == "__main__":
    raise SystemExit(serve(load))
