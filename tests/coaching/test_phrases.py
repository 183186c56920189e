"""Every sentence of a report: complete, in the typography of its language, about the take."""

import inspect
import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from pydantic import ValidationError

from eloquence.coaching import readings as readings_module
from eloquence.coaching.character import Language
from eloquence.coaching.norms import Norms
from eloquence.coaching.phrases import DrillPhrase, JudgedWording, Phrases, Target, inside
from eloquence.storage import content

Shipped = Callable[..., Any]
LANGUAGES = ("fr", "en")
KINDS = (
    *("mid_phrase_pause", "long_pause", "filled_pause", "repetition", "tic", "hedge"),
    *("fast_stretch", "slow_stretch", "monotone_stretch", "trailing_off", "rising_end"),
    *("late_answer", "interruption", "question", "good_run", "good_pause", "lively_stretch"),
)


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from texts(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from texts(one)


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_scored_is_without_words(shipped: Shipped, language: str) -> None:
    norms: Norms = shipped(Norms, language, "norms")
    phrases: Phrases = shipped(Phrases, language, "feedback")
    cured = {cure for drill in phrases.drills for cure in drill.cures.items()}
    for name, norm in norms.measures.items():
        for points in (*norm.bands.values(), *norm.hard.values()):
            assert name in phrases.strengths, name
            for side, edge in (("low", points[2]), ("high", points[3])):
                if edge is not None:
                    assert side in phrases.priorities[name], (name, side)
                    assert side in phrases.plans[name], (name, side)
                    assert (name, side) in cured, (name, side)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_kind_of_mark_and_every_refusal_has_words(shipped: Shipped, language: str) -> None:
    phrases: Phrases = shipped(Phrases, language, "feedback")
    assert set(KINDS) <= set(phrases.marks)
    source = inspect.getsource(readings_module)
    refusals = {*re.findall(r'return "(\w+)"', source), *readings_module.REASONS.values()}
    assert len(refusals) > 10
    of_the_judge = {"no_majority", "void", "failed", "too_little", "not_judged", "not_measured"}
    of_the_judge |= {"live", "practice", "no_rubric", "no_words", "no_model", "not_ready"}
    of_the_judge |= {"not_sent", "pending"}
    assert refusals | of_the_judge <= set(phrases.reasons)
    assert not any("{" in phrases.reasons[name] for name in of_the_judge)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_criterion_of_the_rubrics_has_a_drill_and_a_name_of_its_own(
    language: Language,
) -> None:
    """A criterion with the name of a measure could not be told from it in the history."""
    phrases = content.load().phrases(language)
    norms = content.load().norms(language)
    rubrics = content.load().rubrics(language)
    assert len(rubrics) >= 7
    named = {name for drill in phrases.drills for name in drill.criteria}
    covered = {name for drill in phrases.drills for name in drill.dimensions}
    for criterion in (each for rubric in rubrics for each in rubric.criteria):
        assert criterion.id not in norms.measures
        assert criterion.delivery or criterion.id in named or criterion.dimension in covered
    known = {each.id for rubric in rubrics for each in rubric.criteria}
    assert named <= known


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_remark_has_moment_observation_effect_and_next_attempt(
    shipped: Shipped, language: str
) -> None:
    """Four things need three sentences at least; the place of the moment comes first, and the
    priority gives figure and target."""
    phrases: Phrases = shipped(Phrases, language, "feedback")
    for name, wording in phrases.strengths.items():
        for text in (wording.text, wording.plain):
            assert len(re.findall(r"[.!](?:\s|$)", text)) >= 3, (name, text)
    for name, sides in phrases.priorities.items():
        for wording in sides.values():
            assert "{moments}" in wording.text.split(".")[0], name
            for text in (wording.text, wording.plain):
                assert "{value}" in text, (name, text)
                assert "{target}" in text, (name, text)
                assert len(re.findall(r"[.!](?:\s|$)", text)) >= 3, (name, text)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_headline_is_one_sentence(shipped: Shipped, language: str) -> None:
    phrases: Phrases = shipped(Phrases, language, "feedback")
    strengths = [one.title for one in phrases.strengths.values()]
    strengths.append(phrases.judged.strength.title.format(label="Résultat"))
    priorities = [one.title for sides in phrases.priorities.values() for one in sides.values()]
    priorities.append(phrases.judged.priority.title.format(label="Résultat"))
    for strength, priority in itertools.product(strengths, priorities):
        for kind in ("both", "strength", "priority", "good", "open"):
            headline = phrases.headlines[kind].format(
                strength=inside(strength), priority=inside(priority), label="débit"
            )
            assert headline[0].isupper()
            assert re.fullmatch(r"[^.:!?]+\.", headline), headline
            assert len(headline) < 170, headline


@pytest.mark.parametrize("language", LANGUAGES)
def test_there_are_twelve_drills_each_of_one_to_two_minutes_with_a_target(
    shipped: Shipped, language: str
) -> None:
    norms: Norms = shipped(Norms, language, "norms")
    phrases: Phrases = shipped(Phrases, language, "feedback")
    assert len(phrases.drills) == 12
    for drill in phrases.drills:
        assert 60 <= drill.seconds <= 120
        assert drill.cures or drill.criteria
        assert set(drill.cures) <= set(norms.measures)
        target = drill.target
        assert not target.measure or target.measure in norms.measures
        assert not target.marks or target.marks in phrases.marks
        assert 1 <= len(re.findall(r"[.!?](?:\s|$)", drill.spoken)) <= 3, drill.spoken
        assert len(drill.spoken) <= 200
        assert not re.search(r"[0-9(){}*/…]", drill.spoken), drill.spoken
        for by_ear in (False, True):
            assert "{" not in phrases.success(drill, by_ear=by_ear)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_drill_whose_target_is_a_zone_aims_into_the_band(shipped: Shipped, language: str) -> None:
    norms: Norms = shipped(Norms, language, "norms")
    phrases: Phrases = shipped(Phrases, language, "feedback")
    for drill in phrases.drills:
        for target in (drill.aim(by_ear=False), drill.aim(by_ear=True)):
            bands = norms.measures[target.measure].bands if target.measure else {}
            for points in bands.values():
                for aim in (target.at_least, target.at_most):
                    if aim is not None:
                        assert aim >= (points[1] if points[1] is not None else aim), drill.id
                        assert aim <= (points[4] if points[4] is not None else aim), drill.id


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_drill_of_a_voice_measure_can_be_verified_by_ear(
    shipped: Shipped, language: str
) -> None:
    norms: Norms = shipped(Norms, language, "norms")
    phrases: Phrases = shipped(Phrases, language, "feedback")
    for drill in phrases.drills:
        target = drill.aim(by_ear=True)
        dialogue = {"talk_ratio", "interruptions", "response_latency"}
        cured = {name for name in drill.cures if norms.measures[name].by_ear is not None}
        if cured - dialogue:
            assert target.measure, drill.id
            assert norms.measures[target.measure].by_ear is not None, drill.id


def test_the_languages_have_the_same_words_for_the_same_things(shipped: Shipped) -> None:
    french, english = (shipped(Phrases, language, "feedback") for language in LANGUAGES)
    for field in (
        *("headlines", "summaries", "reasons", "notes", "curves"),
        *("measures", "marks", "strengths", "goals", "changes", "comparisons"),
        *("trends", "appointments", "results"),
    ):
        assert set(getattr(french, field)) == set(getattr(english, field)), field
    for field in ("priorities", "plans"):
        sides = [
            {name: set(each) for name, each in getattr(one, field).items()}
            for one in (french, english)
        ]
        assert sides[0] == sides[1], field
    assert set(french.judged.effects) == set(english.judged.effects)
    for one, two in zip(french.drills, english.drills, strict=True):
        assert (one.id, one.seconds, one.cures) == (two.id, two.seconds, two.cures)
        assert (one.criteria, one.dimensions) == (two.criteria, two.dimensions)
        own = {"at_least", "at_most", "said"}
        assert one.target.model_dump(exclude=own) == two.target.model_dump(exclude=own)


def places(text: str) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", text))


def test_a_sentence_and_its_translation_are_filled_with_the_same(shipped: Shipped) -> None:
    french, english = (shipped(Phrases, language, "feedback") for language in LANGUAGES)
    for field in ("headlines", "summaries", "reasons", "notes", "goals", "results"):
        for name, text in getattr(french, field).items():
            assert places(text) == places(getattr(english, field)[name]), (field, name)


FRENCH_FAULTS = re.compile(
    r"""(?x)
    [^\u00a0\s][;!?»%]          # no space at all before a high sign
    | \u0020[;!?»%:]            # a space that breaks before it
    | [^\u00a0\s\d]:(?!\d)      # the colon, except in a time
    | «(?!\u00a0)               # the opening quote
    | ['"]                      # straight signs
    | \.\.\.
    | \s\s | ^\s | \s$
    """
)
ENGLISH_FAULTS = re.compile(
    r"""(?x)
    \s[;:!?,.%]
    | ['"«»\u00a0]
    | \.\.\.
    | \s\s | ^\s | \s$
    """
)


def loose(text: str) -> str:
    """The text without what is put in, and without the few pieces that stand alone."""
    return re.sub(r"\{\w+\}", "x", text)


@pytest.mark.parametrize(("language", "faults"), [("fr", FRENCH_FAULTS), ("en", ENGLISH_FAULTS)])
def test_every_sentence_has_the_typography_of_its_language(
    shipped: Shipped, language: str, faults: re.Pattern[str]
) -> None:
    phrases: Phrases = shipped(Phrases, language, "feedback")
    given = phrases.model_dump(exclude={"comma", "last", "decimal", "percent"})
    seen = 0
    for text in texts(given):
        seen += 1
        assert not faults.search(loose(text)), text
        assert text.count("«") == text.count("»"), text
        assert text.count("“") == text.count("”"), text
    assert seen > 400


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("Bien ?", FRENCH_FAULTS),
        ("Bien?", FRENCH_FAULTS),
        ("Ici : là", FRENCH_FAULTS),
        ("« oui\u00a0»", FRENCH_FAULTS),
        ("l'écoute", FRENCH_FAULTS),
        ("How ?", ENGLISH_FAULTS),
        ("the listener's", ENGLISH_FAULTS),
        ('"um"', ENGLISH_FAULTS),
    ],
)
def test_the_check_of_typography_sees_what_is_wrong(text: str, faults: re.Pattern[str]) -> None:
    assert faults.search(text)


@pytest.mark.parametrize("language", LANGUAGES)
def test_sentences_speak_of_the_take_and_name_no_feeling(shipped: Shipped, language: str) -> None:
    phrases: Phrases = shipped(Phrases, language, "feedback")
    banned = re.compile(
        r"\bvous êtes\b|\btu\b|\bvotre personnalité|nerveu|stress|anxi|timid|émotion|enthousias"
        r"|\bpeur\b|calme\b|sûr de vous|\byou are (?!in)|you’re|nervous|emotion|confident|shy"
        r"|afraid|enthus|\bcalm\b|\bbad\b|\bpoor\b|mauvais",
        re.IGNORECASE,
    )
    for text in texts(phrases.model_dump()):
        assert not banned.search(text), text


def test_figures_are_written_as_people_write_them(shipped: Shipped) -> None:
    french, english = (shipped(Phrases, language, "feedback") for language in LANGUAGES)
    assert french.number(-7.25, 1) == "−7,2"
    assert french.number(-0.04, 1) == "0,0"
    assert english.number(1234.5, 1) == "1234.5"
    assert french.listed(["a", "b", "c"]) == "a, b et c"
    assert french.listed(["a"]) == "a"


@pytest.mark.parametrize(
    "target",
    [
        {},
        {"measure": "tics"},
        {"measure": "tics", "marks": "tic", "at_most": 1},
        {"measure": "tics", "at_most": 1, "change": -1},
        {"marks": "tic", "change": -1},
    ],
)
def test_a_target_that_says_nothing_or_two_things_is_refused(target: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Target.model_validate(target)


def test_places_that_nothing_fills_are_refused(phrases: Phrases) -> None:
    with pytest.raises(ValidationError, match="unknown place"):
        JudgedWording(title="{nowhere}", text="t", plain="p")
    drill = phrases.drills[0].model_dump()
    with pytest.raises(ValidationError, match="unknown place"):
        DrillPhrase.model_validate(drill | {"success": "{value}"})
    twice = phrases.model_dump()
    twice["drills"] = [*twice["drills"], drill]
    with pytest.raises(ValidationError, match="same id"):
        Phrases.model_validate(twice)
