"""A plugin that behaves while it is tried, then does what its option says: to show that it is
contained."""

import ctypes
import os
import sys
import time

from eloquence.plugins import Context, Options, Plugin


class Deed(Options):
    """`at_start`: it does so when it is made already."""

    deed: str
    at_start: bool = False


def do(deed: str) -> str:
    """Does something that a plugin must not; most of it does not return."""
    if deed == "loop":
        while True:
            pass
    if deed == "sleep":
        time.sleep(3600)
    if deed == "raise":
        raise RuntimeError("what was said")
    if deed == "crash":
        ctypes.string_at(0)
    if deed == "memory":
        held: list[bytearray] = []
        while True:
            try:
                held.append(bytearray(1 << 20))
            except MemoryError:
                held.append(bytearray(0))
    if deed == "print":
        for _ in range(1 << 14):
            sys.stdout.write("x" * (1 << 16))
        return "printed"
    if deed == "answer":
        return "x" * (1 << 20)
    if deed == "flood":
        for number in range(3, 64):
            try:
                for _ in range(1 << 14):
                    os.write(number, b"x" * (1 << 16))
            except OSError:
                continue
    if deed == "fork":
        while True:
            try:
                if os.fork() == 0:
                    time.sleep(3600)
            except OSError:
                time.sleep(0.001)
    if deed == "leave":
        os._exit(0)
    raise AssertionError(deed)


class Hostile:
    """Takes the coach's turns."""

    def __init__(self, options: Deed) -> None:
        self.options = options
        if options.at_start:
            do(options.deed)

    def coach_turn(self, text: str, context: Context) -> str | None:
        return None if context.trial else do(self.options.deed)


plugin = Plugin(name="hostile", create=Hostile, changes=frozenset({"coach_turn"}), options=Deed)
