"""Speech as a sound file."""

import io
from collections.abc import Mapping
from typing import Literal, NamedTuple

import numpy as np
import soundfile

Format = Literal["mp3", "wav", "opus", "ogg", "pcm"]


class Encoding(NamedTuple):
    """How libsndfile names a format and what is in it, and its media type."""

    container: str
    content: str
    media: str


ENCODINGS: Mapping[Format, Encoding] = {
    "mp3": Encoding("MP3", "MPEG_LAYER_III", "audio/mpeg"),
    "wav": Encoding("WAV", "PCM_16", "audio/wav"),
    "opus": Encoding("OGG", "OPUS", "audio/ogg; codecs=opus"),
    "ogg": Encoding("OGG", "VORBIS", "audio/ogg; codecs=vorbis"),
}


def encoded(pcm: bytes, rate: int, form: Format) -> bytes:
    """A file of that format with the sound: PCM16, mono, `rate` per second; `pcm` is the samples
    themselves, without any header. Takes a while for minutes of sound: not for an event loop."""
    if form == "pcm":
        return pcm
    encoding = ENCODINGS[form]
    file = io.BytesIO()
    with soundfile.SoundFile(
        file, "w", rate, 1, subtype=encoding.content, format=encoding.container
    ) as sound:
        sound.write(np.frombuffer(pcm, "<i2"))
    return file.getvalue()
