"""The real server's reports in a real browser: what the learner can do with them lasts."""

import asyncio
import os
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from tests.bootstrap.takes import answer, keep, question, session
from tests.server.conftest import Served, serving

from eloquence.coaching.session import Turn
from eloquence.config import Settings, load
from eloquence.delivery.words import Word
from eloquence.storage.sessions import open_store

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

DAY = 86_400.0


def hesitant(turn: Turn) -> Turn:
    """The same answer with an « euh » in each silence."""
    words: list[Word] = []
    for word in turn.words or ():
        if words and word.start - words[-1].end > 1:
            words.append(Word("euh", words[-1].end + 0.3, words[-1].end + 0.7, 0.9))
        words.append(word)
    text = " ".join(word.text for word in words)
    return turn.model_copy(update={"words": tuple(words), "text": text})


def takes(settings: Settings) -> None:
    """Three takes on three days, each with shorter silences, a retry and a drill of the last."""
    now = time.time()

    async def stored() -> None:
        async with open_store(settings.database, settings.recordings) as store:
            for days, pause in ((9, 2.6), (5, 1.8), (1, 1.2)):
                one = session(f"take-{days}", now - days * DAY)
                await keep(store, one, question(0), hesitant(answer(1, 3.0, pause=pause)))
            again = session("retry", now - DAY + 900, purpose="retry", of="take-1", retried=1)
            await keep(store, again, question(0), answer(1, 3.0, pause=0.2))
            drill = session(
                "drill", now - DAY + 1800, purpose="drill", of="take-1", drill="trois_reprises"
            )
            await keep(store, drill, question(0), answer(1, 3.0, 4, pause=0.2))
            await keep(store, session("fresh", now - 90), question(0), answer(1, 3.0, pause=0.5))

    with ThreadPoolExecutor() as elsewhere:  # an open Playwright has this thread's loop
        elsewhere.submit(asyncio.run, stored()).result()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    settings = load(data=tmp_path_factory.mktemp("reports"))
    takes(settings)
    yield from serving(settings)


def shown(page: Page, name: str) -> None:
    """Keeps a picture of the page, on a phone and on a desk, where SCREENSHOTS names a folder."""
    folder = os.environ.get("SCREENSHOTS")
    if not folder:
        return
    for device, width in (("phone", 390), ("desk", 1280)):
        page.set_viewport_size({"width": width, "height": 844})
        page.wait_for_timeout(300)
        page.screenshot(path=Path(folder) / f"{name}-{device}.png", full_page=True)


def test_a_mark_set_aside_raises_the_score_and_is_remembered(page: Page, served: Served) -> None:
    page.goto(f"{served.url}/#/report/take-1")
    page.get_by_test_id("report-headline").wait_for()
    shown(page, "report")
    page.locator("button.mark.filler, button.mark.pause:not(.good)").first.click()
    shown(page, "mark")
    page.get_by_test_id("dismiss").click()
    expect(page.get_by_test_id("report-status")).to_contain_text("Repère écarté.")
    expect(page.locator("button.mark.dismissed")).to_have_count(1)
    page.reload()
    expect(page.locator("button.mark.dismissed")).to_have_count(1)
    page.locator("button.mark.dismissed").click()
    page.get_by_test_id("dismiss").click()
    expect(page.locator("button.mark.dismissed")).to_have_count(0)


def test_the_plan_is_kept_and_every_file_can_be_taken(page: Page, served: Served) -> None:
    page.goto(f"{served.url}/#/report/take-1")
    page.get_by_test_id("plan").fill("Si je cherche un mot, alors je me tais.")
    page.get_by_test_id("plan-save").click()
    expect(page.get_by_test_id("proposal")).to_contain_text("Votre plan est gardé.")
    page.reload()
    expect(page.get_by_test_id("plan")).to_have_value("Si je cherche un mot, alors je me tais.")
    page.get_by_test_id("exports").locator("summary").click()
    for kind in ("pdf", "html", "csv", "moments", "json"):
        with page.expect_download() as download:
            page.get_by_test_id(f"export-{kind}").click()
        assert Path(download.value.path()).stat().st_size > 100


def test_the_learner_s_own_view_comes_first_and_stays(page: Page, served: Served) -> None:
    page.goto(f"{served.url}/#/report/fresh")
    page.get_by_test_id("worked-text").fill("Le début était net.")
    shown(page, "debrief")
    page.get_by_test_id("debrief-show").click()
    expect(page.get_by_test_id("worked")).to_contain_text("Le début était net.")
    page.reload()
    expect(page.get_by_test_id("worked")).to_contain_text("Le début était net.")


def test_two_takes_stand_side_by_side(page: Page, served: Served) -> None:
    page.goto(f"{served.url}/#/compare/take-9/take-1")
    expect(page.get_by_test_id("answers").locator(".said")).to_have_count(2)
    expect(page.get_by_test_id("changes")).to_contain_text("mieux")
    shown(page, "compare")


def test_progress_is_told_take_by_take(page: Page, served: Served) -> None:
    page.goto(f"{served.url}/#/progress")
    expect(page.locator(".trend").first.locator(".take-dot")).to_have_count(4)
    shown(page, "progress")
    page.get_by_test_id("progress-which").select_option("exercise=conversation_libre_marie")
    expect(page.locator(".trend").first.locator(".take-dot")).to_have_count(4)
    page.get_by_test_id("progress-which").select_option("setting=presentation")
    expect(page.get_by_test_id("progress-sentence")).to_contain_text("pas encore de prise")


@pytest.mark.parametrize("name", ["retry", "drill"])
def test_a_second_try_and_a_drill_are_short_and_lead_on(
    page: Page, served: Served, name: str
) -> None:
    page.goto(f"{served.url}/#/report/{name}")
    expect(page.get_by_test_id("before-after")).to_contain_text(re.compile(r"\d"))
    expect(page.get_by_test_id("once-more")).to_be_visible()
    shown(page, name)
    page.get_by_test_id("back-to-report").click()
    expect(page.get_by_test_id("report-headline")).to_be_visible()
    page.goto(f"{served.url}/#/history")
    under = page.get_by_test_id(f"session-{name}")
    expect(under.locator("xpath=ancestor::ul[@class='under']")).to_have_count(1)
    shown(page, "history")
