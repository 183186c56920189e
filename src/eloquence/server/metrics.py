"""What an operator may know of the live sessions: how many, how long, how well they connect, and
how the plugins do.
Nothing of what is said, nor who says it."""

from datetime import UTC, datetime, timedelta
from typing import Any

from fastapi import APIRouter, Depends, Request

from eloquence.bootstrap import Eloquence
from eloquence.bootstrap.plugins import figures
from eloquence.errors import ConfigurationError
from eloquence.server.access import require
from eloquence.storage.requests import Live


async def enabled(request: Request) -> None:
    """Raises ConfigurationError where figures are switched off (MET-09)."""
    eloquence: Eloquence = request.app.state.eloquence
    if not eloquence.settings.enable_metrics:
        raise ConfigurationError(
            "Figures are switched off on this server.", mend="Set ENABLE_METRICS=true."
        )


router = APIRouter(prefix="/metrics", dependencies=[Depends(require("operator")), Depends(enabled)])


@router.get("/plugins")
async def plugins(request: Request) -> dict[str, Any]:
    """How many plugins are enabled, and the figures of each, of all processes together
    (PLG-09)."""
    eloquence: Eloquence = request.app.state.eloquence
    await eloquence.plugins.note()
    found = await figures(eloquence.settings.plugins, eloquence.store)
    return {
        "active_count": sum(one.enabled and not one.off for one in found),
        "plugins": [one.as_json() for one in found],
    }


@router.get("/sessions")
async def sessions(request: Request) -> dict[str, Any]:
    """The live sessions of all processes, and how today's (UTC) connected (SES-02, SES-03)."""
    eloquence: Eloquence = request.app.state.eloquence
    now = datetime.now(UTC)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    kept = now - timedelta(hours=eloquence.settings.metrics_retention_hours)
    requests = eloquence.store.requests
    live = await requests.live()
    connections = await requests.connections(max(midnight, kept).timestamp())
    return {
        "active_count": len(live),
        "sessions": [_shown(one, now.timestamp()) for one in live],
        "connections": {"succeeded": connections.succeeded, "failed": connections.failed},
        "timestamp": f"{now:%Y-%m-%dT%H:%M:%SZ}",
    }


def _shown(one: Live, now: float) -> dict[str, Any]:
    session = one.session
    return {
        "id": session.id,
        "exercise": session.exercise,
        "language": session.language,
        "started_at": session.started_at,
        "duration": max(0.0, now - session.started_at),
        "room": one.in_room,
        "held": one.held or not one.in_room,
        "recoveries": max(0, one.epoch - 1),
    }
