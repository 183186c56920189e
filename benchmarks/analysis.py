"""What it costs to analyse recorded speech, and to measure turns while somebody talks.

    python -m benchmarks.analysis [--minutes 1 10 60] [--runs 3]

Recordings are made of the French sentences beside the project, one after the other at changing
levels, with breaths and now and then a long silence. Each is analysed in a process of its own:
decoding, measures and report, without recognition; the report once by ear and once with words,
which are made up from the syllables that were heard. Figures are medians of the runs; memory is
the most that the process ever held, interpreter and libraries included.
"""

import argparse
import asyncio
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from eloquence.coaching.levels import turn_score
from eloquence.coaching.session import Turn
from eloquence.delivery import sound
from eloquence.delivery.words import Word
from eloquence.storage import content

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "fixtures-fr"
RATE = 16_000
TEXT = ("nous", "avons", "donc", "choisi", "de", "faire", "autrement", "et", "pour", "vous", "dire")
EXERCISE = "conversation_libre_marie"

Wave = NDArray[np.float32]


def sentences() -> list[Wave]:
    """The recorded sentences at 16 kHz."""
    found = []
    for path in sorted(DATA.rglob("*.wav")):
        samples, rate = soundfile.read(path, dtype="float32")
        found.append(np.asarray(soxr.resample(samples, rate, RATE), dtype=np.float32))
    return found


def write(path: Path, minutes: float) -> None:
    """A recording of that length, piece by piece."""
    random = np.random.default_rng(1)
    spoken = sentences()
    left = round(minutes * 60 * RATE)
    with soundfile.SoundFile(path, "w", RATE, 1, "PCM_16") as file:
        count = 0
        while left > 0:
            sentence = spoken[int(random.integers(len(spoken)))]
            pause = 6.0 if count % 8 == 7 else 0.5
            room = random.normal(0, 3e-4, round(pause * RATE))
            piece = np.concatenate([sentence * 10 ** (random.uniform(-6, 3) / 20), room])[:left]
            file.write(piece)
            left -= len(piece)
            count += 1


def seconds() -> float:
    """CPU seconds of this process and of those it waited for."""
    own, others = (resource.getrusage(of) for of in (resource.RUSAGE_SELF, CHILDREN))
    return own.ru_utime + own.ru_stime + others.ru_utime + others.ru_stime


CHILDREN = resource.RUSAGE_CHILDREN


def with_words(turn_sound: sound.Sound) -> tuple[Word, ...]:
    """Words of two syllables wherever syllables were heard."""
    times = turn_sound.nuclei[::2]
    words = []
    for index, time_ in enumerate(times):
        stretch = next((s for s in turn_sound.speech if s[0] <= time_ <= s[1]), None)
        if stretch is not None:
            following = times[index + 1] if index + 1 < len(times) else stretch[1]
            text = TEXT[index % len(TEXT)] + ("," if index % 11 == 10 else "")
            words.append(Word(text, time_, max(time_, min(following, stretch[1]))))
    return tuple(words)


def one(path: Path) -> None:
    """Analyses a recording and prints its figures as JSON."""
    from eloquence.coaching.assessment import assess
    from eloquence.ops.analysis import recorded_session

    library = content.load()
    exercise = library.exercise(EXERCISE, "fr")
    rest = (
        exercise,
        library.character(exercise.character, "fr"),
        library.norms("fr"),
        library.lexicon("fr"),
        library.phrases("fr"),
    )
    sound.measure(np.zeros(RATE, np.float32), RATE)  # loads the pitch model
    began, wall = seconds(), time.perf_counter()
    stored = asyncio.run(recorded_session(path, exercise, None, "none"))
    measured = seconds() - began
    assess(stored, *rest)
    by_ear = seconds() - began - measured
    wall = time.perf_counter() - wall
    turns = tuple(
        turn.model_copy(update={"words": with_words(turn.sound), "text": "…"})
        for turn in stored.turns
        if turn.sound
    )
    began = seconds()
    assess(stored.model_copy(update={"turns": turns}), *rest)
    worded = seconds() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    peak *= 1 if sys.platform == "darwin" else 1024
    print(
        json.dumps(
            {
                "duration": stored.end.duration if stored.end else 0.0,
                "measured": measured,
                "by_ear": by_ear,
                "worded": worded,
                "wall": wall,
                "peak": peak,
            }
        )
    )


def analysed(path: Path, runs: int) -> dict[str, float]:
    """Medians over several runs, each a process of its own; the peak is the highest."""
    figures = []
    for _ in range(runs):
        told = subprocess.run(
            [sys.executable, "-m", "benchmarks.analysis", "--one", str(path)],
            check=True,
            capture_output=True,
            text=True,
        )
        figures.append(json.loads(told.stdout))
    median = {name: statistics.median(run[name] for run in figures) for name in figures[0]}
    return median | {"peak": max(run["peak"] for run in figures)}


def live_share(runs: int) -> list[float]:
    """CPU of measuring each turn and of its score on the goal, as a share of the turn's duration.

    That is the share of a core while the learner speaks without ever listening; a conversation in
    which both speak as much costs half of it.
    """
    shares = []
    spoken = sentences()
    library = content.load()
    register = library.exercise(EXERCISE, "fr").register_
    norms, lexicon = library.norms("fr"), library.lexicon("fr")
    sound.measure(spoken[0], RATE)
    for _ in range(runs):
        for wave in spoken:
            began = time.thread_time()
            measured = sound.measure(wave, RATE)
            words = with_words(measured)
            turn = Turn(
                index=0,
                speaker="learner",
                start=0.0,
                end=measured.duration,
                text="…",
                words=words,
                sound=measured,
            )
            turn_score(turn, norms, lexicon, register, "speech_rate")
            shares.append((time.thread_time() - began) * RATE / len(wave))
    return shares


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, nargs="+", default=[1, 10, 60])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one is not None:
        one(given.one)
        return
    shares = live_share(given.runs)
    print(
        f"live: {statistics.median(shares):.2%} of a core at the median while the learner speaks, "
        f"{np.quantile(shares, 0.95):.2%} at p95, n={len(shares)} turns",
        flush=True,
    )
    with tempfile.TemporaryDirectory() as folder:
        for minutes in given.minutes:
            path = Path(folder) / "recording.wav"
            write(path, minutes)
            found = analysed(path, given.runs)
            whole = found["measured"] + max(found["by_ear"], found["worded"])
            print(
                f"{minutes:4g} min: {whole / found['duration']:.4f} × its duration on one core "
                f"(decoding and measures {found['measured']:.2f} s, report {found['by_ear']:.2f} s "
                f"by ear, {found['worded']:.2f} s with words; {found['wall']:.2f} s on the wall), "
                f"at most {found['peak'] / 1e6:.0f} MB, n={given.runs}",
                flush=True,
            )


if __name__ == "__main__":
    main()
