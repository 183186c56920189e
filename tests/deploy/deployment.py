"""Where the files of a deployment are, what an operator gives, and the programs that read them."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"

GIVEN = {
    "LIVEKIT_API_KEY": "APItest",
    "LIVEKIT_API_SECRET": "0123456789abcdef0123456789abcdef",
    "POSTGRES_PASSWORD": "database",
    "LIVEKIT_NODE_IP": "192.0.2.7",
    "SCALEWAY_SECRET_KEY": "key-of-scaleway",
    "OPENAI_API_KEY": "key-of-openai",
}
"""What an operator writes into deploy/.env."""

Run = Callable[..., subprocess.CompletedProcess[str]]


def tool(name: str) -> str:
    """A program that `scripts/parts` installs; without it the test is skipped, in CI it fails."""
    places = f"{ROOT / '.parts/bin'}{os.pathsep}{os.environ.get('PATH', '')}"
    found = shutil.which(name, path=places)
    if found is None:
        message = f"needs {name}: scripts/parts installs it"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return found
