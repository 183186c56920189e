"""PocketSphinx: small models on this machine. English comes with its package; any other language
by an acoustic model, a dictionary and a language model or grammar of one's own.
"""

import asyncio
import gzip
import hashlib
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Annotated, Any, TypeVar

from livekit.agents import APIConnectionError
from platformdirs import user_cache_path
from pydantic import BaseModel, ConfigDict, Field

from eloquence.conversation.stages import StageContext
from eloquence.errors import SpeechToTextError
from eloquence.providers._on_this_machine import refusal, without_package
from eloquence.providers._threads import recognition_threads
from eloquence.providers._utterances import (
    ON_THIS_MACHINE,
    RATE,
    Heard,
    HeardWord,
    Recogniser,
    UtteranceSTT,
)
from eloquence.registry import Provider, Readiness

T = TypeVar("T")

_FRAMES_PER_SECOND = 100
_PRIME = RATE * 2
"""Bytes (1 s) from which the cepstral mean of a new voice is taken before its first word."""
_PIECE = RATE * 2 // 10
"""Bytes (0.1 s) that are decoded at a time."""


class Options(BaseModel):
    """`hmm` is an acoustic model folder, `dictionary` a pronunciation dictionary (`.gz` is fine);
    one of `lm` (ARPA or binary language model) and `jsgf` (grammar) says what may be heard. With
    none of them the English model of the package is used. `samprate` is the model's rate in Hz.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    hmm: Path | None = None
    dictionary: Path | None = None
    lm: Path | None = None
    jsgf: Path | None = None
    samprate: Annotated[int, Field(ge=8_000, le=RATE)] = RATE

    def files(self) -> list[Path]:
        return [path for path in (self.hmm, self.dictionary, self.lm, self.jsgf) if path]


class Sphinx(Recogniser):
    """One conversation's decoder. The mean of the voice is kept from utterance to utterance."""

    def __init__(self, make: Callable[[], Any], threads: ThreadPoolExecutor) -> None:
        self._make = make
        self._threads = threads
        self._decoder: Any = None
        self._primed = False
        self._begun = False
        self._waiting = b""
        self._text = ""

    async def open(self) -> None:
        if self._decoder is None:
            self._decoder = await self._in_thread(self._make)

    async def hear(self, pcm: bytes) -> str:
        self._waiting += pcm
        if len(self._waiting) >= (_PIECE if self._primed else _PRIME):
            piece, self._waiting = self._waiting, b""
            self._text = await self._in_thread(partial(self._decode, piece))
        return self._text

    async def finish(self) -> Heard:
        piece, self._waiting, self._text = self._waiting, b"", ""
        return await self._in_thread(partial(self._finish, piece))

    async def close(self) -> None:
        self._decoder = None

    async def _in_thread(self, work: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        except RuntimeError as error:
            raise APIConnectionError("PocketSphinx stopped decoding.") from error

    def _decode(self, piece: bytes) -> str:
        decoder = self._decoder
        if not self._begun:
            if not self._primed:
                self._prime(piece)
            decoder.start_utt()
            self._begun = True
        decoder.process_raw(piece)
        hypothesis = decoder.hyp()
        return str(hypothesis.hypstr) if hypothesis else ""

    def _prime(self, piece: bytes) -> None:
        """Learns the mean of this voice and microphone from its first sounds."""
        self._primed = True
        if len(piece) < _PRIME // 4:
            return
        self._decoder.start_utt()
        self._decoder.process_raw(piece, no_search=True, full_utt=True)
        self._decoder.end_utt()
        self._decoder.set_cmn(self._decoder.get_cmn(False))

    def _finish(self, piece: bytes) -> Heard:
        if piece:
            self._decode(piece)
        if not self._begun:
            return Heard("")
        self._begun = False
        self._decoder.end_utt()
        hypothesis = self._decoder.hyp()
        if hypothesis is None:
            return Heard("")
        words = tuple(
            HeardWord(
                word,
                segment.start_frame / _FRAMES_PER_SECOND,
                (segment.end_frame + 1) / _FRAMES_PER_SECOND,
            )
            for segment in self._decoder.seg()
            if (word := _spoken(segment.word))
        )
        return Heard(" ".join(word.text for word in words), words)


def create(options: Options, context: StageContext) -> UtteranceSTT:
    lacking = _lacking(options, context.language)
    if lacking is not None:
        raise refusal(lacking, SpeechToTextError)
    threads = recognition_threads(context.resources)
    return UtteranceSTT(
        recogniser=lambda: Sphinx(partial(decoder, options), threads),
        language=context.language,
        model=options.hmm.name if options.hmm else "en-us",
        provider="pocketsphinx",
        interim=True,
        word_times=True,
        patience=ON_THIS_MACHINE,
    )


def decoder(options: Options) -> Any:
    """A decoder with the models of the options. Slow; raises RuntimeError when one is damaged."""
    import pocketsphinx

    given: dict[str, Any] = {"samprate": options.samprate, "loglevel": "FATAL"}
    if options.hmm:
        given["hmm"] = str(options.hmm)
    if options.dictionary:
        given["dict"] = str(unpacked(options.dictionary))
    if options.jsgf:
        given |= {"jsgf": str(options.jsgf), "lm": None}
    elif options.lm:
        given["lm"] = str(options.lm)
    return pocketsphinx.Decoder(**given)


def unpacked(path: Path) -> Path:
    """The file itself, or for `.gz` its content in the cache folder, unpacked once."""
    if path.suffix != ".gz":
        return path
    state = path.stat()
    key = hashlib.sha256(f"{path.resolve()}:{state.st_mtime_ns}:{state.st_size}".encode())
    target = user_cache_path("eloquence", appauthor=False) / f"{key.hexdigest()[:16]}-{path.stem}"
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        with gzip.open(path) as packed, NamedTemporaryFile(dir=target.parent, delete=False) as out:
            shutil.copyfileobj(packed, out)
        Path(out.name).replace(target)
    return target


def check(options: Options, language: str) -> Readiness:
    lacking = _lacking(options, language)
    if lacking is not None:
        return lacking
    own = f"the model {options.hmm.name!r}" if options.hmm else "its English model"
    return Readiness(ready=True, detail=f"PocketSphinx with {own}, on this machine.")


def _lacking(options: Options, language: str) -> Readiness | None:
    """What stands in the way, or None."""
    if find_spec("pocketsphinx") is None:
        return without_package("pocketsphinx", "pocketsphinx")
    for path in options.files():
        if not path.exists():
            return Readiness(
                ready=False,
                detail=f"PocketSphinx: there is no {path}.",
                mend="Mend the path in the options of the stt stage.",
            )
    if options.hmm is None and language != "en":
        return Readiness(
            ready=False,
            detail="PocketSphinx has no model of its own for this language.",
            mend="Give it hmm, dictionary and lm (or jsgf) in the options of the stt stage.",
        )
    if options.hmm is not None and not (options.dictionary and (options.lm or options.jsgf)):
        return Readiness(
            ready=False,
            detail="PocketSphinx: an acoustic model needs a dictionary and a language model.",
            mend="Add dictionary and lm (or jsgf) to the options of the stt stage.",
        )
    return None


def _spoken(word: str) -> str:
    """The word as written, or empty for a silence or noise; `word(2)` is a way to say `word`."""
    if word.startswith(("<", "[", "+")):
        return ""
    return word.split("(", 1)[0]


stt = Provider(name="pocketsphinx", options=Options, create=create, check=check)
