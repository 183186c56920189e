"""A Piper voice that hums: real to Piper in every way, made on the spot and a few kilobytes large,
so that its whole path (phonemes, network, process) runs where no voice can be downloaded."""

import json
import struct
from collections.abc import Iterable
from pathlib import Path

RATE = 22_050
SAMPLES_PER_PHONEME = 1_400
_INT64, _FLOAT = 7, 1

Bytes = bytes | bytearray


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
    """The network in ONNX's own format: a sine as long as there are phonemes."""
    constants = {
        "at_one": _ints(1),
        "at_scale": _ints(1),
        "per_phoneme": _floats(float(SAMPLES_PER_PHONEME)),
        "zero": _floats(0.0),
        "one": _floats(1.0),
        "step": _floats(2 * 3.141_592_65 * 180 / RATE),
        "quiet": _floats(0.2),
        "shape": _ints(1, 1, 1, -1, vector=True),
    }
    nodes = [
        _node("Shape", ["input"], "shape_of_input"),
        _node("Gather", ["shape_of_input", "at_one"], "count"),
        _node("Cast", ["count"], "phonemes", to=_FLOAT),
        _node("Gather", ["scales", "at_scale"], "slowness"),
        _node("Mul", ["phonemes", "per_phoneme"], "samples"),
        _node("Mul", ["samples", "slowness"], "length"),
        _node("Range", ["zero", "length", "one"], "times"),
        _node("Mul", ["times", "step"], "phase"),
        _node("Sin", ["phase"], "wave"),
        _node("Mul", ["wave", "quiet"], "hum"),
        _node("Reshape", ["hum", "shape"], "output"),
    ]
    graph = b"".join(_part(1, node) for node in nodes) + _part(2, b"hum")
    graph += b"".join(_part(5, body + _part(8, key.encode())) for key, body in constants.items())
    for key, kind, dimensions in (
        ("input", _INT64, ("batch", "phonemes")),
        ("input_lengths", _INT64, ("batch",)),
        ("scales", _FLOAT, (3,)),
    ):
        graph += _part(11, _value(key, kind, dimensions))
    graph += _part(12, _value("output", _FLOAT, ("batch", 1, 1, "time")))
    return _number(1, 8) + _part(7, graph) + _part(8, _number(2, 13))


def _value(name: str, kind: int, dimensions: Iterable[int | str]) -> bytes:
    shape = b"".join(
        _part(1, _number(1, one) if isinstance(one, int) else _part(2, one.encode()))
        for one in dimensions
    )
    tensor = _number(1, kind) + _part(2, shape)
    return _part(1, name.encode()) + _part(2, _part(1, tensor))


def _node(kind: str, inputs: Iterable[str], output: str, **attributes: int) -> bytes:
    body = b"".join(_part(1, one.encode()) for one in inputs) + _part(2, output.encode())
    body += _part(4, kind.encode())
    for name, value in attributes.items():
        body += _part(5, _part(1, name.encode()) + _number(3, value) + _number(20, 2))
    return body


def _ints(*values: int, vector: bool = False) -> bytes:
    dimensions = _number(1, len(values)) if vector else b""
    return dimensions + _number(2, _INT64) + _part(9, struct.pack(f"<{len(values)}q", *values))


def _floats(value: float) -> bytes:
    return _number(2, _FLOAT) + _part(9, struct.pack("<f", value))


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _part(field: int, body: Bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(body)) + bytes(body)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])
