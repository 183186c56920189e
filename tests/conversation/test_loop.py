"""The coaching loop in a real conversation: warm-up, hints, levels, requests by voice, exam."""

import asyncio
from collections.abc import Callable, Iterable

import numpy as np
import pytest
from tests.conversation.conftest import Talk

from eloquence import protocol
from eloquence.bootstrap.practice import Practice
from eloquence.coaching.lines import Lines
from eloquence.coaching.phrases import DrillPhrase
from eloquence.coaching.practice import drill_exercise, retry_exercise
from eloquence.coaching.session import Turn
from eloquence.conversation.conversation import Conversation
from eloquence.conversation.stages import Resources
from eloquence.providers import ear, script
from eloquence.storage import content
from eloquence.testing import clock
from eloquence.testing.context import stage_context
from eloquence.testing.learner import Learner
from eloquence.transports.client import ToldError

pytestmark = pytest.mark.speech
SECOND = bytes(32_000)
INTERVIEW = "entretien_embauche"
FREE = "conversation_libre_marie"


def lines() -> Lines:
    return content.load().lines("fr")


def opening(exercise: str) -> str:
    return content.load().exercise(exercise, "fr").scenario().prompts.initial


def spoken(talk: Talk, speaker: str) -> list[Turn]:
    return [turn for turn in talk.stored.turns if turn.speaker == speaker]


def offline(talk: Talk, exercise: str, *, exam: bool = False, hear: bool = True) -> None:
    """The offline coach answers; by ear unless `hear`."""
    library = content.load()
    found = library.exercise(exercise, "fr")
    found = talk.practice.exercise if talk.practice else found

    def stages() -> None:
        plain = stage_context(resources=Resources())
        context = type(plain)(
            language="fr",
            exercise=found,
            scenario=found.scenario(),
            character=plain.character,
            resources=plain.resources,
            last_turn=talk.last_turn,
            exam=exam,
        )
        talk.llm = script.create(script.Options(), context)  # type: ignore[assignment]
        if not hear:
            talk.stt = ear.create(ear.Options(), context)  # type: ignore[assignment]
            talk.by_ear = True

    talk.prepare = stages


async def answer(learner: Learner, sound: bytes, times: int = 1) -> None:
    """Speaks, and waits for the character's answer to it."""
    for _ in range(times):
        await learner.say(sound)
        await learner.quiet()


# warm-up


@pytest.mark.parametrize("coach", ["model", "offline", "by ear"])
def test_a_warm_up_is_two_easy_turns_then_the_exact_first_line_of_the_scene(
    talk: Talk, sentence: bytes, coach: str
) -> None:
    """ST-04: its turns are marked, nothing is generated meanwhile, and its time does not count."""
    talk.hello = protocol.Hello(exercise=FREE, warm_up=True)
    if coach != "model":
        offline(talk, FREE, hear=coach == "offline")

    async def held(learner: Learner) -> None:
        await learner.quiet()
        assert not learner.said("phase")
        await answer(learner, sentence)
        await learner.say(sentence)
        await learner.until(lambda: learner.count("phase", phase="exercise") > 0)
        await learner.until(lambda: learner.count("turn_stored", speaker="character") == 4)
        await answer(learner, sentence)

    clock.run(talk.held(held))
    told = spoken(talk, "character")
    assert told[0].text in lines().warm_up.open
    assert told[1].text in lines().warm_up.more
    assert told[2].text in lines().warm_up.passage
    assert told[3].text == opening(FREE)
    assert [turn.phase for turn in told[:4]] == ["warm_up"] * 3 + ["exercise"]
    phases = [turn.phase for turn in spoken(talk, "learner")]
    assert phases == ["warm_up", "warm_up", "exercise"]
    ready = talk.learner.said("ready")[0]
    assert isinstance(ready, protocol.Ready)
    assert ready.phase == "warm_up"
    if coach == "model":
        assert len(talk.llm.asked) == 1
        before = [message.text_content for message in talk.llm.asked[0].messages()]
        assert opening(FREE) in before
        assert told[0].text not in before


def test_twenty_seconds_of_speech_are_warm_up_enough(talk: Talk, sentence: bytes) -> None:
    talk.hello = protocol.Hello(exercise=FREE, warm_up=True)
    long = sentence + (SECOND[:8_000] + sentence) * (1 + int(22 * 32_000 / len(sentence)))

    async def held(learner: Learner) -> None:
        await learner.quiet()
        await learner.say(long)
        await learner.until(lambda: learner.count("phase", phase="exercise") > 0)
        await learner.quiet()

    clock.run(talk.held(held))
    assert [turn.text for turn in spoken(talk, "character")][1] in lines().warm_up.passage
    assert len(spoken(talk, "learner")) == 1


def speaking_again(learner: Learner, before: int) -> Callable[[], bool]:
    """Whether the character spoke more often than before."""
    return lambda: learner.count("state", state="speaking") > before


def test_talking_over_the_passage_to_the_exercise_does_not_warm_up_for_ever(
    talk: Talk, sentence: bytes
) -> None:
    talk.hello = protocol.Hello(exercise=FREE, warm_up=True)

    async def held(learner: Learner) -> None:
        await learner.quiet()
        await answer(learner, sentence)
        for _ in range(12):
            if learner.said("phase"):
                break
            before = learner.count("state", state="speaking")
            await learner.say(sentence)
            await learner.until(speaking_again(learner, before))
        assert learner.said("phase")
        await learner.quiet()

    clock.run(talk.held(held))
    warming = [turn for turn in spoken(talk, "learner") if turn.phase == "warm_up"]
    assert 3 <= len(warming) <= 5


def test_the_exercise_s_time_starts_after_the_warm_up(talk: Talk, sentence: bytes) -> None:
    talk.hello = protocol.Hello(exercise=FREE, warm_up=True)
    talk.duration = 30.0

    async def held(learner: Learner) -> None:
        await learner.quiet()
        await learner.say(SECOND * 8)
        await answer(learner, sentence)
        await learner.say(SECOND * 8)
        await learner.say(sentence)
        await learner.until(lambda: learner.count("phase", phase="exercise") > 0)
        began = asyncio.get_running_loop().time()
        await learner.until(lambda: learner.count("ended") > 0, within=200)
        lasted = asyncio.get_running_loop().time() - began
        assert 30 <= lasted <= 60

    ended = clock.run(talk.held(held))
    assert (ended.status, ended.reason) == ("complete", "duration")


def test_nobody_who_stays_silent_is_kept_in_the_warm_up(talk: Talk) -> None:
    talk.hello = protocol.Hello(exercise=FREE, warm_up=True)

    async def held(learner: Learner) -> None:
        await learner.until(lambda: learner.count("phase", phase="exercise") > 0, within=120)
        await learner.quiet()

    clock.run(talk.held(held))
    assert spoken(talk, "character")[-1].text == opening(FREE)


@pytest.mark.parametrize("fault", ["noisy", "clipping", "quiet", "fine"])
def test_after_the_warm_up_the_microphone_s_fault_is_told_and_nothing_else(
    talk: Talk, sentence: bytes, fault: str
) -> None:
    talk.hello = protocol.Hello(exercise=FREE, warm_up=True)
    voice = np.frombuffer(sentence, "<i2").astype(np.float64)
    voice *= 12_000 / np.abs(voice).max()
    rng = np.random.default_rng(3)
    gain = {"clipping": 12.0, "quiet": 0.06}.get(fault, 1.0)
    edge = np.zeros(8_000)
    made = np.concatenate([edge, voice * gain, edge])
    if fault == "noisy":
        level = np.sqrt(np.mean(np.square(voice)))
        made += rng.normal(0, level / 10 ** (8 / 20), made.size)
    sound = np.clip(made, -32_768, 32_767).astype("<i2").tobytes()

    async def held(learner: Learner) -> None:
        await learner.quiet()
        for _ in range(2):
            stored = learner.count("turn_stored", speaker="learner")
            await learner.say(sound)
            await learner.until(
                lambda: learner.count("turn_stored", speaker="learner") > stored  # noqa: B023
            )
            await learner.quiet()
        await learner.until(lambda: learner.count("phase", phase="exercise") > 0)
        await learner.quiet()

    clock.run(talk.held(held))
    notices = talk.learner.said("notice")
    codes = {notice.code for notice in notices if isinstance(notice, protocol.Notice)}
    assert codes == (set() if fault == "fine" else {f"microphone_{fault}"})


# hints


def hints(learner: Learner) -> list[protocol.Hint]:
    return [hint for hint in learner.said("hint") if isinstance(hint, protocol.Hint)]


def test_a_blocked_learner_is_shown_one_hint_a_minute_and_hears_none(talk: Talk) -> None:
    talk.hello = protocol.Hello(exercise=INTERVIEW, goal="result")
    talk.idle = 600

    async def held(learner: Learner) -> None:
        await learner.quiet()
        asked = asyncio.get_running_loop().time()
        await learner.until(lambda: bool(hints(learner)))
        assert 5 < asyncio.get_running_loop().time() - asked < 6.5
        await learner.say(SECOND * 100)

    clock.run(talk.held(held))
    at = [time for time, message in talk.learner.messages if message.type == "hint"]
    assert len(at) == 2
    assert at[1] - at[0] >= 60
    first = hints(talk.learner)[0]
    assert (first.about, first.spoken) == ("result", False)
    assert first.text in lines().hints.parts["result"]
    assert not {hint.text for hint in hints(talk.learner)} & set(talk.tts.said)


@pytest.mark.parametrize("way", ["button", "voice"])
@pytest.mark.parametrize("coach", ["model", "offline"])
def test_a_hint_that_is_asked_for_is_shown_and_said_ahead_of_the_partner(
    talk: Talk, sentence: bytes, way: str, coach: str
) -> None:
    talk.hello = protocol.Hello(exercise=INTERVIEW, goal="result", hints=False)
    talk.stt.texts = ["Aidez-moi, s’il vous plaît."]
    if coach == "offline":
        offline(talk, INTERVIEW)

    async def held(learner: Learner) -> None:
        await learner.quiet()
        if way == "button":
            await learner.client.send(protocol.Help())
        else:
            await learner.say(sentence)
        await learner.quiet()

    clock.run(talk.held(held))
    (hint,) = hints(talk.learner)
    assert hint.spoken
    assert hint.text == spoken(talk, "character")[-1].text
    if coach == "model":
        assert not talk.llm.asked


@pytest.mark.parametrize("way", ["button", "voice"])
def test_help_in_the_warm_up_is_not_about_the_exercise(
    talk: Talk, sentence: bytes, way: str
) -> None:
    talk.hello = protocol.Hello(exercise=INTERVIEW, warm_up=True)
    talk.stt.texts = ["Aidez-moi, s’il vous plaît."]

    async def held(learner: Learner) -> None:
        await learner.quiet()
        if way == "button":
            await learner.client.send(protocol.Help())
        else:
            await learner.say(sentence)
        await learner.quiet()

    clock.run(talk.held(held))
    (hint,) = hints(talk.learner)
    assert hint.about == "start"


def test_help_for_one_who_is_talking_is_shown_and_not_said_over_them(
    talk: Talk, sentence: bytes
) -> None:
    async def held(learner: Learner) -> None:
        await learner.quiet()
        talking = asyncio.create_task(learner.say(sentence))
        await learner.until(lambda: learner.count("hearing", on=True) > 0)
        await learner.client.send(protocol.Help())
        await talking
        await learner.quiet()

    clock.run(talk.held(held))
    (hint,) = hints(talk.learner)
    assert not hint.spoken
    assert hint.text not in talk.tts.said
    assert len(spoken(talk, "learner")) == 1


def test_in_an_exam_there_is_no_hint_and_no_encouragement(talk: Talk, sentence: bytes) -> None:
    talk.hello = protocol.Hello(exercise=INTERVIEW, exam=True)
    talk.stt.texts = ["Aidez-moi."]
    offline(talk, INTERVIEW, exam=True)

    async def held(learner: Learner) -> None:
        await learner.quiet()
        await learner.client.send(protocol.Help())
        await learner.until(lambda: learner.count("notice", code="no_hint") > 0)
        await learner.say(SECOND * 40)
        await learner.say(sentence)
        await learner.quiet()

    clock.run(talk.held(held))
    assert not hints(talk.learner)
    assert spoken(talk, "character")[-1].text in lines().no_hint
    assert not {turn.text for turn in spoken(talk, "character")} & set(lines().silence)
    ready = talk.learner.said("ready")[0]
    assert isinstance(ready, protocol.Ready)
    assert (ready.exam, ready.hints) == (True, False)


# requests by voice


def test_a_pause_that_is_asked_for_by_voice_is_confirmed_and_then_kept(
    talk: Talk, sentence: bytes
) -> None:
    talk.stt.texts = ["On fait une pause ?", "Me revoilà."]

    async def held(learner: Learner) -> None:
        await learner.quiet()
        await learner.say(sentence)
        await learner.until(lambda: learner.count("state", state="paused") > 0)
        await learner.say(sentence + SECOND * 30)
        assert learner.count("turn_stored", speaker="learner") == 1
        await learner.client.send(protocol.Resume())
        await learner.say(sentence)
        await learner.quiet()

    clock.run(talk.held(held))
    assert talk.stored.end is not None
    assert talk.stored.end.status == "complete"
    assert talk.stored.end.duration < 30
    assert spoken(talk, "character")[1].text in lines().pausing
    assert spoken(talk, "learner")[-1].text == "Me revoilà."


@pytest.mark.parametrize("way", ["button", "voice"])
@pytest.mark.parametrize("coach", ["model", "offline"])
def test_starting_over_goes_back_to_the_first_question_and_forgets(
    talk: Talk, sentence: bytes, way: str, coach: str
) -> None:
    answered = "Je vise un poste de chef de projet."
    talk.hello = protocol.Hello(exercise=INTERVIEW)
    texts = [answered, "On recommence, s’il vous plaît."] if way == "voice" else [answered]
    talk.stt.texts = [*texts, "Un autre poste."]
    if coach == "offline":
        offline(talk, INTERVIEW)

    async def held(learner: Learner) -> None:
        await learner.quiet()
        await answer(learner, sentence)
        if way == "button":
            await learner.client.send(protocol.Restart())
        else:
            await learner.say(sentence)
        await learner.quiet()
        await answer(learner, sentence)

    clock.run(talk.held(held))
    told = [turn.text for turn in spoken(talk, "character")]
    assert told[0] == told[2] == opening(INTERVIEW)
    if coach == "model":
        known = [message.text_content for message in talk.llm.asked[-1].messages()]
        assert answered not in known
        assert "Un autre poste." in known
    else:
        first = content.load().exercise(INTERVIEW, "fr").scenario().script.steps[0]
        assert any(told[3].endswith(ask) for ask in first.ask)
    assert answered in [turn.text for turn in spoken(talk, "learner")]


def test_starting_over_in_a_warm_up_that_was_enough_warms_up_again(
    talk: Talk, sentence: bytes
) -> None:
    talk.hello = protocol.Hello(exercise=FREE, warm_up=True)

    async def held(learner: Learner) -> None:
        await learner.quiet()
        await answer(learner, sentence)
        await learner.say(sentence)
        await learner.listening()
        await learner.client.send(protocol.Restart())
        await learner.quiet()
        await learner.say(SECOND * 6)
        assert not learner.said("phase")
        await answer(learner, sentence)

    clock.run(talk.held(held))
    told = spoken(talk, "character")
    assert told[-2].text == told[0].text
    assert told[-1].text in lines().warm_up.more


def test_the_question_is_repeated_whatever_was_said_aside(talk: Talk) -> None:
    async def held(learner: Learner) -> None:
        await learner.quiet()
        await learner.client.send(protocol.Help())
        await learner.quiet()
        await learner.client.send(protocol.Repeat())
        await learner.quiet()

    clock.run(talk.held(held))
    assert spoken(talk, "character")[-1].text == opening(FREE)


def test_a_model_is_not_asked_when_the_learner_says_that_they_stop(
    talk: Talk, sentence: bytes
) -> None:
    talk.stt.texts = ["Bon, on s’arrête là."]

    async def held(learner: Learner) -> None:
        await learner.quiet()
        await learner.say(sentence)
        await learner.until(lambda: learner.count("ended") > 0)

    ended = clock.run(talk.held(held))
    assert (ended.status, ended.reason) == ("complete", "learner")
    assert not talk.llm.asked
    closes = content.load().exercise(FREE, "fr").scenario().script.close
    assert spoken(talk, "character")[-1].text in closes


# levels


def graded(talk: Talk, scores: Iterable[float | None]) -> None:
    left = iter(scores)

    async def grade(turn: Turn) -> float | None:
        assert turn.sound is not None
        return next(left)

    talk.grade = grade


@pytest.mark.parametrize("coach", ["model", "offline"])
def test_two_turns_that_hold_the_goal_make_the_partner_more_demanding(
    talk: Talk, sentence: bytes, coach: str
) -> None:
    talk.hello = protocol.Hello(exercise=INTERVIEW)
    talk.stt.texts = ["J’ai conduit un projet de bout en bout."]
    graded(talk, [0.9, 0.8, 0.9, 0.9, 0.1, 0.2])
    if coach == "offline":
        offline(talk, INTERVIEW)

    async def held(learner: Learner) -> None:
        await learner.quiet()
        await answer(learner, sentence, times=7)

    clock.run(talk.held(held))
    changes = talk.learner.said("level")
    levels = [change.level for change in changes if isinstance(change, protocol.LevelChanged)]
    assert levels == [2, 3, 2]
    stored = [turn.level for turn in spoken(talk, "learner")]
    assert stored == [1, 1, 2, 2, 3, 3, 2]
    demands = content.load().exercise(INTERVIEW, "fr").levels
    if coach == "model":
        asked = [
            next(m.text_content for m in context.messages() if m.role == "system") or ""
            for context in talk.llm.asked
        ]
        used = [
            next(n for n, demand in enumerate(demands, 1) if demand.prompt in text)
            for text in asked
        ]
        assert used == [1, 1, 2, 2, 3, 3, 2]
    else:
        told = [turn.text for turn in spoken(talk, "character")]
        assert set(told) & set(demands[1].follow_up)
        assert set(told) & (set(demands[2].objection) | set(demands[2].vague))


def test_in_an_exam_the_partner_never_becomes_easier(talk: Talk, sentence: bytes) -> None:
    talk.hello = protocol.Hello(exercise=INTERVIEW, exam=True)
    graded(talk, [0.9, 0.9, 0.1, 0.1, 0.1])

    async def held(learner: Learner) -> None:
        await learner.quiet()
        await answer(learner, sentence, times=5)

    clock.run(talk.held(held))
    assert [turn.level for turn in spoken(talk, "learner")] == [1, 1, 2, 2, 2]


def test_the_most_demanding_partner_cuts_in_on_a_long_turn_and_is_heard(
    talk: Talk, sentence: bytes
) -> None:
    talk.hello = protocol.Hello(exercise=INTERVIEW)
    graded(talk, [0.9] * 9)
    talk.stt.texts = ["J’ai conduit un projet."]
    gap = SECOND[:12_800]
    long = (sentence + gap) * (1 + int(45 * 32_000 / len(sentence + gap)))

    async def held(learner: Learner) -> None:
        await learner.quiet()
        await answer(learner, sentence, times=7)
        assert learner.count("level", level=4)
        await learner.say(long)
        await learner.quiet()

    clock.run(talk.held(held))
    demand = content.load().exercise(INTERVIEW, "fr").levels[3]
    told = talk.stored.turns
    at = next(n for n, turn in enumerate(told) if turn.text in demand.interruption)
    cut = told[at - 1]
    assert cut.speaker == "learner"
    assert cut.interrupted
    assert 20 < cut.end - cut.start < 32
    assert not told[at].interrupted
    after = told[at + 1]
    assert after.speaker == "learner"
    assert after.start >= cut.end - 0.5


@pytest.mark.parametrize("order", [protocol.Interrupt(), protocol.Say(text="Attendez.")])
def test_a_partner_who_cuts_in_can_be_stopped_at_once(
    talk: Talk, sentence: bytes, order: protocol.ClientMessage
) -> None:
    talk.hello = protocol.Hello(exercise=INTERVIEW)
    graded(talk, [0.9] * 9)
    gap = SECOND[:12_800]
    long = (sentence + gap) * (1 + int(25 * 32_000 / len(sentence + gap)))

    async def held(learner: Learner) -> None:
        await learner.quiet()
        await answer(learner, sentence, times=7)
        cut = asyncio.create_task(learner.say(long + SECOND * 6))
        heard = len(learner.client.heard.first_sound)
        await learner.until(lambda: len(learner.client.heard.first_sound) > heard, within=60)
        await learner.client.send(order)
        await cut
        await learner.client.send(protocol.Say(text="Je conclus."))
        await learner.quiet()

    ended = clock.run(talk.held(held))
    assert ended.status == "complete"
    assert spoken(talk, "learner")[-1].text == "Je conclus."


# drills and second tries


def drilled(talk: Talk, drill_id: str, word: str = "") -> DrillPhrase:
    library = content.load()
    drill = library.phrases("fr").drill(drill_id)
    assert drill is not None
    exercise = library.exercise(INTERVIEW, "fr")
    made, scene = drill_exercise(drill, exercise, exercise.scenario(), library.lines("fr"), word)
    talk.practice = Practice(made, scene, "fr", "drill", drill.instructions, word)
    return drill


def test_a_drill_is_its_instruction_a_minute_of_speech_and_a_close(
    talk: Talk, sentence: bytes
) -> None:
    """Silences that it asks for do not end it; one that is too short is asked to go on."""
    drill = drilled(talk, "phrase_pleine")
    offline(talk, INTERVIEW, hear=False)
    rest = int(drill.seconds / (len(sentence) / 32_000 + 2.5))

    async def held(learner: Learner) -> None:
        await learner.quiet()
        await learner.say(sentence)
        await learner.quiet()
        await learner.say((SECOND * 2 + SECOND[:16_000] + sentence) * rest)
        await learner.until(lambda: learner.count("ended") > 0, within=60)

    ended = clock.run(talk.held(held))
    assert ended.status == "complete"
    told = [turn.text for turn in spoken(talk, "character")]
    assert told[0] == drill.spoken
    assert told[1] in lines().practice.go_on
    assert told[2] in lines().practice.drill_close
    assert len(spoken(talk, "learner")) == 2
    ready = talk.learner.said("ready")[0]
    assert isinstance(ready, protocol.Ready)
    assert (ready.purpose, ready.task, ready.title) == ("drill", drill.instructions, drill.title)
    assert ready.duration == drill.seconds


def test_a_drill_is_over_when_the_learner_says_so(talk: Talk, sentence: bytes) -> None:
    drilled(talk, "phrase_pleine")
    offline(talk, INTERVIEW, hear=False)

    async def held(learner: Learner) -> None:
        await learner.quiet()
        await learner.say(sentence)
        await learner.client.send(protocol.Release())
        await learner.until(lambda: learner.count("ended") > 0, within=20)

    clock.run(talk.held(held))
    assert spoken(talk, "character")[-1].text in lines().practice.drill_close


def test_each_use_of_the_forbidden_word_is_marked_and_stops_nobody(
    talk: Talk, sentence: bytes
) -> None:
    drilled(talk, "mot_interdit", "du coup")
    offline(talk, INTERVIEW)
    talk.stt.texts = ["Du coup je suis parti, et du coup voilà.", "Le coup est parti."]

    async def held(learner: Learner) -> None:
        await learner.quiet()
        await answer(learner, sentence, times=2)

    clock.run(talk.held(held))
    marks = [one for one in talk.learner.said("mark") if isinstance(one, protocol.Mark)]
    assert [(mark.text, mark.count) for mark in marks] == [("du coup", 1), ("du coup", 2)]
    assert spoken(talk, "character")[0].text.endswith(
        lines().practice.forbidden.format(word="du coup")
    )


@pytest.mark.parametrize("way", ["patience", "button"])
def test_a_second_try_is_the_question_one_answer_and_a_close(
    talk: Talk, sentence: bytes, way: str
) -> None:
    library = content.load()
    exercise = library.exercise(INTERVIEW, "fr")
    question = "Parlez-moi d’une réussite."
    made, scene = retry_exercise(question, exercise, exercise.scenario(), library.lines("fr"))
    talk.practice = Practice(made, scene, "fr", "retry", question)
    offline(talk, INTERVIEW)
    said = sentence if way == "button" else sentence + SECOND + sentence

    async def held(learner: Learner) -> None:
        await learner.quiet()
        await learner.say(said)
        if way == "button":
            await learner.client.send(protocol.Release())
        await learner.until(lambda: learner.count("ended") > 0, within=20)

    ended = clock.run(talk.held(held))
    assert (ended.status, ended.reason) == ("complete", "script")
    first, _, last = talk.stored.turns
    assert first.text.endswith(question)
    assert last.text in lines().practice.retry_close


# bounds


def test_orders_that_come_too_fast_are_told_and_not_followed(talk: Talk) -> None:
    async def held(learner: Learner) -> None:
        await learner.quiet()
        for _ in range(30):
            await learner.client.send(protocol.Help())
        await learner.until(lambda: learner.count("notice", code="too_fast") > 0)

    clock.run(talk.held(held))
    assert len(hints(talk.learner)) <= 12


def test_the_last_setting_of_a_burst_counts(talk: Talk) -> None:
    async def held(learner: Learner) -> None:
        await learner.quiet()
        for step in range(40):
            await learner.client.send(protocol.SetPatience(seconds=1 + step / 10))
        await learner.say(SECOND * 10)

    patience: list[float] = []
    original = Conversation._set_patience

    def noted(self: Conversation, seconds: float) -> None:
        patience.append(seconds)
        original(self, seconds)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Conversation, "_set_patience", noted)
        clock.run(talk.held(held))
    assert patience[-1] == pytest.approx(4.9)
    assert len(patience) < 20


def test_a_flood_of_messages_ends_the_conversation_with_a_reason(talk: Talk) -> None:
    async def held(learner: Learner) -> None:
        await learner.quiet()
        for _ in range(200):
            await learner.client.send(protocol.Press())
        await learner.until(lambda: learner.count("ended") > 0)

    with pytest.raises(BaseExceptionGroup) as broken:
        clock.run(talk.held(held))
    assert broken.value.subgroup(ToldError) is not None
    assert talk.stored.end is not None
    assert talk.stored.end.reason == "protocol"
