"""Spoken syllables of written words."""

import re
import tarfile
from pathlib import Path

import numpy as np
import pytest

from eloquence.delivery.syllables import plain, syllable_count


@pytest.mark.parametrize(
    ("word", "count"),
    [
        ("le", 1), ("petite", 2), ("maintenant", 2), ("samedi", 2), ("idée", 2), ("fées", 1),
        ("l’histoire", 2), ("qu'il", 1), ("j'ai", 1), ("aujourd'hui", 3), ("quelqu'un", 2),
        ("parlent", 1), ("aimaient", 2), ("moment", 2), ("souvent", 2), ("théâtre", 2),
        ("européen", 4), ("crier", 2), ("naïf", 2), ("oui", 1), ("bien", 1), ("août", 1),
        ("rendez-vous", 3), ("euh…", 1), ("guerre", 1), ("mangeons", 2), ("beauté,", 2), ("30", 2),
    ],
)  # fmt: skip
def test_french_counts_what_is_spoken(word: str, count: int) -> None:
    assert syllable_count(word, "fr") == count


@pytest.mark.parametrize(
    ("word", "count"),
    [
        ("the", 1), ("country", 2), ("asked", 1), ("wanted", 2), ("table", 2), ("people", 2),
        ("science", 2), ("nation", 2), ("idea", 3), ("you're", 1), ("Americans", 4), ("rhythm", 2),
        ("mister", 2), ("leisure", 2), ("considered", 3), ("boxes", 2), ("makes", 1), ("um", 1),
        ("don't", 1), ("didn’t", 2), ("I'll", 1), ("could've", 2), ("someone", 2), ("patience", 2),
    ],
)  # fmt: skip
def test_english_counts_vowel_groups_without_silent_endings(word: str, count: int) -> None:
    assert syllable_count(word, "en") == count


@pytest.mark.parametrize("word", ["", "…", "—", "’"])
def test_what_is_no_word_has_no_syllable(word: str) -> None:
    assert syllable_count(word, "fr") == 0
    assert syllable_count(word, "en") == 0


def test_the_plain_form_drops_case_and_punctuation() -> None:
    assert plain("« Qu’il\u00a0»") == "qu'il"


@pytest.mark.speech
def test_french_syllables_agree_with_the_hand_corrected_ones_of_rhapsodie(
    shared_data: Path,
) -> None:
    ours, theirs = [], []
    with tarfile.open(shared_data / "rhapsodie/rhapsodie_prosody_pauses.tar.xz") as archive:
        for member in archive:
            file = archive.extractfile(member) if member.name.endswith(".conllu") else None
            if file is None:
                continue
            for sentence in file.read().decode().split("\n\n"):
                counted = 0
                spoken = set()
                for line in sentence.splitlines():
                    fields = line.split("\t")
                    times = re.search(r"AlignBegin=(\d+)\|AlignEnd=(\d+)", line)
                    if len(fields) < 10 or times is None or "-" in fields[0]:
                        continue
                    if "." in fields[0]:
                        spoken.add(times.groups())
                    elif fields[3] != "PUNCT":
                        counted += syllable_count(fields[1], "fr")
                if spoken:
                    ours.append(counted)
                    theirs.append(len(spoken))
    assert len(ours) > 2000
    assert sum(ours) / sum(theirs) == pytest.approx(1.03, abs=0.03)
    assert np.corrcoef(ours, theirs)[0, 1] > 0.99
