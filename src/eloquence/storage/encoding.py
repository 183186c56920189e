"""Speech as a sound file."""

import io
from collections.abc import Mapping
from typing import Literal, NamedTuple

import av
import numpy as np
import soundfile

Format = Literal["mp3", "wav", "opus", "ogg", "flac", "aac", "pcm"]


class Encoding(NamedTuple):
    """How libsndfile (FFmpeg, for AAC) names a format and what is in it, and its media type."""

    container: str
    content: str
    media: str


ENCODINGS: Mapping[Format, Encoding] = {
    "mp3": Encoding("MP3", "MPEG_LAYER_III", "audio/mpeg"),
    "wav": Encoding("WAV", "PCM_16", "audio/wav"),
    "opus": Encoding("OGG", "OPUS", "audio/ogg; codecs=opus"),
    "ogg": Encoding("OGG", "VORBIS", "audio/ogg; codecs=vorbis"),
    "flac": Encoding("FLAC", "PCM_16", "audio/flac"),
    "aac": Encoding("adts", "aac", "audio/aac"),
}


def encoded(pcm: bytes, rate: int, form: Format) -> bytes:
    """A file of that format with the sound: PCM16, mono, `rate` per second; `pcm` is the samples
    themselves, without any header. Takes a while for minutes of sound: not for an event loop."""
    if form == "pcm":
        return pcm
    encoding = ENCODINGS[form]
    if form == "aac":
        return _adts(pcm, rate, encoding)
    file = io.BytesIO()
    with soundfile.SoundFile(
        file, "w", rate, 1, subtype=encoding.content, format=encoding.container
    ) as sound:
        sound.write(np.frombuffer(pcm, "<i2"))
    return file.getvalue()


def _adts(pcm: bytes, rate: int, encoding: Encoding) -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format=encoding.container) as container:
        stream = container.add_stream(encoding.content, rate=rate, layout="mono")
        assert isinstance(stream, av.AudioStream)
        samples = np.frombuffer(pcm, "<i2").reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        frame.sample_rate = rate
        for packet in (*stream.encode(frame), *stream.encode(None)):
            container.mux(packet)
    return file.getvalue()
