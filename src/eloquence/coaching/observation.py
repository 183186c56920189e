"""What was heard of the learner in a session: turn by turn, and as one tally.

Of a recogniser's words and the sound, each measure uses what can be trusted. Where the two
disagree on when there was speech, the words missed some or their times are wrong, and the session
is observed by ear.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import log

import numpy as np
from numpy.typing import NDArray

from eloquence.coaching.lexicon import Lexicon
from eloquence.coaching.norms import Norms
from eloquence.coaching.session import Turn
from eloquence.delivery import dialogue, disfluency, expressions, intensity, pitch, quality, timing
from eloquence.delivery.fillers import Hesitation, unheard
from eloquence.delivery.sound import HOP, Sound
from eloquence.delivery.syllables import Language, syllable_count
from eloquence.delivery.tally import Tally, moments
from eloquence.delivery.words import Word

NOTHING = Tally()
WINDOW = 6.0
"""Seconds of a window of the pace curve."""
LEAST_GAP = 0.2
"""Seconds that an answer takes at least: a quicker one was begun while the other still spoke."""
_REACH = 0.1  # s by which a recogniser may end a word early


@dataclass(frozen=True, slots=True)
class Moment:
    """A stretch of time that counted. `costs` is what it adds to the tally: nothing for a good
    moment. `measures` are those it is evidence for: none for one that is shown and counts
    nowhere."""

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
        return self.costs == NOTHING and bool(self.measures)

    @property
    def id(self) -> str:
        """What a dismissal names: the same moment of the same session has the same id."""
        return f"{self.kind}@{self.start:.2f}"


@dataclass(frozen=True, slots=True)
class End:
    """The end of a statement: index of its last word (None by ear), the 300 ms that were looked
    at, and their median pitch in semitones from the speaker's median."""

    word: int | None
    start: float
    end: float
    semitones: float


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
    fillers: tuple[disfluency.FilledPause, ...] = ()
    unwritten: tuple[Hesitation, ...] = ()
    """Filled pauses that the sound alone tells of, where the words have none."""
    repetitions: tuple[tuple[int, int], ...] = ()
    repairs: tuple[disfluency.Repair, ...] = ()
    tics: tuple[expressions.Hit, ...] = ()
    hedges: tuple[expressions.Hit, ...] = ()
    questions: tuple[dialogue.Question, ...] = ()
    falls: tuple[tuple[float, float, float], ...] = ()
    """Ends of stretches of speech: (start, end, level over that of the stretch in dB)."""
    ends: tuple[End, ...] = ()
    gap: float | None = None
    """Seconds between the end of the character's speech and this answer."""
    semitones: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0), compare=False)
    """Pitch per frame of the sound, from the speaker's median; NaN where unvoiced."""
    tally: Tally = NOTHING


@dataclass(frozen=True, slots=True)
class Observation:
    """A whole session. `doubt` is whether words and sound disagreed, which made it by ear; `fault`
    is what makes the sound unfit to be measured."""

    turns: tuple[HeardTurn, ...]
    tally: Tally
    by_ear: bool
    punctuated: bool
    doubt: bool
    snr: float | None
    clipping: float
    fault: quality.Fault | None
    median_pitch: float | None
    pace: tuple[tuple[float, ...], tuple[float | None, ...]]
    """Times (s) and syllables per second in windows of 6 s."""
    interruptions: tuple[dialogue.Interruption, ...] = ()
    verbatim: bool = False
    """Whether the words hold every filled pause, so that none is none."""

    @property
    def sounds(self) -> tuple[Sound, ...]:
        return tuple(turn.sound for turn in self.turns if turn.sound is not None)


def observation(
    turns: Sequence[Turn], norms: Norms, lexicon: Lexicon, *, verbatim: bool = False
) -> Observation:
    """What was heard of the learner in these turns, of both speakers. `verbatim` words hold every
    filled pause; others are looked for in the sound when no word is one."""
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
    exchange = _utterances(turns, heard)
    taken = dialogue.interruptions(exchange, backchannels=lexicon.backchannels)
    heard = _answering(heard, exchange, taken, lexicon)
    if not verbatim and not any(turn.fillers for turn in heard):
        heard = [_by_sound(turn, norms.language) for turn in heard]
    onsets = [onset for turn in heard for onset in turn.onsets]
    times, rates = timing.rate_curve(onsets, [turn.span for turn in heard], window=WINDOW)
    return Observation(
        turns=tuple(heard),
        tally=sum((turn.tally for turn in heard), _of_others(exchange)),
        by_ear=by_ear,
        punctuated=punctuated,
        doubt=doubt,
        snr=snr,
        clipping=quality.clipping(sounds),
        fault=quality.fault(sounds) if sounds else None,
        median_pitch=median,
        pace=(tuple(times), tuple(rates)),
        interruptions=tuple(taken),
        verbatim=verbatim,
    )


def cost_of(silence: timing.Silence, norms: Norms) -> Tally:
    """What a pause adds to a tally whose seconds hold it already."""
    inside = {"mid_phrase": 1.0, "unknown": norms.unknown_pauses.share, "boundary": 0.0}
    return Tally(
        pauses=1,
        pause_seconds=silence.seconds,
        mid_phrase=inside[silence.kind],
        long_pauses=int(silence.long),
    )


def pitch_tally(semitones: NDArray[np.float64]) -> Tally:
    """The tally of a piece of a pitch curve."""
    count, total, squares = moments(semitones)
    return Tally(pitch_frames=count, pitch_sum=total, pitch_squares=squares)


def answer_tally(gap: float) -> Tally:
    """The tally of an answer that came after so many seconds."""
    return Tally(answers=1, answer_logs=log(max(LEAST_GAP, gap)))


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
            nuclei=sound.nuclei if sound else None,
        )
        onsets = [onset for word in words for onset in _onsets(word, norms.language)]
    elif sound is not None:
        span = timing.span_by_ear(sound)
        silences = timing.silences_by_ear(sound)
        one = timing.SYLLABLES_PER_NUCLEUS[norms.language]
        onsets = [(time, one) for time in sound.nuclei]
    if (not words and sound is None) or span is None:
        return None
    heard = HeardTurn(turn.index, words, sound, span, tuple(silences), tuple(onsets))
    tally = Tally(
        turns=1,
        seconds=span[1] - span[0],
        syllables=sum(count for _, count in onsets),
    )
    for silence in silences:
        tally += cost_of(silence, norms)
    if words:
        heard = _read(heard, lexicon)
        tally += Tally(
            words=len(words) - len(heard.fillers),
            filled_pauses=sum(filler.weight for filler in heard.fillers),
            repetitions=len(heard.repetitions),
            tics=len(heard.tics),
            hedges=len(heard.hedges),
            questions=int(bool(heard.questions)),
            sentences=timing.sentence_count(words) if punctuated else 0,
        )
    if sound is not None:
        heard = _listened(heard, sound, median)
        count, total, squares = moments(intensity.peak_levels(sound))
        tally += pitch_tally(heard.semitones)
        tally += Tally(
            peaks=count,
            peak_sum=total,
            peak_squares=squares,
            ends=len(heard.ends),
            end_sum=sum(end.semitones for end in heard.ends),
            stretches=len(heard.falls),
            fall_sum=sum(fall for _, _, fall in heard.falls),
        )
    return replace(heard, tally=tally)


def _onsets(word: Word, language: Language) -> list[tuple[float, float]]:
    """The word's syllables spread evenly over it."""
    count = syllable_count(word.text, language)
    step = (word.end - word.start) / count if count else 0.0
    return [(word.start + index * step, 1.0) for index in range(count)]


def _read(turn: HeardTurn, lexicon: Lexicon) -> HeardTurn:
    """The turn with what its words say."""
    words, fillers = turn.words, lexicon.filled_pauses
    repeats = disfluency.repetitions(words, emphatic=lexicon.emphatic, fillers=fillers)
    spoken = dialogue.Utterance(turn.index, True, *turn.span, words)
    return replace(
        turn,
        fillers=tuple(disfluency.filled_pauses(words, fillers)),
        repetitions=tuple(repeats),
        repairs=tuple(
            disfluency.repairs(
                words,
                fillers=fillers,
                alternatives=lexicon.alternatives,
                restarts=lexicon.restarts,
                open_words=lexicon.open_words,
            )
        ),
        tics=tuple(expressions.hits(words, lexicon.tics, fillers=fillers)),
        hedges=tuple(expressions.hits(words, lexicon.hedges, fillers=fillers)),
        questions=tuple(dialogue.questions(spoken, lexicon.asking)),
    )


def _listened(turn: HeardTurn, sound: Sound, median: float | None) -> HeardTurn:
    """The turn with what its sound says."""
    turn = replace(turn, falls=tuple(intensity.trail_offs(sound)))
    if median is None:
        return turn
    turn = replace(turn, semitones=pitch.semitones(sound, median))
    return replace(turn, ends=tuple(_ends(turn, sound)))


def _by_sound(turn: HeardTurn, language: Language) -> HeardTurn:
    """The turn with the filled pauses that nobody wrote down."""
    if turn.sound is None:
        return turn
    found = unheard(turn.sound.hesitations, turn.words, language)
    return replace(turn, unwritten=tuple(found))


def _ends(turn: HeardTurn, sound: Sound) -> list[End]:
    """The ends of statements: before a full stop with a pause after it, and at the end of the
    turn. Questions are left out as far as the words tell; by ear only the end of the turn is
    known."""
    if not turn.words:
        places: list[tuple[int | None, float]] = [(None, turn.span[1])]
    else:
        asked = {question.last for question in turn.questions}
        paused = {silence.after for silence in turn.silences} | {len(turn.words) - 1}
        places = [
            (last, turn.words[last].end)
            for _, last in expressions.sentences(turn.words)
            if last in paused and last not in asked
        ]
    found = []
    for word, time in places:
        stretch = next((end for start, end in sound.speech if start <= time - _REACH <= end), None)
        until = time if stretch is None else min(time + _REACH, stretch)
        frame = round((until - sound.start) / HOP)
        height = pitch.turn_end(turn.semitones, frame) if frame > 0 else None
        if height is not None:
            found.append(End(word, max(turn.span[0], until - 0.3), until, height))
    return found


def _utterances(turns: Sequence[Turn], heard: Sequence[HeardTurn]) -> list[dialogue.Utterance]:
    """Both speakers' turns, the learner's where they were heard."""
    known = {turn.index: turn for turn in heard}
    found = []
    for turn in turns:
        if turn.speaker != "learner":
            words = dialogue.untimed(turn.text)
            found.append(
                dialogue.Utterance(turn.index, False, turn.start, turn.end, words, turn.interrupted)
            )
        elif turn.index in known:
            mine = known[turn.index]
            found.append(dialogue.Utterance(turn.index, True, *mine.span, mine.words))
    return found


def _of_others(exchange: Sequence[dialogue.Utterance]) -> Tally:
    """What the character adds to the tally."""
    others = [turn for turn in exchange if not turn.learner]
    return Tally(
        character_turns=len(others),
        character_words=sum(len(turn.words) for turn in others),
        character_seconds=sum(turn.end - turn.start for turn in others),
    )


def _answering(
    heard: Sequence[HeardTurn],
    exchange: Sequence[dialogue.Utterance],
    taken: Sequence[dialogue.Interruption],
    lexicon: Lexicon,
) -> list[HeardTurn]:
    """The turns with how they answer the character."""
    replies = dialogue.responses(exchange, backchannels=lexicon.backchannels)
    gaps = {reply.index: reply.seconds for reply in replies}
    again = dict(dialogue.taken_up(exchange, stop_words=lexicon.stop_words))
    stolen = {one.index for one in taken}
    found = []
    for turn in heard:
        gap = gaps.get(turn.index)
        tally = turn.tally + Tally(
            replies=int(turn.index in again),
            uptakes=int(bool(again.get(turn.index))),
            interruptions=int(turn.index in stolen),
        )
        if gap is not None:
            tally += answer_tally(gap)
        found.append(replace(turn, gap=gap, tally=tally))
    return found
