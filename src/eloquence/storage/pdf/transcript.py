"""The learner's words with their marks, as the markup of a paragraph."""

from collections.abc import Mapping, Sequence
from itertools import groupby

from eloquence.coaching.report import Mark, ReportTurn
from eloquence.delivery.words import Word
from eloquence.storage.pdf import layout

MOST_UNDERLINED = 6
"""Words of a mark that are underlined; a longer passage is its number alone, at its end."""


def said(turn: ReportTurn, marks: Sequence[Mark], numbers: Mapping[str, int]) -> str:
    """The words of a turn: those of a mark underlined in its colour, its number after them.

    A mark between two words, such as a pause, is its number alone.
    """
    if not turn.words:
        return layout.marked(turn.text)
    colours = _colours(turn.words, marks)
    after = _numbers(turn.words, marks, numbers)
    pieces = []
    for colour, group in groupby(range(len(turn.words)), colours.__getitem__):
        places = list(group)
        text = " ".join(layout.marked(turn.words[place].text) + after[place] for place in places)
        pieces.append(f'<u color="{colour}">{text}</u>' if colour else text)
    return after[-1] + " ".join(pieces)


def _colours(words: Sequence[Word], marks: Sequence[Mark]) -> list[str]:
    colours = [""] * len(words)
    # What is to be mended shows through what went well.
    for mark in sorted(marks, key=lambda mark: (not mark.good, mark.start)):
        places = _inside(words, mark)
        for place in places if len(places) <= MOST_UNDERLINED else ():
            colours[place] = f"#{(layout.CALM if mark.good else layout.ACCENT).hexval()[2:]}"
    return colours


def _numbers(
    words: Sequence[Word], marks: Sequence[Mark], numbers: Mapping[str, int]
) -> dict[int, str]:
    """What follows each word; -1 is before the first."""
    told: dict[int, list[int]] = {place: [] for place in range(-1, len(words))}
    for mark in marks:
        places = _inside(words, mark)
        before = [place for place, word in enumerate(words) if word.end <= mark.start + 0.05]
        told[places[-1] if places else (before or [-1])[-1]].append(numbers[mark.id])
    return {
        place: f'<super size="6.5">{", ".join(map(str, sorted(found)))}</super>' if found else ""
        for place, found in told.items()
    }


def _inside(words: Sequence[Word], mark: Mark) -> list[int]:
    if mark.kind.endswith("_pause") and mark.kind != "filled_pause":
        return []
    return [
        place
        for place, word in enumerate(words)
        if word.start < mark.end - 0.02 and word.end > mark.start + 0.02
    ]
