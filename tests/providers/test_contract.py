"""What holds of every provider before a conversation begins, whoever wrote it."""

import json
import socket
import subprocess
import sys
import time
from functools import cache
from importlib.metadata import entry_points
from typing import Any, NoReturn, get_args

import pytest
from pydantic import SecretStr

from eloquence import registry
from eloquence.conversation.stages import Resources
from eloquence.errors import ConfigurationError
from eloquence.registry import STAGES, Stage
from eloquence.testing.contract import PROPERTIES, Subject

EVERY = [(stage, name) for stage in STAGES for name in registry.names(stage)]
pytestmark = pytest.mark.parametrize("provider_name", EVERY, ids="-".join)


@cache
def loaded_by_listing() -> frozenset[str]:
    """The modules that a fresh process has loaded once it has listed every name."""
    program = (
        "import json, sys\n"
        "from eloquence import registry\n"
        "[registry.names(stage) for stage in registry.STAGES]\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    return frozenset(json.loads(done.stdout))


@pytest.mark.contract("listed")
def test_a_name_is_listed_without_importing_it(provider_name: tuple[Stage, str]) -> None:
    """ARC: listing is instant, however heavy a vendor's package is."""
    stage, name = provider_name
    (point,) = [one for one in entry_points(group=f"eloquence.{stage}") if one.name == name]
    assert point.module not in loaded_by_listing()
    assert registry.provider(stage, name).name == name


@pytest.mark.contract("options")
def test_what_an_option_cannot_be_is_refused_by_its_name(one: Subject) -> None:
    with pytest.raises(ConfigurationError, match="nonsense") as caught:
        one.provider.parse({"nonsense": 1}, {})
    assert one.provider.name in str(caught.value)
    assert one.provider.options.model_config.get("frozen")
    for field in one.provider.options.model_fields:
        with pytest.raises(ConfigurationError, match=field):
            one.provider.parse({field: object()}, {})


@pytest.mark.contract("options")
def test_a_key_is_never_shown(one: Subject) -> None:
    keys = {
        name: "hush-hush"
        for name, field in one.provider.options.model_fields.items()
        if SecretStr in (field.annotation, *get_args(field.annotation))
    }
    options = one.provider.parse({**one.options, **keys}, {})
    told = one.provider.check(options, "fr")
    assert "hush-hush" not in f"{options!r} {options} {told}"
    if any("key" in name or "secret" in name for name in one.provider.options.model_fields):
        assert keys


@pytest.mark.contract("check")
def test_it_says_at_once_and_offline_whether_it_is_ready(
    one: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> NoReturn:
        raise AssertionError("the network is asked")

    parsed = one.provider.parse(one.options, {})
    one.provider.check(parsed, one.language)
    monkeypatch.setattr(socket.socket, "connect", refused)
    monkeypatch.setattr(socket, "getaddrinfo", refused)
    monkeypatch.setattr(subprocess, "Popen", refused)
    began = time.perf_counter()
    told = one.provider.check(parsed, one.language)
    assert time.perf_counter() - began < 0.5
    assert told.ready
    assert told.detail
    assert one.host is None or len(one.host.asked) == 0
    without = one.provider.check(one.provider.parse({}, {}), "fr")
    assert without.ready or (without.detail and without.mend)


@pytest.mark.contract("check")
async def test_who_is_not_ready_says_why_when_it_is_made(
    one: Subject, resources: Resources
) -> None:
    """PRV-08: the error names the command or the variable."""
    from eloquence.errors import EloquenceError
    from eloquence.testing.context import stage_context

    options = one.provider.parse({}, {})
    told = one.provider.check(options, "fr")
    if told.ready:
        assert one.provider.create(options, stage_context(resources=resources)) is not None
        return
    with pytest.raises(EloquenceError) as caught:
        one.provider.create(options, stage_context(resources=resources))
    assert caught.value.mend


@pytest.mark.contract("languages")
def test_the_language_of_a_conversation_is_taken_or_refused_with_what_it_knows(
    one: Subject,
) -> None:
    known = one.provider.languages
    assert not known or {"fr", "en"} & known
    chosen = registry.choose(
        one.stage, one.provider.name, one.options, one.language, (), environment={}
    )
    assert chosen.readiness.ready
    if known:
        refused = registry.choose(
            one.stage, one.provider.name, one.options, "tlh", (), environment={}
        )
        assert not refused.readiness.ready
        assert "fr" in refused.readiness.mend or "en" in refused.readiness.mend


def test_its_row_has_every_column_of_its_stage(
    provider_name: tuple[Stage, str], request: pytest.FixtureRequest
) -> None:
    """The tables of docs/providers.md hold every provider that ships here."""
    stage, name = provider_name
    (point,) = [one for one in entry_points(group=f"eloquence.{stage}") if one.name == name]
    if point.dist is not None and point.dist.name != "eloquence":
        pytest.skip(f"{name} comes from another package, {point.dist.name}")
    written: Any = request.config.pluginmanager
    conftest = next(
        plugin
        for plugin in written.get_plugins()
        if str(getattr(plugin, "__file__", "")).endswith("tests/providers/conftest.py")
    )
    row = {kind for each, kind in conftest._written(stage) if each == name}
    expected = set(PROPERTIES) - ({"times"} if stage == "llm" else set())
    assert row == expected
