"""`eloquence exercises` and `eloquence characters`."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from eloquence.cli import characters, exercises
from eloquence.errors import ContentError
from eloquence.storage import content

app = typer.Typer()
app.add_typer(exercises.app, name="exercises")
app.add_typer(characters.app, name="characters")
run = CliRunner().invoke

EXERCISE = (content.SHIPPED / "fr/exercises/conversation_libre_marie.yaml").read_text("utf-8")


@pytest.mark.parametrize(
    ("language", "title"),
    [("fr", "Conversation Libre avec Marie"), ("en", "Free Conversation with Marie")],
)
def test_exercises_are_listed_in_the_language_asked_for(language: str, title: str) -> None:
    done = run(app, ["exercises", "list", "--language", language, "--json"])
    assert done.exit_code == 0
    listed = json.loads(done.stdout)
    assert listed[0]["id"] == "conversation_libre_marie"
    assert listed[0]["title"] == title
    assert {each["id"] for each in listed} >= {"premiere_impression_marie", "negociation_thomas"}


def test_the_table_never_cuts_an_id() -> None:
    done = run(app, ["exercises", "list"])
    assert done.exit_code == 0
    for exercise in content.load().exercises("fr"):
        assert exercise.id in done.stdout


def test_another_language_is_refused_with_those_there_are() -> None:
    done = run(app, ["exercises", "list", "--language", "de"])
    assert done.exit_code == 2
    assert "fr, en" in done.output


def test_one_exercise_is_shown_whole() -> None:
    done = run(app, ["exercises", "show", "entretien_embauche"])
    assert done.exit_code == 0
    for part in ("questions_techniques", "motivation", "professionalism", "marie_recruiter"):
        assert part in done.stdout
    done = run(app, ["exercises", "show", "entretien_embauche", "--json"])
    assert len(json.loads(done.stdout)["scenarios"]) == 3


def test_an_unknown_exercise_is_a_content_error_with_the_nearest_id() -> None:
    done = run(app, ["exercises", "show", "negociation_tomas"])
    assert isinstance(done.exception, ContentError)
    assert "negociation_thomas" in done.exception.mend


def test_what_ships_is_right() -> None:
    done = run(app, ["exercises", "check"])
    assert (done.exit_code, done.stdout) == (0, "All content is right.\n")


def test_check_prints_every_problem_with_line_and_mend_and_exits_3(tmp_path: Path) -> None:
    folder = tmp_path / "fr/exercises"
    folder.mkdir(parents=True)
    wrong = EXERCISE.replace("difficulty: beginner", "dificulty: beginner")
    wrong = wrong.replace("marie_coach", "marie_coch")
    (folder / "a.yaml").write_text(wrong, "utf-8")
    (folder / "b.yaml").write_text(EXERCISE.replace("marie_coach", "marie_coch"), "utf-8")
    for path in (folder / "a.yaml", tmp_path):
        done = run(app, ["exercises", "check", str(path)])
        assert done.exit_code == 3
        assert "a.yaml, line 8: the key 'dificulty' is not known." in done.stdout
        assert "→ Did you mean 'difficulty'?" in done.stdout
    assert "b.yaml, line 7: there is no character 'marie_coch' in 'fr'." in done.stdout
    assert "→ Did you mean 'marie_coach'?" in done.stdout


def test_the_authors_folder_is_listed_and_its_problems_announced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "fr/exercises"
    folder.mkdir(parents=True)
    (folder / "a.yaml").write_text("id: [", "utf-8")
    (folder / "b.yaml").write_text(
        EXERCISE.replace("id: conversation_libre_marie", "id: ma_conversation"), "utf-8"
    )
    monkeypatch.setenv("ELOQUENCE_CONTENT", str(tmp_path))
    done = run(app, ["exercises", "list"])
    assert done.exit_code == 0
    assert "ma_conversation" in done.stdout
    assert "eloquence exercises check" in done.stderr
    done = run(app, ["exercises", "check"])
    assert done.exit_code == 3
    assert "a.yaml, line 1" in done.stdout


def test_characters_are_listed_and_shown() -> None:
    done = run(app, ["characters", "list", "--json"])
    assert {each["id"] for each in json.loads(done.stdout)} >= {"marie_coach", "thomas_business"}
    assert "thomas_presentation" in run(app, ["characters", "list"]).stdout
    done = run(app, ["characters", "show", "marie_recruiter"])
    assert done.exit_code == 0
    assert "Recruteur professionnel" in done.stdout
    done = run(app, ["characters", "show", "thomas_presentation", "--json", "-l", "en"])
    assert json.loads(done.stdout)["language"] == "en"


def test_an_unknown_character_is_not_silently_replaced_when_one_asks_to_see_it() -> None:
    done = run(app, ["characters", "show", "marie_coch"])
    assert isinstance(done.exception, ContentError)
    assert "'marie_coach'" in done.exception.mend
