"""The same session gives the same report, byte for byte, in every process."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from eloquence.coaching.exercise import DIMENSIONS

MAKE = """
import sys
from pathlib import Path

from eloquence.coaching.assessment import assess
from eloquence.coaching.exercise import Exercise
from eloquence.coaching.report import Report
from eloquence.coaching.rubric import Rubric
from eloquence.coaching.session import StoredSession
from eloquence.storage import content

stored = StoredSession.model_validate_json(Path(sys.argv[1]).read_text(encoding="utf-8"))
exercise = Exercise.model_validate_json(Path(sys.argv[2]).read_text(encoding="utf-8"))
library = content.load()
rubric = library.rubric(exercise.rubric, "fr") if exercise.rubric else None
for _ in range(2):
    report = assess(
        stored,
        exercise,
        library.character("marie_coach", "fr"),
        library.norms("fr"),
        library.lexicon("fr"),
        library.phrases("fr"),
        rubric=rubric,
    )
    sys.stdout.write(report.model_dump_json() + "\\n")
"""


def session() -> dict[str, object]:
    """Two minutes of talk with everything in it that sets and dictionaries are used for."""
    text = (
        "Du coup, je pense que, euh, on a on a réussi. En fait, le projet, il était un peu long. "
        "Voilà, par exemple, j’ai appelé trois clients, et donc deux ont signé. "
        "Est-ce que cela vous va ? Je crois que oui, genre, c’était, euh, plutôt bien. "
    )
    turns: list[dict[str, object]] = []
    clock = 0.0
    for index in range(6):
        turns.append(
            {
                "index": 2 * index,
                "speaker": "character",
                "start": clock,
                "end": clock + 2,
                "text": "Et ce projet avec les trois clients, comment l’avez-vous vécu ?",
                "interrupted": index == 3,
            }
        )
        clock += 2.4 + 0.7 * (index % 3)
        words = []
        for place, word in enumerate((text * 2).split()):
            length = 0.11 * max(1, len(word) // 2)
            words.append({"text": word, "start": round(clock, 3), "end": round(clock + length, 3)})
            clock += length + (0.7 if place % 9 == 8 else 0.3 if word[-1] in ".,?" else 0.0)
        turns.append(
            {
                "index": 2 * index + 1,
                "speaker": "learner",
                "start": words[0]["start"],
                "end": words[-1]["end"],
                "text": text * 2,
                "words": words,
                "phase": "warm_up" if index == 0 else "exercise",
            }
        )
    return {
        "session": {
            "id": "s",
            "exercise": "talk",
            "scenario": "first",
            "character": "marie_coach",
            "language": "fr",
            "started_at": 1_700_000_000.0,
        },
        "turns": turns,
        "annotations": {"dismissed": ["tic@41.38", "slow_stretch@41.38", "hedge@46.85"]},
    }


@pytest.mark.timeout(300)
def test_processes_with_other_hash_seeds_write_the_same_bytes(tmp_path: Path) -> None:
    stored, exercise = tmp_path / "stored.json", tmp_path / "exercise.json"
    stored.write_text(json.dumps(session()), encoding="utf-8")
    exercise.write_text(
        json.dumps(
            {
                "id": "talk",
                "title": "t",
                "description": "d",
                "character": "marie_coach",
                "scenarios": [
                    {
                        "id": "first",
                        "title": "t",
                        "prompts": {"system": "s", "initial": "i"},
                        "script": {"steps": [{"id": "one", "ask": ["a"]}], "close": ["c"]},
                    }
                ],
                "criteria": {"dimensions": list(DIMENSIONS)},
                "difficulty": "beginner",
                "duration_minutes": 5,
                "language": "fr",
            }
        ),
        encoding="utf-8",
    )
    written = []
    for seed in ("0", "1", "4242"):
        done = subprocess.run(
            [sys.executable, "-c", MAKE, str(stored), str(exercise)],
            stdout=subprocess.PIPE,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        )
        written += done.stdout.splitlines()
    assert len(written) == 6
    assert len(set(written)) == 1
    report = json.loads(written[0])
    assert report["baseline"]
    assert sum(mark["dismissed"] for mark in report["marks"]) == 3
    kinds = {mark["kind"] for mark in report["marks"]}
    assert {"tic", "hedge", "filled_pause", "repetition", "question"} <= kinds
    assert sum(one["score"] is not None for one in report["dimensions"]) >= 4
