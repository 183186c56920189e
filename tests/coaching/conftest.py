"""What the tests of coaching share: norms as shipped, an exercise, sessions made by hand."""

from collections.abc import Callable, Iterable, Mapping, Sequence
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
from eloquence.coaching.feedback import Phrases
from eloquence.coaching.judgement import Judgement
from eloquence.coaching.lexicon import Lexicon
from eloquence.coaching.norms import Norms
from eloquence.coaching.report import Report
from eloquence.coaching.rubric import Rubric
from eloquence.coaching.session import Annotations, Session, SessionEnd, StoredSession, Turn

FREE_TALK: Mapping[str, Any] = {
    "dimensions": ("fluency", "confidence", "clarity", "engagement"),
}

Content = TypeVar("Content", bound=BaseModel)
Assess = Callable[..., Report]


def content(kind: type[Content], language: str, name: str) -> Content:
    """One of the shipped files, as its type."""
    file = Path(eloquence.__file__).parent / "content" / language / f"{name}.yaml"
    return kind.model_validate(YAML(typ="safe").load(file.read_text(encoding="utf-8")))


@pytest.fixture
def shipped() -> Callable[..., Any]:
    """A function that reads one of the shipped files: type, language, name."""
    return content


@pytest.fixture
def norms() -> Norms:
    return content(Norms, "fr", "norms")


@pytest.fixture
def phrases() -> Phrases:
    return content(Phrases, "fr", "feedback")


@pytest.fixture
def assessed() -> Assess:
    """A function that makes the report of some turns."""

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
