"""The sound of a conversation, kept only with consent: one folder per session.

`learner.flac` is the microphone at 16 kHz, `mix.flac` both voices at 24 kHz; second 0 of each is
the start of the session. FLAC loses nothing and plays in every browser. A process that dies leaves
files that play: the learner's up to about its last second, the mix up to its last
`LATE` seconds. The process that goes on with its session writes further parts (`learner-2.flac`),
silent up to where they begin, which are joined when it ends.
"""

import asyncio
import itertools
import logging
import os
import queue
import re
import secrets
import shutil
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from eloquence.coaching.session import Session
from eloquence.errors import SessionNotFoundError, StorageError

LEARNER_RATE = 16_000
CHARACTER_RATE = 24_000
LATE = 10.0
"""Seconds by which the character's sound may come late: it is known only once it was heard."""
JITTER = 0.1
"""Seconds by which a position may be off and the sound still be joined to what came before."""
WAITING = 1024
"""Pieces of sound that may wait for a slow disk before recording stops."""
LONGEST = 4 * 3600.0
SETTLED = 60.0
"""Seconds without a change after which a part that nobody joined has no writer any more."""

Samples = npt.NDArray[np.int16]

_log = logging.getLogger("eloquence.recordings")

FILES = {"learner": "learner.flac", "mix": "mix.flac"}
"""The file of each recording, by its name."""


def folder(recordings: Path, session_id: str) -> Path:
    """Where the sound of that session is. Raises SessionNotFoundError for an id that is no id."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", session_id):
        raise SessionNotFoundError("That is not the id of a session.")
    return recordings / session_id


def kept(recordings: Path, session_id: str) -> tuple[str, ...]:
    """The names of the recordings that were kept: `learner`, `mix`."""
    place = folder(recordings, session_id)
    return tuple(name for name, file in FILES.items() if _length(place / file))


def path(recordings: Path, session_id: str, name: str) -> Path:
    """The file of one recording. Raises SessionNotFoundError when it was not kept, StorageError
    when its parts cannot be joined."""
    if name not in kept(recordings, session_id):
        raise SessionNotFoundError(f"Session {session_id} has no recording {name!r}.")
    parts = _parts(folder(recordings, session_id), name)
    try:
        if len(parts) > 1 and time.time() - parts[-1].stat().st_mtime > SETTLED:
            _join(parts)
    except (OSError, soundfile.SoundFileError) as error:
        raise StorageError(
            f"The recording of session {session_id} cannot be put together.",
            mend="Free some space on the disk that holds the recordings.",
        ) from error
    return folder(recordings, session_id) / FILES[name]


def delete(recordings: Path, session_id: str) -> None:
    """Removes the sound of that session, if any. Raises StorageError."""
    try:
        shutil.rmtree(folder(recordings, session_id))
    except FileNotFoundError:
        return
    except OSError as error:
        raise StorageError(
            f"The recordings of session {session_id} cannot be deleted: {error.strerror}.",
            mend="Check that you may write to the folder of recordings.",
        ) from error


def _part(place: Path, name: str, number: int) -> Path:
    first = place / FILES[name]
    return first if number == 1 else first.with_stem(f"{first.stem}-{number}")


def _parts(place: Path, name: str) -> list[Path]:
    """What the holders of a session have each written, in their order."""
    numbers = itertools.count(1)
    return list(itertools.takewhile(Path.exists, (_part(place, name, n) for n in numbers)))


def _join(parts: list[Path]) -> None:
    """Puts the parts of one recording into its first file: they are silent where another sounds."""
    whole = parts[0].with_suffix(f".{secrets.token_hex(4)}.joining")
    rate = soundfile.info(str(parts[0])).samplerate
    with ExitStack() as stack:
        stack.callback(whole.unlink, missing_ok=True)
        readers = [stack.enter_context(soundfile.SoundFile(str(part))) for part in parts]
        with soundfile.SoundFile(
            str(whole), "w", rate, 1, format="FLAC", subtype="PCM_16"
        ) as writer:
            for _ in range(0, max(reader.frames for reader in readers), rate):
                blocks = [reader.read(rate, dtype="int16") for reader in readers]
                loudest = np.zeros(max(block.size for block in blocks), np.int16)
                for block in blocks:
                    here = loudest[: block.size]
                    # Not their sum: whoever dies below leaves a part that is joined once more.
                    louder = np.abs(block.astype(np.int32)) > np.abs(here.astype(np.int32))
                    here[louder] = block[louder]
                writer.write(loudest)
        whole.chmod(0o600)
        whole.replace(parts[0])
    for part in parts[1:]:
        part.unlink(missing_ok=True)


def _length(place: Path) -> int:
    """Samples in a FLAC file, by its header; 0 when there is none."""
    try:
        with place.open("rb") as file:
            start = file.read(26)
    except FileNotFoundError:
        return 0
    return int.from_bytes(start[18:26], "big") & (1 << 36) - 1


class Recorder:
    """Writes the sound of one conversation as it goes; without consent it keeps nothing.

        async with Recorder(recordings, session) as recorder:
            recorder.learner(12.34, pcm)

    Sound is given at its position on the session's clock, in seconds; silence fills what lies
    between. Giving sound never waits: a thread writes it. When the disk fails, recording stops,
    `failure` says why, and the conversation can go on.
    """

    def __init__(self, recordings: Path, session: Session) -> None:
        self._folder = folder(recordings, session.id)
        self._id = session.id
        self._tasks: queue.Queue[Callable[[_Tape], None] | None] = queue.Queue(WAITING)
        self._thread: threading.Thread | None = None
        if session.keep_audio:
            self._thread = threading.Thread(target=self._write, name="eloquence-recorder")
        self.failure: StorageError | None = None

    async def __aenter__(self) -> Self:
        if self._thread is not None:
            self._thread.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    def learner(self, position: float, pcm: bytes) -> None:
        """PCM16 little-endian mono at `LEARNER_RATE`, whose first sample is at `position`."""
        self._give(lambda tape: tape.learner(position, pcm))

    def character(self, position: float, pcm: bytes) -> None:
        """PCM16 little-endian mono at `CHARACTER_RATE` that was heard from `position` on, told at
        most `LATE` seconds afterwards."""
        self._give(lambda tape: tape.character(position, pcm))

    async def close(self) -> None:
        """Writes what is left. Harmless when repeated."""
        thread, self._thread = self._thread, None
        if thread is not None and thread.ident is not None:
            await asyncio.to_thread(self._finish, thread)

    def _finish(self, thread: threading.Thread) -> None:
        self._tasks.put(None)
        thread.join()

    def _give(self, task: "Callable[[_Tape], None]") -> None:
        if self._thread is None or self.failure is not None:
            return
        try:
            self._tasks.put_nowait(task)
        except queue.Full:
            self._stop(StorageError("The disk is too slow: the recording has stopped."))

    def _write(self) -> None:
        over = False
        try:
            tape = _Tape(self._folder)
            try:
                while (task := self._tasks.get()) is not None:
                    if self.failure is None:
                        task(tape)
                over = True
            finally:
                tape.close()
        except (OSError, soundfile.SoundFileError, AssertionError) as error:
            # soundfile asserts that all was written; on a full disk it was not.
            cause = getattr(error, "strerror", None) or "the disk may be full"
            self._stop(
                StorageError(f"The recording has stopped: {cause}.", mend="Free some space.")
            )
            while not over:
                over = self._tasks.get() is None

    def _stop(self, failure: StorageError) -> None:
        self.failure = failure
        _log.error("Recording of session %s stopped: %s", self._id, failure.message)


class _Tape:
    """Both recordings of one session, on the writing thread."""

    def __init__(self, place: Path) -> None:
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        place.mkdir(mode=0o700, exist_ok=True)
        self._learner = _Track(LEARNER_RATE)
        self._character = _Track(CHARACTER_RATE)
        self._heard = _Track(CHARACTER_RATE)  # the learner, at the rate of the mix
        self._resample = soxr.ResampleStream(LEARNER_RATE, CHARACTER_RATE, 1, dtype="int16")
        self._place = place
        self._number = number = 1 + max(len(_parts(place, name)) for name in FILES)
        self._learner_file = _Flac(_part(place, "learner", number), LEARNER_RATE)
        self._mix_file = _Flac(_part(place, "mix", number), CHARACTER_RATE)

    def learner(self, position: float, pcm: bytes) -> None:
        self._learner.add(position, pcm)
        self._advance()

    def character(self, position: float, pcm: bytes) -> None:
        self._character.add(position, pcm)
        self._advance()

    def close(self) -> None:
        try:
            end = max(self._learner.end, self._character.end)
            self._move(learner_until=end, mix_until=end, last=True)
        finally:
            self._learner_file.close()
            self._mix_file.close()
        for name in FILES:
            parts = _parts(self._place, name)
            if len(parts) == self._number > 1:  # else another process writes the last one
                _join(parts)

    def _advance(self) -> None:
        # Without a microphone, the character's sound would otherwise wait for ever.
        mix_until = max(self._learner.end - LATE, self._character.end - 2 * LATE)
        learner_until = max(self._learner.end, mix_until)
        if learner_until - self._learner.start >= 0.2:
            self._move(learner_until, mix_until)

    def _move(self, learner_until: float, mix_until: float, *, last: bool = False) -> None:
        block = self._learner.take(learner_until)
        self._learner_file.write(block)
        self._heard.append(self._resample.resample_chunk(block, last=last))
        until = mix_until if last else min(mix_until, self._heard.end)
        both = self._heard.take(until).astype(np.int32) + self._character.take(until)
        self._mix_file.write(np.clip(both, -32_768, 32_767).astype(np.int16))


class _Track:
    """Samples that are not yet written, on the session's clock."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._taken = 0
        self._waiting: list[Samples] = []
        self._count = 0

    @property
    def start(self) -> float:
        return self._taken / self._rate

    @property
    def end(self) -> float:
        return (self._taken + self._count) / self._rate

    def append(self, samples: Samples) -> None:
        if samples.size:
            self._waiting.append(samples)
            self._count += samples.size

    def add(self, position: float, pcm: bytes) -> None:
        """Puts the sound at its place; what overlaps earlier sound is dropped."""
        if not 0 <= position <= LONGEST:
            return
        samples = np.frombuffer(pcm[: len(pcm) // 2 * 2], dtype="<i2")
        gap = round(position * self._rate) - (self._taken + self._count)
        if gap > JITTER * self._rate:
            self.append(np.zeros(gap, np.int16))
        elif gap < -JITTER * self._rate:
            samples = samples[-gap:]
        self.append(samples)

    def take(self, until: float) -> Samples:
        """The samples up to that time, silence where there are none; they are gone afterwards."""
        size = max(0, round(until * self._rate) - self._taken)
        samples = self._joined()
        taken = samples[:size]
        if taken.size < size:
            taken = np.concatenate([taken, np.zeros(size - taken.size, np.int16)])
        self._waiting = [samples[size:]]
        self._count = self._waiting[0].size
        self._taken += size
        return taken

    def _joined(self) -> Samples:
        return np.concatenate(self._waiting) if self._waiting else np.zeros(0, np.int16)


class _Flac:
    """A FLAC file whose header is right all along, so that a process that dies leaves it playable.

    FLAC's writer puts the length into the header only when it closes, and many readers refuse a
    file without one. Here the length of what is surely on the disk is written after each block.
    """

    BLOCK = 4096
    """Samples per frame at libsndfile's default level; up to two are held back."""
    LENGTH_AT = 18
    """Where the eight bytes of STREAMINFO begin whose low 36 bits are the number of samples."""

    def __init__(self, place: Path, rate: int) -> None:
        self._header = os.open(place, os.O_CREAT | os.O_TRUNC | os.O_RDWR, 0o600)
        try:
            self._file = soundfile.SoundFile(
                str(place), "w", rate, 1, format="FLAC", subtype="PCM_16"
            )
        except BaseException:
            os.close(self._header)
            raise
        self._count = 0

    def write(self, samples: Samples) -> None:
        if not samples.size:
            return
        self._file.write(samples)
        self._count += samples.size
        sure = self._count - 2 * self.BLOCK
        if sure > 0:
            field = int.from_bytes(os.pread(self._header, 8, self.LENGTH_AT), "big")
            told = (field >> 36 << 36) | sure
            os.pwrite(self._header, told.to_bytes(8, "big"), self.LENGTH_AT)

    def close(self) -> None:
        try:
            self._file.close()
        finally:
            os.close(self._header)
