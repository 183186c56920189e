"""Operators see who serves each stage and change it (PRV, X-40)."""

from typing import Any

import pytest
from playwright.sync_api import Page, expect
from tests.web.conftest import problem

pytestmark = pytest.mark.e2e


def test_who_serves_where_words_go_and_who_takes_over_is_told(page: Page) -> None:
    page.goto("#/about")
    page.get_by_test_id("to-engines").click()
    hearing = page.get_by_test_id("engine-stt")
    expect(hearing).to_contain_text("Vosk, small")
    expect(hearing).to_contain_text("(choix automatique)")
    expect(hearing).to_contain_text("reste sur cette machine")
    expect(hearing).to_contain_text("En cas de panne : À l’oreille")
    expect(page.locator("main")).to_contain_text("eloquence.toml")


def test_a_learner_finds_no_way_there(page: Page, server: Any) -> None:
    server.accounts = True
    server.account = {"id": "a", "name": "Ada", "role": "learner"}
    page.goto("#/about")
    expect(page.locator("h1")).to_be_visible()
    expect(page.get_by_test_id("to-engines")).to_have_count(0)


def test_another_provider_is_chosen_with_its_options_and_who_takes_over(
    page: Page, server: Any
) -> None:
    page.goto("#/engines")
    answering = page.get_by_test_id("engine-llm")
    answering.get_by_test_id("provider").select_option("openai")
    expect(answering).to_contain_text("est envoyé à api.openai.com")
    expect(answering).to_contain_text("Set OPENAI_API_KEY.")
    expect(answering.locator("#llm-api_key")).to_have_count(0)
    answering.get_by_test_id("model").fill("gpt-4o")
    answering.get_by_text("Autres options").click()
    answering.get_by_test_id("temperature").fill("0,3")
    answering.locator("summary", has_text="En cas de panne").click()
    answering.get_by_test_id("fallback-0").select_option("script")
    answering.get_by_test_id("save").click()
    expect(answering.get_by_test_id("saved")).to_contain_text("la prochaine conversation")
    expect(answering.get_by_test_id("save")).to_be_focused()
    assert server.wanted == [
        (
            "llm",
            {
                "provider": "openai",
                "options": {"model": "gpt-4o", "temperature": 0.3},
                "fallback": [{"provider": "script", "options": {}}],
            },
        )
    ]
    expect(answering.get_by_test_id("model")).to_have_value("gpt-4o")
    expect(answering.get_by_test_id("fallback-0")).to_have_value("script")
    expect(answering).to_contain_text("pas prêt")


def test_what_has_no_field_stays_as_the_file_has_it(page: Page, server: Any) -> None:
    """A list among the options, a fourth one that takes over."""
    stage = server.engines["stages"][1]
    ready = stage["chosen"]["readiness"]
    stage["chosen"] |= {"provider": "openai", "options": {"model": "m", "stop": ["a", "b"]}}
    others = [{"provider": "script", "options": {"pace": n}} for n in range(4)]
    stage["fallback"] = [{**one, "serves": {}, "readiness": ready} for one in others]
    page.goto("#/engines")
    answering = page.get_by_test_id("engine-llm")
    answering.get_by_test_id("save").click()
    expect(answering.get_by_test_id("saved")).to_be_visible()
    _, wanted = server.wanted[-1]
    assert wanted["options"] == {"model": "m", "stop": ["a", "b"]}
    assert wanted["fallback"] == others


def test_a_box_is_sent_when_it_is_not_as_usual_and_warnings_are_told(
    page: Page, server: Any
) -> None:
    page.goto("#/engines")
    speaking = page.get_by_test_id("engine-tts")
    expect(speaking.locator("option[value=elevenlabs]").first).to_be_disabled()
    speaking.get_by_test_id("provider").select_option("openai")
    speaking.get_by_test_id("voice").fill("alloy")
    speaking.get_by_text("Autres options").click()
    speaking.locator("#tts-steady").check()
    speaking.get_by_test_id("save").click()
    expect(speaking.get_by_test_id("engine-warning")).to_contain_text(
        "« alloy » est une voix d’un autre service (OpenAI)"
    )
    _, wanted = server.wanted[-1]
    assert wanted["options"] == {"voice": "alloy", "steady": True}


def test_a_refusal_says_what_to_do_and_keeps_what_was_filled_in(page: Page, server: Any) -> None:
    server.refusals["chooseEngine"] = [
        problem(409, "configuration", detail="Option 'speed' is wrong.", mend="Give 0.25 to 4.")
    ]
    page.goto("#/engines")
    answering = page.get_by_test_id("engine-llm")
    answering.get_by_test_id("provider").select_option("openai")
    answering.get_by_test_id("model").fill("gpt-4o")
    answering.get_by_test_id("save").press("Enter")
    expect(answering.get_by_test_id("refused")).to_contain_text("Rien n’a été changé.")
    expect(answering.get_by_test_id("refused")).to_contain_text("Give 0.25 to 4.")
    expect(answering.get_by_test_id("model")).to_have_value("gpt-4o")


def test_the_vendor_is_asked(page: Page) -> None:
    page.goto("#/engines")
    answering = page.get_by_test_id("engine-llm")
    answering.get_by_test_id("check").click()
    expect(answering.get_by_test_id("answers")).to_contain_text("refuses the key")


def test_a_variable_that_counts_more_and_a_broken_file_are_told(page: Page, server: Any) -> None:
    server.engines["problem"] = {"detail": "eloquence.toml, line 3: no.", "mend": "Correct it."}
    server.engines["stages"][1]["locked"] = "ELOQUENCE_LLM"
    page.goto("#/engines")
    expect(page.get_by_test_id("settings-problem")).to_contain_text("eloquence.toml, line 3")
    answering = page.get_by_test_id("engine-llm")
    expect(answering.get_by_test_id("locked")).to_contain_text("ELOQUENCE_LLM")
    expect(answering.get_by_test_id("save")).to_be_disabled()
    expect(page.get_by_test_id("engine-stt").get_by_test_id("save")).to_be_enabled()


def test_it_is_told_in_english_too(page: Page) -> None:
    page.goto("#/engines")
    page.get_by_test_id("language").select_option("en")
    expect(page.get_by_test_id("engine-llm")).to_contain_text("Automatic, on this machine")
