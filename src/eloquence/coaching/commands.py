"""What a learner may ask of the coach itself, by voice, whoever conducts the exercise.

A request is a short turn that says little else: « Aidez-moi. » asks for a hint, « Aidez-moi à
comprendre vos contraintes » is part of a negotiation.
"""

import re
import unicodedata
from collections.abc import Iterable
from typing import Literal

from eloquence.coaching.character import Language

Command = Literal["stop", "repeat", "restart", "pause", "help"]

COMMAND_WORDS = 9
"""Only a turn of at most so many words can ask to repeat or to stop: in a longer one the same
words are part of a story."""


def command(text: str, language: Language) -> Command | None:
    """What the turn asks for, None when it is simply an answer."""
    said = plain(text)
    alone = " ".join(_POLITE[language].sub(" ", said).split())
    for name, phrases in _ALONE[language].items():
        if alone in map(plain, phrases):
            return name
    if len(said.split()) <= COMMAND_WORDS:
        for name, within in _WITHIN[language].items():
            if holds(said, within):
                return name
    return None


def plain(text: str) -> str:
    """Lower case, no accent, words apart by one space: what recognisers agree on."""
    letters = unicodedata.normalize("NFD", text.casefold().replace("œ", "oe"))
    bare = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return " ".join(re.findall(r"[^\W_]+", bare))


def holds(said: str, phrases: Iterable[str]) -> bool:
    """Whether one of the phrases is in the plain text, as whole words."""
    return any(f" {plain(phrase)} " in f" {said} " for phrase in phrases if plain(phrase))


_WITHIN: dict[Language, dict[Command, tuple[str, ...]]] = {
    "fr": {
        "stop": (
            "on arrête là", "on s'arrête là", "arrêtons là", "arrêtons-nous là", "je veux arrêter",
            "je voudrais arrêter", "j'aimerais arrêter", "je préfère arrêter", "on peut arrêter",
            "on va s'arrêter là", "on en reste là", "j'ai terminé", "terminons", "au revoir",
            "arrêter la séance", "arrêter l'exercice", "fin de la séance",
        ),
        "repeat": (
            "pouvez-vous répéter", "vous pouvez répéter", "peux-tu répéter", "tu peux répéter",
            "pourriez-vous répéter", "vous pourriez répéter", "répétez", "répète s'il te plaît",
            "redites", "je n'ai pas entendu", "j'ai pas entendu", "je n'ai pas compris",
            "j'ai pas compris", "c'était quoi la question", "quelle était la question",
        ),
    },
    "en": {
        "stop": (
            "let's stop", "let us stop", "stop here", "stop there", "i want to stop",
            "i'd like to stop", "i would like to stop", "can we stop", "we can stop", "i'm done",
            "i am done", "that's all for today", "goodbye", "good bye", "end the session",
            "stop the session", "stop the exercise",
        ),
        "repeat": (
            "can you repeat", "could you repeat", "please repeat", "repeat the question",
            "say that again", "say it again", "i didn't hear", "i did not hear",
            "i didn't understand", "i did not understand", "what was the question",
            "i didn't catch that",
        ),
    },
}  # fmt: skip
"""Phrases that ask wherever they stand in a short turn."""

_ALONE: dict[Language, dict[Command, tuple[str, ...]]] = {
    "fr": {
        "stop": ("fin", "c'est fini", "terminé", "arrête", "arrêtez", "stop"),
        "repeat": ("répète", "répéter", "répète la question", "la question"),
        "restart": (
            "recommencer", "recommence", "recommençons", "on recommence", "recommencez",
            "je voudrais recommencer", "j'aimerais recommencer", "je veux recommencer",
            "peut-on recommencer", "on peut recommencer", "est-ce qu'on peut recommencer",
            "recommencer depuis le début", "on recommence depuis le début",
            "on recommence du début", "recommençons du début", "reprenons du début",
            "reprenons depuis le début", "on reprend du début", "on reprend depuis le début",
        ),
        "pause": (
            "pause", "une pause", "on fait une pause", "faisons une pause", "faire une pause",
            "je voudrais une pause", "j'ai besoin d'une pause", "je voudrais faire une pause",
            "on peut faire une pause", "peut-on faire une pause", "mets en pause",
            "mettez en pause",
        ),
        "help": (
            "aide", "aide-moi", "aidez-moi", "à l'aide", "de l'aide", "un indice",
            "j'ai besoin d'aide", "donnez-moi un indice", "donne-moi un indice",
            "pouvez-vous m'aider", "vous pouvez m'aider", "peux-tu m'aider", "tu peux m'aider",
            "pourriez-vous m'aider", "je suis bloqué", "je suis bloquée", "un conseil",
            "donnez-moi un conseil",
        ),
    },
    "en": {
        "stop": ("stop", "the end", "end", "finish", "let's finish", "i'm finished"),
        "repeat": ("repeat", "again", "the question", "the question again"),
        "restart": (
            "restart", "start over", "start again", "let's start over", "let's start again",
            "let's restart", "can we start over", "can we start again", "can i start over",
            "can i start again", "i'd like to start over", "i want to start over",
            "i'd like to start again", "from the beginning", "from the start",
            "let's go back to the beginning", "back to the beginning",
        ),
        "pause": (
            "pause", "a pause", "a break", "take a break", "let's pause", "let's take a break",
            "can we pause", "can we take a break", "i need a break", "i'd like a break",
        ),
        "help": (
            "help", "help me", "i need help", "a hint", "give me a hint", "can you help me",
            "could you help me", "can i have a hint", "i'm stuck", "some help",
        ),
    },
}  # fmt: skip
"""Phrases that ask only when the turn holds nothing else."""

_POLITE: dict[Language, re.Pattern[str]] = {
    "fr": re.compile(
        r"\b(?:s il (?:vous|te) plait|excusez moi|pardon|merci|bon|alors|bien|euh|heu|hum|oui|non"
        r"|ok|d accord|svp|madame|monsieur)\b"
    ),
    "en": re.compile(r"\b(?:please|thanks|thank you|sorry|well|so|uh|um|er|yes|no|ok|okay|now)\b"),
}
"""What may surround such a phrase, in plain form."""
