"""The product as its learner meets it: real server, real Chromium, a WAV as the microphone."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from numpy.typing import NDArray
from playwright.sync_api import Browser, Page, expect, sync_playwright
from tests.server.conftest import Served, serving

from eloquence.config import load
from eloquence.delivery import sound
from eloquence.testing.french import french_recogniser_options

RATE = 16_000
expect.set_options(timeout=20_000)  # a real server on a busy machine
QUIET = (9.0, 1.9)
"""Seconds of silence after a sentence, in turn: time to be answered, then too short for that, so
that the next sentence is spoken over the character."""


def sentences(shared_data: Path) -> list[tuple[str, NDArray[np.float32]]]:
    """Texts and sound of real French sentences, from first to last sound."""
    folder = shared_data / "fixtures-fr" / "voxforge"
    prompts = dict(
        line.split(maxsplit=1)
        for path in folder.rglob("*")
        if path.is_file() and "prompt" in path.name.lower()
        for line in path.read_text(encoding="utf-8").splitlines()
        if line.strip()
    )
    found = []
    for path in sorted(folder.rglob("*.wav")):
        text = next((said for key, said in prompts.items() if path.stem in key), "")
        samples, rate = soundfile.read(path, dtype="float32")
        speech = np.asarray(soxr.resample(samples, rate, RATE), dtype=np.float32)
        spoken = sound.measure(speech, RATE).speech
        found.append((text, speech[int(spoken[0][0] * RATE) : int(spoken[-1][1] * RATE)]))
    return found


@pytest.fixture(scope="session")
def microphone(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A WAV in which somebody speaks, is silent, speaks, and speaks too soon, again and again."""
    hush = np.random.default_rng(0).normal(0, 2e-4, RATE * 12).astype(np.float32)
    pieces = [hush[: RATE * 2]]
    for number, (_, speech) in enumerate(sentences(shared_data)):
        pieces += [speech, hush[: int(RATE * QUIET[number % 2])]]
    path = tmp_path_factory.mktemp("microphone") / "learner.wav"
    soundfile.write(path, np.concatenate(pieces), RATE, subtype="PCM_16")
    return path


@pytest.fixture(scope="module")  # an open Playwright keeps asyncio from other modules
def browser(microphone: Path) -> Iterator[Browser]:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("needs a Chromium: apt install chromium")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=chromium,
            args=[
                "--no-sandbox",
                "--use-fake-device-for-media-stream",
                "--use-fake-ui-for-media-stream",
                f"--use-file-for-fake-audio-capture={microphone}",
                "--autoplay-policy=no-user-gesture-required",
                "--disable-background-networking",
            ],
        )
        yield launched
        launched.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A phone in French whose page errors fail the test."""
    context = browser.new_context(
        viewport={"width": 390, "height": 844}, locale="fr-FR", permissions=["microphone"]
    )
    context.set_default_timeout(30_000)
    opened = context.new_page()
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    yield opened
    context.close()
    assert errors == []


@pytest.fixture(scope="module")
def by_ear(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    yield from serving(load(data=tmp_path_factory.mktemp("by-ear")))


@pytest.fixture(scope="module")
def with_words(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server whose recogniser knows the sentences of the microphone."""
    folder = tmp_path_factory.mktemp("with-words")
    texts = [text for text, _ in sentences(shared_data)]
    options = french_recogniser_options(shared_data, texts, folder)
    stt = json.loads(json.dumps({"provider": "pocketsphinx", **options}, default=str))
    yield from serving(load(data=folder / "data", stt=stt))
