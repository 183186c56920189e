"""What is deployed, read as the programs of a deployment read it."""

import json
import os
import subprocess
from collections.abc import Mapping
from typing import Any

import pytest
from tests.deploy.deployment import DEPLOY, GIVEN, ROOT, Run, tool


@pytest.fixture(scope="session")
def compose_model() -> Run:
    """Reads the Compose file with Docker Compose's own loader."""
    program = tool("compose-model")

    def run(variables: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [program, str(DEPLOY / "compose.yaml")],
            env={"PATH": os.environ["PATH"], **variables},
            cwd=ROOT / "tests",  # no .env of this machine's
            capture_output=True,
            text=True,
            check=False,
        )

    return run


@pytest.fixture(scope="session")
def model(compose_model: Run) -> dict[str, Any]:
    """The Compose file as Docker Compose sees it, with what an operator gives."""
    read = compose_model(GIVEN)
    assert read.returncode == 0, read.stderr
    loaded: dict[str, Any] = json.loads(read.stdout)
    return loaded
