"""What the page asks the server for (MET, X-09, X-12, SES-03 as far as one process needs them)."""

import httpx
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


def test_a_recording_cannot_be_reached_by_a_path_outside_the_store(served: Served) -> None:
    for name in ("..%2f..%2fetc%2fpasswd", "%2e%2e", "a" * 300):
        assert served.get(f"/api/v1/sessions/{name}/audio/mix").status_code == 404


def test_a_model_that_is_not_known_is_refused_with_the_known_ones(served: Served) -> None:
    answer = httpx.post(f"{served.url}/api/v1/models/nothing")
    assert answer.status_code == 502
    assert "vosk-model-small-fr-0.22" in answer.json()["mend"]
    listed = served.get("/api/v1/models").json()
    assert {"absent"} == {one["state"] for one in listed}


def test_sessions_beyond_any_number_are_none(served: Served) -> None:
    answer = served.get(f"/api/v1/sessions?offset={10**30}&limit={10**30}")
    assert answer.status_code == 200
    assert answer.json() == []
