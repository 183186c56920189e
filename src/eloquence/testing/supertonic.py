"""A Supertonic model that hums: real to its package in every way, made on the spot, so that its
whole path (text, networks, process) runs where no model can be downloaded."""

import json
from pathlib import Path

from eloquence.testing.networks import FLOAT, Value, floats, ints, network, node

RATE = 44_100
SECONDS_PER_CHARACTER = 0.06
HERTZ = {"F1": 220.0, "F2": 240.0, "M1": 110.0, "M2": 120.0}
"""What each of its voices hums at speed 1."""
_CHUNK, _FACTOR, _LATENT = 512, 6, 24
_STYLE = (1, 2, 2)


def write_humming_model(folder: Path, name: str = "supertonic-3") -> Path:
    """Writes the model's files into `folder/name`, as a download would; that folder.

    It hums 60 ms for each character that the package makes of the text, its tokens of the language
    included, faster at a greater speed.
    """
    place = folder / name
    networks = place / "onnx"
    networks.mkdir(parents=True)
    (networks / "duration_predictor.onnx").write_bytes(_durations())
    (networks / "text_encoder.onnx").write_bytes(_text())
    (networks / "vector_estimator.onnx").write_bytes(_vectors())
    (networks / "vocoder.onnx").write_bytes(_vocoder())
    config = {
        "ae": {"sample_rate": RATE, "base_chunk_size": _CHUNK},
        "ttl": {"chunk_compress_factor": _FACTOR, "latent_dim": _LATENT},
    }
    (networks / "tts.json").write_text(json.dumps(config), "utf-8")
    indexes = [-1] * 65_536
    known = [*range(0x20, 0x7F), *range(0x300, 0x370), 0xAB, 0xBB, 0x153, 0xE6]
    for index, code in enumerate(known):  # letters, marks over them (NFKD), what French adds
        indexes[code] = index
    (networks / "unicode_indexer.json").write_text(json.dumps(indexes), "utf-8")
    voices = place / "voice_styles"
    voices.mkdir()
    for voice, hertz in HERTZ.items():
        style = {"dims": list(_STYLE), "data": [hertz] * 4}
        text = json.dumps({"style_ttl": style, "style_dp": style})
        (voices / f"{voice}.json").write_text(text, "utf-8")
    return place


_IDS: Value = ("int64", ("batch", "characters"))
_MASK: Value = ("float", ("batch", 1, "characters"))
_VOICE: Value = ("float", _STYLE)
_PIECES: Value = ("float", ("batch", _LATENT * _FACTOR, "pieces"))


def _durations() -> bytes:
    return network(
        nodes=[
            node("ReduceSum", ["text_mask", "axes"], "characters", keepdims=0),
            node("Mul", ["characters", "each"], "duration"),
        ],
        constants={"axes": ints(1, 2, vector=True), "each": floats(SECONDS_PER_CHARACTER)},
        inputs={"text_ids": _IDS, "style_dp": _VOICE, "text_mask": _MASK},
        outputs={"duration": ("float", ("batch",))},
    )


def _text() -> bytes:
    return network(
        nodes=[node("Identity", ["text_mask"], "text_emb")],
        constants={},
        inputs={"text_ids": _IDS, "style_ttl": _VOICE, "text_mask": _MASK},
        outputs={"text_emb": _MASK},
    )


def _vectors() -> bytes:
    """The pitch of the voice, wherever there is speech."""
    one: Value = ("float", ("batch",))
    return network(
        nodes=[
            node("ReduceMax", ["style_ttl"], "hertz", axes=[0, 1, 2], keepdims=1),
            node("Mul", ["noisy_latent", "zero"], "still"),
            node("Mul", ["latent_mask", "hertz"], "pitch"),
            node("Add", ["still", "pitch"], "denoised_latent"),
        ],
        constants={"zero": floats(0.0)},
        inputs={
            "noisy_latent": _PIECES,
            "text_emb": _MASK,
            "style_ttl": _VOICE,
            "text_mask": _MASK,
            "latent_mask": ("float", ("batch", 1, "pieces")),
            "current_step": one,
            "total_step": one,
        },
        outputs={"denoised_latent": _PIECES},
    )


def _vocoder() -> bytes:
    """A sine of that pitch."""
    return network(
        nodes=[
            node("ReduceMax", ["latent"], "hertz", axes=[0, 1, 2], keepdims=0),
            node("Shape", ["latent"], "shape_of_latent"),
            node("Gather", ["shape_of_latent", "at_two"], "count"),
            node("Cast", ["count"], "pieces", to=FLOAT),
            node("Mul", ["pieces", "per_piece"], "length"),
            node("Range", ["zero", "length", "one"], "times"),
            node("Mul", ["hertz", "turn"], "step"),
            node("Mul", ["times", "step"], "phase"),
            node("Sin", ["phase"], "wave"),
            node("Mul", ["wave", "quiet"], "hum"),
            node("Reshape", ["hum", "shape"], "wav_tts"),
        ],
        constants={
            "at_two": ints(2),
            "per_piece": floats(float(_CHUNK * _FACTOR)),
            "zero": floats(0.0),
            "one": floats(1.0),
            "turn": floats(2 * 3.141_592_65 / RATE),
            "quiet": floats(0.2),
            "shape": ints(1, -1, vector=True),
        },
        inputs={"latent": _PIECES},
        outputs={"wav_tts": ("float", ("batch", "samples"))},
    )
