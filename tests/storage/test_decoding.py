"""Reading recordings: what is sound is read, what is not is told."""

import io
import os
import struct
import tempfile
import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from eloquence.errors import RecordingError
from eloquence.storage import decoding
from eloquence.storage.decoding import RATE, decode, plain


def tone(seconds: float, rate: int, hertz: float = 440.0) -> npt.NDArray[np.float32]:
    times = np.arange(round(seconds * rate)) / rate
    return (0.5 * np.sin(2 * np.pi * hertz * times)).astype(np.float32)


def loudest(samples: npt.NDArray[np.float32]) -> float:
    """The strongest frequency in hertz."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(samples.size)))
    return float(np.argmax(spectrum) * RATE / samples.size)


def header(
    *, rate: int = 16_000, channels: int = 1, data: int = 3200, bits: int = 16, chunk: int = 16
) -> bytes:
    """A WAV header that claims what it is told to."""
    frame = channels * bits // 8 & 0xFFFF
    second = rate * frame & 0xFFFFFFFF
    return (
        b"RIFF"
        + struct.pack("<I", min(data + 36, 0xFFFFFFFF))
        + b"WAVEfmt "
        + struct.pack("<IHHIIHH", chunk, 1, channels, rate, second, frame, bits)
        + b"data"
        + struct.pack("<I", data)
    )


@pytest.mark.parametrize(
    ("name", "kind", "subtype", "rate", "channels"),
    [
        ("a.wav", "WAV", "PCM_16", 16_000, 1),
        ("a.wav", "WAV", "PCM_16", 44_100, 2),
        ("a.wav", "WAV", "PCM_24", 96_000, 8),
        ("a.wav", "WAV", "FLOAT", 8_000, 1),
        ("a.flac", "FLAC", "PCM_16", 22_050, 1),
        ("a.mp3", "MP3", "MPEG_LAYER_III", 44_100, 2),
        ("a.ogg", "OGG", "VORBIS", 32_000, 1),
        ("a.opus", "OGG", "OPUS", 48_000, 1),
        ("a.txt", "FLAC", "PCM_16", 16_000, 1),
    ],
)
async def test_each_kind_of_recording_becomes_the_same_samples(
    tmp_path: Path, name: str, kind: str, subtype: str, rate: int, channels: int
) -> None:
    sound = np.repeat(tone(2.0, rate)[:, None], channels, axis=1)
    soundfile.write(tmp_path / name, sound, rate, format=kind, subtype=subtype)
    decoded = await decode(tmp_path / name)
    samples = decoded.samples[:]
    assert samples.dtype == np.int16
    assert decoded.duration == len(decoded.samples) / RATE == pytest.approx(2.0, abs=0.06)
    assert loudest(samples.astype(np.float32)) == pytest.approx(440, abs=1)
    level = np.sqrt(np.mean((samples / 32768) ** 2))
    assert level == pytest.approx(0.5 / np.sqrt(2), rel=0.05)


async def test_any_piece_of_a_recording_can_be_read(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", tone(2.0, RATE), RATE)
    samples = (await decode(tmp_path / "a.wav")).samples
    whole = samples[:]
    assert len(samples) == whole.size == 2 * RATE
    for piece in (slice(100, 300), slice(31_990, 40_000), slice(0, 0), slice(-5, None)):
        assert samples[piece].tolist() == whole[piece].tolist()
    with pytest.raises(ValueError, match="step"):
        samples[::2]


async def test_the_samples_leave_no_file_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "unpacked"
    place.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(place))
    soundfile.write(tmp_path / "a.wav", tone(2.0, RATE), RATE)
    decoded = await decode(tmp_path / "a.wav")
    assert decoded.samples[:10].size == 10
    del decoded
    assert list(place.iterdir()) == []


async def test_a_full_disk_is_told_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.BytesIO):
        def write(self, _: object) -> int:
            raise OSError(28, "No space left on device")

    soundfile.write(tmp_path / "a.wav", tone(2.0, RATE), RATE)
    monkeypatch.setattr("tempfile.TemporaryFile", Full)
    with pytest.raises(RecordingError, match="disk is full"):
        await decode(tmp_path / "a.wav")


async def test_progress_rises_to_the_whole(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", tone(20.0, RATE), RATE)
    shares: list[float] = []
    await decode(tmp_path / "a.wav", progress=shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert len(shares) > 5


async def test_a_wav_whose_header_claims_hours_gives_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "lies.wav"
    path.write_bytes(header(data=0xFFFFFFFF) + np.full(1600, 1000, "<i2").tobytes())
    assert (await decode(path)).duration == pytest.approx(0.1, abs=0.01)


async def test_a_wav_that_stops_early_gives_what_is_there(tmp_path: Path) -> None:
    whole = tmp_path / "whole.wav"
    soundfile.write(whole, tone(2.0, RATE), RATE)
    cut = tmp_path / "cut.wav"
    cut.write_bytes(whole.read_bytes()[: 44 + RATE])
    assert (await decode(cut)).duration == pytest.approx(0.5, abs=0.01)


def _flac_in_two(seconds: float) -> bytes:
    noise = np.random.default_rng(1).standard_normal(round(seconds * RATE)) * 0.1
    buffer = io.BytesIO()
    soundfile.write(buffer, noise, RATE, format="FLAC")
    return buffer.getvalue()[: len(buffer.getvalue()) // 2]


BAD: list[tuple[str, Callable[[], bytes], str]] = [
    ("empty.wav", lambda: b"", "is empty"),
    ("text.wav", lambda: b"Bonjour, ceci est un texte.\n" * 99, "not a recording"),
    ("text.mp3", lambda: b"Bonjour, ceci est un texte.\n" * 9999, "not a recording"),
    ("noise.ogg", lambda: np.random.default_rng(2).bytes(99_999), "not a recording"),
    ("only-a-name.wav", lambda: b"RIFF", "not a recording"),
    ("page.wav", lambda: b"<!doctype html><title>404</title>", "not a recording"),
    ("no-samples.wav", lambda: header(data=0), "no sound at all"),
    ("rate-0.wav", lambda: header(rate=0) + bytes(3200), "."),
    ("rate-1.wav", lambda: header(rate=1) + bytes(3200), "1 samples per second"),
    ("rate-max.wav", lambda: header(rate=4_000_000_000) + bytes(3200), "."),
    ("channels-0.wav", lambda: header(channels=0) + bytes(3200), "."),
    ("channels-max.wav", lambda: header(channels=65_535) + bytes(3200), "."),
    ("channels-9.wav", lambda: header(channels=9) + bytes(3200), "9 channels"),
    ("chunk-max.wav", lambda: header(chunk=0xFFFFFFF0) + bytes(3200), "."),
    ("half.flac", lambda: _flac_in_two(4.0), "damaged after"),
]


@pytest.mark.parametrize(("name", "content", "cause"), BAD, ids=[bad[0] for bad in BAD])
async def test_a_bad_file_is_refused_with_cause_and_mend(
    tmp_path: Path, name: str, content: Callable[[], bytes], cause: str
) -> None:
    (tmp_path / name).write_bytes(content())
    with pytest.raises(RecordingError, match=cause) as caught:
        await decode(tmp_path / name)
    assert name in caught.value.message
    assert caught.value.mend


async def test_a_kind_of_sound_that_is_not_read_is_named(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.aiff", tone(0.5, RATE), RATE)
    with pytest.raises(RecordingError, match="AIFF"):
        await decode(tmp_path / "a.aiff")


async def test_a_small_file_of_endless_silence_is_stopped(tmp_path: Path) -> None:
    """A few kilobytes can stand for hours of sound."""
    path = tmp_path / "bomb.flac"
    with soundfile.SoundFile(path, "w", 8000, 1, format="FLAC") as sound:
        for _ in range(20):
            sound.write(np.zeros(60 * 8000, np.int16))
    assert path.stat().st_size < 200_000
    with pytest.raises(RecordingError, match=r"longer than 10 min.*shorter"):
        await decode(path, max_seconds=600)


async def test_values_that_are_no_numbers_do_not_spread(tmp_path: Path) -> None:
    sound = tone(1.0, RATE)
    sound[100:110] = np.nan
    sound[200] = np.inf
    soundfile.write(tmp_path / "a.wav", sound, RATE, subtype="FLOAT")
    samples = (await decode(tmp_path / "a.wav")).samples[:]
    assert samples.size == RATE
    assert samples[:90] == pytest.approx(32768 * tone(1.0, RATE)[:90], abs=1)
    assert samples[300:] == pytest.approx(32768 * tone(1.0, RATE)[300:], abs=1)


async def test_a_file_that_takes_too_long_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding, "WALL_SECONDS", 0.0)
    soundfile.write(tmp_path / "a.wav", tone(0.5, RATE), RATE)
    with pytest.raises(RecordingError, match="took more than"):
        await decode(tmp_path / "a.wav")


async def test_what_is_no_file_is_told(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, cause in (
        (tmp_path / "absent.wav", "no file"),
        (tmp_path, "not a file"),
        (tmp_path / "pipe", "not a file"),
    ):
        with pytest.raises(RecordingError, match=cause):
            await decode(path)


async def test_the_decoder_ignores_modules_of_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "soxr.py").write_text("raise SystemExit('taken over')")
    soundfile.write(tmp_path / "a.wav", tone(0.5, RATE), RATE)
    monkeypatch.chdir(tmp_path)
    assert (await decode(tmp_path / "a.wav")).duration == pytest.approx(0.5)


@pytest.mark.speech
async def test_real_speech_is_read_in_full(shared_data: Path) -> None:
    path = shared_data / "fixtures-en" / "misc" / "jfk.wav"
    with wave.open(str(path)) as file:
        seconds = file.getnframes() / file.getframerate()
    assert (await decode(path)).duration == pytest.approx(seconds, abs=0.01)


async def test_plain_wav_needs_no_decoder_and_is_the_same(tmp_path: Path) -> None:
    path = tmp_path / "plain.wav"
    soundfile.write(path, tone(1.5, RATE), RATE, subtype="PCM_16")
    decoded = await decode(path)
    with tempfile.SpooledTemporaryFile() as file:
        file.write(path.read_bytes())
        found = plain(file)
    assert found is not None
    assert found.duration == decoded.duration == 1.5
    assert np.array_equal(found.samples[:], decoded.samples[:])


@pytest.mark.parametrize(
    ("rate", "channels", "subtype", "form"),
    [
        (8_000, 1, "PCM_16", "WAV"),
        (RATE, 2, "PCM_16", "WAV"),
        (RATE, 1, "FLOAT", "WAV"),
        (RATE, 1, "PCM_24", "WAV"),
        (RATE, 1, "PCM_16", "FLAC"),
    ],
)
def test_only_plain_wav_is_taken_as_it_is(
    rate: int, channels: int, subtype: str, form: str
) -> None:
    file = io.BytesIO()
    sound = np.repeat(tone(1.0, rate)[:, np.newaxis], channels, axis=1)
    soundfile.write(file, sound, rate, subtype=subtype, format=form)
    assert plain(file) is None


def test_a_header_that_claims_more_than_there_is_costs_nothing() -> None:
    pcm = (tone(0.5, RATE) * 32_767).astype("<i2").tobytes()
    found = plain(io.BytesIO(header(data=0xFFFF_FF00) + pcm))
    assert found is not None
    assert found.duration == 0.5
    assert plain(io.BytesIO(header(data=0))) is None
    assert plain(io.BytesIO()) is None
