"""Words of known text with their times, found by forced alignment on the real sound.

words = aligned(samples, "Bonjour, je m'appelle Luc.", french_models(data, [text], folder))
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eloquence.delivery.words import Word
from eloquence.testing.french import french_recogniser_options, words

RATE = 16_000
_FRAME = 0.01  # s of a frame of the aligner
_SILENCE = frozenset({"<sil>", "<s>", "</s>", "[NOISE]", "[SPEECH]", "NULL", "(NULL)"})


def french_models(data: Path, sentences: Iterable[str], folder: Path) -> Mapping[str, str]:
    """Options of the aligner for these French sentences; a dictionary is written into `folder`."""
    options = french_recogniser_options(data, sentences, folder)
    return {"hmm": str(options["hmm"]), "dict": str(options["dictionary"])}


def english_models() -> Mapping[str, str]:
    """Options of the aligner for English: the model and the dictionary of its package."""
    from pocketsphinx import get_model_path

    return {
        "hmm": get_model_path("en-us/en-us"),
        "dict": get_model_path("en-us/cmudict-en-us.dict"),
    }


def aligned(
    samples: NDArray[np.float32], text: str, models: Mapping[str, str], *, start: float = 0.0
) -> tuple[Word, ...]:
    """The words of `text` as written, with where they are said in 16 kHz `samples`.

    `start` is where the first sample lies on the clock, in seconds. Raises ValueError when the
    text does not fit the sound, or a word has no pronunciation.
    """
    from pocketsphinx import Decoder

    said = words(text)
    shown = [token for token in text.split() if words(token)]
    decoder = Decoder(**models, lm=None, samprate=RATE, loglevel="FATAL", backtrace=False)
    pcm = (np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes()
    decoder.set_align_text(" ".join(said))
    decoder.start_utt()
    decoder.process_raw(pcm, full_utt=True)
    decoder.end_utt()
    found = [
        (segment.start_frame * _FRAME, (segment.end_frame + 1) * _FRAME)
        for segment in decoder.seg() or ()
        if segment.word not in _SILENCE
    ]
    if len(found) != len(said):
        raise ValueError(f"{len(found)} of {len(said)} words were found in the sound")
    timed = []
    at = 0
    for token in shown:
        count = len(words(token))
        begin, end = found[at][0], found[at + count - 1][1]
        timed.append(Word(token, round(start + begin, 3), round(start + end, 3)))
        at += count
    return tuple(timed)
