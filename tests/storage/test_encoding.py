"""Speech as sound files of each format."""

import io

import numpy as np
import pytest
import soundfile

from eloquence.storage.encoding import ENCODINGS, Format, encoded

RATE = 24_000


def speech() -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    """3 s of a tone that swells and fades."""
    times = np.arange(3 * RATE) / RATE
    wave = 9_000 * np.sin(np.pi * times / 3) * np.sin(2 * np.pi * 220 * times)
    return wave.astype(np.int16)


def test_wav_and_pcm_keep_every_sample() -> None:
    pcm = speech().tobytes()
    assert encoded(pcm, RATE, "pcm") == pcm
    samples, rate = soundfile.read(io.BytesIO(encoded(pcm, RATE, "wav")), dtype="int16")
    assert rate == RATE
    assert np.array_equal(samples, speech())


@pytest.mark.parametrize("form", ["mp3", "opus", "ogg"])
def test_compressed_speech_is_the_same_to_the_ear(form: Format) -> None:
    file = encoded(speech().tobytes(), RATE, form)
    assert len(file) < len(speech().tobytes()) / 3
    samples, rate = soundfile.read(io.BytesIO(file), dtype="float64")
    assert rate == RATE
    assert len(samples) == pytest.approx(3 * RATE, abs=0.05 * RATE)
    count = min(len(samples), 3 * RATE)
    shift = max(
        np.corrcoef(samples[by : by + count // 2], speech()[: count // 2])[0, 1]
        for by in range(RATE // 220 + 1)
    )
    assert shift > 0.99
    assert ENCODINGS[form].media.startswith("audio/")
