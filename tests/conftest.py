"""What all tests share: where the speech data is, and a home of their own."""

from pathlib import Path

# Imported before any test: its pytest plugin would otherwise do so after the last one, and CPython
# 3.11 may fail to compile a module while it collects what the engine left ("AST constructor
# recursion depth mismatch").
import hypothesis  # noqa: F401
import pytest

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT.parent / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real speech kept beside the project; the test is skipped, saying why, where it is absent."""
    if not DATA.is_dir():
        pytest.skip(f"needs the speech data in {DATA.parent.name}/data beside the project")
    return DATA


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test has its own data folder and none of this machine's settings."""
    import os

    for name in list(os.environ):
        if name.startswith("ELOQUENCE_") or name in SEED_VARIABLES:
            monkeypatch.delenv(name)
    home = tmp_path / "home"
    monkeypatch.setenv("ELOQUENCE_DATA", str(home))
    return home


SEED_VARIABLES = frozenset(
    {
        "LLM_PROVIDER", "LLM_MODEL", "STT_PROVIDER", "STT_MODEL", "TTS_PROVIDER", "TTS_MODEL",
        "TTS_VOICE_ID", "VOSK_STT_URL", "WHISPER_STT_URL", "MISTRAL_API_KEY", "MISTRAL_BASE_URL",
        "LIVEKIT_URL", "LIVEKIT_API_KEY", "LIVEKIT_API_SECRET", "DATABASE_URL", "REDIS_URL",
        "SCALEWAY_SECRET_KEY", "OPENAI_API_KEY", "OPENAI_BASE_URL", "TTS_SERVICE_URL",
        "PIPER_TTS_URL",
    }
)  # fmt: skip
