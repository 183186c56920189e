"""A provider of somebody else, installed beside the project, serves like any other (issue: shown by
1). It is `examples/eloquence-provider-socrates`; nothing in Eloquence knows of it."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest

from eloquence import registry
from eloquence.config import load
from eloquence.errors import ConfigurationError, ProviderNotFoundError
from eloquence.server.services import llm
from eloquence.testing.packages import installed
from eloquence.testing.services import Services
from eloquence.testing.serving import served

PACKAGE = Path(__file__).parents[2] / "examples" / "eloquence-provider-socrates"
ELOQUENCE = (sys.executable, "-c", "from eloquence.cli import main; main()")


@pytest.fixture(scope="module")
def beside(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder into which it is installed."""
    return installed(PACKAGE, tmp_path_factory.mktemp("installed") / "site-packages")


@pytest.fixture
def on_the_path(beside: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(str(beside))
    yield
    for name in [name for name in sys.modules if name.startswith("eloquence_socrates")]:
        del sys.modules[name]


def test_it_is_there_once_it_is_installed_and_not_before(
    beside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ProviderNotFoundError):
        registry.provider("llm", "socrates")
    monkeypatch.syspath_prepend(str(beside))
    assert "socrates" in registry.names("llm")


@pytest.mark.usefixtures("on_the_path")
def test_its_options_are_checked_like_anybodys() -> None:
    chosen = registry.choose("llm", "socrates", {"longest": 5}, "fr", ())
    assert chosen.readiness.ready
    assert chosen.readiness.leaves_machine == ""
    with pytest.raises(ConfigurationError, match="longest"):
        registry.choose("llm", "socrates", {"longest": "all"}, "fr", ())
    assert not registry.choose("llm", "socrates", {}, "de", ()).readiness.ready


@pytest.mark.usefixtures("on_the_path")
async def test_openais_client_is_answered_by_it() -> None:
    settings = load(llm={"provider": "socrates", "options": {"longest": 4}})
    async with (
        served(llm.create_app(settings)) as url,
        openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as client,
    ):
        answer = await client.chat.completions.create(
            model="any",
            messages=[{"role": "user", "content": "Je veux être plus clair devant les autres."}],
        )
    assert answer.model == "questions"
    said = str(answer.choices[0].message.content)
    assert "« … clair devant les autres »" in said.replace("\N{NO-BREAK SPACE}", " ")


@pytest.mark.speech
async def test_a_conversation_is_held_with_it(
    beside: Path, shared_data: Path, tmp_path: Path
) -> None:
    """In a process of its own, from the command line, as whoever installed it would."""
    recording = shared_data / "fixtures-fr" / "voxforge" / "fr-sb-503.wav"
    async with Services() as host:
        hearing = {"provider": "openai", "options": {"base_url": host.url}}
        environment = {
            **os.environ,
            "PYTHONPATH": str(beside),
            "ELOQUENCE_LLM": "socrates",
            "ELOQUENCE_STT": json.dumps(hearing),
            "ELOQUENCE_TTS": "espeak",
        }
        done = await asyncio.to_thread(
            subprocess.run,
            [
                *ELOQUENCE, "talk", "--exercise", "conversation_libre_marie",
                "--input", str(recording), "--report", str(tmp_path / "out"),
            ],
            env=environment, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "llm: socrates" in done.stderr
    turns = json.loads((tmp_path / "out" / "report.json").read_text())["turns"]
    said = [turn["text"] for turn in turns if turn["speaker"] == "character"]
    assert any("bonjour marie" in text and text.endswith("?") for text in said), said


def test_its_own_tests_pass(beside: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(PACKAGE / "tests")],
        env={**os.environ, "PYTHONPATH": str(beside), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
