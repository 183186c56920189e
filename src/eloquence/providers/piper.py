"""Piper: natural voices made on this machine from a downloaded model, in a process of its own
because it is GPL-3."""

from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from eloquence.conversation.stages import StageContext
from eloquence.errors import TextToSpeechError
from eloquence.providers._clause_speech import ClauseSpeech
from eloquence.providers._model_folders import first_installed, models_folder
from eloquence.providers._on_this_machine import refusal, without_package
from eloquence.providers._speech_process import SpeechProcess
from eloquence.registry import Provider, Readiness

VOICES = {
    "fr": ("fr_FR-siwis-medium", "fr_FR-upmc-medium", "fr_FR-tom-medium"),
    "en": ("en_US-amy-medium", "en_US-lessac-medium", "en_GB-alba-medium"),
}
"""Voices that are looked for; the first one is what we propose."""


class Options(BaseModel):
    """`voice` is a model file (`.onnx` with its `.onnx.json` beside), or the name of one in the
    `models` folder; empty: what was downloaded for the language. `length_scale` over 1 is slower.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    voice: str = ""
    models: Path | None = None
    length_scale: Annotated[float, Field(ge=0.5, le=2.0)] = 1.1

    def file(self, language: str, name: str = "") -> Path | None:
        """The model file, whether or not it is there; None when there is none to name."""
        wanted = self.voice or name
        if wanted.endswith(".onnx"):
            return Path(wanted).expanduser()
        folder = models_folder(self.models)
        wanted = wanted or first_installed(folder, VOICES.get(language, ()))
        return folder / wanted / f"{wanted}.onnx" if wanted else None


def create(options: Options, context: StageContext) -> ClauseSpeech:
    readiness = check(options, context.language)
    if not readiness.ready:
        raise refusal(readiness, TextToSpeechError)
    voice = context.character.voice
    model = options.file(context.language, voice.names.get("piper", ""))
    if model is None or not _complete(model):
        model = options.file(context.language)  # the character's own voice was not downloaded
    assert model is not None
    process = context.resources.get(
        f"piper {model}",
        partial(SpeechProcess, "piper", "eloquence.providers._piper_worker", str(model)),
        SpeechProcess.close,
    )
    scale = options.length_scale / voice.pace

    def request(text: str) -> dict[str, object]:
        return {"text": text, "length_scale": scale}

    return ClauseSpeech(process=process, request=request, model=model.stem, provider="piper")


def check(options: Options, language: str) -> Readiness:
    proposed = VOICES.get(language, ("",))[0]
    if not _installed():
        return without_package("piper-tts", "piper", proposed)
    model = options.file(language)
    if model is None:
        return Readiness(
            ready=False,
            detail="Piper has no voice for this language yet.",
            mend=f"eloquence models download {proposed}" if proposed else "Give voice a file.",
            model=proposed,
        )
    if not _complete(model):
        return Readiness(
            ready=False,
            detail=f"There is no Piper voice {model} with its {model.name}.json.",
            mend=f"eloquence models download {model.stem}",
            model=model.stem,
        )
    return Readiness(
        ready=True, detail=f"The voice {model.stem}, made on this machine.", model=model.stem
    )


def _complete(model: Path) -> bool:
    return model.is_file() and model.with_name(f"{model.name}.json").is_file()


def _installed() -> bool:
    return find_spec("piper") is not None


tts = Provider(name="piper", options=Options, create=create, check=check)
