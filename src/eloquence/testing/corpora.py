"""The annotated French corpora beside the project, as timed words with what people marked in them.

Rhapsodie (57 recordings, CC BY-SA 4.0) has times of words, syllables and pauses; ParisStories (66
recordings, CC BY-SA 4.0) has words alone. Both mark discourse markers and what was taken back.
"""

import lzma
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from eloquence.delivery.words import Word

_ELIDED = ("'", "’", "-")
_FIRST_WORD = 1.0
"""Seconds. A word that ends later and begins at 0 has no time for its beginning: it begins where
the one before it ends."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence. `labels[i]` are the relations that annotators gave to the parts of `words[i]`,
    such as `discourse` or `reparandum`; `syllables` and `pauses` are measured, in seconds. Without
    times all of them are zero."""

    recording: str
    speaker: str
    words: tuple[Word, ...]
    labels: tuple[frozenset[str], ...]
    syllables: int = 0
    pauses: tuple[tuple[float, float], ...] = ()


def rhapsodie(data: Path) -> list[Sentence]:
    """The sentences whose sound was annotated; words that nobody understood, or that
    have no times, are left out."""
    found = []
    with tarfile.open(data / "rhapsodie/rhapsodie_prosody_pauses.tar.xz") as archive:
        for member in sorted(archive.getmembers(), key=lambda member: member.name):
            file = archive.extractfile(member) if member.name.endswith(".conllu") else None
            if file is not None:
                text = file.read().decode()
                name = Path(member.name).stem
                found += [one for one in _sentences(text, name) if one.syllables]
    return found


def paris_stories(data: Path) -> list[Sentence]:
    """All sentences, by story."""
    found: list[Sentence] = []
    for part in ("train", "dev", "test"):
        file = data / f"parisstories/fr_parisstories-ud-{part}.conllu.xz"
        found += _sentences(lzma.decompress(file.read_bytes()).decode(), "")
    return found


def turns(sentences: list[Sentence]) -> list[list[Sentence]]:
    """Consecutive sentences of one speaker in one recording."""
    return [
        list(group) for _, group in groupby(sentences, lambda one: (one.recording, one.speaker))
    ]


def _sentences(text: str, recording: str) -> Iterator[Sentence]:
    for block in text.split("\n\n"):
        notes = dict(re.findall(r"^# (\w+) = (.*)$", block, re.MULTILINE))
        if notes.get("prosodic_annotation") == "no" or "sent_id" not in notes:
            continue
        words: list[Word] = []
        labels: list[set[str]] = []
        syllables: set[tuple[str, str]] = set()
        pauses = []
        glued = False
        parts = range(0)
        for line in block.splitlines():
            fields = line.split("\t")
            if len(fields) < 10 or line.startswith("#"):
                continue
            number, form = fields[0], fields[1]
            traits = dict(re.findall(r"(\w+)=([^|]*)", fields[9]))
            times = (traits.get("AlignBegin"), traits.get("AlignEnd"))
            begin, end = (float(time) / 1000 if time else 0.0 for time in times)
            if not begin and end > _FIRST_WORD:
                begin = min(words[-1].end, end) if words else end
            tight = traits.get("SpaceAfter") == "No"
            if "." in number:
                if times[0] and times[1]:
                    syllables.add((times[0], times[1]))
            elif form == "#":
                pauses.append((begin, end))
            elif "-" in number:
                first, last = number.split("-")
                parts = range(int(first), int(last) + 1)
                _append(words, labels, form, (begin, end), glued)
                glued = tight and form.endswith(_ELIDED)
            elif int(number) in parts:
                labels[-1].add(fields[7])
            elif fields[3] == "PUNCT":
                if words and form not in '«»"“”()':
                    words[-1] = Word(words[-1].text + form, words[-1].start, words[-1].end)
                glued = False
            elif form != "XXX" and (end > 0 or not recording):
                _append(words, labels, form, (begin, end), glued or form.startswith("-"))
                labels[-1].add(fields[7])
                glued = tight and form.endswith(_ELIDED)
        if words:
            yield Sentence(
                recording or notes["sent_id"].rpartition("_")[0],
                notes.get("speaker", ""),
                tuple(words),
                tuple(map(frozenset, labels)),
                len(syllables),
                tuple(pauses),
            )


def _append(
    words: list[Word],
    labels: list[set[str]],
    form: str,
    times: tuple[float, float],
    glued: bool,
) -> None:
    if glued and words:
        words[-1] = Word(words[-1].text + form, words[-1].start, max(words[-1].end, times[1]))
    else:
        words.append(Word(form, *times))
        labels.append(set())
