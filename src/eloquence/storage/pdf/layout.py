"""The look of the document: fonts, colours, styles, and what stands on every page."""

import unicodedata
from functools import cache
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from reportlab.lib.colors import Color, HexColor
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from eloquence.storage.pdf.words import Words

PAGE_WIDTH, PAGE_HEIGHT = A4
MARGIN = 18 * mm
WIDTH = PAGE_WIDTH - 2 * MARGIN
BODY, BOLD = "EloquenceBody", "EloquenceBold"

Colour = Color
INK = HexColor("#2b2622")
SOFT = HexColor("#675c54")
LINE = HexColor("#e2d7c9")
PAPER = HexColor("#fbf7f0")
ACCENT = HexColor("#a2412a")
ACCENT_SOFT = HexColor("#f7e4d9")
CALM = HexColor("#1c6661")
CALM_SOFT = HexColor("#dcebe6")
GOLD = HexColor("#7d5710")
GOLD_SOFT = HexColor("#f6e9cd")
STATE_INK = {"pass": CALM, "near": GOLD, "not_yet": ACCENT, "not_scored": SOFT}
STATE_FILL = {"pass": CALM_SOFT, "near": GOLD_SOFT, "not_yet": ACCENT_SOFT, "not_scored": PAPER}

_FONTS = Path(__file__).resolve().parent.parent / "fonts"


@cache
def fonts() -> frozenset[int]:
    """Makes the fonts known, once; the characters that they can show."""
    faces = {BODY: "DejaVuSansCondensed.ttf", BOLD: "DejaVuSansCondensed-Bold.ttf"}
    known = []
    for name, file in faces.items():
        font = TTFont(name, str(_FONTS / file))
        pdfmetrics.registerFont(font)
        known.append(frozenset(font.face.charToGlyph))
    pdfmetrics.registerFontFamily(BODY, normal=BODY, bold=BOLD, italic=BODY, boldItalic=BOLD)
    return known[0] & known[1]


def shown(text: str) -> str:
    """The text in letters that the fonts have; others lose their accent or become a square."""
    return "".join(_letter(letter, fonts()) for letter in text)


def marked(text: str) -> str:
    """The text as it may stand inside a paragraph's markup."""
    return escape(shown(text))


def _letter(letter: str, known: frozenset[int]) -> str:
    if ord(letter) in known:
        return letter
    if letter.isspace():
        return " "
    if not letter.isprintable():
        return ""
    plain = "".join(part for part in unicodedata.normalize("NFKD", letter) if ord(part) in known)
    return plain or "■"


def style(name: str, **changes: Any) -> ParagraphStyle:
    """A style of the document; what is not said is plain text."""
    plain: dict[str, Any] = {
        "fontName": BODY,
        "bulletFontName": BODY,
        "fontSize": 9.5,
        "leading": 13,
        "textColor": INK,
        "spaceAfter": 3,
    }
    return ParagraphStyle(name, **{**plain, **changes})


TEXT = style("text")
SMALL = style("small", fontSize=8, leading=10.5, textColor=SOFT, spaceAfter=2)
CELL = style("cell", fontSize=8.5, leading=11, spaceAfter=0)
CELL_SMALL = style("cell_small", fontSize=7.5, leading=9.5, textColor=SOFT, spaceAfter=0)
KICKER = style("kicker", fontName=BOLD, fontSize=8, leading=10, textColor=ACCENT, spaceAfter=2)
TITLE = style("title", fontName=BOLD, fontSize=19, leading=23, spaceAfter=2)
HEADLINE = style("headline", fontSize=13, leading=18, textColor=INK, spaceBefore=8, spaceAfter=8)
SECTION = style(
    "section", fontName=BOLD, fontSize=12, leading=15, spaceBefore=10, spaceAfter=4, keepWithNext=1
)
SUBSECTION = style(
    "subsection", fontName=BOLD, fontSize=9.5, leading=12, spaceBefore=4, keepWithNext=1
)
TURN = style("turn", leftIndent=15 * mm, bulletIndent=0, spaceAfter=5, bulletFontSize=8)


class Pages(Canvas):
    """Pages that know how many they are: the foot of each is drawn when all are there."""

    def __init__(self, *arguments: Any, words: Words, foot: str, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._words = words
        self._foot = foot
        self._waiting: list[dict[str, Any]] = []

    def showPage(self) -> None:  # noqa: N802 - the canvas names it so
        self._waiting.append(dict(self.__dict__))
        self._startPage()  # type: ignore[attr-defined]

    def save(self) -> None:
        count = len(self._waiting)
        for number, page in enumerate(self._waiting, 1):
            self.__dict__.update(page)
            self._draw_foot(number, count)
            super().showPage()
        super().save()

    def _draw_foot(self, number: int, count: int) -> None:
        self.setStrokeColor(LINE)
        self.setLineWidth(0.5)
        self.line(MARGIN, 13 * mm, PAGE_WIDTH - MARGIN, 13 * mm)
        self.setFont(BODY, 7.5)
        self.setFillColor(SOFT)
        self.drawString(MARGIN, 9 * mm, self._foot)
        told = self._words("page", page=number, pages=count)
        self.drawRightString(PAGE_WIDTH - MARGIN, 9 * mm, told)
