"""What a voice gives, as 24 kHz mono that can be listened to: or the reason why it cannot."""

import numpy as np
import soxr
from livekit import rtc
from livekit.agents import APIError
from numpy.typing import NDArray

from eloquence.conversation.fallback.splice import RATE, Pcm

WINDOW = 480
"""Samples that are judged together: 20 ms."""
AUDIBLE = 33
"""Peak of 16 bits, -60 dBFS: what stays below is silence."""
PEAK = 29_200
"""-1 dBFS."""

_RATES = range(4_000, 192_001)
_CHANNELS = range(1, 9)
_LOUD = 4_125.0  # root mean square, -18 dBFS
_LIKENESS = 0.2  # correlation of neighbouring samples; of a loud voice it is above 0.6
_OFFSET = 8_192.0  # mean of a window: text read as sound lies on one side of zero
_FULL = 32_100  # a sample at full scale
_FULL_SHARE = 0.3
_ABRUPT = 0.02  # -17 dB
_BURST = 3
"""Windows in a row that are noise: 60 ms, longer than any plosive."""
_KNEE = 23_000.0  # -3 dBFS, from which peaks are bent


class Intake:
    """The sound of one clause of one voice. `sound` may be listened to; `spoken` is how many
    seconds of it are not silence. `longest` is how many seconds may come."""

    def __init__(self, longest: float) -> None:
        self._longest = longest
        self._kind: tuple[int, int] | None = None
        self._resampler: soxr.ResampleStream | None = None
        self._rest: Pcm = np.zeros(0, np.int16)
        self._doubtful: list[Pcm] = []
        self._whole: Pcm = np.zeros(0, np.int16)
        self._pieces: list[Pcm] = []
        self.spoken = 0.0
        self.begins: int | None = None
        """Sample at which the first audible window begins; None while all is silent."""
        self.quiet = 0.0
        """Seconds of silence since the last audible window."""

    @property
    def sound(self) -> Pcm:
        if self._pieces:
            self._whole = np.concatenate([self._whole, *self._pieces])
            self._pieces.clear()
        return self._whole

    @property
    def abrupt(self) -> bool:
        """Whether the sound ends in the middle of a voice: its last 10 ms are hardly less loud
        than the rest of it."""
        wave = np.square(self.sound.astype(np.float64))
        if not len(wave):
            return False
        return float(wave[-WINDOW // 2 :].mean()) > _ABRUPT * float(wave.mean())

    def push(self, frame: rtc.AudioFrame) -> None:
        """Raises APIError for what is no speech: an impossible format, noise, text, a square wave,
        or far too much of it."""
        kind = (frame.sample_rate, frame.num_channels)
        if self._kind is None:
            if kind[0] not in _RATES or kind[1] not in _CHANNELS:
                raise APIError("The sound has an impossible format.")
            self._kind = kind
            if kind[0] != RATE:
                self._resampler = soxr.ResampleStream(kind[0], RATE, 1, dtype="float32")
        elif kind != self._kind:
            raise APIError("The sound changes its format.")
        samples = np.frombuffer(bytes(frame.data), np.int16)
        if kind[1] > 1:
            whole = samples[: len(samples) // kind[1] * kind[1]]
            samples = np.rint(whole.reshape(-1, kind[1]).mean(axis=1)).astype(np.int16)
        self._judge(self._resampled(samples))

    def finish(self) -> None:
        """The voice has said all. Raises APIError as `push` does, and when all of it was silent."""
        if self._resampler is not None:
            self._judge(self._resampled(np.zeros(0, np.int16), last=True))
        rest, self._rest = self._rest, np.zeros(0, np.int16)
        if len(rest):
            self._take(rest[None])
        if len(self._doubtful) > 1:
            raise APIError("The sound is noise.")
        self._doubtful.clear()
        if self.begins is None:
            raise APIError("The sound is silent.")

    def _resampled(self, samples: Pcm, *, last: bool = False) -> Pcm:
        if self._resampler is None:
            return samples
        wave = self._resampler.resample_chunk(samples.astype(np.float32), last=last)
        bounded: Pcm = np.clip(np.rint(wave), -32_768, 32_767).astype(np.int16)
        return bounded

    def _judge(self, samples: Pcm) -> None:
        joined = np.concatenate([self._rest, samples])
        count = len(joined) // WINDOW
        self._rest = joined[count * WINDOW :]
        windows = joined[: count * WINDOW].reshape(count, WINDOW)
        voice = _voice(windows)
        if voice.all() and not self._doubtful:
            self._take(windows)
        else:
            for window, sound in zip(windows, voice, strict=True):
                self._doubt(window[None], sound=bool(sound))
        if (len(self._whole) + sum(map(len, self._pieces))) / RATE > self._longest:
            raise APIError("The sound is far too long for its text.")

    def _doubt(self, window: Pcm, *, sound: bool) -> None:
        if sound:
            for earlier in self._doubtful:
                self._take(earlier)
            self._doubtful.clear()
            self._take(window)
            return
        self._doubtful.append(window)
        if len(self._doubtful) >= _BURST or abs(float(window.mean())) > _OFFSET:
            raise APIError("The sound is noise.")

    def _take(self, windows: Pcm) -> None:
        """Takes windows, a row each."""
        seconds = windows.shape[1] / RATE
        audible = np.flatnonzero(np.abs(windows.astype(np.int32)).max(axis=1) > AUDIBLE)
        if len(audible):
            self.spoken += len(audible) * seconds
            self.quiet = (len(windows) - 1 - int(audible[-1])) * seconds
            if self.begins is None:
                before = len(self._whole) + sum(map(len, self._pieces))
                self.begins = before + int(audible[0]) * windows.shape[1]
        else:
            self.quiet += len(windows) * seconds
        self._pieces.append(limited(windows.reshape(-1)))


def limited(window: Pcm) -> Pcm:
    """The samples with peaks above -3 dBFS bent so that none exceeds -1 dBFS."""
    size = np.abs(window.astype(np.float64))
    if size.max(initial=0.0) <= _KNEE:
        return window
    room = PEAK - _KNEE
    bent = np.where(size > _KNEE, _KNEE + room * np.tanh((size - _KNEE) / room), size)
    shaped: Pcm = np.rint(np.sign(window) * bent).astype(np.int16)
    return shaped


def _voice(windows: Pcm) -> NDArray[np.bool_]:
    """Which windows, a row each, may be speech or silence. Bytes that are no PCM are loud and each
    sample unlike the one before; text has an offset; a square wave stays at full scale."""
    wave = windows.astype(np.float64)
    power = np.square(wave).mean(axis=1)
    alike = (wave[:, 1:] * wave[:, :-1]).mean(axis=1) > _LIKENESS * power
    full = (np.abs(wave) >= _FULL).mean(axis=1) > _FULL_SHARE
    offset = np.abs(wave.mean(axis=1)) > _OFFSET
    known: NDArray[np.bool_] = (power < _LOUD**2) | (alike & ~full & ~offset)
    return known


def faded(sound: Pcm, *, rising: bool) -> Pcm:
    """The sound with 5 ms of fade at its beginning or its end."""
    count = min(len(sound), RATE // 200)
    if not count:
        return sound
    ramp: NDArray[np.float64] = np.linspace(0.0, 1.0, count)
    shaped = sound.astype(np.float64)
    if rising:
        shaped[:count] *= ramp
    else:
        shaped[-count:] *= ramp[::-1]
    return shaped.astype(np.int16)
