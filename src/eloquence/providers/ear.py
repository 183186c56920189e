"""Hearing how one speaks, without knowing what is said: for a language with no recogniser.

Turns are taken by voice activity. Each utterance gives the placeholder `HEARD` as its words, so
that the conversation goes on; whoever reads the words must know it for what it is.
"""

from pydantic import BaseModel, ConfigDict

from eloquence.conversation.stages import HEARD, StageContext
from eloquence.providers._utterances import Heard, Recogniser, UtteranceSTT
from eloquence.registry import Provider, Readiness

_MODELS = {"fr": "vosk-model-small-fr-0.22", "en": "vosk-model-small-en-us-0.15"}


class Options(BaseModel):
    """There is nothing to set."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Ear(Recogniser):
    """Understands nothing, and says so with the same sign each time."""

    async def hear(self, pcm: bytes) -> str:
        return ""

    async def finish(self) -> Heard:
        return Heard(HEARD)


def create(options: Options, context: StageContext) -> UtteranceSTT:
    return UtteranceSTT(
        recogniser=Ear,
        language=context.language,
        model="voice activity",
        provider="none",
        interim=False,
        word_times=False,
    )


def check(options: Options, language: str) -> Readiness:
    model = _MODELS.get(language, "")
    return Readiness(
        ready=True,
        detail="By ear: how you speak is heard, not what you say; there is no recogniser.",
        mend=f"eloquence models download {model}" if model else "",
        model=model,
    )


stt = Provider(name="none", options=Options, create=create, check=check)
