"""A worker's processes wait with everything loaded; what is written when they get a session counts
(X-40)."""

from pathlib import Path

import pytest
from tests.integration.test_worker import Site

from eloquence import protocol
from eloquence.bootstrap import opened
from eloquence.config import load
from eloquence.testing.parts import LiveKit
from eloquence.testing.workers import environment, worker

pytestmark = pytest.mark.timeout(400)


async def test_a_process_that_waits_takes_a_change_with_its_session(
    own_livekit: LiveKit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = environment(own_livekit, tmp_path / "data")
    del settings["ELOQUENCE_STT"]
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    file = tmp_path / "worker" / "eloquence.toml"
    file.parent.mkdir()
    file.write_text('stt = "none"\n')
    async with worker(settings, tmp_path, name="worker") as part, opened(load()) as product:
        await part.ready()
        file.write_text('[stt]\nprovider = "vosk"\nurl = "ws://127.0.0.1:9"\n')
        site = Site(own_livekit, tmp_path, settings, product)
        ticket, learner = await site.ask()
        async with learner.there():
            await learner.until(lambda: learner.count("ready") > 0)
            [ready] = learner.said("ready")
            assert isinstance(ready, protocol.Ready)
            assert ready.stages["stt"].provider == "vosk"
            await site.ended(ticket, learner)
        assert "changed settings, for new conversations: stt" in part.log
