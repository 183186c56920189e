"""Scoring for research: one JSON object in, one out, with every dimension that can be measured.

Nothing is stored and nothing is judged by a model: the same line gives the same bytes.
"""

import asyncio
import json
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from eloquence.coaching.assessment import assess
from eloquence.coaching.character import Language
from eloquence.coaching.exercise import Criteria, Exercise, Register
from eloquence.coaching.report import Report
from eloquence.coaching.session import Session, SessionEnd, StoredSession, Turn
from eloquence.delivery import timing
from eloquence.delivery.sound import measure
from eloquence.delivery.words import Word
from eloquence.errors import LineError
from eloquence.ops import parallel
from eloquence.ops.analysis import EXERCISE, LONGEST_TURN, MARGIN, TURN_SILENCE, recorded_session
from eloquence.ops.folder import BY_EAR_MEGABYTES, Failure
from eloquence.storage import content
from eloquence.storage.decoding import MAX_SECONDS, RATE, Waveform, decode

BEYOND = 0.5
"""Seconds by which the last word may end after its recording."""
LONGEST_LINE = 16 * 1024 * 1024
"""Bytes: some days of words."""

Seconds = Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)]


class Line(BaseModel):
    """What one line asks for.

    `words` are (word, start, end) in seconds, verbatim, of one speaker; without them `wav` is
    measured by ear, and `text` alone has no times. It lends its punctuation to words that have
    none. A silence of 5 s or more ends a turn.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str | int
    wav: str | None = None
    """A recording, from the folder of the input."""
    text: str = ""
    words: tuple[tuple[str, Seconds, Seconds], ...] | None = None
    lang: Language = "fr"
    register_: Register = Field("conversation", alias="register")


@dataclass(frozen=True, slots=True)
class Scored:
    """One line of the output, without its end, and whether it is an error."""

    text: str
    failed: bool


def score_lines(
    lines: Iterable[bytes], folder: Path, *, content_folder: Path | None = None, jobs: int | None
) -> Generator[Scored]:
    """The result of each line that is not blank, in order. `folder` is where relative recordings
    are looked for; `jobs` is how many processes work (None: as many as the machine can)."""
    work = Scoring(folder, content_folder)
    numbered = ((number, line) for number, line in enumerate(lines, 1) if line.strip())
    count = parallel.jobs_for(BY_EAR_MEGABYTES) if jobs is None else jobs
    return parallel.each(work, numbered, jobs=count, died=_died)


@dataclass(slots=True)
class Scoring:
    """What one process does with one line after the other: (its number, its bytes)."""

    folder: Path
    content_folder: Path | None = None
    _library: content.Library | None = field(default=None, compare=False)

    def __call__(self, numbered: tuple[int, bytes]) -> Scored:
        number, line = numbered
        named: str | int | None = None
        try:
            asked = _parsed(number, line)
            named = asked.id
            if self._library is None:
                self._library = content.load(self.content_folder)
            report = asyncio.run(_report(asked, number, self.folder, self._library))
        except Exception as error:
            return _error(named if named is not None else _named(line), Failure.of(error))
        return Scored(_json({"id": asked.id, **result(report)}), failed=False)


def result(report: Report) -> dict[str, Any]:
    """What a line of the output holds besides its id: dimensions by name, measures by name."""
    return {
        "scores": {one.dimension: one.score for one in report.dimensions},
        "intervals": {
            one.dimension: None if one.score is None else [one.low, one.high]
            for one in report.dimensions
        },
        "reasons": {one.dimension: one.reason for one in report.dimensions if one.score is None},
        "measures": {one.id: one.value for one in report.measures},
        "events": [
            {
                "kind": mark.kind,
                "t": [mark.start, mark.end],
                "text": mark.text,
                "value": mark.value,
                "effects": mark.effects,
            }
            for mark in report.marks
        ],
    }


def _parsed(number: int, line: bytes) -> Line:
    """Raises LineError, which never quotes what the line holds."""
    if len(line) > LONGEST_LINE:
        raise LineError(f"Line {number} is longer than {LONGEST_LINE} bytes.", mend="Split it.")
    try:
        asked = Line.model_validate_json(line.removeprefix(b"\xef\xbb\xbf"))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise LineError(
            f"Line {number}: {place + ': ' if place else ''}{_told(first)}.",
            mend="Keys: id, wav, text, words ([[word, start, end], …]), lang (fr, en), register "
            "(conversation, presentation).",
        ) from None
    if asked.words is None and asked.wav is None:
        raise LineError(
            f"Line {number} has neither words nor wav.",
            mend="Text alone has no times: give words with their times, or a recording.",
        )
    starts = [start for _, start, _ in asked.words or ()]
    if starts != sorted(starts) or any(start > end for _, start, end in asked.words or ()):
        raise LineError(
            f"Line {number}: the times of the words do not ascend.",
            mend="Give the words of one speaker, in the order in which they start.",
        )
    return asked


def _told(error: Any) -> str:
    return "not JSON" if error["type"] == "json_invalid" else str(error["msg"])


def _named(line: bytes) -> str | int | None:
    """The id of a line that is wrong otherwise, if it has one."""
    try:
        found = json.loads(line)
    except ValueError:
        return None
    name = found.get("id") if isinstance(found, dict) else None
    return name if isinstance(name, str | int) and not isinstance(name, bool) else None


async def _report(asked: Line, number: int, folder: Path, library: content.Library) -> Report:
    exercise = _whole(library, asked.lang, asked.register_)
    if asked.words is None:
        assert asked.wav is not None
        stored = await recorded_session(folder / asked.wav, exercise, None, "none")
    else:
        stored = await _timed(asked, number, folder, exercise)
    return assess(
        stored,
        exercise,
        library.character(exercise.character, asked.lang),
        library.norms(asked.lang),
        library.lexicon(asked.lang),
        library.phrases(asked.lang),
    )


def _whole(library: content.Library, language: Language, register: Register) -> Exercise:
    """An exercise of every dimension in that register, of which only what is measured weighs."""
    exercise = library.exercise(EXERCISE, language)
    dimensions = tuple(library.norms(language).dimensions)
    criteria = Criteria(dimensions=dimensions, judged=dict.fromkeys(dimensions, 0.0))
    return exercise.model_copy(update={"criteria": criteria, "register_": register, "rubric": None})


async def _timed(asked: Line, number: int, folder: Path, exercise: Exercise) -> StoredSession:
    """The session of words whose times are given, with the sound where there is a recording."""
    words = [Word(text, start, end) for text, start, end in asked.words or ()]
    if asked.text and not timing.punctuated(words):
        words = timing.punctuated_like(words, asked.text)
    samples: Waveform | None = None
    duration = max((word.end for word in words), default=0.0)
    if asked.wav is not None:
        samples, seconds = await decode(folder / asked.wav, max_seconds=MAX_SECONDS)
        if duration > seconds + BEYOND:
            raise LineError(
                f"Line {number}: the words end at {duration:g} s, the recording at {seconds:g} s.",
                mend="Give the words of that recording, in seconds from its start.",
            )
        duration = seconds
    turns = [_turn(index, part, samples) for index, part in enumerate(_parts(words))]
    return StoredSession(
        session=Session(
            id="line",
            exercise=exercise.id,
            scenario=exercise.scenario().id,
            character=exercise.character,
            language=exercise.language,
            started_at=0.0,
            source="recording",
            verbatim=True,
        ),
        turns=tuple(turns),
        end=SessionEnd(status="complete", reason="recording", duration=duration),
    )


def _parts(words: list[Word]) -> Iterator[tuple[Word, ...]]:
    """The words without the silences that are somebody else's, and no part longer than a turn of a
    recording: it is cut at the longest silence of its second half."""
    first = 0
    for index in range(1, len(words) + 1):
        if index < len(words) and _gap(words, index) < TURN_SILENCE:
            continue
        while words[index - 1].end - words[first].start > LONGEST_TURN:
            begin = words[first].start
            places = [
                at
                for at in range(first + 1, index)
                if words[at - 1].end - begin <= LONGEST_TURN
                and words[at].start - begin >= LONGEST_TURN / 2
            ]
            cut = max(places, key=lambda at: (_gap(words, at), at), default=first + 1)
            if cut == index:
                break
            yield tuple(words[first:cut])
            first = cut
        if first < index:
            yield tuple(words[first:index])
        first = index


def _gap(words: list[Word], index: int) -> float:
    """Seconds of silence before a word."""
    return round(words[index].start - words[index - 1].end, 3)


def _turn(index: int, words: tuple[Word, ...], samples: Waveform | None) -> Turn:
    start, end = words[0].start, max(word.end for word in words)
    sound = None
    if samples is not None:
        first = max(0, round((start - MARGIN) * RATE))
        sound = measure(samples[first : round((end + MARGIN) * RATE)], RATE, start=first / RATE)
    return Turn(
        index=index,
        speaker="learner",
        start=start,
        end=end,
        text=" ".join(word.text for word in words),
        words=words,
        sound=sound,
    )


def _died(numbered: tuple[int, bytes]) -> Scored:
    failure = Failure(
        "internal",
        f"Line {numbered[0]}: the process that worked on it ended before it was done.",
        "Try that line alone; it may need more memory than there is.",
    )
    return _error(_named(numbered[1]), failure)


def _error(named: str | int | None, failure: Failure) -> Scored:
    error = {"code": failure.code, "message": failure.message, "mend": failure.mend}
    return Scored(_json({"id": named, "error": error}), failed=True)


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
