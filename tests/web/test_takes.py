"""Several takes: two side by side, all of them over time, and the history they come from."""

import json
import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from tests.web.conftest import progress, sample, until

pytestmark = pytest.mark.e2e


def two(server: Any) -> None:
    """Two takes; the second skips a question, and asks one that the first did not have."""
    first, second = sample("report"), sample("report")
    second["turns"] = [turn for turn in second["turns"] if turn["index"] not in (2, 3)]
    asked, answered = json.loads(json.dumps(second["turns"][-3:-1]))
    asked["text"] = "Quelle serait votre prochaine étape professionnelle ?"
    answered["text"] = "Changer d’équipe."
    second["turns"] += [asked, answered]
    second["feedback"]["headline"] = "Des phrases menées au bout."
    server.reports |= {"a": first | {"session": "a"}, "b": second | {"session": "b"}}


def test_two_takes_stand_side_by_side_aligned_by_question(page: Page, server: Any) -> None:
    two(server)
    page.goto("#/compare/a/b")
    compare = page.get_by_test_id("compare")
    expect(compare).to_contain_text("élans de plus en plus longs")
    expect(compare).to_contain_text("Des phrases menées au bout.")
    expect(compare.get_by_test_id("changes").locator("tbody tr")).to_have_count(4)
    rows = page.get_by_test_id("answers").locator(".exchange")
    expect(rows).to_have_count(4)
    expect(rows.nth(0).locator(".question")).to_have_count(1)
    expect(rows.nth(0).locator(".said")).to_have_count(2)
    expect(rows.nth(1)).to_contain_text("Le fait de regarder les gens")
    expect(rows.nth(1).locator(".answer").nth(1)).to_contain_text("Pas de réponse")
    expect(rows.nth(2).locator(".said")).to_have_count(2)
    expect(rows.nth(3).locator(".answer").nth(0)).to_contain_text("Pas de réponse")
    expect(rows.nth(3)).to_contain_text("Changer d’équipe.")
    assert server.compared == [("a", "b")]


def test_one_take_falls_silent_when_the_other_plays(page: Page, server: Any) -> None:
    two(server)
    page.goto("#/compare/a/b")
    plays = page.get_by_test_id("play")
    plays.nth(0).click()
    expect(plays.nth(0)).to_have_accessible_name("Mettre en pause")
    plays.nth(1).click()
    expect(plays.nth(1)).to_have_accessible_name("Mettre en pause")
    expect(plays.nth(0)).to_have_accessible_name("Écouter")


def test_takes_of_recordings_have_no_question_and_are_one_pair(page: Page, server: Any) -> None:
    for name in ("a", "b"):
        one = sample("report")
        one["turns"] = [turn for turn in one["turns"] if turn["index"] == 1]
        server.reports[name] = one | {"session": name, "audio": []}
    page.goto("#/compare/a/b")
    rows = page.get_by_test_id("answers").locator(".exchange")
    expect(rows).to_have_count(1)
    expect(rows.locator(".said")).to_have_count(2)
    expect(page.get_by_test_id("compare")).to_contain_text("n’a pas été gardé")


def test_progress_shows_every_take_with_its_error_as_picture_sentence_and_table(
    page: Page, server: Any
) -> None:
    page.goto("#/progress")
    expect(page.get_by_test_id("progress-sentence")).to_have_text("Vos mesures sur 6 prises.")
    pauses = page.get_by_test_id("trend-mid_phrase_pauses")
    expect(pauses).to_contain_text("mieux")
    expect(pauses.locator(".take-dot")).to_have_count(6)
    expect(pauses.locator(".error")).to_have_count(6)
    expect(pauses.locator("svg")).to_have_attribute("aria-label", re.compile("au fil des prises"))
    pauses.locator("summary").click()
    rows = pauses.locator("tbody tr")
    expect(rows).to_have_count(6)
    expect(rows.first).to_contain_text("8,2\u00a0par minute")
    expect(rows.first).to_contain_text("±\u00a01,3")
    expect(rows.first).to_contain_text("60\u00a0s, 120 mots")
    expect(rows.first.get_by_role("link")).to_have_attribute("href", "#/report/s-0")
    expect(page.get_by_test_id("trend-hedges")).to_contain_text("encore peu de prises")


def test_the_error_is_drawn_as_long_as_it_is(page: Page) -> None:
    page.goto("#/progress")
    page.get_by_test_id("progress").wait_for()
    lengths = page.evaluate(
        """[...document.querySelectorAll("[data-testid=trend-mid_phrase_pauses] .error")].map(
          (line) => Math.abs(line.getAttribute("y2") - line.getAttribute("y1")))"""
    )
    dots = page.evaluate(
        """[...document.querySelectorAll("[data-testid=trend-mid_phrase_pauses] .take-dot")].map(
          (dot) => Number(dot.getAttribute("cy")))"""
    )
    scale = (dots[-1] - dots[0]) / (8.2 - 3.2)
    assert lengths == pytest.approx([2 * 1.28 * scale] * 6, rel=0.01)


def test_progress_can_be_narrowed_to_one_exercise(page: Page, server: Any) -> None:
    page.goto("#/progress")
    page.get_by_test_id("progress-which").select_option("exercise=entretien")
    until(page, lambda: len(server.asked) > 1)
    assert server.asked == [{"language": "fr"}, {"language": "fr", "exercise": "entretien"}]


def test_progress_without_a_take_says_what_will_be_there(page: Page, server: Any) -> None:
    server.progress = progress(0)
    page.goto("#/progress")
    expect(page.get_by_test_id("progress-sentence")).to_contain_text("pas encore de prise")
    expect(page.get_by_role("link", name="Choisir un exercice")).to_be_visible()
    expect(page.locator(".trend")).to_have_count(0)


def test_one_take_is_shown_and_no_trend_is_claimed(page: Page, server: Any) -> None:
    server.progress = progress(1)
    page.goto("#/progress")
    expect(page.locator(".trend")).to_have_count(3)
    expect(page.locator(".trend .verdict-word")).to_have_text(["encore peu de prises"] * 3)


def test_drills_and_second_tries_stand_below_what_they_belong_to(page: Page) -> None:
    page.goto("#/history")
    tops = page.locator(".history > li")
    expect(tops).to_have_count(3)
    under = tops.nth(1).locator(".under > li")
    expect(under).to_have_count(2)
    expect(under.nth(0)).to_contain_text("Réponse reprise")
    expect(under.nth(1)).to_contain_text("Exercice court")
    expect(tops.nth(2)).to_contain_text("mode examen")


def test_what_belongs_to_an_erased_session_stays(page: Page, server: Any) -> None:
    page.goto("#/history")
    page.get_by_test_id("session-s-20261121-2").get_by_role("button").click()
    page.get_by_test_id("erase-yes").click()
    expect(page.get_by_test_id("session-s-20261121-2")).to_have_count(0)
    expect(page.locator(".history > li")).to_have_count(4)
    expect(page.get_by_test_id("session-s-20261121-4")).to_be_visible()


def test_two_takes_of_the_history_can_be_compared_the_earlier_one_first(
    page: Page, server: Any
) -> None:
    page.goto("#/history")
    page.get_by_test_id("compare-start").press("Enter")
    go = page.get_by_test_id("compare-go")
    expect(go).to_have_attribute("aria-disabled", "true")
    go.click(force=True)
    assert page.url.endswith("#/history")
    page.get_by_test_id("pick-s-20261121-1").press("Space")
    page.get_by_test_id("pick-s-20261121-3").press("Space")
    expect(page.get_by_test_id("choosing")).to_contain_text("2 sur 2")
    expect(page.get_by_test_id("pick-s-20261121-2")).to_be_disabled()
    go.press("Enter")
    page.wait_for_url("**/#/compare/s-20261121-3/s-20261121-1")
    page.get_by_test_id("answers").wait_for()
    assert server.compared == [("s-20261121-3", "s-20261121-1")]


def test_choosing_can_be_left_again(page: Page) -> None:
    page.goto("#/history")
    page.get_by_test_id("compare-start").click()
    page.get_by_test_id("pick-s-20261121-1").check()
    page.get_by_role("button", name="Annuler").click()
    expect(page.get_by_test_id("pick-s-20261121-1")).to_be_hidden()
    expect(page.get_by_test_id("compare-start")).to_be_focused()
