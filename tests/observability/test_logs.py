"""Log lines: their form, their files, what is demoted (LOG-01 to LOG-06)."""

import logging
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from eloquence.config import Settings
from eloquence.errors import StorageError
from eloquence.observability import logs


@pytest.fixture(autouse=True)
def _loggers_as_before() -> Iterator[None]:
    before = {name: logging.getLogger(name).level for name in logs.LOGGERS}
    yield
    for name, level in before.items():
        logger = logging.getLogger(name)
        logger.setLevel(level)
        for handler in list(logger.handlers):
            logger.removeHandler(handler)
            handler.close()


def configure(folder: Path, level: str = "INFO") -> None:
    logs.configure(Settings(data=folder, log_level=level))


def main_file(folder: Path) -> str:
    return (folder / "logs" / "eloquence.log").read_text(encoding="utf-8")


def error_file(folder: Path) -> str:
    return (folder / "logs" / "eloquence_errors.log").read_text(encoding="utf-8")


def test_a_line_has_time_logger_level_and_message(tmp_path: Path) -> None:
    """LOG-01, LOG-02, LOG-05."""
    configure(tmp_path)
    logging.getLogger("eloquence").info("Service démarré")
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} - eloquence - INFO - Service démarré\n",
        main_file(tmp_path),
    )


def test_errors_have_a_file_of_their_own(tmp_path: Path) -> None:
    """LOG-04."""
    configure(tmp_path)
    log = logging.getLogger("eloquence.conversation")
    log.warning("a warning")
    log.error("an error")
    assert "an error" in error_file(tmp_path)
    assert "a warning" not in error_file(tmp_path)
    assert "a warning" in main_file(tmp_path)


def test_the_console_shows_warnings_and_above(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """LOG-03."""
    configure(tmp_path)
    log = logging.getLogger("eloquence")
    log.info("an information")
    log.warning("a warning")
    shown = capsys.readouterr()
    assert "a warning" in shown.err
    assert "an information" not in shown.err
    assert shown.out == ""


def test_the_level_is_the_operators(tmp_path: Path) -> None:
    """LOG-06."""
    log = logging.getLogger("eloquence")
    configure(tmp_path / "info")
    log.debug("a detail")
    configure(tmp_path / "debug", "DEBUG")
    log.debug("a detail")
    assert "a detail" not in main_file(tmp_path / "info")
    assert "a detail" in main_file(tmp_path / "debug")


def test_a_line_break_cannot_pass_for_a_line_of_ours(tmp_path: Path) -> None:
    configure(tmp_path)
    logging.getLogger("eloquence").warning(
        "asked for %s", "a\r\n2026 - eloquence - ERROR - b\x1b[2J"
    )
    assert main_file(tmp_path).count("\n") == 1
    assert r"a\r\n2026" in main_file(tmp_path)
    assert "\x1b" not in main_file(tmp_path)


def test_a_traceback_keeps_its_lines_and_stays_under_its_message(tmp_path: Path) -> None:
    configure(tmp_path)
    try:
        raise ValueError("bad\rvalue")
    except ValueError:
        logging.getLogger("eloquence").exception("it failed")
    first, *rest = main_file(tmp_path).splitlines()
    assert first.endswith("ERROR - it failed")
    assert rest
    assert all(line.startswith("    ") for line in rest)
    assert r"bad\rvalue" in rest[-1]


@pytest.mark.parametrize("harmless", logs.HARMLESS)
def test_what_the_engine_says_of_things_as_they_should_be_is_demoted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], harmless: str
) -> None:
    configure(tmp_path)
    logging.getLogger("livekit.agents").error("%s, and more", harmless)
    logging.getLogger("livekit.agents").error("a real one")
    assert harmless not in main_file(tmp_path) + error_file(tmp_path) + capsys.readouterr().err
    assert "a real one" in error_file(tmp_path)


def test_the_engine_s_slowness_is_in_the_file_and_not_over_the_conversation(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    configure(tmp_path)
    logging.getLogger("livekit.agents").warning("VAD inference is slower than realtime")
    logging.getLogger("livekit.agents").warning("something else")
    assert "slower than realtime" in main_file(tmp_path)
    shown = capsys.readouterr().err
    assert "slower than realtime" not in shown
    assert "something else" in shown


def test_files_turn_over_and_nobody_else_may_read_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LOG-02: 10 MB and 5 backups; here in small."""
    monkeypatch.setattr(logs, "MEGABYTE", 1000)
    configure(tmp_path)
    for number in range(3000):
        logging.getLogger("eloquence").info("line %d", number)
    main = sorted(path.name for path in (tmp_path / "logs").glob("eloquence.log*"))
    assert main == ["eloquence.log", *(f"eloquence.log.{number}" for number in range(1, 6))]
    assert all(path.stat().st_size <= 10_000 for path in (tmp_path / "logs").iterdir())
    assert all(path.stat().st_mode & 0o077 == 0 for path in (tmp_path / "logs").iterdir())


def test_configuring_again_writes_each_line_once(tmp_path: Path) -> None:
    configure(tmp_path)
    configure(tmp_path)
    logging.getLogger("eloquence").warning("once")
    assert main_file(tmp_path).count("once") == 1


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="folder of logs"):
        configure(tmp_path / "file")


def test_what_a_provider_put_into_its_error_stays_out_of_the_engine_s_tracebacks() -> None:
    """LOG-06: a line never holds what was said."""
    said = "-".join(("canary", "what", "was", "said"))
    try:
        raise ValueError(said)
    except ValueError:
        record = logging.LogRecord(
            "livekit.agents", logging.ERROR, "", 0, "Error in _llm", None, sys.exc_info()
        )
    line = logs.Line(logs.FORMAT).format(record)
    assert said not in line
    assert "ValueError" in line
    assert "test_logs.py" in line
