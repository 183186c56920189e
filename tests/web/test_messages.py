"""The words of the page: the same in both languages, set as each language sets them."""

import json
import re
from pathlib import Path

import pytest

WEB = Path(__file__).resolve().parents[2] / "web"
LINE = re.compile(r'^  "([\w.]+)": (".*"),$', re.MULTILINE)


def messages(language: str) -> dict[str, str]:
    text = (WEB / "messages" / f"{language}.js").read_text(encoding="utf-8")
    return {key: json.loads(value) for key, value in LINE.findall(text)}


def report_messages() -> tuple[dict[str, str], dict[str, str]]:
    text = (WEB / "report" / "report.js").read_text(encoding="utf-8")
    french, english = re.findall(
        r"^const (?:FR|EN) = \{\n(.*?)^\};", text, re.MULTILINE | re.DOTALL
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
        "dimension.",
        "mic.",
        "status.",
        "problem.",
        "talk.",
        "stages.",
        "theme.",
    )
    for key in messages(language):
        assert f'"{key}"' in sources or key.startswith(built), key


def test_nothing_of_the_page_comes_from_elsewhere() -> None:
    for path in WEB.rglob("*"):
        if path.suffix not in {".js", ".css", ".html", ".svg", ".webmanifest"}:
            continue
        text = path.read_text(encoding="utf-8")
        addresses = set(re.findall(r"https?://\w[^\s\"'`)<,]*", text))
        assert addresses <= {"http://www.w3.org/2000/svg", "http://localhost"}, path
