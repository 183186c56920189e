"""`eloquence chaos`: services that fail on purpose, to see what a conversation makes of it."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from eloquence.ops.chaos import Services


def chaos(
    mode: Annotated[
        str, typer.Argument(help="How every service answers: ok, hang, 500, stall_mid …")
    ] = "ok",
    stt: Annotated[str, typer.Option(help="How the recogniser answers instead.")] = "",
    llm: Annotated[str, typer.Option(help="How the language model answers instead.")] = "",
    tts: Annotated[str, typer.Option(help="How the voice answers instead.")] = "",
    share: Annotated[
        float, typer.Option(min=0, max=1, help="Share of the requests that meet their mode.")
    ] = 1.0,
    seed: Annotated[int, typer.Option(help="Which requests those are.")] = 0,
    retry_after: Annotated[str, typer.Option(help="What a 429 asks in Retry-After.")] = "",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port; 0 takes a free one.")] = 9009,
) -> None:
    """Services on this machine that fail on purpose: chat, speech, transcription and a vosk socket.

    Point the product at them with the variables that are printed, talk, and change the modes while
    it goes on: GET and PUT /chaos. They hear nothing and know nothing: what they say is fixed.
    """
    import asyncio
    from contextlib import suppress

    from eloquence.ops.chaos import MODES, Services

    chosen = {"stt": stt, "llm": llm, "tts": tts}
    for wanted in (mode, *filter(None, chosen.values())):
        if wanted not in MODES:
            raise typer.BadParameter(f"There is no mode {wanted!r}. Known: {', '.join(MODES)}.")
    services = Services(
        mode=mode,  # type: ignore[arg-type]
        modes={stage: how for stage, how in chosen.items() if how},  # type: ignore[misc]
        share=share,
        seed=seed,
        retry_after=retry_after,
        port=port,
        keep=False,
    )
    with suppress(KeyboardInterrupt):
        asyncio.run(_serve(services))


async def _serve(services: "Services") -> None:
    import asyncio

    async with services:
        typer.echo(f"""Services that fail on purpose: {services.url}

  OPENAI_BASE_URL={services.url}/v1 OPENAI_API_KEY=none VOSK_STT_URL={services.websocket_url} \\
  ELOQUENCE_STT=vosk ELOQUENCE_LLM=openai ELOQUENCE_TTS=openai eloquence serve --open

  curl {services.url}/chaos
  curl -X PUT {services.url}/chaos -d '{{"llm": "stall_mid"}}'
""")
        await asyncio.Event().wait()
