"""Which plugins take part, for operators: seen with their figures, and changed (PRV-06, PLG-09).

What is changed here is written to the settings file, as `eloquence plugins add` writes it; the next
conversation has it.
"""

import asyncio
import logging
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request
from pydantic import BaseModel, ConfigDict

from eloquence.bootstrap import Eloquence
from eloquence.bootstrap.plugins import Figures, figures
from eloquence.config import surroundings
from eloquence.ops import plugins as changing
from eloquence.plugins.installed import installed
from eloquence.server.access import Signed, require

log = logging.getLogger("eloquence.server")

router = APIRouter(prefix="/api/v1/plugins", dependencies=[Depends(require("operator"))])

Name = Annotated[str, Path(pattern=r"^[A-Za-z0-9][\w.-]{0,63}$")]


class Part(BaseModel):
    """Whether a plugin is to take part."""

    model_config = ConfigDict(extra="forbid")

    on: bool


@router.get("")
async def plugins(request: Request) -> dict[str, Any]:
    """Every plugin that is installed, enabled or ever took part, with its figures. `locked` is the
    variable that counts more than the settings file, or empty."""
    return await _listed(request.app.state.eloquence)


@router.put("/{name}")
async def take_part(request: Request, who: Signed, name: Name, given: Part) -> dict[str, Any]:
    """Lets a plugin take part from the next conversation on, once it has started and answered, or
    no more; all plugins as they are then."""
    eloquence: Eloquence = request.app.state.eloquence
    if given.on:
        await asyncio.to_thread(changing.enable, name)
        await eloquence.store.plugins.switch_on(name)
    else:
        await asyncio.to_thread(changing.disable, name)
    log.info("plugin %s: %s by %s", name, "on" if given.on else "off", who.id or "the operator")
    return await _listed(eloquence)


async def _listed(eloquence: Eloquence) -> dict[str, Any]:
    await eloquence.plugins.note()
    known = {one.name: one for one in await figures(eloquence.settings.plugins, eloquence.store)}
    there = {one.name: f"{one.package} {one.version}".strip() for one in installed()}
    variables = await asyncio.to_thread(surroundings)
    return {
        "locked": next((name for name in _VARIABLES if variables.get(name)), ""),
        "plugins": [
            {"package": there.get(name), **known.get(name, Figures(name)).as_json()}
            for name in sorted({*there, *known})
        ],
    }


_VARIABLES = ("ELOQUENCE_PLUGINS", "ENABLED_PLUGINS")
