"""Signing in at the page: before anything else, back to where one was, and out again."""

from typing import Any

import pytest
from playwright.sync_api import Page, expect
from tests.web.conftest import problem
from tests.web.test_talk import state

pytestmark = pytest.mark.e2e


@pytest.fixture
def guarded(server: Any) -> Any:
    server.accounts = True
    return server


def sign_in(page: Page, key: str = "the right key") -> None:
    page.get_by_test_id("key").fill(key)
    page.get_by_test_id("sign-in").click()


def test_without_accounts_nobody_is_asked_who_they_are(page: Page, server: Any) -> None:
    page.goto("")
    page.get_by_test_id("exercises").wait_for()
    expect(page.get_by_test_id("account")).to_have_count(0)


def test_one_signs_in_with_a_key_and_comes_to_where_one_wanted(page: Page, guarded: Any) -> None:
    page.goto("#/history")
    expect(page.get_by_role("heading", level=1)).to_have_text("Connexion")
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    assert page.title() == "Connexion – Eloquence"
    expect(page.get_by_test_id("sign-in-oidc")).to_have_count(0)
    sign_in(page)
    page.get_by_test_id("history").wait_for()
    expect(page.get_by_test_id("account")).to_contain_text("Léa Martin")


def test_a_wrong_key_is_told_at_its_field(page: Page, guarded: Any) -> None:
    page.goto("")
    page.get_by_test_id("sign-in").click()
    field = page.get_by_role("textbox", name="Clé d’accès")
    expect(field).to_have_accessible_description(
        "La personne qui s’occupe d’Eloquence dans votre"
        " établissement vous l’a donnée. Saisissez votre clé d’accès."
    )
    sign_in(page, "a wrong key")
    expect(page.get_by_role("alert")).to_contain_text("Cette clé n’est pas, ou n’est plus, valable")
    expect(field).to_be_focused()
    expect(field).to_have_attribute("aria-invalid", "true")
    assert page.get_by_test_id("key").get_attribute("type") == "password"
    sign_in(page)
    page.get_by_test_id("exercises").wait_for()


def test_too_many_tries_have_to_wait(page: Page, guarded: Any) -> None:
    guarded.refusals["signIn"] = [problem(429, "too_many", wait=2)]
    page.goto("")
    sign_in(page)
    expect(page.get_by_role("alert")).to_contain_text("Trop de demandes à la fois")
    button = page.get_by_test_id("later")
    expect(button).to_contain_text("Se connecter dans")
    expect(button).to_have_text("Se connecter")
    button.click()
    page.get_by_test_id("exercises").wait_for()


def test_the_school_s_own_account_leads_back_to_where_one_was(page: Page, guarded: Any) -> None:
    guarded.oidc = True
    page.goto("#/progress")
    page.get_by_test_id("sign-in-oidc").click()
    expect(page.get_by_test_id("account")).to_contain_text("Karim")
    assert page.url.endswith("/#/progress")


def test_why_the_school_s_account_did_not_do_is_said(page: Page, guarded: Any) -> None:
    guarded.oidc = True
    guarded.faults = ["a-new-reason", "unreachable"]
    page.goto("")
    page.get_by_test_id("sign-in-oidc").click()
    expect(page.get_by_test_id("sign-in-fault")).to_contain_text("ne répond pas")
    assert "?" not in page.url
    page.get_by_test_id("sign-in-oidc").click()
    expect(page.get_by_test_id("sign-in-fault")).to_contain_text("n’a pas pu être vérifiée")


def test_one_signs_out_from_any_view(page: Page, guarded: Any) -> None:
    guarded.account = {"id": "a-1", "name": "Léa Martin", "role": "learner"}
    page.goto("#/history")
    page.get_by_test_id("sign-out").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Connexion")
    expect(page.get_by_test_id("account")).to_have_count(0)
    assert guarded.account is None


def test_a_sign_in_that_has_run_out_is_asked_for_again(page: Page, guarded: Any) -> None:
    guarded.account = {"id": "a-1", "name": "Léa Martin", "role": "learner"}
    page.goto("#/history")
    page.get_by_test_id("history").wait_for()
    guarded.account = None
    page.get_by_role("link", name="Exercices").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Connexion")
    sign_in(page)
    page.get_by_test_id("exercises").wait_for()


def test_one_who_must_sign_in_to_start_comes_back_to_the_check(page: Page, guarded: Any) -> None:
    guarded.account = {"id": "a-1", "name": "Léa Martin", "role": "learner"}
    guarded.rooms = True

    async def coach(talk: Any) -> None:
        await talk.come()
        await talk.ready()
        await talk.send("state", state="listening")
        await talk.wait("end")
        await talk.end()

    guarded.script = coach
    page.goto("#/exercise/conversation_libre_marie")
    page.get_by_test_id("to-microphone").click()
    page.get_by_test_id("start").wait_for()
    guarded.account = None
    page.get_by_test_id("start").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Connexion")
    sign_in(page)
    page.get_by_test_id("start").click()
    state(page, "listening")
    assert len(guarded.talks) == 1
