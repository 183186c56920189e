"""The plugins of a process, and of each conversation in it.

Each conversation has processes of its own: what a plugin keeps in memory, on purpose or not, can
then reach no other learner, and one that fails fails in one conversation. They are started as the
conversation is planned, tried on a sentence that nobody said, and only then waited for.

A plugin that failed once, or was slow five times in a row, is not waited for again in that
conversation; a required filter is, once its new process has passed the trial. After `MOST_FAILURES`
in a row it is switched off.
"""

import asyncio
import logging
import time
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Iterable,
    Mapping,
    Sequence,
)
from contextlib import asynccontextmanager, suppress
from typing import Any, Protocol

from eloquence.errors import EloquenceError
from eloquence.plugins import Context, Hook
from eloquence.plugins._presence import END_SECONDS, Limits, Presence, Record, Wanted, tried
from eloquence.plugins._process import About, FaultError

__all__ = ["About", "Attendance", "Ledger", "Limits", "Plugins", "Wanted", "tried"]

log = logging.getLogger("eloquence.plugins")

MOST_FAILURES = 5
"""Failures in a row after which a plugin is switched off."""
_REMEMBERED = 1_024
"""Texts of a learner of which is kept what was made of them: each is read again for every answer,
and what comes while somebody speaks is read for the page."""


class Ledger(Protocol):
    """Where figures of plugins are kept, for all processes together. Raises StorageError."""

    async def add(self, plugin: str, amounts: Mapping[str, float]) -> None: ...

    async def switch_off(self, plugin: str) -> None: ...

    async def off(self) -> frozenset[str]:
        """The plugins that are switched off, until an operator switches them on again."""
        ...


class Plugins:
    """The plugins of one process of ours. `close` ends all that goes on beside conversations."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._records: dict[str, Record] = {}
        self._attendances: set[Attendance] = set()
        self._ends: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def attending(
        self,
        wanted: Sequence[Wanted],
        limits: Limits,
        context: Context,
        *,
        remembering: bool = False,
    ) -> "AsyncIterator[Attendance]":
        """The plugins of one conversation, starting. With `remembering` the learner wants facts to
        be found. What they have to do at its end outlives it."""
        off = await self._switched_off() if wanted else frozenset()
        present = []
        for one in wanted:
            record = self._records.setdefault(one.name, Record())
            record.agree(one.name in off)
            if not record.off or one.required:
                present.append(Presence(self.failed, one, record, limits, context, remembering))
        attendance = Attendance(present, context, limits)
        self._attendances.add(attendance)
        attendance.start()
        try:
            yield attendance
        finally:
            self._attendances.discard(attendance)
            self._beside(self._ended(attendance))

    async def settle(self, seconds: float = END_SECONDS + 2) -> None:
        """Waits, so long at most, for what goes on after conversations."""
        if self._ends:
            await asyncio.wait(set(self._ends), timeout=seconds)

    async def close(self) -> None:
        await self.settle()
        for ending in set(self._ends):
            ending.cancel()
            with suppress(asyncio.CancelledError):
                await ending

    def failed(self, name: str, fault: FaultError) -> None:
        """Notes a failure; the last one in a row too many switches the plugin off."""
        record = self._records[name]
        record.add("failures")
        if fault.trouble == "late":
            record.add("timeouts")
        record.in_a_row += 1
        log.warning("plugin %s: %s %s", name, fault.trouble, fault.why)
        if record.in_a_row >= MOST_FAILURES and not record.off:
            record.off = True
            log.error("plugin %s is switched off: %d failures in a row", name, record.in_a_row)
            self._beside(self.note())
            for attendance in self._attendances:
                attendance.switched_off(name)

    def _beside(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name="plugins beside")
        self._ends.add(task)
        task.add_done_callback(self._ends.discard)

    async def _switched_off(self) -> frozenset[str]:
        try:
            return await self._ledger.off()
        except EloquenceError as error:
            log.warning("the ledger of plugins: %s", error.code)
            return frozenset(name for name, one in self._records.items() if one.off)

    async def _ended(self, attendance: "Attendance") -> None:
        await attendance.close()
        await self.note()

    async def note(self) -> None:
        """Gives the ledger the figures that it has not had. It may be away: then they wait."""
        for name, record in self._records.items():
            amounts, record.amounts = record.amounts, {}
            try:
                if amounts:
                    await self._ledger.add(name, amounts)
                    amounts = {}
                if record.off and not record.told:
                    await self._ledger.switch_off(name)
                    record.told = True
            except EloquenceError as error:
                for figure, by in amounts.items():
                    record.add(figure, by)
                log.warning("the ledger of plugins: %s", error.code)


class Attendance:
    """The plugins of one conversation: `eloquence.conversation.hooks.Hooks`."""

    def __init__(self, present: "Iterable[Presence]", context: Context, limits: Limits) -> None:
        self._present = tuple(present)
        self._context = context
        self._limits = limits
        self._read: dict[str, str] = {}
        self._turns: Sequence[tuple[str, str]] = ()
        self._remember: Callable[[str, Sequence[tuple[str, str]]], object] | None = None
        self.on_off: Callable[[str], None] | None = None

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(one.name for one in self._present)

    @property
    def reads(self) -> bool:
        return any(one.may_change("learner_turn") for one in self._present)

    @property
    def speaks(self) -> bool:
        return any(one.may_change("coach_turn") for one in self._present)

    def start(self) -> None:
        for one in self._present:
            one.start()

    async def ready(self) -> None:
        """Waits until each plugin is tried, or has failed."""
        for one in self._present:
            await one.settled.wait()

    async def read(self, text: str) -> str | None:
        if text in self._read:
            known = self._read[text] = self._read.pop(text)  # forgotten last
            return known
        changed = await self._changed("learner_turn", text)
        if changed is not None:
            if len(self._read) >= _REMEMBERED:
                self._read.pop(next(iter(self._read)))
            self._read[text] = changed
        return changed

    async def spoken(self, clause: str) -> str | None:
        words = clause.strip()
        if not any(letter.isalnum() for letter in words):
            return clause
        changed = await self._changed("coach_turn", words)
        return clause.replace(words, changed, 1) if changed else changed

    @property
    def patience(self) -> float:
        """Seconds that are still waited for a plugin that is not required: little, after some have
        been late in this conversation."""
        late = sum(one.lateness for one in self._present if not one.required)
        return max(self._limits.seconds - late, self._limits.seconds / 6)

    def heard(self, text: str) -> None:
        self._watch("learner_turn", text)

    def said(self, text: str) -> None:
        self._watch("coach_turn", text)

    def finish(
        self,
        turns: Sequence[tuple[str, str]],
        remember: Callable[[str, Sequence[tuple[str, str]]], object],
    ) -> None:
        """Gives the turns, as (speaker, text), that `session_end` is to be told; `remember` takes
        what a plugin found, as its name and facts of (kind, text), and may be awaitable."""
        self._turns, self._remember = turns, remember

    def switched_off(self, name: str) -> None:
        """Tells the conversation, if the plugin takes part in it."""
        if name in self.names and self.on_off is not None:
            self.on_off(name)

    async def close(self) -> None:
        """Tells those who want to know that it is over, then ends them all."""
        await asyncio.gather(*(self._end(one) for one in self._present))

    async def _changed(self, hook: Hook, text: str) -> str | None:
        last = time.monotonic() + self.patience
        for one in self._present:
            if one.may_change(hook) and text:
                changed = await one.change(hook, text, last - time.monotonic())
                if changed is None:
                    return None
                text = changed
        return text

    def _watch(self, hook: Hook, text: str) -> None:
        for one in self._present:
            if text:
                one.watch(hook, text)

    async def _end(self, one: "Presence") -> None:
        try:
            await one.caught_up()
            if self._turns and self._remember is not None:
                facts = await one.over(self._turns)
                if facts:
                    kept = self._remember(one.name, facts)
                    if isinstance(kept, Awaitable):
                        await kept
        except EloquenceError as error:
            log.warning("plugin %s: what it found is not kept: %s", one.name, error.code)
        finally:
            await one.stop()
