"""A loop that stands still ends its process; one that is only busy, or not let run, does not."""

import asyncio
import threading
import time
from pathlib import Path

import pytest

from eloquence.worker import standstill
from eloquence.worker.standstill import watched

LONGEST = 0.5


class End:
    """What would end the process."""

    def __init__(self) -> None:
        self.called = threading.Event()

    def __call__(self) -> None:
        self.called.set()


async def test_a_loop_that_stands_still_is_found_and_where_it_stood_is_written(
    tmp_path: Path,
) -> None:
    """P05, TC-28."""
    end = End()
    with (tmp_path / "trace").open("wb") as trace:
        async with watched(end, trace, longest=LONGEST):
            await asyncio.sleep(0.05)
            blocked(end.called)
    assert end.called.is_set()
    assert "in blocked" in (tmp_path / "trace").read_text()


def blocked(until: threading.Event, seconds: float = 60.0) -> None:
    until.wait(seconds)  # as a plug-in that waits for something would


async def test_a_loop_that_goes_on_is_left_alone(tmp_path: Path) -> None:
    end = End()
    with (tmp_path / "trace").open("wb") as trace:
        async with watched(end, trace, longest=3.0):  # longer than a busy machine's pauses
            for _ in range(80):
                time.sleep(0.05)  # noqa: ASYNC251 - busy, and yet on time
                await asyncio.sleep(0)
    assert not end.called.is_set()
    assert (tmp_path / "trace").read_bytes() == b""


async def test_a_machine_that_does_not_let_it_run_is_not_the_loops_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    end = End()
    monkeypatch.setattr(standstill, "kept_waiting", lambda thread: time.monotonic())
    with (tmp_path / "trace").open("wb") as trace:
        async with watched(end, trace, longest=LONGEST):
            await asyncio.sleep(0.05)
            blocked(end.called, 3 * LONGEST)
    assert not end.called.is_set()
