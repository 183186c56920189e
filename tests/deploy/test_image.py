"""The image: what Docker would build, as far as it can be known without Docker."""

import re
import subprocess
import tomllib
from pathlib import Path

from tests.deploy.deployment import DEPLOY, ROOT, tool

DOCKERFILE = DEPLOY / "Dockerfile"


def final_stage() -> str:
    return DOCKERFILE.read_text().rpartition("\nFROM ")[2]


def test_the_linter_finds_nothing() -> None:
    linted = subprocess.run(
        [tool("hadolint"), str(DOCKERFILE)], capture_output=True, text=True, check=False
    )
    assert linted.returncode == 0, linted.stdout


def test_it_runs_as_nobody_in_particular() -> None:
    users = re.findall(r"^USER (.+)$", final_stage(), re.MULTILINE)
    assert users == ["10001:10001"]


def test_every_base_has_an_exact_version() -> None:
    bases = re.findall(r"^FROM (\S+)", DOCKERFILE.read_text(), re.MULTILINE)
    assert len(bases) == 2
    for base in bases:
        assert re.search(r":\d+\.\d+\.\d+-", base), base


def test_it_has_no_compiler_and_no_tool_of_development() -> None:
    assert not re.search(r"build-essential|gcc|g\+\+|make\b|uv |pip ", final_stage())
    locked = names(ROOT / "requirements/server.txt")
    assert {"livekit-agents", "psycopg", "redis", "vosk"} <= locked
    assert not locked & {"pytest", "mypy", "ruff", "hypothesis", "playwright", "hatchling"}


def test_packages_are_installed_by_their_hashes_alone() -> None:
    text = DOCKERFILE.read_text()
    for command in re.findall(r"(?:pip install|uv pip sync)[^\n]*", text):
        assert "--require-hashes" in command or "--no-deps dist/" in command, command
    for name in ("server", "build", "uv"):
        lock = (ROOT / f"requirements/{name}.txt").read_text()
        for entry in re.split(r"\n(?=\S)", lock.strip()):
            assert "--hash=sha256:" in entry, entry


def test_the_container_runs_the_versions_that_are_tested() -> None:
    tested = versions(ROOT / "requirements/dev.txt")
    shipped = versions(ROOT / "requirements/server.txt")
    both = set(tested) & set(shipped)
    assert len(both) > 50
    assert {name for name in both if tested[name] != shipped[name]} == set()


def test_what_is_copied_reaches_the_builder() -> None:
    """`.dockerignore` leaves out everything that it does not name."""
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in ignored
    kept = {line[1:].split("/")[0] for line in ignored if line.startswith("!")}
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE.read_text(), re.MULTILINE)
    for source in " ".join(copied).split():
        assert source.split("/")[0] in kept, source
        assert (ROOT / source).exists(), source
    assert not kept & {".env", ".git", "deploy", "tests", "var"}


def test_it_has_the_version_of_the_project() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert f"eloquence:{version}" in (DEPLOY / "compose.yaml").read_text()


def test_health_is_asked() -> None:
    """ORD-05."""
    assert (
        "HEALTHCHECK --interval=30s --timeout=10s --retries=3 --start-period=60s" in final_stage()
    )


def names(lock: Path) -> set[str]:
    return set(versions(lock))


def versions(lock: Path) -> dict[str, str]:
    return dict(re.findall(r"^([A-Za-z0-9._-]+)==([^\s\\;]+)", lock.read_text(), re.MULTILINE))
