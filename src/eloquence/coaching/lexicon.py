"""The words of one language that the measures recognise.

All of it is data that an author can edit: lists of words or short phrases in lower case with a
straight apostrophe, and expressions with the places where they do not count.
"""

from pydantic import Field

from eloquence.coaching.character import Language, Model
from eloquence.delivery.dialogue import QuestionWords
from eloquence.delivery.expressions import Expression


class Lexicon(Model):
    """Lists of words or short phrases, in lower case with a straight apostrophe."""

    language: Language
    filled_pauses: frozenset[str] = Field(min_length=1)
    """« euh », "um" and their spellings."""
    tics: tuple[Expression, ...] = ()
    """Discourse markers that fill when they carry no link, as « du coup »."""
    clause_openers: frozenset[str] = Field(min_length=1)
    """A pause before one of these is at a boundary. Elided forms end with their apostrophe."""
    open_words: frozenset[str] = Field(min_length=1)
    """Words that cannot end a phrase: a pause after one of these cuts it."""
    emphatic: frozenset[str] = frozenset()
    """Repeats that are meant, as « très très »."""
    alternatives: tuple[frozenset[str], ...] = ()
    """Sets of words of which two different ones in a row are a repair, as « le la »."""
    restarts: frozenset[str] = frozenset()
    """Subjects that, said again one or two words later, start the sentence over."""
    hedges: tuple[Expression, ...] = ()
    """Cautious expressions, as « il me semble »; the rules exclude the negated and the literal."""
    minimisers: tuple[Expression, ...] = ()
    """Expressions that make what was done smaller, as « juste », « désolé »."""
    connectives: tuple[Expression, ...] = ()
    """What marks the structure, as « d'abord », « par exemple »."""
    numbers: frozenset[str] = frozenset()
    """Numbers in words, without « un » and "one", which are mostly articles and pronouns."""
    dates: frozenset[str] = frozenset()
    """Months and days."""
    own_subjects: frozenset[str] = frozenset()
    """« je », « j' » / "I"."""
    shared_subjects: frozenset[str] = frozenset()
    """« nous », « on » / "we"."""
    backchannels: frozenset[str] = frozenset()
    """Signs of listening, which take nobody's turn."""
    open_questions: tuple[Expression, ...] = ()
    """Words of questions that cannot be answered by yes or no."""
    closed_questions: tuple[Expression, ...] = ()
    """What opens the other questions, as « est-ce que »."""
    inverted: frozenset[str] = frozenset()
    """Subjects that follow an inverted verb after a hyphen, as « vous »."""
    stop_words: frozenset[str] = frozenset()
    """Words too common for their return to mean anything."""

    @property
    def asking(self) -> QuestionWords:
        """How this language asks, as `delivery.dialogue` takes it."""
        return QuestionWords(self.open_questions, self.closed_questions, self.inverted)
