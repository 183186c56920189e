"""Plugins that loop, eat memory, crash, flood, raise, sleep, fork or never start cost a
conversation 300 ms once at most, and are switched off (U01, PLG-08, B-20)."""

import asyncio
import ctypes
import os
import platform
import sys
from contextlib import suppress
from itertools import cycle
from pathlib import Path

import psutil
import pytest
from tests.plugins.conftest import Install, Stage
from tests.steady import Steady

from eloquence.plugins.running import MOST_FAILURES, Limits, Wanted

DEEDS = ["loop", "memory", "crash", "flood", "answer", "raise", "sleep", "fork", "leave"]
KERNEL = (
    sys.platform == "linux"
    and platform.machine() in {"x86_64", "aarch64"}
    and ctypes.CDLL(None).syscall(444, None, 0, 1) >= 1  # which Landlock there is
)
CLAUSES = [f"Voici la phrase numéro {number}," for number in range(40)]


async def _switched_off(stage: Stage, wanted: Wanted) -> list[float]:
    """Has clauses pass until the plugin is off; returns for how long each was held up."""
    delays: list[float] = []

    async def passes(clause: str) -> None:
        with Steady() as taken:
            passed = await attendance.spoken(clause)
        delays.append(taken.seconds)
        assert passed == clause

    async with stage.holding(wanted) as attendance, asyncio.timeout(90):
        off = asyncio.Event()
        attendance.on_off = lambda name: off.set()
        for clause in cycle(CLAUSES):
            await passes(clause)
            with suppress(TimeoutError):
                await asyncio.wait_for(off.wait(), 0.3)
            if off.is_set():
                break
        for clause in CLAUSES[:5]:
            await passes(clause)
    return delays


@pytest.mark.usefixtures("hostile")
@pytest.mark.parametrize("deed", DEEDS)
async def test_a_hostile_plugin_delays_a_conversation_once_and_is_switched_off(
    stage: Stage, deed: str, caplog: pytest.LogCaptureFixture
) -> None:
    ours = psutil.Process()
    before = ours.memory_info().rss
    stage.limits = Limits()
    delays = await _switched_off(stage, Wanted("hostile", {"deed": deed}))
    assert sum(delay > 0.05 for delay in delays) <= 1
    assert max(delays) <= 0.3 + 0.15
    figures = stage.ledger.figures["hostile"]
    assert figures["failures"] == MOST_FAILURES
    assert "hostile is switched off" in caplog.text
    assert "what was said" not in caplog.text
    assert "phrase" not in caplog.text
    assert stage.ledger.gone == {"hostile"}
    assert ours.memory_info().rss - before < 64 << 20
    left = [one for one in psutil.process_iter(["cmdline"]) if _ours(one.info["cmdline"])]
    assert left == []


def _ours(command: list[str] | None) -> bool:
    """Whether that is a plugin's process of this very test."""
    return (
        bool(command)
        and "eloquence.plugins._child" in " ".join(command or ())
        and (f"owner {os.getpid()}" in " ".join(command or ()))
    )


@pytest.mark.usefixtures("hostile")
@pytest.mark.parametrize("deed", ["loop", "crash", "raise", "memory"])
async def test_one_that_fails_as_it_starts_delays_nothing_at_all(
    stage: Stage, deed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eloquence.plugins._process.START_SECONDS", 1.0)
    wanted = Wanted("hostile", {"deed": deed, "at_start": True})
    async with stage.holding(wanted) as attendance:
        with Steady() as taken:
            for clause in CLAUSES:
                assert await attendance.spoken(clause) == clause
        assert taken.seconds < 0.1
    assert stage.ledger.gone == {"hostile"}


@pytest.mark.usefixtures("hostile")
async def test_what_a_plugin_prints_goes_nowhere(stage: Stage) -> None:
    async with stage.holding(Wanted("hostile", {"deed": "print"})) as attendance:
        assert await attendance.spoken("Bonjour.") == "printed"


@pytest.mark.usefixtures("hostile")
@pytest.mark.parametrize("deed", ["loop", "raise", "crash"])
async def test_where_a_required_filter_fails_nothing_passes(stage: Stage, deed: str) -> None:
    stage.limits = Limits()
    wanted = Wanted("hostile", {"deed": deed}, required=True)
    async with stage.holding(wanted) as attendance:
        off = asyncio.Event()
        attendance.on_off = lambda name: off.set()
        while not off.is_set():
            assert await attendance.spoken("Bonjour.") is None
        assert await attendance.spoken("Bonjour.") is None
        assert attendance.speaks


@pytest.mark.usefixtures("hostile")
async def test_hostile_plugins_do_nothing_to_others_beside_them(stage: Stage) -> None:
    stage.limits = Limits(seconds=3.0)
    wanted = [Wanted("hostile", {"deed": "loop"}), Wanted("profanity_filter")]
    async with stage.holding(*wanted) as attendance:
        assert await attendance.spoken("Quelle merde.") == "Quelle mince."
        with Steady() as taken:
            assert await attendance.spoken("Oh, merde !") == "Oh, mince !"
        assert taken.seconds < 0.2
    assert "failures" not in stage.ledger.figures["profanity_filter"]


@pytest.mark.usefixtures("hostile")
async def test_one_that_is_switched_off_stays_so_until_an_operator_switches_it_on(
    stage: Stage,
) -> None:
    stage.ledger.gone.add("hostile")
    async with stage.holding(Wanted("hostile", {"deed": "loop"})) as attendance:
        assert not attendance.speaks
    assert stage.ledger.figures == {}
    stage.ledger.gone.clear()
    async with stage.holding(Wanted("hostile", {"deed": "loop"})) as attendance:
        assert attendance.speaks


LOOKING = """
import os
from eloquence.plugins import Plugin

def opened(number):
    try:
        return os.readlink(f"/proc/self/fd/{number}").split(":")[0]
    except OSError:
        return ""

class Looking:
    def coach_turn(self, text, context):
        variables = ",".join(sorted(os.environ))
        descriptors = ",".join({opened(number) for number in range(64)} - {""})
        return "|".join([variables, ",".join(os.listdir(".")), descriptors, os.getcwd()])

plugin = Plugin(name="looking", create=lambda _: Looking(), changes=frozenset({"coach_turn"}))
"""


async def test_a_plugin_sees_no_variable_of_ours_no_descriptor_and_an_empty_folder(
    stage: Stage, install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MISTRAL_API_KEY", "a secret")
    install("looking", LOOKING, looking="plugin")
    async with stage.holding(Wanted("looking")) as attendance:
        told = await attendance.spoken("Bonjour.")
    assert told is not None
    variables, files, descriptors, folder = told.split("|")
    assert "MISTRAL_API_KEY" not in variables
    ours = {"PATH", "LANG", "HOME", "TMPDIR", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"}
    by_python = {"LC_CTYPE", "ORT_DISABLE_TELEMETRY"}  # the second one `import eloquence` sets
    assert set(variables.split(",")) <= ours | by_python
    assert files == ""
    assert set(descriptors.split(",")) <= {"/dev/null", "pipe", "socket"}
    assert not os.path.exists(folder)  # noqa: ASYNC240, PTH110 - it goes with the process


REACHING = """
import ctypes, fcntl, os, pathlib, resource, signal, socket, subprocess, sys
from eloquence.plugins import Options, Plugin

class Wishes(Options):
    secret: str

def tried(name, act):
    try:
        act()
        return name
    except (OSError, RuntimeError):
        return ""

libc = ctypes.CDLL(None, use_errno=True)

def queue():
    if libc.sigqueue(os.getppid(), signal.SIGCONT, None):
        raise OSError

def share():
    shared = libc.shmget(0, 4096, 0o600)
    if shared < 0:
        raise OSError
    libc.shmctl(shared, 0, None)

def rank():
    os.setpriority(os.PRIO_PROCESS, os.getppid(), os.getpriority(os.PRIO_PROCESS, os.getppid()))

class Reaching:
    def __init__(self, wishes):
        self.secret = wishes.secret
    def coach_turn(self, text, context):
        own = pathlib.Path("own.txt")
        return ",".join(filter(None, [
            tried("fork", os.fork),
            tried("run", lambda: subprocess.run([sys.executable, "-c", ""])),
            tried("connect", lambda: socket.create_connection(("127.0.0.1", 9))),
            tried("socket", socket.socket),
            tried("signal", lambda: os.kill(os.getppid(), signal.SIGCONT)),
            tried("queued signal", queue),
            tried("owner", lambda: fcntl.fcntl(os.pipe()[0], fcntl.F_SETOWN, os.getppid())),
            tried("limit", lambda: resource.prlimit(os.getppid(), resource.RLIMIT_CPU)),
            tried("rank", rank),
            tried("place", lambda: os.sched_setaffinity(os.getppid(), os.sched_getaffinity(0))),
            tried("shared memory", share),
            tried("read", lambda: pathlib.Path(self.secret).read_text()),
            tried("environment", pathlib.Path(f"/proc/{os.getppid()}/environ").read_bytes),
            tried("write", lambda: pathlib.Path(self.secret).write_text("x")),
            tried("own", lambda: own.write_text("x")),
        ]))

plugin = Plugin(name="reaching", create=Reaching, options=Wishes,
                changes=frozenset({"coach_turn"}))
"""


@pytest.mark.skipif(not KERNEL, reason="needs Linux with seccomp and Landlock")
async def test_a_plugin_reaches_nothing_but_its_own_folder(
    stage: Stage, install: Install, tmp_path: Path
) -> None:
    """No process, no network, no signal, no limit on us, no memory that outlives it, no file of
    ours: only a file in its own empty folder."""
    secret = tmp_path / "secret.env"
    secret.write_text("KEY=1")
    install("reaching", REACHING, reaching="plugin")
    async with stage.holding(Wanted("reaching", {"secret": str(secret)})) as attendance:
        assert await attendance.spoken("Bonjour.") == "own"
    assert secret.read_text() == "KEY=1"


@pytest.mark.skipif(not KERNEL, reason="needs Linux with seccomp and Landlock")
async def test_a_plugin_reads_nothing_in_the_folder_that_the_server_was_started_in(
    stage: Stage, install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not either where Python looks for code there, as after `python -m eloquence`."""
    secret = tmp_path / ".env"
    secret.write_text("KEY=1")
    install("reaching", REACHING, reaching="plugin")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    async with stage.holding(Wanted("reaching", {"secret": str(secret)})) as attendance:
        assert await attendance.spoken("Bonjour.") == "own"


async def test_what_a_plugin_keeps_in_memory_reaches_no_other_learner(
    stage: Stage, install: Install
) -> None:
    """A process serves one conversation: even a module's own variables are of one learner."""
    install(
        "leaky",
        "from eloquence.plugins import Plugin\n"
        "seen = []\n"
        "class Leaky:\n"
        "    def coach_turn(self, text, context):\n"
        "        if not context.trial: seen.append(text)\n"
        "        return ' '.join(seen)\n"
        "plugin = Plugin(name='leaky', create=lambda o: Leaky(),"
        " changes=frozenset({'coach_turn'}))\n",
        leaky="plugin",
    )
    async with (
        stage.holding(Wanted("leaky")) as first,
        stage.holding(Wanted("leaky")) as second,
    ):
        assert await first.spoken("Je m’appelle Ada.") == "Je m’appelle Ada."
        assert await second.spoken("Bonjour.") == "Bonjour."


FORGING = """
import json, os
from eloquence.plugins import Options, Plugin

class Wishes(Options):
    line: str

class Forging:
    def __init__(self, wishes):
        self.line = wishes.line
    def coach_turn(self, text, context):
        if context.trial:
            return None
        for number in range(3, 64):
            try:
                for asked in range(1, 9):
                    line = self.line.replace("NUMBER", str(asked))
                    os.write(number, line.encode() + b"\\n")
            except OSError:
                continue
        return None

plugin = Plugin(name="forging", create=Forging, options=Wishes, changes=frozenset({"coach_turn"}))
"""


@pytest.mark.parametrize(
    "line",
    [
        "[" * 30_000,
        '{"number": NUMBER, "text": "\\ud800"}',
        '{"number": NUMBER, "text": "\\u0000"}',
        '{"number": NUMBER, "text": ["no", "text"]}',
        '{"number": NUMBER, "counts": {"words": Infinity}}',
        '{"number": NUMBER, "counts": {"words": 1' + "0" * 400 + "}}",
        '{"number": NUMBER, "counts": {"la_phrase numéro 7": 1}}',
        '{"number": NUMBER, "facts": "ab"}',
        '{"number": NUMBER, "raised": "la phrase numéro 7"}',
    ],
)
async def test_an_answer_that_a_plugin_forges_is_a_failure_like_any_other(
    stage: Stage, install: Install, line: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing of it reaches the conversation, a figure or the log."""
    install("forging", FORGING, forging="plugin")
    async with stage.holding(Wanted("forging", {"line": line})) as attendance:
        assert await attendance.spoken("Bonjour.") == "Bonjour."
    figures = stage.ledger.figures["forging"]
    assert figures["failures"] == 1
    assert not [name for name in figures if name.startswith("own.")]
    assert "phrase" not in caplog.text
