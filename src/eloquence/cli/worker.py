"""`eloquence worker`: conversations in the rooms of a LiveKit server."""

import typer


def worker(
    host: str = typer.Option(None, help="Address of the health and the webhook."),
    port: int = typer.Option(None, help="Port of the same [default: 8080]."),
    most: int = typer.Option(None, "--max", help="Conversations that it holds at once."),
    idle: int = typer.Option(None, "--idle", help="Processes that it keeps ready."),
) -> None:
    """Hold conversations in LiveKit rooms, one process each. Ctrl+C lets them finish, a second one
    leaves them to other workers."""
    import asyncio
    import logging
    import os

    from eloquence.config import load
    from eloquence.observability import logs

    settings = load(worker_host=host, worker_port=port, max_conversations=most, idle_processes=idle)
    logs.configure(settings, console_level=logging.INFO)

    from eloquence.worker.work import work

    def started(port: int) -> None:
        typer.echo(f"Eloquence worker: health on port {port}.", err=True)

    asyncio.run(work(settings, started))
    logging.shutdown()
    os._exit(0)  # the engine's threads may still wait for processes that are gone
