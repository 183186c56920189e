"""`eloquence serve`: the coach on this machine, one process."""

import typer


def serve(
    host: str = typer.Option(None, help="Address to listen on [default: 127.0.0.1]."),
    port: int = typer.Option(None, help="Port to listen on [default: 7881]."),
    open_page: bool = typer.Option(False, "--open", help="Open the page in the browser."),
) -> None:
    """Open the coach: one process, the page and the conversations."""
    import socket
    import threading
    import webbrowser

    import uvicorn

    from eloquence.cli._listening import listener
    from eloquence.config import load
    from eloquence.observability import logs

    settings = load(host=host, port=port)
    listening = listener(settings.host, settings.port, "eloquence serve")
    shown = "localhost" if settings.host in ("127.0.0.1", "::1") else settings.host
    address = f"http://{shown}:{listening.getsockname()[1]}/"
    typer.echo("Eloquence is starting …", err=True)

    from eloquence.server.app import create_app
    from eloquence.server.connections import PromptProtocol

    logs.configure(settings)
    app = create_app(settings)

    class Server(uvicorn.Server):
        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            if self.started:
                app.state.eloquence.stopping = True
            await super().shutdown(sockets)

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started:
                typer.echo(f"Eloquence: {address}  (Ctrl+C ends it)")
                if open_page:
                    threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()

    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        http=PromptProtocol,
        ws="websockets-sansio",
        ws_max_size=65_536,
        ws_max_queue=32,
        ws_ping_interval=10,
        ws_ping_timeout=10,
        ws_per_message_deflate=False,
        # Conversations in rooms are not held here: what comes is short.
        limit_concurrency=1024 if settings.in_rooms else settings.max_conversations + 64,
        proxy_headers=False,  # who asks is for eloquence.server.addresses to say
        timeout_graceful_shutdown=10,
        server_header=False,
    )
    server = Server(config)
    server.run(sockets=[listening])
    if not server.started:
        raise typer.Exit(1)
