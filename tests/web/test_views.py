"""Every view: reached by its address, by keyboard, in both languages, on a phone."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect
from tests.web.conftest import StandIn, until

from eloquence.coaching.report import Report
from eloquence.storage.export import report_html

pytestmark = pytest.mark.e2e

WEB = Path(__file__).resolve().parents[2] / "web"
VIEWS = [
    "#/", "#/exercise/entretien", "#/exercise/entretien/microphone", "#/report/s-20261121-1",
    "#/report/fresh", "#/compare/a/b", "#/progress", "#/history", "#/about", "#/engines",
    "#/memory", "#/report/unknown",
]  # fmt: skip


@pytest.mark.parametrize("hash_", VIEWS)
@pytest.mark.parametrize("width", [360, 1280])
def test_a_view_has_a_title_a_focused_heading_and_fits(page: Page, hash_: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 740})
    page.goto(hash_)
    heading = page.locator("main h1")
    expect(heading).to_have_count(1)
    expect(heading).to_be_focused()
    assert page.title().endswith("– Eloquence")
    page.wait_for_timeout(150)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_language_changes_everything_and_is_remembered(page: Page) -> None:
    page.goto("")
    expect(page.locator("html")).to_have_attribute("lang", "fr")
    expect(page.locator("h1")).to_contain_text("travailler")
    page.get_by_test_id("language").select_option("en")
    expect(page.locator("h1")).to_contain_text("practise")
    expect(page.locator("html")).to_have_attribute("lang", "en")
    page.reload()
    expect(page.locator("h1")).to_contain_text("practise")
    assert "Exercises" in page.title()


def test_a_view_that_is_slow_does_not_take_the_place_of_the_next(page: Page) -> None:
    held: list[Route] = []
    page.route("**/api/v1/exercises*", lambda route: held.append(route))
    page.clock.install(time=0)
    page.clock.pause_at(1000)
    page.goto("")
    until(page, lambda: held)
    page.get_by_role("link", name="Historique").click()
    heading = page.get_by_role("heading", level=1, name="Historique")
    expect(heading).to_be_visible()
    page.clock.run_for(1000)
    held[0].continue_()
    page.wait_for_load_state("networkidle")
    expect(heading).to_be_visible()


def test_the_theme_can_be_chosen_against_the_system(page: Page) -> None:
    page.emulate_media(color_scheme="light")
    page.goto("")
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.get_by_test_id("theme").select_option("dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != light
    expect(page.get_by_test_id("theme")).to_be_focused()


@pytest.mark.parametrize(
    ("origin", "where"), [("", "cette machine"), ("http://ecole.test/", "ce serveur")]
)
def test_whoever_talks_to_another_machine_is_not_told_that_it_stays_on_theirs(
    page: Page, server: StandIn, origin: str, where: str
) -> None:
    def passed_on(route: Route) -> None:
        url = route.request.url.replace(origin, server.address)
        route.fulfill(response=route.fetch(url=url))

    if origin:
        page.route(f"{origin}**", passed_on)
    page.goto(f"{origin}#/history")
    expect(page.locator("main")).to_contain_text(f"gardées sur {where}.")
    page.unroute_all(behavior="wait")


def test_preparing_says_one_talks_with_an_ai_and_what_leaves_the_machine(page: Page) -> None:
    page.goto("#/exercise/conversation_libre_marie")
    expect(page.get_by_test_id("ai-notice")).to_contain_text("intelligence artificielle")
    expect(page.get_by_test_id("stages")).to_contain_text("est envoyé à api.scaleway.ai")
    expect(page.get_by_test_id("stages")).to_contain_text("Vosk, vosk-model-small-fr-0.22")
    expect(page.get_by_test_id("keep-audio")).not_to_be_checked()


def test_a_stage_that_is_not_ready_keeps_the_exercise_from_starting(
    page: Page, server: Any
) -> None:
    server.unready = "Installez espeak."
    page.goto("#/exercise/conversation_libre_marie")
    expect(page.get_by_test_id("blocked")).to_contain_text("Installez espeak.")
    expect(page.get_by_test_id("to-microphone")).to_have_count(0)


def test_a_chosen_provider_that_is_not_ready_is_told_beside_who_serves_in_its_place(
    page: Page, server: Any
) -> None:
    page.goto("#/exercise/conversation_libre_marie")
    expect(page.get_by_test_id("stages")).not_to_contain_text("pas prêt")
    server.passed_over = "elevenlabs: No key is set. Set ELEVEN_API_KEY."
    page.reload()
    stages = page.get_by_test_id("stages")
    expect(stages).to_have_attribute("open", "")
    expect(stages).to_contain_text("pas prêt elevenlabs: No key is set. Set ELEVEN_API_KEY.")
    expect(page.get_by_test_id("blocked")).to_have_count(0)
    expect(page.get_by_test_id("to-microphone")).to_have_count(1)


def test_by_ear_the_page_says_so_and_fetches_a_model_with_one_click(
    page: Page, server: Any
) -> None:
    server.by_ear = True
    page.goto("#/exercise/conversation_libre_marie")
    note = page.get_by_test_id("by-ear")
    expect(note).to_contain_text("Marie entend comment vous parlez, pas ce que vous dites")
    expect(note).to_contain_text("Vosk français, petit")
    stages = page.get_by_test_id("stages")
    expect(stages).to_contain_text("À l’oreille")
    expect(stages).not_to_contain_text("vosk-model-small-fr-0.22")
    page.get_by_test_id("download-model").click()
    expect(note.locator("progress")).to_be_visible()
    expect(note).to_contain_text("vos mots seront reconnus")
    expect(note).not_to_contain_text("pas ce que vous dites")
    expect(stages).to_contain_text("Vosk, vosk-model-small-fr-0.22")
    expect(stages).to_have_count(1)


@pytest.mark.parametrize(
    ("language", "said"), [("fr", "Voix de synthèse simple."), ("en", "Plain synthetic voice.")]
)
def test_what_ships_is_told_in_the_reader_s_language(page: Page, language: str, said: str) -> None:
    page.goto("")
    page.get_by_test_id("language").select_option(language)
    page.goto("#/exercise/conversation_libre_marie")
    expect(page.get_by_test_id("stages")).to_contain_text(said)
    expect(page.get_by_test_id("stages")).not_to_contain_text("The voice of espeak.")


def test_a_provider_of_a_third_party_is_told_as_the_server_tells_it(
    page: Page, server: Any
) -> None:
    server.voice = "gradium"
    page.goto("#/exercise/conversation_libre_marie")
    expect(page.get_by_test_id("stages")).to_contain_text("gradium")
    expect(page.get_by_test_id("stages")).to_contain_text("The voice of gradium.")


def test_a_steady_noise_is_not_taken_for_a_voice(page: Page) -> None:
    page.goto("#/")
    heard = page.evaluate(
        """async () => {
          const { Check } = await import("./talk/level.js");
          const after = (levels) => {
            const check = new Check();
            return levels.map((level) => check.add({ level, clipped: 0 })).at(-1);
          };
          const noise = Array.from({ length: 250 }, (_, n) => 0.05 + 0.004 * (n % 3));
          const voice = noise.map((_, n) => (n % 15 < 9 ? 0.08 : 0.004));
          return [after(noise), after(voice)].map(({ heard, advice }) => [heard, advice]);
        }"""
    )
    assert heard == [[False, "noise"], [True, None]]


def test_one_can_hear_oneself_and_nothing_is_sent(page: Page, server: Any) -> None:
    page.add_init_script(
        "window.played = [];"
        "const start = AudioBufferSourceNode.prototype.start;"
        "AudioBufferSourceNode.prototype.start = function () {"
        "  const samples = this.buffer.getChannelData(0);"
        "  window.played.push([this.buffer.duration, Math.max(...samples)]);"
        "  return start.call(this);"
        "};"
    )
    page.goto("#/exercise/conversation_libre_marie")
    page.get_by_test_id("to-microphone").click()
    page.get_by_test_id("mic-ok").wait_for()
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.method))
    page.get_by_test_id("record").press("Enter")
    told = page.get_by_test_id("recorded")
    expect(told).to_contain_text("Parlez")
    expect(told).to_contain_text("Voici ce que l’on entend")
    [[seconds, peak]] = page.evaluate("window.played")
    assert seconds == pytest.approx(3.0)
    assert peak > 0.1
    expect(page.get_by_test_id("record")).to_have_attribute("aria-disabled", "false")
    expect(page.get_by_test_id("record")).to_be_focused()
    assert set(requests) <= {"GET"}
    assert server.talks == []


def test_an_unreachable_model_host_is_said_and_the_exercise_goes_on(
    page: Page, server: Any
) -> None:
    server.by_ear = True
    server.download = "failed"
    page.goto("#/exercise/conversation_libre_marie")
    note = page.get_by_test_id("by-ear")
    expect(note.get_by_role("alert")).to_contain_text("connexion refusée")
    expect(page.get_by_test_id("download-model")).to_be_visible()
    expect(page.get_by_test_id("to-microphone")).to_be_visible()


@pytest.mark.parametrize(
    ("error", "message", "screen"),
    [
        ("NotAllowedError", "Permission denied", "mic-denied"),
        ("NotAllowedError", "Permission denied by system", "mic-denied_by_system"),
        ("NotFoundError", "", "mic-absent"),
        ("NotReadableError", "", "mic-busy"),
    ],
)
def test_each_obstacle_has_its_own_screen_and_a_way_on(
    page: Page, error: str, message: str, screen: str
) -> None:
    page.add_init_script(
        "const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);"
        "let first = true;"
        "navigator.mediaDevices.getUserMedia = (wanted) => {"
        "  if (!first) return real(wanted);"
        "  first = false;"
        f"  return Promise.reject(new DOMException({json.dumps(message)}, {json.dumps(error)}));"
        "}"
    )
    page.goto("#/exercise/conversation_libre_marie")
    page.get_by_test_id("to-microphone").click()
    expect(page.get_by_test_id(screen).locator("li")).to_have_count(3)
    expect(page.locator("h1")).to_be_focused()
    page.get_by_test_id("mic-retry").click()
    expect(page.get_by_test_id("mic-ok")).to_contain_text("Je vous entends")
    expect(page.get_by_test_id("keep-audio")).to_have_count(0)  # it was asked before
    expect(page.locator("main")).not_to_contain_text("null")


def unasked(page: Page, hash_: str) -> None:
    """Goes there as a link from elsewhere does. Playwright's looking at a page counts as a click of
    its reader, so nothing looks before the view is drawn."""
    page.goto(hash_, wait_until="networkidle")


def test_an_insecure_address_and_an_old_browser_are_told_apart(page: Page) -> None:
    page.add_init_script("Object.defineProperty(window, 'isSecureContext', {value: false})")
    unasked(page, "#/exercise/conversation_libre_marie/microphone")
    page.get_by_test_id("mic-open").click()
    expect(page.get_by_test_id("mic-insecure")).to_contain_text("HTTPS")


def test_an_old_browser_is_told_so(page: Page) -> None:
    page.add_init_script("delete window.AudioWorkletNode")
    unasked(page, "#/exercise/conversation_libre_marie/microphone")
    page.get_by_test_id("mic-open").click()
    expect(page.get_by_test_id("mic-unsupported")).to_be_visible()


def test_the_whole_way_can_be_gone_by_keyboard(page: Page, server: Any) -> None:
    def reach(test_id: str) -> None:
        for _ in range(60):
            if page.evaluate("document.activeElement?.dataset.testid") == test_id:
                return
            page.keyboard.press("Tab")
        pytest.fail(f"{test_id} cannot be reached by Tab")

    page.goto("")
    page.locator("main h1").wait_for()
    reach("exercise-conversation_libre_marie")
    page.keyboard.press("Enter")
    page.get_by_test_id("to-microphone").wait_for()
    reach("keep-audio")
    page.keyboard.press("Space")
    reach("to-microphone")
    page.keyboard.press("Enter")
    page.get_by_test_id("mic-ok").wait_for()
    reach("start")
    page.keyboard.press("Enter")
    page.get_by_test_id("talk").wait_for()
    reach("end")
    page.keyboard.press("Enter")
    page.wait_for_url("**/#/report/*")
    assert server.talks[0].hello["keep_audio"] is True
    page.get_by_test_id("report-headline").wait_for()
    reach("drill-open")
    page.keyboard.press("Enter")
    page.wait_for_url("**/#/exercise/conversation_libre_marie/microphone")


def test_the_report_follows_its_sound(page: Page) -> None:
    page.goto("#/report/s-20261121-1")
    expect(page.get_by_test_id("report-headline")).to_contain_text("élans")
    word = page.locator(".turn.learner .word", has_text="présenté")
    word.click()
    expect(word).to_have_class(re.compile(r"\bnow\b"))
    assert page.evaluate("document.querySelector('audio').currentTime") > 5
    time = page.get_by_test_id("turn-time").nth(1)
    time.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(page.locator(".turn.learner .word").nth(1)).to_have_class(re.compile(r"\bnow\b"))
    expect(page.locator(".playhead").first).to_have_attribute("visibility", "visible")


def test_every_picture_is_also_a_sentence_and_a_table(page: Page) -> None:
    page.goto("#/report/s-20261121-1")
    for name in ("timeline", "pace", "pitch", "intensity"):
        figure = page.get_by_test_id(name)
        expect(figure.locator("svg")).to_have_attribute("aria-label", re.compile(r"\w+ \w+"))
        expect(figure.locator("figcaption p")).to_have_text(re.compile(r"\.$"))
        figure.locator("summary").click()
        figure.locator("tbody tr").first.wait_for()
        rows = figure.locator("tbody tr")
        assert 5 <= rows.count() <= 60


def test_a_score_is_a_range_in_words_with_its_reasons(page: Page) -> None:
    page.goto("#/report/s-20261121-1")
    fluency = page.get_by_test_id("score-fluency")
    expect(fluency).to_contain_text("Atteint")
    expect(fluency).to_contain_text("entre 66 et 81 sur 100")
    fluency.locator("summary").first.click()
    expect(fluency).to_contain_text("zone visée\u00a0: 4,2 à 5,6\u00a0syllabes/s")
    expect(fluency).to_contain_text("Préfontaine 2016")
    engagement = page.get_by_test_id("score-engagement")
    expect(engagement).to_contain_text("Non évalué")
    expect(engagement).to_contain_text("bruit de fond")
    assert engagement.locator(".range").count() == 0


def test_a_report_by_ear_and_without_sound_is_still_a_report(page: Page, server: Any) -> None:
    report = json.loads(json.dumps(server.report))
    for turn in report["turns"]:
        if turn["speaker"] == "learner":
            turn.update(text="", words=None)
    report["quality"]["words_heard"] = False
    report["audio"] = []
    report["pitch"].update(times=[], values=[])
    report["feedback"].update(strengths=[], priority=None, drill=None)
    server.report = report
    page.goto("#/report/s-20261121-1")
    expect(page.get_by_test_id("transcript")).to_contain_text("sur le son seul")
    expect(page.get_by_test_id("transcript")).to_contain_text("Le son n’a pas été gardé")
    expect(page.locator(".figures")).to_contain_text("42\u00a0s de votre parole.")
    assert page.locator("audio").count() == 0


@pytest.mark.parametrize(
    ("language", "turns", "words"),
    [("fr", "en 1 tour, avec 0 pause d’", "1 mot."), ("en", "in 1 turn, with 0 pauses", "1 word.")],
)
def test_one_is_singular_and_who_never_speaks_has_no_colour(
    page: Page, server: Any, language: str, turns: str, words: str
) -> None:
    """A recording: one turn of the learner, nobody else."""
    report = json.loads(json.dumps(server.report))
    only = next(turn for turn in report["turns"] if turn["speaker"] == "learner")
    only["pauses"] = []
    report.update(turns=[only], word_count=1, reason="recording")
    server.report = report
    page.goto("")
    page.get_by_test_id("language").select_option(language)
    page.goto("#/report/s-20261121-1")
    timeline = page.get_by_test_id("timeline")
    expect(timeline.locator("figcaption")).to_contain_text(turns)
    expect(timeline.locator(".key.other")).to_have_count(0)
    expect(page.locator(".figures")).to_contain_text(words)
    expect(page.locator(".figures")).not_to_contain_text("espeak")
    expect(page.get_by_test_id("end")).to_have_count(0)


@pytest.mark.parametrize(
    ("language", "said", "listed"),
    [
        ("fr", "la page a été fermée", "interrompue\u00a0: la page a été fermée"),
        ("en", "the page was closed", "cut short: the page was closed"),
    ],
)
def test_why_it_ended_is_said_in_words(
    page: Page, server: Any, language: str, said: str, listed: str
) -> None:
    server.report = {**server.report, "status": "interrupted", "reason": "page_closed"}
    page.goto("")
    page.get_by_test_id("language").select_option(language)
    page.goto("#/report/s-20261121-1")
    expect(page.get_by_test_id("end")).to_contain_text(said)
    page.goto("#/history")
    expect(page.get_by_test_id("session-s-20261121-1")).to_contain_text(listed)


def test_an_unknown_report_says_why(page: Page) -> None:
    page.goto("#/report/unknown")
    problem = page.get_by_test_id("problem")
    expect(problem).to_contain_text("Aucune session gardée ne porte ce nom.")
    expect(problem).to_contain_text("Elle a peut-être été effacée.")


def test_erasing_asks_first(page: Page, server: Any) -> None:
    page.goto("#/history")
    session = page.get_by_test_id("session-s-20261121-2")
    session.get_by_role("button").click()
    page.get_by_test_id("erase-no").click()
    assert server.deleted == []
    session.get_by_role("button").click()
    page.get_by_test_id("erase-yes").click()
    expect(session).to_have_count(0)
    assert server.deleted == ["s-20261121-2"]


def test_the_report_alone_in_a_file_draws_itself(browser: Browser, tmp_path: Path) -> None:
    report = Report.model_validate_json((Path(__file__).parent / "report.json").read_bytes())
    file = tmp_path / "report.html"
    file.write_text(report_html(report, WEB, None), encoding="utf-8")
    context = browser.new_context(locale="en-GB", viewport={"width": 390, "height": 844})
    page = context.new_page()
    errors: list[str] = []
    requests: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(file.as_uri())
    expect(page.get_by_test_id("report-headline")).to_contain_text("élans")
    expect(page.get_by_test_id("timeline").locator("svg")).to_be_visible()
    expect(page.locator("html")).to_have_attribute("lang", "fr")
    assert errors == []
    assert requests == [file.as_uri()]
    context.close()
