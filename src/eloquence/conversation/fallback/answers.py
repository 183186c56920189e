"""The language model of a conversation that always answers: providers in order, each going on
where the one before broke off."""

import asyncio
import logging
import uuid
from collections import Counter
from collections.abc import AsyncIterable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Never

from livekit.agents import APIError, APITimeoutError, llm
from livekit.agents.types import (
    DEFAULT_API_CONNECT_OPTIONS,
    NOT_GIVEN,
    APIConnectOptions,
    NotGivenOr,
)

from eloquence.coaching.character import Language
from eloquence.coaching.script import Place
from eloquence.conversation.aloud import Aloud, spoken
from eloquence.conversation.clauses import Clauses
from eloquence.conversation.fallback.chain import Chain, Link
from eloquence.conversation.fallback.history import (
    MOST,
    characters,
    continued,
    shortened,
    too_long,
)
from eloquence.conversation.fallback.seam import Seam
from eloquence.conversation.faults import cause_of, retry_after
from eloquence.conversation.stages import Conducts
from eloquence.errors import Cause

log = logging.getLogger("eloquence.fallback")

_OUTER = 60.0
"""Seconds that nobody is waited for longer (RES-01)."""
_LOADING = 12.0
"""Seconds that a provider on this machine may take to its first word, whatever its own options
allow: it may have to load its model."""
_FAST = 0.5
"""Seconds within which a failure comes so soon that the same provider may be asked once more."""
_CALLS = 2
"""Failed calls of one provider in one turn, after which it is left alone until the next (L04)."""
_CLOSING = 1.0
"""Seconds that a provider is given to let go of an answer."""
_AGAIN: frozenset[Cause] = frozenset({"timeout", "unreachable", "internal"})
_PACE = 15.0
"""Characters that a voice reads in a second."""
_LONG = 540
"""Characters, some 36 s of speech, after which an answer ends with its sentence (L07)."""
_CUT = 5.0
"""Seconds before its end from which an answer ends with its sentence."""
_KNOWN = 20
"""Letters of a line by which it is known again, also when it was cut short."""
_WHOLE = 6
"""Words of finished sentences that can stand as an answer."""
_ENDS = (".", "!", "?", "…")


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Seconds: to the first word of an answer when another chosen provider can follow, and when
    only the exercise's file can; between two words; and for the whole answer. A provider on this
    machine has as long to its first word as its own options say, 12 s at most.
    """

    first: float = 2.0
    only: float = 3.0
    idle: float = 2.0
    total: float = 40.0


class Answers(llm.LLM[Never]):
    """Asks the providers of `chain` in order until one of them has answered to the end.

    What is passed on is whole clauses, so that a break loses nothing that was heard; the next
    model is asked to go on from there. It raises only when the last provider fails before anything
    was said.
    """

    def __init__(
        self, chain: Chain[llm.LLM[Any]], language: Language, deadlines: Deadlines | None = None
    ) -> None:
        super().__init__()
        self.chain = chain
        self.language = language
        self.deadlines = deadlines or Deadlines()
        self.calls = _Calls()
        self.most: dict[str, int] = {}
        """Characters of turns that a provider was found to be able to read, by its name and
        model."""
        scripts = [link.stage for link in chain.links if isinstance(link.stage, Conducts)]
        self.script = Script(scripts[0]) if scripts else None
        for link in chain.links:
            link.stage.on("metrics_collected", self._measured)

    @property
    def conductor(self) -> Conducts | None:
        """The exercise's file among the providers."""
        return self.script.conductor if self.script is not None else None

    @property
    def finished(self) -> bool:
        """Whether the exercise's file has just said its close."""
        return self.script is not None and self.script.finished

    @property
    def model(self) -> str:
        return self.chain.serving.stage.model

    @property
    def provider(self) -> str:
        return self.chain.serving.stage.provider

    def prewarm(self, *, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self.chain.links[0].stage.prewarm(loop=loop)

    def chat(
        self,
        *,
        chat_ctx: llm.ChatContext,
        tools: list[llm.Tool] | None = None,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
        parallel_tool_calls: NotGivenOr[bool] = NOT_GIVEN,
        tool_choice: NotGivenOr[llm.ToolChoice] = NOT_GIVEN,
        extra_kwargs: NotGivenOr[dict[str, Any]] = NOT_GIVEN,
    ) -> "Answer":
        wishes: dict[str, Any] = {
            "parallel_tool_calls": parallel_tool_calls,
            "tool_choice": tool_choice,
            "extra_kwargs": extra_kwargs,
        }
        return Answer(self, chat_ctx, tools or [], wishes)

    async def aclose(self) -> None:
        await super().aclose()
        for link in self.chain.links:
            link.stage.off("metrics_collected", self._measured)
            await link.stage.aclose()

    def _measured(self, *told: Any) -> None:
        self.emit("metrics_collected", *told)


@dataclass(slots=True)
class _Calls:
    """Failed calls of the turn that is being answered, also of answers made in vain."""

    turn: object = None
    failed: Counter[int] = field(default_factory=Counter)

    def of(self, context: llm.ChatContext) -> Counter[int]:
        """Those for the turn at the end of the context, whatever its words are by then."""
        roles = Counter(message.role for message in context.messages())
        turn = (roles["user"], [message.id for message in _lines(context)])
        if turn != self.turn:
            self.turn = turn
            self.failed = Counter()
        return self.failed


class Script:
    """The exercise's file as one provider among others: it says a line now and then, and goes on
    from the last one that was heard."""

    def __init__(self, conductor: Conducts) -> None:
        self.conductor = conductor
        self._before: Place | None = None
        """Where it stood before its latest line, until that is known to be heard."""
        self._after = ""
        """The line before that one, by its id."""
        self._latest = False

    @property
    def finished(self) -> bool:
        """Whether its close is the latest answer."""
        return self._latest and self.conductor.finished

    def look(self, context: llm.ChatContext) -> None:
        """Goes back before a line that was made in vain."""
        self._latest = False
        said = _lines(context)
        places = [at for at, one in enumerate(said, 1) if one.id == self._after]
        known = not self._after or bool(places)  # else the conversation has begun anew
        if self._before is not None and known and not self._among(said[sum(places) :]):
            self.conductor.place = self._before
        self._before = None

    def take_over(self, context: llm.ChatContext) -> None:
        """Makes ready for its next line, after what a model has said meanwhile."""
        said = _lines(context)
        if not self._among(said[-1:]):
            self.conductor.take_over([one.text_content or "" for one in said])
        self._before, self._after = self.conductor.place, said[-1].id if said else ""
        self._latest = True

    def _among(self, said: Sequence[llm.ChatMessage]) -> bool:
        """Whether its latest line was heard, or the beginning of it."""
        line = self.conductor.place.last[:_KNOWN]
        return any(line in (one.text_content or "") for one in said)


@dataclass(slots=True)
class _Given:
    """What of an answer was passed on."""

    until: float
    """When on the loop's clock the voice will have read it."""
    text: str = ""

    @property
    def ends(self) -> bool:
        """Whether it ends with a sentence."""
        return self.text.rstrip(" »”\"')\n\u00a0").endswith(_ENDS)

    @property
    def whole(self) -> bool:
        """Whether it can stand as an answer."""
        return self.ends and len(self.text.split()) >= _WHOLE


class Answer(llm.LLMStream):
    """One answer, in whole clauses."""

    _llm_request_span_name: ClassVar[str] = "answers"
    _llm_attempt_span_name: ClassVar[str | None] = None
    _genai_operation_name: ClassVar[str | None] = None

    def __init__(
        self,
        answers: Answers,
        chat_ctx: llm.ChatContext,
        tools: list[llm.Tool],
        wishes: dict[str, Any],
    ) -> None:
        self._answers = answers
        self._chain = answers.chain
        self._wishes = wishes
        self._clock = asyncio.get_running_loop().time
        self._failed = answers.calls.of(chat_ctx)
        options = APIConnectOptions(max_retry=0, timeout=_OUTER)
        super().__init__(answers, chat_ctx=chat_ctx, tools=tools, conn_options=options)

    async def _run(self) -> None:
        if self._answers.script is not None:
            self._answers.script.look(self._chat_ctx)
        given = _Given(until=self._clock())
        over = 0.0
        error: Exception | None = APIError("No language model may be asked for now.")
        for link in self._chain.admitted():
            fixed = isinstance(link.stage, Conducts)
            if fixed and given.whole:
                link.breaker.given_up()
                return
            if not fixed and self._failed[id(link)] >= _CALLS:
                link.breaker.given_up()
                continue
            began = self._clock()
            over = over if given.text else began + self._answers.deadlines.total
            error = await self._try(link, given, over)
            if error is not None and self._once_more(link, error, self._clock() - began):
                error = await self._try(link, given, over)
            if error is None:
                return
        if error is not None and not given.text:
            raise error

    async def _try(self, link: Link[llm.LLM[Any]], given: _Given, over: float) -> Exception | None:
        """Asks a provider once; why it failed, or None."""
        try:
            await self._ask(link, given, over)
        except Exception as error:
            self._failed[id(link)] += 1
            self._chain.failed(link, error)
            return error
        except BaseException:
            link.breaker.given_up()
            raise
        self._chain.succeeded(link)
        return None

    def _once_more(self, link: Link[llm.LLM[Any]], error: Exception, took: float) -> bool:
        """Whether the same provider is asked again, since there is time and nobody better left."""
        worth = cause_of(error) in _AGAIN | {"bad_answer"} and retry_after(error) is None
        if took >= _FAST or not worth or self._failed[id(link)] >= _CALLS or self._chosen(link):
            return False
        return link is self._chain.links[-1] or link.breaker.admits()

    def _chosen(self, link: Link[llm.LLM[Any]]) -> bool:
        """Whether another provider that was chosen can follow."""
        links = self._chain.links
        rest = links[links.index(link) + 1 :]
        return any(not other.last and other.breaker.state != "open" for other in rest)

    async def _ask(self, link: Link[llm.LLM[Any]], given: _Given, over: float) -> None:
        script = self._answers.script
        if isinstance(link.stage, Conducts):
            if script is not None:
                script.take_over(self._chat_ctx)
            return await self._listen(link, self._chat_ctx, given, over)
        name = f"{link.name} {link.stage.model}"
        known = shortened(self._chat_ctx, self._answers.most.get(name, MOST))
        try:
            await self._listen(link, known, given, over)
        except APIError as error:
            if not too_long(error):
                raise
            self._failed[id(link)] += 1
            self._answers.most[name] = characters(known) // 2
            known = shortened(known, self._answers.most[name])
            await self._listen(link, known, given, over)

    async def _listen(
        self, link: Link[llm.LLM[Any]], known: llm.ChatContext, given: _Given, over: float
    ) -> None:
        fixed = isinstance(link.stage, Conducts)
        said = "" if fixed else given.text
        stream = link.stage.chat(
            chat_ctx=continued(known, said, self._answers.language),
            tools=self._tools,
            conn_options=self._conn_options,
            **self._wishes,
        )
        try:
            await self._pass_on(link, stream, given, over)
        finally:
            await _closed(stream)

    async def _pass_on(
        self, link: Link[llm.LLM[Any]], stream: llm.LLMStream, given: _Given, over: float
    ) -> None:
        """Passes on what is new, clause by clause. Raises APIError when nothing is."""
        fixed = isinstance(link.stage, Conducts)
        aloud, clauses = Aloud(), Clauses()
        seam = Seam("" if fixed else given.text)
        first, idle, gap = self._patience(link)
        before, began = len(given.text), self._clock()
        heard: float | None = None
        while True:
            until = began + first if heard is None else heard + idle
            until = min(over, until, max(began, given.until) + gap)
            try:
                chunk = await _next(stream, until)
            except APITimeoutError:
                if given.text and self._clock() >= over:
                    return
                raise
            if chunk is None:
                break
            text = aloud.push((chunk.delta.content or "") if chunk.delta is not None else "")
            if text.strip():
                heard = self._clock()
            for clause in clauses.push(seam.push(text)):
                self._give(clause.text, given)
                if self._enough(given, over):
                    return
        left = clauses.push(seam.push(aloud.flush()) + seam.flush())
        for clause in (*left, *clauses.flush()):
            self._give(clause.text, given)
        if not spoken(given.text[before:]) and not given.ends:
            raise APIError("The language model gave an empty answer.")

    def _patience(self, link: Link[llm.LLM[Any]]) -> tuple[float, float, float]:
        """How long this provider is waited for, in seconds: for its first word, between two words,
        and for the next clause once all that was passed on is spoken."""
        deadlines = self._answers.deadlines
        if link is self._chain.links[-1]:
            return _OUTER, _OUTER, _OUTER
        if not link.status.leaves_machine:
            return _LOADING, deadlines.idle, _OUTER
        first = deadlines.first if self._chosen(link) else deadlines.only
        return first, deadlines.idle, first + deadlines.idle

    def _give(self, clause: str, given: _Given) -> None:
        if not given.text and not spoken(clause):
            return
        given.text += clause
        given.until = max(given.until, self._clock()) + len(clause) / _PACE
        delta = llm.ChoiceDelta(role="assistant", content=clause)
        self._event_ch.send_nowait(llm.ChatChunk(id=uuid.uuid4().hex, delta=delta))

    def _enough(self, given: _Given, over: float) -> bool:
        """Whether the answer is as long as an answer may be."""
        long = len(given.text) >= _LONG or self._clock() >= over - _CUT
        return (long and given.ends) or len(given.text) >= 2 * _LONG

    async def _metrics_monitor_task(self, event_aiter: AsyncIterable[llm.ChatChunk]) -> None:
        async for _ in event_aiter:  # each provider measures its own answers
            pass


async def _next(stream: llm.LLMStream, until: float) -> llm.ChatChunk | None:
    """The next piece, None after the last. Raises APITimeoutError."""
    try:
        async with asyncio.timeout_at(until):
            return await anext(stream)
    except StopAsyncIteration:
        return None
    except TimeoutError as error:
        raise APITimeoutError("The language model did not go on in time.") from error


async def _closed(stream: llm.LLMStream) -> None:
    """Ends a stream, whatever happens meanwhile; a provider that does not let go is left behind."""
    closing = asyncio.ensure_future(stream.aclose())
    try:
        await asyncio.wait({closing}, timeout=_CLOSING)
    except asyncio.CancelledError:
        await asyncio.wait({closing}, timeout=_CLOSING)
        raise
    finally:
        closing.add_done_callback(_look)


def _look(closing: asyncio.Future[None]) -> None:
    if not closing.cancelled() and (error := closing.exception()) is not None:
        log.warning("a language model did not close (%s)", type(error).__name__)


def _lines(context: llm.ChatContext) -> list[llm.ChatMessage]:
    return [one for one in context.messages() if one.role == "assistant"]
