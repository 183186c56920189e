"""What the doctor finds, on a real machine made sick in known ways."""

import asyncio
import json
import shutil
import socket
from collections import namedtuple
from pathlib import Path

import pytest

from eloquence.config import Settings, StageSettings, load
from eloquence.ops.doctor import Check, Diagnosis, StageReport, diagnose
from eloquence.testing.services import Services


def settings(**given: object) -> Settings:
    return load(port=0, **given)


def check(diagnosis: Diagnosis, name: str) -> Check:
    return next(check for check in diagnosis.checks if check.name == name)


def stage(diagnosis: Diagnosis, name: str, language: str = "fr") -> StageReport:
    return next(
        report
        for report in diagnosis.stages
        if report.stage == name and report.language == language
    )


async def test_with_nothing_downloaded_one_can_talk_and_is_told_what_would_help() -> None:
    found = await diagnose(settings())
    assert found.can_talk
    assert {report.language for report in found.stages} == {"fr", "en"}
    hears = stage(found, "stt")
    assert (hears.provider, hears.automatic) == ("none", True)
    assert hears.readiness.mend == "eloquence models download vosk-model-small-fr-0.22"
    assert (stage(found, "llm").provider, stage(found, "tts").provider) == ("script", "espeak")
    assert not any(report.readiness.leaves_machine for report in found.stages)
    others = dict(hears.others)
    assert "OPENAI_API_KEY" in others["openai"].mend
    json.dumps(found.as_json())


async def test_a_named_provider_is_never_replaced(own_home: Path) -> None:
    found = await diagnose(settings(tts=StageSettings(provider="piper")))
    speaks = stage(found, "tts")
    assert (speaks.provider, speaks.automatic) == ("piper", False)
    assert not speaks.readiness.ready
    assert "models download" in speaks.readiness.mend
    assert not found.can_talk


async def test_a_name_nobody_has_is_told_with_those_that_are_installed() -> None:
    found = await diagnose(settings(stt=StageSettings(provider="telepathy")))
    hears = stage(found, "stt")
    assert not hears.readiness.ready
    assert "vosk" in hears.readiness.mend
    assert not found.can_talk


async def test_a_downloaded_model_is_used_by_itself(own_home: Path) -> None:
    model = own_home / "models" / "vosk-model-small-fr-0.22" / "am" / "final.mdl"
    model.parent.mkdir(parents=True)
    model.write_bytes(b"weights")
    found = await diagnose(settings())
    assert stage(found, "stt").provider == "vosk"
    assert stage(found, "stt", "en").provider == "none"


async def test_a_busy_port_is_a_warning() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        found = await diagnose(load(port=port))
    busy = check(found, "port")
    assert busy.verdict == "warning"
    assert str(port) in busy.detail
    assert "--port" in busy.mend
    assert found.can_talk


async def test_a_data_folder_that_is_a_file_is_a_failure(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("here already")
    found = await diagnose(settings(data=blocked))
    assert check(found, "data folder").verdict == "failure"
    assert "ELOQUENCE_DATA" in check(found, "data folder").mend
    assert not found.can_talk


async def test_a_full_disk_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(100, 99, 1))
    found = await diagnose(settings())
    assert check(found, "disk").verdict == "failure"
    assert not found.can_talk


async def test_a_wrong_exercise_is_counted_and_does_not_stop_one(tmp_path: Path) -> None:
    folder = tmp_path / "own" / "fr" / "exercises"
    folder.mkdir(parents=True)
    (folder / "wrong.yaml").write_text("id: Wrong\n", "utf-8")
    found = await diagnose(settings(content=tmp_path / "own"))
    assert check(found, "content").verdict == "warning"
    assert check(found, "content").mend == "eloquence exercises check"
    assert found.can_talk


@pytest.mark.parametrize(("mode", "ready"), [("ok", True), ("401", False)])
async def test_online_the_vendor_itself_is_asked(mode: str, ready: bool) -> None:
    async with Services() as services:
        services.mode = "401" if mode == "401" else "ok"
        model = StageSettings(provider="openai", options={"base_url": services.url})
        offline = await diagnose(settings(llm=model))
        assert stage(offline, "llm").readiness.ready
        assert services.asked == [], "nothing is asked without --online"
        async with asyncio.timeout(60):
            online = await diagnose(settings(llm=model), online=True)
    thinks = stage(online, "llm").readiness
    assert thinks.ready is ready
    if not ready:
        assert "key" in thinks.detail
        assert not online.can_talk


ROOMS = {"livekit_api_key": "key-of-tests", "livekit_api_secret": "secret-of-tests-0123456789-abc"}


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (ROOMS | {"livekit_api_secret": "secret-of-tests-0123456789-abcdef"}, "cannot be reached"),
        (ROOMS | {"livekit_api_key": "devkey"}, "are known"),
        ({}, "without LIVEKIT_API_KEY"),
    ],
)
async def test_for_rooms_the_livekit_server_and_its_keys_are_looked_at(
    given: dict[str, str], told: str
) -> None:
    with socket.socket() as closed:  # nobody listens there
        closed.bind(("127.0.0.1", 0))
        url = f"ws://127.0.0.1:{closed.getsockname()[1]}"
        found = await diagnose(settings(livekit_url=url, **given))
    livekit = check(found, "LiveKit")
    assert livekit.verdict == "failure"
    assert told in livekit.detail
    assert not found.can_talk
