"""A conversation in a LiveKit room, from the page: real server, real worker, real Chromium."""

import os
import re
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import psutil
import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from playwright.sync_api import Page, expect
from tests.e2e.test_evening import LISTEN

from eloquence.testing import parts
from eloquence.testing.parts import LiveKit, MissingPartError, Part, free_port
from eloquence.testing.workers import Worker, environment, worker

pytestmark = [pytest.mark.e2e, pytest.mark.speech, pytest.mark.timeout(300)]

Run = Callable[..., Any]


@dataclass
class Site:
    """A deployment on this machine."""

    url: str
    livekit: LiveKit
    worker: Worker
    portal: BlockingPortal

    def session(self, id_: str) -> dict[str, Any]:
        """What the list of sessions tells of one."""
        listed = httpx.get(f"{self.url}/api/v1/sessions").json()
        found: dict[str, Any] = next(one for one in listed if one["id"] == id_)
        return found

    def report(self, id_: str) -> dict[str, Any]:
        told: dict[str, Any] = httpx.get(f"{self.url}/api/v1/sessions/{id_}/report").json()
        return told

    def holder(self, id_: str, epoch: int = 1) -> psutil.Process:
        """The process that holds a session."""
        found: psutil.Process = self.portal.call(self.worker.holder, id_, epoch)
        return found


@asynccontextmanager
async def deployed(folder: Path) -> AsyncIterator[tuple[str, LiveKit, Worker]]:
    async with parts.livekit_server() as livekit:
        settings = environment(livekit, folder / "data")
        port = free_port()
        url = f"http://localhost:{port}"

        async def answers() -> bool:
            try:
                async with aiohttp.ClientSession() as client, client.get(f"{url}/health") as reply:
                    return reply.status == 200
            except aiohttp.ClientError:
                return False

        (folder / "serve").mkdir()
        command = [sys.executable, "-c", "from eloquence.cli import main; main()", "serve"]
        serve = Part(
            name="serve",
            command=[*command, "--port", str(port)],
            folder=folder / "serve",
            answers=answers,
            environment=settings,
        )
        await serve.start()
        try:
            async with worker(settings, folder) as held:
                await held.ready()
                yield url, livekit, held
        finally:
            await serve.stop()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """`eloquence serve` and `eloquence worker` on one LiveKit server. They run from a thread of
    their own: an open Playwright has this one's loop."""
    with start_blocking_portal() as portal:
        held = portal.wrap_async_context_manager(deployed(tmp_path_factory.mktemp("site")))
        try:
            url, livekit, hands = held.__enter__()
        except MissingPartError as missing:
            if os.environ.get("CI"):
                raise
            pytest.skip(str(missing))
        try:
            yield Site(url, livekit, hands, portal)
        finally:
            held.__exit__(None, None, None)


def shown(page: Page, name: str) -> None:
    """Keeps a picture of the page, on a phone and on a desk, where SCREENSHOTS names a folder."""
    folder = os.environ.get("SCREENSHOTS")
    if not folder:
        return
    for device, width in (("desk", 1280), ("phone", 390)):
        page.set_viewport_size({"width": width, "height": 844})
        page.wait_for_timeout(300)
        page.screenshot(path=Path(folder) / f"room-{name}-{device}.png", full_page=True)


def begin(page: Page, site: Site) -> str:
    """Into the conversation, until the character has spoken; returns the session's id."""
    page.add_init_script(LISTEN)
    page.goto(f"{site.url}/#/exercise/conversation_libre_marie")
    page.get_by_test_id("warm-up").uncheck()
    page.get_by_test_id("to-microphone").click()
    expect(page.get_by_test_id("mic-ok")).to_contain_text("Je vous entends")
    page.get_by_test_id("start").click()
    expect(said(page, "character").first).to_be_visible(timeout=20_000)
    found = re.search(r"#/session/(\w+)/talk$", page.url)
    assert found is not None
    return found[1]


def said(page: Page, speaker: str) -> Any:
    return page.locator(f'[data-testid="caption"][data-speaker="{speaker}"]')


def heard(page: Page) -> float:
    """Seconds of sound that the page has sent to the loudspeaker."""
    return float(page.evaluate("window.heard.seconds"))


def hear(page: Page, seconds: float) -> None:
    """Waits until so much sound was heard since the page was loaded."""
    for _ in range(200):
        if heard(page) >= seconds:
            return
        page.wait_for_timeout(100)
    shows = page.get_by_test_id("talk").inner_text()
    raise AssertionError(f"only {heard(page):.1f} s were heard; the page shows: {shows}")


def end(page: Page) -> None:
    page.get_by_test_id("end").click()
    page.wait_for_url("**/#/report/*")
    headline, question = page.get_by_test_id("report-headline"), page.get_by_test_id("debrief-show")
    headline.or_(question).first.wait_for()
    if question.is_visible():  # not after a few words
        question.click()
    expect(headline).to_be_visible(timeout=30_000)


def test_a_conversation_in_a_room_is_the_same_conversation(page: Page, site: Site) -> None:
    """Turns both ways, a barge-in, sound at the loudspeaker, and the report."""
    lines: list[str] = []
    page.on("console", lambda line: lines.append(line.text))
    session = begin(page, site)
    expect(said(page, "learner").nth(2)).to_be_visible(timeout=90_000)
    expect(page.get_by_test_id("captions")).to_contain_text("interrompu", timeout=60_000)
    expect(said(page, "character").nth(3)).to_be_visible(timeout=60_000)
    shown(page, "talk")
    assert page.evaluate("window.heard.loudest") > 0.05
    assert heard(page) > 4
    assert not any("Security Policy" in line for line in lines)
    assert not any("eyJ" in line for line in lines), "a token is in the browser's log"
    assert site.session(session)["room"] is True
    end(page)
    report = site.report(session)
    assert report["status"] == "complete"
    assert [turn["speaker"] for turn in report["turns"]].count("learner") >= 3
    assert any(turn["interrupted"] for turn in report["turns"] if turn["speaker"] == "character")
    assert report["speech_seconds"] > 8


def test_a_page_that_is_reloaded_goes_on_with_the_same_session(page: Page, site: Site) -> None:
    session = begin(page, site)
    expect(said(page, "learner").first).to_be_visible(timeout=60_000)
    before = said(page, "character").first.text_content() or ""
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text("Séance en cours")
    shown(page, "live")
    page.goto(f"{site.url}/")
    shown(page, "home")
    page.get_by_test_id(f"live-{session}").get_by_test_id("resume").click()
    expect(said(page, "character").first).to_contain_text(
        before.removesuffix(" — interrompu"), timeout=20_000
    )
    count = said(page, "character").count()
    expect(said(page, "character").nth(count)).to_be_visible(timeout=60_000)
    hear(page, 1.0)
    assert page.url.endswith(f"#/session/{session}/talk")
    end(page)
    assert page.url.endswith(session)
    turns = site.report(session)["turns"]
    assert [turn["index"] for turn in turns] == list(range(len(turns)))


def test_a_coach_that_is_killed_comes_back_with_what_was_said(page: Page, site: Site) -> None:
    session = begin(page, site)
    expect(said(page, "learner").first).to_be_visible(timeout=60_000)
    lines = said(page, "character").all_text_contents()
    before = heard(page)
    site.holder(session).kill()
    banner = page.get_by_test_id("banner")
    expect(banner).to_contain_text("est de retour", timeout=20_000)
    shown(page, "back")
    hear(page, before + 0.5)
    assert said(page, "character").all_text_contents()[: len(lines) - 1] == lines[:-1]
    texts = page.get_by_test_id("caption").all_text_contents()
    assert len(texts) == len(set(texts)), "no line stands twice"
    site.holder(session, epoch=2)
    end(page)
    assert site.report(session)["status"] == "complete"


def test_a_livekit_server_that_is_restarted_costs_no_conversation(page: Page, site: Site) -> None:
    session = begin(page, site)
    expect(said(page, "learner").first).to_be_visible(timeout=60_000)
    site.livekit.kill()
    banner = page.get_by_test_id("banner")
    expect(banner).to_contain_text("Connexion perdue", timeout=20_000)
    shown(page, "lost")
    page.wait_for_timeout(3000)
    site.portal.call(site.livekit.start)
    expect(banner).not_to_have_attribute("data-missing", re.compile("."), timeout=60_000)
    before = heard(page)
    hear(page, before + 0.5)
    end(page)
    report = site.report(session)
    assert report["status"] == "complete"


@pytest.mark.parametrize("seconds", [3, 40])
def test_a_page_that_was_offline_comes_back_to_the_same_session(
    page: Page, site: Site, seconds: int
) -> None:
    session = begin(page, site)
    expect(said(page, "learner").first).to_be_visible(timeout=60_000)
    page.context.set_offline(True)
    banner = page.get_by_test_id("banner")
    expect(banner).to_contain_text("Connexion perdue", timeout=2000)
    page.wait_for_timeout(1000 * seconds)
    page.context.set_offline(False)
    began = time.monotonic()
    expect(banner).to_contain_text("Vous revoilà", timeout=15_000)
    print(f"offline {seconds} s, back after {time.monotonic() - began:.1f} s")
    before = heard(page)
    hear(page, before + 0.5)
    end(page)
    assert page.url.endswith(session)
    assert site.report(session)["status"] == "complete"
