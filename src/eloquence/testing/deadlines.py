"""Deadlines for providers whose host fails: short where one must pass, and where something else
must end it so long that the speed of the machine decides nothing."""

IN_TIME = 8.0
"""Seconds within which any failure must be told: more than the short deadlines by far, and less
than the long ones."""
_LONG = 10.0
_SILENT = frozenset({"hang", "headers_then_hang"})
_STOPPING = frozenset({"stall_mid", "slow"})
"""What a host does of which only a deadline tells; see `eloquence.testing.services`."""


def deadlines(mode: str, short: float = 0.4) -> dict[str, float]:
    """Options of a provider whose answers stream, in seconds."""
    return {
        "first": short if mode in _SILENT else _LONG,
        "idle": short if mode in _STOPPING else _LONG,
        "total": 3 * _LONG,
    }


def deadline(mode: str, short: float = 0.4) -> float:
    """Seconds for an answer that comes as a whole."""
    return short if mode in _SILENT | _STOPPING else _LONG
