"""A French recogniser for a few known sentences, from the small acoustic model kept with the
speech data: words that the script may contain are recognised well, free dictation is not.

    options = french_recogniser_options(data, ["Bonjour, je m'appelle Luc."], tmp_path)
    ELOQUENCE_STT = json.dumps({"provider": "pocketsphinx", **options})
"""

import gzip
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

Pronunciation = tuple[str, ...]

_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*['’]?")
_DISCOUNT = 0.5
"""Share of probability left to what was not seen after a word."""

_SOUNDS: tuple[tuple[str, str], ...] = (
    # endings, where a final letter is silent
    (r"(?:es|ents)$", ""),
    (r"ez$", "ei"),
    (r"er$", "ei"),
    (r"ets?$", "ai"),
    (r"(?:aient|aits?|ais|aît)$", "ai"),
    (r"e$", ""),
    (r"[tdspxz]+$", ""),
    # nasal vowels: before a consonant or at the end
    (r"ien(?![aeiouyéèêhn])", "yy in"),
    (r"oin(?![aeiouyéèên])", "ww in"),
    (r"(?:ain|ein|aim|yn|ym|in|im)(?![aeiouyéèêînm])", "in"),
    (r"(?:un|um)(?![aeiouyéèênm])", "un"),
    (r"(?:an|am|en|em)(?![aeiouyéèênm])", "an"),
    (r"(?:on|om)(?![aeiouyéèênm])", "on"),
    # vowels written with several letters
    (r"eau|au", "au"),
    (r"ouill", "ou yy"),
    (r"eill?(?=e|$)", "ai yy"),
    (r"aill?(?=e|$)", "aa yy"),
    (r"ill(?=e|é|a|o|i)", "ii yy"),
    (r"oi|oî", "ww aa"),
    (r"où|oû|ou(?=[aeéi])", "ou"),
    (r"ou", "ou"),
    (r"œu|eu", "oe"),
    (r"ai|ei|aî", "ai"),
    (r"ui", "uy ii"),
    # consonants
    (r"tion", "ss yy on"),
    (r"ch", "ch"),
    (r"gn", "gn"),
    (r"ph", "ff"),
    (r"qu", "kk"),
    (r"gu(?=[eiéèêy])", "gg"),
    (r"ge(?=[aoâ])", "jj"),
    (r"g(?=[eiéèêy])", "jj"),
    (r"c(?=[eiéèêy])|ç", "ss"),
    (r"(?<=[aeiouyéèêâîôû])s(?=[aeiouyéèêâîôû])", "zz"),
    (r"x", "kk ss"),
    (r"([bdfglmnprst])\1", r"\1\1"),
    (r"cc|ck|c|k|q", "kk"),
    (r"i(?=[aeéèoâ])", "yy"),
    # single letters
    (r"[aàâ]", "aa"),
    (r"é", "ei"),
    (r"[èêë]", "ai"),
    (r"e", "ee"),
    (r"[iîïy]", "ii"),
    (r"[oô]", "oo"),
    (r"[uùûü]", "uu"),
    (r"([bdfglmnprstvz])", r"\1\1"),
    (r"j", "jj"),
    (r"w", "ww"),
    (r"h", ""),
)
_RULES = tuple((re.compile(pattern), sounds) for pattern, sounds in _SOUNDS)


def words(sentence: str) -> list[str]:
    """The words of a sentence as the recogniser writes them: lower case, straight apostrophes."""
    return [word.replace("’", "'").lower() for word in _WORD.findall(sentence)]


def spelled(word: str) -> Pronunciation:
    """How a French word probably sounds, by the usual rules of spelling."""
    sounds: list[str] = []
    at = 0
    while at < len(word):
        for pattern, written in _RULES:
            match = pattern.match(word, at)
            if match and match.end() > at and (at > 0 or not pattern.pattern.endswith("$")):
                sounds.extend(match.expand(written).split())
                at = match.end()
                break
        else:
            at += 1  # a sign without sound
    return tuple(sounds)


def pronunciations(
    word: str, dictionary: Mapping[str, Sequence[Pronunciation]]
) -> list[Pronunciation]:
    """The ways to say a word: from the dictionary, put together from its parts, or spelled."""
    if word in dictionary:
        return list(dictionary[word])
    parts = re.findall(r"[^'-]+'?", word)
    if len(parts) > 1:
        ways: list[Pronunciation] = [()]
        for part in parts:
            ways = [way + more for way in ways for more in pronunciations(part, dictionary)[:3]]
        return ways
    return [spelled(word)]


def french_recogniser_options(
    data_dir: Path, sentences: Iterable[str], out_dir: Path
) -> dict[str, object]:
    """Options of the `pocketsphinx` provider that recognise these sentences and mixtures of them.

    `data_dir` is the folder of the speech data; a small language model and a dictionary of just
    these words are written into `out_dir`. Raises OSError when the data is not there.
    """
    said = [words(sentence) for sentence in sentences]
    dictionary = _dictionary(data_dir / "fr-pocketsphinx" / "fr.dict.gz")
    out_dir.mkdir(parents=True, exist_ok=True)
    entries = []
    for word in sorted({word for sentence in said for word in sentence}):
        for number, sounds in enumerate(pronunciations(word, dictionary), 1):
            entries.append(f"{word}{'' if number == 1 else f'({number})'} {' '.join(sounds)}")
    (out_dir / "words.dict").write_text("\n".join(entries) + "\n", encoding="utf-8")
    (out_dir / "sentences.lm").write_text(bigram_model(said), encoding="utf-8")
    return {
        "hmm": str(data_dir / "fr-pocketsphinx" / "ci"),
        "dictionary": str(out_dir / "words.dict"),
        "lm": str(out_dir / "sentences.lm"),
    }


def bigram_model(sentences: Iterable[Sequence[str]]) -> str:
    """A bigram language model in ARPA format, with absolute shares of 1/2 left for backing off."""
    single: Counter[str] = Counter()
    pairs: Counter[tuple[str, str]] = Counter()
    for sentence in sentences:
        marked = ["<s>", *sentence, "</s>"]
        single.update(marked)
        pairs.update(pairwise(marked))
    total = sum(single.values())
    share = {word: count / total for word, count in single.items()}
    followers: dict[str, list[str]] = {}
    for first, second in pairs:
        followers.setdefault(first, []).append(second)
    lines = ["\\data\\", f"ngram 1={len(single)}", f"ngram 2={len(pairs)}", "", "\\1-grams:"]
    for word in sorted(single):
        unseen = 1.0 - sum(share[after] for after in followers.get(word, []))
        backoff = _DISCOUNT / unseen if word in followers else 1.0
        lines.append(f"{math.log10(share[word]):.4f} {word} {math.log10(backoff):.4f}")
    lines += ["", "\\2-grams:"]
    for (first, second), count in sorted(pairs.items()):
        probability = (
            (1 - _DISCOUNT) * count / sum(pairs[first, after] for after in followers[first])
        )
        lines.append(f"{math.log10(probability):.4f} {first} {second}")
    return "\n".join([*lines, "", "\\end\\", ""])


def word_errors(said: Sequence[str], heard: Sequence[str]) -> int:
    """Words to insert, leave out or replace to make one from the other."""
    row = list(range(len(heard) + 1))
    for number, word in enumerate(said, 1):
        diagonal, row[0] = row[0], number
        for at, other in enumerate(heard, 1):
            diagonal, row[at] = (
                row[at],
                min(row[at] + 1, row[at - 1] + 1, diagonal + (word != other)),
            )
    return row[-1]


def _dictionary(path: Path) -> dict[str, list[Pronunciation]]:
    found: dict[str, list[Pronunciation]] = {}
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            word, *sounds = line.split()
            if sounds:
                found.setdefault(re.sub(r"\(\d+\)$", "", word), []).append(tuple(sounds))
    return found
