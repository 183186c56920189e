"""A Piper voice that hums: real to Piper in every way, made on the spot and a few kilobytes large,
so that its whole path (phonemes, network, process) runs where no voice can be downloaded."""

import json
from pathlib import Path

from eloquence.testing.networks import FLOAT, floats, ints, network, node

RATE = 22_050
SAMPLES_PER_PHONEME = 1_400


def write_humming_voice(folder: Path, name: str = "fr_FR-siwis-medium") -> Path:
    """Writes `name/name.onnx` and its `.json` into the folder, as a download would; the model file.

    It hums 60 ms for each phoneme, longer with a greater length scale.
    """
    place = folder / name
    place.mkdir(parents=True)
    model = place / f"{name}.onnx"
    model.write_bytes(_model())
    config = {
        "audio": {"sample_rate": RATE, "quality": "medium"},
        "espeak": {"voice": name[:2]},
        "phoneme_type": "espeak",
        "num_symbols": 256,
        "num_speakers": 1,
        "inference": {"noise_scale": 0.0, "length_scale": 1.0, "noise_w": 0.0},
        "phoneme_id_map": {"_": [0], "^": [1], "$": [2], " ": [3]}
        | {chr(code): [4 + code % 250] for code in range(ord("a"), ord("z") + 1)},
    }
    model.with_name(f"{model.name}.json").write_text(json.dumps(config), "utf-8")
    return model


def _model() -> bytes:
    """A sine as long as there are phonemes."""
    return network(
        nodes=[
            node("Shape", ["input"], "shape_of_input"),
            node("Gather", ["shape_of_input", "at_one"], "count"),
            node("Cast", ["count"], "phonemes", to=FLOAT),
            node("Gather", ["scales", "at_scale"], "slowness"),
            node("Mul", ["phonemes", "per_phoneme"], "samples"),
            node("Mul", ["samples", "slowness"], "length"),
            node("Range", ["zero", "length", "one"], "times"),
            node("Mul", ["times", "step"], "phase"),
            node("Sin", ["phase"], "wave"),
            node("Mul", ["wave", "quiet"], "hum"),
            node("Reshape", ["hum", "shape"], "output"),
        ],
        constants={
            "at_one": ints(1),
            "at_scale": ints(1),
            "per_phoneme": floats(float(SAMPLES_PER_PHONEME)),
            "zero": floats(0.0),
            "one": floats(1.0),
            "step": floats(2 * 3.141_592_65 * 180 / RATE),
            "quiet": floats(0.2),
            "shape": ints(1, 1, 1, -1, vector=True),
        },
        inputs={
            "input": ("int64", ("batch", "phonemes")),
            "input_lengths": ("int64", ("batch",)),
            "scales": ("float", (3,)),
        },
        outputs={"output": ("float", ("batch", 1, 1, "time"))},
    )
