"""What the documents say is so (DOC-01): commands, settings, links, examples."""

import doctest
import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import typer
from livekit.agents import llm as engine
from livekit.agents.types import DEFAULT_API_CONNECT_OPTIONS
from pydantic import BaseModel

from eloquence import bootstrap, cli, registry
from eloquence.coaching import character, exercise, rubric
from eloquence.config import Settings, load
from eloquence.conversation.stages import Resources
from eloquence.delivery.tally import MEASURES
from eloquence.registry import STAGES
from eloquence.sources import OLDER
from eloquence.storage import content
from eloquence.testing import speech
from eloquence.testing.aligned import RATE
from eloquence.testing.context import stage_context

ROOT = Path(__file__).resolve().parents[2]
GUIDES = [
    ROOT / name
    for name in (
        "README.md",
        "README.fr.md",
        "CONTRIBUTING.md",
        "docs/accounts.md",
        "docs/authors.md",
        "docs/configuration.md",
        "docs/measures.md",
        "docs/plugins.md",
        "docs/providers.md",
        "docs/reports.md",
        "docs/scores.md",
        "docs/services.md",
        "docs/troubleshooting.md",
    )
]
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]

ELOQUENCE = (sys.executable, "-c", "from eloquence.cli import main; main()")

_CALL = re.compile(r"^(?:\$ )?(?:[A-Z_]+=\S+ )*(?:\.venv/bin/)?eloquence (?P<rest>.+)")


def blocks(text: str, *languages: str) -> list[str]:
    """The fenced blocks of a page that are marked with one of the languages."""
    found = re.findall(r"^```(\w*)\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)
    return [body for language, body in found if language in languages]


def calls(page: Path) -> Iterator[str]:
    """The `eloquence …` lines of a page, without the command's name."""
    for block in blocks(page.read_text("utf-8"), "sh", "console", ""):
        for line in block.splitlines():
            if found := _CALL.match(line):
                yield found["rest"]


@cache
def root() -> Any:
    if not cli.app.registered_commands:
        cli._register()
    return typer.main.get_command(cli.app)


def variables() -> set[str]:
    """Every variable that the product reads."""
    ours = {f"ELOQUENCE_{name.upper()}" for name in Settings.model_fields}
    ours |= set(OLDER)
    for part in (ROOT / "src" / "eloquence" / "ops" / "stack").glob("*.py"):
        ours |= set(re.findall(r"\bSTACK_[A-Z]+\b", part.read_text("utf-8")))
    theirs = {
        variable
        for stage in STAGES
        for name in registry.names(stage)
        for names in registry.provider(stage, name).environment.values()
        for variable in names
    }
    return ours | theirs


def named_variables(text: str) -> set[str]:
    return set(re.findall(r"\b([A-Z][A-Z0-9]*_[A-Z0-9_]+)=", text)) | set(
        re.findall(r"\bELOQUENCE_[A-Z_]+\b", text)
    )


def test_the_reference_pages_are_what_the_code_says() -> None:
    run = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "generate_docs.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.name)
def test_every_command_of_a_guide_exists_with_its_options(page: Path) -> None:
    for call in calls(page):
        command = root()
        for word in shlex.split(call, comments=True):
            if word.startswith("-"):
                known = {
                    name for one in command.params for name in (*one.opts, *one.secondary_opts)
                }
                assert word.partition("=")[0] in known | {"--help"}, call
            elif hasattr(command, "commands"):
                assert word in command.commands, call
                command = command.commands[word]
        assert command is not root() or "--" in call, call


def test_the_readme_shows_the_commands_of_an_evening() -> None:
    shown = {call.split()[0] for call in calls(ROOT / "README.md")}
    assert shown >= {"talk", "analyse", "score", "doctor", "sessions", "exercises", "models"}


def test_both_readmes_show_the_same_sections_and_the_same_commands() -> None:
    pages = [(ROOT / name).read_text("utf-8") for name in ("README.md", "README.fr.md")]
    levels = [re.findall(r"^(?:(#+) |(-) \*\*)", page, flags=re.MULTILINE) for page in pages]
    assert levels[0] == levels[1]
    words = [
        [call.split()[:2] for call in calls(ROOT / name)] for name in ("README.md", "README.fr.md")
    ]
    named = [{tuple(call) for call in shown if call[0] != "analyse"} for shown in words]
    assert named[0] == named[1]


@pytest.fixture
def evening(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with all that the commands of the READMEs name."""
    shutil.copytree(ROOT / "docs" / "examples", tmp_path / "docs" / "examples")
    clip = speech.synthetic("J’ai ouvert une librairie, puis un atelier pour les enfants.", "fr")
    for name in ("speech.wav", "discours.wav", "recordings/one.wav", "enregistrements/une.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        soundfile.write(tmp_path / name, np.tile(clip.samples, 2), RATE)
    for name in ("my-content", "mon-contenu"):
        written = tmp_path / name / "fr" / "characters" / "marie.yaml"
        written.parent.mkdir(parents=True)
        shutil.copy(content.SHIPPED / "fr/characters/marie_coach.yaml", written)
    monkeypatch.chdir(tmp_path)
    return tmp_path


WITHOUT_A_PERSON = ("analyse", "score", "exercises", "characters", "models list")
"""The commands of a README that need no microphone, no stored session and no network."""


@pytest.mark.timeout(400)
def test_the_commands_of_the_readmes_do_what_they_say(evening: Path) -> None:
    ran = []
    known = [call for page in ("README.md", "README.fr.md") for call in calls(ROOT / page)]
    for call in dict.fromkeys(known):
        if not call.startswith(WITHOUT_A_PERSON):
            continue
        done = subprocess.run(
            [*ELOQUENCE, *shlex.split(call, comments=True)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{call}: {done.stderr}"
        assert done.stdout.strip(), call
        ran.append(call.split()[0])
    assert {"analyse", "score", "exercises", "characters", "models"} <= set(ran)
    written = {path.name for path in evening.rglob("report.*")}
    assert written == {"report.html", "report.pdf", "report.json", "report.csv"}
    assert list(evening.glob("*/summary.csv"))


def test_the_example_of_the_scores_page_is_what_the_command_gives(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Issue 4: `eloquence score --jsonl`, one object per line in and out."""
    page = (ROOT / "docs" / "scores.md").read_text("utf-8")
    (shown,) = (json.loads(block) for block in blocks(page, "json"))
    (call,) = {
        call for call in calls(ROOT / "docs" / "scores.md") if call.startswith("score --jsonl docs")
    }
    monkeypatch.chdir(ROOT)
    done = subprocess.run(
        [*ELOQUENCE, *shlex.split(call)],
        capture_output=True,
        text=True,
        check=True,
    )
    first, second = (json.loads(line) for line in done.stdout.splitlines())
    assert first == shown
    assert first["scores"]["fluency"] > 0
    assert {"long_pause", "mid_phrase_pause", "filled_pause"} <= {
        event["kind"] for event in first["events"]
    }
    assert set(second["scores"].values()) == {None}
    assert "15 seconds" in second["reasons"]["fluency"]


def test_what_the_scores_page_computes_is_so() -> None:
    found = doctest.testfile(str(ROOT / "docs" / "scores.md"), module_relative=False)
    assert found.attempted > 5
    assert found.failed == 0


def by_people(page: Path) -> str:
    """A page without what a script wrote into it."""
    return re.sub(r"<!-- generated.*?<!-- end -->", "", page.read_text("utf-8"), flags=re.DOTALL)


def test_every_measure_that_a_report_may_show_is_told_with_its_formula() -> None:
    (shown,) = (
        json.loads(block) for block in blocks((ROOT / "docs/scores.md").read_text("utf-8"), "json")
    )
    told = set(re.findall(r"`([a-z_]+)`", by_people(ROOT / "docs" / "measures.md")))
    assert set(MEASURES) <= set(shown["measures"])
    assert set(shown["measures"]) - told == set()


FIGURE = r"(?<!\d)\.\d{3}\b|\b\d{1,2},\d{3}\b|\b\d+(?: %)? of (?:the )?\d+(?:,\d{3})*"


def test_what_a_document_says_was_measured_stands_beside_the_code_too() -> None:
    """Shares like .978, large counts, "10 of 15": in a docstring, a comment or a norm."""
    known = " ".join(
        re.sub(r"\s+(?:the )?", " ", path.read_text("utf-8"))
        for folder, kind in (("src", "*.py"), ("tests", "*.py"), ("src", "norms.yaml"))
        for path in sorted((ROOT / folder).rglob(kind))
        if path != Path(__file__)
    )
    decisions = sorted((ROOT / "docs" / "adr").glob("001[1-5]*.md"))
    checked = 0
    for page in (ROOT / "docs" / "measures.md", ROOT / "docs" / "scores.md", *decisions):
        text = re.sub(r"\s+", " ", re.sub(r"```.*?```", "", by_people(page), flags=re.DOTALL))
        figures = re.findall(FIGURE, text)
        assert {one for one in figures if one.replace(" the ", " ") not in known} == set(), page
        checked += len(figures)
    assert checked > 15


def test_every_key_of_a_content_file_is_told_in_the_authors_guide() -> None:
    guide = (ROOT / "docs" / "authors.md").read_text("utf-8")
    keys = {
        field.alias or name
        for module in (exercise, rubric, character)
        for model in vars(module).values()
        if isinstance(model, type)
        and issubclass(model, BaseModel)
        and model.__module__ == module.__name__
        for name, field in model.model_fields.items()
    }
    assert len(keys) > 50
    assert {key for key in keys if not re.search(rf"\b{re.escape(key)}\b", guide)} == set()


def test_every_make_target_of_a_guide_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), flags=re.M))
    for page in GUIDES:
        text = page.read_text("utf-8")
        assert set(re.findall(r"(?:^|`)make ([a-z]+)", text, flags=re.M)) <= targets, page.name


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.name)
def test_every_variable_of_a_guide_is_read(page: Path) -> None:
    assert named_variables(page.read_text("utf-8")) <= variables()


def test_the_env_example_is_complete_and_every_variable_in_it_is_read() -> None:
    """CFG-02, CFG-03."""
    text = (ROOT / ".env.example").read_text("utf-8")
    stack = {name for name in variables() if name.startswith("STACK_")}
    assert named_variables(text) == {name for name in variables() - stack if "_" in name}
    assert "#DEBUG=" in text


def test_the_env_example_can_be_used_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With nothing taken out and with everything taken out, it is read without complaint."""
    monkeypatch.chdir(tmp_path)
    text = (ROOT / ".env.example").read_text("utf-8")
    (tmp_path / ".env").write_text(text, "utf-8")
    assert load().port == 7881
    (tmp_path / ".env").write_text(re.sub(r"^#(?=[A-Z_]+=)", "", text, flags=re.M), "utf-8")
    settings = load()
    assert settings.allowed_hosts == ("coach.example",)
    assert settings.llm.options["base_url"] == "http://localhost:11434/v1"
    for stage in STAGES:
        assert bootstrap.choose(settings, stage, "fr").readiness.ready


def places(page: str) -> set[str]:
    """The names of the headings of a page, as links call them."""
    heads = re.findall(r"^#+ (.+)$", page, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head).strip().lower().replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_within_the_project_leads_somewhere(page: Path) -> None:
    for target, place in re.findall(r"\]\(([^)#\s]+)#?([^)\s]*)\)", page.read_text("utf-8")):
        if not target.startswith(("http:", "https:", "mailto:")):
            assert (page.parent / target).exists(), target
            if place:
                assert place in places((page.parent / target).read_text("utf-8")), place


def test_every_decision_has_a_number_of_its_own_and_is_told_whole() -> None:
    pages = sorted((ROOT / "docs" / "adr").glob("*.md"))
    assert [int(page.name[:4]) for page in pages] == list(range(1, len(pages) + 1))
    for page in pages:
        text = page.read_text("utf-8")
        assert text.startswith(f"# {int(page.name[:4])}. "), page.name
        for part in ("Status:", "## Context", "## Decision", "## Consequences"):
            assert part in text, f"{page.name}: {part}"


def badly_spaced(french: str) -> list[str]:
    """Where French prose lacks its no-break spaces before ; : ! ? » and after «."""
    prose = re.sub(r"```.*?```", "", french, flags=re.DOTALL)
    prose = re.sub(r"`[^`]*`|\]\([^)]*\)|\*", "", prose)
    return re.findall(r".{0,20}(?:[^\u00a0\u202f][;!?»]|[\w )]:(?=\s)|«[^\u00a0\u202f])", prose)


def test_french_prose_has_its_spaces_and_apostrophes() -> None:
    text = (ROOT / "README.fr.md").read_text("utf-8")
    assert badly_spaced(text) == []
    assert all(badly_spaced(wrong) for wrong in ("Quoi ?", "Voici : rien", "« oui\u00a0»", "Non!"))
    assert "'" not in re.sub(r"```.*?```|`[^`]*`", "", text, flags=re.DOTALL)


async def test_the_example_provider_of_the_contributing_guide_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PRV: a provider by registration only."""
    page = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    project = tomllib.loads(blocks(page, "toml")[0])["project"]
    (tmp_path / "eloquence_parrot.py").write_text(blocks(page, "python")[0], "utf-8")
    about = tmp_path / "eloquence_parrot-0.1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Name: {project['name']}\nVersion: {project['version']}\n")
    points = "".join(
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in found.items())
        for group, found in project["entry-points"].items()
    )
    (about / "entry_points.txt").write_text(points)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PARROT_WORDS", "2")

    assert "parrot" in registry.names("llm")
    choice = bootstrap.choose(Settings.model_validate({"llm": "parrot"}), "llm", "fr")
    assert choice.readiness.ready
    context = stage_context(resources=Resources())
    model: engine.LLM[Any] = choice.provider.create(choice.options, context)
    told = engine.ChatContext.empty()
    told.add_message(role="user", content="Je cherche un travail")
    async with model.chat(chat_ctx=told, conn_options=DEFAULT_API_CONNECT_OPTIONS) as stream:
        words = [chunk.delta.content async for chunk in stream if chunk.delta]
    assert words == ["un travail ?"]
    sys.modules.pop("eloquence_parrot")
