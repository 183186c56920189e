"""Hearing what is being said, over a socket that speaks vosk-server's protocol: with alphacep's own
client, with ours, and with clients that keep to nothing."""

import argparse
import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import soundfile
import soxr
from vosk.transcriber.transcriber import Transcriber
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from eloquence.config import load
from eloquence.conversation.stages import Resources
from eloquence.providers import vosk
from eloquence.server.services import _vosk, stt
from eloquence.testing.context import stage_context
from eloquence.testing.french import french_recogniser_options, word_errors, words
from eloquence.testing.hearing import RATE, Samples, finals, heard, recording, silence
from eloquence.testing.services import Services
from eloquence.testing.serving import served

PIECE = 4_000
Answer = dict[str, Any]


def sentences(data: Path) -> dict[str, str]:
    lines = (data / "fixtures-fr/voxforge/PROMPTS").read_text("utf-8").splitlines()
    return {line.split()[0].rsplit("/", 1)[-1]: line.split(" ", 1)[1] for line in lines}


@asynccontextmanager
async def listening(
    provider: str, options: dict[str, object] | None = None, **more: Any
) -> AsyncIterator[str]:
    """The address of a service with that recogniser, as vosk-server's clients want it."""
    settings = load(stt={"provider": provider, "options": options or {}})
    async with served(stt.create_app(settings, **more)) as url:
        yield url.replace("http", "ws")


@asynccontextmanager
async def french(data: Path, said: Iterable[str], folder: Path) -> AsyncIterator[str]:
    options = french_recogniser_options(data, said, folder)
    async with listening("pocketsphinx", options) as address:
        yield address


async def asked(socket: ClientConnection, message: str | bytes) -> Answer:
    await socket.send(message)
    answer: Answer = json.loads(await socket.recv())
    return answer


async def told(address: str, pcm: bytes, **config: Any) -> list[Answer]:
    """Every answer to that sound, sent as fast as the service takes it."""
    async with connect(address) as socket:
        if config:
            await socket.send(json.dumps({"config": config}))
        pieces = [pcm[at : at + PIECE] for at in range(0, len(pcm), PIECE)]
        answers = [await asked(socket, piece) for piece in pieces]
        answers.append(await asked(socket, '{"eof" : 1}'))
        assert await closing(socket) == (1000, "")
    return answers


async def closing(socket: ClientConnection) -> tuple[int, str]:
    """How the service closes the socket: code and reason; what it says before is let pass."""
    with suppress(ConnectionClosed):
        while True:
            await socket.recv()
    return socket.close_code or 0, socket.close_reason or ""


def text(answers: Iterable[Answer]) -> list[str]:
    return " ".join(answer.get("text", "") for answer in answers).split()


def apart(*samples: Samples) -> Samples:
    """The recordings with pauses between and after them."""
    return np.concatenate([part for one in samples for part in (one, silence(0.6))])


@pytest.mark.speech
async def test_alphaceps_own_client_writes_down_what_is_said(
    shared_data: Path, tmp_path: Path
) -> None:
    """The client that the package vosk brings, unchanged: each piece has one answer, `eof` the
    last."""
    said = sentences(shared_data)
    names = ["fr-sb-503", "fr-sb-504"]
    voice = apart(*(recording(shared_data / f"fixtures-fr/voxforge/{name}.wav") for name in names))
    sound = tmp_path / "said.raw"
    sound.write_bytes(voice.astype("<i2").tobytes())
    client = Transcriber.__new__(Transcriber)  # its own constructor loads a model, for nothing
    async with french(shared_data, said.values(), tmp_path / "words") as address:
        client.args = argparse.Namespace(server=address, output_type="srt")
        process = await asyncio.create_subprocess_exec(
            "cat", str(sound), stdout=asyncio.subprocess.PIPE
        )
        result, size = await client.recognize_stream_server(process)
        await process.wait()
    assert size == sound.stat().st_size
    spoken = words(" ".join(said[name] for name in names))
    assert word_errors(spoken, text(result)) / len(spoken) <= 0.1
    timed = [word for part in result for word in part.get("result", ())]
    assert [word["word"] for word in timed] == text(result)
    times = [(word["start"], word["end"]) for word in timed]
    assert times == sorted(times)
    assert times[-1][1] <= len(voice) / RATE
    assert all(0 <= word["conf"] <= 1 for word in timed)
    assert "-->" in client.format_result(result)


@pytest.mark.speech
async def test_our_own_stage_of_a_vosk_server_is_a_client_of_it(
    shared_data: Path, tmp_path: Path
) -> None:
    """STT-06, by the socket."""
    said = sentences(shared_data)["fr-sb-503"]
    voice = recording(shared_data / "fixtures-fr/voxforge/fr-sb-503.wav")
    resources = Resources()
    async with french(shared_data, [said], tmp_path) as address:
        options = vosk.stt.parse({"patience": 30}, {"VOSK_STT_URL": address})
        stage = vosk.stt.create(options, stage_context("fr", resources=resources))
        found = finals(await heard(stage, apart(voice)))
        await resources.close()
    timed = [word for data in found for word in data.words or []]
    assert word_errors(words(said), [str(word) for word in timed]) <= 1


@pytest.mark.speech
async def test_sentences_come_while_the_rest_is_still_being_said(
    shared_data: Path, tmp_path: Path
) -> None:
    """At any rate of the sound, with and without words, at `/` as at `/ws`; and faster than real
    time, since nobody need wait."""
    said = sentences(shared_data)
    names = ["fr-sb-503", "fr-sb-504", "fr-sb-502"]
    voice = apart(*(recording(shared_data / f"fixtures-fr/voxforge/{name}.wav") for name in names))
    spoken = words(" ".join(said[name] for name in names))
    narrow = soxr.resample(voice.astype(np.float32), RATE, 8_000).astype("<i2").tobytes()
    async with french(shared_data, [said[name] for name in names], tmp_path) as address:
        await told(address, bytes(RATE))  # whatever it loads, it has loaded
        began = time.perf_counter()
        answers = await told(f"{address}/ws", voice.astype("<i2").tobytes(), sample_rate=RATE)
        assert time.perf_counter() - began < len(voice) / RATE
        low = await told(f"{address}/", narrow, sample_rate=8_000.0, words=False)
        other = await told(
            address, voice.astype("<i2").tobytes(), sample_rate=RATE, max_alternatives=1
        )
    early = [answer for answer in answers[:-1] if "text" in answer]
    assert len(early) >= 2
    assert all(("partial" in answer) != ("text" in answer) for answer in answers)
    assert word_errors(spoken, text(answers)) / len(spoken) <= 0.1
    assert word_errors(spoken, text(low)) / len(spoken) <= 0.4
    assert not any("result" in answer for answer in low)
    first = next(answer for answer in other if "alternatives" in answer)["alternatives"][0]
    assert first["result"][0]["word"] == first["text"].split()[0]


@pytest.mark.speech
async def test_after_a_reset_the_socket_goes_on_and_its_times_do_too(
    shared_data: Path, tmp_path: Path
) -> None:
    said = sentences(shared_data)["fr-sb-503"]
    voice = recording(shared_data / "fixtures-fr/voxforge/fr-sb-503.wav")
    pcm = voice.astype("<i2").tobytes()
    async with french(shared_data, [said], tmp_path) as address, connect(address) as socket:
        found = []
        for _ in range(2):
            pieces = [pcm[at : at + PIECE] for at in range(0, len(pcm), PIECE)]
            answers = [await asked(socket, piece) for piece in pieces]
            answers.append(await asked(socket, '{"reset": 1}'))
            found.append([answer for answer in answers if "result" in answer])
        assert (await asked(socket, '{"eof": 1}'))["text"] == ""
    assert all(word_errors(words(said), text(one)) <= 1 for one in found)
    first, second = [one[0]["result"][0]["start"] for one in found]
    assert second - first == pytest.approx(len(voice) / RATE, abs=0.1)


@pytest.mark.speech
async def test_a_recogniser_elsewhere_is_heard_through_it(shared_data: Path) -> None:
    """Whatever is registered: here a vosk-server of which ours is a client, and a host."""
    voice = apart(recording(shared_data / "fixtures-fr/voxforge/fr-sb-503.wav"))
    pcm = voice.astype("<i2").tobytes()
    async with Services() as host:
        async with listening("vosk", {"url": host.websocket_url}) as address:
            answers = await told(address, pcm, sample_rate=RATE)
        assert "bonjour marie" in " ".join(text(answers))
        assert any(answer.get("partial") for answer in answers)
        async with listening("openai", {"base_url": host.url}) as address:
            answers = await told(address, pcm, sample_rate=RATE)
        assert text(answers)[:2] == ["bonjour", "marie"]


@pytest.mark.speech
async def test_a_recogniser_that_fails_closes_the_socket_with_the_reason(
    shared_data: Path,
) -> None:
    voice = apart(recording(shared_data / "fixtures-fr/voxforge/fr-sb-503.wav"))
    async with (
        Services(mode="500") as host,
        listening("openai", {"base_url": host.url}) as address,
        connect(address) as socket,
    ):
        pcm = voice.astype("<i2").tobytes()
        for at in range(0, len(pcm), 16 * PIECE):
            await socket.send(pcm[at : at + 16 * PIECE])
        await socket.send('{"eof": 1}')
        code, reason = await closing(socket)
    assert code == 1011
    assert "stt" in reason


async def test_silence_and_nothing_at_all_are_no_words() -> None:
    async with Services() as host, listening("openai", {"base_url": host.url}) as address:
        answers = await told(address, bytes(2 * RATE), sample_rate=RATE)
        assert answers == [{"partial": ""}] * (len(answers) - 1) + [{"text": ""}]
        assert await told(address, b"") == [{"text": ""}]


@pytest.mark.parametrize(
    ("messages", "code", "reason"),
    [
        (["nonsense"], 1007, "JSON"),
        (["[" * 100_000], 1007, "JSON"),
        (['{"hello": 1}'], 1007, "config"),
        (['{"config": {"sample_rate": 1}}'], 1007, "sample_rate"),
        (['{"config": 7}'], 1007, "config"),
        ([b"\0\0", '{"config": {"sample_rate": 8000}}'], 1007, "before the sound"),
        ([b"\0"], 1007, "PCM16"),
        ([bytes((1 << 20) + 2)], 1009, ""),
    ],
)
async def test_what_is_not_the_protocol_closes_the_socket_and_says_why(
    messages: list[str | bytes], code: int, reason: str
) -> None:
    async with Services() as host, listening("openai", {"base_url": host.url}) as address:
        async with connect(address) as socket:
            for message in messages:
                await socket.send(message)
            found = await closing(socket)
        assert found[0] == code
        assert reason in found[1]
        assert await told(address, b"") == [{"text": ""}]  # nobody else has noticed


async def test_whoever_sends_nothing_or_without_end_is_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with Services() as host, listening("openai", {"base_url": host.url}) as address:
        monkeypatch.setattr(_vosk, "MOST_SECONDS", 1.0)
        async with connect(address) as socket:
            await asked(socket, bytes(RATE))
            with pytest.raises(ConnectionClosed, match="of sound"):
                await asked(socket, bytes(2 * RATE))
        monkeypatch.setattr(_vosk, "IDLE_SECONDS", 0.1)
        async with connect(address) as socket:
            with pytest.raises(ConnectionClosed, match="Nothing came"):
                await socket.recv()


async def test_sockets_have_places_and_give_them_back() -> None:
    """K02: one too many is told so, also while a place is held without a word."""
    async with (
        Services() as host,
        listening("openai", {"base_url": host.url}, at_once=1) as address,
    ):
        async with connect(address):
            with pytest.raises(InvalidStatus) as refused:
                await connect(address)
            assert refused.value.response.status_code == 503
            assert refused.value.response.headers["retry-after"] == "1"
        async with asyncio.timeout(60):
            while True:
                try:
                    assert await told(address, b"") == [{"text": ""}]
                    break
                except InvalidStatus:
                    continue


async def test_no_web_page_opens_a_socket() -> None:
    async with Services() as host, listening("openai", {"base_url": host.url}) as address:
        with pytest.raises(InvalidStatus) as refused:
            await connect(address, origin="https://evil.example")  # type: ignore[arg-type]
        assert refused.value.response.status_code == 403


async def test_without_a_recogniser_the_handshake_names_the_mend() -> None:
    async with listening("none") as address:
        with pytest.raises(InvalidStatus) as refused:
            await connect(address)
        assert refused.value.response.status_code == 503
        body = refused.value.response.body
        assert body is not None
        assert "eloquence models download" in json.loads(body)["mend"]


@pytest.mark.speech
async def test_both_routes_hear_the_same(shared_data: Path, tmp_path: Path) -> None:
    said = sentences(shared_data)["fr-sb-503"]
    path = shared_data / "fixtures-fr/voxforge/fr-sb-503.wav"
    assert soundfile.info(path).samplerate == RATE
    async with french(shared_data, [said], tmp_path) as address:
        answers = await told(address, recording(path).astype("<i2").tobytes(), sample_rate=RATE)
        async with httpx.AsyncClient(base_url=address.replace("ws", "http"), timeout=60) as client:
            whole = await client.post("/transcribe", files={"file": path.read_bytes()})
    assert word_errors(whole.json()["text"].split(), text(answers)) <= 1
