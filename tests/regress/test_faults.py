"""Parts that fail while somebody talks: every session goes on as the same one, and no turn that was
acknowledged is lost or doubled. Timing is measured by `python -m benchmarks faults`; here only what
must hold on any machine is asserted."""

import asyncio
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from benchmarks import faults
from benchmarks.faults import ENTRIES, Result

from eloquence.testing.parts import MissingPartError

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

Broken = Callable[[str], Result]


@pytest.fixture
def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Broken:
    """Lets one fault of that name happen to people who talk."""
    monkeypatch.setattr(faults.HANGS, "seconds", 8.0)
    monkeypatch.setattr(faults, "_SPREAD", 3.0)

    def once(name: str) -> Result:
        (entry,) = (one for one in ENTRIES if one.name == name)
        small = replace(entry.design, learners=1, idle=1, servers=1, capacity=2)
        entry = replace(entry, design=small)
        try:
            with asyncio.Runner() as runner:
                return runner.run(faults.run(entry, n=1, seed=1, record=tmp_path / "events.jsonl"))
        except MissingPartError as missing:
            if os.environ.get("CI"):
                raise
            pytest.skip(str(missing))

    return once


@pytest.mark.parametrize("name", ["job", "worker", "hang", "livekit-3", "redis-3"])
def test_every_session_goes_on_and_no_acknowledged_turn_is_lost_or_doubled(
    broken: Broken, name: str
) -> None:
    result = broken(name)
    assert result.broken == []
    assert result.affected > 0
    assert result.resumed == result.affected
    assert sum(one.acknowledged for one in result.kept) > 0
    assert [one for one in result.kept if one.lost or one.doubled or one.holes] == []
