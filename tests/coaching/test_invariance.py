"""What the microphone, the line, the room and the height of a voice do to the scores: at most .05.

Real French and English speech, and a synthetic French voice, in a dialogue of which all eleven
dimensions are scored. With words, their times are those of the unchanged speech: what is tested is
everything but the recogniser. By ear there are only the sounds.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from eloquence.coaching.character import Language
from eloquence.coaching.exercise import DIMENSIONS
from eloquence.coaching.judgement import CriterionJudgement, Judgement
from eloquence.coaching.report import Report
from eloquence.coaching.rubric import Criterion, Level, Rubric
from eloquence.coaching.session import Turn
from eloquence.delivery.sound import measure
from eloquence.delivery.words import Word
from eloquence.testing import speech
from eloquence.testing.aligned import RATE
from eloquence.testing.speech import Clip, Wave

Assess = Callable[..., Report]
Scores = dict[tuple[str, str], float | None]

BOUND = 0.05
FRENCH = (
    "Bonjour, je m’appelle Luc et je travaille depuis dix ans dans une petite librairie. Du coup, "
    "je lis beaucoup, surtout le soir, quand la maison est calme.",
    "L’an dernier, nous avons organisé trois rencontres avec des auteurs. Je pense que les "
    "clients ont aimé, parce que la salle était pleine. Euh, le premier soir, il manquait même "
    "des chaises.",
    "Ensuite, j’ai proposé un atelier d’écriture pour les enfants. Il a fallu convaincre la "
    "mairie, trouver une salle et préparer le matériel. En fait, tout le monde a aidé.",
    "Aujourd’hui, douze enfants viennent chaque semaine, et deux d’entre eux ont gagné un prix. "
    "Est-ce que vous aimeriez voir leurs textes ? Je les garde dans un grand cahier bleu.",
    "Pour la suite, je voudrais ouvrir la librairie le dimanche. C’est un projet simple, mais il "
    "demande du temps. Je suis sûr que nous y arriverons avant le printemps.",
    "Voilà mon histoire. Elle parle de livres, de patience et de voisins. Si vous passez dans le "
    "quartier, poussez la porte : il y a toujours du café et une bonne histoire à raconter.",
)

pytestmark = [pytest.mark.speech, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def takes(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Clip]]:
    """Real French (62 s), real English (32 s), and a synthetic French voice (about 70 s)."""
    return {
        "fr": speech.french(shared_data, tmp_path_factory.mktemp("models")),
        "en": speech.english(shared_data),
        "synthetic": [speech.synthetic(text, "fr") for text in FRENCH],
    }


def rubric(language: Language) -> tuple[Rubric, Judgement]:
    """One criterion for each dimension, and a judgement of the third of five levels for each."""
    levels = tuple(Level(text=str(index)) for index in range(5))
    made = Rubric(
        id="all",
        language=language,
        title="t",
        criteria=tuple(
            Criterion(id=f"of_{name}", label=name, dimension=name, question="q", levels=levels)
            for name in DIMENSIONS
        ),
    )
    given = Judgement(
        rubric="all",
        rubric_version=1,
        prompt_version=1,
        provider="p",
        model="m",
        made_at=0,
        criteria=tuple(
            CriterionJudgement(criterion=one.id, level=3, low=3, high=3, samples=3)
            for one in made.criteria
        ),
    )
    return made, given


def dialogue(
    clips: list[Clip], change: Callable[[Wave], Wave] = lambda wave: wave, *, lead: float = 0.0
) -> list[Turn]:
    """The clips as answers to somebody, each half a second after the question, with `lead` more
    seconds of silence recorded before it."""
    turns = []
    clock = 0.0
    for index, clip in enumerate(clips):
        asked = clock + 2.0
        turns.append(
            Turn(
                index=2 * index,
                speaker="character",
                start=clock,
                end=asked,
                text="Et que s’est-il passé ensuite dans cette histoire ?",
            )
        )
        start = asked + 0.5 - clip.words[0].start
        samples = np.concatenate([np.zeros(round(lead * RATE), np.float32), change(clip.samples)])
        turns.append(
            Turn(
                index=2 * index + 1,
                speaker="learner",
                start=start - lead,
                end=start + clip.seconds,
                text=clip.text,
                words=tuple(Word(w.text, start + w.start, start + w.end) for w in clip.words),
                sound=measure(samples, RATE, start=start - lead),
            )
        )
        clock = start + clip.seconds
    return turns


def scores(assessed: Assess, turns: list[Turn], language: Language) -> Scores:
    """All scores, with the words and by ear."""
    made, given = rubric(language)
    unheard = [
        turn.model_copy(update={"words": None, "text": ""}) if turn.speaker == "learner" else turn
        for turn in turns
    ]
    found: Scores = {}
    for kind, heard in (("words", turns), ("by ear", unheard)):
        report = assessed(
            heard,
            language=language,
            criteria={"dimensions": DIMENSIONS},
            rubric=made,
            judgement=given,
        )
        found |= {(kind, one.dimension): one.score for one in report.dimensions}
    return found


def moved(before: Scores, after: Scores) -> dict[tuple[str, str], object]:
    """The dimensions whose score came, went or changed by more than the bound."""
    return {
        name: (one, after[name])
        for name, one in before.items()
        if (one is None) != (after[name] is None)
        or (one is not None and abs(one - (after[name] or 0.0)) > BOUND)
    }


CHANGES: dict[str, Callable[[Wave], Wave]] = {
    "12 dB softer": speech.louder(-12),
    "12 dB louder": speech.louder(12),
    "telephone": speech.through_telephone,
    "headset": speech.through_headset,
    "room": speech.in_a_room,
}


@pytest.mark.parametrize("take", ["fr", "en", "synthetic"])
def test_no_score_moves_by_more_than_a_twentieth(
    assessed: Assess, takes: dict[str, list[Clip]], take: str
) -> None:
    clips = takes[take]
    language: Language = "en" if take == "en" else "fr"
    before = scores(assessed, dialogue(clips), language)
    known = [kind for (kind, _), score in before.items() if score is not None]
    assert known.count("words") >= 10
    assert known.count("by ear") >= 8
    after = {
        name: scores(assessed, dialogue(clips, change), language)
        for name, change in CHANGES.items()
    }
    after["silence before"] = scores(assessed, dialogue(clips, lead=3.0), language)
    assert {name: one for name, made in after.items() if (one := moved(before, made))} == {}


@pytest.mark.parametrize("semitones", [-4.0, 4.0])
@pytest.mark.parametrize("take", ["fr", "en", "synthetic"])
def test_a_higher_or_lower_voice_moves_no_score_by_more_than_a_twentieth(
    assessed: Assess, takes: dict[str, list[Clip]], take: str, semitones: float
) -> None:
    language: Language = "en" if take == "en" else "fr"
    plain = [speech.resynthesised(clip) for clip in takes[take]]
    shifted = [speech.resynthesised(clip, semitones=semitones) for clip in takes[take]]
    before = scores(assessed, dialogue(plain), language)
    after = scores(assessed, dialogue(shifted), language)
    assert moved(before, after) == {}
