"""Figures for operators can be switched off, and go back only so far (MET-09, CFG-07)."""

import asyncio
import time
from pathlib import Path

import pytest
from tests.bootstrap.takes import answer, keep, session
from tests.server.conftest import serving

from eloquence.config import load
from eloquence.storage.sessions import open_store


def test_figures_can_be_switched_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENABLE_METRICS", "false")
    for served in serving(load(data=tmp_path)):
        for path in ("/metrics/sessions", "/metrics/plugins"):
            refused = served.get(path)
            assert (refused.status_code, refused.json()["code"]) == (409, "configuration")
            assert "ENABLE_METRICS" in refused.json()["mend"]


@pytest.mark.parametrize(("hours", "counted"), [(168.0, 1), (0.001, 0)])
async def test_figures_go_back_only_so_far(tmp_path: Path, hours: float, counted: int) -> None:
    """A session that began 4 s ago is out of the figures of the last 3.6 s."""
    began = time.time() - 4
    if time.gmtime(began).tm_mday != time.gmtime().tm_mday:
        pytest.skip("today's figures begin at midnight, which is now")
    settings = load(data=tmp_path, metrics_retention_hours=hours)
    async with open_store(settings.database, settings.recordings) as store:
        await keep(store, session("s1", started_at=began), answer(0, 1.0))

    def asked() -> int:
        found = [served.get("/metrics/sessions").json() for served in serving(settings)]
        return int(found[0]["connections"]["succeeded"])

    assert await asyncio.to_thread(asked) == counted
