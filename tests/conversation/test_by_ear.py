"""With no recogniser the conversation goes on by ear, and answers speech only (S06)."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.conversation.conftest import Talk, pcm

from eloquence.coaching.script import Line
from eloquence.conversation.stages import HEARD, Resources
from eloquence.providers import ear, script
from eloquence.providers.script import ScriptedLLM
from eloquence.testing import clock
from eloquence.testing.context import stage_context
from eloquence.testing.learner import Learner

pytestmark = pytest.mark.speech


@pytest.fixture
def listened(talk: Talk) -> Talk:
    """A conversation by ear with the offline coach; only the voice is scripted."""
    context = stage_context(resources=Resources())
    context.last_turn.text = ""
    talk.last_turn = context.last_turn
    talk.by_ear = True

    def stages() -> None:
        talk.stt = ear.create(ear.Options(), context)  # type: ignore[assignment]
        talk.llm = script.create(script.Options(), context)  # type: ignore[assignment]

    talk.prepare = stages
    return talk


def test_a_turn_by_ear_has_its_time_and_its_sound_but_no_words(
    listened: Talk, shared_data: Path
) -> None:
    from tests.e2e.conftest import sentences

    _, speech = sentences(shared_data)[0]

    async def talked(learner: Learner) -> None:
        await learner.quiet()
        await learner.say(pcm(speech))
        await learner.quiet()

    clock.run(listened.held(talked))
    turn = listened.stored.turns[1]
    assert turn.speaker == "learner"
    assert (turn.text, turn.words) == ("", None)
    assert turn.end - turn.start == pytest.approx(len(speech) / 16_000, abs=0.4)
    assert turn.sound is not None
    assert listened.learner.said("caption", speaker="learner", text=HEARD)
    assert listened.last_turn.seconds == pytest.approx(len(speech) / 16_000, abs=0.4)


def test_a_short_answer_by_ear_is_not_taken_for_a_silence(
    listened: Talk, shared_data: Path
) -> None:
    """An answer is prepared before the voice is known to have stopped."""
    from tests.e2e.conftest import sentences

    _, speech = sentences(shared_data)[0]
    facts: list[float] = []

    async def talked(learner: Learner) -> None:
        await learner.quiet()
        await learner.say(pcm(speech))
        await learner.quiet()

    def noted(self: ScriptedLLM, context: object) -> Line:
        facts.append(listened.last_turn.seconds)
        return original(self, context)  # type: ignore[arg-type]

    original = ScriptedLLM._line
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ScriptedLLM, "_line", noted)
        clock.run(listened.held(talked))
    assert facts[0] == pytest.approx(len(speech) / 16_000, abs=0.5)


def noise(seconds: float, level: float, *, pink: bool) -> NDArray[np.float32]:
    rng = np.random.default_rng(7)
    white = rng.normal(0, 1, int(seconds * 16_000))
    if pink:
        spectrum = np.fft.rfft(white)
        white = np.fft.irfft(spectrum / np.sqrt(np.maximum(1, np.arange(spectrum.size))))
    return np.asarray(white / np.abs(white).max() * level, dtype=np.float32)


@pytest.mark.parametrize("pink", [False, True])
def test_noise_alone_is_not_answered(listened: Talk, pink: bool) -> None:
    async def talked(learner: Learner) -> None:
        await learner.quiet()
        await learner.say(pcm(noise(60, 0.3, pink=pink)))

    clock.run(listened.held(talked))
    assert [turn.speaker for turn in listened.stored.turns].count("learner") == 0
