"""Supertonic: a voice of today made on this machine, in French, English and 29 more languages, in a
process of its own. Its code is MIT, its weights are under OpenRAIL-M (see docs/providers.md); they
are downloaded by `eloquence models`, never behind one's back."""

from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from eloquence.conversation.stages import StageContext
from eloquence.errors import TextToSpeechError
from eloquence.providers._clause_speech import ClauseSpeech
from eloquence.providers._model_folders import model_folder
from eloquence.providers._on_this_machine import refusal, without_package
from eloquence.providers._speech_process import SpeechProcess
from eloquence.registry import Provider, Readiness

MODELS = ("supertonic-3",)
"""Models that are looked for; the last one is what we propose."""
LANGUAGES = frozenset({
    "ar", "bg", "cs", "da", "de", "el", "en", "es", "et", "fi", "fr", "hi", "hr", "hu", "id",
    "it", "ja", "ko", "lt", "lv", "nl", "pl", "pt", "ro", "ru", "sk", "sl", "sv", "tr", "uk",
    "vi",
})  # fmt: skip
VOICES = {"feminine": "F1", "masculine": "M1"}
"""The voice of a character that names none; there are F1 to F5 and M1 to M5."""
_NEEDED = (
    "onnx/duration_predictor.onnx",
    "onnx/text_encoder.onnx",
    "onnx/vector_estimator.onnx",
    "onnx/vocoder.onnx",
    "onnx/tts.json",
    "onnx/unicode_indexer.json",
)


class Options(BaseModel):
    """`voice` F1 to F5 or M1 to M5, or a file of one's own (`.json`); empty: by the character.
    `model` is a folder, or the name of one in the `models` folder; empty: what was downloaded.
    `steps` trades time for quality, `speed` over 1 is faster. `threads` is how many cores a clause
    may take; 0 for up to four."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    voice: str = ""
    model: str = ""
    models: Path | None = None
    steps: Annotated[int, Field(ge=1, le=20)] = 5
    speed: Annotated[float, Field(ge=0.7, le=2.0)] = 1.0
    threads: Annotated[int, Field(ge=0, le=64)] = 0

    def folder(self) -> Path | None:
        """The model's folder, whether or not it is there; None when there is none to name."""
        return model_folder(self.model, self.models, MODELS)


def create(options: Options, context: StageContext) -> ClauseSpeech:
    """Raises DependencyNotFoundError, TextToSpeechError without a model or that voice."""
    readiness = check(options, context.language)
    if not readiness.ready:
        raise refusal(readiness, TextToSpeechError)
    folder = options.folder()
    assert folder is not None
    kind = context.character.voice
    wanted = options.voice or kind.names.get("supertonic", "")
    voice = _voice_file(folder, wanted) if wanted else None
    if voice is None or not voice.is_file():
        voice = _voice_file(folder, VOICES[kind.kind])
    process = context.resources.get(
        f"supertonic {folder} {options.threads}",
        partial(
            SpeechProcess,
            "supertonic",
            "eloquence.providers._supertonic_worker",
            str(folder),
            str(options.threads),
        ),
        SpeechProcess.close,
    )
    wish = {
        "voice": str(voice),
        "language": context.language,
        "steps": options.steps,
        "speed": min(2.0, max(0.7, options.speed * kind.pace)),
    }

    def request(text: str) -> dict[str, object]:
        return {"text": text, **wish}

    return ClauseSpeech(process=process, request=request, model=folder.name, provider="supertonic")


def check(options: Options, language: str) -> Readiness:
    proposed = MODELS[-1]
    if not _installed():
        return without_package("supertonic", "supertonic", proposed)
    folder = options.folder()
    if folder is None:
        return Readiness(
            ready=False,
            detail="Supertonic's model is not here yet.",
            mend=f"eloquence models download {proposed}",
            model=proposed,
        )
    voices = sorted(path.stem for path in (folder / "voice_styles").glob("*.json"))
    if not voices or not all((folder / name).is_file() for name in _NEEDED):
        return Readiness(
            ready=False,
            detail=f"There is no Supertonic model in {folder}.",
            mend=f"eloquence models download {proposed}",
            model=proposed,
        )
    if options.voice and not _voice_file(folder, options.voice).is_file():
        return Readiness(
            ready=False,
            detail=f"Supertonic has no voice {options.voice}.",
            mend=f"It has: {', '.join(voices)}; or give a file of one's own.",
            model=folder.name,
        )
    return Readiness(ready=True, detail=f"{folder.name}, made on this machine.", model=folder.name)


def _voice_file(folder: Path, voice: str) -> Path:
    if voice.endswith(".json"):
        return Path(voice).expanduser()
    return folder / "voice_styles" / f"{voice}.json"


def _installed() -> bool:
    return find_spec("supertonic") is not None


tts = Provider(name="supertonic", options=Options, create=create, check=check, languages=LANGUAGES)
