"""A conversation in a room, at the page: one session for one start, and nobody is ever lost."""

import asyncio
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from tests.web.conftest import problem, until
from tests.web.test_talk import begin, start, state

pytestmark = pytest.mark.e2e

HEAR = """
const connect = AudioNode.prototype.connect;
window.loudest = 0;
AudioNode.prototype.connect = function (to, ...rest) {
  if (to === this.context.destination) {
    const ear = new AnalyserNode(this.context, { fftSize: 2048 });
    const block = new Float32Array(2048);
    setInterval(() => {
      ear.getFloatTimeDomainData(block);
      window.now = block.reduce((most, one) => Math.max(most, Math.abs(one)), 0);
      window.loudest = Math.max(window.loudest, window.now);
    }, 50);
    connect.call(this, ear);
  }
  return connect.call(this, to, ...rest);
};
"""
LIVE: dict[str, Any] = {
    "id": "s-20261121-1", "exercise": "conversation_libre_marie", "language": "fr",
    "title": "Conversation libre avec Marie", "character": "Marie", "duration": None,
    "started_at": 1_795_255_200.0, "status": "live", "reason": "", "audio": [], "room": True,
    "purpose": "exercise", "of": "", "exam": False,
}  # fmt: skip


@pytest.fixture
def rooms(server: Any) -> Any:
    server.rooms = True
    return server


async def coach(talk: Any) -> None:
    """A partner who comes, listens, and lets the learner end the conversation."""
    await talk.come()
    await talk.ready()
    await talk.send("state", state="listening")
    await talk.wait("end")
    await talk.end()


def test_one_start_makes_one_session_with_what_was_chosen(page: Page, rooms: Any) -> None:
    """SES: pressed again and again, « Commencer » is still one press, with one key."""
    rooms.script = coach
    page.goto("#/exercise/entretien")
    page.get_by_role("radio", name="Devant trois personnes").check()
    page.get_by_test_id("to-microphone").click()
    page.get_by_test_id("start").wait_for()
    page.evaluate(
        "for (let n = 0; n < 100; n += 1) document.querySelector('[data-testid=start]').click()"
    )
    state(page, "listening")
    [(key, hello)] = rooms.begun
    assert key is not None
    assert len(key) == 32
    assert (hello["type"], hello["exercise"], hello["scenario"]) == ("hello", "entretien", "panel")
    assert len(rooms.talks) == 1
    assert rooms.talks[0].tracks == 1
    assert page.url.endswith("#/session/s-20261121-1/talk")
    page.get_by_test_id("end").click()
    page.wait_for_url("**/#/report/s-20261121-1")
    assert rooms.talks[0].socket.closed


def test_another_start_has_another_key(page: Page, rooms: Any) -> None:
    rooms.script = coach
    for _ in range(2):
        begin(page)
        state(page, "listening")
        page.get_by_test_id("end").click()
        page.wait_for_url("**/#/report/*")
    assert len({key for key, _ in rooms.begun}) == 2


def test_an_answer_that_was_lost_is_asked_for_with_the_same_key(page: Page, rooms: Any) -> None:
    rooms.script = coach
    page.route("**/api/v1/sessions", lambda route: route.abort(), times=1)
    begin(page)
    state(page, "listening")
    assert len(rooms.begun) == 1


def test_the_learner_says_they_are_there_until_they_are_answered(page: Page, rooms: Any) -> None:
    async def slow(talk: Any) -> None:
        await talk.wait("joined")
        await asyncio.sleep(2.5)
        await talk.ready()
        await talk.send("state", state="listening")
        await asyncio.sleep(2.5)
        await talk.end()

    rooms.script = slow
    begin(page)
    page.wait_for_url("**/#/report/*")
    joined = [m for _, m in rooms.talks[0].messages if m["type"] == "joined"]
    assert 5 <= len(joined) <= 10


def test_what_the_coach_says_is_heard_and_shown(page: Page, rooms: Any) -> None:
    """The sound reaches the loudspeaker, the captions and long messages the screen."""

    async def speak(talk: Any) -> None:
        await talk.come()
        await talk.ready(level=2)
        await talk.send("state", state="speaking")
        await talk.send("segment_start", segment=1)
        await talk.say("character", "Bonjour.", id="a")
        await talk.tell(
            "data", stream=True,
            text='{"type": "hint", "text": "Une piste", "about": "start", "spoken": false}',
        )  # fmt: skip
        await talk.wait("interrupt")
        await talk.send("playback_clear", segment=1)
        await talk.send("state", state="listening")
        await talk.wait("release")
        await talk.wait("pause")
        await talk.wait("resume")
        await talk.wait("say", text="Je tape.")
        await talk.wait("set_patience", seconds=5)
        await talk.end()

    rooms.script = speak
    page.add_init_script(HEAR)
    begin(page)
    state(page, "speaking")
    expect(page.get_by_test_id("caption")).to_have_text("MarieBonjour.")
    expect(page.get_by_test_id("hint")).to_have_text("Une piste")
    expect(page.get_by_test_id("labels")).to_contain_text("Niveau 2 sur 4")
    until(page, lambda: page.evaluate("window.loudest > 0.1"))
    expect(page.locator(".ring")).not_to_have_attribute("style", "--level: 0.000;")
    page.keyboard.press("Escape")
    state(page, "cut")
    state(page, "listening")
    page.get_by_test_id("done").click()
    page.get_by_test_id("pause").click()
    state(page, "paused")
    until(page, lambda: page.evaluate("window.now < 0.001"))
    page.get_by_test_id("pause").click()
    until(page, lambda: page.evaluate("window.now > 0.1"))
    page.get_by_test_id("say-text").fill("Je tape.")
    page.keyboard.press("Enter")
    page.get_by_test_id("options").locator("summary").click()
    page.get_by_test_id("patience").fill("5")
    page.wait_for_url("**/#/report/*")
    kinds = {message["type"] for _, message in rooms.talks[0].messages}
    assert not any(kind.startswith("playback") for kind in kinds)


def test_only_the_newest_coach_is_listened_to(page: Page, rooms: Any) -> None:
    async def replaced(talk: Any) -> None:
        await talk.come()
        await talk.ready()
        await talk.send("state", state="listening")
        talk.coach = "coach-2"
        talk.messages.clear()
        await talk.come()
        await talk.ready(resumed=True, elapsed=61.0)
        talk.coach = "coach-1"
        await talk.say("character", "Je suis une ombre.", id="ghost")
        await talk.tell("ParticipantDisconnected")
        talk.coach = "intruder"
        await talk.send("ended", session="x", status="complete", reason="learner")
        talk.coach = "coach-2"
        await talk.say("character", "Où en étions-nous ?", id="new")
        await talk.wait("end")
        await talk.end()

    rooms.script = replaced
    begin(page)
    expect(page.get_by_test_id("caption")).to_have_text("MarieOù en étions-nous ?")
    expect(page.get_by_test_id("banner")).to_have_text("Marie est de retour.")
    expect(page.get_by_test_id("timer")).to_contain_text("1:0")
    page.get_by_test_id("end").click()
    page.wait_for_url("**/#/report/*")


def test_a_coach_who_is_lost_is_waited_for(page: Page, rooms: Any) -> None:
    """What is typed meanwhile is kept; pause and push-to-talk are told to the next coach, who
    knows nothing of them."""
    heard: list[str] = []

    async def lost(talk: Any) -> None:
        await talk.come()
        await talk.ready()
        await talk.send("state", state="listening")
        await talk.wait("pause")
        await talk.send("state", state="paused")
        await talk.tell("ParticipantDisconnected")
        talk.messages.clear()
        await asyncio.sleep(1.5)
        assert [m for _, m in talk.messages if m["type"] == "say"] == []
        talk.coach = "coach-2"
        await talk.come()
        await talk.ready(resumed=True)
        await talk.wait("say", text="Je suis là.")
        await talk.wait("set_push_to_talk", on=False)
        await talk.wait("pause")
        heard.extend(message["type"] for _, message in talk.messages)
        await talk.wait("end")
        await talk.end()

    rooms.script = lost
    begin(page)
    state(page, "listening")
    page.get_by_test_id("pause").click()
    banner = page.get_by_test_id("banner")
    expect(banner).to_contain_text("La liaison avec Marie est coupée")
    expect(banner).to_have_attribute("role", "status")
    page.get_by_test_id("say-text").fill("Je suis là.")
    page.keyboard.press("Enter")
    expect(banner).to_have_text("Marie est de retour.")
    state(page, "paused")
    page.get_by_test_id("end").click()
    page.wait_for_url("**/#/report/*")
    assert [kind for kind in heard if kind != "joined"] == ["say", "set_push_to_talk", "pause"]


def test_a_line_that_is_lost_is_joined_again_and_shows_what_is_safe_once(
    page: Page, rooms: Any
) -> None:
    """SES: a fresh token, the same session; the timer goes on, and no line stands twice."""

    async def lost(talk: Any) -> None:
        if len(rooms.talks) == 1:
            await talk.come()
            await talk.ready()
            await talk.say("character", "Bonjour.", id="u1")
            await talk.send("turn_stored", index=0, speaker="character", response=None)
            await talk.say("learner", "Bonjour Marie.", id="l1")
            await talk.send("turn_stored", index=1, speaker="learner", response=None)
            await talk.say("character", "Racontez-m", id="u2", final=False)
            await talk.tell("Reconnecting")
            await asyncio.sleep(1.5)
            await talk.tell("leave", reason=3)
            return
        await talk.come()
        await talk.ready(resumed=True, elapsed=125.0)
        await talk.say("character", "Bonjour.", id="t0")
        await talk.say("learner", "Bonjour Marie.", id="t1")
        await talk.say("character", "Racontez-moi.", id="t2")
        await talk.wait("end")
        await talk.end()

    rooms.script = lost
    begin(page)
    banner = page.get_by_test_id("banner")
    expect(banner).to_contain_text("Connexion perdue\u00a0: nous vous reconnectons")
    state(page, "connecting")
    expect(banner).to_have_text("Vous revoilà.")
    state(page, "listening")
    expect(page.get_by_test_id("caption")).to_have_text(
        ["MarieBonjour.", "VousBonjour Marie.", "MarieRacontez-moi."]
    )
    expect(page.get_by_test_id("timer")).to_contain_text("2:0")
    assert rooms.rejoined == ["s-20261121-1"]
    assert len(rooms.begun) == 1
    assert rooms.talks[0].hello["token"] != rooms.talks[1].hello["token"]
    assert rooms.talks[1].tracks == 1, "the microphone is in the new room"
    expect(banner).to_be_empty(timeout=8000)
    page.get_by_test_id("end").click()
    page.wait_for_url("**/#/report/*")


def test_a_room_that_cannot_be_reached_is_tried_again(page: Page, rooms: Any) -> None:
    """Back-off, and no waiting once the browser says that it is online again."""

    async def lost(talk: Any) -> None:
        await coach(talk) if len(rooms.talks) > 1 else await leave(talk)

    async def leave(talk: Any) -> None:
        await talk.come()
        await talk.ready()
        rooms.reachable = False
        await talk.tell("leave", reason=3)

    rooms.script = lost
    begin(page)
    expect(page.get_by_test_id("banner")).to_have_attribute("data-missing", "line")
    page.wait_for_timeout(4500)
    tries = len(rooms.rejoined)
    assert 3 <= tries <= 5, "0.3, 0.6, 1.2, 2.4, 4.8 s between them"
    rooms.reachable = True
    page.evaluate("window.dispatchEvent(new Event('online'))")
    expect(page.get_by_test_id("banner")).to_have_text("Vous revoilà.", timeout=1000)


def test_going_offline_is_said_at_once(page: Page, rooms: Any) -> None:
    rooms.script = coach
    begin(page)
    state(page, "listening")
    page.evaluate("window.dispatchEvent(new Event('offline'))")
    expect(page.get_by_test_id("banner")).to_contain_text("Connexion perdue", timeout=500)


def test_a_session_that_ended_meanwhile_leads_to_its_report(page: Page, rooms: Any) -> None:
    async def leave(talk: Any) -> None:
        await talk.come()
        await talk.ready()
        rooms.refusals["rejoin"] = [problem(503, "room"), problem(410, "session_ended")]
        await talk.tell("leave", reason=3)

    rooms.script = leave
    begin(page)
    page.wait_for_url("**/#/report/s-20261121-1")
    assert len(rooms.rejoined) == 2


def test_a_session_that_ended_when_nobody_could_be_told_leads_to_its_report(
    page: Page, rooms: Any
) -> None:
    async def leave(talk: Any) -> None:
        await talk.come()
        await talk.ready()
        rooms.refusals["rejoin"] = [problem(503, "room"), problem(410, "session_ended")]
        await talk.tell("ParticipantDisconnected")

    rooms.script = leave
    page.clock.install()
    begin(page)
    expect(page.get_by_test_id("banner")).to_have_attribute("data-missing", "partner")
    assert rooms.rejoined == []
    page.clock.run_for(6000)
    expect(page.get_by_test_id("banner")).to_have_attribute("data-missing", "partner")
    page.clock.run_for(11_000)
    page.wait_for_url("**/#/report/s-20261121-1")
    assert len(rooms.rejoined) == 2


def test_whoever_stays_alone_joins_anew_and_says_whom_they_miss(page: Page, rooms: Any) -> None:
    """P: the coach is well, in another room of the same name on another LiveKit server."""

    async def apart(talk: Any) -> None:
        if len(rooms.talks) > 1:
            talk.coach = "coach-2"
            await coach(talk)
        else:
            await talk.come()
            await talk.ready()
            await talk.tell("ParticipantDisconnected")

    rooms.script = apart
    page.clock.install()
    begin(page)
    expect(page.get_by_test_id("banner")).to_have_attribute("data-missing", "partner")
    assert rooms.missing == []
    page.clock.run_for(6000)
    state(page, "listening")
    assert rooms.missing == [1]
    assert len(rooms.begun) == 1
    assert rooms.talks[1].tracks == 1, "the microphone is in the new room"


def test_ending_without_the_coach_is_told_to_the_server(page: Page, rooms: Any) -> None:
    async def leave(talk: Any) -> None:
        await talk.come()
        await talk.ready()
        await talk.tell("ParticipantDisconnected")

    rooms.script = leave
    begin(page)
    expect(page.get_by_test_id("banner")).to_have_attribute("data-missing", "partner")
    page.get_by_test_id("end").click()
    page.wait_for_url("**/#/report/s-20261121-1")
    assert rooms.ended == ["s-20261121-1"]


def test_a_session_that_is_opened_elsewhere_is_not_fought_for(page: Page, rooms: Any) -> None:
    async def take_away(talk: Any) -> None:
        await talk.come()
        await talk.ready()
        rooms.live = [LIVE]
        await talk.tell("leave", reason=2)

    rooms.script = take_away
    start(page)
    failed = page.get_by_test_id("failed")
    expect(failed).to_contain_text("La séance continue ailleurs")
    failed.get_by_test_id("resume").click()
    expect(page.get_by_test_id("live")).to_contain_text("Marie vous attend")
    assert rooms.rejoined == []


def test_a_coach_who_does_not_come_is_told_of_and_then_given_up(page: Page, rooms: Any) -> None:
    async def nobody(talk: Any) -> None:
        await talk.wait("end")

    rooms.script = nobody
    page.clock.install()
    start(page)
    page.get_by_test_id("talk").wait_for()
    until(page, lambda: "#/session/" in page.url)
    banner = page.get_by_test_id("banner")
    page.clock.run_for(4000)
    expect(banner).to_be_empty()
    page.clock.run_for(3000)
    expect(banner).to_contain_text("Marie met un peu de temps à arriver")
    page.clock.run_for(15_000)
    failed = page.get_by_test_id("failed")
    expect(failed).to_contain_text("Votre partenaire ne vient pas")
    expect(failed.get_by_test_id("resume")).to_have_attribute("href", "#/session/s-20261121-1")


def test_a_refusal_says_when_another_try_makes_sense(page: Page, rooms: Any) -> None:
    rooms.refusals["begin"] = [problem(429, "too_many", wait=3)]
    rooms.script = coach
    start(page)
    failed = page.get_by_test_id("failed")
    expect(failed).to_contain_text("Trop de demandes à la fois")
    button = failed.get_by_test_id("later")
    expect(button).to_have_text("Recommencer dans 2\u00a0s")
    expect(button).to_have_attribute("aria-disabled", "true")
    expect(button).to_have_text("Recommencer")
    button.click()
    page.get_by_test_id("start").click()
    state(page, "listening")


def test_a_session_that_is_in_the_way_can_be_gone_on_with(page: Page, rooms: Any) -> None:
    rooms.refusals["begin"] = [problem(429, "session_live", wait=60, session="s-20261121-1")]
    rooms.live = [LIVE]
    start(page)
    expect(page.get_by_test_id("failed")).to_contain_text("Une autre de vos séances est en cours")
    page.get_by_test_id("failed").get_by_test_id("resume").click()
    expect(page.get_by_test_id("live").get_by_role("heading")).to_have_text("Séance en cours")


@pytest.mark.parametrize("where", ["#/", "#/history"])
def test_a_live_session_is_offered_where_sessions_are(page: Page, rooms: Any, where: str) -> None:
    """It is taken up without another one being made."""

    async def again(talk: Any) -> None:
        await talk.come()
        await talk.ready(resumed=True, elapsed=30.0)
        await talk.say("learner", "Bonjour Marie.", id="t1")
        await talk.wait("set_push_to_talk", on=False)
        await talk.wait("end")
        await talk.end()

    rooms.script = again
    rooms.live = [LIVE]
    page.goto(where)
    offered = page.get_by_test_id("live-s-20261121-1")
    expect(offered).to_contain_text("Séance en cours")
    expect(page.get_by_test_id("session-s-20261121-1")).to_have_count(
        1 if where == "#/history" else 0
    )
    offered.get_by_test_id("resume").click()
    state(page, "listening")
    expect(page.get_by_test_id("caption")).to_have_text("VousBonjour Marie.")
    assert rooms.begun == []
    assert rooms.talks[0].tracks == 1
    page.get_by_test_id("end").click()
    page.wait_for_url("**/#/report/s-20261121-1")


def test_a_live_session_can_be_ended_from_outside(page: Page, rooms: Any) -> None:
    rooms.live = [LIVE]
    page.goto("#/")
    page.get_by_test_id("end-live").click()
    page.wait_for_url("**/#/report/s-20261121-1")
    assert rooms.ended == ["s-20261121-1"]


def test_reloading_in_the_middle_leads_back_with_one_click(page: Page, rooms: Any) -> None:
    rooms.script = coach
    begin(page)
    state(page, "listening")
    rooms.live = [LIVE]
    page.reload()
    expect(page.get_by_test_id("live").get_by_role("heading")).to_have_text("Séance en cours")
    page.get_by_test_id("resume").click()
    state(page, "listening")
    assert len(rooms.begun) == 1
    assert rooms.rejoined == ["s-20261121-1"]
    page.get_by_test_id("end").click()
    page.wait_for_url("**/#/report/*")


def test_one_can_come_back_by_typing(browser: Browser, rooms: Any) -> None:
    rooms.script = coach
    rooms.live = [LIVE]
    context = browser.new_context(base_url=rooms.address, locale="en-GB")
    page = context.new_page()
    page.add_init_script(
        "navigator.mediaDevices.getUserMedia = () =>"
        " Promise.reject(new DOMException('gone', 'NotFoundError'))"
    )
    page.goto("#/session/s-20261121-1")
    page.get_by_test_id("resume").click()
    page.get_by_test_id("mic-absent").wait_for()
    page.goto("#/session/s-20261121-1")
    page.get_by_test_id("resume-typing").click()
    state(page, "listening")
    assert rooms.talks[0].tracks == 0
    context.close()


def test_a_session_that_is_over_leads_to_its_report(page: Page, rooms: Any) -> None:
    page.goto("#/session/s-20261121-1/talk")
    page.wait_for_url("**/#/report/s-20261121-1")


def test_the_library_is_fetched_for_rooms_alone(page: Page, server: Any) -> None:
    fetched: list[str] = []
    page.on("request", lambda request: fetched.append(request.url))
    begin(page)
    state(page, "listening")
    assert not any("vendor" in url for url in fetched)
