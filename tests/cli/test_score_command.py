"""`eloquence score`: a line in, a line out."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

Run = Any
MAIN = "from eloquence.cli import main; main()"


def words(seconds: float) -> list[list[Any]]:
    return [
        ["budget", round(at * 0.4, 2), round(at * 0.4 + 0.38, 2)]
        for at in range(int(seconds / 0.4))
    ]


def written(path: Path, *lines: object) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_lines_come_out_in_order_and_always_the_same(run: Run, tmp_path: Path) -> None:
    file = written(tmp_path / "in.jsonl", *({"id": n, "words": words(20 + n)} for n in range(5)))
    once = run("score", "--jsonl", file, "--jobs", "1")
    again = run("score", "--jsonl", file, "--jobs", "2")
    assert once.status == again.status == 0, once.err
    assert once.out == again.out
    assert [json.loads(line)["id"] for line in once.out.splitlines()] == [0, 1, 2, 3, 4]


def test_a_line_that_fails_stops_no_other_and_the_status_is_1(run: Run, tmp_path: Path) -> None:
    file = written(
        tmp_path / "in.jsonl", {"id": "a", "words": []}, {"id": "b"}, {"id": "c", "words": []}
    )
    ran = run("score", "--jsonl", file, "--jobs", "1")
    assert ran.status == 1
    first, wrong, last = map(json.loads, ran.out.splitlines())
    assert "scores" in first
    assert "scores" in last
    assert wrong == {"id": "b", "error": wrong["error"]}


def test_recordings_are_looked_for_beside_the_file(run: Run, tmp_path: Path) -> None:
    import numpy as np
    import soundfile

    soundfile.write(tmp_path / "a.wav", np.zeros(16_000), 16_000)
    file = written(tmp_path / "in.jsonl", {"id": "a", "wav": "a.wav"})
    ran = run("score", "--jsonl", file, "--jobs", "1")
    assert ran.status == 0, ran.out


def test_no_file_ends_with_a_clear_error(run: Run, tmp_path: Path) -> None:
    ran = run("score", "--jsonl", tmp_path / "nothing.jsonl")
    assert ran.status == 9
    assert "nothing.jsonl" in ran.err


def started() -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", MAIN, "score", "--jsonl", "-", "--jobs", "2"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "ELOQUENCE_STT": "none"},
        text=True,
    )


@pytest.mark.parametrize("interrupted", [False, True])
def test_standard_input_is_answered_while_it_is_open(interrupted: bool) -> None:
    """One line is answered although no other one comes; an interrupt ends it with status 130."""
    with started() as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(json.dumps({"id": "é", "words": words(20)}) + "\n")
        child.stdin.flush()
        first = child.stdout.readline()
        if interrupted:
            child.send_signal(signal.SIGINT)
        else:
            child.stdin.write('{"id": 1}')
        _, err = child.communicate(timeout=120)
    assert child.returncode == (130 if interrupted else 1), err
    assert first, err
    assert json.loads(first)["id"] == "é"
    assert "Traceback" not in err
    assert "Fatal" not in err
