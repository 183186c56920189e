"""What the page asks the server for (MET, X-09, X-12, SES-03 as far as one process needs them)."""

from typing import Any

import httpx
import pytest
from tests.server.conftest import Served


def test_the_page_and_health_answer_on_one_port(served: Served) -> None:
    """X-09, X-12: `/` is the web client with status 200, `/health` says it is alive."""
    page = served.get("/")
    assert page.status_code == 200
    assert "text/html" in page.headers["content-type"]
    assert served.get("/health").json() == {"status": "ok", "live": 0, "most": 1}


def test_status_names_the_provider_of_each_stage_in_each_language(served: Served) -> None:
    stages = served.get("/api/v1/status").json()["stages"]
    assert stages["fr"]["stt"]["provider"] == "none"
    assert stages["fr"]["stt"]["by_ear"] is True
    assert stages["fr"]["stt"]["model"] == "vosk-model-small-fr-0.22"
    assert stages["fr"]["llm"]["provider"] == "script"
    assert stages["en"]["tts"]["provider"] == "espeak"


def test_exercises_come_with_their_character_in_the_language_asked_for(served: Served) -> None:
    """EXO-01, CHR-01."""
    french = served.get("/api/v1/exercises?language=fr").json()
    free = next(one for one in french if one["id"] == "conversation_libre_marie")
    assert free["title"] == "Conversation Libre avec Marie"
    assert free["character"]["name"] == "Marie"
    assert free["duration_minutes"] == 5
    english = served.get("/api/v1/exercises?language=en").json()
    assert {one["id"] for one in english} == {one["id"] for one in french}


def test_an_unknown_language_or_session_is_a_problem_with_a_code(served: Served) -> None:
    """RES-04: errors are typed; RFC 9457."""
    wrong = served.get("/api/v1/exercises?language=de")
    assert wrong.status_code == 422
    assert wrong.json()["code"] == "bad_request"
    absent = served.get("/api/v1/sessions/0123456789abcdef/report")
    assert absent.status_code == 404
    assert absent.headers["content-type"] == "application/problem+json"
    assert absent.json()["code"] == "session_not_found"


@pytest.mark.parametrize(
    ("method", "path", "given", "detail", "mend"),
    [
        ("GET", "exercises?language=de", {}, "'fr' or 'en'", "Correct language in the query"),
        ("GET", "goals", {}, "exercise: Field required", "Send exercise in the query."),
        ("PUT", "plugins/-", {"json": {"on": True}}, "name: String", "Correct name in the path"),
        ("PUT", "plugins/example", {"json": {}}, "on: ", "Send on in the body."),
        ("PUT", "plugins/example", {"json": {"on": 3}}, "on: ", "Correct on in the body"),
        ("PUT", "plugins/example", {"json": {"on": True, "x": 1}}, "x: ", "Leave x out"),
        (
            "PUT",
            "plugins/example",
            {"content": b'{"on": true, "\\ud800": 1}'},
            "The body: ",
            "as JSON",
        ),
        ("PUT", "plugins/example", {"content": b"{"}, "The body: ", "as JSON"),
        ("PUT", "plugins/example", {"content": b""}, "The body: ", "as JSON"),
        ("PUT", "plugins/example", {"json": ["on"]}, "The body: ", "as JSON"),
    ],
)
def test_a_field_that_is_wrong_is_named_with_its_mend(
    served: Served, method: str, path: str, given: dict[str, Any], detail: str, mend: str
) -> None:
    """RES-04. The page has the same in the learner's language, by the code."""
    kind = {"Content-Type": "application/json"}
    answer = httpx.request(method, f"{served.url}/api/v1/{path}", headers=kind, **given)
    assert (answer.status_code, answer.json()["code"]) == (422, "bad_request")
    assert detail in answer.json()["detail"]
    assert mend in answer.json()["mend"]


def test_a_recording_cannot_be_reached_by_a_path_outside_the_store(served: Served) -> None:
    for name in ("..%2f..%2fetc%2fpasswd", "%2e%2e", "a" * 300):
        assert served.get(f"/api/v1/sessions/{name}/audio/mix").status_code == 404


def test_a_model_that_is_not_known_is_refused_with_the_known_ones(served: Served) -> None:
    answer = httpx.post(f"{served.url}/api/v1/models/nothing", timeout=60)
    assert answer.status_code == 502
    assert "vosk-model-small-fr-0.22" in answer.json()["mend"]
    listed = served.get("/api/v1/models").json()
    assert {"absent"} == {one["state"] for one in listed}


def test_sessions_beyond_any_number_are_none(served: Served) -> None:
    answer = served.get(f"/api/v1/sessions?offset={10**30}&limit={10**30}")
    assert answer.status_code == 200
    assert answer.json() == []
