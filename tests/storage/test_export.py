"""A report as one file that works offline."""

import base64
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from eloquence.coaching.report import Curve, Evaluation, Feedback, Quality, Report, ReportTurn
from eloquence.errors import ConfigurationError, StorageError
from eloquence.storage import export

HOSTILE = "</script><script>alert(1)</script><!--SCRIPT--> $& \\1 <main>"


def report(text: str = HOSTILE) -> Report:
    curve = Curve(label="", unit="", times=(), values=())
    return Report(
        session="s1",
        language="fr",
        exercise="conversation_libre_marie",
        title="Conversation libre",
        character="Marie",
        started_at=0.0,
        duration=12.0,
        status="complete",
        reason="learner",
        stages={"stt": "none"},
        speech_seconds=8.0,
        word_count=0,
        quality=Quality(snr=None, clipping=0.0, words_heard=True),
        feedback=Feedback(headline="Bien"),
        dimensions=(),
        passing_score=0.7,
        measures=(),
        turns=(
            ReportTurn(
                index=0, speaker="learner", name="vous", start=0, end=1, text=text, words=None
            ),
        ),
        pace=curve,
        pitch=curve,
        intensity=curve,
        evaluation=Evaluation(
            scores={},
            feedback=(),
            duration=12.0,
            wordCount=0,
            fluencyScore=None,
            confidenceScore=None,
            customMetrics={},
        ),
    )


class Page(HTMLParser):
    """What a browser would make of the page: the text of each script, and the places it fetches."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.main: list[dict[str, str | None]] = []
        self.fetched: list[str] = []
        self.styles = 0
        self._inside = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self._inside = tag == "script"
        if tag == "script":
            self.scripts.append((given, ""))
        elif tag == "main":
            self.main.append(given)
        elif tag == "style":
            self.styles += 1
        for name in ("src", "href"):
            if given.get(name):
                self.fetched.append(str(given[name]))

    def handle_data(self, data: str) -> None:
        if self._inside:
            attributes, text = self.scripts[-1]
            self.scripts[-1] = (attributes, text + data)

    def handle_endtag(self, tag: str) -> None:
        self._inside = False


def test_the_page_holds_everything_and_fetches_nothing() -> None:
    html = export.report_html(report(), export.web_folder(), None)
    page = Page(html)
    assert page.styles >= 1
    assert [place for place in page.fetched if not place.startswith(("data:", "#"))] == []
    assert not re.search(r"@import|url\((?!['\"]?data:)", html)
    assert "renderReport" in html
    assert not re.search(r"<!--(STYLE|SCRIPT|DATA)-->", html.replace("\\u003c", ""))


def test_what_was_said_cannot_leave_its_place() -> None:
    page = Page(export.report_html(report(), export.web_folder(), None))
    data = [text for given, text in page.scripts if given.get("id") == "report"]
    assert len(data) == 1
    assert Report.model_validate(json.loads(data[0])) == report()
    assert not any("alert(1)" in text for given, text in page.scripts if given.get("id") is None)
    assert len(page.main) == 1


@pytest.mark.parametrize(
    ("audio", "kind"),
    [
        (b"fLaC....", "audio/flac"),
        (b"OggS....", "audio/ogg"),
        (b"RIFF....", "audio/wav"),
        (b"ID3.....", "audio/mpeg"),
    ],
)
def test_the_sound_is_inside_the_page(audio: bytes, kind: str) -> None:
    page = Page(export.report_html(report(), export.web_folder(), audio))
    assert page.main[0]["data-audio"] == f"data:{kind};base64,{base64.b64encode(audio).decode()}"


def test_without_sound_none_is_announced() -> None:
    page = Page(export.report_html(report(), export.web_folder(), None))
    assert not page.main[0].get("data-audio")


def test_a_missing_page_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"standalone\.html is missing"):
        export.report_html(report(), tmp_path, None)


def test_a_report_is_written_as_data_and_as_a_page(tmp_path: Path) -> None:
    export.write_report(report(), tmp_path / "new" / "out")
    written = (tmp_path / "new" / "out" / "report.json").read_text(encoding="utf-8")
    assert Report.model_validate_json(written) == report()
    assert (tmp_path / "new" / "out" / "report.html").stat().st_size > 1000


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot be written"):
        export.write_report(report(), tmp_path / "file" / "out")
