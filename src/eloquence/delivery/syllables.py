"""How many syllables a written word has when it is spoken.

French counts *spoken* syllables: a final mute e, an elided word and an inner e that falls between
two single consonants count nothing. English is the usual count of vowel groups with its silent
endings. Both are rules without a dictionary, good for rates over a stretch of speech and not for
one word.
"""

import re
import unicodedata
from functools import lru_cache
from typing import Literal

Language = Literal["fr", "en"]

_AROUND = ' \t\n\u00a0\u202f.,;:!?…«»"“”()[]–—-'
_APOSTROPHES = re.compile(r"[’ʼ`´]")
_ELIDED = re.compile(r"(?:[cdjlmnst]|(?:jus|lors|puis|quoi)?qu)'(?=.)")
_FRENCH_PIECES = re.compile(r"[^\W\d_]+'?|\d+|%")
_ENGLISH_PIECES = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?|\d+|%")


def plain(text: str) -> str:
    """The word in lower case, composed, with a straight apostrophe and no punctuation around."""
    text = _APOSTROPHES.sub("'", unicodedata.normalize("NFC", text).lower())
    return text.strip(_AROUND)


def parts(text: str) -> tuple[str, ...]:
    """A plain word and the French word elided before it: « l'homme » is *l'* and *homme*."""
    elided = _ELIDED.match(text)
    return (elided[0], text[elided.end() :]) if elided else (text,)


_LONGEST = 200  # characters


@lru_cache(maxsize=16_384)
def syllable_count(word: str, language: Language) -> int:
    """Spoken syllables of one written word (which may hold an apostrophe or hyphens), 0 or more.

    Without a vowel, capitals are spelled (« CNRS » has four, a W more) and anything else is a sound
    of one syllable (« hm »). Of a word longer than any, only the beginning is looked at.
    """
    word = word[:_LONGEST]
    if (spelled := _spelled(word)) is not None:
        return spelled
    total = 0
    for piece in (_FRENCH_PIECES if language == "fr" else _ENGLISH_PIECES).findall(plain(word)):
        if piece.isdigit():
            total += _digits(piece)
        elif piece == "%":
            total += 2
        elif language == "en":
            total += _english(piece)
        elif not piece.endswith("'"):
            total += _french(piece)
        elif len(piece) > 3:  # lorsqu', but not l', qu'
            total += _french(piece[:-1] + "e")
    return total


def _spelled(word: str) -> int | None:
    letters = plain(word).replace(".", "")
    if not letters.isalpha() or any(letter in _VOWEL for letter in letters):
        return None
    if len(letters) == 1 or not word.strip(_AROUND).replace(".", "").isupper():
        return 1
    return len(letters) + 2 * letters.count("w")


def _digits(number: str) -> int:
    """Rough: how long a figure takes to say in French or English."""
    return (1, 2, 4, 6)[len(number) - 1] if len(number) <= 4 else 2 * len(number)


_CONSONANT = "bcdfghjklmnpqrstvwxzç"
_VOWEL = "aeiouyàâäéèêëîïíôöùûüœæ"
_SOUNDED_ENT = frozenset(
    """
    absent accent accident adhérent adjacent agent apparent ardent argent
    avent cent client cohérent compétent concurrent confident conséquent content
    continent convent couvent dent différent diligent décent délinquent efficient
    excellent excédent fréquent impatient impertinent imprudent incident inconvénient indifférent
    indulgent ingrédient innocent insolent intelligent intermittent lent mécontent négligent
    occident orient parent patient permanent pertinent prudent précédent président
    présent quotient récent régent résident sergent serpent souvent talent
    torrent transparent turbulent urgent vent violent éminent équivalent évident
    """.split()  # noqa: SIM905 - a list of words reads better as text
)
"""Words in -ent that are no verb form; those in -ment are a rule."""
_MUTE_MENT = re.compile(r"^(?:ai|for|confir|affir|expri|ani|esti|no|nom|fer|fu|ra|ar|consom)ment$")
_SOUNDED_E = re.compile(r"(?:[djlnmtsc]|qu)e|[dlmtsc]es|es|est|et")
_INNER_E = re.compile(
    rf"(?<=[{_VOWEL}])(n?(?:ch|ph|th|gn|(?P<twin>[{_CONSONANT}])(?P=twin)|[{_CONSONANT}]))e"
    rf"(?=(?:ch|ph|th|gn|[{_CONSONANT}])[{_VOWEL}])"
)


@lru_cache(maxsize=16_384)
def _french(word: str) -> int:
    if _SOUNDED_E.fullmatch(word):
        return 1
    if word.endswith("ent") and len(word) > 4:
        adverb = word.endswith("ment") and not _MUTE_MENT.match(word)
        if not adverb and word not in _SOUNDED_ENT:
            word = word[:-3] + "e"
    word = re.sub(r"([qg])u(?=[eéèêiîy])|qu", lambda m: m[1] or "q", word)
    word = re.sub(r"ge(?=[aàâoôu])", "j", word)
    word = re.sub(r"es?$", "", word) if re.search(rf"[{_VOWEL}].*[^é]es?$|.ées?$", word) else word
    word = _INNER_E.sub(r"\1", word)
    word = re.sub(rf"(?<=[{_VOWEL}])y(?=[{_VOWEL}])", "j", word)
    word = re.sub(rf"(?<=[bcdfgptv][lr])[iu](?=[{_VOWEL}])", "ij", word)  # cri-er, clou-er
    total = 0
    for run in re.findall(rf"[{_VOWEL}]+", word):
        total += 1
        total += len(re.findall(r"(?<=.)[ïëü]", run))
        total += len(re.findall(rf"é(?=[{_VOWEL}])(?![ïëü])", run))
        total += len(re.findall(r"(?<!é)(?:oa|ao(?![ûu])|oé|aé|ué)", run))
    return total


_TWO_VOWELS = re.compile(
    r"(?<![tscg])i[ao](?!u)|(?<![aeioug])(?<!^som)eo(?!p)|(?<=g)eo(?=[gml])|ua(?=t|l)|(?<=[^qg])uo"
    r"|iu(?=m)|(?:y|e)ing$|ier$|(?<![tc])ie(?=n[tc])|^scie|ie(?=t)|(?<=[aeiou].)ea$"
)
_CONTRACTION = re.compile(r"(n't|'\w+)$")
_SOUNDED_CONTRACTION = re.compile(
    r"[^aeiouyr]n't$|(?:[szx]|[cs]h|ce|se|ge)'s$|[td]'d$|[^aeiouy](?:'ll|'ve)$"
)


@lru_cache(maxsize=16_384)
def _english(word: str) -> int:
    if "'" in word:
        sounded = bool(_SOUNDED_CONTRACTION.search(word))
        return _english(_CONTRACTION.sub("", word) or "a") + sounded
    extra = 0
    if re.search(r"[^aeiouylr]les?$", word):
        extra += 1  # ta-ble
        word = re.sub(r"les?$", "", word)
    elif re.search(r"[^aeiouyscxzg]es$|(?<=..)[^aeiouytd]ed$", word):
        word = word[:-2]
    elif re.search(r"[^aeiouy]e$", word) and len(word) > 2:
        word = word[:-1]
    word = re.sub(r"^y(?=[aeiou])|qu", "w", word)
    word = re.sub(r"(?<=[aeiou])y(?=[aeiou])", "j", word)
    word = re.sub(r"e(?=ly$|ment|less|ful|ness)", "", word) if len(word) > 5 else word
    total = extra + len(re.findall(r"[aeiouy]+", word)) + len(_TWO_VOWELS.findall(word))
    if word.endswith(("sm", "thm")):
        total += 1
    return max(total, 1 if word else 0)
