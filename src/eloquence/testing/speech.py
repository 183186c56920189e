"""Real speech with known words, and what microphones, lines, rooms and speakers do to it."""

import asyncio
import csv
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr
from livekit.agents.types import USERDATA_TIMED_TRANSCRIPT
from numpy.typing import NDArray

from eloquence.coaching.character import Language
from eloquence.conversation.stages import Resources
from eloquence.delivery.sound import SHORTEST_PAUSE, measure
from eloquence.delivery.words import Word
from eloquence.providers import espeak
from eloquence.testing.aligned import RATE, aligned, english_models, french_models
from eloquence.testing.context import stage_context

Wave = NDArray[np.float32]
PEAK = 0.2
"""Level of the loudest sample, so that 12 dB more still is no clipping."""


@dataclass(frozen=True, slots=True)
class Clip:
    """One stretch of speech: samples at 16 kHz, and its words with times from its start."""

    samples: Wave
    words: tuple[Word, ...]

    @property
    def seconds(self) -> float:
        return len(self.samples) / RATE

    @property
    def text(self) -> str:
        return " ".join(word.text for word in self.words)


def french(data: Path, folder: Path) -> list[Clip]:
    """Nine read sentences of one speaker, 62 s; a dictionary is written into `folder`."""
    prompts = {}
    for line in (data / "fixtures-fr/voxforge/PROMPTS").read_text(encoding="utf-8").splitlines():
        name, _, text = line.partition(" ")
        prompts[name.rpartition("/")[2]] = text.lower().capitalize() + "."
    files = sorted((data / "fixtures-fr/voxforge").glob("*.wav"))
    texts = {file: prompts[file.stem] for file in files}
    return _clips(texts, french_models(data, texts.values(), folder))


def english(data: Path) -> list[Clip]:
    """Six read sentences of one speaker, 31 s."""
    folder = data / "fixtures-en/lj"
    with (folder / "metadata.csv").open(encoding="utf-8", newline="") as lines:
        rows = list(csv.reader(lines, delimiter="|", quoting=csv.QUOTE_NONE))
    texts = {folder / f"{row[0]}.flac": row[-1].rstrip(".,") + "." for row in rows}
    return _clips(texts, english_models())


def synthetic(text: str, language: Language) -> Clip:
    """A text as espeak-ng says it, with its word times."""
    return asyncio.run(_spoken(text, language))


async def _spoken(text: str, language: Language) -> Clip:
    resources = Resources()
    try:
        voice = espeak.create(espeak.Options(), stage_context(language, resources=resources))
        async with voice.stream() as stream:
            stream.push_text(text)
            stream.end_input()
            parts = [audio.frame async for audio in stream]
    finally:
        await resources.close()
    pcm = np.concatenate([np.frombuffer(part.data, np.int16) for part in parts])
    timed = [word for part in parts for word in part.userdata.get(USERDATA_TIMED_TRANSCRIPT, [])]
    samples = soxr.resample(pcm.astype(np.float32) / 32768, 24_000, RATE)
    wave: Wave = samples * np.float32(PEAK / np.abs(samples).max())
    words = tuple(Word(str(w).strip(), float(w.start_time), float(w.end_time)) for w in timed)
    return Clip(wave, _trimmed(words, measure(wave, RATE).speech))


def _clips(texts: Mapping[Path, str], models: Mapping[str, str]) -> list[Clip]:
    """The files whose text the aligner finds in the sound."""
    clips = []
    for file, text in texts.items():
        samples, rate = soundfile.read(file, dtype="float32")
        assert rate == RATE, file
        wave: Wave = samples * np.float32(PEAK / np.abs(samples).max())
        try:
            words = aligned(wave, text, models)
        except (RuntimeError, ValueError):
            continue
        clips.append(Clip(wave, _trimmed(words, measure(wave, RATE).speech)))
    return clips


def _trimmed(words: Sequence[Word], speech: Sequence[tuple[float, float]]) -> tuple[Word, ...]:
    """The words without the silences that the aligner gave to them."""
    found = []
    for word in words:
        start, end = word.start, min(word.end, speech[-1][1]) if speech else word.end
        for (_, left), (right, _) in pairwise(speech):
            if start < left < end <= right + SHORTEST_PAUSE:
                end = left
            elif left <= start < right < end:
                start = right
        found.append(replace(word, start=round(start, 3), end=round(max(end, start + 0.01), 3)))
    return tuple(found)


def louder(decibels: float) -> Callable[[Wave], Wave]:
    """The same speech at another level."""
    return lambda wave: wave * np.float32(10 ** (decibels / 20))


def through_telephone(wave: Wave) -> Wave:
    """300 to 3400 Hz, 24 dB per octave beyond."""
    return _shaped(
        wave,
        lambda hertz: (
            1 / np.sqrt((1 + (300 / np.maximum(hertz, 1)) ** 8) * (1 + (hertz / 3400) ** 8))
        ),
    )


def through_headset(wave: Wave) -> Wave:
    """Thin bass, 6 dB of presence at 3 kHz, dull above 5 kHz."""
    return _shaped(
        wave,
        lambda hertz: (
            10
            ** (
                (
                    -12 / (1 + (hertz / 120) ** 2)
                    + 6 * np.exp(-(((hertz - 3000) / 1200) ** 2))
                    - 3 * (hertz > 5000)
                )
                / 20
            )
        ),
    )


def in_a_room(wave: Wave, *, seconds: float = 0.3, ratio: float = 10.0) -> Wave:
    """Light reverberation: an exponential tail of so many seconds (60 dB), `ratio` dB under the
    direct sound."""
    count = int(seconds * RATE)
    tail = np.random.default_rng(3).normal(size=count)
    tail *= np.exp(-np.log(1000) * np.arange(count) / count)
    tail[: int(0.005 * RATE)] = 0
    tail *= 10 ** (-ratio / 20) / np.sqrt(np.square(tail).sum())
    tail[0] = 1
    whole = len(wave) + count
    wet = np.fft.irfft(np.fft.rfft(wave, whole) * np.fft.rfft(tail, whole), whole)
    heard: Wave = wet[: len(wave)].astype(np.float32)
    return heard


def _shaped(
    wave: Wave, gain: Callable[[NDArray[np.floating[Any]]], NDArray[np.floating[Any]]]
) -> Wave:
    spectrum = np.fft.rfft(wave) * gain(np.fft.rfftfreq(len(wave), 1 / RATE))
    shaped: Wave = np.fft.irfft(spectrum, len(wave)).astype(np.float32)
    return shaped


def resynthesised(
    clip: Clip,
    *,
    melody: float = 1.0,
    semitones: float = 0.0,
    slower: float = 1.0,
    ends: float = 0.0,
) -> Clip:
    """The same speech by Praat: its melody scaled about the median, the voice moved by so many
    semitones, its time stretched, the last 0.4 s rising by `ends` semitones."""
    import parselmouth

    call = parselmouth.praat.call
    sound = parselmouth.Sound(clip.samples.astype(float), RATE)
    manipulation = call(sound, "To Manipulation", 0.01, 60, 400)
    tier = call(manipulation, "Extract pitch tier")
    middle = float(np.median([p for p in sound.to_pitch().selected_array["frequency"] if p]))
    last = clip.words[-1].end
    call(
        tier,
        "Formula",
        f"{middle} * (self / {middle}) ^ {melody} * 2 ^ (({semitones} + "
        f"(if x > {last - 0.4} then {ends} * min(1, (x - {last - 0.4}) / 0.3) else 0 fi)) / 12)",
    )
    call([tier, manipulation], "Replace pitch tier")
    stretch = call("Create DurationTier", "stretch", 0, sound.xmax)
    call(stretch, "Add point", 0, slower)
    call([stretch, manipulation], "Replace duration tier")
    made: Any = call(manipulation, "Get resynthesis (overlap-add)").values[0]
    words = (replace(word, start=word.start * slower, end=word.end * slower) for word in clip.words)
    return Clip(made.astype(np.float32), tuple(words))


def with_silence(clip: Clip, after: int, seconds: float) -> Clip:
    """The clip with a silence put in after a word."""
    return _with_inserted(clip, after, np.zeros(round(seconds * RATE), np.float32))


def with_filler(clip: Clip, after: int, text: str = "euh", seconds: float = 0.35) -> Clip:
    """The clip with a filled pause put in after a word: a steady vowel at the speaker's own pitch
    and level, made of pulses through two resonances."""
    sound = measure(clip.samples, RATE)
    voiced = [hertz for hertz in sound.pitch if hertz is not None]
    vowel = _vowel(float(np.median(voiced)), seconds)
    level = float(np.sqrt(np.mean(np.square(clip.samples)))) / float(np.sqrt(np.mean(vowel**2)))
    return _with_inserted(clip, after, vowel * np.float32(level), text)


def _vowel(hertz: float, seconds: float) -> Wave:
    times = np.arange(round(seconds * RATE)) / RATE
    wave = np.zeros(len(times))
    for number in range(1, int(4000 / hertz)):
        frequency = number * hertz
        strength = sum(1 / (1 + ((frequency - peak) / 120) ** 2) for peak in (400, 1450, 2500))
        wave += strength / number**0.5 * np.sin(2 * np.pi * frequency * times)
    edge = np.minimum(1, np.minimum(times, times[::-1]) / 0.02)
    shaped: Wave = (wave * edge).astype(np.float32)
    return shaped


def _with_inserted(clip: Clip, after: int, piece: Wave, text: str = "") -> Clip:
    before = clip.words[after]
    at = round(before.end * RATE)
    length = len(piece) / RATE
    samples = np.concatenate([clip.samples[:at], piece, clip.samples[at:]])
    moved = tuple(
        replace(word, start=word.start + length, end=word.end + length)
        for word in clip.words[after + 1 :]
    )
    more = (Word(text, before.end, before.end + length),) if text else ()
    return Clip(samples, (*clip.words[: after + 1], *more, *moved))


def seconds(clips: Iterable[Clip]) -> float:
    """How long they are together."""
    return sum(clip.seconds for clip in clips)
