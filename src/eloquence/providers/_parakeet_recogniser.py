"""Parakeet in threads of this process: its networks leave the interpreter alone while they run."""

import asyncio
import math
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from livekit.agents import APIConnectionError

from eloquence.errors import SpeechToTextError
from eloquence.providers._utterances import NOTHING, RATE, Heard, HeardWord, Recogniser

T = TypeVar("T")

_LEAST = RATE // 10
"""Samples (0.1 s) under which there is nothing to be heard."""
_TOKEN = 0.24
"""Seconds that a token lasts at most: the model tells when each begins (to 0.08 s), not its end."""
_MARKS = ' .,;:!?…«»“”"()[]'


class SharedModel:
    """A model's networks, loaded once for all conversations, by the first that needs them."""

    def __init__(self, folder: Path, threads: int) -> None:
        self._folder = folder
        self._threads = threads or min(4, os.cpu_count() or 1)
        self._lock = threading.Lock()
        self._model: Any = None

    def loaded(self) -> Any:
        """The model. Slow the first time: not for the event loop. Raises SpeechToTextError."""
        with self._lock:
            if self._model is None:
                try:
                    self._model = self._load()
                except Exception as error:  # the packages raise many kinds
                    raise SpeechToTextError(
                        f"The model in {self._folder} cannot be loaded.",
                        cause="internal",
                        mend="Remove it and download it again: eloquence models download NAME.",
                    ) from error
            return self._model

    def _load(self) -> Any:
        import onnx_asr
        import onnxruntime

        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = self._threads
        settings.log_severity_level = 4
        # threads that wait for the next network must not take the cores of the conversations
        settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
        small = (self._folder / "encoder-model.int8.onnx").is_file()
        return onnx_asr.load_model(
            "nemo-conformer-tdt",  # a kind of network: a name would be looked for on the internet
            self._folder,
            quantization="int8" if small else None,
            sess_options=settings,
            providers=["CPUExecutionProvider"],
        ).with_timestamps()


class Parakeet(Recogniser):
    """Hears each utterance as a whole, once it has ended."""

    def __init__(self, model: SharedModel, threads: ThreadPoolExecutor) -> None:
        self._model = model
        self._threads = threads
        self._pcm = bytearray()

    async def open(self) -> None:
        await self._in_thread(self._model.loaded)

    async def hear(self, pcm: bytes) -> str:
        self._pcm += pcm
        return ""

    async def finish(self) -> Heard:
        pcm, self._pcm = bytes(self._pcm), bytearray()
        return await self._in_thread(partial(self._decode, pcm))

    async def _in_thread(self, work: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        except SpeechToTextError as error:
            raise APIConnectionError(str(error), retryable=False) from error

    def _decode(self, pcm: bytes) -> Heard:
        sound = np.frombuffer(pcm, np.int16).astype(np.float32) / 32_768
        if len(sound) < _LEAST:
            return NOTHING
        try:
            found = self._model.loaded().recognize(sound, sample_rate=RATE)
        except SpeechToTextError:
            raise
        except Exception as error:  # the packages raise many kinds
            raise SpeechToTextError("Parakeet stopped decoding.", cause="internal") from error
        return understood(
            found.text,
            found.tokens or (),
            found.timestamps or (),
            found.logprobs or (),
            len(sound) / RATE,
        )


def understood(
    text: str,
    tokens: Sequence[str],
    starts: Sequence[float],
    logarithms: Sequence[float],
    seconds: float,
) -> Heard:
    """The utterance from its tokens: a word begins with a space. `starts` are in seconds from the
    start of the sound, which lasts `seconds`; `logarithms` are those of each token's probability.

    A word ends where the next token begins, at most 0.24 s after its own last one began; its
    confidence is the geometric mean of its tokens' probabilities.
    """
    words: list[HeardWord] = []
    pieces: list[int] = []

    def close() -> None:
        spoken = "".join(tokens[at] for at in pieces).strip(_MARKS)
        sounded = [at for at in pieces if tokens[at].strip(_MARKS)]
        if spoken and sounded:
            last = sounded[-1]
            after = starts[last + 1] if last + 1 < len(starts) else seconds
            end = min(max(after, starts[last]), starts[last] + _TOKEN, seconds)
            sure = [logarithms[at] for at in sounded if at < len(logarithms)]
            mean = math.exp(sum(sure) / len(sure)) if sure else 1.0
            start = min(starts[sounded[0]], seconds)
            words.append(HeardWord(spoken, start, max(start, end), min(1.0, mean)))
        pieces.clear()

    for at, token in enumerate(tokens):
        if token.startswith(" ") and pieces:
            close()
        pieces.append(at)
    close()
    confidence = sum(word.confidence for word in words) / len(words) if words else 1.0
    return Heard(text.strip(), tuple(words), confidence)
