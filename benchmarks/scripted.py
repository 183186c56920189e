"""The scripted stages as providers, so that the product's own processes can be measured with them.

`environment(folder)` gives the variables with which any process of this project finds them under
the name `scripted`, as it finds the providers of a package: by its entry points.
"""

import os
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from eloquence.registry import Provider, Readiness
from eloquence.testing.stages import ScriptedLLM, ScriptedSTT, ScriptedTTS

ROOT = Path(__file__).resolve().parent.parent
REPLY = "Très bien, je vous suis. Et ensuite ?"
HEARD = "Je voudrais vous parler de mon travail."
STT_DELAY, LLM_FIRST, TTS_FIRST = 0.1, 0.2, 0.1
"""Seconds: end of the speech to its words, question to first token, text to first sound."""
PATIENCE = 0.5
"""Seconds of silence that end a turn."""


class Options(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def check(options: BaseModel, language: str) -> Readiness:
    return Readiness(ready=True, detail="scripted")


def make_stt(*_: Any) -> ScriptedSTT:
    return ScriptedSTT([HEARD], delay=STT_DELAY)


def make_llm(*_: Any) -> ScriptedLLM:
    return ScriptedLLM([REPLY], first=LLM_FIRST)


def make_tts(*_: Any) -> ScriptedTTS:
    return ScriptedTTS(first=TTS_FIRST)


stt = Provider(name="scripted", options=Options, create=make_stt, check=check)
llm = Provider(name="scripted", options=Options, create=make_llm, check=check)
tts = Provider(name="scripted", options=Options, create=make_tts, check=check)


def environment(folder: Path) -> dict[str, str]:
    """Variables for a process; makes a package and an author's content in the folder. In that
    content the free conversation takes any silence of `PATIENCE` for the end of a turn."""
    info = folder / "packages" / "eloquence_scripted-0.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: eloquence-scripted\nVersion: 0\n")
    points = (f"[eloquence.{kind}]\nscripted = benchmarks.scripted:{kind}\n" for kind in _KINDS)
    (info / "entry_points.txt").write_text("\n".join(points))
    exercises = folder / "content" / "fr" / "exercises"
    exercises.mkdir(parents=True, exist_ok=True)
    shipped = ROOT / "src/eloquence/content/fr/exercises/conversation_libre_marie.yaml"
    lines = shipped.read_text(encoding="utf-8").splitlines()
    changed = [
        f"patience: {{minimum: {PATIENCE}, maximum: {PATIENCE}}}"
        if line.startswith("patience:")
        else line
        for line in lines
    ]
    (exercises / shipped.name).write_text("\n".join(changed) + "\n", encoding="utf-8")
    return {
        **os.environ,
        "PYTHONPATH": f"{folder / 'packages'}:{ROOT}",
        "ELOQUENCE_STT": "scripted",
        "ELOQUENCE_LLM": "scripted",
        "ELOQUENCE_TTS": "scripted",
        "ELOQUENCE_CONTENT": str(folder / "content"),
        "ELOQUENCE_DATA": str(folder / "data"),
    }


_KINDS = ("stt", "llm", "tts")
