"""Which processes stand for the services, in which order; and all of them for real."""

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.deploy.deployment import DEPLOY, GIVEN, ROOT

from eloquence.errors import ConfigurationError
from eloquence.ops.stack import compose
from eloquence.ops.stack.compose import filled, seconds
from eloquence.ops.stack.plan import Part, found, in_order, plan, read, shown
from eloquence.testing.parts import free_port

TEXT = (DEPLOY / "compose.yaml").read_text()
LIVEKIT = (DEPLOY / "livekit.yaml").read_text()


def planned(variables: Mapping[str, str] | None = None, **outside: str) -> dict[str, Part]:
    """The parts, on a machine that has every program."""
    given = {**GIVEN, **(variables or {})}
    parts = plan(
        compose.services(TEXT, given),
        given,
        folder=Path("/stack"),
        livekit=LIVEKIT,
        find=lambda name: Path("/bin") / name,
        outside={"PATH": "/bin", **outside},
    )
    return {part.name: part for part in parts}


def test_redis_comes_first_then_livekit_then_the_agents() -> None:
    """ORD-01, X-17."""
    order = list(planned())
    assert order.index("redis") < order.index("livekit-server") < order.index("livekit-agent")
    for part in planned().values():
        assert all(order.index(other) < order.index(part.name) for other in part.after)


def test_services_that_wait_for_each_other_are_refused() -> None:
    services = compose.services(TEXT, GIVEN)
    services["redis"] = replace(services["redis"], after=("livekit-agent",))
    with pytest.raises(ConfigurationError, match="wait for each other"):
        in_order(services)


def test_two_services_on_one_port_are_refused() -> None:
    """X-02."""
    with pytest.raises(ConfigurationError, match="both want port 7881") as refused:
        planned({"LIVEKIT_TCP_PORT": "7881"})
    assert "Set TOKEN_PORT" in str(refused.value)


def test_a_missing_program_is_named_with_the_way_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("eloquence.ops.stack.plan._PLACES", ())
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ConfigurationError, match=r"livekit-server is not installed.*scripts/parts"):
        found("livekit-server")
    with pytest.raises(ConfigurationError, match="apt-get install redis-server"):
        found("redis-server")


@pytest.mark.parametrize("value", ["0", "10", "two", "-1"])
def test_a_number_of_workers_that_is_none_is_refused(value: str) -> None:
    with pytest.raises(ConfigurationError, match="STACK_WORKERS"):
        planned({"STACK_WORKERS": value})


def test_a_port_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="TOKEN_PORT_2"):
        planned({"STACK_SERVERS": "2", "TOKEN_PORT_2": "0"})


def test_addresses_are_those_of_this_machine() -> None:
    agent = planned({"LIVEKIT_PORT": "17880", "POSTGRES_PORT": "15432"})["livekit-agent"]
    given = agent.environment
    assert given["LIVEKIT_URL"] == "ws://127.0.0.1:17880"
    assert given["DATABASE_URL"] == "postgresql://eloquence:database@127.0.0.1:15432/eloquence"
    assert given["VOSK_STT_URL"] == "http://127.0.0.1:8000"
    assert given["ELOQUENCE_DATA"] == "/stack/volumes/data"
    assert given["ELOQUENCE_WORKER_PORT"] == "8080"


def test_livekit_tells_its_events_to_the_worker_of_this_machine() -> None:
    """LK-12."""
    livekit = planned({"AGENT_PORT": "18080"})["livekit-server"]
    assert "http://127.0.0.1:18080/webhook" in livekit.files["livekit.yaml"]


def test_several_of_each_are_shared_out_on_ports_of_their_own() -> None:
    parts = planned({"STACK_WORKERS": "2", "STACK_LIVEKIT": "2", "STACK_SERVERS": "2"})
    assert parts["livekit-server-2"].ports == {"LIVEKIT_PORT_2": 7980, "LIVEKIT_TCP_PORT_2": 7982}
    assert parts["livekit-server-2"].environment["LIVEKIT_RTC_UDP_PORT_START"] == "50100"
    assert parts["livekit-agent-2"].environment["LIVEKIT_URL"] == "ws://127.0.0.1:7980"
    assert parts["token-service-2"].environment["LIVEKIT_URL"] == "ws://127.0.0.1:7980"
    public = parts["token-service-2"].environment["ELOQUENCE_LIVEKIT_PUBLIC_URL"]
    assert public == "ws://localhost:7980"
    assert {"livekit-server", "livekit-server-2"} <= set(parts["livekit-agent"].after)
    for part in parts.values():
        if part.service in ("livekit-agent", "token-service"):
            assert part.environment["REDIS_URL"] == "redis://127.0.0.1:6379/0"


def test_without_redis_nobody_looks_for_it_and_there_is_one_livekit() -> None:
    """X-17: on one machine Redis is optional."""
    parts = planned({"STACK_WITHOUT": "redis"})
    assert "redis" not in parts
    for part in parts.values():
        assert not any("6379" in value for value in part.environment.values())
    with pytest.raises(ConfigurationError, match="through Redis"):
        planned({"STACK_WITHOUT": "redis", "STACK_LIVEKIT": "2"})


def test_a_service_that_is_no_part_of_it_cannot_be_left_out() -> None:
    with pytest.raises(ConfigurationError, match="STACK_WITHOUT"):
        planned({"STACK_WITHOUT": "kafka"})


def test_a_vendors_key_reaches_no_other_process_however_it_is_given() -> None:
    """D-21."""
    parts = planned(SCALEWAY_SECRET_KEY="key-of-scaleway", OPENAI_API_KEY="key-of-openai")
    for key, alone in (
        ("key-of-scaleway", "mistral-conversation"),
        ("key-of-openai", "openai-tts"),
    ):
        knowing = {name for name, part in parts.items() if key in part.environment.values()}
        assert knowing == {alone}


def test_the_database_is_made_once_and_never_by_root() -> None:
    postgres = planned()["postgres"]
    assert postgres.user == "postgres"
    assert postgres.done == "data/PG_VERSION"
    assert "--auth=scram-sha-256" in postgres.first[0]
    assert "database" not in postgres.environment.values()


def test_only_what_people_open_can_be_reached_from_elsewhere() -> None:
    parts = planned({"PUBLISH_ADDRESS": "0.0.0.0"})
    assert "0.0.0.0" in parts["token-service"].command
    assert "0.0.0.0" in parts["livekit-server"].command
    for name in ("vosk-stt", "mistral-conversation", "openai-tts", "redis"):
        assert "0.0.0.0" not in parts[name].command
        assert "127.0.0.1" in parts[name].command


def test_a_plan_can_be_written_and_read_back() -> None:
    parts = tuple(planned({"STACK_WORKERS": "2"}).values())
    assert read(shown(parts)) == parts


def test_variables_are_filled_in_as_docker_compose_does() -> None:
    given = {"A": "a", "EMPTY": ""}
    assert filled("$A ${A} $$A", given) == "a a $A"
    assert filled("${EMPTY:-b} ${NONE:-c${A}} ${A:+d} ${NONE:+e}", given) == "b ca d "
    with pytest.raises(ConfigurationError, match=r"NONE is not set.*Write it"):
        filled("${NONE:?write it}", given)
    for bad in ("${A", "$-", "${}"):
        with pytest.raises(ConfigurationError):
            filled(bad, given)


def test_durations_are_seconds() -> None:
    assert seconds("1m30s") == 90
    assert seconds("62m") == 3720
    assert seconds("500ms") == 0.5
    with pytest.raises(ConfigurationError):
        seconds("soon")


PORTS = (
    "TOKEN_PORT", "LIVEKIT_PORT", "LIVEKIT_TCP_PORT", "AGENT_PORT", "LLM_PORT", "TTS_PORT",
    "REDIS_PORT", "POSTGRES_PORT", "AGENT_PORT_2", "STT_PORT",
)  # fmt: skip


@pytest.mark.timeout(420)
def test_all_of_it_runs_for_real_comes_back_and_stops_in_the_opposite_order() -> None:
    """ORD-01, ORD-06, ORD-07, D-22, B-05, B-07, TC-49: two workers; one of them is killed."""
    for name in ("livekit-server", "redis-server", "postgres"):
        try:
            found(name)
        except ConfigurationError as missing:
            if os.environ.get("CI"):
                raise
            pytest.skip(str(missing))
    udp = free_port(datagrams=True)
    folder = Path(tempfile.mkdtemp(prefix="eloquence-stack-"))  # another user must get into it
    outside = {
        **{name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")},
        **{name: str(free_port()) for name in PORTS},
        "LIVEKIT_UDP_START": str(udp),
        "LIVEKIT_UDP_END": str(udp),
        "STACK_FOLDER": str(folder),
        "STACK_WORKERS": "2",
        # Hearing needs a model that is downloaded; answering a host, which health does not call.
        "STACK_WITHOUT": "vosk-stt",
        "MISTRAL_UPSTREAM_URL": "http://127.0.0.1:9",
        "DRAIN_MINUTES": "0",
    }

    def stack(command: str) -> str:
        ran = subprocess.run(
            [str(ROOT / "scripts/stack"), command],
            env=outside,
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        return f"{ran.returncode} {ran.stdout}{ran.stderr}"

    try:
        started = stack("start")
        assert started.startswith("0 "), started
        assert stack("start").startswith("1 "), "a second one is refused"
        before = state(folder)
        assert {entry["state"] for entry in before.values()} == {"healthy"}
        born = {name: entry["created"] for name, entry in before.items()}
        for name in ("livekit-agent", "livekit-agent-2"):
            assert born[name] > max(born["redis"], born["postgres"], born["livekit-server"])

        with urllib.request.urlopen(f"http://127.0.0.1:{outside['AGENT_PORT_2']}/health") as reply:
            assert json.load(reply)["registered"] is True

        os.kill(before["livekit-agent-2"]["pid"], signal.SIGKILL)
        after = until_healthy(folder, "livekit-agent-2", not_pid=before["livekit-agent-2"]["pid"])
        assert after["redis"]["pid"] == before["redis"]["pid"]
    finally:
        stopped = stack("stop")
    assert stopped.startswith("0 "), stopped
    assert {entry["state"] for entry in state(folder).values()} == {"stopped"}
    assert not any(psutil.pid_exists(entry["pid"]) for entry in after.values())
    order = (folder / "supervision.log").read_text().split()
    assert order.index("livekit-agent") < order.index("livekit-server") < order.index("redis")
    shutil.rmtree(folder)


def state(folder: Path) -> dict[str, dict[str, Any]]:
    read: dict[str, dict[str, Any]] = json.loads((folder / "state.json").read_text())["parts"]
    return read


def until_healthy(folder: Path, name: str, *, not_pid: int) -> dict[str, dict[str, Any]]:
    deadline = time.monotonic() + 150
    while time.monotonic() < deadline:
        seen = state(folder)
        if seen[name]["state"] == "healthy" and seen[name]["pid"] != not_pid:
            return seen
        time.sleep(0.1)
    raise AssertionError(f"{name} did not come back: {state(folder)}")
