"""A learner sees what is remembered of them, corrects it and erases it (PLG-04)."""

from typing import Any

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.e2e


def test_what_is_remembered_is_found_from_the_page_on_personal_data(page: Page) -> None:
    page.goto("#/about")
    page.get_by_test_id("to-memory").click()
    expect(page.locator("h1")).to_have_text("Ce qui est retenu de vous")
    expect(page.get_by_label("Votre prénom")).to_have_value("Ada")
    expect(page.get_by_label("hobby")).to_have_value("les échecs")
    expect(page.locator("main")).to_contain_text("service extérieur")


def test_a_fact_is_corrected_and_another_one_erased(page: Page, server: Any) -> None:
    page.goto("#/memory")
    name = page.get_by_label("Votre prénom")
    name.fill("Grace")
    name.press("Enter")
    expect(page.locator("#announcer")).to_have_text("C’est corrigé.")
    page.get_by_role("button", name="Effacer", exact=True).nth(1).click()
    expect(page.get_by_test_id("facts").locator("li")).to_have_count(1)
    expect(name).to_be_focused()
    assert [one["text"] for one in server.memory["facts"]] == ["Grace"]


def test_one_that_is_gone_is_told_in_words(page: Page, server: Any) -> None:
    page.goto("#/memory")
    name = page.get_by_label("Votre prénom")
    expect(name).to_be_visible()
    server.memory["facts"].clear()
    name.fill("Grace")
    name.press("Enter")
    expect(page.locator("main")).to_contain_text("Cette phrase n’est plus retenue")


def test_it_is_switched_off_and_everything_is_erased(page: Page, server: Any) -> None:
    page.goto("#/memory")
    box = page.get_by_test_id("memory-on")
    expect(box).to_be_checked()
    box.uncheck()
    expect(page.locator("#announcer")).to_contain_text("plus rien ne sera retenu")
    assert server.memory["on"] is False
    assert len(server.memory["facts"]) == 2
    page.get_by_test_id("forget").click()
    expect(page.get_by_test_id("no-facts")).to_be_visible()
    expect(page.locator("h1")).to_be_focused()
    assert server.memory["facts"] == []


def test_where_there_is_no_memory_that_is_said(page: Page, server: Any) -> None:
    server.memory = {"available": False, "on": False, "facts": []}
    page.goto("#/memory")
    expect(page.get_by_test_id("no-memory")).to_be_visible()
    expect(page.get_by_test_id("memory-on")).to_have_count(0)


def test_it_speaks_english_too(page: Page) -> None:
    page.goto("#/memory")
    page.get_by_test_id("language").select_option("en")
    expect(page.locator("h1")).to_have_text("What is remembered of you")
    expect(page.get_by_label("Your first name")).to_have_value("Ada")
