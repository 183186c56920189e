"""Vosk's own client over real sockets, each way in which a vosk-server may fail, and another server
that takes over."""

import asyncio
from pathlib import Path

import numpy as np
import pytest

from eloquence.conversation.fallback.breaker import Breaker
from eloquence.conversation.fallback.chain import Chain, Link, Switch
from eloquence.conversation.fallback.recognisers import Recognisers
from eloquence.conversation.stages import Resources
from eloquence.protocol import StageStatus
from eloquence.providers import vosk
from eloquence.testing.context import stage_context
from eloquence.testing.hearing import Samples, finals, heard, recording, silence
from eloquence.testing.services import Mode, Services, Word

MODES: tuple[Mode, ...] = (
    "ok", "500", "429", "401", "hang", "headers_then_hang", "stall_mid", "close_mid", "badjson",
    "empty", "slow", "garbage", "html",
)  # fmt: skip


def link(name: str, url: str, resources: Resources) -> Link[object]:
    options = vosk.stt.parse({"url": url}, {})
    assert isinstance(options, vosk.Options)
    stage = vosk.create(options, stage_context(resources=resources))
    return Link(name, stage, Breaker(), StageStatus(provider=name, detail=""))


async def understood(mode: Mode, sound: Samples, well: str) -> tuple[str, list[Switch]]:
    """What a chain of two servers makes of the sound in real time, the first one in that mode."""
    switches: list[Switch] = []
    resources = Resources()
    async with Services(mode=mode) as failing:
        links = [link("failing", failing.websocket_url, resources), link("well", well, resources)]
        stage = Recognisers(Chain("stt", links, switches.append))  # type: ignore[arg-type]
        words = finals(await heard(stage, sound, pace=1.0))
        await stage.aclose()
    await resources.close()
    return " ".join(data.text for data in words), switches


@pytest.mark.speech
async def test_a_sentence_is_understood_whole_and_once_however_a_server_fails(
    shared_data: Path,
) -> None:
    """S01-S05 over real sockets, in real time."""
    voice = recording(shared_data / "fixtures-fr/lamartine.wav")[:40_000]
    sound = np.concatenate([silence(0.5), voice, silence(4.0)])
    transcript = (Word("bonjour", 0.1, 0.5), Word("marie", 0.5, 0.9))
    async with Services(transcript=transcript) as well:
        found = await asyncio.gather(*(understood(m, sound, well.websocket_url) for m in MODES))
    texts = {mode: text for mode, (text, _) in zip(MODES, found, strict=True)}
    expected = texts["ok"]
    assert set(expected.split()) == {"bonjour", "marie"}
    assert texts == dict.fromkeys(MODES, expected)
    for mode, (_, switches) in zip(MODES, found, strict=True):
        assert [switch.status.provider for switch in switches] == ["well"] * (mode != "ok"), mode
