"""The report: marks that can be set aside, scores with their reasons, the learner's view first."""

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect
from tests.web.conftest import until

from eloquence.coaching.report import Report
from eloquence.storage.export import report_html

pytestmark = pytest.mark.e2e

HERE = Path(__file__).parent
REPORT = "#/report/s-20261121-1"
PAUSE = "long_pause@15.19"


def mark(page: Page, id_: str) -> Any:
    return page.locator(f'[data-mark="{id_}"]')


def test_it_begins_with_one_sentence_what_went_well_one_thing_to_change_and_what_to_do(
    page: Page,
) -> None:
    page.goto(REPORT)
    page.get_by_test_id("report-headline").wait_for()
    order = page.evaluate(
        "[...document.querySelectorAll('[data-testid]')].map((one) => one.dataset.testid)"
    )
    wanted = [
        "report-headline", "strength", "priority", "drill-open", "retry", "play", "transcript",
        "timeline", "pace", "pitch", "intensity", "measured", "judged", "overall", "comparison",
        "goal", "proposal", "appointment", "missing", "exports", "erase",
    ]  # fmt: skip
    places = [order.index(name) for name in wanted]
    assert places == sorted(places)
    expect(page.locator(".opening .primary")).to_have_count(1)


def test_the_first_screen_of_a_phone_holds_a_strength_the_change_and_its_button(
    page: Page,
) -> None:
    page.goto(REPORT)
    button = page.get_by_test_id("drill-open")
    expect(button).to_have_text("Faire l’exercice (1\u00a0min\u00a030)")
    place = button.bounding_box()
    assert place is not None
    assert place["y"] + place["height"] <= 844
    drill = page.get_by_test_id("drill")
    expect(drill).not_to_contain_text(re.compile("comptez un temps"), use_inner_text=True)
    drill.locator("summary").press("Enter")
    expect(drill).to_contain_text("comptez un temps", use_inner_text=True)


def test_nothing_said_is_one_sentence_and_a_way_back_and_no_advice(page: Page, server: Any) -> None:
    why = "Nous n’avons pas entendu de parole."
    report = server.report
    report.update(
        turns=[turn for turn in report["turns"] if turn["speaker"] != "learner"],
        marks=[], speech_seconds=0.0, weakest_turn=None, overall=None, goal=None, proposal=None,
    )  # fmt: skip
    report["quality"]["words_heard"] = False
    report["feedback"].update(headline=why, strengths=[], priority=None, drill=None, rewrite=None)
    for one in report["dimensions"]:
        one.update(state="not_scored", score=None, low=None, high=None, reason=why, events=[])
    page.goto(REPORT)
    expect(page.get_by_test_id("report-headline")).to_have_text(why)
    expect(page.get_by_test_id("scores").get_by_text(why)).to_have_count(1)
    for absent in ("score-fluency", "timeline", "appointment", "proposal"):
        expect(page.get_by_test_id(absent)).to_have_count(0)
    expect(page.get_by_test_id("transcript")).not_to_contain_text("n’ont pas été reconnus")
    page.get_by_test_id("once-again").click()
    page.wait_for_url("**/#/exercise/conversation_libre_marie")


def test_turns_stand_in_the_order_in_which_they_began(page: Page, server: Any) -> None:
    turns = server.report["turns"]
    turns[0], turns[1] = turns[1], turns[0]
    page.goto(REPORT)
    page.get_by_test_id("report-headline").wait_for()
    began = page.evaluate(
        "[...document.querySelectorAll('.turns [data-turn]')].map((one) => +one.dataset.turn)"
    )
    assert began == sorted(began)


def test_scores_of_little_speech_are_provisional_and_it_is_said_once(
    page: Page, server: Any
) -> None:
    for one in server.report["dimensions"]:
        one["provisional"] = one["score"] is not None
    page.goto(REPORT)
    expect(page.get_by_test_id("provisional")).to_have_count(1)
    expect(page.get_by_test_id("score-fluency")).not_to_contain_text("provisoire")
    server.report["dimensions"][0]["provisional"] = False
    page.reload()
    expect(page.get_by_test_id("score-clarity")).to_contain_text("Score provisoire")
    expect(page.get_by_test_id("provisional")).to_have_count(0)


@pytest.mark.parametrize(("measured", "kind"), [(True, "mesuré"), (False, "apprécié")])
def test_each_criterion_says_whether_it_is_measured_or_judged(
    page: Page, server: Any, measured: bool, kind: str
) -> None:
    one = next(one for one in server.report["dimensions"] if one["criteria"])
    one.update(measured=None, parts=[])
    for criterion in one["criteria"]:
        criterion["measured"] = measured
    page.goto(REPORT)
    family = page.get_by_test_id("measured" if measured else "judged")
    card = family.get_by_test_id(f"score-{one['dimension']}")
    card.locator("summary").first.click()
    expect(card.locator(".kind")).to_have_text([kind] * len(one["criteria"]))


@pytest.mark.parametrize(
    ("button", "wanted"), [("drill-open", {"drill": "full_stop"}), ("retry", {"retry": 1})]
)
def test_the_drill_and_the_second_try_are_one_click_away(
    page: Page, server: Any, button: str, wanted: dict[str, Any]
) -> None:
    page.goto(REPORT)
    page.get_by_test_id(button).click()
    page.get_by_test_id("mic-ok").wait_for()
    expect(page.get_by_test_id("keep-audio")).to_be_checked()  # as for the take it belongs to
    page.get_by_test_id("start").click()
    page.get_by_test_id("end").click()
    page.wait_for_url("**/#/report/*")
    assert wanted.items() <= server.talks[0].hello.items()
    assert server.talks[0].hello["of"] == "s-20261121-1"
    assert server.talks[0].hello["keep_audio"] is True


def test_a_mark_says_what_it_is_what_it_costs_and_plays(page: Page) -> None:
    page.goto(REPORT)
    button = mark(page, PAUSE)
    expect(button).to_have_accessible_name("1,4\u00a0s, Repère\u00a0: long silence, à 0:15")
    button.click()
    panel = page.get_by_test_id("mark-panel")
    expect(panel).to_contain_text("Long silence")
    expect(panel).to_contain_text("assez long pour que l’on se demande")
    expect(panel).to_contain_text("«\u00a0je dois dire … que\u00a0»")
    expect(panel).to_contain_text("Fluidité\u00a0: 6 points de plus sans ce repère")
    expect(panel).to_contain_text("Assurance perçue\u00a0: 3 points de plus")
    panel.get_by_role("button", name="Écouter à 0:15").click()
    assert 14.8 < page.evaluate("document.querySelector('audio').currentTime") < 16.5
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    expect(button).to_have_attribute("aria-expanded", "false")


def test_on_a_phone_the_panel_does_not_hide_its_mark(page: Page) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto(REPORT)
    button = mark(page, PAUSE)
    button.evaluate("(one) => window.scrollBy(0, one.getBoundingClientRect().bottom - 730)")
    button.click()
    panel, shown = page.get_by_test_id("mark-panel").bounding_box(), button.bounding_box()
    assert panel is not None
    assert shown is not None
    assert shown["y"] + shown["height"] <= panel["y"]
    assert panel["x"] >= 0
    assert panel["x"] + panel["width"] <= 360


def test_a_mark_set_aside_counts_no_more_and_can_be_put_back(page: Page, server: Any) -> None:
    page.goto(REPORT)
    mark(page, PAUSE).focus()
    page.keyboard.press("Enter")
    page.get_by_test_id("dismiss").focus()
    place = mark(page, PAUSE).bounding_box()
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("report-status")).to_have_text(
        "Repère écarté. Fluidité\u00a0: 74 → 80 sur 100. Assurance perçue\u00a0: 52 → 55 sur 100."
    )
    assert mark(page, PAUSE).bounding_box() == place
    expect(page.get_by_test_id("score-fluency")).to_contain_text("entre 72 et 87 sur 100")
    expect(mark(page, PAUSE)).to_have_class(re.compile("dismissed"))
    expect(mark(page, PAUSE)).to_have_accessible_name(re.compile("écarté$"))
    expect(page.get_by_test_id("timeline").locator(".event.dismissed")).to_have_count(2)
    undo = page.get_by_test_id("dismiss")
    expect(undo).to_be_focused()
    expect(undo).to_have_text("Remettre ce repère")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("report-status")).to_contain_text("Repère remis. Fluidité\u00a0: 80")
    expect(page.get_by_test_id("score-fluency")).to_contain_text("entre 66 et 81 sur 100")
    assert not next(m for m in server.report["marks"] if m["id"] == PAUSE)["dismissed"]
    page.get_by_test_id("mark-panel").get_by_text("Fermer").press("Enter")
    expect(mark(page, PAUSE)).to_be_focused()


def test_what_was_open_stays_open_when_the_report_is_drawn_anew(page: Page) -> None:
    page.goto(REPORT)
    why = page.locator('[data-key="why-fluency"]')
    why.locator("summary").first.click()
    timeline = page.get_by_test_id("timeline")
    timeline.locator("summary").click()
    timeline.locator("tbody tr").first.wait_for()
    mark(page, PAUSE).click()
    page.get_by_test_id("dismiss").click()
    expect(page.get_by_test_id("report-status")).to_contain_text("Repère écarté.")
    expect(why).to_have_attribute("open", "")
    expect(timeline.locator("tbody")).to_contain_text("long silence (écarté)")


def test_a_mark_that_cannot_be_set_aside_says_so_and_stays(page: Page) -> None:
    page.route("**/marks/*", lambda route: route.fulfill(status=404))
    page.goto(REPORT)
    mark(page, "hedge@17.45").click()
    page.get_by_test_id("dismiss").click()
    expect(page.get_by_test_id("mark-panel")).to_contain_text("n’a pas pu être enregistré")
    expect(mark(page, "hedge@17.45")).not_to_have_class(re.compile("dismissed"))


def test_a_family_of_marks_can_be_hidden(page: Page) -> None:
    page.goto(REPORT)
    hesitations = page.locator("button.mark.filler")
    expect(hesitations).to_have_count(2)
    page.get_by_label("Hésitations (2)").uncheck()
    expect(hesitations.first).to_be_hidden()
    expect(mark(page, PAUSE)).to_be_visible()
    page.get_by_label("Hésitations (2)").check()
    expect(hesitations.first).to_be_visible()


def test_measured_and_judged_are_two_families(page: Page) -> None:
    page.goto(REPORT)
    measured, judged = page.get_by_test_id("measured"), page.get_by_test_id("judged")
    expect(measured.locator(".score")).to_have_count(4)
    expect(judged.locator(".score")).to_have_count(1)
    expect(judged.get_by_test_id("judged-by")).to_contain_text("mistral-small-3.2 (openai)")
    expect(judged.get_by_test_id("judged-by")).to_contain_text("consigne n° 1")
    expect(judged.get_by_test_id("judged-by")).to_contain_text("6\u00a0%")
    judged.locator("summary").first.click()
    card = page.get_by_test_id("score-structure")
    expect(card).to_contain_text("Part mesurée\u00a0: 70 sur 100, pèse 25\u00a0%")
    expect(card).to_contain_text("Part appréciée\u00a0: 82 sur 100, pèse 75\u00a0%")
    hints = page.get_by_test_id("hints")
    expect(hints).to_contain_text("des indices, pas un jugement, et aucun score")


def test_a_criterion_shows_all_its_levels_the_reached_one_and_words_to_be_heard(
    page: Page,
) -> None:
    page.goto(REPORT)
    page.get_by_test_id("judged").locator("summary").first.click()
    thread = page.get_by_test_id("criterion-thread")
    thread.locator("summary").click()
    levels = thread.locator(".levels li")
    expect(levels).to_have_count(5)
    expect(thread.locator(".levels .reached")).to_have_count(1)
    expect(levels.nth(3)).to_contain_text("niveau atteint")
    expect(thread).to_contain_text("toutes les lectures du modèle s’accordent")
    thread.get_by_role("button", name=re.compile("Écouter à 0:09")).click()
    assert page.evaluate("document.querySelector('audio').currentTime") > 9
    expect(page.get_by_test_id("criterion-result")).to_contain_text("ne s’accordaient pas")


def test_a_level_between_two_marks_both(page: Page, server: Any) -> None:
    structure = server.report["dimensions"][3]["criteria"][0]
    structure.update(level=2.5, score=0.7, low=0.6, high=0.8)
    page.goto(REPORT)
    page.get_by_test_id("judged").locator("summary").first.click()
    thread = page.get_by_test_id("criterion-thread")
    thread.locator("summary").click()
    expect(thread.locator(".levels .reached")).to_have_count(2)
    expect(thread).to_contain_text("entre ces deux niveaux")
    expect(thread).to_contain_text("de 60 à 80 sur 100")


def test_content_that_was_not_judged_is_said_and_its_hints_are_named_as_such(
    page: Page, server: Any
) -> None:
    server.reports["ear"] = json.loads((HERE / "report-by-ear.json").read_text(encoding="utf-8"))
    page.goto("#/report/ear")
    expect(page.get_by_test_id("not-judged")).to_contain_text("Aucun modèle de langage")
    expect(page.get_by_test_id("hints")).to_contain_text("pas repéré")
    expect(page.get_by_test_id("score-structure")).to_contain_text("Non évalué")
    expect(page.get_by_test_id("overall")).to_have_count(0)
    expect(page.get_by_test_id("transcript")).to_contain_text("repose sur le son seul")


def test_what_is_being_judged_fills_in_by_itself(page: Page, server: Any) -> None:
    whole = server.report
    pending = json.loads(json.dumps(whole))
    pending["content"].update(state="pending", model="", provider="", spread=None)
    for score in pending["dimensions"]:
        if score["criteria"]:
            score.update(state="not_scored", score=None, low=None, high=None, judged=None)
    server.report = pending
    page.clock.install()
    page.goto(REPORT)
    expect(page.get_by_test_id("content-pending")).to_contain_text("en cours de lecture")
    page.get_by_test_id("plan").fill("Si je doute, alors je respire.")
    asked: list[str] = []
    page.on("requestfinished", lambda request: asked.append(request.url))
    page.clock.run_for(4000)
    until(page, lambda: asked)
    page.wait_for_timeout(300)
    assert len(asked) == 1
    server.report = whole
    page.clock.run_for(6000)
    expect(page.get_by_test_id("report-status")).to_have_text("Le contenu est apprécié.")
    expect(page.get_by_test_id("score-structure")).to_contain_text("entre 72 et 88 sur 100")
    expect(page.get_by_test_id("plan")).to_be_focused()
    expect(page.get_by_test_id("plan")).to_have_value("Si je doute, alors je respire.")
    page.clock.run_for(60_000)
    page.wait_for_timeout(200)
    assert len(asked) == 2


def test_content_that_could_be_judged_is_on_request(page: Page, server: Any) -> None:
    server.report["content"].update(state="not_judged", reason="Arrêté avant la fin.")
    page.clock.install()
    page.goto(REPORT)
    page.get_by_test_id("judge").click()
    expect(page.get_by_test_id("content-pending")).to_be_visible()
    server.report["content"]["state"] = "judged"
    page.clock.run_for(4000)
    expect(page.get_by_test_id("report-status")).to_have_text("Le contenu est apprécié.")


def test_why_content_cannot_be_judged_is_said(page: Page, server: Any) -> None:
    server.report["content"].update(state="not_judged")
    problem = {"code": "judgement", "title": "Judgement", "detail": "A session is judged later."}
    page.route("**/judgement", lambda route: route.fulfill(
        status=404, content_type="application/problem+json", body=json.dumps(problem)))  # fmt: skip
    page.goto(REPORT)
    page.get_by_test_id("judge").click()
    expect(page.get_by_role("alert").filter(has_text="ne peut pas être apprécié")).to_be_visible()


def test_what_was_said_keeps_its_language_under_another_one(page: Page) -> None:
    page.goto("")
    page.get_by_test_id("language").select_option("en")
    page.goto(REPORT)
    expect(page.locator("article.report")).to_have_attribute("lang", "en")
    expect(page.get_by_test_id("report-headline")).to_have_attribute("lang", "fr")
    expect(page.locator(".said").first).to_have_attribute("lang", "fr")
    expect(page.get_by_test_id("transcript").locator("h2")).to_have_text("What was said")


def fresh(server: Any) -> None:
    server.report = {**server.report, "started_at": time.time() - 100}


def test_after_a_conversation_the_learner_is_asked_first(page: Page, server: Any) -> None:
    fresh(server)
    page.goto(REPORT)
    expect(page.locator("h1")).to_have_text("Qu’est-ce qui a marché\u00a0?")
    expect(page.get_by_test_id("report-headline")).to_have_count(0)
    page.get_by_label("Qu’est-ce qui a marché").fill("J’ai gardé mon calme.")
    page.get_by_test_id("debrief-show").click()
    expect(page.get_by_test_id("report-headline")).to_be_focused()
    expect(page.get_by_test_id("worked")).to_contain_text("J’ai gardé mon calme.")
    assert server.notes == [("s-20261121-1", {"worked": "J’ai gardé mon calme."})]


def test_the_question_may_be_skipped_and_is_not_asked_again(page: Page, server: Any) -> None:
    fresh(server)
    page.goto(REPORT)
    page.get_by_test_id("debrief-skip").click()
    expect(page.get_by_test_id("report-headline")).to_be_visible()
    assert server.notes == []
    page.goto("#/history")
    page.get_by_test_id("history").wait_for()
    page.goto(REPORT)
    expect(page.get_by_test_id("report-headline")).to_be_visible()


def test_an_answer_that_cannot_be_kept_is_not_lost(page: Page, server: Any) -> None:
    fresh(server)
    page.route("**/notes", lambda route: route.fulfill(status=404))
    page.goto(REPORT)
    page.get_by_test_id("worked-text").fill("Le début.")
    page.get_by_test_id("debrief-show").click()
    expect(page.get_by_role("alert")).to_contain_text("n’a pas pu être gardée")
    expect(page.get_by_test_id("worked-text")).to_have_value("Le début.")


@pytest.mark.parametrize("change", [{"reason": "recording"}, {"worked": "Le début."}])
def test_a_recording_and_an_answered_question_show_the_report_at_once(
    page: Page, server: Any, change: dict[str, str]
) -> None:
    fresh(server)
    server.report = {**server.report, **change}
    page.goto(REPORT)
    expect(page.get_by_test_id("report-headline")).to_be_visible()


def test_the_plan_can_be_put_in_one_s_own_words(page: Page, server: Any) -> None:
    page.goto(REPORT)
    plan = page.get_by_test_id("plan")
    expect(plan).to_have_value(re.compile("^Si je cherche la suite, alors"))
    plan.fill("Si je doute, alors je respire.")
    page.get_by_test_id("plan-save").click()
    expect(page.get_by_test_id("proposal")).to_contain_text("Votre plan est gardé.")
    assert server.notes == [("s-20261121-1", {"plan": "Si je doute, alors je respire."})]
    expect(page.get_by_test_id("goal")).to_contain_text("pas encore tenu")
    expect(page.get_by_test_id("appointment")).to_contain_text("vendredi 16 janvier")


def test_a_change_counts_only_beyond_its_error(page: Page) -> None:
    page.goto(REPORT)
    rows = page.get_by_test_id("changes").locator("tbody tr")
    expect(rows).to_have_count(4)
    expect(rows).to_contain_text(["mieux", "moins bien", "différent", "pareil"])
    expect(rows.last).to_be_hidden()  # what did not change is folded
    page.get_by_text("Pareil (1)").click()
    expect(rows.last).to_be_visible()
    outside = page.evaluate(
        """[...document.querySelectorAll("svg.change")].map((svg) => {
          const band = svg.querySelector(".change-margin");
          const from = Number(band.getAttribute("x"));
          const dot = Number(svg.querySelector(".change-after").getAttribute("cx"));
          return dot < from || dot > from + Number(band.getAttribute("width"));
        })"""
    )
    assert outside == [True, True, True, False]
    page.get_by_test_id("compare").click()
    page.wait_for_url("**/#/compare/s-20260108-1/s-20261121-1")


@pytest.mark.parametrize("kind", ["pdf", "html", "csv", "moments", "json"])
def test_the_report_can_be_taken_away(page: Page, kind: str) -> None:
    page.goto(REPORT)
    page.get_by_test_id("exports").locator("summary").click()
    link = page.get_by_test_id(f"export-{kind}")
    there = re.compile(rf"/api/v1/sessions/s-20261121-1/report\.{kind}$")
    expect(link).to_have_attribute("href", there)
    expect(link).to_have_attribute("download", "")


@pytest.mark.parametrize("profile", ["learner", "speech_difference", "child"])
def test_whose_norms_apply_is_said(page: Page, server: Any, profile: str) -> None:
    server.report = {**server.report, "profile": profile}
    page.goto(REPORT)
    expect(page.get_by_test_id("profile")).to_be_visible()


def test_what_could_not_be_measured_is_said_once_for_each_reason(page: Page, server: Any) -> None:
    for measure in server.report["measures"][:3]:
        measure.update(value=None, error=None, reason="Trop de bruit de fond.")
    page.goto(REPORT)
    missing = page.get_by_test_id("missing")
    missing.locator("summary").click()
    noisy = missing.get_by_role("listitem").filter(has_text="Trop de bruit de fond.")
    expect(noisy).to_have_count(1)
    expect(noisy).to_contain_text("Mots par minute, Pauses au milieu d’une phrase")


def attempt(server: Any, **fields: Any) -> None:
    one = json.loads(json.dumps(server.report))
    one["turns"] = [turn for turn in one["turns"] if turn["index"] == 1]
    one["comparison"]["changes"] = one["comparison"]["changes"][:1]
    server.reports["again"] = one | {"session": "again", "of": "s-20261121-1"} | fields


def test_a_second_try_shows_one_measure_before_and_after_and_plays_both_takes(
    page: Page, server: Any
) -> None:
    attempt(server, purpose="retry", retried=1)
    page.goto("#/report/again")
    card = page.get_by_test_id("before-after")
    expect(card).to_contain_text("8,2")
    expect(card).to_contain_text("5,1")
    expect(card).to_contain_text("à 2,1 près")
    expect(card).to_contain_text("mieux")
    takes = page.get_by_test_id("takes")
    expect(takes.locator(".take")).to_have_count(2)
    page.evaluate("HTMLMediaElement.prototype.play = function () {"
                  " window.last = this; return Promise.resolve(); }")  # fmt: skip
    for number in (0, 1):
        takes.get_by_role("button").nth(number).click()
        assert "audio/mix" in page.evaluate("window.last.src")
        page.evaluate(f"window.take{number} = window.last.src")
    assert page.evaluate("window.take0 !== window.take1")
    assert "/sessions/s-20261121-1/" in page.evaluate("window.take0")
    page.get_by_test_id("once-more").click()
    page.get_by_test_id("mic-ok").wait_for()
    page.get_by_test_id("start").click()
    page.get_by_test_id("end").click()
    page.wait_for_url("**/#/report/*")
    assert {"of": "s-20261121-1", "retry": 1}.items() <= server.talks[0].hello.items()


def test_a_drill_says_whether_it_reached_its_target(page: Page, server: Any) -> None:
    result = {
        "drill": "full_stop", "title": "Le point final", "measure": "mid_phrase_pauses",
        "label": "Pauses", "unit": "par minute", "value": 1.4, "low": 0.6, "high": 2.2,
        "before": 5.1, "at_least": None, "at_most": 2.0, "reached": True, "certain": False,
        "sentence": "Une seule pause coupe une phrase.", "percent": False,
    }  # fmt: skip
    attempt(server, purpose="drill", drill="full_stop", comparison=None, drill_result=result)
    page.goto("#/report/again")
    expect(page.get_by_test_id("report-headline")).to_have_text("Une seule pause coupe une phrase.")
    card = page.get_by_test_id("before-after")
    expect(card).to_contain_text("entre 0,6 et 2,2")
    expect(card).to_contain_text("au plus 2\u00a0par minute")
    expect(card).to_contain_text("Atteint")
    expect(page.get_by_test_id("once-more")).to_be_visible()
    page.get_by_test_id("back-to-report").click()
    page.wait_for_url("**/#/report/s-20261121-1")


def test_a_try_without_enough_speech_says_so(page: Page, server: Any) -> None:
    attempt(server, purpose="retry", retried=1, comparison=None)
    page.goto("#/report/again")
    expect(page.get_by_test_id("before-after")).to_contain_text("pas eu assez de parole")


@pytest.mark.parametrize("slow", [False, True])
def test_nothing_moves_while_the_report_is_drawn(page: Page, slow: bool) -> None:
    page.add_init_script(
        "window.shift = 0;"
        "new PerformanceObserver((list) => list.getEntries().forEach((one) => {"
        "  window.shift += one.value; })).observe({ type: 'layout-shift', buffered: true });"
    )
    held: list[Route] = []
    if slow:
        page.route(re.compile("/s-20261121-1/report"), lambda route: held.append(route))
    page.goto(REPORT)
    if slow:
        expect(page.get_by_text("Un instant…")).to_be_visible()
        expect(page.get_by_role("link", name="Historique")).to_be_visible()
        held[0].continue_()
    page.get_by_test_id("intensity").locator("svg").wait_for()
    page.wait_for_timeout(500)
    assert page.evaluate("window.shift") < 0.05


def test_a_picture_draws_nothing_outside_itself(page: Page) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto(REPORT)
    page.get_by_test_id("intensity").locator("svg").wait_for()
    page.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = true))")
    outside = page.evaluate(
        """[...document.querySelectorAll("main svg:not(.glyph, .icon)")].flatMap((svg) => {
          const box = svg.getBoundingClientRect();
          return [...svg.querySelectorAll("*")].filter((one) => {
            if (one.getAttribute("visibility") === "hidden") return false;
            const { left, right, width } = one.getBoundingClientRect();
            return width > 0 && (left < box.left - 1 || right > box.right + 1);
          }).map((one) => one.outerHTML);
        })"""
    )
    assert outside == []


def test_printed_it_shows_the_reasons_and_no_button(page: Page) -> None:
    page.goto(REPORT)
    page.get_by_test_id("report-headline").wait_for()
    page.emulate_media(media="print")
    expect(page.get_by_test_id("play")).to_be_hidden()
    expect(page.get_by_test_id("drill-open")).to_be_hidden()
    height = page.locator('[data-key="why-fluency"] .parts').bounding_box()
    assert height is not None
    assert height["height"] > 100


def test_the_single_file_plays_and_explains_but_offers_nothing_that_needs_a_server(
    browser: Browser, tmp_path: Path, voice: Path
) -> None:
    report = Report.model_validate_json((HERE / "report.json").read_bytes())
    file = tmp_path / "report.html"
    file.write_text(
        report_html(report, HERE.parents[1] / "web", voice.read_bytes()), encoding="utf-8"
    )
    context = browser.new_context(viewport={"width": 390, "height": 844})
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(file.as_uri())
    mark(page, PAUSE).click()
    panel = page.get_by_test_id("mark-panel")
    expect(panel).to_contain_text("6 points de plus")
    expect(page.get_by_test_id("dismiss")).to_have_count(0)
    panel.get_by_role("button", name="Écouter à 0:15").click()
    assert page.evaluate("document.querySelector('audio').currentTime") > 14
    expect(page.get_by_test_id("drill-open")).to_have_count(0)
    expect(page.get_by_test_id("retry")).to_have_count(0)
    expect(page.get_by_test_id("plan")).to_have_count(0)
    expect(page.get_by_test_id("proposal")).to_contain_text("alors je finis ma phrase")
    page.get_by_text("Lancer le chronomètre").click()
    expect(page.locator(".drill-time")).to_have_text("1:29")
    assert errors == []
    context.close()
