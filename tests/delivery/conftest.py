"""What the tests of words share: the shipped word lists, and the corpora beside the project."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from ruamel.yaml import YAML

import eloquence
from eloquence.coaching.lexicon import Lexicon
from eloquence.testing import corpora
from eloquence.testing.corpora import Sentence


@pytest.fixture(scope="session")
def lexicons() -> Callable[[str], Lexicon]:
    """A function that reads the shipped word lists of a language."""

    @cache
    def read(language: str) -> Lexicon:
        file = Path(eloquence.__file__).parent / "content" / language / "lexicon.yaml"
        return Lexicon.model_validate(YAML(typ="safe").load(file.read_text(encoding="utf-8")))

    return read


@pytest.fixture(scope="session")
def rhapsodie(shared_data: Path) -> list[Sentence]:
    return corpora.rhapsodie(shared_data)


@pytest.fixture(scope="session")
def paris_stories(shared_data: Path) -> list[Sentence]:
    return corpora.paris_stories(shared_data)
