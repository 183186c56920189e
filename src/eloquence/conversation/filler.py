"""What the character says while its answer is on its way, so that nobody sits in silence."""

import asyncio
import itertools
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any

from livekit.agents import utils

from eloquence.conversation.hooks import Chunk, written

_AFTER = 1.2
"""Seconds for which an answer may be waited for without a word: a fast one comes before."""
_SILENCE = 1.6
"""Seconds of silence after the learner's last word before which nothing need be said."""
_AGAIN = 3.0
"""Seconds from one such line to the next."""
_MOST = 4
"""Such lines before one answer."""
_HELD = 0.5
"""Seconds after which it is looked again whether the sound is still held."""


class Fillers:
    """Short lines, never the same twice in a row, before an answer that does not come.

    Nothing is said before the turn is surely over: an answer is prepared also for a learner who
    then goes on. Nor while the sound is `held`, as in a pause or by what is being said: all of it
    would be heard at once afterwards.
    """

    def __init__(self, lines: Sequence[str], held: Callable[[], bool] = lambda: False) -> None:
        self._held = held
        self._lines = tuple(lines)
        self._next = itertools.cycle(lines)
        self._over = asyncio.Event()
        self._ended = 0.0
        self.waiting = False
        """Whether the latest answer has not had its first word yet."""
        self.announced = False
        """Whether such a line was said before it."""

    def line(self) -> str:
        """The next such line, to be said by itself."""
        return next(self._next)

    def turn_over(self, ended: float) -> None:
        """The learner's turn is over; `ended` is when its last word was, in POSIX seconds."""
        self._ended = ended
        self._over.set()

    async def before(
        self, answer: AsyncGenerator[Chunk, None], *, over: bool
    ) -> AsyncGenerator[Chunk, None]:
        """The answer, with such lines before its first word when that is late. `over`: the turn it
        answers is known to be. Closes the answer in the end."""
        self.waiting, self.announced = True, False
        due = time.time() + _AFTER
        said = 0
        if over:
            self._over.set()
        else:
            self._over.clear()
        coming: asyncio.Future[Chunk | None] | None = None
        try:
            while self.waiting:
                coming = asyncio.ensure_future(anext(answer, None))
                while said < _MOST and await self._silent(coming, due):
                    if self._held():
                        due = time.time() + _HELD
                        continue
                    due = time.time() + _AGAIN
                    said += 1
                    self.announced = True
                    yield f"{next(self._next)} "
                chunk = await coming
                if chunk is None:
                    return
                self.waiting = not written(chunk).strip()
                yield chunk
            async for chunk in answer:
                yield chunk
        finally:
            if coming is not None:
                await utils.aio.cancel_and_wait(coming)
            await answer.aclose()

    async def _silent(self, coming: asyncio.Future[Chunk | None], due: float) -> bool:
        """Waits for the next piece; whether something else must be said before it comes."""
        over = asyncio.ensure_future(self._over.wait())
        either: set[asyncio.Future[Any]] = {coming, over}
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            over.cancel()
        if not coming.done():
            until = max(due, self._ended + _SILENCE) - time.time()
            await asyncio.wait({coming}, timeout=max(0.0, until))
        return not coming.done()

    def without(self, text: str) -> str:
        """What was said, without such lines before it; only such a line is left as it is."""
        left = text.strip()
        while line := next((line for line in self._lines if left.startswith(f"{line} ")), None):
            left = left[len(line) :].strip()
        return left
