"""A voice that speaks clause by clause through a speech process, as an engine stage.

Speech starts at the first clause of an answer that is still being written. Between clauses there
is a breath, and each word carries the time at which it is heard.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import Literal

from livekit.agents import APIConnectionError, APIConnectOptions, APIStatusError, tts, utils
from livekit.agents.types import DEFAULT_API_CONNECT_OPTIONS, TimedString

from eloquence.conversation.clauses import Clause, Clauses
from eloquence.errors import TextToSpeechError
from eloquence.providers._speech_process import Sound, SpeechProcess

RATE = 24_000
_BYTES = 2
_MARKUP = frozenset("*_#`~<>|[]{}\\^=")
_SPOKEN_SYMBOLS = frozenset("°%+€$£§&@")
_TOKEN = re.compile(r"\S+\s*")


def plain(text: str) -> str:
    """The text with whatever no voice can say (markup, emoji, control characters) made spaces.

    It keeps its length, so that positions in one are positions in the other.
    """
    return "".join(" " if _unsayable(character) else character for character in text)


def timed_words(
    text: str, starts: list[tuple[int, float]], offset: float, end: float
) -> list[TimedString]:
    """The text cut into words with times: `starts` are (position, seconds) of the voice, `offset`
    is added to each, `end` closes the last. A mark that is not spoken goes with the word before
    it. The pieces together are the text."""
    pieces: list[tuple[str, float]] = []
    remaining = list(starts)
    lead = len(text) - len(text.lstrip())
    for token in _TOKEN.finditer(text):
        inside = [seconds for at, seconds in remaining if token.start() <= at < token.end()]
        remaining = [(at, seconds) for at, seconds in remaining if at >= token.end()]
        if inside:
            pieces.append((token.group(), offset + inside[0]))
        elif pieces:
            pieces[-1] = (pieces[-1][0] + token.group(), pieces[-1][1])
        else:
            pieces.append((token.group(), offset))
    if pieces and lead:
        pieces[0] = (text[:lead] + pieces[0][0], pieces[0][1])
    if not pieces:
        return []
    ends = [start for _, start in pieces[1:]] + [end]
    return [
        TimedString(piece, start_time=start, end_time=max(start, stop))
        for (piece, start), stop in zip(pieces, ends, strict=True)
    ]


class ClauseSpeech(tts.TTS[Literal["metrics_collected"]]):
    """`request(text)` is what the process is asked to say for a clause."""

    def __init__(
        self,
        *,
        process: SpeechProcess,
        request: Callable[[str], Mapping[str, object]],
        model: str,
        provider: str,
    ) -> None:
        super().__init__(
            capabilities=tts.TTSCapabilities(streaming=True, aligned_transcript=True),
            sample_rate=RATE,
            num_channels=1,
        )
        self.process = process
        self.request = request
        self._model = model
        self._provider = provider

    @property
    def model(self) -> str:
        return self._model

    @property
    def provider(self) -> str:
        return self._provider

    def prewarm(self) -> None:
        self.process.warm()

    def synthesize(
        self, text: str, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    ) -> tts.ChunkedStream:
        return self._synthesize_with_stream(text, conn_options=conn_options)

    def stream(
        self, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    ) -> "ClauseStream":
        return ClauseStream(self, conn_options)


class ClauseStream(tts.SynthesizeStream):
    def __init__(self, voice: ClauseSpeech, conn_options: APIConnectOptions) -> None:
        super().__init__(tts=voice, conn_options=conn_options)
        self._voice = voice
        self._seconds = 0.0
        self._pause = 0.0

    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        output_emitter.initialize(
            request_id=utils.shortuuid(),
            sample_rate=RATE,
            num_channels=1,
            mime_type="audio/pcm",
            stream=True,
        )
        output_emitter.start_segment(segment_id=utils.shortuuid())
        self._seconds = self._pause = 0.0
        clauses = Clauses()
        try:
            async for written in self._input_ch:
                ready = clauses.push(written) if isinstance(written, str) else clauses.flush()
                for clause in ready:
                    await self._say(clause, output_emitter)
            for clause in clauses.flush():
                await self._say(clause, output_emitter)
        except TextToSpeechError as error:
            if error.cause == "bad_request":
                raise APIStatusError(error.message, status_code=422) from error
            raise APIConnectionError(error.message) from error
        if self._seconds == 0.0 and self._pushed_text.strip():
            output_emitter.push(_silence(0.02))  # nothing sayable is no failure

    async def _say(self, clause: Clause, emitter: tts.AudioEmitter) -> None:
        sayable = plain(clause.text)
        if not any(character.isalnum() for character in sayable):
            emitter.push_timed_transcript(
                TimedString(clause.text, start_time=self._seconds, end_time=self._seconds)
            )
            return
        self._mark_started()
        if self._pause:
            breath = _silence(self._pause)
            emitter.push(breath)
            self._seconds += len(breath) / _BYTES / RATE
        began = self._seconds
        starts: list[tuple[int, float]] = []
        whole = False
        async with self._voice.process.speak(self._voice.request(sayable)) as speech:
            async for part in speech:
                if not isinstance(part, Sound):
                    starts.extend(part.starts)
                    continue
                if not starts and not whole:
                    whole = True  # an engine without word times: the caption goes ahead of it
                    emitter.push_timed_transcript(TimedString(clause.text, start_time=began))
                emitter.push(part.pcm)
                self._seconds += len(part.pcm) / _BYTES / RATE
        if not whole:
            emitter.push_timed_transcript(timed_words(clause.text, starts, began, self._seconds))
        if self._seconds == began:
            raise TextToSpeechError(
                f"{self._voice.process.name} gave no sound for a sentence.", cause="bad_answer"
            )
        emitter.flush()
        self._pause = clause.pause


def _silence(seconds: float) -> bytes:
    return bytes(_BYTES * round(seconds * RATE))


def _unsayable(character: str) -> bool:
    if character in _SPOKEN_SYMBOLS or character.isalnum():
        return False
    return character in _MARKUP or (
        not character.isspace()
        and unicodedata.category(character) in {"So", "Sk", "Cc", "Cf", "Cn", "Co", "Cs"}
    )
