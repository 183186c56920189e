"""The first evening: from the page to the report, by voice (RT-01, CLI-02, CLI-04, EXO-02)."""

import os
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect
from tests.e2e.conftest import sentences
from tests.server.conftest import Served

pytestmark = [pytest.mark.e2e, pytest.mark.speech, pytest.mark.timeout(300)]

LISTEN = """
const connect = AudioNode.prototype.connect;
window.heard = { loudest: 0, seconds: 0 };
AudioNode.prototype.connect = function (to, ...rest) {
  if (to === this.context.destination) {
    const ear = this.context.createAnalyser();
    const block = new Float32Array(ear.fftSize);
    setInterval(() => {
      ear.getFloatTimeDomainData(block);
      const peak = block.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
      window.heard.loudest = Math.max(window.heard.loudest, peak);
      if (peak > 0.02) window.heard.seconds += 0.05;
    }, 50);
    connect.call(this, ear);
  }
  return connect.call(this, to, ...rest);
};
"""
"""Hears what the page sends to the loudspeaker."""


def shown(page: Page, name: str) -> None:
    """Keeps a picture of the page where SCREENSHOTS names a folder."""
    folder = os.environ.get("SCREENSHOTS")
    if folder:
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def conversation(page: Page, served: Served, name: str) -> str:
    """Three turns with a barge-in, then the report; returns the session's id."""
    page.add_init_script(LISTEN)
    page.goto(f"{served.url}/")
    shown(page, f"{name}-1-exercises")
    page.get_by_test_id("exercise-conversation_libre_marie").click()
    expect(page.get_by_test_id("ai-notice")).to_be_visible()
    shown(page, f"{name}-2-preparation")
    page.get_by_test_id("warm-up").uncheck()  # the exercise itself, so that there is a report
    page.get_by_test_id("to-microphone").click()
    expect(page.get_by_test_id("mic-ok")).to_contain_text("Je vous entends")
    shown(page, f"{name}-3-microphone")
    page.get_by_test_id("start").click()
    learner = page.locator('[data-testid="caption"][data-speaker="learner"]')
    character = page.locator('[data-testid="caption"][data-speaker="character"]')
    expect(character.first).to_be_visible(timeout=20_000)
    expect(learner.nth(2)).to_be_visible(timeout=90_000)
    expect(page.get_by_test_id("captions")).to_contain_text("interrompu", timeout=60_000)
    expect(character.nth(3)).to_be_visible(timeout=60_000)
    shown(page, f"{name}-4-conversation")
    heard = page.evaluate("window.heard")
    page.get_by_test_id("end").click()
    page.get_by_test_id("worked-text").fill("J’ai pris mon temps.", timeout=30_000)
    page.get_by_test_id("debrief-show").click()
    expect(page.get_by_test_id("report-headline")).to_be_visible(timeout=30_000)
    shown(page, f"{name}-5-report")
    assert heard["loudest"] > 0.05
    assert heard["seconds"] > 4
    return page.url.rsplit("/", 1)[-1]


def test_a_french_conversation_by_ear_leads_to_a_report(page: Page, by_ear: Served) -> None:
    session = conversation(page, by_ear, "ear")
    report = httpx.get(f"{by_ear.url}/api/v1/sessions/{session}/report").json()
    assert report["status"] == "complete"
    assert report["quality"]["words_heard"] is False
    assert [turn["speaker"] for turn in report["turns"]].count("learner") >= 3
    assert any(turn["interrupted"] for turn in report["turns"] if turn["speaker"] == "character")
    assert report["speech_seconds"] > 8
    assert report["audio"] == []


def test_what_is_said_is_recognised_and_shown_in_the_report(
    page: Page, with_words: Served, shared_data: Path
) -> None:
    session = conversation(page, with_words, "words")
    report = httpx.get(f"{with_words.url}/api/v1/sessions/{session}/report").json()
    known = {
        word.strip("’',.").lower()
        for text, _ in sentences(shared_data)
        for word in text.lower().replace("’", "' ").replace("'", "' ").split()
    }
    said = [word["text"] for turn in report["turns"] for word in turn["words"] or []]
    assert len(said) > 15
    assert sum(word.lower().rstrip("'") in known for word in said) > 0.7 * len(said)
    word = page.get_by_test_id("transcript").get_by_text(said[0], exact=True).first
    expect(word).to_be_visible()
