"""What works on this machine, what is lacking, and how to mend it."""

import os
import platform
import shutil
import socket
import sys
import tempfile
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, get_args

from eloquence import bootstrap, registry
from eloquence.bootstrap import exposure
from eloquence.coaching.character import Language
from eloquence.config import Settings, surroundings
from eloquence.errors import ConfigurationError, EloquenceError, RoomError
from eloquence.registry import STAGES, Readiness, Stage
from eloquence.storage import content
from eloquence.transports.livekit_server import LiveKitServer

Verdict = Literal["ok", "warning", "failure"]
"""`warning`: a conversation can be held all the same; `failure`: it cannot."""

LANGUAGES: tuple[Language, ...] = get_args(Language)
_LEAST_FREE = 200 << 20
_OLDEST_PYTHON = (3, 11)


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    name: str
    verdict: Verdict
    detail: str
    mend: str = ""


@dataclass(frozen=True, slots=True)
class StageReport:
    """Who serves a stage for a language. `others` says of every other installed provider whether
    it could, and what it lacks."""

    language: Language
    stage: Stage
    provider: str
    automatic: bool
    readiness: Readiness
    others: tuple[tuple[str, Readiness], ...] = ()


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Everything that was found. `language` is the one of the settings."""

    language: Language
    checks: tuple[Check, ...]
    stages: tuple[StageReport, ...]

    @property
    def can_talk(self) -> bool:
        """Whether a conversation can be held in the language of the settings."""
        return all(check.verdict != "failure" for check in self.checks) and all(
            report.readiness.ready for report in self.stages if report.language == self.language
        )

    def as_json(self) -> dict[str, Any]:
        return {
            "can_talk": self.can_talk,
            "language": self.language,
            "checks": [asdict(check) for check in self.checks],
            "stages": [
                {**asdict(report), "others": {name: asdict(one) for name, one in report.others}}
                for report in self.stages
            ],
        }


async def diagnose(settings: Settings, *, online: bool = False) -> Diagnosis:
    """Looks at everything; with `online`, vendors are asked over the network too. Never raises
    for what it finds."""
    checks = (
        _python(),
        _data_folder(settings.data),
        _disk(settings.data),
        _port(settings.host, settings.port),
        _content(settings.content),
        await _livekit(settings) if settings.in_rooms else _microphone(),
    )
    stages = [
        report
        for language in LANGUAGES
        for report in await _stages(settings, language, online=online)
    ]
    language: Language = "en" if settings.language == "en" else "fr"
    return Diagnosis(language, checks, tuple(stages))


async def _stages(settings: Settings, language: Language, *, online: bool) -> list[StageReport]:
    reports: list[StageReport] = []
    for stage in STAGES:
        wanted = settings.stage(stage)
        automatic = wanted.provider == "auto"
        try:
            choice = bootstrap.choose(settings, stage, language)
        except EloquenceError as error:
            readiness = Readiness(ready=False, detail=error.message, mend=error.mend)
            reports.append(StageReport(language, stage, wanted.provider, automatic, readiness))
            continue
        readiness = choice.readiness
        if online and readiness.ready and choice.provider.probe is not None:
            readiness = await choice.provider.probe(choice.options, language)
        by_ear = stage == "llm" and reports[0].provider == bootstrap.BY_EAR
        if by_ear and readiness.ready:
            choice = bootstrap.conductor(choice, language)
            readiness = choice.readiness
        name = choice.provider.name
        others = tuple(
            (other, _could(stage, other, language))
            for other in registry.names(stage)
            if other != name
        )
        reports.append(StageReport(language, stage, name, automatic, readiness, others))
    return reports


def _could(stage: Stage, name: str, language: Language) -> Readiness:
    """What a provider that was not chosen says of itself, without options."""
    try:
        return registry.choose(
            stage, name, {}, language, (name,), environment=surroundings()
        ).readiness
    except EloquenceError as error:
        return Readiness(ready=False, detail=error.message, mend=error.mend)


def _python() -> Check:
    version = platform.python_version()
    if sys.version_info < _OLDEST_PYTHON:
        return Check("python", "failure", f"Python {version}.", "Use Python 3.11 or newer.")
    return Check("python", "ok", f"Python {version}.")


def _data_folder(folder: Path) -> Check:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        return Check(
            "data folder",
            "failure",
            f"{folder} cannot be written: {error.strerror}.",
            "Give the user the right to write there, or set ELOQUENCE_DATA to another folder.",
        )
    return Check("data folder", "ok", f"{folder}")


def _disk(folder: Path) -> Check:
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    free = shutil.disk_usage(there).free
    detail = f"{free >> 20} MB free."
    if free < _LEAST_FREE:
        return Check("disk", "failure", detail, "Make room: sessions could not be kept.")
    return Check("disk", "ok", detail)


def _port(host: str, port: int) -> Check:
    if port == 0:
        return Check("port", "ok", "Any free port.")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        if os.name == "posix":  # as the server does: a port that was just left counts as free
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return Check(
                "port",
                "warning",
                f"{host}:{port} is not free: {error.strerror}.",
                "Eloquence may be running already; else choose another: eloquence serve --port N.",
            )
    return Check("port", "ok", f"{host}:{port} is free.")


def _content(own: Path | None) -> Check:
    try:
        problems = content.load(own).problems
    except EloquenceError as error:
        return Check("content", "failure", error.message, error.mend)
    if problems:
        return Check(
            "content",
            "warning",
            f"{len(problems)} problem(s) in exercises or characters.",
            "eloquence exercises check",
        )
    return Check("content", "ok", "Every exercise and character can be read.")


async def _livekit(settings: Settings) -> Check:
    """Whether conversations can be held in that server's rooms, with safe keys."""
    server = LiveKitServer(
        settings.livekit_url,
        settings.livekit_api_key,
        settings.livekit_api_secret.get_secret_value(),
        agent_name=settings.agent_name,
    )
    try:
        exposure.check(settings)
        async with server:
            await server.check()
    except (ConfigurationError, RoomError) as error:
        return Check("LiveKit", "failure", error.message, error.mend)
    return Check("LiveKit", "ok", f"{settings.livekit_url} answers and knows the key.")


def _microphone() -> Check:
    """For `talk` at the terminal only: the page uses the browser's microphone."""
    mend = "In the page the browser's microphone is used; for the terminal: "
    if find_spec("sounddevice") is None:
        install = "pip install 'eloquence[terminal]'."
        return Check("microphone", "warning", "No sound library for the terminal.", mend + install)
    try:
        import sounddevice

        devices = [one for one in sounddevice.query_devices() if one["max_input_channels"] > 0]
    except (OSError, RuntimeError):  # PortAudio itself is missing, or has no sound system
        return Check(
            "microphone", "warning", "PortAudio is not there.", f"{mend}install libportaudio2."
        )
    if not devices:
        return Check("microphone", "warning", "This machine has none.", f"{mend}plug one in.")
    return Check("microphone", "ok", f"{len(devices)} input(s).")
