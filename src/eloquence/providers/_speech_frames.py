"""The frames that a speaking process and its owner exchange over pipes.

A frame is a header (payload length, kind, request number) and a payload. Only the standard
library is used here, because both sides read it and one of them runs a GPL engine that shares
nothing else with the main program.
"""

import struct
from enum import IntEnum

HEADER = struct.Struct("<IBI")
PAYLOAD_LIMIT = 1 << 20
"""Bytes; a longer payload means that the two sides lost step."""


class Kind(IntEnum):
    """What a frame says. The owner sends SPEAK and CANCEL; the process sends the rest."""

    READY = 1
    """Payload: JSON with what the engine says of itself."""
    SPEAK = 2
    """Payload: JSON, whatever the engine understands."""
    CANCEL = 3
    SOUND = 4
    """Payload: PCM16 mono at 24 kHz."""
    WORDS = 5
    """Payload: JSON list of [character position in the text, seconds from the start]."""
    END = 6
    ERROR = 7
    """Payload: JSON with `message`, which never holds the text. Request 0: the engine is unfit."""


def frame(kind: Kind, request: int, payload: bytes = b"") -> bytes:
    """One frame. Raises ValueError when the payload is too long."""
    if len(payload) > PAYLOAD_LIMIT:
        raise ValueError(f"payload of {len(payload)} bytes")
    return HEADER.pack(len(payload), kind, request) + payload
