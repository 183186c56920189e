"""The offline coach as a stage of the engine."""

import pytest
from livekit.agents import llm as engine

from eloquence import registry
from eloquence.coaching.character import Language
from eloquence.conversation.stages import Resources, StageContext
from eloquence.providers.script import ScriptedLLM
from eloquence.storage import content

LIBRARY = content.load()


def context(language: Language = "fr", seed: int = 0) -> StageContext:
    exercise = LIBRARY.exercise("conversation_libre_marie", language)
    return StageContext(
        language=language,
        exercise=exercise,
        scenario=exercise.scenario(),
        character=LIBRARY.character(exercise.character, language),
        resources=Resources(),
        seed=seed,
    )


def made(given: StageContext) -> ScriptedLLM:
    provider = registry.provider("llm", "script")
    stage = provider.create(provider.parse({}), given)
    assert isinstance(stage, ScriptedLLM)
    return stage


async def answer(stage: ScriptedLLM, ctx: engine.ChatContext) -> str:
    return (await stage.chat(chat_ctx=ctx).collect()).text


def opened(given: StageContext) -> engine.ChatContext:
    ctx = engine.ChatContext.empty()
    ctx.add_message(role="system", content="instructions")
    ctx.add_message(role="assistant", content=given.scenario.prompts.initial)
    return ctx


def spoke(given: StageContext, ctx: engine.ChatContext, text: str, seconds: float = 8.0) -> None:
    given.last_turn.text, given.last_turn.seconds = text, seconds
    ctx.add_message(role="user", content=text)


@pytest.mark.parametrize("language", ["fr", "en"])
def test_it_is_always_ready_and_says_honestly_what_it_is(language: str) -> None:
    provider = registry.provider("llm", "script")
    readiness = provider.check(provider.parse({}), language)
    assert readiness.ready
    assert readiness.leaves_machine == ""
    assert ("sans modèle de langage" if language == "fr" else "without a language model") in (
        readiness.detail
    )


async def test_it_opens_with_the_exercises_first_words() -> None:
    given = context()
    ctx = engine.ChatContext.empty()
    ctx.add_message(role="system", content="instructions")
    assert await answer(made(given), ctx) == given.scenario.prompts.initial


async def test_it_conducts_the_conversation_to_its_close_and_says_that_it_has_finished() -> None:
    given = context()
    stage, ctx = made(given), opened(given)
    texts: list[str] = []
    while not stage.finished:
        spoke(given, ctx, "je raconte une histoire assez longue")
        texts.append(await answer(stage, ctx))
        ctx.add_message(role="assistant", content=texts[-1])
        assert len(texts) < 40
    assert texts[-1] in given.scenario.script.close
    assert len(set(texts)) == len(texts)


async def test_an_answer_thrown_away_before_it_was_heard_does_not_advance_the_script() -> None:
    given = context()
    stage, ctx = made(given), opened(given)
    spoke(given, ctx, "je voudrais parler de mon travail")
    early = await answer(stage, ctx.copy())
    again = await answer(stage, ctx.copy())
    assert early == again
    # The learner went on before anything was heard: a new message, the same place.
    spoke(given, ctx, "je voudrais parler de mon travail")
    assert await answer(stage, ctx.copy()) == early
    ctx.add_message(role="assistant", content=early)
    spoke(given, ctx, "voilà une histoire de bureau")
    assert await answer(stage, ctx) != early


async def test_a_thrown_away_close_is_taken_back() -> None:
    given = context()
    stage, ctx = made(given), opened(given)
    spoke(given, ctx, "on arrête là", 1.0)
    await answer(stage, ctx)
    assert stage.finished
    spoke(given, ctx, "on arrête là était le titre de mon livre préféré quand j’étais enfant")
    await answer(stage, ctx)
    assert not stage.finished


async def test_an_interrupted_line_counts_as_heard() -> None:
    given = context()
    stage, ctx = made(given), opened(given)
    spoke(given, ctx, "mes vacances")
    first = await answer(stage, ctx)
    ctx.add_message(role="assistant", content=first[:12], interrupted=True)
    spoke(given, ctx, "en montagne, avec des amis")
    assert await answer(stage, ctx) != first


async def test_by_ear_it_goes_on_without_any_user_message() -> None:
    given = context()
    stage, ctx = made(given), opened(given)
    texts = []
    for _ in range(3):
        given.last_turn.text, given.last_turn.seconds = "", 9.0
        texts.append(await answer(stage, ctx))
        ctx.add_message(role="assistant", content=texts[-1])
    assert len(set(texts)) == 3


async def test_two_conversations_do_not_share_their_place() -> None:
    one, two = context(), context()
    first, second = made(one), made(two)
    ctx = opened(one)
    spoke(one, ctx, "mes vacances à la mer")
    await answer(first, ctx)
    assert second.finished is False
    assert (first.provider, first.model, first.label) == (
        "script",
        "exercise-file",
        "eloquence.script",
    )
