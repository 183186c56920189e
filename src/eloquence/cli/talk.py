"""`eloquence talk`: a conversation at the terminal, with the sound card or with files."""

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from eloquence.config import Settings
    from eloquence.protocol import Hello, ServerMessage
    from eloquence.transports.client import Client


def talk(
    exercise: str = typer.Option("", "--exercise", help="Id of the exercise."),
    scenario: str = typer.Option(None, help="Id of a scene of the exercise."),
    language: str = typer.Option("fr", help="fr or en."),
    input_: Path = typer.Option(
        None, "--input", help="A recording that speaks for you, in real time."
    ),
    output: Path = typer.Option(None, "--output", help="Where to write what you would hear."),
    report: Path = typer.Option(
        None, "--report", help="Folder for the report as HTML, PDF, JSON and CSV."
    ),
    patience: float = typer.Option(None, help="Seconds of silence that end an unfinished turn."),
    keep_audio: bool = typer.Option(False, "--keep-audio", help="Keep the sound on this machine."),
    warm_up: bool = typer.Option(False, "--warm-up", help="Begin with an unscored easy question."),
    exam: bool = typer.Option(False, "--exam", help="No hints and no encouragement."),
    goal: str = typer.Option("", "--goal", help="The measure to work on, e.g. filled_pauses."),
    hints: bool = typer.Option(True, "--hints/--no-hints", help="Show a hint when blocked."),
    profile: str = typer.Option(
        "native", help="Whose norms: native, learner, speech_difference or child."
    ),
    of: str = typer.Option("", "--of", help="The session of a drill or a second try."),
    drill: str = typer.Option("", "--drill", help="Id of a drill, of the session --of."),
    retry: int = typer.Option(None, "--retry", help="Turn of the session --of to try again."),
) -> None:
    """Talk with a character here: with the microphone, or with a recording as the microphone."""
    import asyncio

    from pydantic import ValidationError

    from eloquence.config import load
    from eloquence.errors import ConfigurationError
    from eloquence.observability import logs
    from eloquence.protocol import Hello

    if not (exercise or of):
        raise ConfigurationError(
            "Say what to practise: --exercise, or --of with --drill or --retry.",
            mend="`eloquence exercises list` shows the exercises.",
        )
    try:
        hello = Hello(
            exercise=exercise,
            scenario=scenario,
            language=language,
            patience=patience,
            keep_audio=keep_audio,
            warm_up=warm_up,
            exam=exam,
            goal=goal,
            hints=hints,
            profile=profile,
            of=of,
            drill=drill,
            retry=retry,
        )
    except ValidationError as error:
        wrong = error.errors()[0]
        raise ConfigurationError(f"Option {wrong['loc'][0]}: {wrong['msg']}.") from error
    settings = load()
    logs.configure(settings)
    asyncio.run(_talk(settings, hello, input_, output, report))


async def _talk(
    settings: "Settings",
    hello: "Hello",
    input_: Path | None,
    output: Path | None,
    report: Path | None,
) -> None:
    import asyncio

    from eloquence.bootstrap import opened
    from eloquence.storage.export import write_report
    from eloquence.transports import memory
    from eloquence.transports.client import Client

    async with opened(settings) as eloquence:
        server, line = memory.pair()
        if input_ is None:
            from eloquence.transports.soundcard import Soundcard

            typer.echo("Speak when you like; Ctrl+C ends the conversation.", err=True)
            place: Soundcard | Recorded = Soundcard()
        else:
            place = await Recorded.read(input_)
        with place:
            client = Client(
                line,
                hello,
                microphone=place.microphone(lambda: client),
                sink=place.hear,
                on_message=lambda message: _take(message, client),
            )
            serving = asyncio.create_task(eloquence.serve(server))
            try:
                with _ending_on_interrupt(client):
                    ended = await client.run()
            finally:
                line.close()
                await serving
        if output is not None:
            place.write(output)
            typer.echo(f"Wrote {output}", err=True)
        if report is not None:
            await eloquence.reports.judged(ended.session)
            made = await eloquence.reports.report(ended.session)
            written = ", ".join(path.name for path in write_report(made, report))
            typer.echo(f"Wrote {written} in {report}", err=True)
        typer.echo(f"Session {ended.session} ({ended.status}, {ended.reason})", err=True)


@contextmanager
def _ending_on_interrupt(client: "Client") -> "Iterator[None]":
    """The first Ctrl+C ends the conversation as the learner's wish; the second breaks it off."""
    import asyncio
    import signal

    from eloquence.protocol import End

    loop = asyncio.get_running_loop()
    ending: list[asyncio.Task[None]] = []

    def end() -> None:
        loop.remove_signal_handler(signal.SIGINT)
        ending.append(asyncio.ensure_future(client.send(End())))

    try:
        loop.add_signal_handler(signal.SIGINT, end)
    except NotImplementedError:  # Windows: Ctrl+C breaks it off
        yield
        return
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGINT)


async def _take(message: "ServerMessage", client: "Client") -> None:
    """Shows the message; after a pause that was asked for by voice, goes on at the next Enter, at
    once where the keyboard cannot be waited for."""
    import asyncio
    import sys

    from eloquence.protocol import Resume, StateChanged

    _show(message)
    if not (isinstance(message, StateChanged) and message.state == "paused"):
        return
    loop = asyncio.get_running_loop()
    going_on: list[asyncio.Task[None]] = []

    def entered() -> None:
        loop.remove_reader(sys.stdin)
        sys.stdin.readline()
        going_on.append(asyncio.ensure_future(client.send(Resume())))

    try:
        if not sys.stdin.isatty():
            raise NotImplementedError
        loop.add_reader(sys.stdin, entered)
        typer.echo("Paused: Enter goes on.", err=True)
    except NotImplementedError:  # no keyboard, or Windows, whose loop does not read it
        await client.send(Resume())


def _show(message: "ServerMessage") -> None:
    from eloquence import protocol

    match message:
        case protocol.Ready(character=name, title=title, stages=stages, task=task):
            typer.echo(f"{title}, {name}", err=True)
            if task:
                typer.echo(task, err=True)
            for stage, status in stages.items():
                outside = f" → {status.leaves_machine}" if status.leaves_machine else ""
                typer.echo(f"  {stage}: {status.provider}{outside} — {status.detail}", err=True)
        case protocol.Caption(speaker=speaker, text=text, final=True, interrupted=cut) if text:
            mark = "●" if speaker == "learner" else "○"
            typer.echo(f"{mark} {text}{' —' if cut else ''}")
        case protocol.Notice(message=told):
            typer.echo(told, err=True)
        case protocol.PhaseChanged(phase="exercise"):
            typer.echo("— the warm-up is over —", err=True)
        case protocol.LevelChanged(level=level, highest=highest):
            typer.echo(f"— level {level} of {highest} —", err=True)
        case protocol.Hint(text=text):
            typer.echo(f"→ {text}", err=True)
        case protocol.Mark(text=word, count=count):
            typer.echo(f"\a! {word} ({count})", err=True)
        case _:
            pass


class Recorded:
    """A recording in place of the microphone; what is heard is collected for a file."""

    def __init__(self, pcm: bytes) -> None:
        self._pcm = pcm
        self._heard = bytearray()

    @classmethod
    async def read(cls, path: Path) -> "Recorded":
        """Raises RecordingError when the file cannot be read as sound."""
        from eloquence.storage.decoding import decode

        return cls((await decode(path)).samples[:].astype("<i2").tobytes())

    def __enter__(self) -> "Recorded":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    async def microphone(self, client: "Callable[[], Client]") -> "AsyncIterator[bytes]":
        """Silence until the character has spoken, the recording, then silence until it has
        answered; then the conversation is ended."""
        import asyncio
        import time

        from eloquence import protocol

        frame = protocol.INPUT_FRAME * 2
        began, sent = time.perf_counter(), 0
        at, quiet, opened_ = 0, 0.0, False
        while True:
            sent += 1
            await asyncio.sleep(max(0.0, began + sent * 0.02 - time.perf_counter()))
            held = client()
            if opened_ and at < len(self._pcm):
                yield self._pcm[at : at + frame].ljust(frame, b"\0")
                at += frame
                continue
            yield bytes(frame)
            idle = held.state == "listening" and not held.playing
            opened_ = opened_ or (idle and bool(held.heard.first_sound))
            quiet = quiet + 0.02 if idle and at >= len(self._pcm) else 0.0
            if quiet >= _LAST_WAIT:
                await held.send(protocol.End())
                return

    def hear(self, pcm: bytes | None) -> None:
        from eloquence.protocol import OUTPUT_RATE

        self._heard += pcm or bytes(int(OUTPUT_RATE * 0.02) * 2)

    def write(self, path: Path) -> None:
        """WAV, PCM16 mono at 24 kHz, on the clock of the conversation."""
        import numpy as np
        import soundfile

        from eloquence.protocol import OUTPUT_RATE

        soundfile.write(path, np.frombuffer(bytes(self._heard), dtype="<i2"), OUTPUT_RATE)


_LAST_WAIT = 6.0
"""Seconds after the recording in which the character may still begin to answer."""
