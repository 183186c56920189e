"""What the library reads, and how a wrong file is refused: file, line, cause and mend."""

import logging
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from eloquence.errors import ContentError
from eloquence.storage import content

ROOT = Path(__file__).resolve().parents[2]
EXERCISE = re.sub(
    r"patience: .*",
    "patience: {minimum: 0.5, maximum: 2.5}",
    (content.SHIPPED / "fr/exercises/conversation_libre_marie.yaml").read_text("utf-8"),
)
RUBRIC = (content.SHIPPED / "fr/rubrics/conversation.yaml").read_text("utf-8")
CHARACTER = (content.SHIPPED / "fr/characters/marie_coach.yaml").read_text("utf-8")


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path


def changed(old: str, new: str, text: str = EXERCISE) -> str:
    assert old in text
    return text.replace(old, new, 1)


def line_of(needle: str, text: str) -> int:
    return text[: text.index(needle)].count("\n") + 1


def the_problem(path: Path) -> ContentError:
    found = content.problems(path, content.load())
    assert len(found) == 1, [str(error) for error in found]
    return found[0]


def test_the_authors_folder_adds_and_replaces_without_touching_the_rest(tmp_path: Path) -> None:
    """CHR-09: a new character is one file."""
    written(
        tmp_path,
        "fr/characters/lea.yaml",
        changed("id: marie_coach", "id: lea_jury", changed("name: Marie", "name: Léa", CHARACTER)),
    )
    written(
        tmp_path,
        "fr/exercises/jury.yaml",
        changed(
            "id: conversation_libre_marie",
            "id: oral_du_jury",
            changed("character: marie_coach", "character: lea_jury"),
        ),
    )
    written(
        tmp_path,
        "fr/exercises/libre.yaml",
        changed("duration_minutes: 5", "duration_minutes: 12"),
    )
    library = content.load(tmp_path)
    assert library.problems == ()
    assert library.character("lea_jury", "fr").name == "Léa"
    assert library.exercise("oral_du_jury", "fr").character == "lea_jury"
    assert library.exercise("conversation_libre_marie", "fr").duration_minutes == 12
    assert len(library.exercises("fr")) == len(content.load().exercises("fr")) + 1


def test_an_exercise_may_exist_in_one_language_only(tmp_path: Path) -> None:
    written(
        tmp_path,
        "fr/exercises/oral.yaml",
        changed("id: conversation_libre_marie", "id: oral_blanc"),
    )
    library = content.load(tmp_path)
    with pytest.raises(ContentError) as caught:
        library.exercise("oral_blanc", "en")
    assert "It exists in: fr." in caught.value.mend


def test_an_unknown_exercise_names_the_nearest() -> None:
    with pytest.raises(ContentError) as caught:
        content.load().exercise("conversation_libre_mari", "fr")
    assert "'conversation_libre_marie'" in caught.value.mend


def test_an_unknown_character_falls_back_to_marie_with_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """CHR-07"""
    with caplog.at_level(logging.WARNING):
        found = content.load().character("nobody", "en")
    assert found.id == "marie_coach"
    assert found.language == "en"
    assert "unknown character" in caplog.text


def test_a_wrong_file_stops_neither_the_right_ones_nor_the_shipped_one_it_would_replace(
    tmp_path: Path,
) -> None:
    written(tmp_path, "fr/exercises/a.yaml", changed("character: marie_coach", "character: maria"))
    written(tmp_path, "fr/exercises/b.yaml", "id: [")
    written(tmp_path, "fr/characters/c.yaml", changed("prompt:", "promt:", CHARACTER))
    library = content.load(tmp_path)
    shipped = content.load()
    assert library.exercises("fr") == shipped.exercises("fr")
    assert library.characters("fr") == shipped.characters("fr")
    assert {Path(p.message.split(",")[0]).name for p in library.problems} == {
        "a.yaml",
        "b.yaml",
        "c.yaml",
    }


def test_an_absent_folder_of_the_author_is_a_problem_that_says_where(tmp_path: Path) -> None:
    library = content.load(tmp_path / "nowhere")
    assert library.exercises("fr")
    assert "nowhere" in library.problems[0].message
    assert "ELOQUENCE_CONTENT" in library.problems[0].mend


def test_two_files_of_one_id_are_refused(tmp_path: Path) -> None:
    written(tmp_path, "fr/exercises/a.yaml", EXERCISE)
    written(tmp_path, "fr/exercises/b.yaml", "# copy\n" + EXERCISE)
    (problem,) = content.load(tmp_path).problems
    assert "b.yaml, line 2" in problem.message
    assert "a.yaml" in problem.message


@pytest.mark.parametrize(
    ("old", "new", "at", "cause", "mend"),
    [
        ("difficulty: beginner", "dificulty: beginner", "dificulty", "not known", "'difficulty'"),
        ("    prompts:", "    promts:", "promts:", "not known", "'prompts'"),
        ("    follow_ups_max: 2", "    folow_ups_max: 2", "folow", "not known", "'follow_ups_max'"),
        ("difficulty: beginner", "difficulty: hard", "difficulty", "'hard'", "advanced"),
        ("clarity, engagement]", "clarty, engagement]", "dimensions", "'clarty'", "'clarity'"),
        ("character: marie_coach", "character: marie_coch", "character", "'marie_coch'", "coach'"),
        ("duration_minutes: 5", "duration_minutes: five", "duration_min", "number", "authors.md"),
        ("duration_minutes: 5", "duration_minutes: 0", "duration_min", "greater", "authors.md"),
        ("id: conversation", "id: Conversation", "id:", "cannot be", "lower-case"),
        ("patience: {minimum: 0.5", "patience: {minimum: 4", "patience", "smaller", "authors.md"),
        ("title: Conversation", "title: &t Conversation", "title:", "anchors", "quotes"),
        ("title: Conversation", "title: !!python/object:os.system Co", "title:", "tag", "quotes"),
        ("language: fr", "language: fr\nlanguage: fr", "language", "given twice", "Keep one"),
        ("language: fr", "language: en", "language", "in a folder of 'fr'", "language: fr"),
        ("goal: Gagner", "goal: Gagner : ceci", "goal", "not YAML", "quotes"),
        ("  - Choisissez", "  - Choisissez: un", "- Choisissez", "reads as a key", "quotes"),
        ("title: Conversation", "title: *Conversation", "title:", "alias", "quotes"),
        ("title: Conversation", "\ttitle: Conversation", "title:", "not YAML", "indentation"),
    ],
)  # fmt: skip
def test_a_wrong_exercise_is_refused_with_its_line_and_mend(
    tmp_path: Path, old: str, new: str, at: str, cause: str, mend: str
) -> None:
    text = changed(old, new)
    path = written(tmp_path, "fr/exercises/mine.yaml", text)
    problem = the_problem(path)
    assert f"{path}, line " in problem.message
    line = int(problem.message.split(", line ")[1].split(":")[0])
    expected = line_of(at, text)
    # A key given twice is told at its second place.
    assert line == expected + ("twice" in problem.message), problem.message
    assert cause in problem.message
    assert mend in problem.mend


def test_a_missing_key_is_told_at_the_place_that_lacks_it(tmp_path: Path) -> None:
    text = changed("    objective: Parler", "    goal: Parler")
    text = changed("        - id: bilan\n", "        - ID: bilan\n", text)
    path = written(tmp_path, "fr/exercises/mine.yaml", text)
    first, second, third = sorted(
        content.problems(path, content.load()), key=lambda error: error.message
    )
    bilan = line_of("- ID: bilan", text)
    assert f"line {line_of('    goal: Parler', text)}: the key 'scenarios.0.goal'" in third.message
    assert f"line {bilan}: the key 'scenarios.0.script.steps.4.ID' is not" in first.message
    assert f"line {bilan}: the key 'scenarios.0.script.steps.4.id' is missing" in second.message
    assert "Add 'id: …'." in second.mend


def test_the_other_spellings_of_the_keys_are_read(tmp_path: Path) -> None:
    """X-23, X-24, X-25."""
    text = EXERCISE
    text = changed("id: conversation_libre_marie", "exercise_id: conversation_libre_marie", text)
    text = changed("duration_minutes: 5", "duration: 5", text)
    criteria = text[text.index("criteria:") : text.index("tips:")]
    text = changed(criteria, "evaluation_focus: [fluency, persuasion]\n", text)
    path = written(tmp_path, "fr/exercises/mine.yaml", text)
    assert content.problems(path, content.load()) == ()
    found = content.load(tmp_path).exercise("conversation_libre_marie", "fr")
    assert found.duration_minutes == 5
    assert found.criteria.dimensions == ("fluency", "persuasion")


def test_the_other_spellings_of_the_criteria_are_read(tmp_path: Path) -> None:
    """EVA-02"""
    text = changed("  passing_score: 0.7", "  passingScore: 0.6")
    text = changed("  focus_areas:", "  focusAreas:", text)
    written(tmp_path, "fr/exercises/mine.yaml", text)
    library = content.load(tmp_path)
    assert library.problems == ()
    criteria = library.exercise("conversation_libre_marie", "fr").criteria
    assert criteria.passing_score == 0.6
    assert criteria.focus_areas == ("naturalness", "response_time", "vocabulary")


def test_a_fault_under_another_spelling_keeps_its_line(tmp_path: Path) -> None:
    text = changed("duration_minutes: 5", "duration: -5")
    path = written(tmp_path, "fr/exercises/mine.yaml", text)
    assert f"line {line_of('duration: -5', text)}" in the_problem(path).message


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (b"x: " + b"y" * content.MAX_BYTES, "bytes"),
        (b"a: 1\nb: \xff\n", "line 2: this is not UTF-8"),
        (b"- one\n- two\n", "holds no keys"),
        (b"", "holds no keys"),
        (b"a: \x01", "not allowed"),
        (b"[" * 5000, "nested too deep"),
        (b"a: 1\n---\nb: 2\n", "line 2: this is not YAML"),
    ],
    ids=["too big", "not UTF-8", "a list", "empty", "control", "deep", "two documents"],
)
def test_a_file_that_is_no_content_is_refused(tmp_path: Path, data: bytes, cause: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes(data)
    problem = the_problem(path)
    assert cause in problem.message
    assert problem.mend


def test_an_absent_file_is_refused(tmp_path: Path) -> None:
    assert "cannot be read" in the_problem(tmp_path / "absent.yaml").message


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + EXERCISE.encode())
    assert content.problems(path, content.load()) == ()


def test_a_folder_is_checked_whole_even_when_it_is_the_configured_one(tmp_path: Path) -> None:
    written(tmp_path, "fr/exercises/a.yaml", changed("difficulty", "dificulty"))
    written(tmp_path, "en/characters/b.yaml", "id: b")
    for library in (content.load(), content.load(tmp_path)):
        found = content.problems(tmp_path, library)
        assert any("a.yaml" in error.message for error in found)
        assert any("b.yaml" in error.message for error in found)


def test_an_empty_folder_is_told_how_content_lies(tmp_path: Path) -> None:
    assert "fr/exercises/*.yaml" in the_problem(tmp_path).mend


def test_a_file_may_name_a_character_that_lies_beside_it(tmp_path: Path) -> None:
    written(tmp_path, "fr/characters/lea.yaml", changed("id: marie_coach", "id: lea", CHARACTER))
    path = written(
        tmp_path, "fr/exercises/mine.yaml", changed("character: marie_coach", "character: lea")
    )
    assert content.problems(path, content.load()) == ()


def test_the_authors_rubric_adds_or_replaces_and_is_found_by_its_id(tmp_path: Path) -> None:
    written(tmp_path, "fr/rubrics/mine.yaml", changed("id: conversation", "id: mienne", RUBRIC))
    written(tmp_path, "fr/rubrics/pitch.yaml", changed("id: conversation", "id: pitch", RUBRIC))
    library = content.load(tmp_path)
    assert library.problems == ()
    assert library.rubric("mienne", "fr").criteria
    assert library.rubric("pitch", "fr").title == "Conversation libre"
    assert library.rubric("pitch", "en").title == "Pitch"
    assert [each.id for each in library.rubrics("en")] == sorted(
        each.id for each in library.rubrics("en")
    )


def test_an_unknown_rubric_names_the_nearest() -> None:
    with pytest.raises(ContentError) as caught:
        content.load().rubric("presentations", "fr")
    assert "'presentation'" in caught.value.mend


def test_an_exercise_that_names_an_unknown_rubric_is_a_problem_with_a_suggestion(
    tmp_path: Path,
) -> None:
    text = changed("rubric: conversation", "rubric: conversations")
    path = written(tmp_path, "fr/exercises/mine.yaml", text)
    for found in (the_problem(path), *content.load(tmp_path).problems):
        assert f"line {line_of('rubric:', text)}" in found.message
        assert "no rubric 'conversations' in 'fr'" in found.message
        assert "Did you mean 'conversation'?" in found.mend


def test_an_exercise_that_weighs_an_unknown_measure_is_a_problem_with_a_suggestion(
    tmp_path: Path,
) -> None:
    text = changed("criteria:\n", "criteria:\n  parts: {fluency: {speech_rat: 1}}\n")
    path = written(tmp_path, "fr/exercises/mine.yaml", text)
    for found in (the_problem(path), *content.load(tmp_path).problems):
        assert f"line {line_of('parts:', text)}" in found.message
        assert "criteria.parts.fluency.speech_rat: there is no band of it" in found.message
        assert "Did you mean 'speech_rate'?" in found.mend


def test_a_rubric_beside_its_exercise_is_known(tmp_path: Path) -> None:
    written(tmp_path, "fr/rubrics/mienne.yaml", changed("id: conversation", "id: mienne", RUBRIC))
    path = written(
        tmp_path, "fr/exercises/mine.yaml", changed("rubric: conversation", "rubric: mienne")
    )
    assert content.problems(path, content.load()) == ()


@pytest.mark.parametrize(
    ("old", "new", "at", "cause", "mend"),
    [
        (
            "    dimension: clarity",
            "    dimension: clarté",
            "dimension: clarté",
            "clarté",
            "clarity",
        ),
        ("    levels:", "    level:", "level:", "level", "levels"),
        ("    weight: 0.6", "    weight: 2", "weight: 2", "weight", "authors.md"),
        ("      - text: Une idée claire,", "      - txt: Une idée claire,", "txt", "txt", "text"),
        ("    looks_for: answer", "    looks_for: reply", "reply", "looks_for", "answer"),
        ("title: Conversation libre", "titre: Conversation", "titre:", "titre", "title"),
    ],
)
def test_a_fault_in_a_rubric_is_told_with_its_line(
    tmp_path: Path, old: str, new: str, at: str, cause: str, mend: str
) -> None:
    text = changed(old, new, RUBRIC)
    error = the_problem(written(tmp_path, "fr/rubrics/mine.yaml", text))
    assert f"line {line_of(at, text)}:" in error.message
    assert cause in error.message
    assert mend in error.mend


@pytest.mark.parametrize(
    ("old", "new", "cause"),
    [
        ("criteria:\n", "scale: [0, 1]\ncriteria:\n", "5 levels for a scale of 2"),
        ("criteria:\n", "scale: [0, 0.5, 0.4, 0.8, 1]\ncriteria:\n", "ascend"),
        ("criteria:\n", "scale_labels: [un]\ncriteria:\n", "one for each level"),
        ("  - id: en_son_nom", "  - id: une_idee", "same id"),
        ("    looks_for: answer\n", "", "phrases are given"),
    ],
)
def test_a_rubric_that_contradicts_itself_is_a_problem(
    tmp_path: Path, old: str, new: str, cause: str
) -> None:
    error = the_problem(written(tmp_path, "fr/rubrics/mine.yaml", changed(old, new, RUBRIC)))
    assert cause in error.message


def test_the_json_schemas_are_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts/generate_schemas.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_example_of_the_authors_guide_is_right(tmp_path: Path) -> None:
    guide = (ROOT / "docs/authors.md").read_text("utf-8")
    blocks = [part.split("```")[0] for part in guide.split("```yaml\n")[1:]]
    kinds = {"characters": "prompt:", "exercises": "scenarios:", "rubrics": "question:"}
    for kind, key in kinds.items():
        example = next(block for block in blocks if key in block)
        if kind == "exercises":
            example += "rubric: explication\n"
        written(tmp_path, f"fr/{kind}/example.yaml", example)
    library = content.load(tmp_path)
    assert library.problems == ()
    assert library.rubric("explication", "fr").hints[0].looks_for == "phrases"
    assert len(library.exercises("fr")) == len(content.load().exercises("fr")) + 1


def test_tables_of_a_language_are_read_and_one_of_the_authors_replaces_ours(
    tmp_path: Path,
) -> None:
    library = content.load()
    for language in content.LANGUAGES:
        assert library.lines(language).silence
        assert library.norms(language)
        assert library.lexicon(language)
    shutil.copytree(content.SHIPPED / "fr", tmp_path / "fr")
    path = tmp_path / "fr/lines.yaml"
    path.write_text(path.read_text("utf-8").replace("silence:", "silence:\n  - Alors.", 1), "utf-8")
    assert content.load(tmp_path).lines("fr").silence[0] == "Alors."
