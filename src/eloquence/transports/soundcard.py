"""The microphone and the loudspeaker of this machine, for a conversation at the terminal."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from eloquence.errors import DependencyNotFoundError, RecordingError
from eloquence.protocol import INPUT_FRAME, INPUT_RATE, OUTPUT_RATE
from eloquence.transports.client import Client

_TICK = OUTPUT_RATE // 50
_MOST_WAITING = 100


class Soundcard:
    """Opens the default devices while it is entered. Wear headphones: nothing cancels the echo.

    Raises DependencyNotFoundError without PortAudio, RecordingError without a device.
    """

    def __init__(self) -> None:
        try:
            import sounddevice
        except (ImportError, OSError) as error:
            raise DependencyNotFoundError(
                "The sound card needs the package 'sounddevice' and the PortAudio library.",
                mend="pip install 'eloquence[terminal]'; on Debian: apt install libportaudio2. "
                "Or talk with a recording: --input FILE.",
            ) from error
        self._sounddevice = sounddevice
        self._loop = asyncio.get_running_loop()
        self._spoken: asyncio.Queue[bytes] = asyncio.Queue(_MOST_WAITING)
        self._to_play: deque[bytes] = deque(maxlen=_MOST_WAITING)
        self._heard = bytearray()
        self._streams: list[Any] = []

    def __enter__(self) -> "Soundcard":
        try:
            self._streams = [
                self._sounddevice.RawInputStream(
                    samplerate=INPUT_RATE,
                    blocksize=INPUT_FRAME,
                    channels=1,
                    dtype="int16",
                    callback=self._take,
                ),
                self._sounddevice.RawOutputStream(
                    samplerate=OUTPUT_RATE,
                    blocksize=_TICK,
                    channels=1,
                    dtype="int16",
                    callback=self._give,
                ),
            ]
            for stream in self._streams:
                stream.start()
        except self._sounddevice.PortAudioError as error:
            raise RecordingError(
                f"No microphone or loudspeaker can be opened ({error.args[0]}).",
                mend="Plug one in, or talk with a recording: --input FILE.",
            ) from error
        return self

    def __exit__(self, *_: object) -> None:
        for stream in self._streams:
            stream.close()

    async def microphone(self, client: Callable[[], Client]) -> AsyncIterator[bytes]:
        while True:
            yield await self._spoken.get()

    def hear(self, pcm: bytes | None) -> None:
        tick = pcm or bytes(_TICK * 2)
        self._to_play.append(tick)
        self._heard += tick

    def write(self, path: Path) -> None:
        """WAV, PCM16 mono at 24 kHz."""
        soundfile.write(path, np.frombuffer(bytes(self._heard), dtype="<i2"), OUTPUT_RATE)

    def _take(self, data: Any, frames: int, when: Any, status: Any) -> None:
        pcm = bytes(data)

        def put() -> None:
            if not self._spoken.full():
                self._spoken.put_nowait(pcm)

        self._loop.call_soon_threadsafe(put)

    def _give(self, data: Any, frames: int, when: Any, status: Any) -> None:
        tick = self._to_play.popleft() if self._to_play else b""
        data[:] = tick[: frames * 2].ljust(frames * 2, b"\0")
