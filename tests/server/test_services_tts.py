"""The speaking service: texts become sound files over HTTP."""

import io
import logging
from collections.abc import AsyncIterator

import httpx
import numpy as np
import pytest
import soundfile

from eloquence.config import Settings, load
from eloquence.server.services import tts
from eloquence.testing.services import Mode, Services
from eloquence.testing.serving import served

TEXT = "Bonjour ! Je suis Marie, votre coach."
RATE = 24_000


def espeak() -> Settings:
    return load(tts={"provider": "espeak"})


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    """A client of a service that speaks with espeak."""
    async with (
        served(tts.create_app(espeak())) as url,
        httpx.AsyncClient(base_url=url, timeout=60) as asking,
    ):
        yield asking


async def spoken(client: httpx.AsyncClient, **wanted: object) -> httpx.Response:
    answer = await client.post("/api/tts", json={"text": TEXT, **wanted})
    assert answer.status_code == 200, answer.text
    return answer


async def test_a_text_becomes_mp3_as_the_contract_says(client: httpx.AsyncClient) -> None:
    """TTS-02, X-22"""
    answer = await spoken(client, voice="nova", model="tts-1")
    assert answer.headers["content-type"] == "audio/mpeg"
    sound = soundfile.info(io.BytesIO(answer.content))
    assert (sound.format, sound.subtype, sound.samplerate) == ("MP3", "MPEG_LAYER_III", RATE)
    pcm = (await spoken(client, voice="nova", format="pcm")).content
    assert 1.5 < len(pcm) / 2 / RATE < 5
    assert sound.duration == pytest.approx(len(pcm) / 2 / RATE, abs=0.1)


@pytest.mark.parametrize(
    ("wanted", "media", "container", "content"),
    [
        ("wav", "audio/wav", "WAV", "PCM_16"),
        ("mp3", "audio/mpeg", "MP3", "MPEG_LAYER_III"),
        ("opus", "audio/ogg; codecs=opus", "OGG", "OPUS"),
        ("ogg", "audio/ogg; codecs=vorbis", "OGG", "VORBIS"),
    ],
)
async def test_every_format_holds_the_same_speech(
    client: httpx.AsyncClient, wanted: str, media: str, container: str, content: str
) -> None:
    pcm = np.frombuffer((await spoken(client, format="pcm")).content, "<i2") / 32768
    answer = await spoken(client, format=wanted)
    assert answer.headers["content-type"] == media
    with soundfile.SoundFile(io.BytesIO(answer.content)) as file:
        assert (file.format, file.subtype, file.channels) == (container, content, 1)
        assert file.samplerate == RATE
        samples = file.read()
    assert len(samples) / RATE == pytest.approx(len(pcm) / RATE, abs=0.1)
    assert np.std(samples) == pytest.approx(np.std(pcm), rel=0.1)


async def test_pcm_says_how_it_is_read(client: httpx.AsyncClient) -> None:
    answer = await spoken(client, format="pcm")
    assert answer.headers["content-type"] == "audio/pcm; rate=24000"
    assert "content-length" not in answer.headers


async def test_a_voice_of_another_vendor_is_spoken_by_the_nearest_of_ones_own(
    client: httpx.AsyncClient,
) -> None:
    """TTS-02, X-29"""
    heard = {
        voice: (await spoken(client, voice=voice, format="wav")).headers["eloquence-model"]
        for voice in ("nova", "onyx", "fr+f4", "")
    }
    assert heard["nova"] == heard[""] == "espeak-ng fr+f2"
    assert heard["onyx"] == "espeak-ng fr+m3"
    assert heard["fr+f4"] == "espeak-ng fr+f4"


@pytest.mark.parametrize("voice", ["Rachel", "../../etc/passwd", "fr_FR-siwis.onnx", "x" * 65])
async def test_a_voice_that_nobody_has_is_refused(client: httpx.AsyncClient, voice: str) -> None:
    """X-29: and no voice is a path."""
    answer = await client.post("/api/tts", json={"text": TEXT, "voice": voice})
    assert answer.status_code == 422
    assert "voice" in answer.json()["detail"]
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_voice_that_the_engine_lacks_is_the_engines_refusal(
    client: httpx.AsyncClient,
) -> None:
    answer = await client.post("/api/tts", json={"text": TEXT, "voice": "qq+f2"})
    assert answer.status_code == 422
    assert answer.json()["code"] == "tts"


async def test_english_is_spoken_when_asked_for(client: httpx.AsyncClient) -> None:
    answer = await spoken(client, language="en", format="wav")
    assert answer.headers["eloquence-model"] == "espeak-ng en+f2"


@pytest.mark.parametrize(
    "wanted",
    [
        {"text": ""},
        {"text": "a" * 5_001},
        {"text": TEXT, "format": "m4a"},
        {"text": TEXT, "speed": 2},
        {"voice": "nova"},
    ],
)
async def test_what_cannot_be_done_is_named(
    client: httpx.AsyncClient, wanted: dict[str, object]
) -> None:
    answer = await client.post("/api/tts", json=wanted)
    assert answer.status_code == 422
    named = "text" if "text" not in wanted else [*wanted][-1]
    assert answer.json()["detail"].startswith(f"{named}: ")


async def test_the_old_path_names_the_right_one(client: httpx.AsyncClient) -> None:
    """TTS-04"""
    answer = await client.post("/tts", json={"text": TEXT})
    assert answer.status_code == 404
    assert "POST /api/tts" in answer.json()["mend"]
    probe = await client.head("/api/tts")
    assert (probe.status_code, probe.headers["allow"]) == (405, "POST")


async def test_a_long_text_is_spoken_to_its_end(client: httpx.AsyncClient) -> None:
    text = " ".join(f"Ceci est la phrase numéro {number}." for number in range(1, 150))
    assert 4_000 < len(text) <= 5_000
    answer = await client.post("/api/tts", json={"text": text, "format": "mp3"})
    assert answer.status_code == 200
    assert soundfile.info(io.BytesIO(answer.content)).duration > 200


async def test_health_tells_who_speaks(client: httpx.AsyncClient) -> None:
    """TTS-03, X-12"""
    answer = await client.get("/health")
    while answer.json()["detail"] == "It is being made ready.":
        assert answer.status_code == 503
        answer = await client.get("/health")
    assert answer.status_code == 200
    told = answer.json()
    assert (told["service"], told["provider"], told["ready"]) == ("tts", "espeak", True)
    assert (await client.head("/health")).status_code == 200


async def test_a_voice_that_is_not_there_is_told_with_its_mend() -> None:
    app = tts.create_app(load(tts={"provider": "piper"}))
    async with served(app) as url, httpx.AsyncClient(base_url=url, timeout=60) as client:
        for answer in (
            await client.get("/health"),
            await client.post("/api/tts", json={"text": "a"}),
        ):
            assert answer.status_code == 503
            assert "eloquence models download fr_FR-siwis-medium" in answer.json()["mend"]
        assert (await client.get("/live")).status_code == 200


async def test_a_host_speaks_with_the_voice_and_model_that_are_asked_for() -> None:
    async with Services(speech_seconds=1.2) as host:
        options = {"base_url": host.url, "speed": 1.0}
        app = tts.create_app(load(tts={"provider": "openai", "options": options}))
        async with served(app) as url, httpx.AsyncClient(base_url=url, timeout=60) as client:
            wanted = {"voice": "onyx", "model": "tts-1-hd", "format": "wav"}
            answer = await spoken(client, **wanted)
            sound = soundfile.info(io.BytesIO(answer.content))
            asked = [one.json() for one in host.asked if b"onyx" in one.body]
            assert sound.duration == pytest.approx(1.2 * len(asked), abs=0.05)
            assert {one["model"] for one in asked} == {"tts-1-hd"}
            said = "".join(str(one["input"]) for one in asked)
            assert said.replace(" ", "") == TEXT.replace(" ", "")


@pytest.mark.parametrize(
    ("mode", "status"),
    [
        ("401", 401), ("429", 429), ("500", 502), ("hang", 504), ("headers_then_hang", 502),
        ("empty", 502), ("html", 502), ("close_mid", 502),
    ],
)  # fmt: skip
async def test_why_a_host_does_not_speak_is_told(
    mode: Mode, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    """And what was to be said is in no line of the log."""
    first = 2.0 if "hang" in mode else 20.0
    async with Services(mode=mode) as host:
        options = {"base_url": host.url, "first": first, "idle": 5.0, "total": 30.0}
        app = tts.create_app(load(tts={"provider": "openai", "options": options}))
        async with served(app) as url, httpx.AsyncClient(base_url=url, timeout=60) as client:
            with caplog.at_level(logging.INFO, "eloquence"):
                answer = await client.post("/api/tts", json={"text": TEXT})
        assert answer.status_code == status
        assert answer.json()["code"] == "tts"
        assert "Marie" not in answer.text
        ours = [line for line in caplog.records if line.name.startswith("eloquence")]
        assert ours
        assert not any("Marie" in line.getMessage() for line in ours)


async def test_speech_that_breaks_off_is_not_taken_for_the_whole() -> None:
    async with Services(mode="close_mid", speech_seconds=4) as host:
        options = {"base_url": host.url, "first": 10.0, "idle": 2.0}
        app = tts.create_app(load(tts={"provider": "openai", "options": options}))
        async with served(app) as url, httpx.AsyncClient(base_url=url, timeout=60) as client:
            wanted = {"text": TEXT, "format": "pcm"}
            async with client.stream("POST", "/api/tts", json=wanted) as answer:
                assert answer.status_code == 200
                pieces = answer.aiter_bytes()
                assert await anext(pieces)
                with pytest.raises(httpx.RemoteProtocolError):
                    b"".join([piece async for piece in pieces])


async def test_a_client_that_leaves_frees_its_place() -> None:
    """And one too many is told to come back."""
    text = " ".join(f"Ceci est la phrase numéro {number}." for number in range(1, 150))
    app = tts.create_app(espeak(), at_once=1)
    async with served(app) as url, httpx.AsyncClient(base_url=url, timeout=60) as client:
        async with client.stream(
            "POST", "/api/tts", json={"text": text, "format": "pcm"}
        ) as answer:
            await anext(answer.aiter_bytes())
            refused = await client.post("/api/tts", json={"text": TEXT})
            assert refused.status_code == 503
            assert refused.headers["retry-after"] == "1"
            assert refused.json()["code"] == "capacity"
        later = refused
        while later.status_code == 503:
            later = await client.post("/api/tts", json={"text": TEXT})
        assert later.status_code == 200


async def test_a_web_page_cannot_use_the_service(client: httpx.AsyncClient) -> None:
    answer = await client.post(
        "/api/tts", json={"text": TEXT}, headers={"Origin": "https://evil.example"}
    )
    assert answer.status_code == 403
