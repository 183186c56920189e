"""Where plugins may change a conversation, and how the coach's answer passes through them.

The conversation knows only `Hooks`; who is behind it, and in which process, is for `bootstrap` to
decide.
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Protocol

from livekit.agents import llm
from livekit.agents.types import FlushSentinel

from eloquence.conversation.clauses import Clauses

Chunk = llm.ChatChunk | str | FlushSentinel


class Hooks(Protocol):
    """The plugins of one conversation. No call waits longer than they were given, and none
    raises."""

    on_off: Callable[[str], None] | None
    """Is told the name of a plugin that has just been switched off."""

    @property
    def reads(self) -> bool:
        """Whether some plugin changes what the learner said, for those who read it."""
        ...

    @property
    def speaks(self) -> bool:
        """Whether some plugin changes what the coach is about to say."""
        ...

    async def read(self, text: str) -> str | None:
        """What the learner said, as a model and the page read it; None when a filter that is
        required could not look at it."""
        ...

    async def spoken(self, clause: str) -> str | None:
        """A clause of the coach's answer as it may be said, perhaps empty; None when a filter that
        is required could not look at it."""
        ...

    def heard(self, text: str) -> None:
        """Tells those who listen of a turn of the learner. Returns at once."""
        ...

    def said(self, text: str) -> None:
        """Tells them of a turn of the coach. Returns at once."""
        ...


class NoHooks:
    """A conversation without plugins."""

    on_off: Callable[[str], None] | None = None
    reads = speaks = False

    async def read(self, text: str) -> str | None:
        return text

    async def spoken(self, clause: str) -> str | None:
        return clause

    def heard(self, text: str) -> None: ...

    def said(self, text: str) -> None: ...


async def passed(
    answer: AsyncGenerator[Chunk, None], hooks: Hooks, neutral: Callable[[], str]
) -> AsyncGenerator[Chunk, None]:
    """A model's answer, clause by clause as the plugins let it be said. In place of the first
    clause that a required filter could not look at stands a `neutral` line; the others are left
    out. Closes the answer in the end."""
    clauses = Clauses()
    replaced = False

    async def let_through(clause: str) -> str:
        nonlocal replaced
        text = await hooks.spoken(clause)
        if text is not None:
            return text
        line = "" if replaced else f"{neutral()} "
        replaced = True
        return line

    async with aclosing(answer):
        async for chunk in answer:
            ends = isinstance(chunk, FlushSentinel)
            found = clauses.flush() if ends else clauses.push(written(chunk))
            for clause in found:
                if text := await let_through(clause.text):
                    yield text
            if isinstance(chunk, FlushSentinel):
                yield chunk
            elif isinstance(chunk, llm.ChatChunk) and (rest := _without_text(chunk)) is not None:
                yield rest
        for clause in clauses.flush():
            if text := await let_through(clause.text):
                yield text


async def as_read(context: llm.ChatContext, hooks: Hooks) -> llm.ChatContext:
    """What a model is given to read, with the learner's words as the plugins let them be read."""
    items: list[llm.ChatItem] = []
    for item in context.items:
        if isinstance(item, llm.ChatMessage) and item.role == "user" and item.text_content:
            text = await hooks.read(item.text_content)
            items.append(item.model_copy(update={"content": ["…" if text is None else text]}))
        else:
            items.append(item)
    return llm.ChatContext(items)


def written(chunk: Chunk) -> str:
    """The text that a piece of an answer brings."""
    if not isinstance(chunk, llm.ChatChunk):
        return chunk if isinstance(chunk, str) else ""
    return "" if chunk.delta is None else chunk.delta.content or ""


def _without_text(chunk: llm.ChatChunk) -> llm.ChatChunk | None:
    """What a chunk holds besides text, as the count of tokens; None for nothing."""
    delta = chunk.delta
    if delta is not None and delta.content:
        if chunk.usage is None and not delta.tool_calls:
            return None
        return chunk.model_copy(update={"delta": delta.model_copy(update={"content": None})})
    return chunk
