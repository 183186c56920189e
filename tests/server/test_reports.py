"""Reports, what the learner adds to them, and the files one takes away, over HTTP."""

import asyncio
import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.bootstrap.takes import DAY, MONDAY, keep, session
from tests.server.conftest import Served, serving

from eloquence.coaching.progress import Progress
from eloquence.coaching.report import Comparison, Goal, Report
from eloquence.coaching.session import Session
from eloquence.config import Settings, load
from eloquence.storage.sessions import open_store


def kept(settings: Settings, *sessions: Session) -> None:
    """Stores conversations as they are after their end."""

    async def stored() -> None:
        async with open_store(settings.database, settings.recordings) as store:
            for one in sessions:
                await keep(store, one)

    asyncio.run(stored())


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server that knows two conversations, a week apart."""
    folder: Path = tmp_path_factory.mktemp("served")
    settings = load(data=folder)
    kept(settings, session("s1"), session("s2", MONDAY + 7 * DAY))
    yield from serving(settings)


def report(served: Served, session_id: str = "s1") -> Report:
    answer = served.get(f"/api/v1/sessions/{session_id}/report")
    assert answer.status_code == 200, answer.text
    return Report.model_validate_json(answer.content)


def put(served: Served, path: str, body: object) -> httpx.Response:
    return httpx.put(f"{served.url}/api/v1/sessions/{path}", json=body, timeout=60)


def test_a_dismissed_mark_is_told_back_and_the_score_is_another(served: Served) -> None:
    """The mark counts nowhere until the learner takes it back; both are remembered."""
    before = report(served)
    mark = next(one for one in before.marks if one.effects and max(one.effects.values()) > 0.005)
    path = f"s1/marks/{mark.id}"
    without = Report.model_validate_json(put(served, path, {"dismissed": True}).content)
    assert [one.id for one in without.marks if one.dismissed] == [mark.id]
    name, effect = max(mark.effects.items(), key=lambda item: item[1])
    scores = [
        next(one.score for one in made.dimensions if one.dimension == name)
        for made in (before, without)
    ]
    assert scores[0] is not None
    assert scores[1] is not None
    assert scores[1] - scores[0] == pytest.approx(effect, abs=0.02)
    assert scores[1] > scores[0]
    assert report(served) == without
    again = Report.model_validate_json(put(served, path, {"dismissed": False}).content)
    assert again == before


def test_a_mark_that_is_not_there_is_told_with_its_mend(served: Served) -> None:
    answer = put(served, "s1/marks/long_pause@999.00", {"dismissed": True})
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "mark_not_found"
    assert answer.json()["mend"]
    assert put(served, "nobody/marks/long_pause@1.00", {"dismissed": True}).status_code == 404
    assert put(served, "s1/marks/x", {"dismissed": "perhaps"}).status_code == 422


def test_what_the_learner_notes_is_in_the_report(served: Served) -> None:
    assert put(served, "s2/notes", {"worked": "Le début.", "plan": "Respirer."}).status_code == 204
    assert put(served, "s2/notes", {"plan": "Ralentir."}).status_code == 204
    noted = report(served, "s2")
    assert (noted.worked, noted.plan) == ("Le début.", "Ralentir.")
    assert put(served, "s2/notes", {"worked": "x" * 2001}).status_code == 422
    assert put(served, "s2/notes", {"other": "x"}).status_code == 422
    assert put(served, "nobody/notes", {"plan": "x"}).status_code == 404


def test_the_list_says_what_each_session_was_for(served: Served) -> None:
    listed = served.get("/api/v1/sessions").json()
    assert [one["id"] for one in listed] == ["s2", "s1"]
    assert {"purpose": "exercise", "of": "", "exam": False}.items() <= listed[0].items()


@pytest.mark.parametrize(
    ("kind", "media_type", "ending"),
    [
        ("html", "text/html; charset=utf-8", ".html"),
        ("json", "application/json", ".json"),
        ("csv", "text/csv; charset=utf-8", ".csv"),
        ("moments", "text/csv; charset=utf-8", "-moments.csv"),
        ("pdf", "application/pdf", ".pdf"),
    ],
)
def test_a_report_is_taken_away_under_a_name_that_is_safe(
    served: Served, kind: str, media_type: str, ending: str
) -> None:
    answer = served.get(f"/api/v1/sessions/s1/report.{kind}")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == media_type
    name = f"eloquence-2023-11-14-conversation-libre-marie-s1{ending}"
    assert answer.headers["content-disposition"] == f'attachment; filename="{name}"'
    assert answer.content == served.get(f"/api/v1/sessions/s1/report.{kind}").content


def test_a_report_in_an_unknown_form_or_of_nobody_is_refused(served: Served) -> None:
    assert served.get("/api/v1/sessions/s1/report.exe").status_code == 422
    assert served.get("/api/v1/sessions/nobody/report.pdf").status_code == 404


def test_the_files_hold_what_the_report_holds(served: Served) -> None:
    made = report(served)
    data = served.get("/api/v1/sessions/s1/report.json").json()
    assert data == json.loads(made.model_dump_json())
    text = served.get("/api/v1/sessions/s1/report.csv").content.decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text)))
    rate = next(row for row in rows if row["kind"] == "measure" and row["id"] == "speech_rate")
    assert float(rate["value"]) == next(
        measure.value for measure in made.measures if measure.id == "speech_rate"
    )


def test_an_exercise_tells_what_is_scored_and_judged(served: Served) -> None:
    """EVA-04: the dimensions with their names, in the language asked for."""
    french = served.get("/api/v1/exercises?language=fr").json()
    free = next(one for one in french if one["id"] == "conversation_libre_marie")
    labels = {one["id"]: one["label"] for one in free["scored"]}
    assert labels["fluency"] == "Fluidité"
    assert set(free["dimensions"]) <= set(labels)
    assert free["warm_up"] is True
    assert all(isinstance(one["levels"], int) for one in free["scenarios"])
    assert all(one["rubric"] is None or one["rubric"]["title"] for one in french)


def test_two_takes_are_compared_and_the_progress_is_told(served: Served) -> None:
    path = "/api/v1/sessions/s2/comparison?with=s1"
    made = Comparison.model_validate_json(served.get(path).content)
    assert made.session == "s1"
    assert {change.verdict for change in made.changes} == {"same"}
    assert served.get("/api/v1/sessions/s2/comparison?with=nobody").status_code == 404
    assert served.get("/api/v1/sessions/s2/comparison").status_code == 422
    told = Progress.model_validate_json(served.get("/api/v1/progress?language=fr").content)
    assert told.takes == 2
    assert served.get("/api/v1/progress?language=en").json()["takes"] == 0
    assert served.get("/api/v1/progress?exercise=nothing").status_code == 404


def test_the_goal_of_the_next_session_is_told_before_it(served: Served) -> None:
    path = "/api/v1/goals?language=fr&exercise=conversation_libre_marie"
    told = served.get(path).json()
    proposal = Goal.model_validate(told["proposal"])
    assert proposal.plan
    choices = [Goal.model_validate(one) for one in told["choices"]]
    assert proposal.measure in {one.measure for one in choices}
    assert all(one.label and one.plan for one in choices)
    first = served.get(path.replace("fr", "en", 1)).json()
    assert first["proposal"] is None
    assert len(first["choices"]) > 2
    assert served.get("/api/v1/goals?exercise=nothing").status_code == 404


def test_what_cannot_be_judged_says_what_to_do(served: Served) -> None:
    answer = httpx.post(f"{served.url}/api/v1/sessions/s1/judgement", timeout=60)
    assert answer.status_code == 409
    assert answer.json()["code"] == "judgement"
    absent = httpx.post(f"{served.url}/api/v1/sessions/nobody/judgement", timeout=60)
    assert absent.status_code == 404


def test_a_deleted_session_leaves_no_report(tmp_path: Path) -> None:
    settings = load(data=tmp_path)
    kept(settings, session("gone"))
    for served in serving(settings):
        assert report(served, "gone").session == "gone"
        path = "/api/v1/sessions/gone"
        assert httpx.delete(f"{served.url}{path}", timeout=60).status_code == 204
        assert served.get(f"{path}/report").status_code == 404
        assert served.get(f"{path}/report.json").status_code == 404
