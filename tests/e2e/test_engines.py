"""An operator chooses a voice in the page of a real server, and the next learner is told of it."""

import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from tests.server.conftest import Served, serving

from eloquence.config import load

pytestmark = [pytest.mark.e2e, pytest.mark.speech]


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    monkeypatch.chdir(tmp_path)
    Path("eloquence.toml").write_text("# ours\nidle_minutes = 5\n")
    yield from serving(load(data=tmp_path / "data"))


def test_what_an_operator_chooses_is_what_the_next_learner_is_told(
    page: Page, served: Served
) -> None:
    """PRV-05, X-40."""
    page.goto(f"{served.url}/#/about")
    page.get_by_test_id("to-engines").click()
    speaking = page.get_by_test_id("engine-tts")
    speaking.get_by_test_id("provider").select_option("service")
    speaking.locator("summary").first.click()
    speaking.locator("#tts-url").fill("http://openai-tts:5002")
    speaking.get_by_test_id("save").click()
    expect(speaking.get_by_test_id("saved")).to_be_visible()
    expect(speaking).to_contain_text("est envoyé à openai-tts")
    written = Path("eloquence.toml").read_text()
    assert written.startswith("# ours\nidle_minutes = 5\n")
    assert tomllib.loads(written)["tts"] == {
        "provider": "service", "url": "http://openai-tts:5002",
    }  # fmt: skip
    page.goto(f"{served.url}/#/exercise/conversation_libre_marie")
    expect(page.get_by_test_id("stages")).to_contain_text("est envoyé à openai-tts")
