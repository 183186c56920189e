"""Whether this process can do what it is for: its store answers, and LiveKit where it needs it."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from eloquence.bootstrap import Eloquence
from eloquence.errors import EloquenceError

T = TypeVar("T")

KEPT_SECONDS = 2.0
"""How old an answer may be: probes come often, and from several places."""
PATIENCE = 2.0
"""Seconds that a part may take to answer before it counts as unreachable."""


class Health:
    """What a probe is told. Probes that come at once share one look."""

    def __init__(self, eloquence: Eloquence, clock: Callable[[], float] = time.monotonic) -> None:
        self._eloquence = eloquence
        self._clock = clock
        self._looking = asyncio.Lock()
        self._seen: dict[str, object] = {}
        self._seen_at = float("-inf")

    async def seen(self) -> dict[str, object]:
        """`status` is `ok` or `unavailable`; then how many conversations are live. A server whose
        conversations are held in rooms says of each part whether it can be reached."""
        if self._eloquence.rooms is None:
            most = self._eloquence.settings.max_conversations
            return {"status": "ok", "live": self._eloquence.live, "most": most}
        async with self._looking:
            if self._clock() - self._seen_at >= KEPT_SECONDS:
                self._seen = await self._look()
                self._seen_at = self._clock()
        return self._seen

    async def _look(self) -> dict[str, object]:
        assert self._eloquence.rooms is not None
        pulses, reached = await asyncio.gather(
            _within(self._eloquence.store.pulses()),
            _within(self._eloquence.rooms.livekit.check()),
        )
        store, livekit = not isinstance(pulses, Exception), not isinstance(reached, Exception)
        return {
            "status": "ok" if store and livekit else "unavailable",
            "store": store,
            "livekit": livekit,
            "live": None if isinstance(pulses, Exception) else len(pulses),
        }


async def _within(asked: Awaitable[T]) -> T | Exception:
    try:
        async with asyncio.timeout(PATIENCE):
            return await asked
    except (EloquenceError, TimeoutError) as error:
        return error
