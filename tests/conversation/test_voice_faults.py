"""Whatever happens to a voice, no turn is silent, no word lost, no session closed (T01 to T06)."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from livekit.agents import APIConnectionError
from tests.conversation.conftest import Talk

from eloquence.conversation.fallback.breaker import Breaker
from eloquence.conversation.fallback.chain import Chain, Link
from eloquence.conversation.fallback.voices import Voices
from eloquence.protocol import StageStatus
from eloquence.storage import content
from eloquence.storage.recorded import recorded
from eloquence.testing import clock
from eloquence.testing.learner import Learner
from eloquence.testing.stages import ScriptedTTS, SpeechMode, words_in

pytestmark = pytest.mark.speech
SECOND = bytes(32_000)
REPLY = "Merci beaucoup, parlez-moi maintenant de votre métier. Racontez comment vous travaillez."
WORDS = REPLY.split()
PLAIN = ["".join(letter for letter in word.lower() if letter.isalnum()) for word in WORDS]
FAULTS: Sequence[SpeechMode] = ("hang", "stall", "close", "truncate", "garbage", "empty")
LOST = recorded("fr", "voice_lost")
LINES = content.load().lines("fr")


def voices(*stages: ScriptedTTS) -> Any:
    links: list[Link[Any]] = [
        Link(f"v{i}", stage, Breaker(), StageStatus(provider=f"v{i}", detail=""))
        for i, stage in enumerate(stages)
    ]
    return Voices(Chain("tts", links), "fr", lost=LOST)


def scripted() -> ScriptedTTS:
    return ScriptedTTS(tones=WORDS, haste=1.1)


async def heard(learner: Learner, sentence: bytes) -> tuple[list[str], float]:
    """The words of the answer to a sentence, and the seconds until its first sound."""
    stored = learner.count("turn_stored", speaker="character")
    await learner.say(sentence)
    before = len(learner.sound)
    clock_ = asyncio.get_running_loop().time
    began = clock_()
    await learner.listening()
    waited = clock_() - began
    await learner.until(lambda: learner.count("turn_stored", speaker="character") > stored)
    return words_in(bytes(learner.sound[before:]), WORDS), waited


@pytest.mark.parametrize("fault", FAULTS)
def test_every_word_of_each_answer_is_heard_once_and_soon(
    talk: Talk, sentence: bytes, fault: SpeechMode
) -> None:
    """Five turns, in each of which the voice fails: it would have closed the session at the
    fourth."""
    broken, other = scripted(), scripted()
    talk.tts = voices(broken, other)
    talk.llm.replies = [REPLY]
    found: list[tuple[list[str], float]] = []

    async def script(learner: Learner) -> None:
        await learner.quiet()
        broken.mode = fault
        found.extend([await heard(learner, sentence) for _ in range(5)])

    clock.run(talk.held(script))
    assert [words for words, _ in found] == [PLAIN] * 5
    healthy = 1.2  # end of turn, the model's first token, the voice's first sound
    assert max(waited for _, waited in found) <= healthy + 2.5
    assert talk.stored.end is not None
    assert talk.stored.end.status == "complete"
    spoken = [turn.text for turn in talk.stored.turns if turn.speaker == "character"]
    assert spoken[1:] == [REPLY] * 5


@pytest.mark.parametrize("fault", ["hang", "empty"])
def test_when_no_voice_is_left_that_is_heard_and_the_answer_is_shown(
    talk: Talk, sentence: bytes, fault: SpeechMode
) -> None:
    """T06: within 3 s, every time; said once in a turn, briefly from then on; and the next answer
    is spoken again when a voice is back."""
    stages = [scripted(), scripted(), scripted()]
    talk.tts = voices(*stages)
    talk.llm.replies = [REPLY]
    waits: list[float] = []
    sounds: list[float] = []
    spoken: list[str] = []

    async def script(learner: Learner) -> None:
        await learner.quiet()
        for stage in stages:
            stage.mode = fault
        for _ in range(4):
            mark = len(learner.sound)
            waits.append((await heard(learner, sentence))[1])
            sounds.append(_loud(bytes(learner.sound[mark:])))
        for stage in stages:
            stage.mode = "ok"
        await asyncio.sleep(200.0)  # until the voices that failed are tried again
        spoken.extend((await heard(learner, sentence))[0])

    clock.run(talk.held(script))
    assert max(waits) <= 1.2 + 3.0
    full, brief = (_loud(pcm) for pcm in LOST)
    assert sounds[0] == pytest.approx(full, abs=0.3)
    assert sounds[1:] == pytest.approx([brief] * 3, abs=0.3)
    assert spoken == PLAIN
    told = talk.learner.said("notice", message=LINES.voice_lost[0])
    assert len(told) == 4
    shown = [turn.text for turn in talk.stored.turns if turn.speaker == "character"]
    assert REPLY in shown
    captions = talk.learner.said("caption", speaker="character")
    assert sum(getattr(caption, "text", "") == REPLY for caption in captions) >= 4
    assert talk.stored.end is not None
    assert talk.stored.end.status == "complete"


def test_the_answer_is_shown_as_soon_as_the_recorded_sentence_begins(
    talk: Talk, sentence: bytes
) -> None:
    stage = scripted()
    talk.tts = voices(stage)
    talk.llm.replies = [REPLY]
    shown: list[str] = []

    async def script(learner: Learner) -> None:
        await learner.quiet()
        stage.failing = APIConnectionError("no")
        await learner.say(sentence)
        await learner.listening()
        await asyncio.sleep(0.5)
        captions = learner.said("caption", speaker="character")
        shown.append(getattr(captions[-1], "text", ""))

    clock.run(talk.held(script))
    assert shown == [REPLY]


def test_an_interruption_of_a_voice_that_took_over_is_told_to_the_word(
    talk: Talk, sentence: bytes
) -> None:
    broken, other = scripted(), scripted()
    talk.tts = voices(broken, other)
    talk.llm.replies = [REPLY]

    async def script(learner: Learner) -> None:
        await learner.quiet()
        broken.mode = "close"
        await learner.say(sentence)
        await learner.listening()
        await asyncio.sleep(1.0)
        await learner.say(sentence)
        await learner.quiet()

    clock.run(talk.held(script))
    cut = [turn for turn in talk.stored.turns if turn.interrupted and turn.speaker == "character"]
    assert cut
    assert REPLY.startswith(cut[0].text)
    assert cut[0].text != REPLY
    assert broken.open == other.open == 0


def _loud(pcm: bytes) -> float:
    """Seconds of sound that is not silence, the silences inside included."""
    import numpy as np

    sound = np.flatnonzero(np.abs(np.frombuffer(pcm, "<i2").astype(int)) > 300)
    return float(sound[-1] - sound[0]) / 24_000 if len(sound) else 0.0
