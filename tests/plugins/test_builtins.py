"""The plugins that ship: what they change, count and find (PLG-02 to PLG-05)."""

import ast
import itertools
import time
from pathlib import Path

import pytest
from tests.plugins.conftest import Stage

from eloquence.plugins import (
    Context,
    Options,
    Plugin,
    Said,
    conversation_memory,
    example,
    profanity_filter,
    sentiment_analysis,
)
from eloquence.plugins.profanity_filter import Filter, Filtering, FilterOfBoth
from eloquence.plugins.running import Wanted

SHIPPED: dict[str, Plugin] = {
    "example": example.plugin,
    "profanity_filter": profanity_filter.plugin,
    "conversation_memory": conversation_memory.plugin,
    "sentiment_analysis": sentiment_analysis.plugin,
}


def test_they_are_written_as_a_third_party_would() -> None:
    """Of Eloquence they import nothing but what is public for plugins."""
    folder = Path(profanity_filter.__file__).parent
    for name in SHIPPED:
        tree = ast.parse((folder / f"{name}.py").read_text(encoding="utf-8"))
        imported = [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
        ours = {module for module in imported if module and module.startswith("eloquence")}
        assert ours == {"eloquence.plugins"}


def test_they_are_named_as_their_entry_points_are() -> None:
    assert {name: plugin.name for name, plugin in SHIPPED.items()} == {n: n for n in SHIPPED}


# the filter


def said(text: str, language: str = "fr", **options: object) -> str:
    """What the filter makes of a text."""
    filtered = Filter(Filtering.model_validate(options))
    changed = filtered.coach_turn(text, Context(language=language))
    return text if changed is None else changed


@pytest.mark.parametrize("language", ["fr", "en"])
def test_a_letter_without_end_takes_no_time(language: str) -> None:
    """It would be late in every conversation, and a required filter that is off lets nothing
    pass."""
    filtered = Filter(Filtering())
    words = [word for word in profanity_filter.read(language) if word.isalpha()]
    double = [word for word in words if any(a == b for a, b in itertools.pairwise(word))]
    assert len(double) > 5
    began = time.process_time()
    for word in double[:10]:
        at = next(n for n, (a, b) in enumerate(itertools.pairwise(word)) if a == b)
        text = word[:at] + word[at] * 4_000 + "1"
        assert filtered.coach_turn(text, Context(language=language)) is None
    assert time.process_time() - began < 1.0


@pytest.mark.parametrize(
    ("text", "filtered"),
    [
        ("Quelle merde, alors.", "Quelle mince, alors."),
        ("Merde !", "Mince !"),
        ("QUELLE MERDE", "QUELLE MINCE"),
        ("C’est un bâtard.", "C’est un …."),
        ("un batard, un BATARD", "un …, un …"),
        ("meeerde", "mince"),
        ("Va te  faire foutre", "…"),
        ("fils-de-pute", "…"),
        ("Ces conneries !", "Ces bêtises !"),
    ],
)
def test_a_coarse_word_is_replaced_whatever_its_case_accents_and_drawing_out(
    text: str, filtered: str
) -> None:
    assert said(text) == filtered


@pytest.mark.parametrize(
    "text",
    [
        "Le concours de Concarneau, conclu sans conseil.",  # con
        "Une culture du calcul et de l’arithmétique.",  # cul
        "Le député impute la dispute à sa réputation.",  # pute
        "Le sac du Petit Poucet est dans le placard.",
        "Des bitumes, un habit, l’arbitre débite.",  # bite
        "Œuvres et œufs, cœur à l’ouvrage.",
        "",
        "…",
    ],
)
def test_an_innocent_word_that_holds_a_coarse_one_stays(text: str) -> None:
    assert said(text) == text


def test_english_has_its_own_list() -> None:
    assert said("That is bullshit, frankly.", "en") == "That is nonsense, frankly."
    assert said("Classic Scunthorpe, a shiitake assessment.", "en") == (
        "Classic Scunthorpe, a shiitake assessment."
    )
    assert said("One bite of con carne.", "en") == "One bite of con carne."


def test_asterisks_words_of_ones_own_and_exceptions() -> None:
    assert said("Quelle merde.", style="asterisks") == "Quelle m****."
    assert said("Saperlipopette !", words=["saperlipopette"]) == "… !"
    assert said("Quel bordel.", allowed=["bordel"]) == "Quel bordel."


def test_captions_are_filtered_only_where_that_is_wanted() -> None:
    assert not hasattr(profanity_filter.create(Filtering()), "learner_turn")
    both = profanity_filter.create(Filtering(captions=True))
    assert isinstance(both, FilterOfBoth)
    assert both.learner_turn("Oh merde.", Context()) == "Oh mince."


def test_what_is_filtered_is_counted_and_not_kept() -> None:
    context = Context()
    Filter(Filtering()).coach_turn("Merde et merde.", context)
    assert context.counts == {"words": 2}
    assert profanity_filter.plugin.keeps == ""


# the memory


def found(text: str, language: str = "fr") -> list[tuple[str, str]]:
    turns = [Said("coach", "Je m’appelle Marie."), Said("learner", text)]
    context = Context(language=language)
    return [
        (one.kind, one.text) for one in conversation_memory.Memory().session_end(turns, context)
    ]


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        ("Bonjour, je m’appelle Ada Lovelace.", ("name", "Ada")),
        ("je m'appelle ada et je viens de Lyon", ("name", "Ada")),
        ("Mon prénom est Jean-Marc.", ("name", "Jean-Marc")),
        ("Je travaille comme infirmière à Lille.", ("trade", "infirmière à Lille")),
        ("je travaille en tant que comptable et ça me plaît", ("trade", "comptable")),
        ("Je suis menuisier de métier.", ("trade", "menuisier")),
        ("Je prépare un entretien chez Airbus.", ("prepares", "un entretien chez Airbus")),
        ("je passe l'oral du barreau", ("prepares", "l'oral du barreau")),
        ("Notre projet s’appelle Phénix.", ("project", "Phénix")),
        ("Ma soutenance est le 12 mars 2027.", ("date", "Ma soutenance est le 12 mars 2027")),
    ],
)
def test_what_one_says_of_oneself_is_found(text: str, fact: tuple[str, str]) -> None:
    assert fact in found(text)


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        ("Hello, my name is Grace.", ("name", "Grace")),
        ("I work as a nurse in Leeds.", ("trade", "nurse in Leeds")),
        ("I am a carpenter by trade", ("trade", "a carpenter")),
        ("I'm preparing for a job interview.", ("prepares", "a job interview")),
        ("Our project is called Phoenix.", ("project", "Phoenix")),
        ("My exam is on 3rd of May.", ("date", "My exam is on 3rd of May")),
    ],
)
def test_it_is_found_in_english_too(text: str, fact: tuple[str, str]) -> None:
    assert fact in found(text, "en")


@pytest.mark.parametrize(
    "text",
    [
        "Je suis fatigué aujourd’hui.",
        "Ma sœur travaille comme infirmière.",
        "Il s’appelle Paul.",
        "Je ne sais pas quoi dire.",
        "Je m'appelle euh",
    ],
)
def test_nothing_is_inferred(text: str) -> None:
    assert found(text) == []


# the figures of words


def test_words_of_a_text_are_counted_and_nothing_else() -> None:
    context = Context()
    sentiment_analysis.create(Options()).learner_turn(
        "C’est une réussite, mais un échec aussi.", context
    )
    assert context.counts == {"neutral": 6, "positive": 1, "negative": 1}
    assert sentiment_analysis.plugin.changes == frozenset()


def test_its_lists_have_no_word_twice() -> None:
    for language in sentiment_analysis.LANGUAGES:
        folder = Path(sentiment_analysis.__file__).parent / "lists"
        lines = (folder / f"sentiment.{language}.txt").read_text(encoding="utf-8").splitlines()
        words = [word for line in lines if line[0] in "+-" for word in line[1:].split()]
        assert len(words) == len(set(words))


# all of them, where they run


async def test_all_of_them_run_together(stage: Stage) -> None:
    wanted = [Wanted(name) for name in SHIPPED]
    kept: dict[str, object] = {}
    async with stage.holding(*wanted, remembering=True) as attendance:
        assert await attendance.spoken("Merde, 20 % de plus. ") == "Mince, 20 pour cent de plus. "
        assert await attendance.read("Oh merde.") == "Oh merde."
        attendance.heard("Quelle réussite.")
        attendance.finish([("learner", "Je m’appelle Ada.")], kept.__setitem__)
    assert kept == {"conversation_memory": (("name", "Ada"),)}
    assert stage.ledger.figures["sentiment_analysis"]["own.positive"] == 1
    assert stage.ledger.figures["profanity_filter"]["own.words"] == 1
    assert not any("failures" in one for one in stage.ledger.figures.values())


async def test_nothing_is_remembered_of_who_does_not_want_it(stage: Stage) -> None:
    kept: dict[str, object] = {}
    async with stage.holding(Wanted("conversation_memory")) as attendance:
        attendance.finish([("learner", "Je m’appelle Ada.")], kept.__setitem__)
    assert kept == {}
    assert "calls" not in stage.ledger.figures["conversation_memory"]
