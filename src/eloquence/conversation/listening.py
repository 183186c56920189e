"""What is known of the learner's turn while it is being said."""

import itertools
import unicodedata

from eloquence.conversation.stages import HEARD, LastTurn
from eloquence.delivery.words import Word

_LONG_PAUSE = 1.0
_BACKCHANNEL_WORDS = 2
_BACKCHANNEL_SECONDS = 0.7


class Listening:
    """Collects words and voice of one turn, and keeps `facts` up to date for the next reply.

    Times are seconds on the session's clock.
    """

    def __init__(self, facts: LastTurn) -> None:
        self.facts = facts
        self.words: list[Word] = []
        self.voice: list[tuple[float, float]] = []
        self._speaking_since: float | None = None
        self._until: float | None = None
        self._stale = False

    def voice_started(self, at: float) -> None:
        self._open()
        self._speaking_since = at

    def voice_ended(self, at: float) -> None:
        if self._speaking_since is not None and at > self._speaking_since:
            self.voice.append((self._speaking_since, at))
        self._speaking_since = None
        self._measure()

    def recognised(self, text: str, words: list[Word], until: float | None = None) -> None:
        """Final words of a part of the turn; `HEARD` stands for sound without words. `until` is
        where the sound of that part ended, when it was spoken: words may come before the voice is
        known to have stopped, and an answer is prepared from what is known then."""
        self._open()
        self._until = until
        if text != HEARD:
            self.facts.text = f"{self.facts.text} {text}".strip()
            self.words.extend(words)
        self._measure()

    def take(self) -> tuple[str, tuple[Word, ...], list[tuple[float, float]]]:
        """Text, words and voice of the turn that has just ended; what comes next is a new turn.

        The facts stay readable until the learner speaks again.
        """
        if self._stale:
            return "", (), []
        self._stale = True
        return self.facts.text, tuple(self.words), list(self.voice)

    def recall(self, text: str, seconds: float) -> None:
        """Takes the facts of a turn that was stored already, and is owed an answer."""
        self._open()
        self.facts.text, self.facts.seconds = text, seconds
        self._stale = True

    @property
    def speaking(self) -> bool:
        """Whether the learner's voice is heard right now."""
        return self._speaking_since is not None

    @property
    def taken(self) -> bool:
        """Whether the latest turn was taken and nothing was heard since."""
        return self._stale

    @property
    def began(self) -> float | None:
        """When the turn that is being said began; None when nobody is talking."""
        if self._stale or (self._speaking_since is None and not self.voice):
            return None
        return self.voice[0][0] if self.voice else self._speaking_since

    @property
    def pending(self) -> bool:
        """Whether something was heard since the last turn was taken."""
        return not self._stale and bool(self.voice or self.words)

    def _open(self) -> None:
        if self._stale:
            self._stale = False
            self.words.clear()
            self.voice.clear()
            self.facts.text, self.facts.seconds = "", 0.0
            self.facts.syllable_rate, self.facts.pauses = None, 0
            self.facts.finished = False

    def _measure(self) -> None:
        spans = list(self.voice)
        begun, until = self._speaking_since, self._until
        if begun is not None and until is not None and until > begun:
            spans.append((begun, until))
        spans = spans or [(word.start, word.end) for word in self.words]
        if not spans:
            return
        self.facts.seconds = spans[-1][1] - spans[0][0]
        self.facts.pauses = sum(
            later[0] - earlier[1] >= _LONG_PAUSE for earlier, later in itertools.pairwise(spans)
        )


def is_backchannel(text: str, seconds: float, words: frozenset[str]) -> bool:
    """Whether what was said over the character only says "go on".

    With words: one or two of the given ones (see `plain`). By ear: a voiced stretch shorter than
    0.7 s; `seconds` is 0 when the length is unknown, which is no backchannel.
    """
    if text == HEARD:
        return 0 < seconds < _BACKCHANNEL_SECONDS
    said = [plain(word) for word in text.split()]
    return 0 < len(said) <= _BACKCHANNEL_WORDS and all(word in words for word in said)


def plain(word: str) -> str:
    """A word without case, accents and punctuation, for comparing."""
    bare = unicodedata.normalize("NFKD", word.casefold())
    return "".join(letter for letter in bare if letter.isalnum())
