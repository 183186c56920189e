"""Analysing a recording: a file with one speaker becomes a session, and the session a report.

The whole recording is one learner. A silence of `TURN_SILENCE` or more ends a turn: it is somebody
else's, or a break. Shorter ones are the speaker's own pauses and are judged as such. Turns are kept
under `LONGEST_TURN`, cut at their longest silence, so that memory stays bounded.

The same file with the same recogniser gives the same report.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from eloquence.coaching.character import Character, Language
from eloquence.coaching.exercise import Exercise
from eloquence.coaching.session import Session, SessionEnd, StoredSession, Turn
from eloquence.config import Settings
from eloquence.delivery.sound import Samples, Sound, as_float, measure
from eloquence.delivery.words import Word
from eloquence.errors import DependencyNotFoundError
from eloquence.storage import content
from eloquence.storage.decoding import MAX_SECONDS, RATE, Waveform, decode

if TYPE_CHECKING:
    from eloquence.coaching.report import Report
    from eloquence.conversation.recognition import Recognise
    from eloquence.registry import Choice

EXERCISE = "conversation_libre_marie"
TURN_SILENCE = 5.0
LONGEST_TURN = 120.0
MARGIN = 0.3
"""Seconds of sound kept on both sides of a turn, to measure the noise in."""
LONGEST_SENTENCE = 25.0
"""Seconds of speech given to the recogniser at once, unless a stretch without pause is longer."""

_FRAME = 0.02
_SHORTEST = 0.06

Span = tuple[float, float]
Progress = Callable[[Literal["read", "listen"], float], None]
"""Is told the share that is done, 0..1, of reading the file and then of listening to it."""

Analyse = Callable[[Path, Progress | None], Awaitable["Report"]]
"""Makes the report of a recording, and tells its progress."""


async def analyse(
    settings: Settings,
    path: Path,
    *,
    exercise_id: str = EXERCISE,
    language: Language = "fr",
    progress: Progress | None = None,
    max_seconds: float = MAX_SECONDS,
) -> "Report":
    """The report of a recording. Nothing is stored.

    Raises RecordingError, and what `analyst` raises.
    """
    async with analyst(
        settings, exercise_id=exercise_id, language=language, max_seconds=max_seconds
    ) as analysed:
        return await analysed(path, progress)


@asynccontextmanager
async def analyst(
    settings: Settings,
    *,
    exercise_id: str = EXERCISE,
    language: Language = "fr",
    max_seconds: float = MAX_SECONDS,
    by_ear: bool = False,
) -> "AsyncIterator[Analyse]":
    """A function that makes the report of one recording after the other, with one recogniser; with
    none and no look for one when `by_ear`.

    Raises ContentError (no such exercise), DependencyNotFoundError (the recogniser that was named
    is not ready), SpeechToTextError; what it yields raises RecordingError, SpeechToTextError.
    """
    from eloquence.coaching.assessment import assess

    library = content.load(settings.content)
    exercise = library.exercise(exercise_id, language)
    character = library.character(exercise.character, language)
    async with AsyncExitStack() as stack:
        name, recognise = "none", None
        if not by_ear:
            chosen = ready(settings, language)
            name = chosen.provider.name
            recognise = await stack.enter_async_context(_hearing(chosen, exercise, character))

        async def analysed(path: Path, progress: Progress | None = None) -> "Report":
            stored = await recorded_session(
                path, exercise, recognise, name, progress=progress, max_seconds=max_seconds
            )
            return await asyncio.to_thread(
                assess,
                stored,
                exercise,
                character,
                library.norms(language),
                library.lexicon(language),
                library.phrases(language),
                rubric=library.rubric(exercise.rubric, language) if exercise.rubric else None,
            )

        yield analysed


@asynccontextmanager
async def _hearing(
    chosen: "Choice", exercise: Exercise, character: Character
) -> "AsyncIterator[Recognise | None]":
    """The chosen recogniser; None by ear."""
    from eloquence.bootstrap import BY_EAR

    if chosen.provider.name == BY_EAR:
        yield None
        return
    from eloquence.conversation.recognition import recogniser
    from eloquence.conversation.stages import Resources, StageContext

    resources = Resources()
    context = StageContext(exercise.language, exercise, exercise.scenario(), character, resources)
    try:
        async with recogniser(lambda: chosen.provider.create(chosen.options, context)) as recognise:
            yield recognise
    finally:
        await resources.close()


def ready(settings: Settings, language: Language) -> "Choice":
    """The recogniser of the settings, or of this machine. Raises DependencyNotFoundError when the
    one that was named is not ready."""
    from eloquence import bootstrap

    chosen = bootstrap.choose(settings, "stt", language)
    if not chosen.readiness.ready:
        raise DependencyNotFoundError(
            f"Stage stt ({chosen.provider.name}): {chosen.readiness.detail}",
            mend=chosen.readiness.mend,
        )
    return chosen


async def recorded_session(
    path: Path,
    exercise: Exercise,
    recognise: "Recognise | None",
    recogniser: str,
    *,
    progress: Progress | None = None,
    max_seconds: float = MAX_SECONDS,
) -> StoredSession:
    """The recording as a session with one speaker; by ear when `recognise` is None.

    `recogniser` names it. Raises RecordingError, and what `recognise` raises.
    """

    def tell(part: Literal["read", "listen"], share: float) -> None:
        if progress is not None:
            progress(part, share)

    samples, duration = await decode(
        path, max_seconds=max_seconds, progress=lambda share: tell("read", share)
    )
    turns: list[Turn] = []
    for start, end in await asyncio.to_thread(turn_spans, samples):
        sound = await asyncio.to_thread(_measured, samples, start - MARGIN, end + MARGIN)
        if sound.speech:
            text, words = await _recognised(samples, sound, recognise)
            turns.append(
                Turn(
                    index=len(turns),
                    speaker="learner",
                    start=sound.speech[0][0],
                    end=sound.speech[-1][1],
                    text=text,
                    words=words,
                    sound=sound,
                )
            )
        tell("listen", end / duration)
    tell("listen", 1.0)
    session = Session(
        id=f"recording-{await asyncio.to_thread(_digest, samples)}",
        exercise=exercise.id,
        scenario=exercise.scenario().id,
        character=exercise.character,
        language=exercise.language,
        started_at=await asyncio.to_thread(_recorded_at, path),
        stages={"stt": recogniser},
        source="recording",
        title=exercise.title,
    )
    return StoredSession(
        session=session,
        turns=tuple(turns),
        end=SessionEnd(status="complete", reason="recording", duration=duration),
    )


def turn_spans(samples: Samples | Waveform, longest: float = LONGEST_TURN) -> list[Span]:
    """Where there may be speech: stretches of at most `longest` seconds, with silences of at least
    `TURN_SILENCE` between them or a cut. `samples` are mono at `RATE`."""
    size = round(_FRAME * RATE)
    count = len(samples) // size
    if not count:
        return []
    level = 10 * np.log10(np.maximum(_power(samples, count, size), 1e-10))
    floor, loudest = np.quantile(level, (0.1, 0.99))
    if loudest < -80:
        return []
    loud = level > min(max(loudest - 40, floor + 6), loudest - 10)
    found: list[tuple[int, int]] = []
    for first, last in _runs(loud):
        if (last - first) * _FRAME < _SHORTEST:
            loud[first:last] = False
        elif found and (first - found[-1][1]) * _FRAME < TURN_SILENCE:
            found[-1] = (found[-1][0], last)
        else:
            found.append((first, last))
    return [
        (first * _FRAME, last * _FRAME)
        for whole in found
        for first, last in _shortened(whole, loud, level, longest)
    ]


def sentence_spans(speech: Sequence[Span]) -> list[Span]:
    """Stretches of speech joined up to `LONGEST_SENTENCE` seconds, for a recogniser, with silence
    around them and none of it twice."""
    joined: list[Span] = []
    for start, end in speech:
        if joined and end - joined[-1][0] <= LONGEST_SENTENCE:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    before = [MARGIN, *(min(MARGIN, (b[0] - a[1]) / 2) for a, b in pairwise(joined))]
    after = [*before[1:], MARGIN]
    return [
        (max(0.0, start - ahead), end + behind)
        for (start, end), ahead, behind in zip(joined, before, after, strict=False)
    ]


async def _recognised(
    samples: Waveform, sound: Sound, recognise: "Recognise | None"
) -> tuple[str, tuple[Word, ...] | None]:
    """What was said in a turn; the words are None when their times are not known."""
    if recognise is None:
        return "", None
    return await recognised_in(samples, sentence_spans(sound.speech), recognise)


async def recognised_in(
    samples: Waveform, spans: Sequence[Span], recognise: "Recognise"
) -> tuple[str, tuple[Word, ...] | None]:
    """What is said in stretches of a recording, with times from its start; the words are None when
    their times are not known."""
    texts: list[str] = []
    words: list[Word] | None = []
    for start, end in spans:
        begin = round(start * RATE)
        text, timed = await recognise(as_float(samples[begin : round(end * RATE)]), RATE)
        if text:
            texts.append(text)
        if timed is None:
            words = None
        elif words is not None:
            words += [_later(word, begin / RATE) for word in timed]
    return " ".join(texts), None if words is None else tuple(words)


def _later(word: Word, seconds: float) -> Word:
    start, end = round(word.start + seconds, 3), round(word.end + seconds, 3)
    return Word(word.text, start, end, word.confidence)


def _power(samples: Samples | Waveform, count: int, size: int) -> NDArray[np.float64]:
    """Mean square of each of `count` frames of `size` samples, a minute at a time."""
    power = np.zeros(count)
    for first in range(0, count, 3000):
        last = min(first + 3000, count)
        piece = as_float(samples[first * size : last * size])
        power[first:last] = np.square(piece, dtype=np.float64).reshape(-1, size).mean(axis=1)
    return power


def _digest(samples: Waveform) -> str:
    """What names a recording: the same samples have the same name."""
    digest = hashlib.sha256()
    for first in range(0, len(samples), 60 * RATE):
        digest.update(samples[first : first + 60 * RATE].data)
    return digest.hexdigest()[:16]


def _recorded_at(path: Path) -> float:
    return path.stat().st_mtime


def _measured(samples: Waveform, start: float, end: float) -> Sound:
    first = max(0, round(start * RATE))
    return measure(samples[first : round(end * RATE)], RATE, start=first / RATE)


def _shortened(
    whole: tuple[int, int], loud: NDArray[np.bool_], level: NDArray[np.float64], longest: float
) -> list[tuple[int, int]]:
    """The stretch, cut at its longest silences where it is longer than `longest` seconds."""
    first, last = whole
    most = round(longest / _FRAME)
    parts = []
    while last - first > most:
        begin, end = first + most // 2, first + most
        silences = [(b - a, a, b) for a, b in _runs(~loud[begin:end])]
        if silences:
            _, a, b = max(silences, key=lambda silence: (silence[0], -silence[1]))
            parts.append((first, begin + a))
            first = begin + b
        else:
            cut = begin + int(np.argmin(level[begin:end]))
            parts.append((first, cut))
            first = cut
    return [*parts, (first, last)]


def _runs(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First index and the one after the last of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], mask, [False])).astype(np.int8)))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]
