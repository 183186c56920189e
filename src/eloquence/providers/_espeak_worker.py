"""espeak-ng in a process of its own (GPL-3): `python -m eloquence.providers._espeak_worker`.

A request is `{"text", "voice", "rate", "pitch"}`: a voice name of espeak-ng such as `fr+f2`, a
rate in espeak's own words per minute (80..450) and a pitch 0..100.
"""

import ctypes
from typing import Any

import espeakng_loader
import numpy as np
import soxr

from eloquence.providers._speech_worker import Engine, Voice, serve

RATE = 24_000
_RETURN_SOUND = 2  # AUDIO_OUTPUT_SYNCHRONOUS: the callback gets the sound, nothing is played
_DO_NOT_EXIT = 0x8000
_UTF8 = 1
_SPEED, _PITCH = 1, 3
_WORD = 1
_CHUNK_MILLISECONDS = 60


class _Identity(ctypes.Union):
    _fields_ = (
        ("number", ctypes.c_int),
        ("name", ctypes.c_char_p),
        ("string", ctypes.c_char * 8),
    )


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _Identity),
    )


_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


class Espeak:
    """The library, loaded once. Raises OSError or RuntimeError when it cannot serve."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL(espeakng_loader.get_library_path())
        self._rate = self._library.espeak_Initialize(
            _RETURN_SOUND,
            _CHUNK_MILLISECONDS,
            espeakng_loader.get_data_path().encode(),
            _DO_NOT_EXIT,
        )
        if self._rate <= 0:
            raise RuntimeError("espeak-ng could not read its data")
        self._callback = _Callback(self._heard)  # kept: the library calls it later
        self._library.espeak_SetSynthCallback(self._callback)
        self._voice: Voice | None = None
        self._resampler = soxr.ResampleStream(self._rate, RATE, 1, dtype="int16")

    def speak(self, wanted: dict[str, Any], voice: Voice) -> None:
        if self._library.espeak_SetVoiceByName(str(wanted["voice"]).encode()) != 0:
            raise LookupError("no such voice")
        self._library.espeak_SetParameter(_SPEED, int(wanted["rate"]), 0)
        self._library.espeak_SetParameter(_PITCH, int(wanted["pitch"]), 0)
        self._resampler.clear()
        self._voice = voice
        text = str(wanted["text"]).encode() + b"\0"
        self._library.espeak_Synth(text, len(text), 0, _UTF8, 0, _UTF8, None, None)
        voice.sound(self._resampled(np.zeros(0, np.int16), last=True))

    def _heard(self, samples: Any, count: int, events: Any) -> int:
        """Called by the library in this thread with each piece; nonzero stops it."""
        if self._voice is None:
            return 1
        words = []
        for event in events:
            if event.type == 0:
                break
            if event.type == _WORD:
                words.append((event.text_position - 1, event.sample / self._rate))
        go_on = self._voice.words(words) if words else True
        if samples and count > 0:
            piece = np.ctypeslib.as_array(samples, (count,)).copy()
            go_on = self._voice.sound(self._resampled(piece, last=False)) and go_on
        return 0 if go_on else 1

    def _resampled(self, piece: np.ndarray[Any, np.dtype[np.int16]], *, last: bool) -> bytes:
        resampled: np.ndarray[Any, np.dtype[np.int16]] = self._resampler.resample_chunk(
            piece, last=last
        )
        return resampled.tobytes()


def load() -> tuple[Engine, dict[str, object]]:
    return Espeak().speak, {"engine": "espeak-ng"}


if __name__ == "__main__":
    raise SystemExit(serve(load))
