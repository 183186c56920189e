"""Who serves each stage, for operators: seen, changed, and asked whether they are well (PRV, X-40).

What is changed here is written to the settings file, as `eloquence providers use` writes it; the
next conversation has it. Keys are given in variables: none is ever told or written here.
"""

import asyncio
import logging
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from eloquence import sources
from eloquence.bootstrap import Eloquence
from eloquence.ops import engines
from eloquence.ops.engines import Described
from eloquence.ops.settings_file import Wanted
from eloquence.registry import STAGES, Stage
from eloquence.server.access import Signed, require

log = logging.getLogger("eloquence.server")

router = APIRouter(prefix="/api/v1/providers", dependencies=[Depends(require("operator"))])

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][\w.-]{0,63}$")]
OptionName = Annotated[str, StringConstraints(pattern=r"^\w{1,64}$")]
Text = Annotated[str, StringConstraints(max_length=2_000)]
Value = bool | int | float | Text | list[Text]


class Provider(BaseModel):
    """A provider with its options, without secrets."""

    model_config = ConfigDict(extra="forbid")

    provider: Name
    options: Annotated[dict[OptionName, Value], Field(max_length=32)] = {}

    def wanted(self, *fallback: Wanted) -> Wanted:
        return Wanted(self.provider, self.options, fallback)


class Choice(Provider):
    """Who shall serve a stage; in `fallback`, who takes over when it fails, in order."""

    fallback: Annotated[list[Provider], Field(max_length=8)] = []


@router.get("")
async def providers(request: Request) -> dict[str, Any]:
    """Every stage: who is chosen, who takes over, who else could be, and what each lacks. `file` is
    where a change is written; `problem` is why it cannot be read now, or null."""
    eloquence = await _warm(request)
    return await asyncio.to_thread(_described, eloquence)


@router.put("/{stage}")
async def choose(request: Request, who: Signed, stage: Stage, given: Choice) -> dict[str, Any]:
    """Changes who serves a stage, from the next conversation on; the stage as it is then, with
    `warnings`."""
    eloquence = await _warm(request)
    wanted = given.wanted(*(one.wanted() for one in given.fallback))
    # Where people sign in, an operator need not be somebody who may read the server's keys.
    anywhere = not eloquence.settings.accounts
    changed = await asyncio.to_thread(engines.use, stage, wanted, anywhere=anywhere)
    log.info("stage %s: %s chose %s", stage, who.id or "the operator", given.provider)
    return {**_stage(changed.described), "warnings": [asdict(one) for one in changed.warnings]}


@router.post("/{stage}/check")
async def check(request: Request, stage: Stage) -> dict[str, Any]:
    """Asks the vendors of a stage themselves, over the network: by provider and language, what
    they say."""
    eloquence = await _warm(request)
    found = await engines.probed(eloquence.settings, stage)
    return {
        provider: {language: asdict(one) for language, one in told.items()}
        for provider, told in found.items()
    }


async def _warm(request: Request) -> Eloquence:
    """The product, its engine loaded: two threads that import it at once would meet inside it."""
    eloquence: Eloquence = request.app.state.eloquence
    await (eloquence.rooms or eloquence).warm()
    return eloquence


def _described(eloquence: Eloquence) -> dict[str, Any]:
    settings, problem = eloquence.settings, eloquence.current.problem
    return {
        "file": str(sources.settings_file(settings.config)),
        "problem": None if problem is None else {"detail": problem.message, "mend": problem.mend},
        "stages": [_stage(engines.described(settings, stage)) for stage in STAGES],
    }


def _stage(told: Described) -> dict[str, Any]:
    shown = asdict(told)
    for offer in shown["offers"]:
        offer["options"] = [
            {
                "name": option["name"],
                "secret": option["secret"],
                "variables": option["variables"],
                "set_by": option["set_by"],
                "type": _kind(option["schema"]),
                "default": None if option["secret"] else option["schema"].get("default"),
                "minimum": option["schema"].get("minimum"),
                "maximum": option["schema"].get("maximum"),
                "values": option["schema"].get("enum"),
            }
            for option in offer["options"]
        ]
    return shown


def _kind(schema: dict[str, Any]) -> str:
    """`text`, `number`, `integer`, `boolean`, or `other` for what no single field can hold."""
    kinds = [one.get("type") for one in schema.get("anyOf", [schema])]
    known = {"string": "text", "number": "number", "integer": "integer", "boolean": "boolean"}
    return next((known[kind] for kind in kinds if kind in known), "other")
