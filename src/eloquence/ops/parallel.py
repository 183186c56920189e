"""Doing the same work on many items in several processes, with results in the order of the items.

A process that dies takes its own item with it and no other. Memory stays bounded: as many items are
under way as there are processes, and only a few finished ones wait for an earlier one. A result is
told as soon as all before it are, even while the next item is awaited.
"""

import os
import signal
from collections.abc import Callable, Generator, Iterable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from threading import Condition, Lock, Semaphore, Thread
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

Item = TypeVar("Item")
Result = TypeVar("Result")

WAITING = 4
"""Finished results that may wait for an earlier one, per process."""


def cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def jobs_for(memory: float) -> int:
    """How many processes of `memory` megabytes each this machine runs at once: one per core, fewer
    where less memory is free."""
    try:
        free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e6
    except (AttributeError, ValueError, OSError):
        return cores()
    return max(1, min(cores(), int(free / memory)))


def each(
    work: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    jobs: int,
    died: Callable[[Item], Result],
) -> Generator[Result]:
    """The result of `work` for each item, in order, from `jobs` processes; from this one when it
    is 1. `work`, items and results are pickled. `died` is the result of an item whose process
    ended. An exception of `work` counts as such an end: it returns what may go wrong.

    Closing the iterator, as an interrupt does, ends the processes.
    """
    if jobs <= 1:
        yield from map(work, items)
        return
    yield from _Crew(work, items, jobs, died).results()


class _Crew(Generic[Item, Result]):
    """Threads of this process, each with a process that works for it. Items are taken one at a time
    and in order; nobody waits for an item while a result could be told."""

    def __init__(
        self,
        work: Callable[[Item], Result],
        items: Iterable[Item],
        jobs: int,
        died: Callable[[Item], Result],
    ) -> None:
        self._work = work
        self._items = enumerate(items)
        self._died = died
        self._taking = Lock()
        self._changed = Condition()
        self._room = Semaphore(jobs * WAITING)
        self._done: dict[int, Result] = {}
        self._workers: list[_Worker] = []
        self._taken = 0
        self._left = True
        self._closed = False
        self._error: BaseException | None = None
        self._threads = [Thread(target=self._serve, daemon=True) for _ in range(jobs)]

    def results(self) -> Generator[Result]:
        for thread in self._threads:
            thread.start()
        told = 0
        try:
            while True:
                with self._changed:
                    while not self._ready(told):
                        self._changed.wait()
                    if self._error is not None:
                        raise self._error
                    if told not in self._done:
                        return
                    result = self._done.pop(told)
                told += 1
                yield result
                self._room.release()
        finally:
            self._close()

    def _ready(self, place: int) -> bool:
        """Whether the result of that place is there, or never will be."""
        over = not self._left and place == self._taken
        return place in self._done or over or self._error is not None

    def _serve(self) -> None:
        try:
            self._served()
        except BaseException as error:
            with self._changed:
                self._error = error
                self._changed.notify()

    def _served(self) -> None:
        worker: _Worker | None = None
        while (taken := self._next()) is not None:
            place, item = taken
            try:
                if worker is None:
                    worker = self._hired()
                worker.pipe.send(item)
                result = worker.pipe.recv()
            except (EOFError, OSError):
                worker = None
                result = self._died(item)
            with self._changed:
                self._done[place] = result
                self._changed.notify()

    def _next(self) -> tuple[int, Item] | None:
        self._room.acquire()
        with self._taking:
            if self._left and not self._closed:
                try:
                    place, item = next(self._items)
                except StopIteration:
                    self._left = False
                else:
                    self._taken = place + 1
                    return place, item
        self._room.release()  # for the next one, who then sees that nothing is left
        with self._changed:
            self._changed.notify()
        return None

    def _hired(self) -> "_Worker":
        worker = _started(self._work)
        with self._changed:
            self._workers.append(worker)
            closed = self._closed
        if closed:
            _ended(worker)
        return worker

    def _close(self) -> None:
        with self._changed:
            self._closed = True
            workers = tuple(self._workers)
        for worker in workers:
            _ended(worker)
        self._room.release(len(self._threads))


@dataclass(slots=True)
class _Worker:
    process: BaseProcess
    pipe: "Connection[Any, Any]"


def _started(work: Callable[[Any], Any]) -> _Worker:
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs,), daemon=True)
    process.start()
    theirs.close()
    with suppress(OSError):
        ours.send(work)
    return _Worker(process, ours)


def _ended(worker: _Worker) -> None:
    """Ends a process, whatever it does; who waits for its result sees the end of its pipe."""
    worker.process.terminate()
    worker.process.join()


def _serve(pipe: "Connection[Any, Any]") -> None:
    """A process's life: what to do, then an item in and a result out until there are no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the one who started it ends it
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"  # before the work brings its libraries
    with suppress(EOFError, OSError):
        work = pipe.recv()
        while True:
            pipe.send(work(pipe.recv()))
