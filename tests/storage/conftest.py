"""A real PostgreSQL for the tests of the store."""

from collections.abc import Iterator

import pytest
from tests.conftest import running

from eloquence.testing.parts import Postgres, postgres


@pytest.fixture(scope="session")
def database_server() -> Iterator[Postgres]:
    """A PostgreSQL server that the tests share."""
    yield from running(postgres)
