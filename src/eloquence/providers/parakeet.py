"""Parakeet: NVIDIA's multilingual recogniser on this machine, with punctuation and word times,
through onnx-asr. The weights are downloaded by `eloquence models`, never behind one's back."""

from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field

from eloquence.conversation.stages import StageContext
from eloquence.errors import SpeechToTextError
from eloquence.providers._model_folders import model_folder
from eloquence.providers._on_this_machine import refusal, without_package
from eloquence.registry import Provider, Readiness

if TYPE_CHECKING:
    from eloquence.providers._utterances import UtteranceSTT

MODELS = ("parakeet-tdt-0.6b-v3-int8",)
"""Models that are looked for; the last one is what we propose."""
LANGUAGES = frozenset({
    "bg", "cs", "da", "de", "el", "en", "es", "et", "fi", "fr", "hr", "hu", "it", "lt", "lv",
    "mt", "nl", "pl", "pt", "ro", "ru", "sk", "sl", "sv", "uk",
})  # fmt: skip
"""What the model knows; it hears by itself which of them is spoken."""
_NEEDED = (
    ("encoder-model.int8.onnx", "encoder-model.onnx"),
    ("decoder_joint-model.int8.onnx", "decoder_joint-model.onnx"),
    ("vocab.txt",),
)


class Options(BaseModel):
    """`model` is a folder, or the name of one in the `models` folder; empty: what was downloaded.
    `threads` is how many cores one utterance may take; 0 for up to four."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str = ""
    models: Path | None = None
    threads: Annotated[int, Field(ge=0, le=64)] = 0

    def folder(self) -> Path | None:
        """The model's folder, whether or not it is there; None when there is none to name."""
        return model_folder(self.model, self.models, MODELS)


def create(options: Options, context: StageContext) -> "UtteranceSTT":
    """Raises DependencyNotFoundError, SpeechToTextError without a model."""
    readiness = check(options, context.language)
    if not readiness.ready:
        raise refusal(readiness, SpeechToTextError)
    from eloquence.providers._parakeet_recogniser import Parakeet, SharedModel
    from eloquence.providers._threads import recognition_threads
    from eloquence.providers._utterances import ON_THIS_MACHINE, UtteranceSTT

    folder = options.folder()
    assert folder is not None
    model = context.resources.get(
        f"parakeet {folder}", partial(SharedModel, folder, options.threads)
    )
    return UtteranceSTT(
        recogniser=partial(Parakeet, model, recognition_threads(context.resources)),
        language=context.language,
        model=folder.name,
        provider="parakeet",
        interim=False,
        word_times=True,
        patience=ON_THIS_MACHINE,
    )


def check(options: Options, language: str) -> Readiness:
    proposed = MODELS[-1]
    if not _installed():
        return without_package("onnx-asr", "parakeet", proposed)
    folder = options.folder()
    if folder is None:
        return Readiness(
            ready=False,
            detail="Parakeet's model is not here yet.",
            mend=f"eloquence models download {proposed}",
            model=proposed,
        )
    if not all(any((folder / name).is_file() for name in either) for either in _NEEDED):
        return Readiness(
            ready=False,
            detail=f"There is no Parakeet model in {folder}.",
            mend=f"eloquence models download {proposed}",
            model=proposed,
        )
    return Readiness(ready=True, detail=f"{folder.name}, on this machine.", model=folder.name)


def _installed() -> bool:
    return find_spec("onnx_asr") is not None and find_spec("onnxruntime") is not None


stt = Provider(name="parakeet", options=Options, create=create, check=check, languages=LANGUAGES)
