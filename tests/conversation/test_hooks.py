"""Where plugins may change a conversation: what is read, what is said, what is shown (PLG-01)."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

import pytest
from livekit.agents import llm
from livekit.agents.types import FlushSentinel
from tests.conversation.conftest import Talk

from eloquence.conversation.hooks import Chunk, NoHooks, as_read, passed, written
from eloquence.storage import content
from eloquence.testing import clock
from eloquence.testing.learner import Learner

SECOND = bytes(32_000)


@dataclass
class Scripted(NoHooks):
    """Hooks that do what a test says: a clause among `failing` could not be looked at."""

    reads: bool = True
    speaks: bool = True
    failing: tuple[str, ...] = ()
    clauses: list[str] = field(default_factory=list)
    turns: list[tuple[str, str]] = field(default_factory=list)

    async def read(self, text: str) -> str | None:
        return text.replace("Marie", "M…")

    async def spoken(self, clause: str) -> str | None:
        self.clauses.append(clause)
        if any(part in clause for part in self.failing):
            return None
        return "" if "rien" in clause else clause.replace("merci", "pardon")

    def heard(self, text: str) -> None:
        self.turns.append(("learner", text))
        if self.on_off is not None and len(self.turns) == 2:
            self.on_off("hostile")

    def said(self, text: str) -> None:
        self.turns.append(("coach", text))


async def given(*chunks: Chunk) -> AsyncGenerator[Chunk, None]:
    for chunk in chunks:
        yield chunk


async def out(hooks: Scripted, *chunks: Chunk) -> list[Chunk]:
    answer = passed(given(*chunks), hooks, lambda: "Poursuivez.")
    return [chunk async for chunk in answer]


async def test_an_answer_that_is_left_is_closed_at_once() -> None:
    closed = []

    async def answer() -> AsyncGenerator[Chunk, None]:
        try:
            yield "Très bien. "
            yield "Et vous ? "
        finally:
            closed.append(True)

    said = passed(answer(), Scripted(), lambda: "")
    assert await anext(said) == "Très bien. "
    await said.aclose()
    assert closed


async def test_an_answer_passes_clause_by_clause_whatever_its_pieces_are() -> None:
    hooks = Scripted()
    pieces = list("Très bien, merci beaucoup. Et vous ?")
    assert (
        "".join(map(written, await out(hooks, *pieces))) == "Très bien, pardon beaucoup. Et vous ?"
    )
    assert hooks.clauses == ["Très bien, ", "merci beaucoup. ", "Et vous ?"]


async def test_a_neutral_line_stands_once_for_what_could_not_be_looked_at() -> None:
    hooks = Scripted(failing=("deux", "trois"))
    told = await out(hooks, "Un. Voilà deux. Encore trois. Et quatre.")
    assert "".join(map(written, told)) == "Un. Poursuivez. Et quatre."


async def test_a_clause_may_be_left_out_and_what_is_no_text_stays() -> None:
    usage = llm.CompletionUsage(completion_tokens=3, prompt_tokens=2, total_tokens=5)
    last = llm.ChatChunk(id="1", usage=usage)
    both = llm.ChatChunk(id="1", delta=llm.ChoiceDelta(content=" Fin."), usage=usage)
    told = await out(Scripted(), "Il n’y a rien. ", FlushSentinel(), both, last)
    assert [type(chunk) for chunk in told] == [FlushSentinel, llm.ChatChunk, llm.ChatChunk, str]
    assert [written(chunk) for chunk in told] == ["", "", "", " Fin."]
    assert isinstance(told[1], llm.ChatChunk)
    assert told[1].usage == usage


async def test_a_model_reads_what_the_plugins_let_it_read_and_the_history_stays() -> None:
    context = llm.ChatContext.empty()
    context.add_message(role="system", content="Tu es Marie.")
    context.add_message(role="user", content="Bonjour Marie.")
    read = await as_read(context, Scripted())
    assert [one.text_content for one in read.messages()] == ["Tu es Marie.", "Bonjour M…."]
    assert context.messages()[1].text_content == "Bonjour Marie."


@pytest.mark.speech
def test_in_a_conversation_what_is_said_shown_and_read_is_changed_and_what_is_kept_is_not(
    talk: Talk, sentence: bytes
) -> None:
    hooks = talk.hooks = Scripted()

    async def script(learner: Learner) -> None:
        await learner.quiet()
        await learner.say(sentence + SECOND * 4)
        await learner.quiet()

    clock.run(talk.held(script))
    opening, asked, answer = talk.stored.turns[:3]
    assert asked.text == "Bonjour Marie."
    assert answer.text == "Très bien, pardon à vous."
    assert talk.llm.asked[-1].messages()[-1].text_content == "Bonjour M…."
    shown = [one.text for one in talk.learner.said("caption", speaker="learner", final=True)]  # type: ignore[union-attr]
    assert shown == ["Bonjour M…."]
    assert hooks.turns[:3] == [
        ("coach", opening.text), ("learner", "Bonjour Marie."), ("coach", answer.text),
    ]  # fmt: skip
    (told,) = talk.learner.said("notice", code="plugin_off")
    assert told.message == content.load().lines("fr").plugin_off.format(name="hostile")  # type: ignore[union-attr]


@pytest.mark.speech
def test_where_a_required_filter_fails_a_neutral_line_is_said(talk: Talk, sentence: bytes) -> None:
    talk.hooks = Scripted(failing=("bien", "merci"))

    async def script(learner: Learner) -> None:
        await learner.quiet()
        await learner.say(sentence + SECOND * 4)
        await learner.quiet()

    clock.run(talk.held(script))
    answer = talk.stored.turns[2]
    assert answer.text in content.load().lines("fr").unfiltered
