"""Vosk: French and English recognised on this machine with a model of one's own, or by a
vosk-server (`ws://`), or by the seeds' recogniser (`http://…/transcribe`)."""

from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from eloquence.conversation.stages import StageContext
from eloquence.errors import SpeechToTextError
from eloquence.providers._hosts import is_local
from eloquence.providers._model_folders import model_folder
from eloquence.providers._on_this_machine import refusal, without_package
from eloquence.registry import Provider, Readiness

if TYPE_CHECKING:
    from eloquence.providers._utterances import Recogniser, UtteranceSTT

MODELS = {
    "fr": ("vosk-model-fr-0.22", "vosk-model-small-fr-0.22"),
    "en": ("vosk-model-en-us-0.22", "vosk-model-small-en-us-0.15"),
}
"""Models that are looked for, the better one first; the last one is what we propose."""


class Options(BaseModel):
    """`url` of a server, or `model`: a folder, or the name of one in the `models` folder; neither:
    what was downloaded for the language. `patience` is how long a server may take, in seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str = ""
    model: str = Field("", validation_alias=AliasChoices("model", "path"))
    models: Path | None = None
    patience: Annotated[float, Field(gt=0, le=60)] = 2.5

    def folder(self, language: str) -> Path | None:
        """The model's folder, whether or not it is there; None when there is none to name."""
        return model_folder(self.model, self.models, MODELS.get(language, ()))


def create(options: Options, context: StageContext) -> "UtteranceSTT":
    # The engine is loaded here, so that asking whether there is a recogniser costs nothing.
    from eloquence.providers import _vosk_recognisers as recognisers
    from eloquence.providers._threads import recognition_threads
    from eloquence.providers._utterances import ON_THIS_MACHINE, UtteranceSTT

    readiness = check(options, context.language)
    if not readiness.ready:
        raise refusal(readiness, SpeechToTextError)
    streaming = not options.url.startswith("http")
    recogniser: Callable[[], Recogniser]
    name = "vosk"
    if options.url.startswith("ws"):
        recogniser = partial(recognisers.ServerVosk, options)
    elif options.url:
        client = context.resources.get("vosk http client", recognisers.client, recognisers.close)
        recogniser = partial(recognisers.RestVosk, options, client, context.language)
    else:
        folder = options.folder(context.language)
        assert folder is not None
        name = folder.name
        model = context.resources.get(f"vosk {folder}", partial(recognisers.SharedModel, folder))
        recogniser = partial(recognisers.LocalVosk, model, recognition_threads(context.resources))
    return UtteranceSTT(
        recogniser=recogniser,
        language=context.language,
        model=name,
        provider="vosk",
        interim=streaming,
        word_times=streaming,
        patience=options.patience if options.url else ON_THIS_MACHINE,
    )


def check(options: Options, language: str) -> Readiness:
    if options.url:
        return _server_readiness(options.url)
    proposed = MODELS.get(language, ("",))[-1]
    if not _installed():
        return without_package("vosk", "vosk", proposed)
    folder = options.folder(language)
    if folder is None:
        return Readiness(
            ready=False,
            detail="Vosk has no model for this language yet.",
            mend=f"eloquence models download {proposed}" if proposed else "Give model a folder.",
            model=proposed,
        )
    if not any((folder / inside).is_file() for inside in ("am/final.mdl", "final.mdl")):
        return Readiness(
            ready=False,
            detail=f"There is no Vosk model in {folder}.",
            mend=f"eloquence models download {folder.name}",
            model=folder.name if folder.name.startswith("vosk-model") else proposed,
        )
    return Readiness(ready=True, detail=f"{folder.name}, on this machine.", model=folder.name)


def _server_readiness(url: str) -> Readiness:
    parts = urlsplit(url)
    if parts.scheme not in ("ws", "wss", "http", "https") or not parts.hostname:
        return Readiness(
            ready=False,
            detail="The address of the Vosk server is none.",
            mend="Give ws://host:2700 for a vosk-server, or http://host:8000 for /transcribe.",
        )
    local = is_local(parts.hostname)
    return Readiness(
        ready=True,
        detail=f"The recogniser at {parts.hostname}.",
        leaves_machine="" if local else parts.hostname,
    )


def _installed() -> bool:
    return find_spec("vosk") is not None


stt = Provider(
    name="vosk",
    options=Options,
    create=create,
    check=check,
    environment={"url": ("VOSK_STT_URL", "WHISPER_STT_URL")},
)
