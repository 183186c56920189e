"""How long a learner sits in silence when a service fails, and what becomes of the words.

    python -m benchmarks.silence [--only llm:hang …] [--n 8] [--at-once 4] [--seed 1]
                                [--record FILE]

Each conversation is the product's own, in real time, with its voice-activity and end-of-turn
models. Recogniser, language model and voice are real clients of services on this machine that fail
on purpose (`eloquence chaos`), or the line to it does (toxiproxy): the first one of each stage
fails, the second one is well. What counts is the learner's ear: the longest silence from the end
of what they said to the end of the answer, in the two turns during the fault and in the one after
it. The chosen patience (0.5 s) is part of it.
"""

import argparse
import asyncio
import json
import logging
import os
import platform
import random
import re
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import numpy as np

from benchmarks.conversation import sentences
from eloquence import protocol
from eloquence.bootstrap import opened
from eloquence.bootstrap.speech import speech
from eloquence.config import load
from eloquence.delivery import sound
from eloquence.ops.chaos import MODES, Mode, Services, Word
from eloquence.registry import STAGES, Stage
from eloquence.testing import parts
from eloquence.testing.learner import Learner
from eloquence.transports import memory

EXERCISE = "conversation_libre_marie"
REPLY = (
    "Merci, votre réponse est claire et je la comprends bien. Vous avez parlé de votre travail "
    "avec précision. Pouvez-vous maintenant me raconter une journée, du matin jusqu’au soir ?"
)
HEARD = (Word("je", 0.1, 0.3), Word("parle", 0.3, 0.7), Word("de", 0.7, 0.8), Word("lui", 0.8, 1.2))
_LOUD = 10 ** (-50 / 20) * 32_768
_FRAME = protocol.OUTPUT_RATE // 50
_PAUSE, _LEAST = 0.25, 1.2
_TURN = 60.0
"""Seconds after which a turn that was not answered counts as silent: more than an answer without
end is listened to."""
FAULTS = tuple(mode for mode in MODES if mode != "ok")
NETWORK: dict[str, tuple[str, Any]] = {
    "down": ("", {}),
    "no_answer": ("timeout", {"timeout": 0}),
    "reset": ("reset_peer", {"timeout": 0}),
    "latency": ("latency", {"latency": 800, "jitter": 200}),
    "narrow": ("bandwidth", {"rate": 1}),
    "cut_mid": ("limit_data", {"bytes": 2_500}),
}
"""Faults of the line to the first provider, by toxiproxy: what is added to it. `down` refuses and
ends what is connected."""


@dataclass
class Turn:
    """One turn of a learner during a fault."""

    first: float
    """Seconds from the end of what they said to the first sound."""
    longest: float
    """The longest silence from there to the end of the answer."""
    said: str
    """What was understood of the learner."""
    answer: str


@dataclass
class Cell:
    """All turns of a fault in a stage."""

    stage: Stage
    mode: str
    """A mode of the service, or one of `NETWORK`."""
    turns: list[Turn] = field(default_factory=list)
    after: list[Turn] = field(default_factory=list)
    """The turns after the service was well again."""
    closed: int = 0
    """Conversations that ended by the fault."""
    silent: int = 0
    wrong: int = 0
    """Answers with a word too many or too few, and turns of the learner with a wrong word."""


class Reader:
    """Speaks with the product's own local voice, once for each text, and knows its word times."""

    def __init__(self, voice: Callable[[str], Awaitable[bytes]]) -> None:
        self._voice = voice
        self._known: dict[str, asyncio.Task[bytes]] = {}

    async def __call__(self, text: str) -> bytes:
        if text not in self._known:
            self._known[text] = asyncio.create_task(self._speak(text))
        return await asyncio.shield(self._known[text])

    async def _speak(self, text: str) -> bytes:
        return await self._voice(text)


async def _voice(stages: "AsyncExitStack") -> Reader:
    hearing = await stages.enter_async_context(speech(load(tts="espeak")))

    async def voice(text: str) -> bytes:
        async with hearing.spoken(text, "fr") as spoken:
            return b"".join([piece async for piece in spoken.pieces])

    return Reader(voice)


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def silences(sound: bytes, begins: int, ends: int) -> tuple[float, float]:
    """First sound and longest silence, in seconds, between two positions (bytes) of PCM16."""
    samples = np.frombuffer(sound[begins:ends][: (ends - begins) // 2 * 2], np.int16)
    frames = samples[: samples.size // _FRAME * _FRAME].reshape(-1, _FRAME).astype(float)
    loud = np.sqrt((frames**2).mean(axis=1)) > _LOUD
    marks = np.flatnonzero(loud)
    if marks.size == 0:
        return len(loud) / 50, len(loud) / 50
    gaps = np.diff(np.concatenate(([-1], marks))) - 1
    return float(marks[0] / 50), float(gaps.max() / 50)


async def conversation(
    cell: Cell, pcm: bytes, reader: Reader, chance: random.Random, opening: asyncio.Lock
) -> None:
    """Two turns while everything is well, two during the fault, one after it."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="eloquence-silence-")))
        failing, well = (
            Services(reply=REPLY, transcript=HEARD, speaker=reader, token_seconds=0.01)
            for _ in range(2)
        )
        await stack.enter_async_context(failing)
        await stack.enter_async_context(well)
        fault = _Fault(cell, failing)
        if cell.mode in NETWORK:
            lines = await stack.enter_async_context(parts.toxiproxy())
            fault.line = await lines.to(failing.url.removeprefix("http://"))
        settings = load(
            data=folder,
            stt=_chain("vosk", "url", f"ws://{fault.address('stt')}", well.websocket_url),
            llm=_chain("openai", "base_url", f"http://{fault.address('llm')}/v1", f"{well.url}/v1"),
            tts=_chain("openai", "base_url", f"http://{fault.address('tts')}/v1", f"{well.url}/v1"),
        )
        async with opening:  # two stores are not made at once in one process
            product = await stack.enter_async_context(opened(settings))
        learner = Learner(protocol.Hello(exercise=EXERCISE, patience=0.5, hints=False))
        server, client = memory.pair()
        serving = asyncio.create_task(product.serve(server))
        try:
            ended = await learner.talk(client, partial(_script, cell, pcm, fault, chance))
            cell.closed += ended.status == "failed"
        except* Exception as group:
            print("  ", cell.stage, cell.mode, repr(group.exceptions[0])[:200], flush=True)
            cell.closed += 1
        finally:
            client.close()
            await serving


@dataclass
class _Fault:
    """What fails in a conversation: a service, or the line to it."""

    cell: Cell
    failing: Services
    line: parts.Proxy | None = None

    def address(self, stage: Stage) -> str:
        """Where the first provider of that stage is."""
        if self.line is not None and stage == self.cell.stage:
            return self.line.address
        return self.failing.url.removeprefix("http://")

    async def begin(self) -> None:
        if self.line is None:
            self.failing.modes[self.cell.stage] = cast("Mode", self.cell.mode)
            return
        kind, how = NETWORK[self.cell.mode]
        if not kind:
            await self.line.cut()
        else:
            await self.line.add(kind, **how)

    async def end(self) -> None:
        self.failing.modes[self.cell.stage] = "ok"
        if self.line is not None:
            await self.line.mend()


async def _script(
    cell: Cell, pcm: bytes, fault: _Fault, chance: random.Random, learner: Learner
) -> None:
    await learner.quiet()
    await _turn(learner, pcm)
    await asyncio.sleep(chance.uniform(0.0, 1.0))
    await fault.begin()
    for _ in range(2):
        turn = await _turn(learner, pcm)
        _judge(cell, turn)
        cell.turns.append(turn)
        await asyncio.sleep(chance.uniform(0.2, 1.0))
    await fault.end()
    cell.after.append(await _turn(learner, pcm))


async def _turn(learner: Learner, pcm: bytes) -> Turn:
    stored = learner.count("turn_stored", speaker="character")
    captions = len(learner.said("caption", final=True))
    await learner.say(pcm)
    begins = len(learner.sound)
    with suppress(TimeoutError):
        await learner.until(
            lambda: (
                learner.count("turn_stored", speaker="character") > stored
                and not learner.client.playing
            ),
            within=_TURN,
        )
    told = learner.said("caption", final=True)[captions:]
    first, longest = silences(bytes(learner.sound), begins, len(learner.sound))
    return Turn(
        first=first,
        longest=longest,
        said=" ".join(one.text for one in told if one.speaker == "learner"),  # type: ignore[union-attr]
        answer=" ".join(one.text for one in told if one.speaker == "character"),  # type: ignore[union-attr]
    )


def _judge(cell: Cell, turn: Turn) -> None:
    """Counts what must not be: no sound at all, and words too many or too few."""
    if not turn.answer or turn.first >= _TURN - 1:
        cell.silent += 1
    elif not _whole(words(turn.answer)) and (cell.stage, cell.mode) != ("llm", "endless"):
        cell.wrong += 1
    if cell.stage == "stt" and words(turn.said) not in ([word.text for word in HEARD], []):
        cell.wrong += 1


def _whole(heard: list[str]) -> bool:
    """Whether the answer has the whole reply once, whatever was said before it, or nothing of it:
    then the exercise's own line was said."""
    reply = words(REPLY)
    runs = [tuple(heard[at : at + 3]) for at in range(len(heard) - 2)]
    of_reply = [tuple(reply[at : at + 3]) for at in range(len(reply) - 2)]
    found = [run for run in runs if run in of_reply]
    return not found or (found == of_reply and heard[-len(reply) :] == reply)


def _chain(provider: str, option: str, first: str, second: str) -> dict[str, object]:
    more = {} if provider == "vosk" else {"api_key": "none"}
    return {
        "provider": provider, option: first, **more,
        "fallback": [{"provider": provider, option: second, **more}],
    }  # fmt: skip


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(share * (len(ordered) - 1)))]


def phrases() -> list[bytes]:
    """The ends of recorded sentences, from the last pause on that could be taken for an end."""
    found = []
    for pcm in sentences():
        samples = (np.frombuffer(pcm, np.int16) / 32_768).astype(np.float32)
        speech = sound.measure(samples, protocol.INPUT_RATE).speech
        begins = [after for (_, end), (after, _) in pairwise(speech) if after - end >= _PAUSE]
        begun = begins[-1] if begins else 0.0
        if speech[-1][1] - begun >= _LEAST:
            found.append(pcm[int(begun * protocol.INPUT_RATE) * 2 :])
    return found


async def measure(
    cells: list[Cell], n: int, at_once: int, seed: int, done: Callable[[Cell], None]
) -> None:
    """Holds `n` conversations of each cell, so many at once; `done` is told of each whole cell."""
    spoken = phrases()
    async with AsyncExitStack() as stack:
        reader = await _voice(stack)
        limit, opening = asyncio.Semaphore(at_once), asyncio.Lock()

        async def one(cell: Cell, number: int) -> None:
            async with limit:
                chance = random.Random(f"{seed} {cell.stage} {cell.mode} {number}")
                await conversation(cell, spoken[number % len(spoken)], reader, chance, opening)

        async def all_of(cell: Cell) -> None:
            await asyncio.gather(*(one(cell, number) for number in range(n)))
            done(cell)

        async with asyncio.TaskGroup() as tasks:
            for cell in cells:
                tasks.create_task(all_of(cell))


def row(cell: Cell) -> str:
    longest = [turn.longest for turn in cell.turns] or [0.0]
    first = [turn.first for turn in cell.turns] or [0.0]
    after = [turn.longest for turn in cell.after] or [0.0]
    figures = (f"{percentile(x, s):.2f}" for x in (first, longest) for s in (0.5, 0.95))
    f50, f95, l50, l95 = figures
    return (
        f"| {cell.stage} | `{cell.mode}` | {len(cell.turns)} | {f50} / {f95} | {l50} / {l95} | "
        f"{percentile(after, 0.95):.2f} | {cell.silent} | {cell.wrong} | {cell.closed} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", default=[], help="stage:mode")
    parser.add_argument("--n", type=int, default=8, help="conversations of each fault")
    parser.add_argument("--at-once", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--record", type=Path, help="file for every turn, a JSON object a line")
    asked = parser.parse_args()
    logging.disable(logging.CRITICAL)  # every fault would be told
    cells = [Cell(stage, mode) for stage in STAGES for mode in (*FAULTS, *NETWORK)]
    record = asked.record.open("a") if asked.record else None
    chosen = [one for one in cells if not asked.only or f"{one.stage}:{one.mode}" in asked.only]
    load_ = os.getloadavg()[0]
    print(f"{platform.machine()}, {os.cpu_count()} cores, load {load_:.1f}, seed {asked.seed}")
    print(
        "| stage | fault | turns | first sound (s, p50 / p95) | longest silence (s, p50 / p95) | "
        "after it (p95) | silent turns | wrong words | closed |\n" + "|---" * 9 + "|"
    )

    def done(cell: Cell) -> None:
        print(row(cell), flush=True)
        if record is not None:
            for turn in (*cell.turns, *cell.after):
                told = {"stage": cell.stage, "mode": cell.mode, **asdict(turn)}
                print(json.dumps(told, ensure_ascii=False), file=record, flush=True)

    asyncio.run(measure(chosen, asked.n, asked.at_once, asked.seed, done))


if __name__ == "__main__":
    main()
