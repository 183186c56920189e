"""What the services have in common: an application around one stage, and its health."""

import asyncio
import ipaddress
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Annotated, Literal, cast

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from pydantic import BaseModel
from starlette.requests import HTTPConnection

from eloquence import __version__
from eloquence.bootstrap.exposure import is_loopback
from eloquence.bootstrap.speech import Speech, speech
from eloquence.coaching.character import Language
from eloquence.config import Settings
from eloquence.errors import ConfigurationError, EloquenceError
from eloquence.providers.passing import Patience
from eloquence.registry import Readiness, Stage
from eloquence.server.guard import names
from eloquence.server.services._gate import Gate
from eloquence.server.services._problems import explained

log = logging.getLogger("eloquence.service")

LOOK_SECONDS = 5.0
"""How often what was lacking is looked for again."""

Warm = Callable[[Speech, Language], Awaitable[None]]


class Health(BaseModel):
    """Whether the service can do its work; `detail` says who does it, or what is lacking, and
    `mend` what to do about it."""

    status: Literal["ok", "unavailable"]
    service: Stage
    provider: str
    model: str
    ready: bool
    detail: str
    mend: str
    leaves_machine: str
    """The outside host that receives speech or text; empty when all stays on this machine."""


class Service:
    """One stage of these settings, made ready as soon as it can be."""

    def __init__(
        self,
        stage: Stage,
        speech: Speech,
        warm: Warm | None = None,
        patience: Patience | None = None,
        *,
        only: bool = False,
    ) -> None:
        self.stage = stage
        self.only = only
        """Whether the model is that of the settings, whichever is asked for."""
        self.speech = speech
        self.patience = patience or Patience()
        """For hosts that a request goes on to, and for language models."""
        self._warm = warm
        self._lacking: EloquenceError | None = None

    @property
    def language(self) -> Language:
        """The language of the settings."""
        return cast("Language", self.speech.settings.language)

    def health(self) -> Health:
        provider = self.speech.settings.stage(self.stage).provider
        try:
            chosen = self.speech.choice(self.stage, self.language)
        except ConfigurationError as error:
            readiness = Readiness(ready=False, detail=error.message, mend=error.mend)
        else:
            provider, readiness = chosen.provider.name, chosen.readiness
        told = readiness
        if readiness.ready and self._warm is not None:
            lacking = self._lacking
            told = Readiness(
                ready=False,
                detail=lacking.message if lacking else "It is being made ready.",
                mend=lacking.mend if lacking else "Try again in a moment.",
            )
        return Health(
            status="ok" if told.ready else "unavailable",
            service=self.stage,
            provider=provider,
            model=readiness.model,
            ready=told.ready,
            detail=told.detail,
            mend=told.mend,
            leaves_machine=readiness.leaves_machine,
        )

    async def prepare(self) -> None:
        """Loads what serves on this machine, as soon as it is there."""
        while self._warm is not None:
            with suppress(ConfigurationError):
                readiness = self.speech.choice(self.stage, self.language).readiness
                if readiness.leaves_machine:
                    self._warm = None
                elif readiness.ready:
                    await self._try(self._warm)
            if self._warm is not None:
                await asyncio.sleep(LOOK_SECONDS)

    async def _try(self, warm: Warm) -> None:
        try:
            await warm(self.speech, self.language)
        except EloquenceError as error:
            self._lacking = error
            log.warning("%s cannot be made ready: %s", self.stage, error.code)
        else:
            self._warm = self._lacking = None


def of(stage: Stage) -> Callable[[HTTPConnection], Awaitable[Service]]:
    """A dependency: the service of that stage, of the application that a route belongs to."""

    async def service(connection: HTTPConnection) -> Service:  # without a way to a thread and back
        services: Mapping[Stage, Service] = connection.app.state.services
        return services[stage]

    return service


Hearing = Annotated[Service, Depends(of("stt"))]
Answering = Annotated[Service, Depends(of("llm"))]
Speaking = Annotated[Service, Depends(of("tts"))]

common = APIRouter()


@common.head("/health", include_in_schema=False)
@common.get("/health")
async def health(request: Request, response: Response) -> Health:
    """Whether the service can serve (STT-03, LLM-05, TTS-03, X-12)."""
    (served,) = request.app.state.services.values()
    found: Health = served.health()
    response.status_code = 200 if found.ready else 503
    return found


@common.head("/live", include_in_schema=False)
@common.get("/live")
async def live() -> dict[str, str]:
    """Whether the process is alive."""
    return {"status": "ok"}


def _known(settings: Settings) -> Callable[[str], bool]:
    """Whether a service may be asked under a name: that of this machine, and those of the settings.
    What listens to others too is also asked by an address, or by a name without a dot as containers
    have: no page can come from there, for nobody can register either."""
    known = names(settings)
    to_others = not is_loopback(settings.host)

    def is_known(name: str) -> bool:
        return name in known or (to_others and _is_plain(name))

    return is_known


def _is_plain(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return bool(name) and "." not in name
    return True


def application(
    stage: Stage,
    settings: Settings,
    router: APIRouter,
    *,
    most_bytes: int,
    at_once: int,
    warm: Warm | None = None,
    patience: Patience | None = None,
) -> FastAPI:
    """The service of one stage: its routes, its health, and what protects it. `warm` uses the
    stage once, so that whoever comes first need not wait for models to be loaded; `patience` is
    for hosts that requests go on to, and for language models."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with speech(settings) as stages:
            service = Service(stage, stages, warm, patience)
            app.state.services = {stage: service}
            preparing = asyncio.create_task(service.prepare())
            try:
                yield
            finally:
                preparing.cancel()
                await asyncio.wait([preparing])

    app = FastAPI(
        title=f"Eloquence: {stage}",
        version=__version__,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
    )
    app.add_middleware(Gate, most_bytes=most_bytes, at_once=at_once, known=_known(settings))
    explained(app)
    app.include_router(router)
    app.include_router(common)
    return app
