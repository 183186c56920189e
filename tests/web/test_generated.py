"""What is written by a program is what the program would write now."""

import importlib.util
import json
import shutil
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

from eloquence.coaching.report import Report

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "scripts/generate_protocol.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_types_of_the_page_are_those_of_the_server(generator: ModuleType) -> None:
    assert generator.main(["--check"]) == 0


def test_a_stale_file_is_named(
    generator: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:  # fmt: skip
    monkeypatch.setattr(generator, "WEB", tmp_path / "web")
    assert generator.main(["--check"]) == 1
    assert "web/protocol.d.ts is out of date" in capsys.readouterr().out
    assert generator.main([]) == 0
    assert generator.main(["--check"]) == 0


@pytest.mark.parametrize("name", ["report", "report-by-ear"])
def test_a_sample_report_is_a_report(name: str) -> None:
    text = (ROOT / f"tests/web/{name}.json").read_text(encoding="utf-8")
    assert json.loads(Report.model_validate_json(text).model_dump_json()) == json.loads(text)


def test_the_library_of_the_page_is_the_locked_package() -> None:
    package = ROOT / "node_modules" / "livekit-client"
    if not package.is_dir():
        pytest.skip("needs the package: npm ci")
    lock = json.loads((ROOT / "package-lock.json").read_text(encoding="utf-8"))
    installed = json.loads((package / "package.json").read_text(encoding="utf-8"))
    assert installed["version"] == lock["packages"]["node_modules/livekit-client"]["version"]
    name = "livekit-client.esm.mjs"
    assert (ROOT / "web/vendor" / name).read_bytes() == (package / "dist" / name).read_bytes()


def test_the_types_of_the_page_hold() -> None:
    compiler = ROOT / "node_modules" / "typescript" / "bin" / "tsc"
    node = shutil.which("node", path=str(ROOT / ".venv" / "bin")) or shutil.which("node")
    if node is None or not compiler.is_file():
        pytest.skip("needs the type checker: npm ci")
    done = subprocess.run(
        [node, str(compiler), "--project", str(ROOT / "web" / "jsconfig.json")],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.stdout == ""
    assert done.returncode == 0
