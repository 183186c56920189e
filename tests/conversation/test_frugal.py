"""Answers are not made in vain where somebody outside is paid for them, whoever serves."""

from typing import Any

import pytest
from livekit.agents import AgentSession, llm
from tests.conversation.conftest import Talk

from eloquence.conversation import conversation, turn_taking
from eloquence.conversation.fallback.answers import Answers
from eloquence.conversation.fallback.breaker import Breaker
from eloquence.conversation.fallback.chain import Chain, Link
from eloquence.protocol import StageStatus
from eloquence.testing import clock
from eloquence.testing.learner import Learner
from eloquence.testing.stages import ScriptedLLM

pytestmark = pytest.mark.speech


def link(model: llm.LLM[Any], where: str) -> Link[llm.LLM[Any]]:
    status = StageStatus(provider=where or "here", detail="", leaves_machine=where)
    return Link(where or "here", model, Breaker(), status)


async def answered(learner: Learner, turn: int) -> None:
    await learner.until(
        lambda: learner.count("turn_stored", speaker="character") > turn, within=60.0
    )


@pytest.mark.parametrize("outside", ["example.org", ""])
def test_a_fallback_outside_has_no_answers_made_in_vain_while_it_serves(
    talk: Talk, sentence: bytes, monkeypatch: pytest.MonkeyPatch, outside: str
) -> None:
    """Before it, and once the first one on this machine serves again, they are made."""
    engines: list[AgentSession[Any]] = []

    class Watched(AgentSession[Any]):
        def __init__(self, **given: Any) -> None:
            super().__init__(**given)
            engines.append(self)

    monkeypatch.setattr(conversation, "AgentSession", Watched)
    first, second = ScriptedLLM(["Très bien."], fault="empty"), ScriptedLLM(["Ah bon ?"])
    talk.answers = Answers(Chain("llm", [link(first, ""), link(second, outside)]), "fr")
    voiced: list[bool] = []

    async def script(learner: Learner) -> None:
        await learner.quiet()
        voiced.append(prepares_voice(engines[0]))
        for turn in (1, 2):
            await learner.say(sentence)
            await answered(learner, turn)
            voiced.append(prepares_voice(engines[0]))
            first.fault = "ok"

    clock.run(talk.held(script))
    served = [one.provider for one in talk.learner.said("stage")]  # type: ignore[union-attr]
    assert served == [outside or "here", "here"]
    assert voiced == [True, not outside, True]


def prepares_voice(engine: AgentSession[Any]) -> bool:
    activity = engine._activity
    assert activity is not None
    return activity.preemptive_generation_opts["preemptive_tts"]


def test_a_stage_that_is_outside_from_the_start_is_spared_from_the_start(talk: Talk) -> None:
    spared: list[bool] = []
    handling = turn_taking.turn_handling

    def noted(*given: Any, frugal: bool, **rest: Any) -> Any:
        spared.append(frugal)
        return handling(*given, frugal=frugal, **rest)

    model = ScriptedLLM(["Très bien."])
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(conversation, "turn_handling", noted)
        for where in ("example.org", ""):
            talk.answers = Answers(Chain("llm", [link(model, where)]), "fr")
            talk.session_id = f"s{len(spared)}"
            clock.run(talk.held(Learner.quiet))
    assert spared == [True, False]
