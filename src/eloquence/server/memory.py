"""What a learner has said of themselves, if they want that to be remembered: to be seen, corrected
and erased by them alone."""

from typing import Any

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from eloquence.bootstrap import Eloquence
from eloquence.bootstrap.plugins import MEMORY
from eloquence.errors import PluginError
from eloquence.server.access import Signed, own
from eloquence.storage.memory import LONGEST, KnownFact

router = APIRouter(prefix="/api/v1/memory", dependencies=[Depends(own)])


class Wish(BaseModel):
    """Whether the learner wants facts to be remembered."""

    model_config = ConfigDict(extra="forbid")

    on: bool


class Correction(BaseModel):
    """What a fact says from now on."""

    model_config = ConfigDict(extra="forbid")

    text: str = Field(min_length=1, max_length=LONGEST, pattern=r"\S")


@router.get("")
async def memory(request: Request, who: Signed) -> dict[str, Any]:
    """Whether there is a memory on this server (`available`), whether the learner has switched it
    `on`, and their `facts`, oldest first."""
    eloquence = _eloquence(request)
    kept = eloquence.store.memory
    return {
        "available": _available(eloquence),
        "on": await kept.wanted(who.id),
        "facts": [_shown(fact) for fact in await kept.facts(who.id)],
    }


@router.put("", status_code=204)
async def switch(request: Request, who: Signed, given: Wish) -> Response:
    """Switches the memory on or off. Switched off, nothing is found nor used; what was kept stays
    until it is erased."""
    eloquence = _eloquence(request)
    if given.on and not _available(eloquence):
        raise PluginError(
            "There is no memory on this server.", mend=f"eloquence plugins add {MEMORY}"
        )
    await eloquence.store.memory.switch(who.id, on=given.on)
    return Response(status_code=204)


@router.delete("", status_code=204)
async def forget(request: Request, who: Signed) -> Response:
    """Erases every fact, and switches the memory off."""
    await _eloquence(request).store.memory.forget(who.id)
    return Response(status_code=204)


@router.put("/facts/{fact_id}")
async def correct(request: Request, who: Signed, fact_id: str, given: Correction) -> dict[str, Any]:
    """Changes what a fact says; the answer is the fact."""
    return _shown(await _eloquence(request).store.memory.correct(who.id, fact_id, given.text))


@router.delete("/facts/{fact_id}", status_code=204)
async def erase(request: Request, who: Signed, fact_id: str) -> Response:
    """Erases a fact."""
    await _eloquence(request).store.memory.erase(who.id, fact_id)
    return Response(status_code=204)


def _shown(fact: KnownFact) -> dict[str, Any]:
    return {"id": fact.id, "kind": fact.kind, "text": fact.text, "noted_at": fact.noted_at}


def _available(eloquence: Eloquence) -> bool:
    return MEMORY in eloquence.settings.plugins.enabled


def _eloquence(request: Request) -> Eloquence:
    eloquence: Eloquence = request.app.state.eloquence
    return eloquence
