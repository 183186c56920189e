"""`eloquence service`: each stage of a conversation for any program, over HTTP."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from fastapi import FastAPI

    from eloquence.config import Settings

app = typer.Typer(
    help="One stage over HTTP: hearing (stt), answering (llm) or speaking (tts).",
    no_args_is_help=True,
)

Host = Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 in a container.")]
AtOnce = Annotated[int, typer.Option(min=1, help="Requests that are answered at once.")]
LOOPBACK = "127.0.0.1"


@app.command("stt")
def stt(
    host: Host = LOOPBACK,
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port to listen on.")] = 8000,
    at_once: AtOnce = 16,
) -> None:
    """Write down what is said: POST /transcribe, a recording in the form's field file.

    Also POST /v1/audio/transcriptions, as OpenAI's clients ask for it, and a WebSocket at / and /ws
    that speaks vosk-server's protocol.
    """
    from eloquence.server.services import stt as service

    _serve(lambda settings: service.create_app(settings, at_once=at_once), "stt", host, port)


@app.command("llm")
def llm(
    host: Host = LOOPBACK,
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port to listen on.")] = 8001,
    at_once: AtOnce = 128,
) -> None:
    """Answer: POST /v1/chat/completions, by the language model of the settings.

    Where none is named it is the host of MISTRAL_BASE_URL or OPENAI_BASE_URL, or the one whose key
    is there: SCALEWAY_SECRET_KEY, MISTRAL_API_KEY or OPENAI_API_KEY. To a host that speaks
    OpenAI's protocol a chat goes on as it came, with the host's key.
    """
    from eloquence.server.services import llm as service

    _serve(lambda settings: service.create_app(settings, at_once=at_once), "llm", host, port)


@app.command("tts")
def tts(
    host: Host = LOOPBACK,
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port to listen on.")] = 5002,
    at_once: AtOnce = 8,
) -> None:
    """Speak: POST /api/tts, JSON with text, voice, model and format.

    The format is mp3, wav, opus, ogg, flac, aac or pcm. Also POST /v1/audio/speech, as OpenAI's
    clients ask for it.
    """
    from eloquence.server.services import tts as service

    _serve(lambda settings: service.create_app(settings, at_once=at_once), "tts", host, port)


def _serve(create: "Callable[[Settings], FastAPI]", name: str, host: str, port: int) -> None:
    import socket

    import uvicorn

    from eloquence.cli._listening import listener
    from eloquence.config import load
    from eloquence.observability import logs
    from eloquence.server.connections import PromptProtocol

    settings = load().model_copy(update={"host": host})
    listening = listener(host, port, f"eloquence service {name}")
    logs.configure(settings)
    config = uvicorn.Config(
        create(settings),
        log_config=None,
        access_log=False,
        http=PromptProtocol,
        ws="websockets-sansio",
        ws_max_size=1 << 20,  # as vosk-server's own
        ws_max_queue=4,
        ws_ping_interval=20,
        ws_ping_timeout=20,
        ws_per_message_deflate=False,
        timeout_graceful_shutdown=10,
        server_header=False,
    )

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started:
                typer.echo(f"Eloquence {name}: http://{host}:{listening.getsockname()[1]}/")

    server = Server(config)
    server.run(sockets=[listening])
    if not server.started:
        raise typer.Exit(1)
