"""One plugin in one conversation: its processes, one after the other, and its calls."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from eloquence.errors import PluginError
from eloquence.plugins import Context, Hook
from eloquence.plugins._process import About, Answer, Child, FaultError, Trouble
from eloquence.plugins.installed import find

log = logging.getLogger("eloquence.plugins")

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
MOST_SLOW = 5
"""Slow answers in a row after which a plugin is not waited for in that conversation."""
SLOW = 2 / 3
"""The part of its time that an answer takes which is slow, though not late."""
_TRIAL = {"fr": "Bonjour et bienvenue.", "en": "Hello and welcome."}
_WATCHED = 32


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
class Record:
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


class Presence:
    """One plugin in one conversation, from its first process to its last. `failed` is told its name
    and what it did."""

    def __init__(
        self,
        failed: Callable[[str, FaultError], None],
        wanted: Wanted,
        record: Record,
        limits: Limits,
        context: Context,
        remembering: bool,
    ) -> None:
        self.name = wanted.name
        self._failed = failed
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
        """Seconds for which it was waited for in vain, or once too often."""
        self._slow = 0
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
        if self.absent or (self.required and len(text) > LONGEST_TEXT):
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
        self._took(time.monotonic() - began)
        if answer.text is None:
            return text
        return answer.text[:LONGEST_TEXT] + text[LONGEST_TEXT:]

    def _took(self, seconds: float) -> None:
        """Notes how long an answer took that was waited for."""
        self._slow = self._slow + 1 if seconds > SLOW * self._limits.seconds else 0
        if self._slow == MOST_SLOW:
            self._record.add("slow")
            log.warning("plugin %s is slow: %.0f ms for a clause", self.name, 1000 * seconds)
            if not self.required:
                self.lateness += seconds

    def watch(self, hook: Hook, text: str, *, changing: bool = False) -> None:
        """Has it called beside the conversation, once it runs."""
        if self.absent or (self._about is not None and not self._watches(hook, changing)):
            return
        if self._watched.full():
            self._failed(self.name, FaultError("late", "it cannot keep up"))
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
            self._failed(self.name, fault)
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
                self._failed(self.name, fault)
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
                self._failed(self.name, fault)
            raise
        finally:
            record.add("seconds", time.monotonic() - began)
        record.in_a_row = 0
        for name, by in answer.counts.items():
            record.add(f"own.{name}", by)
        return answer
