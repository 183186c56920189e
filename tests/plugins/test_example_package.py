"""A third party's plugin, installed beside the project as its users would, works without any change
of the project."""

import sys
from pathlib import Path

import pytest
from tests.plugins.conftest import Stage

from eloquence.plugins.installed import find
from eloquence.plugins.running import Limits, Wanted, tried
from eloquence.testing.packages import installed

PACKAGE = Path(__file__).resolve().parents[2] / "examples" / "eloquence-plugin-units"


@pytest.fixture
def beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder into which it is installed, on the path."""
    folder = installed(PACKAGE, tmp_path / "site-packages")
    monkeypatch.syspath_prepend(str(folder))
    return folder


async def test_a_package_that_was_installed_beside_takes_part(stage: Stage, beside: Path) -> None:
    found = find("units")
    assert (found.package, found.version) == ("eloquence-plugin-units", "1.0")
    about = await tried(Wanted("units"), Limits(seconds=10.0))
    assert about.takes == {"coach_turn", "learner_turn"}
    assert about.changes == {"coach_turn"}
    async with stage.holding(Wanted("units", {"more": {"ha": "hectares"}})) as attendance:
        assert await attendance.spoken("Il reste 5 km, ") == "Il reste 5 kilomètres, "
        assert await attendance.spoken("et 3ha.") == "et 3 hectares."
        attendance.heard("Combien ? Vraiment ?")
    assert "eloquence_plugin_units" not in sys.modules  # it never runs in our own process
    assert stage.ledger.figures["units"]["own.questions"] == 2
