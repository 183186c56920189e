"""A real PostgreSQL for the tests of the store."""

import asyncio
import os
from collections.abc import Iterator

import pytest

from eloquence.testing.parts import MissingPartError, Postgres, postgres


@pytest.fixture(scope="session")
def database_server() -> Iterator[Postgres]:
    """A PostgreSQL server; where it is not installed the test is skipped, but not in CI."""
    part = postgres()
    with asyncio.Runner() as runner:
        try:
            server = runner.run(part.__aenter__())
        except MissingPartError as error:
            if os.environ.get("CI"):
                raise
            pytest.skip(str(error))
        try:
            yield server
        finally:
            runner.run(part.__aexit__(None, None, None))
