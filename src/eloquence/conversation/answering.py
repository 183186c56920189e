"""Having a chat answered by a language-model stage made for conversations, outside of one."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from livekit.agents import APIError, llm
from livekit.agents.types import APIConnectOptions
from livekit.agents.utils import http_context

from eloquence.conversation.faults import cause_of, retry_after
from eloquence.conversation.stages import Conducts, LastTurn
from eloquence.errors import Cause, LanguageModelError


class Message(NamedTuple):
    """One message of a chat."""

    role: Literal["system", "user", "assistant"]
    text: str


class Usage(NamedTuple):
    """Tokens of the chat and of its answer, as the vendor counts them."""

    prompt: int
    completion: int


@dataclass(slots=True)
class Answered:
    """A chat that is being answered: reading the pieces raises LanguageModelError. `usage` is known
    after the last one, if at all."""

    provider: str
    model: str
    pieces: AsyncIterator[str]
    usage: Usage | None = None


class Deadlines(NamedTuple):
    """How long an answer may take, in seconds: to connect, for its next piece, and in all."""

    connect: float
    piece: float
    whole: float


@asynccontextmanager
async def answered(
    create: Callable[[], llm.LLM[Any]],
    chat: Sequence[Message],
    last_turn: LastTurn,
    deadlines: Deadlines,
) -> AsyncIterator[Answered]:
    """The answer of the stage that `create` makes; leaving ends it. A stage that
    follows an exercise's file hears of the chat's turns one after the other, by `last_turn`. Raises
    what `create` raises."""
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(http_context.open())
        stage = create()
        stack.push_async_callback(stage.aclose)
        context = llm.ChatContext.empty()
        options = APIConnectOptions(max_retry=0, timeout=deadlines.connect)
        for number, message in enumerate(chat):
            context.add_message(role=message.role, content=message.text)
            if isinstance(stage, Conducts) and message.role == "user":
                last_turn.text = message.text
                if number < len(chat) - 1:
                    # Taking a line is what moves it on; what it says there is in the chat already.
                    await stage.chat(chat_ctx=context, conn_options=options).aclose()
        stream = stage.chat(chat_ctx=context, conn_options=options)
        stack.push_async_callback(stream.aclose)
        answer = Answered(stage.provider, stage.model, _nothing())
        pieces = await stack.enter_async_context(aclosing(_pieces(answer, stream, deadlines)))
        answer.pieces = pieces
        yield answer


async def _nothing() -> AsyncGenerator[str]:
    return
    yield ""


async def _pieces(
    answer: Answered, stream: llm.LLMStream, deadlines: Deadlines
) -> AsyncGenerator[str]:
    loop = asyncio.get_running_loop()
    until = loop.time() + deadlines.connect + deadlines.whole
    patience = deadlines.connect + deadlines.piece
    spoken = False
    while True:
        try:
            async with asyncio.timeout_at(min(until, loop.time() + patience)):
                chunk = await anext(stream, None)
        except TimeoutError as error:
            raise _failed(answer, "timeout") from error
        except APIError as error:
            raise _failed(answer, cause_of(error), retry_after(error)) from error
        patience = deadlines.piece
        if chunk is None:
            break
        if chunk.usage is not None:
            answer.usage = Usage(chunk.usage.prompt_tokens, chunk.usage.completion_tokens)
        if chunk.delta is not None and chunk.delta.content:
            spoken = True
            yield chunk.delta.content
    if not spoken:
        raise _failed(answer, "bad_answer")


_MENDS: Mapping[Cause, str] = {
    "authentication": "HTTP 401: unauthorized. Check the key of this provider.",
    "rate_limit": "Wait, or look at the quota of the account.",
    "bad_request": "HTTP 422: invalid request. Check the name of the model, and that each message "
    "has a role and a content.",
}


def _failed(answer: Answered, cause: Cause, after: float | None = None) -> LanguageModelError:
    return LanguageModelError(
        f"The language model of {answer.provider} did not answer ({cause}).",
        cause=cause,
        mend=_MENDS.get(cause, "Try again, or see: eloquence doctor."),
        after=after,
    )
