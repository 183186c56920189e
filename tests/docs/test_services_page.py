"""The examples of docs/services.md, run as they are written against the services they name."""

import asyncio
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from eloquence.config import load
from eloquence.server.services import llm, stt, tts
from eloquence.testing.services import Services, tone
from eloquence.testing.serving import served

PAGE = Path(__file__).parents[2] / "docs" / "services.md"


def examples(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text("utf-8"), re.DOTALL | re.M)


@pytest.fixture
async def ports() -> AsyncIterator[dict[str, str]]:
    """The addresses of the page, and where those services are in this test."""
    async with Services() as host:
        hosted = {"provider": "openai", "options": {"base_url": host.url}}
        async with (
            served(stt.create_app(load(stt=hosted))) as hearing,
            served(llm.create_app(load(llm=hosted))) as answering,
            served(tts.create_app(load(tts={"provider": "espeak"}))) as speaking,
        ):
            yield {
                "http://localhost:8000": hearing,
                "ws://localhost:8000": hearing.replace("http", "ws"),
                "http://localhost:8001": answering,
                "http://localhost:5002": speaking,
            }


async def ran(command: list[str], example: str, ports: dict[str, str], folder: Path) -> str:
    for written, really in ports.items():
        example = example.replace(written, really)
    done = await asyncio.to_thread(
        subprocess.run,
        [*command, example],
        cwd=folder, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return str(done.stdout)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With the recording that the examples name."""
    sound = np.frombuffer(tone(1.0, 16_000), np.int16)
    soundfile.write(tmp_path / "speech.wav", sound, 16_000)
    return tmp_path


async def test_every_example_in_python_runs(ports: dict[str, str], folder: Path) -> None:
    told = [
        await ran([sys.executable, "-c"], example, ports, folder) for example in examples("python")
    ]
    speaking, hearing, listening, answering = told
    assert speaking == ""
    assert soundfile.info(folder / "speech.wav").samplerate == 24_000
    assert hearing.startswith("bonjour marie [TranscriptionWord(")
    assert listening.splitlines()[0] == '{"partial": ""}'
    assert '"text": "' in listening.splitlines()[-1]
    assert answering.startswith("Bonjour, je suis Marie.")


async def test_every_example_with_curl_runs(ports: dict[str, str], folder: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("needs curl")
    calls = [example for example in examples("sh") if example.startswith("curl")]
    assert len(calls) == 2
    told = [await ran(["bash", "-ec"], call, ports, folder) for call in calls]
    assert soundfile.info(folder / "speech.mp3").format == "MP3"
    assert '"text":"bonjour marie"' in told[1]
