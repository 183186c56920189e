"""`eloquence talk` with a recording as the microphone (issue: shown by 2)."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

pytestmark = pytest.mark.speech


def talked(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from eloquence.cli import main; main()", "talk", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=150, check=False)


def test_a_recording_talks_with_marie_and_leaves_her_voice_and_a_report(
    shared_data: Path, tmp_path: Path
) -> None:
    recording = sorted((shared_data / "fixtures-fr" / "voxforge").rglob("*.wav"))[3]
    done = talked(
        "--exercise", "conversation_libre_marie", "--input", recording,
        "--output", tmp_path / "out.wav", "--report", tmp_path / "out",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    heard, rate = soundfile.read(tmp_path / "out.wav")
    loud = np.abs(heard).reshape(-1) > 0.02
    assert rate == 24_000
    assert loud.sum() / rate > 1.5
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert [turn["speaker"] for turn in report["turns"]][:3] == [
        "character", "learner", "character",
    ]  # fmt: skip
    page = (tmp_path / "out" / "report.html").read_text()
    assert "renderReport" in page
    assert "Bonjour ! Je suis ravie" in done.stdout
    assert "stt: none" in done.stderr


def test_a_second_try_of_no_session_is_refused_with_a_mend(shared_data: Path) -> None:
    recording = shared_data / "fixtures-fr" / "lamartine.wav"
    done = talked("--retry", "3", "--exercise", "conversation_libre_marie", "--input", recording)
    assert done.returncode != 0
    assert "earlier session" in done.stderr
    assert "Traceback" not in done.stderr
    nothing = talked()
    assert nothing.returncode != 0
    assert "--exercise" in nothing.stderr


def test_a_wrong_exercise_is_named_with_the_nearest_and_its_own_exit_status(
    shared_data: Path,
) -> None:
    recording = shared_data / "fixtures-fr" / "lamartine.wav"
    done = talked("--exercise", "conversation_libre", "--input", recording)
    assert done.returncode != 0
    assert "conversation_libre_marie" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_broken_recording_is_refused_without_a_traceback(tmp_path: Path) -> None:
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"RIFF\0\0\0\0WAVEjunk")
    done = talked("--exercise", "conversation_libre_marie", "--input", broken)
    assert done.returncode == 4
    assert "broken.wav" in done.stderr
    assert "Traceback" not in done.stderr


def test_ctrl_c_ends_the_conversation_and_what_was_asked_for_is_still_written(
    shared_data: Path, tmp_path: Path
) -> None:
    recording = shared_data / "fixtures-fr" / "lamartine.wav"
    command = [sys.executable, "-c", "from eloquence.cli import main; main()", "talk"]
    options = ["--exercise", "conversation_libre_marie", "--input", str(recording)]
    wanted = ["--output", str(tmp_path / "out.wav"), "--report", str(tmp_path / "out")]
    with subprocess.Popen(
        [*command, *options, *wanted], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as talking:
        assert talking.stdout is not None
        assert talking.stdout.readline()
        talking.send_signal(signal.SIGINT)
        _, told = talking.communicate(timeout=150)
    assert talking.returncode == 0, told
    assert "(complete, learner)" in told
    assert (tmp_path / "out.wav").is_file()
    assert (tmp_path / "out" / "report.json").is_file()
