"""Deadlines around a vendor's own client for a voice, which has none for the sound itself."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, cast

from livekit.agents import APIError, APITimeoutError, tts, utils

from eloquence.providers._vendors import traced
from eloquence.providers.openai import SpeakingOptions


class _Noted:
    """An emitter that tells of each piece of sound that goes into it."""

    def __init__(self, emitter: tts.AudioEmitter) -> None:
        self._emitter = emitter
        self._clock = asyncio.get_running_loop().time
        self.latest = self._clock()
        self.sounded = False

    def push(self, sound: bytes) -> None:
        if sound:
            self.sounded, self.latest = True, self._clock()
        self._emitter.push(sound)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._emitter, name)


async def spoken_in_time(
    speak: Callable[[tts.AudioEmitter], Coroutine[Any, Any, None]],
    emitter: tts.AudioEmitter,
    options: SpeakingOptions,
) -> None:
    """Lets the client speak into the emitter. Raises what it raises, APITimeoutError when the
    first sound, the next one or the end is late, APIError when there is no sound at all."""
    noted = _Noted(emitter)
    clock = asyncio.get_running_loop().time
    began = clock()
    speaking = asyncio.create_task(speak(cast("tts.AudioEmitter", noted)))
    try:
        while not speaking.done():
            patience = options.idle if noted.sounded else options.first
            until = min(noted.latest + patience, began + options.total)
            if clock() >= until:
                raise APITimeoutError("The voice did not go on in time.")
            # the first piece may come meanwhile: from it on, the next one's deadline counts
            await asyncio.wait({speaking}, timeout=min(until - clock(), options.idle))
    finally:
        await utils.aio.cancel_and_wait(speaking)
    with traced():
        speaking.result()
    if not noted.sounded:
        raise APIError("The host answered no sound.")
