"""OpenAI's own client against our services, over real HTTP: hearing, answering, speaking, and what
it is told when something is wrong."""

import base64
import io
import json
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import av
import httpx
import numpy as np
import openai
import pytest
import soundfile
from anyio import to_thread
from fastapi import FastAPI
from livekit.agents import APIConnectionError, APIError, APIStatusError, llm
from pydantic import BaseModel

from eloquence import registry
from eloquence.config import load
from eloquence.delivery.words import Word
from eloquence.providers.passing import Patience
from eloquence.registry import Provider, Readiness
from eloquence.server.services import _subtitles, stt, tts
from eloquence.server.services import llm as answering
from eloquence.testing.services import Services, tone
from eloquence.testing.services import Word as HostWord
from eloquence.testing.serving import served
from eloquence.testing.stages import ScriptedLLM

TEXT = "Bonjour ! Je suis Marie, votre coach."
SPOKEN_RATE = 24_000
HEARD = (
    HostWord("bonjour", 0.1, 0.5),
    HostWord("marie", 0.5, 0.9),
    HostWord("je", 2.0, 2.1),
    HostWord("m'entraîne", 2.1, 2.9),
)


@asynccontextmanager
async def client_of(app: FastAPI, **more: Any) -> AsyncIterator[openai.AsyncOpenAI]:
    async with (
        served(app) as url,
        openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0, **more) as client,
    ):
        yield client


@asynccontextmanager
async def hearing(**host: Any) -> AsyncIterator[openai.AsyncOpenAI]:
    async with Services(transcript=HEARD, **host) as services:
        options = {"base_url": services.url, "total": 0.5}
        app = stt.create_app(load(stt={"provider": "openai", "options": options}))
        async with client_of(app) as client:
            yield client


def sound(form: str = "WAV", seconds: float = 3.0) -> tuple[str, bytes]:
    file = io.BytesIO()
    soundfile.write(file, np.frombuffer(tone(seconds, 16_000), np.int16), 16_000, format=form)
    return f"speech.{form.lower()}", file.getvalue()


@pytest.mark.parametrize("form", ["WAV", "FLAC", "MP3"])
async def test_a_recording_is_written_down(form: str) -> None:
    async with hearing() as client:
        found = await client.audio.transcriptions.create(
            file=sound(form), model="whisper-1", language="fr", prompt="Marie", temperature=0.2
        )
    assert found.text == "bonjour marie je m'entraîne"


async def test_a_transcript_has_words_and_segments_with_times() -> None:
    async with hearing() as client:
        found = await client.audio.transcriptions.create(
            file=sound(),
            model="whisper-1",
            response_format="verbose_json",
            timestamp_granularities=["word", "segment"],
        )
        segments = await client.audio.transcriptions.create(
            file=sound(), model="whisper-1", response_format="verbose_json", language="en"
        )
    assert (found.language, segments.language) == ("french", "english")
    assert float(found.duration) == pytest.approx(3.0, abs=0.01)
    assert found.words is not None
    assert [(one.word, one.start, one.end) for one in found.words] == [
        (one.text, one.start, one.end) for one in HEARD
    ]
    assert found.segments is not None
    told = [(one.id, one.start, one.end, one.text) for one in found.segments]
    assert told == [(0, 0.1, 0.9, "bonjour marie"), (1, 2.0, 2.9, "je m'entraîne")]
    text = found.segments[1].text.encode()
    ratio = len(text) / len(zlib.compress(text))
    assert found.segments[1].compression_ratio == pytest.approx(ratio, abs=0.001)
    assert segments.words is None


async def test_a_transcript_comes_as_text_and_as_subtitles() -> None:
    forms: tuple[Any, ...] = ("text", "srt", "vtt")
    async with hearing() as client:
        text, srt, vtt = [
            await client.audio.transcriptions.create(
                file=sound(), model="whisper-1", response_format=form
            )
            for form in forms
        ]
    assert text == "bonjour marie je m'entraîne\n"
    assert srt == (
        "1\n00:00:00,100 --> 00:00:00,900\nbonjour marie\n\n"
        "2\n00:00:02,000 --> 00:00:02,900\nje m'entraîne\n\n"
    )
    assert vtt == "WEBVTT\n\n" + srt.replace(",", ".").replace("1\n00", "00").replace("2\n00", "00")


async def test_a_transcript_comes_as_events_when_it_is_asked_for_so() -> None:
    async with hearing() as client:
        stream = await client.audio.transcriptions.create(
            file=sound(), model="gpt-4o-transcribe", stream=True
        )
        events = [event async for event in stream]
    assert [event.type for event in events] == ["transcript.text.delta", "transcript.text.done"]
    assert events[-1].type == "transcript.text.done"
    assert events[-1].text == "bonjour marie je m'entraîne"


async def test_the_clients_for_threads_are_answered_as_well() -> None:
    def asked(url: str) -> tuple[str, str]:
        with openai.OpenAI(base_url=url, api_key="none", max_retries=0) as client:
            plain = client.audio.transcriptions.create(file=sound(), model="whisper-1")
            with client.audio.transcriptions.with_streaming_response.create(
                file=sound(), model="whisper-1", response_format="text"
            ) as answer:
                return plain.text, answer.read().decode()

    async with hearing() as client:
        plain, streamed = await to_thread.run_sync(asked, str(client.base_url))
    assert streamed == f"{plain}\n"


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ({"language": "de"}, "fr or en"),
        ({"response_format": "diarized_json"}, "response_format"),
        ({"temperature": 7}, "temperature"),
        ({"timestamp_granularities": ["letter"]}, "timestamp_granularities"),
        ({"file": ("empty.wav", b"")}, "is empty"),
        ({"file": ("page.html", b"<html>" * 100)}, "not a recording"),
    ],
)
async def test_what_cannot_be_written_down_is_refused_by_name(
    asked: dict[str, Any], named: str
) -> None:
    async with hearing() as client:
        with pytest.raises(openai.UnprocessableEntityError, match=named):
            await client.audio.transcriptions.create(
                **{"file": sound(), "model": "whisper-1", **asked}
            )


@pytest.mark.parametrize(
    ("mode", "error"),
    [
        ("401", openai.AuthenticationError),
        ("429", openai.RateLimitError),
        ("500", openai.InternalServerError),
        ("hang", openai.InternalServerError),
    ],
)
async def test_why_a_host_does_not_hear_is_an_error_of_the_client(
    mode: str, error: type[openai.APIError]
) -> None:
    async with hearing(mode=mode) as client:
        with pytest.raises(error, match="recogniser") as raised:
            await client.audio.transcriptions.create(file=sound(), model="whisper-1")
    assert raised.value.code == "stt"


async def test_translations_are_not_offered_and_the_answer_says_what_is() -> None:
    async with hearing() as client:
        with pytest.raises(openai.NotFoundError, match="/v1/audio/transcriptions"):
            await client.post("/audio/translations", cast_to=object, body={})


async def test_no_more_than_25_megabytes_are_taken() -> None:
    async with hearing() as client:
        with pytest.raises(openai.APIStatusError, match="bytes are taken") as raised:
            await client.audio.transcriptions.create(
                file=("long.wav", bytes(stt.MOST_FORM)), model="whisper-1"
            )
    assert raised.value.status_code == 413


@asynccontextmanager
async def speaking() -> AsyncIterator[openai.AsyncOpenAI]:
    async with client_of(tts.create_app(load(tts={"provider": "espeak"}))) as client:
        yield client


def decoded(data: bytes) -> tuple[str, float]:
    """What a file says that it is, and how many seconds of sound it holds."""
    with av.open(io.BytesIO(data), "r") as container:
        (stream,) = container.streams.audio
        samples = sum(frame.samples for frame in container.decode(audio=0))
        return container.format.name, samples / stream.rate


async def test_a_text_is_spoken_in_every_format_of_openais() -> None:
    """X-22"""
    async with speaking() as client:
        pcm = (
            await client.audio.speech.create(
                input=TEXT, model="tts-1", voice="nova", response_format="pcm"
            )
        ).content
        seconds = len(pcm) / 2 / SPOKEN_RATE
        names = {}
        for form in ("mp3", "opus", "aac", "flac", "wav"):
            answer = await client.audio.speech.create(
                input=TEXT,
                model="tts-1",
                voice="nova",
                response_format=form,
            )
            names[form], lasts = decoded(answer.content)
            assert lasts == pytest.approx(seconds, abs=0.15), form
        standard = await client.audio.speech.create(input=TEXT, model="tts-1", voice="nova")
    assert 1.5 < seconds < 5
    assert names == {"mp3": "mp3", "opus": "ogg", "aac": "aac", "flac": "flac", "wav": "wav"}
    assert decoded(standard.content)[0] == "mp3"


async def test_the_speed_is_the_voices_own_times_what_is_asked_for() -> None:
    async with speaking() as client:
        lasts = {}
        for speed in (0.7, 1.0, 1.5):
            answer = await client.audio.speech.create(
                input=TEXT, model="tts-1", voice="nova", response_format="pcm", speed=speed
            )
            lasts[speed] = len(answer.content)
    assert lasts[0.7] > 1.2 * lasts[1.0]
    assert lasts[1.5] < 0.85 * lasts[1.0]


async def test_sound_is_sent_while_it_is_made_and_as_events() -> None:
    async with speaking() as client:
        async with client.audio.speech.with_streaming_response.create(
            input=TEXT, model="tts-1", voice="nova", response_format="pcm"
        ) as answer:
            pieces = [piece async for piece in answer.iter_bytes()]
        async with client.audio.speech.with_streaming_response.create(
            input=TEXT, model="tts-1", voice="nova", response_format="pcm", stream_format="sse"
        ) as answer:
            lines = [line async for line in answer.iter_lines() if line]
    events = [json.loads(line.removeprefix("data: ")) for line in lines]
    audio = b"".join(base64.b64decode(event.get("audio", "")) for event in events)
    assert len(audio) == pytest.approx(len(b"".join(pieces)), abs=200)
    assert len(audio) > SPOKEN_RATE
    assert {event["type"] for event in events[:-1]} == {"speech.audio.delta"}
    assert events[-1] == {"type": "speech.audio.done"}


@asynccontextmanager
async def speaking_by(host: Services, **options: Any) -> AsyncIterator[openai.AsyncOpenAI]:
    given = {"base_url": host.url, "api_key": "of-the-server", **options}
    settings = load(tts={"provider": "openai", "options": given})
    hurry = Patience(connect=2.0, answer=2.0, whole=20.0)
    async with client_of(tts.create_app(settings, patience=hurry)) as client:
        yield client


async def test_a_host_with_openais_protocol_speaks_as_it_was_asked_to() -> None:
    """With the server's key, and what the settings say where nothing else is said."""
    async with Services(speech_seconds=0.5) as host, speaking_by(host, speed=1.2) as client:
        answer = await client.audio.speech.create(
            input=TEXT, model="gpt-4o-mini-tts", voice="sage", response_format="opus",
            instructions="Calmly.", speed=0.5,
        )  # fmt: skip
        asked = host.asked[-1]
        bare = await client.post("/audio/speech", cast_to=httpx.Response, body={"input": TEXT})
    assert answer.content == bare.content == tone(0.5)
    assert asked.headers["authorization"] == "Bearer of-the-server"
    assert asked.json() == {
        "input": TEXT, "model": "gpt-4o-mini-tts", "voice": "sage", "response_format": "opus",
        "instructions": "Calmly.", "speed": 0.6,
    }  # fmt: skip
    unnamed = {"input": TEXT, "model": "tts-1", "voice": "nova", "speed": 1.2}
    assert host.asked[-1].json() == unnamed


@pytest.mark.parametrize(
    ("mode", "error"),
    [
        ("401", openai.AuthenticationError),
        ("429", openai.RateLimitError),
        ("500", openai.InternalServerError),
        ("hang", openai.InternalServerError),
        ("headers_then_hang", openai.InternalServerError),
        ("html", openai.InternalServerError),
        ("badjson", openai.InternalServerError),
        ("empty", openai.InternalServerError),
    ],
)
async def test_why_a_host_does_not_speak_is_an_error_of_the_client(
    mode: Any, error: type[openai.APIError]
) -> None:
    async with Services(mode=mode) as host, speaking_by(host) as client:
        with pytest.raises(error) as raised:
            await client.audio.speech.create(input=TEXT, model="tts-1", voice="nova")
    assert raised.value.code == "tts"


@pytest.mark.parametrize("mode", ["close_mid", "stall_mid"])
async def test_sound_of_a_host_that_breaks_off_is_not_taken_for_the_whole(mode: Any) -> None:
    async with Services(mode=mode, speech_seconds=1.0) as host, speaking_by(host) as client:
        with pytest.raises(openai.APIConnectionError):
            await client.audio.speech.create(
                input=TEXT, model="tts-1", voice="nova", response_format="pcm"
            )


async def test_a_speaking_service_that_leads_back_to_itself_does_not_go_round(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "of-the-server")
    async with client_of(tts.create_app(load(tts={"provider": "openai"}))) as client:
        monkeypatch.setenv("OPENAI_BASE_URL", str(client.base_url))
        with pytest.raises(openai.InternalServerError, match="leads back"):
            await client.audio.speech.create(input=TEXT, model="tts-1", voice="nova")


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ({"voice": "Rachel"}, "Rachel"),
        ({"voice": {"id": "../secret"}}, "voice"),
        ({"speed": 9.0}, "speed"),
        ({"input": ""}, "input"),
        ({"response_format": "m4a"}, "response_format"),
    ],
)
async def test_what_cannot_be_said_is_refused_by_name(asked: dict[str, Any], named: str) -> None:
    async with speaking() as client:
        with pytest.raises(openai.UnprocessableEntityError, match=named):
            await client.audio.speech.create(
                **{"input": TEXT, "model": "tts-1", "voice": "nova", **asked}
            )


class Nothing(BaseModel):
    """No options."""


@asynccontextmanager
async def chatting(
    provider: str, monkeypatch: pytest.MonkeyPatch | None = None, model: Any = None, **given: Any
) -> AsyncIterator[openai.AsyncOpenAI]:
    """A client of the language model of that name; `model` makes one that is registered."""
    if monkeypatch is not None:
        own = Provider(
            provider,
            Nothing,
            lambda options, context: model(),
            lambda options, language: Readiness(ready=True, detail="Here.", model="own-1"),
        )
        found = registry.provider
        monkeypatch.setattr(
            registry,
            "provider",
            lambda stage, name: own if (stage, name) == ("llm", provider) else found(stage, name),
        )
    app = answering.create_app(load(llm={"provider": provider}), **given)
    async with client_of(app) as client:
        yield client


MESSAGES: Any = [
    {"role": "system", "content": "Tu es Marie."},
    {"role": "user", "content": [{"type": "text", "text": "Bonjour."}]},
]


async def test_a_model_that_speaks_another_protocol_answers_in_openais_shape(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stages: list[ScriptedLLM] = []

    def made() -> ScriptedLLM:
        stages.append(ScriptedLLM(["Bonjour, et vous ?"], first=0.0, rate=1e6))
        return stages[-1]

    async with chatting("own", monkeypatch, made) as client:
        whole = await client.chat.completions.create(
            model="gpt-4o", messages=MESSAGES, temperature=0.2, max_tokens=20
        )
        stream = await client.chat.completions.create(
            model="gpt-4o",
            messages=MESSAGES,
            stream=True,
            stream_options={"include_usage": True},
        )
        chunks = [chunk async for chunk in stream]
        listed = [model.id async for model in client.models.list()]
    assert whole.choices[0].message.content == "Bonjour, et vous ?"
    assert whole.choices[0].finish_reason == "stop"
    assert whole.model == "unknown"  # the stage's own name, not the one that was asked for
    said = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
    assert "".join(said) == "Bonjour, et vous ?"
    assert len(said) > 3
    assert {chunk.id for chunk in chunks} == {chunks[0].id}
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-2:] == [None, "stop"]
    assert listed == ["own-1"]
    heard = [[(m.role, m.text_content) for m in one.asked[0].messages()] for one in stages]
    assert heard == [[("system", "Tu es Marie."), ("user", "Bonjour.")]] * 2


async def test_anthropics_model_answers_openais_client() -> None:
    """Its own client in between, with the key and what was wished for; its faults as ours."""
    async with Services() as host:
        options = {"base_url": host.url, "api_key": "of-the-server"}
        app = answering.create_app(load(llm={"provider": "anthropic", "options": options}))
        async with client_of(app) as client:
            whole = await client.chat.completions.create(
                model="any", messages=MESSAGES, temperature=0.3, max_tokens=40
            )
            sent = host.asked[-1]
            stream = await client.chat.completions.create(
                model="any", messages=MESSAGES, stream=True
            )
            said = [chunk.choices[0].delta.content or "" async for chunk in stream]
            with pytest.raises(openai.UnprocessableEntityError, match="max_tokens"):
                await client.chat.completions.create(
                    model="any", messages=MESSAGES, max_tokens=1_000_000
                )
            host.mode = "401"
            with pytest.raises(openai.AuthenticationError, match="Check the key"):
                await client.chat.completions.create(model="any", messages=MESSAGES)
            host.mode = "429"
            with pytest.raises(openai.RateLimitError):
                await client.chat.completions.create(model="any", messages=MESSAGES, stream=True)
    assert whole.choices[0].message.content == "".join(said) == host.reply
    assert whole.model.startswith("claude")
    assert sent.headers["x-api-key"] == "of-the-server"
    assert (sent.json()["temperature"], sent.json()["max_tokens"]) == (0.3, 40)
    assert "Tu es Marie." in str(sent.json()["system"])


@pytest.mark.parametrize(
    ("raised", "error"),
    [
        (APIStatusError("", status_code=401), openai.AuthenticationError),
        (APIStatusError("", status_code=429), openai.RateLimitError),
        (APIStatusError("", status_code=400), openai.UnprocessableEntityError),
        (APIConnectionError(retryable=False), openai.InternalServerError),
        (APIError("", retryable=False), openai.InternalServerError),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_why_such_a_model_does_not_answer_is_an_error_of_the_client(
    raised: Exception,
    error: type[openai.APIError],
    stream: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """LLM-06, LLM-07"""

    def made() -> ScriptedLLM:
        return ScriptedLLM([raised], first=0.0)

    async with chatting("own", monkeypatch, made) as client:
        with pytest.raises(error, match="language model") as told:
            await client.chat.completions.create(model="any", messages=MESSAGES, stream=stream)
    assert told.value.code == "llm"


async def test_an_empty_answer_is_a_failure_and_a_slow_one_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with chatting("own", monkeypatch, lambda: ScriptedLLM([""], first=0.0)) as client:
        with pytest.raises(openai.InternalServerError, match="bad_answer"):
            await client.chat.completions.create(model="any", messages=MESSAGES)
    hurry = Patience(connect=2.0, answer=2.0, whole=20.0)
    slow = ScriptedLLM(["Bonjour vous"], first=0.0, rate=0.1)
    async with chatting("own", monkeypatch, lambda: slow, patience=hurry) as client:
        stream = await client.chat.completions.create(model="any", messages=MESSAGES, stream=True)
        assert (await anext(stream)).choices[0].delta.content == "Bonjour "
        with pytest.raises(openai.APIError, match="timeout"):
            await anext(stream)


async def test_whoever_leaves_ends_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """One owner drives and closes the stream of the model."""
    closed: list[llm.LLMStream] = []

    class Watched(ScriptedLLM):
        def chat(self, **given: Any) -> llm.LLMStream:
            stream = super().chat(**given)
            ended = stream.aclose

            async def aclose() -> None:
                await ended()
                closed.append(stream)

            stream.aclose = aclose  # type: ignore[method-assign]
            return stream

    def endless() -> ScriptedLLM:
        return Watched(["mot " * 10_000], first=0.0, rate=50.0)

    async with chatting("own", monkeypatch, endless) as client:
        stream = await client.chat.completions.create(model="any", messages=MESSAGES, stream=True)
        await anext(stream)
        await stream.close()
    assert len(closed) == 1


async def test_the_offline_coach_goes_on_where_the_chat_stands() -> None:
    """Only where it was named: its lines are those of an exercise, and the same each time."""
    async with chatting("script") as client:

        async def said(*turns: str) -> str:
            messages: Any = [
                {"role": "user" if number % 2 == 0 else "assistant", "content": text}
                for number, text in enumerate(turns)
            ]
            answer = await client.chat.completions.create(model="any", messages=messages)
            return str(answer.choices[0].message.content)

        first = await said("Bonjour, je prépare un entretien.")
        second = await said("Bonjour, je prépare un entretien.", first, "Je veux être clair.")
        again = await said("Bonjour, je prépare un entretien.")
        listed = [model.owned_by async for model in client.models.list()]
    assert first == again
    assert first != second
    assert listed == ["script"]


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "tool", "content": "x", "tool_call_id": "1"}]}, "role"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]},
            "content",
        ),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools"),
        ({"n": 2}, "takes no n"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"temperature": 3}, "temperature"),
        ({"messages": [{"role": "user", "content": "a"}] * 1_001}, "messages"),
    ],
)
async def test_what_such_a_model_cannot_do_is_refused_by_name(
    asked: dict[str, Any], named: str
) -> None:
    async with chatting("script") as client:
        with pytest.raises(openai.UnprocessableEntityError, match=named):
            await client.chat.completions.create(**{"model": "any", "messages": MESSAGES, **asked})


async def test_a_host_with_openais_protocol_gets_the_chat_as_it_is() -> None:
    """Whatever its provider is called: tools and all, which no translation would know."""
    tools: Any = [{"type": "function", "function": {"name": "f", "parameters": {}}}]
    async with Services() as host:
        options = {"base_url": host.url, "api_key": "of-the-server"}
        app = answering.create_app(load(llm={"provider": "mistral", "options": options}))
        async with client_of(app) as client:
            answer = await client.chat.completions.create(
                model="any", messages=MESSAGES, tools=tools, seed=7
            )
        assert answer.choices[0].message.content == host.reply
        sent = host.asked[-1].json()
    assert (sent["tools"], sent["seed"], sent["messages"]) == (tools, 7, MESSAGES)


def test_lines_are_cut_at_pauses_and_where_they_get_long() -> None:
    words = [Word(f"mot{number}", 0.5 * number, 0.5 * number + 0.4) for number in range(40)]
    cut = _subtitles.lines(" ".join(word.text for word in words), words, 20.0)
    assert " ".join(line.text for line in cut).split() == [word.text for word in words]
    assert all(line.end - line.start <= _subtitles.LONGEST for line in cut)
    assert all(len(line.text) <= _subtitles.MOST_CHARACTERS for line in cut)
    assert _subtitles.lines("sans temps", None, 3.0) == [_subtitles.Line(0.0, 3.0, "sans temps")]
    assert _subtitles.lines("", [], 3.0) == []
    late = _subtitles.srt([_subtitles.Line(3_661.0015, 3_662.9999, "a")])
    assert late == "1\n01:01:01,002 --> 01:01:03,000\na\n\n"
    assert "&lt;b&gt;" in _subtitles.vtt([_subtitles.Line(0, 1, "<b>")])


async def test_a_service_says_what_it_answers_instead() -> None:
    """TTS-04"""
    app = tts.create_app(load(tts={"provider": "espeak"}))
    async with served(app) as url, httpx.AsyncClient(base_url=url, timeout=60) as client:
        answer = await client.post("/tts", json={"text": TEXT})
    assert answer.status_code == 404
    assert "POST /api/tts" in answer.json()["mend"]
    assert "POST /v1/audio/speech" in answer.json()["mend"]
