"""Settings of a worker, without anything that runs."""

import pytest
from pydantic import SecretStr

from eloquence.config import Settings

SECRET = "secret-of-tests-0123456789-abcdef"


@pytest.fixture
def settings() -> Settings:
    return Settings(
        livekit_url="ws://127.0.0.1:1",
        livekit_api_key="key-of-tests",
        livekit_api_secret=SecretStr(SECRET),
        max_conversations=3,
        idle_processes=1,
        worker_host="127.0.0.1",
        worker_port=0,
    )
