"""How plugins are found, adapted, tried and waited for."""

import asyncio
import sys
import time
from types import SimpleNamespace

import pytest
from tests.plugins.conftest import Install, Stage
from tests.steady import Steady

from eloquence.errors import PluginError
from eloquence.plugins import AgentPlugin, Context, adapted
from eloquence.plugins._presence import LONGEST_TEXT
from eloquence.plugins.installed import find, installed
from eloquence.plugins.running import Limits, Wanted, tried

OLDER = """
class Shout:
    def __init__(self):
        self.seen = 0

    async def process_message(self, message, context):
        self.seen += 1
        return f"{message.upper()} ({context['language']})"

    def get_name(self):
        return "shout"

    def is_enabled(self):
        return True

class Silent(Shout):
    def is_enabled(self):
        return False
"""
SLOW = """
import time
from eloquence.plugins import Options, Plugin

class Slow:
    def coach_turn(self, text, context):
        time.sleep(0 if context.trial else 30 if "lent" in text else 0)
        return text + "!"
    def learner_turn(self, text, context):
        time.sleep(0 if context.trial else 30 if "lent" in text else 0)

class Wishes(Options):
    number: int = 1

plugin = Plugin(name="slow", create=lambda o: Slow(), options=Wishes,
                takes=frozenset({"learner_turn"}), changes=frozenset({"coach_turn"}))
"""


def test_listing_imports_nothing(install: Install) -> None:
    install("breaking", "raise SystemExit('imported')", breaking="plugin")
    names = {one.name: one for one in installed()}
    assert {"example", "profanity_filter", "breaking"} <= set(names)
    assert (names["breaking"].package, names["breaking"].version) == ("breaking", "1.2")
    assert "breaking" not in sys.modules


def test_a_plugin_that_is_not_there_is_told_with_those_that_are() -> None:
    with pytest.raises(PluginError, match="example"):
        find("none")


async def test_a_plugin_that_cannot_be_imported_is_told_by_its_package(install: Install) -> None:
    install("lacking", "import a_package_that_is_not_there", lacking="plugin")
    with pytest.raises(PluginError, match="a_package_that_is_not_there"):
        await tried(Wanted("lacking"), Limits())


async def test_a_wrong_option_is_named(install: Install) -> None:
    install("slow", SLOW, slow="plugin")
    with pytest.raises(PluginError, match=r"'number'.*\[plugins.slow\]"):
        await tried(Wanted("slow", {"number": "many"}), Limits())
    found = await tried(Wanted("slow", {"number": 2}), Limits(seconds=10.0))
    assert found.changes == {"coach_turn"}


async def test_the_older_interface_is_taken_as_it_is(stage: Stage, install: Install) -> None:
    """PLG-01, PLG-07: `process_message`, `get_name`, `is_enabled`."""
    install("older", OLDER, shout="Shout", silent="Silent")
    async with stage.holding(Wanted("shout"), Wanted("silent")) as attendance:
        assert attendance.reads
        assert not attendance.speaks
        assert await attendance.read("Bonjour.") == "BONJOUR. (fr)"
    assert "calls" not in stage.ledger.figures["silent"]


def test_a_class_of_the_older_interface_becomes_a_plugin() -> None:
    class Echo(AgentPlugin):
        async def process_message(self, message: str, context: dict[str, object]) -> str:
            return message

        def get_name(self) -> str:
            return "echo"

        def is_enabled(self) -> bool:
            return True

    assert adapted(Echo).name == "echo"
    assert adapted(Echo()).changes == {"learner_turn"}
    with pytest.raises(TypeError):
        adapted(object())


async def test_who_listens_is_not_waited_for(stage: Stage, install: Install) -> None:
    install("slow", SLOW, slow="plugin")
    async with stage.holding(Wanted("slow")) as attendance:
        with Steady() as taken:
            attendance.heard("Un tour lent.")
        assert taken.seconds < 0.02
        assert not attendance.reads


async def test_a_late_plugin_is_waited_for_once(stage: Stage, install: Install) -> None:
    install("slow", SLOW, slow="plugin")
    stage.limits = Limits(seconds=3.0)
    async with stage.holding(Wanted("slow")) as attendance:
        assert await attendance.spoken("Vite. ") == "Vite.! "
        began = time.monotonic()
        with Steady() as taken:
            assert await attendance.spoken("Trop lent.") == "Trop lent."
        assert time.monotonic() - began > 2.95
        assert taken.seconds < 3.15
        async with asyncio.timeout(60):
            await attendance._present[0]._running.wait()  # it has a new process
        with Steady() as taken:
            assert await attendance.spoken("Encore lent.") == "Encore lent."
        assert taken.seconds < 0.02
    assert stage.ledger.figures["slow"]["timeouts"] >= 1


async def test_a_required_filter_is_waited_for_again_after_a_late_answer(
    stage: Stage, install: Install
) -> None:
    install("slow", SLOW, slow="plugin")
    stage.limits = Limits(seconds=3.0)
    async with stage.holding(Wanted("slow", required=True)) as attendance:
        assert await attendance.spoken("Trop lent.") is None
        async with asyncio.timeout(60):
            while await attendance.spoken("Vite.") is None:
                pass
        assert await attendance.spoken("Vite.") == "Vite.!"


@pytest.mark.parametrize("end", ["", "!"])
async def test_a_required_filter_lets_nothing_pass_that_it_was_not_given(
    stage: Stage, install: Install, end: str
) -> None:
    """PLG-03: what is longer than a plugin is given is not passed on behind what it has seen; one
    that is not required leaves it as it is."""
    install("slow", SLOW.replace('text + "!"', f'text + "{end}"' if end else "None"), slow="plugin")
    long = "mot " * (LONGEST_TEXT // 4) + "grossier."
    async with stage.holding(Wanted("slow", required=True)) as attendance:
        assert await attendance.spoken(long) is None
        assert await attendance.spoken("Vite.") == f"Vite.{end}"
    async with stage.holding(Wanted("slow")) as attendance:
        assert await attendance.spoken(long) == long


@pytest.mark.parametrize("required", [False, True])
async def test_a_plugin_that_is_always_slow_is_waited_for_five_times(
    stage: Stage, install: Install, monkeypatch: pytest.MonkeyPatch, required: bool
) -> None:
    """A required filter is waited for all the same; operators are told of either."""
    install("slow", SLOW, slow="plugin")
    stage.limits = Limits(seconds=30.0)
    now, step = 0.0, 0.0

    def later() -> float:
        nonlocal now
        now += step
        return now

    async with stage.holding(Wanted("slow", required=required)) as attendance:
        monkeypatch.setattr("eloquence.plugins._presence.time", SimpleNamespace(monotonic=later))
        for speed in (7.0, 7.0, 7.0, 7.0, 0.0, 7.0, 7.0, 7.0, 7.0, 7.0):
            step = speed  # four readings of the clock: 28 s
            assert await attendance.spoken("Vite.") == "Vite.!"
        assert await attendance.spoken("Vite.") == ("Vite.!" if required else "Vite.")
    assert stage.ledger.figures["slow"]["slow"] == 1
    assert "failures" not in stage.ledger.figures["slow"]


async def test_another_language_is_left_alone(stage: Stage) -> None:
    stage.context = Context(language="de")
    async with stage.holding(Wanted("profanity_filter")) as attendance:
        assert not attendance.speaks
        assert await attendance.spoken("Merde.") == "Merde."


async def test_what_is_read_for_every_answer_is_not_forgotten_for_what_comes_in_between(
    stage: Stage, install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eloquence.plugins.running._REMEMBERED", 3)
    install("older", OLDER, shout="Shout")
    async with stage.holding(Wanted("shout")) as attendance:
        for part in ("Je.", "Je cherche.", "Je cherche un.", "Je cherche un poste."):
            await attendance.read(part)
            await attendance.read("Bonjour.")
    assert stage.ledger.figures["shout"]["calls"] == 5


async def test_what_the_learner_said_is_asked_about_once(stage: Stage, install: Install) -> None:
    install("older", OLDER, shout="Shout")
    async with stage.holding(Wanted("shout")) as attendance:
        for _ in range(5):
            assert await attendance.read("Bonjour.") == "BONJOUR. (fr)"
    assert stage.ledger.figures["shout"]["calls"] == 1
