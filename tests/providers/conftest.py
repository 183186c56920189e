"""What the tests of the stages share, and the tables of docs/providers.md: each of the contract
holds its cell to what came of it."""

import json
import os
import re
from collections.abc import AsyncIterator, Generator, Iterator
from functools import cache
from pathlib import Path

import pytest

from eloquence.conversation.stages import Resources
from eloquence.registry import Stage
from eloquence.testing.contract import Subject, subject
from eloquence.testing.services import Services

PAGE = Path(__file__).resolve().parents[2] / "docs" / "providers.md"
NOTES = "CONTRACT_NOTES"
"""A file to which the outcomes are added instead, for scripts/generate_providers.py."""
OF_ANOTHER_PACKAGE = "needs options that its own package knows"


@pytest.fixture
async def resources() -> AsyncIterator[Resources]:
    """What the conversations of one process share, closed after the test."""
    shared = Resources()
    yield shared
    await shared.close()


@pytest.fixture
async def services() -> AsyncIterator[Services]:
    """Services on this machine, all well until a test says otherwise."""
    async with Services() as running:
        yield running


@pytest.fixture
def one(provider_name: tuple[Stage, str], tmp_path: Path) -> Iterator[Subject]:
    """The provider that the test is about, ready to be made."""
    try:
        with subject(*provider_name, tmp_path) as made:
            yield made
    except LookupError:
        pytest.skip(OF_ANOTHER_PACKAGE)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "contract(property): one cell of docs/providers.md")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    cell = _cell(item, report)
    if cell is None:
        return report
    stage, name, kind, outcome = cell
    notes = os.environ.get(NOTES)
    if notes:
        with Path(notes).open("a", encoding="utf-8") as file:
            file.write(json.dumps([stage, name, kind, outcome]) + "\n")
    elif outcome in ("✗", OF_ANOTHER_PACKAGE):
        return report
    elif (written := _written(stage).get((name, kind))) != outcome:
        report.outcome = "failed"
        report.longrepr = (
            f"docs/providers.md says {written!r} of {stage} {name}, {kind}; it is {outcome!r}. "
            "Run scripts/generate_providers.py."
        )
    return report


def _cell(item: pytest.Item, report: pytest.TestReport) -> tuple[str, str, str, str] | None:
    """Stage, provider, property and what came of it; None for what is no cell."""
    mark = item.get_closest_marker("contract")
    parameters = getattr(item, "callspec", None)
    if mark is None or parameters is None:
        return None
    stage, name = parameters.params["provider_name"]
    kind = mark.args[0] if mark.args else parameters.params["kind"]
    if report.failed:
        return stage, name, kind, "✗"
    if report.when == "call" and report.passed:
        return stage, name, kind, "✓"
    if report.skipped and isinstance(report.longrepr, tuple):
        reason = report.longrepr[2].removeprefix("Skipped: ")
        if reason.startswith(("needs ", "local: ")):
            return stage, name, kind, "–" if reason.startswith("local: ") else reason
    return None


@cache
def _written(stage: str) -> dict[tuple[str, str], str]:
    """The cells of the committed table of a stage."""
    page = PAGE.read_text("utf-8")
    found = re.search(rf"<!-- contract {stage} -->\n(.*?)<!-- /contract -->", page, re.DOTALL)
    if found is None:
        return {}
    rows = [
        [cell.strip().strip("`") for cell in line.strip("|").split("|")]
        for line in found[1].splitlines()
        if line.startswith("|") and not line.startswith("| ---")
    ]
    head, *body = rows
    return {
        (row[0], kind): cell for row in body for kind, cell in zip(head[1:], row[1:], strict=True)
    }
