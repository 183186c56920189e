"""The moments of a session that a report can point to, and what it would be without some."""

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace

from eloquence.coaching.exercise import Register
from eloquence.coaching.norms import Norms
from eloquence.coaching.observation import (
    WINDOW,
    Moment,
    Observation,
    answer_tally,
    cost_of,
    pitch_tally,
)
from eloquence.coaching.session import Profile
from eloquence.delivery import pitch, timing
from eloquence.delivery.sound import HOP
from eloquence.delivery.syllables import syllable_count
from eloquence.delivery.tally import Tally
from eloquence.delivery.words import Word

_AROUND = 3  # words quoted on each side of a pause
_QUOTED = 12  # words quoted of a long stretch
_GOOD_RUN = 12  # syllables of a run worth pointing to
_SWALLOWED = -9.0  # dB: end of a phrase that far below the phrase
_BEST = 3  # good moments shown of each kind
_PACES = ("fast_stretch", "slow_stretch")


def moments(
    seen: Observation, norms: Norms, register: Register, profile: Profile = "native"
) -> tuple[Moment, ...]:
    """All of them, in the order of time. `norms` are those of the session (`norms_for`); without
    a band nothing is too much or too little, and only what speaks for itself is pointed to. With a
    speech difference only what is said is; in a sound that is unfit, nothing of the sound."""
    if seen.by_ear and seen.fault is not None:
        return ()
    found = [
        *_pauses(seen),
        *_hesitations(seen, norms),
        *_expressions(seen),
        *_paces(seen, norms, register),
        *(_voices(seen, norms, register) if seen.fault is None else ()),
        *(_ends(seen, norms, register) if seen.fault is None else ()),
        *_exchanges(seen, norms, register),
        *_runs(seen, norms, register),
    ]
    if profile == "speech_difference":
        found = [moment for moment in found if _of_content(moment, norms)]
    return tuple(sorted(found, key=lambda moment: (moment.start, moment.end, moment.kind)))


def without(
    seen: Observation, found: Sequence[Moment], dismissed: AbstractSet[str], norms: Norms
) -> Tally:
    """The session's tally without what the moments of these ids cost, each thing once: a stretch
    that was too fast takes the pauses in it along."""
    gone = [moment for moment in found if moment.id in dismissed]
    tally = seen.tally
    covered: list[timing.Interval] = []
    for moment in gone:
        if moment.kind in _PACES:
            start = max([moment.start, *(end for _, end in covered)])
            if start < moment.end:
                tally -= _within(seen, start, moment.end, norms)
                covered.append((start, moment.end))
    for moment in gone:
        if moment.kind in _PACES:
            continue
        costs = moment.costs
        if timing.overlap((moment.start, moment.end), covered) > 0:
            costs = replace(
                costs,
                seconds=0.0,
                syllables=0.0,
                pauses=0,
                pause_seconds=0.0,
                mid_phrase=0.0,
                long_pauses=0,
            )
        tally -= costs
    return tally


def _of_content(moment: Moment, norms: Norms) -> bool:
    return bool(moment.measures) and all(
        norms.measures[name].about == "content" for name in moment.measures
    )


def _text(words: Sequence[Word], first: int, last: int) -> str:
    """The words from one index to another, without the middle of a long stretch."""
    texts = [word.text for word in words[max(0, first) : last + 1]]
    if len(texts) > _QUOTED:
        texts = [*texts[: _QUOTED // 2], "…", *texts[-_QUOTED // 2 :]]
    return " ".join(texts)


def _between(words: Sequence[Word], start: float, end: float) -> str:
    inside = [word for word in words if start <= word.start and word.end <= end + 0.05]
    return _text(inside, 0, len(inside) - 1)


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


def _hesitations(seen: Observation, norms: Norms) -> list[Moment]:
    found = []
    for turn in seen.turns:
        words = turn.words
        for filler in turn.fillers:
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
                        syllables=syllable_count(word.text, norms.language),
                        filled_pauses=filler.weight,
                    ),
                )
            )
        found += [
            Moment(
                "filled_pause",
                start,
                end,
                turn.index,
                (),
                _between(words, start - 1.0, end + 1.0),
                end - start,
            )
            for start, end, _ in turn.unwritten
        ]
        found += [
            Moment(
                "repair",
                words[one.first].start,
                words[one.last].end,
                turn.index,
                (),
                _text(words, one.first - 1, one.last + _AROUND),
            )
            for one in turn.repairs
        ]
        for first, last in turn.repetitions:
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
                        syllables=timing.syllables(again, norms.language),
                        words=len(again),
                        repetitions=1,
                    ),
                )
            )
    return found


def _expressions(seen: Observation) -> list[Moment]:
    """Habits and hedges, each with the words around it."""
    return [
        Moment(
            kind,
            turn.words[hit.first].start,
            turn.words[hit.last].end,
            turn.index,
            (measure,),
            _text(turn.words, hit.first - 2, hit.last + 2),
            costs=costs,
        )
        for turn in seen.turns
        for kind, measure, hits, costs in (
            ("tic", "tics", turn.tics, Tally(tics=1)),
            ("hedge", "hedges", turn.hedges, Tally(hedges=1)),
        )
        for hit in hits
    ]


def _paces(seen: Observation, norms: Norms, register: Register) -> list[Moment]:
    """Stretches of the pace curve beyond the native range."""
    points = norms.measures["speech_rate"].band(register)
    slow, fast = points[1], points[4]
    found = []
    for kind, beyond in (
        ("fast_stretch", lambda rate: fast is not None and rate > fast),
        ("slow_stretch", lambda rate: slow is not None and rate < slow),
    ):
        for start, end in _stretches(seen, beyond):
            turn = next((one for one in seen.turns if one.span[1] > start), seen.turns[-1])
            costs = _within(seen, start, end, norms)
            if costs.seconds < WINDOW / 2:
                continue
            words = [index for index, word in enumerate(turn.words) if start <= word.start < end]
            found.append(
                Moment(
                    kind,
                    start,
                    end,
                    turn.index,
                    ("speech_rate", "articulation_rate", "mean_run")
                    if kind == "slow_stretch"
                    else ("speech_rate", "articulation_rate"),
                    _text(turn.words, words[0], words[-1]) if words else "",
                    costs.syllables / costs.seconds,
                    costs,
                )
            )
    return found


def _stretches(seen: Observation, beyond: Callable[[float], bool]) -> list[timing.Interval]:
    joined: list[timing.Interval] = []
    for time, rate in zip(*seen.pace, strict=True):
        if rate is None or not beyond(rate):
            continue
        start, end = time - WINDOW / 2, time + WINDOW / 2
        if joined and start <= joined[-1][1] and end - joined[-1][0] <= 3 * WINDOW:
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
        if turn.span[1] < start or turn.span[0] > end:
            continue
        total += Tally(
            seconds=timing.overlap((start, end), [turn.span]),
            syllables=sum(count for time, count in turn.onsets if start <= time < end),
        )
        for silence in turn.silences:
            if start <= silence.start and silence.end <= end:
                total += cost_of(silence, norms)
    return total


def _voices(seen: Observation, norms: Norms, register: Register) -> list[Moment]:
    """Monotonous stretches and lively ones."""
    found = []
    lively = []
    points = norms.measures["pitch_variation"].band(register)
    for turn in seen.turns:
        if turn.sound is None or seen.median_pitch is None:
            continue
        start = turn.sound.start
        windows = pitch.windows(turn.semitones, start)
        for left, right, deviation in pitch.flat_stretches(windows):
            piece = turn.semitones[round((left - start) / HOP) : round((right - start) / HOP)]
            found.append(
                Moment(
                    "monotone_stretch",
                    left,
                    right,
                    turn.index,
                    ("pitch_variation",),
                    _between(turn.words, left, right),
                    deviation,
                    pitch_tally(piece),
                )
            )
        lively += [
            Moment("lively_stretch", left, right, turn.index, ("pitch_variation",), "", deviation)
            for left, right, deviation in windows
            if points[2] is not None and points[2] <= deviation <= (points[4] or float("inf"))
        ]
    return found + _quoted(_best(lively), seen)


def _ends(seen: Observation, norms: Norms, register: Register) -> list[Moment]:
    """Swallowed ends of phrases, and statements that end high."""
    high = norms.measures["turn_end_pitch"].band(register)[4]
    found = []
    for turn in seen.turns:
        found += [
            Moment(
                "trailing_off",
                left,
                right,
                turn.index,
                ("trail_off",),
                _between(turn.words, left, right),
                fall,
                Tally(stretches=1, fall_sum=fall),
            )
            for left, right, fall in turn.falls
            if fall <= _SWALLOWED
        ]
        found += [
            Moment(
                "rising_end",
                end.start,
                end.end,
                turn.index,
                ("turn_end_pitch",),
                "" if end.word is None else _text(turn.words, end.word - _AROUND, end.word),
                end.semitones,
                Tally(ends=1, end_sum=end.semitones),
            )
            for end in turn.ends
            if high is not None and end.semitones > high
        ]
    return found


def _exchanges(seen: Observation, norms: Norms, register: Register) -> list[Moment]:
    """Late answers, turns taken from the other, and questions."""
    late = norms.measures["response_latency"].band(register)[4]
    found = []
    for turn in seen.turns:
        opening = _text(turn.words, 0, _AROUND)
        if turn.gap is not None and late is not None and turn.gap > late:
            found.append(
                Moment(
                    "late_answer",
                    turn.span[0] - turn.gap,
                    turn.span[0],
                    turn.index,
                    ("response_latency",),
                    opening,
                    turn.gap,
                    answer_tally(turn.gap),
                )
            )
        found += [
            Moment(
                "interruption",
                taken.start,
                taken.start,
                turn.index,
                ("interruptions",),
                opening,
                taken.seconds,
                Tally(interruptions=1),
            )
            for taken in seen.interruptions
            if taken.index == turn.index
        ]
        found += [
            Moment(
                "question",
                turn.words[question.first].start,
                turn.words[question.last].end,
                turn.index,
                ("questions",),
                _text(turn.words, question.first, question.last),
            )
            for question in turn.questions
        ]
    return found


def _runs(seen: Observation, norms: Norms, register: Register) -> list[Moment]:
    """The longest runs without a pause, said at a normal speed."""
    points = norms.measures["articulation_rate"].band(register)
    runs = []
    for turn in seen.turns:
        edges = [
            turn.span[0],
            *(edge for silence in turn.silences for edge in (silence.start, silence.end)),
            turn.span[1],
        ]
        at = 0
        for start, end in zip(edges[::2], edges[1::2], strict=True):
            while at < len(turn.onsets) and turn.onsets[at][0] < start:
                at += 1
            count = 0.0
            while at < len(turn.onsets) and turn.onsets[at][0] < end:
                count += turn.onsets[at][1]
                at += 1
            rate = count / (end - start) if end > start else 0.0
            if count >= _GOOD_RUN and (points[1] or 0.0) <= rate <= (points[4] or rate):
                runs.append(
                    Moment(
                        "good_run",
                        start,
                        end,
                        turn.index,
                        ("mean_run", "speech_rate", "articulation_rate"),
                        "",
                        round(count, 1),
                    )
                )
    return _quoted(_best(runs), seen)


def _quoted(found: Sequence[Moment], seen: Observation) -> list[Moment]:
    words = {turn.index: turn.words for turn in seen.turns}
    return [
        replace(moment, text=_between(words[moment.turn], moment.start, moment.end))
        for moment in found
    ]


def _best(candidates: Sequence[Moment]) -> list[Moment]:
    """The few of the highest value that do not overlap."""
    kept: list[Moment] = []
    for one in sorted(candidates, key=lambda moment: (-(moment.value or 0.0), moment.start)):
        if len(kept) < _BEST and all(
            one.end <= other.start or one.start >= other.end for other in kept
        ):
            kept.append(one)
    return kept
