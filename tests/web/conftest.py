"""A real Chromium, and a server that stands in for ours with a conversation from a script.

The stand-in serves the page as the real server does, content security policy included, and notes
everything that the page sends, so that a test can say what it should have been.
"""

import asyncio
import json
import math
import re
import shutil
import struct
import threading
import time
import wave
from array import array
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import WSMsgType, web
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from eloquence.coaching.history import Figure
from eloquence.coaching.progress import Point, Progress, Trend
from eloquence.coaching.report import Report
from eloquence.protocol import INPUT_RATE, OUTPUT_RATE

expect.set_options(timeout=20_000)  # the machine may be busy
WEB = Path(__file__).resolve().parents[2] / "web"
POLICY = (
    "default-src 'self'; connect-src 'self' ws: wss:; style-src 'self'; script-src 'self'; "
    "img-src 'self' data:; media-src 'self' blob:; worker-src 'self'"
)
REFUSED = re.compile(r"status of (401|404|409|410|429|503)|ERR_FAILED|/rtc\?.* failed")
"""What a browser writes when a server answers that it may not, or not at all."""
Message = dict[str, Any]


def tone(seconds: float, rate: int = OUTPUT_RATE, hertz: float = 330.0) -> bytes:
    """PCM16 of a sine at half of full scale."""
    count = int(seconds * rate)
    samples = (round(16_000 * math.sin(2 * math.pi * hertz * i / rate)) for i in range(count))
    return array("h", samples).tobytes()


class Talk:
    """One conversation as the stand-in sees it."""

    def __init__(self, socket: web.WebSocketResponse, hello: Message) -> None:
        self.socket = socket
        self.hello = hello
        self.messages: list[tuple[float, Message]] = []
        self.frames: list[tuple[float, bytes]] = []
        self._news = asyncio.Event()

    def note(self, item: Message | bytes) -> None:
        if isinstance(item, bytes):
            self.frames.append((time.monotonic(), item))
        else:
            self.messages.append((time.monotonic(), item))
        self._news.set()

    async def send(self, type_: str, **fields: Any) -> None:
        await self.socket.send_json({"type": type_, **fields})

    async def ready(self, **fields: Any) -> None:
        stage = {"provider": "script", "detail": "", "mend": "", "model": "", "leaves_machine": ""}
        await self.send(
            "ready",
            **{
                "session": "s-20261121-1", "character": "Marie", "title": "Conversation libre",
                "duration": 300.0, "patience": 2.5, "by_ear": False,
                "stages": {"stt": stage, "llm": stage, "tts": stage}, **fields,
            },
        )  # fmt: skip

    async def sound(self, segment: int, pcm: bytes, chunk: int = 4800) -> None:
        for at in range(0, len(pcm), chunk):
            await self.socket.send_bytes(struct.pack("<I", segment) + pcm[at : at + chunk])

    async def speak(self, segment: int, seconds: float) -> None:
        """A whole segment of tone, sent as fast as it goes."""
        await self.send("state", state="speaking")
        await self.send("segment_start", segment=segment)
        await self.sound(segment, tone(seconds))
        await self.send("segment_end", segment=segment, duration=seconds)

    async def say(self, speaker: str, text: str, **fields: Any) -> None:
        await self.send(
            "caption",
            **{"id": f"{speaker}-{text[:12]}", "speaker": speaker, "text": text, "final": True}
            | {"interrupted": False}
            | fields,
        )

    async def wait(self, type_: str, **fields: Any) -> tuple[float, Message]:
        """The first message of that type with these fields, when it has come."""
        async with asyncio.timeout(15):
            while True:
                for at, message in self.messages:
                    if message["type"] == type_ and fields.items() <= message.items():
                        return at, message
                self._news.clear()
                await self._news.wait()

    async def hear(self, count: int) -> None:
        """Returns when so many frames of the learner's voice have come."""
        async with asyncio.timeout(20):
            while len(self.frames) < count:
                self._news.clear()
                await self._news.wait()

    async def end(self) -> None:
        await self.send("ended", session="s-20261121-1", status="complete", reason="learner")


class RoomTalk(Talk):
    """One visit of the page to the room, in which `coach` answers it (`livekit.mjs`)."""

    coach = "coach-1"
    tracks: int = 0
    """Microphones that were given to the room."""

    def take(self, sent: Message) -> None:
        if "data" in sent:
            assert sent["topic"] == "eloquence"
            self.note(json.loads(sent["data"]))
        else:
            assert sent == {"track": "audio", "live": True}
            self.tracks += 1

    async def tell(self, event: str, **fields: Any) -> None:
        await self.socket.send_json({"event": event, "from": self.coach, **fields})

    async def send(self, type_: str, **fields: Any) -> None:
        await self.tell("data", text=json.dumps({"type": type_, **fields}))

    async def come(self) -> None:
        """The coach joins, says hello with its voice, and waits until the learner is known."""
        await self.tell("ParticipantConnected")
        await self.tell("track")
        await self.wait("joined")


Script = Callable[[Talk], Awaitable[None]]


def until(page: Page, holds: Callable[[], object]) -> None:
    """Waits for it to hold, while the page goes on."""
    for _ in range(400):
        if holds():
            return
        page.wait_for_timeout(50)
    raise AssertionError("it does not hold")


async def until_end(talk: Talk) -> None:
    """The shortest conversation: it listens until the learner ends it."""
    await talk.ready()
    await talk.send("state", state="listening")
    await talk.wait("end")
    await talk.end()


def exercise(language: str, id_: str, title: str, **fields: Any) -> Message:
    french = language == "fr"
    return {
        "id": id_, "title": title,
        "description": "Parlez de ce qui vous plaît, comme avec une amie."
        if french else "Talk about whatever you like, as with a friend.",
        "goal": "Raconter un moment de votre semaine, sans notes, pendant cinq minutes."
        if french else "Tell a moment of your week, without notes, for five minutes.",
        "icon": "💬", "difficulty": "beginner", "duration_minutes": 5,
        "character": {
            "id": "marie_coach", "name": "Marie",
            "role": "Coach vocale" if french else "Voice coach",
            "description": "Bienveillante et encourageante, elle aide à trouver ses mots."
            if french else "Kind and encouraging, she helps you find your words.",
            "avatar": "👩‍🏫",
        },
        "dimensions": ["fluency", "clarity", "engagement"],
        "patience": {"minimum": 0.6, "maximum": 3.0},
        "tips": ["Prenez le temps de respirer.", "Un silence n’est pas une faute."]
        if french
        else ["Take a breath before you answer.", "Silence is not a mistake."],
        "scenarios": [{"id": "free", "title": "Libre" if french else "Free", "description": ""}],
        **fields,
    }  # fmt: skip


def exercises(language: str) -> list[Message]:
    french = language == "fr"
    thomas = {
        "id": "thomas", "name": "Thomas", "role": "Recruteur",
        "description": "Exigeant et juste.", "avatar": "",
    }  # fmt: skip
    scenarios = [
        {"id": "first", "title": "Premier contact", "description": "Seul avec le recruteur."},
        {"id": "panel", "title": "Devant trois personnes", "description": ""},
    ]
    free, interview, pitch = (
        ("Conversation libre avec Marie", "Entretien d’embauche", "Pitch d’une minute")
        if french
        else ("Free talk with Marie", "Job interview", "One-minute pitch")
    )
    return [
        exercise(language, "conversation_libre_marie", free),
        exercise(
            language, "entretien", interview, icon="💼", difficulty="intermediate",
            duration_minutes=12, character=thomas, scenarios=scenarios,
        ),
        exercise(
            language, "pitch", pitch, icon="target", difficulty="advanced", duration_minutes=2.5
        ),
    ]  # fmt: skip


def sample(name: str) -> Message:
    """A sample report as the server would write it."""
    text = (Path(__file__).parent / f"{name}.json").read_bytes()
    made: Message = Report.model_validate_json(text).model_dump(mode="json")
    return made


def progress(takes: int = 6) -> Message:
    """What so many takes came to: one measure got better, one is stable, one was taken once."""

    def trend(measure: str, label: str, unit: str, values: list[float], error: float) -> Trend:
        points = [
            Point(
                session=f"s-{n}", title="Conversation libre avec Marie", value=value, error=error,
                started_at=1_768_471_200.0 + 86_400 * n, seconds=60.0 + n, words=120 + n,
            )
            for n, value in enumerate(values)
        ]  # fmt: skip
        verdict: Any = "few" if len(values) < 3 else "better" if values[0] > 5 else "same"
        return Trend(
            measure=measure, label=label, unit=unit, band=(None, 2.0), points=tuple(points),
            baseline=Figure(value=values[0], error=error),
            latest=Figure(value=values[-1], error=error),
            margin=1.8 * error, verdict=verdict, sentence=f"{label} : au fil des prises.",
        )  # fmt: skip

    made = Progress(
        language="fr", setting="conversation", by_ear=False, takes=takes, seconds=62.0 * takes,
        trends=(
            trend("mid_phrase_pauses", "Pauses au milieu d’une phrase", "par minute",
                  [8.2, 7.9, 6.1, 6.4, 4.0, 3.2][:takes], 1.0),
            trend("filled_pauses", "« Euh »", "pour 100 mots",
                  [3.1, 2.2, 3.4, 2.9, 3.0, 2.6][:takes], 1.2),
            trend("hedges", "Atténuations", "pour 100 mots", [2.5], 1.6),
        ) if takes else (),
        sentence=f"Vos mesures sur {takes} prises.",
    )  # fmt: skip
    return made.model_dump(mode="json")


def ready(host: str = "", *, ok: bool = True, detail: str = "", model: str = "") -> Message:
    """What a provider says of itself."""
    return {
        "ready": ok, "detail": detail, "model": model, "leaves_machine": host,
        "mend": "" if ok else "Set OPENAI_API_KEY.",
    }  # fmt: skip


def engines() -> Message:
    """Every stage as an operator is told of it."""

    def option(name: str, kind: str = "text", default: Any = "", **fields: Any) -> Message:
        return {
            "name": name, "type": kind, "default": default, "secret": False, "variables": [],
            "set_by": "", "minimum": None, "maximum": None, "values": None, **fields,
        }  # fmt: skip

    def offer(name: str, told: Message, *options: Message, installed: bool = True) -> Message:
        return {"provider": name, "installed": installed, "languages": [], "options": options,
                "readiness": {"fr": told, "en": told}}  # fmt: skip

    keyless = ready("api.openai.com", ok=False, detail="There is no key for api.openai.com.")
    temperature = option("temperature", "number", 0.7)
    offers = {
        "stt": [offer("none", ready()), offer("vosk", ready(model="small"), option("url"))],
        "llm": [
            offer("openai", keyless, option("model"), temperature, option("api_key", secret=True)),
            offer("script", ready()),
        ],
        "tts": [
            offer("espeak", ready(), option("voice")),
            offer("elevenlabs", keyless, option("model"), option("voice"), installed=False),
            offer("openai", keyless, option("model", default="tts-1"), option("voice"),
                  option("steady", "boolean", False)),
        ],
    }  # fmt: skip
    names = {"stt": "vosk", "llm": "script", "tts": "espeak"}
    return {
        "file": "eloquence.toml",
        "problem": None,
        "stages": [
            {
                "stage": stage, "fallback": [], "place": "default", "locked": "", "offers": known,
                "last": {"fr": ["none"] if stage == "stt" else [], "en": []},
                "chosen": {
                    "provider": "auto", "options": {},
                    "serves": {"fr": names[stage], "en": names[stage]},
                    "readiness": {"fr": ready(model="small" if stage == "stt" else ""),
                                  "en": ready()},
                },
            }
            for stage, known in offers.items()
        ],
    }  # fmt: skip


LOCAL = {"id": "", "name": "", "role": "operator"}


def plugin(name: str, **changes: Any) -> Message:
    figures = {"calls": 0, "failures": 0, "timeouts": 0, "seconds": 0.01, "counted": {}}
    return {
        "name": name, "package": f"{name} 1.0", "enabled": False, "off": False, **figures, **changes
    }  # fmt: skip


def problem(status: int, code: str, wait: int | None = None, **fields: Any) -> web.Response:
    """A refusal as the server would write it."""
    body = {"title": code, "status": status, "detail": "", "code": code, "mend": "", **fields}
    return web.Response(
        status=status, text=json.dumps(body), content_type="application/problem+json",
        headers={} if wait is None else {"Retry-After": str(wait)},
    )  # fmt: skip


class StandIn:
    """The server, in a thread of its own. Attributes may be set between two visits."""

    def __init__(self) -> None:
        self.script: Script = until_end
        self.talks: list[Talk] = []
        self.failures: list[BaseException] = []
        self.by_ear = False
        self.voice = "espeak"
        self.download = "absent"
        self.received = 0
        self.unready = ""
        self.passed_over = ""
        self.deleted: list[str] = []
        self.reports: dict[str, Message] = {"": sample("report")}
        """By session; under the empty name, that of any other session."""
        self.notes: list[tuple[str, Message]] = []
        self.compared: list[tuple[str, str]] = []
        self.asked: list[dict[str, str]] = []
        self.progress = progress()
        self.engines = engines()
        shown = [plugin("example"), plugin("units", calls=4)]
        self.plugins: Message = {"locked": "", "plugins": shown}
        self.memory: Message = {
            "available": True,
            "on": True,
            "facts": [
                {"id": "f1", "kind": "name", "text": "Ada", "noted_at": 1.0},
                {"id": "f2", "kind": "hobby", "text": "les échecs", "noted_at": 2.0},
            ],
        }
        self.wanted: list[tuple[str, Message]] = []
        """Stage and body of each choice of a provider."""
        self.recording = Path()
        self.rooms = False
        self.begun: list[tuple[str | None, Message]] = []
        """Idempotency key and body of each session that was asked for."""
        self.rejoined: list[str] = []
        self.missing: list[int] = []
        """Whom those who joined again have missed."""
        self.ended: list[str] = []
        self.live: list[Message] = []
        """Sessions that are live in a room."""
        self.refusals: dict[str, list[web.Response]] = {}
        """What the next calls of `begin`, `rejoin`, `signIn` are answered with."""
        self.reachable = True
        """Whether the room can be joined."""
        self.accounts = False
        self.oidc = False
        self.account: Message | None = None
        self.faults: list[str] = []
        """Why the next sign-ins elsewhere come to nothing."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._runner = web.AppRunner(self._app(), shutdown_timeout=1)
        self.port = asyncio.run_coroutine_threadsafe(self._open(), self._loop).result(10)

    @property
    def address(self) -> str:
        return f"http://localhost:{self.port}/"

    async def _open(self) -> int:
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        return int(self._runner.addresses[0][1])

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def _app(self) -> web.Application:
        app = web.Application(middlewares=[self._policy])
        api = "/api/v1"
        app.add_routes(
            [
                web.get(f"{api}/status", self._status),
                web.get(f"{api}/exercises", self._exercises),
                web.get(f"{api}/goals", self._goals),
                web.get(f"{api}/talk", self._talk),
                web.get(f"{api}/sessions", self._sessions),
                web.post(f"{api}/sessions", self._begin),
                web.post(f"{api}/sessions/{{id}}/token", self._rejoin),
                web.post(f"{api}/sessions/{{id}}/end", self._end),
                web.post(f"{api}/sign-in", self._sign_in),
                web.get(f"{api}/sign-in/oidc", self._sign_in_elsewhere),
                web.post(f"{api}/sign-out", self._sign_out),
                web.get("/rtc", self._rtc),
                web.get("/vendor/livekit-client.esm.mjs", self._livekit),
                web.get(f"{api}/sessions/{{id}}/report", self._report),
                web.get(f"{api}/sessions/{{id}}/audio/{{name}}", self._audio),
                web.put(f"{api}/sessions/{{id}}/marks/{{mark}}", self._mark),
                web.put(f"{api}/sessions/{{id}}/notes", self._notes),
                web.post(f"{api}/sessions/{{id}}/judgement", self._judge),
                web.get(f"{api}/sessions/{{id}}/comparison", self._compare),
                web.get(f"{api}/progress", self._progress),
                web.delete(f"{api}/sessions/{{id}}", self._delete),
                web.get(f"{api}/models", self._models),
                web.get(f"{api}/plugins", self._plugins),
                web.put(f"{api}/plugins/{{name}}", self._take_part),
                web.get(f"{api}/memory", self._memory),
                web.put(f"{api}/memory", self._remember),
                web.delete(f"{api}/memory", self._forget),
                web.put(f"{api}/memory/facts/{{id}}", self._correct),
                web.delete(f"{api}/memory/facts/{{id}}", self._erase),
                web.get(f"{api}/providers", self._engines),
                web.put(f"{api}/providers/{{stage}}", self._choose_engine),
                web.post(f"{api}/providers/{{stage}}/check", self._check_engines),
                web.post(f"{api}/models/{{name}}", self._start_download),
                web.get("/", self._page),
                web.static("/", WEB),
            ]
        )
        return app

    @web.middleware
    async def _policy(self, request: web.Request, handler: Any) -> web.StreamResponse:
        response: web.StreamResponse = await handler(request)
        if not response.prepared:
            response.headers["Content-Security-Policy"] = POLICY
        return response

    async def _page(self, request: web.Request) -> web.StreamResponse:
        return web.FileResponse(WEB / "index.html")

    async def _status(self, request: web.Request) -> web.Response:
        def stage(provider: str, detail: str, **fields: Any) -> Message:
            return {
                "provider": provider, "ready": True, "detail": detail, "mend": "", "model": "",
                "leaves_machine": "", "standby": [], "passed_over": "", "by_ear": False,
                **fields,
            }  # fmt: skip

        heard = (
            stage("none", "By ear.", by_ear=True, model="vosk-model-small-fr-0.22")
            if self.by_ear and self.download != "installed"
            else stage("vosk", "On this machine.", model="vosk-model-small-fr-0.22")
        )
        stages = {
            "stt": heard,
            "llm": stage(
                "openai", "mistral-small, by api.scaleway.ai.", model="mistral-small",
                leaves_machine="api.scaleway.ai",
                standby=[
                    {"provider": "mistral", "model": "", "leaves_machine": "api.mistral.ai"},
                    {"provider": "script", "model": "", "leaves_machine": ""},
                ],
            ),
            "tts": stage(self.voice, f"The voice of {self.voice}."),
        }  # fmt: skip
        stages["tts"]["passed_over"] = self.passed_over
        if self.unready:
            stages["tts"] |= {"ready": False, "detail": "Pas de voix.", "mend": self.unready}
        return web.json_response(
            {
                "version": "0.1.0", "language": "fr", "capacity": {"live": 0, "most": 12},
                "stages": {"fr": stages, "en": stages}, "problems": [],
                "transport": "livekit" if self.rooms else "websocket",
                "accounts": self.accounts, "sign_in": {"oidc": self.oidc, "key": True},
                "account": self.account if self.accounts else LOCAL,
            }
        )  # fmt: skip

    async def _exercises(self, request: web.Request) -> web.Response:
        if self.accounts and self.account is None:
            return problem(401, "authentication")
        return web.json_response(exercises(request.query.get("language", "fr")))

    async def _goals(self, request: web.Request) -> web.Response:
        goals = [
            {"measure": "mid_phrase_pauses", "label": "Pauses au milieu d’une phrase",
             "plan": "Si je cherche un mot, alors je finis ma phrase autrement."},
            {"measure": "speech_rate", "label": "Débit",
             "plan": "Si j’arrive à un point, alors je respire une fois."},
        ]  # fmt: skip
        return web.json_response({"proposal": goals[0], "choices": goals})

    async def _sessions(self, request: web.Request) -> web.Response:
        found = [
            {
                "id": f"s-20261121-{n}", "exercise": "conversation_libre_marie",
                "title": "Conversation libre avec Marie", "character": "Marie", "language": "fr",
                "started_at": 1_795_255_200.0 - 86_400 * n, "duration": 184.0 + 31 * n,
                "status": ["complete", "interrupted"][n % 2],
                "reason": ["learner", "page_closed"][n % 2],
                "audio": ["mix"] if n == 1 else [], "purpose": "exercise", "of": "",
                "exam": n == 3,
            }
            for n in (1, 2, 3)
        ]  # fmt: skip
        of = found[1]["id"]
        found[:0] = [
            found[1] | {"id": "s-20261121-5", "purpose": "retry", "of": of, "title": "Réponse"},
            found[1] | {"id": "s-20261121-4", "purpose": "drill", "of": of, "title": "Le silence"},
        ]
        found[:0] = self.live
        return web.json_response([one for one in found if one["id"] not in self.deleted])

    def _refusal(self, of: str) -> web.Response | None:
        waiting = self.refusals.get(of, [])
        return waiting.pop(0) if waiting else None

    def _ticket(self, session: str) -> web.Response:
        return web.json_response(
            {
                "session": session, "room": "s_1", "url": f"ws://localhost:{self.port}/rtc",
                "token": f"token-{len(self.begun)}-{len(self.rejoined)}", "identity": "learner",
                "expires": time.time() + 120,
            }
        )  # fmt: skip

    async def _begin(self, request: web.Request) -> web.Response:
        self.begun.append((request.headers.get("Idempotency-Key"), await request.json()))
        return self._refusal("begin") or self._ticket("s-20261121-1")

    async def _rejoin(self, request: web.Request) -> web.Response:
        self.rejoined.append(request.match_info["id"])
        self.missing.append((await request.json())["missing"])
        return self._refusal("rejoin") or self._ticket(request.match_info["id"])

    async def _end(self, request: web.Request) -> web.Response:
        self.ended.append(request.match_info["id"])
        self.live = [one for one in self.live if one["id"] != request.match_info["id"]]
        return web.Response(status=204)

    async def _sign_in(self, request: web.Request) -> web.Response:
        key = (await request.json())["key"]
        if refused := self._refusal("signIn"):
            return refused
        if key != "the right key":
            return problem(401, "authentication")
        self.account = {"id": "a-1", "name": "Léa Martin", "role": "learner"}
        return web.json_response(self.account)

    async def _sign_in_elsewhere(self, request: web.Request) -> web.Response:
        if fault := self.faults.pop() if self.faults else "":
            raise web.HTTPSeeOther(f"/?sign_in={fault}")
        self.account = {"id": "a-2", "name": "Karim", "role": "learner"}
        raise web.HTTPSeeOther(request.query["to"])

    async def _sign_out(self, request: web.Request) -> web.Response:
        self.account = None
        return web.Response(status=204)

    async def _livekit(self, request: web.Request) -> web.StreamResponse:
        return web.FileResponse(Path(__file__).with_name("livekit.mjs"))

    async def _rtc(self, request: web.Request) -> web.StreamResponse:
        if not self.reachable:
            return web.Response(status=503)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        talk = RoomTalk(socket, {"token": request.query["token"]})
        self.talks.append(talk)
        await socket.send_json({"event": "joined"})
        script = asyncio.ensure_future(self._run(talk))
        async for message in socket:
            talk.take(message.json())
        script.cancel()
        await asyncio.gather(script, return_exceptions=True)
        return socket

    async def _report(self, request: web.Request) -> web.Response:
        if request.match_info["id"] == "unknown":
            problem = {
                "type": "about:blank", "title": "Session introuvable", "status": 404,
                "detail": "Aucune session gardée ne porte ce nom.", "code": "session_not_found",
                "mend": "Elle a peut-être été effacée.",
            }  # fmt: skip
            return web.Response(
                status=404, text=json.dumps(problem), content_type="application/problem+json"
            )
        return web.json_response(self.reports.get(request.match_info["id"], self.report))

    @property
    def report(self) -> Message:
        return self.reports[""]

    @report.setter
    def report(self, report: Message) -> None:
        self.reports[""] = report

    async def _mark(self, request: web.Request) -> web.Response:
        """Without the mark a score rises by its effect, as it does when all else stays the same."""
        out = (await request.json())["dismissed"]
        found = next(m for m in self.report["marks"] if m["id"] == request.match_info["mark"])
        if found["dismissed"] != out:
            found["dismissed"] = out
            for dimension in self.report["dimensions"]:
                rise = found["effects"].get(dimension["dimension"], 0.0) * (1 if out else -1)
                for limit in ("score", "low", "high"):
                    dimension[limit] = dimension[limit] and round(dimension[limit] + rise, 4)
        return web.json_response(self.report)

    async def _judge(self, request: web.Request) -> web.Response:
        self.report["content"]["state"] = "pending"
        return web.Response(status=202)

    async def _compare(self, request: web.Request) -> web.Response:
        self.compared.append((request.query["with"], request.match_info["id"]))
        return web.json_response(sample("report")["comparison"])

    async def _progress(self, request: web.Request) -> web.Response:
        self.asked.append(dict(request.query))
        return web.json_response(self.progress)

    async def _notes(self, request: web.Request) -> web.Response:
        self.notes.append((request.match_info["id"], await request.json()))
        return web.Response(status=204)

    async def _audio(self, request: web.Request) -> web.StreamResponse:
        return web.FileResponse(self.recording)  # answers ranges, without which nothing can seek

    async def _delete(self, request: web.Request) -> web.Response:
        self.deleted.append(request.match_info["id"])
        return web.Response(status=204)

    async def _plugins(self, request: web.Request) -> web.Response:
        return web.json_response(self.plugins)

    async def _take_part(self, request: web.Request) -> web.Response:
        name, wanted = request.match_info["name"], await request.json()
        if refusals := self.refusals.get("takePart"):
            return refusals.pop(0)
        (one,) = [one for one in self.plugins["plugins"] if one["name"] == name]
        one |= {"enabled": wanted["on"], "off": False}
        return web.json_response(self.plugins)

    async def _memory(self, request: web.Request) -> web.Response:
        return web.json_response(self.memory)

    async def _remember(self, request: web.Request) -> web.Response:
        self.memory |= await request.json()
        return web.Response(status=204)

    async def _forget(self, request: web.Request) -> web.Response:
        self.memory |= {"on": False, "facts": []}
        return web.Response(status=204)

    def _fact(self, request: web.Request) -> Message | None:
        wanted = request.match_info["id"]
        return next((one for one in self.memory["facts"] if one["id"] == wanted), None)

    async def _correct(self, request: web.Request) -> web.Response:
        fact = self._fact(request)
        if fact is None:
            return problem(404, "fact_not_found")
        fact |= await request.json()
        return web.json_response(fact)

    async def _erase(self, request: web.Request) -> web.Response:
        fact = self._fact(request)
        if fact is None:
            return problem(404, "fact_not_found")
        self.memory["facts"].remove(fact)
        return web.Response(status=204)

    async def _engines(self, request: web.Request) -> web.Response:
        return web.json_response(self.engines)

    async def _choose_engine(self, request: web.Request) -> web.Response:
        name, wanted = request.match_info["stage"], await request.json()
        self.wanted.append((name, wanted))
        if refusals := self.refusals.get("chooseEngine"):
            return refusals.pop(0)
        stage = next(one for one in self.engines["stages"] if one["stage"] == name)
        offer = next(one for one in stage["offers"] if one["provider"] == wanted["provider"])
        chosen = {
            "provider": wanted["provider"], "options": wanted["options"],
            "serves": dict.fromkeys(("fr", "en"), wanted["provider"]),
            "readiness": offer["readiness"],
        }  # fmt: skip
        stage |= {"chosen": chosen, "fallback": [
            {**one, "serves": {}, "readiness": offer["readiness"]} for one in wanted["fallback"]
        ]}  # fmt: skip
        places = {"voice": "alloy", "owner": "openai", "provider": "elevenlabs"}
        warning = {"code": "voice", "message": "alloy?", "places": places}
        return web.json_response({**stage, "warnings": [warning]})

    async def _check_engines(self, request: web.Request) -> web.Response:
        told = ready("openai", ok=False, detail="api.openai.com refuses the key.")
        return web.json_response({"openai": {"fr": told, "en": told}})

    async def _models(self, request: web.Request) -> web.Response:
        if self.download == "downloading":
            self.received += 20_000_000
            if self.received >= 41_000_000:
                self.download = "installed"
        message = "models.example: connexion refusée." if self.download == "failed" else ""
        model = {
            "name": "vosk-model-small-fr-0.22", "language": "fr", "stage": "stt",
            "size": 41_000_000, "title": "Vosk, French, small",
            "installed": self.download == "installed",
            "state": self.download, "received": self.received, "total": 41_000_000,
            "message": message,
        }  # fmt: skip
        return web.json_response([model])

    async def _start_download(self, request: web.Request) -> web.Response:
        self.download = "downloading"
        return web.json_response({}, status=202)

    async def _talk(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(max_msg_size=65_536)
        await socket.prepare(request)
        talk = Talk(socket, await socket.receive_json())
        self.talks.append(talk)
        script = asyncio.ensure_future(self._run(talk))
        async for message in socket:
            talk.note(message.json() if message.type is WSMsgType.TEXT else message.data)
        script.cancel()
        await asyncio.gather(script, return_exceptions=True)
        return socket

    async def _run(self, talk: Talk) -> None:
        try:
            await self.script(talk)
        except Exception as error:
            self.failures.append(error)
            raise


@pytest.fixture
def server(voice: Path) -> Iterator[StandIn]:
    stand_in = StandIn()
    stand_in.recording = voice
    yield stand_in
    stand_in.close()
    assert stand_in.failures == []


@pytest.fixture(scope="session")
def voice(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the browser takes for its microphone: a second of silence, then bursts of tone."""
    path = tmp_path_factory.mktemp("voice") / "voice.wav"
    quiet = bytes(2 * INPUT_RATE)
    burst = tone(0.5, INPUT_RATE, 220.0) + bytes(INPUT_RATE // 2)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(INPUT_RATE)
        file.writeframes(quiet + burst * 60)
    return path


@pytest.fixture(scope="module")  # an open Playwright keeps asyncio from other modules
def browser(voice: Path) -> Iterator[Browser]:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(
            executable_path=chromium,
            args=[
                "--no-sandbox",
                "--use-fake-device-for-media-stream",
                "--use-fake-ui-for-media-stream",
                f"--use-file-for-fake-audio-capture={voice}",
                "--autoplay-policy=no-user-gesture-required",
                "--disable-background-networking",
            ],
        )
        yield opened
        opened.close()


@pytest.fixture
def context(browser: Browser, server: StandIn) -> Iterator[BrowserContext]:
    opened = browser.new_context(
        base_url=server.address, locale="fr-FR", viewport={"width": 390, "height": 844}
    )
    yield opened
    opened.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A page whose errors, and refusals by its own security policy, fail the test."""
    opened = context.new_page()
    opened.set_default_timeout(30_000)
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.on(
        "console",
        lambda line: (
            errors.append(line.text)
            if line.type in {"error", "warning"} and not REFUSED.search(line.text)
            else None
        ),
    )
    yield opened
    assert errors == []
