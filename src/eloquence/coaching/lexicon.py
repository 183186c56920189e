"""The words of one language that the measures recognise."""

from pydantic import Field

from eloquence.coaching.character import Language, Model


class Lexicon(Model):
    """Lists of words or short phrases, in lower case with a straight apostrophe."""

    language: Language
    filled_pauses: frozenset[str] = Field(min_length=1)
    """« euh », "um" and their spellings."""
    tics: frozenset[str] = frozenset()
    """Discourse markers that fill when they carry no link, as « du coup »."""
    clause_openers: frozenset[str] = Field(min_length=1)
    """A pause before one of these is at a boundary. Elided forms end with their apostrophe."""
    open_words: frozenset[str] = Field(min_length=1)
    """Words that cannot end a phrase: a pause after one of these cuts it."""
    emphatic: frozenset[str] = frozenset()
    """Repeats that are meant, as « très très »."""
