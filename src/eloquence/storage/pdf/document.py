"""The document, section by section."""

import io
from collections.abc import Iterator, Sequence
from functools import partial

from reportlab.lib.units import mm
from reportlab.platypus import (
    BaseDocTemplate,
    CondPageBreak,
    Flowable,
    Frame,
    KeepTogether,
    PageTemplate,
    Paragraph,
    Spacer,
    Table,
    TableStyle,
)

from eloquence.coaching.report import (
    DimensionScore,
    Drill,
    JudgedPart,
    Mark,
    Remark,
    Report,
    ReportTurn,
)
from eloquence.registry import STAGES
from eloquence.storage.pdf import layout, pictures, transcript
from eloquence.storage.pdf.layout import CELL, CELL_SMALL, SMALL, TEXT, marked
from eloquence.storage.pdf.words import WORDS, Words, clock

MOST_MOMENTS = 25
"""Marks in the table of moments; the transcript shows all of them."""
_MOST_LETTERS = 600

_BLOCK = layout.style("block", allowWidows=0, allowOrphans=0, spaceAfter=4)
_RULED = TableStyle(
    [
        ("FONTNAME", (0, 0), (-1, -1), layout.BODY),
        ("LEFTPADDING", (0, 0), (-1, -1), 0),
        ("RIGHTPADDING", (0, 0), (-1, -1), 6),
        ("TOPPADDING", (0, 0), (-1, -1), 3),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 3),
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("LINEBELOW", (0, 0), (-1, -1), 0.4, layout.LINE),
    ]
)
_TIGHT = TableStyle(
    [("TOPPADDING", (0, 0), (-1, -1), 1.5), ("BOTTOMPADDING", (0, 0), (-1, -1), 2)], parent=_RULED
)
_FLUSH = TableStyle(
    [
        ("FONTNAME", (0, 0), (-1, -1), layout.BODY),
        ("LEFTPADDING", (0, 0), (-1, -1), 0),
        ("RIGHTPADDING", (0, 0), (-1, -1), 0),
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
    ]
)


def document(report: Report) -> bytes:
    """The report as PDF. The same report gives the same bytes: nothing of today is in it."""
    layout.fonts()
    words = WORDS[report.language]
    title = layout.shown(f"{words('report')} – {_name(report)}")
    written = io.BytesIO()
    # `invariant` leaves out the time and draws no random identifier.
    paper = BaseDocTemplate(
        written,
        pagesize=(layout.PAGE_WIDTH, layout.PAGE_HEIGHT),
        title=title,
        author="Eloquence",
        subject=layout.shown(words.date(report.started_at)),
        creator="Eloquence",
        lang=words.language,
        displayDocTitle=1,
        invariant=1,
        initialFontName=layout.BODY,
        pageCompression=1,
    )
    frame = Frame(
        layout.MARGIN,
        16 * mm,
        layout.WIDTH,
        layout.PAGE_HEIGHT - 16 * mm - 15 * mm,
        leftPadding=0,
        rightPadding=0,
        topPadding=0,
        bottomPadding=0,
    )
    paper.addPageTemplates([PageTemplate(id="page", frames=[frame])])
    foot = f"Eloquence · {_clipped(layout.shown(_name(report)), 70)} · "
    foot += words.date(report.started_at)
    paper.build(
        list(_story(report, words)), canvasmaker=partial(layout.Pages, words=words, foot=foot)
    )
    return written.getvalue()


def _story(report: Report, words: Words) -> Iterator[Flowable]:
    numbers = {
        mark.id: number
        for number, mark in enumerate(
            sorted(report.marks, key=lambda mark: (mark.start, mark.id)), 1
        )
    }
    yield from _opening(report, words)
    yield from _scores(report, words)
    yield from _following(report, words)
    yield from _content(report, words)
    yield from _curves(report, words)
    yield from _measures(report, words)
    yield from _transcript(report, numbers, words)
    yield from _moments(report, numbers, words)
    yield from _method(report, words)


def _name(report: Report) -> str:
    """A drill goes by its own title."""
    return report.title if report.drill_result is None else report.drill_result.title


def _opening(report: Report, words: Words) -> Iterator[Flowable]:
    facts = [
        words.date(report.started_at),
        words.length(report.duration),
        words("speech", length=words.length(report.speech_seconds)),
        words("words", n=report.word_count) if report.quality.words_heard else "",
        words("exam") if report.exam else "",
    ]
    yield Paragraph(marked(words("report").upper()), layout.KICKER)
    yield _Bookmark(words("report"))
    yield Paragraph(marked(_clipped(_name(report), 200)), layout.TITLE)
    yield Paragraph(marked("  ·  ".join(fact for fact in facts if fact)), SMALL)
    yield Paragraph(marked(report.feedback.headline), layout.HEADLINE)
    told = report.feedback
    if told.strengths or told.priority is not None:
        yield _remarks(report, words)
    if told.drill is not None:
        yield from _drill(told.drill, words)


def _remarks(report: Report, words: Words) -> Flowable:
    told = report.feedback
    good: list[Flowable] = [_label(words("strengths"), layout.CALM)]
    for remark in told.strengths:
        good += _remark(remark)
    if not told.strengths:
        good.append(Paragraph(marked(words("no_strength")), TEXT))
    first: list[Flowable] = [_label(words("priority"), layout.ACCENT)]
    if told.priority is not None:
        first += _remark(told.priority)
    else:
        first.append(Paragraph(marked(words("no_priority")), TEXT))
    half = (layout.WIDTH - 4 * mm) / 2
    columns = [_panel(good, layout.CALM_SOFT, half), "", _panel(first, layout.ACCENT_SOFT, half)]
    return Table([columns], colWidths=[half, 4 * mm, half], style=_FLUSH, splitInRow=1)


def _drill(drill: Drill, words: Words) -> Iterator[Flowable]:
    title = words("drill", length=words.length(drill.seconds), title=drill.title)
    yield Spacer(0, 3 * mm)
    yield _panel(
        [
            Paragraph(f"<b>{marked(title)}</b>", TEXT),
            Paragraph(marked(_clipped(drill.instructions)), TEXT),
            Paragraph(f"<b>{marked(words('success'))}</b> {marked(drill.success)}", TEXT),
        ],
        layout.PAPER,
        layout.WIDTH,
    )


def _following(report: Report, words: Words) -> Iterator[Flowable]:
    """What comes after this session."""
    lines: list[tuple[str, str]] = []
    if report.goal is not None:
        lines.append((words("goal"), f"{report.goal.plan} {report.goal.sentence}".strip()))
    if report.comparison is not None:
        lines.append((words("comparison"), report.comparison.sentence))
    if report.proposal is not None:
        lines.append((words("proposal"), report.proposal.plan))
    if report.appointment is not None:
        lines.append((words("appointment"), report.appointment.sentence))
    lines += [(words(key), text) for key in ("worked", "plan") if (text := getattr(report, key))]
    blocks = [f"<b>{marked(label)}</b><br/>{marked(_clipped(text, 2000))}" for label, text in lines]
    rewrite = report.feedback.rewrite
    if rewrite is not None:
        before = words("quote", text=_clipped(rewrite.before))
        after = words("quote", text=_clipped(rewrite.after))
        blocks.append(
            f"<b>{marked(words('rewrite'))}</b><br/>{marked(words('before'))} {marked(before)}"
            f"<br/>{marked(words('after'))} {marked(after)}"
        )
    if blocks:
        yield from _section(words("next"))
        yield from (Paragraph(block, _BLOCK) for block in blocks)


def _scores(report: Report, words: Words) -> Iterator[Flowable]:
    if not report.dimensions:
        return
    scored = any(one.score is not None for one in report.dimensions)
    rows = [_score(one, report.passing_score, words) for one in report.dimensions]
    widths = [48 * mm, 62 * mm, layout.WIDTH - 110 * mm]
    yield from _section(words("scores"))
    if scored:
        mark = words.score(report.passing_score)
        yield Paragraph(marked(words("scores_help", mark=mark)), SMALL)
        judged = any(one.judged is not None for one in report.dimensions)
        yield pictures.Legend(words, judged=judged)
    whole = [
        ("SPAN", (1, row), (2, row))
        for row, one in enumerate(report.dimensions)
        if one.score is None
    ]
    look = TableStyle(whole, parent=_RULED)
    yield Table(rows, colWidths=widths, style=look)
    if report.overall is not None:
        overall = report.overall
        told = words("overall", low=words.score(overall.low), high=words.score(overall.high))
        yield Spacer(0, 1.5 * mm)
        yield Paragraph(marked(told), SMALL)


def _score(one: DimensionScore, mark: float, words: Words) -> list[object]:
    ink = layout.STATE_INK[one.state].hexval()[2:]
    state = marked(words(f"state_{one.state}"))
    if one.provisional:
        state += f" ({marked(words('provisional'))})"
    name = [
        Paragraph(f"<b>{marked(_clipped(one.label, 120))}</b>", CELL),
        Paragraph(f'<font color="#{ink}">{state}</font>', CELL_SMALL),
    ]
    told = one.summary or one.reason
    if one.score is None or one.low is None or one.high is None:
        return [name, [Paragraph(marked(_clipped(told)), CELL_SMALL)], ""]
    parts = []
    if one.measured is not None:
        parts.append(words("measured", score=words.score(one.measured)))
    if one.judged is not None:
        share = words.share(one.judged_weight)
        parts.append(words("judged", score=words.score(one.judged), share=share))
    figures = [
        Paragraph(
            marked(words("range", low=words.score(one.low), high=words.score(one.high))), CELL
        ),
        Paragraph(marked(" · ".join(parts)), CELL_SMALL),
    ]
    bar = pictures.ScoreBar(one, mark, 58 * mm)
    return [name, [bar], [*figures, Paragraph(marked(_clipped(told)), CELL_SMALL)]]


def _content(report: Report, words: Words) -> Iterator[Flowable]:
    criteria = [one for dimension in report.dimensions for one in dimension.criteria]
    judged = [one for one in criteria if one.level is not None]
    if not judged:
        if report.content.reason or report.content.hints:
            yield from _section(words("unjudged"))
            yield Paragraph(marked(_clipped(report.content.reason)), SMALL)
            yield from _hints(report, words)
        return
    rows: list[list[object]] = [_head(words("criterion"), words("level"), words("quotes"))]
    rows += [_criterion(one, words) for one in criteria]
    widths = [42 * mm, 62 * mm, layout.WIDTH - 104 * mm]
    yield from _section(words("content"))
    yield Table(rows, colWidths=widths, style=_RULED, repeatRows=1, splitInRow=1)


def _hints(report: Report, words: Words) -> Iterator[Flowable]:
    if report.content.hints:
        yield Paragraph(marked(words("hints")), SMALL)
    for hint in report.content.hints:
        sign = "✓" if hint.found else "–"
        yield Paragraph(f"{sign} <b>{marked(hint.label)}</b> {marked(_clipped(hint.text))}", TEXT)


def _criterion(one: JudgedPart, words: Words) -> list[object]:
    name = [Paragraph(f"<b>{marked(_clipped(one.label, 120))}</b>", CELL)]
    if one.question:
        name.append(Paragraph(marked(_clipped(one.question)), CELL_SMALL))
    if one.level is None:
        return [name, [Paragraph(marked(_clipped(one.reason)), CELL_SMALL)], ""]
    lower = min(max(int(one.level), 0), max(len(one.levels) - 1, 0))
    level: list[Flowable] = []
    if one.low is not None and one.high is not None:
        told = words("range", low=words.score(one.low), high=words.score(one.high))
        level.append(Paragraph(marked(told), CELL))
    if one.measured:
        level.append(Paragraph(marked(words("by_measures")), CELL_SMALL))
    elif one.levels:
        level.append(Paragraph(marked(_clipped(one.levels[lower])), CELL_SMALL))
    quotes: list[Flowable] = []
    for quote in one.quotes[:3]:
        at = "" if quote.start is None else f" ({clock(quote.start)})"
        told = words("quote", text=_clipped(quote.text, 240))
        quotes.append(Paragraph(marked(told + at), CELL_SMALL))
    lacking = [words("lacking", text=_clipped(text, 240)) for text in one.missing[:2]]
    quotes += [Paragraph(marked(text), CELL_SMALL) for text in lacking]
    return [name, level, quotes]


def _curves(report: Report, words: Words) -> Iterator[Flowable]:
    if not report.turns or report.duration <= 0:
        return
    kept = [mark for mark in report.marks if not mark.dismissed]
    yield from _section(words("pictures"), keep=60 * mm)
    yield KeepTogether(
        [
            Paragraph(marked(words("timeline")), layout.SUBSECTION),
            pictures.Timeline(report.turns, kept, report.duration, words),
        ]
    )
    for curve in (report.pace, report.pitch, report.intensity):
        if all(value is None for value in curve.values):
            continue
        label = f"{curve.label} ({curve.unit})" if curve.unit else curve.label
        yield KeepTogether(
            [
                Spacer(0, 2 * mm),
                Paragraph(marked(label), layout.SUBSECTION),
                Paragraph(marked(curve.sentence), SMALL),
                pictures.CurvePicture(curve, report.duration, words),
            ]
        )


def _measures(report: Report, words: Words) -> Iterator[Flowable]:
    bands = {part.measure: part.band for one in report.dimensions for part in one.parts}
    rows: list[list[object]] = [
        _head(words("measure"), words("value"), words("target"), words("where"))
    ]
    missing = []
    for measure in report.measures:
        if measure.value is None:
            if measure.reason:
                missing.append(f"<b>{marked(measure.label)}</b> – {marked(measure.reason)}")
            continue
        band = bands.get(measure.id)
        value = words.figure(measure.value, percent=measure.percent)
        if measure.error:
            value += f" ±\u00a0{words.figure(measure.error, percent=measure.percent)}"
        name = f"{marked(measure.label)} "
        name += (
            f'<font size="7.5" color="#{layout.SOFT.hexval()[2:]}">{marked(measure.unit)}</font>'
        )
        target = "" if band is None else _zone(band, words, percent=measure.percent)
        gauge = "" if band is None else pictures.Gauge(measure.value, band, 38 * mm)
        rows.append(
            [
                Paragraph(name, CELL),
                Paragraph(marked(value), CELL),
                Paragraph(marked(target), CELL),
                gauge,
            ]
        )
    if len(rows) > 1:
        widths = [70 * mm, 30 * mm, layout.WIDTH - 142 * mm, 42 * mm]
        yield from _section(words("measures"))
        yield Table(rows, colWidths=widths, style=_RULED, repeatRows=1)
    if missing:
        yield Paragraph(marked(words("missing")), layout.SUBSECTION)
        for line in missing:
            yield Paragraph(line, SMALL)


def _zone(band: pictures.Points, words: Words, *, percent: bool) -> str:
    low, high = (
        None if point is None else words.figure(point, percent=percent) for point in band[2:4]
    )
    if low and high:
        return words("between", low=low, high=high)
    if low:
        return words("at_least", low=low)
    return words("at_most", high=high) if high else ""


def _transcript(report: Report, numbers: dict[str, int], words: Words) -> Iterator[Flowable]:
    if not report.turns:
        return
    yield from _section(words("transcript"), keep=40 * mm)
    if not report.quality.words_heard:
        yield Paragraph(marked(words("by_ear")), SMALL)
    phase = "exercise"
    for turn in report.turns:
        if turn.phase != phase:
            phase = turn.phase
            yield Paragraph(marked(words(phase)), layout.SUBSECTION)
        yield _turn(turn, report.marks, numbers, words)


def _turn(
    turn: ReportTurn, marks: Sequence[Mark], numbers: dict[str, int], words: Words
) -> Paragraph:
    kept = [mark for mark in marks if mark.turn == turn.index and not mark.dismissed]
    text = transcript.said(turn, kept, numbers) if turn.speaker == "learner" else marked(turn.text)
    if not text:
        text = marked(words("spoke", length=words.length(turn.end - turn.start)))
    if turn.interrupted:
        text += f" ({marked(words('interrupted'))})"
    ink = layout.CALM if turn.speaker == "learner" else layout.SOFT
    name = f'<font name="{layout.BOLD}" color="#{ink.hexval()[2:]}">{marked(turn.name)}</font>'
    return Paragraph(f"{name}  {text}", layout.TURN, bulletText=clock(turn.start))


def _moments(report: Report, numbers: dict[str, int], words: Words) -> Iterator[Flowable]:
    if not report.marks:
        return
    weight = {mark.id: max(mark.effects.values(), default=0.0) for mark in report.marks}
    told = sorted(report.marks, key=lambda mark: (mark.dismissed, -weight[mark.id], mark.start))
    told = sorted(told[:MOST_MOMENTS], key=lambda mark: numbers[mark.id])
    rows = []
    for mark in told:
        effect = words("effect", n=words.score(weight[mark.id]))
        note = words("dismissed") if mark.dismissed else effect if weight[mark.id] >= 0.005 else ""
        label = f"<strike>{marked(mark.label)}</strike>" if mark.dismissed else marked(mark.label)
        quote = words("quote", text=_clipped(mark.text, 160)) if mark.text else ""
        rows.append(
            [
                Paragraph(str(numbers[mark.id]), CELL_SMALL),
                Paragraph(clock(mark.start), CELL_SMALL),
                Paragraph(label, CELL_SMALL),
                Paragraph(marked(quote), CELL_SMALL),
                Paragraph(marked(note), CELL_SMALL),
            ]
        )
    widths = [8 * mm, 11 * mm, 45 * mm, layout.WIDTH - 94 * mm, 30 * mm]
    yield from _section(words("moments"), keep=30 * mm)
    yield Table(rows, colWidths=widths, style=_TIGHT)
    if len(report.marks) > len(told):
        n = len(report.marks) - len(told)
        yield Paragraph(marked(words("more_moments", n=n)), SMALL)


def _method(report: Report, words: Words) -> Iterator[Flowable]:
    quality, content = report.quality, report.content
    lines = [words("ai"), words("measured_help")]
    if report.status != "complete":
        lines.append(words("incomplete"))
    if report.profile != "native":
        lines.append(words(report.profile))
    stages = {stage: report.stages[stage] for stage in STAGES if stage in report.stages}
    if len(stages) == len(STAGES):
        lines.append(words("stages", **{key: words.stage(name) for key, name in stages.items()}))
    if quality.snr is not None:
        lines.append(words("snr", n=words.number(round(quality.snr))))
    if quality.clipping > 0.0005:
        lines.append(words("clipping", share=words.share(quality.clipping)))
    lines += quality.notes
    if content.rubric_title:
        lines.append(words("rubric", title=content.rubric_title) + f" {content.rubric_source}")
    if content.state == "judged":
        lines.append(
            words(
                "judge",
                model=content.model,
                provider=content.provider,
                prompt=content.prompt_version,
            )
        )
        if content.spread is not None:
            lines.append(words("spread", share=words.share(content.spread)))
    sources = {part.source: None for one in report.dimensions for part in one.parts if part.source}
    if sources:
        lines.append(f"{words('sources')} – {' · '.join(sources)}")
    yield from _section(words("method"), keep=30 * mm)
    for line in lines:
        yield Paragraph(marked(_clipped(line.strip(), 3000)), SMALL)


class _Bookmark(Flowable):
    """An entry in the reader's list of contents, at this place."""

    def __init__(self, title: str) -> None:
        super().__init__()
        self.width = self.height = 0
        self._title = title

    def wrap(self, *_: float) -> tuple[float, float]:
        return 0, 0

    def draw(self) -> None:
        pen = self.canv
        pen.bookmarkHorizontal(self._title, 0, 20)
        pen.addOutlineEntry(self._title, self._title, 0)


def _section(title: str, keep: float = 25 * mm) -> Iterator[Flowable]:
    """The heading of a section, with at least `keep` points of what follows on its page."""
    yield CondPageBreak(keep)
    yield _Bookmark(title)
    yield Paragraph(marked(title), layout.SECTION)


def _label(text: str, ink: layout.Colour) -> Paragraph:
    look = layout.style("label", fontName=layout.BOLD, fontSize=8, leading=11, textColor=ink)
    return Paragraph(marked(text.upper()), look)


def _remark(remark: Remark) -> list[Flowable]:
    at = "" if remark.start is None else f" ({clock(remark.start)})"
    return [
        Paragraph(f"<b>{marked(remark.title)}</b>{marked(at)}", TEXT),
        Paragraph(marked(_clipped(remark.text)), TEXT),
    ]


def _panel(inside: list[Flowable], fill: layout.Colour, width: float) -> Table:
    look = TableStyle(
        [
            ("FONTNAME", (0, 0), (-1, -1), layout.BODY),
            ("BACKGROUND", (0, 0), (-1, -1), fill),
            ("LEFTPADDING", (0, 0), (-1, -1), 9),
            ("RIGHTPADDING", (0, 0), (-1, -1), 9),
            ("TOPPADDING", (0, 0), (-1, -1), 7),
            ("BOTTOMPADDING", (0, 0), (-1, -1), 5),
            ("ROUNDEDCORNERS", [6, 6, 6, 6]),
        ]
    )
    return Table([[inside]], colWidths=[width], style=look, splitInRow=1)


def _head(*titles: str) -> list[object]:
    return [Paragraph(f"<b>{marked(title)}</b>", CELL_SMALL) for title in titles]


def _clipped(text: str, most: int = _MOST_LETTERS) -> str:
    """A text that cannot push everything else off its page."""
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"
