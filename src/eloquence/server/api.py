"""What the page asks for besides the conversation itself."""

import asyncio
from contextlib import suppress
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import FileResponse
from pydantic import BaseModel, ConfigDict, Field

from eloquence import __version__
from eloquence.bootstrap import BY_EAR, Eloquence, choices
from eloquence.bootstrap.stages import standbys
from eloquence.bootstrap.stages import status as shown_status
from eloquence.coaching.character import Language
from eloquence.coaching.exercise import Exercise, Register
from eloquence.coaching.session import StoredSession
from eloquence.config import Settings
from eloquence.errors import SessionNotFoundError
from eloquence.server import access
from eloquence.server.access import Known, Signed, own, require
from eloquence.server.downloads import Downloads
from eloquence.server.limits import Limits
from eloquence.storage import recordings
from eloquence.storage.accounts import SIGNED_IN, Account
from eloquence.storage.content import LANGUAGES, Library
from eloquence.storage.export import Kind

router = APIRouter(prefix="/api/v1", dependencies=[Depends(own)])
"""What is for those who are signed in, and their own."""
public = APIRouter(prefix="/api/v1")
"""What anybody may ask."""

MOST_SESSIONS = 1_000_000_000
"""How far the list of sessions can be paged."""


class Dismissal(BaseModel):
    """Whether the learner does not accept a mark."""

    model_config = ConfigDict(extra="forbid")

    dismissed: bool


class Notes(BaseModel):
    """What the learner adds to a session; what is absent stays as it was."""

    model_config = ConfigDict(extra="forbid")

    worked: str | None = Field(None, max_length=2000)
    plan: str | None = Field(None, max_length=500)


def _json(made: BaseModel | None) -> Response:
    text = "null" if made is None else made.model_dump_json()
    return Response(text, media_type="application/json")


def _eloquence(request: Request) -> Eloquence:
    eloquence: Eloquence = request.app.state.eloquence
    return eloquence


@public.get("/status")
async def status(request: Request, response: Response, who: Known) -> dict[str, Any]:
    """Version, how to sign in, and who is; for those who are: the capacity, and which provider
    serves each stage in each language."""
    eloquence = _eloquence(request)
    settings = eloquence.settings
    told: dict[str, Any] = {
        "version": __version__,
        "language": settings.language,
        "transport": "livekit" if settings.in_rooms else "websocket",
        "accounts": settings.accounts,
        "sign_in": {"oidc": bool(settings.oidc_issuer), "key": True},
        "account": None,
    }
    if who is None:
        return told
    if token := access.sign_in_token(request):  # a page that is opened again stays signed in
        access.give_cookie(response, settings, token, seconds=SIGNED_IN)
    return told | {
        "account": {"id": who.id, "name": who.name, "role": who.role},
        "capacity": await _capacity(eloquence),
        "stages": {language: _stages(settings, language) for language in LANGUAGES},
        "problems": [*_problems(eloquence, who), *await _switched_off(eloquence, who)],
    }


async def _capacity(eloquence: Eloquence) -> dict[str, int]:
    """How many conversations are live, and `most` of how many; in rooms that is for the workers to
    say."""
    if eloquence.rooms is not None:
        return {"live": len(await eloquence.store.pulses())}
    return {"live": eloquence.live, "most": eloquence.settings.max_conversations}


def _stages(settings: Settings, language: Language) -> dict[str, Any]:
    return {
        stage: {
            **shown_status(choice, standbys(settings, stage, choice, language)).model_dump(),
            "ready": choice.readiness.ready,
            "by_ear": stage == "stt" and choice.provider.name == BY_EAR,
        }
        for stage, choice in choices(settings, language).items()
    }


def _problems(eloquence: Eloquence, who: Account) -> list[str]:
    """What is wrong in the content and in the settings, for who can mend it."""
    found = [str(problem) for problem in eloquence.library.problems] if who.may("author") else []
    if who.may("operator") and (problem := eloquence.current.problem) is not None:
        found.append(str(problem))
    return found


async def _switched_off(eloquence: Eloquence, who: Account) -> list[str]:
    """The plugins that kept failing, for who can mend them."""
    if not who.may("operator") or not eloquence.settings.plugins.enabled:
        return []
    off = await eloquence.store.plugins.off()
    return [
        f"The plugin {name} kept failing and is switched off. `eloquence plugins add {name}` lets "
        "it take part again."
        for name in eloquence.settings.plugins.enabled
        if name in off
    ]


@router.get("/exercises")
async def exercises(request: Request, language: Language = "fr") -> list[dict[str, Any]]:
    """What can be practised in a language, easiest first."""
    library = _eloquence(request).library

    def shown() -> list[dict[str, Any]]:  # the first time, all files of the language are read
        return [_shown(library, one) for one in library.exercises(language)]

    return await asyncio.to_thread(shown)


def _shown(library: Library, exercise: Exercise) -> dict[str, Any]:
    character = library.character(exercise.character, exercise.language)
    norms = library.norms(exercise.language).dimensions
    rubric = library.rubric(exercise.rubric, exercise.language) if exercise.rubric else None
    criteria = exercise.criteria
    return {
        "id": exercise.id,
        "title": exercise.title,
        "description": exercise.description,
        "goal": exercise.goal,
        "icon": exercise.icon,
        "difficulty": exercise.difficulty,
        "duration_minutes": exercise.duration_minutes,
        "character": {
            "id": character.id,
            "name": character.name,
            "role": character.role,
            "description": character.description,
            "avatar": character.avatar,
        },
        "dimensions": list(criteria.focus or criteria.dimensions),
        "scored": [
            {"id": name, "label": norms[name].label, "weight": criteria.weights.get(name)}
            for name in criteria.dimensions
            if name in norms
        ],
        "warm_up": bool(exercise.warm_up or library.lines(exercise.language).warm_up.open),
        "levels": len(exercise.levels),
        "rubric": None if rubric is None else {"id": rubric.id, "title": rubric.title},
        "patience": exercise.patience.model_dump(),
        "tips": list(exercise.tips),
        "scenarios": [
            {
                "id": one.id,
                "title": one.title,
                "description": one.description,
                "levels": len(exercise.levels_of(one)),
            }
            for one in exercise.scenarios
        ],
    }


@router.get("/sessions")
async def sessions(
    request: Request, who: Signed, limit: int = 100, offset: int = 0
) -> list[dict[str, Any]]:
    """The learner's past conversations, newest first."""
    eloquence = _eloquence(request)
    limit, offset = min(max(limit, 1), 500), min(max(offset, 0), MOST_SESSIONS)
    found = await eloquence.store.list(limit=limit, offset=offset, learner=who.id)
    return [_listed(eloquence, stored) for stored in found]


def _listed(eloquence: Eloquence, stored: StoredSession) -> dict[str, Any]:
    session, end = stored.session, stored.end
    return {
        "id": session.id,
        "exercise": session.exercise,
        "title": session.title,
        "character": eloquence.library.character(session.character, session.language).name,
        "language": session.language,
        "started_at": session.started_at,
        "duration": end.duration if end else None,
        "status": end.status if end else "live",
        "reason": end.reason if end else "",
        "audio": list(stored.audio),
        "purpose": session.purpose,
        "of": session.of,
        "exam": session.exam,
        "room": end is None and eloquence.settings.in_rooms,
    }


@router.get("/sessions/{session_id}/report")
async def report(request: Request, session_id: str) -> Response:
    """The report as JSON (`eloquence.coaching.report.Report`)."""
    return _json(await _eloquence(request).reports.report(session_id))


@router.get("/sessions/{session_id}/report.{kind}")
async def report_file(request: Request, session_id: str, kind: Kind) -> Response:
    """The report as one file to take away: `html`, `pdf`, `json`, `csv` (scores and measures) or
    `moments` (the marks as CSV)."""
    file = await _eloquence(request).reports.file(session_id, kind)
    named = {"Content-Disposition": f'attachment; filename="{file.name}"'}
    return Response(file.content, media_type=file.media_type, headers=named)


@router.put("/sessions/{session_id}/marks/{mark}")
async def dismiss(request: Request, session_id: str, mark: str, given: Dismissal) -> Response:
    """Takes a mark out of the scores, or puts it back; the answer is the report as it is then."""
    reports = _eloquence(request).reports
    return _json(await reports.dismiss(session_id, mark, dismissed=given.dismissed))


@router.put("/sessions/{session_id}/notes", status_code=204)
async def note(request: Request, session_id: str, given: Notes) -> Response:
    """Keeps what the learner says went well, and what they will try next."""
    await _eloquence(request).reports.annotate(session_id, worked=given.worked, plan=given.plan)
    return Response(status_code=204)


@router.post("/sessions/{session_id}/judgement", status_code=202)
async def judge(request: Request, who: Signed, session_id: str) -> Response:
    """Begins to judge the content, or to judge it again; the report's `content` tells how far it
    is."""
    limits: Limits = request.app.state.limits
    await limits.judgement(who)
    await _eloquence(request).reports.judge(session_id)
    return Response(status_code=202)


@router.get("/sessions/{session_id}/comparison")
async def comparison(
    request: Request, who: Signed, session_id: str, other: Annotated[str, Query(alias="with")]
) -> Response:
    """A session beside an earlier one of the same learner, in raw measures (`Comparison`)."""
    await _eloquence(request).store.of(who.id).check(other)
    return _json(await _eloquence(request).reports.compare(session_id, other))


@router.get("/progress")
async def progress(
    request: Request,
    who: Signed,
    language: Language = "fr",
    exercise: str = "",
    setting: Register | None = None,
) -> Response:
    """The learner's takes in a language beside their own first ones
    (`eloquence.coaching.progress.Progress`), of one exercise or of all; `setting` is by default
    that of the last take."""
    reports = _eloquence(request).reports
    made = await reports.progress(language, exercise=exercise, setting=setting, learner=who.id)
    return _json(made)


@router.get("/goals")
async def goals(
    request: Request, who: Signed, exercise: str, language: Language = "fr"
) -> dict[str, Any]:
    """What one may work on in an exercise: the `proposal` (`Goal`, or null) and all `choices`."""
    eloquence = _eloquence(request)
    by_ear = choices(eloquence.settings, language)["stt"].provider.name == BY_EAR
    known = await eloquence.reports.goals(exercise, language, by_ear=by_ear)
    proposed = await eloquence.reports.proposal(exercise, language, learner=who.id)
    if proposed is not None and all(one.measure != proposed.measure for one in known):
        known = (proposed, *known)
    return {"proposal": proposed, "choices": known}


@router.get("/sessions/{session_id}/audio/{name}")
async def audio(request: Request, session_id: str, name: str) -> FileResponse:
    """A kept recording: `learner` or `mix`."""
    path = recordings.path(_eloquence(request).settings.recordings, session_id, name)
    return FileResponse(path, media_type="audio/flac")


@router.delete("/sessions/{session_id}", status_code=204)
async def delete(request: Request, who: Signed, session_id: str) -> Response:
    """Deletes a conversation with all that was kept of it; a live one in a room is ended."""
    eloquence = _eloquence(request)
    if eloquence.rooms is not None:
        with suppress(SessionNotFoundError):  # not every session was held in a room
            await eloquence.rooms.end(session_id, who)
    await eloquence.reports.delete(session_id)
    return Response(status_code=204)


@router.get("/models")
async def models(request: Request) -> list[dict[str, Any]]:
    """The speech models that can be fetched, and how far each is."""
    downloads: Downloads = request.app.state.downloads
    return downloads.listed()


@router.post("/models/{name}", status_code=202, dependencies=[Depends(require("operator"))])
async def fetch_model(request: Request, name: str) -> Response:
    """Begins to fetch a model; `GET /models` tells how far it is."""
    downloads: Downloads = request.app.state.downloads
    downloads.start(name)
    return Response(status_code=202)
