"""The recogniser of one conversation, made of several: no word is lost when one of them fails.

The sound of what was said is kept until somebody has understood it. A recogniser that fails in the
middle of a sentence is left, and the next one hears the whole sentence.
"""

import asyncio
import logging
import math
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

from livekit import rtc
from livekit.agents import APIConnectionError, APIConnectOptions, APIError, APITimeoutError, stt
from livekit.agents.types import DEFAULT_API_CONNECT_OPTIONS, NOT_GIVEN, NotGivenOr
from livekit.agents.utils import AudioBuffer, is_given

from eloquence.conversation.fallback.chain import Chain, Link
from eloquence.conversation.fallback.ear import LATEST, Ear
from eloquence.conversation.fallback.voice import RATE, Voice
from eloquence.conversation.faults import cause_of
from eloquence.conversation.stages import HEARD
from eloquence.errors import Cause

log = logging.getLogger("eloquence.fallback")

BY_EAR = "none"
"""The provider that hears how somebody speaks, and knows no words."""
KEPT = 60.0
"""Seconds of sound that are kept at most."""
_OVERDUE = 45.0
"""Seconds of speech without a pause after which a recogniser that said nothing of it hangs."""
LATE = 1.5
"""Seconds after the end of speech from which its words are late, for somebody who waits."""
_LEAD = 1.0
"""Seconds of sound before speech that whoever begins to listen also gets."""
_CERTAIN = 0.8
"""Seconds of voice from which a sound was surely meant to be understood."""
_WORDY = 1.2
"""Seconds of voice in which somebody who heard no word at all must have missed some: a hesitation
is shorter."""
_APART = 4.0
"""Seconds of silence between what does not belong together."""
_TAIL = 0.7
"""Seconds by which voice may outlast the last word that a recogniser tells of."""
_JITTER = 0.1
"""Seconds by which one recogniser may place a word before another."""
_GRACE = 0.5
"""Seconds for which words may still come after a recogniser said that speech was over."""
_AGAIN = 1.0
"""Seconds after which all are tried again when all of them failed."""
_CLOSING = 3.0
_DROPPED: frozenset[Cause] = frozenset({"unreachable", "internal"})
"""Why a connection that served may have ended that a new one would not."""


class Recognisers(stt.STT[Literal["metrics_collected"]]):
    """The recognisers of a chain as one. Its streams never fail; closing it closes them.

    It finds by itself where speech ends (`voice`), and does not ask the engine: only so does a
    position mean the same to it and to those who listen, whatever was muted or cut off meanwhile.
    """

    def __init__(self, chain: Chain[stt.STT[Any]], *, voice: Callable[[], Voice] = Voice) -> None:
        able = [link.stage.capabilities for link in chain.links]
        super().__init__(
            capabilities=stt.STTCapabilities(
                streaming=True,
                interim_results=any(one.interim_results for one in able),
                aligned_transcript=able[0].aligned_transcript,
                offline_recognize=any(one.offline_recognize for one in able),
                manual_flush=True,
            )
        )
        self.chain = chain
        self.voice = voice
        self.late: Callable[[], None] = _nobody
        """Called when the words of what was surely speech are waited for, once for each time."""
        self.lateness = LATE
        """Seconds after the end of speech from which they are."""

    @property
    def model(self) -> str:
        return self.chain.serving.stage.model

    @property
    def provider(self) -> str:
        return self.chain.serving.stage.provider

    async def _recognize_impl(
        self,
        buffer: AudioBuffer,
        *,
        language: NotGivenOr[str] = NOT_GIVEN,
        conn_options: APIConnectOptions,
    ) -> stt.SpeechEvent:
        """The words of a whole recording, from the first that has any. Raises APIError."""
        once = APIConnectOptions(max_retry=0, timeout=conn_options.timeout)
        why: Exception | None = None
        for link in self.chain.admitted():
            if not link.stage.capabilities.offline_recognize:
                link.breaker.given_up()
                continue
            try:
                said = await link.stage.recognize(buffer, language=language, conn_options=once)
            except asyncio.CancelledError:
                link.breaker.given_up()
                raise
            except Exception as error:  # whatever a provider raises, another one takes over
                self.chain.failed(link, error)
                why = error
            else:
                self.chain.succeeded(link)
                return said
        raise APIConnectionError("No recogniser answered.", retryable=False) from why

    def stream(
        self,
        *,
        language: NotGivenOr[str] = NOT_GIVEN,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
    ) -> stt.RecognizeStream:
        return _Hearing(self, conn_options)

    async def aclose(self) -> None:
        for link in self.chain.links:
            await link.stage.aclose()


@dataclass(slots=True)
class _Speech:
    """A stretch of voice that nobody has understood yet; no end while it goes on."""

    start: float
    end: float | None = None


class _Hearing(stt.RecognizeStream):
    """One stream. What `_ear` understands is passed on; `_trial` hears the same beside it, to show
    whether it is well again.

    Times are seconds of the sound taken. Every step is taken at once, in answer to a frame, to an
    event of a provider or to a clock; only the providers' own tasks wait for anything.
    """

    def __init__(self, owner: Recognisers, conn_options: APIConnectOptions) -> None:
        super().__init__(stt=owner, conn_options=conn_options, sample_rate=RATE)
        self._owner = owner
        self._chain = owner.chain

    async def _run(self) -> None:
        self._voice = self._owner.voice()
        self._taken = 0.0
        self._kept: deque[tuple[float, rtc.AudioFrame]] = deque()
        self._settled = 0.0
        """Until where everything said was understood, or was nothing."""
        self._unsettled: list[_Speech] = []
        self._silent_since = time.monotonic()
        """When the latest speech ended, by the clock."""
        self._ear: Ear | None = None
        self._trial: Ear | None = None
        self._accused: list[tuple[Link[stt.STT[Any]], Exception]] = []
        """Who left something unanswered; it is a fault when another one hears words in it."""
        self._reconnected = False
        """Whether the one that listens lost its connection in the midst of what is unsettled."""
        self._told = 0.0
        """Where the words end that were passed on last."""
        self._missed = 0.0
        """Seconds of voice since the last word, of which was said that there was none."""
        self._understood_at = -math.inf
        self._wordless = False
        """Whether what was understood last had no words."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._retry: asyncio.TimerHandle | None = None
        self._late: asyncio.TimerHandle | None = None
        self._ending = False
        self._over = asyncio.Event()
        try:
            self._open(self._place(self._chain.serving))
            async for item in self._input_ch:
                if isinstance(item, rtc.AudioFrame):
                    self._take(item)
                else:
                    self._flush()
            await self._end()
        finally:
            await self._close()

    # the sound

    def _take(self, frame: rtc.AudioFrame) -> None:
        self._kept.append((self._taken, frame))
        self._taken += frame.duration
        for ear in self._ears():
            ear.push(frame)
        for change in self._voice.push(frame.data.tobytes()):
            if change == "began":
                self._began()
            else:
                self._ended()
        self._forget()
        if self._ear is not None and self._unsettled:
            mute = time.monotonic() - self._ear.alive > self._ear.patience
            if mute and self._taken - self._unsettled[0].start > _OVERDUE:
                self._unanswered(self._ear)

    def _flush(self) -> None:
        if self._voice.cut():
            self._ended()
        for ear in self._ears():
            ear.flush()

    def _began(self) -> None:
        fresh = not self._unsettled
        if self._voice.since - self._voice.until > _APART:
            self._missed = 0.0
        if self._late is not None:
            self._late.cancel()
        self._unsettled.append(_Speech(max(self._voice.since, self._settled)))
        for ear in self._ears():
            ear.rest()
            ear.ended = None
            ear.announced &= not fresh
        if self._ear is None and self._retry is None:
            self._open(self._place(self._chain.serving))
        if fresh and self._ear is not None:
            self._try_better(self._ear)

    def _ended(self) -> None:
        self._silent_since = time.monotonic() - (self._taken - self._voice.until)
        if self._unsettled:
            self._unsettled[-1].end = self._voice.until
        self._settle(self._settled)
        self._wait()
        late = self._silent_since + self._owner.lateness - time.monotonic()
        self._late = asyncio.get_running_loop().call_later(max(0.0, late), self._tell_late)

    def _tell_late(self) -> None:
        if self._ear is not None and self._certain(self._ear):
            self._owner.late()

    def _forget(self) -> None:
        """Keeps the sound that somebody may yet have to hear."""
        since = self._taken - _LEAD
        if self._unsettled:
            since = min(since, self._unsettled[0].start - _LEAD)
        since = max(since, self._settled, self._taken - KEPT)
        while self._kept and self._kept[0][0] + self._kept[0][1].duration <= since + 1e-6:
            self._kept.popleft()

    async def _end(self) -> None:
        """The sound is over: what was said last is still understood."""
        self._ending = True
        if self._trial is not None:
            self._leave(self._trial)
            self._trial = None
        if self._ear is not None:
            self._ear.end_input()
        elif self._unsettled:
            self._open(0)
        else:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(LATEST):
                await self._over.wait()

    async def _close(self) -> None:
        for timer in (self._retry, self._late):
            if timer is not None:
                timer.cancel()
        self._absolve()
        for ear in self._ears():
            self._leave(ear)
        if self._tasks:
            _, stuck = await asyncio.wait(self._tasks, timeout=_CLOSING)
            if stuck:
                log.warning("stage stt: %d streams do not close", len(stuck))

    # who listens

    def _ears(self) -> list[Ear]:
        return [ear for ear in (self._ear, self._trial) if ear is not None]

    def _place(self, link: Link[stt.STT[Any]]) -> int:
        return next(place for place, one in enumerate(self._chain.links) if one is link)

    def _open(self, place: int) -> None:
        """Lets the first that is admitted, from that place on, listen to what was kept."""
        links = self._chain.links
        for link in links[place:]:
            if link is not links[-1] and not link.breaker.admits():
                continue
            self._ear = self._listen(link)
            if self._ear is not None:
                self._wait()
                return
        self._ear = None
        self._absolve()
        if self._ending:
            self._over.set()
        elif self._unsettled:
            log.error("stage stt: nobody listens")
            self._retry = asyncio.get_running_loop().call_later(_AGAIN, self._open_again)

    def _open_again(self) -> None:
        self._retry = None
        if not self._voice.speaking and time.monotonic() - self._silent_since > LATEST:
            self._nothing()
        elif self._ear is None:
            self._open(0)

    def _listen(self, link: Link[stt.STT[Any]]) -> Ear | None:
        origin = self._kept[0][0] if self._kept else self._taken
        try:
            ear = Ear(link, origin, self._heard, self._lost, self._owner.voice)
        except Exception as error:  # whatever a provider raises, another one takes over
            self._chain.failed(link, error)
            return None
        self._tasks.add(ear.task)
        ear.task.add_done_callback(self._tasks.discard)
        for _, frame in self._kept:
            ear.push(frame)
        if self._ending:
            ear.end_input()
        elif self._unsettled and not self._voice.speaking:
            ear.flush()
        return ear

    def _try_better(self, ear: Ear) -> None:
        """At the start of an utterance: whether one that failed before is well again."""
        if self._trial is not None:
            return
        for link in self._chain.links[: self._place(ear.link)]:
            if not link.breaker.admits():
                continue
            better = self._listen(link)
            if better is None:
                continue
            if ear.link.name != BY_EAR and not self._wordless:
                self._trial = better
            else:  # there are no words to be risked
                self._leave(ear)
                self._ear = better
            return

    def _leave(self, ear: Ear) -> None:
        self._give_up(ear)
        ear.leave()

    def _give_up(self, ear: Ear) -> None:
        if ear.owing:
            ear.owing = False
            ear.link.breaker.given_up()

    def _lost(self, ear: Ear, error: Exception | None) -> None:
        """The stream of one that listens is over."""
        if ear is self._trial:
            self._trial = None
            self._fail(ear, error)
            return
        if ear is not self._ear:
            return
        self._ear = None
        dropped = error is None or cause_of(error) in _DROPPED
        if self._ending and error is None and not self._certain(ear):
            self._over.set()
        elif dropped and not self._unsettled:
            self._give_up(ear)  # an idle connection was closed: the next word opens another
        elif dropped and not self._reconnected and (again := self._listen(ear.link)) is not None:
            self._reconnected, self._ear = True, again
            again.owing = ear.owing
            self._wait()
        else:
            self._fail(ear, error)
            self._open(self._place(ear.link) + 1)

    def _fail(self, ear: Ear, error: Exception | None) -> None:
        ear.owing = False
        self._chain.failed(ear.link, error or APIConnectionError("The recogniser went away."))

    # what is understood

    def _heard(self, ear: Ear, event: stt.SpeechEvent) -> None:
        if ear is not self._ear and ear is not self._trial:
            return
        kind = stt.SpeechEventType
        if event.type is kind.FINAL_TRANSCRIPT and any(one.text for one in event.alternatives[:1]):
            self._understood(ear, event)
            return
        if event.type in (kind.FINAL_TRANSCRIPT, kind.END_OF_SPEECH):
            ear.ended = time.monotonic()
        elif event.type is not kind.RECOGNITION_USAGE:
            ear.announced, ear.ended = True, None
        if ear is self._ear and event.type is not kind.FINAL_TRANSCRIPT:
            self._event_ch.send_nowait(event)
        self._wait()

    def _understood(self, ear: Ear, event: stt.SpeechEvent) -> None:
        said = event.alternatives[0]
        ear.announced, ear.ended, ear.well = False, None, True
        self._missed = 0.0
        for link, error in self._accused:
            self._chain.failed(link, error)
        self._accused.clear()
        end = _end(said)
        begun_before = said.start_time < self._told - _JITTER
        if ear is self._trial:
            ear.rest()
            if begun_before and self._unsettled:
                return  # the one that serves has told a part of it, and finishes it
            self._promote(ear)
        if begun_before and end and end < self._told + _TAIL / 2:
            return  # it was told already
        ear.owing = False
        self._chain.succeeded(ear.link)
        self._wordless = said.text == HEARD
        self._understood_at = time.monotonic()
        self._event_ch.send_nowait(event)
        self._told = end or self._taken
        self._settle(self._told)
        self._wait()

    def _promote(self, trial: Ear) -> None:
        """The better one serves from now on."""
        if self._ear is not None:
            self._leave(self._ear)
        self._ear, self._trial = trial, None
        trial.owing = False
        self._chain.succeeded(trial.link)

    def _settle(self, until: float) -> None:
        """Everything before that position was understood, or was nothing."""
        settled = self._settled = max(self._settled, min(until, self._taken))
        left = []
        for speech in self._unsettled:
            tail = _TAIL if speech.start < settled else 0.0
            if speech.end is None or speech.end > settled + tail:
                left.append(_Speech(max(speech.start, settled), speech.end))
        self._unsettled = left
        if left:
            return
        self._reconnected = False
        if self._ear is not None:
            self._ear.rest()
        if self._trial is not None and self._trial.well:
            self._promote(self._trial)

    def _nothing(self) -> None:
        """What was heard were no words."""
        self._absolve()
        self._settle(self._taken)

    def _absolve(self) -> None:
        for link, _ in self._accused:
            link.breaker.given_up()
        self._accused.clear()

    # who does not answer

    def _wait(self) -> None:
        """Sets by when those who listen must have answered what was said."""
        if self._voice.speaking:
            return
        now, loop = time.monotonic(), asyncio.get_running_loop()
        for ear in self._ears():
            ear.rest()
            if ear.well if ear is self._trial else not self._unsettled:
                continue
            if ear.ended is not None:
                due = max(ear.ended, self._silent_since) + _GRACE
            else:
                due = max(self._silent_since, ear.since, ear.alive) + ear.patience
            if ear.link is not self._chain.links[-1]:
                due = min(due, self._silent_since + LATEST)
            ear.due = loop.call_later(max(0.0, due - now), self._unanswered, ear)

    def _unanswered(self, ear: Ear) -> None:
        """One that listens says nothing of what was said."""
        ear.rest()
        error: APIError = APITimeoutError("The recogniser did not answer in time.")
        if ear.ended is not None:
            error = APIError("The recogniser heard nothing.")
        if ear is self._trial:
            self._trial = None
            if self._understood_at >= ear.since:
                self._fail(ear, error)
            self._leave(ear)
        elif ear.link.name == BY_EAR or (ear.ended is not None and not self._missing()):
            self._nothing()
        elif ear.ended is not None or self._certain(ear) or self._words_after(ear):
            self._accused.append((ear.link, error))
            ear.owing = False
            self._leave(ear)
            self._open(self._place(ear.link) + 1)
        # else: too little to say who is wrong; what is said next will show

    def _certain(self, ear: Ear) -> bool:
        """Whether what is unsettled was surely speech."""
        voiced = self._voiced()
        told = ear.announced and ear.ended is None
        return voiced >= _CERTAIN or (told and voiced > 0)

    def _missing(self) -> bool:
        """Whether there must have been words in what was said to be none."""
        self._missed += self._voiced()
        return self._missed >= _WORDY

    def _voiced(self) -> float:
        """Seconds of voice that are unsettled."""
        return sum((one.end or self._taken) - one.start for one in self._unsettled)

    def _words_after(self, ear: Ear) -> bool:
        """Whether another one that knows words may be asked."""
        others = self._chain.links[self._place(ear.link) + 1 :]
        return any(one.name != BY_EAR and one.breaker.state != "open" for one in others)


def _nobody() -> None:
    """Nobody wants to know."""


def _end(said: stt.SpeechData) -> float:
    """Where the words end, in seconds; 0 when that is not known."""
    if said.end_time:
        return said.end_time
    ends = [word.end_time for word in said.words or () if is_given(word.end_time)]
    return max(ends, default=0.0)
