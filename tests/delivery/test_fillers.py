"""Filled pauses by ear. The bounds on real speech hold what was measured; they are no promise."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from eloquence.delivery import fillers
from eloquence.delivery.fillers import Hesitation
from eloquence.delivery.sound import Sound, measure
from eloquence.delivery.words import Word

RATE = 16_000
Wave = NDArray[np.float32]
Span = tuple[float, float]

AA, II, OU, EUH = (700, 1300), (300, 2200), (350, 800), (450, 1400)

SPOKEN: dict[str, list[Span]] = {
    "mfa_uh": [(2.35, 3.65)],
    "mfa_um": [(3.81, 4.67)],
    "mfa_uhuh": [
        (1.44, 1.55), (1.92, 2.03), (2.62, 2.78), (3.25, 3.44), (4.35, 4.45), (4.54, 5.25),
    ],
    "mfa_uhum": [
        (1.82, 2.27), (2.40, 2.91), (3.04, 3.78), (4.11, 4.70), (5.17, 5.89), (6.32, 6.67),
    ],
    "mfa_crossword": [(1.97, 2.60), (5.84, 6.56)],
    "mfa_cutoffprogressive": [(2.69, 2.80), (8.29, 8.61)],
}  # fmt: skip
"""Where the *uh*, *um* and *hm* of these clips are, in seconds, by transcript and voicing."""


def vowel(
    seconds: float,
    formants: tuple[int, int],
    *,
    hertz: float = 120.0,
    slope: float = 0.0,
    to: tuple[int, int] | None = None,
) -> Wave:
    """A vowel by its first two formants; `slope` in semitones a second, `to` another vowel."""
    times = np.arange(round(seconds * RATE)) / RATE
    phase = 2 * np.pi * np.cumsum(hertz * 2 ** (slope * times / 12)) / RATE
    along = times / seconds
    wave = np.zeros(len(times))
    for order in range(1, 28):
        here = order * hertz
        gain: Any = 0.02
        for first, last in zip(formants, to or formants, strict=True):
            gain = gain + np.exp(-0.5 * ((here - first - (last - first) * along) / 120) ** 2)
        wave += gain * np.sin(order * phase)
    fade = np.minimum(1, np.minimum(times, times[::-1]) / 0.03)
    return (0.04 * wave * fade).astype(np.float32)


def phrase(middle: Wave) -> tuple[Sound, Span]:
    """Quick syllables before and after a stretch, and where it is."""
    random = np.random.default_rng(3)
    parts: list[Wave] = []
    for _ in range(24):
        first, second = random.permutation(np.array([AA, II, OU, EUH, (500, 1800)]))[:2]
        bend = float(random.uniform(-30, 30))
        parts.append(vowel(0.14, tuple(first), slope=bend, to=tuple(second)))
        parts.append(np.zeros(round(0.04 * RATE), np.float32))
    before = np.concatenate(parts[:24])
    gap = np.zeros(round(0.1 * RATE), np.float32)
    wave = np.concatenate([before, gap, middle, gap, *parts[24:]])
    wave += np.random.default_rng(1).normal(0, 3e-4, len(wave)).astype(np.float32)
    start = (len(before) + len(gap)) / RATE
    return measure(wave, RATE), (start, start + len(middle) / RATE)


def likely(sound: Sound) -> list[Hesitation]:
    return fillers.unheard(sound.hesitations, (), "fr")


def right(one: Hesitation, spans: list[Span]) -> bool:
    start, end, _ = one
    return any(min(end, b) - max(start, a) > 0.5 * (end - start) for a, b in spans)


@pytest.mark.parametrize("seconds", [0.3, 0.5, 0.9])
@pytest.mark.parametrize("slope", [0.0, -2.0])
def test_a_long_steady_vowel_is_a_filled_pause(seconds: float, slope: float) -> None:
    sound, span = phrase(vowel(seconds, EUH, slope=slope))
    (found,) = likely(sound)
    assert found[0] == pytest.approx(span[0], abs=0.08)
    assert found[1] == pytest.approx(span[1], abs=0.08)


@pytest.mark.parametrize(
    "middle",
    [
        vowel(0.12, EUH),
        vowel(0.5, AA, to=II),
        vowel(0.5, EUH, slope=18),
        vowel(0.5, EUH, slope=-20),
        np.zeros(RATE // 2, np.float32),
        np.random.default_rng(2).normal(0, 0.05, RATE // 2).astype(np.float32),
    ],
    ids=["short", "another vowel in the end", "rising", "falling", "silence", "a breath"],
)
def test_what_changes_or_is_short_is_none(middle: Wave) -> None:
    assert likely(phrase(middle)[0]) == []


def test_the_level_of_a_recording_changes_nothing() -> None:
    wave = np.concatenate([vowel(0.14, AA, to=II), vowel(0.5, EUH), vowel(0.14, II, to=AA)])
    wave = np.concatenate([wave, np.zeros(RATE, np.float32)])
    quiet, loud = (measure((wave * gain).astype(np.float32), RATE) for gain in (0.25, 4.0))
    assert quiet.hesitations == loud.hesitations != ()


def test_a_word_covers_a_hesitation_for_as_long_as_it_may_last() -> None:
    found = [(1.0, 1.6, 0.9)]
    assert fillers.unheard(found, [Word("euh", 0.95, 1.65)], "fr") == []
    assert fillers.unheard(found, [Word("maison", 0.5, 0.95)], "fr") == found
    stretched = Word("de", 0.4, 1.6)
    assert fillers.unheard(found, [stretched], "fr") == found
    assert fillers.unheard([(1.0, 1.6, 0.4)], (), "fr") == []


def test_a_hesitation_is_timed_on_the_sessions_clock() -> None:
    wave = np.concatenate([vowel(0.2, AA, to=II), vowel(0.5, EUH)])
    here, there = measure(wave, RATE), measure(wave, RATE, start=50.0)
    assert np.array(there.hesitations)[:, :2] - 50 == pytest.approx(
        np.array(here.hesitations)[:, :2], abs=1e-6
    )


def test_a_sound_stored_before_hesitations_were_looked_for_still_loads() -> None:
    stored = measure(vowel(1.0, EUH), RATE).model_dump(exclude={"hesitations", "peaks"})
    assert Sound.model_validate(stored).hesitations == ()


@pytest.mark.speech
def test_most_spoken_fillers_of_a_fifth_of_a_second_are_found(shared_data: Path) -> None:
    """Regression bound: 10 of 12 were found, and 10 of 15 finds in all clips were right. The
    limits were set on these clips, so that says nothing of other speakers."""
    hits = alarms = found = 0
    for path in sorted((shared_data / "fixtures-en" / "mfa-fillers").glob("*.flac")):
        wave, rate = soundfile.read(path, dtype="float32")
        heard = likely(measure(wave, rate))
        spans = SPOKEN.get(path.stem, [])
        hits += sum(right(one, spans) for one in heard)
        alarms += sum(not right(one, spans) for one in heard)
        found += sum(
            any(right(one, [span]) for one in heard) for span in spans if span[1] - span[0] >= 0.2
        )
    long = sum(end - start >= 0.2 for spans in SPOKEN.values() for start, end in spans)
    assert long == 12
    assert found >= 9
    assert hits / (hits + alarms) >= 0.6


@pytest.mark.speech
@pytest.mark.parametrize("language", ["fr", "en"])
def test_fluent_reading_has_hardly_any(shared_data: Path, language: str) -> None:
    """Regression bound: there were none in 85 s of French and 86 s of English."""
    folder = shared_data / f"fixtures-{language}"
    alarms, seconds = 0, 0.0
    for path in sorted([*folder.rglob("*.wav"), *(folder / "lj").glob("*.flac")]):
        wave, rate = soundfile.read(path, dtype="float32")
        sound = measure(wave, rate)
        alarms += len(likely(sound))
        seconds += sound.duration
    assert seconds > 80
    assert 60 * alarms / seconds <= 1


@pytest.mark.speech
def test_french_vowels_drawn_out_by_machine_are_mostly_found(shared_data: Path) -> None:
    """Regression bound: 11 of 20 were found and nothing else, with limits set on English."""
    pytest.importorskip("parselmouth")
    random = np.random.default_rng(5)
    hits = made = alarms = 0
    for path in sorted((shared_data / "fixtures-fr" / "voxforge").glob("*.wav")):
        wave, rate = soundfile.read(path, dtype="float32")
        spoken = measure(wave, rate)
        parts, spans, at = [], [], 0.0
        for place in [end for _, end in spoken.speech][:3]:
            middle = spoken.nuclei[int(random.integers(len(spoken.nuclei)))]
            euh = drawn_out(
                wave, rate, middle, random.uniform(0.3, 0.7), slope=random.uniform(-3, 0)
            )
            hush = random.normal(0, 1e-4, rate // 10).astype(np.float32)
            parts += [wave[round(at * rate) : round(place * rate)], hush, euh, hush]
            length = sum(len(part) for part in parts) / rate
            spans.append((length - 0.1 - len(euh) / rate, length - 0.1))
            at = place
        heard = likely(measure(np.concatenate([*parts, wave[round(at * rate) :]]), rate))
        made += len(spans)
        hits += sum(any(right(one, [span]) for one in heard) for span in spans)
        alarms += sum(not right(one, spans) for one in heard)
    assert made >= 15
    assert hits >= 0.5 * made
    assert alarms <= 1


def drawn_out(wave: Wave, rate: int, middle: float, seconds: float, *, slope: float) -> Wave:
    """The 70 ms around a syllable's nucleus made that long, at an even pitch, a little softer."""
    import parselmouth
    from parselmouth.praat import call

    edge, core = 0.03, 0.07
    begin = max(0.0, middle - core / 2 - edge)
    piece = wave[round(begin * rate) : round((begin + core + 2 * edge) * rate)]
    manipulation = call(
        parselmouth.Sound(piece.astype(float), rate), "To Manipulation", 0.01, 75, 500
    )
    stretch = call("Create DurationTier", "stretch", 0, len(piece) / rate)
    for time, factor in (
        (edge - 0.001, 1.0),
        (edge, seconds / core),
        (edge + core, seconds / core),
        (edge + core + 0.001, 1.0),
    ):
        call(stretch, "Add point", time, factor)
    call([manipulation, stretch], "Replace duration tier")
    tier = call(manipulation, "Extract pitch tier")
    points = call(tier, "Get number of points")
    values = [call(tier, "Get value at index", index + 1) for index in range(points)]
    hertz = float(np.median(values)) if values else 120.0
    call(tier, "Remove points between", 0, 10)
    call(tier, "Add point", edge, hertz)
    call(tier, "Add point", edge + core, hertz * 2 ** (slope * seconds / 12))
    call([manipulation, tier], "Replace pitch tier")
    made = call(manipulation, "Get resynthesis (overlap-add)").values[0]
    fade = np.minimum(1, np.minimum(np.arange(len(made)), np.arange(len(made))[::-1]) / (rate / 20))
    return np.asarray(0.5 * made * fade, dtype=np.float32)
