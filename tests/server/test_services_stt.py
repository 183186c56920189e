"""The hearing service: recordings become words with times over HTTP."""

import io
import logging
import os
import threading
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
import pytest
import soundfile

from eloquence.config import load
from eloquence.conversation.stages import Resources
from eloquence.providers import vosk
from eloquence.server.services import stt, tts
from eloquence.testing.context import stage_context
from eloquence.testing.french import french_recogniser_options, word_errors, words
from eloquence.testing.hearing import RATE, Samples, finals, heard, recording, silence
from eloquence.testing.services import Mode, Services, Word, tone
from eloquence.testing.serving import served

SPOKEN = (
    "Bonjour, je suis venu pour parler de mon travail.",
    "Je voudrais être plus clair quand je parle devant les autres.",
    "Le plus difficile est de faire une pause après chaque phrase.",
)


def prompts(data: Path) -> dict[str, str]:
    lines = (data / "fixtures-fr/voxforge/PROMPTS").read_text("utf-8").splitlines()
    return {line.split()[0].rsplit("/", 1)[-1]: line.split(" ", 1)[1] for line in lines}


@asynccontextmanager
async def hearing(
    provider: str, options: dict[str, object] | None = None
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a service with that recogniser."""
    settings = load(stt={"provider": provider, "options": options or {}})
    async with (
        served(stt.create_app(settings)) as url,
        httpx.AsyncClient(base_url=url, timeout=120) as client,
    ):
        yield client


@asynccontextmanager
async def french(
    data: Path, sentences: Iterable[str], folder: Path
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a service that knows the words of these sentences."""
    async with hearing(
        "pocketsphinx", french_recogniser_options(data, sentences, folder)
    ) as client:
        yield client


async def transcribed(
    client: httpx.AsyncClient, file: bytes, field: str = "file", **more: str
) -> dict[str, Any]:
    answer = await client.post("/transcribe", files={field: ("speech.wav", file)}, data=more)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def wav(samples: Samples, rate: int = RATE, form: str = "WAV") -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=form)
    return file.getvalue()


@pytest.mark.speech
async def test_what_the_speaking_service_says_the_hearing_service_understands(
    shared_data: Path, tmp_path: Path
) -> None:
    """STT-02, TTS-02: at most one word in five is wrong, for MP3 as for WAV."""
    errors = dict.fromkeys(("mp3", "wav", "opus"), 0)
    async with (
        served(tts.create_app(load(tts={"provider": "espeak"}))) as url,
        httpx.AsyncClient(base_url=url, timeout=60) as speaking,
        french(shared_data, SPOKEN, tmp_path) as client,
    ):
        for form in errors:
            for text in SPOKEN:
                wanted = {"text": text, "format": form, "voice": "nova"}
                sound = (await speaking.post("/api/tts", json=wanted)).content
                found = await transcribed(client, sound)
                errors[form] += word_errors(words(text), found["text"].split())
    total = sum(len(words(text)) for text in SPOKEN)
    assert max(errors.values()) / total <= 0.2, errors


@pytest.mark.speech
async def test_a_recording_becomes_words_with_times(shared_data: Path, tmp_path: Path) -> None:
    """STT-01, STT-02: and however the field is called, or the sound packed."""
    said = prompts(shared_data)
    path = shared_data / "fixtures-fr/voxforge/fr-sb-503.wav"
    samples = recording(path)
    async with french(shared_data, [said["fr-sb-503"]], tmp_path) as client:
        found = await transcribed(client, path.read_bytes())
        assert found["text"].split() == words(said["fr-sb-503"])
        assert found["language"] == "fr"
        assert found["duration"] == pytest.approx(len(samples) / RATE, abs=0.001)
        assert [word["word"] for word in found["words"]] == words(said["fr-sb-503"])
        times = [(word["start"], word["end"]) for word in found["words"]]
        assert times == sorted(times)
        assert all(0 <= start < end <= found["duration"] for start, end in times)
        assert await transcribed(client, path.read_bytes(), "audio") == found
        flac = await transcribed(client, wav(samples, form="FLAC"))
        assert flac == found
        mp3 = await transcribed(client, wav(samples, form="MP3"))
        assert mp3["text"] == found["text"]


@pytest.mark.speech
async def test_a_long_recording_is_heard_to_its_end(shared_data: Path, tmp_path: Path) -> None:
    """A minute of sentences, with times that count from its start."""
    said = prompts(shared_data)
    pieces = [recording(shared_data / f"fixtures-fr/voxforge/{name}.wav") for name in said]
    samples = np.concatenate([part for piece in pieces for part in (piece, silence(0.5))])
    assert len(samples) / RATE > 50
    async with french(shared_data, said.values(), tmp_path) as client:
        found = await transcribed(client, wav(samples))
    spoken = [word for sentence in said.values() for word in words(sentence)]
    assert word_errors(spoken, found["text"].split()) / len(spoken) <= 0.1
    starts = [word["start"] for word in found["words"]]
    assert starts == sorted(starts)
    assert starts[-1] > len(samples) / RATE - 8


@pytest.mark.speech
async def test_our_own_recogniser_stage_is_a_client_of_it(
    shared_data: Path, tmp_path: Path
) -> None:
    """STT-06: what `VOSK_STT_URL` names answers with words and their times."""
    sentence = prompts(shared_data)["fr-sb-503"]
    voice = recording(shared_data / "fixtures-fr/voxforge/fr-sb-503.wav")
    resources = Resources()
    async with french(shared_data, [sentence], tmp_path) as client:
        options = vosk.stt.parse({"patience": 30}, {"VOSK_STT_URL": str(client.base_url)})
        stage = vosk.stt.create(options, stage_context("fr", resources=resources))
        found = finals(await heard(stage, np.concatenate([voice, silence(0.5)])))
        await resources.close()
    timed = [word for data in found for word in data.words or []]
    assert word_errors(words(sentence), [str(word) for word in timed]) <= 1
    assert all(isinstance(word.start_time, float) for word in timed)


async def test_a_host_that_recognises_gives_its_words() -> None:
    transcript = (Word("bonjour", 0.1, 0.5), Word("marie", 0.5, 0.9))
    async with (
        Services(transcript=transcript) as host,
        hearing("openai", {"base_url": host.url}) as client,
    ):
        sound = np.frombuffer(tone(1.0, RATE), np.int16)
        found = await transcribed(client, wav(sound), language="en")
    assert found["text"] == "bonjour marie"
    assert found["words"][1] == {"word": "marie", "start": 0.5, "end": 0.9, "conf": 1.0}
    assert found["language"] == "en"
    assert b'name="language"\r\n\r\nen' in host.asked[-1].body


@pytest.mark.parametrize(("mode", "status"), [("401", 401), ("500", 502), ("hang", 504)])
async def test_why_a_host_does_not_hear_is_told(
    mode: Mode, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    async with (
        Services(mode=mode) as host,
        hearing("openai", {"base_url": host.url, "total": 0.3}) as client,
    ):
        sound = wav(np.frombuffer(tone(1.0, RATE), np.int16))
        with caplog.at_level(logging.INFO, "eloquence"):
            answer = await client.post("/transcribe", files={"file": sound})
    assert answer.status_code == status
    assert answer.json()["code"] == "stt"


@pytest.mark.parametrize("provider", ["none", "vosk"])
async def test_without_a_recogniser_the_mend_is_named(provider: str) -> None:
    """STT-03, STT-04: what is said is never made up."""
    async with hearing(provider) as client:
        sound = wav(np.frombuffer(tone(1.0, RATE), np.int16))
        answers = [
            await client.get("/health"),
            await client.post("/transcribe", files={"file": sound}),
        ]
        assert (await client.get("/live")).status_code == 200
    for answer in answers:
        assert answer.status_code == 503
        assert "eloquence models download vosk-model-small-fr-0.22" in answer.json()["mend"]


@pytest.mark.parametrize(
    ("file", "told"),
    [
        (b"", "is empty"),
        (b"no sound at all" * 100, "is not a recording"),
        (wav(np.zeros(200_000, np.int16))[:30], "not a recording"),
        (wav(np.zeros(910 * 8_000, np.int16), 8_000, "FLAC"), "longer than 15 min"),
    ],
)
async def test_what_cannot_be_heard_is_refused_with_the_reason(file: bytes, told: str) -> None:
    """And nothing tells where the service keeps what it was sent."""
    async with Services() as host, hearing("openai", {"base_url": host.url}) as client:
        answer = await client.post("/transcribe", files={"file": file})
    assert answer.status_code == 422
    assert told in answer.json()["detail"]
    assert "that was sent" in answer.json()["detail"]
    assert "/tmp" not in answer.text


def endless(size: int) -> bytes:
    """A FLAC file of so many bytes that does not say how long it is: days of silence."""
    written = wav(np.zeros(60 * 8_000, np.int16), 8_000, "FLAC")
    at, last = 4, False
    while not last:
        last = bool(written[at] & 0x80)
        at += 4 + int.from_bytes(written[at + 1 : at + 4], "big")
    head = bytearray(written[:at])
    head[21] &= 0xF0
    head[22:26] = bytes(4)  # the number of samples: unknown
    frames = written[at:]
    return bytes(head) + frames * (size // len(frames) + 1)


def resident() -> int:
    """Bytes of memory of this process and of those that it started."""
    me = psutil.Process()
    found = 0
    for one in (me, *me.children()):
        with suppress(psutil.Error):
            found += one.memory_info().rss
    return found


@contextmanager
def memory() -> Iterator[list[int]]:
    """The same, 200 times a second."""
    seen: list[int] = []
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.005):
            seen.append(resident())

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield seen
    finally:
        over.set()
        watching.join()


@pytest.mark.parametrize("path", ["/transcribe", "/v1/audio/transcriptions"])
async def test_a_file_that_unpacks_to_days_costs_a_second_and_little_memory(path: str) -> None:
    """10 MB of FLAC that stand for 128 hours; 0.7 s and a process of 32 MB, as measured."""
    bomb = endless(10_000_000)
    async with Services() as host, hearing("openai", {"base_url": host.url}) as client:
        await client.post(path, files={"file": wav(np.zeros(8_000, np.int16), form="FLAC")})
        before = resident()
        spent = sum(os.times()[:4])  # by this process and those that it waited for
        with memory() as seen:
            answer = await client.post(path, files={"file": bomb})
        spent = sum(os.times()[:4]) - spent
    assert answer.status_code == 422
    assert "longer than 15 min" in answer.json()["detail"]
    assert max(seen) - before <= 100 * 2**20
    assert spent < 5


async def test_a_file_that_takes_too_long_to_unpack_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """192,000 samples a second in eight channels: 900 s of it would take half a minute."""
    monkeypatch.setattr(stt, "DECODING_SECONDS", 0.2)
    file = io.BytesIO()
    soundfile.write(file, np.zeros((192_000 * 10, 8), np.int16), 192_000, format="FLAC")
    async with Services() as host, hearing("openai", {"base_url": host.url}) as client:
        answer = await client.post("/transcribe", files={"file": file.getvalue()})
    assert answer.status_code == 422
    assert "more than 0.2 s" in answer.json()["detail"]


async def test_a_request_without_a_recording_is_told_how_to_send_one() -> None:
    async with Services() as host, hearing("openai", {"base_url": host.url}) as client:
        answer = await client.post("/transcribe", data={"language": "fr"})
        assert answer.status_code == 422
        assert "field file" in answer.json()["mend"]
        answer = await client.post("/transcribe", content=b"RIFF")
        assert answer.status_code == 422
        answer = await client.get("/transcribe")
        assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
        answer = await client.post("/stt")
        assert "POST /transcribe" in answer.json()["mend"]


async def test_more_than_25_megabytes_are_refused() -> None:
    async with Services() as host, hearing("openai", {"base_url": host.url}) as client:
        answer = await client.post("/transcribe", files={"file": bytes(stt.MOST_BYTES + 8_192)})
        assert answer.status_code == 413


async def test_a_ready_service_says_so() -> None:
    """STT-03"""
    async with Services() as host, hearing("openai", {"base_url": host.url}) as client:
        answer = await client.get("/health")
        while answer.json()["detail"] == "It is being made ready.":
            answer = await client.get("/health")
        assert answer.status_code == 200
        assert answer.json()["model"] == "whisper-1"
