"""What all tests share: where the speech data is, and a home of their own."""

import asyncio
import gc
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TypeVar

# Imported before any test: its pytest plugin would otherwise do so after the last one, and CPython
# 3.11 may fail to compile a module while it collects what the engine left ("AST constructor
# recursion depth mismatch").
import hypothesis  # noqa: F401
import pytest

from eloquence.sources import OLDER
from eloquence.testing.parts import MissingPartError

# A shell that runs the tests in the background lets them ignore interrupts, and with them the
# programs that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)

_P = TypeVar("_P")
ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT.parent / "shared" / "data"


def running(part: Callable[[], AbstractAsyncContextManager[_P]]) -> Iterator[_P]:
    """A part for as long as the fixture lives; where it is not installed the test is skipped, and
    fails in the project's own checks, which install it."""
    with asyncio.Runner() as runner:
        held = part()
        try:
            server = runner.run(held.__aenter__())
        except MissingPartError as missing:
            if os.environ.get("CI"):
                raise
            pytest.skip(str(missing))
        try:
            yield server
        finally:
            runner.run(held.__aexit__(None, None, None))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real speech kept beside the project; the test is skipped, saying why, where it is absent."""
    if not DATA.is_dir():
        pytest.skip(f"needs the speech data in {DATA.parent.name}/data beside the project")
    return DATA


@pytest.fixture(scope="module", autouse=True)
def short_collections() -> Iterator[None]:
    """What the tests so far have left is not looked through again: in a process of thousands of
    tests each look would stop services that answer in real time for a second and more."""
    yield
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test has its own data folder and none of this machine's settings."""
    for name in list(os.environ):
        if name.startswith("ELOQUENCE_") or name in SEED_VARIABLES:
            monkeypatch.delenv(name)
    home = tmp_path / "home"
    monkeypatch.setenv("ELOQUENCE_DATA", str(home))
    return home


SEED_VARIABLES = frozenset(
    {
        *OLDER,
        "LLM_PROVIDER", "LLM_MODEL", "STT_PROVIDER", "STT_MODEL", "TTS_PROVIDER", "TTS_MODEL",
        "TTS_VOICE_ID", "VOSK_STT_URL", "WHISPER_STT_URL", "MISTRAL_API_KEY", "MISTRAL_BASE_URL",
        "LIVEKIT_URL", "LIVEKIT_API_KEY", "LIVEKIT_API_SECRET", "DATABASE_URL", "REDIS_URL",
        "SCALEWAY_SECRET_KEY", "OPENAI_API_KEY", "OPENAI_BASE_URL", "TTS_SERVICE_URL",
        "PIPER_TTS_URL", "ENABLED_PLUGINS", "DEEPGRAM_API_KEY", "GOOGLE_APPLICATION_CREDENTIALS",
        "AZURE_SPEECH_KEY", "AZURE_SPEECH_REGION", "AZURE_SPEECH_ENDPOINT", "AZURE_SPEECH_HOST",
        "ELEVEN_API_KEY", "ELEVENLABS_API_KEY",
    }
)  # fmt: skip
