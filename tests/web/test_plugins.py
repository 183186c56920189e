"""Operators see which plugins take part, and change it (PRV-06)."""

from typing import Any

import pytest
from playwright.sync_api import Page, expect
from tests.web.conftest import problem

pytestmark = pytest.mark.e2e


def test_a_plugin_is_let_take_part_and_no_more(page: Page, server: Any) -> None:
    page.goto("#/engines")
    box = page.get_by_test_id("plugin-units")
    expect(page.get_by_test_id("plugins")).to_contain_text("4 appels, 0 échecs, 2,5 ms chacun.")
    box.check()
    expect(page.locator("#announcer")).to_contain_text("la prochaine conversation")
    expect(box).to_be_checked()
    expect(box).to_be_focused()
    assert [one["enabled"] for one in server.plugins["plugins"]] == [False, True]
    box.uncheck()
    expect(box).to_be_enabled()
    assert [one["enabled"] for one in server.plugins["plugins"]] == [False, False]


def test_one_that_does_not_start_is_told_and_stays_out(page: Page, server: Any) -> None:
    server.refusals["takePart"] = [problem(409, "plugin", detail="it needs the package 'x'")]
    page.goto("#/engines")
    page.get_by_test_id("plugin-example").click()
    expect(page.locator("main")).to_contain_text("Une extension ne fonctionne pas")
    expect(page.get_by_test_id("plugin-example")).not_to_be_checked()


def test_one_that_was_switched_off_and_a_variable_that_decides_are_told(
    page: Page, server: Any
) -> None:
    server.plugins["locked"] = "ENABLED_PLUGINS"
    server.plugins["plugins"][0] |= {"enabled": True, "off": True}
    page.goto("#/engines")
    expect(page.get_by_test_id("plugins")).to_contain_text("désactivée après des échecs")
    expect(page.locator("main")).to_contain_text("ENABLED_PLUGINS")
    expect(page.get_by_test_id("plugin-example")).to_be_disabled()
