"""The loop of a speaking process: reads requests from standard input, writes sound to standard
output, ends when its owner goes away. Requests are spoken one after the other; a cancelled one
stops at its next piece of sound.
"""

import json
import queue
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any, BinaryIO, Protocol

from eloquence.providers._speech_frames import HEADER, PAYLOAD_LIMIT, Kind, frame


class Voice(Protocol):
    """Where an engine puts what it makes. Each call says whether to go on."""

    def sound(self, pcm: bytes) -> bool: ...

    def words(self, words: list[tuple[int, float]]) -> bool: ...


Engine = Callable[[dict[str, Any], Voice], None]


class _Request:
    def __init__(self, number: int, out: BinaryIO, cancelled: set[int]) -> None:
        self._number = number
        self._out = out
        self._cancelled = cancelled

    def _send(self, kind: Kind, payload: bytes) -> bool:
        self._out.write(frame(kind, self._number, payload))
        self._out.flush()
        return self._number not in self._cancelled

    def sound(self, pcm: bytes) -> bool:
        return self._send(Kind.SOUND, pcm)

    def words(self, words: list[tuple[int, float]]) -> bool:
        return self._send(Kind.WORDS, json.dumps(words).encode())

    def end(self) -> None:
        self._send(Kind.END, b"")

    def error(self, message: str) -> None:
        self._send(Kind.ERROR, json.dumps({"message": message}).encode())


def serve(load: Callable[[], tuple[Engine, dict[str, object]]]) -> int:
    """Loads the engine, says READY, then speaks until standard input ends. Returns exit status."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the owner's to answer
    source, out = sys.stdin.buffer, sys.stdout.buffer
    cancelled: set[int] = set()
    try:
        engine, about = load()
    except Exception as error:  # the owner must learn why, whatever it is
        _Request(0, out, cancelled).error(f"{type(error).__name__}: {error}")
        return 1
    out.write(frame(Kind.READY, 0, json.dumps(about).encode()))
    out.flush()

    requests: queue.Queue[tuple[int, dict[str, Any]] | None] = queue.Queue()
    threading.Thread(target=_read, args=(source, requests, cancelled), daemon=True).start()
    while (item := requests.get()) is not None:
        number, wanted = item
        request = _Request(number, out, cancelled)
        if number not in cancelled:
            try:
                engine(wanted, request)
            except BrokenPipeError:
                return 0
            except Exception as error:  # one bad request must not end the process
                request.error(f"{type(error).__name__}")
            else:
                request.end()
        cancelled.discard(number)
    return 0


def _read(
    source: BinaryIO,
    requests: "queue.Queue[tuple[int, dict[str, Any]] | None]",
    cancelled: set[int],
) -> None:
    while len(header := source.read(HEADER.size)) == HEADER.size:
        length, kind, number = HEADER.unpack(header)
        if length > PAYLOAD_LIMIT:
            break
        payload = source.read(length)
        if kind == Kind.SPEAK:
            requests.put((number, json.loads(payload)))
        elif kind == Kind.CANCEL:
            cancelled.add(number)
    requests.put(None)
