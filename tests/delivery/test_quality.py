"""What makes a sound unfit to be scored, on speech, music, noise and silence."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from numpy.typing import NDArray

from eloquence.delivery import quality
from eloquence.delivery.sound import Sound, measure
from eloquence.delivery.words import Word

RATE = 16_000
Wave = NDArray[np.float32]


def levelled(wave: NDArray[np.float64]) -> Wave:
    loudest = max(1e-9, float(np.abs(wave).max()))
    return (0.3 * wave / loudest).astype(np.float32)


def note(hertz: float, seconds: float, *, fall: float, vibrato: float = 0.0) -> NDArray[np.float64]:
    """A tone with harmonics that is struck and fades."""
    times = np.arange(round(seconds * RATE)) / RATE
    bend = 2 ** (vibrato / 12 * np.sin(2 * np.pi * 5.5 * times))
    phase = 2 * np.pi * np.cumsum(hertz * bend) / RATE
    tone = sum(np.sin(order * phase) / order for order in range(1, 9))
    return np.asarray(tone * np.minimum(times / 0.02, 1) * np.exp(-fall * times))


def tune(seconds: float, notes: float, *, fall: float, vibrato: float = 0.0) -> NDArray[np.float64]:
    """Notes that wander over a scale, so many a second."""
    random = np.random.default_rng(8)
    wave = np.zeros(round(seconds * RATE))
    step = 0
    for index in range(int(seconds * notes)):
        step = int(np.clip(step + random.integers(-3, 4), -7, 9))
        tone = note(262 * 2 ** (step / 12), 1 / notes + 0.05, fall=fall, vibrato=vibrato)
        first = round(index / notes * RATE)
        wave[first : first + len(tone)] += tone[: len(wave) - first]
    return wave


def chords(seconds: float) -> NDArray[np.float64]:
    random = np.random.default_rng(3)
    wave = np.zeros(round(seconds * RATE))
    for index in range(int(seconds / 1.5)):
        root = int(random.choice([0, 5, 7, 9]))
        first = round(index * 1.5 * RATE)
        for third in (0, 4, 7):
            tone = note(220 * 2 ** ((root + third) / 12), 1.6, fall=0.5)
            wave[first : first + len(tone)] += tone[: len(wave) - first]
    return wave


def beat(seconds: float) -> NDArray[np.float64]:
    """A kick and a snare made of noise."""
    random = np.random.default_rng(2)
    wave = np.zeros(round(seconds * RATE))
    times = np.arange(round(0.25 * RATE)) / RATE
    for index in range(int(seconds / 0.27)):
        hit = (
            np.sin(2 * np.pi * 50 * times) * np.exp(-12 * times)
            if index % 2 == 0
            else random.normal(0, 0.4, len(times)) * np.exp(-20 * times)
        )
        first = round(index * 0.27 * RATE)
        wave[first : first + len(hit)] += hit[: len(wave) - first]
    return wave


def song(seconds: float) -> NDArray[np.float64]:
    return chords(seconds) / 3 + tune(seconds, 3, fall=2, vibrato=0.3) + beat(seconds)


def siren(seconds: float) -> NDArray[np.float64]:
    times = np.arange(round(seconds * RATE)) / RATE
    hertz = 600 + 200 * np.sin(2 * np.pi * 0.3 * times)
    return np.sin(2 * np.pi * np.cumsum(hertz) / RATE)


@pytest.mark.parametrize(
    "wave",
    [
        chords(30),
        tune(30, 5, fall=4),
        tune(30, 4, fall=0.3, vibrato=0.5),
        song(30),
        siren(30),
        beat(30),
    ],
    ids=["chords", "piano", "flute", "song", "siren", "beat"],
)
def test_music_is_refused_whatever_passes_for_speech_in_it(wave: NDArray[np.float64]) -> None:
    sound = measure(levelled(wave), RATE)
    assert quality.fault([sound]) in {"music", "no_voice", "noise"}
    if quality.speech_seconds(sound) >= 5:
        assert quality.fault([sound]) == "music"


def test_recorded_music_is_refused_as_music() -> None:
    wave = recorded("hold_music.ogg", 60)
    for half in (wave[: 30 * RATE], wave[30 * RATE :]):
        assert quality.fault([measure(half, RATE)]) == "music"


@pytest.mark.parametrize(
    "name", ["city-ambience.ogg", "forest-ambience.ogg", "keyboard-typing.ogg", "crowded-room.ogg"]
)
def test_what_a_room_sounds_like_is_refused(name: str) -> None:
    wave = recorded(name, 30)
    expected = "noise" if name == "crowded-room.ogg" else "no_voice"
    assert quality.fault([measure(wave, RATE)]) == expected


def recorded(name: str, seconds: float) -> Wave:
    """The beginning of a recording that ships with the engine."""
    spec = find_spec("livekit.agents.resources")
    assert spec is not None
    assert spec.origin is not None
    with soundfile.SoundFile(Path(spec.origin).parent / name) as file:
        samples = file.read(round(seconds * file.samplerate), dtype="float32", always_2d=True)
        return np.asarray(soxr.resample(samples.mean(axis=1), file.samplerate, RATE))


@pytest.mark.parametrize(
    ("wave", "fault"),
    [
        (np.zeros(0, np.float32), "silence"),
        (np.zeros(RATE, np.float32), "silence"),
        (np.full(RATE, 1e-5, np.float32), "silence"),
        (np.random.default_rng(1).normal(0, 0.1, 20 * RATE).astype(np.float32), "no_voice"),
        (np.full(RATE, np.nan, np.float32), "silence"),
    ],
    ids=["nothing", "zeros", "offset", "noise", "not numbers"],
)
def test_nothing_and_noise_are_named_as_such(wave: Wave, fault: str) -> None:
    assert quality.fault([measure(wave, RATE)]) == fault


def test_no_sounds_at_all_are_silence() -> None:
    assert quality.fault([]) == "silence"


@pytest.mark.speech
@pytest.mark.parametrize("noise", [None, 10.0], ids=["clean", "10 dB"])
def test_speech_is_never_taken_for_music(shared_data: Path, noise: float | None) -> None:
    refused = []
    places = [
        *(shared_data / "fixtures-fr").rglob("*.wav"),
        *(shared_data / "fixtures-en").rglob("*.wav"),
        *(shared_data / "fixtures-en" / "lj").glob("*.flac"),
    ]
    random = np.random.default_rng(4)
    for path in sorted(places):
        wave, rate = soundfile.read(path, dtype="float32")
        if noise is not None:
            level = np.sqrt(np.mean(np.square(wave))) * 10 ** (-noise / 20)
            wave = (wave + random.normal(0, level, len(wave))).astype(np.float32)
        sound = measure(wave, rate)
        assert sound.speech
        if not quality.voice_like([sound]):
            refused.append(path.name)
    assert len(places) > 20
    assert refused == []


@pytest.mark.speech
def test_clipped_and_noisy_speech_is_refused_with_its_reason(shared_data: Path) -> None:
    wave, rate = soundfile.read(shared_data / "fixtures-fr" / "lamartine.wav", dtype="float32")
    assert quality.fault([measure(wave, rate)]) is None
    loud = np.clip(wave * 30, -1, 1)
    assert quality.fault([measure(loud, rate)]) == "clipping"
    level = float(np.sqrt(np.mean(np.square(wave)))) * 10 ** (-8 / 20)
    hiss = np.random.default_rng(5).normal(0, level, len(wave))
    noisy = measure((wave + hiss).astype(np.float32), rate)
    assert noisy.snr is not None
    assert noisy.snr < quality.LOWEST_SNR
    assert quality.fault([noisy]) == "noise"


def test_signal_to_noise_is_weighted_by_speech_and_clipping_by_time() -> None:
    one = Sound(
        start=0,
        duration=10,
        pitch=(),
        intensity=(),
        speech=((0, 9),),
        nuclei=(),
        snr=30,
        clipping=0,
    )
    other = one.model_copy(update={"speech": ((0, 1),), "snr": 10.0, "clipping": 0.02})
    silent = one.model_copy(update={"speech": (), "snr": None})
    assert quality.snr([one, other, silent]) == pytest.approx(28)
    assert quality.clipping([one, other]) == pytest.approx(0.01)
    assert quality.snr([silent]) is None


def test_words_and_sound_disagree_by_the_share_that_one_of_them_lacks() -> None:
    sound = Sound(
        start=0,
        duration=10,
        pitch=(),
        intensity=(),
        speech=((0, 10),),
        nuclei=(),
        snr=30,
        clipping=0,
    )
    half = [Word("a", 0.0, 5.0)]
    assert quality.disagreement([(half, sound)]) == pytest.approx(0.5)
    assert quality.disagreement([([Word("a", 0, 10)], sound)]) == pytest.approx(0)
    assert quality.disagreement([([], sound.model_copy(update={"speech": ()}))]) == 0.0
