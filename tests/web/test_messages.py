"""The words of the page: the same in both languages, set as each language sets them."""

import json
import re
from importlib.metadata import entry_points
from pathlib import Path
from typing import get_args

import pytest

from eloquence.errors import Cause, EloquenceError
from eloquence.registry import STAGES
from eloquence.storage import models

WEB = Path(__file__).resolve().parents[2] / "web"
LINE = re.compile(r'^  "([\w.-]+)": (".*"),$', re.MULTILINE)


def messages(language: str) -> dict[str, str]:
    text = (WEB / "messages" / f"{language}.js").read_text(encoding="utf-8")
    return {key: json.loads(value) for key, value in LINE.findall(text)}


def report_messages() -> tuple[dict[str, str], dict[str, str]]:
    french, english = (
        (WEB / "report" / "messages" / f"{language}.js").read_text(encoding="utf-8")
        for language in ("fr", "en")
    )
    return dict(LINE.findall(french)), dict(LINE.findall(english))


def test_both_languages_have_the_same_keys() -> None:
    assert list(messages("fr")) == list(messages("en"))
    assert len(messages("fr")) > 100
    french, english = report_messages()
    assert list(french) == list(english)


def test_both_languages_fill_the_same_places() -> None:
    pairs = [(messages("fr"), messages("en")), report_messages()]
    for french, english in pairs:
        for key, text in french.items():
            places = set(re.findall(r"\{\w+\}", text))
            assert places == set(re.findall(r"\{\w+\}", english[key])), key


def test_french_has_a_no_break_space_before_its_high_punctuation() -> None:
    for texts in (messages("fr"), report_messages()[0]):
        for key, text in texts.items():
            assert not re.search(r"(?<!\bhttp)(?<!\bhttps)[^\W\d_}] ?(?<!\u00a0)[;!?»]", text), key
            assert not re.search(r" [:;!?»]|« ", text), key
            assert "'" not in text, f"{key}: a straight apostrophe"


@pytest.mark.parametrize("language", ["fr", "en"])
def test_every_message_is_used(language: str) -> None:
    sources = "\n".join(
        path.read_text(encoding="utf-8")
        for path in WEB.rglob("*.js")
        if path.parent.name != "messages"
    )
    built = (
        "difficulty.",
        "history.purpose.",
        "profile.",
        "dimension.",
        "engines.option.",
        "engines.warning.",
        "engines.fallback.",
        "memory.kind.",
        "plugins.about.",
        "mic.",
        "status.",
        "problem.",
        "notice.",
        "provider.",
        "model.",
        "talk.",
        "stages.",
        "sign_in.fault.",
        "theme.",
    )
    for key in messages(language):
        assert f'"{key}"' in sources or key.startswith(built), key


def test_every_message_of_the_report_is_used() -> None:
    sources = "\n".join(path.read_text(encoding="utf-8") for path in (WEB / "report").glob("*.js"))
    built = ("end.", "family.", "profile.", "stage.", "state.", "verdict.")
    for key in report_messages()[0]:
        assert f'"{key}"' in sources or key.startswith(built), key


def codes(error: type[EloquenceError]) -> set[str]:
    return {error.code}.union(*(codes(one) for one in error.__subclasses__()))


@pytest.mark.parametrize("language", ["fr", "en"])
def test_every_error_and_every_notice_of_the_server_has_words_and_a_mend(language: str) -> None:
    found = messages(language)
    for code in codes(EloquenceError):
        assert found[f"problem.{code}"]
        assert found[f"problem.{code}.mend"].endswith(".")
    for cause in get_args(Cause):
        assert found[f"notice.{cause}"].startswith("{stage} ")
    assert {f"notice.{stage}" for stage in STAGES} <= set(found)
    assert found["notice.storage_failed"]


@pytest.mark.parametrize("language", ["fr", "en"])
def test_everything_that_ships_has_a_name_and_a_sentence(language: str) -> None:
    found = messages(language)
    ours = {
        f"provider.{stage}.{point.name}"
        for stage in STAGES
        for point in entry_points(group=f"eloquence.{stage}")
        if point.value.startswith("eloquence.")
    }
    assert len(ours) >= 9
    assert ours | {f"{key}.detail" for key in ours} <= set(found)
    assert {f"model.{model.name}" for model in models.catalogue()} <= set(found)


def test_every_reason_for_an_end_has_words() -> None:
    """The words of `SessionEnd.reason`."""
    reasons = {
        "learner", "script", "duration", "idle", "page_closed", "process_died", "process_stopped",
        "protocol", "engine", "stt", "llm", "tts", "storage", "recording", "abandoned", "room",
    }  # fmt: skip
    for found in report_messages():
        assert {key.removeprefix("end.") for key in found if key.startswith("end.")} == reasons


def test_nothing_of_the_page_comes_from_elsewhere() -> None:
    for path in WEB.rglob("*"):
        if path.suffix not in {".js", ".css", ".html", ".svg", ".webmanifest"}:
            continue
        text = path.read_text(encoding="utf-8")
        addresses = set(re.findall(r"https?://\w[^\s\"'`)<,]*", text))
        assert addresses <= {"http://www.w3.org/2000/svg", "http://localhost"}, path
