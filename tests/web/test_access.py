"""What axe-core finds on every view, in both colour schemes: nothing serious."""

import time
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page
from tests.web.conftest import sample
from tests.web.test_rooms import LIVE
from tests.web.test_talk import begin

pytestmark = pytest.mark.e2e

AXE = Path(__file__).resolve().parents[2] / "node_modules/axe-core/axe.min.js"
RUN = """async () => {
  const { violations } = await axe.run(document, { resultTypes: ["violations"] });
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id, nodes }) => [id, nodes.map(({ html, failureSummary }) => [html, failureSummary])]);
}"""


@pytest.fixture
def axe(page: Page) -> Page:
    if not AXE.is_file():
        pytest.skip("needs axe-core: npm ci")
    page.add_init_script(path=AXE)
    return page


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    "hash_",
    [
        "#/", "#/exercise/entretien", "#/report/s-20261121-1", "#/report/ear", "#/report/retry",
        "#/report/fresh", "#/compare/a/b", "#/progress", "#/history", "#/about", "#/engines",
        "#/nowhere",
    ],
)  # fmt: skip
def test_a_view_has_no_serious_fault(axe: Page, server: Any, hash_: str, scheme: Any) -> None:
    axe.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    server.by_ear = True
    server.reports |= {
        "ear": sample("report-by-ear"),
        "retry": sample("report") | {"purpose": "retry", "of": "a", "retried": 1},
        "fresh": sample("report") | {"started_at": time.time() - 100},
    }
    axe.goto(hash_)
    axe.locator("main h1").wait_for()
    axe.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = true))")
    axe.wait_for_timeout(200)
    assert axe.evaluate(RUN) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_panel_of_a_mark_and_the_choice_of_two_takes_have_no_serious_fault(
    axe: Page, server: Any, scheme: Any
) -> None:
    axe.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    axe.goto("#/report/s-20261121-1")
    for mark in ("long_pause@15.19", "hedge@32.61", "good_run@37.59"):
        axe.locator(f'[data-mark="{mark}"]').click()
        assert axe.evaluate(RUN) == []
        axe.keyboard.press("Escape")
    axe.goto("#/history")
    axe.get_by_test_id("compare-start").click()
    axe.get_by_test_id("pick-s-20261121-1").check()
    axe.get_by_test_id("pick-s-20261121-2").check()
    assert axe.evaluate(RUN) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_signing_in_and_a_live_session_have_no_serious_fault(
    axe: Page, server: Any, scheme: Any
) -> None:
    axe.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    server.accounts, server.oidc, server.rooms, server.live = True, True, True, [LIVE]
    axe.goto("?sign_in=expired")
    axe.get_by_test_id("sign-in").click()
    assert axe.evaluate(RUN) == []
    axe.get_by_test_id("key").fill("the right key")
    axe.get_by_test_id("sign-in").click()
    axe.get_by_test_id("resume").wait_for()
    assert axe.evaluate(RUN) == []
    axe.goto("#/session/s-20261121-1")
    axe.get_by_test_id("live").wait_for()
    assert axe.evaluate(RUN) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_lost_line_has_no_serious_fault(axe: Page, server: Any, scheme: Any) -> None:
    async def lose(talk: Any) -> None:
        await talk.come()
        await talk.ready()
        await talk.tell("ParticipantDisconnected")

    axe.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    server.rooms, server.script = True, lose
    begin(axe)
    axe.locator("[data-missing=partner]").wait_for()
    assert axe.evaluate(RUN) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_check_and_the_conversation_have_no_serious_fault(
    axe: Page, server: Any, scheme: Any
) -> None:
    async def speak(talk: Any) -> None:
        await talk.ready()
        await talk.say("learner", "bonjour", final=False)
        await talk.say("character", "Bonjour.", interrupted=True)
        await talk.speak(0, 20.0)
        await talk.wait("end")
        await talk.end()

    server.script = speak
    axe.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    axe.goto("#/exercise/conversation_libre_marie")
    axe.get_by_test_id("more").locator("summary").first.click()
    axe.get_by_test_id("push-to-talk").check()
    axe.get_by_test_id("to-microphone").click()
    axe.get_by_test_id("mic-ok").wait_for()
    assert axe.evaluate(RUN) == []
    axe.get_by_test_id("start").click()
    axe.wait_for_selector("[data-testid=state][data-state=speaking]")
    axe.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = true))")
    assert axe.evaluate(RUN) == []
    axe.get_by_test_id("end").click()
    axe.wait_for_url("**/#/report/*")
