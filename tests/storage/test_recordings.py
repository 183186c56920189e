"""The sound of a conversation: kept with consent, in its place, readable after a crash."""

import asyncio
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from eloquence.coaching.session import Session
from eloquence.errors import SessionNotFoundError
from eloquence.storage import recordings
from eloquence.storage.decoding import decode
from eloquence.storage.recordings import CHARACTER_RATE, LEARNER_RATE, Recorder

FRAME = 0.02


def session(*, keep_audio: bool = True) -> Session:
    return Session(
        id="s1",
        exercise="conversation_libre_marie",
        scenario="libre",
        character="marie_coach",
        language="fr",
        started_at=0.0,
        keep_audio=keep_audio,
    )


def pcm(hertz: float, seconds: float, rate: int, at: float = 0.0, level: float = 0.3) -> bytes:
    times = at + np.arange(round(seconds * rate)) / rate
    return (level * 32767 * np.sin(2 * np.pi * hertz * times)).astype("<i2").tobytes()


def talk(recorder: Recorder, start: float, end: float, hertz: float = 200) -> None:
    """The learner's tone as a microphone gives it: 20 ms at a time."""
    for index in range(round(start / FRAME), round(end / FRAME)):
        at = index * FRAME
        recorder.learner(at, pcm(hertz, FRAME, LEARNER_RATE, at))


async def written(path: Path) -> None:
    """Waits for the recorder's thread to have begun that file."""
    while not path.exists():  # noqa: ASYNC110, ASYNC240 - a thread tells nobody
        await asyncio.sleep(0.01)


def sound(path: Path) -> tuple[npt.NDArray[np.float64], int]:
    samples, rate = soundfile.read(path)
    return samples, rate


def level(samples: npt.NDArray[np.float64], rate: int, start: float, end: float) -> float:
    part = samples[round(start * rate) : round(end * rate)]
    return float(np.sqrt(np.mean(part**2)))


def strength(
    samples: npt.NDArray[np.float64], rate: int, hertz: float, start: float, end: float
) -> float:
    """Amplitude of one frequency in a stretch."""
    part = samples[round(start * rate) : round(end * rate)]
    times = np.arange(part.size) / rate
    return float(2 * np.abs(np.mean(part * np.exp(-2j * np.pi * hertz * times))))


async def test_both_voices_are_where_they_were_heard(tmp_path: Path) -> None:
    async with Recorder(tmp_path, session()) as recorder:
        talk(recorder, 0.0, 6.0)
        recorder.character(0.5, pcm(500, 2.0, CHARACTER_RATE))  # told once it was heard
    learner, rate = sound(tmp_path / "s1" / "learner.flac")
    assert rate == LEARNER_RATE
    assert learner.size == 6 * rate
    np.testing.assert_array_equal(
        (learner * 32768).astype("<i2"), np.frombuffer(pcm(200, 6.0, LEARNER_RATE), "<i2")
    )
    mix, rate = sound(tmp_path / "s1" / "mix.flac")
    assert rate == CHARACTER_RATE
    assert mix.size == 6 * rate
    for start, end, character in ((0.0, 0.48, 0.0), (0.55, 2.45, 0.3), (2.55, 6.0, 0.0)):
        assert strength(mix, rate, 500, start, end) == pytest.approx(character, abs=0.01)
        assert strength(mix, rate, 200, start, end) == pytest.approx(0.3, abs=0.02)


async def test_silence_fills_what_was_not_heard(tmp_path: Path) -> None:
    async with Recorder(tmp_path, session()) as recorder:
        talk(recorder, 1.0, 2.0)
        talk(recorder, 4.0, 5.0)
    learner, rate = sound(tmp_path / "s1" / "learner.flac")
    assert learner.size == 5 * rate
    assert level(learner, rate, 0, 1) == level(learner, rate, 2, 4) == 0
    assert level(learner, rate, 1, 2) == level(learner, rate, 4, 5) > 0.2


async def test_positions_that_tremble_leave_no_hole(tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    async with Recorder(tmp_path, session()) as recorder:
        for index in range(200):
            at = index * FRAME
            shaken = max(0.0, at + random.uniform(-0.04, 0.04)) if index else 0.0
            recorder.learner(shaken, pcm(200, FRAME, LEARNER_RATE, at))
    learner, rate = sound(tmp_path / "s1" / "learner.flac")
    np.testing.assert_array_equal(
        (learner * 32768).astype("<i2"), np.frombuffer(pcm(200, 4.0, LEARNER_RATE), "<i2")
    )
    assert rate == LEARNER_RATE


async def test_a_character_without_a_microphone_is_kept_too(tmp_path: Path) -> None:
    async with Recorder(tmp_path, session()) as recorder:
        for start in range(0, 200, 10):
            recorder.character(start, pcm(500, 8.0, CHARACTER_RATE))
    mix, rate = sound(tmp_path / "s1" / "mix.flac")
    assert mix.size == 198 * rate
    assert strength(mix, rate, 500, 190.1, 197.9) == pytest.approx(0.3, abs=0.01)
    assert level(mix, rate, 8, 10) < 1e-4


async def test_two_loud_voices_do_not_wrap_around(tmp_path: Path) -> None:
    async with Recorder(tmp_path, session()) as recorder:
        recorder.character(0.0, np.full(CHARACTER_RATE, 30_000, "<i2").tobytes())
        recorder.learner(0.0, np.full(LEARNER_RATE, 30_000, "<i2").tobytes())
    mix, rate = sound(tmp_path / "s1" / "mix.flac")
    assert mix[rate // 10 : -rate // 10].min() > 0.99


async def test_without_consent_nothing_is_kept(tmp_path: Path) -> None:
    async with Recorder(tmp_path, session(keep_audio=False)) as recorder:
        talk(recorder, 0.0, 1.0)
        recorder.character(0.0, pcm(500, 1.0, CHARACTER_RATE))
    assert not (tmp_path / "s1").exists()
    assert recordings.kept(tmp_path, "s1") == ()


async def test_only_the_owner_may_read_and_deleting_removes_all(tmp_path: Path) -> None:
    async with Recorder(tmp_path / "kept", session()) as recorder:
        talk(recorder, 0.0, 1.0)
    made = [tmp_path / "kept", *(tmp_path / "kept").rglob("*")]
    assert len(made) == 4
    assert all(path.stat().st_mode & 0o077 == 0 for path in made)
    assert recordings.kept(tmp_path / "kept", "s1") == ("learner", "mix")
    assert recordings.path(tmp_path / "kept", "s1", "mix").name == "mix.flac"
    recordings.delete(tmp_path / "kept", "s1")
    recordings.delete(tmp_path / "kept", "s1")
    assert recordings.kept(tmp_path / "kept", "s1") == ()
    with pytest.raises(SessionNotFoundError):
        recordings.path(tmp_path / "kept", "s1", "mix")


@pytest.mark.parametrize("bad", ["..", "a/b", "", ".", "-x", "a" * 65])
def test_an_id_cannot_lead_elsewhere(tmp_path: Path, bad: str) -> None:
    with pytest.raises(SessionNotFoundError):
        recordings.folder(tmp_path, bad)


async def test_closing_twice_and_giving_sound_afterwards_is_harmless(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, session())
    async with recorder:
        talk(recorder, 0.0, 1.0)
        await recorder.close()
        talk(recorder, 1.0, 2.0)
    assert soundfile.info(tmp_path / "s1" / "learner.flac").frames == LEARNER_RATE


PROGRAM = """
import asyncio, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
import resource
from test_recordings import CHARACTER_RATE, FRAME, Recorder, pcm, session, talk
async def main():
    async with Recorder(Path(sys.argv[1]), session()) as recorder:
        for second in range({seconds}):
            recorder.character(second, pcm(500, 1.0, CHARACTER_RATE, second))
            talk(recorder, second, second + 1)
            while recorder._tasks.qsize():
                await asyncio.sleep(0.01)
            {after}
    {finally_}
asyncio.run(main())
"""


def program(seconds: int, after: str = "pass", finally_: str = "pass") -> str:
    here = str(Path(__file__).parent)
    return PROGRAM.format(tests=here, seconds=seconds, after=after, finally_=finally_)


@pytest.mark.parametrize("seconds", [3, 25])
async def test_a_killed_process_leaves_the_learner_playable_to_about_the_last_second(
    tmp_path: Path, seconds: int
) -> None:
    killed_after(tmp_path, seconds)
    place = recordings.path(tmp_path, "s1", "learner")
    decoded = await decode(place)
    assert seconds - 0.8 <= decoded.duration <= seconds
    samples, rate = sound(place)
    assert samples.size / rate == pytest.approx(decoded.duration, abs=0.001)
    assert level(samples, rate, 0, decoded.duration) > 0.2


async def test_a_killed_process_leaves_a_mix_that_plays_or_none(tmp_path: Path) -> None:
    killed_after(tmp_path / "short", 3)
    assert recordings.kept(tmp_path / "short", "s1") == ("learner",)
    killed_after(tmp_path / "long", 25)
    mix = await decode(recordings.path(tmp_path / "long", "s1", "mix"))
    assert 25 - recordings.LATE - 1 <= mix.duration <= 25


def killed_after(folder: Path, seconds: int) -> None:
    code = program(10_000, after="print(second + 1, flush=True); sys.stdin.readline()")
    with subprocess.Popen(
        [sys.executable, "-c", code, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        assert child.stdin is not None
        for second in range(seconds):
            assert child.stdout.readline().strip() == str(second + 1)
            if second + 1 < seconds:
                child.stdin.write("\n")
                child.stdin.flush()
        os.kill(child.pid, signal.SIGKILL)


def test_a_disk_that_takes_no_more_stops_the_recording_and_not_the_conversation(
    tmp_path: Path,
) -> None:
    """D01: files may not grow beyond 100 KB; the process goes on and says why."""
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            program(20, finally_="print(recorder.failure, recorder.failure.code)"),
            str(tmp_path),
        ],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "recording has stopped" in done.stdout
    assert "storage" in done.stdout
    assert "Traceback" not in done.stderr


async def test_a_session_that_goes_on_in_another_process_keeps_the_sound_of_both(
    tmp_path: Path,
) -> None:
    first = Recorder(tmp_path, session())
    async with first:
        talk(first, 0.0, 2.0, hertz=200)
    async with Recorder(tmp_path, session()) as second:
        talk(second, 3.0, 4.0, hertz=300)
    assert sorted(path.name for path in (tmp_path / "s1").iterdir()) == ["learner.flac", "mix.flac"]
    samples, rate = sound(recordings.path(tmp_path, "s1", "learner"))
    assert strength(samples, rate, 200, 0.2, 1.8) > 0.1
    assert level(samples, rate, 2.1, 2.9) == 0
    assert strength(samples, rate, 300, 3.2, 3.8) > 0.1
    mixed, mixed_rate = sound(recordings.path(tmp_path, "s1", "mix"))
    assert strength(mixed, mixed_rate, 200, 0.2, 1.8) > 0.1
    assert strength(mixed, mixed_rate, 300, 3.2, 3.8) > 0.1


async def test_parts_that_nobody_joined_are_joined_when_they_are_asked_for(tmp_path: Path) -> None:
    async with Recorder(tmp_path, session()) as first:
        talk(first, 0.0, 1.0, hertz=200)
    place = tmp_path / "s1"
    kept = {name: (place / name).read_bytes() for name in ("learner.flac", "mix.flac")}
    async with Recorder(tmp_path, session()) as second:
        talk(second, 2.0, 3.0, hertz=300)
    joined, rate = sound(place / "learner.flac")
    # As holders that were killed leave it: the second part is silent where the first one sounds.
    later = joined.copy()
    later[: round(1.5 * rate)] = 0
    soundfile.write(place / "learner-2.flac", later, rate, format="FLAC", subtype="PCM_16")
    for name, body in kept.items():
        (place / name).write_bytes(body)
    unjoined, _ = sound(recordings.path(tmp_path, "s1", "learner"))
    assert unjoined.size < joined.size  # it may still be written
    os.utime(place / "learner-2.flac", (0, 0))
    samples, _ = sound(recordings.path(tmp_path, "s1", "learner"))
    assert strength(samples, rate, 200, 0.2, 0.8) > 0.1
    assert strength(samples, rate, 300, 2.2, 2.8) > 0.1


async def test_a_holder_that_was_superseded_leaves_the_part_of_the_next_one_alone(
    tmp_path: Path,
) -> None:
    first = Recorder(tmp_path, session())
    async with first:
        talk(first, 0.0, 1.0, hertz=200)
        second = Recorder(tmp_path, session())
        await written(tmp_path / "s1" / "mix.flac")
        async with second:
            talk(second, 2.0, 3.0, hertz=300)
            await written(tmp_path / "s1" / "mix-2.flac")
            await first.close()
            assert (tmp_path / "s1" / "learner-2.flac").exists()
            talk(second, 3.0, 4.0, hertz=300)
    samples, rate = sound(recordings.path(tmp_path, "s1", "learner"))
    assert strength(samples, rate, 200, 0.2, 0.8) > 0.1
    assert strength(samples, rate, 300, 3.2, 3.8) > 0.1


async def test_parts_that_are_joined_twice_are_not_louder(tmp_path: Path) -> None:
    """As when the process that joins them dies before it has removed the later ones."""
    async with Recorder(tmp_path, session()) as first:
        talk(first, 0.0, 1.0, hertz=200)
    place = tmp_path / "s1" / "learner.flac"
    before, _ = sound(place)
    place.with_stem("learner-2").write_bytes(place.read_bytes())
    os.utime(place.with_stem("learner-2"), (0, 0))
    after, _ = sound(recordings.path(tmp_path, "s1", "learner"))
    assert np.array_equal(before, after)


async def test_parts_that_cannot_be_joined_hold_up_nobody(tmp_path: Path) -> None:
    (tmp_path / "s1").mkdir()
    (tmp_path / "s1" / "learner.flac").write_bytes(b"broken off")
    async with asyncio.timeout(60):
        async with Recorder(tmp_path, session()) as second:
            talk(second, 0.0, 1.0)
    assert second.failure is not None
    assert (tmp_path / "s1" / "learner-2.flac").exists()
    assert not list((tmp_path / "s1").glob("*.joining"))
