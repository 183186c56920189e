"""Levels of the partner: when they move, what they say, and how a turn counts."""

from pathlib import Path

import numpy as np
import pytest

from eloquence.coaching.exercise import Demand
from eloquence.coaching.levels import FAILED, HIGHEST, LEAST_SECONDS, Ladder, lines_at, turn_score
from eloquence.coaching.profiles import norms_for
from eloquence.coaching.session import Profile, Turn
from eloquence.delivery.sound import measure
from eloquence.delivery.words import Word
from eloquence.storage import content
from eloquence.testing import corpora

LIBRARY = content.load()


def climbed(ladder: Ladder, *scores: float | None) -> list[int]:
    levels = []
    for score in scores:
        ladder = ladder.after(score)
        levels.append(ladder.level)
    return levels


def test_two_turns_that_hold_the_goal_lead_up_and_the_count_begins_anew() -> None:
    assert climbed(Ladder(), *[0.7] * 8) == [1, 2, 2, 3, 3, 4, 4, 4]


def test_two_clear_failures_lead_down_but_not_below_the_first() -> None:
    ladder = Ladder(level=3)
    assert climbed(ladder, 0.49, 0.1, 0.1, 0.1, 0.0, 0.0) == [3, 2, 2, 1, 1, 1]


@pytest.mark.parametrize("score", [1.0, 0.0])
def test_nothing_moves_on_the_first_turn(score: float) -> None:
    assert Ladder(level=2).after(score).level == 2


@pytest.mark.parametrize("scores", [(0.9, 0.5, 0.9), (0.1, 0.5, 0.1), (0.9, 0.1, 0.9)])
def test_turns_that_do_not_agree_move_nothing(scores: tuple[float, ...]) -> None:
    assert climbed(Ladder(level=2), *scores) == [2, 2, 2]


def test_a_turn_that_could_not_be_told_counts_neither_way() -> None:
    assert climbed(Ladder(), 0.9, None, 0.9) == [1, 1, 2]


def test_in_an_exam_one_never_steps_down() -> None:
    assert climbed(Ladder(level=3, exam=True), 0.0, 0.0, 0.0) == [3, 3, 3]


def test_a_scene_with_fewer_levels_stops_at_its_own_highest() -> None:
    assert climbed(Ladder(highest=2), *[1.0] * 6)[-1] == 2


def test_a_level_without_lines_of_a_kind_has_those_of_the_level_below() -> None:
    demands = (Demand(), Demand(follow_up=("a",)), Demand(objection=("b",)), Demand())
    assert lines_at(demands, 1, "follow_up") == ()
    assert lines_at(demands, 4, "follow_up") == ("a",)
    assert lines_at(demands, 2, "objection") == ()
    assert lines_at(demands, 4, "objection") == ("b",)
    assert lines_at((), 3, "objection") == ()


def turn(seconds: float, *, gap: float = 0.02, fillers: int = 0) -> Turn:
    """About five syllables a second in words of two, with a gap after each."""
    words: list[Word] = []
    at = 0.0
    while at < seconds:
        text = "euh" if len(words) % 7 == 3 and len(words) // 7 < fillers else "maison"
        words.append(Word(text, at, at + 0.36))
        at += 0.36 + gap
    return Turn(index=1, speaker="learner", start=0, end=at, words=tuple(words), text="maison")


def scored(turn: Turn, goal: str = "") -> float | None:
    return turn_score(turn, LIBRARY.norms("fr"), LIBRARY.lexicon("fr"), "conversation", goal)


def test_a_steady_turn_holds_and_a_halting_one_does_not() -> None:
    steady, halting = scored(turn(20)), scored(turn(20, gap=1.3))
    assert steady is not None
    assert halting is not None
    assert steady >= 0.7
    assert halting < FAILED


def test_the_goal_s_own_measure_is_what_counts() -> None:
    said = turn(20, fillers=8)
    whole, goal = scored(said), scored(said, "filled_pauses")
    assert whole is not None
    assert goal is not None
    assert goal < FAILED < whole
    assert scored(turn(20), "filled_pauses") == 1.0


@pytest.mark.parametrize("goal", ["evidence", "", "questions_of_another_kind"])
def test_a_goal_that_one_turn_cannot_show_falls_back_on_fluency(goal: str) -> None:
    assert scored(turn(20), goal) == scored(turn(20))


def test_a_few_words_say_nothing() -> None:
    assert scored(turn(LEAST_SECONDS - 2)) is None
    assert scored(Turn(index=0, speaker="learner", start=0, end=0, text="tapé au clavier")) is None


def test_whoever_has_no_bands_moves_no_level() -> None:
    exercise, said = LIBRARY.exercise("conversation_libre_marie", "fr"), turn(20)
    given: tuple[tuple[Profile, bool], ...] = (
        ("native", True),
        ("learner", True),
        ("child", False),
    )
    for profile, told in given:
        norms = norms_for(LIBRARY.norms("fr"), exercise, profile)
        score = turn_score(said, norms, LIBRARY.lexicon("fr"), "conversation", "", profile)
        assert (score is not None) == told, profile
    norms = norms_for(LIBRARY.norms("fr"), exercise, "speech_difference")
    for goal in ("", "filled_pauses", "speech_rate"):
        score = turn_score(
            said, norms, LIBRARY.lexicon("fr"), "conversation", goal, "speech_difference"
        )
        assert score is None


def test_clipped_sound_moves_no_level() -> None:
    rng = np.random.default_rng(1)
    noise = rng.normal(size=20 * 16_000).astype(np.float32)
    clipped = turn(20).model_copy(update={"sound": measure(np.clip(9 * noise, -1, 1), 16_000)})
    assert scored(clipped) is None


@pytest.mark.speech
def test_most_stretches_of_native_speech_hold_and_few_fail_clearly(shared_data: Path) -> None:
    """Rhapsodie in stretches of 20 s: about four in five hold, so that levels are reached, and
    one in twenty-five fails."""
    scores: list[float] = []
    for sentences in corpora.turns(corpora.rhapsodie(shared_data)):
        words = [word for sentence in sentences for word in sentence.words]
        first = 0
        for last in range(len(words)):
            if words[last].end - words[first].start >= 20:
                said = turn(0).model_copy(update={"words": tuple(words[first : last + 1])})
                score = scored(said)
                assert score is not None
                scores.append(score)
                first = last + 1
    assert len(scores) > 300
    assert sum(score >= 0.7 for score in scores) / len(scores) > 0.75
    assert sum(score < FAILED for score in scores) / len(scores) < 0.08


LEVELLED = [
    (language, exercise)
    for language in content.LANGUAGES
    for exercise in LIBRARY.exercises(language)
    if exercise.levels
]


@pytest.mark.parametrize("found", LEVELLED, ids=lambda found: f"{found[0]}-{found[1].id}")
def test_shipped_levels_are_four_each_with_its_own_demands(found: tuple[str, object]) -> None:
    exercise = LIBRARY.exercise(found[1].id, found[0])  # type: ignore[attr-defined, arg-type]
    assert len(exercise.levels) == HIGHEST
    assert all(demand.prompt for demand in exercise.levels)
    for level, kinds in {
        2: ("follow_up",),
        3: ("objection", "vague", "silence"),
        4: ("interruption", "surprise"),
    }.items():
        for kind in kinds:
            assert len(getattr(exercise.levels[level - 1], kind)) >= 2, (level, kind)
    assert not any(
        lines_at(exercise.levels, 1, kind) for kind in ("follow_up", "objection", "vague")
    )


def test_the_same_exercises_have_levels_in_both_languages() -> None:
    names = {language: {e.id for g, e in LEVELLED if g == language} for language in ("fr", "en")}
    assert names["fr"] == names["en"]
    assert {"entretien_embauche", "negociation_thomas", "presentation_publique"} <= names["fr"]
