"""What every language model of a vendor shares: its options, and the deadlines of an answer."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Annotated, Any, Literal

from livekit.agents import (
    APIConnectionError,
    APIConnectOptions,
    APIError,
    APIStatusError,
    APITimeoutError,
    utils,
)
from livekit.agents import llm as engine_llm
from livekit.agents.types import DEFAULT_API_CONNECT_OPTIONS, NOT_GIVEN, NotGivenOr
from pydantic import BaseModel, ConfigDict, Field

from eloquence.conversation.fallback.history import too_long
from eloquence.providers._failures import note_wait

Seconds = Annotated[float, Field(gt=0, le=120)]


class AnsweringOptions(BaseModel):
    """`model` empty: the vendor's fast one. `first`, `idle` and `total` are deadlines in seconds:
    to the first word, between words, and for the whole answer."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str = ""
    temperature: Annotated[float | None, Field(ge=0, le=2)] = 0.7
    max_tokens: Annotated[int, Field(ge=1, le=4_096)] = 150
    first: Seconds = 5.0
    idle: Seconds = 4.0
    total: Seconds = 40.0


class AnswerClock:
    """The deadlines of one answer; an answer without a word is a failure (L05). `heard()` is told
    of each piece."""

    def __init__(self, options: AnsweringOptions) -> None:
        self._options = options
        self._spoke = False
        self._latest = 0.0

    def heard(self, chunk: engine_llm.ChatChunk) -> None:
        """A piece has come; one without a word or a call of a tool does not count."""
        delta = chunk.delta
        if delta is not None and ((delta.content or "").strip() or delta.tool_calls):
            self._spoke = True
            self._latest = asyncio.get_running_loop().time()

    async def keep(self, answering: Coroutine[Any, Any, None]) -> None:
        """Waits for the answer, and ends it when it misses a deadline. Raises what it raises,
        APITimeoutError, or APIError for one that was empty."""
        clock = asyncio.get_running_loop().time
        self._spoke = False
        began = self._latest = clock()
        task = asyncio.create_task(answering)
        try:
            while not task.done():
                patience = self._options.idle if self._spoke else self._options.first
                until = min(self._latest + patience, began + self._options.total)
                if clock() >= until:
                    raise APITimeoutError(
                        "The language model did not go on in time.", retryable=not self._spoke
                    )
                # the first piece may come meanwhile: from it on, the next one's deadline counts
                await asyncio.wait({task}, timeout=min(until - clock(), self._options.idle))
        finally:
            await utils.aio.cancel_and_wait(task)
        if (failed := task.exception()) is not None:
            raise _told(failed)
        if not self._spoke:
            raise APIError("The language model gave an empty answer.")


def _told(failed: BaseException) -> BaseException:
    """The error, without the host's own words: they may quote what was said."""
    note_wait(failed)
    if not isinstance(failed, APIStatusError):
        return failed
    told = APIStatusError(
        f"The host answered {failed.status_code}.",
        status_code=failed.status_code,
        request_id=failed.request_id,
        body={"code": "context_length_exceeded"} if too_long(failed) else None,
        retryable=failed.retryable,
    )
    told.__dict__.update({"after": failed.after} if hasattr(failed, "after") else {})
    return told


class Timed(engine_llm.LLM[Literal["metrics_collected"]]):
    """A language model of one of the engine's plugins, with our deadlines around each answer."""

    def __init__(self, options: AnsweringOptions, model: "engine_llm.LLM[Any]") -> None:
        super().__init__()
        self.options = options
        self.inner = model

    @property
    def model(self) -> str:
        return self.inner.model

    @property
    def provider(self) -> str:
        return self.inner.provider

    def chat(
        self,
        *,
        chat_ctx: engine_llm.ChatContext,
        tools: list[engine_llm.Tool] | None = None,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
        parallel_tool_calls: NotGivenOr[bool] = NOT_GIVEN,
        tool_choice: NotGivenOr[engine_llm.ToolChoice] = NOT_GIVEN,
        extra_kwargs: NotGivenOr[dict[str, Any]] = NOT_GIVEN,
    ) -> "TimedAnswer":
        def asked() -> engine_llm.LLMStream:
            return self.inner.chat(
                chat_ctx=chat_ctx,
                tools=tools,
                conn_options=replace(conn_options, max_retry=0),
                parallel_tool_calls=parallel_tool_calls,
                tool_choice=tool_choice,
                extra_kwargs=extra_kwargs,
            )

        return TimedAnswer(self, asked, chat_ctx, tools or [], conn_options)


class TimedAnswer(engine_llm.LLMStream):
    """One answer, passed on as it comes."""

    def __init__(
        self,
        model: Timed,
        asked: Callable[[], engine_llm.LLMStream],
        chat_ctx: engine_llm.ChatContext,
        tools: list[engine_llm.Tool],
        conn_options: APIConnectOptions,
    ) -> None:
        super().__init__(model, chat_ctx=chat_ctx, tools=tools, conn_options=conn_options)
        self._asked = asked
        self._clock = AnswerClock(model.options)

    async def _run(self) -> None:
        try:
            await self._clock.keep(self._pass_on())
        except APIConnectionError as error:
            if isinstance(error.__cause__, ValueError):  # plugins call this unreachable
                raise APIError("The language model's answer cannot be read.") from error.__cause__
            raise

    async def _pass_on(self) -> None:
        async with self._asked() as answer:
            async for chunk in answer:
                self._clock.heard(chunk)
                self._event_ch.send_nowait(chunk)
