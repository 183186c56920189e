"""Threads in which recognisers decode, so that the event loop never waits for them."""

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor

from eloquence.conversation.stages import Resources


def recognition_threads(resources: Resources) -> ThreadPoolExecutor:
    """The threads shared by all conversations of this process: one per core, at least two."""
    return resources.get("recognition threads", _made, _closed)


def _made() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max(2, os.cpu_count() or 2), thread_name_prefix="recognition")


async def _closed(threads: ThreadPoolExecutor) -> None:
    await asyncio.to_thread(threads.shutdown, cancel_futures=True)
