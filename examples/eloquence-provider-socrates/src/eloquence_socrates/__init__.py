"""A language model that asks a question about every answer, offline: a provider for Eloquence.

It is found by its entry point, `eloquence.llm` in `pyproject.toml`; Eloquence itself knows nothing
of it.
"""

import uuid
from typing import TYPE_CHECKING, Annotated, Any, Never

from livekit.agents import llm as engine
from livekit.agents.types import DEFAULT_API_CONNECT_OPTIONS, APIConnectOptions
from pydantic import BaseModel, ConfigDict, Field

from eloquence.registry import Provider, Readiness
from eloquence_socrates.questions import Language, question

if TYPE_CHECKING:
    from eloquence.conversation.stages import StageContext


class Options(BaseModel):
    """`longest` is how many words of an answer are quoted at most."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    longest: Annotated[int, Field(ge=3, le=30)] = 12


class Socrates(engine.LLM[Never]):
    """Asks about what was said last; opens as the scene does."""

    def __init__(self, options: Options, language: Language, opening: str) -> None:
        super().__init__()
        self._longest = options.longest
        self._language = language
        self._opening = opening

    @property
    def model(self) -> str:
        return "questions"

    @property
    def provider(self) -> str:
        return "socrates"

    def chat(
        self,
        *,
        chat_ctx: engine.ChatContext,
        tools: list[engine.Tool] | None = None,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
        **_: Any,
    ) -> "Answer":
        answers = [one.text_content or "" for one in chat_ctx.messages() if one.role == "user"]
        text = self._opening
        if answers:
            text = question(answers[-1], self._language, len(answers), longest=self._longest)
        return Answer(self, text, chat_ctx=chat_ctx, tools=tools or [], conn_options=conn_options)


class Answer(engine.LLMStream):
    """One question, word by word."""

    def __init__(self, model: Socrates, text: str, **given: Any) -> None:
        self._text = text
        super().__init__(model, **given)

    async def _run(self) -> None:
        mark = uuid.uuid4().hex
        for word in self._text.split(" "):
            delta = engine.ChoiceDelta(role="assistant", content=f"{word} ")
            self._event_ch.send_nowait(engine.ChatChunk(id=mark, delta=delta))


def create(options: Options, context: "StageContext") -> Socrates:
    """The model of one conversation."""
    return Socrates(options, context.language, context.scenario.prompts.initial)


def check(options: Options, language: str) -> Readiness:
    """Always ready: there is nothing that could be missing."""
    told = {
        "fr": "Une question sur chaque réponse, sans modèle ni réseau.",
        "en": "A question about every answer, without a model or a network.",
    }
    return Readiness(ready=True, detail=told.get(language, told["en"]), model="questions")


llm = Provider(
    name="socrates",
    options=Options,
    create=create,
    check=check,
    languages=frozenset({"fr", "en"}),
)
