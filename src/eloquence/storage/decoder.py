"""Turns a sound file into plain samples, in a process of its own with little to lose.

    python -P decoder.py MAX_SECONDS < recording > samples

The recording is this process's standard input. Samples leave as int16, mono, 16 kHz. On standard
error, lines `progress SHARE`; at a failure, a last line `refused CAUSE`. Run by
`eloquence.storage.decoding`; imports nothing of Eloquence, so that it starts fast.
"""

import os
import sys

import numpy as np
import soundfile
import soxr

RATE = 16_000
FORMATS = frozenset({"WAV", "WAVEX", "RF64", "FLAC", "MP3", "OGG"})
RATES = range(8_000, 192_001)
CHANNELS = range(1, 9)
MEMORY = 512 * 1024 * 1024
CPU_SECONDS = 120


class Stream(soundfile.SoundFile):  # type: ignore[misc] # soundfile has no types
    """Read from front to back only: a FLAC of unknown length can be read so, and not otherwise."""

    def seekable(self) -> bool:
        return False


class RefusedError(Exception):
    """Says why, as one word and what belongs to it."""


def limit() -> None:
    """Bounds what a hostile file can cost, where the system allows it."""
    try:
        import resource
    except ModuleNotFoundError:  # not on Windows
        return
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def decode(max_seconds: float) -> None:
    """Standard input to standard output. Raises RefusedError."""
    size = os.fstat(0).st_size
    try:
        sound = Stream(0, closefd=False)
    except (soundfile.SoundFileError, ValueError, RuntimeError) as error:
        raise RefusedError("not_sound") from error
    if sound.format not in FORMATS:
        raise RefusedError(f"format {sound.format}")
    if sound.samplerate not in RATES:
        raise RefusedError(f"rate {sound.samplerate}")
    if sound.channels not in CHANNELS:
        raise RefusedError(f"channels {sound.channels}")
    stream = soxr.ResampleStream(sound.samplerate, RATE, 1, dtype="float32")
    block = np.empty((sound.samplerate, sound.channels), np.float32)
    decoded, told = 0, 0.0
    while True:
        try:
            read = sound.buffer_read_into(block, dtype="float32")
        except (soundfile.SoundFileError, ValueError, RuntimeError) as error:
            raise RefusedError(f"damaged {decoded / sound.samplerate:.1f}") from error
        decoded += read
        if decoded > max_seconds * sound.samplerate:
            raise RefusedError("too_long")
        mono = np.nan_to_num(block[:read].mean(axis=1), nan=0.0, posinf=1.0, neginf=-1.0)
        last = read < len(block)
        samples = stream.resample_chunk(np.clip(mono, -1, 1), last=last)
        whole = np.clip(np.rint(samples * 32768), -32768, 32767)
        sys.stdout.buffer.write(whole.astype("<i2").tobytes())
        share = min(os.lseek(0, 0, os.SEEK_CUR) / size, 1.0)
        if share >= told + 0.01:
            told = share
            print(f"progress {share:.2f}", file=sys.stderr, flush=True)  # noqa: T201 - its protocol
        if last:
            break
    if not decoded:
        raise RefusedError("empty")


def main() -> None:
    limit()
    try:
        decode(float(sys.argv[1]))
        sys.stdout.buffer.flush()
    except RefusedError as refused:
        print(f"refused {refused}", file=sys.stderr, flush=True)  # noqa: T201 - its protocol
        sys.exit(1)
    except MemoryError:
        print("refused memory", file=sys.stderr, flush=True)  # noqa: T201 - its protocol
        sys.exit(1)


if __name__ == "__main__":
    main()
