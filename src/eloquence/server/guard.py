"""Who may talk to the server: the page that it served itself, under a name that it knows.

A page of another origin could otherwise use the learner's browser to reach a coach that listens
on this machine, and a foreign name could be bound to its address (DNS rebinding). A program that
sends an API key says no origin, and needs none.

What listens on more than this machine stands behind a proxy that speaks TLS: without it no browser
gives a page the microphone, and keys and cookies would travel in the clear.
"""

from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from eloquence.config import Settings

_LOCAL = frozenset({"127.0.0.1", "localhost", "::1"})
_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_MOST_BODY = 64 * 1024
_YEAR = 365 * 86_400
_FRESH = ("/api/", "/v1/", "/token", "/transcribe", "/metrics/", "/health")
"""Where answers are that nobody may keep."""
_ANY_ADDRESS = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared with, not bound to

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; connect-src 'self' ws: wss:; style-src 'self'; script-src 'self'; "
        "img-src 'self' data:; media-src 'self' blob:; worker-src 'self'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    ),
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_REPORT = (
    HEADERS["Content-Security-Policy"]
    .replace("script-src 'self'", "script-src 'unsafe-inline'")
    .replace("style-src 'self'", "style-src 'unsafe-inline'")
    .replace("media-src 'self' blob:", "media-src data:")
)
"""A report is one self-contained file; it may reach nothing at all."""


class Guard:
    """Refuses foreign hosts and origins and oversized bodies; adds the security headers.

    `programs` are paths that programs use as well, which say no origin: how much may be sent to
    these is for others to see.
    """

    def __init__(
        self, app: ASGIApp, settings: Settings, programs: frozenset[str] = frozenset()
    ) -> None:
        self._app = app
        self._programs = programs
        self._names = names(settings)
        self._public = _place(settings.public_url)
        self._secure = settings.public_url.startswith("https://")
        self._headers = HEADERS | {"Content-Security-Policy": policy(settings)}
        if self._secure:
            self._headers["Strict-Transport-Security"] = f"max-age={_YEAR}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refusal = self._refusal(scope, headers)
        if refusal is not None:
            await self._refuse(scope, receive, send, *refusal)
            return
        if scope["type"] == "websocket":
            await self._app(scope, receive, send)
            return

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                ours = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    ours.setdefault(name, value)
                if str(scope["path"]).endswith("/report.html"):
                    ours["Content-Security-Policy"] = _REPORT
                if str(scope["path"]).startswith(_FRESH):
                    ours.setdefault("Cache-Control", "no-store")
                else:
                    ours.setdefault("Cache-Control", "no-cache")
            await send(message)

        await self._app(scope, receive, sending)

    def _refusal(self, scope: Scope, headers: Headers) -> tuple[int, str, str] | None:
        if asked_as(headers) not in self._names:
            return (
                403,
                "This name is not one of this server's.",
                "Open the page as http://localhost, or add the name to ELOQUENCE_ALLOWED_HOSTS.",
            )
        origin = headers.get("origin")
        for_programs = scope["path"] in self._programs
        changing = scope["type"] == "websocket" or scope["method"] not in _READING or for_programs
        if origin is None and scope["type"] == "websocket" and not for_programs:
            return 403, "A conversation is opened from the page itself.", ""
        ours = {headers.get("host", "").lower(), self._public} - {""}
        theirs = origin is not None and (_place(origin) not in ours or self._is_plain(origin))
        if changing and theirs:
            return 403, "This request comes from another site's page.", ""
        if for_programs:
            return None
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > _MOST_BODY or "transfer-encoding" in headers:
            return 413, "The request is too large.", ""
        return None

    def _is_plain(self, origin: str) -> bool:
        """Whether that is our own page's name without its TLS, which anybody on the way can be."""
        own = self._secure and _place(origin) == self._public
        return own and not origin.lower().startswith("https://")

    async def _refuse(
        self, scope: Scope, receive: Receive, send: Send, status: int, detail: str, mend: str
    ) -> None:
        body = {
            "type": "urn:eloquence:error:refused",
            "title": "Refused",
            "status": status,
            "detail": detail,
            "code": "refused",
            "mend": mend,
        }
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": detail})
            return
        response = JSONResponse(body, status, media_type="application/problem+json")
        await response(scope, receive, send)


def names(settings: Settings) -> frozenset[str]:
    """The names, and addresses, under which what listens as the settings say may be asked."""
    found = set(_LOCAL) | {name.lower() for name in settings.allowed_hosts}
    if settings.host not in _ANY_ADDRESS:
        found.add(settings.host.lower())
    if settings.public_url:
        found.add(_name(settings.public_url))
    return frozenset(found)


def asked_as(headers: Headers) -> str:
    """The name under which a request asks for us; empty when it says none."""
    return _name(f"//{headers.get('host', '')}")


def policy(settings: Settings) -> str:
    """What the page may load and reach: in rooms, besides this server, LiveKit's and nothing
    else."""
    page = HEADERS["Content-Security-Policy"]
    if not settings.in_rooms:
        return page
    livekit = urlsplit(settings.livekit_public_url or settings.livekit_url)
    safe = "s" if livekit.scheme in ("wss", "https") else ""
    # Its client asks over HTTP why a socket was refused.
    reached = f"ws{safe}://{livekit.netloc} http{safe}://{livekit.netloc}"
    return page.replace("connect-src 'self' ws: wss:", f"connect-src 'self' {reached}")


def _place(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def _name(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").lower()
    except ValueError:
        return ""
