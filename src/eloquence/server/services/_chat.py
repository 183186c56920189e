"""OpenAI's shapes of a chat and of its answer, for language models that do not speak them."""

import json
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from eloquence.errors import LanguageModelError

if TYPE_CHECKING:
    from eloquence.conversation.answering import Answered, Message

MOST_MESSAGES = 1_000
_UNKNOWN = ("audio", "functions", "modalities", "tools", "web_search_options")
_ROLES: Mapping[str, Literal["system", "user", "assistant"]] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
}


class Part(BaseModel):
    """A part of a message; only text is understood."""

    type: Literal["text"]
    text: str


class Told(BaseModel):
    """A message as it was sent."""

    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[Part] | None = None


class StreamOptions(BaseModel):
    """What a stream also tells."""

    include_usage: bool = False


class Asked(BaseModel):
    """A request. What it does not name here is left to the provider's own settings."""

    model_config = ConfigDict(extra="allow")

    messages: Annotated[list[Told], Field(min_length=1, max_length=MOST_MESSAGES)]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    n: int | None = None
    response_format: dict[str, Any] | None = None

    @property
    def chat(self) -> "list[Message]":
        """The messages as text."""
        from eloquence.conversation.answering import Message

        return [Message(_ROLES[one.role], _text(one.content)) for one in self.messages]

    @property
    def wishes(self) -> dict[str, Any]:
        """Options of a provider, as far as it has them, of what was asked for."""
        most = self.max_completion_tokens or self.max_tokens
        given = {"temperature": self.temperature, "max_tokens": most}
        return {name: value for name, value in given.items() if value is not None}


def asked(body: bytes) -> Asked:
    """The request of a chat. Raises LanguageModelError for what is none, or what only a model that
    speaks OpenAI's protocol could do."""
    try:
        wanted = Asked.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"] if isinstance(part, str | int))
        raise _refused(
            f"{where or 'The request'}: {first['msg']}",
            "POST a JSON object with messages: a list of objects with a role and a content.",
        ) from None
    extra = wanted.model_extra or {}
    unknown = [name for name in _UNKNOWN if extra.get(name)]
    if wanted.n not in (None, 1):
        unknown.append("n")
    if (wanted.response_format or {}).get("type", "text") != "text":
        unknown.append("response_format")
    if unknown:
        raise _refused(
            f"This language model takes no {', '.join(unknown)}",
            "Leave it out, or choose a provider that speaks OpenAI's protocol: docs/services.md.",
        )
    return wanted


@dataclass(frozen=True, slots=True)
class Shape:
    """One answer in OpenAI's shape."""

    answer: "Answered"
    id: str
    created: int

    def whole(self, text: str) -> dict[str, Any]:
        """The answer in one piece."""
        message = {"role": "assistant", "content": text, "refusal": None}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
        body = self._head("chat.completion") | {"choices": [choice]}
        return body if self.answer.usage is None else body | {"usage": self._usage()}

    def piece(self, text: str, *, first: bool) -> bytes:
        """An event with the next piece of it."""
        delta = {"role": "assistant", "content": text} if first else {"content": text}
        return self._event([{"index": 0, "delta": delta, "finish_reason": None}])

    def end(self, *, usage: bool) -> bytes:
        """The events after the last piece; with the tokens used, if that was asked for."""
        ending = self._event([{"index": 0, "delta": {}, "finish_reason": "stop"}])
        if usage:
            ending += self._event([], usage=None if self.answer.usage is None else self._usage())
        return ending + b"data: [DONE]\n\n"

    def _event(self, choices: Sequence[dict[str, Any]], **more: Any) -> bytes:
        body = self._head("chat.completion.chunk") | {"choices": choices} | more
        return f"data: {json.dumps(body, ensure_ascii=False)}\n\n".encode()

    def _head(self, kind: str) -> dict[str, Any]:
        return {
            "id": self.id,
            "object": kind,
            "created": self.created,
            "model": self.answer.model,
        }

    def _usage(self) -> dict[str, int]:
        assert self.answer.usage is not None
        prompt, completion = self.answer.usage
        return {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
        }


def shaped(answer: "Answered") -> Shape:
    """The shape of an answer that begins now."""
    return Shape(answer, f"chatcmpl-{secrets.token_hex(12)}", int(time.time()))


def models(provider: str, model: str) -> dict[str, Any]:
    """A list of the one model that there is."""
    one = {"id": model or provider, "object": "model", "created": 0, "owned_by": provider}
    return {"object": "list", "data": [one]}


def _text(content: str | list[Part] | None) -> str:
    if content is None or isinstance(content, str):
        return content or ""
    return "".join(part.text for part in content)


def _refused(what: str, mend: str) -> LanguageModelError:
    return LanguageModelError(
        f"{what}.", cause="bad_request", mend=f"HTTP 422: invalid request. {mend}"
    )
