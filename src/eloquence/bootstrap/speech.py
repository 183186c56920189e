"""The stages of the settings, each one used alone: hearing a recording or what is being said,
speaking a text, answering a chat or passing it on."""

import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from eloquence import registry
from eloquence.bootstrap.current import Current
from eloquence.bootstrap.stages import BY_EAR, choose
from eloquence.coaching.character import DEFAULT_CHARACTER, Character, Language, Voice
from eloquence.config import Settings, surroundings
from eloquence.errors import DependencyNotFoundError, LanguageModelError, TextToSpeechError
from eloquence.registry import Choice, Stage
from eloquence.storage import content

if TYPE_CHECKING:
    from eloquence.conversation.answering import Answered, Message
    from eloquence.conversation.live_recognition import LiveRecognition
    from eloquence.conversation.recognition import Recognise
    from eloquence.conversation.speech import Spoken
    from eloquence.conversation.stages import Resources, StageContext
    from eloquence.providers.passing import Answer, Patience

EXERCISE = "conversation_libre_marie"
"""What a stage is told that it is part of: every provider wants to know."""


class Speech:
    """The stages of the settings, as they are at each call, outside any conversation. What they
    load is shared."""

    def __init__(
        self, settings: Callable[[], Settings], library: content.Library, resources: "Resources"
    ) -> None:
        self._settings = settings
        self._library = library
        self._resources = resources

    @property
    def settings(self) -> Settings:
        return self._settings()

    def choice(self, stage: Stage, language: Language) -> Choice:
        """Who serves the stage, which may not be ready. An `llm` that nobody chose is the host that
        the environment names: the lines of the offline coach are an answer to those alone who ask
        for them. Raises ConfigurationError."""
        if stage == "llm" and self.settings.llm.provider == "auto":
            return registry.choose("llm", "openai", {}, language, (), environment=surroundings())
        chosen = choose(self.settings, stage, language)
        return _words_needed(chosen) if chosen.provider.name == BY_EAR else chosen

    def check(self, stage: Stage, language: Language) -> None:
        """Raises ConfigurationError when nobody can serve the stage."""
        self._ready(self.choice(stage, language))

    def passes_on(self, stage: Stage, language: Language) -> bool:
        """Whether the stage, `llm` or `tts`, is a host that speaks OpenAI's protocol, which needs
        no translation. Raises ConfigurationError."""
        from eloquence.providers.openai import HostedModelOptions, SpeechOptions

        return isinstance(self.choice(stage, language).options, HostedModelOptions | SpeechOptions)

    @asynccontextmanager
    async def passed_on(
        self,
        path: str,
        body: bytes | None,
        language: Language,
        *,
        headers: Mapping[str, str],
        patience: "Patience",
        only: bool = False,
    ) -> "AsyncIterator[Answer]":
        """The answer of the host of the settings to a chat, or to a GET without a body; with
        `only`, the model is that of the settings. Raises ConfigurationError when there is no
        host, LanguageModelError."""
        from eloquence.providers import passing

        options: Any = self._ready(self.choice("llm", language)).options
        host = options.host()
        asked = (
            None
            if body is None
            else passing.chat(body, options.chosen_model(), host.refuses, only=only)
        )
        client = self._resources.get(
            "passing client", partial(passing.new_client, patience), passing.close
        )
        async with passing.passed_on(
            client, host, path, asked, headers=headers, patience=patience
        ) as answer:
            yield answer

    @asynccontextmanager
    async def speech_passed_on(
        self,
        wanted: Mapping[str, Any],
        language: Language,
        *,
        headers: Mapping[str, str],
        patience: "Patience",
        only: bool = False,
    ) -> "AsyncIterator[Answer]":
        """The sound of the host of the settings for a request in OpenAI's shape, in which what is
        not named is the settings'; with `only`, the model is in any case. Raises
        ConfigurationError, TextToSpeechError."""
        from eloquence.providers import passing

        chosen = self._ready(self.choice("tts", language))
        options: Any = chosen.options
        speed = min(4.0, max(0.25, options.speed * wanted["speed"]))
        asked = {
            **wanted,
            "model": (not only and wanted["model"]) or options.chosen_model(),
            "voice": wanted["voice"] or options.voice or "nova",
            "speed": speed,
        }
        client = self._resources.get(
            "passing client", partial(passing.new_client, patience), passing.close
        )
        body = json.dumps(asked).encode()
        async with passing.passed_on(
            client, options.host(), "/audio/speech", body,
            headers=headers, patience=patience, stage="tts",
        ) as answer:  # fmt: skip
            yield answer

    @asynccontextmanager
    async def answered(
        self,
        chat: "Sequence[Message]",
        language: Language,
        *,
        patience: "Patience",
        wishes: Mapping[str, Any],
    ) -> "AsyncIterator[Answered]":
        """The answer of the language model to a chat; `wishes` are options of its provider, of
        which those count that it knows. Raises ConfigurationError, LanguageModelError."""
        from eloquence.conversation.answering import Deadlines, answered

        chosen = _wished(self._ready(self.choice("llm", language)), wishes)
        context = self._context(language)
        create = partial(chosen.provider.create, chosen.options, context)
        limits = Deadlines(patience.connect, patience.answer, patience.whole)
        async with answered(create, chat, context.last_turn, limits) as answer:
            yield answer

    def live_recognition(
        self, language: Language, rate: int
    ) -> "AbstractAsyncContextManager[LiveRecognition]":
        """A recogniser of what is being said. Raises ConfigurationError when nobody can,
        SpeechToTextError."""
        from eloquence.conversation.live_recognition import live_recognition

        chosen = self._ready(self.choice("stt", language))
        context = self._context(language)
        return live_recognition(partial(chosen.provider.create, chosen.options, context), rate)

    def recogniser(self, language: Language) -> "AbstractAsyncContextManager[Recognise]":
        """A function that recognises. Raises ConfigurationError when nobody can."""
        from eloquence.conversation.recognition import recogniser

        chosen = self._ready(self.choice("stt", language))
        context = self._context(language)
        return recogniser(partial(chosen.provider.create, chosen.options, context))

    def spoken(
        self, text: str, language: Language, *, voice: str = "", model: str = "", pace: float = 1.0
    ) -> "AbstractAsyncContextManager[Spoken]":
        """The text, spoken. `voice` is one of the provider's own, or one of OpenAI's, for which
        the provider's nearest speaks (TTS-02, X-29); `model` counts where there is a choice of
        them; `pace` scales the speed, as far as the voice can follow. Raises ConfigurationError
        when nobody can speak, TextToSpeechError for a voice that is unknown."""
        from eloquence.conversation.speech import spoken

        chosen = self._ready(self.choice("tts", language))
        kind = Voice()
        if voice:
            chosen, kind = _voiced(chosen, voice, language)
        if model and chosen.provider.name == "openai":
            chosen = _with(chosen, language, model=model)
        # A character's pace is bounded to what is good to listen to; whoever asks here may judge.
        context = self._context(language, kind.model_copy(update={"pace": pace}))
        return spoken(partial(chosen.provider.create, chosen.options, context), text)

    def _ready(self, choice: Choice) -> Choice:
        if choice.readiness.ready:
            return choice
        raise DependencyNotFoundError(choice.readiness.detail, mend=choice.readiness.mend)

    def _context(self, language: Language, voice: Voice | None = None) -> "StageContext":
        from eloquence.conversation.stages import StageContext

        exercise = self._library.exercise(EXERCISE, language)
        character: Character = self._library.character(DEFAULT_CHARACTER, language)
        if voice is not None:
            character = character.model_copy(update={"voice": voice})
        return StageContext(language, exercise, exercise.scenario(), character, self._resources)


@asynccontextmanager
async def speech(settings: Settings) -> AsyncIterator[Speech]:
    """The stages of these settings; what they loaded is let go of at the end."""
    from eloquence.conversation.stages import Resources

    resources = Resources()
    try:
        current = Current(settings)
        yield Speech(lambda: current.settings, content.load(None), resources)
    finally:
        await resources.close()


def _words_needed(by_ear: Choice) -> Choice:
    readiness = replace(
        by_ear.readiness,
        ready=False,
        detail="There is no recogniser: what is said cannot be written down.",
        mend=by_ear.readiness.mend or "eloquence models list",
    )
    return replace(by_ear, readiness=readiness)


def _voiced(chosen: Choice, voice: str, language: Language) -> tuple[Choice, Voice]:
    """The choice with that voice, and what it is like."""
    from eloquence.providers.openai import VOICES

    kind = Voice(kind=VOICES.get(voice, "feminine"))
    if chosen.provider.name != "openai" and voice in VOICES:
        return chosen, kind
    return _with(chosen, language, voice=voice), kind


def _with(chosen: Choice, language: Language, **changes: str) -> Choice:
    """The choice with other options. Raises TextToSpeechError when it cannot be so."""
    options: BaseModel = chosen.options
    told = ", ".join(f"{name} {value!r}" for name, value in changes.items())
    mend = "Leave it out, or give one that this voice knows: docs/settings.md."
    if not changes.keys() <= type(options).model_fields.keys():
        raise _unknown(chosen, told, mend)
    try:
        options = type(options).model_validate(options.model_dump() | changes)
    except ValidationError:
        raise _unknown(chosen, told, mend) from None
    readiness = chosen.provider.check(options, language)
    if not readiness.ready:
        raise _unknown(chosen, told, readiness.mend)
    return replace(chosen, options=options, readiness=readiness)


def _wished(chosen: Choice, wishes: Mapping[str, Any]) -> Choice:
    """The choice with those of the wishes that its options know. Raises LanguageModelError for one
    that they do not allow."""
    options: BaseModel = chosen.options
    known = {name: wish for name, wish in wishes.items() if name in type(options).model_fields}
    if not known:
        return chosen
    try:
        return replace(chosen, options=type(options).model_validate(options.model_dump() | known))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise LanguageModelError(
            f"{chosen.provider.name} does not take this {where}.",
            cause="bad_request",
            mend=f"{first['msg']}.",
        ) from None


def _unknown(chosen: Choice, told: str, mend: str) -> TextToSpeechError:
    return TextToSpeechError(
        f"The voice of {chosen.provider.name} has no {told}.", cause="bad_request", mend=mend
    )
