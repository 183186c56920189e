"""One stretch of the character's speech: its text, its sound, and how much of it was heard."""

import itertools
import re
from dataclasses import dataclass, field

UTTERANCE = "eloquence.utterance"
"""Under this key every sound frame of the character carries its `Utterance`."""

_numbers = itertools.count(1)


@dataclass(slots=True, eq=False)
class Utterance:
    """Text and timing of one stretch of the character's speech.

    `timed` holds (text, start in seconds of its sound), word by word. `duration` is the length of
    the sound made so far; `complete` says that no more will come. The `…_at` are POSIX seconds.
    """

    id: str = field(default_factory=lambda: f"c{next(_numbers)}")
    text: str = ""
    timed: list[tuple[str, float]] = field(default_factory=list)
    duration: float = 0.0
    complete: bool = False
    made_at: float | None = None
    """When its first sound was made."""
    handed_at: float | None = None
    """When its first sound was handed to the transport."""
    started_at: float | None = None
    """When the listener began to hear it."""
    held: float = 0.0
    """Seconds for which it was held back after it had begun."""
    pcm: list[bytes] | None = None
    """Sound that was made and not yet given to the recording; None when nothing is recorded."""
    recorded: int = 0
    """Samples given to the recording."""

    unsaid: float | None = None
    """From which second on its text is shown because no voice says it; None while one does."""

    def close(self, clause: str, begins: float, known: int) -> None:
        """A clause was said from `begins` on, `known` words before it. Words that its voice gave
        no times for are spread."""
        if len(self.timed) == known:
            self.spread(clause, begins)
        elif clause[-1:].isspace():  # the space after a clause is none of its voice's
            text, start = self.timed[-1]
            self.timed[-1] = (text.rstrip() + " ", start)

    def lose(self, clause: str, known: int) -> None:
        """No voice says the rest of a clause, nor what comes after it: it is shown."""
        self.unsaid = self.duration
        said = sum(len(text.split()) for text, _ in self.timed[known:])
        if said:
            self.timed[-1] = (self.timed[-1][0].rstrip() + " ", self.timed[-1][1])
        self.show("".join(re.findall(r"\S+\s*", clause)[said:]))

    def show(self, text: str) -> None:
        """Shows text from the moment on in which the voice was lost."""
        if text:
            self.timed.append((text, self.unsaid or 0.0))

    def spread(self, clause: str, begins: float) -> None:
        """Gives word times to a clause whose sound lies between `begins` and `duration`, in
        proportion to the length of the words, for voices that give none."""
        pieces = re.findall(r"\s*\S+\s*", clause)
        letters = sum(map(len, pieces))
        at = begins
        for piece in pieces:
            self.timed.append((piece, at))
            at += (self.duration - begins) * len(piece) / letters

    def heard(self, position: float) -> str:
        """The words heard when `position` seconds of the sound were played."""
        if position <= 0:
            return ""
        if self.complete and position >= self.duration - 0.05:
            return self.text.strip()
        return "".join(text for text, start in self.timed if start < position).strip()
