"""What the tests of coaching share: norms as shipped, an exercise, sessions made by hand."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeVar

import pytest
from pydantic import BaseModel
from ruamel.yaml import YAML

import eloquence
from eloquence.coaching.assessment import assess
from eloquence.coaching.character import Character, Language
from eloquence.coaching.exercise import (
    Exercise,
    Prompts,
    Register,
    Scenario,
    Script,
    Step,
)
from eloquence.coaching.history import DAY, Figure, Past
from eloquence.coaching.judgement import Judgement
from eloquence.coaching.lexicon import Lexicon
from eloquence.coaching.norms import Norms
from eloquence.coaching.phrases import Phrases
from eloquence.coaching.report import (
    Curve,
    DimensionScore,
    Evaluation,
    Feedback,
    JudgedPart,
    Measure,
    Quality,
    Report,
)
from eloquence.coaching.rubric import Rubric
from eloquence.coaching.session import Annotations, Session, SessionEnd, StoredSession, Turn

FREE_TALK: Mapping[str, Any] = {
    "dimensions": ("fluency", "confidence", "clarity", "engagement"),
}

Content = TypeVar("Content", bound=BaseModel)
Assess = Callable[..., Report]


@cache
def content(kind: type[Content], language: str, name: str) -> Content:
    """One of the shipped files, as its type."""
    file = Path(eloquence.__file__).parent / "content" / language / f"{name}.yaml"
    return kind.model_validate(document(file))


@cache
def document(file: Path) -> Any:
    return YAML(typ="safe").load(file.read_text(encoding="utf-8"))


@pytest.fixture
def shipped() -> Callable[..., Any]:
    """A function that reads one of the shipped files: type, language, name."""
    return content


@pytest.fixture(scope="session")
def shipped_anywhere() -> Callable[..., Any]:
    """The same for what is made once."""
    return content


@pytest.fixture
def norms() -> Norms:
    shipped: Norms = content(Norms, "fr", "norms")
    return shipped


@pytest.fixture
def phrases() -> Phrases:
    shipped: Phrases = content(Phrases, "fr", "feedback")
    return shipped


@pytest.fixture
def an_exercise() -> Callable[..., Exercise]:
    """A function that makes an exercise of free conversation: language, register, criteria,
    questions."""
    return exercise


@pytest.fixture
def assessed() -> Assess:
    """A function that makes the report of some turns."""
    return reporting()


@pytest.fixture(scope="session")
def assessed_anywhere() -> Assess:
    """The same for what is made once."""
    return reporting()


def reporting() -> Assess:

    def report(
        turns: Sequence[Turn] = (),
        *,
        language: Language = "fr",
        register: Register = "conversation",
        end: SessionEnd | None = None,
        criteria: Mapping[str, Any] | None = None,
        questions: Literal["simple", "hard"] = "simple",
        dismissed: Iterable[str] = (),
        judgement: Judgement | None = None,
        rubric: Rubric | None = None,
        **session: Any,
    ) -> Report:
        stored = StoredSession(
            session=Session(
                id="s1",
                exercise="free_talk",
                scenario="first",
                character="marie_coach",
                language=language,
                started_at=1_700_000_000.0,
                **session,
            ),
            turns=tuple(turns),
            end=end,
            annotations=Annotations(dismissed=frozenset(dismissed)),
            judgement=judgement,
        )
        return assess(
            stored,
            exercise(language, register, criteria, questions),
            character(language),
            content(Norms, language, "norms"),
            content(Lexicon, language, "lexicon"),
            content(Phrases, language, "feedback"),
            rubric=rubric,
        )

    return report


def exercise(
    language: Language,
    register: Register,
    criteria: Mapping[str, Any] | None = None,
    questions: Literal["simple", "hard"] = "simple",
) -> Exercise:
    """An exercise of free conversation; `criteria` in place of its own."""
    step = Step(id="opening", ask=("Bonjour",))
    scene = Scenario(
        id="first",
        title="Une scène",
        prompts=Prompts(system="s", initial="i"),
        script=Script(steps=(step,), close=("Merci",)),
    )
    return Exercise.model_validate(
        {
            "id": "free_talk",
            "title": "Conversation libre",
            "description": "Parler",
            "character": "marie_coach",
            "scenarios": (scene,),
            "criteria": criteria or FREE_TALK,
            "questions": questions,
            "difficulty": "beginner",
            "duration_minutes": 10,
            "register": register,
            "language": language,
        }
    )


def character(language: Language) -> Character:
    return Character(id="marie_coach", name="Marie", description="d", prompt="p", language=language)


NOW = 1_700_000_000.0
"""When the session that is reported began."""


def figures(given: dict[str, tuple[float, float]] | None) -> dict[str, Figure]:
    return {
        name: Figure(value=value, error=error) for name, (value, error) in (given or {}).items()
    }


@pytest.fixture
def take() -> Callable[..., Past]:
    """A function that makes what a session some days ago left, of (value, error) pairs."""

    def past(
        days: float = 0.0,
        measures: dict[str, tuple[float, float]] | None = None,
        criteria: dict[str, tuple[float, float]] | None = None,
        **other: Any,
    ) -> Past:
        given = {
            "session": f"s-{days:g}",
            "exercise": "free_talk",
            "title": "Conversation libre",
            "language": "fr",
            "started_at": NOW - days * DAY,
            "seconds": 90.0,
            "words": 200,
            "by_ear": False,
            "measures": figures(measures),
            "criteria": figures(criteria),
        }
        return Past.model_validate(given | other)

    return past


@pytest.fixture
def reported(norms: Norms) -> Callable[..., Report]:
    """A function that makes a report of raw (value, error) pairs and judged scores."""

    def report(
        measures: dict[str, tuple[float, float]] | None = None,
        criteria: dict[str, tuple[float, float, float]] | None = None,
        **other: Any,
    ) -> Report:
        curve = Curve(label="c", unit="u", times=(), values=())
        given = {
            "session": "now",
            "language": "fr",
            "exercise": "free_talk",
            "title": "Conversation libre",
            "character": "marie_coach",
            "started_at": NOW,
            "duration": 100.0,
            "status": "complete",
            "reason": "learner",
            "stages": {},
            "speech_seconds": 90.0,
            "word_count": 200,
            "quality": Quality(snr=30.0, clipping=0.0, words_heard=True),
            "feedback": Feedback(headline="…"),
            "dimensions": (
                DimensionScore(
                    dimension="structure",
                    label="Structure",
                    state="near",
                    score=0.6,
                    judged=0.6,
                    judged_weight=1.0,
                    criteria=tuple(
                        JudgedPart(
                            criterion=name,
                            label=name.title(),
                            question="q",
                            weight=1 / len(criteria or {}),
                            level=round(4 * score),
                            score=score,
                            low=low,
                            high=high,
                            levels=("Rien.", "Un peu.", "La moitié.", "Précis.", "Complet."),
                        )
                        for name, (score, low, high) in (criteria or {}).items()
                    ),
                ),
            ),
            "passing_score": 0.7,
            "measures": tuple(
                Measure(
                    id=name,
                    label=norms.measures[name].label,
                    value=value,
                    unit=norms.measures[name].unit,
                    error=error,
                )
                for name, (value, error) in (measures or {}).items()
            ),
            "turns": (),
            "pace": curve,
            "pitch": curve,
            "intensity": curve,
            "evaluation": Evaluation(
                scores={},
                feedback=("…",),
                duration=100.0,
                wordCount=200,
                fluencyScore=None,
                confidenceScore=None,
                customMetrics={},
            ),
        }
        return Report.model_validate(given | other)

    return report
