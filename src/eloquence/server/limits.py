"""How often sessions may be begun and judged, and services used, by one account and from one
address.

Counted in moving windows: in Redis when several servers count together, else by this process.
While Redis is away each process counts its own.
"""

import asyncio
import logging
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from limits import RateLimitItem, RateLimitItemPerDay, RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage, RedisStorage
from limits.aio.strategies import MovingWindowRateLimiter
from limits.errors import StorageError as CountError

from eloquence.config import Settings
from eloquence.errors import TooManyError
from eloquence.storage.accounts import Account
from eloquence.storage.requests import Requests

TOKENS_PER_MINUTE = 60
"""Tokens that one account may be given in a minute: enough for a line that breaks every second."""
JUDGEMENTS_PER_MINUTE = 10
"""Judgements that one account may begin in a minute: each may cost a vendor's price."""
SERVICES_PER_MINUTE = 60
"""Requests to the speech services that one account may make in a minute. Each may cost a
vendor's price."""
SERVICE_SECONDS = 5.0
"""Seconds of the minutes of a day that one such request counts for: a turn of a conversation takes
three, one of each stage."""
REDIS_SECONDS = 0.5
"""How long Redis may take to count a request before it is taken for away."""
AWAY_SECONDS = 5.0
"""How long Redis is left alone then."""

log = logging.getLogger("eloquence.server")

T = TypeVar("T")


class Limits:
    """The limits of the settings. Each call raises TooManyError, with the seconds to wait."""

    def __init__(
        self, settings: Settings, requests: Requests, redis: RedisStorage | None = None
    ) -> None:
        self._settings = settings
        self._requests = requests
        self._own = MovingWindowRateLimiter(MemoryStorage())
        self._common = MovingWindowRateLimiter(redis) if redis is not None else None
        self._away_until = 0.0
        self._told = False
        per_minute = RateLimitItemPerMinute
        self._starts = per_minute(settings.starts_per_minute, namespace="starts")
        self._starts_there = per_minute(settings.starts_per_address, namespace="starts")
        self._tokens = per_minute(TOKENS_PER_MINUTE, namespace="tokens")
        self._judgements = per_minute(JUDGEMENTS_PER_MINUTE, namespace="judgements")
        self._services = per_minute(SERVICES_PER_MINUTE, namespace="requests")
        self._seconds = 60 * settings.minutes_per_day
        most = max(1, math.ceil(self._seconds / SERVICE_SECONDS))
        self._services_of_the_day = RateLimitItemPerDay(most, namespace="requests")

    async def start(self, account: Account, address: str) -> None:
        """One more session begins."""
        if account.id:  # without accounts everybody is the same learner
            await self._count(self._starts, "account", account.id)
        await self._count(self._starts_there, "address", address)
        if account.id and self._seconds:
            await self._of_the_day(account)

    async def token(self, account: Account, address: str) -> None:
        """One more token is made."""
        who = ("account", account.id) if account.id else ("address", address)
        await self._count(self._tokens, *who)

    async def judgement(self, account: Account) -> None:
        """One more session is judged."""
        if account.id:  # on one machine the learner pays for it
            await self._count(self._judgements, "account", account.id)

    async def service(self, account: Account) -> None:
        """One more request to a speech service."""
        if not account.id:
            return
        await self._count(self._services, "account", account.id)
        if self._seconds:
            await self._of_the_day(account)
            await self._count(self._services_of_the_day, "account", account.id)

    async def _of_the_day(self, account: Account) -> None:
        """Raises when an account has had its minutes of the day, in sessions and in services."""
        talked, after = await self._requests.talked(account.id)
        item = self._services_of_the_day
        left = await self._asked(lambda limiter: _left(limiter, item, "account", account.id))
        if talked + SERVICE_SECONDS * (item.amount - left) >= self._seconds:
            raise TooManyError(
                f"{self._settings.minutes_per_day:g} minutes a day are talked.",
                after=after,
                mend="Come back tomorrow.",
            )

    async def _count(self, item: RateLimitItem, *who: str) -> None:
        after = await self._asked(lambda limiter: _hit(limiter, item, *who))
        if after is not None:
            raise TooManyError(
                f"Too many {item.namespace} in a {item.GRANULARITY.name}.",
                after=after,
                mend="Wait a moment.",
            )

    async def _asked(self, ask: Callable[[MovingWindowRateLimiter], Awaitable[T]]) -> T:
        """What is counted in Redis; while that is away, what this process counts."""
        if self._common is not None and time.monotonic() >= self._away_until:
            try:
                async with asyncio.timeout(REDIS_SECONDS):
                    answer = await ask(self._common)
            except (CountError, TimeoutError) as error:
                self._away_until = time.monotonic() + AWAY_SECONDS
                if not self._told:
                    log.warning(
                        "Redis does not count requests (%s): each server counts its own",
                        type(error.__cause__ or error).__name__,
                    )
                self._told = True
            else:
                if self._told:
                    log.info("Redis counts requests again")
                self._told = False
                return answer
        return await ask(self._own)


@asynccontextmanager
async def open_limits(settings: Settings, requests: Requests) -> AsyncIterator[Limits]:
    """The limits, counted in Redis where the settings name one."""
    if not settings.redis_url:
        yield Limits(settings, requests)
        return
    from redis.asyncio import ConnectionPool
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff

    pool = ConnectionPool.from_url(
        settings.redis_url,
        socket_timeout=REDIS_SECONDS,
        socket_connect_timeout=REDIS_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )
    redis = RedisStorage(
        f"async+{settings.redis_url}",
        wrap_exceptions=True,
        implementation="redispy",
        key_prefix="eloquence",
        connection_pool=pool,  # type: ignore[arg-type] # passed on to redis-py
    )
    try:
        yield Limits(settings, requests, redis)
    finally:
        await pool.disconnect()


async def _hit(limiter: MovingWindowRateLimiter, item: RateLimitItem, *who: str) -> float | None:
    """Counts one; the seconds to wait when it is one too many."""
    if await limiter.hit(item, *who):
        return None
    reset, _ = await limiter.get_window_stats(item, *who)
    return max(1.0, reset - time.time())


async def _left(limiter: MovingWindowRateLimiter, item: RateLimitItem, *who: str) -> int:
    """How many more there may be; counts none."""
    return (await limiter.get_window_stats(item, *who)).remaining
