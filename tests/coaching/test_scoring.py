"""Scores made of a measured and a judged part, the overall score, marks, and the weakest turn."""

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from math import log
from typing import Any

import pytest

from eloquence.coaching.exercise import DIMENSIONS
from eloquence.coaching.judgement import CriterionJudgement, Judgement
from eloquence.coaching.report import DimensionScore, Report
from eloquence.coaching.rubric import Criterion, Level, Rubric
from eloquence.coaching.session import Turn
from eloquence.delivery.sound import HOP, Sound
from eloquence.delivery.words import Word

Assess = Callable[..., Report]

NOUNS = ("bateau", "maison", "jardin", "chanson", "matin", "couleur", "moment")


def said(
    count: int, *, start: float = 0.0, rate: float = 4.9, every: int = 10, pause: float = 0.5
) -> tuple[Word, ...]:
    """Words of two syllables, ten to a sentence, with a pause after every so many."""
    words, clock = [], start
    for index in range(1, count + 1):
        stop = "." if index % 10 == 0 else ""
        words.append(Word(NOUNS[index % 7] + stop, round(clock, 4), round(clock + 2 / rate, 4)))
        clock += 2 / rate + (pause if index % every == 0 else 0.0)
    return tuple(words)


def answer(index: int, words: Sequence[Word], *, sound: bool = False) -> Turn:
    return Turn(
        index=index,
        speaker="learner",
        start=words[0].start,
        end=words[-1].end,
        text=" ".join(word.text for word in words),
        words=tuple(words),
        sound=voice(words) if sound else None,
    )


def question(index: int, start: float, *, cut: bool = False) -> Turn:
    return Turn(
        index=index,
        speaker="character",
        start=start,
        end=start + 2,
        text="Que s'est-il passé dans le jardin ce matin ?",
        interrupted=cut,
    )


def voice(words: Sequence[Word], *, level: float = -22.0, swing: float = 4.0) -> Sound:
    """A sound that agrees with the words."""
    start, seconds = words[0].start, words[-1].end - words[0].start
    frames = range(int(seconds / HOP) + 1)
    stretches: list[tuple[float, float]] = []
    for word in words:
        if stretches and word.start - stretches[-1][1] < 0.25:
            stretches[-1] = (stretches[-1][0], word.end)
        else:
            stretches.append((word.start, word.end))
    wave = [((index * HOP / 1.7) % 1.0) * 2 - 1 for index in frames]
    return Sound(
        start=start,
        duration=seconds,
        pitch=tuple(
            None if index % 5 == 0 else 120 * 2 ** (swing * wave[index] / 12) for index in frames
        ),
        intensity=tuple(level - 14 * abs(((index * HOP / 0.9) % 1.0) * 2 - 1) for index in frames),
        speech=tuple(stretches),
        nuclei=tuple(start + 0.1 + step / 4.5 for step in range(int((seconds - 0.2) * 4.5))),
        snr=35.0,
        clipping=0.0,
    )


def dialogue(count: int = 4, words: int = 60, **how: Any) -> list[Turn]:
    """Questions and answers of about half a minute each."""
    turns: list[Turn] = []
    clock = 0.0
    for index in range(count):
        turns.append(question(2 * index, clock))
        spoken = said(words, start=clock + 2.6, **how)
        turns.append(answer(2 * index + 1, spoken, sound=True))
        clock = spoken[-1].end + 0.5
    return turns


def rubric(*dimensions: str, criteria: int = 1) -> Rubric:
    levels = tuple(Level(text=str(index)) for index in range(5))
    return Rubric.model_validate(
        {
            "id": "grid",
            "language": "fr",
            "title": "Grille",
            "source": "La nôtre",
            "criteria": tuple(
                Criterion.model_validate(
                    {
                        "id": f"{name}_{index}",
                        "label": f"Critère {index}",
                        "dimension": name,
                        "question": "q",
                        "levels": levels,
                        "weight": 1.0,
                    }
                )
                for name in dimensions
                for index in range(criteria)
            ),
        }
    )


def judgement(levels: dict[str, float | None], **changes: Any) -> Judgement:
    return Judgement(
        rubric="grid",
        rubric_version=1,
        prompt_version=3,
        provider="p",
        model="m",
        made_at=0,
        spread=0.1,
        criteria=tuple(
            CriterionJudgement(criterion=name, level=level, low=level, high=level, samples=3)
            if level is not None
            else CriterionJudgement(criterion=name, reason="no_majority")
            for name, level in levels.items()
        ),
    ).model_copy(update=changes)


def all_of(assessed: Assess, turns: Iterable[Turn], **other: Any) -> Report:
    return assessed(turns, criteria={"dimensions": DIMENSIONS}, **other)


def dimension(report: Report, name: str) -> DimensionScore:
    return next(one for one in report.dimensions if one.dimension == name)


def test_every_dimension_can_be_scored(assessed: Assess) -> None:
    """EVA-04."""
    turns = dialogue()
    words = list(turns[1].words or ())
    words[5] = Word("euh", words[5].start, words[5].end)
    turns[1] = answer(1, words, sound=True)
    report = all_of(
        assessed,
        turns,
        rubric=rubric(*DIMENSIONS),
        judgement=judgement({f"{name}_0": 3 for name in DIMENSIONS}),
    )
    assert [one.dimension for one in report.dimensions] == list(DIMENSIONS)
    for one in report.dimensions:
        assert one.score is not None, (one.dimension, one.reason)
        assert one.low is not None
        assert one.high is not None
        assert 0 <= one.low <= one.score <= one.high <= 1
        assert one.state in {"pass", "near", "not_yet"}


def test_measured_and_judged_parts_are_kept_apart_and_weighed(assessed: Assess) -> None:
    given = judgement({"clarity_0": 1, "clarity_1": 3})
    report = assessed(dialogue(), rubric=rubric("clarity", criteria=2), judgement=given)
    clarity = dimension(report, "clarity")
    assert clarity.measured is not None
    assert clarity.judged is not None
    assert clarity.judged == pytest.approx((0.35 + 0.8) / 2)
    assert clarity.judged_weight == pytest.approx(0.4)
    assert clarity.score == pytest.approx(0.6 * clarity.measured + 0.4 * clarity.judged, abs=1e-3)
    assert [one.score for one in clarity.criteria] == [0.35, 0.8]
    assert sum(part.weight for part in clarity.parts) == pytest.approx(1, abs=1e-3)
    assert report.content.state == "judged"
    assert (report.content.model, report.content.prompt_version) == ("m", 3)
    assert report.content.rubric_title == "Grille"


def test_what_was_not_judged_lowers_the_coverage(assessed: Assess) -> None:
    report = all_of(assessed, dialogue(), rubric=rubric(*DIMENSIONS))
    clarity = dimension(report, "clarity")
    assert clarity.coverage == pytest.approx(0.6)
    assert clarity.score == clarity.measured
    assert clarity.judged is None
    for name in ("persuasion", "structure", "problem_solving"):
        one = dimension(report, name)
        assert one.state == "not_scored"
        assert one.score is None
        assert "apprécié" in one.reason
    assert dimension(report, "persuasion").measured is not None
    assert dimension(report, "persuasion").coverage < 0.5
    assert report.content.state == "not_judged"
    assert report.content.reason


def test_a_criterion_without_majority_does_not_count_and_says_so(assessed: Assess) -> None:
    given = judgement({"structure_0": 4, "structure_1": None, "structure_2": 4})
    report = all_of(assessed, dialogue(), rubric=rubric("structure", criteria=3), judgement=given)
    structure = dimension(report, "structure")
    assert structure.score == pytest.approx(1)
    assert structure.coverage == pytest.approx(2 / 3, abs=1e-3)
    lost = structure.criteria[1]
    assert lost.level is None
    assert "lectures" in lost.reason


def test_a_judgement_by_an_older_rubric_counts_for_nothing(assessed: Assess) -> None:
    given = judgement({"structure_0": 4}, rubric_version=2)
    report = all_of(assessed, dialogue(), rubric=rubric("structure"), judgement=given)
    assert dimension(report, "structure").score is None
    assert report.content.state == "not_judged"


def test_too_little_speech_is_no_score_even_when_it_was_judged(assessed: Assess) -> None:
    given = judgement({"structure_0": 4})
    report = all_of(assessed, [answer(0, said(20))], rubric=rubric("structure"), judgement=given)
    assert {one.state for one in report.dimensions} == {"not_scored"}
    assert report.overall is None


def test_the_overall_score_is_the_weighted_mean_of_the_exercise_s_own_dimensions(
    assessed: Assess,
) -> None:
    turns = dialogue(every=3)
    equal = assessed(turns, criteria={"dimensions": ["fluency", "engagement", "structure"]})
    assert equal.overall is not None
    scores = [one.score for one in equal.dimensions if one.score is not None]
    assert len(scores) == 2, "what is not scored weighs nothing"
    assert equal.overall.score == pytest.approx(sum(scores) / 2, abs=1e-3)
    assert equal.overall.low <= equal.overall.score <= equal.overall.high
    assert equal.overall.weights == {"fluency": 0.5, "engagement": 0.5}
    weighed = assessed(
        turns,
        criteria={
            "dimensions": ["fluency", "engagement"],
            "weights": {"fluency": 0.8, "engagement": 0.2},
        },
    )
    assert weighed.overall is not None
    fluency, engagement = (one.score or 0.0 for one in weighed.dimensions)
    assert weighed.overall.score == pytest.approx(0.8 * fluency + 0.2 * engagement, abs=1e-3)
    for report in (equal, weighed):
        shown = report.feedback.headline
        assert report.overall is not None
        assert f"{report.overall.score:.2f}".replace(".", ",") not in shown


def test_a_dismissed_mark_counts_nowhere_and_stays_to_be_seen(assessed: Assess) -> None:
    words = said(120, every=10, pause=0.4)
    held = tuple(
        Word(word.text, word.start + 3 * (index >= 65), word.end + 3 * (index >= 65))
        for index, word in enumerate(words)
    )
    before = assessed([answer(0, held)])
    (mark,) = [one for one in before.marks if one.kind == "long_pause"]
    assert mark.effects["fluency"] > 0.05
    after = assessed([answer(0, held)], dismissed=[mark.id])
    (gone,) = [one for one in after.marks if one.id == mark.id]
    assert gone.dismissed
    assert gone.effects == {}
    assert [one.id for one in after.marks] == [one.id for one in before.marks]
    assert all(event.id != mark.id for event in dimension(after, "fluency").events)
    rise = (dimension(after, "fluency").score or 0) - (dimension(before, "fluency").score or 0)
    assert rise == pytest.approx(mark.effects["fluency"], abs=0.02)
    measures = {one.id: one.value for one in after.measures}
    assert measures["long_pauses"] == 0
    assert after.word_count == before.word_count


def test_all_marks_dismissed_leave_a_report(assessed: Assess) -> None:
    turns = dialogue(every=4, pause=1.2, rate=7.5)
    marks = [one.id for one in assessed(turns).marks]
    assert len(marks) > 10
    report = assessed(turns, dismissed=marks)
    assert all(one.dismissed for one in report.marks)
    assert not any(one.events for one in report.dimensions)
    assert Report.model_validate_json(report.model_dump_json()) == report


def test_a_dismissed_stretch_takes_its_pauses_along_once(assessed: Assess) -> None:
    turns = [answer(0, said(60, rate=2.0, every=4, pause=1.5))]
    marks = assessed(turns).marks
    slow = [one.id for one in marks if one.kind == "slow_stretch"]
    pauses = [one.id for one in marks if one.kind == "long_pause"]
    assert slow
    assert pauses
    both = {one.id: one.value for one in assessed(turns, dismissed=[*slow, *pauses]).measures}
    alone = {one.id: one.value for one in assessed(turns, dismissed=slow).measures}
    assert both["long_pauses"] == alone["long_pauses"]


def test_every_mark_has_a_name_and_is_there_once(assessed: Assess) -> None:
    report = assessed(dialogue(every=4, pause=1.2))
    names = [one.id for one in report.marks]
    assert len(names) == len(set(names))
    assert all(one.label != one.kind for one in report.marks)
    assert [one.start for one in report.marks] == sorted(one.start for one in report.marks)
    good = [one for one in report.marks if one.good]
    assert good
    assert not any(one.effects for one in good)


def test_the_weakest_turn_is_the_one_that_lowers_the_scores_most(assessed: Assess) -> None:
    turns = dialogue()
    bad = said(60, start=turns[4].end + 0.6, every=3, pause=1.5)
    turns = [*turns[:5], answer(5, bad, sound=True)]
    assert assessed(turns).weakest_turn == 5
    short = [*turns[:5], answer(5, bad[:6], sound=True)]
    assert assessed(short).weakest_turn != 5, "too short to be tried again"
    assert assessed(turns[:2]).weakest_turn == 1, "there is only one"


def test_warm_up_turns_give_the_baseline_and_are_never_scored(assessed: Assess) -> None:
    warm = said(60, every=3, pause=1.5)
    first = answer(0, warm, sound=True).model_copy(update={"phase": "warm_up"})
    rest = [
        turn.model_copy(update={"index": turn.index + 1})
        for turn in dialogue_from(warm[-1].end + 1)
    ]
    loud = [
        turn.model_copy(update={"sound": voice(turn.words, level=-16.0)}) if turn.words else turn
        for turn in rest
    ]
    report, without = assessed([first, *loud]), assessed(loud)
    assert report.dimensions == without.dimensions
    assert report.speech_seconds == without.speech_seconds
    assert report.word_count == without.word_count
    assert without.baseline is None
    assert report.baseline is not None
    assert report.baseline.seconds == pytest.approx(warm[-1].end, abs=1e-3)
    assert report.baseline.level_change == pytest.approx(6, abs=0.5)
    assert report.baseline.median_pitch == pytest.approx(120, rel=0.05)
    assert report.baseline.noise == 35
    assert report.baseline.speech_rate == pytest.approx(120 / warm[-1].end, rel=0.01)
    assert report.turns[0].phase == "warm_up"
    assert all(mark.turn != 0 for mark in report.marks)
    alone = assessed([first])
    assert "échauffement" in alone.feedback.headline
    assert all("échauffement" in one.reason for one in alone.dimensions)


def dialogue_from(start: float) -> list[Turn]:
    turns = []
    clock = start
    for index in range(3):
        spoken = said(60, start=clock + 2.6)
        turns += [question(2 * index, clock), answer(2 * index + 1, spoken, sound=True)]
        clock = spoken[-1].end + 0.5
    return turns


def test_a_warm_up_alone_is_no_exercise(assessed: Assess) -> None:
    first = answer(0, said(60), sound=True).model_copy(update={"phase": "warm_up"})
    report = assessed([first])
    assert {one.state for one in report.dimensions} == {"not_scored"}
    assert report.baseline is not None
    assert report.baseline.level_change is None


def test_with_a_speech_difference_only_content_is_measured_and_nothing_is_marked(
    assessed: Assess,
) -> None:
    turns = dialogue(every=4, pause=1.2)
    report = all_of(
        assessed,
        turns,
        profile="speech_difference",
        rubric=rubric(*DIMENSIONS),
        judgement=judgement({f"{name}_0": 3 for name in DIMENSIONS}),
    )
    values = {one.id: one for one in report.measures}
    for name in ("speech_rate", "long_pauses", "filled_pauses", "pitch_variation", "pitch_range"):
        assert values[name].value is None, name
    assert "profil" in values["speech_rate"].reason
    assert values["hedges"].value is not None
    assert values["talk_ratio"].value is not None
    assert dimension(report, "fluency").score is None
    assert dimension(report, "structure").score == pytest.approx(0.8)
    assert dimension(report, "clarity").coverage < 0.5
    assert {mark.kind for mark in report.marks} <= {"hedge", "question"}
    assert report.pace.values == ()
    assert not any(turn.pauses for turn in report.turns)
    assert any("profil" in note.lower() for note in report.quality.notes)


def test_a_child_is_measured_and_never_scored(assessed: Assess) -> None:
    report = all_of(assessed, dialogue(), profile="child")
    assert {one.state for one in report.dimensions} == {"not_scored"}
    assert all("adultes" in one.reason for one in report.dimensions)
    assert {one.id: one.value for one in report.measures}["speech_rate"] is not None
    assert report.pace.band is None
    assert "zone" not in report.pace.sentence
    assert report.evaluation.scores == {}
    assert report.evaluation.customMetrics["naturalness"] is None


def test_who_learns_the_language_is_scored_by_wider_bands(assessed: Assess) -> None:
    slow = dialogue(rate=3.2)
    native, learner = (
        dimension(assessed(slow, profile=profile), "fluency").score
        for profile in ("native", "learner")
    )
    assert native is not None
    assert learner is not None
    assert learner > native + 0.05
    assert any("Profil" in one for one in assessed(slow, profile="learner").quality.notes)


def test_a_late_answer_is_marked_and_a_hard_question_gives_time(assessed: Assess) -> None:
    turns: list[Turn] = []
    clock = 0.0
    for index, wait in enumerate((0.6, 2.2, 0.9, 3.4)):
        spoken = said(60, start=clock + 2 + wait)
        turns += [question(2 * index, clock), answer(2 * index + 1, spoken, sound=True)]
        clock = spoken[-1].end + 0.5
    simple, hard = assessed(turns), assessed(turns, questions="hard")
    late = [one for one in simple.marks if one.kind == "late_answer"]
    assert [one.value for one in late] == pytest.approx([2.2, 3.4])
    assert late[0].effects["confidence"] > 0
    assert not any(one.kind == "late_answer" for one in hard.marks)
    scores = [dimension(one, "confidence").score or 0.0 for one in (simple, hard)]
    assert scores[1] > scores[0]


def test_the_measures_of_an_exchange_are_those_of_its_turns(assessed: Assess) -> None:
    turns = dialogue()
    asked = tuple(
        Word("Pourquoi ?" if index == 59 else word.text, word.start, word.end)
        for index, word in enumerate(turns[1].words or ())
    )
    turns[1] = answer(1, asked, sound=True)
    turns[4] = question(4, turns[3].end + 0.5, cut=True)
    values = {one.id: one.value for one in assessed(turns).measures}
    assert values["questions"] == pytest.approx(1 / 4)
    assert values["interruptions"] == pytest.approx(1 / 4)
    assert values["talk_ratio"] == pytest.approx(240 / (240 + 4 * 8), abs=1e-3)
    assert values["response_latency"] == pytest.approx(0.6, abs=0.01)
    assert values["uptake"] == 1, "each answer says « jardin » or « matin » again"


def test_a_monologue_says_that_an_exchange_is_needed(assessed: Assess) -> None:
    report = all_of(assessed, [answer(0, said(200), sound=True)])
    reasons = {one.id: one.reason for one in report.measures}
    for name in ("response_latency", "talk_ratio", "questions", "interruptions", "uptake"):
        assert "échange" in reasons[name], name


def test_statements_that_end_high_lower_confidence_and_questions_do_not(assessed: Assess) -> None:
    words = said(200)
    flat = voice(words, swing=0.5)
    ends = [word.end for word in words if word.text.endswith(".")]
    high = tuple(
        hertz and hertz * 2 ** (8 / 12 * any(0 <= end - index * HOP < 0.35 for end in ends))
        for index, hertz in enumerate(flat.pitch)
    )
    rising = flat.model_copy(update={"pitch": high})
    asked = tuple(Word(w.text.replace(".", " ?"), w.start, w.end) for w in words)
    level, up, questions = (
        assessed([answer(0, spoken).model_copy(update={"sound": sound})], register="presentation")
        for spoken, sound in ((words, flat), (words, rising), (asked, rising))
    )
    values = [{m.id: m.value for m in one.measures}["turn_end_pitch"] for one in (level, up)]
    assert values[0] == pytest.approx(0, abs=1)
    assert values[1] == pytest.approx(8, abs=1)
    assert any(one.kind == "rising_end" for one in up.marks)
    assert (dimension(up, "confidence").score or 0) < (
        dimension(level, "confidence").score or 0
    ) - 0.05
    assert {m.id: m.value for m in questions.measures}["turn_end_pitch"] is None


def test_fillers_found_by_sound_are_shown_and_count_nowhere(assessed: Assess) -> None:
    words = said(120)
    sound = voice(words)
    gap = next(w.end for w, after in pairwise(words) if after.start > w.end)
    heard = sound.model_copy(update={"hesitations": ((gap + 0.05, gap + 0.4, 0.9),)})
    turn = answer(0, words)
    with_them, without = (
        assessed([turn.model_copy(update={"sound": one})]) for one in (heard, sound)
    )
    (mark,) = [one for one in with_them.marks if one.kind == "filled_pause"]
    assert mark.start == pytest.approx(gap + 0.05, abs=1e-3)
    assert mark.effects == {}
    assert not mark.good
    assert with_them.dimensions == without.dimensions
    written = [*words[:30], Word("euh", words[30].start, words[30].end), *words[31:]]
    once = assessed([answer(0, written).model_copy(update={"sound": heard})])
    (only,) = [one for one in once.marks if one.kind == "filled_pause"]
    assert only.text.count("euh") == 1


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"snr": 8.0}, "bruit"),
        ({"clipping": 0.02}, "sature"),
        ({"speech": (), "nuclei": (), "pitch": (None,) * 100}, "voix"),
    ],
)
def test_sound_that_cannot_be_measured_is_refused_with_its_reason(
    assessed: Assess, change: dict[str, Any], word: str
) -> None:
    sound = voice(said(200)).model_copy(update=change)
    turn = Turn(index=0, speaker="learner", start=0, end=90, sound=sound)
    report = all_of(assessed, [turn])
    assert {one.state for one in report.dimensions} == {"not_scored"}
    assert all(word in one.reason for one in report.dimensions)
    assert word in report.feedback.headline


def test_the_typical_answer_is_one_that_a_single_long_thought_does_not_decide(
    assessed: Assess,
) -> None:
    turns: list[Turn] = []
    clock = 0.0
    waits = (0.4, 0.5, 6.0, 0.6)
    for index, wait in enumerate(waits):
        spoken = said(40, start=clock + 2 + wait)
        turns += [question(2 * index, clock), answer(2 * index + 1, spoken)]
        clock = spoken[-1].end + 0.5
    values = {one.id: one.value for one in assessed(turns).measures}
    assert values["response_latency"] is not None
    assert log(values["response_latency"]) == pytest.approx(
        sum(map(log, waits)) / len(waits), abs=1e-3
    )
    assert values["response_latency"] < sum(waits) / len(waits) - 0.7


def test_where_the_ear_can_score_nothing_of_the_exercise_it_scores_the_delivery(
    assessed: Assess,
) -> None:
    criteria = {"dimensions": ["persuasion", "professionalism"]}
    heard = [turn.model_copy(update={"words": None, "text": ""}) for turn in dialogue()]
    report = assessed(heard, criteria=criteria)
    *own, delivery = report.dimensions
    assert [one.dimension for one in own] == ["persuasion", "professionalism"]
    assert all(one.score is None and one.reason for one in own)
    assert delivery.dimension == "delivery"
    assert delivery.score is not None
    assert report.overall is None, "it is no dimension of the exercise"
    assert report.feedback.priority or report.feedback.strengths
    with_words = assessed(dialogue(), criteria=criteria)
    assert "delivery" not in [one.dimension for one in with_words.dimensions]
    child = assessed(heard, criteria=criteria, profile="child")
    assert all(one.score is None for one in child.dimensions)
