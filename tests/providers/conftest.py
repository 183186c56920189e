"""What the tests of the stages share."""

from collections.abc import AsyncIterator

import pytest

from eloquence.conversation.stages import Resources


@pytest.fixture
async def resources() -> AsyncIterator[Resources]:
    """What the conversations of one process share, closed after the test."""
    shared = Resources()
    yield shared
    await shared.close()
