"""A rubric is consistent or refused."""

import pytest
from pydantic import ValidationError

from eloquence.coaching.rubric import Criterion, Hint, Level, Rubric


def criterion(name: str = "plan", levels: int = 5) -> Criterion:
    return Criterion(
        id=name,
        label="Plan",
        dimension="structure",
        question="Y a-t-il un plan ?",
        levels=tuple(Level(text=f"niveau {number}") for number in range(levels)),
    )


def rubric(**changes: object) -> Rubric:
    given: dict[str, object] = {
        "id": "mienne",
        "language": "fr",
        "title": "Mienne",
        "criteria": (criterion(),),
    }
    return Rubric.model_validate(given | changes)


def test_a_rubric_has_five_levels_unless_it_says_otherwise() -> None:
    assert rubric().scale == (0, 0.35, 0.6, 0.8, 1)
    assert rubric(scale=(0, 0.4, 1), criteria=(criterion(levels=3),)).scale == (0, 0.4, 1)


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"scale": (0, 0.4, 1)}, "5 levels for a scale of 3"),
        ({"scale": (0, 0.4, 0.4, 0.8, 1)}, "ascend"),
        ({"scale": (1, 0.8, 0.6, 0.35, 0)}, "ascend"),
        ({"scale": (0,)}, "at least 2"),
        ({"scale": (0, 0.35, 0.6, 0.8, 1.5)}, "less than or equal to 1"),
        ({"scale_labels": ("bas", "haut")}, "one for each level"),
        ({"criteria": (criterion(), criterion())}, "same id"),
        ({"criteria": ()}, "at least 1"),
        ({"severity": "harsh"}, "Extra inputs"),
    ],
)
def test_a_rubric_that_contradicts_itself_is_refused(
    changes: dict[str, object], cause: str
) -> None:
    with pytest.raises(ValidationError, match=cause):
        rubric(**changes)


def test_a_hint_by_phrases_has_some_and_the_others_have_none() -> None:
    texts = {"id": "fin", "label": "Fin", "found": "Oui.", "absent": "Non."}
    assert Hint.model_validate(texts | {"phrases": ["pour finir"]}).looks_for == "phrases"
    assert Hint.model_validate(texts | {"looks_for": "figure"}).phrases == ()
    for wrong in ({}, {"looks_for": "answer", "phrases": ["oui"]}):
        with pytest.raises(ValidationError, match="phrases are given"):
            Hint.model_validate(texts | wrong)
