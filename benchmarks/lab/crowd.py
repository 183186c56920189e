"""Learners in rooms, in a process of their own: they talk, listen, and tell what they heard.

    python -m benchmarks.lab.crowd '{"servers": [...], "learners": 2, "seed": 1, ...}'

Each holds one session after another. Standard output takes one JSON object a line for each event
(`events`), times being CLOCK_MONOTONIC, which all processes of a machine share; standard input
takes orders: `renew N` ends the session of learner N and begins another, `stop` ends them all.

    asked      a session is asked for                 given      it was, with its id
    refused    it was not: status                     joined     the room was joined: how often
    coach      a coach is in the room: identity       coach_gone
    track      its sound track is there: identity     track_gone
    sound      audible sound began: identity          silence    it ended, 0.3 s ago
    speak      the learner begins a sentence          spoken     … has said it
    message    what the coach sent: type and a few of its fields
    reconnecting, reconnected, disconnected           the line
    left       the learner is out of the session: why
"""

import asyncio
import json
import random
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import soundfile
import soxr
from livekit import rtc
from livekit.rtc.participant import PublishDataError
from numpy.typing import NDArray

from eloquence import protocol
from eloquence.delivery import sound
from eloquence.testing.room_learner import AUDIBLE, RoomLearner
from eloquence.testing.speech import synthetic

Tell = Callable[..., None]
EXERCISE = "conversation_libre_marie"
HUSH = 0.3
"""Seconds without audible sound after which a sound is over."""
_SAID = ("J’aime marcher le soir au bord de la mer.", "Ma sœur habite à Lyon depuis deux ans.")
_PAUSE = (0.6, 1.6)
"""Seconds of the coach's silence after which a learner speaks."""
_UNANSWERED = 8.0
"""Seconds without an answer after which they speak again."""
_LOOKING = 10
"""Seconds between two questions to the server where the coach is, when it is not in the room."""
_ASKING = 150.0
"""Seconds for which they try to come back."""
_KEPT = ("resumed", "index", "speaker", "state", "segment", "code", "status", "reason")


class OverError(Exception):
    """The session is over, or cannot be reached any more."""


@dataclass(frozen=True)
class Orders:
    """What the crowd is to do."""

    servers: tuple[str, ...]
    learners: int
    seed: int
    sentences: str
    """Folder of recorded French sentences; the first seconds of each are said."""


class Witness(RoomLearner):
    """A learner who tells what they hear, by whom."""

    tell: Tell
    heard_at = 0.0
    met = 0
    """The number of the coach who was there last."""
    told_at = 0.0
    """When they were last told that the line or the coach is lost."""

    def __init__(self, *args: Any, **fields: Any) -> None:
        super().__init__(*args, **fields)
        self._hearing: dict[str, asyncio.Task[None]] = {}

    async def _enter(self, url: str, token: str) -> rtc.Room:
        room = await super()._enter(url, token)
        self.tell("joined", number=self.joins)
        for participant in room.remote_participants.values():
            self._meet(participant)
        room.on("participant_disconnected", self._on_departure)
        room.on("track_unsubscribed", self._on_silenced)
        room.on("reconnecting", self._on_reconnecting)
        return room

    def _on_coach(self, participant: rtc.RemoteParticipant) -> None:
        super()._on_coach(participant)
        self._meet(participant)
        self._told(False)
        if self.room is not None:
            self._spawn(self._knocked())

    def _meet(self, participant: rtc.RemoteParticipant) -> None:
        self.met = int(participant.identity.removeprefix("coach-"))
        self.tell("coach", identity=participant.identity)

    @property
    def alone(self) -> bool:
        """Whether nobody else is in the room that one is in."""
        if self.room is None or self.room.remote_participants:
            return False
        return self.room.connection_state == rtc.ConnectionState.CONN_CONNECTED

    async def _knocked(self) -> None:
        """Says at once that one is there, as the page does when a coach appears."""
        with suppress(PublishDataError):
            await self.send(protocol.Joined())

    def _on_departure(self, participant: rtc.RemoteParticipant) -> None:
        self.tell("coach_gone", identity=participant.identity)
        self._told(True)

    def _on_silenced(
        self,
        track: rtc.Track | None,
        publication: rtc.RemoteTrackPublication,
        participant: rtc.RemoteParticipant,
    ) -> None:
        # WebRTC would give the next coach's sound to whoever still listens to this track.
        hearing = self._hearing.pop(publication.sid, None)
        if hearing is not None:
            hearing.cancel()

    def _told(self, broken: bool) -> None:
        """The page shows that the line or the coach is lost, and people wait."""
        self.told_at = time.monotonic() if broken else self.told_at

    def _on_reconnecting(self) -> None:
        self.tell("reconnecting")
        self._told(True)

    def _on_reconnected(self) -> None:
        super()._on_reconnected()
        self.tell("reconnected")

    def _on_disconnected(self, *reason: object) -> None:
        super()._on_disconnected(*reason)
        self._told(True)
        self.tell("disconnected", reason=str(reason[0]) if reason else "")

    def _note(self, text: str) -> None:
        super()._note(text)
        told = json.loads(text)
        kept = {name: told[name] for name in _KEPT if name in told}
        if "session" in told:
            kept["names"] = told["session"]
        if told["type"] == "caption" and told["final"]:
            kept["final"] = True
        if told["type"] != "caption" or "final" in kept:
            self.tell("message", type=told["type"], **kept)

    def _on_track(
        self,
        track: rtc.Track,
        publication: rtc.RemoteTrackPublication,
        participant: rtc.RemoteParticipant,
    ) -> None:
        if track.kind == rtc.TrackKind.KIND_AUDIO:
            self.tell("track", identity=participant.identity)
            work = asyncio.create_task(self._witness(track, participant.identity))
            self._hearing[publication.sid] = work
            self._tasks.add(work)
            work.add_done_callback(self._tasks.discard)

    async def _witness(self, track: rtc.Track, identity: str) -> None:
        stream = rtc.AudioStream(track, sample_rate=16_000, num_channels=1, frame_size_ms=20)
        audible = False
        last = 0.0
        try:
            async for event in stream:
                samples = np.asarray(event.frame.data, dtype=np.float32) / 32768
                level = float(np.sqrt(np.mean(samples**2)))
                now = time.monotonic()
                self.levels[:] = [(now, level)]
                if level > AUDIBLE:
                    last = self.heard_at = now
                    if not audible:
                        audible = True
                        self.tell("sound", at=now, identity=identity)
                elif audible and now - last >= HUSH:
                    audible = False
                    self.tell("silence", at=last, identity=identity)
        finally:
            if audible:
                self.tell("silence", at=last, identity=identity)
            self.tell("track_gone", identity=identity)
            await stream.aclose()


class Learner:
    """One person, one session after another."""

    def __init__(self, number: int, orders: Orders, speech: list[bytes], tell: Tell) -> None:
        self._number = number
        self._orders = orders
        self._speech = speech
        self._tell = tell
        self._session = ""
        self._chance = random.Random(orders.seed * 1000 + number)
        self.renewed = asyncio.Event()

    def tell(self, event: str, **fields: Any) -> None:
        self._tell(event, learner=self._number, session=self._session, **fields)

    async def live(self) -> None:
        while True:
            self.renewed.clear()
            try:
                await self._hold()
            except (OverError, rtc.ConnectError, TimeoutError) as error:
                self.tell("left", why=f"{type(error).__name__}: {error}")
                await asyncio.sleep(0.5)

    async def _hold(self) -> None:
        self._session = ""
        self.tell("asked")
        hello = protocol.Hello(exercise=EXERCISE, patience=0.5)
        ticket = await self._post("/api/v1/sessions", hello.model_dump())
        self._session = ticket["session"]
        self.tell("given")
        witness = Witness(ticket["url"], ticket["token"], again=self._again)
        witness.tell = self.tell
        await witness.join()
        talking = asyncio.create_task(self._talk(witness))
        renewing = asyncio.create_task(self.renewed.wait())
        looking = asyncio.create_task(self._look(witness))
        doing = {talking, renewing, looking}
        try:
            await asyncio.wait(doing, return_when=asyncio.FIRST_COMPLETED)
            if talking.done():
                talking.result()
            elif looking.done():
                looking.result()
            else:
                await self._end(witness)
            over = witness.count("ended") or looking.done()
            self.tell("left", why="ended" if over else "gone")
        finally:
            for task in doing:
                task.cancel()
            await asyncio.wait(doing)
            await witness.leave()

    async def _look(self, witness: Witness) -> None:
        """Finds out, as the page does, that the session ended when nobody could be told, and that
        its coach is in another room of that name."""
        url = f"{self._orders.servers[0]}/api/v1/sessions/{self._session}/token"
        status: int | str = ""
        alone = 0
        while status != 410:
            await asyncio.sleep(1.0)
            alone = alone + 1 if witness.alone else 0
            if alone % _LOOKING == _LOOKING // 2:  # as the page: after 5 s, and then each 10 s
                status, _ = await self._answer("POST", url, {"missing": witness.met})
                if status == 200 and witness.alone and witness.met:
                    self.tell("alone", number=witness.met)
                    with suppress(TimeoutError):
                        await witness.vanish()
        listed = await self._get("/api/v1/sessions")
        ended = next(one for one in listed if one["id"] == self._session)
        told = {"status": ended["status"], "reason": ended["reason"], "names": self._session}
        self.tell("message", type="ended", **told)

    async def _end(self, witness: Witness) -> None:
        """Ends the session as the page does: again until it is told, since a coach may be lost with
        what it was asked."""
        for _ in range(4):
            with suppress(Exception):
                await witness.send(protocol.End())
                await witness.until(lambda: witness.count("ended") > 0, 5.0)
                return

    async def _talk(self, witness: Witness) -> None:
        """Speaks whenever the coach has finished, until the session ends."""

        def over() -> bool:
            return witness.count("ended") > 0 or witness._staying is None or witness._staying.done()

        while not over():
            began, pause = time.monotonic(), self._chance.uniform(*_PAUSE)
            while not over() and (witness.room is None or not witness.count("ready")):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
            while not over() and (  # noqa: ASYNC110
                time.monotonic() - max(witness.heard_at, began) < pause
                or (
                    witness.heard_at <= witness.told_at
                    and time.monotonic() - max(began, witness.told_at) < _UNANSWERED
                )
            ):
                await asyncio.sleep(0.02)
            if over():
                return
            self.tell("speak")
            with suppress(TimeoutError):
                async with asyncio.timeout(20.0):
                    await witness.say(self._chance.choice(self._speech))
            said = time.monotonic()
            self.tell("spoken")
            while not over() and witness.heard_at < said and time.monotonic() - said < _UNANSWERED:  # noqa: ASYNC110
                await asyncio.sleep(0.02)

    async def _again(self) -> tuple[str, str]:
        ticket = await self._post(f"/api/v1/sessions/{self._session}/token", {})
        return ticket["url"], ticket["token"]

    async def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """The answer of the first server that gives one. Raises OverError."""
        found: dict[str, Any] = await self._asked("POST", path, body)
        return found

    async def _get(self, path: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = await self._asked("GET", path, None)
        return found

    async def _asked(self, method: str, path: str, body: dict[str, Any] | None) -> Any:
        """One server after the other is asked until one answers. Raises OverError."""
        until = time.monotonic() + _ASKING
        status: object = None
        while time.monotonic() < until:
            for server in self._orders.servers:
                status, found = await self._answer(method, server + path, body)
                if status in (200, 201):
                    return found
                if status in (404, 410, 422):
                    raise OverError(str(status))
            self.tell("refused", status=status)
            await asyncio.sleep(0.5)
        raise OverError(str(status))

    async def _answer(
        self, method: str, url: str, body: dict[str, Any] | None
    ) -> tuple[int | str, Any]:
        """The status of one answer, or the name of what went wrong, and what it says."""
        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=8.0)) as http,
                http.request(method, url, json=body) as reply,
            ):
                return reply.status, await reply.json()
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            return type(error).__name__, None


def sentences(folder: str) -> list[bytes]:
    """Recorded sentences from first to last sound, at most 3 s of each: PCM16 at 16 kHz. Where none
    are recorded they are synthesised."""
    found = [_pcm(synthetic(text, "fr").samples) for text in _SAID if not Path(folder).is_dir()]
    for path in sorted(Path(folder).rglob("*.wav")):
        samples, rate = soundfile.read(path, dtype="float32")
        speech = np.asarray(soxr.resample(samples, rate, 16_000), dtype=np.float32)
        spoken = sound.measure(speech, 16_000).speech
        begins = int(spoken[0][0] * 16_000)
        piece = speech[begins : min(int(spoken[-1][1] * 16_000), begins + 48_000)]
        found.append(_pcm(piece))
    return found


def _pcm(samples: NDArray[np.float32]) -> bytes:
    return bytes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())


async def main(orders: Orders) -> None:
    def tell(event: str, at: float | None = None, **fields: Any) -> None:
        told = {"t": time.monotonic() if at is None else at, "event": event, **fields}
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()

    speech = await asyncio.to_thread(sentences, orders.sentences)
    learners = [Learner(number, orders, speech, tell) for number in range(orders.learners)]
    living = [asyncio.create_task(one.live()) for one in learners]
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    stopping = asyncio.create_task(_obeyed(reader, learners))
    await asyncio.wait({stopping, *living}, return_when=asyncio.FIRST_COMPLETED)
    for task in living:
        if task.done():
            task.result()
        task.cancel()
    await asyncio.wait(living, timeout=5.0)


async def _obeyed(reader: asyncio.StreamReader, learners: list[Learner]) -> None:
    """Follows orders until they end."""
    async for line in reader:
        order, *number = line.decode().split()
        if order == "stop":
            return
        learners[int(number[0])].renewed.set()


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    asyncio.run(main(Orders(**{**given, "servers": tuple(given["servers"])})))
