"""Real French and English speech, changed in one respect: the right scores fall, the others hold.

Nothing is judged here, so that each dimension is its measured part alone.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from eloquence.coaching.character import Language
from eloquence.coaching.exercise import DIMENSIONS
from eloquence.coaching.report import Report
from eloquence.coaching.session import Turn
from eloquence.delivery.sound import measure
from eloquence.delivery.syllables import syllable_count
from eloquence.delivery.words import Word
from eloquence.testing import speech
from eloquence.testing.aligned import RATE
from eloquence.testing.speech import Clip

Assess = Callable[..., Report]

HOLD = 0.05
LANGUAGES: tuple[Language, ...] = ("fr", "en")

pytestmark = [
    pytest.mark.speech,
    pytest.mark.timeout(400),
    pytest.mark.parametrize("language", LANGUAGES),
]


@pytest.fixture(scope="module")
def clips(
    shared_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[Language, list[Clip]]:
    """The sentences as Praat says them again, so that only the change differs."""
    spoken = {
        "fr": speech.french(shared_data, tmp_path_factory.mktemp("models")),
        "en": speech.english(shared_data),
    }
    return {
        language: [speech.resynthesised(clip) for clip in spoken[language]]
        for language in LANGUAGES
    }


def measured(assessed: Assess, clips: list[Clip], language: Language) -> dict[str, float]:
    """The measured part of each dimension of a talk."""
    turns = []
    clock = 0.0
    for index, clip in enumerate(clips):
        turns.append(
            Turn(
                index=index,
                speaker="learner",
                start=clock,
                end=clock + clip.seconds,
                text=clip.text,
                words=tuple(Word(w.text, clock + w.start, clock + w.end) for w in clip.words),
                sound=measure(clip.samples, RATE, start=clock),
            )
        )
        clock += clip.seconds
    report = assessed(
        turns,
        language=language,
        register="presentation",
        criteria={"dimensions": DIMENSIONS},
        source="recording",
    )
    return {one.dimension: one.measured for one in report.dimensions if one.measured is not None}


def fluent(clip: Clip, share: float) -> int:
    """A place inside the clip where no pause is, as the index of the word before it, near a share
    of the way."""
    places = [
        index
        for index in range(1, len(clip.words) - 2)
        if clip.words[index + 1].start - clip.words[index].end < 0.05
        and clip.words[index].text[-1] not in ",.;"
    ]
    return min(places, key=lambda index: abs(index - share * len(clip.words)))


def long(clip: Clip) -> bool:
    return len(clip.words) >= 8


def articulation_rate(clips: list[Clip], language: Language) -> float:
    syllables = sum(syllable_count(word.text, language) for clip in clips for word in clip.words)
    return syllables / sum(word.end - word.start for clip in clips for word in clip.words)


def check(
    before: dict[str, float],
    after: dict[str, float],
    *,
    falls: dict[str, float],
    holds: tuple[str, ...],
    spared: tuple[str, ...] = (),
) -> None:
    """`falls` says by how much at least; `holds` move by a twentieth at most; `spared` may rise."""
    for name, least in falls.items():
        assert after[name] < before[name] - least, (name, before[name], after[name])
    for name in holds:
        assert after[name] == pytest.approx(before[name], abs=HOLD), name
    for name in spared:
        assert after[name] > before[name] - HOLD, (name, before[name], after[name])


def test_pauses_inside_phrases_lower_fluency_and_clarity(
    assessed: Assess, clips: dict[Language, list[Clip]], language: Language
) -> None:
    cut = clips[language]
    for share in (0.3, 0.7):
        cut = [
            speech.with_silence(clip, fluent(clip, share), 0.5) if long(clip) else clip
            for clip in cut
        ]
    check(
        measured(assessed, clips[language], language),
        measured(assessed, cut, language),
        falls={"fluency": 0.2, "clarity": 0.05, "delivery": 0.1},
        holds=("engagement", "assertiveness"),
    )


def test_three_long_pauses_lower_fluency_confidence_and_delivery(
    assessed: Assess, clips: dict[Language, list[Clip]], language: Language
) -> None:
    held = [
        speech.with_silence(clip, fluent(clip, 0.5), 2.5) if index in (0, 3, 4) else clip
        for index, clip in enumerate(clips[language])
    ]
    check(
        measured(assessed, clips[language], language),
        measured(assessed, held, language),
        falls={"fluency": 0.15, "confidence": 0.1, "delivery": 0.1},
        holds=("assertiveness",),
        spared=("engagement",),
    )


def test_slow_speech_lowers_fluency_and_clarity(
    assessed: Assess, clips: dict[Language, list[Clip]], language: Language
) -> None:
    factor = articulation_rate(clips[language], language) / 2.6
    slow = [speech.resynthesised(clip, slower=factor) for clip in clips[language]]
    check(
        measured(assessed, clips[language], language),
        measured(assessed, slow, language),
        falls={"fluency": 0.05, "clarity": 0.2, "confidence": 0.05},
        holds=("assertiveness",),
        spared=("engagement",),
    )


def test_eight_syllables_a_second_lower_clarity_and_fluency(
    assessed: Assess, clips: dict[Language, list[Clip]], language: Language
) -> None:
    factor = articulation_rate(clips[language], language) / 8
    twice = clips[language] * 2  # so that enough speech is left
    fast = [speech.resynthesised(clip, slower=factor) for clip in twice]
    check(
        measured(assessed, twice, language),
        measured(assessed, fast, language),
        falls={"clarity": 0.2, "fluency": 0.1, "confidence": 0.2},
        holds=("assertiveness",),
    )


def test_a_flat_melody_lowers_engagement_and_delivery(
    assessed: Assess, clips: dict[Language, list[Clip]], language: Language
) -> None:
    flat = [speech.resynthesised(clip, melody=0.3) for clip in clips[language]]
    check(
        measured(assessed, clips[language], language),
        measured(assessed, flat, language),
        falls={"engagement": 0.15, "delivery": 0.05, "persuasion": 0.1},
        holds=("fluency", "clarity", "confidence", "assertiveness"),
    )


def test_rising_ends_lower_confidence_and_assertiveness(
    assessed: Assess, clips: dict[Language, list[Clip]], language: Language
) -> None:
    rising = [speech.resynthesised(clip, ends=12) for clip in clips[language]]
    check(
        measured(assessed, clips[language], language),
        measured(assessed, rising, language),
        falls={"confidence": 0.05, "assertiveness": 0.05},
        holds=("fluency", "clarity", "engagement"),
    )


def test_added_fillers_lower_fluency_confidence_and_professionalism(
    assessed: Assess, clips: dict[Language, list[Clip]], language: Language
) -> None:
    """Against one filler, since none written counts as unknown."""
    text = {"fr": "euh", "en": "um"}[language]

    def filled(clip: Clip, *shares: float) -> Clip:
        for share in shares:
            clip = speech.with_filler(clip, fluent(clip, share), text) if long(clip) else clip
        return clip

    few = [filled(clip, *(0.5,) * (index == 0)) for index, clip in enumerate(clips[language])]
    many = [filled(clip, 0.3, 0.7) for clip in clips[language]]
    check(
        measured(assessed, few, language),
        measured(assessed, many, language),
        falls={
            "fluency": 0.05,
            "confidence": 0.1,
            "professionalism": 0.2,
            "assertiveness": 0.1,
        },
        holds=("clarity",),
        spared=("engagement", "delivery"),
    )
