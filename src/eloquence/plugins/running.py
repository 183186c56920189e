"""The plugins of a process, and of each conversation in it.

Each conversation has processes of its own: what a plugin keeps in memory, on purpose or not, can
then reach no other learner, and one that fails fails in one conversation. They are started as the
conversation is planned, tried on a sentence that nobody said, and only then waited for.

A plugin that failed once is not waited for again in that conversation; a required filter is, once
its new process has passed the trial. After `MOST_FAILURES` in a row it is switched off.
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
from dataclasses import dataclass, field
from typing import Any, Protocol

from eloquence.errors import EloquenceError, PluginError
from eloquence.plugins import Context, Hook
from eloquence.plugins._process import About, Answer, Child, FaultError, Trouble
from eloquence.plugins.installed import find

__all__ = ["About", "Attendance", "Ledger", "Limits", "Plugins", "Wanted", "tried"]

log = logging.getLogger("eloquence.plugins")

MOST_FAILURES = 5
"""Failures in a row after which a plugin is switched off."""
MOST_LIVES = 5
"""Processes that a plugin is given in one conversation."""
TRIAL_SECONDS = 2.0
"""Within which the first call is answered: it loads what was put off."""
END_SECONDS = 3.0
"""Within which `session_end` is answered; nobody waits for it."""
LONGEST_TEXT = 8_000
"""Characters of a text that a plugin is given, and of one that it may give back."""
LONGEST_SESSION = 200_000
"""Characters of the turns that `session_end` is given: the last ones."""
_TRIAL = {"fr": "Bonjour et bienvenue.", "en": "Hello and welcome."}
_WATCHED = 32
_REMEMBERED = 256


class Ledger(Protocol):
    """Where figures of plugins are kept, for all processes together. Raises StorageError."""

    async def add(self, plugin: str, amounts: Mapping[str, float]) -> None: ...

    async def switch_off(self, plugin: str) -> None: ...

    async def off(self) -> frozenset[str]:
        """The plugins that are switched off, until an operator switches them on again."""
        ...


@dataclass(frozen=True, slots=True)
class Wanted:
    """A plugin that the operator has enabled. `required` adds to what it says of itself."""

    name: str
    options: Mapping[str, object] = field(default_factory=dict)
    required: bool = False


@dataclass(frozen=True, slots=True)
class Limits:
    """`seconds` for one call, `memory` in bytes."""

    seconds: float = 0.3
    memory: int = 256 << 20


@dataclass(slots=True)
class _Record:
    """What this process knows of one plugin. `amounts` are not in the ledger yet."""

    amounts: dict[str, float] = field(default_factory=dict)
    in_a_row: int = 0
    off: bool = False
    told: bool = False
    """Whether the ledger knows that it is off."""

    def add(self, figure: str, by: float = 1) -> None:
        self.amounts[figure] = self.amounts.get(figure, 0) + by

    def agree(self, off: bool) -> None:
        """Takes what the ledger says: switched off elsewhere, or on again by an operator."""
        if off:
            self.off = self.told = True
        elif self.off and self.told:
            self.off, self.told, self.in_a_row = False, False, 0


async def tried(wanted: Wanted, limits: Limits) -> About:
    """What a plugin says of itself once it has started and answered. Raises PluginError."""
    found = find(wanted.name)
    try:
        child = await Child.start(found, wanted.options, memory=limits.memory)
        try:
            await _trial(child, "fr", limits)
        finally:
            await child.end()
    except FaultError as fault:
        why = fault.why or _TROUBLES[fault.trouble]
        raise PluginError(
            f"The plugin {wanted.name!r} cannot take part: {why}.",
            mend=f"Its options stand under [plugins.{wanted.name}]; docs/plugins.md says more.",
        ) from None
    return child.about


_TROUBLES: Mapping[Trouble, str] = {
    "start": "it does not start",
    "late": "it does not answer in time",
    "died": "its process died",
    "raised": "it raised an error",
    "output": "its answer is none",
}


async def _trial(child: Child, language: str, limits: Limits) -> None:
    """Has it answer to a sentence that nobody said: the first time it may take longer. Raises
    FaultError."""
    context = {"language": language, "exercise": "", "character": "", "trial": True}
    hooks: tuple[Hook, ...] = ("learner_turn", "coach_turn")
    for hook in hooks:
        if hook in child.about.changes:
            text = _TRIAL.get(language, _TRIAL["fr"])
            await child.ask(hook, text, context, TRIAL_SECONDS)
            await child.ask(hook, text, context, limits.seconds)


class Plugins:
    """The plugins of one process of ours. `close` ends all that goes on beside conversations."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._records: dict[str, _Record] = {}
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
            record = self._records.setdefault(one.name, _Record())
            record.agree(one.name in off)
            if not record.off or one.required:
                present.append(_Present(self, one, record, limits, context, remembering))
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

    def __init__(self, present: "Iterable[_Present]", context: Context, limits: Limits) -> None:
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
            return self._read[text]
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

    async def _end(self, one: "_Present") -> None:
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


class _Present:
    """One plugin in one conversation, from its first process to its last."""

    def __init__(
        self,
        plugins: Plugins,
        wanted: Wanted,
        record: _Record,
        limits: Limits,
        context: Context,
        remembering: bool,
    ) -> None:
        self.name = wanted.name
        self._plugins = plugins
        self._wanted = wanted
        self._record = record
        self._limits = limits
        self._context = context
        self._remembering = remembering
        self._about: About | None = None
        self._child: Child | None = None
        self._broken = asyncio.Event()
        self._running = asyncio.Event()
        self.settled = asyncio.Event()
        """Set once it was tried, or will not run."""
        self.lateness = 0.0
        """Seconds for which it was waited for in vain."""
        self._gone = False
        self._watched: asyncio.Queue[tuple[Hook, str, bool]] = asyncio.Queue(maxsize=_WATCHED)
        self._tasks: list[asyncio.Task[None]] = []
        self._ending: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._tasks = [
            asyncio.create_task(self._live(), name=f"plugin {self.name}"),
            asyncio.create_task(self._look_on(), name=f"plugin {self.name} watching"),
        ]

    @property
    def required(self) -> bool:
        return self._wanted.required or (self._about is not None and self._about.required)

    @property
    def absent(self) -> bool:
        """Whether it takes no part: switched off, given up, not for this language or learner."""
        about = self._about
        if about is not None and not self._for_us(about):
            return True
        return self._record.off or self._gone

    def may_change(self, hook: Hook) -> bool:
        """Whether an answer has to pass it. One that is required counts until it has said what it
        takes."""
        about = self._about
        if about is None:
            return self._wanted.required and hook == "coach_turn"
        return hook in about.changes and self._for_us(about) and (self.required or not self.absent)

    async def change(self, hook: Hook, text: str, seconds: float) -> str | None:
        """The text as it leaves the plugin, in so many seconds at most, or in its full time when
        it is required; None when it is required and could not look at it."""
        otherwise = None if self.required else text
        if self.absent:
            return otherwise
        if self.required:
            seconds = self._limits.seconds
        elif self.lateness or not self._running.is_set() or seconds < self._limits.seconds / 12:
            self.watch(hook, text, changing=True)
            return otherwise
        began = time.monotonic()
        try:
            async with asyncio.timeout(seconds):
                await self._running.wait()
            left = seconds - (time.monotonic() - began)
            answer = await self._asked(hook, text[:LONGEST_TEXT], left)
        except TimeoutError:
            return otherwise
        except FaultError:
            self.lateness += time.monotonic() - began
            return otherwise
        if answer.text is None:
            return text
        return answer.text[:LONGEST_TEXT] + text[LONGEST_TEXT:]

    def watch(self, hook: Hook, text: str, *, changing: bool = False) -> None:
        """Has it called beside the conversation, once it runs."""
        if self.absent or (self._about is not None and not self._watches(hook, changing)):
            return
        if self._watched.full():
            self._plugins.failed(self.name, FaultError("late", "it cannot keep up"))
        else:
            self._watched.put_nowait((hook, text[:LONGEST_TEXT], changing))

    def _watches(self, hook: Hook, changing: bool) -> bool:
        """Whether it is told of turns; or, with `changing`, of what it could not change in time."""
        about = self._about
        return (
            about is not None
            and hook in (about.changes if changing else about.takes)
            and (changing or hook not in about.changes)
        )

    async def caught_up(self) -> None:
        """Returns once it was told of every turn, or does not take them in."""
        if self.absent:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(END_SECONDS):
                await self.settled.wait()
                await self._watched.join()

    async def over(self, turns: Sequence[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
        """What it makes of the end."""
        about = self._about
        if about is None or self.absent or "session_end" not in about.takes:
            return ()
        if not self._running.is_set():
            return ()
        told: list[tuple[str, str]] = []
        room = LONGEST_SESSION
        for speaker, text in reversed(turns):
            room -= len(text)
            if room < 0:
                break
            told.append((speaker, text))
        try:
            answer = await self._asked("session_end", told[::-1], END_SECONDS)
        except FaultError:
            return ()
        return answer.facts if about.remembers and self._remembering else ()

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with suppress(asyncio.CancelledError):
                await task
        if self._ending is not None:
            await self._ending

    async def _live(self) -> None:
        """Gives it a process, and another one when that has failed."""
        try:
            for _ in range(MOST_LIVES):
                if self.absent:
                    break
                await self._one_life()
            self._gone = True
        finally:
            self._running.clear()
            self.settled.set()

    async def _one_life(self) -> None:
        try:
            found = find(self.name)
            child = await Child.start(found, self._wanted.options, memory=self._limits.memory)
        except PluginError as error:
            self._gone = True
            log.error("%s", error)
            return
        except FaultError as fault:
            self._plugins.failed(self.name, fault)
            return
        self._child = child
        self._broken.clear()
        try:
            self._record.add("started")
            self._about = child.about
            if not self._for_us(child.about) or not child.about.takes:
                self._gone = True
                return
            try:
                await _trial(child, self._context.language, self._limits)
            except FaultError as fault:
                self._plugins.failed(self.name, fault)
                return
            self._running.set()
            self.settled.set()
            await self._broken.wait()
        finally:
            self._running.clear()
            self._child = None
            self._ending = asyncio.create_task(child.end(), name=f"plugin {self.name} ending")
            await asyncio.shield(self._ending)

    def _for_us(self, about: About) -> bool:
        spoken = not about.languages or self._context.language in about.languages
        return spoken and (self._remembering or not about.remembers)

    async def _look_on(self) -> None:
        while True:
            hook, text, changing = await self._watched.get()
            await self._running.wait()
            if self._watches(hook, changing):
                with suppress(FaultError):
                    await self._asked(hook, text, self._limits.seconds)
            self._watched.task_done()

    async def _asked(self, hook: Hook, given: object, seconds: float) -> Answer:
        """One call, with its figures. Raises FaultError."""
        child, record = self._child, self._record
        if child is None:
            raise FaultError("died")
        context = {
            "language": self._context.language,
            "exercise": self._context.exercise,
            "character": self._context.character,
        }
        began = time.monotonic()
        record.add("calls")
        try:
            answer = await child.ask(hook, given, context, seconds)
        except FaultError as fault:
            if child is self._child:
                if fault.trouble != "raised":
                    self._running.clear()
                    self._broken.set()
                self._plugins.failed(self.name, fault)
            raise
        finally:
            record.add("seconds", time.monotonic() - began)
        record.in_a_row = 0
        for name, by in answer.counts.items():
            record.add(f"own.{name}", by)
        return answer
