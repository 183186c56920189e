"""Reading somebody's recording, whatever is in the file.

The file is decoded by another process with bounded memory and time (`decoder.py`): headers lie,
and a few kilobytes can stand for hours. The length is counted in samples, never believed.
"""

import asyncio
import io
import os
import stat
import sys
import tempfile
import threading
import wave
import weakref
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
import numpy.typing as npt

from eloquence.errors import RecordingError
from eloquence.storage import decoder

RATE = decoder.RATE
MAX_SECONDS = 3600.0
WALL_SECONDS = 300.0
"""Longest time that decoding may take."""

_CONVERT = "Convert it, for example with: ffmpeg -i RECORDING -ar 16000 -ac 1 out.wav"


class Waveform:
    """Samples that lie in a file without a name and are read where they are asked for: int16, mono,
    `RATE` per second. An hour of them costs 115 MB of disk and no memory.

    The file goes with the object, or with the process.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._count = file.seek(0, os.SEEK_END) // 2
        weakref.finalize(self, file.close)

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, piece: slice) -> npt.NDArray[np.int16]:
        first, last, step = piece.indices(self._count)
        if step != 1:
            raise ValueError("samples are read without a step")
        with self._lock:
            self._file.seek(2 * first)
            found = self._file.read(2 * max(0, last - first))
        return np.frombuffer(found, dtype="<i2").astype(np.int16, copy=False)


class Decoded(NamedTuple):
    """A recording as samples, and how many seconds they last."""

    samples: Waveform
    duration: float


def plain(file: IO[bytes]) -> Decoded | None:
    """The sound of a WAV file that is already as `decode` would make it, 16-bit mono at `RATE`:
    there is nothing to decode in it. None for any other file."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    try:
        with wave.open(file, "rb") as sound:
            if (sound.getnchannels(), sound.getsampwidth(), sound.getframerate()) != (1, 2, RATE):
                return None
            pcm = sound.readframes(min(sound.getnframes(), size // 2))
    except (wave.Error, EOFError, ValueError, RuntimeError):
        return None
    samples = Waveform(io.BytesIO(pcm[: len(pcm) // 2 * 2]))
    return Decoded(samples, len(samples) / RATE) if len(samples) else None


async def decode(
    path: Path,
    *,
    max_seconds: float = MAX_SECONDS,
    within: float | None = None,
    progress: Callable[[float], None] | None = None,
    name: str = "",
) -> Decoded:
    """The sound of a WAV, FLAC, MP3 or Ogg (Vorbis, Opus) file of at most `max_seconds`, if it can
    be had `within` so many seconds (by default `WALL_SECONDS`).

    `progress` is called with the share of the file that was read, 0..1. Raises RecordingError,
    which names the cause and what to do, and the file by `name` or else its path.
    """
    shown = name or str(path)
    limit = WALL_SECONDS if within is None else within
    descriptor = _opened(path, shown)
    try:
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",  # nothing of the current folder is imported
            str(Path(decoder.__file__)),
            str(max_seconds),
            stdin=descriptor,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
        )
    finally:
        os.close(descriptor)
    assert child.stdout is not None and child.stderr is not None  # noqa: PT018 - as asked for
    told = ""

    async def listen(lines: asyncio.StreamReader) -> None:
        nonlocal told
        async for line in lines:
            kind, _, rest = line.decode(errors="replace").strip().partition(" ")
            if kind == "progress" and progress is not None:
                progress(float(rest))
            elif kind == "refused":
                told = rest

    async def keep(pieces: asyncio.StreamReader, file: IO[bytes]) -> None:
        nonlocal told
        try:
            while piece := await pieces.read(1 << 16):
                file.write(piece)
            file.flush()
        except OSError:
            told = "disk"
            child.kill()

    with ExitStack() as unfinished:
        try:
            file = unfinished.enter_context(tempfile.TemporaryFile())
            async with asyncio.timeout(limit), asyncio.TaskGroup() as tasks:
                tasks.create_task(listen(child.stderr))
                tasks.create_task(keep(child.stdout, file))
                tasks.create_task(child.wait())
        except TimeoutError as error:
            raise _refusal(shown, f"time {limit:g}", max_seconds) from error
        except OSError as error:
            raise _refusal(shown, "disk", max_seconds) from error
        finally:
            if child.returncode is None:
                child.kill()
                await child.wait()
        if child.returncode != 0 or told:
            raise _refusal(shown, told or "died", max_seconds)
        samples = Waveform(file)
        unfinished.pop_all()
    return Decoded(samples, len(samples) / RATE)


def _opened(path: Path, name: str) -> int:
    """A descriptor of the file, which is known to be one and not to be empty."""
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except FileNotFoundError as error:
        raise RecordingError(f"There is no file {name}.", mend="Check its name.") from error
    except OSError as error:
        raise RecordingError(
            f"The file {name} cannot be opened: {error.strerror}.",
            mend="Check that you may read it.",
        ) from error
    found = os.fstat(descriptor)
    if stat.S_ISREG(found.st_mode) and found.st_size > 0:
        return descriptor
    os.close(descriptor)
    if stat.S_ISREG(found.st_mode):
        raise RecordingError(f"The file {name} is empty.", mend="Record or export it again.")
    raise RecordingError(f"{name} is not a file.", mend="Give a WAV, FLAC, MP3 or Ogg file.")


def _refusal(name: str, told: str, max_seconds: float) -> RecordingError:
    cause, _, detail = told.partition(" ")
    minutes = f"{max_seconds / 60:g} min"
    message, mend = {
        "not_sound": (
            f"The file {name} is not a recording that can be read, or it is damaged.",
            f"WAV, FLAC, MP3 and Ogg (Vorbis, Opus) are read. {_CONVERT}",
        ),
        "format": (
            f"The file {name} holds sound as {detail}, which is not read.",
            f"WAV, FLAC, MP3 and Ogg (Vorbis, Opus) are read. {_CONVERT}",
        ),
        "rate": (
            f"The file {name} claims {detail} samples per second; 8000 to 192000 are read.",
            _CONVERT,
        ),
        "channels": (f"The file {name} claims {detail} channels; 1 to 8 are read.", _CONVERT),
        "damaged": (
            f"The file {name} is damaged after {detail} s.",
            "Export it again, or cut it before that place.",
        ),
        "too_long": (
            f"The recording {name} is longer than {minutes}.",
            "Cut it into shorter parts.",
        ),
        "empty": (f"The file {name} holds no sound at all.", "Record or export it again."),
        "memory": (f"The file {name} needs more memory than a recording may.", _CONVERT),
        "disk": (
            f"The sound of {name} could not be unpacked: the disk is full.",
            "Free some space: an hour of sound takes 120 MB while it is analysed.",
        ),
        "time": (
            f"The file {name} took more than {detail} s to read.",
            "Cut it into shorter parts.",
        ),
    }.get(cause, (f"The file {name} could not be read: its decoder stopped.", _CONVERT))
    return RecordingError(message, mend=mend)
