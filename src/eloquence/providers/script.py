"""The offline coach as a language-model stage: its answers come from the exercise's file.

It understands nothing and says so; it needs nothing installed, and nothing leaves the machine.
"""

import uuid
from collections.abc import Sequence
from typing import Any, Never

from livekit.agents import llm as engine
from livekit.agents.types import (
    DEFAULT_API_CONNECT_OPTIONS,
    NOT_GIVEN,
    APIConnectOptions,
    NotGivenOr,
)
from pydantic import BaseModel, ConfigDict

from eloquence.coaching.script import Conductor, Heard, Line, Place
from eloquence.conversation.stages import LastTurn, StageContext
from eloquence.registry import Provider, Readiness

_DETAIL = {
    "fr": "Coach guidé par le fichier de l’exercice, sans modèle de langage.",
    "en": "A coach guided by the exercise’s file, without a language model.",
}
_MEND = {
    "fr": "Pour des réponses libres, choisissez un modèle de langage : ELOQUENCE_LLM=openai.",
    "en": "For free answers, choose a language model: ELOQUENCE_LLM=openai.",
}


class Options(BaseModel):
    """The offline coach has no options: all it does is in the exercise's file."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ScriptedLLM(engine.LLM[Never]):
    """Says the conductor's next line at once. `finished` is true once it has said its close."""

    def __init__(self, conductor: Conductor, last_turn: LastTurn) -> None:
        super().__init__()
        self._conductor = conductor
        self._last_turn = last_turn
        self._before = conductor.place
        self._asked_after: tuple[int, str] | None = None
        self._said: Line | None = None

    @property
    def level(self) -> int:
        """How demanding the partner is, 1..4."""
        return self._conductor.level

    @level.setter
    def level(self, level: int) -> None:
        self._conductor.level = level

    @property
    def place(self) -> Place:
        """Where the conductor stands."""
        return self._conductor.place

    @place.setter
    def place(self, place: Place) -> None:
        self._conductor.place = self._before = place
        self._asked_after, self._said = None, None

    def restart(self) -> None:
        """Goes back before the first question."""
        self._conductor.restart()
        self.place = self._conductor.place

    def take_over(self, said: Sequence[str]) -> None:
        """Makes ready to go on from a model that has said these lines."""
        self._conductor.take_over(said)
        self.place = self._conductor.place

    @property
    def model(self) -> str:
        return "exercise-file"

    @property
    def provider(self) -> str:
        return "script"

    @property
    def label(self) -> str:
        return "eloquence.script"

    @property
    def finished(self) -> bool:
        """Whether the latest line was the close: the engine may end the session after it."""
        return self._said is not None and self._said.done

    def chat(
        self,
        *,
        chat_ctx: engine.ChatContext,
        tools: list[engine.Tool] | None = None,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
        parallel_tool_calls: NotGivenOr[bool] = NOT_GIVEN,
        tool_choice: NotGivenOr[engine.ToolChoice] = NOT_GIVEN,
        extra_kwargs: NotGivenOr[dict[str, Any]] = NOT_GIVEN,
    ) -> "ScriptedStream":
        """The next line, as a stream. An answer asked for again, because the earlier one was
        thrown away before anything of it was heard, is given from the same place."""
        return ScriptedStream(
            self,
            text=self._line(chat_ctx).text,
            chat_ctx=chat_ctx,
            tools=tools or [],
            conn_options=conn_options,
        )

    def _line(self, chat_ctx: engine.ChatContext) -> Line:
        spoken = [m for m in chat_ctx.messages() if m.role == "assistant"]
        if not spoken and not any(m.role == "user" for m in chat_ctx.messages()):
            return Line(self._conductor.opening())
        # Only what was heard is in the context: the last of it says whether our line was.
        after = (len(spoken), spoken[-1].id if spoken else "")
        if after == self._asked_after:
            self._conductor.place = self._before
        else:
            self._asked_after = after
            self._before = self._conductor.place
        turn = self._last_turn
        self._said = self._conductor.reply(
            Heard(turn.text, turn.seconds, turn.syllable_rate, turn.pauses, turn.finished)
        )
        return self._said


class ScriptedStream(engine.LLMStream):
    """One line, in one chunk."""

    def __init__(
        self,
        llm: ScriptedLLM,
        *,
        text: str,
        chat_ctx: engine.ChatContext,
        tools: list[engine.Tool],
        conn_options: APIConnectOptions,
    ) -> None:
        self._text = text
        super().__init__(llm, chat_ctx=chat_ctx, tools=tools, conn_options=conn_options)

    async def _run(self) -> None:
        self._event_ch.send_nowait(
            engine.ChatChunk(
                id=uuid.uuid4().hex,
                delta=engine.ChoiceDelta(role="assistant", content=self._text),
            )
        )


def create(options: Options, context: StageContext) -> ScriptedLLM:
    """The coach of one conversation."""
    conductor = Conductor(
        context.exercise,
        context.scenario,
        context.language,
        context.seed,
        encourage=not context.exam,
    )
    return ScriptedLLM(conductor, context.last_turn)


def check(options: Options, language: str) -> Readiness:
    """Always ready; says plainly what it lacks."""
    spoken = language if language in _DETAIL else "en"
    return Readiness(ready=True, detail=_DETAIL[spoken], mend=_MEND[spoken])


llm = Provider(name="script", options=Options, create=create, check=check)
