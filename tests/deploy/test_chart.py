"""The Helm chart, rendered by Helm and checked against Kubernetes' own schemas."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from tests.deploy.deployment import DEPLOY, tool

CHART = DEPLOY / "helm/eloquence"
KUBERNETES = "1.31"
GIVEN = {
    "livekit.url": "ws://livekit.livekit:7880",
    "livekit.publicUrl": "wss://livekit.example.org",
    "page.url": "https://coach.example.org",
}
VARIANTS: dict[str, dict[str, str]] = {
    "as it is": {},
    "everything": {
        "worker.autoscaling.enabled": "true",
        "page.oidc.issuer": "https://login.example.org",
        "page.oidc.clientId": "eloquence",
        "secrets.oidc.name": "oidc",
        "worker.environment.ELOQUENCE_STT": "vosk",
        "worker.environmentFrom[0]": "vendor-keys",
        "serve.environmentFrom[0]": "vendor-keys",
        "ingress.className": "nginx",
        "storage.className": "nfs",
    },
    "little": {
        "secrets.redis.name": "",
        "ingress.enabled": "false",
        "networkPolicy.enabled": "false",
        "disruptionBudget.enabled": "false",
        "storage.existingClaim": "recordings",
    },
}
Render = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def render() -> Render:
    program = tool("helm")

    def run(values: dict[str, str], *more: str) -> subprocess.CompletedProcess[str]:
        given = [word for name, value in values.items() for word in ("--set", f"{name}={value}")]
        return subprocess.run(
            [
                *(program, "template", "class", str(CHART), "--namespace", "school"),
                *("--kube-version", f"{KUBERNETES}.0", *given, *more),
            ],
            capture_output=True,
            text=True,
            check=False,
        )

    return run


@pytest.fixture(scope="session", params=VARIANTS, name="rendered")
def _rendered(render: Render, request: pytest.FixtureRequest) -> str:
    result = render({**GIVEN, **VARIANTS[request.param]})
    assert result.returncode == 0, result.stderr
    return result.stdout


def objects(rendered: str) -> dict[str, dict[str, Any]]:
    return {
        f"{one['kind']}/{one['metadata']['name']}": one
        for one in YAML(typ="safe").load_all(rendered)
        if one
    }


def validated(text: str, folder: Path) -> str:
    """What Kubernetes' schemas say of these objects, unknown fields refused."""
    file = folder / "objects.yaml"
    file.write_text(text)
    ran = subprocess.run(
        [tool("kubernetes-validate"), "--strict", "-k", KUBERNETES, str(file)],
        capture_output=True,
        text=True,
        check=False,
    )
    return ran.stdout + ran.stderr


def test_it_is_what_kubernetes_takes(rendered: str, tmp_path: Path) -> None:
    said = validated(rendered, tmp_path)
    assert said.count(" passed ") == len(objects(rendered)), said
    assert "ERROR" not in said


def test_the_check_would_find_a_fault(render: Render, tmp_path: Path) -> None:
    faulty = render(GIVEN).stdout.replace("terminationGracePeriodSeconds", "terminationGrace", 1)
    assert "ERROR" in validated(faulty, tmp_path)


def test_the_linter_finds_nothing() -> None:
    given = [word for name, value in GIVEN.items() for word in ("--set", f"{name}={value}")]
    linted = subprocess.run(
        [tool("helm"), "lint", "--strict", str(CHART), *given],
        capture_output=True,
        text=True,
        check=False,
    )
    assert linted.returncode == 0, linted.stdout


@pytest.mark.parametrize("name", GIVEN)
def test_what_must_be_given_is_asked_for(render: Render, name: str) -> None:
    refused = render({key: value for key, value in GIVEN.items() if key != name})
    assert refused.returncode != 0
    assert f"{name} is needed" in refused.stderr


def pods(rendered: str) -> dict[str, dict[str, Any]]:
    return {
        name: one["spec"]["template"]["spec"]
        for name, one in objects(rendered).items()
        if one["kind"] == "Deployment"
    }


def test_nothing_runs_as_root_or_changes_itself(rendered: str) -> None:
    for name, pod in pods(rendered).items():
        assert pod["securityContext"]["runAsNonRoot"] is True, name
        assert pod["automountServiceAccountToken"] is False
        for container in pod["containers"]:
            held = container["securityContext"]
            assert held["readOnlyRootFilesystem"] is True
            assert held["allowPrivilegeEscalation"] is False
            assert held["capabilities"] == {"drop": ["ALL"]}


def test_a_worker_may_finish_its_conversations(render: Render) -> None:
    for minutes in ("10", "90"):
        rendered = render({**GIVEN, "worker.drainMinutes": minutes}).stdout
        pod = pods(rendered)["Deployment/class-worker"]
        assert pod["terminationGracePeriodSeconds"] > 60 * int(minutes) + 5
        given = {one["name"]: one.get("value") for one in pod["containers"][0]["env"]}
        assert given["ELOQUENCE_DRAIN_MINUTES"] == minutes


def test_a_rolling_restart_takes_nobody_away_before_another_is_there(rendered: str) -> None:
    for one in objects(rendered).values():
        if one["kind"] == "Deployment":
            assert one["spec"]["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}


def test_health_decides_who_is_asked_and_never_who_is_killed(rendered: str) -> None:
    """B-04: LiveKit or a database that is away must not end live conversations."""
    for pod in pods(rendered).values():
        container = pod["containers"][0]
        assert container["readinessProbe"]["httpGet"]["path"] == "/health"
        assert container["startupProbe"]["httpGet"]["path"] == "/health"
        assert "tcpSocket" in container["livenessProbe"]


def test_secrets_come_from_secrets(rendered: str) -> None:
    """X-32, D-21."""
    assert "kind: Secret" not in rendered
    for pod in pods(rendered).values():
        for one in pod["containers"][0]["env"]:
            if any(word in one["name"] for word in ("SECRET", "API_KEY", "DATABASE", "REDIS")):
                assert "secretKeyRef" in one["valueFrom"], one["name"]


def test_services_reach_their_pods(rendered: str) -> None:
    made = objects(rendered)
    for part in ("serve", "worker"):
        labels = made[f"Deployment/class-{part}"]["spec"]["template"]["metadata"]["labels"]
        service = made[f"Service/class-{part}"]["spec"]
        assert service["selector"].items() <= labels.items()
        ports = pods(rendered)[f"Deployment/class-{part}"]["containers"][0]["ports"]
        assert {one["targetPort"] for one in service["ports"]} == {one["name"] for one in ports}


def test_the_number_of_workers_is_the_autoscalers_when_there_is_one(render: Render) -> None:
    made = objects(render({**GIVEN, "worker.autoscaling.enabled": "true"}).stdout)
    assert "replicas" not in made["Deployment/class-worker"]["spec"]
    target = made["HorizontalPodAutoscaler/class-worker"]["spec"]["scaleTargetRef"]
    assert target["name"] == "class-worker"
