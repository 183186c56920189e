"""The services, their ports, network, order and checks, as Docker Compose reads them."""

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest
from tests.deploy.deployment import DEPLOY, GIVEN, ROOT, Run

from eloquence.ops.stack import compose

OURS = {
    "vosk-stt",
    "mistral-conversation",
    "openai-tts",
    "livekit-agent",
    "token-service",
}
SERVERS = {"redis", "postgres", "livekit-server"}


def live(model: Mapping[str, Any]) -> dict[str, Any]:
    """The services without those of a profile."""
    return {name: one for name, one in model["services"].items() if not one.get("profiles")}


def published(model: Mapping[str, Any], name: str) -> dict[int, str]:
    return {
        port["target"]: port["published"]
        for port in model["services"][name].get("ports", [])
        if port["protocol"] == "tcp"
    }


def test_the_six_services_of_the_seeds_and_ours_are_there(model: dict[str, Any]) -> None:
    """ORD-07, DEP-01, DEP-08, TOK-06."""
    assert set(live(model)) == OURS | SERVERS


@pytest.mark.parametrize(
    "name", ["LIVEKIT_API_KEY", "LIVEKIT_API_SECRET", "POSTGRES_PASSWORD", "LIVEKIT_NODE_IP"]
)
def test_nothing_starts_without_its_secrets(compose_model: Run, name: str) -> None:
    """CFG-02, X-32."""
    refused = compose_model({key: value for key, value in GIVEN.items() if key != name})

    assert refused.returncode != 0
    assert name in refused.stderr
    assert ".env" in refused.stderr


def test_no_secret_is_written_in_the_files() -> None:
    """X-32, B-19: what must be kept is left empty, and nothing has a default."""
    example = compose.read_variables(DEPLOY / ".env.example")
    assert set(example) == {"COMPOSE_PROJECT_NAME", "DOCKER_NETWORK"}
    text = (DEPLOY / "compose.yaml").read_text() + (DEPLOY / "livekit.yaml").read_text()
    assert "devkey" not in text
    assert "devsecret" not in text
    for name in ("SECRET", "PASSWORD", "API_KEY", "SECRET_KEY"):
        assert not re.findall(rf"\${{\w*{name}:-[^}}]+}}", text)


def test_every_service_has_a_health_check_and_comes_back(model: dict[str, Any]) -> None:
    """B-04, B-05, X-15, ORD-06."""
    for name, service in live(model).items():
        assert service["healthcheck"]["test"][0] == "CMD", name
        assert service["restart"] == "unless-stopped", name


def test_dependencies_are_waited_for_until_they_are_healthy(model: dict[str, Any]) -> None:
    """ORD-01, ORD-02, ORD-06, X-17, X-18, B-07."""
    for name, service in model["services"].items():
        for other, how in service.get("depends_on", {}).items():
            assert how["condition"] == "service_healthy", (name, other)
    after = {name: set(one.get("depends_on", {})) for name, one in live(model).items()}
    assert after["redis"] == set()
    assert after["livekit-server"] == {"redis"}
    assert after["livekit-agent"] == {
        "redis", "postgres", "livekit-server", "vosk-stt", "mistral-conversation", "openai-tts",
    }  # fmt: skip
    assert after["token-service"] == {"redis", "postgres", "livekit-server"}


def test_the_agent_is_asked_for_its_health_as_the_seeds_say(model: dict[str, Any]) -> None:
    """ORD-05, C-15, LK-12."""
    agent = model["services"]["livekit-agent"]
    check = agent["healthcheck"]
    assert check["test"] == ["CMD", "curl", "-fsS", "http://localhost:8080/health"]
    assert (check["interval"], check["timeout"], check["retries"]) == ("30s", "10s", 3)
    assert check["start_period"] == "1m0s"


def test_livekit_is_asked_on_its_root_and_has_thirty_seconds_to_start(
    model: dict[str, Any],
) -> None:
    """LK-16, ORD-04, X-12, X-16, C-15."""
    check = model["services"]["livekit-server"]["healthcheck"]
    assert check["test"][-1] == "http://127.0.0.1:7880/"
    assert check["start_period"] == "30s"


@pytest.mark.parametrize(
    ("name", "port"),
    [
        ("livekit-server", 7880),
        ("token-service", 7881),
        ("livekit-agent", 8080),
        ("vosk-stt", 8000),
        ("mistral-conversation", 8001),
        ("openai-tts", 5002),
    ],
)
def test_each_service_is_on_the_port_of_the_seeds_and_can_be_moved(
    compose_model: Run, model: dict[str, Any], name: str, port: int
) -> None:
    """X-02, X-03, X-09, X-10, X-43, TOK-04, DEP-07."""
    assert published(model, name)[port] == str(port)
    variable = {
        "livekit-server": "LIVEKIT_PORT",
        "token-service": "TOKEN_PORT",
        "livekit-agent": "AGENT_PORT",
        "vosk-stt": "STT_PORT",
        "mistral-conversation": "LLM_PORT",
        "openai-tts": "TTS_PORT",
    }[name]
    moved = json.loads(compose_model({**GIVEN, variable: "18780"}).stdout)
    assert published(moved, name)[port] == "18780"


def test_no_two_services_share_a_port(model: dict[str, Any]) -> None:
    """X-02: LiveKit's sound over TCP is not on the token service's 7881."""
    every = [port for name in live(model) for port in published(model, name).values()]
    assert len(every) == len(set(every))
    livekit = model["services"]["livekit-server"]
    assert published(model, "livekit-server")[7882] == "7882"
    assert livekit["environment"]["LIVEKIT_RTC_TCP_PORT"] == "7882"


def test_the_ports_of_the_sound_are_those_that_livekit_uses(model: dict[str, Any]) -> None:
    livekit = model["services"]["livekit-server"]
    udp = [port["target"] for port in livekit["ports"] if port["protocol"] == "udp"]
    assert (min(udp), max(udp)) == (50000, 50015)
    assert livekit["environment"]["LIVEKIT_RTC_UDP_PORT_START"] == "50000"
    assert livekit["environment"]["LIVEKIT_RTC_UDP_PORT_END"] == "50015"
    assert all("host_ip" not in port for port in livekit["ports"] if port["target"] != 7880)


def test_what_is_not_sound_is_reached_from_this_machine_alone(model: dict[str, Any]) -> None:
    for name in live(model):
        for port in model["services"][name].get("ports", []):
            if port["target"] < 50000 and port["target"] != 7882:
                assert port["host_ip"] == "127.0.0.1", (name, port)
    assert "ports" not in model["services"]["redis"]
    assert "ports" not in model["services"]["postgres"]


def test_what_asks_for_no_key_is_never_reached_from_elsewhere() -> None:
    """The speech services would spend the vendor's money for anybody."""
    text = (DEPLOY / "compose.yaml").read_text()
    places = re.findall(r'- "(\S+?):\$\{(\w+):-\d+\}:\d+"', text)
    elsewhere = {name for place, name in places if place != "127.0.0.1"}
    assert {name for _, name in places} - elsewhere == {
        "STT_PORT",
        "LLM_PORT",
        "TTS_PORT",
        "AGENT_PORT",
    }
    assert elsewhere == {"LIVEKIT_PORT", "TOKEN_PORT"}


def test_all_are_on_one_network_with_the_seeds_name(
    compose_model: Run, model: dict[str, Any]
) -> None:
    """X-35, DEP-07, CFG-03."""
    assert {name: one["name"] for name, one in model["networks"].items()} == {
        "eloquence": "eloquence_network"
    }
    for name, service in live(model).items():
        assert set(service["networks"]) == {"eloquence"}, name
    renamed = json.loads(compose_model({**GIVEN, "DOCKER_NETWORK": "another"}).stdout)
    assert renamed["networks"]["eloquence"]["name"] == "another"


def test_livekit_answers_to_both_of_its_names(model: dict[str, Any]) -> None:
    """X-11, DEP-02."""
    networks = model["services"]["livekit-server"]["networks"]
    assert networks["eloquence"]["aliases"] == ["livekit"]


def test_the_agent_keeps_its_names_and_its_memory(model: dict[str, Any]) -> None:
    """X-13, DEP-03, DEP-04, C-18."""
    agent = model["services"]["livekit-agent"]
    assert agent["container_name"] == "eloquence-multiagent"
    resources = agent["deploy"]["resources"]
    assert resources["limits"]["memory"] == str(4 * 2**30)
    assert resources["reservations"]["memory"] == str(2 * 2**30)
    former = model["services"]["eloquence-agent-v1"]
    assert former["profiles"] == ["agent-v1"]
    assert set(former["depends_on"]) == {"livekit-agent"}


def test_the_agent_knows_every_service_that_it_needs(model: dict[str, Any]) -> None:
    """D-20, CFG-01, CFG-04, LK-08."""
    given = model["services"]["livekit-agent"]["environment"]
    assert given["LIVEKIT_URL"] == "ws://livekit-server:7880"
    assert given["LIVEKIT_API_KEY"] == "APItest"
    assert given["LIVEKIT_API_SECRET"] == GIVEN["LIVEKIT_API_SECRET"]
    assert given["REDIS_URL"] == "redis://redis:6379/0"
    assert given["VOSK_STT_URL"] == "http://vosk-stt:8000"
    assert given["MISTRAL_BASE_URL"] == "http://mistral-conversation:8001"
    assert given["TTS_SERVICE_URL"] == "http://openai-tts:5002"
    chosen = [given[f"ELOQUENCE_{stage}"] for stage in ("STT", "LLM", "TTS")]
    assert chosen == ["vosk", "openai", "service"], "and conversations are held with them"
    assert given["MISTRAL_API_KEY"] == "none"


def test_livekit_cloud_can_be_used_instead(compose_model: Run) -> None:
    """LK-08."""
    cloud = json.loads(compose_model({**GIVEN, "LIVEKIT_URL": "wss://x.livekit.cloud"}).stdout)
    agent = cloud["services"]["livekit-agent"]["environment"]
    assert agent["LIVEKIT_URL"] == "wss://x.livekit.cloud"


def test_a_vendors_key_is_known_to_the_service_that_calls_it_and_to_no_other(
    model: dict[str, Any],
) -> None:
    """D-21."""
    for key, alone in (
        ("key-of-scaleway", "mistral-conversation"),
        ("key-of-openai", "openai-tts"),
    ):
        knowing = {name for name, one in model["services"].items() if key in json.dumps(one)}
        assert knowing == {alone}


def test_only_exact_versions_are_used(model: dict[str, Any]) -> None:
    """X-19, DEP-09."""
    for name, service in model["services"].items():
        assert re.search(r":v?\d+\.\d+(\.\d+)?(-\w+[\d.]*)?$", service["image"]), name
    assert model["services"]["livekit-server"]["image"].endswith(":v1.11.0")


def test_our_containers_cannot_change_themselves(model: dict[str, Any]) -> None:
    for name in OURS:
        service = model["services"][name]
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name


def test_what_must_be_kept_is_in_named_volumes(model: dict[str, Any]) -> None:
    assert set(model["volumes"]) == {"data", "database"}
    assert not model["services"]["redis"].get("volumes")


def test_a_worker_has_longer_to_stop_than_its_conversations_may_last(model: dict[str, Any]) -> None:
    agent = model["services"]["livekit-agent"]
    drain = 60 * float(agent["environment"]["ELOQUENCE_DRAIN_MINUTES"])
    text = agent["stop_grace_period"]
    assert compose.seconds(text) > drain


def test_two_keys_can_be_valid_while_they_are_exchanged(compose_model: Run) -> None:
    """B-19."""
    former = '"APIold": "an-old-secret-of-32-characters-xx"'
    both = json.loads(compose_model({**GIVEN, "LIVEKIT_FORMER_KEYS": former}).stdout)
    keys = json.loads(both["services"]["livekit-server"]["environment"]["LIVEKIT_KEYS"])
    assert keys == {
        "APItest": GIVEN["LIVEKIT_API_SECRET"],
        "APIold": "an-old-secret-of-32-characters-xx",
    }


def test_the_stack_reads_the_file_as_docker_compose_does(
    compose_model: Run, model: dict[str, Any]
) -> None:
    text = (DEPLOY / "compose.yaml").read_text()
    for more in ({}, {"LIVEKIT_FORMER_KEYS": '"a": "b"', "TOKEN_PORT": "1234", "LOG_LEVEL": "x"}):
        given = {**GIVEN, **more}
        theirs = live(json.loads(compose_model(given).stdout))
        ours = compose.services(text, given)
        assert set(ours) == set(theirs)
        for name, service in ours.items():
            other = theirs[name]
            assert service.image == other["image"]
            assert list(service.command) == (other["command"] or [])
            assert dict(service.environment) == other.get("environment", {})
            assert set(service.after) == set(other.get("depends_on", {}))
            assert {port.inside: str(port.outside) for port in service.ports} == {
                port["target"]: port["published"]
                for port in other.get("ports", [])
                if port["protocol"] == "tcp"
            }
            assert ["CMD", *service.check.command] == other["healthcheck"]["test"]
            assert service.check.start_period == compose.seconds(
                other["healthcheck"]["start_period"]
            )


def test_what_the_guide_calls_a_proof_is_a_test() -> None:
    """B-01 to B-09: each row names the tests that show it."""
    guide = (ROOT / "docs/deployment.md").read_text()
    named = set(re.findall(r"`(test_\w+)`", guide))
    tests = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    assert len(named) >= 8
    assert {name for name in named if f"def {name}(" not in tests} == set()
    for row in (*(f"B-0{number}" for number in range(1, 10)), "B-19"):
        assert f"| {row} |" in guide


def test_the_guide_names_every_port_and_its_variable(model: dict[str, Any]) -> None:
    guide = (ROOT / "docs/deployment.md").read_text()
    for service in compose.services((DEPLOY / "compose.yaml").read_text(), GIVEN).values():
        for port in service.ports:
            assert str(port.outside) in guide
            assert f"`{port.variable}`" in guide
