"""The warm-up: when it is over, what is said, and what it tells of the microphone."""

import numpy as np
import pytest

from eloquence.coaching.warm_up import WarmUp, microphone_faults
from eloquence.delivery.intensity import speech_level
from eloquence.delivery.sound import HOP, Sound
from eloquence.storage import content

LINES = content.load().lines("fr").warm_up


@pytest.mark.parametrize(
    ("turns", "over"), [((3.0,), False), ((3.0, 2.0), True), ((20.0,), True), ((0.0, 0.0), True)]
)
def test_it_is_over_after_twenty_seconds_of_speech_or_two_turns(
    turns: tuple[float, ...], over: bool
) -> None:
    warm_up = WarmUp(LINES)
    for seconds in turns:
        warm_up = warm_up.after(seconds)
    assert warm_up.over is over
    assert warm_up.line in (LINES.passage if over else LINES.more)


def test_an_exercise_may_open_with_its_own_question() -> None:
    assert WarmUp(LINES, ("Comment êtes-vous venu ?",)).opening == "Comment êtes-vous venu ?"
    assert WarmUp(LINES).opening in LINES.open


def test_the_same_seed_asks_the_same_and_others_vary() -> None:
    assert WarmUp(LINES, seed=4).opening == WarmUp(LINES, seed=4).opening
    assert len({WarmUp(LINES, seed=seed).opening for seed in range(20)}) > 1


def sound(level: float = -25.0, *, snr: float | None = 40.0, clipping: float = 0.0) -> Sound:
    frames = round(4 / HOP)
    return Sound(
        start=10.0,
        duration=4.0,
        pitch=(None,) * frames,
        intensity=tuple(level if 1 <= frame * HOP <= 3 else -90.0 for frame in range(frames)),
        speech=((11.0, 13.0),),
        nuclei=(),
        snr=snr,
        clipping=clipping,
    )


def test_the_level_is_that_of_the_speech_alone() -> None:
    level = speech_level([sound(-25.0), sound(-25.0)])
    assert level == pytest.approx(-25.0, abs=0.3)
    assert speech_level([]) is None


@pytest.mark.parametrize(
    ("heard", "faults"),
    [
        (sound(), ()),
        (sound(snr=8.0), ("noisy",)),
        (sound(clipping=0.02), ("clipping",)),
        (sound(-52.0), ("quiet",)),
        (sound(-52.0, snr=9.0, clipping=0.01), ("clipping", "noisy", "quiet")),
        (sound(snr=None), ()),
    ],
)
def test_what_is_wrong_with_the_microphone_is_named(heard: Sound, faults: tuple[str, ...]) -> None:
    assert microphone_faults([heard]) == faults


def test_a_warm_up_without_speech_is_no_fault_of_the_microphone() -> None:
    nothing = sound().model_copy(update={"speech": ()})
    assert microphone_faults([nothing]) == ()
    assert microphone_faults([]) == ()
    assert np.isfinite(speech_level([sound()]) or np.nan)
