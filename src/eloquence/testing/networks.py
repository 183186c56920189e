"""Writing small networks in ONNX's own format, so that engines which run such files can be tested
where no model can be downloaded.

The numbers of fields and types are those of `onnx.proto3`, version 8 of the format.
"""

import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

Kind = Literal["float", "int32", "int64"]
Shape = Sequence[int | str]
Value = tuple[Kind, Shape]
"""What a value is made of, and its dimensions; one that is a name may be of any length."""
Bytes = bytes | bytearray

FLOAT = 1
"""What a Cast takes as its `to`, for floats."""
_KINDS: Mapping[Kind, int] = {"float": FLOAT, "int32": 6, "int64": 7}


def network(
    nodes: Iterable[bytes],
    constants: Mapping[str, bytes],
    inputs: Mapping[str, Value],
    outputs: Mapping[str, Value],
) -> bytes:
    """The file of a network."""
    graph = b"".join(_part(1, one) for one in nodes) + _part(2, b"test")
    graph += b"".join(_part(5, body + _part(8, key.encode())) for key, body in constants.items())
    graph += b"".join(_part(11, _value(key, *shape)) for key, shape in inputs.items())
    graph += b"".join(_part(12, _value(key, *shape)) for key, shape in outputs.items())
    return _number(1, 8) + _part(7, graph) + _part(8, _number(2, 13))


def node(kind: str, inputs: Iterable[str], output: str, **attributes: int | Sequence[int]) -> bytes:
    """One operation, as ONNX names it, from named values to a named value."""
    body = b"".join(_part(1, one.encode()) for one in inputs) + _part(2, output.encode())
    body += _part(4, kind.encode())
    for name, value in attributes.items():
        if isinstance(value, int):
            written = _number(3, value) + _number(20, 2)
        else:
            written = b"".join(_number(8, one) for one in value) + _number(20, 7)
        body += _part(5, _part(1, name.encode()) + written)
    return body


def ints(*values: int, vector: bool = False) -> bytes:
    """A constant: one integer, or a list of them."""
    shape = _number(1, len(values)) if vector else b""
    return shape + _number(2, _KINDS["int64"]) + _part(9, struct.pack(f"<{len(values)}q", *values))


def floats(*values: float, shape: Sequence[int] = ()) -> bytes:
    """A constant of that shape; none is a single number."""
    dimensions = b"".join(_number(1, one) for one in shape)
    return dimensions + _number(2, FLOAT) + _part(9, struct.pack(f"<{len(values)}f", *values))


def _value(name: str, kind: Kind, dimensions: Shape) -> bytes:
    shape = b"".join(
        _part(1, _number(1, one) if isinstance(one, int) else _part(2, one.encode()))
        for one in dimensions
    )
    tensor = _number(1, _KINDS[kind]) + _part(2, shape)
    return _part(1, name.encode()) + _part(2, _part(1, tensor))


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _part(field: int, body: Bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(body)) + bytes(body)


def _varint(value: int) -> bytes:
    out = bytearray()
    value &= (1 << 64) - 1
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])
