"""What a job makes of a session that somebody else has ended."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.bootstrap.takes import session

from eloquence.storage.sessions import SqlSessionStore, open_store
from eloquence.worker import job


async def deleted(store: SqlSessionStore) -> None:
    await store.delete("s0")


async def ended(store: SqlSessionStore) -> None:
    await store.requests.finish("s0", "interrupted", "operator")


@pytest.mark.parametrize("work", [deleted, ended])
async def test_a_session_that_is_deleted_or_ended_elsewhere_is_over(
    work: Any, tmp_path: Path
) -> None:
    async with open_store(f"sqlite:///{tmp_path / 'eloquence.db'}", tmp_path) as store:
        await store.requests.add(session("s0"), learner="ada", room="s_0", request="{}")
        lease = await store.claim("s0", 1)
        product: Any = SimpleNamespace(store=store)
        assert not await job._is_over(lease, product)
        await work(store)
        assert await job._is_over(lease, product)
