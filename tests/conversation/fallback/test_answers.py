"""A language model that always answers: who is asked, how long, and what goes on from where."""

import asyncio
import gc
import logging
import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from livekit.agents import APIConnectionError, APIStatusError, llm

from eloquence.coaching.script import Place
from eloquence.conversation.clauses import Clauses
from eloquence.conversation.fallback.answers import Answers, Deadlines
from eloquence.conversation.fallback.breaker import Breaker
from eloquence.conversation.fallback.chain import Chain, Link, Switch
from eloquence.conversation.stages import Resources
from eloquence.errors import LanguageModelError
from eloquence.ops.chaos import MODES, Services
from eloquence.protocol import StageStatus
from eloquence.providers import openai
from eloquence.providers import script as offline
from eloquence.storage import content
from eloquence.testing import clock
from eloquence.testing.context import stage_context
from eloquence.testing.stages import AnswerFault, ScriptedLLM

WHOLE = "Très bien, merci à vous. Parlons de votre travail, et de ce que vous y aimez le plus."
SECOND = "Bonjour, je suis la seconde. Que faites-vous dans la vie ?"
LINE = "Bonjour !"
FAULTS: tuple[AnswerFault, ...] = ("hang", "stall", "close", "empty", "slow", "endless")

Model = Link[llm.LLM[Any]]


def link(
    model: llm.LLM[Any], name: str = "model", *, local: bool = False, last: bool = False
) -> Model:
    where = "" if local or last else "example.org"
    status = StageStatus(provider=name, detail="", model="", leaves_machine=where)
    return Link(name, model, Breaker(), status, last)


def script() -> Model:
    """The exercise's file: a scene of one step, of which the question is `LINE`."""
    context = stage_context(resources=Resources())
    context.last_turn.text, context.last_turn.seconds = "Bonjour Marie.", 6.0
    return link(offline.create(offline.Options(), context), "script", last=True)


def answers(*links: Model, deadlines: Deadlines | None = None) -> Answers:
    return Answers(Chain("llm", links), "fr", deadlines)


def asked(*said: str) -> llm.ChatContext:
    """The instructions, and turns of the learner and the coach one after the other."""
    context = llm.ChatContext.empty()
    context.add_message(role="system", content="Tu es Marie.")
    for number, text in enumerate(said or ("Bonjour Marie.",)):
        context.add_message(role="assistant" if number % 2 else "user", content=text)
    return context


async def pieces(model: Answers, context: llm.ChatContext | None = None) -> list[tuple[float, str]]:
    """What was passed on, and when."""
    loop = asyncio.get_running_loop()
    began, given = loop.time(), []
    async with model.chat(chat_ctx=context or asked()) as stream:
        async for chunk in stream:
            assert chunk.delta is not None
            given.append((loop.time() - began, chunk.delta.content or ""))
    return given


def said(model: Answers, context: llm.ChatContext | None = None) -> str:
    return "".join(text for _, text in clock.run(pieces(model, context)))


# who is asked, and for how long


@pytest.mark.parametrize(
    ("fault", "within"),
    [("hang", 2.5), ("stall", 2.5), ("close", 0.8), ("empty", 0.8), ("slow", 2.5)],
)
def test_whoever_fails_is_followed_by_the_next(fault: AnswerFault, within: float) -> None:
    """L01-L06, B23-B26."""
    first, second = ScriptedLLM([WHOLE], fault=fault), ScriptedLLM([SECOND])
    given = clock.run(pieces(answers(link(first), link(second))))
    assert given[-1][1].endswith("Que faites-vous dans la vie ?")
    assert given[0][0] <= within
    assert first.open == second.open == 0


@pytest.mark.parametrize(
    ("links", "seconds"),
    [
        ((link(ScriptedLLM([WHOLE], fault="hang")), link(ScriptedLLM([SECOND]))), 2.2),
        ((link(ScriptedLLM([WHOLE], fault="hang")), link(ScriptedLLM([SECOND]), last=True)), 3.2),
        ((link(ScriptedLLM([WHOLE], first=7.0), local=True), link(ScriptedLLM([SECOND]))), 7.0),
        ((link(ScriptedLLM([WHOLE], first=55.0)),), 55.0),
    ],
    ids=["another chosen", "only what was added", "on this machine", "nobody else"],
)
def test_how_long_a_first_word_is_waited_for_depends_on_who_can_follow(
    links: Sequence[Model], seconds: float
) -> None:
    """RES-01: 60 s at the very most."""
    limits = Deadlines(total=120.0)
    given = clock.run(pieces(answers(*links, deadlines=limits)))
    assert given[0][0] == pytest.approx(seconds, abs=0.1)


def test_however_many_hang_the_last_one_answers() -> None:
    """What those before it have taken is not taken off its time."""
    hanging = [link(ScriptedLLM([WHOLE], fault="hang"), local=True) for _ in range(4)]
    given = clock.run(pieces(answers(*hanging, script())))
    assert [text for _, text in given] == [LINE]
    assert given[0][0] == pytest.approx(48.0, abs=0.1)


def test_nobody_is_waited_for_longer_than_a_minute() -> None:
    async def run() -> float:
        began = asyncio.get_running_loop().time()
        limits = Deadlines(total=1e6)
        coach = answers(link(ScriptedLLM([WHOLE], fault="hang")), deadlines=limits)
        with pytest.raises(APIConnectionError):
            await pieces(coach)
        return asyncio.get_running_loop().time() - began

    assert clock.run(run()) == pytest.approx(60.0, abs=0.1)


def test_words_that_come_too_slowly_for_a_clause_are_left() -> None:
    """L06: each word comes in time, and nothing could be said for long."""
    slow = ScriptedLLM(["Un deux trois quatre cinq six sept huit neuf dix onze."], rate=1 / 1.5)
    given = clock.run(pieces(answers(link(slow), link(ScriptedLLM([SECOND])))))
    assert given[0][0] == pytest.approx(4.2, abs=0.1)
    assert given[0][1] == "Bonjour, "


@pytest.mark.parametrize("rate", [40.0, 1.0])
def test_an_endless_answer_ends_with_a_sentence(rate: float) -> None:
    """L07: by its length, and after 40 s."""
    endless = ScriptedLLM(["Encore un mot, et puis un autre."], fault="endless", rate=rate)
    given = clock.run(pieces(answers(link(endless))))
    text = "".join(piece for _, piece in given)
    assert text.rstrip().endswith("un autre.")
    assert len(text) < 600
    assert given[-1][0] <= 40.0
    assert endless.open == 0


def test_a_failure_that_comes_fast_is_tried_once_more_when_only_the_file_is_left() -> None:
    model = ScriptedLLM([APIStatusError("gone", status_code=500), WHOLE])
    assert said(answers(link(model), script())) == WHOLE
    assert len(model.asked) == 2


@pytest.mark.parametrize(
    ("error", "other"),
    [
        (APIStatusError("refused", status_code=401), False),
        (APIStatusError("too many", status_code=429), False),
        (APIStatusError("what?", status_code=400), False),
        (APIStatusError("gone", status_code=500), True),
    ],
)
def test_what_gets_no_better_by_asking_again_is_asked_once(error: Exception, other: bool) -> None:
    """L04; nor is anybody asked again while another one that was chosen can answer."""
    first, second = ScriptedLLM([error]), ScriptedLLM([SECOND])
    assert said(answers(link(first), link(second, last=not other))) == SECOND
    assert len(first.asked) == 1


def test_a_provider_is_asked_at_most_twice_in_a_turn_however_often_it_is_prepared() -> None:
    """L04: answers are prepared, thrown away and prepared again while a learner talks."""
    model, file = ScriptedLLM([APIStatusError("gone", status_code=500)]), script()
    coach = answers(link(model), file)

    context = asked("Bonjour.", "Dites-moi tout.")

    async def run() -> None:
        for text in ("Je", "Je crois", "Je crois que"):
            prepared = context.copy()
            prepared.add_message(role="user", content=text)
            await pieces(coach, prepared)
        assert len(model.asked) == 2
        heard = context.copy()
        heard.add_message(role="user", content="Je crois que oui.")
        heard.add_message(role="assistant", content="Entendu.")
        heard.add_message(role="user", content="Voilà.")
        await pieces(coach, heard)
        assert len(model.asked) == 4

    clock.run(run())


def test_a_provider_that_keeps_failing_is_left_alone_and_tried_again_later() -> None:
    """RES-02, TC 44."""
    model, other = ScriptedLLM([APIStatusError("gone", status_code=500)]), ScriptedLLM([SECOND])
    coach = answers(link(model), link(other))

    async def run() -> None:
        for number in range(8):
            await pieces(coach, asked(*[f"{number}"] * (2 * number + 1)))
        assert len(model.asked) == 5
        model.replies = [WHOLE]
        await asyncio.sleep(181.0)
        assert await pieces(coach)
        assert coach.model == "unknown"
        assert coach.chain.serving.stage is model

    clock.run(run())


def test_who_serves_is_told_when_it_changes() -> None:
    model = ScriptedLLM([APIStatusError("gone", status_code=401), WHOLE])
    coach = answers(link(model, "chosen"), link(ScriptedLLM([SECOND]), "other"))
    told: list[Switch] = []
    coach.chain.switched = told.append
    assert said(coach) == SECOND
    assert [(one.status.provider, one.cause) for one in told] == [("other", "authentication")]
    coach.chain.links[0].breaker.succeeded()
    assert said(coach, asked("Bonjour.", SECOND, "Oui.")) == WHOLE
    assert [(one.status.provider, one.cause) for one in told[1:]] == [("chosen", None)]


def test_the_last_failure_is_told_when_nobody_has_said_anything() -> None:
    error = LanguageModelError("no", cause="rate_limit")
    coach = answers(link(ScriptedLLM([ValueError("a bug")])), link(ScriptedLLM([error])))
    with pytest.raises(LanguageModelError):
        clock.run(pieces(coach))


def test_a_bug_of_a_provider_is_a_failure_like_any_other() -> None:
    class Broken(ScriptedLLM):
        def chat(self, **_: Any) -> llm.LLMStream:
            raise KeyError("a bug of a provider")

    assert said(answers(link(Broken([])), link(ScriptedLLM([SECOND])))) == SECOND


# what an answer is


@pytest.mark.parametrize(
    "empty",
    ["", "   ", "\n\n", "<think>Que dire ?</think>", "<think>Que dire ?", "😊", "*sourit*", "…"],
)
def test_an_answer_without_a_word_is_a_failure(empty: str) -> None:
    """L05, B26: asked once more, then the exercise's file."""
    model = ScriptedLLM([empty])
    assert said(answers(link(model), script())) == LINE
    assert len(model.asked) == 2


def test_thoughts_are_never_passed_on() -> None:
    model = ScriptedLLM(["<think>Elle hésite, je vais l'aider.</think>Prenez votre temps."])
    assert said(answers(link(model))) == "Prenez votre temps."


def test_it_is_passed_on_by_whole_clauses() -> None:
    given = clock.run(pieces(answers(link(ScriptedLLM([WHOLE])))))
    assert [text for _, text in given] == [
        "Très bien, ",
        "merci à vous. ",
        "Parlons de votre travail, ",
        "et de ce que vous y aimez le plus.",
    ]


# a break in the middle

FIRST_HALF = "Très bien, merci à vous. Parlons de votre travail, "
REST = "et de ce qui vous y plaît."


@pytest.mark.parametrize("fault", ["stall", "close"])
@pytest.mark.parametrize(
    "continuation",
    [
        REST,
        f"{FIRST_HALF}{REST}",
        f"très bien merci à vous ! parlons de votre travail… {REST}",
        f"Parlons de votre travail {REST}",
        f"travail, {REST}",
        f"… de votre travail, {REST}",
    ],
)
def test_a_broken_answer_is_finished_and_no_word_is_said_twice(
    fault: AnswerFault, continuation: str
) -> None:
    """L03, B24, TC 31."""
    first, second = ScriptedLLM([WHOLE], fault=fault), ScriptedLLM([continuation])
    text = said(answers(link(first), link(second)))
    assert text == f"{FIRST_HALF}{REST}"
    told = second.asked[0].messages()
    assert told[-2].role == "assistant"
    assert told[-2].text_content == FIRST_HALF.strip()
    assert told[-1].role == "user"
    assert "sans rien répéter" in (told[-1].text_content or "")


def test_a_break_during_the_continuation_is_gone_on_from_as_well() -> None:
    first = ScriptedLLM(["Un, deux, trois, quatre, cinq, six, sept, huit."], fault="close")
    second = ScriptedLLM(["cinq et demi, ou presque, quatre."], fault="close")
    third = ScriptedLLM(["et voilà."])
    text = said(answers(link(first), link(second), link(third)))
    assert text.startswith("Un, deux, trois, quatre")
    assert text.endswith("et voilà.")
    assert text.count("quatre") == 1


def test_the_file_says_its_own_line_after_an_answer_that_was_cut() -> None:
    model = ScriptedLLM(
        ["Très bien, je vous suis, mais dites-moi encore une chose."], fault="close"
    )
    text = said(answers(link(model), script()))
    assert text.startswith("Très bien, ")
    assert text.endswith(LINE)


def test_the_file_adds_nothing_to_an_answer_that_stands_by_itself() -> None:
    whole = "Merci, c'est une très belle histoire. Et comment"
    model = ScriptedLLM([f"{whole} a-t-elle donc fini pour vous tous ?"], fault="close", rate=1.0)
    text = said(answers(link(model), script()))
    assert text == "Merci, c'est une très belle histoire. "


def test_an_answer_that_nobody_can_finish_ends_with_its_last_clause() -> None:
    coach = answers(link(ScriptedLLM([WHOLE], fault="close")))
    assert said(coach) == FIRST_HALF


# the exercise's file among the others


class Conducting(ScriptedLLM):
    """Says numbered lines, as the exercise's file does."""

    def __init__(self) -> None:
        super().__init__([])
        self.level = 1
        self.place = Place(last="Bonjour et bienvenue à vous.")
        self.taken_over: list[Sequence[str]] = []

    @property
    def finished(self) -> bool:
        return self.place.step >= 3

    def restart(self) -> None:
        self.place = Place()

    def take_over(self, said: Sequence[str]) -> None:
        self.taken_over.append(list(said))

    def chat(self, **given: Any) -> llm.LLMStream:
        number = self.place.step + 1
        line = f"Question {number}, dites-moi."
        self.place = replace(self.place, step=number, last=line)
        self.replies = [line]
        return super().chat(**given)


def test_a_line_of_the_file_that_nobody_heard_is_said_again() -> None:
    file, model = Conducting(), ScriptedLLM([APIStatusError("gone", status_code=400)])
    coach = answers(link(model), link(file, last=True))
    context = asked("Bonjour.", "Bonjour et bienvenue à vous.", "Oui")
    assert said(coach, context) == said(coach, context) == "Question 1, dites-moi."
    assert file.taken_over == []  # it said the last line itself
    heard = asked("Bonjour.", "Bonjour.", "Oui", "Question 1, dites-moi", "Pardon")
    assert said(coach, heard) == "Question 2, dites-moi."
    model.replies = ["Je suis de retour."]
    said(coach, heard)
    assert file.place.step == 1  # its second line was thrown away for the model's
    model.replies = [APIStatusError("gone", status_code=400)]
    later = asked("Bonjour.", "Question 1, dites-moi.", "Oui", "Je suis de retour.", "Bien")
    assert said(coach, later) == "Question 2, dites-moi."
    assert file.taken_over == [["Question 1, dites-moi.", "Je suis de retour."]]
    assert not coach.finished
    later.add_message(role="assistant", content="Question 2, dites-moi.")
    assert said(coach, later) == "Question 3, dites-moi."
    assert coach.finished


def test_a_line_of_the_file_was_heard_also_when_others_were_said_after_it() -> None:
    """A learner who stays silent is told to take their time."""
    file, model = Conducting(), ScriptedLLM([APIStatusError("gone", status_code=400)])
    coach = answers(link(model), link(file, last=True))
    context = asked("Bonjour.", "Bonjour et bienvenue à vous.", "Oui")
    said(coach, context)
    context.add_message(role="assistant", content="Question 1, dites-moi.")
    context.add_message(role="assistant", content="Prenez votre temps.")
    context.add_message(role="user", content="Voilà.")
    assert said(coach, context) == "Question 2, dites-moi."


def test_after_a_restart_the_file_goes_on_from_there() -> None:
    file, model = Conducting(), ScriptedLLM([APIStatusError("gone", status_code=400)])
    coach = answers(link(model), link(file, last=True))
    context = asked("Bonjour.", "Question 1, dites-moi.", "Oui")
    file.place = replace(file.place, step=1, last="Question 1, dites-moi.")
    assert said(coach, context) == "Question 2, dites-moi."
    file.restart()
    assert said(coach, asked("Bonjour.", "Bonjour et bienvenue.", "Oui")).startswith("Question 1")


# what is too long to be read


def talked(hours: float) -> llm.ChatContext:
    """A long conversation: a turn of 30 s each."""
    turn = "Et puis nous avons continué à parler de tout ce qui nous tenait à cœur ce jour-là. " * 5
    return asked(*[turn] * (2 * round(hours * 60) + 1))


class Short(ScriptedLLM):
    """Takes so many characters and no more."""

    most = 9_000
    words = "This model's maximum context length is 4096 tokens."

    def chat(self, *, chat_ctx: llm.ChatContext, **given: Any) -> llm.LLMStream:
        length = sum(len(message.text_content or "") for message in chat_ctx.messages())
        error = APIStatusError(self.words, status_code=400)
        self.replies = [error if length > self.most else WHOLE]
        return super().chat(chat_ctx=chat_ctx, **given)


def test_two_hours_of_talk_go_on_with_the_instructions_and_the_latest_turns() -> None:
    """L09."""
    context = talked(2.0)
    model = ScriptedLLM([WHOLE])
    assert said(answers(link(model)), context) == WHOLE
    read = model.asked[0].messages()
    assert read[0].role == "system"
    assert 60 < len(read) < len(context.messages())
    assert read[1:] == context.messages()[-len(read) + 1 :]


def test_a_provider_that_says_that_it_is_too_much_is_given_less_from_then_on() -> None:
    model = Short([])
    coach = answers(link(model), script())
    context = talked(0.3)
    assert said(coach, context) == WHOLE
    assert len(model.asked) == 2
    assert model.asked[1].messages()[0].role == "system"
    assert said(coach, context) == WHOLE
    assert len(model.asked) == 3
    assert coach.chain.links[0].breaker.state == "closed"


@pytest.mark.parametrize("words", ["The request is malformed.", "unknown key"])
def test_what_is_wrong_otherwise_is_not_asked_again_with_less(words: str) -> None:
    model = Short([])
    model.words = words
    assert said(answers(link(model), script()), talked(0.3)) == LINE
    assert len(model.asked) == 1


# one owner for each stream


def test_an_interruption_closes_the_answer_and_says_nothing_against_the_provider() -> None:
    """D-17, D-18: at any instant, and the cancellation is passed on."""
    model = ScriptedLLM([WHOLE], first=0.5)
    coach = answers(link(model), link(ScriptedLLM([SECOND])))
    breaker = coach.chain.links[0].breaker

    async def run() -> None:
        for tick in range(40):
            task = asyncio.create_task(pieces(coach))
            await asyncio.sleep(tick * 0.02)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert model.open == 0
            assert len(asyncio.all_tasks()) == 1

    clock.run(run())
    assert breaker.state == "closed"
    assert breaker.cause is None


class Clinging(ScriptedLLM):
    """A provider that does not let go of an answer."""

    def chat(self, **given: Any) -> llm.LLMStream:
        stream = super().chat(**given)
        stream.aclose = self.forever  # type: ignore[method-assign]
        return stream

    async def forever(self) -> None:
        await asyncio.sleep(1e6)


def test_a_provider_that_does_not_let_go_holds_up_nobody_for_more_than_a_second() -> None:
    clinging = Clinging([APIStatusError("gone", status_code=500)])
    given = clock.run(pieces(answers(link(clinging), link(ScriptedLLM([SECOND])))))
    assert given[0][0] < 2.0


async def opened(
    coach: Answers, chance: random.Random, longest: float, closing: list[asyncio.Task[None]]
) -> None:
    """Opens an answer, maybe twice over, and leaves it at some instant, maybe twice."""
    stream = coach.chat(chat_ctx=asked())

    async def read() -> None:
        async with stream:
            if chance.random() < 0.3:
                async with stream:
                    async for _ in stream:
                        pass
            async for _ in stream:
                pass

    reading = asyncio.create_task(read())
    way, cancelled = chance.random(), False
    await asyncio.sleep(chance.random() * longest)
    if way > 0.6:
        closing.append(asyncio.create_task(stream.aclose()))
    if way < 0.4 or way > 0.8:
        cancelled = reading.cancel()
    [told] = await asyncio.gather(reading, return_exceptions=True)
    assert isinstance(told, asyncio.CancelledError) == cancelled
    await stream.aclose()
    if chance.random() < 0.5:
        await stream.aclose()


def complaints(caplog: pytest.LogCaptureFixture) -> list[str]:
    words = ("aclose", "asynchronous generator", "already running", "never retrieved", "unclosed")
    lines = [record.getMessage() for record in caplog.records]
    return [line for line in lines if any(word in line.lower() for word in words)]


def test_two_thousand_answers_left_at_random_instants_leave_nothing_behind(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """ST-01..09, B-01, C-01, TC 36."""
    chance = random.Random(36)
    models = [ScriptedLLM([WHOLE]) for _ in range(2)]

    async def run() -> None:
        for _ in range(200):
            coach = answers(*[link(model) for model in models])
            for model in models:
                model.fault = chance.choice(("ok", "ok", *FAULTS))
            closing: list[asyncio.Task[None]] = []
            await asyncio.gather(*[opened(coach, chance, 5.0, closing) for _ in range(10)])
            await asyncio.gather(*closing)
            await coach.aclose()
            await coach.aclose()
        await asyncio.sleep(0)
        assert len(asyncio.all_tasks()) == 1

    with caplog.at_level(logging.DEBUG):
        clock.run(run())
    gc.collect()
    assert [model.open for model in models] == [0, 0]
    assert complaints(caplog) == []


# over real HTTP


def host(services: Services, resources: Resources) -> llm.LLM[Any]:
    options = openai.LanguageModelOptions(
        base_url=f"{services.url}/v1", first=9.0, idle=9.0, model="test"
    )
    model: llm.LLM[Any] = openai.llm.create(options, stage_context(resources=resources))
    return model


@pytest.mark.parametrize("mode", [mode for mode in MODES if mode not in ("slow", "endless")])
async def test_over_real_http_every_fault_is_followed_by_an_answer(mode: Any) -> None:
    """B21-B26: the real client, and a host that fails in every way."""
    resources = Resources()
    async with Services(mode=mode, keep=False) as failing, Services(reply=SECOND) as well:
        coach = answers(
            link(host(failing, resources)),
            link(host(well, resources)),
            deadlines=Deadlines(first=1.5, idle=1.0),
        )
        text = "".join(piece for _, piece in await pieces(coach))
        await coach.aclose()
        await resources.close()
    if mode == "ok":
        assert text == failing.reply
    else:
        assert text.endswith(SECOND)
        assert well.asked


async def test_hundreds_of_answers_over_real_http_leave_no_client_and_no_task(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """ST-01..09, B-01: no session unclosed, no reader hung."""
    chance = random.Random(8000)
    resources = Resources()
    before = len(asyncio.all_tasks())
    with caplog.at_level(logging.DEBUG):
        async with Services(keep=False, reply=WHOLE) as one, Services(keep=False) as two:
            for _ in range(30):
                coach = answers(
                    link(host(one, resources)),
                    link(host(two, resources)),
                    deadlines=Deadlines(first=0.1, idle=0.1),
                )
                for services in (one, two):
                    services.mode = chance.choice(("ok", "ok", *MODES))
                closing: list[asyncio.Task[None]] = []
                await asyncio.gather(*[opened(coach, chance, 0.08, closing) for _ in range(10)])
                await asyncio.gather(*closing)
                await coach.aclose()
            await resources.close()
    await asyncio.sleep(0.05)
    gc.collect()
    assert len(asyncio.all_tasks()) == before
    assert complaints(caplog) == []


# what it costs


async def first_clause(model: llm.LLM[Any]) -> float:
    """When a voice that reads clause by clause has its first one."""
    clauses = Clauses()
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with model.chat(chat_ctx=asked()) as stream:
        async for chunk in stream:
            assert chunk.delta is not None
            if clauses.push(chunk.delta.content or ""):
                break
    return loop.time() - began


@pytest.mark.parametrize("rate", [5.0, 20.0])
def test_it_costs_a_voice_that_reads_clause_by_clause_no_time(rate: float) -> None:
    exercises = content.load().exercises("fr")
    steps = [step for one in exercises for step in one.scenario().script.steps]
    for text in [step.ask[0] for step in steps][:20]:
        alone = clock.run(first_clause(ScriptedLLM([text], rate=rate)))
        chained = clock.run(first_clause(answers(link(ScriptedLLM([text], rate=rate)))))
        assert chained == pytest.approx(alone)
