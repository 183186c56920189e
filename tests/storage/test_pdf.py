"""A report as a document to print."""

import io
import re
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfReader

from eloquence.coaching.report import (
    Content,
    ContentHint,
    Curve,
    DimensionScore,
    Evaluation,
    Feedback,
    JudgedPart,
    Mark,
    Measure,
    Quality,
    Remark,
    Report,
    ReportTurn,
)
from eloquence.delivery.words import Word
from eloquence.storage.pdf import document
from eloquence.storage.pdf.words import ENGLISH, FRENCH, WORDS

SAMPLES = Path(__file__).resolve().parent.parent / "web"


def sample(name: str = "report") -> Report:
    return Report.model_validate_json((SAMPLES / f"{name}.json").read_text(encoding="utf-8"))


def empty(**changes: Any) -> Report:
    """A report of a session in which nothing was said."""
    curve = Curve(label="", unit="", times=(), values=())
    report = Report(
        session="s1",
        language="en",
        exercise="free_talk",
        title="Free talk",
        character="marie_coach",
        started_at=0.0,
        duration=0.0,
        status="failed",
        reason="llm",
        stages={},
        speech_seconds=0.0,
        word_count=0,
        quality=Quality(snr=None, clipping=0.0, words_heard=False),
        feedback=Feedback(headline="Nothing was heard."),
        dimensions=(),
        passing_score=0.7,
        measures=(),
        turns=(),
        pace=curve,
        pitch=curve,
        intensity=curve,
        evaluation=Evaluation(
            scores={},
            feedback=(),
            duration=0.0,
            wordCount=0,
            fluencyScore=None,
            confidenceScore=None,
            customMetrics={},
        ),
    )
    return report.model_copy(update=changes)


def read(report: Report) -> PdfReader:
    return PdfReader(io.BytesIO(document(report)), strict=True)


def text(report: Report) -> str:
    """All that the pages say, each run of spaces as one."""
    said = " ".join(page.extract_text() for page in read(report).pages)
    return plain(said)


def plain(words: str) -> str:
    return " ".join(words.split())


def test_the_document_says_what_the_report_says() -> None:
    report, told = sample(), text(sample())
    assert plain(report.feedback.headline) in told
    for remark in report.feedback.strengths:
        assert plain(remark.title) in told
    assert report.feedback.priority is not None
    assert plain(report.feedback.priority.title) in told
    for dimension in report.dimensions:
        assert plain(dimension.label) in told
        assert plain(dimension.summary or dimension.reason) in told
    for measure in report.measures:
        assert plain(measure.label) in told
    for mark in report.marks:
        assert plain(mark.label) in told
    assert "Merci, c’est très clair." in told


def test_what_is_measured_and_what_is_judged_stand_apart() -> None:
    """EVA-04: both parts of a score are told by name, and who judged."""
    told = text(sample())
    assert "mesuré 70 · apprécié 82 (pèse 75 %)" in told
    assert "mesuré 74" in told
    assert "entre 66 et 81 sur 100" in told
    assert "mistral-small-3.2" in told


def test_a_share_is_a_percentage_and_its_error_too() -> None:
    share = Measure(
        id="talk_share", label="Share", value=0.625, unit="of words", error=0.04, percent=True
    )
    assert "62% ± 4%" in text(empty(measures=(share,)))


def test_hints_on_the_content_are_named_as_such() -> None:
    hint = ContentHint(id="example", label="An example", found=True, text="One moment is told.")
    told = text(empty(content=Content(state="not_judged", reason="No model.", hints=(hint,))))
    assert "No model." in told
    assert ENGLISH("hints") in told
    assert "An example One moment is told." in told


def test_a_score_that_is_none_says_why_and_a_dismissed_mark_that_it_is() -> None:
    told = text(sample())
    assert "Non évalué" in told
    assert "Le bruit de fond ne permet pas" in told
    assert "écarté par vous" in told


@pytest.mark.parametrize("name", ["report", "report-by-ear"])
def test_the_same_report_gives_the_same_bytes(name: str) -> None:
    assert document(sample(name)) == document(sample(name))


def test_nothing_of_today_is_in_the_document() -> None:
    information = read(sample()).metadata
    assert information is not None
    assert information.creation_date is not None
    assert information.creation_date.year == 2000


@pytest.mark.parametrize(("language", "code"), [("fr", "fr"), ("en", "en")])
def test_readers_are_told_title_language_and_contents(language: str, code: str) -> None:
    """WCAG 2.4.2, 3.1.1: a document has a title, which is shown, and a language."""
    pages = read(sample().model_copy(update={"language": language}))
    root: Any = pages.trailer["/Root"]
    assert root["/Lang"] == code
    assert root["/ViewerPreferences"]["/DisplayDocTitle"]
    assert pages.metadata is not None
    assert "Conversation libre avec Marie" in str(pages.metadata.title)
    names = [str(entry["/Title"]) for entry in pages.outline if isinstance(entry, dict)]
    assert WORDS[language]("transcript") in names  # type: ignore[index]
    assert len(names) >= 6


def test_every_letter_is_of_a_font_that_is_inside() -> None:
    for page in read(sample()).pages:
        resources: Any = page["/Resources"]
        for font in resources["/Font"].values():
            descriptor = font.get_object()["/FontDescriptor"]
            assert "/FontFile2" in descriptor.get_object()


def test_the_pages_are_numbered() -> None:
    pages = read(sample()).pages
    for number, page in enumerate(pages, 1):
        assert FRENCH("page", page=number, pages=len(pages)) in page.extract_text()
    assert 2 <= len(pages) <= 4


def test_a_session_without_a_word_has_a_document_too() -> None:
    assert "Nothing was heard." in text(empty())
    assert ENGLISH("incomplete") in text(empty())


def test_what_was_said_is_text_and_never_markup() -> None:
    hostile = "</u><b>&amp; <font size=900>$ ]]> \x00\x07 <img src='file:///etc/passwd'/>"
    words = tuple(
        Word(piece, 1.0 + place, 1.5 + place) for place, piece in enumerate(hostile.split())
    )
    mark = Mark(id="tic@1.00", kind="tic", label=hostile, start=1.0, end=2.4, turn=0, text=hostile)
    turn = ReportTurn(
        index=0, speaker="learner", name=hostile, start=1, end=9, text=hostile, words=words
    )
    content = Content(state="not_judged", reason=hostile)
    told = text(empty(turns=(turn,), marks=(mark,), duration=9.0, title=hostile, content=content))
    assert "<font size=900>$" in told
    assert "&amp;" in told


def test_letters_that_the_font_lacks_do_not_vanish() -> None:
    report = empty(feedback=Feedback(headline="8,2 → 5,1 ; « cœur » \u202f! Ærøskøbing, Łódź, 東"))
    told = text(report)
    assert "8,2 → 5,1 ; « cœur » ! Ærøskøbing, Łódź, ■" in told


def test_no_text_is_too_long_for_the_page() -> None:
    """A learner may talk without end, and an author write without measure."""
    long, word = "mot " * 3000, "m" * 5000
    remark = Remark(title=word[:300], text=long)
    part = JudgedPart(
        criterion="c",
        label=long[:2000],
        question=long,
        weight=1,
        level=1,
        score=0.5,
        low=0.4,
        high=0.6,
        levels=(long, long),
        why=long,
    )
    dimension = DimensionScore(
        dimension="fluency", label=word, state="not_scored", reason=long, criteria=(part,)
    )
    turn = ReportTurn(
        index=0, speaker="learner", name="You", start=0, end=3600, text=long + word, words=None
    )
    report = empty(
        title=long,
        feedback=Feedback(headline=long, strengths=(remark, remark), priority=remark),
        dimensions=(dimension,),
        turns=(turn,),
        duration=3600.0,
        worked=long,
        content=Content(state="judged", rubric_title=long, model=word, provider="p"),
    )
    assert len(read(report).pages) > 3


def test_an_hour_of_speech_is_a_document_in_seconds() -> None:
    """Sixty minutes, ten thousand words, five hundred marks."""
    turns, marks = [], []
    for index in range(120):
        start = index * 30.0
        words = tuple(Word(f"mot{n}", start + n * 0.35, start + n * 0.35 + 0.3) for n in range(85))
        turns.append(
            ReportTurn(
                index=index,
                speaker="learner" if index % 2 else "character",
                name="Vous",
                start=start,
                end=start + 30,
                text=" ".join(word.text for word in words),
                words=words,
            )
        )
        marks += [
            Mark(
                id=f"tic@{start + n:.2f}",
                kind="tic",
                label="Mot béquille",
                start=start + n,
                end=start + n + 0.3,
                turn=index,
                text="mot",
                effects={"fluency": 0.001 * n},
            )
            for n in range(4)
        ]
    report = empty(turns=tuple(turns), marks=tuple(marks), duration=3600.0)
    pages = read(report).pages
    assert ENGLISH("more_moments", n=len(marks) - 25) in " ".join(
        page.extract_text() for page in pages[-3:]
    )


def test_every_sentence_exists_in_both_languages_with_the_same_places() -> None:
    assert FRENCH.texts.keys() == ENGLISH.texts.keys()
    for key, french in FRENCH.texts.items():
        places = [set(_places(each)) for each in (french, ENGLISH.texts[key])]
        assert places[0] == places[1], key


def test_french_keeps_its_typography() -> None:
    for key, sentence in FRENCH.texts.items():
        bare = re.sub(r"\{\w+:?\w*\}", "x", sentence)
        assert "'" not in bare, key
        for sign in re.finditer("[;:!?»%]", bare):
            assert bare[sign.start() - 1] == "\u00a0", key
        for sign in re.finditer("«", bare):
            assert bare[sign.start() + 1] == "\u00a0", key


@pytest.mark.parametrize(
    ("value", "french", "english"),
    [(3.9, "3,9", "3.9"), (148.0, "148", "148"), (-0.001, "0", "0"), (-9.04, "−9,04", "−9.04")],
)
def test_figures_are_written_as_people_of_the_language_do(
    value: float, french: str, english: str
) -> None:
    assert FRENCH.number(value) == french
    assert ENGLISH.number(value) == english


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(42.4, "42 s"), (120.0, "2 min"), (90.0, "1 min 30 s"), (3599.6, "60 min")],
)
def test_lengths_are_told_in_minutes_and_seconds(seconds: float, told: str) -> None:
    assert plain(FRENCH.length(seconds)) == told
    assert plain(ENGLISH.length(seconds)) == told


def _places(sentence: str) -> list[str]:
    from string import Formatter

    return [name for _, name, _, _ in Formatter().parse(sentence) if name]
