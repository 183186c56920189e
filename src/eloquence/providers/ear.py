"""Hearing how one speaks, without knowing what is said: for a language with no recogniser.

Turns are taken by voice activity. Each utterance gives the placeholder `HEARD` as its words, so
that the conversation goes on; whoever reads the words must know it for what it is.
"""

from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from eloquence.conversation.stages import StageContext
from eloquence.registry import Provider, Readiness

if TYPE_CHECKING:
    from eloquence.providers._utterances import UtteranceSTT

_MODELS = {"fr": "vosk-model-small-fr-0.22", "en": "vosk-model-small-en-us-0.15"}


class Options(BaseModel):
    """There is nothing to set."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def create(options: Options, context: StageContext) -> "UtteranceSTT":
    # The engine is loaded here, so that choosing this provider costs nothing.
    from eloquence.providers._ear_recogniser import Ear
    from eloquence.providers._utterances import UtteranceSTT

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
