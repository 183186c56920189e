"""Turns on their way to a store that is away for a while."""

import asyncio
from typing import Any

import pytest

from eloquence.coaching.checkpoint import Checkpoint, GuidanceState
from eloquence.coaching.session import Turn
from eloquence.conversation.journal import Journal
from eloquence.conversation.tape import Tape
from eloquence.errors import StorageError
from eloquence.testing import clock

CHECKPOINT = Checkpoint(elapsed=1.0, guidance=GuidanceState(phase="exercise", question="?"))


class Store:
    """Takes turns from that second of the loop's clock on."""

    def __init__(self, back: float) -> None:
        self.kept: list[int] = []
        self._back = back

    async def append(self, session_id: str, turn: Turn, checkpoint: Checkpoint) -> None:
        if asyncio.get_running_loop().time() < self._back:
            raise StorageError("The store is away.")
        self.kept.append(turn.index)


async def written(away: float) -> tuple[list[int], int]:
    """Which turns were kept, of three that are put while a store is away for so long; and how often
    it was told that it is."""
    store: Any = Store(asyncio.get_running_loop().time() + away)
    told: list[StorageError] = []
    journal = Journal(
        "s1",
        store,
        Tape(origin=0.0),
        None,
        stored=lambda turn: None,
        failed=told.append,
        lost=lambda: None,
        measured=_nothing,
    )
    async with asyncio.TaskGroup() as tasks:
        writing = tasks.create_task(journal.write(tasks))
        for index in range(3):
            turn = Turn(index=index, speaker="character", start=index, end=index + 1, text="Oui.")
            journal.put(turn, CHECKPOINT)
        await journal.close()
        await writing
    return store.kept, len(told)


async def _nothing(turn: Turn) -> None:
    return None


def test_a_store_that_is_started_anew_as_a_session_ends_costs_none_of_its_turns() -> None:
    assert clock.run(written(3.0)) == ([0, 1, 2], 1)


@pytest.mark.parametrize("away", [60.0, 3600.0])
def test_a_store_that_does_not_come_back_holds_up_no_end(away: float) -> None:
    async def measured() -> tuple[list[int], float]:
        began = asyncio.get_running_loop().time()
        kept, _ = await written(away)
        return kept, asyncio.get_running_loop().time() - began

    kept, seconds = clock.run(measured())
    assert kept == []
    assert seconds < 10
