"""The same work on many items, in several processes."""

import os
from collections.abc import Iterator

import pytest

from eloquence.ops import parallel


def doubled(item: int) -> tuple[int, int]:
    """The double, later for the first items, so that others are ready before them."""
    sum(range(3_000_000 if item < 2 else 0))
    return 2 * item, os.getpid()


def fatal(item: int) -> str:
    if item == 2:
        os._exit(3)
    return f"did {item}"


def ended(item: int) -> str:
    os._exit(item)


def gone(item: int) -> str:
    return f"lost {item}"


def not_gone(item: int) -> tuple[int, int]:
    raise AssertionError(item)


@pytest.mark.parametrize("jobs", [1, 3])
def test_results_come_in_the_order_of_the_items(jobs: int) -> None:
    found = list(parallel.each(doubled, range(20), jobs=jobs, died=not_gone))
    assert [result for result, _ in found] == [2 * item for item in range(20)]
    processes = {process for _, process in found}
    assert (processes == {os.getpid()}) is (jobs == 1)


def test_a_process_that_dies_takes_its_own_item_alone() -> None:
    found = list(parallel.each(fatal, range(6), jobs=2, died=gone))
    assert found == ["did 0", "did 1", "lost 2", "did 3", "did 4", "did 5"]


def test_every_process_may_die() -> None:
    assert list(parallel.each(ended, range(3), jobs=2, died=gone)) == [
        "lost 0", "lost 1", "lost 2",
    ]  # fmt: skip


def test_no_more_is_taken_than_may_wait() -> None:
    taken = []

    def items() -> Iterator[int]:
        for item in range(1000):
            taken.append(item)
            yield item

    results = parallel.each(doubled, items(), jobs=2, died=not_gone)
    next(results)
    results.close()
    assert len(taken) <= 2 * parallel.WAITING + 2


def test_closing_ends_the_processes() -> None:
    results = parallel.each(doubled, range(100), jobs=2, died=not_gone)
    _, process = next(results)
    results.close()
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


def test_as_many_processes_as_cores_and_memory_allow() -> None:
    assert parallel.jobs_for(1) == parallel.cores()
    assert parallel.jobs_for(1e9) == 1
