"""What was heard in a session: its tally, and the moments that a report can point to.

Of a recogniser's words and the sound, each measure uses what can be trusted. Where the two
disagree on when there was speech, the words missed some or their times are wrong, and the session
is observed by ear.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from eloquence.coaching.exercise import Register
from eloquence.coaching.lexicon import Lexicon
from eloquence.coaching.norms import Norms
from eloquence.coaching.session import Turn
from eloquence.delivery import disfluency, intensity, pitch, quality, timing
from eloquence.delivery.sound import HOP, Sound
from eloquence.delivery.syllables import Language, syllable_count
from eloquence.delivery.tally import Tally, moments
from eloquence.delivery.words import Word

NOTHING = Tally()
_AROUND = 3  # words quoted on each side of a pause
_QUOTED = 12  # words quoted of a long stretch
_GOOD_RUN = 12  # syllables of a run worth pointing to
_SWALLOWED = -9.0  # dB: end of a phrase that far below the phrase
_BEST = 3  # good moments shown of each kind
_WINDOW = 6.0  # s of the pace curve


@dataclass(frozen=True, slots=True)
class Moment:
    """A stretch of time that counted. `costs` is what it adds to the tally: nothing for a good
    moment. `measures` are those it is evidence for."""

    kind: str
    start: float
    end: float
    turn: int
    measures: tuple[str, ...]
    text: str = ""
    value: float | None = None
    costs: Tally = NOTHING

    @property
    def good(self) -> bool:
        return self.costs == NOTHING

    @property
    def id(self) -> str:
        """What a dismissal names: the same moment of the same session has the same id."""
        return f"{self.kind}@{self.start:.2f}"


@dataclass(frozen=True, slots=True)
class HeardTurn:
    """One turn of the learner that was heard."""

    index: int
    words: tuple[Word, ...]
    """Empty by ear."""
    sound: Sound | None
    span: timing.Interval
    silences: tuple[timing.Silence, ...]
    onsets: tuple[tuple[float, float], ...]
    """(time, syllables) of each word, or of each nucleus by ear."""
    tally: Tally


@dataclass(frozen=True, slots=True)
class Observation:
    """A whole session. `doubt` is how far words and sound disagreed when that made it by ear."""

    turns: tuple[HeardTurn, ...]
    tally: Tally
    by_ear: bool
    punctuated: bool
    doubt: bool
    snr: float | None
    clipping: float
    median_pitch: float | None
    voiced_seconds: float
    pace: tuple[tuple[float, ...], tuple[float | None, ...]]
    """Times (s) and syllables per second in windows of 6 s."""
    trail_off: float | None
    """Median fall of level over the ends of phrases, in dB."""
    moments: tuple[Moment, ...]

    @property
    def sounds(self) -> tuple[Sound, ...]:
        return tuple(turn.sound for turn in self.turns if turn.sound is not None)


def observation(
    turns: Sequence[Turn], norms: Norms, lexicon: Lexicon, register: Register
) -> Observation:
    """What was heard of the learner's turns (those of others are passed over)."""
    spoken = [turn for turn in turns if turn.speaker == "learner" and (turn.words or turn.sound)]
    with_words = [turn for turn in spoken if turn.words]
    snr = quality.snr([turn.sound for turn in spoken if turn.sound])
    doubt = bool(with_words) and _disagree(spoken, snr)
    by_ear = doubt or not with_words
    kept = spoken if by_ear else with_words
    punctuated = any(timing.punctuated(turn.words or ()) for turn in with_words)
    sounds = [turn.sound for turn in kept if turn.sound]
    median = pitch.median_pitch(sounds)
    heard = [
        one
        for turn in kept
        if (one := _heard(turn, norms, lexicon, by_ear, punctuated, median)) is not None
    ]
    spans = [turn.span for turn in heard]
    onsets = [onset for turn in heard for onset in turn.onsets]
    times, rates = timing.rate_curve(onsets, spans, window=_WINDOW)
    falls = [fall for sound in sounds for _, _, fall in intensity.trail_offs(sound)]
    seen = Observation(
        turns=tuple(heard),
        tally=sum((turn.tally for turn in heard), Tally()),
        by_ear=by_ear,
        punctuated=punctuated,
        doubt=doubt,
        snr=snr,
        clipping=quality.clipping(sounds),
        median_pitch=median,
        voiced_seconds=sum(pitch.voiced_seconds(sound) for sound in sounds),
        pace=(tuple(times), tuple(rates)),
        trail_off=float(np.median(falls)) if falls else None,
        moments=(),
    )
    found = [
        *_pauses(seen),
        *_hesitations(seen, norms.language, lexicon),
        *_paces(seen, norms, register),
        *_voices(seen, norms, register),
        *_runs(seen, norms, register),
    ]
    ordered = sorted(found, key=lambda moment: (moment.start, moment.end, moment.kind))
    return replace(seen, moments=tuple(ordered))


def _disagree(turns: Sequence[Turn], snr: float | None) -> bool:
    both = [(turn.words or (), turn.sound) for turn in turns if turn.sound is not None]
    if not both or (snr is not None and snr < quality.LOWEST_SNR):
        return False
    return abs(quality.disagreement(both)) > quality.MOST_DISAGREEMENT


def _heard(
    turn: Turn,
    norms: Norms,
    lexicon: Lexicon,
    by_ear: bool,
    punctuated: bool,
    median: float | None,
) -> HeardTurn | None:
    sound = turn.sound
    words = () if by_ear else tuple(sorted(turn.words or (), key=lambda word: word.start))
    if words:
        span = timing.span(words)
        silences = timing.silences(
            words,
            clause_openers=lexicon.clause_openers,
            open_words=lexicon.open_words,
            fillers=lexicon.filled_pauses,
            with_punctuation=punctuated,
            speech=sound.speech if sound else None,
        )
        onsets = [onset for word in words for onset in _onsets(word, norms.language)]
    elif sound is not None:
        span = timing.span_by_ear(sound)
        silences = timing.silences_by_ear(sound)
        one = timing.SYLLABLES_PER_NUCLEUS[norms.language]
        onsets = [(time, one) for time in sound.nuclei]
    if (not words and sound is None) or span is None:
        return None
    tally = Tally(
        turns=1,
        seconds=span[1] - span[0],
        syllables=sum(count for _, count in onsets),
    )
    for silence in silences:
        tally += _cost_of(silence, norms)
    if words:
        fillers = disfluency.filled_pauses(words, lexicon.filled_pauses)
        repeats = disfluency.repetitions(
            words, emphatic=lexicon.emphatic, fillers=lexicon.filled_pauses
        )
        tally += Tally(
            words=len(words) - len(fillers),
            filled_pauses=sum(filler.weight for filler in fillers),
            repetitions=len(repeats),
            tics=len(disfluency.phrases(words, lexicon.tics)),
            sentences=timing.sentence_count(words) if punctuated else 0,
        )
    if sound is not None:
        if median is not None:
            tally += _pitch_tally(pitch.semitones(sound, median))
        count, total, squares = moments(intensity.peak_levels(sound))
        tally += Tally(peaks=count, peak_sum=total, peak_squares=squares)
    return HeardTurn(turn.index, words, sound, span, tuple(silences), tuple(onsets), tally)


def _onsets(word: Word, language: Language) -> list[tuple[float, float]]:
    """The word's syllables spread evenly over it."""
    count = syllable_count(word.text, language)
    step = (word.end - word.start) / count if count else 0.0
    return [(word.start + index * step, 1.0) for index in range(count)]


def _cost_of(silence: timing.Silence, norms: Norms) -> Tally:
    inside = {"mid_phrase": 1.0, "unknown": norms.unknown_pauses.share, "boundary": 0.0}
    return Tally(
        seconds=silence.seconds,
        pauses=1,
        pause_seconds=silence.seconds,
        mid_phrase=inside[silence.kind],
        long_pauses=int(silence.long),
    ) - Tally(seconds=silence.seconds)


def _pitch_tally(semitones: NDArray[np.float64]) -> Tally:
    count, total, squares = moments(semitones)
    return Tally(pitch_frames=count, pitch_sum=total, pitch_squares=squares)


def _text(words: Sequence[Word], first: int, last: int) -> str:
    """The words from one index to another, without the middle of a long stretch."""
    texts = [word.text for word in words[max(0, first) : last + 1]]
    if len(texts) > _QUOTED:
        texts = [*texts[: _QUOTED // 2], "…", *texts[-_QUOTED // 2 :]]
    return " ".join(texts)


def _pauses(seen: Observation) -> list[Moment]:
    found = []
    for turn in seen.turns:
        for silence in turn.silences:
            at = silence.after
            text = (
                ""
                if at is None
                else f"{_text(turn.words, at - _AROUND + 1, at)} … "
                f"{_text(turn.words, at + 1, at + _AROUND)}"
            )
            middle = silence.kind == "mid_phrase"
            if not (silence.long or middle):
                continue
            found.append(
                Moment(
                    "long_pause" if silence.long else "mid_phrase_pause",
                    silence.start,
                    silence.end,
                    turn.index,
                    ("long_pauses", "phonation_ratio") * silence.long
                    + ("mid_phrase_pauses",) * middle,
                    text,
                    silence.seconds,
                    Tally(
                        seconds=silence.seconds,
                        pauses=1,
                        pause_seconds=silence.seconds,
                        mid_phrase=float(middle),
                        long_pauses=int(silence.long),
                    ),
                )
            )
    return found


def _hesitations(seen: Observation, language: Language, lexicon: Lexicon) -> list[Moment]:
    found = []
    for turn in seen.turns:
        words = turn.words
        for filler in disfluency.filled_pauses(words, lexicon.filled_pauses):
            word = words[filler.index]
            found.append(
                Moment(
                    "filled_pause",
                    word.start,
                    word.end,
                    turn.index,
                    ("filled_pauses",),
                    _text(words, filler.index - 2, filler.index + 2),
                    word.end - word.start,
                    Tally(
                        seconds=word.end - word.start,
                        syllables=syllable_count(word.text, language),
                        filled_pauses=filler.weight,
                    ),
                )
            )
        for first, last in disfluency.repetitions(
            words, emphatic=lexicon.emphatic, fillers=lexicon.filled_pauses
        ):
            again = words[first : last + 1]
            found.append(
                Moment(
                    "repetition",
                    again[0].start,
                    again[-1].end,
                    turn.index,
                    ("repetitions",),
                    _text(words, first - (last - first + 1), last),
                    float(len(again)),
                    Tally(
                        seconds=again[-1].end - again[0].start,
                        syllables=timing.syllables(again, language),
                        words=len(again),
                        repetitions=1,
                    ),
                )
            )
    return found


def _paces(seen: Observation, norms: Norms, register: Register) -> list[Moment]:
    """Stretches of the pace curve beyond the native range."""
    points = norms.measures["speech_rate"].bands[register]
    slow, fast = points[1], points[4]
    found = []
    for kind, beyond in (
        ("fast_stretch", lambda rate: fast is not None and rate > fast),
        ("slow_stretch", lambda rate: slow is not None and rate < slow),
    ):
        for start, end in _stretches(seen, beyond):
            turn = next((one for one in seen.turns if one.span[1] > start), seen.turns[-1])
            costs = _within(seen, start, end, norms)
            if costs.seconds < _WINDOW / 2:
                continue
            rate = costs.syllables / costs.seconds
            words = [index for index, word in enumerate(turn.words) if start <= word.start < end]
            text = _text(turn.words, words[0], words[-1]) if words else ""
            found.append(
                Moment(
                    kind,
                    start,
                    end,
                    turn.index,
                    ("speech_rate", "articulation_rate", "mean_run")
                    if kind == "slow_stretch"
                    else ("speech_rate", "articulation_rate"),
                    text,
                    rate,
                    costs,
                )
            )
    return found


def _stretches(seen: Observation, beyond: Callable[[float], bool]) -> list[timing.Interval]:
    joined: list[timing.Interval] = []
    for time, rate in zip(*seen.pace, strict=True):
        if rate is None or not beyond(rate):
            continue
        start, end = time - _WINDOW / 2, time + _WINDOW / 2
        if joined and start <= joined[-1][1] and end - joined[-1][0] <= 3 * _WINDOW:
            joined[-1] = (joined[-1][0], end)
        elif not joined or start >= joined[-1][1]:
            joined.append((start, end))
    clipped = []
    for start, end in joined:
        inside = [turn.span for turn in seen.turns if turn.span[1] > start and turn.span[0] < end]
        clipped.append((max(start, inside[0][0]), min(end, inside[-1][1])))
    return clipped


def _within(seen: Observation, start: float, end: float, norms: Norms) -> Tally:
    """The tally of a stretch of time: its syllables, and the pauses that lie whole in it."""
    total = Tally()
    for turn in seen.turns:
        total += Tally(
            seconds=timing.overlap((start, end), [turn.span]),
            syllables=sum(count for time, count in turn.onsets if start <= time < end),
        )
        for silence in turn.silences:
            if start <= silence.start and silence.end <= end:
                total += _cost_of(silence, norms)
    return total


def _voices(seen: Observation, norms: Norms, register: Register) -> list[Moment]:
    """Monotonous stretches, lively ones, and swallowed ends."""
    found = []
    lively = []
    points = norms.measures["pitch_variation"].bands[register]
    for turn in seen.turns:
        if turn.sound is None or seen.median_pitch is None:
            continue
        start = turn.sound.start
        curve = pitch.semitones(turn.sound, seen.median_pitch)
        windows = pitch.windows(curve, start)
        for left, right, deviation in pitch.flat_stretches(windows):
            piece = curve[round((left - start) / HOP) : round((right - start) / HOP)]
            found.append(
                Moment(
                    "monotone_stretch",
                    left,
                    right,
                    turn.index,
                    ("pitch_variation",),
                    _between(turn.words, left, right),
                    deviation,
                    _pitch_tally(piece),
                )
            )
        lively += [
            Moment(
                "lively_stretch",
                left,
                right,
                turn.index,
                ("pitch_variation",),
                _between(turn.words, left, right),
                deviation,
            )
            for left, right, deviation in windows
            if (points[2] or 0.0) <= deviation <= (points[4] or float("inf"))
        ]
        found += [
            Moment(
                "trailing_off",
                left,
                right,
                turn.index,
                ("articulation_rate",),
                _between(turn.words, left, right),
                fall,
            )
            for left, right, fall in intensity.trail_offs(turn.sound)
            if fall <= _SWALLOWED
        ]
    return found + _best(lively)


def _between(words: Sequence[Word], start: float, end: float) -> str:
    inside = [word for word in words if start <= word.start and word.end <= end + 0.05]
    return _text(inside, 0, len(inside) - 1)


def _runs(seen: Observation, norms: Norms, register: Register) -> list[Moment]:
    """The longest runs without a pause, said at a normal speed."""
    points = norms.measures["articulation_rate"].bands[register]
    runs = []
    for turn in seen.turns:
        edges = [
            turn.span[0],
            *(edge for silence in turn.silences for edge in (silence.start, silence.end)),
            turn.span[1],
        ]
        for start, end in zip(edges[::2], edges[1::2], strict=True):
            count = sum(amount for time, amount in turn.onsets if start <= time < end)
            rate = count / (end - start) if end > start else 0.0
            if count >= _GOOD_RUN and (points[1] or 0.0) <= rate <= (points[4] or rate):
                runs.append(
                    Moment(
                        "good_run",
                        start,
                        end,
                        turn.index,
                        ("mean_run", "speech_rate", "articulation_rate"),
                        _between(turn.words, start, end),
                        round(count, 1),
                    )
                )
    return _best(runs)


def _best(candidates: Sequence[Moment]) -> list[Moment]:
    """The few of the highest value that do not overlap."""
    kept: list[Moment] = []
    for one in sorted(candidates, key=lambda moment: (-(moment.value or 0.0), moment.start)):
        if len(kept) < _BEST and all(
            one.end <= other.start or one.start >= other.end for other in kept
        ):
            kept.append(one)
    return kept
