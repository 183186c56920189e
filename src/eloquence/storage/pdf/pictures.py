"""What is drawn: a score with its interval, a value in its band, curves over time."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from statistics import fmean

from reportlab.lib.colors import white
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable

from eloquence.coaching.report import Curve, DimensionScore, Mark, ReportTurn
from eloquence.storage.pdf import layout
from eloquence.storage.pdf.words import Words, clock

Points = tuple[float | None, ...]

_COLUMNS = 160
"""Of a dense curve, each with its range and its mean."""
_LEFT = 15 * mm
"""Where the time axis begins, so that all pictures stand under one another."""


class Picture(Flowable):
    """A drawing of a fixed size."""

    def __init__(self, width: float, height: float) -> None:
        super().__init__()
        self.width, self.height = width, height

    def wrap(self, *_: float) -> tuple[float, float]:
        return self.width, self.height

    @property
    def pen(self) -> Canvas:
        return self.canv


class ScoreBar(Picture):
    """A score as a range from 0 to 100: the interval, the likeliest value, the pass mark, and
    below it the measured part (a disc) and the judged part (a diamond)."""

    def __init__(self, score: DimensionScore, mark: float, width: float) -> None:
        super().__init__(width, 20)
        self._score, self._mark = score, mark

    def draw(self) -> None:
        pen, one = self.pen, self._score
        ink, fill = layout.STATE_INK[one.state], layout.STATE_FILL[one.state]
        pen.setFillColor(layout.PAPER)
        pen.setStrokeColor(layout.LINE)
        pen.setLineWidth(0.5)
        pen.roundRect(0, 8, self.width, 9, 3, stroke=1, fill=1)
        if one.low is not None and one.high is not None and one.score is not None:
            pen.setFillColor(fill)
            pen.setStrokeColor(ink)
            pen.setLineWidth(0.8)
            left, right = self.width * one.low, self.width * one.high
            pen.roundRect(left, 8, max(right - left, 3), 9, 2, stroke=1, fill=1)
            pen.setLineWidth(2)
            pen.line(self.width * one.score, 7, self.width * one.score, 18)
        pen.setStrokeColor(layout.INK)
        pen.setLineWidth(0.7)
        pen.setDash(1.5, 1.5)
        pen.line(self.width * self._mark, 6, self.width * self._mark, 19)
        pen.setDash()
        pen.setFillColor(layout.INK)
        if one.measured is not None:
            disc(pen, self.width * one.measured, 3)
        if one.judged is not None:
            diamond(pen, self.width * one.judged, 3)


class Legend(Picture):
    """What the disc and the diamond stand for."""

    def __init__(self, words: Words, *, judged: bool) -> None:
        super().__init__(layout.WIDTH, 10)
        self._words, self._judged = words, judged

    def draw(self) -> None:
        pen = self.pen
        pen.setFont(layout.BODY, 8)
        pen.setFillColor(layout.INK)
        disc(pen, 3, 5)
        text = self._words("legend_measured")
        pen.drawString(9, 2.2, text)
        if self._judged:
            after = 9 + pen.stringWidth(text, layout.BODY, 8) + 14
            diamond(pen, after, 5)
            pen.drawString(after + 6, 2.2, self._words("legend_judged"))


class Gauge(Picture):
    """A value on the line of its band: the passing range, the target zone inside it, the value."""

    def __init__(self, value: float, band: Points, width: float) -> None:
        super().__init__(width, 11)
        self._value, self._band = value, band

    def draw(self) -> None:
        pen = self.pen
        known = [point for point in (*self._band, self._value) if point is not None]
        low, high = min(known), max(known)
        margin = 0.08 * (high - low) or 1.0
        low, high = low - margin, high + margin

        def at(value: float | None, other: float) -> float:
            return other if value is None else self.width * (value - low) / (high - low)

        pen.setFillColor(layout.PAPER)
        pen.setStrokeColor(layout.LINE)
        pen.setLineWidth(0.4)
        pen.rect(0, 2, self.width, 5, stroke=1, fill=1)
        for fill, first, last in (
            (layout.GOLD_SOFT, self._band[1], self._band[4]),
            (layout.CALM, self._band[2], self._band[3]),
        ):
            left, right = at(first, 0), at(last, self.width)
            pen.setFillColor(fill)
            pen.rect(left, 2, max(right - left, 1), 5, stroke=0, fill=1)
        pen.setFillColor(layout.INK)
        pen.setStrokeColor(white)
        place = at(self._value, 0)
        _polygon(pen, [(place, 4), (place - 3, 11), (place + 3, 11)], stroke=1)


class Timeline(Picture):
    """Who speaks when, one lane for each, and where the marks are."""

    def __init__(
        self,
        turns: Sequence[ReportTurn],
        marks: Sequence[Mark],
        duration: float,
        words: Words,
    ) -> None:
        super().__init__(layout.WIDTH, 50)
        self._turns, self._marks, self._duration = turns, marks, duration
        self._words = words

    def draw(self) -> None:
        pen = self.pen
        names: dict[str, str] = {turn.speaker: turn.name for turn in reversed(self._turns)}
        lanes = (("learner", 24, layout.CALM), ("character", 12, layout.LINE))
        for speaker, bottom, fill in lanes:
            pen.setFont(layout.BODY, 7.5)
            pen.setFillColor(layout.SOFT)
            pen.drawString(0, bottom + 1.5, layout.shown(names.get(speaker, ""))[:12])
            pen.setFillColor(fill)
            for turn in self._turns:
                if turn.speaker != speaker:
                    continue
                for start, end in turn.speech or ((turn.start, turn.end),):
                    left, right = _place(start, self._duration), _place(end, self._duration)
                    pen.rect(left, bottom, max(right - left, 0.4), 8, stroke=0, fill=1)
        for mark in self._marks:
            place = _place((mark.start + mark.end) / 2, self._duration)
            if mark.good:
                pen.setFillColor(layout.CALM)
                _polygon(pen, [(place, 40), (place - 2, 35), (place + 2, 35)])
            else:
                pen.setFillColor(layout.ACCENT)
                _polygon(pen, [(place, 35), (place - 2, 40), (place + 2, 40)])
        pen.setFont(layout.BODY, 7.5)
        pen.setFillColor(layout.SOFT)
        if self._marks:
            pen.drawRightString(self.width, 44, self._words("timeline_marks"))
        _axis(pen, self._duration, 0)


class CurvePicture(Picture):
    """A curve over the session, with its target zone."""

    def __init__(self, curve: Curve, duration: float, words: Words) -> None:
        super().__init__(layout.WIDTH, 84)
        self._curve, self._duration, self._words = curve, duration, words

    def draw(self) -> None:
        pen, curve = self.pen, self._curve
        bottom, top = 12.0, self.height - 2
        low, high = _span(curve)

        def level(value: float) -> float:
            return bottom + (top - bottom) * (min(max(value, low), high) - low) / (high - low)

        left, right = _LEFT, self.width
        pen.setFillColor(layout.PAPER)
        pen.rect(left, bottom, right - left, top - bottom, stroke=0, fill=1)
        if curve.band is not None:
            first, last = level(curve.band[0]), level(curve.band[1])
            pen.setFillColor(layout.CALM_SOFT)
            pen.rect(left, first, right - left, last - first, stroke=0, fill=1)
        pen.setFont(layout.BODY, 7.5)
        pen.setFillColor(layout.SOFT)
        pen.setStrokeColor(layout.LINE)
        pen.setLineWidth(0.4)
        for value in _steps(low, high):
            pen.line(left, level(value), right, level(value))
            pen.drawRightString(left - 4, level(value) - 2.5, self._words.number(value))
        pen.setLineJoin(1)
        pen.setStrokeColor(layout.CALM_SOFT)
        pen.setLineWidth((right - left) / _COLUMNS)
        dense = len(curve.times) > 2 * _COLUMNS
        columns = list(_columns(curve, self._duration)) if dense else []
        for time, least, _, most in columns:
            place = _place(time, self._duration)
            pen.line(place, level(least), place, level(most))
        pen.setStrokeColor(layout.CALM)
        pen.setLineWidth(0.9)
        for run in _joined(columns, self._duration) if dense else _runs(curve):
            path = pen.beginPath()
            path.moveTo(_place(run[0][0], self._duration), level(run[0][1]))
            for time, value in run[1:]:
                path.lineTo(_place(time, self._duration), level(value))
            if len(run) == 1:
                path.lineTo(_place(run[0][0], self._duration) + 0.6, level(run[0][1]))
            pen.drawPath(path)
        if curve.band is not None:
            self._name_band(level(curve.band[1]))
        _axis(pen, self._duration, 0)

    def _name_band(self, top: float) -> None:
        pen, name = self.pen, self._words("band")
        width = pen.stringWidth(name, layout.BODY, 7) + 6
        pen.setFillColor(layout.CALM_SOFT)
        pen.rect(self.width - width, top - 10, width, 9, stroke=0, fill=1)
        pen.setFont(layout.BODY, 7)
        pen.setFillColor(layout.CALM)
        pen.drawRightString(self.width - 3, top - 8, name)


def disc(pen: Canvas, x: float, y: float) -> None:
    pen.circle(x, y, 2, stroke=0, fill=1)


def diamond(pen: Canvas, x: float, y: float) -> None:
    _polygon(pen, [(x - 2.6, y), (x, y + 2.6), (x + 2.6, y), (x, y - 2.6)])


def _polygon(pen: Canvas, corners: Sequence[tuple[float, float]], stroke: int = 0) -> None:
    path = pen.beginPath()
    path.moveTo(*corners[0])
    for corner in corners[1:]:
        path.lineTo(*corner)
    path.close()
    pen.drawPath(path, stroke=stroke, fill=1)


def _place(time: float, duration: float) -> float:
    share = min(max(time / duration, 0.0), 1.0) if duration > 0 else 0.0
    return _LEFT + (layout.WIDTH - _LEFT) * share


def _axis(pen: Canvas, duration: float, bottom: float) -> None:
    pen.setFont(layout.BODY, 7.5)
    pen.setFillColor(layout.SOFT)
    step = next(
        (each for each in (5, 10, 15, 30, 60, 120, 300, 600, 1200) if duration / each <= 8), 3600
    )
    count = int(duration // step)
    for index in range(count + 1):
        place = _place(index * step, duration)
        text = clock(index * step)
        half = pen.stringWidth(text, layout.BODY, 7.5) / 2
        pen.drawCentredString(min(place, layout.WIDTH - half), bottom + 2, text)


def _span(curve: Curve) -> tuple[float, float]:
    known = sorted(value for value in curve.values if value is not None)
    # The outermost hundredths would flatten all the rest.
    known = known[len(known) // 100 : len(known) - len(known) // 100]
    known += list(curve.band or ())
    low, high = (min(known), max(known)) if known else (0.0, 1.0)
    margin = 0.06 * (high - low) or 0.5
    return low - margin, high + margin


def _steps(low: float, high: float) -> list[float]:
    """Round values, three to six of them."""
    step = next(
        each * 10.0**power
        for power in range(-3, 7)
        for each in (1, 2, 5)
        if (high - low) / (each * 10.0**power) <= 5
    )
    first = int(low / step) - 1
    values = [round(index * step, 6) for index in range(first, first + 9)]
    return [value for value in values if low <= value <= high]


def _columns(curve: Curve, duration: float) -> Iterator[tuple[float, float, float, float]]:
    """A dense curve as columns: (time, least, mean, most)."""
    width = duration / _COLUMNS
    known = [
        (int(time / width), value)
        for time, value in zip(curve.times, curve.values, strict=True)
        if value is not None
    ]
    for column, group in groupby(known, key=itemgetter(0)):
        values = [value for _, value in group]
        yield (column + 0.5) * width, min(values), fmean(values), max(values)


def _joined(
    columns: Sequence[tuple[float, float, float, float]], duration: float
) -> Iterator[list[tuple[float, float]]]:
    """The means of columns side by side, as lines."""
    run: list[tuple[float, float]] = []
    for time, _, mean, _ in columns:
        if run and time - run[-1][0] > 1.5 * duration / _COLUMNS:
            yield run
            run = []
        run.append((time, mean))
    if run:
        yield run


def _runs(curve: Curve) -> Iterator[list[tuple[float, float]]]:
    """The stretches without a gap."""
    run: list[tuple[float, float]] = []
    for time, value in zip(curve.times, curve.values, strict=True):
        if value is None:
            if run:
                yield run
            run = []
        else:
            run.append((time, value))
    if run:
        yield run
