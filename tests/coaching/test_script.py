"""The offline coach: follows the file, adapts to what was heard or measured, and ends."""

import re
from itertools import cycle, pairwise

import pytest

from eloquence.coaching.character import Language
from eloquence.coaching.exercise import Exercise, Scenario
from eloquence.coaching.script import LONG_ANSWER, SHORT_ANSWER, Conductor, Heard, Line
from eloquence.storage import content

LIBRARY = content.load()
SCENES = [
    (exercise, scenario)
    for language in content.LANGUAGES
    for exercise in LIBRARY.exercises(language)
    for scenario in exercise.scenarios
]

WORDS: dict[Language, tuple[str, ...]] = {
    "fr": (
        "je voudrais vous parler de mon travail dans une petite entreprise",
        "nous avons réduit le délai de trente pour cent",
        "oui",
        "parce que c'est important pour moi et pour mes collègues",
        "et vous qu'en pensez-vous",
        "je ne sais pas trop",
    ),
    "en": (
        "I'd like to tell you about my work in a small company",
        "we reduced the delay by thirty percent",
        "yes",
        "because it matters to me and to my colleagues",
        "and what about you",
        "I don't know really",
    ),
}
BY_EAR = (
    Heard(seconds=2.0),
    Heard(seconds=12.0, syllable_rate=4.6),
    Heard(seconds=60.0, syllable_rate=4.2, pauses=4),
    Heard(seconds=15.0, syllable_rate=8.0),
    Heard(),
    Heard(seconds=20.0, syllable_rate=1.5, pauses=1),
)
FULL = Heard(seconds=12.0, syllable_rate=4.6)

EXERCISE = Exercise.model_validate(
    {
        "id": "essai",
        "language": "fr",
        "title": "Essai",
        "description": "Essai",
        "character": "marie_coach",
        "difficulty": "beginner",
        "duration_minutes": 3,
        "criteria": {"dimensions": ["fluency"]},
        "scenarios": [
            {
                "id": "essai",
                "title": "Essai",
                "prompts": {
                    "system": "…",
                    "initial": "Ouverture.",
                    "encouragement": ["Bravo !", "Et…"],
                },
                "script": {
                    "encouragement": ["Bien.", "Merci."],
                    "steps": [
                        {
                            "id": "un",
                            "ask": ["Question un ?", "Question un, autrement ?"],
                            "follow_ups_max": 2,
                            "follow_ups": [
                                {"heard": ["œuvre d'été"], "say": ["Mot un.", "Mot deux."]},
                                {"when": "silent", "say": ["Silence un.", "Silence deux."]},
                                {"when": "short", "say": ["Court un.", "Court deux."]},
                                {"when": "long", "say": ["Long."]},
                                {"when": "hesitant", "say": ["Hésite."]},
                                {"when": "fast", "say": ["Vite."]},
                                {"when": "slow", "say": ["Lent."]},
                                {"when": "question", "say": ["Réponse."]},
                            ],
                        },
                        {"id": "deux", "ask": ["Question deux ?"], "follow_ups_max": 0},
                    ],
                    "close": ["Fin.", "Terminé."],
                },
            }
        ],
    }
)


def conductor(seed: int = 0) -> Conductor:
    return Conductor(EXERCISE, EXERCISE.scenario(), "fr", seed)


def asked(seed: int = 0) -> Conductor:
    """A conductor that has just put the first step's question, after a full answer by ear."""
    started = conductor(seed)
    assert "Question un" in started.reply(FULL).text
    return started


def played(exercise: Exercise, scenario: Scenario, turns: list[Heard], seed: int) -> list[Line]:
    coach = Conductor(exercise, scenario, exercise.language, seed)
    lines = [Line(coach.opening())]
    for turn in cycle(turns):
        lines.append(coach.reply(turn))
        if lines[-1].done:
            return lines
        assert len(lines) < 60, "the script does not end"
    raise AssertionError


def heard_words(language: Language) -> list[Heard]:
    return [
        Heard(text, max(1.0, len(text.split()) / 2.5), 4.5, pauses=index % 3)
        for index, text in enumerate(WORDS[language])
    ]


@pytest.mark.parametrize("scene", SCENES, ids=lambda s: f"{s[0].language}-{s[1].id}")
@pytest.mark.parametrize("seed", [0, 1, 7])
@pytest.mark.parametrize("by_ear", [False, True], ids=["words", "by ear"])
def test_every_scenario_runs_to_its_close(
    scene: tuple[Exercise, Scenario], seed: int, by_ear: bool
) -> None:
    exercise, scenario = scene
    turns = list(BY_EAR) if by_ear else heard_words(exercise.language)
    lines = played(exercise, scenario, turns, seed)
    texts = [line.text for line in lines]
    assert lines[-1].text in scenario.script.close
    assert len(lines) >= len(scenario.script.steps) + 2
    assert all(text.strip() and "  " not in text for text in texts)
    assert all(one != two for one, two in pairwise(texts))
    assert len(set(texts)) == len(texts), "nothing is said twice in one conversation"
    if by_ear:
        needs_words = {
            line
            for step in scenario.script.steps
            for item in step.follow_ups
            if item.heard or item.when == "question"
            for line in item.say
        } | set(scenario.prompts.encouragement)
        for text in texts[1:]:
            assert not any(text.endswith(line) or text.startswith(line) for line in needs_words)


@pytest.mark.parametrize("scene", SCENES, ids=lambda s: f"{s[0].language}-{s[1].id}")
def test_a_learner_who_never_speaks_is_nudged_and_led_to_the_end(
    scene: tuple[Exercise, Scenario],
) -> None:
    lines = played(*scene, [Heard()], seed=0)
    assert all(one.text != two.text for one, two in pairwise(lines))


def test_the_same_seed_and_turns_give_the_same_lines_and_another_seed_others() -> None:
    exercise = LIBRARY.exercise("conversation_libre_marie", "fr")

    def run(seed: int) -> list[Line]:
        return played(exercise, exercise.scenario(), list(BY_EAR), seed)

    assert run(3) == run(3)
    assert any(run(3) != run(seed) for seed in range(4, 8))


def test_what_was_said_after_the_opening_can_call_for_a_line_of_the_first_step() -> None:
    line = conductor().reply(Heard("Une OEUVRE d’ete !", 6.0))
    assert re.search(r"Mot (un|deux)\.$", line.text)


def test_words_match_whole_words_only() -> None:
    line = conductor().reply(Heard("les manœuvres d'étéx", 6.0))
    assert "Question un" in line.text


@pytest.mark.parametrize(
    ("turn", "expected"),
    [
        (Heard(seconds=SHORT_ANSWER - 0.5), "Court"),
        (Heard(seconds=LONG_ANSWER + 1), "Long"),
        (Heard(seconds=12, pauses=2), "Hésite"),
        (Heard(seconds=12, syllable_rate=6.5), "Vite"),
        (Heard(seconds=12, syllable_rate=2.5), "Lent"),
        (Heard("vous aimez cela ?", 6), "Réponse"),
        (Heard(), "Silence"),
        (Heard("mon œuvre d'été", 2), "Mot"),
        (Heard(seconds=12, syllable_rate=4.5, pauses=1), "Question deux"),
    ],
)
def test_a_follow_up_is_chosen_by_what_was_heard_or_measured(turn: Heard, expected: str) -> None:
    assert expected in asked().reply(turn).text


def test_pace_norms_are_those_of_language_and_register() -> None:
    rate = Heard(seconds=12, syllable_rate=5.8)
    assert "Question deux" in asked().reply(rate).text
    speech = EXERCISE.model_copy(update={"register_": "presentation"})
    on_stage = Conductor(speech, speech.scenario(), "fr")
    on_stage.reply(FULL)
    assert "Vite" in on_stage.reply(rate).text


def test_a_step_gives_at_most_its_follow_ups_each_once() -> None:
    coach = asked()
    texts = [coach.reply(Heard(seconds=2)).text, coach.reply(Heard(seconds=12, pauses=3)).text]
    assert "Court" in texts[0]
    assert "Hésite" in texts[1]
    assert "Question deux" in coach.reply(Heard(seconds=60)).text
    again = asked()
    assert "Court" in again.reply(Heard(seconds=2)).text
    assert "Question deux" in again.reply(Heard(seconds=2)).text


def test_after_three_silences_the_next_question_comes() -> None:
    coach = asked()
    nudges = [coach.reply(Heard()).text for _ in range(2)]
    assert sorted(nudges) == ["Silence deux.", "Silence un."]
    assert coach.reply(Heard()).text == "Question deux ?"


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("fr", "Pardon, pouvez-vous répéter ?"),
        ("fr", "je n’ai pas compris"),
        ("en", "Could you repeat that, please?"),
        ("en", "sorry, I didn't hear"),
    ],
)
def test_the_line_is_said_again_when_asked_for(language: Language, words: str) -> None:
    exercise = LIBRARY.exercise("conversation_libre_marie", language)
    coach = Conductor(exercise, exercise.scenario(), language)
    line = coach.reply(FULL)
    question = coach.place.last
    assert line.text.endswith(question)
    again = coach.reply(Heard(words, 1.5))
    assert again.text.endswith(question)
    assert again.text != line.text
    assert not coach.reply(FULL).text.endswith(question)


def test_the_opening_can_be_repeated() -> None:
    assert conductor().reply(Heard("vous pouvez répéter ?", 1.2)).text.endswith("Ouverture.")


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("fr", "On arrête là."),
        ("fr", "bon, je voudrais arrêter maintenant"),
        ("fr", "Merci, au revoir !"),
        ("en", "let’s stop"),
        ("en", "OK, let's stop here"),
        ("en", "Goodbye!"),
    ],
)
def test_a_learner_who_wants_to_stop_is_let_go(language: Language, words: str) -> None:
    exercise = LIBRARY.exercise("entretien_embauche", language)
    scenario = exercise.scenario("motivation")
    line = Conductor(exercise, scenario, language).reply(Heard(words, 1.5))
    assert line.done
    assert line.text in scenario.script.close


def test_the_same_words_inside_a_story_stop_nothing() -> None:
    story = "et le chef nous a dit bon on arrête là pour ce soir et tout le monde est rentré"
    line = conductor().reply(Heard(story, 9))
    assert not line.done


def test_after_the_close_it_closes_again_in_other_words() -> None:
    coach = conductor()
    first = coach.reply(Heard("on arrête là", 1))
    second = coach.reply(Heard("encore une chose", 2))
    assert first.done
    assert second.done
    assert first.text != second.text


def test_a_question_without_a_line_of_its_own_is_handed_back() -> None:
    coach = conductor()
    text = coach.reply(Heard("et vous, vous aimez quoi ?", 3)).text
    assert re.search(r"Question un.*\?$", text)
    assert not text.startswith(("Bien.", "Merci.", "Bravo", "Question"))


def test_encouragement_never_comes_twice_in_a_row_and_praise_needs_words() -> None:
    leads = []
    for seed in range(20):
        coach = conductor(seed)
        first = coach.reply(Heard("je raconte une longue histoire", 10)).text
        second = coach.reply(Heard("et je continue ainsi", 10)).text
        leads.append(first.split(" Question")[0])
        assert second == "Question deux ?"
    assert set(leads) == {"Bien.", "Merci.", "Bravo !"}
    by_ear = {conductor(seed).reply(FULL).text.split(" Question")[0] for seed in range(20)}
    assert by_ear == {"Bien.", "Merci."}


def test_a_place_can_be_taken_again() -> None:
    coach = asked()
    place = coach.place
    first = coach.reply(Heard(seconds=2))
    coach.place = place
    assert coach.reply(Heard(seconds=2)) == first


# levels, starting over, exams


LEVELLED = [scene for scene in SCENES if scene[0].levels]


@pytest.mark.parametrize("scene", LEVELLED, ids=lambda s: f"{s[0].language}-{s[1].id}")
@pytest.mark.parametrize("level", [1, 2, 3, 4])
@pytest.mark.parametrize("by_ear", [False, True], ids=["words", "by ear"])
def test_every_scenario_runs_to_its_close_at_every_level(
    scene: tuple[Exercise, Scenario], level: int, by_ear: bool
) -> None:
    exercise, scenario = scene
    coach = Conductor(exercise, scenario, exercise.language, 3)
    coach.level = level
    turns = list(BY_EAR) if by_ear else heard_words(exercise.language)
    texts: list[str] = []
    for turn in cycle(turns):
        line = coach.reply(turn)
        texts.append(line.text)
        if line.done:
            break
        assert len(texts) < 60, "the script does not end"
    demands = exercise.levels_of(scenario)
    higher = {
        text
        for demand in demands[level:]
        for kind in ("follow_up", "objection", "vague", "silence", "surprise")
        for text in getattr(demand, kind)
    } - {
        text
        for demand in demands[:level]
        for kind in ("follow_up", "objection", "vague", "silence", "surprise")
        for text in getattr(demand, kind)
    }
    assert not set(texts) & higher
    own = demands[level - 1]
    if level > 1:
        assert set(texts) & {*own.follow_up, *own.objection, *own.vague, *own.surprise}
    assert sum(text in own.surprise for text in texts) == (level == 4)


def demanding(level: int) -> Conductor:
    data = EXERCISE.model_dump(by_alias=True)
    data["levels"] = [
        {},
        {"follow_up": ["Encore ?"]},
        {"objection": ["J’en doute."], "vague": ["Trop vague."], "silence": ["J’attends."]},
        {"surprise": ["Plus qu’une minute."], "interruption": ["Je vous coupe."]},
    ]
    exercise = Exercise.model_validate(data)
    coach = Conductor(exercise, exercise.scenario(), "fr")
    coach.reply(FULL)
    coach.level = level
    return coach


def test_from_the_second_level_an_answer_is_followed_up_once_a_step() -> None:
    coach = demanding(2)
    assert coach.reply(FULL).text == "Encore ?"
    assert coach.reply(FULL).text.endswith("Question deux ?")


def test_from_the_third_level_a_short_answer_is_not_accepted_and_a_full_one_is_doubted() -> None:
    coach = demanding(3)
    assert coach.reply(Heard(seconds=2)).text == "Trop vague."
    assert coach.reply(FULL).text == "J’en doute."
    assert coach.reply(FULL).text.endswith("Question deux ?")
    assert coach.reply(Heard()).text == "J’attends."


def test_at_the_fourth_level_a_surprise_comes_once() -> None:
    coach = demanding(4)
    assert coach.reply(FULL).text == "Plus qu’une minute."
    rest = [coach.reply(FULL).text for _ in range(5)]
    assert "Plus qu’une minute." not in rest


def test_at_the_first_level_nothing_is_asked_besides() -> None:
    assert "Question deux" in demanding(1).reply(FULL).text


@pytest.mark.parametrize(
    ("language", "words"), [("fr", "On recommence depuis le début."), ("en", "Let’s start over")]
)
def test_starting_over_goes_back_before_the_first_question(language: Language, words: str) -> None:
    exercise = LIBRARY.exercise("conversation_libre_marie", language)
    coach = Conductor(exercise, exercise.scenario(), language)
    for _ in range(4):
        coach.reply(FULL)
    assert coach.place.step > 0
    assert coach.reply(Heard(words, 1.5)).text == coach.opening()
    line = coach.reply(FULL).text
    assert any(line.endswith(ask) for ask in exercise.scenario().script.steps[0].ask)


def test_in_an_exam_no_answer_is_praised() -> None:
    exercise = LIBRARY.exercise("conversation_libre_marie", "fr")
    script = exercise.scenario().script
    coach = Conductor(exercise, exercise.scenario(), "fr", 5, encourage=False)
    lines = [coach.reply(Heard("Une réponse complète et détaillée", 12)).text for _ in range(8)]
    said = {line for step in script.steps for line in step.ask} | {
        line for step in script.steps for item in step.follow_ups for line in item.say
    }
    assert set(lines) <= said | set(script.close)


def test_it_takes_over_from_a_model_at_the_first_question_that_was_not_put() -> None:
    conductor = Conductor(EXERCISE, EXERCISE.scenario(), "fr", 1)
    steps = EXERCISE.scenario().script.steps
    conductor.take_over(["Ouverture.", f"Enchantée. {steps[0].ask[1]}", "Je vois."])
    line = conductor.reply(FULL).text
    assert any(line.endswith(question) for question in steps[1].ask)
    assert "Ouverture." not in line


def test_it_asks_a_question_that_a_model_has_only_touched_on() -> None:
    exercise = LIBRARY.exercise("entretien_embauche", "fr")
    scenario = exercise.scenario()
    conductor = Conductor(exercise, scenario, "fr", 1)
    steps = scenario.script.steps
    asked = [step.ask[0].upper() for step in steps[:2]]
    conductor.take_over([*asked, "D’accord, et votre équipe ?"])
    assert conductor.place.step == 2
    assert not conductor.place.asked


@pytest.mark.parametrize("times", [1, 2])
def test_a_model_that_has_put_every_question_does_not_bring_the_close_about(times: int) -> None:
    """However often it takes over, the file puts its last question itself before it closes."""
    exercise = LIBRARY.exercise("entretien_embauche", "fr")
    conductor = Conductor(exercise, exercise.scenario(), "fr", 1)
    steps = exercise.scenario().script.steps
    for _ in range(times):
        conductor.take_over([step.ask[0] for step in steps])
    line = conductor.reply(FULL)
    assert not line.done
    assert any(line.text.endswith(question) for question in steps[-1].ask)


def test_where_it_asked_the_last_question_itself_it_closes_after_the_answer() -> None:
    conductor = Conductor(EXERCISE, EXERCISE.scenario(), "fr", 1)
    conductor.take_over([step.ask[0] for step in EXERCISE.scenario().script.steps])
    said = conductor.reply(FULL).text
    conductor.take_over([said, "Une question du modèle."])
    for _ in range(6):
        line = conductor.reply(FULL)
    assert line.done
