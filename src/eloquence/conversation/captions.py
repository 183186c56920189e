"""What is shown of the learner's words, once the plugins have looked at it."""

import asyncio
from collections.abc import Callable

from eloquence.conversation.hooks import Hooks
from eloquence.protocol import Caption

UNREAD = "…"
"""Shown where a filter that is required has failed."""


class Captions:
    """Captions on their way to the page, in order. While plugins are slow, the latest caption of a
    turn stands for those before it, so that one waits for each turn, and the final one always
    comes."""

    def __init__(self, hooks: Hooks, send: Callable[[Caption], None]) -> None:
        self._hooks = hooks
        self._send = send
        self._waiting: dict[str, Caption] = {}
        self._any = asyncio.Event()

    def show(self, caption: Caption) -> None:
        if not self._hooks.reads and not self._waiting:
            self._send(caption)
            return
        self._waiting[caption.id] = caption
        self._any.set()

    async def pass_on(self) -> None:
        """Shows what waits, as the plugins let it be read; ends only when it is cancelled."""
        while True:
            await self._any.wait()
            self._any.clear()
            while self._waiting:
                turn, caption = next(iter(self._waiting.items()))
                text = await self._hooks.read(caption.text)
                self._send(caption.model_copy(update={"text": UNREAD if text is None else text}))
                if self._waiting[turn] is caption:
                    del self._waiting[turn]
